"""Japanese bytes to text: the character sets of mail as it really arrives.

The label on a Japanese mail is often a sister of the true character set: `Shift_JIS` means Windows-31J, `ISO-2022-JP`
carries the NEC and IBM rows that the registered set does not have, and sometimes there is no label at all. Python's
own codecs follow the standards and lose those characters, so the two stateful sets are read here pair by pair and
mapped through cp932, which knows all of them (field notes, mail.md section 5).

Nothing is ever dropped: an undecodable byte becomes U+FFFD and the result says that it is damaged.
"""

import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text with the name of the character set it was read by; `damaged` when at least one byte had no meaning in it."""

    text: str
    charset: str
    damaged: bool


# Every name seen in mail for a set that we read by another name than the registered one. Compared in lower case
# with underscores folded to hyphens.
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "cp932": "shift-jis shiftjis sjis x-sjis x-shift-jis ms-kanji windows-31j cswindows31j cp932 ms932 x-ms-cp932 "
        "windows-932 sjis-win csshiftjis sjis-open shift-jis-ms",
        "iso-2022-jp": "iso-2022-jp iso2022-jp iso2022jp iso-2022-jp-1 iso-2022-jp-2 iso-2022-jp-3 iso-2022-jp-2004 "
        "iso-2022-jp-ext iso-2022-jp-ms cp50220 cp50221 cp50222 csiso2022jp csiso2022jp2 jis x-jis jis-ms "
        "windows-50220 windows-50221 windows-50222 x-windows-50220 x-windows-50221 x-windows-iso2022jp",
        "euc-jp": "euc-jp eucjp x-euc-jp x-eucjp x-euc ujis euc-jp-ms eucjp-ms eucjp-win cp51932 cp20932 "
        "cseucpkdfmtjapanese euc-jp-windows",
        "utf-8": "utf-8 utf8 unicode-1-1-utf-8 utf-8-sig utf8mb4",
        # The registered names of these are subsets of what senders put under them.
        "gb18030": "gb2312 gb-2312 gbk x-gbk cp936 csgb2312 gb18030",
        "cp949": "ks-c-5601-1987 euc-kr ksc5601 korean cp949",
        "cp1252": "iso-8859-1 iso8859-1 latin1 latin-1 windows-1252 cp1252",
    }
)
_ALIASES: Mapping[str, str] = MappingProxyType(
    {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()}
)
# A label that says nothing about 8-bit bytes: the bytes themselves decide.
_EMPTY_LABELS = frozenset({"us-ascii", "ascii", "ansi-x3.4-1968", "unknown-8bit", "x-unknown", "unknown", "default"})
# Text codecs of Python that no mail uses and that rewrite plain ASCII, so that a label could hide a text.
_REFUSED_CODECS = frozenset(
    {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "unicode-internal"}
)
_CHARSET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,39}", re.ASCII)
_JIS_ESCAPE = re.compile(rb"\x1b(?:\$[@AB]|\$\([A-Z@]|\([IJ]|&@\x1b\$B)")


def canonical(name: str | None) -> str | None:
    """The name under which we read a labelled character set, or None where the label is missing, says nothing, or
    names a set nobody knows: then the bytes decide."""
    if not name:
        return None
    folded = name.strip().strip("\"'").lower().replace("_", "-")
    if folded in _ALIASES:
        return _ALIASES[folded]
    if not _CHARSET_NAME.fullmatch(folded) or folded in _EMPTY_LABELS or folded in _REFUSED_CODECS:
        return None
    try:
        if folded.startswith(("utf-16", "utf-32")):
            b"\0\0\0\0".decode(folded)
            return folded
        # A set that reads plain letters as others (EBCDIC) is no charset of mail, and no codec at all is LookupError.
        return folded if b"approve".decode(folded) == "approve" else None
    except (LookupError, ValueError):
        return None


def decode(data: bytes, label: str | None = None) -> Decoded:
    """Read `data` by its label if that fits, else by what the bytes look like.

    The order of the look: JIS escape sequences, strict UTF-8, Windows-31J, EUC-JP. Where no set reads all of it, the
    label (or UTF-8) is kept with U+FFFD for what is broken, and `damaged` is set. Never raises.
    """
    if label is None and b"\x1b" not in data and data.isascii():
        return Decoded(data.decode("ascii"), "utf-8", damaged=False)  # nearly every header field
    charset = canonical(label)
    if _JIS_ESCAPE.search(data) and (charset is None or not charset.startswith(("utf-16", "utf-32", "iso-2022", "hz"))):
        # Escape sequences beat every other label: no other set gives them a meaning.
        charset = "iso-2022-jp"
    if charset is None or _contradicted(data, charset):
        charset = detect(data)
    found = _read(data, charset)
    if not found.damaged or _mostly_sound(found.text):
        return found
    second = _read(data, detect(data))
    return found if second.damaged else second


def detect(data: bytes) -> str:
    """The character set that unlabelled bytes are most likely in; `utf-8` where none fits. Never raises."""
    if _JIS_ESCAPE.search(data):
        return "iso-2022-jp"
    if data.isascii():
        return "utf-8"
    if not _read(data, "utf-8").damaged:
        return "utf-8"
    windows, euc = _read(data, "cp932"), _read(data, "euc-jp")
    if not windows.damaged and not euc.damaged:
        # Nearly every EUC-JP text is also valid Windows-31J, as a row of half-width kana that nobody would write.
        return "euc-jp" if _share(windows.text, "\uff61", "\uff9f") > 0.5 and _has_kana(euc.text) else "cp932"
    if not windows.damaged:
        return "cp932"
    return "utf-8" if euc.damaged else "euc-jp"


def _contradicted(data: bytes, charset: str) -> bool:
    """Whether 8-bit bytes are plainly not what their label says."""
    if data.isascii():
        return False
    if charset == "iso-2022-jp":
        return not _JIS_ESCAPE.search(data)
    if charset not in ("cp932", "euc-jp", "cp1252"):
        return False
    # These sets accept almost anything, and valid UTF-8 with Japanese in it does not come about by chance.
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return any("\u3041" <= char <= "\u9fff" for char in text)


def _mostly_sound(text: str) -> bool:
    """Whether so little of a text is broken that its character set was right and only a few bytes were lost."""
    foreign = sum(1 for char in text if char > "\x7f")
    return text.count(REPLACEMENT) * 10 <= foreign


def _share(text: str, low: str, high: str) -> float:
    foreign = [char for char in text if char > "\x7f"]
    return sum(low <= char <= high for char in foreign) / len(foreign) if foreign else 0.0


def _has_kana(text: str) -> bool:
    return any("\u3041" <= char <= "\u30fa" for char in text)


def _read(data: bytes, charset: str) -> Decoded:
    reader = _READERS.get(charset)
    text = reader(data) if reader else data.decode(charset, "replace")
    if charset == "utf-8":
        text = text.removeprefix("\ufeff")
    # A codec such as UTF-7 can produce half of a surrogate pair, which no file, database or mail accepts.
    text = re.sub("[\ud800-\udfff]", REPLACEMENT, text)
    return Decoded(text, charset, damaged=REPLACEMENT in text)


def _pair(row: int, cell: int) -> str:
    """One character of JIS X 0208 with the NEC and IBM rows; row and cell are its 7-bit codes, 0x21 to 0x7E."""
    lead = ((row - 0x21) >> 1) + 0x81
    if lead > 0x9F:
        lead += 0x40
    # Two rows share one lead byte; the odd one takes the lower half of the trail bytes and leaves out 0x7F.
    trail = cell + ((0x1F if cell < 0x60 else 0x20) if row & 1 else 0x7E)
    try:
        return bytes((lead, trail)).decode("cp932")
    except UnicodeDecodeError:
        return REPLACEMENT


def _each(run: bytes, character: Callable[[int, int], str]) -> str:
    return "".join(character(row, cell) for row, cell in zip(run[::2], run[1::2], strict=True))


def _pairs(run: bytes) -> str:
    """A run of 7-bit pairs of JIS X 0208. Rows that the standard codec knows go through it, for its speed, and are
    then respelt as cp932 spells them, so that a text does not depend on the way it was read."""
    try:
        return run.translate(_SET_HIGH_BIT).decode("euc_jp").translate(_CP932_SPELLING)
    except UnicodeDecodeError:
        return _each(run, _pair)


@cache
def _of_ibm() -> str:
    """What eucJP-ms has behind JIS X 0212, from row 83 cell 83 on: IBM's characters that are in neither set, in IBM's
    order (CP932 FA40 to FC4B). Not written out: editors turn half of them into their look-alikes."""
    codes = [bytes((lead, trail)) for lead in (0xFA, 0xFB, 0xFC) for trail in range(0x40, 0xFD) if trail != 0x7F]
    known = [char for char in (code.decode("cp932", "ignore") for code in codes) if char > "\x7f"]
    return "".join(char for char in known if char == "\u2116" or (char not in "\uffe2\uffe4" and not _is_in_euc(char)))


def _is_in_euc(char: str) -> bool:
    try:
        char.encode("euc_jp")
    except UnicodeEncodeError:
        return False
    return True


def _supplement(row: int, cell: int) -> str:
    """One character of JIS X 0212; row and cell are its 7-bit codes."""
    try:
        return bytes((0x8F, row | 0x80, cell | 0x80)).decode("euc_jp")
    except UnicodeDecodeError:
        at = (row - 0x73) * 94 + cell - 0x73
        return (_of_ibm()[at : at + 1] if at >= 0 else "") or REPLACEMENT


_PAIRS = re.compile(rb"(?:[\x21-\x7e]{2})+")
_EUC_PAIRS = re.compile(rb"(?:[\xa1-\xfe]{2})+")
_PLAIN = re.compile(rb"[\x21-\x7e]+")
_ASCII = re.compile(rb"[\x00-\x7f]+")
_SET_HIGH_BIT = bytes(byte | 0x80 for byte in range(256))
_STRIP_HIGH_BIT = bytes(byte & 0x7F for byte in range(256))
# The characters of JIS X 0208 for which the codecs euc_jp and cp932 give different code points.
_CP932_SPELLING = str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")

# What the escape sequences of ISO-2022-JP and its relatives switch to (RFC 1468, RFC 1554, Microsoft's CP5022x).
_DESIGNATIONS: Mapping[bytes, str] = MappingProxyType(
    {
        b"\x1b(B": "ascii",
        b"\x1b(J": "ascii",  # JIS Roman: everybody means the ASCII backslash and tilde
        b"\x1b(H": "ascii",  # a wrong designation that old senders use for JIS Roman
        b"\x1b(I": "kana",
        b"\x1b$@": "double",
        b"\x1b$B": "double",
        b"\x1b$(@": "double",
        b"\x1b$(B": "double",
        b"\x1b$(D": "supplement",
        b"\x1b&@": "",  # announces JIS X 0208-1990; the switch itself follows
    }
)
_DESIGNATION = re.compile(b"|".join(re.escape(key) for key in sorted(_DESIGNATIONS, key=len, reverse=True)))


def _iso_2022_jp(data: bytes) -> str:
    """ISO-2022-JP as mail carries it, CP50220 to CP50222 included."""
    return "".join(_jis_runs(data))


def _jis_runs(data: bytes) -> Iterator[str]:
    mode, shifted, at = "ascii", False, 0
    while at < len(data):
        byte = data[at]
        if byte == 0x1B and (found := _DESIGNATION.match(data, at)):
            mode = _DESIGNATIONS[found.group()] or mode
            at = found.end()
        elif byte in (0x0E, 0x0F):
            # Shift Out and Shift In: half-width kana of CP50222.
            shifted, at = byte == 0x0E, at + 1
        elif byte < 0x21 or byte == 0x7F:
            if byte in (0x0A, 0x0D):
                # RFC 1468: a line ends in ASCII; a sender that forgot to switch back spoils one line, not the mail.
                mode, shifted = "ascii", False
            yield REPLACEMENT if byte == 0x1B else chr(byte)
            at += 1
        elif mode in ("double", "supplement") and byte < 0x7F:
            run = _PAIRS.match(data, at)
            if run:
                yield _pairs(run.group()) if mode == "double" else _each(run.group(), _supplement)
                at = run.end()
            else:
                yield REPLACEMENT
                at += 1
        elif mode == "ascii" and not shifted and (plain := _PLAIN.match(data, at)):
            yield plain.group().decode("ascii")
            at = plain.end()
        else:
            yield _jis_single(byte, kana=shifted or mode == "kana")
            at += 1


def _jis_single(byte: int, *, kana: bool) -> str:
    if kana and 0x21 <= byte <= 0x5F:
        return chr(0xFF40 + byte)
    if 0xA1 <= byte <= 0xDF:
        # Half-width kana as single 8-bit bytes, as in Shift_JIS.
        return chr(0xFEC0 + byte)
    return chr(byte) if byte < 0x80 and not kana else REPLACEMENT


def _euc_jp(data: bytes) -> str:
    """EUC-JP with the NEC and IBM rows (eucJP-ms, CP51932)."""
    return "".join(_euc_runs(data))


def _euc_runs(data: bytes) -> Iterator[str]:
    at = 0
    while at < len(data):
        byte, rest = data[at], data[at + 1 : at + 3]
        if plain := _ASCII.match(data, at):
            yield plain.group().decode("ascii")
            at = plain.end()
        elif run := _EUC_PAIRS.match(data, at):
            yield _pairs(run.group().translate(_STRIP_HIGH_BIT))
            at = run.end()
        elif byte == 0x8E and rest[:1] and 0xA1 <= rest[0] <= 0xDF:
            yield chr(0xFEC0 + rest[0])
            at += 2
        elif byte == 0x8F and len(rest) == 2 and min(rest) >= 0xA1 and max(rest) <= 0xFE:
            yield _supplement(rest[0] & 0x7F, rest[1] & 0x7F)
            at += 3
        else:
            yield REPLACEMENT
            at += 1


# Bytes that begin no character of Windows-31J; Python gives them code points of its own instead of an error.
_NO_CHARACTER = str.maketrans(dict.fromkeys("\x80\uf8f0\uf8f1\uf8f2\uf8f3", REPLACEMENT))


def _windows_31j(data: bytes) -> str:
    return data.decode("cp932", "replace").translate(_NO_CHARACTER)


def _western(data: bytes) -> str:
    """Windows-1252, with the five bytes that it leaves undefined read as the control characters of ISO-8859-1."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


_READERS: Mapping[str, Callable[[bytes], str]] = MappingProxyType(
    {"iso-2022-jp": _iso_2022_jp, "euc-jp": _euc_jp, "cp932": _windows_31j, "cp1252": _western}
)


# 64 MB of lines that are each padded are 900,000 pieces.
_MOST_PADDED = 1_000_000
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
# Controls would break lines and directional marks would show a text in another order than it is stored.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean_line(text: str) -> str:
    """One line of text for people: controls and directional marks become blanks, blanks at the ends go."""
    return _UNSAFE.sub(" ", text).strip()


def unfold(raw: bytes) -> bytes:
    """A header field body as one line: a line break before a blank belongs to the folding (RFC 5322 section 2.2.3)."""
    return re.sub(rb"\r\n(?=[ \t])|[\r\n](?=[ \t])", b"", raw).strip(b" \t\r\n")


def wire_text(raw: bytes) -> Decoded:
    """A header field body as text with its encoded words still in place: unfolded, raw 8-bit and JIS bytes read."""
    return decode(unfold(raw))


def base64_bytes(data: bytes) -> tuple[bytes, bool]:
    """What a base64 text holds, and whether it was damaged.

    Unlike the standard library it goes on after padding (some senders pad every chunk) and keeps what it can of a
    text whose end is missing. RFC 2045 section 6.8: characters outside the alphabet are ignored.
    """
    squeezed = data.translate(None, b" \t\r\n")
    try:
        return binascii.a2b_base64(squeezed, strict_mode=True), False
    except binascii.Error:
        pass
    if squeezed.count(b"=") > _MOST_PADDED:
        # Each piece costs a microsecond; what came is kept as it came.
        return data, True
    out = bytearray()
    for run in squeezed.decode("latin-1").split("="):
        letters = _NOT_BASE64.sub("", run)
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        out += binascii.a2b_base64(letters + "=" * (-len(letters) % 4))
    return bytes(out), True
