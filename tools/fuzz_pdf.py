"""Mutated PDFs through the reading, to show that nothing but a Reading or a ParseError ever comes out.

    python -m tools.fuzz_pdf [--count 100000] [--seed 1] [--first 0] [--jobs 1] [--report docs/soak/fuzz_pdf.md]

Every mutant follows from the seed and its number alone, so a finding is repeated by `--first NUMBER --count 1`. Reading
is in this process, because an exception of ours is what is looked for; each job has the limits of a confined reader
(address space, and an alarm in place of the wall clock), and a mutant that exceeds them is counted as `limit`, as the
service would. Samples are mutated by bytes, by tokens, by objects, by streams (unpacked, changed, packed again), by
cutting and by splicing two of them. Nine mutants in ten are made of small files (`small_pdfs`), one of a whole form.
"""

import argparse
import collections
import logging
import multiprocessing
import multiprocessing.pool
import random
import re
import resource
import signal
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path

from parsers.application import read
from parsers.errors import ParseError
from tools.small_pdfs import small_pdfs

SAMPLES = Path(__file__).parent.parent / "tests" / "data" / "samples"
DAY = date(2026, 4, 1)
ADDRESS_SPACE = 1_500_000_000
SECONDS = 10
# Samples above this size are read too slowly to be read a hundred thousand times.
LARGEST = 200_000
SHARE_OF_FORMS = 0.1

NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
NAME = re.compile(rb"/[A-Za-z0-9]+")
OBJECT = re.compile(rb"\d+ \d+ obj\b.*?\bendobj", re.DOTALL)
STREAM = re.compile(rb"(<<(?:(?!stream).)*?>>)\s*stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
NUMBERS = (b"0", b"-1", b"1", b"65536", b"2147483647", b"-2147483648", b"4294967296", b"99999999999999999999", b"1e9")
NUMBERS += (b"0.0000001", b"--5", b".", b"NaN", b"null", b"true", b"(x)", b"[]", b"<< >>", b"1 0 R", b"9999 0 R", b"")
WORDS = (
    b"q ",
    b"Q ",
    b"BT ",
    b"ET ",
    b"cm ",
    b"Do ",
    b"Tj ",
    b"TJ ",
    b"Tf ",
    b"re ",
    b"f ",
    b"S ",
    b"/F1 ",
    b"[ ",
    b"] ",
    b"( ",
)
WORDS += (
    b"<< ",
    b">> ",
    b"BI ",
    b"ID ",
    b"EI ",
    b"1e30 ",
    b"-1 ",
    b"0 ",
    b"\xff\xfe",
    b"\0",
    b"scn ",
    b"gs ",
    b"W n ",
    b"Tm ",
)


Files = Sequence[bytes]
Change = Callable[[bytes, Files, random.Random], bytes]
Findings = list[tuple[int, str]]


class Limit(BaseException):
    """Time is up. Not an Exception: the reader turns those into ParseError."""


@dataclass(frozen=True)
class Corpus:
    """What is mutated: whole forms, and small files that are read in a tenth of the time."""

    forms: list[bytes]
    small: list[bytes]

    @property
    def files(self) -> list[bytes]:
        return [*self.forms, *self.small]


def corpus() -> Corpus:
    forms = [data for path in sorted(SAMPLES.glob("*.pdf")) if 1000 < len(data := path.read_bytes()) < LARGEST]
    return Corpus(forms, small_pdfs())


def mutant(from_these: Corpus, seed: int, number: int) -> bytes:
    """Mutant `number` of a seed: one to four changes to one file, a whole form once in ten."""
    chance = random.Random(f"{seed}:{number}")
    data = chance.choice(from_these.forms if chance.random() < SHARE_OF_FORMS else from_these.small)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        data = chance.choice(CHANGES)(data, from_these.files, chance)
    return data


def _bytes(data: bytes, _: Files, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _step in range(chance.choice((1, 2, 8, 64))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.choice((0, 255, 10, 40, 41, 60, 62, chance.randrange(256)))
    return bytes(changed)


def _token(pattern: re.Pattern[bytes], others: Sequence[bytes]) -> Change:
    def change(data: bytes, _: Files, chance: random.Random) -> bytes:
        found = list(pattern.finditer(data))
        if not found:
            return data
        match = chance.choice(found)
        other = chance.choice(others) if others and chance.random() < 0.7 else chance.choice(found).group()
        return data[: match.start()] + other + data[match.end() :]

    return change


def _object(data: bytes, files: Files, chance: random.Random) -> bytes:
    """Drop, double, swap or borrow a whole object."""
    found = list(OBJECT.finditer(data))
    if not found:
        return data
    match, other = chance.choice(found), chance.choice(found)
    way = chance.randrange(4)
    if way == 0:
        return data[: match.start()] + data[match.end() :]
    if way == 1:
        return data[: match.end()] + b"\n" + match.group() + data[match.end() :]
    if way == 2:
        body = other.group().partition(b"obj")[2]
        return data[: match.start()] + match.group().partition(b"obj")[0] + b"obj" + body + data[match.end() :]
    foreign = OBJECT.findall(chance.choice(files)) or [b""]
    return data[: match.start()] + chance.choice(foreign) + data[match.end() :]


def _stream(data: bytes, _: Files, chance: random.Random) -> bytes:
    """Unpack a stream, change what is in it, pack it again; its length is told right or wrong."""
    found = list(STREAM.finditer(data))
    if not found:
        return data
    match = chance.choice(found)
    head, inner = match.groups()
    try:
        plain = zlib.decompress(inner)
    except zlib.error:
        plain = None
    content = bytearray(plain if plain is not None else inner)
    for _step in range(chance.choice((1, 4, 32))):
        at = chance.randrange(len(content) + 1)
        content[at : at + chance.choice((0, 1, 9))] = chance.choice(WORDS) * chance.choice((1, 1, 50))
    packed = zlib.compress(bytes(content)) if plain is not None else bytes(content)
    if chance.random() < 0.8:
        head = re.sub(rb"/Length \d+(?! \d+ R)", b"/Length %d" % len(packed), head)
    return data[: match.start()] + head + b"\nstream\n" + packed + b"\nendstream" + data[match.end() :]


def _cut(data: bytes, _: Files, chance: random.Random) -> bytes:
    first, last = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
    return chance.choice((data[:last], data[first:], data[:first] + data[last:], data[:last] + data[first:]))


def _splice(data: bytes, files: Files, chance: random.Random) -> bytes:
    other = chance.choice(files)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


CHANGES = (
    _bytes,
    _bytes,
    _token(NUMBER, NUMBERS),
    _token(NUMBER, NUMBERS),
    _token(NAME, ()),
    _object,
    _object,
    _stream,
    _stream,
    _stream,
    _cut,
    _splice,
)


def outcome(data: bytes) -> str:
    """What became of one file: `read`, a kind of ParseError, `limit`; anything else is a finding."""
    try:
        read(data, received_on=DAY, seal=True)
    except ParseError as error:
        return error.kind.value
    except Limit:
        return "limit"
    except MemoryError:
        return "limit"
    except Exception as error:  # noqa: BLE001 - what this whole program looks for
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"FINDING {type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
    return "read"


def confine() -> None:
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, _ring)


def _ring(*_: object) -> None:
    raise Limit


def work(order: tuple[int, int, int]) -> Findings:
    """A range of mutants; a child of its own, so that a crash of a C library is seen as a lost range."""
    seed, first, last = order
    confine()
    files, found = corpus(), []
    for number in range(first, last):
        data = mutant(files, seed, number)
        try:
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            became = outcome(data)
        except Limit:
            became = "limit"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        found.append((number, became))
    return found


def _lone(pipe: Connection, order: tuple[int, int, int]) -> None:
    pipe.send(work(order))


def run_range(order: tuple[int, int, int]) -> Findings:
    """A range in a child; where the child does not survive it, its halves, down to the one mutant that kills."""
    seed, first, last = order
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_lone, args=(theirs, order))
    child.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError:
        found = None
    child.join()
    if found is not None:
        return found
    if last - first == 1:
        return [(first, f"crash {-(child.exitcode or 0)}")]
    middle = (first + last) // 2
    return run_range((seed, first, middle)) + run_range((seed, middle, last))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Mutated PDFs through the reading.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args(arguments)
    started, kinds, findings = time.monotonic(), collections.Counter(), []
    last = options.first + options.count
    orders = [(options.seed, at, min(at + 250, last)) for at in range(options.first, last, 250)]
    with multiprocessing.pool.ThreadPool(options.jobs) as pool:
        for done in pool.imap_unordered(run_range, orders):
            kinds.update(became.split(" ")[0] for _, became in done)
            findings += [each for each in done if each[1].startswith(("FINDING", "crash"))]
            count, seconds = sum(kinds.values()), time.monotonic() - started
            if options.report:
                options.report.parent.mkdir(parents=True, exist_ok=True)
                options.report.write_text(report(options, kinds, findings, count, seconds), "utf-8")
    print(report(options, kinds, findings, sum(kinds.values()), time.monotonic() - started))
    return 1 if any(became.startswith("FINDING") for _, became in findings) else 0


def report(
    options: argparse.Namespace, kinds: collections.Counter[str], findings: Findings, count: int, seconds: float
) -> str:
    lines = [
        "# 100,000 mutated PDFs",
        "",
        "Written by `python -m tools.fuzz_pdf` (what is mutated and how: its head). `read`: a reading came",
        "out; the other words are kinds of ParseError, `limit` is a mutant stopped by time or memory, `crash` one that",
        "ended a C library: in the service both cost one confined child and are `too_costly`. A FINDING is any other",
        "exception; there must be none.",
        "",
        f"Seed {options.seed}, from mutant {options.first}: {count} of {options.count} files in {seconds:.0f} s.",
        "",
        "| outcome | files |",
        "|---|---|",
        *(f"| {kind} | {number} |" for kind, number in kinds.most_common()),
        "",
        *(f"* mutant {number}: {became}" for number, became in sorted(findings)[:200]),
    ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
