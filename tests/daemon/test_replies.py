"""Staff replies through the real path: written, sent by submission, stamped by our server, fetched, judged, acted on.

What words mean is tested with `parsers.reply`; here it is what they do, to whom letters go, and what they never do.
"""

from dataclasses import replace
from datetime import date

import pytest

from ca import register
from daemon import cases, schema
from daemon.case import CaseKind, State
from daemon.demo.stage import APPROVERS, CENTRE
from daemon.demo.story import AOZORA, HANAKO, STRANGER
from daemon.store import every
from parsers.reading import SealVerdict
from support.applications import HANAKO as HANAKO_IS
from support.applications import (
    HANAKO_MARRIED,
    ICHIRO,
    TAKERU,
    application,
    case_of,
    certificates,
    deliver,
    enrol,
    flat,
)

FIRST, SECOND = APPROVERS
OUTLOOK = """{words}

-----Original Message-----
From: {centre}
Sent: Wednesday, April 1, 2026 10:11 AM
Subject: {subject}

{quoted}
"""
GMAIL = """{words}

2026年4月1日(水) 10:11 <{centre}>:

{marked}
"""


def begin(stage, made=None):
    """A case that waits for a decision; returns its number and the request of each approver."""
    enrol(stage)
    (number,) = deliver(stage, made or application("cancellation"))
    stage.letters(AOZORA)
    return number, stage.requests()


def reply(stage, approver, request, body, *, to=None, login=True, **more):
    """A reply as it stands, without anything the stage would quote below it."""
    address = to or request.reply_to[0].address
    subject = more.pop("subject", f"Re: {request.subject}")
    stage.send(approver, subject, body, to=address, answers=request, login=approver if login else None, **more)
    stage.work()


def outcome(stage):
    """What became of the newest mail."""
    with stage.centre.store.transaction() as tx:
        return every(tx, schema.mails.select().order_by(schema.mails.c.id))[-1]["outcome"]


def state(stage, number):
    return case_of(stage, number).state.value


def decisions(stage):
    with stage.centre.store.transaction() as tx:
        return [(row["approver"], row["verb"]) for row in every(tx, schema.decisions.select())]


def requests(stage):
    """The states of all requests, in the order they were made."""
    with stage.centre.store.transaction() as tx:
        return [row["state"] for row in every(tx, schema.requests.select().order_by(schema.requests.c.id))]


def kinds(stage, address):
    """The subjects of the new mails of an address, without numbers."""
    return [mail.subject for mail in stage.letters(address)]


# --- 承認 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "layout"),
    [
        ("承認", GMAIL),
        ("承認いたします。", OUTLOOK),
        ("approve", "{words}\n-- \n小林 恵子\nLRAセンター\n"),
        ("　承認します\n\niPhoneから送信", GMAIL),
    ],
)
def test_an_approval_above_the_quoted_request_counts(stage, words, layout):
    number, asked = begin(stage)
    request = asked[FIRST]
    marked = "\n".join(f"> {line}" for line in request.text.splitlines())
    body = layout.format(words=words, centre=CENTRE, subject=request.subject, quoted=request.text, marked=marked)
    reply(stage, FIRST, request, body)
    assert outcome(stage) == "decision_approve"
    assert state(stage, number) == "closed"
    assert certificates(stage) != [(HANAKO, "live")]
    assert [len([one for one in kinds(stage, address) if "決定" in one or "承認" in one]) for address in APPROVERS] == [
        1,
        1,
    ]


@pytest.mark.parametrize("words", ["承認できません", "承認\n却下 対象外"])
def test_what_is_not_exactly_a_command_changes_nothing_is_answered_and_leaves_the_request_open(stage, words):
    number, asked = begin(stage)
    for body in (words, "確認しました。問題ないので承認でお願いします。", "OK", "", "> 承認"):
        reply(stage, FIRST, asked[FIRST], body)
        assert outcome(stage) == "unclear_reply"
    assert (state(stage, number), requests(stage), decisions(stage)) == ("awaiting_decision", ["open", "open"], [])
    answers = stage.letters(FIRST)
    assert len(answers) == 5
    assert "・承認（approve）" in answers[0].text
    assert words.splitlines()[0] in answers[0].text
    assert not stage.letters(SECOND)
    assert not stage.letters(AOZORA)
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert state(stage, number) == "closed"


def test_the_first_valid_decision_wins(stage):
    number, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.decide(SECOND, asked[SECOND], "却下 対象外")
    stage.work()
    assert outcome(stage) == "refused_token_void"
    assert (state(stage, number), decisions(stage)) == ("closed", [(FIRST, "approve")])


def test_a_decision_that_arrives_twice_acts_once(stage):
    """The same mail under another UID, as after a restored mailbox: the ledger knows its bytes."""
    number, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "質問 退職日はいつですか。")
    stage.work()
    mail = next(each.content for each in reversed(stage.deliveries) if each.mailbox == CENTRE)
    stage.server.append(CENTRE, mail)
    stage.work()
    assert decisions(stage) == [(FIRST, "ask")]
    assert len(stage.letters(AOZORA)) == 1
    assert state(stage, number) == "on_hold"
    with stage.centre.store.transaction() as tx:
        sightings = every(tx, schema.sightings.select())
    assert len({row["mail_id"] for row in sightings}) == 1
    assert [row["filed_at"] is not None for row in sightings] == [True, True]


def test_half_of_an_approval_is_echoed_and_waits_for_the_other(stage):
    number, asked = begin(stage, application("cancellation", applied=None))
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert outcome(stage) == "decision_approve_partly"
    assert state(stage, number) == "awaiting_decision"
    for address in APPROVERS:
        (echo,) = stage.letters(address)
        assert "承認1／2" in flat(echo.text)
    stage.decide(SECOND, asked[SECOND], "保留 確認します")
    stage.work()
    stage.decide(SECOND, asked[SECOND], "承認")
    stage.work()
    assert state(stage, number) == "closed"
    assert [who for who, verb in decisions(stage) if verb == "approve"] == [FIRST, SECOND]


# --- what does not count -------------------------------------------------------------------------------------------


def test_attempts_that_do_not_count_change_nothing_and_all_staff_hear_of_them(stage):
    number, asked = begin(stage)
    mine, other = asked[FIRST], asked[SECOND]
    wrong = "ogis-lra+" + "A" * 26 + "@lra.example"
    attempts = [
        ("not_authenticated", lambda: reply(stage, FIRST, mine, "承認", login=False)),
        ("token_of_another", lambda: reply(stage, FIRST, other, "承認")),
        ("not_an_approver", lambda: reply(stage, STRANGER, mine, "承認", login=False)),
        ("unknown_token", lambda: reply(stage, FIRST, mine, "承認", to=wrong, subject="Re: 承認依頼")),
        (
            "suspicious_mail",
            lambda: reply(stage, f"{FIRST}, {SECOND}", mine, "承認", login=False),
        ),
    ]
    for code, send in attempts:
        send()
        assert outcome(stage) == f"refused_{code}"
        for address in APPROVERS:
            (told,) = stage.letters(address)
            assert number in told.subject + told.text or code == "unknown_token"
            assert "[#" not in told.subject
    assert (state(stage, number), requests(stage), decisions(stage)) == ("awaiting_decision", ["open", "open"], [])
    assert certificates(stage) == [(HANAKO, "live")]
    assert not stage.letters(STRANGER)
    with stage.centre.store.transaction() as tx:
        refused = [
            row["detail"]["reason"] for row in every(tx, schema.events.select()) if row["kind"] == "decision_refused"
        ]
    assert refused == [code for code, _ in attempts]


def test_an_out_of_office_reply_that_quotes_the_request_never_decides_and_is_not_answered(stage):
    number, asked = begin(stage)
    away = "4月8日まで不在にしております。\n\n"
    reply(stage, FIRST, asked[FIRST], away + asked[FIRST].text, headers={"Auto-Submitted": "auto-replied"})
    assert outcome(stage) == "automatic"
    assert (state(stage, number), decisions(stage)) == ("awaiting_decision", [])
    assert not any(stage.letters(address) for address in APPROVERS)


def test_a_used_token_is_refused(stage):
    number, asked = begin(stage, application("cancellation", applied=None))
    for _ in range(2):
        stage.decide(FIRST, asked[FIRST], "承認")
        stage.pass_time(minutes=1)
    assert outcome(stage) == "refused_token_used"
    assert state(stage, number) == "awaiting_decision"


def test_a_lapsed_token_is_refused_and_the_case_is_asked_about_anew(stage):
    number, asked = begin(stage)
    stage.clock.move(stage.clock().replace(day=9))
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert outcome(stage) == "refused_token_lapsed"
    assert requests(stage) == ["lapsed", "lapsed", "open", "open"]
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert outcome(stage) == "refused_token_lapsed"
    assert state(stage, number) == "awaiting_decision"
    stage.approve(1)
    assert state(stage, number) == "closed"


def test_an_amended_form_voids_what_was_asked_and_is_asked_about_anew(stage):
    number, asked = begin(stage)
    deliver(stage, application("cancellation", wished=date(2026, 4, 20)), subject=f"Re: {number}")
    assert case_of(stage, number).version == 2
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert outcome(stage) == "refused_token_void"
    assert requests(stage) == ["void", "void", "open", "open"]
    assert certificates(stage) == [(HANAKO, "live")]
    stage.approve(1)
    assert state(stage, number) == "closed"


def test_an_amended_form_with_defects_leaves_nothing_to_approve(stage):
    number, asked = begin(stage)
    deliver(stage, application("cancellation", seal=SealVerdict.ABSENT), subject=f"Re: {number}")
    assert state(stage, number) == "returned"
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert outcome(stage) == "refused_token_void"
    assert certificates(stage) == [(HANAKO, "live")]


def test_a_register_that_changed_after_the_request_voids_it_and_asks_anew(stage):
    number, asked = begin(stage)
    deliver(stage, application("registration_change", HANAKO_IS, HANAKO_MARRIED))
    stage.approve(1)
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert outcome(stage) == "refused_digest_changed"
    assert certificates(stage) == [(HANAKO, "live")]
    anew = stage.requests()[FIRST]
    assert number in anew.subject
    assert "該当する登録がありません" in flat(anew.text)


def test_an_application_of_an_approver_is_not_his_to_decide(stage):
    number, asked = begin(stage, application("new_issue", replace(ICHIRO, email=FIRST)))
    assert list(asked) == [SECOND]
    reply(stage, FIRST, asked[SECOND], "承認")
    assert outcome(stage) == "refused_token_of_another"
    assert state(stage, number) == "awaiting_decision"


# --- the other commands ---------------------------------------------------------------------------------------------


def test_a_rejection_tells_the_sender_a_stock_reason_and_never_the_words_of_staff(stage):
    number, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "却下 どうもあやしい")
    stage.work()
    assert (state(stage, number), outcome(stage)) == ("rejected", "decision_reject")
    (letter,) = stage.letters(AOZORA)
    assert "あやしい" not in letter.text
    for address in APPROVERS:
        (echo,) = stage.letters(address)
        assert "あやしい" in echo.text
        assert "申請者への説明" in echo.text
    assert requests(stage) == ["void", "void"]
    assert certificates(stage) == [(HANAKO, "live")]


def test_a_returned_form_comes_back_as_a_new_version_of_its_case(stage):
    number, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "差戻し 退職日をご記入ください。")
    stage.work()
    assert state(stage, number) == "returned"
    (letter,) = stage.letters(AOZORA)
    assert "退職日をご記入ください。" in letter.text
    assert deliver(stage, application("cancellation", remarks="3月31日退職"), answers=letter) == []
    assert (state(stage, number), case_of(stage, number).version) == ("awaiting_decision", 2)
    stage.approve(1)
    assert state(stage, number) == "closed"


def test_a_question_holds_the_case_until_staff_have_read_the_answer(stage):
    number, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "質問 退職日はいつですか。")
    stage.work()
    (question,) = stage.letters(AOZORA)
    assert "退職日はいつですか。" in question.text
    assert state(stage, number) == "on_hold"
    stage.letters(FIRST)
    stage.send(AOZORA, f"Re: {question.subject}", "3月31日です。", answers=question)
    stage.work()
    assert outcome(stage) == "about_a_case"
    (shown,) = stage.letters(FIRST)
    assert "3月31日です。" in shown.text
    assert not stage.letters(AOZORA)
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert state(stage, number) == "closed"


def test_a_held_case_tells_no_reason_is_held_once_and_may_still_be_decided(stage):
    number, asked = begin(stage)
    for words in ("保留 上長に確認", "保留 上長に確認", "質問 退職日はいつですか。"):
        stage.decide(FIRST, asked[FIRST], words)
        stage.work()
    held, question = stage.letters(AOZORA)
    assert "上長" not in held.text
    assert "退職日" in question.text
    assert state(stage, number) == "on_hold"
    stage.decide(SECOND, asked[SECOND], "差戻し 退職日をご記入ください。")
    stage.work()
    assert state(stage, number) == "returned"


def test_a_held_case_may_be_rejected(stage):
    number, asked = begin(stage)
    for words in ("保留 確認", "却下 対象外"):
        stage.decide(FIRST, asked[FIRST], words)
        stage.work()
    assert state(stage, number) == "rejected"
    assert len(stage.letters(AOZORA)) == 2


def test_whoever_corrected_a_field_does_not_alone_approve_it(stage):
    number, asked = begin(stage, application("new_issue", ICHIRO))
    stage.decide(FIRST, asked[FIRST], "修正 利用者 氏名（英語）=Ichirou SUZUKI\n修正 備考=読み取りを訂正")
    stage.work()
    assert (outcome(stage), case_of(stage, number).version) == ("decision_amend", 2)
    anew = stage.requests()
    assert "Ichirou SUZUKI" in anew[FIRST].text
    stage.decide(FIRST, anew[FIRST], "承認")
    stage.pass_time(minutes=3)
    assert len(certificates(stage)) == 1
    stage.decide(SECOND, anew[SECOND], "承認")
    stage.work()
    stage.pass_time(minutes=11)
    assert state(stage, number) == "closed"
    with stage.centre.store.transaction() as tx:
        assert [row.subject.upper().count("ICHIROU SUZUKI") for row in register.every(tx)] == [0, 1]


def test_what_cannot_be_carried_out_is_asked_back_and_changes_nothing(stage):
    number, asked = begin(stage)
    for words, answer in (
        ("修正 好きな色=青", "項目「好きな色」が分かりません"),
        ("修正 申請日=いつか", "項目「申請日」の値を読み取れません"),
        ("対象 W999999", "その番号の有効な登録がありません"),
        ("質問 https://elsewhere.example をご覧ください", "URLを含む文"),
        ("差戻し soumu@aozora-denki.example へ", "メールアドレスを含む文"),
        ("再送 通知", "承認依頼への返信では行えません"),
        ("取消", "承認依頼への返信では行えません"),
    ):
        stage.decide(FIRST, asked[FIRST], words)
        stage.work()
        (told,) = stage.letters(FIRST)
        assert answer in flat(told.text)
    assert (state(stage, number), requests(stage), decisions(stage)) == ("awaiting_decision", ["open", "open"], [])
    assert not stage.letters(AOZORA)


def test_another_type_another_date_and_another_registration_are_each_asked_about_anew(stage):
    number, asked = begin(stage, application("cancellation", info_in_certificate=True))
    second = enrol(stage, replace(HANAKO_IS, email="hanako.y@aozora-denki.example"))
    stage.decide(FIRST, asked[FIRST], "種別変更 再発行")
    stage.work()
    assert case_of(stage, number).request_type == "reissue"
    asked = stage.requests()
    stage.decide(SECOND, asked[SECOND], "失効日 2026/4/20")
    stage.work()
    asked = stage.requests()
    assert "2026-04-20の終わり" in flat(asked[FIRST].text)
    stage.decide(FIRST, asked[FIRST], "保留 確認")
    stage.decide(FIRST, asked[FIRST], f"対象 {second.subscriber_id.lower()}")
    stage.work()
    assert (case_of(stage, number).registration_id, state(stage, number)) == (second.id, "awaiting_decision")
    assert "hanako.y@aozora-denki.example" in flat(stage.requests()[FIRST].text)
    assert requests(stage) == ["void"] * 6 + ["open"] * 2
    assert {fate for _, fate in certificates(stage)} == {"live"}


def test_nobody_can_be_chosen_whom_the_form_cannot_mean(stage):
    """One approver could else turn any form into the revocation of anybody."""
    number, asked = begin(stage, application("cancellation"))
    stranger = enrol(stage, TAKERU)
    stage.letters(FIRST)
    stage.decide(FIRST, asked[FIRST], f"対象 {stranger.subscriber_id}")
    stage.work()
    assert outcome(stage) == "unclear_reply"
    assert case_of(stage, number).registration_id != stranger.id
    assert "近い登録ではありません" in flat(stage.letters(FIRST)[-1].text)


def test_a_memo_is_recorded_and_nothing_else(stage):
    number, asked = begin(stage)
    stage.decide(FIRST, asked[FIRST], "メモ 電話で確認済み")
    stage.work()
    assert (state(stage, number), requests(stage)) == ("awaiting_decision", ["open", "open"])
    with stage.centre.store.transaction() as tx:
        (row,) = every(tx, schema.decisions.select())
    assert (row["verb"], row["argument"]) == ("note", "電話で確認済み")
    assert not stage.letters(AOZORA)


def test_commands_without_a_token_tell_and_never_change(stage):
    def ask(words, approver=FIRST):
        stage.send(approver, "お尋ね", words, login=approver)
        stage.work()
        return flat(stage.letters(approver)[-1].text)

    assert "お待ちの案件はありません" in ask("一覧")
    number, _ = begin(stage)
    assert f"{number}承認待ち解約・失効" in ask("一覧")
    told = ask(f"照会 {number.lower()}")
    assert "状態：承認待ち" in told
    assert "田中正" in told
    assert "該当する案件がありません" in ask("照会 WEBEC-20260401-9999")
    assert "一覧／照会受付番号／ヘルプ" in ask("ヘルプ")
    assert "返信先の案件が特定できません" in ask("承認")
    assert (state(stage, number), decisions(stage)) == ("awaiting_decision", [])
    stage.send(FIRST, "一覧", "一覧")  # from outside, without a login
    stage.work()
    assert outcome(stage) == "refused_not_authenticated"


# --- mail in the thread of a case ------------------------------------------------------------------------------------


def test_a_mail_in_the_thread_pauses_even_what_is_approved_and_it_can_be_decided_again(stage):
    number, asked = begin(stage)
    receipt_thread = f"Re: 【受付番号 {number}】"
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.send(AOZORA, receipt_thread, "やはり取り下げたいです。")
    stage.work()
    assert state(stage, number) == "on_hold"
    assert case_of(stage, number).accepted_at is None
    assert certificates(stage) == [(HANAKO, "live")]
    stage.approve(1)
    assert state(stage, number) == "closed"
    assert certificates(stage) != [(HANAKO, "live")]


def test_a_mail_in_the_thread_pauses_what_waits(stage):
    number, asked = begin(stage)
    stage.send(AOZORA, f"Re: {number}", "少しお待ちください。")
    stage.work()
    assert state(stage, number) == "on_hold"
    stage.decide(FIRST, asked[FIRST], "承認")  # written before the mail was read
    stage.work()
    assert outcome(stage) == "refused_token_void"
    assert state(stage, number) == "on_hold"
    stage.approve(1)
    assert state(stage, number) == "closed"


def test_a_form_of_a_stranger_does_not_join_the_case_it_names(stage):
    number, _ = begin(stage)
    (other,) = deliver(stage, application("cancellation"), subject=f"Re: {number}", sender=STRANGER)
    assert other != number
    assert case_of(stage, number).version == 1
    assert any(f"案件 {number} への返信に申請書があります" in mail.subject for mail in stage.letters(FIRST))


def test_what_may_not_be_answered_becomes_a_task_for_staff(stage):
    enrol(stage)
    deliver(
        stage,
        application("cancellation"),
        sender="scanner@aozora-denki.example",
        headers={"Auto-Submitted": "auto-generated"},
    )
    notices = [mail for mail in stage.letters(FIRST) if "返信できない申請" in mail.subject]
    assert len(notices) == 1
    assert "受付番号" in notices[0].text
    assert not [each for each in stage.deliveries if each.recipient.startswith("scanner@")]


def test_an_automatic_mail_in_the_thread_is_shown_and_pauses_nothing(stage):
    number, _ = begin(stage)
    stage.send(AOZORA, f"Re: {number}", "不在にしております。", headers={"Auto-Submitted": "auto-replied"})
    stage.work()
    assert (outcome(stage), state(stage, number)) == ("automatic", "awaiting_decision")
    assert any("自動メール" in mail.subject for mail in stage.letters(FIRST))
    assert not stage.letters(AOZORA)


def test_an_out_of_office_notice_about_nothing_is_only_filed(stage):
    stage.send(AOZORA, "不在のお知らせ", "不在にしております。", headers={"Auto-Submitted": "auto-replied"})
    stage.work()
    assert outcome(stage) == "automatic"
    assert not any(stage.letters(address) for address in (AOZORA, *APPROVERS))


def test_a_mail_that_names_a_renewal_does_not_stop_it(stage):
    """Nobody could take it up again: a renewal was asked about with nobody."""
    entered = enrol(stage)
    centre, now = stage.centre, stage.clock()
    with centre.store.transaction() as tx:
        (first,) = register.live(tx, entered.id, now)
        renewal = cases.open_case(
            tx,
            centre.audit,
            kind=CaseKind.RENEWAL,
            state=State.APPROVED,
            arrived_at=now,
            now=now,
            actor="system",
            registration_id=entered.id,
            renews_serial=first.serial,
        )
    stage.send(AOZORA, f"Re: {renewal.number}", "更新は不要です。")
    stage.work()
    assert outcome(stage) == "about_a_case"
    assert certificates(stage) == [(HANAKO, "live"), (HANAKO, "live")]
    assert any("更新は不要です。" in mail.text for mail in stage.letters(FIRST))
