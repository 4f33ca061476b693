"""What an approval would do: the plan of an application, pure (SPEC 1.3).

A plan is shown to staff word for word, its tasks are part of the digest they approve, and exactly these tasks are
carried out. `blocked` says why it cannot be approved as it stands; then only another decision helps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Any

from config import approval_rules
from config.request_types import RequestType, Table
from parsers.reading import Application, Finding, Severity
from parsers.subject import SURE

from .matching import PERSON_FIELDS, Match, Person, Registration, person_of

JST = timezone(timedelta(hours=9), "JST")


class TaskKind(StrEnum):
    """What an approval can ask for."""

    ISSUE = "issue"
    REVOKE = "revoke"
    CHANGE = "change"
    CLOSE = "close"
    RESCHEDULE = "reschedule"


@dataclass(frozen=True, slots=True)
class LiveCertificate:
    """As much of a certificate as a plan names."""

    serial: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What the register knows of the companies of a form, to weigh what was read from a picture (`cross_checks`):
    names equal to those read or nearly so, every mail address of those companies, and whose it is (name, address)."""

    companies: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    people: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class RegisterFacts:
    """All that the register says about one application, gathered on the day `as_of` (Japan), before the rules look."""

    match: Match = field(default_factory=lambda: Match((), ()))
    target: Registration | None = None
    live: tuple[LiveCertificate, ...] = ()
    company_known: bool = False
    company_certified: bool = False
    company_english: frozenset[str] = frozenset()
    company_domains: frozenset[str] = frozenset()
    colleagues: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    sender: str = ""
    as_of: date = date.min
    known: Known = Known()
    former: tuple[str, ...] = ()
    """Certificates of a former CA that the target still holds, in words (daemon.former)."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do. `wished` is the day at whose end it falls due; None means at acceptance.

    `serials` narrows a revocation to these certificates and their renewals; empty means every certificate of the
    registration that is live when it is carried out (SPEC 1.3.7).
    """

    kind: TaskKind
    registration_id: int | None = None
    serials: tuple[str, ...] = ()
    wished: date | None = None
    detail: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The task for the digest and for the record."""
        return {
            "kind": self.kind.value,
            "registration_id": self.registration_id,
            "serials": list(self.serials),
            "wished": self.wished.isoformat() if self.wished else None,
            "detail": dict(self.detail),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The tasks, the sentences staff read, what stands in the way, and how many approvers it takes and why."""

    tasks: tuple[Task, ...]
    sentences: tuple[str, ...]
    blocked: tuple[str, ...] = ()
    quorum: int = 1
    quorum_reasons: tuple[str, ...] = ()


def end_of_day(day: date) -> datetime:
    """The end of a wished day, JST (SPEC 1.3.3): the instant at which the next day begins, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(0), JST).astimezone(UTC)


def make(application: Application, facts: RegisterFacts, findings: tuple[Finding, ...], table: Table) -> Plan:
    """The plan of one application. `findings` are all of them, of form and register."""
    kind = application.request_type
    if kind is None:
        return Plan((), (), ("申請種別が確定していません。「種別変更 種別」で確定してください。",))
    rule = table.types[kind]
    blocked = _blocked(kind, facts, table) + _defects(findings, table) + _unread(application, kind, table)
    if blocked:
        return Plan((), (), blocked)
    target = facts.target
    wished = _wished(application, table)
    tasks: list[Task] = []
    sentences: list[str] = []
    if rule.issues:
        registration = target.id if target and kind is RequestType.REISSUE else None
        person = target.person if target and kind is RequestType.REISSUE else person_of(application, rule.gives)
        tasks.append(Task(TaskKind.ISSUE, registration, detail=_detail(person)))
        sentences.append(f"発行：{person.name_en}（{person.name_ja}）の証明書を発行し、{person.email} へ送付します。")
        if registration is None:
            sentences += _to_compare(application, rule.gives, table)
    if kind is RequestType.REGISTRATION_CHANGE and target:
        after = person_of(application, rule.gives)
        tasks.append(Task(TaskKind.CHANGE, target.id, detail=_detail(after)))
        sentences.append(
            f"登録変更：登録 {target.subscriber_id} を変更後の内容に改めます。"
            "証明書の発行・失効はなく、次回の発行分から反映されます。"
        )
        sentences += _to_compare(application, rule.gives, table)
    if rule.revokes and target:
        tasks += _revocations(kind, target, facts, wished, _reason(kind, application))
        sentences += _revocation_sentences(kind, target, facts, wished)
    reasons = _quorum_reasons(rule.approvers, rule.word, findings)
    return Plan(tuple(tasks), tuple(sentences), (), 2 if reasons else 1, reasons)


def _blocked(kind: RequestType, facts: RegisterFacts, table: Table) -> tuple[str, ...]:
    rule = table.types[kind]
    if not rule.must_match:
        if facts.match.exact:
            numbers = "、".join(registration.subscriber_id for registration in facts.match.exact)
            return (f"同じ利用者の登録があります（{numbers}）。再発行の場合は「種別変更 再発行」としてください。",)
        return ()
    if facts.target is not None:
        return ()
    if not facts.match.exact and not facts.match.candidates:
        return ("該当する登録がありません。「差戻し 理由」または「却下 理由」としてください。",)
    return ("対象の登録が一つに定まりません。「対象 番号」で選んでください。",)


def _defects(findings: tuple[Finding, ...], table: Table) -> tuple[str, ...]:
    """A form corrected by staff may still be, or become, defective: nothing defective is approved."""
    labels = [table.label(finding.field) for finding in findings if finding.severity is Severity.DEFECT]
    return (
        (f"不備が残っています（{'、'.join(dict.fromkeys(labels))}）。「修正」または「差戻し」としてください。",)
        if labels
        else ()
    )


def _unread(application: Application, kind: RequestType, table: Table) -> tuple[str, ...]:
    """What could not be read is no fact, and neither is its absence: nothing is issued to an address that nobody read,
    and a date that nobody could read is not «none given», which would revoke at once (SPEC 1.3.3, 1.3.10)."""
    rule = table.types[kind]
    takes_over = rule.gives and not (rule.issues and rule.gives == rule.looks_up and rule.must_match)
    keys = [f"{rule.gives}.{name}" for name in PERSON_FIELDS] if takes_over else []
    labels = [table.label(key) for key in keys if application.value(key) is None and _is_unsure(application, key)]
    blocked = []
    if labels:
        blocked.append(f"読み取れない項目があります（{'、'.join(labels)}）。「修正 項目=値」で補ってください。")
    key = "wished_revocation_date"
    if not table.row(key).needs[kind].greyed and application.value(key) is None and _is_unsure(application, key):
        blocked.append("失効希望日の欄を読み取れません。「失効日 日付」または「失効日 なし」で指定してください。")
    return tuple(blocked)


def _to_compare(application: Application, block: str, table: Table) -> list[str]:
    """The data of the next certificate that were read with doubt: whoever approves vouches for them."""
    keys = [f"{block}.{name}" for name in PERSON_FIELDS]
    labels = [table.label(key) for key in keys if _is_unsure(application, key)]
    if not labels:
        return []
    return [f"要照合：{'、'.join(labels)}は読み取りに確信がありません。原本と1文字ずつ照合のうえ、承認してください。"]


def _is_unsure(application: Application, key: str) -> bool:
    field = application.fields.get(key)
    return field is not None and field.confidence < SURE


def _wished(application: Application, table: Table) -> date | None:
    kind = application.request_type
    value = application.value("wished_revocation_date")
    if kind is None or value is None or table.row("wished_revocation_date").needs[kind].greyed:
        return None
    return date.fromisoformat(value)


def _revocations(
    kind: RequestType, target: Registration, facts: RegisterFacts, wished: date | None, reason: str
) -> list[Task]:
    serials = tuple(certificate.serial for certificate in facts.live) if kind is RequestType.REISSUE else ()
    if kind is RequestType.REISSUE and not serials:
        # Without a serial a revocation means every certificate of the registration, and so the one just issued.
        return []
    tasks = [Task(TaskKind.REVOKE, target.id, serials, wished, {"reason": reason})]
    if kind is not RequestType.REISSUE:
        tasks.append(Task(TaskKind.CLOSE, target.id, (), wished))
    return tasks


def _revocation_sentences(
    kind: RequestType, target: Registration, facts: RegisterFacts, wished: date | None
) -> list[str]:
    when = "承認後ただちに"
    if wished is not None and wished < facts.as_of:
        # Already past: as at acceptance (SPEC 1.3.3). Staff see it the day it becomes so; the digest changes with it.
        when = f"失効希望日（{wished:%Y-%m-%d}）を過ぎているため、承認後ただちに"
    elif wished is not None:
        when = f"{wished:%Y-%m-%d} の終わり（日本時間24時）に"
    sentences = [
        f"失効：{target.person.name_ja} の証明書 {certificate.serial}"
        f"（期限 {certificate.not_after.astimezone(JST):%Y-%m-%d}）を{when}失効します。"
        for certificate in facts.live
    ] or ["失効：現在有効な証明書はありません。"]
    sentences += [
        f"旧認証局の証明書：{words}は、旧認証局での失効をお願いします。その報告があるまで実行は完了しません。"
        for words in facts.former
    ]
    if kind is not RequestType.REISSUE:
        sentences.append(f"登録 {target.subscriber_id} を{when}終了し、以後更新しません。")
    return sentences


def _reason(kind: RequestType, application: Application) -> str:
    """The RFC 5280 reason (domain notes B.1, last lines): theft or leak is key compromise, a leaver an affiliation."""
    remarks = application.value("remarks") or ""
    if kind is RequestType.REISSUE:
        lost = any(word in remarks for word in ("盗難", "紛失", "漏えい", "漏洩", "流出"))
        return "key_compromise" if lost else "superseded"
    return "cessation_of_operation" if "利用終了" in remarks else "affiliation_changed"


def _quorum_reasons(approvers: int, word: str, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Why it takes two (SPEC 2.1), as `config/approval_rules.toml` has it."""
    rules = approval_rules.load()
    reasons = [word] if approvers > 1 else []
    reasons += [rules.findings[finding.code] for finding in findings if finding.code in rules.findings]
    others = {finding.severity.value for finding in findings if finding.code not in rules.findings}
    reasons += [words for severity, words in rules.severities.items() if severity in others]
    return tuple(dict.fromkeys(reasons))


def _detail(person: Person) -> dict[str, str]:
    return {
        "company_ja": person.company_ja,
        "company_en": person.company_en,
        "name_ja": person.name_ja,
        "name_en": person.name_en,
        "email": person.email,
    }
