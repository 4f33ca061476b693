"""Breaking Japanese lines for plain-text mail, by the usual prohibition rules (禁則処理, JIS X 4051).

A line never starts with a closing mark or a small kana and never ends with an opening bracket. A break comes between
phrases: a run of kanji, katakana or letters keeps the hiragana that follows it, so that no ending is torn off its word;
addresses, numbers and dates stay whole. A continuation hangs under the text of its bullet.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

_NO_START = "、。，．・：；？！）｝」』】〕〉》〟ゝゞー々ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ％℃～…様"
_NO_END = "（｛「『【〔〈《〝"
_CORE = rf"[^ ぁ-ん{_NO_END}{_NO_START.replace('様', '')}]|[ー々ァィゥェォッャュョヮヵヶ・]"
_DATE = r"\d+年\d+月\d+日(?:（.）)?(?:\d\d:\d\d)?"
# The hiragana after a word belongs to it, but for an honorific お or ご that begins the next one.
_ENDING = r"(?:[ぁ-ん]*?(?=[おご][一-龥々])|[ぁ-ん]*)"
_PHRASE = re.compile(
    rf"[{_NO_END}]*(?:{_DATE}{_ENDING}|[おご]?(?:{_CORE})+{_ENDING}|[ぁ-ん]+?(?=[おご][一-龥々])|[ぁ-ん]+)"
    rf"[{_NO_START}]*|[{_NO_END}]*[{_NO_START}]+|[{_NO_END}]+| +"
)
_LETTER = re.compile(
    rf"[{_NO_END}]*(?:{_DATE}|[!-~]+|[^ ])[\u0300-\u036f\u3099\u309a\ufe00-\ufe0f\U000e0100-\U000e01ef]*"
    rf"[{_NO_START}]*| +"
)
_WHOLE = 24  # columns; a phrase of up to twelve characters stays whole however narrow the text is
_LEAD = re.compile(r"[ 　]*(?:[・※■□☑◇｜]|\d+\. |[①-⑳] ?)?[ 　]*")


def columns(text: str) -> int:
    """How many columns a text takes in a fixed-width font: two for a full-width or ambiguous character, none for a
    combining mark or a variation selector (Unicode TR11)."""
    return sum(map(_width, text))


# A text holds few different characters, and each is asked about many times.
@lru_cache(maxsize=8192)
def _width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WFA" else 1


def wrap(text: str, width: int, guard: Callable[[str], bool] | None = None) -> Iterator[str]:
    """The lines of a text, none wider than `width` columns unless a single unit is. Trailing spaces go.

    A continuation for which `guard` is true gets … in front: a break must not make a line that means something alone.
    """
    for line in text.rstrip("\n").split("\n"):
        yield from _wrap_line(line.rstrip(), width, guard)


def _wrap_line(line: str, width: int, guard: Callable[[str], bool] | None) -> Iterator[str]:
    if columns(line) <= width:
        yield line
        return
    lead = _lead(line)
    # A quotation is marked on every line, anything else hangs under the text of its bullet.
    hanging = lead if "｜" in lead else "　" * (columns(lead) // 2) + " " * (columns(lead) % 2)
    pieces = list(_pieces(line[len(lead) :], width - columns(lead)))
    yield f"{lead}{pieces[0]}"
    for piece in pieces[1:]:
        yield f"{hanging}{'…' if guard and guard(piece) else ''}{piece}"


def _pieces(text: str, width: int) -> Iterator[str]:
    current = ""
    for unit in _units(text, max(width // 2, _WHOLE)):
        # One mark may hang over the edge (ぶら下げ) rather than drag its word down to the next line.
        if not current or columns(current) + columns(unit.rstrip("、。）」")) <= width:
            current = current + unit if current else unit.lstrip(" ")
            continue
        yield current.rstrip()
        current = unit.lstrip(" ")
    yield current.rstrip()


def _units(text: str, longest: int) -> Iterator[str]:
    """The phrases of a text; one wider than `longest` columns is taken apart by letters and words."""
    for phrase in _PHRASE.findall(text):
        if columns(phrase) <= longest:
            yield phrase
        else:
            yield from _LETTER.findall(phrase)


def _lead(line: str) -> str:
    found = _LEAD.match(line)
    return found.group() if found else ""
