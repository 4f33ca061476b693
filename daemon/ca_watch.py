"""Tells staff in time that the issuing CA comes to its end as an issuer: long before it expires.

A certificate must not outlive its issuer, so the last day for whole terms is the issuer's not_after less the term
(two years and thirty days). The next authority takes a ceremony, and relying parties must be given it before.
"""

import logging
from datetime import timedelta

from . import authorities, gauges, post
from .centre import Centre
from .planning import JST

_log = logging.getLogger(__name__)

WARNING = timedelta(days=90)
"""Before the last day: time to arrange a ceremony and to give the new chain to the relying parties."""


def watch(centre: Centre) -> int:
    """Note the gauge and, in the last ninety days and after, tell staff once a week; how much was told."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        last = authorities.last_full_day(centre.settings, tx)
        if last is None:
            return 0
        values = {"ca_issues_until_timestamp_seconds": last.timestamp()}
        if values.items() - gauges.values(tx).items():
            gauges.note(tx, values, now=now)
        if now < last - WARNING:
            return 0
        week = now.astimezone(JST).isocalendar()
        key = f"alarm:ca-ends:{week.year}-{week.week:02d}"
        lines = (
            f"現在の発行認証局で証明書を発行できるのは {last.astimezone(JST):%Y-%m-%d} までです。",
            "その後は、証明書の有効期間が認証局の有効期限を超えるため、発行できません。",
            "システム担当者に、次の発行認証局の作成（ogis-lra ca rollover）をご依頼ください。",
        )
        if not post.notify_once(tx, centre, key=key, subject="発行認証局の更新が必要です", lines=lines, now=now):
            return 0
        _log.error("staff are told: the issuing CA issues whole terms until %s", f"{last:%Y-%m-%d}")
    return 1
