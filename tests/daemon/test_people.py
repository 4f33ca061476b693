"""Who is asked, reminded, stands in, and takes over: silence approves nothing and loses nothing."""

from datetime import timedelta

import pytest

from config.settings import Approver
from daemon import delegation, leaves, schema
from daemon.demo.stage import APPROVERS
from daemon.demo.story import AOZORA
from daemon.store import every
from support.applications import application, deliver, enrol, flat
from support.deciding import FIRST, SECOND, answer, begin, configure, events, newest, order, outcome, state

DEPUTY = Approver("sato@lra.example", "佐藤 次郎", role="deputy")
MANAGER = Approver("ito@lra.example", "伊藤 部長", role="manager")


@pytest.fixture
def team(stage):
    """Two approvers, a deputy, a manager."""
    two = [Approver(address, name) for address, name in APPROVERS.items()]
    configure(stage, approvers=[*two, DEPUTY, MANAGER])
    return stage


def requests(stage):
    with stage.centre.store.transaction() as tx:
        rows = every(tx, schema.requests.select().order_by(schema.requests.c.id))
    return [(row["approver"], row["state"], row["level"]) for row in rows if row["purpose"] == "decision"]


def subjects(stage, address):
    return [mail.subject for mail in stage.letters(address)]


def test_silence_is_reminded_then_the_deputy_then_the_manager_is_asked_and_nothing_is_approved(team):
    number, _ = begin(team)
    assert [who for who, _, _ in requests(team)] == [FIRST, SECOND]
    team.pass_time(hours=3)
    assert not subjects(team, FIRST)
    team.pass_time(hours=2)  # 4 business hours since 10:11
    (reminder,) = subjects(team, FIRST)
    assert reminder.startswith("[承認依頼・再通知]")
    assert not subjects(team, DEPUTY.address)
    team.pass_time(hours=20)
    assert [who for who, _, _ in requests(team)] == [FIRST, SECOND, DEPUTY.address]
    assert any("承認依頼][" in subject for subject in subjects(team, DEPUTY.address))
    assert not subjects(team, MANAGER.address)
    team.pass_time(hours=24)
    assert [who for who, _, _ in requests(team)] == [FIRST, SECOND, DEPUTY.address, MANAGER.address]
    request = next(mail for mail in team.letters(MANAGER.address) if "[承認依頼][" in mail.subject)
    assert state(team, number) == "awaiting_decision"
    assert [kind for kind, _ in events(team, "decision_reminded")] == ["decision_reminded"] * 3
    team.letters(FIRST)
    team.pass_time(hours=24)
    assert not subjects(team, FIRST), "each step is taken once"
    answer(team, MANAGER.address, request, "承認")
    assert state(team, number) == "closed"


def test_a_case_that_nobody_chose_to_hold_is_reminded_like_any_other(team):
    """The applicant wrote about it: it stands still, and waits for staff all the same."""
    number, _asked = begin(team)
    team.send(AOZORA, f"Re: {number}", "確認したいことがあります。")
    team.work()
    assert state(team, number) == "on_hold"
    subjects(team, FIRST)
    team.pass_time(hours=5)
    assert any("承認依頼" in subject for subject in subjects(team, FIRST))


def test_what_the_only_approver_corrected_is_asked_of_a_deputy_too(stage):
    alone = Approver(FIRST, APPROVERS[FIRST])
    configure(stage, approvers=[alone, Approver(SECOND, APPROVERS[SECOND], role="deputy")])
    _number, asked = begin(stage)
    answer(stage, FIRST, asked[FIRST], "修正 利用者氏名（英語）=Hanako Yamada")
    stage.work()
    assert {who for who, now, _ in requests(stage) if now == "open"} == {FIRST, SECOND}


def test_no_reminder_on_a_weekend_and_none_for_a_case_on_hold(team):
    team.clock.move(team.clock() + timedelta(days=2, hours=6))  # Friday 16:00
    number, asked = begin(team)
    team.pass_time(days=2, hours=18)  # Monday 10:00: two business hours
    assert not subjects(team, FIRST)
    team.decide(FIRST, asked[FIRST], "保留 上長に確認")
    team.work()
    team.letters(FIRST)
    team.pass_time(days=1)
    assert not subjects(team, FIRST)
    assert state(team, number) == "on_hold"


def test_after_an_outage_all_steps_that_are_due_are_taken_at_once(team):
    begin(team)
    team.pass_time(days=5)
    assert [who for who, _, _ in requests(team)] == [FIRST, SECOND, DEPUTY.address, MANAGER.address]
    assert len([subject for subject in subjects(team, FIRST) if "再通知" in subject]) == 1


def test_an_approval_before_the_deputy_was_asked_counts_with_the_deputys(team):
    number, asked = begin(team, application("cancellation", applied=None))
    team.decide(FIRST, asked[FIRST], "承認")
    team.work()
    team.pass_time(hours=25)
    request = next(mail for mail in reversed(team.letters(DEPUTY.address)) if "[承認依頼][" in mail.subject)
    answer(team, DEPUTY.address, request, "承認")
    assert state(team, number) == "closed"


# --- 不在 ---------------------------------------------------------------------------------------------------------


def test_who_is_away_is_not_asked_and_his_stand_in_is(team):
    order(team, FIRST, "不在 4/1-4/3 代理 佐藤")
    assert outcome(team) == "order_absence"
    told = newest(team, SECOND, "不在のご連絡")
    assert "2026-04-01〜2026-04-03" in told.text
    begin(team)
    assert [who for who, _, _ in requests(team)] == [SECOND, DEPUTY.address]
    assert events(team, "leave_recorded") == [("leave_recorded", FIRST)]


def test_what_waits_when_the_absence_begins_goes_to_the_stand_in_too(team):
    begin(team)
    order(team, FIRST, "不在 4/1-4/3 代理 佐藤")
    assert [who for who, _, _ in requests(team)] == [FIRST, SECOND, DEPUTY.address]


def test_an_absence_ends_by_itself_or_by_mail(team):
    order(team, FIRST, "不在 4/1-4/2 代理 佐藤")
    order(team, FIRST, "不在 終了")
    assert outcome(team) == "order_absence"
    assert events(team, "leave_ended") == [("leave_ended", FIRST)]
    begin(team)
    assert [who for who, _, _ in requests(team)] == [FIRST, SECOND]
    order(team, FIRST, "不在 終了")
    assert outcome(team) == "unclear_reply"
    with team.centre.store.transaction() as tx:
        assert leaves.away(tx, team.clock()) == {}


def test_an_absence_of_the_future_begins_on_its_day(team):
    order(team, FIRST, "不在 4/2 代理 佐藤")
    begin(team)
    assert [who for who, _, _ in requests(team)] == [FIRST, SECOND]
    with team.centre.store.transaction() as tx:
        assert leaves.away(tx, team.clock() + timedelta(days=1)) == {FIRST: DEPUTY.address}
        assert leaves.away(tx, team.clock() + timedelta(days=2)) == {}


def test_where_everybody_is_away_they_are_asked_all_the_same(stage):
    for address in APPROVERS:
        order(stage, address, "不在 4/1-4/3")
    begin(stage)
    assert [who for who, _, _ in requests(stage)] == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("不在 4/1-4/3 代理 誰か", "一人に特定できません"),
        ("不在 4/1-4/3 代理 小林", "ほかの承認者をご指定ください"),
        ("不在 2026/3/1-2026/3/2", "過ぎた期間です"),
    ],
)
def test_an_absence_that_cannot_be_is_asked_back(team, words, why):
    order(team, FIRST, words)
    assert outcome(team) == "unclear_reply"
    assert why in flat(team.letters(FIRST)[-1].text)


def test_nobody_outside_sends_an_approver_away(team):
    order(team, FIRST, "不在 4/1-4/3 代理 佐藤", login=False)
    assert outcome(team) == "refused_not_authenticated"
    with team.centre.store.transaction() as tx:
        assert leaves.planned(tx, team.clock()) == []


# --- 引継ぎ ---------------------------------------------------------------------------------------------------------


def test_a_case_is_handed_over_and_the_own_request_is_closed(team):
    number, asked = begin(team)
    team.decide(FIRST, asked[FIRST], "引継ぎ 佐藤さん")
    team.work()
    assert outcome(team) == "decision_hand_over"
    assert [row[:2] for row in requests(team)] == [(FIRST, "void"), (SECOND, "open"), (DEPUTY.address, "open")]
    assert events(team, "case_handed_over") == [("case_handed_over", FIRST)]
    request = next(mail for mail in team.letters(DEPUTY.address) if "[承認依頼][" in mail.subject)
    team.decide(FIRST, asked[FIRST], "承認")
    team.work()
    assert outcome(team) == "refused_token_void"
    answer(team, DEPUTY.address, request, "承認")
    assert state(team, number) == "closed"


@pytest.mark.parametrize(
    ("made", "words", "why"),
    [
        ({}, "転送 誰か", "一人に特定できません"),
        ({}, "転送 小林", "ご本人への引継ぎはできません"),
        ({"applied": None}, "転送 松本", "人数が足りなくなります"),
        ({"applicant__email": SECOND}, "転送 松本", "この案件の当事者"),
    ],
)
def test_what_cannot_be_handed_over_is_asked_back(stage, made, words, why):
    _, asked = begin(stage, application("cancellation", **made))
    stage.decide(FIRST, asked[FIRST], words)
    stage.work()
    assert outcome(stage) == "unclear_reply"
    assert why in flat(stage.letters(FIRST)[-1].text)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("佐藤", DEPUTY.address),
        ("佐藤　次郎", DEPUTY.address),
        ("佐藤さん", DEPUTY.address),
        ("SATO", DEPUTY.address),
        ("sato@lra.example", DEPUTY.address),
        ("伊藤部長", MANAGER.address),
        ("藤", None),  # two of them
        ("", None),
        ("さん", None),
        ("山田", None),
    ],
)
def test_a_person_is_meant_by_name_or_address_if_it_is_one_alone(team, word, found):
    meant = delegation.person(team.centre, word)
    assert (meant.address if meant else None) == found


# --- the others are told; notes; withdrawal -------------------------------------------------------------------------


def test_whose_request_was_closed_by_a_decision_is_told_by_whom(team):
    number, asked = begin(team)
    team.decide(FIRST, asked[FIRST], "承認")
    team.work()
    mine, other = newest(team, FIRST, "判断を承りました"), newest(team, SECOND, "判断を承りました")
    assert "小林恵子：承認" in flat(other.text)
    assert "あなたあての承認依頼は無効になりました" in flat(other.text)
    assert "あなたあての" not in flat(mine.text)
    team.decide(SECOND, asked[SECOND], "却下 対象外")
    team.work()
    assert outcome(team) == "refused_token_void"
    assert "小林恵子さんの「承認」" in flat(team.letters(SECOND)[-1].text)
    assert state(team, number) == "closed"


def test_a_note_of_a_call_back_is_shown_with_the_next_request(stage):
    _, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "メモ 登録の番号に折り返し、本人に確認済み")
    stage.work()
    stage.decide(FIRST, asked[FIRST], "修正 備考=確認済み")
    stage.work()
    anew = flat(stage.requests()[SECOND].text)
    assert "メモ（小林恵子）：登録の番号に折り返し、本人に確認済み" in anew
    assert "修正（小林恵子）：第2版。ご本人以外の承認が必要です" in anew


def test_a_correction_needs_the_approval_of_somebody_else_and_his_alone_is_enough(stage):
    number, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "修正 備考=3月31日退職")
    stage.work()
    asked = stage.requests()
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert outcome(stage) == "decision_approve_partly"
    stage.decide(SECOND, asked[SECOND], "承認")
    stage.work()
    assert state(stage, number) == "closed"


def test_a_withdrawal_is_shown_with_its_command_and_never_automatic(stage):
    enrol(stage)
    (number,) = deliver(stage, application("cancellation"))
    receipt = stage.letters("soumu@aozora-denki.example")[-1]
    stage.requests()
    stage.send("soumu@aozora-denki.example", f"Re: {receipt.subject}", "申請を取り下げます。", answers=receipt)
    stage.work()
    assert state(stage, number) == "on_hold"
    mails = stage.letters(FIRST)
    shown = next(mail for mail in mails if "に関するメール" in mail.subject)
    assert "「却下取下げ」とご返信ください" in flat(shown.text)
    request = next(mail for mail in mails if "[承認依頼][" in mail.subject)
    stage.decide(FIRST, request, "却下 取下げ")
    stage.work()
    assert state(stage, number) == "withdrawn"
    (letter,) = stage.letters("soumu@aozora-denki.example")
    assert "お申し出により" in letter.text
    assert events(stage, "case_withdrawn") == [("case_withdrawn", FIRST)]


def test_links_that_hold_the_token_stand_in_the_request_where_the_option_says_so(stage):
    configure(stage, approval={"mailto_links": True})
    number, asked = begin(stage)
    links = [line for line in asked[FIRST].text.splitlines() if line.startswith("mailto:")]
    address = asked[FIRST].reply_to[0].address
    assert len(links) == 2
    assert all(line.startswith(f"mailto:{address.replace('+', '%2B')}?subject=Re%3A%20") for line in links)
    assert links[0].endswith("&body=%E6%89%BF%E8%AA%8D")
    assert state(stage, number) == "awaiting_decision"
