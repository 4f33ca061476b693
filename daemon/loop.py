"""START HERE. One round of the service: six steps, always in this order (docs/flow.md).

1. fetch: mail → ledger          4. ask and decide: happens inside 2/3, as requests go out and replies come in
2. read: ledger → application    5. carry out: certificate, revocation, register; then the calendar and the CRL
3. case: state, letters; file    6. send: letters → mails

Each step takes up what the step before has committed, and each commits before the next begins; so a stop at any
point is a pause. A step that fails is logged and left for the next round; it never takes the others down.
"""

import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from . import alarms, crl_watch, intake, issuance, junk, outbox, reconciling, upkeep
from .centre import Centre
from .failures import Failure, MailboxUnavailable, outward, wait_after
from .guard import attempt
from .imap import Mailbox
from .stopping import Stop


@dataclass(frozen=True, slots=True)
class Progress:
    """What one round did, by step; `failed` names the steps that could not be finished."""

    done: dict[str, int]
    failed: tuple[str, ...]

    @property
    def quiet(self) -> bool:
        """Nothing was done and nothing failed."""
        return not any(self.done.values()) and not self.failed


def run_round(centre: Centre, rests: dict[str, datetime] | None = None) -> Progress:
    """One round of everything due. Raises nothing that the world outside can cause.

    `rests` remembers between rounds until when a step that failed is left alone (the table in `failures`): a wrong
    password tried every minute locks the account.
    """
    done: dict[str, int] = {}
    failed: list[str] = []
    rests = {} if rests is None else rests
    for name, work in STEPS:
        if centre.stop.is_set():
            break
        now = centre.clock()
        if rests.get(name, now) > now:
            continue
        errors: list[Exception] = []
        done[name] = attempt(name, partial(work, centre), errors) or 0
        if errors:
            failed.append(name)
            alarms.sound(centre, name, errors[-1])
            rests[name] = centre.clock() + wait_after(errors[-1])
    return Progress(done, tuple(failed))


def settle(centre: Centre, *, rounds: int = 20) -> None:
    """Rounds until nothing is left to do now: what `run --once` and the demo use."""
    for _ in range(rounds):
        if run_round(centre).quiet:
            return


def run(centre: Centre, stopping: Stop | threading.Event, wake_fd: int) -> None:
    """Rounds until told to stop; in between, wait for new mail or the poll interval, whichever is first."""
    rests: dict[str, datetime] = {}
    while not stopping.is_set():
        progress = run_round(centre, rests)
        if progress.quiet or progress.failed:
            _wait(centre, wake_fd, listening="fetch" not in rests or rests["fetch"] <= centre.clock())


def _wait(centre: Centre, wake_fd: int, *, listening: bool) -> None:
    seconds = float(centre.settings.run.poll_seconds)
    try:
        if not listening:
            raise MailboxUnavailable("resting")
        with centre.open_mailbox(centre.account) as mailbox:
            if mailbox.wait(seconds, wake_fd) and not centre.stop.is_set():
                # At once and on this connection: what another one would cost, the mail would wait for. The round that
                # follows opens its own and finds whatever this one could not take.
                attempt("fetch", partial(intake.fetch, centre, mailbox))
    except Failure:
        # Not `stopping.wait`: a signal handler that sets an event while this thread waits for it may block on its lock.
        select.select([wake_fd], [], [], seconds)


def _in_mailbox(work: Callable[[Centre, Mailbox], int], centre: Centre) -> int:
    def once() -> int:
        with centre.open_mailbox(centre.account) as mailbox:
            return work(centre, mailbox)

    return outward(sleep=centre.sleep)(once)


def _publish(centre: Centre) -> int:
    return int(upkeep.publish_crl(centre))


STEPS: tuple[tuple[str, Callable[[Centre], int]], ...] = (
    ("recall", outbox.recall),  # 6, before a report about such a letter is read
    ("fetch", partial(_in_mailbox, intake.fetch)),  # 1
    ("watch", reconciling.watch),  # 1
    ("junk", junk.look),  # 1
    ("read", intake.read),  # 2, 3, 4
    ("erase", intake.erase),  # 3, after its commit
    ("file", partial(_in_mailbox, intake.file)),  # 3, after its commit
    ("calendar", upkeep.look_after),  # 5
    ("execute", issuance.execute),  # 5
    ("publish", _publish),  # 5
    ("crl", crl_watch.watch),  # 5
    ("send", outbox.send_due),  # 6
)
