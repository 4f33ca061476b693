"""取消: within the pause, of half an approval, of a revocation that waits for its day; and when it is too late."""

from datetime import date

import pytest

from daemon import schema
from daemon.demo.story import AOZORA, HANAKO
from daemon.store import every
from support.applications import application, certificates, flat
from support.deciding import (
    FIRST,
    SECOND,
    answer,
    begin,
    case_of_kind,
    configure,
    events,
    newest,
    outcome,
    state,
)

RECORDED = "判断を承りました"


@pytest.fixture
def pausing(stage):
    configure(stage, policy={"cancel_minutes": 10})
    return stage


def test_within_the_pause_an_approval_is_taken_back_everybody_is_told_and_the_case_is_asked_about_anew(pausing):
    number, asked = begin(pausing)
    pausing.decide(FIRST, asked[FIRST], "承認")
    pausing.work()
    assert state(pausing, number) == "approved"
    confirmation = newest(pausing, SECOND, RECORDED)
    assert "「取消」とだけ書いてください" in flat(confirmation.text)
    assert "10:21まで" in flat(confirmation.text)
    answer(pausing, SECOND, confirmation, "取消")
    assert (outcome(pausing), state(pausing, number)) == ("decision_cancel", "on_hold")
    for address in (FIRST, SECOND):
        told = newest(pausing, address, RECORDED)
        assert "承認を取り消しました" in flat(told.text)
    pausing.pass_time(minutes=30)
    assert certificates(pausing) == [(HANAKO, "live")], "what was said before counts no more"
    assert events(pausing, "case_paused") == [("case_paused", SECOND)]
    assert not pausing.letters(AOZORA)


def test_after_it_was_taken_back_a_new_approval_counts(pausing):
    number, asked = begin(pausing)
    pausing.decide(FIRST, asked[FIRST], "承認")
    pausing.work()
    answer(pausing, FIRST, newest(pausing, FIRST, RECORDED), "取消")
    pausing.approve(1)
    pausing.pass_time(minutes=11)
    assert state(pausing, number) == "closed"


def test_half_of_an_approval_is_taken_back_too(stage):
    number, asked = begin(stage, application("cancellation", applied=None))
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    answer(stage, FIRST, newest(stage, FIRST, RECORDED), "取消")
    assert outcome(stage) == "decision_cancel"
    assert events(stage, "approval_taken_back") == [("approval_taken_back", FIRST)]
    asked = stage.requests()
    stage.decide(SECOND, asked[SECOND], "承認")
    stage.work()
    assert outcome(stage) == "decision_approve_partly", "the first half is gone"
    assert state(stage, number) == "awaiting_decision"


@pytest.mark.parametrize(
    ("made", "instead"),
    [
        (lambda: application("cancellation"), "新規発行の申請書"),
        (lambda: application("reissue"), "至急失効"),
    ],
)
def test_after_execution_it_is_refused_with_what_may_be_done_instead(pausing, made, instead):
    _number, asked = begin(pausing, made())
    pausing.decide(FIRST, asked[FIRST], "承認")
    pausing.work()
    confirmation = newest(pausing, FIRST, RECORDED)
    pausing.pass_time(minutes=11)
    before = certificates(pausing)
    answer(pausing, FIRST, confirmation, "取消")
    assert outcome(pausing) == "unclear_reply"
    (told,) = [mail for mail in pausing.letters(FIRST) if "再確認" in mail.subject or "すでに実行済み" in mail.text]
    assert "すでに実行済みのため、取り消せません" in flat(told.text)
    assert instead in flat(told.text)
    assert certificates(pausing) == before


def test_without_a_pause_the_confirmation_promises_nothing_and_an_answer_is_explained(stage):
    _, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    confirmation = newest(stage, FIRST, RECORDED)
    assert not confirmation.reply_to
    assert "取り消すには" not in confirmation.text
    answer(stage, FIRST, confirmation, "取消")
    assert outcome(stage) == "unclear_reply"
    assert "すでに実行済みのため" in flat(stage.letters(FIRST)[-1].text)


def test_a_confirmation_takes_nothing_but_back(pausing):
    number, asked = begin(pausing)
    pausing.decide(FIRST, asked[FIRST], "承認")
    pausing.work()
    confirmation = newest(pausing, SECOND, RECORDED)
    for words in ("承認", "却下 対象外", "失効日 2026/4/20", "取消してください"):
        answer(pausing, SECOND, confirmation, words)
        assert outcome(pausing) == "unclear_reply"
    assert state(pausing, number) == "approved"


def test_the_token_of_a_confirmation_is_its_receivers_alone(pausing):
    number, asked = begin(pausing)
    pausing.decide(FIRST, asked[FIRST], "承認")
    pausing.work()
    confirmation = newest(pausing, SECOND, RECORDED)
    answer(pausing, FIRST, confirmation, "取消")
    assert outcome(pausing) == "refused_token_of_another"
    pausing.send(SECOND, f"Re: {confirmation.subject}", "取消", to=confirmation.reply_to[0].address)
    pausing.work()
    assert outcome(pausing) == "refused_not_authenticated"
    assert state(pausing, number) == "approved"


def scheduled(stage):
    """A revocation that waits for its day; returns the number and the confirmations."""
    number, asked = begin(stage, application("cancellation", wished=date(2026, 4, 20)))
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert state(stage, number) == "closed"
    stage.letters(AOZORA)
    return number, {address: newest(stage, address, RECORDED) for address in (FIRST, SECOND)}


def due(stage):
    with stage.centre.store.transaction() as tx:
        rows = every(tx, schema.tasks.select().order_by(schema.tasks.c.id))
    return [(row["kind"], row["state"]) for row in rows if row["due_at"]]


def test_a_scheduled_revocation_is_called_off_by_two_and_the_applicant_is_told(stage):
    number, confirmations = scheduled(stage)
    answer(stage, FIRST, confirmations[FIRST], "取消")
    assert outcome(stage) == "decision_cancel"
    asked = stage.requests()
    assert "2026-04-20の終わり（日本時間24時）の失効を取りやめます" in flat(asked[FIRST].text)
    assert "異なる2人（失効予約の取消）" in flat(asked[FIRST].text)
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert due(stage) == [("revoke", "pending"), ("close", "pending")], "one is not enough"
    stage.decide(SECOND, asked[SECOND], "承認")
    stage.work()
    assert due(stage) == [("revoke", "cancelled"), ("close", "cancelled")]
    (letter,) = stage.letters(AOZORA)
    assert number in letter.subject
    assert "取り消しました" in letter.subject
    stage.go_to(stage.clock().replace(day=25))
    assert certificates(stage) == [(HANAKO, "live")]
    assert events(stage, "rescheduling_asked", "task_reschedule") == [
        ("rescheduling_asked", FIRST),
        ("task_reschedule", "issuer"),
    ]


def test_postponing_takes_two_and_bringing_forward_one(stage):
    _, confirmations = scheduled(stage)
    answer(stage, FIRST, confirmations[FIRST], "失効日 2026/4/25")
    asked = stage.requests()
    assert "異なる2人（失効の延期）" in flat(asked[FIRST].text)
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert outcome(stage) == "decision_approve_partly"
    stage.decide(SECOND, asked[SECOND], "承認")
    stage.work()
    (letter,) = stage.letters(AOZORA)
    assert "2026年4月25日" in letter.text
    answer(stage, SECOND, confirmations[SECOND], "失効日 2026/4/22")
    stage.approve(1)
    stage.go_to(stage.clock().replace(day=23))
    assert certificates(stage)[0][1].startswith("04-23")


def test_a_revocation_is_not_postponed_beyond_a_month_nor_into_the_past(stage):
    _, confirmations = scheduled(stage)
    for words, why in (("失効日 2026/5/2", "1か月以内（2026-05-01まで）"), ("失効日 2026/3/31", "過ぎた日付です")):
        answer(stage, FIRST, confirmations[FIRST], words)
        assert outcome(stage) == "unclear_reply"
        assert why in flat(stage.letters(FIRST)[-1].text)
    assert case_of_kind(stage, "rescheduling") is None


def test_what_was_done_meanwhile_cannot_be_called_off(stage):
    _, confirmations = scheduled(stage)
    answer(stage, FIRST, confirmations[FIRST], "取消")
    asked = stage.requests()
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    stage.go_to(stage.clock().replace(day=21))
    assert certificates(stage)[0][1].startswith("04-21")
    stage.decide(SECOND, asked[SECOND], "承認")
    stage.work()
    assert outcome(stage).startswith("refused")
    assert certificates(stage)[0][1].startswith("04-21")


def test_a_rejected_wish_leaves_the_revocation_as_it_was(stage):
    _, confirmations = scheduled(stage)
    answer(stage, FIRST, confirmations[FIRST], "取消")
    asked = stage.requests()
    stage.decide(SECOND, asked[SECOND], "却下 予定どおり")
    stage.work()
    assert outcome(stage) == "decision_reject"
    assert case_of_kind(stage, "rescheduling").state == "rejected"
    assert due(stage) == [("revoke", "pending"), ("close", "pending")]
    assert not stage.letters(AOZORA)


def test_an_order_of_staff_takes_no_command_that_needs_a_form(stage):
    _, confirmations = scheduled(stage)
    answer(stage, FIRST, confirmations[FIRST], "取消")
    asked = stage.requests()
    for words in ("差戻し 書き直し", "修正 備考=x", "種別変更 再発行", "保留 あとで"):
        stage.decide(FIRST, asked[FIRST], words)
        stage.work()
        assert outcome(stage) == "unclear_reply"
    stage.decide(FIRST, asked[FIRST], "メモ 電話で確認済み")
    stage.work()
    assert outcome(stage) == "decision_note"
