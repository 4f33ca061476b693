"""Breaking Japanese lines for plain-text mail, by the usual prohibition rules (禁則処理, JIS X 4051).

A line never starts with a closing mark or a small kana and never ends with an opening bracket. A break comes between
phrases: a run of kanji, katakana or letters keeps the hiragana that follows it, so that no ending is torn off its word;
addresses, numbers and dates stay whole. A continuation hangs under the text of its bullet.
"""

import re
import unicodedata
from collections.abc import Iterator

_NO_START = "、。，．・：；？！）｝」』】〕〉》〟ゝゞー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ％℃～…様"
_NO_END = "（｛「『【〔〈《〝"
_CORE = rf"[^ ぁ-ん{_NO_END}{_NO_START.replace('様', '')}]|[ー々ァィゥェォッャュョヮヵヶ・]"
_DATE = r"\d+年\d+月\d+日(?:（.）)?(?:\d\d:\d\d)?"
# The hiragana after a word belongs to it, but for an honorific お or ご that begins the next one.
_ENDING = r"(?:[ぁ-ん]*?(?=[おご][一-龥々])|[ぁ-ん]*)"
_PHRASE = re.compile(
    rf"[{_NO_END}]*(?:{_DATE}{_ENDING}|[おご]?(?:{_CORE})+{_ENDING}|[ぁ-ん]+)[{_NO_START}]*|[{_NO_END}{_NO_START}]+| +"
)
_LETTER = re.compile(
    rf"[{_NO_END}]*(?:[!-~]+|[^ ])[\u0300-\u036f\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef]*"
    rf"[{_NO_START}]*| +"
)
_LEAD = re.compile(r"[ 　]*(?:[・※■□☑◇｜]|\d+\. |[①-⑳] ?)?[ 　]*")


def columns(text: str) -> int:
    """How many columns a text takes in a fixed-width font: two for a full-width or ambiguous character, none for a
    combining mark or a variation selector (Unicode TR11)."""
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WFA" else 1


def wrap(text: str, width: int) -> Iterator[str]:
    """The lines of a text, none wider than `width` columns unless a single unit is. Trailing spaces go."""
    for line in text.rstrip("\n").split("\n"):
        yield from _wrap_line(line.rstrip(), width)


def _wrap_line(line: str, width: int) -> Iterator[str]:
    if columns(line) <= width:
        yield line
        return
    lead = _match(line)
    hanging = "　" * (columns(lead) // 2) + " " * (columns(lead) % 2)
    current, empty = lead, True
    for unit in _units(line[len(lead) :], width // 2):
        # One mark may hang over the edge (ぶら下げ) rather than drag its word down to the next line.
        if empty or columns(current) + columns(unit.rstrip("、。）」")) <= width:
            current, empty = current + unit, False
            continue
        yield current.rstrip()
        current, empty = hanging + unit.lstrip(" "), not unit.strip()
    yield current.rstrip()


def _units(text: str, longest: int) -> Iterator[str]:
    """The phrases of a text; one wider than `longest` columns is taken apart by letters and words."""
    for phrase in _PHRASE.findall(text):
        if columns(phrase) <= longest:
            yield phrase
        else:
            yield from _LETTER.findall(phrase)


def _match(line: str) -> str:
    found = _LEAD.match(line)
    return found.group() if found else ""
