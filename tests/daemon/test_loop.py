"""The loop: rounds while there is work, a wait while there is none, and an end when it is told to stop."""

import os
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from daemon import loop
from daemon.failures import Kind, MailboxRefused, MailboxUnavailable
from daemon.loop import Progress
from daemon.stopping import Stop


class Box:
    """A mailbox that notes how long it was waited in."""

    def __init__(self, error=None):
        self.error, self.waits = error, []

    def wait(self, seconds, wake_fd):
        self.waits.append((seconds, wake_fd))
        return True

    def open(self, _account):
        if self.error is not None:
            raise self.error
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def centre_with(box, seconds=0):
    run = SimpleNamespace(poll_seconds=seconds)
    return SimpleNamespace(
        settings=SimpleNamespace(run=run),
        account=None,
        open_mailbox=box.open,
        sleep=lambda _: None,
        stop=Stop(),
        clock=lambda: datetime(2026, 4, 1, tzinfo=UTC),
    )


@pytest.fixture
def rounds(monkeypatch):
    """What each round does, one number a round; the last one ends the service."""
    counts, stopping = [], threading.Event()

    def step(_centre):
        number = counts.pop(0)
        if not counts:
            stopping.set()
        return number

    monkeypatch.setattr(loop, "STEPS", (("read", step),))
    return counts, stopping


def test_the_steps_of_a_round_are_those_of_the_book_in_their_order():
    assert [name for name, _ in loop.STEPS] == [
        "recall",
        "fetch",
        "watch",
        "junk",
        "read",
        "erase",
        "file",
        "calendar",
        "execute",
        "publish",
        "crl",
        "send",
    ]


@pytest.mark.parametrize(
    ("progress", "quiet"),
    [
        (Progress({"read": 0}, ()), True),
        (Progress({"read": 1}, ()), False),
        (Progress({"read": 0}, ("read",)), False),
    ],
)
def test_a_round_is_quiet_when_nothing_was_done_and_nothing_failed(progress, quiet):
    assert progress.quiet is quiet


def test_settling_goes_on_while_there_is_work(rounds):
    counts, _ = rounds
    counts += [2, 1, 0, 5]
    loop.settle(centre_with(Box()))
    assert counts == [5]


def test_settling_ends_even_where_work_never_does(rounds):
    counts, _ = rounds
    counts += [1] * 10
    loop.settle(centre_with(Box()), rounds=4)
    assert len(counts) == 6


def test_the_service_waits_for_mail_only_when_there_is_nothing_to_do(rounds):
    counts, stopping = rounds
    counts += [3, 0, 1, 0]
    box = Box()
    loop.run(centre_with(box, 60), stopping, 5)
    assert box.waits == [(60.0, 5), (60.0, 5)]


def test_a_mailbox_that_is_gone_costs_the_poll_interval_and_no_more(rounds):
    counts, stopping = rounds
    counts += [0, 0]
    reader, writer = os.pipe()
    try:
        loop.run(centre_with(Box(MailboxUnavailable())), stopping, reader)
        # A wake ends even a wait of hours.
        counts += [0, 0]
        stopping.clear()
        os.write(writer, b"x")
        loop.run(centre_with(Box(MailboxUnavailable()), 36_000), stopping, reader)
    finally:
        os.close(reader)
        os.close(writer)


def test_a_mailbox_that_breaks_off_is_opened_again_within_the_round():
    box, tries = Box(), []

    def work(_centre, mailbox):
        tries.append(mailbox)
        if len(tries) < 3:
            raise MailboxUnavailable("fetch: abort")
        return 4

    assert loop._in_mailbox(work, centre_with(box)) == 4
    assert len(tries) == 3


def test_a_step_that_was_refused_rests_as_the_table_says_and_the_others_go_on(monkeypatch):
    times = [datetime(2026, 4, 1, tzinfo=UTC)]
    tried = []

    def fetch(_centre):
        tried.append("fetch")
        raise MailboxRefused(Kind.MAILBOX_LOGIN)

    def send(_centre):
        tried.append("send")
        return 0

    monkeypatch.setattr(loop, "STEPS", (("fetch", fetch), ("send", send)))
    centre, rests = SimpleNamespace(clock=lambda: times[0], stop=Stop()), {}
    assert loop.run_round(centre, rests).failed == ("fetch",)
    assert loop.run_round(centre, rests).failed == ()
    times[0] += timedelta(minutes=15)
    assert loop.run_round(centre, rests).failed == ("fetch",)
    assert tried == ["fetch", "send", "send", "fetch", "send"]
