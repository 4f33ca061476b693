"""The second look at OCSP: asks a responder about every serial number and holds the answers against the register.

Like `ca.checker` it asks the bytes: each answer is parsed by `cryptography`, linted, verified, and compared with the
row as the row itself stands, not through `ca.standing`. Weak: it asks the responder it is given; what HTTP caches give
to the world is theirs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from cryptography import x509
from cryptography.x509 import ocsp
from sqlalchemy import Connection

from ca import register
from ca.authority import Authority
from ca.checker import Fault
from ca.crl import Reason
from ca.errors import UNREADABLE
from ca.issue import new_serial
from ca.ocsp import issuer_hashes
from ca.ocsp_lint import lint_response
from ca.ocsp_wire import SHA1, SHA256, question, request
from ca.profiles import Profile, Role, load_profiles
from ca.rows import CertificateRow, CertificateState

Ask: TypeAlias = Callable[[bytes], bytes]

_TOGETHER = 20
"""Questions in one request: the answer costs one signature."""
_NONCE = 32


def check_answers(
    conn: Connection,
    *,
    authority: Authority,
    ask: Ask,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    profiles: Mapping[str, Profile] | None = None,
) -> tuple[Fault, ...]:
    """Everything about a responder's answers that is not in order; empty when all is well.

    `ask` takes a request and gives the answer, both in DER. Asks about every serial number of the authority in the
    register, about one that was never given out, and once without a nonce. The register must stand still meanwhile.
    """
    checker = _Checker(authority, ask, now, load_profiles() if profiles is None else profiles)
    faults: list[Fault] = []
    together: list[CertificateRow] = []
    for row in register.every(conn, authority.id):
        together.append(row)
        if len(together) == _TOGETHER:
            faults += checker.compare(conn, together, random_bytes(_NONCE))
            together = []
    never = new_serial(random_bytes)
    while register.find(conn, never) is not None:
        never = new_serial(random_bytes)
    faults += checker.compare(conn, together, random_bytes(_NONCE), never=never)
    # What is signed ahead for everybody: given twice, for the second may come from what was kept.
    for _ in range(2):
        faults += checker.compare(conn, together[:1], None, never=None if together else never)
    return tuple(dict.fromkeys(faults))


class _Checker:
    def __init__(self, authority: Authority, ask: Ask, now: datetime, profiles: Mapping[str, Profile]) -> None:
        self._authority, self._ask, self._now, self._profiles = authority, ask, now, profiles
        # In turn: clients use either.
        self._digests = [(SHA1, "sha1"), (SHA256, "sha256")]

    def compare(
        self, conn: Connection, rows: Sequence[CertificateRow], nonce: bytes | None, *, never: int | None = None
    ) -> Iterator[Fault]:
        """Ask about these rows (and a serial number that stands for nothing), and compare."""
        self._digests.reverse()
        oid, name = self._digests[0]
        hashes = issuer_hashes(self._authority, name)
        serials = [int(row.serial, 16) for row in rows] + ([] if never is None else [never])
        asked = request([question(oid, *hashes, serial) for serial in serials], nonce)
        try:
            response = ocsp.load_der_ocsp_response(self._ask(asked))
            if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                yield Fault(f"ocsp_error:{response.response_status.name.lower()}")
                return
            singles = list(response.responses)
            yield from self._whole(conn, response, nonce)
            told = [(each.hash_algorithm.name, each.issuer_name_hash, each.issuer_key_hash) for each in singles]
            if [each.serial_number for each in singles] != serials or set(told) != {(name, *hashes)}:
                yield Fault("ocsp_answers_another_question")
                return
            for row, single in zip([*rows, None][: len(singles)], singles, strict=True):
                yield from self._single(row, single)
        except UNREADABLE:
            yield Fault("ocsp_undecodable")

    def _whole(self, conn: Connection, response: ocsp.OCSPResponse, nonce: bytes | None) -> Iterator[Fault]:
        nonces = [each.value.nonce for each in response.extensions if isinstance(each.value, x509.OCSPNonce)]
        if nonces != ([] if nonce is None else [nonce]):
            yield Fault("ocsp_nonce_differs")
        for certificate in response.certificates:
            row = register.find(conn, certificate.serial_number)
            if row is None or row.state is not CertificateState.ISSUED or row.authority_id != self._authority.id:
                yield Fault("ocsp_responder_not_in_register")
            if not certificate.not_valid_before_utc <= self._now <= certificate.not_valid_after_utc:
                yield Fault("ocsp_responder_not_valid")
            profile = self._profiles.get(row.profile) if row is not None else None
            if profile is None or profile.role is not Role.RESPONDER:
                yield Fault("ocsp_responder_profile")
                continue
            for code in lint_response(response, profile=profile, authority=self._authority):
                yield Fault(f"ocsp_lint:{code}")
        if not response.certificates:
            yield Fault("ocsp_lint:certificates")

    def _single(self, row: CertificateRow | None, single: ocsp.OCSPSingleResponse) -> Iterator[Fault]:
        serial = register.serial_text(single.serial_number)
        wanted = _wanted(row)
        if single.certificate_status is not wanted:
            yield Fault(f"ocsp_says_{single.certificate_status.name.lower()}", serial)
        elif row is not None and wanted is ocsp.OCSPCertStatus.REVOKED:
            reason = Reason.UNSPECIFIED if single.revocation_reason is None else single.revocation_reason.name
            revoked_at = None if row.revoked_at is None else row.revoked_at.replace(microsecond=0)
            if (single.revocation_time_utc, reason) != (revoked_at, row.reason):
                yield Fault("ocsp_revocation_differs", serial)
        fresh = single.next_update_utc is not None and single.this_update_utc <= self._now <= single.next_update_utc
        if not fresh:
            yield Fault("ocsp_not_fresh", serial)


def _wanted(row: CertificateRow | None) -> ocsp.OCSPCertStatus:
    if row is None or row.state is CertificateState.RESERVED:
        return ocsp.OCSPCertStatus.UNKNOWN
    return ocsp.OCSPCertStatus.GOOD if row.state is CertificateState.ISSUED else ocsp.OCSPCertStatus.REVOKED
