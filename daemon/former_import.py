"""Certificates of a former CA from files: PEM (one or many), DER, or CSV. All or none, each refusal with its place.

A certificate finds its registration by the mail address in it, which must be that of exactly one live registration; a
CSV line names the registration (`subscriber_id`) and needs no certificate: `issuer`, `serial` (hexadecimal),
`not_after` (YYYY-MM-DD), and `subject` where it is known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, insert, select

from ca import register
from ca.errors import UNREADABLE
from ca.register import serial_text
from parsers.normalise import mail_key

from . import registrations, schema
from .importing import ImportRefused, Refusal, rows_of
from .matching import Registration
from .planning import JST
from .store import one

COLUMNS = ("subscriber_id", "issuer", "serial", "subject", "not_after")
_rows = schema.former_certificates


@dataclass(frozen=True, slots=True)
class _Found:
    registration_id: int
    issuer: str
    serial: str
    subject: str
    not_before: datetime
    not_after: datetime
    der: bytes | None


def certificates(tx: Connection, data: bytes, *, now: datetime) -> tuple[int, int]:
    """Enter them; returns how many are new and how many were there. Raises ImportRefused before anything is written."""
    found = _from_certificates(tx, data) if _holds_certificates(data) else _from_csv(tx, data, now)
    new = 0
    for each in found:
        known = select(_rows.c.id).where(_rows.c.issuer == each.issuer, _rows.c.serial == each.serial)
        if one(tx, known) is not None:
            continue
        values = {name: getattr(each, name) for name in _Found.__dataclass_fields__}
        tx.execute(insert(_rows).values(**values, state="live", imported_at=now))
        new += 1
    return new, len(found) - new


def _holds_certificates(data: bytes) -> bool:
    # DER begins with a SEQUENCE of a two-octet length; no CSV does.
    return b"-----BEGIN CERTIFICATE-----" in data or data[:2] == b"\x30\x82"


def _from_certificates(tx: Connection, data: bytes) -> list[_Found]:
    try:
        if data[:2] == b"\x30\x82":
            loaded = [x509.load_der_x509_certificate(data)]
        else:
            loaded = x509.load_pem_x509_certificates(data)
    except UNREADABLE as error:
        raise ImportRefused([Refusal(1, "", "holds something that is no certificate")]) from error
    people = registrations.live(tx)
    ours = {each.name.public_bytes() for each in register.every_authority(tx)}
    found, refusals = [], []
    for number, certificate in enumerate(loaded, 1):
        try:
            owner, reason = _owner(people, _mail_addresses(certificate))
            if certificate.issuer.public_bytes() in ours:
                owner, reason = None, "was issued by this CA: it is in the register already"
            if owner is None:
                refusals.append(Refusal(number, "", reason))
                continue
            found.append(
                _Found(
                    owner.id,
                    certificate.issuer.rfc4514_string(),
                    serial_text(certificate.serial_number),
                    certificate.subject.rfc4514_string(),
                    certificate.not_valid_before_utc,
                    certificate.not_valid_after_utc,
                    certificate.public_bytes(Encoding.DER),
                )
            )
        except UNREADABLE:
            refusals.append(Refusal(number, "", "cannot be read to its end"))
    if refusals:
        raise ImportRefused(refusals)
    return found


def _owner(people: list[Registration], addresses: set[str]) -> tuple[Registration | None, str]:
    keys = {mail_key(address) for address in addresses}
    owners = [each for each in people if each.person.keys[2] in keys]
    if len(owners) == 1:
        return owners[0], ""
    if not addresses:
        return None, "names no mail address; import it by CSV with its subscriber_id"
    return (
        None,
        f"its mail address is that of {len(owners)} live registrations; import it by CSV with its subscriber_id",
    )


def _mail_addresses(certificate: x509.Certificate) -> set[str]:
    found = {str(each.value) for each in certificate.subject.get_attributes_for_oid(x509.NameOID.EMAIL_ADDRESS)}
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return found
    return found | set(names.get_values_for_type(x509.RFC822Name))


def _from_csv(tx: Connection, data: bytes, now: datetime) -> list[_Found]:
    people = {each.subscriber_id: each for each in registrations.live(tx)}

    def refuse(row: dict[str, str]) -> Iterator[tuple[str, str]]:
        if row["subscriber_id"].upper() not in people:
            yield "subscriber_id", "is no live registration"
        if not row["issuer"]:
            yield "issuer", "is empty"
        for column, read in _READ.items():
            try:
                read(row[column])
            except ValueError:
                yield column, _WANTED[column]

    return [
        _Found(
            people[row["subscriber_id"].upper()].id,
            row["issuer"],
            serial_text(row["serial"]),
            row["subject"],
            now,
            _end_of(row["not_after"]),
            None,
        )
        for row in rows_of(data, COLUMNS, refuse)
    ]


def _end_of(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(23, 59, 59), JST).astimezone(UTC)


_READ: dict[str, Callable[[str], object]] = {"serial": serial_text, "not_after": _end_of}
_WANTED = {"serial": "is not a serial number in hexadecimal", "not_after": "is not a day (YYYY-MM-DD)"}
