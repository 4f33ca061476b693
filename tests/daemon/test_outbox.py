"""The outbox: every letter leaves once, later rather than never, and what was secret is forgotten when it has left."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from daemon import cases, despatch, letters, outbox, post, return_path, schema
from daemon.case import CaseKind, State
from daemon.demo.stage import APPROVERS
from daemon.despatch import LetterEvent, LetterState
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
        (TransportUnavailable("connect: 421"), 5),
        (TransportUnavailable("RCPT: 451", Kind.LETTER_DEFERRED), 5),
        (TransportMisconfigured("AUTH: 535", Kind.TRANSPORT_LOGIN), 15),
        (OutcomeUnknown("end of data: SMTPServerDisconnected"), 15),
    ],
    ids=["unavailable", "put off", "misconfigured", "unknown"],
)
def test_the_waits_between_tries_grow_to_an_hour_and_the_mail_stays_the_same(centre, error, least):
    centre.settings = replace(centre.settings, smtp=replace(centre.settings.smtp, most_repeats=20))
    letter = queue(centre)
    raw, waits = row_of(centre, letter)["raw"], []
    for _ in range(8):
        centre.post.errors = [error] * 3
        assert outbox.send_due(centre) == 0
        row = row_of(centre, letter)
        assert (row["state"], row["raw"]) == ("unknown" if isinstance(error, OutcomeUnknown) else "queued", raw)
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
    assert row_of(centre, letter)["lost"] == 1
    assert centre.post.sent[0][1] == row_of(centre, letter)["raw"]


def test_a_letter_that_fails_by_surprise_again_and_again_is_given_up_and_told_to_staff(centre):
    letter = queue(centre, kind=LetterKind.QUESTION)
    centre.post.errors = [RuntimeError("odd")] * 50
    tries = 0
    while row_of(centre, letter)["state"] != "failed" and tries < 100:
        outbox.send_due(centre)
        pass_time(centre, minutes=30)
        tries += 1
    centre.post.errors = []
    row = row_of(centre, letter)
    assert row["attempts"] == centre.settings.smtp.most_repeats + 1
    assert outbox.send_due(centre) == len(APPROVERS)
    assert "届いている可能性" in open_mail(centre.post.sent[-1][1]).text


def test_a_letter_that_is_refused_for_good_is_told_to_staff_once_and_never_tried_again(centre):
    case = a_case(centre)
    letter = queue(centre, kind=LetterKind.RECEIPT, case_id=case.id)
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


def test_an_approver_who_cannot_be_reached_alarms_the_others_once_a_day_and_without_a_loop(centre):
    first, second = APPROVERS
    with centre.store.transaction() as tx:
        post.notify(tx, centre, key="x", subject="件名", lines=["一行"], now=START)
        post.notify(tx, centre, key="y", subject="件名", lines=["一行"], now=START)
    gone = TransportRefused(Kind.RECIPIENT_REFUSED, "RCPT: 550 5.1.1")
    centre.post.errors = [gone, None, gone, None]
    assert outbox.send_due(centre) == 2
    assert outbox.send_due(centre) == 1
    assert outbox.send_due(centre) == 0
    recipient, raw = centre.post.sent[-1]
    assert recipient == second
    assert "承認者に届かない通知があります" in open_mail(raw).subject
    assert first in open_mail(raw).text
    # Its own failure is not wanted back.
    assert centre.post.envelopes[-1][0] == ""


def test_approvers_who_are_all_out_of_reach_are_the_end_of_it(centre):
    with centre.store.transaction() as tx:
        post.notify(tx, centre, key="x", subject="件名", lines=["一行"], now=START)
    centre.post.errors = [TransportRefused(Kind.MESSAGE_REFUSED, "end of data: 554")] * 20
    for _ in range(4):
        assert outbox.send_due(centre) == 0
    with centre.store.transaction() as tx:
        rows = every(tx, select(LETTERS))
    assert {row["state"] for row in rows} == {"failed"}
    assert len(rows) == 2 * len(APPROVERS)


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


# --- put off, unknown, given up


def put_off(times=1):
    return [TransportUnavailable("RCPT: 451 4.7.1", Kind.LETTER_DEFERRED)] * times


def test_a_letter_that_its_server_puts_off_holds_up_no_other(centre):
    ids = [queue(centre, key) for key in "abc"]
    centre.post.errors = [*put_off(), None, None]
    assert outbox.send_due(centre) == 2
    assert [row_of(centre, each)["state"] for each in ids] == ["queued", "sent", "sent"]
    # One recipient's no is not asked again in the same second.
    assert centre.post.tries == 3


def test_a_letter_that_is_put_off_for_too_long_is_given_up_and_told_to_staff(centre):
    letter = queue(centre, kind=LetterKind.QUESTION)
    tries = 0
    while row_of(centre, letter)["state"] == "queued":
        centre.post.errors = put_off()
        outbox.send_due(centre)
        tries += 1
        pass_time(centre, hours=1)
    assert row_of(centre, letter)["state"] == "failed"
    assert centre.clock() - START == timedelta(days=centre.settings.smtp.give_up_days, hours=1)
    assert 100 < tries < 130
    assert outbox.send_due(centre) == len(APPROVERS)
    text = open_mail(centre.post.sent[-1][1]).text
    assert "先送り" in text
    assert "照会" in text


def test_a_server_that_is_away_for_weeks_costs_no_letter(centre):
    letter = queue(centre)
    for _ in range(30):
        centre.post.errors = [TransportUnavailable("connect: ConnectionRefusedError")] * 3
        outbox.send_due(centre)
        pass_time(centre, days=1)
    assert row_of(centre, letter)["state"] == "queued"
    centre.post.errors = []
    assert outbox.send_due(centre) == 1


def test_the_limit_counts_from_the_first_try_and_not_from_the_day_it_was_queued(centre):
    letter = queue(centre, not_before=START + timedelta(days=10))
    pass_time(centre, days=10)
    centre.post.errors = put_off()
    outbox.send_due(centre)
    assert row_of(centre, letter)["state"] == "queued"


def test_an_unknown_outcome_repeats_the_identical_mail_a_bounded_number_of_times(centre):
    case = a_case(centre)
    letter = queue(centre, kind=LetterKind.QUESTION, case_id=case.id)
    most = centre.settings.smtp.most_repeats
    for _ in range(most + 3):
        centre.post.errors = [OutcomeUnknown("end of data: timeout")]
        outbox.send_due(centre)
        centre.post.errors = []
        pass_time(centre, hours=2)
        if row_of(centre, letter)["state"] == "failed":
            break
        assert row_of(centre, letter)["state"] == "unknown"
    row = row_of(centre, letter)
    assert (row["state"], row["attempts"]) == ("failed", most + 1)
    assert outbox.send_due(centre) == len(APPROVERS)
    assert "届いている可能性" in open_mail(centre.post.sent[-1][1]).text


def test_a_password_whose_outcome_is_unknown_goes_again_as_the_same_password_and_is_then_forgotten(centre):
    letter = queue_password(centre)
    centre.post.errors = [OutcomeUnknown("end of data: timeout")]
    assert outbox.send_due(centre) == 0
    first = row_of(centre, letter)
    assert len(centre.vault.names()) == 1
    pass_time(centre, minutes=20)
    assert outbox.send_due(centre) == 1
    assert PASSWORD in open_mail(centre.post.sent[0][1]).text
    assert row_of(centre, letter)["message_id"] == first["message_id"]
    assert centre.vault.names() == frozenset()


def test_a_letter_is_handed_over_for_exactly_one_recipient(centre):
    """Partly refused recipients cannot be: the row has one, the mail has one, the call takes one."""
    queue(centre)
    outbox.send_due(centre)
    ((recipient, raw),) = centre.post.sent
    assert recipient == WHOM
    assert [address.address for address in open_mail(raw).recipients] == [WHOM]
    assert centre.post.tries == 1


# --- the envelope sender


def with_bounces(centre, **smtp):
    centre.settings = replace(centre.settings, smtp=replace(centre.settings.smtp, **smtp))


@pytest.mark.parametrize(
    ("smtp", "shape"),
    [
        ({}, r"ogis-lra@lra\.example"),
        ({"bounce": "plus"}, r"ogis-lra\+bounce-[a-z2-7]{26}@lra\.example"),
        ({"bounce": "domain", "bounce_domain": "back.lra.example"}, r"bounce-[a-z2-7]{26}@back\.lra\.example"),
    ],
    ids=["none", "plus", "domain"],
)
def test_every_letter_has_a_trace_of_its_own_in_its_envelope(centre, smtp, shape):
    with_bounces(centre, **smtp)
    ids = [queue(centre, key) for key in "ab"]
    outbox.send_due(centre)
    traces = [row_of(centre, each)["trace"] for each in ids]
    assert len(set(traces)) == 2
    assert [envid for _, envid in centre.post.envelopes] == traces
    for (sender, _), trace in zip(centre.post.envelopes, traces, strict=True):
        assert re.fullmatch(shape, sender)
        assert return_path.traces_in([sender]) == ([trace] if smtp else [])
        assert return_path.traces_in([sender.upper()]) == ([trace] if smtp else [])


def test_an_answer_that_nobody_waits_for_leaves_with_an_empty_envelope_sender(centre):
    with_bounces(centre, bounce="plus")
    queue(centre, "a", kind=LetterKind.GUIDANCE)
    queue(centre, "b", kind=LetterKind.RECEIPT)
    outbox.send_due(centre)
    assert [bool(sender) for sender, _ in centre.post.envelopes] == [False, True]


@pytest.mark.parametrize("kind", [Kind.SENDER_REFUSED, Kind.RECIPIENT_REFUSED, Kind.MESSAGE_REFUSED])
def test_where_its_own_envelope_sender_is_refused_a_letter_leaves_under_the_centres(centre, kind):
    with_bounces(centre, bounce="plus")
    error = TransportMisconfigured("MAIL: 553", kind) if kind is Kind.SENDER_REFUSED else TransportRefused(kind, "553")
    queue(centre)
    centre.post.errors = [error]
    assert outbox.send_due(centre) == 1
    assert [sender for sender, _ in centre.post.envelopes][1:] == ["ogis-lra@lra.example"]


# --- the table of moves


@given(st.lists(st.sampled_from(LetterEvent), max_size=8))
def test_any_events_lead_to_a_state_of_the_table_and_no_end_is_left(events):
    state = LetterState.QUEUED
    for event in events:
        if not despatch.allows(state, event):
            with pytest.raises(despatch.IllegalLetterMove):
                despatch.move(state, event)
            continue
        state = despatch.move(state, event)
    assert set(despatch.MOVES) == set(LetterState)
    assert not despatch.MOVES[LetterState.FAILED]
    assert not despatch.MOVES[LetterState.BOUNCED]


def test_what_may_still_leave_is_what_can_be_tried_or_is_being_tried():
    tried = {state for state in LetterState if despatch.allows(state, LetterEvent.TRIED)}
    assert set(despatch.UNSENT) == tried | {LetterState.SENDING}
