"""What mails that were built to be costly cost: time, memory, and whether every octet is kept.

    .venv/bin/python -m tools.measure_mail [--scale 1.0] [--report docs/soak/mail_bounds.md]

Each shape is opened by `parsers.mail.open_mail` in a process of its own. Full size (scale 1): 200 MB, 10,000
attachments, nesting of 1,000, a header of 20 MB, and what comes just below the limits of `parsers.survey`.
"""

import argparse
import email
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from parsers.mail import Mail, open_mail

_HEAD = b"From: aoki@aozora-denki.example\r\nTo: ogis-lra@lra.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Shape:
    """`make` gives the mail at a scale; `overgrown` where it is beyond the limits at a quarter of its size already."""

    what: str
    make: Callable[[float], bytes]
    overgrown: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """Octets, CPU seconds, octets by which the process grew, whether the octets of the mail are all in the result."""

    size: int
    cpu: float
    grown: int
    kept: bool
    told: str


def _body(kind: bytes, encoding: bytes, line: bytes, octets: float) -> bytes:
    head = _HEAD + b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n"
    return head + line * max(1, int(octets) // len(line))


def _multipart(parts: bytes, kind: bytes = b"mixed") -> bytes:
    return _HEAD + b"Content-Type: multipart/" + kind + b"; boundary=b\r\n\r\n" + parts + b"--b--\r\n"


def _many(scale: float) -> bytes:
    one = (
        b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjc=\r\n"
    )
    return _multipart(one * int(10_000 * scale))


def _nested(depth: int, lines: int, line: bytes = b"--bxx\r\n") -> bytes:
    out = [_HEAD + b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n"]
    out += [
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (level - 1, level)
        for level in range(1, depth)
    ]
    return b"".join(out) + line * lines


def _deep(scale: float) -> bytes:
    return _nested(max(60, int(1000 * scale)), 20, b"text\r\n")


def _mails_in_mails(scale: float) -> bytes:
    return _HEAD + b"Content-Type: message/rfc822\r\n\r\n" * int(1000 * scale) + b"x"


def _long_part_field(scale: float) -> bytes:
    field = b"".join(b"; name*%d=a" % number for number in range(int(1_000_000 * scale)))
    return _multipart(b"--b\r\nContent-Type: application/pdf" + field + b"\r\n\r\nx\r\n")


def _header(field: bytes) -> Callable[[float], bytes]:
    return lambda scale: _HEAD + field * max(1, int(20 * _MB * scale) // len(field)) + b"\r\n\r\nbody"


def _just_below(line: bytes, kind: bytes, encoding: bytes) -> Callable[[float], bytes]:
    """As much as the limits of size and of lines let through."""
    return lambda scale: _body(kind, encoding, line, min(62 * _MB, 1_900_000 * len(line)) * scale)


def _one_line(field: bytes, piece: bytes, octets: int) -> Callable[[float], bytes]:
    return lambda scale: _HEAD + field + piece * max(1, int(octets * scale) // len(piece)) + b"\r\n\r\nx"


def _whole(kind: bytes, encoding: bytes, line: bytes, octets: int) -> Callable[[float], bytes]:
    return lambda scale: _body(kind, encoding, line, octets * scale)


_PDF, _TEXT, _HTML = b"application/pdf; name=a.pdf", b"text/plain; charset=iso-2022-jp", b"text/html"
_WORD = b"=?iso-2022-jp?B?GyRCNHVLPhsoQg==?= "
_BEYOND: Mapping[str, tuple[str, Callable[[float], bytes]]] = {
    "size": ("200 MB of base64", _whole(_PDF, b"base64", b"A" * 76 + b"\r\n", 200 * _MB)),
    "short-lines": ("200 MB in lines of five", _whole(_TEXT, b"7bit", b"abc\r\n", 200 * _MB)),
    "many": ("10,000 attachments", _many),
    "deep": ("nesting of 1,000", _deep),
    "deep-lines": (
        "nesting of 1,000 over many lines",
        lambda scale: _nested(max(60, int(1000 * scale)), int(900_000 * scale)),
    ),
    "mails": ("1,000 mails in mails", _mails_in_mails),
    "header": ("a header field of 20 MB", _one_line(b"X-A: ", b"a", 20 * _MB)),
    "fields": ("20 MB of header fields", _header(b"X-A: b\r\n")),
    "folded": ("20 MB of folded lines", _header(b" b\r\n")),
    "receivers": ("a To field of 20 MB", _one_line(b"To: ", b"a@b.example,", 20 * _MB)),
    "tiny-parts": ("600,000 parts of one letter", lambda scale: _multipart(b"--b\r\n\r\nx\r\n" * int(600_000 * scale))),
    "part-field": ("a part's field of 14 MB", _long_part_field),
}
_WITHIN: Mapping[str, tuple[str, Callable[[float], bytes]]] = {
    "honest": ("a form of 44 MB in base64", _whole(_PDF, b"base64", b"JVBERi0xLjcK" * 6 + b"\r\n", 60 * _MB)),
    "base64-line": ("62 MB of base64 in one line", _whole(_PDF, b"base64", b"JVBERi0xLjcK", 62 * _MB)),
    "padded": ("base64 padded every four letters", _whole(_PDF, b"base64", b"QQ==", 62 * _MB)),
    "lines": ("just below the limit of lines", _just_below(b"abc\r\n", _TEXT, b"7bit")),
    "jis": ("text that changes its set at every letter", _whole(_TEXT, b"7bit", b'\x1b$B$"\x1b(B', 62 * _MB)),
    "html": ("markup that is never closed", _whole(_HTML, b"8bit", b"<div ", 62 * _MB)),
    "quoted": ("quoted-printable throughout", _just_below(b"=E3=81=82=\r\n", _TEXT, b"quoted-printable")),
    "uuencode": ("uuencode in short lines", _just_below(b"#0V%T\n", _PDF, b"x-uuencode")),
    "deep-within": (
        "nesting of 20 over as many lines as pass",
        lambda scale: _nested(20, int(900_000 * scale), b"xxxxx\r\n"),
    ),
    "words": ("a subject of encoded words", _one_line(b"Subject: ", _WORD, 220_000)),
}
SHAPES: Mapping[str, Shape] = MappingProxyType(
    {name: Shape(*shape, overgrown=True) for name, shape in _BEYOND.items()}
    | {name: Shape(*shape) for name, shape in _WITHIN.items()}
)


def measure(name: str, *, scale: float = 1.0) -> Cost:
    """Open one shape in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measured, args=(theirs, name, scale))
    process.start()
    theirs.close()
    try:
        told: Cost = ours.recv()
    finally:
        process.join()
    return told


def _measured(pipe: object, name: str, scale: float) -> None:
    raw = SHAPES[name].make(scale)
    before, began = _peak(), time.process_time()
    mail = open_mail(raw)
    cpu, grown = time.process_time() - began, _peak() - before
    pipe.send(Cost(len(raw), cpu, grown, _is_kept(raw, mail), ", ".join(mail.defects[:2]) or "opened"))  # type: ignore[attr-defined]


def _is_kept(raw: bytes, mail: Mail) -> bool:
    """The mail itself is there, or as much as the standard library finds in it."""
    if any(each.data is raw for each in mail.attachments):
        return True
    leaves = (part.get_payload(decode=True) for part in email.message_from_bytes(raw).walk() if not part.is_multipart())
    found = sum(len(content) for content in leaves if isinstance(content, bytes))
    kept = sum(len(each.data) for each in mail.attachments) + len(mail.text.encode())
    # A line end is one octet in a text, a letter of JIS three of eight.
    return kept >= found * 3 // 8


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what costly mails cost.")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    lines = ["| mail | MB | CPU s | grown by MB | outcome |", "|---|---|---|---|---|"]
    worst = 0.0
    for name, shape in SHAPES.items():
        cost = measure(name, scale=options.scale)
        worst = max(worst, cost.cpu)
        lines.append(
            f"| {shape.what} | {cost.size / 1e6:.1f} | {cost.cpu:.2f} | {cost.grown / 1e6:.0f} | {cost.told} |"
        )
        sys.stdout.write(lines[-1] + "\n")
    if options.report:
        head = "# What costly mails cost\n\nWritten by `tools/measure_mail.py`; each mail in a process of its own.\n\n"
        options.report.write_text(head + "\n".join(lines) + "\n", "utf-8")
    return int(worst > 10)


if __name__ == "__main__":
    sys.exit(main())
