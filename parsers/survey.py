"""A look at a mail's outside before it is taken apart: whether that would cost more than any honest mail does.

The standard library's parser copies every line, asks at each line for every open boundary, and splits parameters with
a copy of the rest for each: a few megabytes built for that purpose keep it busy for minutes. Here only counts are
taken, at the speed of memory. What passes is taken apart in at most a few seconds and some ten times its size
(measured by `tools/measure_mail.py`, docs/soak/mail_bounds.md); of what does not, the header is read, the bytes stay
whole as one attachment, and a person is shown it.
"""

import re

# A form of 30 MB, the largest we read, is 41 MB in base64; mail servers here commonly take 10 to 50 MB.
MAX_MAIL = 64 * 1024 * 1024
# mail-parser reads the whole header several times over, with expressions that a hostile one makes slow.
MAX_HEADER = 256 * 1024
# 64 MB in lines of 76 characters are 900,000.
MAX_LINES = 2_000_000
# Lines that may each begin a part; every part is an object, and 10,000 of them half a second.
MAX_PART_LINES = 20_000
# Parts that have parts. The parser walks into each of them anew at every level: 1,000 in one another, 70 kB, kept
# it busy for a second. A digest of forwarded mails has some dozens.
MAX_BOUNDARIES = 300
# Lines times boundaries: the parser compares each line with every boundary that is open.
MAX_COMPARISONS = 20_000_000
# One field of a part: a file name of thousands of letters stays far below.
MAX_FIELD = 64 * 1024
# Below this size no field of a part can be long enough to matter.
_SMALL = 1024 * 1024

_BOUNDARY = re.compile(rb"boundary[*0-9]*\s*=", re.IGNORECASE)
_PART_FIELD = re.compile(rb"[\r\n]content-(?:type|disposition)[ \t]*:", re.IGNORECASE)
_FIELD_END = re.compile(rb"\r\n(?![ \t])|\n(?![ \t])|\r(?![ \t\n])")
_HEADER_END = re.compile(rb"\r?\n\r?\n|\r\r")


def why_not(raw: bytes) -> str | None:
    """Why a mail is not to be taken apart, as the code of a defect; None where it may be."""
    if len(raw) > MAX_MAIL:
        return "mail_too_large"
    if len(raw) > MAX_HEADER and _HEADER_END.search(raw, 0, MAX_HEADER + 4) is None:
        return "header_too_long"
    # A line takes an octet: what is not above _SMALL cannot have too many.
    part_lines = max(raw.count(b"\n--"), raw.count(b"\r--"))
    if part_lines > MAX_PART_LINES:
        return "too_many_parts"
    if part_lines > MAX_BOUNDARIES and sum(1 for _ in _BOUNDARY.finditer(raw)) > MAX_BOUNDARIES:
        return "nested_too_deeply"
    if len(raw) <= _SMALL:
        return None
    lines = max(raw.count(b"\n"), raw.count(b"\r"))
    if lines > MAX_LINES:
        return "too_many_lines"
    return _why_not_its_parts(raw, lines)


def _why_not_its_parts(raw: bytes, lines: int) -> str | None:
    most = MAX_COMPARISONS // max(lines, 1)
    for count, _ in enumerate(_BOUNDARY.finditer(raw)):
        if count >= most:
            return "nested_too_deeply"
    at = 0
    while found := _PART_FIELD.search(raw, at):
        end = _FIELD_END.search(raw, found.end(), found.end() + MAX_FIELD)
        if end is None and len(raw) - found.end() > MAX_FIELD:
            return "header_too_long"
        at = end.start() if end else len(raw)
    return None


def head_of(raw: bytes) -> bytes:
    """The header, of one without end its beginning in whole lines: what can always be read."""
    found = _HEADER_END.search(raw, 0, MAX_HEADER + 4)
    if found:
        return raw[: found.end()]
    start = raw[:MAX_HEADER]
    if len(raw) <= MAX_HEADER:
        return start
    cut = start.rfind(b"\n") + 1
    return start[:cut] if cut else start
