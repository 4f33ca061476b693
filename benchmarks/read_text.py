"""How long reading a form's text layer takes, as a ratio to pypdf's plain text extraction in the same run.

    .venv/bin/python -P benchmarks/read_text.py [FOLDER]

Prints one line a sample and the median ratio last; exit 1 where the median is above the bar of 5 (issue 2). The seal
check is left out: it renders the page, which text extraction does not.
"""

import io
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import pypdf  # noqa: E402 - the path comes first

from parsers.application import read  # noqa: E402
from parsers.errors import ParseError  # noqa: E402

BAR = 5.0
ROUNDS = 5
DAY = date(2024, 7, 3)


def fastest(work: Callable[[], object]) -> float:
    """Seconds of the fastest round: what the work costs when nothing disturbs it."""
    spent = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent)


def measure(data: bytes) -> tuple[float, float, int]:
    """Seconds of pypdf and of our reading, and the number of pages."""

    def floor() -> None:
        for page in pypdf.PdfReader(io.BytesIO(data)).pages:
            page.extract_text()

    pages = len(pypdf.PdfReader(io.BytesIO(data)).pages)
    return fastest(floor), fastest(lambda: read(data, received_on=DAY, seal=False)), pages


def main(folder: Path) -> int:
    ratios = []
    for path in sorted(folder.glob("*.pdf")):
        data = path.read_bytes()
        try:
            if not read(data, received_on=DAY, seal=False).applications:
                continue
        except ParseError:
            continue
        floor, ours, pages = measure(data)
        ratios.append(ours / floor)
        print(
            f"{path.stem:40} {ours / pages * 1000:7.1f} ms/page  pypdf {floor / pages * 1000:6.1f}  x{ours / floor:.2f}"
        )
    if not ratios:
        print("no sample with a text layer found")
        return 1
    median = statistics.median(ratios)
    print(
        f"median of {len(ratios)} samples: {median:.2f} times pypdf's extraction (bar {BAR:g}, worst {max(ratios):.2f})"
    )
    return 0 if median <= BAR else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "tests" / "data" / "samples"))
