"""Dates as people write them on Japanese forms (domain notes C.2). An own small set of patterns; nothing is guessed.

What can be read in two ways has no value and the code `date_ambiguous`: staff look. A date without a year takes the
year that lies nearest to the day of receipt, and says so.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from parsers import characters

INVALID = "date_invalid"
AMBIGUOUS = "date_ambiguous"
YEAR_GUESSED = "date_year_guessed"
ERA_OUT_OF_RANGE = "era_year_out_of_range"


class DateReading(NamedTuple):
    """The day that was read, or None; and the finding code with it, None for a plain date or an empty field."""

    value: date | None
    code: str | None = None


class _Era(NamedTuple):
    first: date
    last: date


_ERAS = {
    "令和": _Era(date(2019, 5, 1), date(9999, 12, 31)),
    "平成": _Era(date(1989, 1, 8), date(2019, 4, 30)),
    "昭和": _Era(date(1926, 12, 25), date(1989, 1, 7)),
    "大正": _Era(date(1912, 7, 30), date(1926, 12, 24)),
    "明治": _Era(date(1868, 1, 25), date(1912, 7, 29)),
}
_ERA_LETTERS = {"R": "令和", "H": "平成", "S": "昭和", "T": "大正", "M": "明治"}

_YEAR_SEPARATOR = r"[年/.\-]"
_MONTH_DAY = r"(?P<month>\d{1,2})[月/.\-](?P<day>\d{1,2})日?"
_ERA = r"(?P<era>令和|平成|昭和|大正|明治|[RHSTM])\.?(?P<year>元|\d{1,2})"

_KANJI_DIGITS = {char: number for number, char in enumerate("〇一二三四五六七八九")} | {"零": 0}
_KANJI_NUMBER = re.compile(r"[〇零一二三四五六七八九十]+")
_WEEKDAY = re.compile(r"\([月火水木金土日](曜日?)?\)|[月火水木金土日]曜日?$")
_TIME = re.compile(r"(T|(?<=\d{1})\s+)\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$", re.IGNORECASE)
_TRAILING = re.compile(r"(付け?|まで|限り|末日?まで)$")
# What stands in a date field that shall hold none.
_NONE_GIVEN = re.compile(r"[-ー/.]+|なし|無し?|特に?なし|該当なし|未定なし|N/?A", re.IGNORECASE)


def read_date(raw: str, received_on: date) -> DateReading:
    """Read one date as it stands in a field; `received_on` is the day of receipt in Japan.

    An empty field, or one that says there is none, gives (None, None). The codes are those of the constants above;
    only INVALID and AMBIGUOUS come without a value.
    """
    text = _prepare(raw)
    if not text or _NONE_GIVEN.fullmatch(text):
        return DateReading(None)
    for pattern, build in _FORMS:
        match = pattern.fullmatch(text)
        if match:
            return build(match, received_on)
    return DateReading(None, INVALID)


def holds_date(text: str) -> bool:
    """Whether a free text mentions a day, as 「8月10日まで」 does: for the remarks of the old form (SPEC 1.3.4)."""
    return bool(_MENTION.search(_arabic(characters.drop_spaces(characters.fold_width(text)))))


def _prepare(raw: str) -> str:
    folded = characters.fold_width(raw).strip()
    text = characters.drop_spaces(_TIME.sub("", folded))
    # 今和 and 合和 are never anything but a misread or mistyped 令和 (C.2).
    text = re.sub("^[今合]和", "令和", text.replace("西暦", ""))
    text = _arabic(text)
    return _TRAILING.sub("", _WEEKDAY.sub("", _TRAILING.sub("", text)))


def _arabic(text: str) -> str:
    """Kanji numbers as digits: both 二〇二四 and 二十四."""
    # A circle between kanji digits is how people type 〇.
    text = re.sub(r"(?<=[一二三四五六七八九〇○◯])[○◯]|[○◯](?=[一二三四五六七八九])", "〇", text)
    return _KANJI_NUMBER.sub(lambda match: str(_kanji_value(match[0])), text)


def _kanji_value(text: str) -> str:
    if "十" not in text:
        return "".join(str(_KANJI_DIGITS[char]) for char in text)
    tens, _, ones = text.partition("十")
    if "十" in ones or len(tens) > 1 or len(ones) > 1:
        return text  # not a number people write; the patterns will refuse it
    return str((_KANJI_DIGITS[tens] if tens else 1) * 10 + (_KANJI_DIGITS[ones] if ones else 0))


def _day(year: int, month: int, day: int) -> date | None:
    # Outside these years it is a slip of the pen, not a day on which anybody applies.
    if not 1900 <= year <= 2199:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _plain(value: date | None) -> DateReading:
    return DateReading(value) if value else DateReading(None, INVALID)


def _western(match: re.Match[str], _: date) -> DateReading:
    return _plain(_day(int(match["year"]), int(match["month"]), int(match["day"])))


def _era_day(match: re.Match[str], _: date) -> DateReading:
    name = _ERA_LETTERS.get(match["era"].upper(), match["era"])
    era = _ERAS[name]
    number = 1 if match["year"] == "元" else int(match["year"])
    value = _day(era.first.year + number - 1, int(match["month"]), int(match["day"]))
    if value is None or number == 0:
        return DateReading(None, INVALID)
    # 平成36年 is written by people who count on; the day is clear, so it is accepted with a warning (C.2).
    return DateReading(value, None if era.first <= value <= era.last else ERA_OUT_OF_RANGE)


def _both_years(match: re.Match[str], received_on: date) -> DateReading:
    """2024年（令和6年）7月1日 and 令和6年（2024年）7月1日: the two years must agree."""
    era = _era_day(match, received_on)
    western = _western_year(match)
    if era.value is None or era.value.year == western:
        return era
    return DateReading(None, AMBIGUOUS)


def _western_year(match: re.Match[str]) -> int:
    return int(match["western"])


def _short_year(match: re.Match[str], _: date) -> DateReading:
    """6/7/1 is year 6 of Reiwa, or 2006: whoever wrote it knows, we do not."""
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    possible = _day(2018 + year, month, day) or _day(2000 + year, month, day)
    return DateReading(None, AMBIGUOUS if possible else INVALID)


def _year_last(match: re.Match[str], _: date) -> DateReading:
    """7/31/2024 as some spreadsheet locales print it; 1/7/2024 can be January or July."""
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    days = {day for day in (_day(year, first, second), _day(year, second, first)) if day}
    if len(days) == 1:
        return DateReading(days.pop())
    return DateReading(None, AMBIGUOUS if days else INVALID)


def _no_year(match: re.Match[str], received_on: date) -> DateReading:
    month, day = int(match["month"]), int(match["day"])
    years = range(received_on.year - 1, received_on.year + 2)
    days = [found for year in years if (found := _day(year, month, day))]
    if not days:
        return DateReading(None, INVALID)
    return DateReading(min(days, key=lambda found: abs(found - received_on)), YEAR_GUESSED)


def _serial(match: re.Match[str], _: date) -> DateReading:
    """The day number of a spreadsheet cell that lost its date format, counted with Excel's phantom leap day of 1900."""
    value = date(1899, 12, 30) + timedelta(days=int(match["serial"]))
    return _plain(value if 2000 <= value.year <= 2099 else None)


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date], DateReading]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), build)
    for pattern, build in (
        (rf"(?P<year>\d{{4}}){_YEAR_SEPARATOR}{_MONTH_DAY}", _western),
        (r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})", _western),
        (rf"{_ERA}{_YEAR_SEPARATOR}{_MONTH_DAY}", _era_day),
        (rf"(?P<western>\d{{4}})年?\({_ERA}年?\)年?{_MONTH_DAY}", _both_years),
        (rf"{_ERA}年?\((?P<western>\d{{4}})年?\)年?{_MONTH_DAY}", _both_years),
        (rf"'?(?P<year>\d{{1,2}}){_YEAR_SEPARATOR}{_MONTH_DAY}", _short_year),
        (r"(?P<first>\d{1,2})[/.\-](?P<second>\d{1,2})[/.\-](?P<year>\d{4})", _year_last),
        (_MONTH_DAY, _no_year),
        (r"(?P<serial>\d{5})(\.0+)?", _serial),
    )
)
_MENTION = re.compile(
    rf"\d{{4}}{_YEAR_SEPARATOR}\d{{1,2}}[月/.\-]\d{{1,2}}|{_ERA}{_YEAR_SEPARATOR}\d{{1,2}}"
    r"|\d{1,2}月\d{1,2}日?|\d{1,2}月末|月末|(?<![\d/])\d{1,2}/\d{1,2}(?![\d/])|(?<!\d)20\d{6}(?!\d)",
)
