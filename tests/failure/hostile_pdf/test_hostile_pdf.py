"""A hostile file costs one bounded attempt, and the next form is read as if nothing had been.

In the suite the patience is short; `make soak` reads the same files with that of the service (`__main__.py`).
"""

import threading
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from daemon.reader import Patience, Reader
from failure.hostile_pdf import CASES
from parsers.application import read
from parsers.errors import ParseError
from parsers.reading import Reading

DAY = date(2026, 4, 1)
GOOD = (Path(__file__).parent.parent.parent / "data" / "samples" / "cancellation.pdf").read_bytes()
SHORT = Patience(whole=1.0, page=1.0, more_per_page=0.0)
# Starting, killing and burying children on a busy machine; the file itself gets SHORT.
SLACK = 15.0
MOST_BYTES = 1_500_000_000
# A file that takes its second, and would take many: a form that is read after it proves that nothing is left of it.
# The others end by themselves, and forms are read after them in other tests.
SAMPLE = sorted(CASES)


@pytest.fixture(scope="module")
def reader():
    with Reader(SHORT) as opened:
        yield opened


@pytest.fixture(scope="module")
def expected():
    return read(GOOD, received_on=DAY)


def parts(count):
    """The cases in so many heaps, each with some of every kind."""
    return [SAMPLE[at::count] for at in range(count)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("names", parts(8), ids=lambda names: names[0])
def test_a_hostile_file_is_a_reading_or_an_item_for_staff_in_bounded_time(reader, expected, names):
    for name in names:
        data, began = CASES[name](), time.monotonic()
        with suppress(ParseError):
            assert isinstance(reader.read(data, received_on=DAY, pictures=False), Reading)
        assert time.monotonic() - began < SHORT.whole + SLACK, name
    # The service is unharmed: this is it, and it reads the next form.
    with Reader() as patient:
        assert patient.read(GOOD, received_on=DAY, pictures=False) == expected


def test_every_kind_of_the_field_notes_and_many_more_are_among_them():
    assert len(CASES) > 200
    notes = (
        "bombs-flate-300-mb",
        "bombs-flate-twice-2-gb",
        "bombs-q-three-million",
        "bombs-characters-400k",
        "bombs-rectangles-60k",
        "bombs-form-xobjects-10e8",
        "bombs-unicode-range-2e30",
        "bombs-pages-50k",
        "pictures-rgb-20000-squared-whole",
        "pictures-bit-30000-squared-whole",
        "pictures-jbig2-noise",
        "pictures-jpx-noise",
        "cycles-arrays-deep",
        "cycles-previous-xref-itself",
        "lies-media-box-million",
        "cycles-page-tree",
        "lies-startxref-beyond",
        "wrecks-junk-1000-before",
        "wrecks-cut-at-60",
        "active-encrypted-owner-password",
        "active-encrypted-user-password",
    )
    assert set(notes) <= set(CASES)


def test_memory_of_a_child_ends_where_the_limit_is(reader):
    """The heaviest files of the notes: no child's resident size goes beyond the limit, whatever it unpacks."""
    heaviest = 0
    for name in ("bombs-unicode-range-2e30", "bombs-flate-twice-2-gb", "pictures-bit-30000-squared-whole"):
        weight = threading.Event(), []
        watcher = threading.Thread(target=_watch, args=(reader, *weight))
        data = CASES[name]()
        watcher.start()
        try:
            reader.read(data, received_on=DAY, pictures=False)
        except ParseError:
            pass
        finally:
            weight[0].set()
            watcher.join()
        heaviest = max(heaviest, *weight[1])
    assert 10_000_000 < heaviest < MOST_BYTES


def _watch(reader, done, seen):
    """The resident sizes of the nursery's children, again and again."""
    seen.append(0)
    while not done.wait(0.02):
        running = reader._nursery._running
        if running is None:
            continue
        children = Path(f"/proc/{running[0].pid}/task/{running[0].pid}/children")
        try:
            for pid in children.read_text().split():
                status = Path(f"/proc/{pid}/status").read_text()
                seen.append(int(status.partition("VmRSS:")[2].split()[0]) * 1024)
        except (OSError, IndexError):
            continue
