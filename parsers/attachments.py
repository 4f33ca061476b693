"""What hangs on a mail: its safe name, and what kind of document its bytes are.

The kind is taken from the content alone. Type, disposition and name are the sender's words and often wrong: forms come
as `application/octet-stream`, as `inline`, without a name, or as `.pdf` that is none (field notes, mail.md section 3).
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from parsers import zips
from parsers.charsets import clean_line
from parsers.tnef import is_tnef

# A logo in a signature is smaller; a photographed or scanned form is larger.
SMALL_IMAGE = 20_000
# An image that the text of the mail shows may be a larger logo or banner, but no legible form fits in this.
INLINE_IMAGE = 100_000


class DocumentKind(StrEnum):
    """What the bytes of an attachment are, as far as the answer to the sender depends on it."""

    PDF = "pdf"
    SPREADSHEET = "spreadsheet"
    WORD = "word"
    ARCHIVE = "archive"
    ENCRYPTED_ARCHIVE = "encrypted_archive"
    ENCRYPTED = "encrypted"
    """A document of an office program under a password; of a PDF only its reader can tell."""
    TNEF = "tnef"
    """A winmail.dat, which holds the real attachments."""
    PROGRAM = "program"
    """A program, as self-extracting archives are."""
    OUTLOOK_ITEM = "outlook_item"
    IMAGE = "image"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One leaf of a mail that is not its body text.

    `name` is safe to show and to file under (no path, no control or directional marks, NFC); `content_type` is what
    the sender says; `inline` when the sender wants it shown in the text; `content_id` without brackets; `part` is the
    section number as IMAP counts (RFC 9051 section 6.4.5.1), with `!` before what came out of a forwarded mail;
    `named` is False where the name is ours because the sender gave none; `origin` is the way to what lay in a
    container: `book.zip → form.pdf`.
    """

    name: str
    content_type: str
    data: bytes
    inline: bool
    content_id: str = ""
    part: str = ""
    forwarded: bool = False
    named: bool = True
    origin: str = ""

    @property
    def shown(self) -> str:
        """How it is called before people."""
        return self.origin or self.name


def is_pdf(data: bytes) -> bool:
    """Whether readers of PDF would take it: the mark within the first 1024 bytes (ISO 32000-1, annex H.3.4.1)."""
    return b"%PDF-" in data[:1024]


def kind_of(attachment: Attachment) -> DocumentKind:
    """What the bytes of an attachment are."""
    return sniff(attachment.data)


_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*")
_ARCHIVES = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b", b"MSCF", b"BZh", b"\xfd7zXZ\x00")
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def sniff(data: bytes) -> DocumentKind:
    """The kind of a document by its first bytes and, for containers, by the names inside. Never raises."""
    # A container first: the PDF that it holds may begin within its own first octets.
    if zips.is_zip(data):
        return _sniff_zip(data)
    if is_tnef(data):
        return DocumentKind.TNEF
    if is_pdf(data):
        return DocumentKind.PDF
    if data.startswith(b"MZ"):
        return DocumentKind.PROGRAM
    if data.startswith(_COMPOUND_FILE):
        return _sniff_compound(data)
    if data.startswith(_ARCHIVES) or re.match(rb"..-lh[0-9dsx]-", data, re.DOTALL):
        return DocumentKind.ARCHIVE
    heif = data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif")
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    # A bitmap has only two letters of its own; the reserved zeros behind them make it more than chance.
    bitmap = data[:2] == b"BM" and data[6:10] == b"\0\0\0\0"
    if data.startswith(_IMAGES) or heif or webp or bitmap:
        return DocumentKind.IMAGE
    return DocumentKind.OTHER


def _sniff_zip(data: bytes) -> DocumentKind:
    # Only the names are looked at, and not by a library: this runs outside the walls (docs/decisions/0015).
    entries = [entry for entry in zips.directory(data) if not entry.is_folder]
    names = [entry.name for entry in entries]
    if b"[Content_Types].xml" in names:
        if any(name.startswith(b"xl/") for name in names):
            return DocumentKind.SPREADSHEET
        return DocumentKind.WORD if any(name.startswith(b"word/") for name in names) else DocumentKind.OTHER
    # One file that can be opened is worth a look inside; a damaged directory tells only what it wants to be.
    locked = bool(entries) and all(entry.encrypted for entry in entries)
    return DocumentKind.ENCRYPTED_ARCHIVE if locked else DocumentKind.ARCHIVE


# Streams by which an OLE compound file shows its program; names are stored as UTF-16 (MS-CFB section 2.6.1). A file
# under a password has only the stream EncryptedPackage, whatever it was.
_STREAMS = (
    ("Workbook", DocumentKind.SPREADSHEET),
    ("WordDocument", DocumentKind.WORD),
    ("EncryptedPackage", DocumentKind.ENCRYPTED),
    ("__substg1.0_", DocumentKind.OUTLOOK_ITEM),
    ("Book", DocumentKind.SPREADSHEET),
)


def _sniff_compound(data: bytes) -> DocumentKind:
    for stream, kind in _STREAMS:
        if stream.encode("utf-16-le") in data:
            return kind
    return DocumentKind.OTHER


_EXTENSIONS = {
    DocumentKind.PDF: "pdf",
    DocumentKind.SPREADSHEET: "xlsx",
    DocumentKind.WORD: "docx",
    DocumentKind.ARCHIVE: "zip",
    DocumentKind.ENCRYPTED_ARCHIVE: "zip",
    DocumentKind.TNEF: "dat",
    DocumentKind.PROGRAM: "exe",
    DocumentKind.OUTLOOK_ITEM: "msg",
    DocumentKind.IMAGE: "img",
}
_ZERO_WIDTH = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad]")
# Characters that a file system of any kind refuses or that a command line reads as something else.
_REFUSED = re.compile(r'[<>:"|?*]')


def safe_name(text: str, *, part: str, data: bytes) -> str:
    """A name that can be shown and stored: the last component of a path, no controls, no directional or zero-width
    marks, NFC, at most 120 characters with its extension kept. Where nothing is left, `part-<section>.<extension>`."""
    last = clean_line(text).replace("\\", "/").replace("¥", "/").rstrip("/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", _REFUSED.sub("_", _ZERO_WIDTH.sub("", last)))
    name = " ".join(name.split()).strip(". ")
    if not name:
        return f"part-{part.replace('!', '')}.{_EXTENSIONS.get(sniff(data), 'bin')}"
    stem, dot, extension = name.rpartition(".")
    if len(name) > 120:
        short = extension if dot and len(extension) <= 10 else ""
        name = f"{(stem if short else name)[: 119 - len(short)]}{'.' if short else ''}{short}"
    return name


# Leaves that belong to the envelope of a mail: signatures, calling cards, calendars, reports about delivery.
_ENVELOPE_TYPES = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "application/pgp-keys",
        "text/vcard",
        "text/x-vcard",
        "text/directory",
        "text/calendar",
        "application/ics",
        "text/rfc822-headers",
    }
)


# Exchange gives such a name to text that stood between or behind attachments.
_EXCHANGE_NAME = re.compile(r"ATT\d{5}\.(?:txt|html?)", re.IGNORECASE)


def is_document(attachment: Attachment) -> bool:
    """Whether an attachment could be meant as an application, or deserves a word in the answer.

    A PDF always. Not: signatures, cards and reports; texts without a name (footers, forwarded bodies); logos, which
    are images under 20 kB that the text shows, or up to 100 kB where the text refers to them by Content-ID.
    """
    kind = kind_of(attachment)
    if kind is DocumentKind.PDF:
        return True
    if attachment.content_type in _ENVELOPE_TYPES or attachment.content_type.startswith("message/"):
        return False
    if kind is DocumentKind.IMAGE and attachment.inline:
        return len(attachment.data) >= (INLINE_IMAGE if attachment.content_id else SMALL_IMAGE)
    is_text = attachment.content_type.startswith("text/")
    unnamed_text = is_text and (not attachment.named or _EXCHANGE_NAME.fullmatch(attachment.name) is not None)
    # A file that arrives with nothing in it was meant as something, and its sender must hear of it.
    meant = bool(attachment.data) or (attachment.named and not attachment.inline)
    return meant and not unnamed_text
