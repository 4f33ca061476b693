"""The failure table and the retry policy."""

import errno
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.failures import (
    TABLE,
    Consequence,
    Failure,
    Kind,
    MailboxRefused,
    MailboxUnavailable,
    OutcomeUnknown,
    TransportMisconfigured,
    TransportRefused,
    TransportUnavailable,
    consequence_of,
    is_temporary,
    kind_of,
    outward,
    wait_after,
)


def test_every_kind_has_its_row():
    assert set(TABLE) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_every_row_is_whole(kind):
    row = TABLE[kind]
    assert row.sentence.endswith(".")
    assert row.sentence.isascii()
    repeats_by_itself = row.consequence in (Consequence.RETRY, Consequence.ALARM) and kind is not Kind.UNEXPECTED
    assert (row.wait > timedelta(0)) is repeats_by_itself
    assert not row.in_place or row.consequence is Consequence.RETRY


@pytest.mark.parametrize(
    ("error", "consequence", "temporary"),
    [
        (MailboxUnavailable("connect: TimeoutError"), Consequence.RETRY, True),
        (MailboxRefused(Kind.MAILBOX_LOGIN), Consequence.ALARM, False),
        (MailboxRefused(Kind.MAILBOX_CERTIFICATE), Consequence.ALARM, False),
        (MailboxRefused(Kind.MAILBOX_FOLDER), Consequence.ALARM, False),
        (TransportUnavailable("RCPT: 451"), Consequence.RETRY, True),
        (TransportMisconfigured("AUTH: 535", Kind.TRANSPORT_LOGIN), Consequence.ALARM, False),
        (TransportMisconfigured("MAIL: 550", Kind.SENDER_REFUSED), Consequence.ALARM, False),
        (TransportRefused(Kind.RECIPIENT_REFUSED), Consequence.REFUSE, False),
        (TransportRefused(Kind.MESSAGE_REFUSED), Consequence.HOLD, False),
        (TransportRefused(Kind.MESSAGE_MALFORMED), Consequence.HOLD, False),
        (OutcomeUnknown(), Consequence.RETRY, False),
        (OSError(errno.ENOSPC, "no space"), Consequence.ALARM, False),
        (OSError(errno.EDQUOT, "quota"), Consequence.ALARM, False),
        (OSError(errno.EACCES, "denied"), Consequence.ALARM, False),
        (KeyError("a bug"), Consequence.ALARM, False),
    ],
)
def test_the_consequence_stands_in_the_table(error, consequence, temporary):
    assert consequence_of(error) is consequence
    assert is_temporary(error) is temporary
    assert wait_after(error) == TABLE[kind_of(error)].wait


def test_what_nobody_foresaw_is_told_from_a_full_disk():
    assert kind_of(ValueError()) is Kind.UNEXPECTED
    assert kind_of(OSError(errno.ENOSPC, "")) is Kind.DISK_FULL


def test_a_failure_reads_as_its_sentence_and_its_detail():
    assert str(MailboxUnavailable("search: abort")) == (
        "The IMAP server cannot be reached or broke off. [search: abort]"
    )
    assert str(OutcomeUnknown()) == TABLE[Kind.OUTCOME_UNKNOWN].sentence


class Call:
    """An outward call that fails with each of these in turn, then succeeds."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.count = 0

    def __call__(self, value="done"):
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return value


def test_a_temporary_failure_is_repeated_until_it_works():
    waits = []
    call = Call(MailboxUnavailable(), TransportUnavailable())
    assert outward(sleep=waits.append, jitter=lambda: 0.0)(call, "value") == "value"
    assert call.count == 3
    assert waits == [0.5, 1.0]


def test_the_last_failure_itself_is_raised_when_all_attempts_are_used_up():
    errors = [MailboxUnavailable(str(number)) for number in range(5)]
    call = Call(*errors)
    with pytest.raises(MailboxUnavailable) as caught:
        outward(sleep=lambda seconds: None, attempts=4)(call)
    assert caught.value is errors[3]
    assert call.count == 4


@pytest.mark.parametrize(
    "error",
    [
        MailboxRefused(Kind.MAILBOX_LOGIN),
        TransportMisconfigured("", Kind.TRANSPORT_LOGIN),
        TransportRefused(Kind.RECIPIENT_REFUSED),
        OutcomeUnknown(),
        ValueError("a bug"),
        KeyboardInterrupt(),
    ],
)
def test_anything_but_a_temporary_failure_is_raised_at_once(error):
    waits = []
    call = Call(error)
    with pytest.raises(type(error)) as caught:
        outward(sleep=waits.append)(call)
    assert caught.value is error
    assert (call.count, waits) == (1, [])


def test_waits_double_up_to_the_longest_and_lie_in_their_upper_half():
    waits = []
    with pytest.raises(MailboxUnavailable):
        outward(sleep=waits.append, attempts=8, first_wait=1.0, longest_wait=20.0, jitter=lambda: 0.999999)(
            Call(*(MailboxUnavailable() for _ in range(8)))
        )
    assert [round(wait) for wait in waits] == [1, 2, 4, 8, 16, 20, 20]


@given(
    chance=st.floats(0, 1, exclude_max=True),
    first=st.floats(0.001, 100),
    longest=st.floats(0.001, 1000),
    attempts=st.integers(1, 100),
)
def test_no_wait_is_longer_than_the_longest_or_shorter_than_half_the_first(chance, first, longest, attempts):
    waits = []
    with pytest.raises(MailboxUnavailable):
        outward(sleep=waits.append, attempts=attempts, first_wait=first, longest_wait=longest, jitter=lambda: chance)(
            Call(*(MailboxUnavailable() for _ in range(attempts)))
        )
    assert len(waits) == attempts - 1
    assert all(min(first, longest) / 2 <= wait <= longest for wait in waits)


def test_without_a_given_chance_the_system_gives_one():
    waits = []
    outward(sleep=waits.append)(Call(MailboxUnavailable()))
    assert 0.5 <= waits[0] <= 1.0


def test_one_policy_serves_many_calls():
    policy = outward(sleep=lambda seconds: None)
    for _ in range(3):
        call = Call(MailboxUnavailable())
        assert policy(call) == "done"
        assert call.count == 2


def test_each_repetition_is_logged_with_its_kind(caplog):
    outward(sleep=lambda seconds: None, jitter=lambda: 0.0)(Call(TransportUnavailable("RCPT: 451 4.7.1")))
    assert "attempt 1 failed, again in 0.5 s: The mail server cannot be reached" in caplog.text
    assert "RCPT: 451 4.7.1" in caplog.text


def test_a_misconfigured_transport_is_also_an_unavailable_one():
    """Who only tells "stays queued" from "refused" keeps the letter."""
    assert issubclass(TransportMisconfigured, TransportUnavailable)
    assert all(issubclass(each, Failure) for each in (TransportUnavailable, TransportRefused, OutcomeUnknown))
