"""Connections cut and stalled at every kind of place, at the embedded server and at Dovecot and Postfix.

Whatever breaks: the error is one of ours, no mail is lost, none is filed twice, no part of a mail is taken for the mail,
and a letter is delivered once, or twice alike where its outcome was unknown.
"""

import random
import time

import pytest

from daemon.failures import MailboxUnavailable, OutcomeUnknown, TransportUnavailable
from daemon.imap import Mailbox
from daemon.smtp import Transport
from support.servers import make_message, make_postbox
from support.wires import Proxy

pytest_plugins = ("support.servers",)

STALL = 0.4
BODY = "申請書です。\r\n" * 700


def round_of(postbox, port, seen):
    """What a round of the service does at the mailbox."""
    with Mailbox.open(postbox.account(port=port, read_timeout=STALL * 2)) as mailbox:
        for mail in mailbox.fetch(mailbox.uids()):
            seen.append(mail.raw)
            mailbox.file(mail.uid, "Filed")
        mailbox.wait(0.01)


def places(total, count, *, seed):
    """Octets after which to break: the first ones, the last ones, and as many as asked for in between."""
    drawn = random.Random(seed).sample(range(2, max(total - 2, count + 3)), count)
    return [0, 1, *sorted(drawn), total - 1, total]


@pytest.fixture
def filled(either_server):
    postbox = make_postbox(either_server)
    for number in range(2):
        postbox.receive(make_message(BODY, subject=str(number)))
    return postbox


def test_a_mailbox_whose_answers_break_off_anywhere_loses_and_doubles_nothing(filled):
    mails = filled.messages()
    with Proxy(filled.server.imap_port) as proxy:
        round_of(filled, proxy.port, [])
        total = proxy.passed
    assert total > 10_000  # the mails themselves are among the places
    broken = 0
    for number, place in enumerate(places(total, 24, seed=4)):
        postbox = make_postbox(filled.server)
        for mail in mails:
            postbox.server.append(postbox.address, mail)
        seen = []
        with Proxy(postbox.server.imap_port) as proxy:
            proxy.break_after(place, stall=number % 4 == 3)
            try:
                round_of(postbox, proxy.port, seen)
            except MailboxUnavailable:
                broken += 1
            proxy.mend()
            round_of(postbox, proxy.port, seen)
        assert sorted(postbox.messages("Filed")) == sorted(mails)
        assert postbox.messages() == []
        assert set(seen) == set(mails)
    assert broken > 15


@pytest.mark.parametrize(
    "token", [b"LOGIN", b"NOOP", b"RFC822.SIZE", b"BODY.PEEK[]", b"MOVE", b"IDLE\r\n", b"DONE\r\n"]
)
def test_a_mailbox_that_is_gone_after_any_command_loses_and_doubles_nothing(filled, token):
    mails, seen = filled.messages(), []
    with Proxy(filled.server.imap_port) as proxy:
        proxy.cut_upon(token)
        with pytest.raises(MailboxUnavailable):
            round_of(filled, proxy.port, seen)
        proxy.mend()
        round_of(filled, proxy.port, seen)
    assert sorted(filled.messages("Filed")) == sorted(mails)
    assert set(seen) == set(mails)


def deliver(sender, recipient, port, message):
    """Send as the outbox does: again what was not sent, again the same where nobody knows. Returns the failures."""
    failures = []
    with Transport(sender.route(port=port, reply_timeout=STALL * 2, data_timeout=STALL * 2)) as transport:
        for _ in range(3):
            try:
                transport.send(message, sender=sender.address, recipient=recipient.address, envid="L1")
            except (TransportUnavailable, OutcomeUnknown) as failure:
                failures.append(failure)
                yield failures
            else:
                break
    yield failures


@pytest.mark.parametrize("direction", ["replies", "commands"])
def test_a_letter_whose_connection_breaks_anywhere_arrives_once_or_twice_alike(either_server, direction):
    sender = make_postbox(either_server)
    message = make_message(BODY, sender=sender.address)
    sizes = {}
    with Proxy(either_server.submission_port) as proxy:
        list(deliver(sender, sender, proxy.port, message))
        sizes = {"replies": proxy.passed, "commands": proxy.passed_up}
    broken = unknown = 0
    for number, place in enumerate(places(sizes[direction], 16, seed=5)):
        recipient = make_postbox(either_server)
        with Proxy(either_server.submission_port) as proxy:
            if direction == "replies":
                proxy.break_after(place, stall=number % 4 == 3)
            else:
                proxy.break_upward_after(max(place, 1))
            failures = []
            for failures in deliver(sender, recipient, proxy.port, message):
                if failures and len(failures) == 1:
                    proxy.mend()
        arrived = settled(recipient, at_most=1 + sum(isinstance(each, OutcomeUnknown) for each in failures))
        unknown += any(isinstance(each, OutcomeUnknown) for each in failures)
        broken += bool(failures)
        assert len({raw.partition(b"\r\nFrom: ")[2] for raw in arrived}) == 1
        assert arrived[0].endswith(message)
    assert broken > 10
    assert unknown or direction == "commands"


def settled(recipient, *, at_most):
    """The mails of a mailbox: a server that lost its client may still be busy with what it took."""
    until = time.monotonic() + 5
    while not (found := recipient.messages()) and time.monotonic() < until:
        time.sleep(0.05)
    assert 1 <= len(found) <= at_most
    return found
