"""Queueing: a letter is owed once, is whole when it is queued, and a secret one is sealed at once."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from daemon import audit, letters, post, schema
from daemon.case import CaseKind, State
from daemon.cases import open_case
from daemon.demo.stage import APPROVERS
from daemon.draft import insert_password
from daemon.store import every, one
from parsers.mail import open_mail
from support.centres import START
from support.rooms import bare_centre

WHOM = "soumu@aozora-denki.example"
PASSWORD = "abcde-fghjk-mnpqr-stuvw-xyz23"


@pytest.fixture
def centre(tmp_path):
    opened = bare_centre(tmp_path)
    yield opened
    opened.store.close()


def queue(centre, key="a", draft=None, **options):
    draft = draft or letters.address_changed_old(centre.office)
    with centre.store.transaction() as tx:
        return post.queue(tx, centre, draft, key=key, recipient=WHOM, now=START, **options)


def row_of(centre, letter_id):
    with centre.store.transaction() as tx:
        return one(tx, select(schema.letters).where(schema.letters.c.id == letter_id))


def test_no_letter_is_owed_twice(centre):
    queue(centre)
    with pytest.raises(IntegrityError):
        queue(centre)


def test_a_queued_letter_is_a_finished_mail_with_its_message_id(centre):
    row = row_of(centre, queue(centre, in_reply_to="<form@aozora-denki.example>"))
    mail = open_mail(row["raw"])
    assert mail.message_id == row["message_id"]
    assert mail.in_reply_to == ("<form@aozora-denki.example>",)
    assert [address.address for address in mail.recipients] == [WHOM]
    assert (row["sealed"], row["seal_key"]) == (None, None)


def test_a_password_letter_is_in_no_row_in_the_clear(centre):
    blank = letters.password(centre.office, reference="WEBEC-20260401-0001")
    draft = type(blank)(blank.kind, blank.subject, insert_password(blank.body, PASSWORD), blank.auto)
    row = row_of(centre, queue(centre, draft=draft))
    assert row["raw"] is None
    assert PASSWORD in open_mail(centre.vault.open(row["seal_key"], row["sealed"])).text
    with centre.store.transaction() as tx:
        (event,) = audit.records(tx)
    assert event.detail == {"letter": row["id"], "letter_kind": "password"}


def test_staff_are_told_one_mail_each(centre):
    with centre.store.transaction() as tx:
        post.notify(tx, centre, key="x", subject="件名", lines=["一行"], now=START)
        rows = every(tx, select(schema.letters))
    assert {row["recipient"] for row in rows} == set(APPROVERS)
    assert all(len(open_mail(row["raw"]).recipients) == 1 for row in rows)


def test_a_thread_leads_to_the_case_of_the_newest_letter_it_names(centre):
    with centre.store.transaction() as tx:
        first, second = (
            open_case(
                tx,
                centre.audit,
                kind=CaseKind.APPLICATION,
                state=State.RECEIVED,
                arrived_at=START,
                now=START,
                actor="applicant",
            )
            for _ in range(2)
        )
    ids = [queue(centre, key, case_id=case) for key, case in (("a", first.id), ("b", second.id), ("c", None))]
    one_, two, none = (row_of(centre, each)["message_id"] for each in ids)
    with centre.store.transaction() as tx:
        assert post.case_of_thread(tx, (one_, two)) == second.id
        assert post.case_of_thread(tx, (two, one_, "<foreign@x.example>", none)) == first.id
        assert post.case_of_thread(tx, ("<foreign@x.example>",)) is None
        assert post.case_of_thread(tx, ()) is None
