"""What a second hostile review broke, at the merge of stages 3 and 4; each one stays mended."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from daemon import cases, schema, urgent
from daemon.case import CaseKind, Event, State
from daemon.demo.story import AOZORA, STRANGER
from support.applications import HANAKO, TAKERU, application, case_of, certificates, deliver, enrol, flat
from support.deciding import FIRST, SECOND, case_of_kind, order, outcome, state


def answers_an_hour(stage, most):
    settings = stage.centre.settings
    policy = replace(settings.policy, answers_per_hour=most)
    stage.centre = replace(stage.centre, settings=replace(settings, policy=policy))


def test_an_answer_that_the_ceiling_holds_back_reaches_staff_with_its_text(stage):
    answers_an_hour(stage, 1)
    for person in (HANAKO, TAKERU):
        deliver(stage, application("new_issue", person))
    (task,) = [mail for mail in stage.letters(FIRST) if "返信できない申請" in mail.subject]
    assert "上限" in task.text
    assert "受領いたしました" in flat(task.text)


def test_what_staff_decide_is_told_to_the_applicant_whatever_the_ceiling(stage):
    answers_an_hour(stage, 1)
    deliver(stage, application("new_issue", HANAKO))
    asked = stage.requests()
    stage.letters(AOZORA)
    stage.decide(FIRST, asked[FIRST], "差戻し 印影が不鮮明です")
    stage.work()
    assert [mail for mail in stage.letters(AOZORA) if "印影が不鮮明です" in mail.text]


def test_an_urgent_revocation_that_was_carried_out_never_stands_in_the_way_of_another(stage):
    """One of its letters was refused, so that its case was never closed."""
    person = enrol(stage)
    order(stage, FIRST, f"至急失効 {person.subscriber_id} 紛失")
    case = case_of_kind(stage, CaseKind.URGENT_REVOCATION)
    with stage.centre.store.transaction() as tx:
        found = urgent.aim(tx, stage.centre, person.subscriber_id, now=stage.clock())
        assert urgent.problem(tx, found, now=stage.clock()) is not None
        tx.execute(update(schema.cases).where(schema.cases.c.id == case.id).values(state=State.FULFILLED))
        assert urgent.problem(tx, found, now=stage.clock()) is None


def test_an_order_that_is_on_hold_can_be_rejected(stage):
    person = enrol(stage)
    order(stage, FIRST, f"至急失効 {person.subscriber_id} 紛失")
    case = case_of_kind(stage, CaseKind.URGENT_REVOCATION)
    asked = stage.requests()
    with stage.centre.store.transaction() as tx:
        now = stage.clock()
        cases.apply(tx, stage.centre.audit, cases.get(tx, case.id), Event.PAUSED, now=now, actor="system")
    stage.decide(SECOND, asked[SECOND], "却下 対象なし")
    stage.work()
    assert state(stage, case.number) == "rejected"
    assert [fate for _, fate in certificates(stage)] == ["live"]


@pytest.mark.parametrize(("sender", "paused"), [(STRANGER, False), (AOZORA, True)])
def test_a_number_in_the_subject_stops_a_case_only_from_its_own_people(stage, sender, paused):
    (number,) = deliver(stage, application("new_issue"))
    stage.send(sender, f"{number} について", "すこし待ってください。")
    stage.work()
    assert case_of(stage, number).state == ("on_hold" if paused else "awaiting_decision")
    assert any(number in mail.subject for mail in stage.letters(SECOND) if "関するメール" in mail.subject)


def test_a_decision_in_a_mail_that_looks_automatic_does_not_count_and_is_told(stage):
    (number,) = deliver(stage, application("new_issue"))
    request = stage.requests()[FIRST]
    headers = {"Precedence": "list"}
    stage.send(FIRST, f"Re: {request.subject}", "承認", answers=request, login=FIRST, headers=headers)
    stage.work()
    assert outcome(stage) == "automatic_command"
    assert case_of(stage, number).state == "awaiting_decision"
    assert any("判断として扱えない返信" in mail.subject for mail in stage.letters(SECOND))


def test_a_form_in_a_mail_of_an_approver_that_looks_automatic_is_an_application(stage):
    deliver(stage, application("new_issue"))
    request = stage.requests()[FIRST]
    (number,) = deliver(
        stage,
        application("new_issue", TAKERU),
        sender=FIRST,
        subject=f"Re: {request.subject}",
        headers={"Precedence": "list"},
    )
    assert case_of(stage, number).kind is CaseKind.APPLICATION
