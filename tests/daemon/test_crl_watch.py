"""Staff hear of a CRL that runs out, or of a revocation that no CRL knows, before a relying party does."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from ca import register
from ca.crl import Reason
from ca.profiles import Role
from daemon import crl_watch, gauges, publication, schema
from daemon.store import every
from support.authorities import NOW, hierarchy, issue_one, signer
from support.rooms import bare_centre

DAY = timedelta(days=1)


@pytest.fixture
def centre(tmp_path):
    made = bare_centre(tmp_path)
    made.clock.move(NOW)
    made.signers, made.published, made.public = (signer(),), {}, made.settings.data_dir / "public"
    with made.store.transaction() as tx:
        for authority, role in ((hierarchy().root, Role.ROOT), (hierarchy().issuing, Role.ISSUING)):
            register.record_authority(tx, authority, role, now=NOW)
        register.store_crl(tx, "root", hierarchy().root_crl)
    yield made
    made.store.close()


def letters(centre):
    with centre.store.transaction() as tx:
        return [
            row["key"] for row in every(tx, select(schema.letters).where(schema.letters.c.key.contains("alarm:crl")))
        ]


def kinds(centre):
    return {tuple(key.split(":")[3:5]) for key in letters(centre)}


def test_a_fresh_crl_alarms_nobody_and_is_measured(centre):
    with centre.store.transaction() as tx:
        register.revoke(tx, issue_one(tx, case_id=1), at=NOW, reason=Reason.SUPERSEDED, now=NOW)
    publication.publish(centre)
    assert crl_watch.watch(centre) == 0
    with centre.store.transaction() as tx:
        measured = gauges.values(tx)
        assert gauges.moment(measured, "crl_next_update_timestamp_seconds") == NOW + 7 * DAY
    assert measured["crl_entries"] == 1
    assert measured["crl_waiting_seconds"] == 0
    assert letters(centre) == []


def test_a_crl_that_is_not_renewed_is_told_once_a_day_before_it_runs_out(centre):
    publication.publish(centre)
    for days, told in ((5.2, 0), (5.3, 2), (5.3, 0), (6.3, 2)):
        centre.clock.move(NOW + days * DAY)
        before = len(letters(centre))
        crl_watch.watch(centre)
        assert len(letters(centre)) - before == told  # one to each approver
    assert kinds(centre) == {("stale", "issuing-1")}


def test_the_root_is_watched_too_though_its_key_is_not_here(centre):
    publication.publish(centre)
    centre.clock.move(NOW + 366 * DAY)
    publication.publish(centre)
    assert crl_watch.watch(centre) == 0
    centre.clock.move(NOW + 368 * DAY)
    publication.publish(centre)
    assert crl_watch.watch(centre) == 1
    assert kinds(centre) == {("stale", "root")}


def test_a_revocation_that_no_crl_knows_is_told_after_ten_minutes(centre):
    publication.publish(centre)
    with centre.store.transaction() as tx:
        register.revoke(tx, issue_one(tx, case_id=1), at=NOW, reason=Reason.SUPERSEDED, now=NOW)
    centre.clock.move(NOW + timedelta(minutes=10))
    assert crl_watch.watch(centre) == 0
    centre.clock.move(NOW + timedelta(minutes=11))
    assert crl_watch.watch(centre) == 1
    assert kinds(centre) == {("waiting", "issuing-1")}
    with centre.store.transaction() as tx:
        assert gauges.values(tx)["crl_waiting_seconds"] == 660
    publication.publish(centre)
    centre.clock.move(NOW + DAY)
    assert crl_watch.watch(centre) == 0
