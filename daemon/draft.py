"""What a letter is before it becomes a mail: its kind, subject, body and enclosures, and the facts it is written from.

A draft refuses to exist where it would break a rule that no wording may break: the password and the certificate in
one letter, an enclosure in a letter that promises none, a line break in a subject (domain notes D.0, SPEC 2.2).
"""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from config.request_types import RequestType

PASSWORD_MARKER = "{{PASSWORD}}"  # noqa: S105 - the place of the password, never the password
PKCS12 = "application/x-pkcs12"

Auto = Literal["auto-replied", "auto-generated"]


class LetterKind(StrEnum):
    """Every letter of the service; each has a template of the same name. docs/letters.md says who gets it and when."""

    RECEIPT = "receipt"
    DEFECTS = "defects"
    GUIDANCE = "guidance"
    UNREADABLE = "unreadable"
    LOCKED_FILE = "locked_file"
    OFFICE_FILE = "office_file"
    PICTURE_FILE = "picture_file"
    DOWNLOAD_LINK = "download_link"
    NOT_TAKEN = "not_taken"
    RETURNED = "returned"
    QUESTION = "question"
    ON_HOLD = "on_hold"
    REJECTION = "rejection"
    WITHDRAWN = "withdrawn"
    ISSUE_NOTICE = "issue_notice"
    PASSWORD = "password"  # noqa: S105 - the name of a letter
    RENEWAL_NOTICE = "renewal_notice"
    ISSUED_TO_APPLICANT = "issued_to_applicant"
    SCHEDULED_REVOCATION = "scheduled_revocation"
    REVOKED = "revoked"
    REGISTRATION_CHANGED = "registration_changed"
    ADDRESS_CHANGED_OLD = "address_changed_old"
    CANCELLED = "cancelled"
    HANDOVER_DONE = "handover_done"
    HANDOVER_PREDECESSOR = "handover_predecessor"
    URGENTLY_REVOKED = "urgently_revoked"
    REVOCATION_CALLED_OFF = "revocation_called_off"
    APPROVAL_REQUEST = "approval_request"
    ORDER_REQUEST = "order_request"
    APPROVAL_REMINDER = "approval_reminder"
    DECISION_RECORDED = "decision_recorded"
    DECISION_REFUSED = "decision_refused"
    REPLY_UNCLEAR = "reply_unclear"
    STAFF_NOTICE = "staff_notice"
    DAILY_DIGEST = "daily_digest"

    @property
    def for_staff(self) -> bool:
        """Whether the letter goes to the staff of the centre; all others go to people of a customer."""
        return self in _FOR_STAFF

    @property
    def carries_certificate(self) -> bool:
        """Whether the PKCS#12 file may be enclosed (SPEC 2.2: an option for closed networks)."""
        return self in (LetterKind.ISSUE_NOTICE, LetterKind.RENEWAL_NOTICE)


_FOR_STAFF = frozenset(
    {
        LetterKind.APPROVAL_REQUEST,
        LetterKind.ORDER_REQUEST,
        LetterKind.APPROVAL_REMINDER,
        LetterKind.DECISION_RECORDED,
        LetterKind.DECISION_REFUSED,
        LetterKind.REPLY_UNCLEAR,
        LetterKind.STAFF_NOTICE,
        LetterKind.DAILY_DIGEST,
    }
)


@dataclass(frozen=True, slots=True)
class Office:
    """Who writes the letters, as the `[centre]` settings tell.

    `address` is the mailbox of the centre, the From of every letter; `site` is the company that runs the centre, the
    first line of the footer; the two URLs are the guide's (lines 104, 303).
    """

    address: str
    name: str
    call_centre_phone: str
    call_centre_mail: str
    form_url: str
    materials_url: str
    site: str


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What letters may know of a case. `company` and `person` make the 宛名 and may be empty.

    `arrived_at` is aware; `request_type` is None while nobody knows it; `user_name` stands only in letters after
    acceptance, where domain notes D allow it.
    """

    number: str
    request_type: RequestType | None
    company: str
    person: str
    arrived_at: datetime
    wished_date: date | None = None
    user_name: str = ""
    kind_word: str = ""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that goes with a letter. Its bytes are kept out of every repr. An `inline` one is meant to be shown below
    the text at once, as mail programs do with pictures."""

    name: str
    content_type: str
    data: bytes = field(repr=False)
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A finished letter without sender, receiver and date: `envelope.compose` makes the mail of it.

    `auto` is the value of Auto-Submitted (RFC 3834 section 5): `auto-replied` for the direct answer to a mail,
    `auto-generated` for what a decision or the clock set off. Subject and body stay out of the repr, since they hold
    names and tokens. Raises ValueError where a rule of the house is broken; see the module's docstring.
    """

    kind: LetterKind
    subject: str = field(repr=False)
    body: str = field(repr=False)
    auto: Auto
    attachments: tuple[Enclosure, ...] = ()
    reply_to: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no letter may be."""
        if not self.subject.strip() or _has_control(self.subject):
            raise ValueError(f"letter {self.kind}: the subject is empty or holds a control character")
        certificates = [one for one in self.attachments if one.content_type == PKCS12]
        if certificates and PASSWORD_MARKER in self.body:
            raise ValueError(f"letter {self.kind}: password and certificate never travel together")
        if certificates and not self.kind.carries_certificate:
            raise ValueError(f"letter {self.kind}: this letter never carries a certificate")
        if len(certificates) != len(self.attachments) and not self.kind.for_staff:
            raise ValueError(f"letter {self.kind}: only letters to staff enclose anything but a certificate")
        if PASSWORD_MARKER in self.body and self.kind is not LetterKind.PASSWORD:
            raise ValueError(f"letter {self.kind}: only the password letter has a place for a password")


def insert_password(body: str, password: str) -> str:
    """Put the password where the marker stands; done at the moment of sending, so that no stored letter holds it.

    Raises ValueError when the marker is not there exactly once, or the password is empty or would not survive a mail
    (anything but printable ASCII without spaces). The message never repeats the password.
    """
    if body.count(PASSWORD_MARKER) != 1:
        raise ValueError("the body must hold the place of the password exactly once")
    if not re.fullmatch(r"[!-~]+", password) or PASSWORD_MARKER in password:
        raise ValueError("the password is empty or holds characters that a mail may change")
    return body.replace(PASSWORD_MARKER, password)


def _has_control(text: str) -> bool:
    return any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") for char in text)
