"""BER values as a tree (X.690 section 8), for the few structures of CMS; certificates inside stay octets.

Some mail programs send BER: indefinite lengths, strings in pieces. Our own reader, because `cryptography` reads DER
only (docs/decisions/0022-smime.md).
Promises for any bytes: a tree or MalformedError, in time linear in the input for a nesting of at most MAX_DEPTH.
"""

from dataclasses import dataclass, field

MAX_DEPTH = 32
SEQUENCE, SET, INTEGER, OCTETS, OID, NULL, UTC_TIME, GENERALIZED_TIME = 0x30, 0x31, 2, 4, 6, 5, 0x17, 0x18
CONSTRUCTED = 0x20
_MOST_NODES = 20_000


class MalformedError(ValueError):
    """These bytes are no BER, or not the structure that was expected."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value: its identifier octet, its content where it is primitive, its members where it is constructed, and all
    its octets as they came."""

    tag: int
    content: bytes = field(repr=False)
    members: tuple["Node", ...]
    raw: bytes = field(repr=False)

    @property
    def number(self) -> int:
        """Class and number without the mark of a constructed value."""
        return self.tag & ~CONSTRUCTED


@dataclass(slots=True)
class _Reader:
    data: bytes
    nodes: int = 0

    def read(self, at: int, end: int, depth: int) -> tuple[Node, int]:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > _MOST_NODES:
            raise MalformedError("nested too deeply")
        if at + 2 > end:
            raise MalformedError("cut short")
        start, tag = at, self.data[at]
        if tag & 0x1F == 0x1F:
            raise MalformedError("a tag number that CMS does not use")
        length, at = self._length(at + 1, end)
        if length is None:
            if not tag & CONSTRUCTED:
                raise MalformedError("a primitive value without length")
            members, at = self._members(at, end, depth, open_ended=True)
            return Node(tag, b"", members, self.data[start:at]), at
        if at + length > end:
            raise MalformedError("cut short")
        stop = at + length
        if tag & CONSTRUCTED:
            members, _ = self._members(at, stop, depth, open_ended=False)
            return Node(tag, b"", members, self.data[start:stop]), stop
        return Node(tag, self.data[at:stop], (), self.data[start:stop]), stop

    def _length(self, at: int, end: int) -> tuple[int | None, int]:
        first = self.data[at]
        if first < 0x80:
            return first, at + 1
        if first == 0x80:
            return None, at + 1
        count = first & 0x7F
        if count > 4 or at + 1 + count > end:
            raise MalformedError("a length that cannot be")
        return int.from_bytes(self.data[at + 1 : at + 1 + count]), at + 1 + count

    def _members(self, at: int, end: int, depth: int, *, open_ended: bool) -> tuple[tuple[Node, ...], int]:
        members: list[Node] = []
        while True:
            if open_ended and self.data[at : at + 2] == b"\x00\x00" and at + 2 <= end:
                return tuple(members), at + 2
            if at >= end:
                if open_ended:
                    raise MalformedError("a value without end")
                return tuple(members), at
            node, at = self.read(at, end, depth + 1)
            members.append(node)


def read(data: bytes) -> Node:
    """The one value that these bytes are; only line ends may follow it. Raises MalformedError."""
    node, at = _Reader(data).read(0, len(data), 0)
    if data[at:].strip(b"\r\n\x00"):
        raise MalformedError("something follows the value")
    return node


def members(node: Node, tag: int) -> tuple[Node, ...]:
    """The members of a constructed value of that tag. Raises MalformedError for another one."""
    if node.tag != tag or not tag & CONSTRUCTED:
        raise MalformedError("another kind of value was expected")
    return node.members


def octets(node: Node, tag: int = OCTETS) -> bytes:
    """The content of an octet string, put together where it came in pieces (X.690 section 8.7)."""
    if node.number != tag:
        raise MalformedError("octets were expected")
    if not node.tag & CONSTRUCTED:
        return node.content
    return b"".join(octets(piece) for piece in node.members)


def identifier(node: Node) -> str:
    """An object identifier with dots (X.690 section 8.19). Raises MalformedError."""
    if node.tag != OID or not node.content or node.content[-1] & 0x80 or len(node.content) > 64:
        raise MalformedError("an object identifier was expected")
    numbers, value = [], 0
    for octet in node.content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def integer(node: Node) -> int:
    """A whole number. Raises MalformedError for anything longer than a serial number may be."""
    if node.tag != INTEGER or not 1 <= len(node.content) <= 32:
        raise MalformedError("a number was expected")
    return int.from_bytes(node.content, signed=True)
