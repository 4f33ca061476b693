"""What Outlook packs into winmail.dat (TNEF): the attached files, their true names, and mails within.

Exchange sends this to receivers outside when a mail was written as rich text; the form is then nowhere else in the
mail. The format is Microsoft's, published as [MS-OXTNEF]: a signature, then attributes of level, identifier, length,
data and checksum; the properties of an attachment ([MS-OXCMAIL], [MS-OXPROPS]) hold its long name. Only what is needed
to find files is read (docs/decisions/0016). Trusts nothing: every length is checked against what is there, and a
stream that ends early gives what stood before the end. Weak: a text that stands only in here is not read.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from parsers import charsets

SIGNATURE = b"\x78\x9f\x3e\x22"
# An attribute is 11 octets at least; nobody attaches a tenth as many files.
_MOST_ATTRIBUTES = 20_000
_MOST_PROPERTIES = 2_000

_CODE_PAGE, _SUBJECT, _MESSAGE_PROPERTIES = 0x00069007, 0x00018004, 0x00069003
_BEGIN, _TITLE, _DATA, _PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005

_PR_SUBJECT, _PR_DISPLAY_NAME, _PR_CONTENT = 0x0037, 0x3001, 0x3701
_PR_SHORT_NAME, _PR_LONG_NAME = 0x3704, 0x3707
_STRING8, _UNICODE, _BINARY, _OBJECT = 0x001E, 0x001F, 0x0102, 0x000D
_VARIABLE = frozenset({_STRING8, _UNICODE, _BINARY, _OBJECT})
# Octets of a value of fixed size as it stands in the stream, where each is padded to four ([MS-OXTNEF] 2.1.3.3.5).
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_MULTIPLE = 0x1000
_NAMED = 0x8000
# The interface identifier that stands before an embedded object.
_IDENTIFIER = 16


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file of the stream; `message` where the data is a stream of its own, an attached mail."""

    name: str
    data: bytes
    message: bool = False


@dataclass(frozen=True, slots=True)
class Winmail:
    """What a stream holds; `whole` is False where it ended early or made no sense from some place on."""

    subject: str
    files: tuple[PackedFile, ...]
    whole: bool


@dataclass(slots=True)
class _File:
    """One attachment while its attributes come in."""

    title: bytes = b""
    data: bytes = b""
    names: dict[int, str] = field(default_factory=dict)
    message: bool = False

    def close(self, label: str) -> PackedFile | None:
        if not (self.title or self.data or self.names):
            return None
        short = _string(self.title, label)
        name = next((self.names[key] for key in (_PR_LONG_NAME, _PR_SHORT_NAME) if self.names.get(key)), "")
        return PackedFile(name or short or self.names.get(_PR_DISPLAY_NAME, ""), self.data, self.message)


class _Short(Exception):
    """The stream ends before what it announces."""


def is_tnef(data: bytes) -> bool:
    """Whether bytes begin as winmail.dat does."""
    return data.startswith(SIGNATURE)


def open_winmail(data: bytes) -> Winmail:
    """The files of a stream. Never raises; what is no stream at all gives none and is not whole."""
    if not is_tnef(data):
        return Winmail("", (), whole=False)
    label, subject = "cp932", ""
    files: list[PackedFile] = []
    current = _File()
    whole = True
    try:
        for identifier, value in _attributes(data):
            if identifier == _CODE_PAGE and len(value) >= 4:
                label = f"cp{struct.unpack_from('<I', value)[0]}"
            elif identifier == _SUBJECT:
                subject = subject or _string(value, label)
            elif identifier == _MESSAGE_PROPERTIES:
                subject = next((text for key, text in _texts(value, label) if key == _PR_SUBJECT), subject)
            elif identifier == _BEGIN:
                files += _closed(current, label)
                current = _File()
            elif identifier == _TITLE:
                current.title = value
            elif identifier == _DATA:
                current.data = value
            elif identifier == _PROPERTIES:
                _take_properties(current, value, label)
    except _Short:
        whole = False
    files += _closed(current, label)
    return Winmail(charsets.clean_line(subject), tuple(files), whole)


def _closed(current: _File, label: str) -> list[PackedFile]:
    packed = current.close(label)
    return [packed] if packed else []


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 6  # signature and key
    for _ in range(_MOST_ATTRIBUTES):
        if at >= len(data):
            return
        if at + 9 > len(data):
            raise _Short
        _, identifier, length = struct.unpack_from("<BII", data, at)
        at += 9
        if at + length > len(data):
            # What there is of the last one may still be a document.
            yield identifier, data[at:]
            raise _Short
        yield identifier, data[at : at + length]
        at += length + 2  # the checksum is not looked at: a wrong one changes nothing about what to do
    raise _Short


def _take_properties(current: _File, value: bytes, label: str) -> None:
    for key, kind, content in _properties(value):
        if kind in (_STRING8, _UNICODE):
            current.names.setdefault(key, _property_text(kind, content, label))
        elif key == _PR_CONTENT and kind == _OBJECT and is_tnef(content[_IDENTIFIER:]):
            current.data, current.message = content[_IDENTIFIER:], True
        elif key == _PR_CONTENT and not current.data:
            current.data = content[_IDENTIFIER:] if kind == _OBJECT else content


def _texts(value: bytes, label: str) -> Iterator[tuple[int, str]]:
    for key, kind, content in _properties(value):
        if kind in (_STRING8, _UNICODE):
            yield key, _property_text(kind, content, label)


def _properties(value: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Identifier, type and content of each property of variable size; those of fixed size are passed over."""
    count, at = _number(value, 0), 4
    for _ in range(min(count, _MOST_PROPERTIES)):
        kind, key = _number(value, at) & 0xFFFF, _number(value, at) >> 16
        at += 4
        if key >= _NAMED:
            at += _IDENTIFIER
            # Named by a number or by a text in UTF-16.
            at = at + 8 if _number(value, at) == 0 else _padded(at + 8 + _number(value, at + 4))
        plain = kind & ~_MULTIPLE
        if plain not in _VARIABLE:
            if plain not in _FIXED:
                raise _Short
            values = 1
            if kind & _MULTIPLE:
                values, at = _number(value, at), at + 4
            at += values * _FIXED[plain]
            continue
        values, at = _number(value, at), at + 4
        for _ in range(min(values, _MOST_PROPERTIES)):
            length, at = _number(value, at), at + 4
            if at + length > len(value):
                raise _Short
            yield key, plain, value[at : at + length]
            at = _padded(at + length)


def _number(value: bytes, at: int) -> int:
    if at + 4 > len(value):
        raise _Short
    return int.from_bytes(value[at : at + 4], "little")


def _padded(at: int) -> int:
    return -(-at // 4) * 4


def _property_text(kind: int, content: bytes, label: str) -> str:
    if kind == _UNICODE:
        return content.decode("utf-16-le", "replace").partition("\0")[0]
    return _string(content, label)


def _string(content: bytes, label: str) -> str:
    return charsets.decode(content.partition(b"\0")[0], label).text
