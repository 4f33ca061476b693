"""One entry of a CRL (RFC 5280, 5.3): what it means, its DER, made once at revocation, and the lint of many.

An entry of ours has one of few shapes: serial number, date, and at most a reason and an invalidity date. That lets a
regular expression judge thousands of them at once, at a third of a microsecond each; what it does not know is looked
at singly, to give the fault its name. Weak: of a leap day it believes every year.
"""

import operator
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import Final

from ca.der import value


class Reason(StrEnum):
    """Why a certificate is on a CRL: the words of RFC 5280, 5.3.1.

    A hold may be taken back, every other reason is for good. `remove_from_crl` says in a delta CRL that a hold was
    taken back; no certificate is revoked for it.
    """

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    CA_COMPROMISE = "ca_compromise"
    AFFILIATION_CHANGED = "affiliation_changed"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"
    CERTIFICATE_HOLD = "certificate_hold"
    REMOVE_FROM_CRL = "remove_from_crl"
    PRIVILEGE_WITHDRAWN = "privilege_withdrawn"


FINAL_REASONS: Final = frozenset(Reason) - {Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL}
"""The reasons of a revocation, which is for good."""

# RFC 5280, 5.3.1; 0 is left out rather than written, 7 is not used.
_CODES = {
    Reason.KEY_COMPROMISE: 1,
    Reason.CA_COMPROMISE: 2,
    Reason.AFFILIATION_CHANGED: 3,
    Reason.SUPERSEDED: 4,
    Reason.CESSATION_OF_OPERATION: 5,
    Reason.CERTIFICATE_HOLD: 6,
    Reason.REMOVE_FROM_CRL: 8,
    Reason.PRIVILEGE_WITHDRAWN: 9,
}
_REASONS = {code: reason for reason, code in _CODES.items()}

# SEQUENCE { OID 2.5.29.21, OCTET STRING { ENUMERATED ... } }, and SEQUENCE { OID 2.5.29.24, OCTET STRING {
# GeneralizedTime ... } }: neither is critical, a default that DER leaves out. RFC 5280 (5.3.2) wants a
# GeneralizedTime for the invalidity date whatever the year.
_REASON = bytes.fromhex("300a0603551d1504030a01")
_INVALIDITY = bytes.fromhex("30180603551d180411180f")

# RFC 5280, 5.1.2.6 with 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
_FIRST_YEAR, _TWO_DIGITS_SINCE, _UTC_UNTIL = 1950, 2000, 2050
SERIAL_BITS: Final = 159
"""RFC 5280, 4.1.2.2: at most 20 octets, positive."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One revoked certificate. Times are aware; a CRL holds whole seconds, fractions are dropped.

    `invalidity_date` is when the key is thought to have gone astray; it may precede the revocation, which itself is
    never back-dated (RFC 5280, 5.3.2).
    """

    serial: int
    revoked_at: datetime
    reason: Reason = Reason.UNSPECIFIED
    invalidity_date: datetime | None = None


def second(time: datetime) -> datetime:
    """The time in UTC without its fraction. Raises ValueError for a naive time: nobody can say when that is."""
    if time.tzinfo is None:
        raise ValueError("a time without zone")
    return time.astimezone(UTC).replace(microsecond=0)


def encode(entry: Entry) -> bytes:
    """The DER of an entry. Raises ValueError for a serial number of more than 20 octets or none that is positive, for
    a naive time and for one before 1950."""
    if not 0 < entry.serial < 1 << SERIAL_BITS:
        raise ValueError("not a serial number that a CRL can hold")
    serial = entry.serial.to_bytes(entry.serial.bit_length() // 8 + 1)
    extensions = b""
    if entry.reason is not Reason.UNSPECIFIED:
        extensions += _REASON + bytes([_CODES[entry.reason]])
    if entry.invalidity_date is not None:
        extensions += _INVALIDITY + _digits(entry.invalidity_date)
    content = value(0x02, serial) + _time(entry.revoked_at) + (value(0x30, extensions) if extensions else b"")
    return value(0x30, content)


def decode(der: bytes) -> Entry:
    """What `encode` made of an entry, whole seconds. Raises ValueError for any octet that `encode` would not write."""
    found = _SHAPE.fullmatch(der)
    if found is None:
        raise ValueError("not an entry of a CRL of ours")
    date, invalid = found["date"], found["invalid"]
    if len(date) == 13:  # YYMMDDHHMMSSZ
        date = (b"20" if date < b"5" else b"19") + date
    entry = Entry(
        int.from_bytes(found["serial"][1:]),
        _moment(date),
        _REASONS[found["reason"][0]] if found["reason"] else Reason.UNSPECIFIED,
        _moment(invalid) if invalid else None,
    )
    if encode(entry) != der:
        raise ValueError("not an entry of a CRL of ours")
    return entry


def _time(time: datetime) -> bytes:
    digits = _digits(time)
    return value(0x18, digits) if time.astimezone(UTC).year >= _UTC_UNTIL else value(0x17, digits[2:])


def _digits(time: datetime) -> bytes:
    whole = second(time)
    if whole.year < _FIRST_YEAR:
        raise ValueError("a CRL knows no time before 1950")
    return f"{whole:%Y%m%d%H%M%S}Z".encode()


def _moment(digits: bytes) -> datetime:
    return datetime.strptime(digits.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


# --- the lint of many


def _serial_pattern() -> bytes:
    """Length and octets of a positive INTEGER of at most 20 octets in its shortest form, the longest first: ours have
    20 nearly always."""
    lengths = [
        rb"\x%02x(?:[\x01-\x7f].{%d}|\x00[\x80-\xff].{%d})" % (count, count - 1, count - 2)
        for count in range(20, 1, -1)
    ]
    return b"|".join([*lengths, rb"\x01[\x01-\x7f]"])


_REST_OF_TIME = (
    rb"(?:(?:0[13578]|1[02])(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)(?:0[1-9]|[12][0-9]|30)|02(?:0[1-9]|[12][0-9]))"
    rb"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z"
)
_OF_REASON, _OF_INVALIDITY = (re.escape(prefix) for prefix in (_REASON, _INVALIDITY))
_PLAIN_DATE = rb"(?:\x17\x0d(?=[0-9]{12}Z)|\x18\x0f(?=[0-9]{14}Z))(?P<date>[0-9]+Z)"
_SHAPE = re.compile(
    rb"\x30[\x12-\x51]\x02(?P<serial>" + _serial_pattern() + rb")" + _PLAIN_DATE + rb"(?:\x30[\x0c\x1a\x26]"
    rb"(?:" + _OF_REASON + rb"(?P<reason>[\x01-\x06\x08\x09]))?(?:" + _OF_INVALIDITY + rb"(?P<invalid>[0-9]{14}Z))?)?",
    re.DOTALL,
)


def _many(*, generalized: bool) -> re.Pattern[bytes]:
    """One entry; its only group is all from the length octet to the date."""
    date = rb"\x17\x0d[0-9]{2}" + _REST_OF_TIME
    if generalized:
        date = rb"(?:" + date + rb"|\x18\x0f(?:20[5-9]|2[1-9][0-9]|[3-9][0-9]{2})[0-9]" + _REST_OF_TIME + rb")"
    reason, invalid = _OF_REASON + rb"[\x01-\x06\x08\x09]", _OF_INVALIDITY + rb"[0-9]{4}" + _REST_OF_TIME
    extensions = rb"(?:\x30(?:\x0c" + reason + rb"|\x26" + reason + invalid + rb"|\x1a" + invalid + rb"))?"
    return re.compile(rb"\x30([\x12-\x51]\x02(?:" + _serial_pattern() + rb")" + date + rb")" + extensions, re.DOTALL)


# From the length octet of an entry to the length of all of it.
_WHOLE = bytes((count + 2) % 256 for count in range(256))
_first_octet = operator.itemgetter(0)


class EntryLint:
    """The lint of the entries of one CRL, handed over in pieces and in the order in which they stand on it.

    Every entry must be one that `encode` writes, none may lie after `this_update`, and the serial numbers must grow as
    the register writes them (hexadecimal text): that shows in one pass, without keeping them, that none comes twice.
    """

    def __init__(self, this_update: datetime) -> None:
        self.size = 0
        self._this_update = second(this_update)
        # Before 2050 every date that lies in the past is a UTCTime; afterwards every UTCTime is in the past, and its
        # tag sorts it before the digits of the others. Dates of before 2000 look late here, and are looked at singly.
        generalized = self._this_update.year >= _UTC_UNTIL
        self._pattern = _many(generalized=generalized)
        bound = _digits(this_update) if generalized else _digits(this_update)[2:]
        # In 1999 and before two digits of a year would lie: then each entry is looked at singly.
        self._bound = bound if self._this_update.year >= _TWO_DIGITS_SINCE else b""
        self._last = ""

    def look(self, joined: bytes) -> tuple[str, ...]:
        """The codes of what is wrong with these entries, one after the other: `entry_malformed`,
        `revocation_in_future`, `entry_order` (which is where a serial number comes twice). Empty where all is well."""
        parts = self._pattern.split(joined)
        heads, width = parts[1::2], len(self._bound)
        # By their own length octets they must lie where the pattern found them: each begins where the one before ends.
        ends = list(accumulate(bytes(map(_first_octet, heads)).translate(_WHOLE)))
        whole = (ends[-1] if ends else 0) == len(joined)
        if any(parts[::2]) or not whole or bytes(map(joined.__getitem__, ends[:-1])).strip(b"\x30"):
            return tuple(dict.fromkeys(self._name(joined))) or ("entry_malformed",)
        if heads and max([head[-width:] for head in heads]) > self._bound:
            found = tuple(dict.fromkeys(self._name(joined)))
            if found:
                return found
        texts = [self._last, *[head[3 : 3 + head[2]].hex().lstrip("0") for head in heads]]
        self.size += len(heads)
        self._last = texts[-1]
        return () if all(map(operator.lt, texts, texts[1:])) else ("entry_order",)

    def _name(self, joined: bytes) -> Iterator[str]:
        for each in apart(joined):
            try:
                if decode(each).revoked_at > self._this_update:
                    yield "revocation_in_future"
            except ValueError:
                yield "entry_malformed"


def apart(joined: bytes) -> Iterator[bytes]:
    """Entries that stand one after the other, each by itself, as their length octets tell."""
    at = 0
    while at < len(joined):
        end = at + 2 + (joined[at + 1] if at + 1 < len(joined) else 0)
        yield joined[at:end]
        at = end


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """The entries in the order of their serial numbers as the register writes them.

    Raises ValueError where a serial number comes twice.
    """
    listed = sorted(entries, key=lambda entry: f"{entry.serial:x}")
    if any(one.serial == other.serial for one, other in pairwise(listed)):
        raise ValueError("a serial number comes twice")
    return listed
