"""What a reading is worth: text, probabilities, second opinion and geometry → the confidence that is published.

Pure. At `SURE` and above a value is accepted without a person's look, below it staff look first. The recogniser's own
probabilities cannot decide that (pdf.md 3: at 0.98 one value in 35 was wrong), so every sign of doubt is asked for by
name, and one is enough. Mail addresses get the strictest rule: the certificate goes there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from parsers import normalise
from parsers.dates import read_date
from parsers.decoding import Mask
from parsers.second_opinion import agrees

SURE = 0.9
# What a doubtful reading is given at most.
_DOUBTFUL = 0.6
# The least sure letter of a reading that another engine confirms, and of one that nobody confirms.
_CONFIRMED, _ALONE = 0.6, 0.97

# Letters of names with a variant that the recogniser takes for them, or the other way round, with full certainty.
_VARIANTS = frozenset("高髙崎﨑柳栁辺邉邊恵惠浜濱濵斎齋斉齊真眞広廣沢澤桑桒瀬瀨富冨戸戶吉𠮷島嶋嶌国國竜龍桜櫻寿壽曽曾")
# What both engines take a variant for that neither knows: 濵口 is read as 演口.
_STAND_INS = frozenset("演瀘")
# Katakana that differ by a dot or a ring of the size of dust.
_RINGED = frozenset("バパビピブプベペボポ")
# Kanji and katakana of one shape: beside katakana neither reading can be told by the eye alone.
_TWO_SCRIPTS = re.compile(
    "[ァ-ヺー][力口工二八夕卜千三才一へべぺり][ァ-ヺ一-龥]|[一-龥][カエロニハタトチミオ][一-龥ァ-ヺ]|[ァ-ヺー][カエロニハタトチミオ][一-龥]"
    # 青木エリカ: after a name in kanji, katakana may begin with either.
    "|[一-龥々] ?[力口工二八夕卜千三才][ァ-ヺー]"
)
# Letters of an address that stand for one another, where nothing beside them tells which.
_LOOK_ALIKE_MAIL = re.compile(
    r"[l1I|][l1I|]|(?<![a-z])[lI](?![a-z])|(?<=[a-z])[1I0](?=[a-z@])|l(?=@)|(?<=\d)[lIOo]|[lIOo](?=\d)|O|0[o]"
    r"|(?<=[a-z])1(?=\d)|(?<=\d)1(?=[@._-])"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The confidence to publish, and the names of what speaks against the reading."""

    confidence: float
    doubts: tuple[str, ...] = ()


def judge(
    mask: Mask,
    text: str,
    confidence: float,
    *,
    second: str | None,
    doubts: Iterable[str] = (),
    settled: Iterable[str] = (),
) -> Verdict:
    """Weigh one reading of a cell that is not empty.

    `second` is another engine's reading, None where there is none. `doubts` are what the geometry says against it
    (`written_over`, `cut_off`, `touches_border`); `settled` the variant letters that were verified by their shape.
    """
    found = [*doubts, *_doubts_of_text(mask, text, frozenset(settled))]
    if second is not None and not agrees(mask, text, second):
        found.append("second_opinion")
    least = _ALONE if second is None else _CONFIRMED
    if confidence < least:
        found.append("unsure_letter")
    if second is None and mask not in _CHECKED_BY_GRAMMAR:
        found.append("unconfirmed")
    if found:
        return Verdict(min(_DOUBTFUL, confidence), tuple(dict.fromkeys(found)))
    # Never 1: that is for what a person or a code says, which nobody weighs again (daemon/cross_checks.py).
    return Verdict(min(SURE + (1 - SURE) * confidence, 0.999))


def is_open(
    mask: Mask, text: str, confidence: float, *, doubts: Iterable[str] = (), settled: Iterable[str] = ()
) -> bool:
    """Whether another engine's reading could still make this one sure; where something speaks against it already, it
    need not be asked."""
    return confidence >= _CONFIRMED and not [*doubts, *_doubts_of_text(mask, text, frozenset(settled))]


# What its grammar checks: a digit lost or made up shows, and one digit for another is not what the recogniser does.
_CHECKED_BY_GRAMMAR = frozenset({Mask.DATE, Mask.PHONE, Mask.POSTAL})


def _doubts_of_text(mask: Mask, text: str, settled: frozenset[str]) -> list[str]:
    found = []
    if not text.strip():
        found.append("unreadable")
    elif not _is_grammatical(mask, text):
        found.append("grammar")
    if mask is Mask.JAPANESE:
        if any(char in _STAND_INS or (char in _VARIANTS and char not in settled) for char in text):
            found.append("variant")
        if _TWO_SCRIPTS.search(text) or any(char in _RINGED and char not in settled for char in text):
            found.append("look_alike")
    if mask is Mask.MAIL and _LOOK_ALIKE_MAIL.search(text):
        found.append("look_alike")
    return found


# Any day serves: whether a date can be read does not depend on the day of receipt.
_SOME_DAY = date(2024, 7, 1)
# The shapes of an era and of a year that people write; a date in another shape is looked at.
_DATE = re.compile(r"(20\d{2}|R\.?\d{1,2}|令和(元|\d{1,2}))[年/.\-]\d{1,2}[月/.\-]\d{1,2}日?")


def _is_grammatical(mask: Mask, text: str) -> bool:
    match mask:
        case Mask.MAIL:
            return text.count("@") == 1 and normalise.mail_address(text).code is None
        case Mask.PHONE:
            return normalise.phone(text).code is None
        case Mask.POSTAL:
            return bool(re.fullmatch(r"〒?\d{3}-?\d{4}", text.replace(" ", "")))
        case Mask.DATE:
            plain = text.replace(" ", "")
            return bool(_DATE.fullmatch(plain)) and read_date(plain, _SOME_DAY).value is not None
        case Mask.ENGLISH:
            # A dot after a whole word is dust; Ltd., Inc., Corp. and initials have their own.
            return (
                bool(re.fullmatch(r"[A-Za-z0-9 &.,'()/+-]+", text))
                and not re.search(r"(?<=[a-z])[0-9]", text)
                and not re.search(r"[A-Za-z]{5,}\.$", text)
            )
        case _:
            # The frame of a grey seal behind a value is read as a bracket, and second opinions leave brackets out.
            return text.count("(") == text.count(")") and not re.search(r"[|\\~^`{}\[\]<>]", text)
