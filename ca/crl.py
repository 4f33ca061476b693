"""What the authority says about revoked certificates: the plan of a CRL, linted before anything is signed.

CRLs of version 2 (RFC 5280, section 5), full, delta and partitioned. `plan` makes one of a few entries in memory;
`compose` one of any size: its entries come as the DER that was made when each was revoked, pass the lint and the hash
once, and lie in a spool meanwhile. Both end in bytes that only lack a signature, and the signer signs exactly these.
"""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ca.authority import Authority
from ca.crl_entry import FINAL_REASONS, Entry, EntryLint, Reason, encode, second
from ca.crl_scope import FULL, CrlKind, Scope, partition_of
from ca.der import header, header_size, members, signature_part, signed
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.keys import KeyKind, rehearsal_key, signature_algorithm, signature_hash
from ca.lint import lint_crl

__all__ = [
    "FINAL_REASONS",
    "FULL",
    "CrlKind",
    "Draft",
    "Entry",
    "Plan",
    "Reason",
    "Scope",
    "compose",
    "digest_of",
    "entry_of",
    "number_of",
    "partition_of",
    "plan",
    "write",
]

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """A linted CRL that lacks only its signature. Made by `plan`."""

    authority: Authority = field(repr=False)
    number: int
    this_update: datetime
    next_update: datetime
    size: int
    tbs: bytes = field(repr=False)
    rehearsal: x509.CertificateRevocationList = field(repr=False)
    scope: Scope = FULL


@dataclass(frozen=True, slots=True)
class Draft:
    """As a Plan, for a CRL whose entries lie in a spool. Made by `compose`.

    `digest` is what the signature is made over, the hash of the signed part; `head` and `tail` are what stands before
    and behind the entries in it.
    """

    authority: Authority = field(repr=False)
    number: int
    this_update: datetime
    next_update: datetime
    scope: Scope
    size: int
    octets: int
    digest: bytes = field(repr=False)
    head: bytes = field(repr=False)
    tail: bytes = field(repr=False)
    hashed: hashes.Hash = field(repr=False, compare=False)


def plan(
    authority: Authority,
    number: int,
    entries: Iterable[Entry],
    this_update: datetime,
    next_update: datetime,
    scope: Scope = FULL,
) -> Plan:
    """Build and lint the CRL `number` of the authority.

    Raises CaError(lint_failed) with the codes of `lint_crl`, `revocation_in_future` foremost: relying parties take a
    certificate for revoked as soon as it is listed, whatever the date says. Fractions of seconds are dropped.
    """
    this_update, next_update = second(this_update), second(next_update)
    listed = list(entries)
    if any(second(entry.revoked_at) > this_update for entry in listed):
        _raise_for(["revocation_in_future"])
    encoded = b"".join(map(encode, listed))
    head, tail = _frame(authority, number, this_update, next_update, scope, len(encoded))
    tbs = head + encoded + tail
    # The whole list is looked at by another parser than ours; its signature is nobody's.
    unsigned = signed(tbs, signature_algorithm(authority.key_kind), b"nobody's signature")
    try:
        rehearsal = x509.load_der_x509_crl(unsigned)
    except UNREADABLE:
        _raise_for(["undecodable"])
    _raise_for(lint_crl(rehearsal, authority=authority, scope=scope))
    return Plan(authority, number, this_update, next_update, len(listed), tbs, rehearsal, scope)


def compose(
    authority: Authority,
    number: int,
    pieces: Iterable[bytes],
    this_update: datetime,
    next_update: datetime,
    scope: Scope,
    spool: IO[bytes],
    *,
    known: int = 0,
) -> Draft:
    """Read the encoded entries once, in the order of their serial numbers, and lint them on the way to the spool.

    `spool` is empty, writable, readable and seekable; the first `known` entries it holds already are those of a CRL
    that was composed before and is known to be unchanged. Raises CaError(lint_failed), as `plan` does.
    """
    this_update, next_update = second(this_update), second(next_update)
    lint = EntryLint(this_update)
    octets = spool.seek(0, 2)
    for piece in pieces:
        _raise_for(lint.look(piece))
        octets += spool.write(piece)
    head, tail = _frame(authority, number, this_update, next_update, scope, octets)
    hashed = hashes.Hash(signature_hash(authority.key_kind))
    hashed.update(head)
    spool.seek(0)
    while piece_read := spool.read(_PIECE):
        hashed.update(piece_read)
    hashed.update(tail)
    size = known + lint.size
    digest = hashed.copy().finalize()
    return Draft(authority, number, this_update, next_update, scope, size, octets, digest, head, tail, hashed)


def write(draft: Draft, spool: IO[bytes], signature: bytes, out: IO[bytes]) -> tuple[int, str]:
    """Write the CRL of a draft under its signature, and return its length in octets and its digest.

    The digest, in hex, is that of everything behind the outermost header, by the hash that was signed: so the entries
    are hashed once for both (`digest_of` reads it from a file).
    """
    end = signature_part(signature_algorithm(draft.authority.key_kind), signature)
    content = len(draft.head) + draft.octets + len(draft.tail) + len(end)
    outer = header(0x30, content)
    out.write(outer + draft.head)
    spool.seek(0)
    shutil.copyfileobj(spool, out, _PIECE)
    out.write(draft.tail + end)
    hashed = draft.hashed.copy()
    hashed.update(end)
    return len(outer) + content, hashed.finalize().hex()


def digest_of(file: IO[bytes], kind: KeyKind) -> str:
    """The digest of a CRL in a file, as `write` gives it, for an authority whose key is of that kind.

    Raises ValueError for what is no DER value that fills the file.
    """
    size, count = header_size(file.read(8))
    hashed = hashes.Hash(signature_hash(kind))
    file.seek(size)
    while piece := file.read(_PIECE):
        hashed.update(piece)
        count -= len(piece)
    if count:
        raise ValueError("a DER value does not fill its file")
    return hashed.finalize().hex()


def _frame(
    authority: Authority, number: int, this_update: datetime, next_update: datetime, scope: Scope, octets: int
) -> tuple[bytes, bytes]:
    """What stands before and behind `octets` octets of entries in the signed part.

    Names, dates and extensions are those of the same CRL without entries, which `cryptography` builds under a
    throw-away key and the lint has looked at whole.
    """
    if next_update <= this_update or not 1 <= number < 1 << 159:
        raise CaError(CaErrorKind.LINT_FAILED, "the CRL's dates or number are out of order", problems=["update_order"])
    kind = authority.key_kind
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.name)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(authority.authority_key_identifier(), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for extension, critical in _extensions(authority, scope):
        builder = builder.add_extension(extension, critical)
    empty = builder.sign(rehearsal_key(kind), signature_hash(kind))
    _raise_for(lint_crl(empty, authority=authority, scope=scope))
    *before, extensions = members(empty.tbs_certlist_bytes)
    start = b"".join(before)
    # RFC 5280, 5.1.2.6: without entries the list is left out.
    listed = header(0x30, octets) if octets else b""
    whole = len(start) + len(listed) + octets + len(extensions)
    return header(0x30, whole) + start + listed, extensions


def _extensions(authority: Authority, scope: Scope) -> list[tuple[x509.ExtensionType, bool]]:
    """What a scope adds (RFC 5280, 5.2.4 to 5.2.6)."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if scope.kind is CrlKind.DELTA:
        found.append((x509.DeltaCRLIndicator(scope.base), True))
    if scope.kind is CrlKind.PARTITION:
        found.append((authority.partition_extension(scope.part), True))
    if scope.fresh:
        found.append((authority.freshest_extension(), False))
    return found


def number_of(crl: x509.CertificateRevocationList) -> int | None:
    """The CRLNumber (RFC 5280, 5.2.3), or None where there is none."""
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None


def entry_of(revoked: x509.RevokedCertificate) -> Entry:
    """Read an entry of a CRL back, by `cryptography`. Raises ValueError for a reason that we never give."""
    reason, invalid = Reason.UNSPECIFIED, None
    for extension in revoked.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = Reason(extension.value.reason.name)
        elif isinstance(extension.value, x509.InvalidityDate):
            invalid = extension.value.invalidity_date_utc
    return Entry(revoked.serial_number, revoked.revocation_date_utc, reason, invalid)


def _raise_for(found: Sequence[str]) -> None:
    if found:
        raise CaError(CaErrorKind.LINT_FAILED, "the CRL breaks its rules", problems=found)
