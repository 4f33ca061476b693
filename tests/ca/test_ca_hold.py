"""A certificate on hold: issued, held, and issued again or revoked; in the register, its guards and what is renewed."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from ca import register
from ca.crl import Entry, Reason
from ca.crl_entry import encode
from ca.errors import CaError, CaErrorKind
from support.authorities import NOW, issue_one, prepared, reserve_one

HOUR = timedelta(hours=1)


def row(conn: Connection, serial: str) -> register.CertificateRow:
    found = register.find(conn, serial)
    assert found is not None
    return found


def test_a_held_certificate_stands_on_the_crl_and_comes_off_it_again(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    assert register.hold(conn, serial, now=NOW) is True
    assert register.hold(conn, serial, now=NOW + HOUR) is False
    held = row(conn, serial)
    wanted = Entry(int(serial, 16), NOW, Reason.CERTIFICATE_HOLD)
    assert (held.state, held.revoked_at, held.reason) == ("held", NOW, Reason.CERTIFICATE_HOLD)
    assert held.crl_entry == encode(wanted)
    assert register.revoked_for_crl(conn, "issuing-1", NOW) == [wanted]
    assert register.unhold(conn, serial, now=NOW + HOUR) is True
    assert register.unhold(conn, serial, now=NOW + HOUR) is False
    freed = row(conn, serial)
    assert (freed.state, freed.revoked_at, freed.reason, freed.crl_entry) == ("issued", None, None, None)
    assert freed.unheld_at == NOW + HOUR
    assert register.revoked_for_crl(conn, "issuing-1", NOW + HOUR) == []
    assert register.hold(conn, serial, now=NOW + 2 * HOUR) is True


def test_a_revocation_out_of_a_hold_keeps_the_date_of_the_hold(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    register.hold(conn, serial, now=NOW)
    late = NOW + HOUR
    assert register.revoke(
        conn, serial, at=late, reason=Reason.KEY_COMPROMISE, now=late, invalidity_date=NOW + HOUR / 2
    )
    assert register.revoked_for_crl(conn, "issuing-1", late) == [
        Entry(int(serial, 16), NOW, Reason.KEY_COMPROMISE, NOW)
    ]
    assert row(conn, serial).recorded_at == late
    with pytest.raises(CaError) as raised:
        register.unhold(conn, serial, now=late)
    assert raised.value.kind is CaErrorKind.CONFLICT


def test_a_held_certificate_counts_as_live_and_is_not_renewed(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    late = NOW + timedelta(days=755)
    assert [each.serial for each in register.expiring(conn, late + timedelta(days=30))] == [serial]
    register.hold(conn, serial, now=NOW)
    assert [each.serial for each in register.live(conn, 1, NOW)] == [serial]
    assert register.expiring(conn, late + timedelta(days=30)) == []


def test_a_case_whose_certificate_is_held_gets_no_second_one(conn: Connection) -> None:
    register.hold(conn, issue_one(conn, case_id=1), now=NOW)
    with pytest.raises(CaError) as raised:
        reserve_one(conn, prepared(), case_id=1)
    assert raised.value.kind is CaErrorKind.CONFLICT


@pytest.mark.parametrize("reason", [Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL])
def test_nothing_is_revoked_for_a_reason_that_is_not_for_good(conn: Connection, reason: Reason) -> None:
    serial = issue_one(conn, case_id=1)
    with pytest.raises(ValueError, match="reason"):
        register.revoke(conn, serial, at=NOW, reason=reason, now=NOW)
    assert row(conn, serial).state == "issued"


@pytest.mark.parametrize("act", [register.hold, register.unhold])
def test_what_was_never_issued_is_neither_held_nor_let_go(conn: Connection, act: object) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=1)
    for serial in (ready.serial, 5):
        with pytest.raises(CaError):
            act(conn, serial, now=NOW)  # type: ignore[operator]


LATER = "2027-01-01T00:00:00.000000Z"
CLEAN = "revoked_at = NULL, recorded_at = NULL, reason = NULL, invalidity_date = NULL, crl_entry = NULL"


@pytest.mark.parametrize(
    "change",
    [
        f"revoked_at = '{LATER}', recorded_at = '{LATER}'",
        "reason = 'superseded'",
        "crl_entry = x'30'",
        f"state = 'revoked', reason = 'superseded', revoked_at = '{LATER}', recorded_at = '{LATER}'",
        "state = 'reserved', der = NULL, issued_at = NULL",
        f"state = 'abandoned', der = NULL, issued_at = NULL, {CLEAN}",
        "crl_change = 0",
        "crl_change = NULL",
        "crl_partition = 3",
        f"state = 'issued', der = x'30', {CLEAN}",
    ],
)
def test_the_database_lets_a_hold_go_one_of_two_ways_only(conn: Connection, change: str) -> None:
    serial = issue_one(conn, case_id=1)
    register.hold(conn, serial, now=NOW)
    with pytest.raises(IntegrityError):
        conn.execute(text(f"UPDATE certificates SET {change} WHERE serial = :serial"), {"serial": serial})


def test_a_hold_without_its_entry_or_reason_is_refused(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    told = f"state = 'held', revoked_at = '{LATER}', recorded_at = '{LATER}', crl_change = 1"
    for half in ("reason = 'certificate_hold'", "reason = 'superseded', crl_entry = x'30'"):
        with pytest.raises(IntegrityError):
            conn.execute(text(f"UPDATE certificates SET {told}, {half} WHERE serial = :serial"), {"serial": serial})
