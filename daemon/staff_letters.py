"""The letters to the staff of the centre: asking for a decision, recording it, refusing it (SPEC 2.1, notes D.4).

Written for a phone and for plain text: no tables, one `項目：値` a line, blocks apart. Above everything stands the
marker line; whatever a reply quotes begins with it at the latest, so the reader of replies can cut there. No line of
these letters is a command by itself, since every reply quotes them.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from parsers.reading import Application, Finding

from . import request_parts, wording
from .draft import Auto, CaseFacts, Draft, Enclosure, LetterKind, Office
from .letters import REJECTION_REASONS, rejection_sentence
from .request_parts import Difference

MARKER = "▲▲▲ この線より上にご記入ください ▲▲▲"

# What may be said, and what it does; each line begins with a bullet so that no quoted line reads as a command.
COMMANDS = (
    "・承認（approve）：上記のとおり実行します",
    "・却下 理由（reject）：お断りし、申請者に通知します",
    "・差戻し 理由（return）：理由を申請者に送り、再提出を依頼します",
    "・質問 文（ask）：文を申請者に送り、回答まで保留します",
    "・保留 理由（hold）：保留します。理由は社内だけに残ります",
    "・修正 項目=値（amend）：読み取りを直します。何行でも書けます",
    "・種別変更 種別（type）：申請種別を直します",
    "・失効日 日付（date）：失効希望日を直します",
    "・対象 番号（choose）：対象の登録を選びます",
    "・取消（cancel）：実行前の判断を取り消します",
    "・メモ 文（note）：社内用の記録を残します",
    "・ヘルプ（help）：指示の一覧をお送りします",
)

# The words of the verbs, for the record of a decision.
_WORDS = {
    "approve": "承認",
    "reject": "却下",
    "return": "差戻し",
    "ask": "質問",
    "hold": "保留",
    "amend": "修正",
    "change_type": "種別変更",
    "wished_date": "失効日",
    "choose": "対象",
    "resend": "再送",
    "revoke_urgently": "至急失効",
    "cancel": "取消",
    "note": "メモ",
}

_LONGEST_QUOTATION = 5000  # characters; a notice is read on a phone
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,55}")


def reply_address(office_address: str, token: str) -> str:
    """The address a decision is answered to: `local+TOKEN@domain` (RFC 5233 subaddress).

    Servers may lower the case of a local part, so a token must not depend on it. Raises ValueError for a token that
    is no plain word or makes the local part longer than 64 octets (RFC 5321 section 4.5.3.1.1).
    """
    local, at, domain = office_address.rpartition("@")
    if not at or not local or not domain or not _TOKEN.fullmatch(token):
        raise ValueError("the reply address needs a mailbox and a token of letters and digits")
    if len(f"{local}+{token}") > 64:
        raise ValueError("the token makes the local part longer than 64 octets")
    return f"{local}+{token}@{domain}"


def approval_request(
    office: Office,
    case: CaseFacts,
    *,
    application: Application,
    plan: Sequence[str],
    token: str,
    expires_at: datetime,
    findings: Sequence[Finding] | None = None,
    blocked: Sequence[str] = (),
    quorum: int = 1,
    quorum_reasons: Sequence[str] = (),
    register_differences: Sequence[Difference] = (),
    candidates: Sequence[str] = (),
    approver_index: str = "1/1",
    documents: Sequence[Enclosure] = (),
) -> Draft:
    """承認依頼 (D.4): one application in full, what is wrong with it, and exactly what an approval would do.

    `findings` are those of form and register together (by default the form's own); `plan` and `blocked` are Japanese
    sentences; `approver_index` says which of those asked this one is, as in 1/2; `quorum` how many must approve.
    """
    found = application.findings if findings is None else tuple(findings)
    setting = wording.fill(
        LetterKind.APPROVAL_REQUEST,
        office,
        {
            "marker": MARKER,
            "number": case.number,
            "request_word": request_parts.type_word(application),
            "company_read": _short(application.value("applicant.company") or "社名不明"),
            "counts": request_parts.counts(found),
            "token": token,
            "verdict": request_parts.verdict(application, found, blocked, len(register_differences)),
            "facts": "\n".join(request_parts.facts(case, expires_at, approver_index, quorum, quorum_reasons)),
            "plan": "\n".join(f"・{wording.one_line(line)}" for line in plan)
            or "・（いまは実行できることがありません）",
            "findings": "\n".join([*request_parts.blocked_lines(blocked), *request_parts.finding_lines(found)]),
            "differences": "\n".join(request_parts.difference_lines(register_differences)),
            "candidates": "\n".join(request_parts.candidate_lines(candidates)),
            "application": "\n".join(request_parts.application_lines(application)),
            "commands": "\n".join(COMMANDS),
            "reasons": "\n".join(_reasons()),
        },
    )
    return _draft(LetterKind.APPROVAL_REQUEST, setting, office, token=token, attachments=tuple(documents))


def approval_reminder(office: Office, case: CaseFacts, *, asked_at: datetime, expires_at: datetime) -> Draft:
    """督促: the request still waits. It carries no token, since it does not show the application (SPEC 2.1)."""
    setting = wording.fill(
        LetterKind.APPROVAL_REMINDER,
        office,
        {
            "number": case.number,
            "request_word": wording.request_word(case.request_type),
            "arrived": wording.japanese_time(case.arrived_at),
            "asked": wording.japanese_time(asked_at),
            "expires": wording.japanese_time(expires_at),
        },
    )
    return _draft(LetterKind.APPROVAL_REMINDER, setting, office)


class Command(Protocol):
    """A command as `parsers.reply` reads it: its verb, what stood after it, the amendments of 修正."""

    @property
    def verb(self) -> str:
        """The verb, a word of `parsers.reply.Verb`."""

    @property
    def argument(self) -> str:
        """What stood after the verb."""

    @property
    def amendments(self) -> tuple[tuple[str, str], ...]:
        """Pairs of field and value."""


def decision_recorded(
    office: Office,
    case: CaseFacts,
    *,
    approver: str,
    command: Command,
    decided_at: datetime,
    remark: str = "",
    outcome: Sequence[str] = (),
    token: str | None = None,
    undo_until: datetime | None = None,
) -> Draft:
    """The confirmation of a decision: what was recorded, what follows, and how to take it back while that is possible.

    `remark` is a sentence about how it goes on. With `token` a reply of 取消 undoes it, until `undo_until` where that
    is given.
    """
    word = _WORDS.get(command.verb.strip("_"), command.verb)
    lines = [f"・指示：{wording.one_line(f'{word} {command.argument}')}"]
    lines += [f"・修正：{wording.one_line(f'{label}={value}')}" for label, value in command.amendments]
    if command.verb == "reject":
        lines.append(f"・申請者への説明：{rejection_sentence(command.argument)}")
    lines += [f"・{wording.one_line(line)}" for line in (remark, *outcome) if line]
    undo = ""
    if token is not None:
        until = f"{wording.japanese_time(undo_until)}まで、" if undo_until else "実行されるまでは、"
        undo = (
            f"■ 取り消すには\n{until}このメールに返信し、本文の先頭に「取消」とだけ\n書いてください。"
            "実行後の失効は、元に戻すことができません。"
        )
    setting = wording.fill(
        LetterKind.DECISION_RECORDED,
        office,
        {
            "marker": MARKER,
            "number": case.number,
            "request_word": wording.request_word(case.request_type),
            "decision": word,
            "approver": _short(approver),
            "at": wording.japanese_time(decided_at),
            "outcome": "\n".join(lines),
            "undo": undo,
            "token_tag": _tag(token),
        },
    )
    return _draft(LetterKind.DECISION_RECORDED, setting, office, token=token, auto="auto-replied")


def decision_refused(office: Office, *, reason: str, at: datetime, number: str = "", sender: str = "") -> Draft:
    """A reply that did not count, reported to staff without any token. `sender` is what its From headers said."""
    setting = wording.fill(
        LetterKind.DECISION_REFUSED,
        office,
        {
            "number": number or "番号なし",
            "at": wording.japanese_time(at),
            "sender": _short(sender, 80) or "（記載なし）",
            "reason": f"・{wording.one_line(reason)}",
        },
    )
    return _draft(LetterKind.DECISION_REFUSED, setting, office)


def reply_unclear(
    office: Office,
    *,
    reason: str,
    line: str = "",
    commands: Sequence[str] = COMMANDS,
    number: str = "",
    token: str | None = None,
) -> Draft:
    """The answer to a reply that is no command: what was understood and what may be said (SPEC 2.1).

    `line` is the line that was not understood. `token` may be that of the request still open, so that an answer to
    this letter counts as well.
    """
    setting = wording.fill(
        LetterKind.REPLY_UNCLEAR,
        office,
        {
            "marker": MARKER,
            "number": number or "番号なし",
            "line": f"\nお書きいただいた行：「{_short(line, 60)}」" if line.strip() else "",
            "reason": wording.one_line(reason),
            "commands": "\n".join(command if command.startswith("・") else f"・{command}" for command in commands),
            "token_tag": _tag(token),
        },
    )
    return _draft(LetterKind.REPLY_UNCLEAR, setting, office, token=token, auto="auto-replied")


def staff_notice(office: Office, *, subject: str, lines: Sequence[str], enclosures: Sequence[Enclosure] = ()) -> Draft:
    """Anything else a person must know or look at: mail that is no application, held mail, pages without text.

    A line that holds line ends is a quotation, of a mail or of a letter: it is set off by ｜ and cut when it is long,
    since the original is kept anyway.
    """
    setting = wording.fill(
        LetterKind.STAFF_NOTICE,
        office,
        {"title": _short(subject, 80), "lines": "\n".join(_quoted_or_plain(lines))},
    )
    return _draft(LetterKind.STAFF_NOTICE, setting, office, attachments=tuple(enclosures))


def _quoted_or_plain(lines: Sequence[str]) -> Iterator[str]:
    for text in lines:
        if "\n" not in text.strip("\n"):
            yield wording.one_line(text[:_LONGEST_QUOTATION])
            continue
        for line in text[:_LONGEST_QUOTATION].strip("\n").split("\n"):
            yield f"｜{wording.one_line(line)}"
        if len(text) > _LONGEST_QUOTATION:
            yield "｜（以下略。原文は保管しています）"


# --- what all have in common ---------------------------------------------------------------------------------------


def _reasons() -> Iterator[str]:
    yield from (f"・却下 {word}：{sentence}" for word, sentence in REJECTION_REASONS.items())
    yield f"・却下 その他の理由：{rejection_sentence('')}（理由は社内だけに残ります）"


def _short(text: str, limit: int = 30) -> str:
    shown = wording.one_line(text)
    return shown if len(shown) <= limit else f"{shown[:limit]}…"


def _tag(token: str | None) -> str:
    return f" [#{token}]" if token else ""


def _draft(
    kind: LetterKind,
    setting: wording.Setting,
    office: Office,
    *,
    token: str | None = None,
    auto: Auto = "auto-generated",
    attachments: tuple[Enclosure, ...] = (),
) -> Draft:
    return Draft(
        kind=kind,
        subject=setting.subject,
        body=setting.body,
        auto=auto,
        attachments=attachments,
        reply_to=reply_address(office.address, token) if token else None,
    )
