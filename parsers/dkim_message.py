"""A message as DKIM sees it (RFC 6376 section 3.4): header fields octet for octet, and the body.

Promises: `split` refuses every header that two readers could cut differently (lone CR or LF, controls, blanks before a
colon, lines of blanks), so that what is verified here is what `parsers.mail` reads.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


class UnsoundError(ValueError):
    """Why a message or a signature cannot be relied on; `code` is for the log, without content."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Field:
    """One header field: its name in lower case, and its octets with the CRLF at the end."""

    name: str
    raw: bytes

    @property
    def body(self) -> bytes:
        """What stands behind the colon, folding as it came."""
        return self.raw.partition(b":")[2]


@dataclass(frozen=True, slots=True)
class Wire:
    """One message: its header fields from the top, and its body."""

    fields: tuple[Field, ...]
    body: bytes

    def all(self, name: str) -> tuple[Field, ...]:
        """Every field of that name (lower case), from the top."""
        return tuple(each for each in self.fields if each.name == name)


_ODD_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NAME = re.compile(rb"[!-9;-~]+(?=:)")


def split(raw: bytes) -> Wire:
    """Cut a message into fields and body. Raises UnsoundError for a header that is not RFC 5322 to the letter.

    A message that holds no CRLF at all was stored with the line ends of this system; it is read as if it had them.
    """
    if b"\r\n" not in raw:
        raw = raw.replace(b"\n", b"\r\n")
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        head = raw.removesuffix(b"\r\n")
    if _ODD_LINE_END.search(head):
        raise UnsoundError("header_line_ends")
    if _CONTROL.search(head):
        raise UnsoundError("header_controls")
    fields: list[tuple[str, list[bytes]]] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            if not fields or not line.strip():
                raise UnsoundError("header_malformed")
            fields[-1][1].append(line)
            continue
        name = _NAME.match(line)
        if name is None:
            raise UnsoundError("header_malformed")
        fields.append((name[0].decode("ascii").lower(), [line]))
    return Wire(tuple(Field(name, b"\r\n".join(lines) + b"\r\n") for name, lines in fields), body)


_BLANKS = re.compile(rb"[ \t]+")


def canonical_body(body: bytes, *, relaxed: bool) -> bytes:
    """The body as it is hashed (RFC 6376 sections 3.4.3 and 3.4.4)."""
    if relaxed:
        body = _BLANKS.sub(b" ", body).replace(b" \r\n", b"\r\n").removesuffix(b" ")
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    if not end:
        return b"" if relaxed else b"\r\n"
    return body[:end] + b"\r\n"


def canonical_field(raw: bytes, *, relaxed: bool) -> bytes:
    """One field as it is hashed, CRLF kept (RFC 6376 sections 3.4.1 and 3.4.2)."""
    if not relaxed:
        return raw
    name, _, value = raw.partition(b":")
    value = _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip(b" \t").lower() + b":" + value + b"\r\n"


def signed_fields(wire: Wire, names: Iterable[str], *, relaxed: bool) -> bytes:
    """The fields that `h=` names, each time the next one from the bottom; one that is not there is nothing (RFC 6376
    section 5.4.2)."""
    left = {name: list(wire.all(name)) for name in set(names)}
    return b"".join(canonical_field(left[name].pop().raw, relaxed=relaxed) for name in names if left[name])
