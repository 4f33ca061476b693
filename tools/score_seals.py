"""Judge seal pages by the thousand and count the verdicts, with 95 % bounds.

    .venv/bin/python -m tools.score_seals --seed 1 --colour 300 --grey 300 --none 300          # tuning
    .venv/bin/python -m tools.score_seals --seed 900000 --colour 1000 --grey 1000 --none 1000  # final: once a change

Tuning seeds lie below 900,000, final seeds above. Exit status 1 where a bar of issue 3 is missed.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from parsers.reading import SealVerdict
from parsers.seal import judge_picture
from tools.make_seal_pages import make

Row = dict[str, object]


def judge_one(seed: int, sealed: bool, grey: bool) -> Row:  # noqa: FBT001 - mapped over three columns
    sample = make(seed, sealed=sealed, grey=grey)
    began = time.perf_counter()
    mark = judge_picture(sample.picture, sample.cell, printed=sample.printed, neighbours=sample.neighbours)
    spent = (time.perf_counter() - began) * 1000
    return sample.facts | {"verdict": mark.verdict.value, "confidence": mark.confidence, "ms": spent}


def upper_bound(hits: int, trials: int) -> float:
    """The exact one-sided 95 % upper bound of a share (Clopper and Pearson), found by bisection."""
    if hits >= trials:
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(math.comb(trials, k) * middle**k * (1 - middle) ** (trials - k) for k in range(hits + 1))
        low, high = (middle, high) if below > 0.05 else (low, middle)
    return high


def count(rows: Sequence[Row], name: str) -> Counter[str]:
    found = Counter(str(row["verdict"]) for row in rows)
    shares = "  ".join(
        f"{word} {found[word]:5} ({found[word] / max(len(rows), 1):6.1%})" for word in ("present", "unclear", "absent")
    )
    print(f"{name:34} n {len(rows):5}  {shares}")
    return found


def breakdown(rows: Sequence[Row], *keys: str) -> None:
    for key in keys:
        for value in sorted({row[key] for row in rows}, key=str):
            count([row for row in rows if row[key] == value], f"  {key} {value}")


def bar(name: str, hits: int, trials: int, most: float) -> bool:
    kept = trials == 0 or hits / trials <= most
    share, most_likely = hits / max(trials, 1), upper_bound(hits, max(trials, 1))
    word = "ok  " if kept else "MISS"
    print(f"{word} {name}: {hits}/{trials} = {share:.2%}, 95 % bound {most_likely:.2%}, bar {most:.1%}")
    return kept


def jobs(seed: int, colour: int, grey: int, none: int) -> list[tuple[int, bool, bool]]:
    """Seeds by group, mixed so that a run that is cut short has judged some of each."""
    mixed = [(number / max(colour, 1), seed + number, True, False) for number in range(colour)]
    mixed += [(number / max(grey, 1), seed + 100_000 + number, True, True) for number in range(grey)]
    mixed += [(number / max(none, 1), seed + 200_000 + number, False, number % 2 == 0) for number in range(none)]
    return [job[1:] for job in sorted(mixed)]


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("seed", 1), ("colour", 200), ("grey", 200), ("none", 200), ("processes", 2)):
        ask.add_argument(f"--{name}", type=int, default=default)
    ask.add_argument("--rows", type=Path, default=Path(os.devnull), help="write every verdict as a line of JSON")
    ask.add_argument("--show", action="store_true", help="list the seeds of wrong verdicts")
    given = ask.parse_args()
    rows: list[Row] = []
    with ProcessPoolExecutor(given.processes) as pool, given.rows.open("w") as file:
        for row in pool.map(
            judge_one, *zip(*jobs(given.seed, given.colour, given.grey, given.none), strict=True), chunksize=4
        ):
            rows.append(row)
            file.write(json.dumps(row) + "\n")
    return report(rows, show=given.show)


def report(rows: Sequence[Row], *, show: bool) -> int:
    colour = [row for row in rows if row["sealed"] and not row["grey"]]
    grey = [row for row in rows if row["sealed"] and row["grey"]]
    none = [row for row in rows if not row["sealed"]]
    red = [row for row in colour if row["shade"] != "black"]
    count(red, "seal there, colour")
    breakdown(red, "design", "place", "fade", "wear", "dpi", "shade")
    count([row for row in colour if row["shade"] == "black"], "seal there, black on a colour page")
    count(grey, "seal there, grey")
    breakdown(grey, "place", "fade", "wear")
    for word in ("colour", "grey"):
        found = [row for row in none if row["grey"] == (word == "grey")]
        count(found, f"no seal, {word}")
        breakdown(found, "kind")
    # Without colour nobody claims that there is none.
    empty = [row for row in none if row["kind"] == "nothing" and row["wear"] in ("clean", "worn") and not row["grey"]]
    count(empty, "nothing at all, clean and worn")
    times = [float(str(row["ms"])) for row in rows]
    print(f"judge: median {statistics.median(times):.1f} ms, longest {max(times):.1f} ms")
    absent = SealVerdict.ABSENT.value
    whole = [row for row in red if row["place"] != "half_missing"]
    kept = [
        bar("colour seal called absent", sum(row["verdict"] == absent for row in colour), len(colour), 0.0),
        bar("grey seal called absent", sum(row["verdict"] == absent for row in grey), len(grey), 0.0),
        bar("colour seal called unclear", sum(row["verdict"] == "unclear" for row in whole), len(whole), 0.10),
        bar("no seal called present", sum(row["verdict"] == "present" for row in none), len(none), 0.02),
        bar("nothing at all not called absent", sum(row["verdict"] != absent for row in empty), len(empty), 0.10),
    ]
    if show:
        wrong = [
            row
            for row in (*red, *grey)
            if row["verdict"] == absent or (not row["grey"] and row["verdict"] != "present")
        ]
        wrong += [
            row
            for row in none
            if row["verdict"] == "present"
            or (row["kind"] == "nothing" and not row["grey"] and row["verdict"] != absent)
        ]
        for row in wrong:
            print({key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()})
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
