"""The outbox: every letter leaves once, later rather than never, and what was secret is forgotten when it has left."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from daemon import cases, letters, outbox, post, schema
from daemon.case import CaseKind, State
from daemon.demo.stage import APPROVERS
from daemon.draft import LetterKind, insert_password
from daemon.failures import Kind
from daemon.smtp import OutcomeUnknown, TransportMisconfigured, TransportRefused, TransportUnavailable
from daemon.store import every, one
from parsers.mail import open_mail
from support.centres import START
from support.rooms import bare_centre

WHOM = "hanako.yamada@aozora-denki.example"
PASSWORD = "abcde-fghjk-mnpqr-stuvw-xyz23"
LETTERS = schema.letters


@pytest.fixture
def centre(tmp_path):
    opened = bare_centre(tmp_path)
    yield opened
    opened.store.close()


def queue(centre, key="a", *, kind=None, **options):
    draft = letters.address_changed_old(centre.office)
    draft = replace(draft, kind=kind) if kind else draft
    with centre.store.transaction() as tx:
        return post.queue(tx, centre, draft, key=key, recipient=WHOM, now=START, **options)


def queue_password(centre, **options):
    blank = letters.password(centre.office, reference="WEBEC-20260401-0001")
    draft = replace(blank, body=insert_password(blank.body, PASSWORD))
    with centre.store.transaction() as tx:
        return post.queue(tx, centre, draft, key="password", recipient=WHOM, now=START, **options)


def row_of(centre, letter_id):
    with centre.store.transaction() as tx:
        return one(tx, select(LETTERS).where(LETTERS.c.id == letter_id))


def everything_on_disk(folder):
    """Database, write-ahead log, vault and blobs, byte for byte."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def pass_time(centre, **by):
    centre.clock.move(centre.clock() + timedelta(**by))


def a_case(centre, state=State.FULFILLED):
    with centre.store.transaction() as tx:
        return cases.open_case(
            tx,
            centre.audit,
            kind=CaseKind.APPLICATION,
            state=state,
            arrived_at=START,
            now=START,
            actor="applicant",
        )


def state_of(centre, case):
    with centre.store.transaction() as tx:
        return cases.get(tx, case.id).state


def test_letters_leave_in_the_order_they_were_queued_and_only_once(centre):
    ids = [queue(centre, key) for key in "abc"]
    assert outbox.send_due(centre) == 3
    assert outbox.send_due(centre) == 0
    assert [raw for _, raw in centre.post.sent] == [row_of(centre, each)["raw"] for each in ids]
    assert {row_of(centre, each)["state"] for each in ids} == {"sent"}


def test_a_letter_does_not_leave_before_its_time(centre):
    queue(centre, not_before=START + timedelta(hours=1))
    assert outbox.send_due(centre) == 0
    pass_time(centre, hours=1)
    assert outbox.send_due(centre) == 1


def test_the_second_letter_waits_until_the_first_was_accepted_and_ten_minutes_more(centre):
    first = queue(centre)
    queue_password(centre, after=first, after_seconds=600)
    centre.post.errors = [TransportUnavailable("connect: 421")] * 3
    assert outbox.send_due(centre) == 0
    pass_time(centre, minutes=30)
    assert outbox.send_due(centre) == 1
    pass_time(centre, seconds=599)
    assert outbox.send_due(centre) == 0
    pass_time(centre, seconds=1)
    assert outbox.send_due(centre) == 1
    assert PASSWORD in open_mail(centre.post.sent[-1][1]).text


@pytest.mark.parametrize(
    ("error", "least"),
    [
        (TransportUnavailable("RCPT: 451"), 5),
        (TransportMisconfigured("AUTH: 535", Kind.TRANSPORT_LOGIN), 15),
        (OutcomeUnknown("end of data: SMTPServerDisconnected"), 15),
    ],
    ids=["unavailable", "misconfigured", "unknown"],
)
def test_the_waits_between_tries_grow_to_an_hour_and_the_mail_stays_the_same(centre, error, least):
    letter = queue(centre)
    raw, waits = row_of(centre, letter)["raw"], []
    for _ in range(8):
        centre.post.errors = [error] * 3
        assert outbox.send_due(centre) == 0
        row = row_of(centre, letter)
        assert (row["state"], row["raw"]) == ("queued", raw)
        assert row["error"] == str(error)
        waits.append((row["not_before"] - centre.clock()).total_seconds() / 60)
        assert outbox.send_due(centre) == 0
        centre.clock.move(row["not_before"])
    assert waits == [max(least, minutes) for minutes in (1, 2, 4, 8, 16, 32, 60, 60)]
    centre.post.errors = []
    assert outbox.send_due(centre) == 1
    assert centre.post.sent == [(WHOM, raw)]
    assert row_of(centre, letter)["error"] == ""


def test_a_server_that_recovers_at_once_is_tried_again_within_the_round(centre):
    queue(centre)
    centre.post.errors = [TransportUnavailable("connect: refused"), None]
    assert outbox.send_due(centre) == 1
    assert centre.post.tries == 2


def test_a_lost_reply_is_never_repeated_within_the_round(centre):
    queue(centre)
    centre.post.errors = [OutcomeUnknown("end of data: timeout")]
    assert outbox.send_due(centre) == 0
    assert centre.post.tries == 1


def test_a_letter_found_in_the_middle_of_a_try_goes_again_as_it_was(centre):
    letter = queue(centre)
    with centre.store.transaction() as tx:
        tx.execute(update(LETTERS).values(state="sending", attempts=1))
    assert outbox.send_due(centre) == 1
    assert centre.post.sent[0][1] == row_of(centre, letter)["raw"]


def test_a_letter_that_is_refused_for_good_is_told_to_staff_once_and_never_tried_again(centre):
    case = a_case(centre)
    letter = queue(centre, case_id=case.id)
    centre.post.errors = [TransportRefused(Kind.RECIPIENT_REFUSED, "RCPT: 550 5.1.1")]
    outbox.send_due(centre)
    row = row_of(centre, letter)
    assert (row["state"], row["error"]) == ("failed", str(TransportRefused(Kind.RECIPIENT_REFUSED, "RCPT: 550 5.1.1")))
    assert outbox.send_due(centre) == len(APPROVERS)
    assert {recipient for recipient, _ in centre.post.sent} == set(APPROVERS)
    text = open_mail(centre.post.sent[0][1]).text
    assert WHOM in text
    assert case.number in open_mail(centre.post.sent[0][1]).subject
    assert outbox.send_due(centre) == 0
    # A case with a letter that did not arrive is not done.
    assert state_of(centre, case) is State.FULFILLED


def test_a_notice_to_staff_that_is_refused_makes_no_further_notice(centre):
    with centre.store.transaction() as tx:
        post.notify(tx, centre, key="x", subject="件名", lines=["一行"], now=START)
    centre.post.errors = [TransportRefused(Kind.MESSAGE_REFUSED, "end of data: 554")] * len(APPROVERS)
    assert outbox.send_due(centre) == 0
    assert outbox.send_due(centre) == 0
    with centre.store.transaction() as tx:
        assert {row["state"] for row in every(tx, select(LETTERS))} == {"failed"}


def test_one_letter_that_fails_by_surprise_does_not_hold_up_the_next(centre, caplog):
    ids = [queue(centre, key) for key in "ab"]
    centre.post.errors = [RuntimeError(WHOM)]
    assert outbox.send_due(centre) == 1
    assert [row_of(centre, each)["state"] for each in ids] == ["sending", "sent"]
    assert WHOM not in caplog.text
    assert outbox.send_due(centre) == 1


def test_a_letter_that_is_gone_is_no_error(centre):
    assert outbox._send(centre, centre.post, 99) is outbox.Fate.NOT_OURS


def test_a_case_is_closed_when_its_last_letter_has_left(centre):
    done, other = a_case(centre), a_case(centre, State.EXECUTING)
    queue(centre, "a", case_id=done.id)
    queue(centre, "b", case_id=done.id, not_before=START + timedelta(minutes=5))
    outbox.send_due(centre)
    assert state_of(centre, done) is State.FULFILLED
    pass_time(centre, minutes=5)
    outbox.send_due(centre)
    assert state_of(centre, done) is State.CLOSED
    assert state_of(centre, other) is State.EXECUTING


def test_the_password_is_nowhere_in_the_clear_and_its_key_goes_when_its_mail_was_accepted(centre, tmp_path):
    letter = queue_password(centre)
    sealed = row_of(centre, letter)
    assert len(centre.vault.names()) == 1
    assert PASSWORD.encode() not in everything_on_disk(tmp_path)
    centre.post.errors = [TransportUnavailable("connect: 421")] * 3
    outbox.send_due(centre)
    assert len(centre.vault.names()) == 1
    pass_time(centre, minutes=5)
    assert outbox.send_due(centre) == 1
    mail = open_mail(centre.post.sent[0][1])
    assert PASSWORD in mail.text
    row = row_of(centre, letter)
    assert (row["raw"], row["sealed"]) == (None, None)
    assert centre.vault.names() == frozenset()
    left = everything_on_disk(tmp_path)
    assert PASSWORD.encode() not in left
    # Nor any line that only the mail with the password had, whatever its encoding.
    other = letters.password(centre.office, reference="WEBEC-20260401-0001").body.encode()
    lines = [line for line in centre.post.sent[0][1].splitlines() if len(line) >= 20]
    assert [line for line in lines if line in left and line not in other] == []
    # A backup of the database of any time before does not help: the key is gone.
    with pytest.raises(outbox.VaultError):
        centre.vault.open(sealed["seal_key"], sealed["sealed"])


@pytest.mark.parametrize("kind", sorted(outbox.FORGOTTEN - {LetterKind.PASSWORD}))
def test_a_letter_with_a_private_key_is_not_kept_once_it_was_accepted(centre, kind):
    letter = queue(centre, kind=kind)
    assert row_of(centre, letter)["raw"]
    outbox.send_due(centre)
    assert row_of(centre, letter)["raw"] is None


def test_a_password_whose_key_is_lost_is_told_to_staff(centre):
    letter = queue_password(centre)
    for name in centre.vault.names():
        centre.vault.destroy(name)
    outbox.send_due(centre)
    assert row_of(centre, letter)["state"] == "failed"
    assert outbox.send_due(centre) == len(APPROVERS)
    assert "パスワードを開けない" in open_mail(centre.post.sent[0][1]).text


def test_keys_that_no_waiting_letter_needs_are_destroyed(centre):
    queue_password(centre, not_before=START + timedelta(days=1))
    (needed,) = centre.vault.names()
    # As a crash leaves them: sealed, and the transaction never committed.
    centre.vault.seal(b"orphan")
    assert len(centre.vault.names()) == 2
    outbox.send_due(centre)
    assert centre.vault.names() == {needed}
