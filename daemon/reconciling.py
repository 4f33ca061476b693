"""Is everything that lies in the mailbox in the ledger? The one question whose answer must always be yes (issue 4).

Does: after each fetch, which lists the whole folder anew, the UIDs of the server are compared with the ledger; what is
missing is remembered with since when, measured, and told to staff once it lasts (`run.absence_minutes`). Staff are told
as well when no comparison succeeded for long (`run.silence_minutes`): a mailbox that cannot be read looks like one
without mail.
Trusts: the server's list of UIDs. Weak: a mail that a server never lists cannot be missed.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from . import disk_room, gauges, ledger, post, schema
from .centre import Centre
from .ledger import Place
from .planning import JST
from .store import added, changed, every

_absences = schema.absences
_NOTE_EVERY = timedelta(minutes=1)
"""How old the note of a comparison that found nothing new may grow, so that a quiet mailbox costs few commits."""

_FRESH = timedelta(minutes=2)
"""A comparison of this age counts as one of this round: its note may be a minute old."""


def compare(centre: Centre, place: Place, listed: Sequence[int], missing: Collection[int]) -> None:
    """Note the outcome of one comparison: what the server lists, and which of it is not in the ledger."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        before = gauges.values(tx)
        known = _absent(tx, place)
        measured = _measured(tx, centre, place, listed, missing)
        last = gauges.moment(before, "compared_timestamp_seconds")
        same = all(before.get(name) == value for name, value in measured.items() if name != "disk_free_bytes")
        if same and known.keys() == set(missing) and last is not None and timedelta(0) <= now - last < _NOTE_EVERY:
            return
        gauges.note(tx, measured | {"compared_timestamp_seconds": now.timestamp()}, now=now)
        _follow(tx, place, known, missing, now)
        _tell_absent(tx, centre, place, now)


def watch(centre: Centre) -> int:
    """Tell staff, once for each time it happens, that the mailbox could not be compared for long; returns 1 when told.

    The time runs from the first look that finds no fresh comparison, so that a service which was stopped for a weekend
    has its time to catch up, and one that never reached its mailbox says so too.
    """
    now = centre.clock()
    with centre.store.transaction() as tx:
        measured = gauges.values(tx)
        last = gauges.moment(measured, "compared_timestamp_seconds")
        since = gauges.moment(measured, "silent_timestamp_seconds")
        if last is not None and now - last <= _FRESH:
            return 0
        if since is None or (last is not None and since < last):
            gauges.note(tx, {"silent_timestamp_seconds": now.timestamp()}, now=now)
            return 0
        if now - since < timedelta(minutes=centre.settings.run.silence_minutes):
            return 0
        key = f"mailbox-silent:{since:%Y%m%dT%H%M%S}"
        if post.told(tx, key):
            return 0
        post.notify(
            tx,
            centre,
            key=key,
            subject="メールボックスを確認できない状態が続いています",
            lines=(
                f"最後に確認できた日時：{last.astimezone(JST):%Y-%m-%d %H:%M}"
                if last
                else "まだ一度も確認できていません。",
                "この間に届いたメールは、まだ受け付けていません。メールはサーバーに残っています。",
                "システム担当者にご連絡ください（ogis-lra check で原因を確認できます）。",
            ),
            now=now,
        )
    return 1


def _measured(
    tx: Connection, centre: Centre, place: Place, listed: Sequence[int], missing: Collection[int]
) -> dict[str, float]:
    mails = schema.mails
    counts = {
        row["state"]: row["count"]
        for row in every(tx, select(mails.c.state, func.count().label("count")).group_by(mails.c.state))
    }
    return {
        "mailbox_listed": len(listed),
        "mailbox_missing": len(missing),
        "mailbox_unfiled": len(ledger.unfiled(tx, place)),
        "mails_unread": counts.get("stored", 0),
        "mails_held": counts.get("held", 0),
        "disk_free_bytes": disk_room.free(centre),
    }


def _absent(tx: Connection, place: Place) -> dict[int, datetime]:
    return {row["uid"]: row["since"] for row in every(tx, select(_absences).where(*_here(place)))}


def _follow(tx: Connection, place: Place, known: Collection[int], missing: Collection[int], now: datetime) -> None:
    """Note what is newly missing, forget what came or went; an earlier life of the UIDs is forgotten as a whole."""
    tx.execute(
        delete(_absences).where(
            _absences.c.account == place.account,
            _absences.c.folder == place.folder,
            _absences.c.uidvalidity != place.uidvalidity,
        )
    )
    for uid in set(known) - set(missing):
        tx.execute(delete(_absences).where(*_here(place), _absences.c.uid == uid))
    for uid in set(missing) - set(known):
        added(
            tx,
            _absences,
            account=place.account,
            folder=place.folder,
            uidvalidity=place.uidvalidity,
            uid=uid,
            since=now,
        )


def _tell_absent(tx: Connection, centre: Centre, place: Place, now: datetime) -> None:
    limit = now - timedelta(minutes=centre.settings.run.absence_minutes)
    query = select(_absences).where(*_here(place), _absences.c.since <= limit, _absences.c.told_at.is_(None))
    rows = every(tx, query.order_by(_absences.c.uid))
    if not rows:
        return
    numbers = "、".join(str(row["uid"]) for row in rows[:20])
    post.notify(
        tx,
        centre,
        key=f"absent:{place.uidvalidity}:{rows[0]['uid']}:{now:%Y%m%dT%H%M%S}",
        subject=f"取得できないメールがあります（{len(rows)}通）",
        lines=(
            f"フォルダー：{place.folder}",
            f"件数：{len(rows)}通（UID {numbers}）",
            f"最初に気づいた日時：{min(row['since'] for row in rows).astimezone(JST):%Y-%m-%d %H:%M}",
            "サーバーの一覧にはありますが、本文を取得できません。受付は済んでいません。",
            "メールソフトでこのフォルダーを開き、直接ご確認ください。取得できるようになれば、自動で受け付けます。",
        ),
        now=now,
    )
    for row in rows:
        changed(tx, update(_absences).where(_absences.c.id == row["id"]).values(told_at=now))


def _here(place: Place) -> tuple[ColumnElement[bool], ...]:
    return (
        _absences.c.account == place.account,
        _absences.c.folder == place.folder,
        _absences.c.uidvalidity == place.uidvalidity,
    )
