"""Octets of mails as Japanese mail programs write them: character sets, encoded words, parameters, parts.

Written apart from `parsers` on purpose, and nothing of it is imported: an encoder that shared a table with our decoder
would share its mistakes.
"""

import base64
import itertools
import quopri
from collections.abc import Iterator, Sequence
from random import Random

# Characters of cp932 that stand twice in it: mail in JIS and EUC uses the places that NEC chose (rows 89 to 92).
_NEC_SELECTED = {
    bytes((lead, trail)).decode("cp932"): (lead, trail)
    for lead in (0xED, 0xEE)
    for trail in [*range(0x40, 0x7F), *range(0x80, 0xFD)]
    if bytes((lead, trail)).decode("cp932", "ignore")
}


def _row_and_cell(char: str) -> tuple[int, int]:
    """The 7-bit codes of one double-byte character of Windows."""
    lead, trail = _NEC_SELECTED.get(char) or char.encode("cp932")
    row = (lead - (0x81 if lead < 0xE0 else 0xC1)) * 2 + 0x21
    if trail >= 0x9F:
        return row + 1, trail - 0x7E
    return row, trail - (0x20 if trail > 0x7F else 0x1F)


def jis(text: str) -> bytes:
    """ISO-2022-JP as Windows writes it (CP50221): NEC and IBM rows and half-width kana included."""
    out, mode = bytearray(), b"\x1b(B"
    for char in text:
        single = char.encode("cp932")
        wanted = b"\x1b(B" if char < "\x80" else b"\x1b(I" if len(single) == 1 else b"\x1b$B"
        if wanted != mode:
            out += wanted
            mode = wanted
        out += (
            single if char < "\x80" else bytes([single[0] & 0x7F]) if len(single) == 1 else bytes(_row_and_cell(char))
        )
    return bytes(out) + (b"" if mode == b"\x1b(B" else b"\x1b(B")


def euc(text: str) -> bytes:
    """EUC-JP as Windows writes it (CP51932)."""
    out = bytearray()
    for char in text:
        single = char.encode("cp932")
        if char < "\x80":
            out += single
        elif len(single) == 1:
            out += bytes((0x8E, single[0]))
        else:
            out += bytes(code | 0x80 for code in _row_and_cell(char))
    return bytes(out)


def encode(text: str, charset: str) -> bytes:
    """Text in the set that senders mean by a label."""
    name = charset.lower()
    if "2022" in name or "5022" in name:
        return jis(text)
    if "euc" in name or "51932" in name:
        return euc(text)
    return text.encode("utf-8" if name.startswith("utf") else "cp932")


# --- headers ---------------------------------------------------------------------------------------------------------


def words(text: str, charset: str, encoding: str = "B", *, piece: int = 12) -> str:
    """Encoded words of whole characters, folded: what the standard asks for."""
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    return "\r\n ".join(_word(encode(each, charset), charset, encoding) for each in pieces)


def torn_words(text: str, charset: str, random: Random) -> str:
    """Encoded words cut anywhere in the bytes, in the middle of characters and of JIS runs too."""
    data = encode(text, charset)
    cuts = sorted({0, len(data), *(random.randrange(len(data) + 1) for _ in range(len(data) // 18))})
    return "\r\n ".join(_word(data[one:other], charset, "B") for one, other in itertools.pairwise(cuts))


def _word(data: bytes, charset: str, encoding: str) -> str:
    if encoding == "B":
        return f"=?{charset}?B?{base64.b64encode(data).decode()}?="
    safe = "".join(chr(byte) if chr(byte).isalnum() and byte < 0x80 else f"={byte:02X}" for byte in data)
    return f"=?{charset}?Q?{safe}?="


def extended(name: str, text: str, charset: str, *, piece: int = 0) -> str:
    """A parameter after RFC 2231; with `piece` in sections of so many octets, wherever that cuts a character."""
    data = encode(text, charset)
    if not piece:
        return f"{name}*={charset}''{_percent(data)}"
    sections = [data[at : at + piece] for at in range(0, len(data), piece)]
    head = f"{charset}''"
    return ";\r\n ".join(f"{name}*{at}*={'' if at else head}{_percent(each)}" for at, each in enumerate(sections))


def _percent(data: bytes) -> str:
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 0x80 else f"%{byte:02X}" for byte in data)


def header(*fields: tuple[str, str | bytes]) -> bytes:
    """Fields as octets, the empty line behind them not included."""
    return b"".join(name.encode() + b": " + _octets(value) + b"\r\n" for name, value in fields)


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


# --- parts -----------------------------------------------------------------------------------------------------------


def coded(data: bytes, encoding: str) -> bytes:
    """A body under its transfer encoding."""
    if encoding == "base64":
        return base64.encodebytes(data).replace(b"\n", b"\r\n")
    if encoding == "one line":
        return base64.b64encode(data) + b"\r\n"
    if encoding == "quoted-printable":
        return quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return data


def text_part(text: str, charset: str, encoding: str, *, label: str | None = None, subtype: str = "plain") -> bytes:
    """A text part; `label` is what the sender writes where it is not what was meant, empty for none at all."""
    said = charset if label is None else label
    kind = f"text/{subtype}" + (f"; charset={said}" if said else "")
    body = encode(text.replace("\n", "\r\n"), charset)
    return header(("Content-Type", kind), ("Content-Transfer-Encoding", encoding)) + b"\r\n" + coded(body, encoding)


def file_part(
    data: bytes, content_type: str | bytes, disposition: str | bytes | None, encoding: str = "base64"
) -> bytes:
    """A part with a file."""
    fields: list[tuple[str, str | bytes]] = [("Content-Type", content_type)]
    fields.append(("Content-Transfer-Encoding", "base64" if encoding == "one line" else encoding))
    if disposition is not None:
        fields.append(("Content-Disposition", disposition))
    return header(*fields) + b"\r\n" + coded(data, encoding)


def bundle(subtype: str, parts: Sequence[bytes], random: Random, *, after: bytes = b"") -> bytes:
    """A multipart with its own header line; `after` stands behind its last boundary."""
    boundary = f"=_{random.getrandbits(64):016x}"
    head = header(("Content-Type", f'multipart/{subtype};\r\n boundary="{boundary}"'))
    return (
        head
        + b"\r\n"
        + b"".join(_between(parts, boundary.encode()))
        + b"\r\n--"
        + boundary.encode()
        + b"--\r\n"
        + after
    )


def _between(parts: Sequence[bytes], boundary: bytes) -> Iterator[bytes]:
    yield b"This is a multi-part message in MIME format.\r\n"
    for part in parts:
        yield b"\r\n--" + boundary + b"\r\n" + part
