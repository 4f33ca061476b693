"""The register of companies and persons: a database that was migrated, and nothing else of the house."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from daemon import cases, registrations, schema
from daemon.audit import Audit
from daemon.case import CaseKind, Event, IllegalMove, State
from daemon.planning import Task, TaskKind
from daemon.store import Conflict, Store, every
from support.applications import HANAKO, HANAKO_MARRIED, ICHIRO, TABLE, TAKERU, application

NOW = datetime(2026, 4, 1, 1, tzinfo=UTC)
AUDIT = Audit(b"a key of the tests")


@pytest.fixture
def tx(centres, tmp_path):
    """A transaction on an empty database; it is rolled back unless the test commits."""
    shutil.copy(centres.template / "demo.sqlite", tmp_path / "demo.sqlite")
    store = Store(f"sqlite:///{tmp_path / 'demo.sqlite'}")
    with store.transaction() as opened:
        yield opened
    store.close()


def facts(tx, form, **more):
    known = {"chosen": None, "sender": "", "duplicates": ()} | more
    return registrations.facts(tx, form, TABLE, now=NOW, **known)


def opened(tx, **more):
    values = {
        "kind": CaseKind.APPLICATION,
        "state": State.RECEIVED,
        "arrived_at": NOW,
        "now": NOW,
        "actor": "applicant",
    }
    return cases.open_case(tx, AUDIT, **(values | more))


def test_a_reserved_registration_comes_alive_once(tx):
    reserved = registrations.reserve(tx, HANAKO, now=NOW)
    assert (reserved.state, reserved.subscriber_id) == ("reserved", "W000001")
    assert registrations.live(tx) == []
    for _ in range(2):
        registrations.open_up(tx, reserved.id)
        assert [one.id for one in registrations.live(tx)] == [reserved.id]


def test_numbers_are_given_once_and_a_successor_knows_the_predecessor(tx):
    first = registrations.enter(tx, HANAKO, now=NOW)
    second = registrations.reserve(tx, ICHIRO, now=NOW, predecessor=first.id)
    assert second.subscriber_id == "W000002"
    assert registrations.by_subscriber_id(tx, "W000002") == second
    assert registrations.by_subscriber_id(tx, "W000003") is None
    (_, row) = every(tx, schema.registrations.select())
    assert row["predecessor_id"] == first.id
    with pytest.raises(KeyError):
        registrations.get(tx, 99)


def test_a_change_of_name_is_no_change_of_address(tx):
    entered = registrations.enter(tx, HANAKO, now=NOW)
    assert registrations.change(tx, entered.id, HANAKO_MARRIED, now=NOW) == entered
    assert registrations.get(tx, entered.id).email_changed_at is None
    registrations.change(tx, entered.id, replace(HANAKO, email="h@aozora-denki.example"), now=NOW)
    assert registrations.get(tx, entered.id).email_changed_at == NOW


def test_what_has_ended_is_not_changed_and_ends_once(tx):
    entered = registrations.enter(tx, HANAKO, now=NOW)
    for day in (1, 2):
        registrations.close(tx, entered.id, now=NOW.replace(day=day))
    (row,) = every(tx, schema.registrations.select())
    assert (row["state"], row["closed_at"]) == ("closed", NOW)
    with pytest.raises(Conflict):
        registrations.change(tx, entered.id, HANAKO_MARRIED, now=NOW)


def test_the_applicant_of_the_newest_form_is_kept(tx):
    entered = registrations.enter(tx, HANAKO, now=NOW)
    registrations.note_applicant(tx, entered.id, application("reissue"))
    kept = registrations.get(tx, entered.id)
    assert (kept.applicant_name, kept.applicant_email) == ("田中 正", "soumu@aozora-denki.example")


def test_a_company_is_known_by_its_key_and_learns_what_it_did_not_know(tx):
    first = {"name_ja": "あおぞら電機株式会社", "name_en": "", "domains": ("aozora-denki.example", "")}
    assert registrations.add_company(tx, **first, now=NOW) == (1, True)
    again = {
        "name_ja": "あおぞら電機（株）",
        "name_en": "Aozora Electric Co., Ltd.",
        "domains": ("AOZORA-denki.example",),
    }
    assert registrations.add_company(tx, **again, now=NOW) == (1, False)
    assert registrations.add_company(tx, **(again | {"name_en": "Another"}), now=NOW) == (1, False)
    found = facts(tx, application("new_issue"))
    assert found.company_known
    assert not found.company_certified
    assert found.company_english == {"Aozora Electric Co., Ltd."}
    assert found.company_domains == {"aozora-denki.example"}


def test_nothing_is_known_of_a_stranger(tx):
    found = facts(tx, application("new_issue", TAKERU))
    assert (found.company_known, found.company_english, found.company_domains) == (False, frozenset(), frozenset())
    assert (found.target, found.live, found.match.exact, found.colleagues) == (None, (), (), ())


def test_an_undecided_type_looks_nobody_up(tx):
    registrations.enter(tx, HANAKO, now=NOW)
    found = facts(tx, application(None), sender="a@b.example", duplicates=("WEBEC-20260401-0001",))
    assert found.match.exact == ()
    assert (found.sender, found.duplicates) == ("a@b.example", ("WEBEC-20260401-0001",))


def test_the_one_match_is_the_target_and_of_several_only_the_chosen_one(tx):
    first = registrations.enter(tx, HANAKO, now=NOW)
    form = application("cancellation")
    assert facts(tx, form).target == first
    second = registrations.enter(tx, HANAKO, now=NOW)
    assert facts(tx, form).target is None
    assert facts(tx, form, chosen=second.id).target == second
    registrations.close(tx, second.id, now=NOW)
    assert facts(tx, form, chosen=second.id).target is None  # the choice does not outlive the registration


def test_a_new_issue_has_no_target_whomever_it_resembles(tx):
    registrations.enter(tx, HANAKO, now=NOW)
    found = facts(tx, application("new_issue"))
    assert found.target is None
    assert len(found.match.exact) == 1


def test_colleagues_are_the_others_of_the_same_company(tx):
    registrations.enter(tx, HANAKO, now=NOW)
    registrations.enter(tx, ICHIRO, now=NOW)
    registrations.enter(tx, TAKERU, now=NOW)
    assert facts(tx, application("cancellation")).colleagues == ("鈴木 一郎（W000002）",)


# --- rows of cases -----------------------------------------------------------------------------------------------------


def test_cases_are_numbered_by_their_day_of_arrival_in_japan(tx):
    late = datetime(2026, 4, 1, 15, 30, tzinfo=UTC)  # half past midnight of the next day in Japan
    assert [opened(tx).number, opened(tx).number, opened(tx, arrived_at=late).number] == [
        "WEBEC-20260401-0001",
        "WEBEC-20260401-0002",
        "WEBEC-20260402-0001",
    ]
    assert cases.find(tx, "webec-20260402-0001").arrived_at == late
    assert cases.find(tx, "WEBEC-20260402-0002") is None


def test_an_illegal_move_changes_nothing(tx):
    case = opened(tx)
    with pytest.raises(IllegalMove):
        cases.apply(tx, AUDIT, case, Event.APPROVED, now=NOW, actor="system")
    assert cases.get(tx, case.id) == case


def test_a_case_that_another_process_has_moved_is_not_moved_again(tx):
    case = opened(tx)
    cases.apply(tx, AUDIT, case, Event.COMPLETED, now=NOW, actor="system")
    with pytest.raises(Conflict):
        cases.apply(tx, AUDIT, case, Event.DEFECTIVE, now=NOW, actor="system")
    with pytest.raises(Conflict):
        cases.set_values(tx, case, digest="x")
    assert cases.get(tx, case.id).state is State.AWAITING_DECISION


def test_what_is_not_there_is_told(tx):
    with pytest.raises(KeyError, match="no case 99"):
        cases.get(tx, 99)
    with pytest.raises(KeyError, match="no version 1"):
        cases.application(tx, opened(tx))


def test_an_application_comes_back_as_it_was_read(tx):
    case, form = opened(tx), application("handover", HANAKO, ICHIRO, applied=None)
    cases.add_version(tx, case.id, 1, form, now=NOW)
    assert cases.application(tx, case) == form
    assert form.findings


def test_a_task_is_done_once(tx):
    case = opened(tx)
    cases.add_tasks(tx, case, (Task(TaskKind.REVOKE, None, ("0A",), NOW.date(), {"reason": "superseded"}),))
    (task,) = cases.tasks(tx, case.id)
    assert task.due_at == datetime(2026, 4, 1, 15, tzinfo=UTC)
    cases.finish_task(tx, task, now=NOW)
    with pytest.raises(Conflict):
        cases.finish_task(tx, task, now=NOW)
    assert cases.pending_tasks(tx) == []
    assert [one.state for one in cases.tasks(tx, case.id)] == ["done"]
