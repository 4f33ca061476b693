"""Every rule of SPEC 1.3 where it is about doing: through the whole house, from the mail to the register and the letters.

The rules of one form alone stand in tests/parsers/test_rules.py; here it is shown that the house obeys them.
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest

from ca import register
from daemon import schema
from daemon.cases import TaskRow
from daemon.demo.stage import APPROVERS
from daemon.demo.story import AOZORA, HANAKO, ICHIRO, MINATO, TAKERU
from daemon.planning import JST, TaskKind
from daemon.reach import covered
from daemon.store import every
from parsers.reading import FieldValue, SealVerdict
from support import applications as people
from support.applications import (
    NAKAMURA,
    application,
    case_of,
    certificates,
    deliver,
    enrol,
    flat,
    register_of,
)
from support.centres import form, today

FIRST, SECOND = APPROVERS
HANAKO_IS, ICHIRO_IS, TAKERU_IS = people.HANAKO, people.ICHIRO, people.TAKERU


def midnight_after(day):
    return datetime.combine(day + timedelta(days=1), time(0), JST)


def to_renewal(stage, address=HANAKO):
    """Go on until the certificate of that person has been renewed."""
    with stage.centre.store.transaction() as tx:
        end = max(row.not_after for row in register.every(tx) if row.email == address and row.revoked_at is None)
    stage.go_to(end - timedelta(days=29))
    stage.pass_time(minutes=11)
    stage.letters(address)


def asked(stage):
    """The text of the newest request; all approvers read the same but for their own token."""
    return flat(stage.requests()[FIRST].text)


# --- rule 1 -------------------------------------------------------------------------------------------------------


def test_rule_1_no_seal_no_acceptance_and_staff_decide_where_it_is_unclear(stage):
    stage.send(MINATO, "新規発行", "お願いします", pdf=form(stage, "new_issue_takeru_no_seal"))
    stage.work()
    (letter,) = stage.letters(MINATO)
    assert "押印" in flat(letter.text)
    assert not stage.requests()
    deliver(stage, application("new_issue", TAKERU_IS, applicant=NAKAMURA, seal=SealVerdict.UNCLEAR), sender=MINATO)
    assert "押印の有無を自動では判定できません" in asked(stage)
    (receipt,) = stage.letters(MINATO)
    assert "押印" not in flat(receipt.text)


# --- rule 2 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "approvals", "left"),
    [("reissue", 1, [HANAKO]), ("handover", 2, [ICHIRO]), ("cancellation", 1, [])],
)
def test_rule_2_nothing_is_revoked_before_staff_accept(stage, kind, approvals, left):
    enrol(stage)
    arrived = stage.clock()
    (number,) = deliver(stage, application(kind, HANAKO_IS, ICHIRO_IS if kind == "handover" else None))
    stage.pass_time(days=2)
    assert certificates(stage) == [(HANAKO, "live")]
    accepted = stage.clock() + timedelta(minutes=3) * approvals
    stage.approve(approvals)
    assert certificates(stage)[0] == (HANAKO, f"{accepted.astimezone(JST):%m-%d %H:%M}")
    assert [email for email, fate in certificates(stage) if fate == "live"] == left
    case = case_of(stage, number)
    assert (case.arrived_at, case.accepted_at) == (arrived, accepted)


# --- rule 3 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 9])
def test_rule_3_a_wished_date_revokes_at_the_end_of_that_day_in_japan_and_not_a_minute_earlier(stage, days):
    enrol(stage)
    wished = today(stage) + timedelta(days=days)
    stage.send(AOZORA, "再発行", "お願いします", pdf=form(stage, "reissue_hanako", wished=wished))
    stage.work()
    stage.approve(1)
    assert certificates(stage) == [(HANAKO, "live"), (HANAKO, "live")]
    (_, told, *_) = stage.letters(AOZORA)
    stage.go_to(midnight_after(wished) - timedelta(minutes=1))
    assert certificates(stage) == [(HANAKO, "live"), (HANAKO, "live")]
    stage.letters(AOZORA)
    stage.go_to(midnight_after(wished))
    assert certificates(stage) == [(HANAKO, f"{midnight_after(wished):%m-%d %H:%M}"), (HANAKO, "live")]
    (done,) = stage.letters(AOZORA)
    assert "失効が完了" in done.subject
    assert told.subject != done.subject


def test_rule_3_a_wished_date_already_past_revokes_at_acceptance_and_the_applicant_is_told(stage):
    enrol(stage, TAKERU_IS, applicant=NAKAMURA)
    stage.clock.move(stage.clock() + timedelta(days=10))
    paper = form(
        stage, "cancellation_takeru", applied=today(stage) - timedelta(days=5), wished=today(stage) - timedelta(days=2)
    )
    stage.send(MINATO, "解約", "お願いします", pdf=paper)
    stage.work()
    (receipt,) = stage.letters(MINATO)
    assert "ご指定の日付を過ぎているため、受付完了時に失効いたします" in flat(receipt.text)
    assert certificates(stage) == [(TAKERU, "live")]
    for approver, request in stage.requests().items():
        assert certificates(stage) == [(TAKERU, "live")]  # to pass over the warning takes two approvers
        stage.decide(approver, request, "承認")
        stage.pass_time(minutes=3)
    assert certificates(stage) == [(TAKERU, f"{stage.clock().astimezone(JST):%m-%d %H:%M}")]
    (done,) = stage.letters(MINATO)
    assert "解約" in done.subject
    assert not stage.letters(TAKERU)  # who has left is not written to


def test_rule_3_a_wished_date_later_than_a_month_is_a_defect_that_names_the_limit_and_nothing_is_clamped(stage):
    enrol(stage)
    (number,) = deliver(stage, application("reissue", wished=today(stage) + timedelta(days=31)))
    (letter,) = stage.letters(AOZORA)
    assert "2026年5月1日" in flat(letter.text)
    assert not stage.requests()
    assert case_of(stage, number).state == "returned"
    stage.pass_time(days=31)
    assert certificates(stage) == [(HANAKO, "live")]
    (gone,) = stage.letters(AOZORA)
    assert "取り下げ" in gone.text
    assert case_of(stage, number).state == "withdrawn"
    with stage.centre.store.transaction() as tx:
        assert not every(tx, schema.tasks.select().where(schema.tasks.c.kind == "revoke"))


def test_rule_3_of_two_approved_dates_the_earlier_wins(stage):
    enrol(stage)
    later, earlier = today(stage) + timedelta(days=20), today(stage) + timedelta(days=10)
    for wished in (later, earlier):
        deliver(stage, application("cancellation", wished=wished))
        stage.approve(1)
    stage.letters(AOZORA)
    stage.go_to(midnight_after(earlier))
    assert certificates(stage) == [(HANAKO, f"{midnight_after(earlier):%m-%d %H:%M}")]
    assert len(stage.letters(AOZORA)) == 1
    stage.go_to(midnight_after(later))
    assert certificates(stage) == [(HANAKO, f"{midnight_after(earlier):%m-%d %H:%M}")]
    assert not stage.letters(AOZORA)  # what was told once is not told again with another date


def test_rule_3_postponing_a_revocation_takes_two_approvers(stage):
    enrol(stage)
    deliver(stage, application("cancellation", wished=today(stage) + timedelta(days=10)))
    stage.decide(FIRST, stage.requests()[FIRST], "失効日 2026-04-20")
    stage.work()
    stage.approve(1)
    stage.go_to(midnight_after(today(stage) + timedelta(days=5)))
    assert certificates(stage) == [(HANAKO, "live")]
    with stage.centre.store.transaction() as tx:
        assert not every(tx, schema.tasks.select().where(schema.tasks.c.kind == "revoke"))


# --- rule 4 -------------------------------------------------------------------------------------------------------


def test_rule_4_the_old_form_has_no_wished_date_and_one_written_elsewhere_is_for_staff(stage):
    enrol(stage)
    deliver(stage, application("reissue", old_form=True))
    text = asked(stage)
    assert "改定前の申請書です" in text
    assert "承認後ただちに失効" in text
    deliver(stage, application("reissue", old_form=True, remarks="4月20日に失効してください"))
    assert "「備考」に日付の記載があります" in asked(stage)
    assert certificates(stage) == [(HANAKO, "live")]
    assert {letter.subject.partition("】")[2] for letter in stage.letters(AOZORA)} == {
        "電子証明書発行サービス申請書を受領しました"
    }


# --- rule 5 -------------------------------------------------------------------------------------------------------


def test_rule_5_a_change_neither_issues_nor_revokes_and_the_next_certificate_carries_it(stage):
    enrol(stage)
    stage.send(AOZORA, "改姓", "お願いします", pdf=form(stage, "registration_change_hanako"))
    stage.work()
    stage.approve(1)
    assert certificates(stage) == [(HANAKO, "live")]
    assert register_of(stage) == [("W000001", "live", "髙橋 花子", HANAKO)]
    to_renewal(stage)
    with stage.centre.store.transaction() as tx:
        names = [row.subject for row in register.every(tx)]
    assert ["YAMADA" in name for name in names] == [True, False]
    assert "TAKAHASHI" in names[1]


# --- rule 6 -------------------------------------------------------------------------------------------------------


def test_rule_6_a_handover_revokes_all_of_the_predecessors_and_issues_to_the_successor(stage):
    enrol(stage, people.HANAKO_MARRIED)
    to_renewal(stage)
    assert certificates(stage) == [(HANAKO, "live"), (HANAKO, "live")]  # a renewal overlaps
    stage.send(AOZORA, "担当変更", "お願いします", pdf=form(stage, "handover_hanako_to_ichiro"))
    stage.work()
    stage.approve(2)
    fates = certificates(stage)
    assert [email for email, fate in fates if fate == "live"] == [ICHIRO]
    assert [email for email, fate in fates if fate != "live"] == [HANAKO, HANAKO]
    assert register_of(stage) == [
        ("W000001", "closed", "髙橋 花子", HANAKO),
        ("W000002", "live", "鈴木 一郎", ICHIRO),
    ]


@pytest.mark.parametrize(
    ("kind", "after", "hint"),
    [
        ("handover", people.HANAKO_MARRIED, None),
        ("handover", HANAKO_IS, "「登録変更」の申請でないか"),
        ("registration_change", ICHIRO_IS, "「担当変更」でないか"),
        ("registration_change", people.HANAKO_MARRIED, None),
    ],
)
def test_rule_6_a_handover_to_oneself_and_a_change_to_somebody_else_are_shown_to_staff(stage, kind, after, hint):
    enrol(stage)
    deliver(stage, application(kind, HANAKO_IS, after))
    text = asked(stage)
    assert (hint in text) if hint else ("でないか" not in text)


# --- rule 7 -------------------------------------------------------------------------------------------------------


def test_rule_7_a_new_issue_of_somebody_registered_is_blocked_until_staff_make_it_a_reissue(stage):
    enrol(stage)
    (number,) = deliver(stage, application("new_issue", info_in_certificate=True, revoke_unneeded=True))
    request = stage.requests()[FIRST]
    assert "同じ利用者の登録があります（W000001）" in flat(request.text)
    stage.decide(FIRST, request, "承認")
    stage.work()
    (answer,) = stage.letters(FIRST)
    assert "種別変更再発行" in flat(answer.text)
    assert certificates(stage) == [(HANAKO, "live")]
    stage.decide(FIRST, request, "種別変更 再発行")
    stage.work()
    assert case_of(stage, number).request_type == "reissue"
    stage.approve(2)
    assert [fate == "live" for _, fate in certificates(stage)] == [False, True]


def test_rule_7_without_a_match_staff_choose_and_nobody_guesses(stage):
    enrol(stage)
    enrol(stage, ICHIRO_IS)
    misread = replace(HANAKO_IS, name_ja="山田 花了")
    deliver(stage, application("cancellation", misread))
    request = stage.requests()[FIRST]
    assert "W000001：あおぞら電機株式会社山田花子" in flat(request.text)
    stage.decide(FIRST, request, "承認")
    stage.work()
    assert {fate for _, fate in certificates(stage)} == {"live"}
    stage.decide(FIRST, request, "対象 W000001")
    stage.work()
    asked = stage.requests()
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert dict(certificates(stage))[HANAKO] == "live", "a choice that the form does not bear out takes two"
    stage.decide(SECOND, asked[SECOND], "承認")
    stage.work()
    assert dict(certificates(stage))[ICHIRO] == "live"
    assert dict(certificates(stage))[HANAKO] != "live"


def test_rule_7_of_several_matches_staff_choose(stage):
    enrol(stage)
    enrol(stage)
    deliver(stage, application("cancellation"))
    request = stage.requests()[FIRST]
    assert "該当する登録が複数あります" in flat(request.text)
    stage.decide(FIRST, request, "対象 W000002")
    stage.work()
    stage.approve(1)
    assert [state for _, state, *_ in register_of(stage)] == ["live", "closed"]


def test_rule_7_the_id_in_the_dn_is_kept_but_for_a_handover(stage):
    enrol(stage)
    deliver(stage, application("reissue"))
    stage.approve(1)
    deliver(stage, application("registration_change", HANAKO_IS, people.HANAKO_MARRIED))
    stage.approve(1)
    to_renewal(stage)
    deliver(stage, application("handover", people.HANAKO_MARRIED, ICHIRO_IS, applied=today(stage)))
    stage.approve(2)
    with stage.centre.store.transaction() as tx:
        ids = [next(part for part in row.subject.split(",") if "W0000" in part) for row in register.every(tx)]
    assert [number[-7:] for number in ids] == ["W000001", "W000001", "W000001", "W000002"]


def test_rule_7_a_cancellation_reaches_every_certificate_live_at_execution(stage):
    enrol(stage)
    to_renewal(stage)
    deliver(stage, application("cancellation", received_on=today(stage), applied=today(stage)))
    stage.approve(1)
    assert "live" not in dict(certificates(stage)).values()
    assert register_of(stage)[0][1] == "closed"


def test_rule_7_a_reissue_revokes_the_approved_ones_with_their_renewals_and_never_the_new_one(stage):
    enrol(stage)
    to_renewal(stage)
    with stage.centre.store.transaction() as tx:
        old, renewed = [row.serial for row in register.every(tx)]
    wished = today(stage) + timedelta(days=5)
    deliver(stage, application("reissue", wished=wished, received_on=today(stage), applied=today(stage)))
    stage.approve(1)
    with stage.centre.store.transaction() as tx:
        now = stage.clock()
        only_old = TaskRow(1, 1, TaskKind.REVOKE, "pending", 1, (old,), None, {}, None)
        assert [row.serial for row in covered(tx, only_old, now)] == [old, renewed]
        assert len(covered(tx, replace(only_old, serials=()), now)) == 3
        assert covered(tx, replace(only_old, registration_id=None), now) == []
    stage.go_to(midnight_after(wished))
    with stage.centre.store.transaction() as tx:
        assert {row.serial for row in register.every(tx) if row.revoked_at} == {old, renewed}


def test_rule_7_a_scheduled_revocation_stops_the_renewal(stage):
    enrol(stage)
    with stage.centre.store.transaction() as tx:
        (row,) = register.every(tx)
    stage.go_to(row.not_after - timedelta(days=31))
    wished = today(stage) + timedelta(days=20)
    deliver(stage, application("cancellation", wished=wished, received_on=today(stage), applied=today(stage)))
    stage.approve(1)
    stage.pass_time(days=10)
    assert certificates(stage) == [(HANAKO, "live")]
    stage.go_to(midnight_after(wished))
    assert len(certificates(stage)) == 1
    assert certificates(stage) != [(HANAKO, "live")]


def test_rule_7_an_unknown_company_and_a_new_mail_domain_are_shown_and_need_two_approvers(stage):
    stranger = replace(TAKERU_IS, company_ja="株式会社はじめまして", company_en="Hajimemashite Inc.")
    elsewhere = replace(HANAKO_IS, email="hanako.yamada@aozora-group.example")
    enrol(stage, ICHIRO_IS)
    for person, words in ((stranger, "登録のない会社です"), (elsewhere, "この会社に登録のないメールドメインです")):
        deliver(stage, application("new_issue", person))
        assert words in asked(stage)
    issued = len(certificates(stage))
    stage.pass_time(days=1)
    assert len(certificates(stage)) == issued


def test_rule_7_a_company_wide_event_shows_the_other_certificates_of_the_company(stage):
    enrol(stage)
    enrol(stage, ICHIRO_IS)
    deliver(stage, application("cancellation", remarks="EDI利用終了のため"))
    assert "鈴木一郎（W000002）" in asked(stage)


# --- rule 8 -------------------------------------------------------------------------------------------------------


def test_rule_8_renewal_goes_to_the_registered_address_again_and_again_until_cancellation(stage):
    enrol(stage)
    for generation in (2, 3):
        with stage.centre.store.transaction() as tx:
            end = max(row.not_after for row in register.every(tx))
        stage.go_to(end - timedelta(days=31))
        assert len(certificates(stage)) == generation - 1
        stage.go_to(end - timedelta(days=29))
        assert stage.fetch_certificate(HANAKO)
        assert len(certificates(stage)) == generation
        assert not any("承認依頼" in mail.subject for address in APPROVERS for mail in stage.letters(address))
    deliver(stage, application("cancellation", received_on=today(stage), applied=today(stage)))
    stage.approve(1)
    with stage.centre.store.transaction() as tx:
        end = max(row.not_after for row in register.every(tx))
    stage.go_to(end + timedelta(days=1))
    assert len(certificates(stage)) == 3
    assert not stage.surprises


# --- rule 9 -------------------------------------------------------------------------------------------------------


def test_rule_9_another_sender_is_a_note_and_the_newest_applicant_is_kept(stage):
    enrol(stage)
    newer = {"company": "あおぞら電機株式会社", "name": "清水 新", "phone": "03-5550-9999", "email": ICHIRO}
    (number,) = deliver(stage, application("reissue", applicant=newer), sender=AOZORA)
    assert "差出人のアドレスが申請者のものと異なります" in asked(stage)
    with stage.centre.store.transaction() as tx:
        (row,) = every(tx, schema.registrations.select())
    assert row["applicant_name"] == ""  # not before it is accepted
    stage.letters(AOZORA)
    deliver(stage, application("cancellation", applicant=newer), sender=AOZORA)
    stage.approve(1)
    with stage.centre.store.transaction() as tx:
        (row,) = every(tx, schema.registrations.select())
    assert (row["applicant_name"], row["applicant_email"]) == ("清水 新", ICHIRO)
    # Before acceptance only the sender is answered, afterwards the accepted applicant.
    assert len(stage.letters(AOZORA)) == 1
    assert stage.letters(ICHIRO)
    assert case_of(stage, number).state == "awaiting_decision"


@pytest.mark.parametrize(
    ("kind", "dates", "letter", "request_"),
    [
        ("reissue", {"applied": None}, None, "「申請日」が記入されていません"),
        ("reissue", {"applied": None, "wished": date(2026, 4, 20)}, "申請日", None),
        ("reissue", {"applied": date(2026, 4, 2)}, None, "受領日より後の日付"),
        ("reissue", {"applied": date(2026, 3, 1)}, None, "30日より前の日付"),
    ],
)
def test_rule_9_the_date_of_application(stage, kind, dates, letter, request_):
    enrol(stage)
    deliver(stage, application(kind, **dates))
    (answer,) = stage.letters(AOZORA)
    requests = stage.requests()
    assert bool(requests) is (letter is None)
    assert (letter or "受領しました") in flat(answer.text + answer.subject)
    if request_:
        assert request_ in flat(requests[FIRST].text)
        assert "警告のある申請" in flat(requests[FIRST].text)


# --- rule 10 ------------------------------------------------------------------------------------------------------


def test_rule_10_all_defects_at_once_each_with_its_label_and_no_doubt_among_them(stage):
    made = application(
        "new_issue", user__name_en=None, applicant__phone=None, content_correct=False, seal=SealVerdict.ABSENT
    )
    deliver(stage, made)
    (letter,) = stage.letters(AOZORA)
    for label in ("利用者氏名（英語）", "申請者電話番号", "申請内容が正しいことの確認", "申請社印（担当者印可）"):
        assert label in flat(letter.text)
    assert not stage.requests()


def test_rule_10_a_doubtful_reading_never_goes_to_the_applicant(stage):
    made = application("new_issue")
    unsure = FieldValue("hanako(at)aozora", "hanako(at)aozora", 0.4, 1)
    made = replace(made, fields={**made.fields, "user.email": unsure})
    made = replace(made, findings=people.rules.find(made, table=people.TABLE, received_on=today(stage)))
    deliver(stage, made)
    (letter,) = stage.letters(AOZORA)
    assert "受領しました" in letter.subject
    assert "確信がありません" not in flat(letter.text)
    assert "自動読取に確信がありません" in asked(stage)


# --- rules 11 and 12 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("オフィスが移転しました", "申請書のご提出は不要です"),
        ("部署が変更になりました", "申請書のご提出は不要です"),
        ("更新のメールを紛失しました", "コールセンター"),
        ("パスワードを忘れました", "コールセンター"),
    ],
)
def test_rule_11_what_needs_no_application_is_told_so(stage, words, advice):
    stage.send(AOZORA, "ご相談", words)
    stage.work()
    (letter,) = stage.letters(AOZORA)
    assert advice in flat(letter.text)


def test_rule_12_a_mail_without_a_form_is_answered_from_the_table_and_shown_to_staff(stage):
    stage.send(AOZORA, "ご相談", "担当者が退職します。どうすればよいでしょうか。")
    stage.work()
    (letter,) = stage.letters(AOZORA)
    assert "解約・失効" in flat(letter.text)
    for address in APPROVERS:
        (notice,) = stage.letters(address)
        assert "担当者が退職します" in flat(notice.text)


# --- the head of SPEC 1.1: one form, one user ------------------------------------------------------------------------


def test_several_forms_in_one_pdf_are_several_cases(stage):
    numbers = deliver(stage, application("new_issue"), application("new_issue", ICHIRO_IS))
    assert numbers == ["WEBEC-20260401-0001", "WEBEC-20260401-0002"]
    assert len(stage.letters(AOZORA)) == 2
    subjects = [mail.subject for mail in stage.letters(FIRST) if "承認依頼" in mail.subject]
    assert len(subjects) == 2


# --- four eyes, and a changed mail address (SPEC 2.1, 2.2) -----------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        application("new_issue", TAKERU_IS, applicant=NAKAMURA),
        application("handover", HANAKO_IS, ICHIRO_IS),
        application("registration_change", HANAKO_IS, replace(HANAKO_IS, email="h.yamada@aozora-denki.example")),
    ],
    ids=["first certificate of a company", "handover", "changed mail address"],
)
def test_two_different_approvers_are_needed_and_one_of_them_twice_is_not_enough(stage, made):
    enrol(stage)
    (number,) = deliver(stage, made)
    before, requests = register_of(stage), stage.requests()
    assert "2" in requests[FIRST].text
    for _ in range(2):
        stage.decide(FIRST, requests[FIRST], "承認")
        stage.pass_time(minutes=3)
    assert (register_of(stage), case_of(stage, number).state) == (before, "awaiting_decision")
    stage.decide(SECOND, requests[SECOND], "承認")
    stage.pass_time(minutes=30)
    assert register_of(stage) != before


def test_a_changed_address_gets_nothing_secret_for_one_business_day_and_the_old_one_is_told(stage):
    enrol(stage)
    moved = replace(HANAKO_IS, email=TAKERU)  # any mailbox that the server has
    deliver(stage, application("registration_change", HANAKO_IS, moved))
    stage.approve(2)
    (told,) = stage.letters(HANAKO)
    assert TAKERU not in flat(told.text)
    assert "山田" not in flat(told.text)
    (changed,) = stage.letters(TAKERU)
    assert "登録" in changed.subject
    deliver(stage, application("reissue", moved))
    stage.approve(2)
    stage.pass_time(hours=20)
    assert not [mail for mail in stage.letters(TAKERU) if mail.attachments]
    stage.pass_time(hours=4)
    assert stage.fetch_certificate(TAKERU)
    assert not stage.surprises
