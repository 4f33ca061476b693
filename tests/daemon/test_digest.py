"""The daily digest: once a business day to each approver, what waits and what is due; it decides nothing."""

from datetime import date, timedelta

import pytest

from daemon import audit, digest
from daemon.demo.story import AOZORA
from support.applications import ICHIRO, TAKERU, application, deliver, enrol, flat
from support.deciding import FIRST, SECOND, answer, configure, events, order, outcome, state


@pytest.fixture
def daily(stage):
    """A centre with some of everything on its desk, at 10:00 on a Wednesday, before its first digest."""
    enrol(stage)
    enrol(stage, TAKERU)
    waiting, held, asked, returned = (
        deliver(stage, made)[0]
        for made in (
            application("cancellation"),
            application("new_issue", ICHIRO),
            application("reissue"),
            application("new_issue", ICHIRO, user__email=None),
        )
    )
    requests = {}
    for mail in stage.letters(FIRST):
        for number in (held, asked):
            if number in mail.subject and "[承認依頼][" in mail.subject:
                requests[number] = mail
    stage.decide(FIRST, requests[held], "保留 上長に確認")
    stage.decide(FIRST, requests[asked], "質問 いつまでお使いですか。")
    stage.work()
    for address in (FIRST, SECOND, AOZORA):
        stage.letters(address)
    configure(stage, approval={"digest_at": "09:00"})
    return stage, waiting, held, asked, returned


def test_it_lists_what_waits_for_me_for_the_customer_and_what_is_due(daily):
    stage, waiting, held, asked, returned = daily
    stage.pass_time(days=5)  # Monday: the case on hold waits for more than three days
    (mine,) = [mail for mail in stage.letters(FIRST) if "日報" in mail.subject][-1:]
    text = flat(mine.text)
    parts = {part.partition("（")[0]: part for part in text.split("■")}
    assert waiting in parts["ご判断をお待ちしている案件"]
    assert held not in parts["ご判断をお待ちしている案件"]
    assert asked in parts["申請者の対応をお待ちしている案件"]
    assert returned in parts["申請者の対応をお待ちしている案件"]
    assert held in parts["保留が3日を超えた案件"]
    assert "該当なし：本日実行する失効" in text
    # What leaves the host with it: how far the audit log has come, in one piece.
    (kept,) = audit.checkpoints_in(mine.text)
    with stage.centre.store.transaction() as tx:
        assert list(audit.kept_faults(tx, [kept])) == []
    assert "[#" not in mine.subject
    assert not mine.reply_to


def test_revocations_of_today_and_of_the_week_are_told_apart(stage):
    enrol(stage)
    enrol(stage, TAKERU)
    (today,) = deliver(stage, application("cancellation", wished=date(2026, 4, 1)))
    stage.approve(1)
    (soon,) = deliver(stage, application("cancellation", TAKERU, wished=date(2026, 4, 8)))
    stage.approve(2)
    with stage.centre.store.transaction() as tx:
        found = dict(digest.sections(tx, stage.centre, now=stage.clock()))
        later = dict(digest.sections(tx, stage.centre, now=stage.clock() + timedelta(days=7)))
    assert [line.split()[0] for line in found["本日実行する失効"]] == [today]
    assert [line.split()[0] for line in found["7日以内に実行する失効"]] == [soon]
    assert [line.split()[0] for line in later["本日実行する失効"]] == [today, soon], "what is overdue is due"


def test_certificates_near_their_end_refused_replies_and_absences_are_listed(stage):
    enrol(stage)
    order(stage, FIRST, "一覧", login=False)
    order(stage, SECOND, "不在 4/2-4/3 代理 小林")
    with stage.centre.store.transaction() as tx:
        now = dict(digest.sections(tx, stage.centre, now=stage.clock()))
        later = dict(digest.sections(tx, stage.centre, now=stage.clock() + timedelta(days=740)))
    assert len(now["受け付けなかった返信（24時間以内）"]) == 1
    assert "松本 誠 04/02〜04/03（代理 小林 恵子）" in now["承認者の不在"]
    assert now["30日以内に期限を迎える証明書"] == []
    assert len(later["30日以内に期限を迎える証明書"]) == 1
    assert later["受け付けなかった返信（24時間以内）"] == []


def test_it_goes_once_a_business_day_to_each_approver_and_never_on_a_holiday(stage):
    configure(stage, approval={"digest_at": "11:00"})
    stage.work()
    assert not stage.letters(FIRST), "not before its time"
    stage.pass_time(hours=1)
    stage.work()
    for address in (FIRST, SECOND):
        assert ["日報" in mail.subject for mail in stage.letters(address)] == [True]
    stage.pass_time(days=3)  # Saturday
    assert not stage.letters(FIRST)
    stage.pass_time(days=2)
    assert len(stage.letters(FIRST)) == 1
    stage.clock.move(stage.clock().replace(month=4, day=29))
    stage.work()
    assert not stage.letters(FIRST), "昭和の日"
    assert [kind for kind, _ in events(stage, "digest_sent")] == ["digest_sent"] * 4


@pytest.mark.parametrize("words", ["承認", "却下 対象外", "取消"])
def test_an_answer_to_it_decides_nothing_and_is_told_so(daily, words):
    stage, waiting, *_ = daily
    stage.work()
    mail = [each for each in stage.letters(FIRST) if "日報" in each.subject][-1]
    answer(stage, FIRST, mail, words)
    assert outcome(stage) == "unclear_reply"
    assert "日報への返信では判断を承ることができません" in flat(stage.letters(FIRST)[-1].text)
    assert state(stage, waiting) == "awaiting_decision"


def test_an_answer_to_a_reminder_decides_nothing_and_is_told_so(stage):
    enrol(stage)
    (number,) = deliver(stage, application("cancellation"))
    stage.pass_time(hours=5)
    mail = [each for each in stage.letters(FIRST) if "再通知" in each.subject][-1]
    answer(stage, FIRST, mail, "承認")
    assert outcome(stage) == "unclear_reply"
    assert "督促メールへの返信では" in flat(stage.letters(FIRST)[-1].text)
    assert state(stage, number) == "awaiting_decision"


def test_a_long_list_is_cut_and_says_so(monkeypatch, stage):
    monkeypatch.setattr(digest, "_MOST_LINES", 1)
    enrol(stage)
    for _ in range(2):
        deliver(stage, application("cancellation"))
    approver = stage.centre.settings.approver(FIRST)
    with stage.centre.store.transaction() as tx:
        lines = digest.waiting(tx, stage.centre, approver)
    assert len(lines) == 2
    assert "ほか1件" in lines[1]
