"""Business days and hours of the centre: Japan's holidays, the turn of the year, the centre's own closed days. Pure.

Holidays are those of 国民の祝日に関する法律 with their substitutes, as `jpholiday` computes them for any year (the two
equinoxes by formula; docs/decisions/0024-holidays.md). All days are days in Japan.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache

import jpholiday

from config.approval_settings import ApprovalSettings

from .planning import JST

_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BusinessTime:
    """When the centre works. `closed` holds days as `MM-DD` (every year) or `YYYY-MM-DD`."""

    begins: time = time(9)
    ends: time = time(17, 30)
    closed: frozenset[str] = frozenset()

    def is_open(self, day: date) -> bool:
        """Whether the centre works on that day."""
        if day.weekday() >= _SATURDAY or jpholiday.is_holiday(day):
            return False
        return day.isoformat() not in self.closed and f"{day:%m-%d}" not in self.closed

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much business time lies between two aware moments; nothing where the end is not later."""
        total = timedelta()
        start, end = start.astimezone(JST), end.astimezone(JST)
        day = start.date()
        while day <= end.date():
            if self.is_open(day):
                opened = datetime.combine(day, self.begins, JST)
                closed = datetime.combine(day, self.ends, JST)
                total += max(timedelta(), min(end, closed) - max(start, opened))
            day += _DAY
        return total

    def one_day_after(self, moment: datetime) -> datetime:
        """The same time of the next open day; what happens on a closed day counts from the beginning of the next open
        one (SPEC 2.2: one business day of silence for a changed mail address)."""
        start = moment.astimezone(JST)
        while not self.is_open(start.date()):
            start = datetime.combine(start.date() + _DAY, time(0), JST)
        until = start + _DAY
        while not self.is_open(until.date()):
            until += _DAY
        return until


@cache
def of(settings: ApprovalSettings) -> BusinessTime:
    """The business time that the `[approval]` settings tell."""
    begins, ends = (time.fromisoformat(each) for each in (settings.day_begins, settings.day_ends))
    return BusinessTime(begins, ends, frozenset(settings.closed_days))
