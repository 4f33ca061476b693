"""Who a certificate speaks of: the checks on the data and the distinguished name made of them.

The limits are ours to check: `cryptography` counts the common name in UTF-8 bytes and does not limit the
organization at all.
"""

import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

COUNTRY = "JP"

# RFC 5280 appendix A.1: ub-organization-name, ub-common-name and ub-serial-number are all 64.
UPPER_BOUND = 64
# RFC 5321 section 4.5.3.1: 64 octets before the @; 254 in all, since a path of 256 has two angle brackets.
MAIL_UPPER_BOUND = 254
MAIL_LOCAL_UPPER_BOUND = 64

# Field notes B.3: the letters of PrintableString, and & because company names carry it.
_NAME = re.compile(r"[A-Za-z0-9 '(),\-./:=+?&]*")
_SUBSCRIBER_ID = re.compile(r"[A-Za-z0-9-]*")
# A line for a form, not a name (field notes B.1: values that other authorities refuse).
_PLACEHOLDERS = frozenset({"NA", "N/A"})

# RFC 5321 section 4.1.2, without the quoted form: no mail system of our subscribers needs it.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL.replace('A-Z', '')}\.)+(?!\d+\Z){_LABEL.replace('A-Z', '')}")
_MAILBOX = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?!\d+\Z){_LABEL}")


@dataclass(frozen=True, slots=True, repr=False)
class Subject:
    """A subscriber as the certificate names it: company and name in English, the id of the registration, the mail
    address. The id keeps two people of one name apart and stays the same through change, renewal and reissue."""

    organization: str
    common_name: str
    subscriber_id: str
    email: str

    def __repr__(self) -> str:
        # Nothing personal: a repr ends up in logs and tracebacks.
        return f"<Subject {self.subscriber_id}>"


@dataclass(frozen=True, slots=True)
class AuthorityName:
    """An authority as its certificate names it."""

    organization: str
    common_name: str


@dataclass(frozen=True, slots=True)
class ServerName:
    """A server of the centre as its certificate names it: the organization, and its host names, the first of which is
    the common name too."""

    organization: str
    hosts: tuple[str, ...]

    @property
    def common_name(self) -> str:
        """The first host name; empty where there is none, which `problems` refuses."""
        return self.hosts[0] if self.hosts else ""


def problems(subject: Subject | AuthorityName | ServerName) -> tuple[str, ...]:
    """Everything that keeps these data out of a certificate, as codes `<field>_<what>`; empty when they are fit.

    The fields are organization, common_name, subscriber_id and email. What: empty, too_long, characters (something
    outside the allowed set: kanji, full-width, control characters), spaces (at an end, or doubled), meaningless
    (no letter or digit, or NA), malformed (not a mail address).
    """
    found = [*_name("organization", subject.organization), *_name("common_name", subject.common_name)]
    if isinstance(subject, Subject):
        found += [*_subscriber_id(subject.subscriber_id), *_mail_address(subject.email)]
    if isinstance(subject, ServerName):
        # RFC 5280, 4.2.1.6: preferred name syntax; RFC 1035: 253 characters. No wildcard: the portal is one server.
        found += ["host_malformed" for host in subject.hosts if len(host) > 253 or not _HOST.fullmatch(host)][:1]
    return tuple(found)


def distinguished_name(subject: Subject | AuthorityName | ServerName) -> x509.Name:
    """The subject DN: C, O, CN and, for a subscriber, serialNumber; one attribute in each RDN.

    The country is a PrintableString, `JP` in capitals (RFC 5280 appendix A.1 and ISO 3166), the id is a
    PrintableString too (X520SerialNumber), organization and common name are UTF8Strings (RFC 5280, 4.1.2.4): that is
    what `cryptography` chooses, and the lint holds it to it. Raises ValueError for data that have `problems`.
    """
    if problems(subject):
        raise ValueError("these data cannot stand in a certificate")
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, COUNTRY),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.organization),
        x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name),
    ]
    if isinstance(subject, Subject):
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, subject.subscriber_id))
    return x509.Name(attributes)


def alternative_name(subject: Subject | ServerName) -> x509.SubjectAlternativeName:
    """The SAN (RFC 5280, 4.2.1.6): of a subscriber the mail address as its one rfc822Name, as it was registered; of a
    server its host names, which clients compare with and not with the common name (RFC 9525)."""
    if isinstance(subject, ServerName):
        return x509.SubjectAlternativeName([x509.DNSName(host) for host in subject.hosts])
    return x509.SubjectAlternativeName([x509.RFC822Name(subject.email)])


def _name(field: str, value: str) -> list[str]:
    found = []
    if not value.strip():
        return [f"{field}_empty"]
    if len(value) > UPPER_BOUND:
        found.append(f"{field}_too_long")
    if not _NAME.fullmatch(value):
        found.append(f"{field}_characters")
    # RFC 5280 section 7.1 compares names with inner runs of spaces folded: two names that differ only there are one.
    if value != value.strip() or "  " in value:
        found.append(f"{field}_spaces")
    if not any(char.isalnum() for char in value) or value.upper() in _PLACEHOLDERS:
        found.append(f"{field}_meaningless")
    return found


def _subscriber_id(value: str) -> list[str]:
    if not value:
        return ["subscriber_id_empty"]
    found = []
    if len(value) > UPPER_BOUND:
        found.append("subscriber_id_too_long")
    if not _SUBSCRIBER_ID.fullmatch(value):
        found.append("subscriber_id_characters")
    return found


def _mail_address(value: str) -> list[str]:
    if not value.strip():
        return ["email_empty"]
    if not value.isascii():
        # A Japanese local part cannot stand in an rfc822Name (IA5String); a Japanese domain must come as A-label.
        return ["email_characters"]
    found = []
    if len(value) > MAIL_UPPER_BOUND or len(value.partition("@")[0]) > MAIL_LOCAL_UPPER_BOUND:
        found.append("email_too_long")
    if not _MAILBOX.fullmatch(value):
        found.append("email_malformed")
    return found
