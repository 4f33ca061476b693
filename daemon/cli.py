"""`ogis-lra`: the command line of SPEC 5, a contract that scripts rely on.

Exit 0 done; 1 the thing asked about is not in order; 2 wrong usage or configuration; 75 temporary failure
(EX_TEMPFAIL of sysexits.h). Text for people; with --json one JSON document on stdout and nothing else there; where the
command could not be carried out it is `{"error": "…"}`. What went wrong is said on stderr, in a sentence, never as a
traceback.
"""

import argparse
import functools
import io
import json
import logging
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from ca.errors import CaError
from config.credentials import CredentialError
from config.settings import SettingsError
from parsers.equipment import Equipment

from . import (
    ca_console,
    case_console,
    certificate_console,
    certificate_search,
    console,
    form_console,
    former_console,
    held_console,
    mail_console,
    reading_console,
    register_console,
    service,
    urgent_console,
)
from .centre import wall_clock
from .console import Answer, Command
from .failures import Consequence, Failure, Kind, consequence_of, kind_of
from .guard import attempt
from .reader import Reader
from .store import StoreError

DONE, NOT_IN_ORDER, WRONG_USE, TEMPORARY = 0, 1, 2, 75
INTERRUPTED = 130  # as every shell says of a command that Ctrl-C ended

# Commands of SPEC 5 that a later stage brings; they say so instead of pretending.
LATER = {
    "replay": 7,
    "submit": 6,
    "backup": 7,
    "restore": 7,
    "report": 6,
}

# SQLite's reasons that pass by themselves, or as soon as somebody makes room.
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_OURS = ("daemon", "ca", "parsers", "config")
_MOST_DAYS = 36_500


def main(
    argv: Sequence[str] | None = None,
    *,
    clock: Callable[[], datetime] = wall_clock,
    open_reader: Callable[[Equipment], Reader] = reading_console.open_reader,
) -> int:
    """Parse, run, print; returns the exit code. Raises SystemExit(2) for a command line it does not understand."""
    parser = _parser()
    arguments, surplus = parser.parse_known_args(argv)
    if surplus and arguments.verb not in LATER:
        parser.error(f"unrecognized arguments: {' '.join(surplus)}")
    arguments.clock = clock
    arguments.open_reader = open_reader
    arguments.say = functools.partial(print, flush=True)
    _speak_any_language()
    _log_to_stderr(verbose=arguments.verbose, quiet=arguments.verb == "demo")
    errors: list[Exception] = []
    try:
        code = attempt(arguments.verb, functools.partial(_carry_out, arguments), errors)
    except KeyboardInterrupt:
        return INTERRUPTED
    if code is None:
        _complain("an error of the program itself; the line above says where (docs/operations.md)", arguments)
        return NOT_IN_ORDER
    return code


def _carry_out(arguments: argparse.Namespace) -> int:
    """Run the command and print its answer; every error that somebody can do something about becomes a sentence."""
    try:
        answer = arguments.run(arguments)
        _print(answer, as_json=arguments.json)
    except Failure as error:
        _complain(str(error), arguments)
        return TEMPORARY if consequence_of(error) is Consequence.RETRY else WRONG_USE
    except service.AlreadyRunning as error:
        _complain(str(error), arguments)
        return TEMPORARY
    except (SettingsError, CredentialError, StoreError, CaError, console.UsageError) as error:
        _complain(str(error), arguments)
        return WRONG_USE
    except DBAPIError as error:
        return _database_trouble(error, arguments)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain once more while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        _complain(f"{error.filename or 'a file'}: {error.strerror}", arguments)
        return TEMPORARY if kind_of(error) is Kind.DISK_FULL else WRONG_USE
    if answer.in_order:
        return DONE
    return TEMPORARY if answer.temporary else NOT_IN_ORDER


def _database_trouble(error: DBAPIError, arguments: argparse.Namespace) -> int:
    """Its own text quotes statement and parameters, so only SQLite's name for the trouble is shown."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # the lower octet; above it stand the details
    name = getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)
    if code in _PASSING:
        _complain(f"the database is busy or its disk is full ({name}); try again", arguments)
        return TEMPORARY
    _complain(f"the database cannot be used ({name}); `ogis-lra check` says more", arguments)
    return WRONG_USE


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        _print_json(answer.document)
    elif answer.text:
        print(answer.text, flush=True)


def _print_json(document: Any) -> None:  # noqa: ANN401 - any document
    print(json.dumps(document, ensure_ascii=False, indent=2, default=_plain), flush=True)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _complain(sentence: str, arguments: argparse.Namespace) -> None:
    if arguments.json:
        _print_json({"error": sentence})
    print(f"ogis-lra: {sentence}", file=sys.stderr)


def _speak_any_language() -> None:
    """A terminal or pipe of another encoding shows a character it does not know as an escape, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _log_to_stderr(*, verbose: bool, quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Discreet("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    for name in _OURS:
        logging.getLogger(name).setLevel(level)


class _Discreet(logging.Formatter):
    """Our own lines as they are; of a library only that it said something: it may quote a mail or a name."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name.partition(".")[0] in _OURS:
            return super().format(record)
        return f"{record.levelname} {record.name}: a message of a library, left out ({record.module}:{record.lineno})"


def _days(text: str) -> int:
    days = int(text)
    if not 0 <= days <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{days} is not between 0 and {_MOST_DAYS}")
    return days


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ogis-lra", description="The LRA centre's back office: from mail to certificate.", allow_abbrev=False
    )
    shared = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    shared.add_argument("--config", type=Path, default=Path("ogis-lra.toml"), help="configuration file")
    shared.add_argument("--json", action="store_true", help="one JSON document on stdout")
    shared.add_argument("--verbose", action="store_true", help="more log lines on stderr")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def add(name: str, run: Command, words: str) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, parents=[shared], help=words, description=words, allow_abbrev=False)
        verb.set_defaults(run=run)
        return verb

    demo = add("demo", service.demo, "play the whole life of an application, embedded, on loopback")
    demo.add_argument("--dir", type=Path, default=None, help="where mails, certificates and the database are left")
    init = add("init", service.init, "write a commented configuration, create secrets, database and CA")
    init.add_argument(
        "--present", action="append", metavar="NAME", help="who carries this out or witnesses it; stands in the record"
    )
    add("check", service.check, "is everything outside and inside in order?")
    run = add("run", service.run, "the service")
    run.add_argument("--once", action="store_true", help="one round of everything due, then exit")
    run.add_argument("--role", help=argparse.SUPPRESS)
    run.add_argument("--shadow", action="store_true", help=argparse.SUPPRESS)
    form = add("form", form_console.form, "the application form: blank, filled with a code, or another layout learnt")
    for name, metavar, words in (
        ("--xlsx", "OUT", "write the blank form for Excel"),
        ("--pdf", "OUT", "write the blank form as a fillable PDF or, with --fill, a filled one to be printed"),
        ("--fill", "VALUES.json", "the values of the filled form, by field name"),
        ("--learn", "BLANK.pdf", "propose a form definition for this blank form"),
        ("--out", "FORM.toml", "where --learn writes its proposal"),
    ):
        form.add_argument(name, type=Path, metavar=metavar, help=words)
    read = add("read", reading_console.read, "read a form as the service would; changes nothing")
    read.add_argument("file", type=Path, metavar="FILE", help="a PDF, or a mail (.eml) with all its attachments")
    read.add_argument("--picture", type=Path, metavar="OUT", help="draw what was read on each page (PNG)")
    read.add_argument(
        "--forms", type=Path, metavar="DIR", help="a folder of learnt forms to know beside the shipped ones"
    )
    read.add_argument("--received", metavar="DATE", help="day of receipt, YYYY-MM-DD (default: today in Japan)")
    add("queue", case_console.queue, "what waits, and for whom")
    add("show", case_console.show, "one case").add_argument("number", metavar="NO")
    log = add("log", case_console.log, "the history of one case, or what of the whole log is kept elsewhere")
    log.add_argument("number", metavar="NO", nargs="?")
    log.add_argument("--checkpoint", action="store_true", help="one line to keep: how far the audit log has come")
    log.add_argument("--export", type=Path, metavar="FILE", help="write the whole audit log as lines of JSON")
    _add_certificates(add)
    for name, words in (("companies", "companies known to the service"), ("registrations", "registered persons")):
        group = add(name, register_console.register_of(name), words)
        people = name == "registrations"
        group.add_argument(
            "action", choices=("import", "list", "show", "set") if people else ("import", "list", "show")
        )
        group.add_argument("subject", nargs="?", metavar="FILE|ID")
        if people:
            group.add_argument(
                "--bundle", choices=("modern", "legacy", "default"), help="set: the kind of PKCS#12 file from now on"
            )
    former = add("former", former_console.run, "certificates of a former CA, which staff revoke there")
    former.add_argument("action", choices=("import", "list", "revoked"))
    former.add_argument("subject", nargs="?", metavar="FILE|ID")
    _add_held_mail(add)
    _add_ca(add, shared)
    for name, stage in LATER.items():
        later = add(name, console.later(name, stage), f"comes with stage {stage}")
        later.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _add_certificates(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    certs = add("certs", certificate_console.certs, "all certificates, or those that are searched for")
    certs.add_argument("text", nargs="*", metavar="TEXT", help="part of a name, company, mail address or serial number")
    certs.add_argument("--state", choices=certificate_search.STATES, default="", help="only those in this state")
    certs.add_argument("--expiring", type=_days, metavar="DAYS", help="only those that end within so many days")
    cert = add("cert", certificate_console.cert, "one certificate")
    cert.add_argument("serial", metavar="SERIAL")
    cert.add_argument("--pem", action="store_true", help="print the certificate itself")
    revoke = add("revoke", urgent_console.revoke, "an urgent revocation, which two approvers decide by mail")
    revoke.add_argument("serial", metavar="SERIAL", help="a serial number, a registration's id or a case number")
    revoke.add_argument(
        "--reason", required=True, metavar="R", help="why, in words; a date at its end: key unsafe since"
    )
    revoke.add_argument(
        "--break-glass", action="store_true", help="revoke at once, without approvers; alarms everybody"
    )
    crl = add("crl", certificate_console.crl, "the newest CRL")
    crl.add_argument("--publish", action="store_true", help="make a new one now")
    verify = add("verify", certificate_console.verify, "do register, certificates, CRL and audit chain agree?")
    verify.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        metavar="TEXT|FILE",
        help="a kept checkpoint of the audit log, or a file or mail that holds some",
    )


def _add_ca(add: Callable[[str, Command, str], argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`ca` has commands below it. The options that all share may stand before such a command, or after it, where they
    have no default: it would undo what stood before."""
    words = "the authorities of the centre: show, rollover, export, import, issue-tls, issue-staff, revoke"
    deeds = add("ca", ca_console.show, words).add_subparsers(dest="deed", required=True, metavar="DEED")

    def add_deed(name: str, run: Command, words: str) -> argparse.ArgumentParser:
        deed = deeds.add_parser(name, help=words, description=words, allow_abbrev=False)
        for action in shared._actions:  # noqa: SLF001 - argparse has no other way to ask
            if isinstance(action, argparse._StoreTrueAction):  # noqa: SLF001 - as above
                deed.add_argument(
                    *action.option_strings, action="store_true", default=argparse.SUPPRESS, help=action.help
                )
            else:
                deed.add_argument(*action.option_strings, type=Path, default=argparse.SUPPRESS, help=action.help)
        deed.set_defaults(run=run)
        return deed

    ca_console.add_commands(add_deed)


def _add_held_mail(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    add("held", mail_console.held, "mail that could not be handled, with its reason")
    release = add("release", held_console.release, "read a held mail again, or have a held case decided anew")
    release.add_argument("id", metavar="ID", help="number of a mail (`held`) or of a case (`queue`)")
    drop = add("drop", held_console.drop, "end a held case and tell who applied")
    drop.add_argument("id", metavar="NO", help="number of the case")
    drop.add_argument("--reason", required=True, metavar="R", help="the reason, as staff would write it after 却下")
    export = add("export", mail_console.export, "the raw mail as a file (.eml)")
    export.add_argument("id", type=int, metavar="ID")
    export.add_argument("--out", type=Path, metavar="FILE", help="default: mail-ID.eml in this folder")
    take_in = add("import", mail_console.take_in, "read a mail from a file (.eml), mended by a person")
    take_in.add_argument("file", type=Path, metavar="FILE")
    take_in.add_argument(
        "--for", dest="replaced", type=int, metavar="ID", help="the held mail it takes the place of, with its arrival"
    )
