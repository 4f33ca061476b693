"""How long reading a scanned form takes, as a ratio to what recogniser and renderer need for the same page by
themselves.

    .venv/bin/python -P benchmarks/read_scan.py [FOLDER]

Samples with a text layer are printed and scanned at 300 dpi in colour by tools/scan_paper.py; with a FOLDER of
tools/make_scans.py its scans are taken instead. The floor is measured in the same run: the same crops once more
through the bare recogniser, and the bare render of the page. Exit 1 where less than 65 % is spent in the two (a
ratio above 1.54), where the median page takes more than 1.0 s, or where a confined child is too slow or too large
(issue 3).
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from daemon.children import Child, Nursery  # noqa: E402 - the path comes first
from parsers.application import read  # noqa: E402
from parsers.beside import Beside, InPlace  # noqa: E402
from parsers.frames import picture_frame  # noqa: E402
from parsers.inside import Inside  # noqa: E402
from parsers.recogniser import Recogniser  # noqa: E402
from parsers.rendering import native_dpi, render  # noqa: E402
from parsers.scanner import Scanner  # noqa: E402
from parsers.second_opinion import SecondOpinion, open_second_opinion  # noqa: E402

SHARE, PAGE = 0.65, 1.0
READER_START, RECOGNISER_START, MEMORY = 0.15, 2.0, 900
DAY = date(2024, 7, 3)
DPI = 300
SAMPLES = ("new_issue", "reissue", "registration_change", "handover", "cancellation")
ROUNDS = 5


@dataclass
class Watched:
    """A recogniser, with every question that it was asked."""

    engine: Recogniser | SecondOpinion
    asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - stands for any method
        method = getattr(self.engine, name)

        def noted(*given: Any, **more: Any) -> Any:  # noqa: ANN401
            self.asked.append((name, given, more))
            return method(*given, **more)

        return noted


def scans(folder: Path | None) -> Iterator[tuple[str, bytes, date]]:
    """Scans to read: name, PDF, day of receipt."""
    if folder:
        for path in sorted(folder.glob("*.pdf"))[:20]:
            told = json.loads(path.with_suffix(".json").read_text("utf-8"))
            yield path.stem, path.read_bytes(), date.fromisoformat(told["received_on"])
        return
    from tools.make_scans import draw_page  # noqa: PLC0415 - not needed with a folder
    from tools.scan_paper import PROFILES, Wish, scan_page  # noqa: PLC0415
    from tools.scan_pdf import write_pdf  # noqa: PLC0415

    for name in SAMPLES:
        drawn = draw_page((ROOT / "tests" / "data" / "samples" / f"{name}.pdf").read_bytes())
        for profile in PROFILES:
            scan = scan_page(drawn, Wish(profile, DPI, "colour"), Random(f"benchmark {name} {profile}"))
            yield f"{name} {profile}", write_pdf(scan), DAY


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cpu_of(work: Callable[[], object]) -> float:
    """Seconds of all threads of this process, which other work on the machine hardly changes."""
    start = time.process_time()
    work()
    return time.process_time() - start


@dataclass(frozen=True)
class Cost:
    """Seconds of one page: the whole reading, the floor, and the part of the floor that is rendering; `cpu` is the
    whole in seconds of the processor."""

    whole: float
    floor: float
    render: float
    cpu: float


def measure(data: bytes, day: date, recogniser: Recogniser, second: SecondOpinion | None, beside: InPlace) -> Cost:
    engines = [Watched(recogniser)] + ([Watched(second)] if second else [])
    scanner = Scanner(engines[0], second=engines[1] if second else None, beside=beside)  # type: ignore[arg-type]  # they answer alike
    spent: list[float] = []
    whole = seconds_of(lambda: spent.append(cpu_of(lambda: read(data, received_on=day, recognise=scanner.scan))))
    drawn = seconds_of(lambda: render(data, 1, dpi=native_dpi(data, 1) or DPI))
    bare = 0.0
    for engine in engines:
        forget(engine.asked)
        bare += sum(seconds_of(lambda q=q, e=engine: getattr(e.engine, q[0])(*q[1], **q[2])) for q in engine.asked)
    return Cost(whole, drawn + bare, drawn, spent[0])


def forget(asked: Sequence[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> None:
    """The inside of a cell remembers what was seen in it; the floor has to look again."""
    for _, given, _ in asked:
        for crop in given[0] if isinstance(given[0], list) else given[:1]:
            inside = getattr(crop, "pixels", None)
            if isinstance(inside, Inside):
                inside.signals.clear()


def megabytes(child: Child) -> float:
    """The most memory that a child has held at once."""
    handle = Path(f"/proc/self/fdinfo/{child.handle}").read_text("ascii")
    number = next(line.split()[1] for line in handle.splitlines() if line.startswith("Pid:"))
    status = Path(f"/proc/{number}/status").read_text("ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def children(pages: Sequence[bytes]) -> tuple[dict[str, float], float]:
    """Seconds until a new child of each role is ready, and the memory of the recogniser after some pages."""
    ready: dict[str, float] = {}
    with Nursery(time.monotonic) as nursery:
        # The nursery's own start happens once in the life of the service; a restart of a child is what is waited for.
        first = nursery.hire("reader")
        first.await_ready(time.monotonic() + 30)
        first.kill()
        for role in ("reader", "recogniser"):
            spent = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                child = nursery.hire(role)
                child.await_ready(time.monotonic() + 30)
                spent.append(time.perf_counter() - start)
                if len(spent) < ROUNDS:
                    child.kill()
            ready[role] = statistics.median(spent)
            if role == "reader":
                child.kill()
        for data in pages:
            picture = render(data, 1, dpi=native_dpi(data, 1) or DPI)
            child.send(picture_frame("recognise", picture, page=1), time.monotonic() + 30)
            child.receive(time.monotonic() + 60)
        memory = megabytes(child)
        child.kill()
    return ready, memory


def main(folder: Path | None) -> int:
    recogniser, second, beside = Recogniser(threads=2), open_second_opinion(), Beside()
    costs, kept = [], []
    for name, data, day in scans(folder):
        kept.append(data)
        if len(kept) == 1:
            measure(data, day, recogniser, second, beside)  # the first page pays for planning and loading
        cost = measure(data, day, recogniser, second, beside)
        costs.append(cost)
        print(
            f"{name:34} {cost.whole * 1000:7.0f} ms  render {cost.render * 1000:5.0f}  "
            f"recogniser {(cost.floor - cost.render) * 1000:6.0f}  x{cost.whole / cost.floor:.2f}"
        )
    if not costs:
        print("no scan found")
        return 1
    whole = sorted(cost.whole for cost in costs)
    ratio = statistics.median(cost.whole / cost.floor for cost in costs)
    ready, memory = children(kept[:10])
    print(
        f"a page in the middle of {len(costs)}: {statistics.median(whole):.2f} s (bar {PAGE:g}), "
        f"one in ten {whole[len(whole) * 9 // 10]:.2f} s; of the processor "
        f"{statistics.median(cost.cpu for cost in costs):.2f} s"
    )
    print(
        f"a new reader is ready after {ready['reader'] * 1000:.0f} ms (bar {READER_START * 1000:.0f}), "
        f"a new recogniser after {ready['recogniser']:.2f} s "
        f"(bar {RECOGNISER_START:g}); it holds {memory:.0f} MB (bar {MEMORY})"
    )
    print(
        f"median of {len(costs)} scans: {statistics.median(whole):.2f} s a page, {ratio:.2f} times recogniser "
        f"and renderer alone ({100 / ratio:.0f} % inside them; bar {1 / SHARE:.2f})"
    )
    within = (
        ratio <= 1 / SHARE,
        statistics.median(whole) <= PAGE,
        ready["reader"] <= READER_START,
        ready["recogniser"] <= RECOGNISER_START,
        memory <= MEMORY,
    )
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else None))
