"""Staff replies: the whole-line grammar of SPEC 2.1, the request's token, case numbers.

A reply is read conservatively. The author's own lines must be exactly one command, or only 修正 lines; a signature that
is marked as one may follow. Everything else is `Unclear` and changes nothing: a sentence that merely contains 承認 is
no approval, and neither is a greeting with a command below it.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from config import request_types
from config.request_types import RequestType
from parsers.bodies import own_lines
from parsers.mail import Mail


class Verb(StrEnum):
    """What staff can order by a reply (SPEC 2.1)."""

    APPROVE = "approve"
    REJECT = "reject"
    RETURN = "return"
    ASK = "ask"
    HOLD = "hold"
    AMEND = "amend"
    CHANGE_TYPE = "change_type"
    WISHED_DATE = "wished_date"
    CHOOSE = "choose"
    RESEND = "resend"
    REVOKE_URGENTLY = "revoke_urgently"
    CANCEL = "cancel"
    NOTE = "note"
    LIST = "list"
    SHOW = "show"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """One understood order.

    `argument`: the text behind the verb as it was typed (reason, question, note), or its value: the word of a request
    type as the table has it, an ISO 8601 date, a number, `notice` or `password`. `amendments`: (label, value) as
    typed, in order, for AMEND. `target`: the number that an urgent revocation names, empty where it names none.
    """

    verb: Verb
    argument: str = ""
    amendments: tuple[tuple[str, str], ...] = ()
    target: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """A reply that is no command: the line that was not understood, and a Japanese sentence that says why."""

    line: str
    reason: str


class _RefusalError(Exception):
    """An argument that does not fit its verb; the text is the Japanese sentence for staff."""


class _Argument(NamedTuple):
    text: str = ""
    target: str = ""


_CASE_NUMBER = re.compile(r"(?<![0-9A-Z-])WEBEC-[0-9]{8}-[0-9]{4}(?![0-9A-Z])", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z:-]{0,63}", re.ASCII)
_PLACEHOLDERS = frozenset({"理由", "文", "番号", "種別", "日付", "項目", "(理由)", "reason", "text"})


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _nothing(raw: str) -> _Argument:
    if raw:
        raise _RefusalError("この操作は単独で1行に書いてください。後ろに続く文は付けられません。")
    return _Argument()


def _sentence(raw: str) -> _Argument:
    if not raw or _fold(raw).lower() in _PLACEHOLDERS:
        raise _RefusalError("操作の後ろに空白を置いて、同じ行に理由や本文を書いてください。")
    return _Argument(raw)


def _number(raw: str) -> _Argument:
    folded = _fold(raw)
    if not _NUMBER.fullmatch(folded) or not any(char.isdigit() for char in folded):
        raise _RefusalError("操作の後ろに番号を1つだけ書いてください。")
    return _Argument(find_case_number(folded) or folded)


def _type(raw: str) -> _Argument:
    folded = _fold(raw)
    code = folded.lower().replace("-", "_")
    found = RequestType(code) if code in set(RequestType) else request_types.load().type_of_word(folded)
    if found is None:
        words = "・".join(rule.word for rule in request_types.load().types.values())
        raise _RefusalError(f"種別は次のいずれかで指定してください：{words}")
    return _Argument(request_types.load().types[found].word)


_GREGORIAN = re.compile(r"([0-9]{4})(?:-|/|\.|年)([0-9]{1,2})(?:-|/|\.|月)([0-9]{1,2})日?", re.ASCII)
_REIWA = re.compile(r"(?:令和|R)([0-9]{1,2}|元)(?:-|/|\.|年)([0-9]{1,2})(?:-|/|\.|月)([0-9]{1,2})日?", re.ASCII | re.I)


def _date(raw: str) -> _Argument:
    folded = "".join(_fold(raw).split())
    try:
        if found := _GREGORIAN.fullmatch(folded):
            year = int(found[1])
        elif found := _REIWA.fullmatch(folded):
            # The first year of 令和, also written 元年, is 2019.
            year = 2018 + (1 if found[1] == "元" else int(found[1]))
        else:
            raise _RefusalError("日付は年から書いてください（例：失効日 2024-07-31）。")
        return _Argument(date(year, int(found[2]), int(found[3])).isoformat())
    except ValueError as error:
        raise _RefusalError("暦にない日付です。ご確認ください。") from error


_PARCELS: Mapping[str, str] = MappingProxyType(
    {"通知": "notice", "発行通知": "notice", "notice": "notice", "パスワード": "password", "password": "password"}
)


def _parcel(raw: str) -> _Argument:
    parcel = _PARCELS.get(_fold(raw).lower())
    if parcel is None:
        raise _RefusalError("「再送 通知」または「再送 パスワード」と書いてください。")
    return _Argument(parcel)


def _target_and_reason(raw: str) -> _Argument:
    """`[番号] 理由`. A first word of ASCII with four digits or more is the number: a reason does not begin so."""
    first, _, rest = raw.replace("　", " ").partition(" ")
    folded = _fold(first)
    if not _NUMBER.fullmatch(folded) or sum(char.isdigit() for char in folded) < 4:
        return _sentence(raw)
    if not rest.strip():
        raise _RefusalError("番号の後ろに、失効の理由も書いてください。")
    return _Argument(_sentence(rest.strip()).text, find_case_number(folded) or folded)


def _amendment(raw: str) -> _Argument:
    label, mark, value = _split_amendment(raw)
    if not mark or not label or not value:
        raise _RefusalError("「修正 項目=値」の形で、項目と値の両方を書いてください。")
    return _Argument(value, label)


def _split_amendment(raw: str) -> tuple[str, str, str]:
    found = re.match(r"([^=＝:：]*)([=＝:：])(.*)", raw, re.DOTALL)
    # The value is kept as typed: NFKC would rewrite names (SPEC 1.4).
    return (_fold(found[1]), found[2], found[3].strip()) if found else (raw, "", "")


class Phrase(NamedTuple):
    """One row of the table of commands: its words (the first is the one we teach), how its argument is written, what
    it does, and how the argument is read."""

    verb: Verb
    words: tuple[str, ...]
    argument: str
    meaning: str
    read: Callable[[str], _Argument]


# The one table of commands. A word counts only if it is the whole first word of the line, compared after NFKC and
# without regard to case. 「OK」 is left out on purpose: people write it to say that they have seen a mail.
PHRASES: tuple[Phrase, ...] = (
    Phrase(
        Verb.APPROVE,
        ("承認", "承認する", "承認します", "承認いたします", "承認致します", "approve", "approved"),
        "",
        "申請を承認します",
        _nothing,
    ),
    Phrase(
        Verb.REJECT,
        ("却下", "却下する", "却下します", "却下いたします", "却下致します", "reject", "rejected"),
        "理由",
        "申請を却下します",
        _sentence,
    ),
    Phrase(
        Verb.RETURN,
        ("差戻し", "差し戻し", "差戻", "差戻します", "差し戻します", "さしもどし", "return", "returned"),
        "理由",
        "申請者に差し戻し、再提出を依頼します",
        _sentence,
    ),
    Phrase(Verb.ASK, ("質問", "ask", "question"), "文", "申請者に質問を送り、案件を保留にします", _sentence),
    Phrase(Verb.HOLD, ("保留", "保留します", "保留にします", "hold"), "理由", "案件を保留にします", _sentence),
    Phrase(
        Verb.AMEND,
        ("修正", "amend", "correct"),
        "項目=値",
        "読み取った値を直します（複数行可。改めて承認をお願いします）",
        _amendment,
    ),
    Phrase(Verb.CHANGE_TYPE, ("種別変更", "change-type", "type"), "種別", "申請種別を改めます", _type),
    Phrase(Verb.WISHED_DATE, ("失効日", "失効希望日", "date", "wished-date"), "日付", "失効希望日を改めます", _date),
    Phrase(Verb.CHOOSE, ("対象", "choose"), "番号", "対象の証明書を候補の番号で選びます", _number),
    Phrase(Verb.RESEND, ("再送", "resend"), "通知|パスワード", "通知またはパスワードを送り直します", _parcel),
    Phrase(
        Verb.REVOKE_URGENTLY,
        ("至急失効", "緊急失効", "revoke-urgently", "urgent-revocation"),
        "[番号] 理由",
        "証明書を至急失効します（承認者2名）",
        _target_and_reason,
    ),
    Phrase(
        Verb.CANCEL,
        ("取消", "取消し", "取り消し", "取消します", "取り消します", "cancel", "undo"),
        "",
        "実行前の承認を取り消します",
        _nothing,
    ),
    Phrase(Verb.NOTE, ("メモ", "note", "memo"), "文", "案件に内部メモを残します", _sentence),
    Phrase(Verb.LIST, ("一覧", "list"), "", "処理待ちの案件を一覧します", _nothing),
    Phrase(Verb.SHOW, ("照会", "show"), "番号", "案件の内容を表示します", _number),
    Phrase(Verb.HELP, ("ヘルプ", "help"), "", "この一覧を返信します", _nothing),
)


def usage() -> tuple[str, ...]:
    """What may be said, one Japanese line a command, for the answer to an unclear reply and for ヘルプ."""
    return tuple(
        f"{phrase.words[0]}{' ' + phrase.argument if phrase.argument else ''} … {phrase.meaning}" for phrase in PHRASES
    )


# Lines that a phone or a mail program adds by itself. Each is matched whole, so nothing can ride on one.
_DEVICE = (
    r"(?:私の|自分の)?(?:iPhone|iPad|iPod|Mac|Android(?:携帯)?(?:端末)?|スマートフォン|スマホ|携帯|"
    r"Xperia|Galaxy|AQUOS|arrows|Pixel)"
)
_URL = r"\s*(?:[<(\[]\s*https?://[^\s<>()\[\]]{1,200}\s*[>)\]])?"
_PROGRAM_LINES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_DEVICE}から送信(?:しました|されました)?[。.]?",
        r"Sent from my (?:iPhone|iPad|iPod|Mac|Galaxy|Pixel|Xperia)\.?",
        r"Sent from my (?:Android|mobile)(?: (?:phone|device))?\.?",
        rf"Sent from (?:Outlook(?: for (?:iOS|Android|Mac))?|Mail(?: for Windows(?: 10)?)?|Gmail Mobile){_URL}\.?",
        rf"\[?Outlook for (?:iOS|Android|Mac)\]?{_URL}\s*(?:を入手(?:する)?|から送信)?[。.]?",
        rf"Get \[?Outlook for (?:iOS|Android|Mac)\]?{_URL}\.?",
        rf"(?:iOS|Android|Mac|Windows)\s*(?:版|用)?\s*(?:の)?\s*(?:Outlook|メール|Gmail){_URL}\s*から送信(?:しました)?[。.]?",
        rf"Windows\s*(?:10\s*)?(?:版|用)?\s*(?:の)?\s*メール{_URL}\s*から送信[。.]?",
        r"Yahoo!メール(?:アプリ)?から送信(?:しました)?[。.]?",
    )
)


def _is_program_line(line: str) -> bool:
    folded = _fold(line)
    return len(folded) <= 300 and any(pattern.fullmatch(folded) for pattern in _PROGRAM_LINES)


def read_command(text: str) -> Command | Unclear:
    """The order in the first own block of a reply, or why there is none. Never raises.

    `text` is `Mail.text`. The block ends at the first sign of quoted mail; a `-- ` line (RFC 3676 section 4.3) and the
    lines that phones add may follow the command, nothing else may, neither above nor below it.
    """
    lines = [line for line in _before_signature(own_lines(text)) if line]
    while lines and _is_program_line(lines[-1]):
        lines.pop()
    if not lines:
        return Unclear("", "引用より上に操作が書かれていません。返信の1行目に操作を書いてください。")
    commands: list[Command] = []
    for line in lines:
        command = _read_line(line)
        if isinstance(command, Command):
            commands.append(command)
        elif commands:
            return Unclear(command.line, "操作の下に別の文があります。操作だけを書いてください。")
        else:
            return command
    if len(commands) == 1:
        return commands[0]
    return _join_amendments(commands, lines)


def _before_signature(lines: tuple[str, ...]) -> tuple[str, ...]:
    # The blank of the mark `-- ` is often lost on the way.
    return lines[: lines.index("--")] if "--" in lines else lines


def _join_amendments(commands: list[Command], lines: list[str]) -> Command | Unclear:
    values: dict[str, str] = {}
    for command, line in zip(commands, lines, strict=True):
        if command.verb is not Verb.AMEND:
            return Unclear(_clip(line), "操作は1通に1つだけ書いてください（「修正」だけは複数行書けます）。")
        for label, value in command.amendments:
            if values.setdefault(label, value) != value:
                return Unclear(_clip(line), "同じ項目に異なる値が書かれています。")
    return Command(Verb.AMEND, amendments=tuple(values.items()))


def _clip(line: str) -> str:
    return line if len(line) <= 200 else line[:199] + "…"


_WORD_AND_REST = re.compile(r"([^\s:：]+)(?:[\s:：]+(\S.*))?", re.DOTALL)


def _read_line(line: str) -> Command | Unclear:
    found = _WORD_AND_REST.fullmatch(line)
    word, rest = (_fold(found[1]).casefold(), (found[2] or "").strip()) if found else ("", "")
    phrase = _phrase_of(word, alone=not rest)
    if phrase is None:
        return Unclear(_clip(line), "操作として読み取れない文です。返信の1行目に操作だけを書いてください。")
    try:
        argument = phrase.read(rest)
    except _RefusalError as refusal:
        return Unclear(_clip(line), str(refusal))
    if phrase.verb is Verb.AMEND:
        return Command(Verb.AMEND, amendments=((argument.target, argument.text),))
    return Command(phrase.verb, argument.text, target=argument.target)


def _phrase_of(word: str, *, alone: bool) -> Phrase | None:
    # A full stop closes 「承認します。」 as a sentence; it is the only character that may follow a word.
    bare = word.removesuffix("。") if alone else word
    return next((phrase for phrase in PHRASES if bare in phrase.words), None)


def find_case_number(text: str) -> str | None:
    """The case number (`WEBEC-YYYYMMDD-NNNN`) in a text, or None where there is none or more than one."""
    found = {number.upper() for number in _CASE_NUMBER.findall(unicodedata.normalize("NFKC", text))}
    return found.pop() if len(found) == 1 else None


# 130 bits in base32 without padding (RFC 4648 section 6).
_BASE32 = r"[A-Z2-7]{26}"
_SUBJECT_TOKEN = re.compile(rf"\[#({_BASE32})\]", re.IGNORECASE | re.ASCII)
_ADDRESS_TOKEN = re.compile(rf"[^@]+\+({_BASE32})@[^@]+", re.IGNORECASE | re.ASCII)


def find_token(mail: Mail) -> str | None:
    """The token of the request that a mail answers: from a recipient address `local+TOKEN@domain` and the Subject
    `[#TOKEN]`, in upper case (mail servers may fold the case of an address). None where there is none, or where two
    different ones are found: an answer to two requests is an answer to neither."""
    found = {token.upper() for token in _SUBJECT_TOKEN.findall(mail.subject)}
    for recipient in mail.recipients:
        match = _ADDRESS_TOKEN.fullmatch(recipient.address)
        if match:
            found.add(match[1].upper())
    return found.pop() if len(found) == 1 else None
