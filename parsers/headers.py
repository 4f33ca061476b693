"""The grammar of structured header fields: addresses, parameters, message identifiers.

Fields are read as text whose encoded words are still in place (`charsets.wire_text`), so that no decoded comma, quote
or angle bracket can change the structure; each name is decoded after it has been cut out.
"""

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from parsers import charsets
from parsers.charsets import Decoded
from parsers.encoded_words import decode_words

# More than any mail to this service can mean; the rest of a longer list is reported, not read.
MAX_ADDRESSES = 1000


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox: the decoded display name (may be empty) and the addr-spec as it stood."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class AddressList:
    """The mailboxes of one field. `malformed` when the text could be understood in more than one way."""

    addresses: tuple[Address, ...]
    malformed: bool


_MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
# RFC 5322 section 3.4.1, and RFC 6532 for letters beyond ASCII. Controls, directional marks and zero-width characters
# have no place in an address: they make two different ones look alike.
_PLAIN = r"""[^\s"(),:;<>@\[\]\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffd]+"""
_ADDR_SPEC = re.compile(
    rf"""(?:{_PLAIN}|"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\[\x20-\x7e])*")@(?:{_PLAIN}|\[[\x21-\x5a\x5e-\x7e]*\])"""
)
_PARAMETER = re.compile(r"[\s;]*([^\s=;]+)\s*=\s*")
_ATOM = re.compile(r"""[^\s"(),:;<]+""")


def message_ids(text: str) -> tuple[str, ...]:
    """Every `<...>` of Message-ID, In-Reply-To or References, in order, brackets kept (RFC 5322 section 3.6.4)."""
    return tuple(dict.fromkeys(_MESSAGE_ID.findall(text)))


def read_moment(text: str) -> datetime | None:
    """A Date field as an aware moment in UTC, or None where nothing can be made of it (RFC 5322 section 3.3)."""
    try:
        moment = parsedate_to_datetime(text)
        # "-0000" says that the zone is unknown; the time then is that of UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def read_quoted(text: str, at: int) -> tuple[str, int]:
    """The content of the quoted string that opens at `at`, and the place after it (RFC 5322 section 3.2.4).

    One that is never closed reaches to the end; the place is then one past the text, which tells it apart.
    """
    out: list[str] = []
    at += 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        out.append(text[at])
        at += 1
    return "".join(out), at + 1


def read_comment(text: str, at: int) -> tuple[str, int]:
    """The content of the comment that opens at `at`, nested ones included, and the place after it (section 3.2.2).

    One that is never closed reaches to the end; the place is then one past the text.
    """
    depth, start = 0, at + 1
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return text[start:at], at + 1
        at += 1
    return text[start:], len(text) + 1


@dataclass(slots=True)
class _Mailbox:
    """What has been read of one list member so far."""

    phrase: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    angle: str | None = None
    malformed: bool = False

    def close(self) -> Iterator[tuple[Address | None, bool]]:
        """The address, if there is one, and whether its text was doubtful."""
        if self.angle is not None:
            # An obsolete source route stands before the address (RFC 5322 section 4.4).
            address = re.sub(r"^(?:@[^\s@:,]+,?)+:", "", self.angle.strip())
            yield _checked(" ".join(self.phrase), address, malformed=self.malformed)
        elif "".join(self.bare).strip():
            # `user@host (Name)` is how names were written before angle brackets.
            name = self.comments[-1] if self.comments else ""
            yield _checked(name, "".join(self.bare).strip(), malformed=self.malformed)


def _checked(name: str, address: str, *, malformed: bool) -> tuple[Address | None, bool]:
    decoded = charsets.clean_line(decode_words(name).text)
    if _ADDR_SPEC.fullmatch(address):
        return Address(decoded, address), malformed
    loose = [word for word in address.split() if _ADDR_SPEC.fullmatch(word)]
    # Words of which exactly one is an address are useful for an answer and never good for a decision.
    return (Address(decoded, loose[0]) if len(loose) == 1 else None), True


def read_addresses(text: str) -> AddressList:
    """The mailboxes of a From, To, Cc or Reply-To field, groups opened (RFC 5322 section 3.4). Never raises."""
    found: list[Address] = []
    malformed = False
    for address, doubtful in _members(text):
        malformed = malformed or doubtful
        if address is not None:
            found.append(address)
        if len(found) >= MAX_ADDRESSES:
            return AddressList(tuple(found), malformed=True)
    return AddressList(tuple(found), malformed)


def _members(text: str) -> Iterator[tuple[Address | None, bool]]:
    at, box = 0, _Mailbox()
    while at < len(text):
        char = text[at]
        if char in ",;":
            yield from box.close()
            box, at = _Mailbox(), at + 1
        elif char == ":":
            # The name of a group stands before the colon; a colon after an address has no meaning.
            box = _Mailbox(malformed=box.angle is not None or any("@" in piece for piece in box.bare))
            at += 1
        else:
            at = _piece(text, at, box)
    yield from box.close()


def _piece(text: str, at: int, box: _Mailbox) -> int:
    """Read one lexical piece of a list member into `box`; the place after it."""
    char = text[at]
    if char == '"':
        content, at = read_quoted(text, at)
        box.malformed |= at > len(text) or box.angle is not None
        box.phrase.append(content)
        escaped = content.replace("\\", "\\\\").replace('"', '\\"')
        box.bare.append(f'"{escaped}"')
        return at
    if char == "(":
        content, at = read_comment(text, at)
        box.malformed |= at > len(text)
        box.comments.append(content)
        return at
    if char == "<":
        content, at = _angle(text, at)
        # Two pairs of brackets, or an unclosed one: which address is meant?
        box.malformed |= at > len(text) or box.angle is not None
        box.angle = content
        return at
    atom = _ATOM.match(text, at)
    if atom is None:
        # A blank is kept: without brackets an address is one word, and joining two words would invent an address.
        box.malformed |= not char.isspace()
        box.bare.append(" " if char.isspace() else char)
        return at + 1
    box.malformed |= box.angle is not None
    box.phrase.append(atom.group())
    box.bare.append(atom.group())
    return atom.end()


def _angle(text: str, at: int) -> tuple[str, int]:
    out: list[str] = []
    at += 1
    while at < len(text) and text[at] != ">":
        if text[at] == '"':
            start = at
            _, at = read_quoted(text, at)
            out.append(text[start:at])
        elif text[at] == "(":
            _, at = read_comment(text, at)
        else:
            out.append(text[at])
            at += 1
    return "".join(out), at + 1


def first_token(text: str) -> str:
    """The value of a field before its first parameter, comment or blank, in lower case."""
    found = re.match(r"\s*([^\s;(),\"]*)", text)
    return found[1].lower() if found else ""


_SECTION = re.compile(r"\*(0|[1-9][0-9]{0,2})")


def read_parameter(text: str, name: str) -> Decoded | None:
    """A parameter of Content-Type or Content-Disposition, decoded, or None where it is missing.

    Reads RFC 2231 (character set, sections, also when cut in the middle of a character) and what senders do instead:
    encoded words in quotes, raw 8-bit text. The extended form wins over the plain one, which is its fallback.
    """
    plain: str | None = None
    whole: tuple[str, bool] | None = None
    sections: dict[int, tuple[str, bool]] = {}
    for key, value in _parameters(text):
        if key == name:
            plain = value if plain is None else plain
        elif key == name + "*":
            whole = whole or (value, True)
        elif key.startswith(name + "*"):
            extended = key.endswith("*")
            number = _SECTION.fullmatch(key.removesuffix("*")[len(name) :])
            if number:
                sections.setdefault(int(number[1]), (value, extended))
    if 0 in sections:
        # A gap ends the value: what follows may belong to another one.
        end = next(at for at in range(len(sections) + 1) if at not in sections)
        return _decode_sections([sections[at] for at in range(end)])
    if whole:
        return _decode_sections([whole])
    return decode_words(plain) if plain is not None else None


def _decode_sections(sections: list[tuple[str, bool]]) -> Decoded:
    first, extended = sections[0]
    label: str | None = None
    if extended and first.count("'") >= 2:
        label, _, first = first.split("'", 2)
        sections = [(first, True), *sections[1:]]
    if not any(extended for _, extended in sections):
        # Sections without a character set; senders put pieces of one encoded word in them.
        return decode_words("".join(value for value, _ in sections))
    data = b"".join(
        urllib.parse.unquote_to_bytes(value) if extended else value.encode("utf-8", "replace")
        for value, extended in sections
    )
    return charsets.decode(data, label)


def _parameters(text: str) -> Iterator[tuple[str, str]]:
    """The parameters after the first semicolon, names in lower case, in order (RFC 2045 section 5.1)."""
    at = _skip_to_semicolon(text, 0)
    while at < len(text):
        start = _PARAMETER.match(text, at)
        if not start:
            at = _skip_to_semicolon(text, at + 1)
            continue
        at = start.end()
        if text[at : at + 1] == '"':
            value, at = read_quoted(text, at)
        else:
            # An unquoted value may hold blanks: `name=見積 書.pdf` is common, and cutting it loses the extension.
            end = text.find(";", at)
            end = len(text) if end < 0 else end
            value, at = text[at:end].strip(), end
        yield start[1].lower(), value
        at = _skip_to_semicolon(text, at)


def _skip_to_semicolon(text: str, at: int) -> int:
    while at < len(text) and text[at] != ";":
        if text[at] == '"':
            _, at = read_quoted(text, at)
        elif text[at] == "(":
            _, at = read_comment(text, at)
        else:
            at += 1
    return at
