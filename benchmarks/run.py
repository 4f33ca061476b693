"""All benchmarks, one after the other; writes docs/benchmarks.md with date, machine and versions.

    make bench

Each benchmark is a program of its own that prints its ratio to a floor taken in the same run as its last line and exits
0 while it is within its bar. Timings decide no unit test.
"""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
LIBRARIES = ("pypdf", "pdfplumber", "cryptography", "sqlalchemy", "imapclient", "mail-parser")
BENCHMARKS = {
    "read_text.py": ("Reading a form's text layer, seal check apart", "pypdf's plain text extraction", "≤ 5"),
    "decide.py": (
        "Reply octets to authenticated decision, by DKIM and by S/MIME",
        "the bare verification of one signature",
        "≤ 15 ms at the median",
    ),
    "issue.py": (
        "1,000 certificates (RSA-3072), the whole path with durable commits; cost by the size of the register",
        "making the keys alone, same threads; the cost with 1,000 rows",
        "rate ≥ 0.9, cost ≤ 1.2",
    ),
    "audit.py": (
        "Audit events in groups of 100 with a durable commit each; the chain verified",
        "fdatasync alone; the HMAC alone",
        "≥ 20,000/s, ≥ 200,000/s",
    ),
    "read_scan.py": ("Reading a 300 dpi scan", "the bare recogniser and renderer over the same crops", "≤ 1.54"),
    "crl.py": (
        "A full CRL of 1,000,000 entries from the database; its memory; one more revocation among 100,000",
        "hash, write, fsync and one signature of the same bytes",
        "≤ 6; ≤ 200 MB; ≤ 50 ms of CPU",
    ),
    "ocsp.py": (
        "Answering by OCSP: in process with RSA-2048 and RSA-3072; over HTTP, no keep-alive; the same signed ahead",
        "the bare signature of the same key; `openssl ocsp` as responder with the same key (RSA-3072)",
        "≥ 0.7; ≥ 0.8; ≥ 3",
    ),
    "intake.py": (
        "Taking in mail from Dovecot: fetch; whole intake; delay",
        "bare imaplib; a minimal script of the same four things, one commit a mail (ours commits a batch); IDLE client",
        "fetch ≥ 0.6, intake ≥ 0.8, p95 ≤ floor + 100 ms",
    ),
}


def main() -> int:
    rows, failed = [], 0
    for name, (what, floor, bar) in BENCHMARKS.items():
        command = [sys.executable, "-P", str(ROOT / "benchmarks" / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        last = (done.stdout.strip() or done.stderr.strip() or "printed nothing").splitlines()[-1]
        print(f"{name}: {last}")
        rows.append(f"| `{name}` | {what} | {floor} | {bar} | {last} | {'yes' if done.returncode == 0 else '**no**'} |")
        failed += done.returncode != 0
    PAGE.write_text(_page(rows), "utf-8")
    return int(failed > 0)


def _page(rows: list[str]) -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `make bench`; each figure is a ratio to a floor taken in the same run, on the same machine.",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, {platform.system()}, "
            f"Python {platform.python_version()}; {libraries}.",
            "",
            "| benchmark | what | floor | bar | measured | within |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
