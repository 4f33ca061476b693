"""`ogis-lra`: the command line of SPEC 5, a contract that scripts rely on.

Exit 0 done; 1 the thing asked about is not in order; 2 wrong usage or configuration; 75 temporary failure
(EX_TEMPFAIL of sysexits.h). Text for people; with --json one JSON document on stdout and nothing else there.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

from ca.errors import CaError
from config.credentials import CredentialError
from config.settings import SettingsError

from . import console, service
from .console import Answer
from .failures import Consequence, Failure, consequence_of
from .importing import ImportRefused
from .store import StoreError

DONE, NOT_IN_ORDER, WRONG_USE, TEMPORARY = 0, 1, 2, 75

# Commands of SPEC 5 that a later stage brings; they say so instead of pretending.
LATER = {
    "replay": 7,
    "submit": 6,
    "held": 3,
    "release": 3,
    "export": 3,
    "import": 3,
    "revoke": 4,
    "ca": 5,
    "backup": 7,
    "restore": 7,
    "report": 6,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, print; returns the exit code."""
    arguments = _parser().parse_args(argv)
    quiet = logging.WARNING if arguments.verb == "demo" else logging.INFO
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else quiet, stream=sys.stderr, format="%(levelname)s %(message)s"
    )
    try:
        answer = arguments.run(arguments)
    except ImportRefused as error:
        return _complain(
            f"{error}:\n" + "\n".join(f"  line {each.line}, {each.column}: {each.reason}" for each in error.refusals)
        )
    except Failure as error:
        _complain(str(error))
        return TEMPORARY if consequence_of(error) is Consequence.RETRY else WRONG_USE
    except (SettingsError, CredentialError, StoreError, CaError, console.UsageError) as error:
        return _complain(str(error))
    except OperationalError:
        _complain("the database is busy or cannot be opened; try again")
        return TEMPORARY
    _print(answer, as_json=arguments.json)
    return DONE if answer.in_order else NOT_IN_ORDER


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        json.dump(answer.document, sys.stdout, ensure_ascii=False, indent=2, default=str)
        print()
    elif answer.text:
        print(answer.text)


def _complain(sentence: str) -> int:
    print(f"ogis-lra: {sentence}", file=sys.stderr)
    return WRONG_USE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ogis-lra", description="The LRA centre's back office: from mail to certificate."
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, default=Path("ogis-lra.toml"), help="configuration file")
    shared.add_argument("--json", action="store_true", help="one JSON document on stdout")
    shared.add_argument("--verbose", action="store_true", help="more log lines on stderr")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def add(name: str, run: Any, words: str) -> argparse.ArgumentParser:  # noqa: ANN401 - a command function
        verb = verbs.add_parser(name, parents=[shared], help=words, description=words)
        verb.set_defaults(run=run)
        return verb

    demo = add("demo", service.demo, "play the whole life of an application, embedded, on loopback")
    demo.add_argument("--dir", type=Path, default=None, help="where mails, certificates and the database are left")
    add("init", service.init, "write a commented configuration, create secrets, database and CA")
    add("check", service.check, "is everything outside and inside in order?")
    run = add("run", service.run, "the service")
    run.add_argument("--once", action="store_true", help="one round of everything due, then exit")
    run.add_argument("--role", help=argparse.SUPPRESS)
    run.add_argument("--shadow", action="store_true", help=argparse.SUPPRESS)
    form = add("form", console.form, "the blank application form")
    form.add_argument("--xlsx", type=Path, metavar="OUT", help="write the Excel form")
    for name in ("--pdf", "--fill", "--learn", "--out"):
        form.add_argument(name, type=Path, help=argparse.SUPPRESS)
    read = add("read", console.read, "read a form as the service would; changes nothing")
    read.add_argument("file", type=Path, metavar="FILE")
    read.add_argument("--received", metavar="DATE", help="day of receipt, YYYY-MM-DD (default: today in Japan)")
    add("queue", console.queue, "what waits, and for whom")
    add("show", console.show, "one case").add_argument("number", metavar="NO")
    add("log", console.log, "the history of one case").add_argument("number", metavar="NO")
    certs = add("certs", console.certs, "all certificates")
    certs.add_argument("--expiring", type=int, metavar="DAYS", help="only those that end within so many days")
    cert = add("cert", console.cert, "one certificate")
    cert.add_argument("serial", metavar="SERIAL")
    cert.add_argument("--pem", action="store_true", help="print the certificate itself")
    add("crl", console.crl, "the newest CRL").add_argument("--publish", action="store_true", help="make a new one now")
    add("verify", console.verify, "do register, certificates, CRL and audit chain agree?")
    for name, words in (("companies", "companies known to the service"), ("registrations", "registered persons")):
        group = add(name, console.register_of(name), words)
        group.add_argument("action", choices=("import", "list", "show"))
        group.add_argument("subject", nargs="?", metavar="FILE|ID")
    for name, stage in LATER.items():
        later = add(name, console.later(name, stage), f"comes with stage {stage}")
        later.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser
