"""What a responder says: good, revoked or unknown by the register as it stands, never `good` after a revocation."""

import os
import pickle
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as judge
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text, update

from ca import ocsp, register
from ca.crl import Reason
from ca.errors import CaError, CaErrorKind
from ca.issue import new_serial, prepare
from ca.ocsp_lint import lint_response
from ca.ocsp_wire import GOOD, SHA1, ErrorStatus, question, request
from ca.profiles import Role, load_profiles
from ca.signer import ResponderSigner
from support.authorities import NOW, certificate, engine, hierarchy, issue_one, prepared, profile, reserve_one, signer
from support.ocsp import HOUR, P256, Desk, asked, responder, responder_key, responder_prepared

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def desk(conn):
    return Desk(conn, responder(conn))


def test_each_state_of_the_register_has_its_answer(desk, conn):
    issued, revoked = issue_one(conn, case_id=1), issue_one(conn, case_id=2)
    at = NOW + timedelta(seconds=90, microseconds=7)
    register.revoke(conn, revoked, at=at, reason=Reason.KEY_COMPROMISE, now=at)
    abandoned, reserved = prepared(), prepared()
    reserve_one(conn, abandoned, case_id=3)
    register.abandon_expired(conn, NOW + 5 * MINUTE)
    reserve_one(conn, reserved, case_id=4, at=NOW + 5 * MINUTE)
    later = NOW + 6 * MINUTE
    assert desk.says(issued, at=later) == "good"
    assert desk.says(reserved.serial, at=later) == "unknown"
    assert desk.says(new_serial(os.urandom), at=later) == "unknown"
    answered = desk.ask(revoked, at=later)
    assert answered.certificate_status is judge.OCSPCertStatus.REVOKED
    assert answered.revocation_time_utc == at.replace(microsecond=0)
    assert answered.revocation_reason is x509.ReasonFlags.key_compromise
    answered = desk.ask(abandoned.serial, at=later)
    assert answered.certificate_status is judge.OCSPCertStatus.REVOKED
    assert answered.revocation_reason is None


@pytest.mark.parametrize("state", ["held", "of another age"])
def test_a_state_it_does_not_know_is_never_good(desk, conn, state):
    serial = issue_one(conn, case_id=1)
    assert desk.says(serial) == "good"
    conn.execute(text("DROP TRIGGER certificates_change"))
    conn.execute(text("PRAGMA ignore_check_constraints=ON"))
    values = {"revoked_at": NOW, "recorded_at": NOW, "reason": "certificate_hold"} if state == "held" else {}
    conn.execute(
        update(register.certificates).where(register.certificates.c.serial == serial).values(state=state, **values)
    )
    answered = desk.ask(serial)
    assert answered.certificate_status is not judge.OCSPCertStatus.GOOD
    if state == "held":
        assert answered.revocation_reason is x509.ReasonFlags.certificate_hold


def test_an_answer_kept_is_given_again_and_never_after_a_revocation(desk, conn):
    serial = issue_one(conn, case_id=1)
    first, second = (desk.answer(asked(serial), at=NOW + each * MINUTE) for each in (0, 29))
    assert first.body == second.body
    at = NOW + 29 * MINUTE
    register.revoke(conn, serial, at=at, reason=Reason.SUPERSEDED, now=at)
    assert desk.says(serial, at=at) == "revoked"
    assert desk.says(serial, at=at, digest="sha256") == "revoked"
    assert desk.says(serial, at=at, nonce=b"n" * 32) == "revoked"


def test_a_kept_answer_is_made_anew_while_half_of_it_is_left(desk, conn):
    serial = issue_one(conn, case_id=1)
    first = desk.answer(asked(serial))
    assert first.kept_until == NOW + 30 * MINUTE
    again = desk.answer(asked(serial), at=NOW + 30 * MINUTE)
    assert again.body != first.body
    assert again.next_update == NOW + 90 * MINUTE
    # A clock that went back: an answer of the future is none.
    assert desk.answer(asked(serial), at=NOW + 10 * MINUTE).this_update == NOW + 10 * MINUTE


def test_a_renewed_responder_gives_no_answer_that_the_former_one_signed(desk, conn):
    serial = issue_one(conn, case_id=1)
    first = desk.answer(asked(serial))
    renewed = responder(conn, start=NOW + MINUTE, key=responder_key(1))
    desk.responders = ocsp.Responders([renewed])
    second = desk.ask(serial, at=NOW + 2 * MINUTE)
    assert second.public_bytes(Encoding.DER) != first.body
    assert second.certificates == [renewed.certificate]


def test_what_holds_a_nonce_or_several_answers_is_not_kept(desk, conn):
    one, two = issue_one(conn, case_id=1), issue_one(conn, case_id=2)
    assert desk.answer(asked(one, nonce=b"x" * 16)).kept_until is None
    desk.answer(asked(one, two))
    assert desk.kept == {}


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_an_answer_repeats_question_and_nonce_and_is_what_a_relying_party_may_believe(desk, conn, digest):
    serial = issue_one(conn, case_id=1)
    answered = desk.ask(serial, digest=digest, nonce=b"\x00" * 128)
    assert answered.extensions[0].value.nonce == b"\x00" * 128
    assert (answered.issuer_name_hash, answered.issuer_key_hash) == ocsp.issuer_hashes(hierarchy().issuing, digest)
    assert answered.serial_number == int(serial, 16)
    assert (answered.produced_at_utc, answered.this_update_utc) == (NOW, NOW)
    assert answered.next_update_utc == NOW + HOUR
    assert lint_response(answered, profile=profile(P256), authority=hierarchy().issuing) == ()


def test_several_questions_are_answered_in_their_order(desk, conn):
    issued, revoked = issue_one(conn, case_id=1), issue_one(conn, case_id=2)
    register.revoke(conn, revoked, at=NOW, reason=Reason.UNSPECIFIED, now=NOW)
    answered = list(desk.ask(revoked, 5, issued, revoked).responses)
    assert [each.certificate_status.name for each in answered] == ["REVOKED", "UNKNOWN", "GOOD", "REVOKED"]
    assert [each.serial_number for each in answered] == [int(revoked, 16), 5, int(issued, 16), int(revoked, 16)]


def test_another_issuers_certificate_is_unknown(desk, conn):
    serial = issue_one(conn, case_id=1)
    assert desk.says(serial, issuer=hierarchy().root) == "unknown"
    name, key = ocsp.issuer_hashes(hierarchy().issuing, "sha1")
    for wrong in ((key, name), (name, b"k" * 20), (name[:-1], key)):
        der = request([question(SHA1, *wrong, int(serial, 16))])
        answered = judge.load_der_ocsp_response(desk.answer(der).body)
        assert answered.certificate_status is judge.OCSPCertStatus.UNKNOWN
    # A digest that we do not make: MD5.
    der = request([question(bytes.fromhex("06082a864886f70d0205"), b"n" * 16, b"k" * 16, int(serial, 16))])
    assert desk.answer(der).error is None


class Pretended:
    """The responder of a second authority, for the choice between two; only the choice is looked at."""

    def __init__(self, signer, authority):
        self.authority, self.der, self.key_hash = authority, signer.der, signer.key_hash
        self.not_before, self.not_after = signer.not_before, signer.not_after
        self.certificate, self.sign_response = signer.certificate, signer.sign_response


def test_of_two_issuers_in_one_request_only_the_first_is_spoken_for(desk, conn):
    serial = issue_one(conn, case_id=1)
    own = responder(conn, key=responder_key(1))
    desk.responders = ocsp.Responders([Pretended(own, hierarchy().root), own])
    of_issuing, of_root = (
        question(SHA1, *ocsp.issuer_hashes(each, "sha1"), int(serial, 16))
        for each in (hierarchy().issuing, hierarchy().root)
    )
    told = [
        [
            each.certificate_status.name
            for each in judge.load_der_ocsp_response(desk.answer(request(both)).body).responses
        ]
        for both in ((of_issuing, of_root), (of_root, of_issuing))
    ]
    assert told == [["GOOD", "UNKNOWN"], ["UNKNOWN", "UNKNOWN"]]


def test_a_certificate_of_another_authority_with_that_serial_number_is_not_meant(desk, conn):
    serial = issue_one(conn, case_id=1)
    root = prepare(replace(prepared().request), hierarchy().root, new_serial(os.urandom))
    reserve_one(conn, root, case_id=9)
    register.record_issued(conn, root.serial, signer(Role.ROOT).sign_certificate(root), now=NOW)
    assert desk.says(root.serial) == "unknown"
    assert desk.says(serial) == "good"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=120) | st.builds(lambda n: asked(*n), st.lists(st.integers(-5, 1 << 165), max_size=4)))
def test_any_octets_get_an_answer_or_a_defined_error(octets):
    made = engine()
    with made.begin() as conn:
        answered = Desk(conn, responder(conn)).answer(octets)
    made.dispose()
    response = judge.load_der_ocsp_response(answered.body)
    assert (response.response_status is judge.OCSPResponseStatus.SUCCESSFUL) == (answered.error is None)
    assert answered.error in (None, ErrorStatus.MALFORMED_REQUEST)


def test_without_a_responder_that_may_sign_now_the_client_tries_later(desk, conn):
    serial = issue_one(conn, case_id=1)
    for at in (NOW - timedelta(seconds=1), NOW + 14 * DAY):
        assert desk.answer(asked(serial), at=at).error is ErrorStatus.TRY_LATER
    assert desk.answer(
        asked(serial), at=NOW + 14 * DAY - timedelta(seconds=2)
    ).next_update == NOW + 14 * DAY - timedelta(seconds=1)
    desk.responders = ocsp.Responders(())
    assert desk.answer(asked(serial)).error is ErrorStatus.TRY_LATER


# --- who may sign


def test_a_responders_signer_takes_its_own_key_and_a_responders_certificate_only(conn):
    good = responder(conn)
    subscriber = certificate(conn, issue_one(conn, case_id=1))
    for chosen, key in ((good.certificate, responder_key(1)), (subscriber, responder_key())):
        with pytest.raises(CaError) as refused:
            ResponderSigner(hierarchy().issuing, chosen, key)
        assert refused.value.kind is CaErrorKind.KEY_UNAVAILABLE
    with pytest.raises(CaError, match="responder of this authority"):
        ResponderSigner(hierarchy().root, good.certificate, responder_key())


def test_a_responders_signer_signs_its_own_plans_within_its_time_only(conn):
    good, other = responder(conn), responder(conn, key=responder_key(1))
    answers = [(question(SHA1, b"n" * 20, b"k" * 20, 1), GOOD)]
    plan = ocsp.plan_response(good, answers, now=NOW, validity=HOUR, nonce=None)
    assert good.sign_response(plan)
    for wrong in (replace(plan, responder=other.der), replace(plan, next_update=NOW + 15 * DAY)):
        with pytest.raises(CaError) as refused:
            good.sign_response(wrong)
        assert refused.value.kind is CaErrorKind.MISMATCH


def test_a_responders_signer_shows_nothing_and_is_not_pickled(conn):
    good = responder(conn)
    assert repr(good) == "<ResponderSigner for issuing-1>"
    with pytest.raises(TypeError):
        pickle.dumps(good)


def test_a_responders_certificate_is_short_lived_and_not_asked_about():
    ready = responder_prepared()
    made = x509.load_der_x509_certificate(ready.rehearsal)
    names = {extension.oid._name for extension in made.extensions}
    assert "OCSPNoCheck" in names
    assert not names & {"cRLDistributionPoints", "authorityInfoAccess", "subjectAltName"}
    assert made.not_valid_after_utc - made.not_valid_before_utc < 15 * DAY


@pytest.mark.parametrize(
    "text",
    [
        '[x]\nrole="subscriber"\nkey="p-256"\nvalidity_days=1\nkey_usage=["digital_signature"]\nextended_key_usage=["ocsp_signing"]',
        '[x]\nrole="responder"\nkey="p-256"\nvalidity_days=1\nkey_usage=["digital_signature"]\nextended_key_usage=["client_auth"]',
        '[x]\nrole="responder"\nkey="p-256"\nvalidity_days=1\nkey_usage=["digital_signature"]\nextended_key_usage=["ocsp_signing","client_auth"]',
    ],
)
def test_only_a_responder_may_sign_answers_and_it_may_nothing_else(text):
    with pytest.raises(ValueError, match="responder"):
        load_profiles(text)
