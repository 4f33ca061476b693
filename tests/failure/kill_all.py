"""The service killed at every commit and outward call of a whole life, and at random moments: `make soak`.

`python -P -m failure.kill_all --server embedded --jobs 2 --random 500 --notes OUT.jsonl` plays one undisturbed life and
counts its places, then plays lives until each place has killed a service once, then the random ones. Each life is one
line of the notes, written as it ends, so that a run that was broken off has told what it knows and goes on from there.
`--report docs/soak/kills.md NOTES…` writes the report from such notes.

A life carries one kill in each phase, and the service has recovered and come to rest before the next: never three on
one mail. What a life may leave behind grows with its kills and is otherwise that of the undisturbed life. Whether a
place killed is told by the service itself as its last word; places that did not kill are tried again, alone.
"""

import argparse
import json
import multiprocessing
import multiprocessing.util
import os
import platform
import random
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from support.centres import Centres
from support.kills import PHASES, WORLDS, KilledLife, Plan, Zygote, close_worlds, life_of
from support.stops import End, register_hanako

_FILES = re.compile(r"\b(create|fsync|rename|unlink|mkdir|reading|reader)\b")


MOST_BATCHES, MOST_TRIES = 20, 3


@dataclass
class Outcome:
    """What became of one life."""

    server: str
    kind: str
    plan: dict[str, Any]
    kills: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    repeated: int = 0
    abandoned: int = 0
    seconds: float = 0.0
    places: list[str] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)


class Theatre:
    """One worker: a template, a process to fork services from, and the end that every life must have."""

    def __init__(
        self, folder: Path, server: str, *, registered: Centres | None = None, zygote: Zygote | None = None
    ) -> None:
        self.folder, self.server = folder, server
        self.memory = folder / "memory"
        self.memory.mkdir(exist_ok=True)
        self.registered = registered or Centres(folder / "registered")
        self.zygote = zygote or Zygote()
        self.end: End | None = None
        self._lives = 0

    @staticmethod
    def build(folder: Path) -> None:
        """What all workers share: a centre where Yamada Hanako holds a certificate since yesterday."""
        centres = Centres.make(folder / "template")
        register_hanako(centres, folder / "registered")
        centres.reader.end()

    def play(self, kind: str, plan: Plan, *, spoil: Callable[[KilledLife], None] | None = None) -> Outcome:
        """One life; `spoil` is what a test of the judge does to its end."""
        self._lives += 1
        folder = self.folder / f"life-{self.server}-{os.getpid()}-{self._lives}"
        outcome = Outcome(self.server, kind, {"kills": dict(plan.kills), "moments": dict(plan.moments)})
        began = time.monotonic()
        try:
            with life_of(self.zygote, self.registered, folder, self.server, plan) as life:
                life.live()
                if spoil is not None:
                    spoil(life)
                end, outcome.faults = life.judge()
                outcome.kills, outcome.places, outcome.spent = life.kills, life.places, life.spent
                outcome.repeated, outcome.abandoned = life.repeated, life.abandoned
                if self.end is None and not life.kills:
                    self.end = end
                if end != self.end:
                    outcome.faults.append(f"the end differs: {_difference(end, self.end)}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a life that broke down is a finding, the run goes on
            outcome.faults.append(f"{type(error).__name__}: {error}")
        outcome.seconds = time.monotonic() - began
        if not outcome.faults:
            shutil.rmtree(folder)
        else:
            outcome.faults.append(f"left in {folder.name}")
        return outcome

    def close(self) -> None:
        self.zygote.__exit__()


def _difference(end: End, expected: End | None) -> str:
    if expected is None:
        return "there is none to compare with"
    parts = []
    for name, own in asdict(end).items():
        other = getattr(expected, name)
        more, fewer = Counter(own) - Counter(other), Counter(other) - Counter(own)
        parts += [f"{name}: more {dict(more)}, fewer {dict(fewer)}"] * (more != fewer)
    return "; ".join(parts) or "order"


def plans_of(
    places: Sequence[str], memory: Path | None, *, struck: AbstractSet[str] = frozenset(), chance: random.Random
) -> list[Plan]:
    """So many lives that every place of PHASES that was not yet `struck` kills once, with one kill in each phase.

    Each moment of the life comes first, in chance order: the moment after one call is also the one before the next, and
    the world is the same at both. Only then comes the other place of each such pair.
    """
    seen = {moment for moment, place in moments_of(places).items() if struck & set(place)}
    queues: dict[str, list[str]] = {}
    for phase in PHASES:
        first, second = [], []
        for moment, both in moments_of(places).items():
            if moment[0] == phase:
                left = [place for place in chance.sample(both, len(both)) if place not in struck]
                first += left[: moment not in seen]
                second += left[moment not in seen :]
        queues[phase] = chance.sample(first, len(first)) + chance.sample(second, len(second))
    rows = zip_longest(*queues.values())
    return [Plan(dict(place.split(": ", 1) for place in row if place), memory=memory) for row in rows]


def moments_of(places: Sequence[str]) -> dict[tuple[str, int], list[str]]:
    """The places by the moments of the life: right after one call and right before the next are one moment.

    Not where either has to do with a file, since files are also written between the calls that are places.
    """
    found: dict[tuple[str, int], list[str]] = {}
    number, last = 0, ""
    for place in places:
        phase, _, label = place.partition(": ")
        if phase not in PHASES:
            continue
        same = last.startswith(f"{phase}: after") and label.startswith("before") and not _FILES.search(last + label)
        number += not same
        found.setdefault((phase, number), []).append(place)
        last = place
    return found


def random_plans(spent: dict[str, float], memory: Path | None, *, count: int, seed: int) -> Iterator[Plan]:
    """Kills from outside: one at any moment of each phase, and often another while it recovers from that. Every
    tenth life reads its form anew, in confined children that lose their service."""
    chance = random.Random(seed)
    for number in range(count):
        fresh = number % 10 == 9
        # The phases of another life may take longer than those that were timed.
        longest = {phase: spent[phase] * 1.3 for phase in PHASES}
        longest["application"] += 6.0 if fresh else 0.0
        moments: dict[str, tuple[float, ...]] = {phase: (chance.uniform(0, longest[phase]),) for phase in PHASES}
        for phase in PHASES:
            if chance.random() < 0.6:
                # Not a third one: a mail that three stops hit while it was read is set aside for a person, as promised.
                moments[f"again after {phase}"] = (chance.uniform(0, longest[phase]),)
        yield Plan(moments=moments, memory=None if fresh else memory)


_theatre: Theatre


def _begin(folder: str, server: str, end: End | None) -> None:
    global _theatre  # noqa: PLW0603 - a worker process has one
    # The pool ends its workers by SIGTERM; what they have started must end with them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    multiprocessing.util.Finalize(None, close_worlds, exitpriority=1)
    _theatre = Theatre(Path(folder), server)
    _theatre.end = end


def _play(order: tuple[str, Plan]) -> Outcome:
    return _theatre.play(*order)


def run(server: str, notes: Path, *, jobs: int, most_places: int, random_kills: int, seed: int, minutes: float) -> int:
    """The whole run, or what is left of it where there are notes already; the number of lives not in order."""
    deadline = time.monotonic() + minutes * 60
    folder = Path(tempfile.mkdtemp(prefix="ogis-lra-kills-"))
    Theatre.build(folder)
    first = Theatre(folder, server)
    former = [Outcome(**json.loads(line)) for line in notes.read_text("utf-8").splitlines()] if notes.exists() else []
    with notes.open("a", encoding="utf-8") as book:

        def note(outcome: Outcome) -> Outcome:
            told = asdict(outcome)
            if outcome.kind != "undisturbed":
                del told["places"], told["spent"]
            book.write(json.dumps(told, ensure_ascii=False) + "\n")
            book.flush()
            return outcome

        first.play("warm", Plan(memory=first.memory))
        counted = first.play("undisturbed", Plan(counting=True, memory=first.memory))
        timed = [first.play("timed", Plan(memory=first.memory)) for _ in range(3)]
        first.close()
        if not any(outcome.kind == "undisturbed" for outcome in former):
            note(counted)
        if counted.faults:
            print(f"the undisturbed life is not in order: {counted.faults}", file=sys.stderr)
            return 1
        spent = {phase: statistics.median(outcome.spent[phase] for outcome in timed) for phase in PHASES}
        chance = random.Random(f"{seed}{len(former)}")
        wanted = {place for place in counted.places if place.partition(":")[0] in PHASES}
        known = set().union(*(outcome.kills for outcome in former))
        left = random_kills - sum(map(_moments, former))
        plans = plans_of(counted.places, first.memory, struck=known, chance=chance)
        if most_places:
            plans = plans[:most_places]
            wanted = {f"{phase}: {place}" for plan in plans for phase, place in plan.kills.items()}
        wanted -= known
        orders = [("place", plan) for plan in plans]
        bad = 0
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(jobs, _begin, (str(folder), server, first.end)) as pool:
            for batch in range(MOST_BATCHES):
                # A moment may lie behind the end of a phase and kill nobody; then there is another batch.
                lives = -(-max(left, 0) // (len(PHASES) + 1))
                moments = random_plans(spent, first.memory, count=lives, seed=seed + len(former) + batch)
                orders = _mixed(orders, [("moment", plan) for plan in moments])
                for outcome in pool.imap_unordered(_play, orders):
                    note(outcome)
                    bad += bool(outcome.faults)
                    wanted -= set(outcome.kills)
                    left -= _moments(outcome)
                    if time.monotonic() > deadline:
                        return bad
                again = sorted(wanted) if batch < MOST_TRIES else []
                orders = [("place", Plan(dict([place.split(": ", 1)]), memory=first.memory)) for place in again]
                if left <= 0 and not orders:
                    break
    if not bad:
        shutil.rmtree(folder)
    return bad


def _mixed(some: list[Any], others: list[Any]) -> list[Any]:
    """Both, each in its order, spread evenly: a run that is broken off has done its share of either."""
    spread = [(index / len(each), each is others, order) for each in (some, others) for index, order in enumerate(each)]
    return [order for _, _, order in sorted(spread, key=lambda each: each[:2])]


def _moments(outcome: Outcome) -> int:
    return sum(kill.endswith("from outside") for kill in outcome.kills)


def report(target: Path, notes: Sequence[Path], seed: int, remarks: Sequence[str]) -> None:
    """Write what these notes say."""
    rows = [json.loads(line) for each in notes for line in each.read_text("utf-8").splitlines()]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_told(rows, seed, remarks), "utf-8")


def _told(rows: list[dict[str, Any]], seed: int, remarks: Sequence[str]) -> str:
    lines = [
        "# A life killed everywhere",
        "",
        "Written by `make soak` (`tests/failure/kill_all.py`). A reissue from the applicant's mail to the closed case,",
        "with the revocation of the old certificate, while the service is ended by SIGKILL at every commit and outward",
        "call it makes, right before and right after, and at random moments. What is held against it after each life:",
        "every application carried out, one certificate, every letter there, repeated at most once a kill and then octet",
        "for octet, register, CRL and audit chain in order, the mailbox empty, no key left in the vault. A life is killed",
        "once in each of its phases and recovers in between; each kill answers for one repetition at most. A place is",
        "right before or right after a call; right after one call and right before the next is one moment of the life, at",
        "which the world is the same, so in each phase every moment is killed before the second place of any.",
        "",
        f"- day: {datetime.now(UTC):%Y-%m-%d}",
        f"- machine: {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        f"- seed of the random moments: {seed}",
        "",
        (
            "| server | places of the life | of them killed | moments of the life | of them killed |"
            " kills at random moments | lives | kills in all | repeated letters | serials abandoned | lives not in order |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    servers = sorted({row["server"] for row in rows})
    for server in servers:
        own = [Outcome(**row) for row in rows if row["server"] == server]
        places = _places(own)
        hit = set(places) & {kill for life in own for kill in life.kills}
        moments = moments_of(places).values()
        lives = [life for life in own if life.kind in ("place", "moment")]
        lines.append(
            f"| {server} | {len(places)} | {len(hit)} | {len(moments)} | {sum(bool(hit & set(each)) for each in moments)} |"
            f" {sum(map(_moments, own))} | {len(lives)} | {sum(len(life.kills) for life in lives)} |"
            f" {sum(life.repeated for life in lives)} | {sum(life.abandoned for life in lives)} |"
            f" {sum(bool(life.faults) for life in lives)} |"
        )
    lines += [
        "",
        "## Places, by what they are",
        "",
        "| server | what | in the life | of them killed |",
        "|---|---|---|---|",
    ]
    for server in servers:
        own = [Outcome(**row) for row in rows if row["server"] == server]
        kills = {kill for life in own for kill in life.kills}
        there = Counter(map(_kind, _places(own)))
        struck = Counter(_kind(place) for place in _places(own) if place in kills)
        lines += [f"| {server} | {kind} | {count} | {struck[kind]} |" for kind, count in sorted(there.items())]
    bad = [row for row in rows if row["faults"]]
    lines += ["", "## Lives that were not in order", ""]
    lines += [f"- {row['server']}, {row['plan']}: {'; '.join(row['faults'])}" for row in bad] or ["None."]
    lines += ["", "## Remarks", "", *(f"- {remark}" for remark in remarks)] if remarks else []
    return "\n".join(lines) + "\n"


def _places(lives: Sequence[Outcome]) -> list[str]:
    """The places of the undisturbed life that count."""
    counted = next((life for life in lives if life.kind == "undisturbed"), None)
    return [place for place in counted.places if place.partition(":")[0] in PHASES] if counted else []


def _kind(place: str) -> str:
    return place.partition(": ")[2].partition(" #")[0]


def main() -> int:
    """Run, or report."""
    parser = argparse.ArgumentParser(description="kill the service everywhere")
    parser.add_argument("--server", choices=sorted(WORLDS), default="embedded")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--places", type=int, default=0, help="so many lives only (0: all)")
    parser.add_argument("--random", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=600.0, help="stop after so long; the notes go on next time")
    parser.add_argument("--seed", type=int, default=20261201)
    parser.add_argument("--notes", type=Path, required=True, nargs="+")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--remark", action="append", default=[], help="a sentence of a person for the report")
    chosen = parser.parse_args()
    if chosen.report:
        report(chosen.report, chosen.notes, chosen.seed, chosen.remark)
        return 0
    return min(
        1,
        run(
            chosen.server,
            chosen.notes[0],
            jobs=chosen.jobs,
            most_places=chosen.places,
            random_kills=chosen.random,
            seed=chosen.seed,
            minutes=chosen.minutes,
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
