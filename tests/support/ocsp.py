"""A responder for the tests' authority, and the questions clients ask it. On P-256: nothing here takes long."""

import os
from datetime import datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.x509 import ocsp as judge
from sqlalchemy import Connection

from ca import ocsp, register
from ca.authority import Authority
from ca.issue import IssuanceRequest, Prepared, new_serial, prepare
from ca.names import AuthorityName
from ca.ocsp import Answer, Kept, Responders
from ca.ocsp_wire import SHA1, SHA256, question, request
from ca.signer import CaKey, ResponderSigner, make_ca_key
from ca.standing import standing
from support.authorities import NOW, hierarchy, profile, signer

P256 = "ocsp_responder-p256"
HOUR = timedelta(hours=1)


@cache
def _key(number: int) -> CaKey:
    return make_ca_key(profile(P256).key)


def responder_key(number: int = 0) -> CaKey:
    return _key(number)


def responder_prepared(
    *, name: str = P256, start: datetime = NOW, key: CaKey | None = None, authority: Authority | None = None
) -> Prepared:
    chosen = profile(name)
    who = AuthorityName("Example LRA Centre", "Example Client CA 1 OCSP")
    wanted = IssuanceRequest(who, (key or responder_key()).public_key, chosen, *chosen.period(start))
    return prepare(wanted, authority or hierarchy().issuing, new_serial(os.urandom))


def responder(
    conn: Connection, *, name: str = P256, start: datetime = NOW, key: CaKey | None = None
) -> ResponderSigner:
    """A responder whose certificate stands in the register."""
    ready = responder_prepared(name=name, start=start, key=key)
    register.reserve(
        conn,
        ready,
        authority=ready.authority,
        registration_id=None,
        case_id=None,
        now=start,
        lease_until=start + timedelta(minutes=5),
    )
    der = signer().sign_certificate(ready)
    register.record_issued(conn, ready.serial, der, now=start)
    return ResponderSigner(ready.authority, x509.load_der_x509_certificate(der), key or responder_key())


def asked(
    *serials: int | str, digest: str = "sha1", nonce: bytes | None = None, issuer: Authority | None = None
) -> bytes:
    """A request about these serial numbers of one issuer."""
    hashes = ocsp.issuer_hashes(issuer or hierarchy().issuing, digest)
    oid = {"sha1": SHA1, "sha256": SHA256}[digest]
    numbers = [int(serial, 16) if isinstance(serial, str) else serial for serial in serials]
    return request([question(oid, *hashes, number) for number in numbers], nonce)


class Desk:
    """A responder over an open transaction, as the service runs it over a store."""

    def __init__(self, conn: Connection, *signers: ResponderSigner, validity: timedelta = HOUR) -> None:
        self.conn, self.responders, self.validity = conn, Responders(signers), validity
        self.kept: dict[bytes, Kept] = {}

    def answer(self, der: bytes, *, at: datetime = NOW) -> Answer:
        return ocsp.answer(
            der,
            self.responders,
            lambda wanted: standing(self.conn, wanted),
            now=at,
            validity=self.validity,
            kept=self.kept,
        )

    def ask(self, *serials: int | str, at: datetime = NOW, **how: object) -> judge.OCSPResponse:
        """What another reader makes of the answer."""
        return judge.load_der_ocsp_response(self.answer(asked(*serials, **how), at=at).body)

    def says(self, serial: int | str, *, at: datetime = NOW, **how: object) -> str:
        """`good`, `revoked` or `unknown`."""
        return self.ask(serial, at=at, **how).certificate_status.name.lower()
