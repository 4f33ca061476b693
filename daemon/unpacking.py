"""What hangs on a mail, opened: containers taken apart, forms read, everything else named by its kind.

Containers and documents are opened in confined children only (daemon/reader.py); here their contents are stored and
told apart. A mail costs a bounded number of them: beyond that, the rest is named as not looked at and shown to staff.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from parsers.attachments import Attachment, DocumentKind, is_document, kind_of, safe_name
from parsers.containers import ARROW, Unpacked, is_container
from parsers.errors import ParseError, ParseKind
from parsers.mail import Mail, documents, open_mail
from parsers.reading import Problem, Reading

from .centre import Centre
from .ledger import MailRow
from .planning import JST
from .reader import Reader
from .referral import Opened

# Every document may cost a child its whole patience. A company that sends more forms at once is answered all the same.
MOST_DOCUMENTS = 60
TOO_MANY = "too_many"

_READABLE = frozenset({DocumentKind.PDF, DocumentKind.OTHER})
_TOO_COSTLY = "読み取りに時間またはメモリーがかかりすぎるため、中止しました。原本をご確認ください。"


def open_documents(centre: Centre, reader: Reader, mail: Mail, row: MailRow) -> tuple[Opened, ...]:
    """Every attachment that may be a form, read by `reader`; what cannot be one is named by its kind."""
    received_on = row.arrived_at.astimezone(JST).date()
    opened: list[Opened] = []
    read = 0
    for attachment, kind in laid_out(reader, mail):
        read += not kind
        told = kind or (TOO_MANY if read > MOST_DOCUMENTS else "")
        # A document that was erased once is wanted again where another mail brings it.
        digest = centre.blobs.put(attachment.data, anew=True)
        opened.append(
            Opened(attachment, digest, None, told) if told else _read(reader, attachment, digest, received_on)
        )
    return tuple(opened)


def _read(reader: Reader, attachment: Attachment, digest: str, received_on: date) -> Opened:
    try:
        return Opened(attachment, digest, read_document(reader, attachment.data, received_on=received_on))
    except ParseError as error:
        return Opened(attachment, digest, None, error.kind.value)


def read_document(reader: Reader, data: bytes, *, received_on: date) -> Reading:
    """Read one document in the confined reader. Raises ParseError for what is no document of ours.

    One that exceeded its time or memory there may be a form all the same: it is told as a page for a person's eye, and
    not to the sender as a fault of the file.
    """
    try:
        return reader.read(data, received_on=received_on)
    except ParseError as error:
        if error.kind is not ParseKind.TOO_COSTLY:
            raise
        return Reading((), (Problem(error.kind.value, _TOO_COSTLY),))


def laid_out(reader: Reader, mail: Mail) -> Iterator[tuple[Attachment, str]]:
    """The documents of a mail with those in its containers in their place; with each the kind it is told by, empty
    where it is to be read."""
    opened = 0
    for attachment in documents(mail):
        kind = kind_of(attachment)
        if not is_container(kind, attachment.data):
            yield attachment, "" if kind in _READABLE else kind.value
            continue
        opened += 1
        if opened > MOST_DOCUMENTS:
            yield attachment, TOO_MANY
            continue
        yield from _in_container(reader, attachment)


def _in_container(reader: Reader, container: Attachment) -> Iterator[tuple[Attachment, str]]:
    try:
        found = reader.unpack(container.data)
    except ParseError as error:
        # What nobody could take out may hold a form: it is told to its sender, and shown to staff.
        yield container, _kind_of_trouble(error)
        return
    for item in _attachments(container, found):
        kind = kind_of(item)
        yield item, "" if kind in _READABLE else kind.value
    for trouble in found.troubles:
        name = ARROW.join((container.name, *trouble.path))
        yield replace(container, origin=name), trouble.code
    if not found.items and not found.troubles and kind_of(container) is DocumentKind.ARCHIVE:
        yield container, ParseKind.EMPTY.value


def _kind_of_trouble(error: ParseError) -> str:
    return "too_large" if error.kind is ParseKind.TOO_COSTLY else error.kind.value


def _attachments(container: Attachment, found: Unpacked) -> Iterator[Attachment]:
    for count, item in enumerate(found.items, 1):
        section = f"{container.part}/{count}"
        origin = ARROW.join((container.name, *item.path))
        own = item.path[-1] if item.path else ""
        one = Attachment(
            name=safe_name(own, part=str(count), data=item.data),
            content_type="application/octet-stream",
            data=item.data,
            inline=False,
            part=section,
            forwarded=container.forwarded,
            named=bool(own),
            origin=origin,
        )
        if own.lower().endswith(".eml") and kind_of(one) is DocumentKind.OTHER:
            yield from (
                replace(inner, origin=ARROW.join((origin, inner.name)), part=f"{section}!{inner.part}", forwarded=True)
                for inner in documents(open_mail(item.data))
            )
        elif is_document(one):
            yield one
