"""The commands that start something: `demo`, `init`, `check`, `run`."""

import argparse
import fcntl
import os
import resource
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from config.settings import Settings, load

from . import ceremony, checklist, loop, responders
from .centre import Centre
from .console import Answer, UsageError, aligned
from .guard import attempt
from .keyring import check_profile, credentials_of, door_credentials, open_service
from .store import StoreError
from .web_server import serving


class AlreadyRunning(StoreError):
    """A second `run` on one data folder; it may be tried again when the first has ended."""


def demo(arguments: argparse.Namespace) -> Answer:
    """The whole story, played through real IMAP and SMTP on loopback; in order when it went as told."""
    try:
        from .demo import story  # noqa: PLC0415 - the embedded mail server is an optional dependency
    except ModuleNotFoundError as error:
        raise UsageError(f"the demo needs the package {error.name}; install ogis-lra[demo]") from error
    folder = arguments.dir or Path(tempfile.mkdtemp(prefix="ogis-lra-demo-"))
    told = story.play(folder, say=_quiet if arguments.json else arguments.say)
    return Answer(
        "", {"dir": str(folder), "mails": told.mails, "surprises": told.surprises}, in_order=not told.surprises
    )


def _quiet(_: str) -> None:
    """The story's ears in --json: the document says it all."""


def init(arguments: argparse.Namespace) -> Answer:
    """Make what is missing, leave what is there; safe to repeat, and brings an older database up."""
    written = ceremony.write_configuration(arguments.config)
    settings = load(arguments.config)
    check_profile(settings)
    people = tuple(arguments.present or ())
    steps = [
        written,
        *ceremony.make_secrets(settings),
        *ceremony.establish_authority(settings, now=arguments.clock(), people=people),
    ]
    lines = [f"{'made ' if step.made else 'found'}  {step.what}" for step in steps]
    lines += [f"next: {step}" for step in _next_steps(settings, arguments.config, fresh=written.made)]
    return Answer("\n".join(lines), [{"what": step.what, "made": step.made} for step in steps])


def _next_steps(settings: Settings, config: Path, *, fresh: bool) -> list[str]:
    folder = credentials_of(settings)
    names = [*door_credentials(settings), settings.smtp.password_credential]
    if settings.smtp.login != "password":
        names.remove(settings.smtp.password_credential)
    missing = [str(folder / name) for name in dict.fromkeys(names) if not (folder / name).exists()]
    steps = []
    if fresh:
        steps.append(
            f"write your own values into {config}; the names and addresses of [ca] stand in the CA's certificates, so "
            f"to change those, remove {settings.data_dir} and run `init` again before the first certificate"
        )
    if missing:
        steps.append(f"write the mailbox passwords into {' and '.join(missing)} (mode 0600)")
    return [*steps, "`ogis-lra check` (docs/operations.md)"]


def check(arguments: argparse.Namespace) -> Answer:
    """Every outside and inside thing, one line each, with what to do where it is not in order."""
    settings = load(arguments.config)
    verdicts = [
        checklist.Verdict("configuration", in_order=True, message=str(arguments.config)),
        *checklist.verdicts(settings, arguments.clock),
    ]
    lines = []
    rows = aligned([("ok" if each.in_order else "FAIL", each.name, each.message) for each in verdicts])
    for row, verdict in zip(rows, verdicts, strict=True):
        lines.append(row)
        if verdict.next_step:
            lines.append(f"      → {verdict.next_step}")
    document = [
        {"check": each.name, "in_order": each.in_order, "message": each.message, "next_step": each.next_step}
        for each in verdicts
    ]
    return Answer("\n".join(lines), document, in_order=all(each.in_order for each in verdicts))


def run(arguments: argparse.Namespace) -> Answer:
    """The service until SIGTERM or SIGINT; with --once one round of everything due."""
    if arguments.shadow or arguments.role:
        raise UsageError(
            "`run --shadow` and `run --role` come with stage 7 of the project; `run` and `run --once` work"
        )
    keep_out_of_dumps()
    centre = open_service(load(arguments.config), clock=arguments.clock)
    try:
        with alone(centre.settings):
            # Nobody else writes here now, so a half file is what a stop has left behind.
            centre.blobs.sweep(centre.clock())
            return _once(centre) if arguments.once else _until_stopped(centre)
    finally:
        centre.close()


def keep_out_of_dumps() -> None:
    """A crash of this process or a child leaves no core dump: the memory holds CA keys (core(5))."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Only one process works on a data folder; the lock goes with the process, however it ends (flock(2))."""
    with (settings.data_dir / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning("another ogis-lra runs on this data folder; it does this work too") from None
        yield


def _once(centre: Centre) -> Answer:
    """One round. What failed is still queued and taken up by the next round, so it counts as temporary."""
    progress = loop.run_round(centre)
    lines = aligned([(name, str(count)) for name, count in progress.done.items()])
    if progress.failed:
        lines.append(f"left for the next round: {', '.join(progress.failed)} (the log says why)")
    document = {"done": progress.done, "failed": progress.failed}
    return Answer("\n".join(lines), document, in_order=not progress.failed, temporary=True)


def _until_stopped(centre: Centre) -> Answer:
    receiving, sending = os.pipe()
    # A full pipe must not hold up a signal handler; one byte in it is as good as many.
    os.set_blocking(sending, False)

    signals = (signal.SIGTERM, signal.SIGINT)
    former = [signal.signal(number, centre.stop.request) for number in signals]
    # The interpreter writes a byte here whichever thread the kernel picked for the signal; the wait ends by it.
    woken = signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    try:
        # The responder is ready before the first question, not after the first round.
        attempt("OCSP responder", partial(responders.look_after, centre))
        with serving(centre):
            loop.run(centre, centre.stop, receiving)
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in zip(signals, former, strict=True):
            signal.signal(number, handler)
        os.close(receiving)
        os.close(sending)
    return Answer("stopped")
