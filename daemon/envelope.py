"""A draft becomes a mail: headers, encoding, enclosures (RFC 5322, 2045, 2047, 2231, 3834). Pure.

Promises: one sender, one receiver, no header that a value could have broken out of, no line longer than 998 octets,
the same octets for the same arguments. Trusts: the draft's own rules (`draft.Draft`).
"""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from email import policy
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueAddressHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from functools import cache, lru_cache
from typing import Any, ClassVar, Literal

from .draft import PASSWORD_MARKER, Draft, Enclosure, LetterKind, Office

# A mailbox of the form local@domain, ASCII only; dots may stand anywhere in the local part, since mobile carriers of
# Japan gave out such addresses (domain notes C.2). Nothing in it can end a header, a path or an address list.
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,240}@[!-;=?A-~]{1,240}>")
_CONTENT_TYPE = re.compile(r"([a-z]+)/([a-z0-9.+-]+)")
_LINE_ENDS = re.compile(r"[\r\n\0]")
# 39 octets in base64 and the frame of an encoded word make 64 columns, within the 76 of RFC 2047 section 2 even after
# "Subject: ".
_WORD_OCTETS = 39
_MOST_REFERENCES = 20
_PLAIN = bytes(range(127))


def message_id(random_bytes: Callable[[int], bytes], domain: str) -> str:
    """A new Message-ID with 128 random bits (RFC 5322 section 3.6.4). Raises ValueError for a domain that is none."""
    if not _MAILBOX.fullmatch(f"x@{domain}"):
        raise ValueError("the domain of a Message-ID must be a plain domain name")
    return f"<{random_bytes(16).hex()}@{domain}>"


def compose(
    draft: Draft,
    *,
    office: Office,
    recipient: str,
    message_id: str,
    date: datetime,
    in_reply_to: str | None = None,
    references: Sequence[str] = (),
) -> bytes:
    """The octets of the mail, CRLF line ends. The password is put into the draft's body before (`insert_password`).

    Message-IDs of others that are malformed are left out, since a thread is a courtesy. Raises ValueError for a line
    end in any header value, for anything but one plain receiver, for a naive `date`, for a password letter that would
    stand in a thread, and for a body whose place of the password is still open.
    """
    _check(draft, recipient, message_id, date, (in_reply_to or "", *references))
    mail = EmailMessage(policy=_policy())
    mail["From"] = Address(display_name=office.name, addr_spec=office.address)
    mail["To"] = recipient
    mail["Subject"] = draft.subject
    mail["Date"] = format_datetime(date)
    mail["Message-ID"] = message_id
    if in_reply_to and _MESSAGE_ID.fullmatch(in_reply_to):
        mail["In-Reply-To"] = in_reply_to
    ancestors = [reference for reference in references if _MESSAGE_ID.fullmatch(reference)]
    if ancestors:
        # The first and the newest matter most to mail programs; a thread without end would grow the header with it.
        mail["References"] = " ".join([ancestors[0], *ancestors[1:][-(_MOST_REFERENCES - 1) :]])
    if draft.reply_to:
        mail["Reply-To"] = draft.reply_to
    mail["Auto-Submitted"] = draft.auto
    # Exchange would otherwise answer for its users: out of office, delivery and read reports.
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(draft.body, charset="utf-8", cte=_transfer_encoding(draft.body))
    for enclosure in draft.attachments:
        _enclose(mail, enclosure)
    return mail.as_bytes()


def _check(draft: Draft, recipient: str, message_id: str, date: datetime, ancestors: Sequence[str]) -> None:
    if not _MAILBOX.fullmatch(recipient):
        raise ValueError("a letter has exactly one receiver, a plain ASCII address")
    if draft.reply_to is not None and not _MAILBOX.fullmatch(draft.reply_to):
        raise ValueError("Reply-To must be one plain ASCII address")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError("our own Message-ID must be well formed (RFC 5322 section 3.6.4)")
    if date.tzinfo is None:
        raise ValueError("the date of a mail needs its time zone")
    names = (enclosure.name for enclosure in draft.attachments)
    if any(_LINE_ENDS.search(value) for value in (draft.subject, *names, *ancestors)):
        raise ValueError("a header value must not hold a line end")
    if draft.kind is LetterKind.PASSWORD and any(ancestors):
        raise ValueError("a password letter never stands in a thread (SPEC 2.2)")
    if PASSWORD_MARKER in draft.body:
        raise ValueError("the password has not been put in")


def _transfer_encoding(body: str) -> str:
    """Base64 for Japanese, quoted-printable for mostly ASCII text: both keep lines short whatever the body is."""
    octets = body.encode()
    return "base64" if len(octets.translate(None, _PLAIN)) * 6 > len(octets) else "quoted-printable"


def _enclose(mail: EmailMessage, enclosure: Enclosure) -> None:
    found = _CONTENT_TYPE.fullmatch(enclosure.content_type.lower())
    main, sub = found.groups() if found else ("application", "octet-stream")
    if main in ("text", "message", "multipart"):
        # Those types have rules of their own inside a mail; a foreign file is handed on as octets and nothing else.
        main, sub = "application", "octet-stream"
    name = re.sub(r'[\x00-\x1f\x7f/\\"]', "_", enclosure.name) or "attachment"
    shown = "inline" if enclosure.inline and main == "image" else "attachment"
    mail.add_attachment(enclosure.data, maintype=main, subtype=sub, filename=name, disposition=shown)


# --- headers that the standard library would spoil -----------------------------------------------------------------


class _UnfoldedHeader(BaseHeader):
    """A header kept as it was given, folded by the subclass."""

    max_count: ClassVar[Literal[1] | None] = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """Take the value as it is: it was checked before."""
        kwds["parse_tree"] = None
        kwds["decoded"] = value

    def fold(self, *, policy: policy.Policy) -> str:
        """The header with its name, in lines joined by folding white space."""
        return f"{self.name}: " + f"{policy.linesep} ".join(self.pieces()) + policy.linesep

    def pieces(self) -> Iterator[str]:
        """What stands on each line."""
        raise NotImplementedError


class _MessageIds(_UnfoldedHeader):
    """Message-IDs, one a line. The standard library (3.11) makes encoded words of an ID longer than 77 columns, as
    those of Microsoft 365 are, and no program would find the thread."""

    def pieces(self) -> Iterator[str]:
        yield from str(self).split(" ")


class _Subject(_UnfoldedHeader):
    """A subject. The standard library (3.11) loses a blank between two encoded words now and then, so the whole
    subject becomes encoded words, each a piece of complete characters (RFC 2047 section 5)."""

    def pieces(self) -> Iterator[str]:
        text = str(self)
        if text.isascii() and len(text) <= 66 and "=?" not in text:
            yield text
            return
        piece = b""
        for char in text:
            octets = char.encode()
            if len(piece) + len(octets) > _WORD_OCTETS:
                yield _encoded_word(piece)
                piece = b""
            piece += octets
        yield _encoded_word(piece)


class _Sender(UniqueAddressHeader):
    """The sender, who is the same in every mail. The standard library folds a Japanese name in a millisecond: once."""

    def fold(self, *, policy: policy.Policy) -> str:
        """The header with its name, in lines joined by folding white space."""
        return _folded_sender(str(self), policy.linesep)


@lru_cache(maxsize=8)
def _folded_sender(sender: str, linesep: str) -> str:
    header: BaseHeader = HeaderRegistry()("From", sender)
    return header.fold(policy=EmailPolicy(linesep=linesep))


def _encoded_word(octets: bytes) -> str:
    return f"=?utf-8?B?{base64.b64encode(octets).decode('ascii')}?="


@cache
def _policy() -> "EmailPolicy[EmailMessage]":
    registry = HeaderRegistry()
    registry.map_to_type("subject", _Subject)
    # Typeshed wants a BaseHeader here; the library's own address headers are none, and are mixed with one by it.
    registry.map_to_type("from", _Sender)  # type: ignore[arg-type]
    for name in ("message-id", "in-reply-to", "references"):
        registry.map_to_type(name, _MessageIds)
    return EmailPolicy(header_factory=registry, linesep="\r\n", raise_on_defect=False)
