"""Near-duplicates: shown to staff with when, which mail and which case; never dropped, never merged."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import duplicates, ledger
from daemon.demo.stage import APPROVERS
from daemon.demo.story import AOZORA
from daemon.duplicates import MOST_NAMED, Likeness, likeness_key, near
from parsers.mail import open_mail
from support.centres import START, form
from support.rooms import bare_centre


@pytest.fixture
def centre(tmp_path):
    opened = bare_centre(tmp_path)
    yield opened
    opened.store.close()


def mail(subject="申請", sender="a@x.example", text="本文", message_id="<1@x>"):
    return open_mail(
        f"From: {sender}\r\nSubject: {subject}\r\nMessage-ID: {message_id}\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
    )


def note(tx, number, **values):
    mail_id = ledger.add(tx, digest=f"{number:064x}", size=1, arrived_at=START, now=START)
    ledger.describe(tx, mail_id, **{"message_id": "", "likeness": ""} | values)
    return mail_id


@pytest.mark.parametrize("other", [{"message_id": "<2@x>"}, {"subject": "Re: 申請"}, {"sender": "A@X.example"}])
def test_a_mail_is_like_another_whatever_its_message_id_case_or_prefix(other):
    assert likeness_key(mail(), ["d1"]) == likeness_key(mail(**other), ["d1"])


@pytest.mark.parametrize("other", [{"subject": "照会"}, {"sender": "b@x.example"}])
def test_another_sender_or_subject_is_another_mail(other):
    assert likeness_key(mail(), ["d1"]) != likeness_key(mail(**other), ["d1"])


def test_attachments_decide_before_the_text_and_the_text_where_there_are_none():
    assert likeness_key(mail(text="急ぎます"), ["d2", "d1"]) == likeness_key(mail(), ["d1", "d2"])
    assert likeness_key(mail(), ["d1"]) != likeness_key(mail(), ["d2"])
    assert likeness_key(mail(text="急ぎます"), []) != likeness_key(mail(), [])
    assert likeness_key(mail(text="本 文\r\n"), []) == likeness_key(mail(), [])
    assert likeness_key(open_mail(b""), []) == ""


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_any_bytes_have_a_likeness(raw):
    assert len(likeness_key(open_mail(raw), [])) in (0, 64)


def test_only_earlier_mails_are_named_each_by_its_strongest_likeness_the_newest_first(centre):
    with centre.store.transaction() as tx:
        first = note(tx, 1, message_id="<m>", likeness="k")
        second = note(tx, 2, message_id="<m>")
        note(tx, 3)
        here = note(tx, 4, message_id="<m>", likeness="k")
        note(tx, 5, message_id="<m>", likeness="k")
        found = near(tx, here)
        assert [(each.mail_id, each.likeness) for each in found] == [
            (second, Likeness.MESSAGE_ID),
            (first, Likeness.CONTENT),
        ]
        assert near(tx, first) == near(tx, 999) == []


def test_a_gateway_that_repeats_its_message_id_fills_no_page(centre):
    with centre.store.transaction() as tx:
        ids = [note(tx, number, message_id="<same>") for number in range(20)]
        assert [each.mail_id for each in near(tx, ids[-1])] == ids[-2 : -2 - MOST_NAMED : -1]


def test_the_same_form_again_becomes_a_case_of_its_own_whose_request_names_the_first(stage):
    pdf = form(stage, "new_issue_hanako")
    stage.send(AOZORA, "新規発行", "お願いします", pdf=pdf)
    stage.work()
    stage.send(AOZORA, "新規発行", "まだでしょうか", pdf=pdf)
    stage.work()
    requests = [letter for letter in stage.letters(next(iter(APPROVERS))) if "承認依頼" in letter.subject]
    assert len(requests) == 2
    assert "受信しています（メール番号" not in requests[0].text
    assert "同じ内容のメールを 2026-04-01" in requests[1].text
    assert "案件 WEBEC-20260401-0001）" in requests[1].text


def test_a_mail_without_a_form_that_comes_twice_is_shown_twice_the_second_with_a_word(stage):
    for _ in range(2):
        stage.send(AOZORA, "照会", "営業時間を教えてください。")
        stage.work()
    notices = [letter for letter in stage.letters(next(iter(APPROVERS))) if "申請書のない" in letter.subject]
    assert len(notices) == 2
    assert "注意：同じ内容のメールを" not in notices[0].text
    assert "注意：同じ内容のメールを" in notices[1].text


def test_what_is_said_of_a_mail_is_a_line_a_likeness():
    for likeness in Likeness:
        (line,) = duplicates.lines([duplicates.Near(likeness, 7, START, ("WEBEC-1", "WEBEC-2"))])
        assert line.endswith("2026-04-01 10:00 に受信しています（メール番号 7、案件 WEBEC-1・WEBEC-2）。")
