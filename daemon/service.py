"""The commands that start something: `demo`, `init`, `check`, `run`."""

import argparse
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from ca.errors import CaError
from config.credentials import CredentialError
from config.settings import Settings, SettingsError, load

from . import ceremony, loop
from .centre import wall_clock
from .console import Answer, UsageError
from .failures import Failure
from .imap import Mailbox
from .keyring import account_of, open_keys, open_service, route_of
from .letters import check_templates
from .smtp import Transport
from .store import StoreError


def demo(arguments: argparse.Namespace) -> Answer:
    """The whole story, played through real IMAP and SMTP on loopback."""
    try:
        from .demo import story  # noqa: PLC0415 - the embedded mail server is an optional dependency
    except ModuleNotFoundError as error:
        raise UsageError(f"the demo needs the package {error.name}; install ogis-lra[demo]") from error
    folder = arguments.dir or Path(tempfile.mkdtemp(prefix="ogis-lra-demo-"))
    told = story.play(folder, say=_quiet if arguments.json else print)
    return Answer(
        "", {"dir": str(folder), "mails": told.mails, "surprises": told.surprises}, in_order=not told.surprises
    )


def _quiet(_: str) -> None:
    """The story's ears in --json: the document says it all."""


def init(arguments: argparse.Namespace) -> Answer:
    """Make what is missing, leave what is there; safe to repeat, and brings an older database up."""
    steps = [ceremony.write_configuration(arguments.config)]
    settings = load(arguments.config)
    steps += ceremony.make_secrets(settings)
    steps += ceremony.establish_authority(settings, now=wall_clock())
    lines = [f"{'made ' if step.made else 'found'}  {step.what}" for step in steps]
    lines.append("next: write the mailbox passwords as credentials, then `ogis-lra check` (docs/operations.md)")
    return Answer("\n".join(lines), [{"what": step.what, "made": step.made} for step in steps])


def check(arguments: argparse.Namespace) -> Answer:
    """Every outside and inside thing, one line each, with what to do where it is not in order."""
    settings = load(arguments.config)
    verdicts = [_verdict(name, work) for name, work in _checks(settings)]
    lines = [f"{'ok  ' if good else 'FAIL'}  {name}: {sentence}" for name, good, sentence in verdicts]
    document = [{"check": name, "in_order": good, "message": sentence} for name, good, sentence in verdicts]
    return Answer("\n".join(lines), document, in_order=all(good for _, good, _ in verdicts))


def _checks(settings: Settings) -> list[tuple[str, Callable[[], str]]]:
    def database_and_keys() -> str:
        keys = open_keys(settings)
        ends = keys.signer.authority.not_after
        if ends <= wall_clock():
            raise UsageError(f"the issuing CA expired on {ends:%Y-%m-%d}; a rollover is needed")
        return f"schema and keys open; the issuing CA is valid until {ends:%Y-%m-%d}"

    def mailbox() -> str:
        with Mailbox.open(account_of(settings)) as opened:
            return f"{len(opened.uids())} mail(s) in {settings.mailbox.folder}"

    def transport() -> str:
        with Transport(route_of(settings)) as opened:
            opened.probe()
        return f"{settings.smtp.host} accepts us"

    def templates() -> str:
        check_templates()
        return "every letter can be written"

    def clock() -> str:
        now = wall_clock()
        if now.year < 2026:
            raise UsageError(f"the clock says {now:%Y-%m-%d}; set it (chrony, systemd-timesyncd)")
        return f"{now:%Y-%m-%d %H:%M:%S} UTC"

    return [
        ("database and CA", database_and_keys),
        ("mailbox", mailbox),
        ("mail server", transport),
        ("letters", templates),
        ("clock", clock),
    ]


def _verdict(name: str, work: Callable[[], str]) -> tuple[str, bool, str]:
    try:
        return name, True, work()
    except (Failure, CaError, CredentialError, StoreError, SettingsError, UsageError, ValueError, OSError) as error:
        return name, False, str(error)


def run(arguments: argparse.Namespace) -> Answer:
    """The service until SIGTERM or SIGINT; with --once one round of everything due."""
    if arguments.shadow or arguments.role:
        raise UsageError(
            "`run --shadow` and `run --role` come with stage 7 of the project; `run` and `run --once` work"
        )
    centre = open_service(load(arguments.config))
    try:
        if arguments.once:
            progress = loop.run_round(centre)
            text = ", ".join(f"{name} {count}" for name, count in progress.done.items())
            document = {"done": progress.done, "failed": progress.failed}
            return Answer(text, document, in_order=not progress.failed)
        stopping = threading.Event()
        receiving, sending = os.pipe()

        def stop(*_: object) -> None:
            stopping.set()
            loop.wake(sending)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        loop.run(centre, stopping, receiving)
        return Answer("stopped")
    finally:
        centre.close()
