"""What of ours comes back inside a mail: by which marks it names a letter of ours, and whether it holds a password.

A letter leaves with three marks of 128 random bits each that only its recipient and the mail systems on its way know:
the address that failures come back to, the envelope identifier, the Message-ID. `marks` finds what a mail shows of
them. `passwords` finds everything of the shape of our passwords, in whatever the mail quotes, encloses or forwards.
Promises: never raises; linear in the size of the mail; the number of mails opened inside one is bounded.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from parsers.attachments import Attachment, DocumentKind, kind_of
from parsers.mail import Mail, open_mail
from parsers.parts import whole_mail

# A report returns one mail; a chain of forwards some more. Bounds the time, not what anybody does.
_MOST_OPENED = 20
_DEEPEST = 5
_MOST_IDS = 200
# A password letter is a page of text: a copy of one is found within the first megabyte of whatever holds it. All that
# is read of one mail, its enclosed ones included, is bounded too: it may have hundreds of parts.
_LARGEST_COPY = 1024 * 1024
_MOST_READ = 8 * _LARGEST_COPY


@dataclass(frozen=True, slots=True)
class Marks:
    """By what a mail names letters of ours: nothing here is proved to be ours before the ledger of letters knows it.

    `addresses` are those it was delivered to; `message_ids` the Message-IDs of mails returned in it, then those it
    answers.
    """

    addresses: tuple[str, ...]
    message_ids: tuple[str, ...]


def marks(mail: Mail) -> Marks:
    """What a mail shows of the marks of our letters; the envelope identifier stands in the delivery report."""
    found: dict[str, None] = {}
    for inner in _mails_inside(mail):
        if inner.message_id:
            found.setdefault(inner.message_id)
    found.update(dict.fromkeys(_MESSAGE_ID_FIELD.findall(mail.text[:_LARGEST_COPY])))
    answered = (*reversed(mail.in_reply_to), *reversed(mail.references))
    found.update(dict.fromkeys(answered))
    addresses = dict.fromkeys(recipient.address for recipient in mail.recipients)
    return Marks(tuple(addresses), tuple(found)[:_MOST_IDS])


# Some systems name the mail in their text alone, with the brackets or without.
_MESSAGE_ID_FIELD = re.compile(r"message-id:[ \t]{0,20}\n?[ \t>]{0,20}(<[^<>\s]{1,250}>)", re.IGNORECASE)
_HEADER_START = re.compile(r"^[>| \t]{0,20}(message-id:|received: |return-path: |mime-version:)", re.IGNORECASE)
_HEADER_LINE = re.compile(r"[>| \t]{0,20}[A-Za-z][A-Za-z0-9-]{0,60}:")


def own_text(mail: Mail) -> str:
    """The text of a mail system's own: what stands above the header of a returned mail."""
    start = _embedded_at(mail.text)
    return mail.text if start is None else mail.text[:start]


def passwords(mail: Mail) -> frozenset[str]:
    """Everything of the shape of our passwords (`ca.bundle.make_password`) that a mail holds, in any of its parts."""
    found: set[str] = set()
    read = 0
    for each in (mail, *_mails_inside(mail)):
        for text in _texts(each):
            if read > _MOST_READ:
                return frozenset(found)
            read += len(text)
            found.update(passwords_in(text))
    return frozenset(found)


# Looked for at every place, so that signs standing in front do not hide one; 29 steps a place at most.
_PASSWORD = re.compile(r"(?=([A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){4}))")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\u30fc", "-"))


def passwords_in(text: str) -> frozenset[str]:
    """Everything of the shape of our passwords in a text; full-width signs and other dashes count as plain ones."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    return frozenset(_PASSWORD.findall(text))


def holds_password(attachment: Attachment) -> bool:
    """Whether the readable text of an attachment has anything of the shape of our passwords."""
    return bool(passwords_in(_readable(attachment)))


def _texts(mail: Mail) -> Iterator[str]:
    yield mail.subject
    yield mail.text[:_LARGEST_COPY]
    for attachment in mail.attachments:
        yield _readable(attachment)


def _readable(attachment: Attachment) -> str:
    """The text of an attachment as far as it is one. A document's inside (PDF, Word) is not looked into.

    UTF-8 or else octets: what is looked for is ASCII, and guessing a character set takes a hundred times as long.
    """
    data = attachment.data[:_LARGEST_COPY]
    if kind_of(attachment) is not DocumentKind.OTHER or b"\0" in data:
        return ""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _mails_inside(mail: Mail) -> Iterator[Mail]:
    """Every mail that a mail encloses or quotes with its header, and those inside them."""
    waiting, opened, known = [(mail, 0)], 0, set[bytes]()
    while waiting:
        outer, depth = waiting.pop(0)
        if depth == _DEEPEST:
            continue
        for raw in _enclosed(outer):
            if opened == _MOST_OPENED:
                return
            if raw in known:
                continue
            known.add(raw)
            opened += 1
            inner = open_mail(raw)
            yield inner
            waiting.append((inner, depth + 1))


def _enclosed(mail: Mail) -> Iterator[bytes]:
    left = _MOST_READ
    for attachment in mail.attachments:
        if left <= 0:
            break
        left -= min(len(attachment.data), _LARGEST_COPY)
        whole = attachment.content_type in ("message/rfc822", "message/global", "text/rfc822-headers")
        whole = whole or attachment.content_type.startswith("message/global-headers")
        if attachment == whole_mail(attachment.data):
            continue  # the mail itself, kept because it is too much: opened again it would say the same
        if whole or attachment.name.lower().endswith(".eml"):
            yield attachment.data[:_LARGEST_COPY]
        elif attachment.content_type.startswith("text/") and (quoted := _embedded(_readable(attachment))):
            yield quoted
    if quoted := _embedded(mail.text):
        yield quoted


def _embedded(text: str) -> bytes:
    """The mail whose header stands in a text, as octets; empty where there is none."""
    start = _embedded_at(text)
    if start is None:
        return b""
    lines = text[start : start + _LARGEST_COPY].split("\n")
    # Quoted or indented as a whole: the marks in front of the first line stand in front of all.
    prefix = lines[0][: len(lines[0]) - len(lines[0].lstrip(">| \t"))]
    if prefix:
        lines = [line.removeprefix(prefix).removeprefix(prefix.rstrip()) for line in lines]
    return "\n".join(lines).encode("utf-8", "replace")


def _embedded_at(text: str) -> int | None:
    """Where the header of a returned mail begins: the first line of the block in which a field of a header stands.

    Only fields that no person types are looked for; the lines right above that look like fields belong to it.
    """
    at, block = 0, None
    for line in text[:_LARGEST_COPY].split("\n"):
        if _HEADER_START.match(line):
            return at if block is None else block
        if _HEADER_LINE.match(line):
            block = at if block is None else block
        elif line[:1] not in (" ", "\t"):
            block = None
        at += len(line) + 1
    return None
