"""What follows when a letter did not arrive: tied to the very letter, told to the right people, and never more."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from daemon import answers, audit, bounces, cases, letters, outbox, password_returns, post, schema
from daemon.bounces import CONSEQUENCES, Consequence, Fault
from daemon.case import CaseKind, State
from daemon.demo.stage import APPROVERS
from daemon.draft import LetterKind, insert_password
from daemon.failures import Kind
from daemon.ledger import MailRow
from daemon.referral import Delivery, without_passwords
from daemon.smtp import TransportRefused
from daemon.store import every, one
from parsers.bounce import Cause
from parsers.mail import open_mail
from support import returns
from support.centres import START
from support.rooms import bare_centre

LETTERS = schema.letters
PASSWORD = "Hd3fK-aE7mP-r4TtU-XYn8d-hJ9VC"
WHOM = returns.DEAD
OTHER = "Xd3fK-aE7mP-r4TtU-XYn8d-hJ9VX"


@pytest.fixture
def centre(tmp_path):
    opened = bare_centre(tmp_path)
    yield opened
    opened.store.close()


@pytest.fixture
def case(centre):
    with centre.store.transaction() as tx:
        return cases.open_case(
            tx, centre.audit, kind=CaseKind.APPLICATION, state=State.FULFILLED, arrived_at=START, now=START, actor="x"
        )


def queue(centre, kind, key="a", *, recipient=WHOM, **options):
    draft = replace(letters.address_changed_old(centre.office), kind=kind)
    with centre.store.transaction() as tx:
        return post.queue(tx, centre, draft, key=key, recipient=recipient, now=centre.clock(), **options)


def queue_password(centre, **options):
    blank = letters.password(centre.office, reference="WEBEC-20260401-0001")
    draft = replace(blank, body=insert_password(blank.body, PASSWORD))
    with centre.store.transaction() as tx:
        return post.queue(tx, centre, draft, key="password", recipient=WHOM, now=centre.clock(), **options)


def row_of(centre, letter_id):
    with centre.store.transaction() as tx:
        return one(tx, select(LETTERS).where(LETTERS.c.id == letter_id))


def settle(centre, raw):
    with centre.store.transaction() as tx:
        return bounces.settle(tx, centre, open_mail(raw), 7, now=centre.clock())


def told(centre):
    """What staff were told: (recipient, subject, text) of every notice."""
    with centre.store.transaction() as tx:
        rows = every(tx, select(LETTERS).where(LETTERS.c.kind == LetterKind.STAFF_NOTICE).order_by(LETTERS.c.id))
    mails = [open_mail(row["raw"]) for row in rows]
    return [(row["recipient"], mail.subject, mail.text) for row, mail in zip(rows, mails, strict=True)]


def original(centre, letter_id, body="x"):
    return returns.letter(body, message_id=row_of(centre, letter_id)["message_id"])


def sent(centre, kind, **options):
    letter = queue(centre, kind, **options)
    outbox.send_due(centre)
    assert row_of(centre, letter)["state"] == "sent"
    return letter


# --- tied to the very letter


@pytest.mark.parametrize("mark", ["address", "envelope id", "message id"])
def test_a_report_is_tied_to_its_letter_by_any_of_its_three_marks(centre, case, mark):
    mine, other = (sent(centre, LetterKind.RECEIPT, key=key, case_id=case.id) for key in "ab")
    row = row_of(centre, mine)
    stranger = returns.letter(message_id="<somebody@else.example>")
    raw = {
        "address": returns.dsn(stranger, to=f"ogis-lra+bounce-{row['trace']}@lra.example"),
        "envelope id": returns.dsn(stranger, envid=row["trace"].upper()),
        "message id": returns.dsn(original(centre, mine)),
    }[mark]
    assert settle(centre, raw) == "delivery_failed"
    assert (row_of(centre, mine)["state"], row_of(centre, other)["state"]) == ("bounced", "sent")
    ((_, subject, text), _) = told(centre)
    assert case.number in subject
    for words in (case.number, "受付", WHOM, "存在しないか、使われていません", "5.1.1"):
        assert words in text


@pytest.mark.parametrize("name", returns.FREE_TEXTS)
def test_a_report_in_free_words_is_tied_too(centre, name):
    letter = sent(centre, LetterKind.RECEIPT)
    assert settle(centre, returns.FREE_TEXTS[name][0](original(centre, letter))) == "delivery_failed"


def test_a_report_that_knows_no_mark_does_nothing(centre, case):
    letter = sent(centre, LetterKind.ISSUE_NOTICE, case_id=case.id)
    guessed = "<00112233445566778899aabbccddeeff@lra.example>"
    forged = returns.dsn(returns.letter(message_id=guessed), envid="a" * 26)
    assert settle(centre, forged) is None
    assert row_of(centre, letter)["state"] == "sent"
    assert told(centre) == []


def test_a_report_that_comes_twice_acts_once(centre, case):
    letter = sent(centre, LetterKind.RECEIPT, case_id=case.id)
    raw = returns.dsn(original(centre, letter))
    assert settle(centre, raw) == "delivery_failed"
    assert settle(centre, raw) == "delivery_failed_again"
    assert len(told(centre)) == len(APPROVERS)


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_what_is_no_failure_is_only_written_down(centre, case, action):
    letter = sent(centre, LetterKind.ISSUE_NOTICE, case_id=case.id)
    follower = queue_password(centre, after=letter, after_seconds=600)
    assert settle(centre, returns.dsn(original(centre, letter), action=action, status="")) == f"delivery_{action}"
    assert row_of(centre, letter)["state"] == "sent"
    assert row_of(centre, follower)["state"] == "queued"
    assert told(centre) == []
    with centre.store.transaction() as tx:
        assert audit.records(tx)[-1].kind == f"letter_{action}"


def test_an_out_of_office_answer_to_a_letter_is_no_report(centre):
    letter = sent(centre, LetterKind.RECEIPT)
    assert settle(centre, returns.vacation(original(centre, letter))) is None


def test_a_forward_is_told_by_its_address(centre, case):
    letter = sent(centre, LetterKind.RECEIPT, case_id=case.id)
    settle(centre, returns.dsn(original(centre, letter), recipient="rfc822; new.place@aozora-denki.example"))
    assert "new.place@aozora-denki.example" in told(centre)[0][2]


# --- the table


def test_every_kind_of_letter_and_every_fault_has_its_consequence():
    assert set(CONSEQUENCES) == set(LetterKind)
    for kind, row in CONSEQUENCES.items():
        for fault in Fault:
            consequence = row.of(fault)
            assert (consequence is Consequence.ALARM) is kind.for_staff
            assert row.advice or consequence is Consequence.NOTE
    assert {cause.value for cause in Cause} <= set(Fault)
    assert set(bounces._FAULT_WORDS) == set(Fault)


@pytest.mark.parametrize("kind", [kind for kind, row in CONSEQUENCES.items() if row.consequence is Consequence.TASK])
def test_a_letter_to_a_customer_that_was_refused_or_came_back_is_a_task_that_says_what_to_do(centre, case, kind):
    row = CONSEQUENCES[kind]
    letter = sent(centre, kind, case_id=case.id)
    settle(centre, returns.dsn(original(centre, letter), status="5.2.2", diagnostic=""))
    (first, _) = told(centre)
    flat = "".join(first[2].split())
    assert "".join(row.advice.split()) in flat
    assert "容量がいっぱい" in flat


@pytest.mark.parametrize("kind", [LetterKind.ADDRESS_CHANGED_OLD, LetterKind.HANDOVER_PREDECESSOR])
def test_the_dead_address_of_somebody_who_left_is_no_task_but_any_other_fault_is(centre, case, kind):
    gone, full = (sent(centre, kind, key=key, case_id=case.id) for key in "ab")
    settle(centre, returns.dsn(original(centre, gone)))
    assert told(centre) == []
    settle(centre, returns.dsn(original(centre, full), status="5.2.2"))
    assert len(told(centre)) == len(APPROVERS)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TransportRefused(Kind.RECIPIENT_REFUSED, "RCPT: 550 5.1.1"), Fault.ADDRESS),
        (TransportRefused(Kind.RECIPIENT_REFUSED, "RCPT: 550"), Fault.ADDRESS),
        (TransportRefused(Kind.RECIPIENT_REFUSED, "RCPT: 552 5.2.2"), Fault.FULL),
        (TransportRefused(Kind.RECIPIENT_REFUSED, "RCPT: 550 5.7.1"), Fault.REFUSED),
        (TransportRefused(Kind.MESSAGE_REFUSED, "end of data: 554"), Fault.REFUSED),
        (TransportRefused(Kind.MESSAGE_REFUSED, "MAIL: 552 5.3.4"), Fault.TOO_LARGE),
        (TransportRefused(Kind.MESSAGE_MALFORMED, "a NUL octet"), Fault.MALFORMED),
    ],
)
def test_a_refusal_at_once_is_understood_like_a_report(error, fault):
    assert bounces.fault_of(error) is fault


# --- notice and password


@pytest.mark.parametrize("kind", [LetterKind.ISSUE_NOTICE, LetterKind.RENEWAL_NOTICE])
def test_a_notice_that_came_back_stops_the_password_that_was_to_follow(centre, case, kind):
    notice = sent(centre, kind, case_id=case.id)
    password = queue_password(centre, case_id=case.id, after=notice, after_seconds=600)
    assert settle(centre, returns.dsn(original(centre, notice))) == "delivery_failed"
    row = row_of(centre, password)
    assert (row["state"], row["raw"], row["sealed"]) == ("failed", None, None)
    centre.clock.move(START + timedelta(days=1))
    outbox.send_due(centre)
    assert WHOM not in [recipient for recipient, _ in centre.post.sent[1:]]
    assert centre.vault.names() == frozenset()
    assert "送信を取りやめました" in told(centre)[0][2]


def test_a_notice_that_came_back_too_late_is_told_so(centre, case):
    notice = sent(centre, LetterKind.ISSUE_NOTICE, case_id=case.id)
    queue_password(centre, case_id=case.id, after=notice)
    outbox.send_due(centre)
    settle(centre, returns.dsn(original(centre, notice)))
    assert "すでに送信しています" in told(centre)[0][2]


def test_a_password_letter_that_was_refused_leaves_no_secret_behind(centre, case):
    letter = queue_password(centre, case_id=case.id)
    centre.post.errors = [TransportRefused(Kind.RECIPIENT_REFUSED, "RCPT: 550 5.1.1")]
    outbox.send_due(centre)
    row = row_of(centre, letter)
    assert (row["state"], row["sealed"]) == ("failed", None)
    assert centre.vault.names() == frozenset()


# --- a password comes back


def take_back(centre, raw, opened=()):
    digest = centre.blobs.put(raw)
    with centre.store.transaction() as tx:
        tx.execute(
            schema.mails.insert().values(
                digest=digest, size=len(raw), state="stored", arrived_at=centre.clock(), stored_at=centre.clock()
            )
        )
        row = one(tx, select(schema.mails).order_by(schema.mails.c.id.desc()).limit(1))
        delivery = Delivery(MailRow(**row), open_mail(raw), opened)
        kept = password_returns.take_back(tx, centre, delivery, now=centre.clock())
    with centre.store.transaction() as tx:
        return kept, one(tx, select(schema.mails).where(schema.mails.c.id == row["id"]))


def test_only_a_keyed_hash_of_the_password_is_kept(centre, tmp_path):
    row = row_of(centre, queue_password(centre))
    assert row["secret_hash"] == post.fingerprint(centre.token_key, PASSWORD)
    assert row["secret_hash"] != post.fingerprint(b"another key of 32 octets, as long", PASSWORD)
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in everything


def test_a_mail_without_a_password_of_ours_is_left_as_it_is(centre):
    queue_password(centre)
    for text in ("ありがとうございます。", f"パスワードは {OTHER} です。"):
        kept, row = take_back(centre, returns.plain(text, sender=WHOM))
        assert kept is None
        assert row["erasure_asked_at"] is None
    assert told(centre) == []


def test_a_password_after_the_fetch_window_kills_nothing_and_is_told_and_erased_all_the_same(centre, case):
    letter = queue_password(centre, case_id=case.id)
    outbox.send_due(centre)
    centre.clock.move(START + timedelta(days=centre.settings.policy.fetch_days, seconds=1))
    kept, row = take_back(centre, returns.plain(f"> {PASSWORD}\n", sender=WHOM))
    assert kept is not None
    assert row["erasure_asked_at"] is not None
    assert "失効していません" in told(centre)[0][2]
    assert row_of(centre, letter)["state"] == "sent"


def test_the_same_password_coming_back_again_is_told_once_and_erased_each_time(centre, case):
    queue_password(centre, case_id=case.id)
    outbox.send_due(centre)
    for number in range(2):
        kept, row = take_back(centre, returns.plain(f"{number} {PASSWORD}\n", sender=WHOM))
        assert kept is not None
        assert row["erasure_asked_at"] is not None
    assert len(told(centre)) == len(APPROVERS)


def test_a_password_letter_of_unknown_outcome_that_came_back_is_not_repeated(centre, case):
    letter = queue_password(centre, case_id=case.id)
    with centre.store.transaction() as tx:
        tx.execute(update(LETTERS).where(LETTERS.c.id == letter).values(state="unknown"))
    take_back(centre, returns.plain(PASSWORD, sender=WHOM))
    assert row_of(centre, letter)["state"] == "failed"
    outbox.send_due(centre)
    assert [recipient for recipient, _ in centre.post.sent if recipient == WHOM] == []
    assert centre.vault.names() == frozenset()


def test_what_staff_are_shown_of_it_holds_no_password(centre, case):
    queue_password(centre, case_id=case.id)
    outbox.send_due(centre)
    held = returns.letter(f"パスワード\n{PASSWORD}")
    kept, _ = take_back(centre, returns.qmail(held))
    assert "Below this line" in kept.mail.text
    assert "base64" not in kept.mail.text
    assert PASSWORD not in without_passwords(kept.mail.text)


# --- how often we answer


def answer(centre, number, recipient="robot@tickets.example", case_id=None):
    draft = replace(letters.address_changed_old(centre.office), kind=LetterKind.GUIDANCE)
    with centre.store.transaction() as tx:
        return answers.send(
            tx, centre, draft, key=f"answer:{number}", recipient=recipient, now=centre.clock(), case_id=case_id
        )


def limit(centre, **policy):
    centre.settings = replace(centre.settings, policy=replace(centre.settings.policy, **policy))


def test_a_correspondent_is_answered_so_often_an_hour_and_so_often_a_day_and_staff_are_told_once(centre):
    limit(centre, answers_per_hour=3, answers_per_day=5)
    assert [answer(centre, number) for number in range(5)] == [True] * 3 + [False] * 2
    assert len(told(centre)) == len(APPROVERS)
    assert "robot@tickets.example" in told(centre)[0][2]
    centre.clock.move(START + timedelta(hours=1))
    assert [answer(centre, number, "ROBOT@tickets.example") for number in range(5, 8)] == [True, True, False]
    assert len(told(centre)) == len(APPROVERS)
    centre.clock.move(START + timedelta(days=1, hours=1))
    assert answer(centre, 9)
    with centre.store.transaction() as tx:
        muted = [record for record in audit.records(tx) if record.kind == "answer_muted"]
    assert len(muted) == 3


def test_others_are_answered_all_the_same(centre):
    limit(centre, answers_per_hour=1)
    assert answer(centre, 1)
    assert not answer(centre, 2)
    assert answer(centre, 3, "somebody@aozora-denki.example")


def test_one_case_is_answered_so_often_whoever_writes_about_it(centre, case):
    limit(centre, answers_per_hour=3)
    said = [answer(centre, number, f"robot{number}@tickets.example", case.id) for number in range(5)]
    assert said == [True] * 3 + [False] * 2


def test_what_answers_nobody_does_not_count(centre):
    limit(centre, answers_per_hour=1)
    for key in "abc":
        queue(centre, LetterKind.ISSUED_TO_APPLICANT, key, recipient="robot@tickets.example")
    assert answer(centre, 1)
    with centre.store.transaction() as tx:
        assert tx.execute(select(func.count()).where(LETTERS.c.answer == 1)).scalar_one() == 1
