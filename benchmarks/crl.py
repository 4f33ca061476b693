"""A full CRL of many entries from the database, and one more revocation published, against floors of the same run.

    .venv/bin/python -P benchmarks/crl.py [--entries 1000000] [--base 100000] [--rounds 3]

Three bars, each printed; the last line sums up; exit 1 where one is missed (issue 6):
  full     compose, lint, sign, record and put in place the CRL of --entries entries, against hash + write + fsync +
           one RSA-3072 signature of the same bytes                                        ≤ 6 times (fastest of rounds)
  memory   largest RSS of the process that does it, alone                                  ≤ 200 MB
  one      a revocation recorded and published, DER and PEM, among --base others           ≤ 50 ms of CPU (median)

Each measurement is a process of its own. The rows are made up (`support.revoked`). The PEM file of the full CRL is
written too and counted apart: the floor has none.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from cryptography.hazmat.primitives import hashes  # noqa: E402 - the path comes first
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402

from ca import register  # noqa: E402
from ca.crl import Reason  # noqa: E402
from ca.keys import KeyKind  # noqa: E402
from daemon import crl_files, publication  # noqa: E402
from daemon.durable import write_durably  # noqa: E402
from support.authorities import NOW  # noqa: E402
from support.revoked import fill, publishing_centre  # noqa: E402

BAR, MOST_MB, MOST_MS = 6.0, 200.0, 50.0
DAY = timedelta(days=1)


def full(folder: Path, rounds: int) -> dict[str, Any]:
    """The whole publication, the PEM apart; the floor afterwards, so that it does not count in the RSS."""
    centre = publishing_centre(folder, KeyKind.RSA_3072)
    spent, pem = [], []
    for number in range(rounds):
        centre.time.now = NOW + DAY * (number + 1)
        # Nothing of the CRL before may help: the list comes from the database.
        for path in centre.public.glob("*.crl"):
            path.unlink()
        start, began = time.perf_counter(), time.process_time()
        publication.publish(centre, force=True)
        whole, cpu = time.perf_counter() - start, time.process_time() - began
        target = centre.public / publication.CRL_FILE
        start, began = time.perf_counter(), time.process_time()
        crl_files.write_pem(target, target.with_name(target.name + ".pem"))
        pem.append((time.perf_counter() - start, time.process_time() - began))
        spent.append((whole, cpu))
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    data = (centre.public / publication.CRL_FILE).read_bytes()
    floors = [_floor(data, folder) for _ in range(rounds)]
    best = {
        name: [min(each[0] for each in times), min(each[1] for each in times)]
        for name, times in (("spent", spent), ("pem", pem), ("floor", floors))
    }
    return best | {"rss": rss, "octets": len(data)}


def _floor(data: bytes, folder: Path) -> tuple[float, float]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    start, began = time.perf_counter(), time.process_time()
    key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    write_durably(folder / "floor", data)
    return time.perf_counter() - start, time.process_time() - began


def one(folder: Path, rounds: int) -> dict[str, Any]:
    """CPU milliseconds from the revocation to the files in their place."""
    centre = publishing_centre(folder, KeyKind.RSA_3072)
    good = json.loads((folder / "good.json").read_text())
    publication.publish(centre)
    spent = []
    for number in range(min(rounds, len(good))):
        centre.time.now = NOW + timedelta(minutes=number + 1)
        start = time.process_time()
        with centre.store.transaction() as tx:
            register.revoke(tx, good[number], at=centre.clock(), reason=Reason.SUPERSEDED, now=centre.clock())
        if not publication.publish(centre):
            raise RuntimeError("nothing was published")
        spent.append((time.process_time() - start) * 1000)
    return {"ms": statistics.median(spent), "worst": max(spent)}


def filled(folder: Path, count: int, issued: int) -> dict[str, Any]:
    """The register that is measured."""
    centre = publishing_centre(folder, KeyKind.RSA_3072)
    (folder / "good.json").write_text(json.dumps(fill(centre.store, count, issued=issued)))
    return {}


def child(name: str, folder: Path, *numbers: int) -> dict[str, Any]:
    """Run one of them in a process of its own."""
    command = [sys.executable, "-P", __file__, "--child", name, str(folder), *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        name, folder, *numbers = sys.argv[2:]
        work = {"full": full, "one": one, "filled": filled}[name]
        print(json.dumps(work(Path(folder), *map(int, numbers))))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--base", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child("filled", folder, asked.entries, 0)
        big = child("full", folder, asked.rounds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        child("filled", folder, asked.base, 20)
        small = child("one", folder, 20)
    made, floor = [spent - pem for spent, pem in zip(big["spent"], big["pem"], strict=True)], big["floor"]
    ratio, by_cpu = (ours / theirs for ours, theirs in zip(made, floor, strict=True))
    print(
        f"full CRL of {asked.entries} entries, {big['octets'] / 1e6:.1f} MB: {made[0]:.2f} s (and {big['pem'][0]:.2f} s"
        f" for the PEM), floor {floor[0]:.2f} s; by processor time {made[1]:.2f} s, floor {floor[1]:.2f} s,"
        f" {by_cpu:.1f} times; largest RSS {big['rss']:.0f} MB"
    )
    print(f"one more among {asked.base}: median {small['ms']:.0f} ms of CPU, worst {small['worst']:.0f} ms")
    print(
        f"full CRL {ratio:.1f} times the floor (bar {BAR:g}), RSS {big['rss']:.0f} MB (bar {MOST_MB:g}), "
        f"one more revocation {small['ms']:.0f} ms of CPU (bar {MOST_MS:g})"
    )
    return int(ratio > BAR or big["rss"] > MOST_MB or small["ms"] > MOST_MS)


if __name__ == "__main__":
    sys.exit(main())
