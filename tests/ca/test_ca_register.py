import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, StatementError

from ca import claims, register
from ca.crl import Entry, Reason
from ca.errors import CaError, CaErrorKind
from ca.issue import Prepared, new_serial
from ca.profiles import Role
from ca.register import CertificateState, CrlKind, Instant
from support import authorities
from support.authorities import (
    NOW,
    certificate,
    crl_of,
    hierarchy,
    issue_one,
    prepared,
    publish,
    reserve_one,
    signer,
    subject,
)

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def state(conn: Connection, serial: int | str) -> CertificateState:
    row = register.find(conn, serial)
    assert row is not None
    return row.state


# --- times and serial numbers


@given(st.datetimes(timezones=st.timezones()))
def test_an_instant_comes_back_as_the_same_point_in_time_from_either_database(at: datetime) -> None:
    try:
        wanted = at.astimezone(UTC)
    except OverflowError:
        return  # the first and last day of the calendar have no UTC in Python
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        text = Instant().process_bind_param(at, dialect)
        assert text is not None
        assert len(text) == 27
        assert Instant().process_result_value(text, dialect) == wanted


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_instants_sort_as_text_as_they_do_as_time(one: datetime, other: datetime) -> None:
    texts = [Instant().process_bind_param(at, sqlite.dialect()) or "" for at in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)


def test_an_instant_reads_well_and_nothing_stays_nothing() -> None:
    dialect = sqlite.dialect()
    assert Instant().process_bind_param(NOW, dialect) == "2026-07-01T03:00:00.000000Z"
    assert Instant().process_bind_param(None, dialect) is None
    assert Instant().process_result_value(None, dialect) is None


def test_a_naive_time_never_reaches_the_database(conn: Connection) -> None:
    with pytest.raises(StatementError, match="without zone"):
        register.abandon_expired(conn, NOW.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("given_serial", "text"),
    [
        (255, "ff"),
        ("FF", "ff"),
        ("00ff", "ff"),
        ("0F:FF", "fff"),
        ("0f ff", "fff"),
        ((1 << 159) - 1, "7" + "f" * 39),
    ],
)
def test_a_serial_number_has_one_spelling(given_serial: int | str, text: str) -> None:
    assert register.serial_text(given_serial) == text


@pytest.mark.parametrize("wrong", [0, -1, 1 << 160, "", "0", "xyz", "-1", "f_f", "ｆｆ", "1" * 41])
def test_what_is_no_serial_number_is_refused(wrong: int | str) -> None:
    with pytest.raises(ValueError):
        register.serial_text(wrong)


# --- authorities


def test_an_authority_comes_back_as_it_was_recorded(conn: Connection) -> None:
    assert register.authority(conn, "issuing-1") == hierarchy().issuing
    assert register.every_authority(conn) == [hierarchy().issuing, hierarchy().root]


def test_an_authority_is_recorded_once(conn: Connection) -> None:
    with pytest.raises(CaError) as raised:
        register.record_authority(conn, hierarchy().issuing, Role.ISSUING, now=NOW)
    assert raised.value.kind is CaErrorKind.CONFLICT


def test_an_unknown_authority_is_not_found(conn: Connection) -> None:
    for ask in (register.authority, register.next_crl_number):
        with pytest.raises(CaError) as raised:
            ask(conn, "issuing-9")
        assert raised.value.kind is CaErrorKind.NOT_FOUND


# --- reserved, issued, abandoned


def test_a_reservation_keeps_everything_that_will_be_signed(conn: Connection) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=7, registration_id=3)
    row = register.find(conn, ready.serial)
    assert row is not None
    assert (row.state, row.tbs, row.der) == (CertificateState.RESERVED, ready.tbs, None)
    assert (row.registration_id, row.case_id, row.profile) == (3, 7, "subscriber-p256")
    assert row.email == "taro@aozora-denki.example"
    assert row.subject == "2.5.4.5=W000001,CN=Taro YAMADA,O=Aozora Denki Co.\\, Ltd.,C=JP"
    assert (row.not_before, row.not_after) == (ready.request.not_before, ready.request.not_after)
    assert (row.reserved_at, row.lease_until) == (NOW, NOW + 5 * MINUTE)
    assert "Taro" not in repr(row)
    assert "aozora" not in repr(row)


def test_a_serial_number_is_reserved_once(conn: Connection) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=1)
    with pytest.raises(CaError) as raised:
        reserve_one(conn, ready, case_id=2)
    assert raised.value.kind is CaErrorKind.CONFLICT


def test_a_case_never_has_two_certificates(conn: Connection) -> None:
    reserve_one(conn, prepared(), case_id=1)
    with pytest.raises(CaError) as raised:
        reserve_one(conn, prepared(), case_id=1)
    assert raised.value.kind is CaErrorKind.CONFLICT
    issue_one(conn, case_id=2)
    with pytest.raises(CaError):
        reserve_one(conn, prepared(), case_id=2)


def test_a_case_takes_a_new_serial_number_after_the_last_was_abandoned(conn: Connection) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=1)
    assert register.abandon_expired(conn, NOW + 5 * MINUTE) == [register.serial_text(ready.serial)]
    issue_one(conn, case_id=1, at=NOW + 6 * MINUTE)


def test_a_reservation_for_another_authority_or_without_time_is_refused(conn: Connection) -> None:
    ready = prepared()
    times = {"registration_id": 1, "case_id": 1, "now": NOW}
    with pytest.raises(CaError) as raised:
        register.reserve(conn, ready, authority=hierarchy().root, lease_until=NOW + MINUTE, **times)
    assert raised.value.kind is CaErrorKind.MISMATCH
    with pytest.raises(ValueError, match="lease"):
        register.reserve(conn, ready, authority=hierarchy().issuing, lease_until=NOW, **times)


def test_an_issued_certificate_is_kept_byte_for_byte(conn: Connection) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=1)
    der = signer().sign_certificate(ready)
    register.record_issued(conn, ready.serial, der, now=NOW + MINUTE)
    row = register.find(conn, f"{ready.serial:X}")
    assert row is not None
    assert (row.state, row.der, row.issued_at) == (CertificateState.ISSUED, der, NOW + MINUTE)


def test_a_certificate_is_recorded_once(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    der = certificate(conn, serial).public_bytes(Encoding.DER)
    with pytest.raises(CaError) as raised:
        register.record_issued(conn, serial, der, now=NOW)
    assert raised.value.kind is CaErrorKind.CONFLICT


def test_a_certificate_whose_lease_has_ended_is_not_recorded(conn: Connection) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=1)
    der = signer().sign_certificate(ready)
    for spoil in (lambda: None, lambda: register.abandon_expired(conn, NOW + 5 * MINUTE)):
        spoil()
        with pytest.raises(CaError) as raised:
            register.record_issued(conn, ready.serial, der, now=NOW + 5 * MINUTE)
        assert raised.value.kind is CaErrorKind.CONFLICT
    assert state(conn, ready.serial) is CertificateState.ABANDONED


def test_a_certificate_that_was_not_reserved_is_not_recorded(conn: Connection) -> None:
    ready = prepared()
    with pytest.raises(CaError) as raised:
        register.record_issued(conn, ready.serial, signer().sign_certificate(ready), now=NOW)
    assert raised.value.kind is CaErrorKind.CONFLICT


def test_only_what_was_reserved_is_recorded(conn: Connection) -> None:
    ready, other = prepared(), prepared()
    reserve_one(conn, ready, case_id=1)
    for der in (signer().sign_certificate(other), b"no certificate"):
        with pytest.raises(CaError) as raised:
            register.record_issued(conn, ready.serial, der, now=NOW)
        assert raised.value.kind is CaErrorKind.MISMATCH
    assert state(conn, ready.serial) is CertificateState.RESERVED


def test_a_lease_that_still_runs_is_not_abandoned(conn: Connection) -> None:
    reserve_one(conn, prepared(), case_id=1)
    issue_one(conn, case_id=2)
    assert register.abandon_expired(conn, NOW + 5 * MINUTE - timedelta(microseconds=1)) == []
    assert len(register.abandon_expired(conn, NOW + 5 * MINUTE)) == 1
    assert register.abandon_expired(conn, NOW + 5 * MINUTE) == []


def test_an_abandoned_serial_number_goes_on_the_crl(conn: Connection) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=1)
    later = NOW + 5 * MINUTE
    register.abandon_expired(conn, later)
    entries = register.revoked_for_crl(conn, "issuing-1", later)
    assert entries == [Entry(ready.serial, later, Reason.UNSPECIFIED)]


# --- revocation


def test_the_first_revocation_stands(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    invalid = NOW - DAY
    assert register.revoke(
        conn, serial, at=NOW, reason=Reason.KEY_COMPROMISE, now=NOW + MINUTE, invalidity_date=invalid
    )
    assert not register.revoke(conn, serial, at=NOW + MINUTE, reason=Reason.SUPERSEDED, now=NOW + MINUTE)
    row = register.find(conn, serial)
    assert row is not None
    assert (row.state, row.revoked_at, row.reason) == (CertificateState.REVOKED, NOW, Reason.KEY_COMPROMISE)
    assert (row.recorded_at, row.invalidity_date) == (NOW + MINUTE, invalid)


def test_a_future_revocation_is_not_recorded(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    with pytest.raises(CaError) as raised:
        register.revoke(conn, serial, at=NOW + timedelta(microseconds=1), reason=Reason.SUPERSEDED, now=NOW)
    assert raised.value.kind is CaErrorKind.CONFLICT
    assert state(conn, serial) is CertificateState.ISSUED


def test_what_was_never_issued_is_not_revoked(conn: Connection) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=1)
    for serial in (ready.serial, new_serial(os.urandom)):
        with pytest.raises(CaError) as raised:
            register.revoke(conn, serial, at=NOW, reason=Reason.SUPERSEDED, now=NOW)
        assert raised.value.kind is CaErrorKind.CONFLICT
    register.abandon_expired(conn, NOW + 5 * MINUTE)
    assert not register.revoke(conn, ready.serial, at=NOW, reason=Reason.SUPERSEDED, now=NOW)


def test_an_unknown_serial_number_is_not_found(conn: Connection) -> None:
    assert register.find(conn, new_serial(os.urandom)) is None


# --- questions


def test_live_certificates_are_those_issued_and_neither_revoked_nor_expired(conn: Connection) -> None:
    old = issue_one(conn, case_id=1, registration_id=5)
    renewed = issue_one(conn, case_id=2, registration_id=5, at=NOW + 700 * DAY)
    gone = issue_one(conn, case_id=3, registration_id=5)
    issue_one(conn, case_id=4, registration_id=6)
    reserve_one(conn, prepared(), case_id=5, registration_id=5)
    register.revoke(conn, gone, at=NOW, reason=Reason.SUPERSEDED, now=NOW)

    def live(at: datetime) -> list[str]:
        return [row.serial for row in register.live(conn, 5, at)]

    assert live(NOW) == [old, renewed]
    end = certificate(conn, old).not_valid_after_utc
    assert live(end) == [old, renewed]
    assert live(end + timedelta(microseconds=999_999)) == [old, renewed]
    assert live(end + timedelta(seconds=1)) == [renewed]


def test_expiring_certificates_are_found_even_after_an_outage(conn: Connection) -> None:
    first = issue_one(conn, case_id=1)
    second = issue_one(conn, case_id=2, at=NOW + DAY)
    revoked = issue_one(conn, case_id=3)
    register.revoke(conn, revoked, at=NOW, reason=Reason.SUPERSEDED, now=NOW)
    end = certificate(conn, first).not_valid_after_utc

    def expiring(before: datetime, after: datetime | None = None) -> list[str]:
        return [row.serial for row in register.expiring(conn, before, after=after)]

    assert expiring(end) == []
    assert expiring(end + timedelta(seconds=1)) == [first]
    assert expiring(end + 400 * DAY) == [first, second]
    assert expiring(end + 400 * DAY, end + timedelta(seconds=1)) == [second]


def test_a_registration_that_ever_had_a_certificate_is_known(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1, registration_id=1)
    reserve_one(conn, prepared(), case_id=2, registration_id=2)
    register.revoke(conn, serial, at=NOW, reason=Reason.SUPERSEDED, now=NOW)
    assert [register.ever_issued(conn, registration) for registration in (1, 2, 3)] == [True, False, False]


def test_every_certificate_is_listed_in_order(conn: Connection) -> None:
    first, second = issue_one(conn, case_id=1), issue_one(conn, case_id=2, at=NOW + MINUTE)
    assert [row.serial for row in register.every(conn)] == [first, second]
    assert [row.serial for row in register.every(conn, "issuing-1")] == [first, second]
    assert list(register.every(conn, "root")) == []


# --- CRLs


def test_crl_numbers_grow_one_by_one(conn: Connection) -> None:
    assert [register.next_crl_number(conn, "issuing-1") for _ in range(3)] == [1, 2, 3]


def test_the_number_of_a_stored_crl_is_not_given_out_again(conn: Connection) -> None:
    assert register.next_crl_number(conn, "root") == 2


def test_a_crl_is_kept_with_what_its_bytes_say(conn: Connection) -> None:
    row = publish(conn, NOW)
    assert (row.number, row.kind, row.this_update, row.next_update) == (1, CrlKind.FULL, NOW, NOW + 7 * DAY)
    assert register.latest_crl(conn, "issuing-1") == row
    assert register.latest_crl(conn, "issuing-1", kind=CrlKind.DELTA) is None
    newer = publish(conn, NOW + DAY)
    assert register.latest_crl(conn, "issuing-1") == newer
    assert register.crl_history(conn, "issuing-1") == [(1, NOW), (2, NOW + DAY)]


def test_a_crl_whose_number_does_not_grow_is_refused(conn: Connection) -> None:
    register.store_crl(conn, "issuing-1", crl_of([]))
    with pytest.raises(CaError) as raised:
        register.store_crl(conn, "issuing-1", crl_of([], at=NOW + DAY))
    assert raised.value.kind is CaErrorKind.CONFLICT


def test_a_crl_of_another_authority_is_refused(conn: Connection) -> None:
    with pytest.raises(CaError) as raised:
        register.store_crl(conn, "issuing-1", hierarchy().root_crl)
    assert raised.value.kind is CaErrorKind.MISMATCH
    with pytest.raises(CaError) as raised:
        register.store_crl(conn, "issuing-9", crl_of([]))
    assert raised.value.kind is CaErrorKind.NOT_FOUND


def test_the_crl_lists_what_is_revoked_by_its_second_and_no_more(conn: Connection) -> None:
    before, within, after = (issue_one(conn, case_id=number) for number in (1, 2, 3))
    at = NOW + DAY
    moments = {before: at - MINUTE, within: at.replace(microsecond=700_000), after: at + timedelta(seconds=1)}
    for serial, moment in moments.items():
        register.revoke(conn, serial, at=moment, reason=Reason.SUPERSEDED, now=moment)
    listed = {register.serial_text(entry.serial) for entry in register.revoked_for_crl(conn, "issuing-1", at)}
    assert listed == {before, within}
    publish(conn, at)
    assert register.revoked_for_crl(conn, "root", at + DAY) == []


def listed_on(row: register.CrlRow) -> set[str]:
    return {register.serial_text(entry.serial_number) for entry in x509.load_der_x509_crl(row.der)}


def test_an_expired_entry_stays_until_its_time_on_a_crl_after_expiry_is_over(conn: Connection) -> None:
    """RFC 5280, 3.3; the service's CRLs run a day here, so that the regular one comes within the day."""
    serial = issue_one(conn, case_id=1)
    end = certificate(conn, serial).not_valid_after_utc
    revoked = end - timedelta(hours=1)
    # The last CRL before expiry came before the revocation: the first to list it is issued after expiry.
    publish(conn, revoked - MINUTE, days=1)
    register.revoke(conn, serial, at=revoked, reason=Reason.SUPERSEDED, now=revoked)
    first_after = publish(conn, end + timedelta(hours=2), days=1)
    assert listed_on(first_after) == {serial}
    # Published at once for another revocation, not a regular one: it must not let the entry go.
    assert listed_on(publish(conn, end + timedelta(hours=3), days=1)) == {serial}
    assert listed_on(publish(conn, first_after.next_update - timedelta(seconds=1), days=1)) == {serial}
    assert listed_on(publish(conn, first_after.next_update, days=1)) == set()


def test_an_expired_entry_survives_an_outage_of_any_length(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    register.revoke(conn, serial, at=NOW, reason=Reason.SUPERSEDED, now=NOW)
    publish(conn, NOW)
    end = certificate(conn, serial).not_valid_after_utc
    late = end + timedelta(days=200)
    assert listed_on(publish(conn, late)) == {serial}
    assert listed_on(publish(conn, late + 7 * DAY)) == set()


def test_the_last_second_of_validity_is_not_after_expiry(conn: Connection) -> None:
    serial = issue_one(conn, case_id=1)
    register.revoke(conn, serial, at=NOW, reason=Reason.SUPERSEDED, now=NOW)
    end = certificate(conn, serial).not_valid_after_utc
    publish(conn, end, days=1)
    assert listed_on(publish(conn, end + DAY, days=1)) == {serial}


def test_hundreds_of_expired_entries_are_marked_at_once(conn: Connection) -> None:
    ready = prepared()
    reserve_one(conn, ready, case_id=0)
    row = dict(conn.execute(select(register.certificates)).mappings().one())
    copies = [
        row | {"serial": register.serial_text(new_serial(os.urandom)), "case_id": number} for number in range(1, 601)
    ]
    conn.execute(insert(register.certificates), copies)
    register.abandon_expired(conn, NOW + 5 * MINUTE)
    late = ready.request.not_after + DAY
    assert len(listed_on(publish(conn, late))) == 601
    assert listed_on(publish(conn, late + 7 * DAY)) == set()


def test_nothing_is_committed_behind_the_callers_back() -> None:
    engine = authorities.engine()
    with engine.connect() as conn, conn.begin() as transaction:
        serial = issue_one(conn, case_id=1, who=subject(subscriber_id="W000009"))
        register.revoke(conn, serial, at=NOW, reason=Reason.SUPERSEDED, now=NOW)
        publish(conn, NOW)
        transaction.rollback()
    with engine.begin() as conn:
        assert list(register.every(conn)) == []
        assert register.latest_crl(conn, "issuing-1") is None
        assert register.next_crl_number(conn, "issuing-1") == 1
    engine.dispose()


def test_an_ocsp_address_is_kept(conn: Connection) -> None:
    second = replace(hierarchy().issuing, id="issuing-2", ocsp_url="http://ocsp.lra.example/")
    register.record_authority(conn, second, Role.ISSUING, now=NOW)
    assert register.authority(conn, "issuing-2") == second


def test_the_register_lives_in_a_file_too(tmp_path: object) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/register.sqlite")
    with engine.begin() as conn:
        register.metadata.create_all(conn)
    with engine.begin() as conn:
        register.metadata.create_all(conn)
        assert register.every_authority(conn) == []
    engine.dispose()


@cache
def _crl() -> bytes:
    return crl_of([Entry(5 << 70, NOW, Reason.SUPERSEDED)])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_crl_with_a_bad_octet_is_never_stored(conn: Connection, data: st.DataObject) -> None:
    der = _crl()
    at = data.draw(st.integers(0, len(der) - 1))
    spoilt = der[:at] + bytes([der[at] ^ data.draw(st.integers(1, 255))]) + der[at + 1 :]
    with pytest.raises(CaError) as raised:
        register.store_crl(conn, "issuing-1", spoilt)
    assert raised.value.kind is CaErrorKind.MISMATCH


def test_a_token_is_claimed_once_within_its_lease_and_only_for_what_was_reserved(conn: Connection) -> None:
    ready, other = prepared(), prepared()
    reserve_one(conn, ready, case_id=1)

    def refused(what: Prepared, at: datetime) -> None:
        with pytest.raises(CaError) as raised:
            claims.claim(conn, what, now=at)
        assert raised.value.kind is CaErrorKind.CONFLICT

    refused(other, NOW)
    refused(replace(ready, tbs=other.tbs), NOW)
    refused(ready, NOW + timedelta(days=1))
    claims.claim(conn, ready, now=NOW)
    refused(ready, NOW)
    row = register.find(conn, ready.serial)
    assert row is not None
    assert row.claimed_at == NOW
    for value in ("NULL", "'2026-07-01T03:00:01.000000Z'"):
        with pytest.raises(IntegrityError, match="taken once"), conn.begin_nested():
            conn.execute(text(f"UPDATE certificates SET claimed_at = {value}"))
