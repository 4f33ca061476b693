"""Business days and hours of Japan: holidays, substitutes, the turn of the year, the centre's own closed days."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.approval_settings import ApprovalSettings
from daemon import business_time
from daemon.business_time import BusinessTime
from daemon.planning import JST

HOURS = business_time.of(ApprovalSettings())
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


def japan(day: str, hour: int = 10, minute: int = 0) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(hour, minute), JST)


@pytest.mark.parametrize(
    "day",
    [
        "2026-04-04",  # Saturday
        "2026-05-06",  # substitute for 5/3, a Sunday
        "2026-09-22",  # between two holidays
        "2026-12-29",
        "2027-01-02",
        "2032-09-21",  # a day between, by the equinox formula of a later year
        "2099-09-22",  # autumnal equinox
        "2019-05-01",  # a holiday by a law of its own
    ],
)
def test_the_centre_is_closed_on_holidays_weekends_and_at_the_turn_of_the_year(day):
    assert not HOURS.is_open(date.fromisoformat(day))


@pytest.mark.parametrize("day", ["2026-04-01", "2026-12-28", "2027-01-04", "2026-05-07"])
def test_any_other_day_is_open(day):
    assert HOURS.is_open(date.fromisoformat(day))


def test_days_of_the_centres_own_are_closed_each_year_or_once():
    own = business_time.of(ApprovalSettings(closed_days=("11-20", "2026-06-01")))
    assert [own.is_open(date(year, 11, 20)) for year in (2026, 2028)] == [False, False]
    assert [own.is_open(date(year, 6, 1)) for year in (2026, 2027)] == [False, True]
    assert own.is_open(date(2026, 12, 29))


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (japan("2026-04-01", 10), japan("2026-04-01", 14), 4),
        (japan("2026-04-01", 7), japan("2026-04-01", 10), 1),
        (japan("2026-04-01", 16), japan("2026-04-02", 10, 30), 3),
        (japan("2026-04-03", 17), japan("2026-04-06", 9, 30), 1),  # over a weekend
        (japan("2026-05-01", 17), japan("2026-05-07", 10), 1.5),  # over the golden week
        (japan("2026-04-01", 14), japan("2026-04-01", 10), 0),
        (japan("2026-04-04", 9), japan("2026-04-05", 18), 0),
    ],
)
def test_only_hours_in_which_somebody_works_count(start, end, hours):
    assert HOURS.between(start, end.astimezone(UTC)) == timedelta(hours=hours)


@given(MOMENTS, st.integers(0, 40), st.integers(0, 40))
def test_business_time_adds_up_and_never_runs_faster_than_the_clock(start, first, second):
    middle, end = start + timedelta(hours=first), start + timedelta(hours=first + second)
    assert HOURS.between(start, end) == HOURS.between(start, middle) + HOURS.between(middle, end)
    assert timedelta() <= HOURS.between(start, end) <= end - start


@given(MOMENTS)
def test_one_business_day_later_is_an_open_day_at_least_a_day_later(moment):
    later = HOURS.one_day_after(moment)
    assert HOURS.is_open(later.date())
    assert timedelta(days=1) <= later - moment <= timedelta(days=12)


def test_a_centre_may_work_at_other_hours():
    late = BusinessTime(begins=time(12), ends=time(20))
    assert late.between(japan("2026-04-01", 10), japan("2026-04-01", 13)) == timedelta(hours=1)
