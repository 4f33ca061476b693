"""Asking for a decision: who is asked, what a token is worth, and that silence approves nothing and loses nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from daemon import approval, cases, schema
from daemon.case import CaseKind, Event, State
from daemon.cases import Case
from daemon.demo.stage import APPROVERS
from daemon.matter import parties_of
from daemon.store import Conflict, every
from support.applications import HANAKO, ICHIRO, application, deliver, enrol, flat

FIRST, SECOND = APPROVERS


def case(**more):
    now = datetime(2026, 4, 1, tzinfo=UTC)
    values = dict.fromkeys(Case.__dataclass_fields__, "") | {"arrived_at": now, "number": "WEBEC-20260401-0001"}
    return Case(
        **(values | {"kind": CaseKind.APPLICATION, "state": State.RECEIVED, "applicant_name": "田中 正"} | more)
    )


@pytest.mark.parametrize("block", ["applicant", "user", "before", "after"])
def test_nobody_is_asked_about_an_application_of_his_own(stage, block):
    spelled_otherwise = FIRST.upper()
    made = application("handover", HANAKO, ICHIRO, **{f"{block}__email": spelled_otherwise})
    assert [approver.address for approver in approval.may_decide(stage.centre, parties_of(made))] == [SECOND]


def test_of_a_token_only_a_keyed_hash_is_kept(stage):
    enrol(stage)
    deliver(stage, application("cancellation"))
    request = stage.requests()[FIRST]
    token = request.reply_to[0].address.partition("+")[2].partition("@")[0]
    with stage.centre.store.transaction() as tx:
        rows = every(tx, schema.requests.select())
        assert approval.find(tx, stage.centre, token.lower())["approver"] == FIRST
        assert approval.find(tx, stage.centre, "A" * 26) is None
    assert token not in str(rows)
    other = replace(stage.centre, token_key=b"another key")
    assert approval.token_hash(other, token) != approval.token_hash(stage.centre, token)


def test_a_token_is_spent_once(stage):
    enrol(stage)
    deliver(stage, application("cancellation"))
    with stage.centre.store.transaction() as tx:
        (row, _) = every(tx, schema.requests.select())
        approval.use(tx, row)
        with pytest.raises(Conflict):
            approval.use(tx, row)


def test_a_request_lapses_and_the_case_is_asked_about_anew(stage):
    enrol(stage)
    deliver(stage, application("cancellation"))
    first = stage.requests()
    stage.pass_time(days=6, hours=23)
    assert not stage.requests()
    stage.pass_time(hours=1)
    second = stage.requests()
    assert set(first) == set(second) == set(APPROVERS)
    assert first[FIRST].reply_to != second[FIRST].reply_to
    with stage.centre.store.transaction() as tx:
        assert [row["state"] for row in every(tx, schema.requests.select())] == ["lapsed", "lapsed", "open", "open"]
        assert not every(tx, schema.decisions.select())


def test_a_request_of_a_case_that_needs_none_any_more_lapses_without_another(stage):
    enrol(stage)
    (number,) = deliver(stage, application("cancellation"))
    stage.letters(FIRST)
    with stage.centre.store.transaction() as tx:
        waiting = cases.find(tx, number)
        cases.apply(tx, stage.centre.audit, waiting, Event.WITHDRAWN, now=stage.clock(), actor="system")
    stage.pass_time(days=8)
    assert not stage.letters(FIRST)
    with stage.centre.store.transaction() as tx:
        assert {row["state"] for row in every(tx, schema.requests.select())} == {"lapsed"}


def test_a_request_shows_what_the_register_says_otherwise_and_encloses_the_form(stage):
    enrol(stage)
    deliver(stage, application("cancellation", replace(HANAKO, name_en="Hanako ADAMAY")))
    request = stage.requests()[FIRST]
    assert "HanakoADAMAY" in flat(request.text)
    assert "HanakoYAMADA" in flat(request.text)
    assert [attachment.data for attachment in request.attachments] == [b"%PDF-1.7 a paper"]


def test_a_case_without_a_document_has_none_enclosed(stage):
    (number,) = deliver(stage, application("new_issue"))
    with stage.centre.store.transaction() as tx:
        tx.execute(schema.applications.update().values(document=""))
        approval.ask(tx, stage.centre, cases.find(tx, number), now=stage.clock())
    stage.work()
    assert not stage.requests()[FIRST].attachments


def test_the_facts_of_a_case_for_its_letters():
    facts = approval.facts_of(
        case(applicant_company="あおぞら電機株式会社"), wished="2026-04-20", user_name="山田 花子"
    )
    assert facts.wished_date == date(2026, 4, 20)
    assert (facts.number, facts.company, facts.person) == ("WEBEC-20260401-0001", "あおぞら電機株式会社", "田中 正")
    assert approval.facts_of(case()).wished_date is None


def test_an_undecided_type_is_asked_about_without_a_register(stage):
    deliver(stage, application(None))
    assert not stage.requests()  # 申請種別 left empty is a defect of the form
    made = replace(application(None), type_raw="変更届", findings=())
    deliver(stage, made)
    text = flat(stage.requests()[FIRST].text)
    assert "申請種別が確定していません" in text
