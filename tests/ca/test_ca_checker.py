"""Faults are planted past the guards, as a broken disk or a hostile administrator would; each must be found."""

import os
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text, update

from ca import register
from ca.checker import Fault, check
from ca.crl import Entry, Reason, plan
from ca.errors import CaError, CaErrorKind
from ca.issue import new_serial
from ca.profiles import load_profiles
from ca.register import certificates, crls
from support.authorities import NOW, crl_of, hierarchy, issue_one, prepared, publish, reserve_one, signer, subject

AT = NOW + timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def faults(conn: Connection, *, at: datetime = AT, **changes: object) -> set[str]:
    return {str(fault).split(" ")[0] for fault in check(conn, authority=hierarchy().issuing, now=at, **changes)}


def fill(conn: Connection) -> dict[str, str]:
    """A register in order: one issued, one revoked, one abandoned, one reserved, one CRL."""
    issued, revoked = issue_one(conn, case_id=1), issue_one(conn, case_id=2)
    register.revoke(
        conn, revoked, at=NOW, reason=Reason.KEY_COMPROMISE, now=NOW, invalidity_date=NOW - timedelta(microseconds=1)
    )
    abandoned, reserved = prepared(), prepared()
    reserve_one(conn, abandoned, case_id=3)
    register.abandon_expired(conn, NOW + 5 * MINUTE)
    publish(conn, NOW + 5 * MINUTE)
    reserve_one(conn, reserved, case_id=4, at=AT - MINUTE)
    return {
        "issued": issued,
        "revoked": revoked,
        "abandoned": register.serial_text(abandoned.serial),
        "reserved": register.serial_text(reserved.serial),
    }


def unguarded(conn: Connection) -> None:
    for name in ("certificates_change", "certificates_claim", "certificates_delete", "authorities_number"):
        conn.execute(text(f"DROP TRIGGER {name}"))
    conn.execute(text("PRAGMA ignore_check_constraints=ON"))
    conn.execute(text("PRAGMA foreign_keys=OFF"))


def plant(conn: Connection, of: str, /, **values: object) -> None:
    unguarded(conn)
    conn.execute(update(certificates).where(certificates.c.serial == of).values(**values))


def test_a_register_in_order_has_no_faults(conn: Connection) -> None:
    fill(conn)
    assert check(conn, authority=hierarchy().issuing, now=AT) == ()
    assert check(conn, authority=hierarchy().root, now=AT) == ()


def test_it_stays_in_order_while_entries_expire_and_leave(conn: Connection) -> None:
    fill(conn)
    register.abandon_expired(conn, AT + 5 * MINUTE)
    for days in range(0, 800, 6):
        at = AT + timedelta(days=days + 1)
        publish(conn, at)
        assert faults(conn, at=at) == set()
    newest = register.latest_crl(conn, "issuing-1")
    assert newest is not None
    assert register.revoked_for_crl(conn, "issuing-1", newest.this_update) == []


def other_certificate() -> bytes:
    return signer().sign_certificate(prepared())


def foreign_signature(conn: Connection, serial: str) -> bytes:
    """The right certificate, the last octets of its signature spoilt."""
    row = register.find(conn, serial)
    assert row is not None
    assert row.der is not None
    return row.der[:-4] + bytes(octet ^ 0x55 for octet in row.der[-4:])


Planted = Callable[[Connection, str], dict[str, object]]


@pytest.mark.parametrize(
    ("planted", "wanted"),
    [
        (lambda conn, serial: {"der": b"broken"}, {"undecodable"}),
        (lambda conn, serial: {"der": foreign_signature(conn, serial)}, {"signature"}),
        (lambda conn, serial: {"der": other_certificate()}, {"serial_differs", "tbs_differs"}),
        (lambda conn, serial: {"tbs": b"other"}, {"tbs_differs"}),
        (lambda conn, serial: {"subject": "CN=Mallory"}, {"subject_differs"}),
        (lambda conn, serial: {"email": "mallory@elsewhere.example"}, {"email_differs"}),
        (lambda conn, serial: {"email": ""}, {"email_differs"}),
        (lambda conn, serial: {"not_before": NOW + DAY}, {"not_before_differs"}),
        (lambda conn, serial: {"not_after": NOW + 5000 * DAY}, {"not_after_differs"}),
        (lambda conn, serial: {"profile": "subscriber"}, {"lint:key_kind", "lint:key_usage_wrong"}),
        (lambda conn, serial: {"profile": "none"}, {"profile_unknown"}),
        (
            lambda conn, serial: {"serial": register.serial_text(new_serial(os.urandom))},
            {"serial_differs"},
        ),
    ],
)
def test_a_certificate_that_does_not_agree_with_its_row_is_found(
    conn: Connection, planted: Planted, wanted: set[str]
) -> None:
    serial = fill(conn)["issued"]
    plant(conn, serial, **planted(conn, serial))
    assert faults(conn) == wanted


def test_a_fault_names_the_certificate(conn: Connection) -> None:
    serial = fill(conn)["issued"]
    plant(conn, serial, subject="CN=Mallory")
    (fault,) = check(conn, authority=hierarchy().issuing, now=AT)
    assert fault == Fault("subject_differs", serial)
    assert str(fault) == f"subject_differs ({serial})"


def test_a_revoked_certificate_that_came_back_is_found(conn: Connection) -> None:
    serial = fill(conn)["revoked"]
    plant(conn, serial, state="issued", revoked_at=None, recorded_at=None, reason=None, invalidity_date=None)
    assert check(conn, authority=hierarchy().issuing, now=AT) == (Fault("crl_lists_unrevoked", serial),)


def test_a_deleted_revocation_is_found(conn: Connection) -> None:
    serial = fill(conn)["revoked"]
    unguarded(conn)
    conn.execute(certificates.delete().where(certificates.c.serial == serial))
    assert check(conn, authority=hierarchy().issuing, now=AT) == (Fault("crl_lists_unrevoked", serial),)


@pytest.mark.parametrize(
    "values",
    [{"reason": "superseded"}, {"revoked_at": NOW - MINUTE}, {"invalidity_date": None}, {"invalidity_date": NOW - DAY}],
)
def test_a_crl_entry_that_tells_another_story_is_found(conn: Connection, values: dict[str, object]) -> None:
    plant(conn, fill(conn)["revoked"], **values)
    assert faults(conn) == {"crl_entry_differs", "entry_differs"}


@pytest.mark.parametrize("state", ["revoked", "abandoned"])
def test_a_revoked_certificate_that_is_not_on_the_crl_is_found(conn: Connection, state: str) -> None:
    serial = fill(conn)[state]
    other = [entry for entry in register.revoked_for_crl(conn, "issuing-1", AT) if entry.serial != int(serial, 16)]
    number = register.next_crl_number(conn, "issuing-1")
    der = signer().sign_crl(plan(hierarchy().issuing, number, other, AT, AT + DAY))
    register.store_crl(conn, "issuing-1", der)
    assert check(conn, authority=hierarchy().issuing, now=AT) == (Fault("crl_lacks_revoked", serial),)


def test_an_entry_that_left_the_crl_before_its_time_is_found(conn: Connection) -> None:
    serial = fill(conn)["revoked"]
    late = NOW + 761 * DAY
    register.abandon_expired(conn, late)
    plant(conn, serial, listed_until=late)
    publish(conn, late)
    plant_again = update(certificates).where(certificates.c.serial == serial).values(listed_until=late + 7 * DAY)
    conn.execute(plant_again)
    assert "crl_lacks_revoked" in faults(conn, at=late)


def test_a_revocation_that_waits_too_long_for_its_crl_is_found(conn: Connection) -> None:
    serial = fill(conn)["issued"]
    register.revoke(conn, serial, at=AT, reason=Reason.SUPERSEDED, now=AT)
    assert faults(conn, at=AT + 9 * MINUTE) == set()
    assert faults(conn, at=AT + 11 * MINUTE) == {"crl_behind"}
    assert faults(conn, at=AT + 2 * MINUTE, grace=MINUTE) == {"crl_behind"}


def test_a_lease_that_nobody_ended_is_found(conn: Connection) -> None:
    fill(conn)
    assert faults(conn, at=AT + 20 * MINUTE) == {"lease_overdue"}


def test_a_missing_crl_is_found(conn: Connection) -> None:
    assert check(conn, authority=hierarchy().issuing, now=AT) == (Fault("crl_none"),)
    assert str(Fault("crl_none")) == "crl_none"


@pytest.mark.parametrize("at", [NOW + 4 * MINUTE, NOW + 5 * MINUTE + 7 * DAY])
def test_a_crl_that_is_not_fresh_is_found(conn: Connection, at: datetime) -> None:
    fill(conn)
    assert "crl_not_fresh" in faults(conn, at=at)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"der": b"broken"}, {"crl_undecodable"}),
        ({"number": 9}, {"crl_differs"}),
        ({"next_update": AT + DAY}, {"crl_differs"}),
        ({"this_update": NOW}, {"crl_differs", "crl_behind"}),
    ],
)
def test_a_crl_that_does_not_agree_with_its_row_is_found(
    conn: Connection, values: dict[str, object], wanted: set[str]
) -> None:
    fill(conn)
    conn.execute(update(crls).where(crls.c.authority_id == "issuing-1").values(**values))
    assert faults(conn) - {"crl_lacks_revoked"} >= wanted - {"crl_behind"}
    assert faults(conn) <= wanted | {"crl_behind"}


def test_a_crl_of_a_strange_key_is_found(conn: Connection) -> None:
    fill(conn)
    newest = register.latest_crl(conn, "issuing-1")
    assert newest is not None
    spoilt = newest.der[:-4] + bytes(octet ^ 0x55 for octet in newest.der[-4:])
    conn.execute(update(crls).where(crls.c.authority_id == "issuing-1").values(der=spoilt))
    assert faults(conn) == {"crl_signature", "crl_differs"}


def test_a_crl_that_breaks_the_rules_is_found(conn: Connection) -> None:
    fill(conn)
    conn.execute(update(crls).where(crls.c.authority_id == "issuing-1").values(der=hierarchy().root_crl))
    assert {"crl_lint:issuer", "crl_signature", "crl_differs", "crl_lacks_revoked"} <= faults(conn)


def test_crl_numbers_that_do_not_grow_with_time_are_found(conn: Connection) -> None:
    fill(conn)
    publish(conn, AT)
    conn.execute(
        update(crls).where(crls.c.authority_id == "issuing-1", crls.c.number == 1).values(this_update=AT + MINUTE)
    )
    assert "crl_sequence" in faults(conn)


def test_a_reason_that_we_never_give_is_found(conn: Connection) -> None:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    fill(conn)
    hold = (
        x509.RevokedCertificateBuilder(new_serial(os.urandom), NOW.replace(tzinfo=None))
        .add_extension(x509.CRLReason(x509.ReasonFlags.aa_compromise), critical=False)
        .build()
    )
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(hierarchy().issuing.name)
        .last_update(NOW)
        .next_update(NOW + DAY)
        .add_revoked_certificate(hold)
        .sign(signer()._key._private, hashes.SHA256())
    )
    der = crl.public_bytes(Encoding.DER)
    conn.execute(update(crls).where(crls.c.authority_id == "issuing-1").values(der=der))
    assert "crl_undecodable" in faults(conn)


def test_an_authority_other_than_the_registers_is_found(conn: Connection) -> None:
    fill(conn)
    other = replace(hierarchy().issuing, crl_url="http://elsewhere.example/a.crl")
    found = {fault.code for fault in check(conn, authority=other, now=AT)}
    assert found == {"authority_differs", "lint:crl_distribution_points_wrong"}


def test_an_authority_out_of_its_time_is_found(conn: Connection) -> None:
    fill(conn)
    assert "authority_not_valid" in faults(conn, at=hierarchy().issuing.not_after + timedelta(seconds=1))
    assert "authority_not_valid" not in faults(conn, at=hierarchy().issuing.not_after)
    assert "authority_not_valid" in faults(conn, at=datetime(2020, 1, 1, tzinfo=UTC))


def test_an_authority_whose_root_is_not_in_the_register_is_found(conn: Connection) -> None:
    fill(conn)
    conn.execute(text("PRAGMA foreign_keys=OFF"))
    unguarded(conn)
    conn.execute(crls.delete().where(crls.c.authority_id == "root"))
    conn.execute(register.authorities.delete().where(register.authorities.c.id == "root"))
    assert faults(conn) == {"authority_issuer_unknown"}


def test_an_authority_with_a_spoilt_certificate_is_found(conn: Connection) -> None:
    from cryptography import x509  # noqa: PLC0415

    fill(conn)
    der = hierarchy().issuing.certificate.public_bytes(Encoding.DER)
    spoilt = x509.load_der_x509_certificate(der[:-4] + bytes(octet ^ 0x55 for octet in der[-4:]))
    authority = replace(hierarchy().issuing, certificate=spoilt)
    found = {fault.code for fault in check(conn, authority=authority, now=AT)}
    assert found == {"authority_differs", "authority_signature"}
    # One that was taken over is judged by what it may be, not by our own taste.
    unguarded(conn)
    conn.execute(update(register.authorities).where(register.authorities.c.id == "issuing-1").values(origin="imported"))
    found = {fault.code for fault in check(conn, authority=authority, now=AT)}
    assert found == {"authority_differs", "authority_foreign:issuing_not_issued_by_root"}


def test_profiles_that_became_stricter_are_held_against_what_was_issued(conn: Connection) -> None:
    fill(conn)
    profiles = dict(load_profiles())
    profiles["subscriber-p256"] = replace(profiles["subscriber-p256"], validity_days=365)
    profiles["issuing"] = replace(profiles["issuing"], validity_days=365)
    assert faults(conn, profiles=profiles) == {"lint:validity_too_long", "authority_lint:validity_too_long"}


def test_an_unknown_authority_cannot_be_checked(conn: Connection) -> None:
    with pytest.raises(CaError) as raised:
        check(conn, authority=replace(hierarchy().issuing, id="issuing-9"), now=AT)
    assert raised.value.kind is CaErrorKind.NOT_FOUND


def test_a_certificate_of_an_authority_has_no_mail_address(conn: Connection) -> None:
    """The row of a certificate without SAN has no mail address, and the checker says so when it has."""
    serial = fill(conn)["issued"]
    plant(conn, serial, der=hierarchy().issuing.certificate.public_bytes(Encoding.DER))
    assert "email_differs" in faults(conn)


def test_two_entries_more_on_the_crl_are_both_named(conn: Connection) -> None:
    strangers = [Entry(new_serial(os.urandom), NOW) for _ in range(2)]
    register.store_crl(conn, "issuing-1", crl_of(strangers))
    found = check(conn, authority=hierarchy().issuing, now=AT)
    wanted = {Fault("crl_lists_unrevoked", register.serial_text(entry.serial)) for entry in strangers}
    assert set(found) == wanted
    assert subject().email not in str(found)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_octet_goes_bad_the_checker_finds_it_and_never_falls_over(
    conn: Connection, data: st.DataObject
) -> None:
    if register.latest_crl(conn, "issuing-1") is None:
        fill(conn)
        unguarded(conn)
    issued = next(row for row in register.every(conn) if row.state == "issued")
    newest = register.latest_crl(conn, "issuing-1")
    assert newest is not None
    assert issued.der is not None
    with conn.begin_nested() as savepoint, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `cryptography` warns about some of what it reads here
        if data.draw(st.booleans()):
            conn.execute(
                update(certificates).where(certificates.c.serial == issued.serial).values(der=bad(data, issued.der))
            )
        else:
            conn.execute(update(crls).where(crls.c.authority_id == "issuing-1").values(der=bad(data, newest.der)))
        assert check(conn, authority=hierarchy().issuing, now=AT) != ()
        savepoint.rollback()


def bad(data: st.DataObject, der: bytes) -> bytes:
    # The length of an ECDSA signature varies, and what is drawn must not depend on it.
    at = data.draw(st.integers(0, 2000)) % len(der)
    return der[:at] + bytes([der[at] ^ data.draw(st.integers(1, 255))]) + der[at + 1 :]


def test_a_damaged_authority_stops_the_check_with_a_reason(conn: Connection) -> None:
    conn.execute(update(register.authorities).values(certificate=b"damaged"))
    with pytest.raises(CaError) as raised:
        check(conn, authority=hierarchy().issuing, now=AT)
    assert raised.value.kind is CaErrorKind.MISMATCH


def test_a_claim_outside_its_lease_is_found(conn: Connection) -> None:
    serials = fill(conn)
    plant(conn, serials["abandoned"], claimed_at=NOW + 5 * MINUTE)
    assert "claim_outside_lease" in faults(conn)


def test_every_code_of_the_checker_is_planted_here() -> None:
    folder = Path(register.__file__).parent
    source = "".join((folder / name).read_text("utf-8") for name in ("checker.py", "crl_checker.py"))
    codes = set(re.findall(r'(?:Fault\(f?|yield f?)"([a-z_]+)', source))
    codes |= {f"{name}_differs" for name in re.findall(r'^        "([a-z_]+)": \(', source, re.MULTILINE)}
    planted = Path(__file__).read_text("utf-8").partition("def test_every_code_of_the_checker")[0]
    planted += (Path(__file__).parents[1] / "daemon" / "test_publication.py").read_text("utf-8")
    assert len(codes) > 25
    assert {code for code in codes if f'"{code}' not in planted} == set()
