"""The audit log: events written in groups of 100 with a durable commit each, and the whole chain verified.

    .venv/bin/python -P benchmarks/audit.py [--events N]

Asked for: at least 20,000 events a second in groups of 100, verified at 200,000 a second (issue 6). The floor of
writing is the same number of groups as plain appends with fdatasync, in the same run; the floor of verifying is the
HMAC alone. Rates are given by the wall and, since the machine may be busy, by the CPU time of this process.
"""

import argparse
import hmac
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from daemon.audit import Audit, Entry
from daemon.store import Store

GROUP = 100
WRITTEN, VERIFIED = 20_000, 200_000
NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
KEY = b"benchmark" * 4
# What the service writes most: ids, codes, states.
DETAIL = {"from": "approved", "serial": "2f6d3c1b9a8e7d6c5b4a39281706f5e4d3c2b1a0", "to": "executing"}


def entry(number: int) -> Entry:
    return Entry("case_started", NOW + timedelta(microseconds=137 * number), "issuer", number // 7, DETAIL)


def timed(work: Callable[[], None], count: int) -> tuple[float, float]:
    """Events a second: by the wall, by the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return count / wall, count / max(cpu, 1e-9)


def append_floor(folder: Path, groups: int) -> None:
    with (folder / "floor").open("ab", buffering=0) as file:
        for _ in range(groups):
            file.write(b"x" * 400 * GROUP)
            os.fdatasync(file.fileno())


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--events", type=int, default=100_000)
    count = options.parse_args().events // GROUP * GROUP
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as name:
        folder = Path(name)
        store, audit = Store(f"sqlite:///{folder}/audit.sqlite"), Audit(KEY)
        store.migrate()

        def write() -> None:
            for start in range(0, count, GROUP):
                with store.transaction() as tx:
                    audit.extend(tx, map(entry, range(start, start + GROUP)))

        def verify() -> None:
            with store.transaction() as tx:
                faults = list(audit.faults(tx))
            if faults:
                raise SystemExit(f"the chain is broken: {faults[0]}")

        floor, _ = timed(lambda: append_floor(folder, count // GROUP), count)
        written, written_cpu = timed(write, count)
        line = b"x" * 300
        hmacs, _ = timed(lambda: [hmac.digest(KEY, line, "sha256") for _ in range(count)] and None, count)
        verified, verified_cpu = timed(verify, count)
        store.close()
    print(
        f"written in groups of {GROUP}: {written:,.0f}/s (CPU {written_cpu:,.0f}/s, bar {WRITTEN:,}), "
        f"x{written / floor:.2f} of fdatasync alone; "
        f"verified: {verified:,.0f}/s (CPU {verified_cpu:,.0f}/s, bar {VERIFIED:,}), "
        f"x{verified / hmacs:.2f} of the HMAC alone"
    )
    return 0 if written >= WRITTEN and verified >= VERIFIED else 1


if __name__ == "__main__":
    sys.exit(main())
