"""What an OCSP answer of ours must be, read from the finished bytes by `cryptography`, which had no part in making it.

RFC 6960 section 4.2 and our own rules. Like `ca.lint` it looks at one answer, never at the register.
"""

from collections.abc import Iterator
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp

from ca.authority import Authority
from ca.errors import UNREADABLE
from ca.keys import kind_of, signature_hash
from ca.lint import lint_certificate
from ca.ocsp import key_hash
from ca.profiles import Profile

LONGEST_VALIDITY = timedelta(days=7)
"""No answer is offered for longer: `ocsp.validity_minutes` ends there too."""


def lint_response(response: ocsp.OCSPResponse, *, profile: Profile, authority: Authority) -> tuple[str, ...]:
    """Every breach as codes, each once; empty for an answer that a relying party may believe.

    Its signature is verified with the one certificate in it, and that certificate judged by `profile` (of a responder)
    and against `authority`, who must have issued it (RFC 6960, 4.2.2.2). An answer that cannot be decoded yields
    `undecodable`, one that is an error yields `status`.
    """
    try:
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return ("status",)
        found = [*_responder(response, profile, authority), *_times(response), *_extensions(response)]
    except UNREADABLE:
        return ("undecodable",)
    return tuple(dict.fromkeys(found))


def _responder(response: ocsp.OCSPResponse, profile: Profile, authority: Authority) -> Iterator[str]:
    certificates = list(response.certificates)
    if len(certificates) != 1:
        yield "certificates"
        return
    (certificate,) = certificates
    for code in lint_certificate(certificate, profile=profile, authority=authority):
        yield f"responder:{code}"
    if not authority.has_issued(certificate):
        yield "responder_not_issued"
    key = certificate.public_key()
    kind = kind_of(key)
    if kind is None or not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return
    wanted, used = signature_hash(kind), response.signature_hash_algorithm
    if used is None or used.name != wanted.name:
        yield "signature_algorithm"
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), wanted)
        else:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(wanted))
    except InvalidSignature:
        yield "signature"
    # By key: a name would be longer, and after a renewal not tell the two responders apart.
    if response.responder_name is not None or response.responder_key_hash != key_hash(key):
        yield "responder_id"
    for single in response.responses:
        if single.next_update_utc is not None and single.next_update_utc > certificate.not_valid_after_utc:
            yield "beyond_responder"
    if response.produced_at_utc < certificate.not_valid_before_utc:
        yield "before_responder"


def _times(response: ocsp.OCSPResponse) -> Iterator[str]:
    singles = list(response.responses)
    if not singles:
        yield "empty"
    for single in singles:
        if single.this_update_utc > response.produced_at_utc:
            yield "this_update_in_future"
        if single.next_update_utc is None:
            yield "next_update_missing"
        elif single.next_update_utc <= single.this_update_utc:
            yield "update_order"
        elif single.next_update_utc - single.this_update_utc > LONGEST_VALIDITY:
            yield "valid_too_long"
        # RFC 5280, 5.3.1, as on a CRL: no reason is expressed by leaving it out.
        if single.revocation_reason is x509.ReasonFlags.unspecified:
            yield "reason"
        if single.revocation_reason is x509.ReasonFlags.remove_from_crl:
            yield "reason"


def _extensions(response: ocsp.OCSPResponse) -> Iterator[str]:
    for extension in response.extensions:
        if extension.critical:
            yield "extension_critical"
        if not isinstance(extension.value, x509.OCSPNonce):
            yield "extension_unexpected"
        elif not 1 <= len(extension.value.nonce) <= 128:
            yield "nonce_length"
    # `cryptography` shows those of one answer only where there is no other.
    if len(list(response.responses)) == 1 and len(response.single_extensions):
        yield "extension_unexpected"
