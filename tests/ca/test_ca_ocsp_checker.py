"""A responder that lies in any way is found out: each lie is told by a real responder with a true key."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp as judge

from ca import register
from ca.crl import Reason
from ca.keys import signature_algorithm
from ca.ocsp_checker import check_answers
from ca.ocsp_lint import lint_response
from ca.ocsp_wire import GOOD, UNKNOWN, ErrorStatus, Told, error_response, read_request, response, response_data
from ca.profiles import load_profiles
from ca.signer import _sign
from support.authorities import NOW, hierarchy, issue_one, prepared, profile, publish, reserve_one, signer
from support.ocsp import HOUR, P256, Desk, responder, responder_key, responder_prepared

AT = NOW + HOUR
MINUTE = timedelta(minutes=1)


@pytest.fixture
def serials(conn):
    """One of each state, and more good ones than fit into one request."""
    revoked = issue_one(conn, case_id=1)
    register.revoke(conn, revoked, at=NOW, reason=Reason.KEY_COMPROMISE, now=NOW)
    abandoned, reserved = prepared(), prepared()
    reserve_one(conn, abandoned, case_id=2)
    register.abandon_expired(conn, NOW + 5 * MINUTE)
    reserve_one(conn, reserved, case_id=3, at=AT)
    return {
        "issued": min(issue_one(conn, case_id=number) for number in range(10, 31)),
        "revoked": revoked,
        "abandoned": register.serial_text(abandoned.serial),
        "reserved": register.serial_text(reserved.serial),
    }


def found(conn, ask, **how):
    faults = check_answers(conn, authority=hierarchy().issuing, ask=ask, now=AT, random_bytes=os.urandom, **how)
    return {fault.code for fault in faults}


class Liar:
    """Answers like the true responder, but for what a test changes."""

    def __init__(self, conn, signer=None, **changed):
        self.signer = signer or responder(conn)
        self.desk = Desk(conn, self.signer)
        self.changed = changed

    def __call__(self, der):
        query = read_request(der)
        look = self.desk.answer(der, at=AT)
        answered = judge.load_der_ocsp_response(look.body)
        told = {each.serial_number: self._told(each) for each in answered.responses}
        told |= {int(serial, 16): verdict for serial, verdict in self.changed.get("told", {}).items()}
        this = self.changed.get("this_update", AT)
        tbs = response_data(
            self.changed.get("key_hash", self.signer.key_hash),
            self.changed.get("produced_at", this),
            [(each.der, told[each.serial]) for each in query.questions][self.changed.get("skip", 0) :],
            this,
            self.changed.get("next_update", this + HOUR),
            self.changed.get("nonce", query.nonce),
        )
        key = responder_key()
        signature = _sign(self.changed.get("key", key), tbs)
        return response(tbs, signature_algorithm(key.kind), signature, self.changed.get("certificate", self.signer.der))

    @staticmethod
    def _told(single):
        if single.certificate_status is judge.OCSPCertStatus.UNKNOWN:
            return UNKNOWN
        if single.certificate_status is judge.OCSPCertStatus.GOOD:
            return GOOD
        number = 1 if single.revocation_reason is x509.ReasonFlags.key_compromise else 0
        return Told(known=True, revoked_at=single.revocation_time_utc, reason=number)


def test_a_responder_that_tells_the_truth_has_no_faults(conn, serials):
    honest = Desk(conn, responder(conn))
    assert found(conn, lambda der: honest.answer(der, at=AT).body) == set()
    assert found(conn, Liar(conn)) == set()


def test_a_responder_is_judged_in_a_register_that_holds_nothing_else(conn):
    honest = Desk(conn, responder(conn))
    publish(conn, NOW)
    assert found(conn, lambda der: honest.answer(der, at=AT).body) == set()


@pytest.mark.parametrize(
    ("of", "says", "wanted"),
    [
        ("revoked", GOOD, "ocsp_says_good"),
        ("abandoned", GOOD, "ocsp_says_good"),
        ("reserved", GOOD, "ocsp_says_good"),
        ("abandoned", UNKNOWN, "ocsp_says_unknown"),
        ("issued", UNKNOWN, "ocsp_says_unknown"),
        ("issued", Told(known=True, revoked_at=NOW), "ocsp_says_revoked"),
        ("revoked", Told(known=True, revoked_at=NOW), "ocsp_revocation_differs"),
        ("revoked", Told(known=True, revoked_at=NOW + MINUTE, reason=1), "ocsp_revocation_differs"),
    ],
)
def test_a_wrong_verdict_is_found(conn, serials, of, says, wanted):
    assert found(conn, Liar(conn, told={serials[of]: says})) == {wanted}


def expired_profile():
    return replace(profile(P256), validity_days=1)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"this_update": AT + 5 * MINUTE}, {"ocsp_not_fresh"}),
        ({"this_update": NOW - 2 * HOUR}, {"ocsp_not_fresh", "ocsp_lint:before_responder"}),
        ({"next_update": AT}, {"ocsp_lint:update_order"}),
        ({"next_update": AT + timedelta(days=8)}, {"ocsp_lint:valid_too_long"}),
        (
            {"next_update": AT + timedelta(days=20)},
            {"ocsp_lint:valid_too_long", "ocsp_lint:beyond_responder"},
        ),
        ({"produced_at": AT - MINUTE}, {"ocsp_lint:this_update_in_future"}),
        ({"nonce": b"another"}, {"ocsp_nonce_differs"}),
        ({"nonce": None}, {"ocsp_nonce_differs"}),
        ({"key_hash": b"k" * 20}, {"ocsp_lint:responder_id"}),
        ({"key": responder_key(1)}, {"ocsp_lint:signature"}),
        ({"skip": 1}, {"ocsp_answers_another_question", "ocsp_lint:empty"}),
    ],
)
def test_an_answer_that_nobody_should_believe_is_found(conn, serials, changed, wanted):
    assert found(conn, Liar(conn, **changed)) == wanted


def test_errors_and_rubbish_instead_of_answers_are_found(conn, serials):
    assert found(conn, lambda _: error_response(ErrorStatus.TRY_LATER)) == {"ocsp_error:try_later"}
    assert found(conn, lambda _: b"rubbish") == {"ocsp_undecodable"}


def test_a_responder_that_the_register_does_not_know_is_found(conn, serials):
    ready = responder_prepared()
    stranger = signer().sign_certificate(ready)
    faults = found(conn, Liar(conn, certificate=stranger))
    assert faults >= {"ocsp_responder_not_in_register", "ocsp_responder_profile"}


def test_a_responder_whose_certificate_was_revoked_is_found(conn, serials):
    liar = Liar(conn)
    register.revoke(conn, f"{liar.signer.certificate.serial_number:x}", at=NOW, reason=Reason.KEY_COMPROMISE, now=AT)
    assert found(conn, liar) == {"ocsp_responder_not_in_register"}


def test_a_subscriber_that_answers_in_the_authoritys_name_is_found(conn, serials):
    row = register.find(conn, serials["issued"])
    assert found(conn, Liar(conn, certificate=row.der)) >= {"ocsp_responder_profile"}
    without = {name: each for name, each in load_profiles().items() if name != P256}
    assert found(conn, Liar(conn), profiles=without) == {"ocsp_responder_profile"}


# --- the lint by itself, over answers that another library made


def built(conn, **changed):
    """An answer of `cryptography`'s builder; what it can make and we never do."""
    serial = issue_one(conn, case_id=1)
    row = register.find(conn, serial)
    own, key = responder(conn), responder_key()._private
    builder = judge.OCSPResponseBuilder().add_response(
        x509.load_der_x509_certificate(row.der),
        hierarchy().issuing.certificate,
        hashes.SHA1(),
        changed.get("status", judge.OCSPCertStatus.GOOD),
        NOW,
        changed.get("next_update", NOW + HOUR),
        changed.get("revoked_at"),
        changed.get("reason"),
    )
    builder = builder.responder_id(changed.get("by", judge.OCSPResponderEncoding.HASH), own.certificate)
    if "certificates" in changed:
        builder = builder.certificates(changed["certificates"]) if changed["certificates"] else builder
    else:
        builder = builder.certificates([own.certificate])
    for extension, critical in changed.get("extensions", ()):
        builder = builder.add_extension(extension, critical=critical)
    # The builder takes the time of the world for producedAt, which lies outside the tests' own.
    made = builder.sign(key, changed.get("digest", hashes.SHA256()))
    return lint_response(made, profile=profile(P256), authority=hierarchy().issuing)


REVOKED = judge.OCSPCertStatus.REVOKED


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"by": judge.OCSPResponderEncoding.NAME}, "responder_id"),
        ({"certificates": []}, "certificates"),
        ({"certificates": [hierarchy().issuing.certificate]}, "responder_not_issued"),
        ({"next_update": None}, "next_update_missing"),
        ({"digest": hashes.SHA384()}, "signature_algorithm"),
        ({"status": REVOKED, "revoked_at": NOW, "reason": x509.ReasonFlags.unspecified}, "reason"),
        ({"status": REVOKED, "revoked_at": NOW, "reason": x509.ReasonFlags.remove_from_crl}, "reason"),
        ({"extensions": [(x509.OCSPNonce(b"x" * 129), False)]}, "nonce_length"),
        ({"extensions": [(x509.OCSPNonce(b"x" * 16), True)]}, "extension_critical"),
        ({"extensions": [(x509.OCSPNoCheck(), False)]}, "extension_unexpected"),
    ],
)
def test_each_breach_of_an_answer_has_its_code(conn, changed, code):
    assert code in built(conn, **changed)


def test_an_error_is_no_answer_to_believe():
    made = judge.OCSPResponseBuilder.build_unsuccessful(judge.OCSPResponseStatus.TRY_LATER)
    assert lint_response(made, profile=profile(P256), authority=hierarchy().issuing) == ("status",)
