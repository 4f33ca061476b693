"""至急失効: opened by staff only, decided by two, carried out at once; its reason and date on the CRL; the form after it."""

import subprocess
from dataclasses import replace
from datetime import date

import pytest

from ca import register
from daemon import registrations, urgent
from daemon.demo.story import AOZORA, HANAKO, STRANGER
from daemon.upkeep import CRL_FILE
from support.applications import HANAKO as HANAKO_IS
from support.applications import application, certificates, deliver, enrol, flat
from support.deciding import FIRST, SECOND, begin, case_of_kind, configure, events, newest, order, outcome, state

KIND = "urgent_revocation"


def asked_for(stage, words="至急失効 {id} 紛失"):
    """An urgent revocation that waits for its two approvers; the registration, the case and the requests."""
    person = enrol(stage)
    with stage.centre.store.transaction() as tx:
        registrations.note_applicant(tx, person.id, application("cancellation"))
    order(stage, FIRST, words.format(id=person.subscriber_id))
    assert outcome(stage) == "order_revoke_urgently"
    return person, case_of_kind(stage, KIND), stage.requests()


def serial_of(stage):
    with stage.centre.store.transaction() as tx:
        return next(row.serial for row in register.every(tx) if row.der)


def crl_text(stage):
    path = stage.centre.public / CRL_FILE
    shown = subprocess.run(
        ["openssl", "crl", "-in", str(path), "-noout", "-text"], capture_output=True, check=True, text=True
    )
    return shown.stdout


def test_two_approvers_revoke_at_once_and_whoever_is_concerned_hears_it(stage):
    configure(stage, policy={"cancel_minutes": 10})
    _person, case, asked = asked_for(stage)
    text = flat(asked[FIRST].text)
    assert "至急失効の依頼です" in text
    assert "山田花子（あおぞら電機株式会社）の証明書" in text
    assert "異なる2人（至急失効）" in text
    assert "秘密鍵の危殆化（keyCompromise）" in text
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert certificates(stage) == [(HANAKO, "live")], "one is not enough, even who asked for it"
    stage.decide(SECOND, asked[SECOND], "承認")
    stage.work()
    assert certificates(stage)[0][1] != "live", "no pause stands between: it cannot wait"
    assert state(stage, case.number) == "closed"
    (letter,) = stage.letters(AOZORA)
    assert "緊急に失効" in letter.subject
    assert "2026年4月8日（水）まで" in flat(letter.text)
    (theirs,) = stage.letters(HANAKO)
    assert "失効が完了" in theirs.subject
    for mail in (letter, theirs):
        assert "紛失" not in mail.text, "the reason is internal"
    assert "Key Compromise" in crl_text(stage)
    assert events(stage, "urgent_revocation_asked", "case_approved") == [
        ("urgent_revocation_asked", FIRST),
        ("case_approved", SECOND),
    ]


def test_the_day_since_when_the_key_is_unsafe_stands_on_the_crl(stage):
    _, _, asked = asked_for(stage, "至急失効 {id} PCの盗難 2026-03-30")
    assert "失効基準日：2026-03-30" in flat(asked[FIRST].text)
    for address in (FIRST, SECOND):
        stage.decide(address, asked[address], "承認")
        stage.work()
    listed = crl_text(stage)
    assert "Invalidity Date" in listed
    assert "Mar 29 15:00:00 2026 GMT" in listed, "the beginning of that day in Japan"


@pytest.mark.parametrize("which", ["registration", "serial", "case"])
def test_it_is_named_by_registration_serial_number_or_case(stage, which):
    person = enrol(stage)
    number = {
        "registration": person.subscriber_id.lower(),
        "serial": serial_of(stage),
        "case": case_of_kind(stage, "renewal").number,
    }[which]
    order(stage, FIRST, f"至急失効 {number} 漏えい")
    asked = stage.requests()
    assert serial_of(stage) in flat(asked[SECOND].text)


def test_in_answer_to_a_request_it_means_the_person_of_that_case(stage):
    number, asked = begin(stage, application("reissue", wished=date(2026, 4, 20)))
    stage.decide(FIRST, asked[FIRST], "至急失効 盗難")
    stage.work()
    assert outcome(stage) == "order_revoke_urgently"
    assert state(stage, number) == "awaiting_decision"
    stage.approve(2)
    assert certificates(stage)[0][1] != "live"
    assert state(stage, number) == "awaiting_decision", (
        "the application still waits; its request was about another plan"
    )


def test_a_mail_from_outside_never_does_it(stage):
    person = enrol(stage)
    words = f"至急失効 {person.subscriber_id} 紛失"
    attempts = [
        lambda: order(stage, AOZORA, words, login=False),
        lambda: order(stage, STRANGER, words, login=False),
        lambda: order(stage, FIRST, words, login=False),  # a forged From
        lambda: stage.send(FIRST, "至急", words, login=FIRST, headers={"Auto-Submitted": "auto-replied"}),
    ]
    for attempt in attempts:
        attempt()
        stage.work()
    assert case_of_kind(stage, KIND) is None
    assert certificates(stage) == [(HANAKO, "live")]


def test_a_stranger_with_a_stolen_token_revokes_nothing(stage):
    _, case, asked = asked_for(stage)
    request = asked[SECOND]
    stage.send(STRANGER, f"Re: {request.subject}", "承認", to=request.reply_to[0].address, answers=request)
    stage.work()
    assert outcome(stage) == "refused_not_an_approver"
    assert state(stage, case.number) == "awaiting_decision"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("至急失効 W999999 紛失", "その番号の登録・案件・証明書がありません"),
        ("至急失効 WEBEC-20260401-9999 紛失", "その受付番号の案件がありません"),
        ("至急失効 0123456789abcdef01 紛失", "その番号の登録・案件・証明書がありません"),
        ("至急失効 {id} 紛失 2026-02-30", "暦にない日付です"),
        ("至急失効 {id} 紛失 2026-12-30", "先の日付です"),
        ("至急失効 {id} 2026-03-30", "失効の理由も書いてください"),
    ],
)
def test_what_cannot_be_meant_is_asked_back(stage, words, why):
    person = enrol(stage)
    order(stage, FIRST, words.format(id=person.subscriber_id))
    assert outcome(stage) == "unclear_reply"
    assert why in flat(stage.letters(FIRST)[-1].text)
    assert case_of_kind(stage, KIND) is None


def test_the_same_is_not_opened_twice_and_what_is_revoked_not_again(stage):
    person, case, asked = asked_for(stage)
    order(stage, SECOND, f"至急失効 {person.subscriber_id} 紛失")
    assert outcome(stage) == "unclear_reply"
    assert case.number in flat(stage.letters(SECOND)[-1].text)
    for address in (FIRST, SECOND):
        stage.decide(address, asked[address], "承認")
        stage.work()
    order(stage, SECOND, f"至急失効 {person.subscriber_id} 紛失")
    assert "有効な証明書がありません" in flat(stage.letters(SECOND)[-1].text)


def test_nobody_is_asked_about_his_own_certificate_and_everybody_else_is(stage):
    person = enrol(stage, replace(HANAKO_IS, email=SECOND))
    order(stage, FIRST, f"至急失効 {person.subscriber_id} 紛失")
    assert list(stage.requests()) == [FIRST]


def test_a_missing_form_is_asked_after_once_and_a_form_that_came_is_not(stage):
    _, case, asked = asked_for(stage)
    for address in (FIRST, SECOND):
        stage.decide(address, asked[address], "承認")
        stage.work()
    stage.letters(FIRST)
    stage.pass_time(days=8)
    reminder = newest(stage, FIRST, "申請書が届いていません")
    assert case.number in reminder.subject
    stage.pass_time(days=8)
    assert not [mail for mail in stage.letters(FIRST) if "申請書が届いていません" in mail.subject]


def test_after_the_form_has_come_nobody_is_reminded(stage):
    _, _, asked = asked_for(stage)
    for address in (FIRST, SECOND):
        stage.decide(address, asked[address], "承認")
        stage.work()
    deliver(stage, application("reissue"))
    stage.approve(2)
    stage.pass_time(days=8)
    assert not [mail for mail in stage.letters(FIRST) if "申請書が届いていません" in mail.subject]
    assert certificates(stage)[-1] == (HANAKO, "live")


def test_where_no_applicant_is_registered_staff_get_the_task(stage):
    person = enrol(stage)
    order(stage, FIRST, f"至急失効 {person.subscriber_id} 紛失")
    stage.approve(2)
    assert "申請者にご連絡ください" in flat(newest(stage, FIRST, "申請者へのご連絡").text)


@pytest.mark.parametrize(
    ("typed", "said", "since"),
    [
        ("紛失", "紛失", None),
        ("紛失 失効基準日 2026/3/30", "紛失", date(2026, 3, 30)),
        ("紛失　基準日：2026年3月30日", "紛失", date(2026, 3, 30)),
        ("lost since 2026-03-30", "lost", date(2026, 3, 30)),
        ("3月30日に紛失", "3月30日に紛失", None),
    ],
)
def test_reason_and_day_are_told_apart(typed, said, since):
    found = urgent.why(typed, today=date(2026, 4, 1))
    assert (found.said, found.invalid_since) == (said, since)
