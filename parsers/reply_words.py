"""The words of staff replies: one table of commands (SPEC 2.1), Japanese and English, and how each argument is read.

Pure. A word counts only where it is the whole first word of a line; what may stand around the line is `parsers.reply`'s
business.
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
    ABSENCE = "absence"
    HAND_OVER = "hand_over"


@dataclass(frozen=True, slots=True)
class Command:
    """One understood order.

    `argument`: the text behind the verb as it was typed (reason, question, note), or its value: the word of a request
    type as the table has it, an ISO 8601 date, or two of them as first/last day of an absence (empty: it is over), a
    number, `notice` or `password`. `amendments`: (label, value) as typed, in order, for AMEND. `target`: the number
    that an urgent revocation names or the deputy of an absence, empty where none is named.
    """

    verb: Verb
    argument: str = ""
    amendments: tuple[tuple[str, str], ...] = ()
    target: str = ""


class RefusalError(Exception):
    """An argument that does not fit its verb; the text is the Japanese sentence for staff."""


class Argument(NamedTuple):
    """What stands behind a word, read: its text or value, and the number, label or person it names."""

    text: str = ""
    target: str = ""


_CASE_NUMBER = re.compile(r"(?<![0-9A-Z-])WEBEC-[0-9]{8}-[0-9]{4}(?![0-9A-Z])", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z:-]{0,63}", re.ASCII)
_PLACEHOLDERS = frozenset({"理由", "文", "番号", "種別", "日付", "項目", "(理由)", "reason", "text"})


def fold(text: str) -> str:
    """The text as it is compared: NFKC, no blanks at the ends."""
    return unicodedata.normalize("NFKC", text).strip()


def _nothing(raw: str) -> Argument:
    if raw:
        raise RefusalError("この操作は単独で1行に書いてください。後ろに続く文は付けられません。")
    return Argument()


def _sentence(raw: str) -> Argument:
    if not raw or fold(raw).lower() in _PLACEHOLDERS:
        raise RefusalError("操作の後ろに空白を置いて、同じ行に理由や本文を書いてください。")
    return Argument(raw)


def _number(raw: str) -> Argument:
    folded = fold(raw)
    if not _NUMBER.fullmatch(folded) or not any(char.isdigit() for char in folded):
        raise RefusalError("操作の後ろに番号を1つだけ書いてください。")
    return Argument(find_case_number(folded) or folded)


def _type(raw: str) -> Argument:
    folded = fold(raw)
    code = folded.lower().replace("-", "_")
    found = RequestType(code) if code in set(RequestType) else request_types.load().type_of_word(folded)
    if found is None:
        words = "・".join(rule.word for rule in request_types.load().types.values())
        raise RefusalError(f"種別は次のいずれかで指定してください：{words}")
    return Argument(request_types.load().types[found].word)


_GREGORIAN = re.compile(r"([0-9]{4})(?:-|/|\.|年)([0-9]{1,2})(?:-|/|\.|月)([0-9]{1,2})日?", re.ASCII)
_REIWA = re.compile(r"(?:令和|R)([0-9]{1,2}|元)(?:-|/|\.|年)([0-9]{1,2})(?:-|/|\.|月)([0-9]{1,2})日?", re.ASCII | re.I)


def _date(raw: str) -> Argument:
    folded = "".join(fold(raw).split())
    try:
        if found := _GREGORIAN.fullmatch(folded):
            year = int(found[1])
        elif found := _REIWA.fullmatch(folded):
            # The first year of 令和, also written 元年, is 2019.
            year = 2018 + (1 if found[1] == "元" else int(found[1]))
        else:
            raise RefusalError("日付は年から書いてください（例：失効日 2024-07-31）。")
        return Argument(date(year, int(found[2]), int(found[3])).isoformat())
    except ValueError as error:
        raise RefusalError("暦にない日付です。ご確認ください。") from error


_DAY = r"(?:([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?|([0-9]{1,2})[/月]([0-9]{1,2})日?)"
_TIME_OFF = re.compile(
    rf"{_DAY}(?:\s*(?:~|〜|-|–|—|ー|から|to)\s*{_DAY}(?:まで)?)?(?:\s+(?:代理|deputy)\s*[:=]?\s*(\S.{{0,60}}))?",
    re.ASCII | re.IGNORECASE,
)


_OVER = frozenset({"終了", "終わり", "解除", "end", "over"})


def _absence(raw: str, today: date | None = None) -> Argument:
    """First and last day, both away; empty for 不在 終了, which ends what was entered. A day without year is the next
    one of that name; without `today` it is refused."""
    if fold(raw).lower() in _OVER:
        return Argument()
    found = _TIME_OFF.fullmatch(fold(raw))
    if found is None:
        raise RefusalError("「不在 7/22-7/26 代理 名前」の形で書いてください（代理は省けます）。")
    first = _day(found.groups()[:5], today)
    last = _day(found.groups()[5:10], first) if found[6] or found[9] else first
    if last < first or (last - first).days > 366:
        raise RefusalError("不在の終わりの日が、始まりの日より前か、1年より後です。")
    return Argument(f"{first.isoformat()}/{last.isoformat()}", (found[11] or "").strip())


def _day(groups: tuple[str | None, ...], after: date | None) -> date:
    year, month, day, short_month, short_day = (int(each) if each else 0 for each in groups)
    try:
        if year:
            return date(year, month, day)
        if after is None:
            raise RefusalError("日付は年から書いてください（例：不在 2024-07-22〜2024-07-26）。")
        if (short_month, short_day) == (2, 29):
            raise RefusalError("2月29日は年から書いてください。")
        found = date(after.year, short_month, short_day)
        return found if found >= after else found.replace(year=after.year + 1)
    except ValueError as error:
        raise RefusalError("暦にない日付です。ご確認ください。") from error


_PARCELS: Mapping[str, str] = MappingProxyType(
    {"通知": "notice", "発行通知": "notice", "notice": "notice", "パスワード": "password", "password": "password"}
)


def _parcel(raw: str) -> Argument:
    parcel = _PARCELS.get(fold(raw).lower())
    if parcel is None:
        raise RefusalError("「再送 通知」または「再送 パスワード」と書いてください。")
    return Argument(parcel)


def _target_and_reason(raw: str) -> Argument:
    """`[番号] 理由`. A first word of ASCII with four digits or more is the number: a reason does not begin so."""
    first, _, rest = raw.replace("　", " ").partition(" ")
    folded = fold(first)
    if not _NUMBER.fullmatch(folded) or sum(char.isdigit() for char in folded) < 4:
        return _sentence(raw)
    if not rest.strip():
        raise RefusalError("番号の後ろに、失効の理由も書いてください。")
    return Argument(_sentence(rest.strip()).text, find_case_number(folded) or folded)


def _amendment(raw: str) -> Argument:
    label, mark, value = _split_amendment(raw)
    if not mark or not label or not value:
        raise RefusalError("「修正 項目=値」の形で、項目と値の両方を書いてください。")
    return Argument(value, label)


def _split_amendment(raw: str) -> tuple[str, str, str]:
    found = re.match(r"([^=＝:：]*)([=＝:：])(.*)", raw, re.DOTALL)
    # The value is kept as typed: NFKC would rewrite names (SPEC 1.4).
    return (fold(found[1]), found[2], found[3].strip()) if found else (raw, "", "")


class Phrase(NamedTuple):
    """One row of the table of commands: its words (the first is the one we teach), how its argument is written, what
    it does, and how the argument is read."""

    verb: Verb
    words: tuple[str, ...]
    argument: str
    meaning: str
    read: Callable[..., Argument]


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
    Phrase(
        Verb.HAND_OVER,
        ("引継ぎ", "引き継ぎ", "引継", "引継ぎます", "転送", "hand-over", "forward"),
        "相手",
        "案件の判断を別の承認者に引き継ぎます",
        _sentence,
    ),
    Phrase(
        Verb.ABSENCE,
        ("不在", "休み", "absence", "away"),
        "月/日-月/日 代理 名前",
        "不在の期間と代理を登録します",
        _absence,
    ),
    Phrase(Verb.NOTE, ("メモ", "note", "memo"), "文", "案件に内部メモを残します", _sentence),
    Phrase(Verb.LIST, ("一覧", "list"), "", "処理待ちの案件を一覧します", _nothing),
    Phrase(Verb.SHOW, ("照会", "show"), "番号", "案件の内容を表示します", _number),
    Phrase(Verb.HELP, ("ヘルプ", "help"), "", "この一覧を返信します", _nothing),
)


def find_case_number(text: str) -> str | None:
    """The case number (`WEBEC-YYYYMMDD-NNNN`) in a text, or None where there is none or more than one."""
    found = {number.upper() for number in _CASE_NUMBER.findall(unicodedata.normalize("NFKC", text))}
    return found.pop() if len(found) == 1 else None


def usage() -> tuple[str, ...]:
    """What may be said, one Japanese line a command, for the answer to an unclear reply and for ヘルプ."""
    return tuple(
        f"{phrase.words[0]}{' ' + phrase.argument if phrase.argument else ''} … {phrase.meaning}" for phrase in PHRASES
    )
