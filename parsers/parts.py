"""The MIME tree of a mail: which leaves are its text, which are attachments.

The tree is the compat32 message that mail-parser opened; bytes are decoded here, because the payloads that mail-parser
and the standard library's own decoding give have lost bytes where a label is wrong (field notes, mail.md section 5).
Nothing below raises on any message, and no leaf is dropped: what passes the limits is kept as one attachment.
"""

import binascii
import copy
import email
import re
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import Any

from parsers import charsets
from parsers.attachments import Attachment, is_pdf, safe_name
from parsers.bodies import html_to_text, unflow
from parsers.charsets import Decoded
from parsers.headers import first_token, read_parameter
from parsers.survey import MAX_FIELD

# A mail of a person has some ten parts in three levels; a digest or a long chain of forwards stays well below these.
MAX_PARTS = 500
MAX_DEPTH = 25
# Octets of body text that are read as text; what a person writes is a thousandth of it, and more is kept as a file.
MAX_TEXT = 4 * 1024 * 1024

_CID = re.compile(r"""\bcid:([^"'\s<>)]{1,250})""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Text:
    """One leaf of body text as it will be shown, and whether it came from HTML."""

    text: str
    html: bool


@dataclass(slots=True)
class Contents:
    """What a walk over the tree collected. `text` is the body; `defects` are short codes without content;
    `read` are the octets of text read so far."""

    text: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    cids: set[str] = field(default_factory=set)
    leaves: int = 0
    read: int = 0

    def note(self, defect: str) -> None:
        """Record a defect once."""
        if defect not in self.defects:
            self.defects.append(defect)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the tree a part stands: its section number, how deep, in a forwarded mail, in a delivery report."""

    part: str
    depth: int = 0
    forwarded: bool = False
    report: bool = False

    def child(self, number: int, *, report: bool = False) -> "_Place":
        section = f"{self.part}.{number}" if self.part else str(number)
        return _Place(section, self.depth + 1, self.forwarded, report)

    def inside(self) -> "_Place":
        return _Place(f"{self.part or '1'}!", self.depth + 1, forwarded=True)


def field_bytes(part: Message, name: str) -> list[bytes]:
    """The raw bodies of every header field of that name, from the top; the bytes as they came."""
    return [_bytes_of(value) for key, value in part.raw_items() if key.lower() == name]


def _bytes_of(value: object) -> bytes:
    # Raw 8-bit bytes stand in compat32 values as lone surrogates.
    return str(value).encode("utf-8", "surrogateescape")


def _field_text(part: Message, name: str) -> str:
    # No honest field is longer, and the readers of parameters go through it letter by letter.
    values = field_bytes(part, name)
    return charsets.wire_text(values[0][:MAX_FIELD]).text if values else ""


def collect(message: Message, raw: bytes) -> Contents:
    """Walk the whole message. `raw` is kept as an attachment of its own where the limits cut the walk short."""
    found = Contents()
    texts = _walk(message, _Place(""), found)
    found.text = "\n".join(text.text for text in texts)
    found.attachments = [_with_reference(attachment, found.cids) for attachment in found.attachments]
    if {"nested_too_deeply", "too_many_parts"} & set(found.defects):
        found.attachments.append(whole_mail(raw))
    return found


def whole_mail(raw: bytes) -> Attachment:
    """The mail itself as an attachment, for what could not be taken apart."""
    return Attachment("original.eml", "message/rfc822", raw, inline=False, named=False)


def _with_reference(attachment: Attachment, cids: set[str]) -> Attachment:
    """RFC 2392: an HTML text shows a part by its Content-ID, whatever the disposition says."""
    if attachment.inline or attachment.content_id not in cids:
        return attachment
    return replace(attachment, inline=True)


def _walk(part: Message, place: _Place, found: Contents) -> list[_Text]:
    if place.depth > MAX_DEPTH:
        found.note("nested_too_deeply")
        return []
    if found.leaves >= MAX_PARTS:
        found.note("too_many_parts")
        return []
    content_type = _type_of(part)
    children = _children(part)
    if content_type.startswith("message/") and content_type != "message/delivery-status" and len(children) == 1:
        return _forwarded(part, children[0], place, found)
    if part.is_multipart() and content_type.startswith("multipart/"):
        report = content_type == "multipart/report"
        texts = [_walk(child, place.child(at, report=report), found) for at, child in enumerate(children, 1)]
        if part.epilogue and str(part.epilogue).strip():
            _keep_epilogue(str(part.epilogue), place, found)
        return (
            _alternative(texts) if content_type == "multipart/alternative" else [one for each in texts for one in each]
        )
    return _leaf(part, content_type, place, found)


def _keep_epilogue(text: str, place: _Place, found: Contents) -> None:
    """What a broken sender or a gateway put behind the last boundary; readers disagree about whether it is there."""
    found.note("text_after_last_boundary")
    section = f"{place.part or '0'}.end"
    found.attachments.append(
        Attachment(
            f"part-{section}.txt",
            "text/plain",
            _bytes_of(text),
            inline=True,
            part=section,
            forwarded=place.forwarded,
            named=False,
        )
    )


def _children(part: Message) -> list[Message]:
    # A payload that is text is never asked for this way: the standard library would read it by its label.
    payload: Any = part.get_payload() if part.is_multipart() else []
    return [child for child in payload if isinstance(child, Message)]


def _type_of(part: Message) -> str:
    declared = first_token(_field_text(part, "content-type"))
    # RFC 2045 section 5.2: what cannot be understood is text/plain; in a digest a part is a message by default.
    return declared if re.fullmatch(r"[^/]+/[^/]+", declared) else part.get_default_type()


def _alternative(texts: list[list[_Text]]) -> list[_Text]:
    """RFC 2046 section 5.1.4 shows the last; plain text says the same and loses nothing, so it goes first here."""
    spoken = [each for each in texts if any(one.text.strip() for one in each)]
    plain = [each for each in spoken if not any(one.html for one in each)]
    return (plain or spoken or [[]])[0]


def _forwarded(part: Message, child: Message, place: _Place, found: Contents) -> list[_Text]:
    if place.report:
        # The returned mail of a delivery report is ours or a stranger's, never an application.
        _keep(part, "message/rfc822", _flattened(child), place, found)
        return []
    encoding = first_token(_field_text(part, "content-transfer-encoding"))
    if encoding in ("base64", "quoted-printable"):
        # RFC 2046 section 5.2.1 forbids it and it happens; the standard library read the code as a message.
        data, damaged = _decoded(_flattened(child).lstrip(b"\r\n"), encoding)
        if damaged:
            found.note("encoding_damaged")
        return _open_inner(data, part, "message/rfc822", place, found)
    _walk_inner(child, place, found)
    return []


def _walk_inner(message: Message, place: _Place, found: Contents) -> None:
    """A mail inside the mail: its documents count, its words are not the sender's words."""
    inner = place.inside()
    before = len(found.attachments)
    for at, text in enumerate(_walk(message, inner, found), 1):
        if text.text.strip():
            name = f"part-{place.part or '1'}-{at}.txt"
            data = text.text.encode("utf-8")
            found.attachments.insert(
                before, Attachment(name, "text/plain", data, inline=False, part=inner.part, forwarded=True, named=False)
            )
            before += 1


def _open_inner(data: bytes, part: Message, content_type: str, place: _Place, found: Contents) -> list[_Text]:
    message = parse(data)
    if message is None or not message.keys():
        _keep(part, content_type, data, place, found)
    else:
        _walk_inner(message, place, found)
    return []


def parse(data: bytes) -> Message | None:
    """The compat32 message by the standard library, or None where its parser gives up."""
    try:
        return email.message_from_bytes(data)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError):
        # RecursionError: nesting without end. The others come from parameters of Content-Type such as a section
        # number with thousands of digits or a character set that cannot be one.
        return None


def _flattened(message: Message) -> bytes:
    try:
        return message.as_bytes()
    except (UnicodeError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # The generator refuses a few broken headers; the text of the part is kept without them.
        return _wire_bytes(message)


def _wire_bytes(part: Message) -> bytes:
    """The octets of a leaf as they came.

    Taken from a copy without type and encoding: with them, the standard library would have read the octets through
    the character set of the label and lost what that does not know.
    """
    if part.is_multipart():
        return b""
    bare = copy.copy(part)
    del bare["content-type"], bare["content-transfer-encoding"]
    wire = bare.get_payload(decode=True)
    return wire if isinstance(wire, bytes) else b""


def _leaf(part: Message, content_type: str, place: _Place, found: Contents) -> list[_Text]:
    found.leaves += 1
    data = leaf_bytes(part, found)
    name = _name_of(part, found)
    disposition = first_token(_field_text(part, "content-disposition"))
    if content_type == "message/delivery-status":
        _keep(part, content_type, data, place, found)
        return []
    if name.text.lower().endswith(".eml") and not is_pdf(data):
        return _open_inner(data, part, content_type, place, found)
    # A container whose parts could not be told apart is shown as the text it is.
    is_text = content_type in ("text/plain", "text/html") or content_type.startswith("multipart/")
    if not is_text or disposition == "attachment" or name.text or is_pdf(data):
        _keep(part, content_type, data, place, found)
        return []
    if found.read + len(data) > MAX_TEXT:
        found.note("text_too_long")
        _keep(part, content_type, data, place, found)
        data = _whole_lines(data, MAX_TEXT - found.read)
    found.read += len(data)
    return [_read_text(part, content_type, data, found)]


def _whole_lines(data: bytes, most: int) -> bytes:
    start = data[:most]
    return start[: start.rfind(b"\n") + 1]


def _name_of(part: Message, found: Contents) -> Decoded:
    name = read_parameter(_field_text(part, "content-disposition"), "filename")
    if name is None or not name.text.strip():
        name = read_parameter(_field_text(part, "content-type"), "name")
    if name is None:
        return Decoded("", "utf-8", damaged=False)
    if name.damaged:
        found.note("name_damaged")
    return name


def _keep(part: Message, content_type: str, data: bytes, place: _Place, found: Contents) -> None:
    name = _name_of(part, found).text
    disposition = first_token(_field_text(part, "content-disposition"))
    identifier = _field_text(part, "content-id").strip().strip("<>")
    section = place.part or "1"
    found.attachments.append(
        Attachment(
            name=safe_name(name, part=section, data=data),
            content_type=content_type,
            data=data,
            inline=disposition == "inline",
            content_id=identifier[:250],
            part=section,
            forwarded=place.forwarded,
            named=bool(name.strip()),
        )
    )


def _read_text(part: Message, content_type: str, data: bytes, found: Contents) -> _Text:
    parameters = _field_text(part, "content-type")
    label = read_parameter(parameters, "charset")
    html = content_type == "text/html"
    name = label.text if label else _meta_charset(data) if html else None
    decoded = charsets.decode(data, name)
    if decoded.damaged or "\x00" in decoded.text:
        found.note("text_damaged")
    text = decoded.text.replace("\x00", charsets.REPLACEMENT).replace("\r\n", "\n").replace("\r", "\n")
    if html:
        found.cids.update(_CID.findall(text))
        return _Text(html_to_text(text), html=True)
    flowed = read_parameter(parameters, "format")
    if flowed and flowed.text.strip().lower() == "flowed":
        delsp = read_parameter(parameters, "delsp")
        text = unflow(text, delsp=bool(delsp and delsp.text.strip().lower() == "yes"))
    return _Text(text, html=False)


def _meta_charset(data: bytes) -> str | None:
    found = re.search(rb"<meta[^<>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", data[:4096], re.IGNORECASE)
    return found[1].decode("ascii") if found else None


def leaf_bytes(part: Message, found: Contents) -> bytes:
    """The content of a leaf with its transfer encoding undone (RFC 2045 section 6); damage is noted, not fatal."""
    if part.is_multipart():
        # message/delivery-status: the blocks of fields are messages without a body (RFC 3464 section 2.1).
        return b"\n".join(_flattened(block).rstrip(b"\r\n") + b"\n" for block in _children(part))
    encoding = first_token(_field_text(part, "content-transfer-encoding"))
    data, damaged = _decoded(_wire_bytes(part), encoding)
    if damaged:
        found.note("encoding_damaged")
    return data


def _decoded(wire: bytes, encoding: str) -> tuple[bytes, bool]:
    if encoding == "base64":
        return charsets.base64_bytes(wire)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(wire), False
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _uudecoded(wire)
    return wire, False


def _uudecoded(wire: bytes) -> tuple[bytes, bool]:
    lines = wire.splitlines()
    begin = next((at for at, line in enumerate(lines) if line.startswith(b"begin ")), None)
    if begin is None:
        return wire, True
    out = bytearray()
    for line in lines[begin + 1 :]:
        if line.strip() in (b"end", b"`"):
            break
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            return wire, True
    return bytes(out), False
