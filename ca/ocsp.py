"""Answering by OCSP: whose certificate is asked about, what is told of it, what is signed (RFC 6960, RFC 5019).

Pure: the register is a function that is handed in, the key is behind a `ResponseSigner`. The register is asked before
every answer, also before one that was signed earlier is given again: what is kept are signatures, never verdicts. So
no answer says `good` once a revocation is committed, whichever process committed it.
Weak: a relying party may keep an answer until its nextUpdate, and an HTTP cache for as long as it was told.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.authority import Authority
from ca.der import members
from ca.keys import PublicKey
from ca.ocsp_wire import (
    SHA1,
    SHA256,
    UNKNOWN,
    CertId,
    ErrorStatus,
    MalformedRequest,
    Told,
    error_response,
    read_request,
    response_data,
)

Lookup = Callable[[Sequence[tuple[str, int]]], Mapping[tuple[str, int], Told]]
"""What the register says of each (authority id, serial number): `ca.standing.standing` with its connection."""


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """An answer that lacks only its signature. Made by `plan_response`; `tbs` is the ResponseData in DER."""

    responder: bytes = field(repr=False)
    this_update: datetime
    next_update: datetime
    tbs: bytes = field(repr=False)


class ResponseSigner(Protocol):
    """Whoever holds the key of one authority's responder."""

    @property
    def authority(self) -> Authority:
        """The authority in whose name it answers."""
        ...

    @property
    def certificate(self) -> x509.Certificate:
        """The responder's own certificate, issued by that authority (RFC 6960, 4.2.2.2)."""
        ...

    @property
    def key_hash(self) -> bytes:
        """`key_hash` of its certificate, by which it is named in its answers."""
        ...

    @property
    def der(self) -> bytes:
        """The certificate's DER."""
        ...

    @property
    def not_before(self) -> datetime:
        """The first second it may answer in."""
        ...

    @property
    def not_after(self) -> datetime:
        """The last second it may answer in, and the last that an answer of its may be used in."""
        ...

    def sign_response(self, plan: ResponsePlan) -> bytes:
        """The whole OCSPResponse in DER. Raises CaError(mismatch)."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the asker. `error` is None for a signed answer; `kept_until` is given where everybody who asks
    the same may be given the same octets for so long: there is no nonce in it."""

    body: bytes = field(repr=False)
    error: ErrorStatus | None = None
    this_update: datetime | None = None
    next_update: datetime | None = None
    kept_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer signed earlier, and what it tells."""

    told: Told
    responder: bytes = field(repr=False)
    answer: Answer


class Responders:
    """The responders of one moment, by the issuers they answer for. Unchanging: for another set make another."""

    __slots__ = ("_issuers", "_signers")

    def __init__(self, signers: Iterable[ResponseSigner]) -> None:
        self._signers = {signer.authority.id: signer for signer in signers}
        self._issuers = {
            identity: authority_id
            for authority_id, signer in self._signers.items()
            for identity in _identities(signer.authority)
        }

    def issuer_of(self, question: CertId) -> str | None:
        """The authority that is meant; None for one that we do not answer for, or a digest other than SHA-1/SHA-256."""
        return self._issuers.get((question.algorithm, question.name_hash, question.key_hash))

    def signer_for(self, issuers: Iterable[str | None], now: datetime) -> ResponseSigner | None:
        """Who signs: the responder of the first issuer that is one of ours, for none of them any responder; None where
        it may not sign at this moment."""
        named = next((issuer for issuer in issuers if issuer is not None), None)
        signer = self._signers.get(named) if named is not None else next(iter(self._signers.values()), None)
        return signer if signer is not None and signer.not_before <= now <= signer.not_after else None


def answer(
    der: bytes,
    responders: Responders,
    lookup: Lookup,
    *,
    now: datetime,
    validity: timedelta,
    kept: MutableMapping[bytes, Kept] | None = None,
) -> Answer:
    """Answer a request; any octets yield an answer. Raises only what `lookup` and the signer raise.

    What is no request is answered `malformedRequest`; where no responder may sign now, `tryLater`. A question about
    another issuer's certificate is answered `unknown`, and so is one about the second issuer of ours in one request:
    an answer has one signature, and that counts for the issuer of its responder alone (RFC 6960, 4.2.2.2). `kept` are
    the answers signed earlier, by CertID; the caller bounds its size. They serve requests of one question without
    nonce, for half of `validity`, so that whoever is given one can use it for as long again.
    """
    try:
        query = read_request(der)
    except MalformedRequest:
        return refusal(ErrorStatus.MALFORMED_REQUEST)
    issuers = [responders.issuer_of(each) for each in query.questions]
    signer = responders.signer_for(issuers, now)
    if signer is None:
        return refusal(ErrorStatus.TRY_LATER)
    own = signer.authority.id
    asked = [(own, each.serial) for each, issuer in zip(query.questions, issuers, strict=True) if issuer == own]
    verdicts = lookup(asked) if asked else {}
    told = [
        verdicts.get((own, each.serial), UNKNOWN) if issuer == own else UNKNOWN
        for each, issuer in zip(query.questions, issuers, strict=True)
    ]
    alone = query.nonce is None and len(told) == 1 and kept is not None
    if alone and kept is not None:
        found = kept.get(query.questions[0].der)
        if found is not None and _serves(found, told[0], signer, now):
            return found.answer
    answers = [(each.der, verdict) for each, verdict in zip(query.questions, told, strict=True)]
    plan = plan_response(signer, answers, now=now, validity=validity, nonce=query.nonce)
    body = signer.sign_response(plan)
    until = plan.this_update + (plan.next_update - plan.this_update) / 2 if query.nonce is None else None
    made = Answer(body, None, plan.this_update, plan.next_update, until)
    if alone and kept is not None:
        kept[query.questions[0].der] = Kept(told[0], signer.der, made)
    return made


def plan_response(
    signer: ResponseSigner,
    answers: Sequence[tuple[bytes, Told]],
    *,
    now: datetime,
    validity: timedelta,
    nonce: bytes | None,
) -> ResponsePlan:
    """Put together what the responder shall sign: thisUpdate and producedAt are `now`, nextUpdate `validity` later but
    never beyond the responder's own certificate, with which it would be verified."""
    this_update = now.replace(microsecond=0)
    next_update = min(this_update + validity, signer.not_after)
    tbs = response_data(signer.key_hash, this_update, answers, this_update, next_update, nonce)
    return ResponsePlan(signer.der, this_update, next_update, tbs)


def refusal(status: ErrorStatus) -> Answer:
    """The answer of who cannot answer."""
    return Answer(error_response(status), status)


def key_hash(public_key: PublicKey, algorithm: str = "sha1") -> bytes:
    """The digest of the key's BIT STRING without tag, length and unused bits (RFC 6960, 4.1.1)."""
    info = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    bits = members(info)[1]
    content = bits[2:] if bits[1] < 0x80 else bits[2 + (bits[1] & 0x7F) :]
    return hashlib.new(algorithm, content[1:], usedforsecurity=False).digest()


def issuer_hashes(authority: Authority, algorithm: str) -> tuple[bytes, bytes]:
    """The digests by which a CertID names an issuer: of its name and of its key; `algorithm` as hashlib names it."""
    name = hashlib.new(algorithm, authority.name.public_bytes(), usedforsecurity=False).digest()
    return name, key_hash(authority.public_key, algorithm)


def _identities(authority: Authority) -> list[tuple[bytes, bytes, bytes]]:
    return [(oid, *issuer_hashes(authority, name)) for oid, name in ((SHA1, "sha1"), (SHA256, "sha256"))]


def _serves(found: Kept, told: Told, signer: ResponseSigner, now: datetime) -> bool:
    made = found.answer
    return (
        found.told == told
        and found.responder == signer.der
        and made.this_update is not None
        and made.kept_until is not None
        and made.this_update <= now < made.kept_until
    )
