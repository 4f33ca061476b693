"""Read every hostile file under the limits of the service; one line each with its cost, exit 1 when one cost too much.

PYTHONPATH=tests python -m failure.hostile_pdf [PART OF A NAME ...]
"""

import logging
import sys
import threading
import time
from datetime import date
from pathlib import Path

from daemon.reader import Patience, Reader
from failure.hostile_pdf import CASES
from parsers.errors import ParseError

DAY = date(2026, 4, 1)
GOOD = Path(__file__).parent.parent.parent / "data" / "samples" / "cancellation.pdf"
MOST_SECONDS = Patience().whole + 1.0  # killing and burying is not the file's time
MOST_BYTES = 1_500_000_000


class Scale(threading.Thread):
    """Weighs every child of this process again and again: the largest resident size it saw."""

    def __init__(self):
        super().__init__(daemon=True)
        self.heaviest = 0

    def run(self):
        while True:
            for task in Path("/proc").glob("[0-9]*/status"):
                try:
                    text = task.read_text()
                except OSError:
                    continue
                if "\nName:\tpython" not in f"\n{text}" or "VmHWM" not in text or "Seccomp:\t2" not in text:
                    continue
                if text.partition("VmRSS:")[2]:
                    self.heaviest = max(self.heaviest, int(text.partition("VmRSS:")[2].split()[0]) * 1024)
            time.sleep(0.1)


def outcome(reader, data):
    try:
        found = reader.read(data, received_on=DAY)
    except ParseError as error:
        return error.kind.value
    return (
        f"{len(found.applications)} forms, {','.join(sorted({each.code for each in found.problems})) or 'no problem'}"
    )


def main(parts):
    logging.disable(logging.CRITICAL)
    scale = Scale()
    scale.start()
    wrong = []
    with Reader() as reader:
        good = GOOD.read_bytes()
        usual = outcome(reader, good)
        for name, build in CASES.items():
            if parts and not any(part in name for part in parts):
                continue
            data, scale.heaviest = build(), 0
            started = time.perf_counter()
            became = outcome(reader, data)
            took, heavy = time.perf_counter() - started, scale.heaviest
            started = time.perf_counter()
            if outcome(reader, good) != usual or took > MOST_SECONDS or heavy > MOST_BYTES:
                wrong.append(name)
            after = time.perf_counter() - started
            print(
                f"{name:44} {len(data) / 1000:9.1f} kB {took:6.2f} s {heavy >> 20:5} MB, next {after:.2f} s  {became}",
                flush=True,
            )
    print(f"wrong: {', '.join(wrong) or 'none'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
