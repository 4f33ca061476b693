"""The letters to the staff of the centre: asking for a decision, recording it, refusing it (SPEC 2.1, notes D.4).

Written for a phone and for plain text: no tables, one `項目：値` a line, blocks apart. Above everything stands the
marker line; whatever a reply quotes begins with it at the latest, so the reader of replies can cut there. No line of
these letters is a command by itself, since every reply quotes them.
"""

import re
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from parsers.bodies import MARKER
from parsers.reading import Application, Finding
from parsers.reply import PHRASES, Verb

from . import request_parts, wording
from .crops import Crops
from .draft import Auto, CaseFacts, Draft, Enclosure, LetterKind, Office
from .letters import REJECTION_REASONS, rejection_sentence
from .request_parts import Difference

__all__ = [
    "MARKER",
    "Difference",
    "approval_reminder",
    "approval_request",
    "decision_recorded",
    "decision_refused",
    "order_request",
    "reply_address",
    "reply_unclear",
    "request_commands",
    "staff_notice",
]

# What a request's answer may be, in the order of use; the words themselves are those of `parsers.reply.PHRASES`.
_MEANINGS = {
    Verb.APPROVE: "上記のとおり実行します",
    Verb.REJECT: "お断りし、申請者に定型文で通知します",
    Verb.RETURN: "理由をそのまま申請者に送り、再提出を依頼します",
    Verb.ASK: "文をそのまま申請者に送り、回答まで保留します",
    Verb.HOLD: "保留します。理由は社内だけに残ります",
    Verb.AMEND: "読み取りを直します。何行でも書けます\n　例）修正 利用者 氏名（英語）=Taro YAMADA",
    Verb.CHANGE_TYPE: "申請種別を直します",
    Verb.WISHED_DATE: "失効希望日を直します",
    Verb.CHOOSE: "対象の登録を選びます",
    Verb.HAND_OVER: "ほかの承認者に引き継ぎます",
    Verb.NOTE: "社内用の記録を残します。折り返し電話の結果などに",
    Verb.HELP: "指示の一覧をお送りします",
}

_LONGEST_QUOTATION = 5000  # characters; a notice is read on a phone
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,55}")


# What answers a request that staff themselves set off; anything else would need a form.
_ORDER_MEANINGS: Mapping[Verb, str] = {
    **{verb: _MEANINGS[verb] for verb in (Verb.APPROVE, Verb.HAND_OVER, Verb.NOTE, Verb.HELP)},
    Verb.REJECT: "行わずに終えます。申請者には通知しません",
}


def request_commands(meanings: Mapping[Verb, str] | None = None) -> tuple[str, ...]:
    """What may be said in answer to a request, a line each. A bullet stands first, so that no quoted line reads as a
    command; the English word stands in brackets."""
    lines, meanings = [], meanings or _MEANINGS
    for phrase in PHRASES:
        if phrase.verb in meanings:
            english = next(word for word in phrase.words if word.isascii())
            said = f"{phrase.words[0]} {phrase.argument}".strip()
            lines.append(f"・{said}（{english}）：{meanings[phrase.verb]}")
    return tuple(lines)


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
    code: str = "",
    quorum: int = 1,
    quorum_reasons: Sequence[str] = (),
    register_differences: Sequence[Difference] = (),
    candidates: Sequence[str] = (),
    notes: Sequence[str] = (),
    links: bool = False,
    approver_index: str = "1/1",
    documents: Sequence[Enclosure] = (),
    crops: Crops | None = None,
) -> Draft:
    """承認依頼 (D.4): one application in full, what is wrong with it, and exactly what an approval would do.

    `findings` are those of form and register together (by default the form's own); `plan` and `blocked` are Japanese
    sentences; `approver_index` says which of those asked this one is, as in 1/2; `quorum` how many must approve.
    `crops` are the pictures cut out of the form; they are shown below the text, the documents after them. `notes` is
    what staff noted so far. With `links` stand two mailto: links in the letter, which hold the token.
    """
    crops = crops or Crops()
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
            "links": "\n".join(_links(office, token)) if links else "",
            "facts": "\n".join(request_parts.facts(case, expires_at, approver_index, quorum, quorum_reasons, code)),
            "plan": _bullets(plan) or _NOTHING,
            "findings": "\n".join(
                [
                    *request_parts.blocked_lines(blocked),
                    *request_parts.doubt_lines(application, crops),
                    *request_parts.finding_lines(found),
                ]
            ),
            "differences": "\n".join(request_parts.difference_lines(register_differences)),
            "candidates": "\n".join(request_parts.candidate_lines(candidates)),
            "notes": "\n".join(request_parts.note_lines(notes)),
            "application": "\n".join(
                [
                    *request_parts.application_lines(application),
                    "",
                    *request_parts.picture_lines(application, crops),
                ]
            ),
            "commands": "\n".join(request_commands()),
            "reasons": "\n".join(_reasons()),
        },
    )
    enclosed = (*crops.pictures, *documents)
    return _draft(LetterKind.APPROVAL_REQUEST, setting, office, token=token, attachments=enclosed)


def order_request(
    office: Office,
    case: CaseFacts,
    *,
    plan: Sequence[str],
    token: str,
    expires_at: datetime,
    opened_by: str,
    opened_at: datetime,
    blocked: Sequence[str] = (),
    code: str = "",
    quorum: int = 2,
    quorum_reasons: Sequence[str] = (),
    notes: Sequence[str] = (),
    links: bool = False,
    approver_index: str = "1/1",
) -> Draft:
    """承認依頼 for what staff themselves asked for (至急失効, another day for a revocation): who asked and when, whom
    it hits, and exactly what an approval would do. There is no form to show."""
    word = wording.case_word(case)
    verdict = "このままでは承認できません" if blocked else f"{word}の依頼です。内容を確かめて、ご判断ください"
    setting = wording.fill(
        LetterKind.ORDER_REQUEST,
        office,
        {
            "marker": MARKER,
            "number": case.number,
            "request_word": word,
            "company_read": _short(case.company or "社名不明"),
            "token": token,
            "verdict": verdict,
            "links": "\n".join(_links(office, token)) if links else "",
            "facts": "\n".join(
                [
                    f"依頼した方：{wording.one_line(opened_by)}",
                    f"依頼日時：{wording.japanese_time(opened_at)}",
                    *request_parts.facts(case, expires_at, approver_index, quorum, quorum_reasons, code),
                ]
            ),
            "plan": _bullets(plan) or _NOTHING,
            "blocked": "\n".join(request_parts.blocked_lines(blocked)),
            "notes": "\n".join(request_parts.note_lines(notes)),
            "commands": "\n".join(request_commands(_ORDER_MEANINGS)),
        },
    )
    return _draft(LetterKind.ORDER_REQUEST, setting, office, token=token)


def _links(office: Office, token: str) -> Iterator[str]:
    """A link for each of the two decisions, which opens a reply with subject and first line filled in (RFC 6068). It
    sends nothing by itself, so a mail filter that follows links decides nothing (field notes on mail, 2.12)."""
    address = urllib.parse.quote(reply_address(office.address, token), safe="@")
    subject = urllib.parse.quote(f"Re: 承認依頼 [#{token}]")
    for word, body in (("承認する", "承認"), ("却下する（理由を書き足す）", "却下 ")):
        yield f"・{word}：\nmailto:{address}?subject={subject}&body={urllib.parse.quote(body)}"


def approval_reminder(office: Office, case: CaseFacts, *, asked_at: datetime, expires_at: datetime) -> Draft:
    """督促: the request still waits. It carries no token, since it does not show the application (SPEC 2.1)."""
    setting = wording.fill(
        LetterKind.APPROVAL_REMINDER,
        office,
        {
            "number": case.number,
            "request_word": wording.case_word(case),
            "arrived": wording.japanese_time(case.arrived_at),
            "asked": wording.japanese_time(asked_at),
            "expires": wording.japanese_time(expires_at),
        },
    )
    return _draft(LetterKind.APPROVAL_REMINDER, setting, office)


def decision_recorded(
    office: Office,
    case: CaseFacts,
    *,
    decision: str,
    at: datetime,
    outcome: Sequence[str] = (),
    token: str | None = None,
    code: str = "",
    undo_until: datetime | None = None,
) -> Draft:
    """The confirmation of a decision: what was recorded, what follows, and how to take it back while that is possible.

    `decision` says who decided what, `outcome` what follows, in Japanese. With `token` a reply of 取消 undoes it, until
    `undo_until` where that is given.
    """
    undo = ""
    if token is not None:
        until = f"{wording.japanese_time(undo_until)}まで、" if undo_until else "実行されるまでは、"
        undo = (
            f"■ 取り消すには\n{until}このメールに返信し、\n本文の先頭に「取消」とだけ書いてください。\n"
            "実行後の失効は、元に戻すことができません。" + (f"\n確認コード：{code}" if code else "")
        )
    setting = wording.fill(
        LetterKind.DECISION_RECORDED,
        office,
        {
            "marker": MARKER,
            "number": case.number,
            "request_word": wording.case_word(case),
            "decision": wording.one_line(decision),
            "decision_short": _short(decision),
            "at": wording.japanese_time(at),
            "outcome": _bullets(outcome),
            "undo": undo,
            "token_tag": _tag(token),
        },
    )
    return _draft(LetterKind.DECISION_RECORDED, setting, office, token=token, auto="auto-replied")


def decision_refused(office: Office, *, reason: str, at: datetime, number: str = "", claimed_sender: str = "") -> Draft:
    """A reply that did not count, reported to staff without any token. `claimed_sender`: what its From headers said."""
    setting = wording.fill(
        LetterKind.DECISION_REFUSED,
        office,
        {
            "number": number or "番号なし",
            "at": wording.japanese_time(at),
            "sender": _short(claimed_sender, 80) or "（記載なし）",
            "reason": f"・{wording.one_line(reason)}",
        },
    )
    return _draft(LetterKind.DECISION_REFUSED, setting, office)


def reply_unclear(
    office: Office,
    *,
    reason: str,
    line: str = "",
    commands: Sequence[str] | None = None,
    number: str = "",
    token: str | None = None,
) -> Draft:
    """The answer to a reply that is no command: what was understood and what may be said (SPEC 2.1).

    `line` is the line that was not understood; `commands` what may be said, by default what answers a request. `token`
    may be that of the request still open, so that an answer to this letter counts as well.
    """
    setting = wording.fill(
        LetterKind.REPLY_UNCLEAR,
        office,
        {
            "marker": MARKER,
            "number": number or "番号なし",
            "line": f"\nお書きいただいた行：「{_short(line, 60)}」" if line.strip() else "",
            "reason": wording.one_line(reason),
            "commands": "\n".join(request_commands() if commands is None else (f"・{one}" for one in commands)),
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
            plain = wording.one_line(text[:_LONGEST_QUOTATION])
            yield f"｜{plain}" if wording.reads_as_command(plain) else plain
            continue
        for line in text[:_LONGEST_QUOTATION].strip("\n").split("\n"):
            yield f"｜{wording.one_line(line)}"
        if len(text) > _LONGEST_QUOTATION:
            yield "｜（以下略。原文は保管しています）"


_NOTHING = "・（いまは実行できることがありません）"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"・{wording.one_line(line)}" for line in lines)


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
