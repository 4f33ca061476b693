"""Watches over the CRLs from outside their making: staff hear in time of one that runs out or does not come.

A relying party whose CRL is past its nextUpdate refuses everybody, and one that never sees a revocation admits whom it
should not. Whatever the cause is, a key that does not open, a full disk, a root that nobody brought from the safe: what
counts is what the register says of the newest CRLs, of every authority, also of those whose key is not here.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ca import register
from ca.crl import CrlKind
from ca.hierarchy import ROOT_ID
from ca.register import CrlRow

from . import authorities, gauges, post
from .centre import Centre
from .planning import JST

_log = logging.getLogger(__name__)

# A CRL is made anew at half of its life. When three quarters are over something keeps it from being made; of a CRL that
# lives for more than a year, a month is warning enough.
_LEFT = 4
_WARNING = timedelta(days=30)
PATIENCE = timedelta(minutes=10)
"""A revocation is on a CRL in the round that records it, or the one after."""


@dataclass(frozen=True, slots=True)
class _Alarm:
    kind: str
    authority: str
    subject: str
    meaning: str


def watch(centre: Centre) -> int:
    """Note the gauges, and tell staff what is not in order, once a day for each cause; how much was told."""
    now = centre.clock()
    told = 0
    with centre.store.transaction() as tx:
        alarms: list[_Alarm] = []
        ends: list[datetime] = []
        entries, waited = 0, timedelta(0)
        for authority in register.every_authority(tx):
            if authorities.rests(tx, authority.id, now):
                continue
            newest = register.newest_crls(tx, authority.id)
            ends += [row.next_update for row in newest if row.kind is not CrlKind.DELTA]
            entries += sum(row.size for row in newest if row.kind is CrlKind.FULL)
            waiting = [since for row in newest if (since := register.waiting_since(tx, row, now)) is not None]
            waited = max([waited, *(now - since for since in waiting)])
            alarms += _alarms(authority.id, newest, waiting, now)
        values = {"crl_entries": float(entries), "crl_waiting_seconds": waited.total_seconds()}
        if ends:
            values["crl_next_update_timestamp_seconds"] = min(ends).timestamp()
        if values.items() - gauges.values(tx).items():
            gauges.note(tx, values, now=now)
        for alarm in alarms:
            told += _tell(tx, centre, alarm, now)
    return told


def _alarms(authority_id: str, newest: list[CrlRow], waiting: list[datetime], now: datetime) -> Iterator[_Alarm]:
    root = authority_id == ROOT_ID
    mend = (
        "ルートの鍵を保管場所から戻し、ogis-lra init を実行してください。"
        if root
        else "ogis-lra crl --publish を実行し、表示される原因を確認してください。"
    )
    for row in newest:
        left = row.next_update - now
        if row.kind is not CrlKind.DELTA and left < min((row.next_update - row.this_update) / _LEFT, _WARNING):
            yield _Alarm(
                "stale",
                authority_id,
                "失効リスト（CRL）が更新されていません",
                f"認証局 {authority_id} の失効リストの期限は {_local(row.next_update)} です。"
                f"期限を過ぎると、すべての利用者が接続先で拒否されます。{mend}",
            )
            break
    if waiting and now - min(waiting) > PATIENCE:
        yield _Alarm(
            "waiting",
            authority_id,
            "失効が失効リスト（CRL）に載っていません",
            f"認証局 {authority_id} の失効（{_local(min(waiting))} 登録）がまだ公開されていません。"
            f"失効した証明書が接続先で使えるままになっています。{mend}",
        )


def _local(time: datetime) -> str:
    return f"{time.astimezone(JST):%Y-%m-%d %H:%M}"


def _tell(tx: Connection, centre: Centre, alarm: _Alarm, now: datetime) -> int:
    key = f"alarm:crl:{alarm.kind}:{alarm.authority}:{now.astimezone(JST):%Y%m%d}"
    lines = (alarm.meaning, "システム担当者にご連絡ください。")
    if not post.notify_once(tx, centre, key=key, subject=alarm.subject, lines=lines, now=now):
        return 0
    _log.error("staff are told: CRL of %s %s", alarm.authority, alarm.kind)
    return 1
