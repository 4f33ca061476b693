"""What the database refuses by itself, whoever writes."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from ca import register
from ca.crl import Reason
from ca.tables import certificates, guards
from support.authorities import NOW, issue_one, prepared, reserve_one

LATER = "2027-01-01T00:00:00.000000Z"


@pytest.fixture
def rows(conn: Connection) -> dict[str, str]:
    """One certificate in each state, by state."""
    issued, revoked = issue_one(conn, case_id=1), issue_one(conn, case_id=2)
    register.revoke(conn, revoked, at=NOW, reason=Reason.SUPERSEDED, now=NOW)
    abandoned, reserved = prepared(), prepared()
    reserve_one(conn, abandoned, case_id=3)
    register.abandon_expired(conn, NOW + timedelta(minutes=5))
    reserve_one(conn, reserved, case_id=4, at=NOW + timedelta(minutes=6))
    return {
        "issued": issued,
        "revoked": revoked,
        "abandoned": register.serial_text(abandoned.serial),
        "reserved": register.serial_text(reserved.serial),
    }


_CLEAN = "revoked_at = NULL, recorded_at = NULL, reason = NULL, invalidity_date = NULL"
_SIGNED = f"der = x'30', issued_at = '{LATER}'"
_ENDED = f"revoked_at = '{LATER}', recorded_at = '{LATER}', reason = 'superseded'"


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("revoked", f"state = 'issued', {_CLEAN}"),
        ("revoked", f"state = 'reserved', der = NULL, issued_at = NULL, {_CLEAN}"),
        ("revoked", "state = 'abandoned', der = NULL, issued_at = NULL"),
        ("revoked", f"revoked_at = '{LATER}', recorded_at = '{LATER}'"),
        ("revoked", "reason = 'unspecified'"),
        ("revoked", "invalidity_date = revoked_at"),
        ("revoked", "der = x'30'"),
        ("abandoned", f"state = 'issued', {_SIGNED}, {_CLEAN}"),
        ("abandoned", f"state = 'reserved', {_CLEAN}"),
        ("abandoned", f"state = 'revoked', {_SIGNED}"),
        ("abandoned", "lease_until = reserved_at"),
        ("issued", "state = 'reserved', der = NULL, issued_at = NULL"),
        ("issued", f"state = 'abandoned', der = NULL, issued_at = NULL, {_ENDED}"),
        ("issued", "der = x'30'"),
        ("issued", f"issued_at = '{LATER}'"),
        ("reserved", f"state = 'revoked', {_SIGNED}, {_ENDED}"),
        ("reserved", "tbs = x'30'"),
        ("reserved", "serial = 'abc'"),
        ("reserved", "registration_id = 99"),
        ("reserved", "case_id = 99"),
        ("reserved", "authority_id = 'root'"),
        ("reserved", "not_after = '2099-01-01T00:00:00.000000Z'"),
        ("issued", "email = 'mallory@elsewhere.example'"),
        ("issued", "subject = 'CN=Mallory'"),
    ],
)
def test_no_writer_can_turn_a_certificate_back(conn: Connection, rows: dict[str, str], state: str, change: str) -> None:
    with pytest.raises(IntegrityError, match="does not take this change"):
        conn.execute(text(f"UPDATE certificates SET {change} WHERE serial = :serial"), {"serial": rows[state]})
    row = register.find(conn, rows[state])
    assert row is not None
    assert row.state == state


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("issued", "state = 'gone'"),
        ("issued", "state = 'revoked'"),
        ("issued", f"revoked_at = '{LATER}'"),
        (
            "issued",
            f"state = 'revoked', revoked_at = '{LATER}', recorded_at = '2026-12-31T23:59:59.999999Z', reason = 'x'",
        ),
        ("issued", f"state = 'revoked', {_ENDED}, invalidity_date = '2099-01-01T00:00:00.000000Z'"),
        ("reserved", "state = 'issued'"),
        ("reserved", "state = 'abandoned'"),
    ],
)
def test_half_a_change_is_refused(conn: Connection, rows: dict[str, str], state: str, change: str) -> None:
    with pytest.raises(IntegrityError):
        conn.execute(text(f"UPDATE certificates SET {change} WHERE serial = :serial"), {"serial": rows[state]})


@pytest.mark.parametrize("state", ["reserved", "issued", "revoked", "abandoned"])
def test_no_row_is_ever_deleted(conn: Connection, rows: dict[str, str], state: str) -> None:
    with pytest.raises(IntegrityError, match="forgets no certificate"):
        conn.execute(text("DELETE FROM certificates WHERE serial = :serial"), {"serial": rows[state]})


def test_a_crl_number_never_goes_back(conn: Connection) -> None:
    register.next_crl_number(conn, "issuing-1")
    with pytest.raises(IntegrityError, match="never goes back"):
        conn.execute(text("UPDATE authorities SET crl_number = 0 WHERE id = 'issuing-1'"))


@pytest.mark.parametrize(
    "row",
    [
        "('root', 1, 'full', '2026-07-01', '2026-07-02', x'30')",  # the number of the first CRL
        "('root', 2, 'partial', '2026-07-01', '2026-07-02', x'30')",
        "('root', 2, 'full', '2026-07-01', '2026-07-01', x'30')",
        "('nobody', 2, 'full', '2026-07-01', '2026-07-02', x'30')",
    ],
)
def test_a_crl_row_that_makes_no_sense_is_refused(conn: Connection, row: str) -> None:
    columns = "authority_id, number, kind, this_update, next_update, der"
    with pytest.raises(IntegrityError):
        conn.execute(text(f"INSERT INTO crls ({columns}) VALUES {row}"))


def test_the_serial_number_is_written_in_one_way(conn: Connection, rows: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        conn.execute(text("UPDATE certificates SET serial = 'ABC' WHERE state = 'reserved'"))


def test_the_guards_may_be_put_in_place_again(conn: Connection, rows: dict[str, str]) -> None:
    """A migration that rebuilds the table on SQLite loses its triggers and runs them again."""
    for name in ("certificates_change", "certificates_delete"):
        conn.execute(text(f"DROP TRIGGER {name}"))
    for _ in range(2):
        for statement in guards("sqlite"):
            conn.exec_driver_sql(statement)
    with pytest.raises(IntegrityError, match="does not take this change"):
        conn.execute(text(f"UPDATE certificates SET state = 'issued', {_CLEAN} WHERE state = 'revoked'"))


def test_postgresql_gets_the_same_tables_and_guards() -> None:
    """Compared as text; stage 7 runs them. They were run once by hand on PostgreSQL 15 when they were written."""
    statements = guards("postgresql")
    assert sum("CREATE OR REPLACE TRIGGER" in statement for statement in statements) == len(guards("sqlite")) == 3
    assert "NEW.tbs IS DISTINCT FROM OLD.tbs" in " ".join(statements)
    dialect = postgresql.dialect()
    table = str(CreateTable(certificates).compile(dialect=dialect))
    assert "CHECK (state IN ('reserved', 'issued', 'revoked', 'abandoned', 'held'))" in table
    indexes = [str(CreateIndex(index).compile(dialect=dialect)) for index in certificates.indexes]
    assert any("UNIQUE" in index and "WHERE state IN ('reserved', 'issued', 'held')" in index for index in indexes)


def test_another_database_has_no_guards() -> None:
    with pytest.raises(KeyError):
        guards("mysql")
