"""The daily digest (domain notes E.3): to each approver, on business days, what waits and what is due. It reads only;
it carries no token, and a reply to it decides nothing (`replies`).

Once a day and approver: the key of the letter is unique. After an outage today's is sent, yesterday's never.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from functools import partial

from sqlalchemy import Connection, select

from ca import register
from config.settings import Approver
from parsers.reply import Verb

from . import (
    approval,
    business_time,
    cases,
    checkpoints,
    digest_letters,
    former,
    leaves,
    orders,
    post,
    registrations,
    schema,
)
from .case import State
from .case_facts import KIND_WORDS
from .cases import Case
from .centre import Centre
from .guard import attempt
from .planning import JST, TaskKind
from .store import every, one

ON_HOLD_DAYS = 3
_SOON, _EXPIRING = timedelta(days=7), timedelta(days=30)
_MOST_LINES = 30  # of one heading; a phone shows no more, and `ogis-lra queue` shows all

Section = tuple[str, list[str]]


def send(centre: Centre) -> int:
    """Queue today's digests where it is time and they have not been; returns how many."""
    now, settings = centre.clock(), centre.settings.approval
    local = now.astimezone(JST)
    if not settings.digest_at:
        return 0
    if local.time() < time.fromisoformat(settings.digest_at) or not business_time.of(settings).is_open(local.date()):
        return 0
    with centre.store.transaction() as tx:
        missing = [each for each in centre.settings.approvers if not _was_sent(tx, each, local)]
    return sum(attempt("daily digest", partial(_send, centre, approver)) or 0 for approver in missing)


def _key(approver: Approver, local: datetime) -> str:
    return f"digest:{local:%Y-%m-%d}:{approver.address.lower()}"


def _was_sent(tx: Connection, approver: Approver, local: datetime) -> bool:
    return one(tx, select(schema.letters.c.id).where(schema.letters.c.key == _key(approver, local))) is not None


def _send(centre: Centre, approver: Approver) -> int:
    now = centre.clock()
    with centre.store.transaction() as tx:
        mine, others = waiting(tx, centre, approver), sections(tx, centre, now=now)
        draft = digest_letters.daily_digest(
            centre.office,
            day=now.astimezone(JST).date(),
            waiting=len(mine),
            sections=[("ご判断をお待ちしている案件", mine), *others],
        )
        key = _key(approver, now.astimezone(JST))
        post.queue(tx, centre, draft, key=key, recipient=approver.address, now=now)
        centre.audit.append(tx, "digest_sent", at=now, actor="system", approver=approver.address, waiting=len(mine))
    return 1


def waiting(tx: Connection, centre: Centre, approver: Approver) -> list[str]:
    """The cases this approver holds an open request for, the most urgent first."""
    requests = schema.requests
    query = select(requests.c.case_id).where(
        requests.c.state == "open",
        requests.c.purpose == approval.DECISION,
        requests.c.approver == approver.address,
    )
    held = [cases.get(tx, row["case_id"]) for row in every(tx, query.distinct())]
    held.sort(key=lambda case: (not _urgent(case), case.arrived_at))
    return _cut([_line(centre, case) for case in held if case.state is State.AWAITING_DECISION])


def sections(tx: Connection, centre: Centre, *, now: datetime) -> list[Section]:
    """What is the same for everybody, by headings."""
    return [(heading, _cut(list(gather(tx, centre, now)))) for heading, gather in _SECTIONS]


def _cut(lines: list[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"ほか{len(lines) - _MOST_LINES}件（ogis-lra queue でご覧いただけます）"]


def _line(centre: Centre, case: Case) -> str:
    return f"{case.number} {word_of(centre, case)} {case.applicant_company}".rstrip()


def word_of(centre: Centre, case: Case) -> str:
    """What kind of case it is, in Japanese."""
    return KIND_WORDS.get(case.kind) or (
        centre.table.types[case.request_type].word if case.request_type else "種別未定"
    )


def _urgent(case: Case) -> bool:
    return case.kind in orders.KINDS


def _asked(tx: Connection, case: Case) -> bool:
    """Whether the last thing staff said about a case was a question to the applicant."""
    decisions = schema.decisions
    query = select(decisions.c.verb).where(decisions.c.case_id == case.id, decisions.c.verb != Verb.NOTE.value)
    rows = every(tx, query.order_by(decisions.c.id.desc()).limit(1))
    return bool(rows) and rows[0]["verb"] == Verb.ASK.value


def _for_applicant(tx: Connection, centre: Centre, now: datetime) -> Iterator[str]:
    for case in cases.in_state(tx, State.RETURNED, State.ON_HOLD):
        if case.state is State.RETURNED:
            until = f"（{case.deadline.astimezone(JST):%m/%d}まで）" if case.deadline else ""
            yield f"{_line(centre, case)} 再提出待ち{until}"
        elif _asked(tx, case):
            yield f"{_line(centre, case)} 回答待ち"


def _on_hold(tx: Connection, centre: Centre, now: datetime) -> Iterator[str]:
    for case in cases.in_state(tx, State.ON_HOLD):
        days = (now - case.changed_at).days
        if now - case.changed_at > timedelta(days=ON_HOLD_DAYS):
            yield f"{_line(centre, case)} 保留{days}日"


def _due(tx: Connection, centre: Centre, now: datetime, *, soon: bool) -> Iterator[str]:
    # What is due at the end of today is due at the first moment of tomorrow.
    midnight = datetime.combine(now.astimezone(JST).date() + timedelta(days=1), time(0), JST)
    for task in cases.pending_tasks(tx):
        if task.kind is not TaskKind.REVOKE or task.due_at is None or task.registration_id is None:
            continue
        if (midnight < task.due_at <= midnight + _SOON) if soon else task.due_at <= midnight:
            case, target = cases.get(tx, task.case_id), registrations.get(tx, task.registration_id)
            day = (task.due_at - timedelta(seconds=1)).astimezone(JST)
            yield f"{case.number} {target.person.company_ja} {target.person.name_ja} 様（{day:%m/%d}の終わり）"


def _expiring(tx: Connection, centre: Centre, now: datetime) -> Iterator[str]:
    for row in register.expiring(tx, now + _EXPIRING, after=now):
        if row.registration_id is not None:
            person = registrations.get(tx, row.registration_id).person
            yield f"{person.company_ja} {person.name_ja} 様（{row.not_after.astimezone(JST):%m/%d}まで）"


def _undelivered(tx: Connection, centre: Centre, now: datetime) -> Iterator[str]:
    letters = schema.letters
    for row in every(tx, select(letters).where(letters.c.state == "failed").order_by(letters.c.id)):
        number = cases.get(tx, row["case_id"]).number if row["case_id"] else "受付番号なし"
        yield f"{number} 送信できなかった通知（{row['kind']}）"


def _refused(tx: Connection, centre: Centre, now: datetime) -> Iterator[str]:
    events = schema.events
    query = select(events).where(events.c.kind == "decision_refused", events.c.at > now - timedelta(days=1))
    for row in every(tx, query.order_by(events.c.seq)):
        number = cases.get(tx, row["case_id"]).number if row["case_id"] else "受付番号なし"
        yield f"{number} {row['at'].astimezone(JST):%m/%d %H:%M}（{row['detail']['reason']}）"


def _held(tx: Connection, centre: Centre, now: datetime) -> Iterator[str]:
    mails = schema.mails
    for row in every(tx, select(mails).where(mails.c.state == "held").order_by(mails.c.id)):
        yield f"メール{row['id']}（{row['arrived_at'].astimezone(JST):%m/%d %H:%M}到着）"
    for case in cases.in_state(tx, State.HELD):
        yield f"{_line(centre, case)} 要確認"


def _forms(tx: Connection, centre: Centre, now: datetime) -> Iterator[str]:
    for order in orders.forms_missing(tx, now):
        yield _line(centre, cases.get(tx, order.case_id))


def _away(tx: Connection, centre: Centre, now: datetime) -> Iterator[str]:
    for leave in leaves.planned(tx, now):
        approver, deputy = centre.settings.approver(leave.approver), centre.settings.approver(leave.deputy)
        name = approver.name if approver else leave.approver
        yield f"{name} {leave.first_day:%m/%d}〜{leave.last_day:%m/%d}（代理 {deputy.name if deputy else 'なし'}）"


_SECTIONS: tuple[tuple[str, Callable[[Connection, Centre, datetime], Iterator[str]]], ...] = (
    ("申請者の対応をお待ちしている案件", _for_applicant),
    (f"保留が{ON_HOLD_DAYS}日を超えた案件", _on_hold),
    ("本日実行する失効", partial(_due, soon=False)),
    ("7日以内に実行する失効", partial(_due, soon=True)),
    ("30日以内に期限を迎える証明書", _expiring),
    ("届けられなかった通知", _undelivered),
    ("受け付けなかった返信（24時間以内）", _refused),
    ("確認が必要なメール・案件", _held),
    ("至急失効後、申請書が届いていない案件", _forms),
    ("承認者の不在", _away),
    ("旧認証局での失効をお待ちしている証明書", former.lines),
    ("監査記録の控え（このメールを保管してください）", checkpoints.lines),
)
