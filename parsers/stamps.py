"""The reading of Authentication-Results fields (RFC 8601): the grammar, and which of them bear our own server's name.

Promises: a field is read by its grammar, comments and quoted strings included, so that no text inside one passes for a
result; a field under our name that breaks the grammar is told as broken and never left out.
"""

import re
from dataclasses import dataclass

from parsers.headers import read_comment, read_quoted


@dataclass(frozen=True, slots=True)
class Result:
    """One resinfo: `method`=`result`, and its properties as (ptype.property, value), names in lower case."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of the property `ptype.property`."""
        return tuple(value for key, value in self.properties if key == name)


@dataclass(frozen=True, slots=True)
class Stamp:
    """One Authentication-Results field."""

    authserv_id: str
    results: tuple[Result, ...]


class MalformedError(ValueError):
    """A field that does not follow the grammar of RFC 8601 section 2.2."""


# RFC 2045 section 5.1, with the letters beyond ASCII of RFC 8616.
_TOKEN = re.compile(r"[^\s()<>@,;:\\\"/\[\]?=\x00-\x1f\x7f]+")
# Keyword of RFC 5321 (Ldh-str), with the underscore that `smtp.rcpt_to` and others have in the field.
_KEYWORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?", re.ASCII)
# A bare property value: an address, a domain, or the base64 of a signature, which real servers leave unquoted.
_BARE_VALUE = re.compile(r"[^\s()<>,;\\\"\x00-\x1f\x7f]+")
_LOCAL_REST = re.compile(r"@[^\s()<>@,;:\\\"\x00-\x1f\x7f]+")


@dataclass(slots=True)
class _Reader:
    """A place in the text of one field; every step either moves on or raises MalformedError."""

    text: str
    at: int = 0

    def skip(self) -> None:
        """Blanks and comments (CFWS)."""
        while self.at < len(self.text):
            if self.text[self.at] == "(":
                _, self.at = read_comment(self.text, self.at)
                if self.at > len(self.text):
                    raise MalformedError("a comment is not closed")
            elif self.text[self.at] in " \t\r\n":
                self.at += 1
            else:
                return

    def ended(self) -> bool:
        self.skip()
        return self.at >= len(self.text)

    def take(self, pattern: re.Pattern[str]) -> str:
        self.skip()
        found = pattern.match(self.text, self.at)
        if not found:
            raise MalformedError("a word is missing")
        self.at = found.end()
        return found.group()

    def accept(self, char: str) -> bool:
        self.skip()
        if self.text.startswith(char, self.at):
            self.at += 1
            return True
        return False

    def expect(self, char: str) -> None:
        if not self.accept(char):
            raise MalformedError("a mark is missing")

    def quoted(self) -> str | None:
        self.skip()
        if not self.text.startswith('"', self.at):
            return None
        content, self.at = read_quoted(self.text, self.at)
        if self.at > len(self.text):
            raise MalformedError("a quoted string is not closed")
        return content

    def value(self) -> str:
        """A token or a quoted string."""
        quoted = self.quoted()
        return self.take(_TOKEN) if quoted is None else quoted

    def property_value(self) -> str:
        """A pvalue: a value, a domain or an address, whose local part may be quoted."""
        quoted = self.quoted()
        if quoted is None:
            return self.take(_BARE_VALUE)
        rest = _LOCAL_REST.match(self.text, self.at)
        if not rest:
            return quoted
        self.at = rest.end()
        # A local part that needed its quotes keeps them: it is part of the address.
        return f'"{quoted}"{rest.group()}' if not re.fullmatch(r"[^\s\"\\()<>@,;:]+", quoted) else quoted + rest.group()


def read_stamp(text: str) -> Stamp:
    """Read the body of one Authentication-Results field. Raises MalformedError for anything but the grammar."""
    reader = _Reader(text)
    authserv_id = reader.value()
    reader.skip()
    if reader.text[reader.at : reader.at + 1].isdigit() and reader.take(_TOKEN) != "1":
        raise MalformedError("an unknown version")
    results: list[Result] = []
    reader.expect(";")
    while not reader.ended():
        result = _read_result(reader)
        if result is not None:
            results.append(result)
        if not reader.ended():
            reader.expect(";")
    return Stamp(authserv_id, tuple(results))


def _read_result(reader: _Reader) -> Result | None:
    method = reader.take(_KEYWORD).lower()
    if method == "none" and (reader.ended() or reader.text[reader.at] == ";"):
        # no-result: nothing was checked.
        return None
    if reader.accept("/"):
        reader.take(_KEYWORD)
    reader.expect("=")
    result = reader.take(_KEYWORD).lower()
    properties: list[tuple[str, str]] = []
    while not reader.ended() and reader.text[reader.at] != ";":
        name = reader.take(_KEYWORD).lower()
        if name == "reason" and reader.accept("="):
            reader.value()
            continue
        reader.expect(".")
        name = f"{name}.{reader.take(_KEYWORD).lower()}"
        reader.expect("=")
        properties.append((name, reader.property_value()))
    return Result(method, result, tuple(properties))


def stamps_of(results: tuple[str, ...], authserv_id: str) -> list[Stamp | None]:
    """The stamps among these field bodies that bear our name; None for one that bears it and is malformed behind it."""
    found: list[Stamp | None] = []
    for text in results:
        try:
            name = _Reader(text).value()
        except MalformedError:
            # Without a readable name it is not our server's: ours keeps to the grammar.
            continue
        if name.lower() != authserv_id.lower():
            continue
        try:
            found.append(read_stamp(text))
        except MalformedError:
            found.append(None)
    return found
