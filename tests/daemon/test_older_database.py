"""A database of before this stage, with life in it, is brought up without losing a row or a promise."""

import pytest
import sqlalchemy as sa
from alembic import command
from cryptography.hazmat.primitives.serialization import Encoding

from daemon.store import Store, alembic_config
from support.authorities import hierarchy

BEFORE = "333e654c13b1"
T1, T2 = "2026-04-01T00:00:00.000000Z", "2026-04-02T00:00:00.000000Z"


@pytest.fixture
def older(tmp_path):
    """One case that was asked about twice, and a task."""
    store = Store(f"sqlite:///{tmp_path}/old.sqlite")
    config = alembic_config()
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
        run = connection.exec_driver_sql
        run(
            "INSERT INTO cases (id, number, kind, state, arrived_at, changed_at) VALUES (1, 'WEBEC-20260401-0001', "
            "'application', 'awaiting_decision', ?, ?)",
            (T1, T1),
        )
        for number, (who, when) in enumerate((("a", T1), ("b", T1), ("a", T2), ("b", T2))):
            run(
                "INSERT INTO requests (case_id, version, digest, approver, token_hash, state, created_at, expires_at) "
                "VALUES (1, 1, 'd', ?, ?, 'open', ?, ?)",
                (who, str(number), when, T2),
            )
        run("INSERT INTO tasks (case_id, kind, state, serials, detail) VALUES (1, 'revoke', 'pending', '[]', '{}')")
    yield store
    store.close()


def test_what_was_asked_at_one_moment_becomes_one_round_and_nothing_is_lost(older):
    older.migrate()
    older.check()
    with older.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT approver, round, purpose, level FROM requests ORDER BY id").all()
        assert [tuple(row) for row in rows] == [
            ("a", 1, "decision", 0),
            ("b", 1, "decision", 0),
            ("a", 2, "decision", 0),
            ("b", 2, "decision", 0),
        ]
        assert connection.exec_driver_sql("SELECT count(*) FROM tasks").scalar_one() == 1
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


@pytest.mark.parametrize(
    ("table", "kind", "fits"),
    [
        ("cases", "urgent_revocation", True),
        ("cases", "rescheduling", True),
        ("cases", "odd", False),
        ("tasks", "reschedule", True),
        ("tasks", "odd", False),
    ],
)
def test_new_kinds_fit_in_and_nonsense_still_does_not(older, table, kind, fits):
    older.migrate()
    update = sa.text(f"UPDATE {table} SET kind = :kind WHERE id = 1")
    with older.engine.begin() as connection:
        if fits:
            assert connection.execute(update, {"kind": kind}).rowcount == 1
        else:
            with pytest.raises(sa.exc.IntegrityError):
                connection.execute(update, {"kind": kind})


def test_a_certificate_needs_no_case_any_more_and_those_that_are_there_stay_guarded(older):
    columns = "serial, authority_id, registration_id, case_id, profile, state, subject, email, not_before, not_after, "
    columns += "tbs, reserved_at, lease_until"
    row = f"INSERT INTO certificates ({columns}) VALUES (?, 'a', ?, ?, 'p', 'reserved', 's', '', ?, ?, 'x', ?, ?)"
    with older.engine.begin() as connection:
        run = connection.exec_driver_sql
        run(
            "INSERT INTO authorities (id, role, certificate, crl_url, ca_url, recorded_at) VALUES "
            "('a', 'issuing', ?, '', '', ?)",
            (hierarchy().issuing.certificate.public_bytes(Encoding.DER), T1),
        )
        run(row, ("1a", 1, 1, T1, T2, T1, T2))
        with pytest.raises(sa.exc.IntegrityError):
            run(row, ("1b", None, None, T1, T2, T1, T2))
    older.migrate()
    with older.engine.begin() as connection:
        run = connection.exec_driver_sql
        for serial in ("1c", "1d"):  # two at a time: the old responder and the new one
            run(row, (serial, None, None, T1, T2, T1, T2))
        assert run("SELECT registration_id, case_id FROM certificates WHERE serial = '1a'").one() == (1, 1)
        assert run("PRAGMA integrity_check").scalar_one() == "ok"
    with older.engine.begin() as connection, pytest.raises(sa.exc.IntegrityError, match="does not take this change"):
        connection.exec_driver_sql("UPDATE certificates SET registration_id = 1 WHERE serial = '1c'")
    with older.engine.begin() as connection, pytest.raises(sa.exc.IntegrityError, match="forgets no certificate"):
        connection.exec_driver_sql("DELETE FROM certificates WHERE serial = '1c'")
