"""A register of before stage 5, with revocations and CRLs in it, comes up with its entries encoded and every guard."""

import io
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command
from cryptography.hazmat.primitives.serialization import Encoding

from ca import register
from ca.crl import Entry, Reason, digest_of, plan
from ca.crl_entry import encode
from ca.tables import Instant
from daemon.store import Store, alembic_config
from support.authorities import NOW, hierarchy, signer

BEFORE = "5b45c9cf7445"
LATER = NOW + timedelta(hours=1)
LISTED, GIVEN_UP, NEWER, GOOD = 7 << 80, 8 << 80, 9 << 80, 10 << 80


def text(moment):
    return Instant().process_bind_param(moment, None)


def crl(number, entries):
    return signer().sign_crl(plan(hierarchy().issuing, number, entries, NOW, NOW + timedelta(days=7)))


@pytest.fixture
def older(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/old.sqlite")
    config = alembic_config()
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
        run = connection.exec_driver_sql
        for one, role in ((hierarchy().root, "root"), (hierarchy().issuing, "issuing")):
            run(
                "INSERT INTO authorities (id, role, certificate, crl_url, ca_url, crl_number, recorded_at)"
                " VALUES (?, ?, ?, ?, ?, 5, ?)",
                (one.id, role, one.certificate.public_bytes(Encoding.DER), one.crl_url, one.ca_url, text(NOW)),
            )
        plain = (text(NOW), text(NOW + timedelta(days=760)), b"\x30", text(NOW), text(NOW))
        for number, (serial, state, at, reason, invalid) in enumerate(
            (
                (LISTED, "revoked", NOW, "key_compromise", NOW - timedelta(days=1)),
                (GIVEN_UP, "abandoned", NOW, "unspecified", None),
                (NEWER, "revoked", LATER, "superseded", None),
                (GOOD, "issued", None, None, None),
            )
        ):
            der = None if state == "abandoned" else b"\x30"
            run(
                "INSERT INTO certificates (serial, authority_id, registration_id, case_id, profile, state, subject, email,"
                " not_before, not_after, tbs, reserved_at, lease_until, der, issued_at, revoked_at, recorded_at, reason,"
                f" invalidity_date) VALUES (?, 'issuing-1', 1, ?, 'subscriber', ?, 'CN=x', '', {', '.join('?' * 11)})",
                (
                    *(f"{serial:x}", number, state, *plain, der, der and text(NOW)),
                    *(at and text(at), at and text(at), reason, invalid and text(invalid)),
                ),
            )
        entries = [Entry(LISTED, NOW, Reason.KEY_COMPROMISE, NOW - timedelta(days=1)), Entry(GIVEN_UP, NOW)]
        for number in range(1, 6):
            run(
                "INSERT INTO crls (authority_id, number, kind, this_update, next_update, der)"
                " VALUES ('issuing-1', ?, 'full', ?, ?, ?)",
                (number, text(NOW), text(NOW + timedelta(days=7)), crl(number, entries)),
            )
    yield store
    store.close()


def test_entries_counts_and_digests_are_those_that_this_program_would_have_made(older):
    older.migrate()
    older.check()
    with older.transaction() as tx:
        rows = {int(row.serial, 16): row for row in register.every(tx)}
        assert rows[LISTED].crl_entry == encode(Entry(LISTED, NOW, Reason.KEY_COMPROMISE, NOW - timedelta(days=1)))
        assert rows[GIVEN_UP].crl_entry == encode(Entry(GIVEN_UP, NOW))
        assert rows[GOOD].crl_entry is None
        assert sorted(row.crl_change for row in rows.values() if row.crl_change) == [1, 2, 3]
        newest = register.latest_crl(tx, "issuing-1")
        assert (newest.number, newest.size, newest.change) == (5, 2, 2)
        assert newest.digest == digest_of(io.BytesIO(newest.der), hierarchy().issuing.key_kind)
        # What the newest CRL does not know yet is published in the next round, and nothing else asks for one.
        assert register.waits_for_crl(tx, newest, LATER)
        assert not register.waits_for_crl(tx, newest, NOW)
        kept = tx.execute(sa.select(register.crls.c.der.is_not(None)).order_by(register.crls.c.number)).scalars().all()
        assert kept == [False, False, True, True, True]
        assert tx.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        assert tx.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_what_was_revoked_stays_so_and_what_is_good_may_be_held(older):
    older.migrate()
    with older.transaction() as tx:
        assert register.hold(tx, GOOD, now=LATER) is True
        assert register.unhold(tx, GOOD, now=LATER) is True
        assert register.revoke(tx, NEWER, at=LATER, reason=Reason.SUPERSEDED, now=LATER) is False
    for change in ("state = 'issued'", "crl_entry = x'30'", "reason = 'superseded'", "state = 'odd'"):
        with pytest.raises(sa.exc.IntegrityError), older.transaction() as tx:
            tx.exec_driver_sql(f"UPDATE certificates SET {change} WHERE serial = ?", (f"{LISTED:x}",))
