"""The `[approval]` settings: how staff are asked, reminded and told; what of them cannot work."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_CLOSED_DAY = re.compile(r"(?:[0-9]{4}-)?(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """How staff are asked: links in the request, business time, reminders, the daily digest (domain notes E.3).

    Hours are business hours since the request; times are times of day in Japan; without `digest_at` there is no digest.
    `closed_days` are days beside Saturdays, Sundays and public holidays: `MM-DD` every year, `YYYY-MM-DD` once.
    """

    mailto_links: bool = False
    remind_hours: int = 4
    deputy_hours: int = 8
    manager_hours: int = 16
    day_begins: str = "09:00"
    day_ends: str = "17:30"
    digest_at: str = "09:00"
    closed_days: tuple[str, ...] = ("12-29", "12-30", "12-31", "01-01", "01-02", "01-03")
    form_days: int = 7


def faults(approval: ApprovalSettings) -> Iterator[tuple[str, str]]:
    """Every option that cannot work, and why; the limits of the numbers are `settings.LIMITS`."""
    for name in ("day_begins", "day_ends", "digest_at"):
        if not _TIME.fullmatch(getattr(approval, name)) and not (name == "digest_at" and not approval.digest_at):
            yield f"approval.{name}", f"{getattr(approval, name)!r} is not a time of day such as 09:00"
    if approval.day_begins >= approval.day_ends:
        yield "approval.day_ends", "must be later than day_begins"
    if not approval.remind_hours <= approval.deputy_hours <= approval.manager_hours:
        yield "approval", "remind_hours, deputy_hours and manager_hours must grow in this order"
    for day in approval.closed_days:
        if not _CLOSED_DAY.fullmatch(day):
            yield "approval.closed_days", f"{day!r} is neither MM-DD nor YYYY-MM-DD"
