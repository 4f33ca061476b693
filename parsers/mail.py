"""Bytes to Mail: what one message says about itself, its text and its attachments.

mail-parser opens the message and gives its structure, the received hops and the defects; names, texts and contents are
read from the compat32 message beneath it by our own charset layer. Where mail-parser fails, the standard library takes
its place; where that fails too, or where the outside of the mail says that opening it would cost too much
(`parsers.survey`), the header alone is read and the whole message becomes an attachment.

Trusts nothing: every header but those above the first Received field is the sender's. Promises: `open_mail` never
raises and never loses a leaf. Weak: containers (zip, winmail.dat) stay closed here; see `parsers.containers`.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from types import MappingProxyType

import mailparser

from parsers import charsets, headers, parts, survey
from parsers.attachments import Attachment, DocumentKind, is_document, kind_of
from parsers.encoded_words import header_text
from parsers.headers import Address, AddressList

__all__ = ["Address", "Attachment", "DocumentKind", "Hop", "Mail", "documents", "explain", "kind_of", "open_mail"]

_LIBRARY_LOG, _SILENT = logging.getLogger("mailparser"), logging.CRITICAL + 1

# Far more than any server chain writes; a longer header is reported and its rest not kept for look-ups.
MAX_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Hop:
    """One Received field as mail-parser reads it, the newest first: who says it sent, and who received."""

    sent_by: str
    received_by: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One message. Everything in it is the sender's word, except `results`.

    `senders` come from every From field. `date` is aware, in UTC. `automatic` says why the mail counts as automatic
    (None: a person wrote it); it mutes our answers and never our intake (SPEC 2.3). `suspicions` and `defects` are
    codes without content. `text` is the text of the mail itself; in text made from HTML quoted lines begin with `> `.
    `results` are the Authentication-Results bodies above the first Received field, topmost first, and empty where
    there is no Received field at all: then nothing shows which server wrote them. `headers` are (name in lower case,
    decoded value) in their order.
    """

    message_id: str
    subject: str
    senders: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    recipients: tuple[Address, ...]
    date: datetime | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    automatic: str | None
    suspicions: tuple[str, ...]
    attachments: tuple[Attachment, ...]
    text: str
    results: tuple[str, ...]
    defects: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()
    hops: tuple[Hop, ...] = ()

    def header(self, name: str) -> tuple[str, ...]:
        """The decoded values of every field of that name, from the top; case does not matter."""
        return tuple(value for key, value in self.headers if key == name.lower())


_OVERGROWN = frozenset({"nested_too_deeply", "too_many_parts", "structure_unreadable"})

_SUSPICIONS = MappingProxyType(
    {
        "no_from": "差出人（From）がありません",
        "two_from_headers": "差出人（From）の欄が複数あります",
        "several_from_addresses": "差出人（From）に複数のアドレスが書かれています",
        "from_malformed": "差出人（From）の書き方が乱れており、読み方が一つに定まりません",
    }
)


def explain(suspicion: str) -> str:
    """The Japanese words for a suspicion, for staff."""
    return _SUSPICIONS.get(suspicion, suspicion)


def documents(mail: Mail) -> tuple[Attachment, ...]:
    """The attachments that could be meant as an application or deserve a word in the answer; logos, signatures,
    cards, reports and footers are left out. `kind_of` says what each is."""
    return tuple(attachment for attachment in mail.attachments if is_document(attachment))


def is_overgrown(mail: Mail) -> bool:
    """Whether parts of the mail were beyond the reader's limits, so that a form in them was not seen."""
    return bool(_OVERGROWN & set(mail.defects))


def open_mail(raw: bytes) -> Mail:
    """Read one message as it was fetched. Never raises, whatever the bytes are."""
    message, hops, defects = _open(raw)
    contents = _contents(message, raw)
    # A header without its body can always be read: there is nothing nested in it.
    fields = _Fields(BytesHeaderParser().parsebytes(survey.head_of(raw)) if message is None else message)
    sender_list = fields.addresses("from")
    subject = header_text(fields.first_bytes("subject"))
    defects += contents.defects
    if subject.damaged:
        defects.append("subject_damaged")
    if any(charsets.REPLACEMENT in sender.name for sender in sender_list.addresses):
        defects.append("sender_damaged")
    if len(fields.raw) > MAX_FIELDS:
        defects.append("too_many_fields")
    date = headers.read_moment(fields.first("date"))
    if date is None and fields.has("date"):
        defects.append("date_unreadable")
    return Mail(
        message_id=_message_id(fields.first("message-id")),
        subject=subject.text,
        senders=sender_list.addresses,
        reply_to=fields.addresses("reply-to").addresses,
        recipients=tuple(dict.fromkeys(fields.addresses(*_RECIPIENT_FIELDS).addresses)),
        date=date,
        in_reply_to=headers.message_ids(fields.first("in-reply-to")),
        references=headers.message_ids(fields.first("references")),
        automatic=_automatic(fields, sender_list, subject.text),
        suspicions=_suspicions(fields, sender_list),
        attachments=tuple(contents.attachments),
        text=contents.text,
        results=fields.results(),
        defects=tuple(dict.fromkeys(defects)),
        headers=fields.decoded(),
        hops=hops,
    )


def _open(raw: bytes) -> tuple[Message | None, tuple[Hop, ...], list[str]]:
    """The message by mail-parser, or by the standard library, or None; with its hops and defects."""
    if costly := survey.why_not(raw):
        return None, (), [costly]
    # Its log lines quote headers, which are personal data; the defects it finds are in the result.
    if _LIBRARY_LOG.level != _SILENT:  # setting it anew would make every logger forget what it worked out
        _LIBRARY_LOG.setLevel(_SILENT)
    try:
        opened = mailparser.parse_from_bytes(raw)
        # Only the names of the defects: their texts quote the header.
        categories = sorted(str(name) for name in opened.defects_categories)
        return opened.message, _hops(opened.received), categories
    except Exception as error:  # noqa: BLE001  it meets hostile bytes, and what escapes from it is not documented
        return parts.parse(raw), (), [f"mail_parser_failed_{type(error).__name__}"]


def _hops(received: Sequence[Mapping[str, object]] | None) -> tuple[Hop, ...]:
    # mail-parser numbers the hops from the oldest; our readers look from their own server outwards.
    return tuple(Hop(str(hop.get("from", "")), str(hop.get("by", ""))) for hop in reversed(received or []))


def _contents(message: Message | None, raw: bytes) -> parts.Contents:
    if message is None:
        return parts.Contents(attachments=[parts.whole_mail(raw)], defects=["structure_unreadable"])
    return parts.collect(message, raw)


_RECIPIENT_FIELDS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to")
# Fields written by servers and programs: RFC 2047 section 5 allows no encoded words in them, and decoding one would
# let a sender put text where a server is read.
_TRACE = re.compile(
    r"received|return-path|delivered-to|message-id|in-reply-to|references|auto-submitted|received-spf|"
    r"(?:arc-)?authentication-results|arc-.*|dkim-signature|x-ms-exchange-.*"
)


class _Fields:
    """The header of a message: raw field bodies by name, and the readings of them that a Mail needs."""

    def __init__(self, message: Message) -> None:
        self.raw = [
            (name.lower(), str(value).encode("utf-8", "surrogateescape")) for name, value in message.raw_items()
        ]

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.raw)

    def all(self, name: str) -> list[str]:
        """Every field body of that name as text with encoded words in place."""
        return [charsets.wire_text(value).text for key, value in self.raw if key == name]

    def first_bytes(self, name: str) -> bytes:
        return next((value for key, value in self.raw if key == name), b"")

    def first(self, name: str) -> str:
        return charsets.wire_text(self.first_bytes(name)).text

    def addresses(self, *names: str) -> AddressList:
        lists = [headers.read_addresses(text) for name in names for text in self.all(name)]
        found = tuple(address for each in lists for address in each.addresses)
        return AddressList(found, any(each.malformed for each in lists))

    def results(self) -> tuple[str, ...]:
        # UTF-8 or nothing (RFC 8616): no guess at a character set may move a quote or a semicolon in this field.
        names = [key for key, _ in self.raw]
        end = names.index("received") if "received" in names else 0
        return tuple(
            charsets.unfold(value).decode("utf-8", "replace")
            for key, value in self.raw[:end]
            if key == "authentication-results"
        )

    def decoded(self) -> tuple[tuple[str, str], ...]:
        return tuple((key, self._value(key, value)) for key, value in self.raw[:MAX_FIELDS])

    def _value(self, key: str, value: bytes) -> str:
        if _TRACE.fullmatch(key):
            return charsets.clean_line(charsets.wire_text(value).text)
        return header_text(value).text


def _message_id(text: str) -> str:
    found = headers.message_ids(text)
    return found[0] if found else charsets.clean_line(text)[:990]


def _suspicions(fields: _Fields, senders: AddressList) -> tuple[str, ...]:
    """What makes it doubtful who sent the mail. RFC 5322 section 3.6 allows one From field; several addresses in it
    are lawful, and useless where one person must answer for a decision."""
    found = []
    count = len(fields.all("from"))
    if count == 0:
        found.append("no_from")
    if count > 1:
        found.append("two_from_headers")
    if len(senders.addresses) > 1:
        found.append("several_from_addresses")
    if count and (senders.malformed or not senders.addresses):
        found.append("from_malformed")
    return tuple(found)


_ROBOTS = re.compile(
    r"(?:mailer-daemon|postmaster|(?:do[-_.]?)?not?[-_.]?reply|.+-request|listserv|majordomo)", re.IGNORECASE
)
_ROBOT_SUBJECT = re.compile(
    r"[\[【(]?\s*(?:自動応答|自動返信|自動送信|不在通知|不在のお知らせ|開封確認|開封済み|automatic reply|"
    r"auto-?\s?reply|out of (?:the )?office|read receipt|delivery status notification|undelivered mail|"
    r"mail delivery failed)",
    re.IGNORECASE,
)
_AUTOREPLY_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-mail-autoreply")


def _automatic(fields: _Fields, senders: AddressList, subject: str) -> str | None:
    """Why a mail counts as automatic (RFC 3834 section 2), None for a person's.

    X-Auto-Response-Suppress is no sign: Exchange writes it on what people send (field notes, mail.md section 2.8).
    """
    for value in fields.all("auto-submitted"):
        if headers.first_token(value) not in ("no", ""):
            return f"auto_submitted_{headers.first_token(value)[:40]}"
    for value in fields.all("precedence"):
        if headers.first_token(value) in ("bulk", "list", "junk", "auto_reply"):
            return f"precedence_{headers.first_token(value)}"
    if fields.has("list-id"):
        return "list_id"
    if any(re.fullmatch(r"<\s*>", value.strip()) for value in fields.all("return-path")):
        return "null_return_path"
    content_type = headers.first_token(fields.first("content-type"))
    if content_type in ("multipart/report", "message/disposition-notification", "message/delivery-status"):
        return "report"
    for name in _AUTOREPLY_FIELDS:
        if any(value.strip().lower() not in ("", "no", "false", "0") for value in fields.all(name)):
            return name.replace("-", "_")
    if any(_ROBOTS.fullmatch(address.address.rpartition("@")[0]) for address in senders.addresses):
        return "robot_sender"
    return "robot_subject" if _ROBOT_SUBJECT.match(subject) else None
