"""Dates as people write them (domain notes C.2, SPEC 1.4)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers import dates
from parsers.dates import DateReading, holds_date, read_date

RECEIVED = date(2024, 7, 3)
FIRST_OF_JULY = date(2024, 7, 1)


@pytest.mark.parametrize(
    "raw",
    [
        "2024年7月1日",
        "２０２４年７月１日",
        "2024/7/1",
        "2024/07/01",
        "2024-07-01",
        "2024.7.1",
        "20240701",
        "2024－7－1",
        "2024‐7‐1",
        "2024−07−01",
        "2024年 7月 1日",
        "西暦2024年7月1日",
        "2024年7月1日（月）",
        "2024年7月1日(月曜日)",
        "2024年7月1日 月曜日",
        "2024年7月1日付",
        "2024年7月1日まで",
        "2024-07-01 00:00:00",
        "2024/7/1 9:30",
        "2024-07-01T00:00:00",
        "令和6年7月1日",
        "令和６年７月１日",
        "令和六年七月一日",
        "㋿6年7月1日",
        "今和6年7月1日",
        "合和6年7月1日",
        "R6.7.1",
        "R6/7/1",
        "R06/07/01",
        "r6-7-1",
        "R.6.7.1",
        "Ｒ６．７．１",
        "2024年（令和6年）7月1日",
        "令和6年（2024年）7月1日",
        "二〇二四年七月一日",
        "二○二四年七月一日",
        "45474",
        "45474.0",
        "⼆〇⼆四年⼋⽉⼗五⽇".replace("⼋⽉⼗五⽇", "7⽉1⽇"),
    ],
)
def test_every_usual_way_of_writing_a_day_is_read(raw: str) -> None:
    assert read_date(raw, RECEIVED) == DateReading(FIRST_OF_JULY)


@pytest.mark.parametrize(
    ("raw", "day"),
    [
        ("令和元年5月1日", date(2019, 5, 1)),
        ("令和元年十二月三十一日", date(2019, 12, 31)),
        ("平成31年4月30日", date(2019, 4, 30)),
        ("H1.1.8", date(1989, 1, 8)),
        ("昭和64年1月7日", date(1989, 1, 7)),
        ("大正15年12月24日", date(1926, 12, 24)),
        ("明治45年7月29日", date(1912, 7, 29)),
        ("令和二十年十月二十日", date(2038, 10, 20)),
        ("7/31/2024", date(2024, 7, 31)),
        ("31/7/2024", date(2024, 7, 31)),
        ("7/7/2024", date(2024, 7, 7)),
        ("2024年2月29日", date(2024, 2, 29)),
    ],
)
def test_other_eras_and_orders_are_read_where_only_one_day_is_meant(raw: str, day: date) -> None:
    assert read_date(raw, RECEIVED) == DateReading(day)


@pytest.mark.parametrize("raw", ["平成36年7月1日", "H36.7.1", "昭和99年7月1日", "平成36年(2024年)7月1日"])
def test_an_era_counted_past_its_end_is_accepted_with_a_warning(raw: str) -> None:
    assert read_date(raw, RECEIVED) == DateReading(FIRST_OF_JULY, dates.ERA_OUT_OF_RANGE)


def test_an_era_before_its_beginning_is_accepted_with_a_warning() -> None:
    assert read_date("令和1年4月30日", RECEIVED) == DateReading(date(2019, 4, 30), dates.ERA_OUT_OF_RANGE)


@pytest.mark.parametrize(
    "raw",
    ["６／７／１", "6/7/1", "24/7/1", "06.07.01", "'24/07/01", "6年7月1日", "1/7/2024", "2023年（令和6年）7月1日"],
)
def test_what_can_be_read_in_two_ways_has_no_value(raw: str) -> None:
    assert read_date(raw, RECEIVED) == DateReading(None, dates.AMBIGUOUS)


@pytest.mark.parametrize(
    ("raw", "received", "day"),
    [
        ("7月1日", date(2024, 7, 3), date(2024, 7, 1)),
        ("7/31", date(2024, 7, 3), date(2024, 7, 31)),
        ("12月28日", date(2025, 1, 6), date(2024, 12, 28)),
        ("1月10日", date(2024, 12, 20), date(2025, 1, 10)),
        ("2月29日", date(2024, 12, 20), date(2024, 2, 29)),
    ],
)
def test_a_day_without_a_year_takes_the_year_nearest_to_receipt_and_says_so(
    raw: str, received: date, day: date
) -> None:
    assert read_date(raw, received) == DateReading(day, dates.YEAR_GUESSED)


@pytest.mark.parametrize(
    "raw",
    [
        "2024年7月32日",
        "2024年13月1日",
        "2023年2月29日",
        "令和0年1月1日",
        "R6.13.1",
        "0024-07-01",
        "24/13/45",
        "13/13/2024",
        "至急",
        "受領時",
        "7月",
        "2024年",
        "2024年7月1日から7月5日",
        "99999",
        "十十年一月一日",
        "2月30日",
    ],
)
def test_what_is_no_day_is_invalid(raw: str) -> None:
    assert read_date(raw, RECEIVED) == DateReading(None, dates.INVALID)


@pytest.mark.parametrize("raw", ["", " ", "　", "-", "―", "なし", "無", "特になし", "該当なし", "N/A"])
def test_an_empty_field_is_no_finding(raw: str) -> None:
    assert read_date(raw, RECEIVED) == DateReading(None)


@pytest.mark.parametrize(
    "text",
    [
        "8月10日まで使用します",
        "２０２４／０８／１０",
        "8/10に失効希望",
        "令和6年8月10日",
        "R6.8.10",
        "八月十日",
        "20240810",
        "今月末、7月末でお願いします",
    ],
)
def test_a_free_text_with_a_day_is_noticed(text: str) -> None:
    assert holds_date(text)


@pytest.mark.parametrize(
    "text", ["", "よろしくお願いいたします", "TEL 03-6712-1274", "PC入替のため", "1台目", "http://a.example/2024/index"]
)
def test_a_free_text_without_a_day_is_not(text: str) -> None:
    assert not holds_date(text)


DAYS = st.dates(date(2019, 5, 1), date(2099, 12, 31))
WIDE = str.maketrans("0123456789/.-", "０１２３４５６７８９／．－")


@given(DAYS, st.booleans())
def test_every_day_is_read_back_from_every_form(day: date, wide: bool) -> None:
    era = day.year - 2018
    forms = [
        f"{day.year}年{day.month}月{day.day}日",
        day.isoformat(),
        f"{day:%Y%m%d}",
        f"{day.year}/{day.month}/{day.day}",
        f"令和{era}年{day.month}月{day.day}日",
        f"R{era}.{day.month}.{day.day}",
        str((day - date(1899, 12, 30)).days),
    ]
    for text in forms:
        assert read_date(text.translate(WIDE) if wide else text, RECEIVED) == DateReading(day), text


@given(DAYS, st.integers(-180, 180))
def test_a_guessed_year_is_never_further_away_than_half_a_year(received: date, away: int) -> None:
    meant = received + timedelta(days=away)
    read = read_date(f"{meant.month}月{meant.day}日", received)
    assert read == DateReading(meant, dates.YEAR_GUESSED)


@given(st.text())
def test_any_text_is_a_day_or_a_reason(text: str) -> None:
    value, code = read_date(text, RECEIVED)
    assert code in (None, dates.INVALID, dates.AMBIGUOUS, dates.YEAR_GUESSED, dates.ERA_OUT_OF_RANGE)
    assert (value is None) or code not in (dates.INVALID, dates.AMBIGUOUS)
    holds_date(text)
