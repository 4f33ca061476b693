"""One PDF in, one JSON document out; or, for the service, the nursery of its confined children.

    python -P -m parsers [PATH] [--received YYYY-MM-DD]      without PATH the PDF comes on standard input
    python -P -m parsers --nursery FD                        the service's own call (parsers/nursery.py)

Exit 0 with the document of SPEC 5 (`applications`, `problems`); exit 1 with `{"error": {"kind", "page"}}` where the
bytes yield no document. Needs no key and no network. The first form has no walls: it is for people and their own files.
"""

import argparse
import json
import logging
import socket
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from parsers import nursery
from parsers.application import read
from parsers.errors import ParseError
from parsers.reading import to_json

_JST = timezone(timedelta(hours=9), "JST")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read one PDF and print it; see the head of this module for arguments and exit codes."""
    parser = argparse.ArgumentParser(prog="python -m parsers", description="Read an application form from a PDF.")
    parser.add_argument("path", nargs="?", type=Path, help="the PDF; standard input where it is left out")
    parser.add_argument("--received", type=date.fromisoformat, help="day of receipt in Japan, YYYY-MM-DD; today else")
    parser.add_argument("--nursery", type=int, metavar="FD", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    # Both libraries log a line for every oddity of a file; a hostile one would fill the parent's log.
    for library in ("pdfminer", "pypdf"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    if options.nursery is not None:
        with socket.socket(fileno=options.nursery) as control:
            nursery.keep(control)
        return 0
    data = options.path.read_bytes() if options.path else sys.stdin.buffer.read()
    received_on = options.received or datetime.now(_JST).date()
    try:
        document = to_json(read(data, received_on=received_on))
    except ParseError as error:
        _print({"error": {"kind": error.kind.value, "page": error.page, "sentence": str(error)}})
        return 1
    _print(document)
    return 0


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
