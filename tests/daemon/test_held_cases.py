"""A held case is no dead end: it is looked at anew, or ends and whoever applied is told."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from ca import register
from ca.errors import CaError, CaErrorKind
from daemon import cases, held_cases, issuance, reach, schema
from daemon.case import State
from daemon.demo.stage import APPROVERS
from daemon.demo.story import AOZORA
from daemon.held_cases import NotHeld
from daemon.store import Store
from support.centres import form
from support.pictures import photo_pdf
from support.stops import FIRST_APPROVER, begin, register_hanako


@pytest.fixture(scope="module")
def registered(centres, tmp_path_factory):
    return register_hanako(centres, tmp_path_factory.mktemp("registered"))


@pytest.fixture
def stage(registered, tmp_path, server, clock):
    life = begin(registered, tmp_path / "centre", server, clock)
    yield life.stage
    life.close()


@pytest.fixture
def refused(stage, monkeypatch):
    """The CA makes no certificate until the block is undone."""
    broken = pytest.MonkeyPatch()

    def refuse(*_, **__):
        raise CaError(CaErrorKind.LINT_FAILED, "the certificate breaks its profile", problems=["policies"])

    broken.setattr(issuance.issue, "prepare", refuse)
    yield broken
    broken.undo()


@pytest.fixture
def held(stage, refused):
    """A reissue that was approved and could not be made."""
    stage.send(AOZORA, "再発行申請", "お願いします。", pdf=form(stage, "reissue_hanako"))
    stage.work()
    stage.decide(FIRST_APPROVER, stage.requests()[FIRST_APPROVER], "承認")
    stage.work()
    assert case_of(stage).state is State.HELD
    refused.undo()
    stage.requests()
    stage.tell_letters(AOZORA)
    return case_of(stage)


def case_of(stage, number=2):
    with stage.centre.store.transaction() as tx:
        return cases.get(tx, number)


def do(stage, work, case, **named):
    with stage.centre.store.transaction() as tx:
        return work(tx, stage.centre, case, actor="operator", now=stage.centre.clock(), **named)


def states(stage):
    with stage.centre.store.transaction() as tx:
        return [row.state.value for row in register.every(tx)]


def test_a_released_case_is_asked_about_anew_without_a_second_receipt_and_ends_as_any_other(stage, held):
    assert do(stage, held_cases.release, held).state is State.AWAITING_DECISION
    stage.work()
    assert stage.letters(AOZORA) == []
    assert states(stage) == ["issued"]
    stage.decide(FIRST_APPROVER, stage.requests()[FIRST_APPROVER], "承認")
    stage.work()
    assert case_of(stage).state in (State.FULFILLED, State.CLOSED)
    assert sorted(states(stage)) == ["issued", "revoked"]


def test_what_was_approved_before_does_not_carry_a_released_case(stage, held):
    do(stage, held_cases.release, held)
    stage.work()
    stage.pass_time(hours=1)
    assert case_of(stage).state is State.AWAITING_DECISION
    with stage.centre.store.transaction() as tx:
        assert cases.tasks(tx, held.id, pending=True) == []


def test_a_dropped_case_changes_no_certificate_and_the_applicant_reads_why(stage, held):
    assert do(stage, held_cases.drop, held, reason_word="その他").state is State.DROPPED
    stage.work()
    (letter,) = stage.letters(AOZORA)
    assert held.number in letter.subject
    assert "お受けすることができませんでした" in letter.text
    assert states(stage) == ["issued"]
    with stage.centre.store.transaction() as tx:
        assert cases.pending_tasks(tx) == []


def test_only_a_held_case_is_released_or_dropped(stage, held):
    do(stage, held_cases.drop, held, reason_word="その他")
    for work, named in ((held_cases.release, {}), (held_cases.drop, {"reason_word": "x"})):
        with pytest.raises(NotHeld, match="it is dropped"):
            do(stage, work, case_of(stage), **named)


def test_a_case_without_a_readable_form_is_not_released_and_says_what_to_do(stage):
    stage.send(AOZORA, "申請書", "", pdf=photo_pdf())
    stage.work()
    case = case_of(stage)
    assert case.state is State.HELD
    with pytest.raises(NotHeld, match="ask for a new one"):
        do(stage, held_cases.release, case)
    assert do(stage, held_cases.drop, case, reason_word="判読不能").state is State.DROPPED


def test_a_released_renewal_gives_way_to_a_fresh_one_and_a_dropped_one_does_not(stage, refused):
    with stage.centre.store.transaction() as tx:
        (first,) = register.every(tx)
    stage.go_to(first.not_after - timedelta(days=20))
    renewal = case_of(stage)
    assert (renewal.state, renewal.renews_serial) == (State.HELD, first.serial)
    do(stage, held_cases.release, renewal)
    stage.work()
    second = case_of(stage, 3)
    assert (second.state, second.renews_serial) == (State.HELD, first.serial)
    do(stage, held_cases.drop, second, reason_word="その他")
    refused.undo()
    stage.pass_time(days=1)
    with pytest.raises(KeyError):
        case_of(stage, 4)
    assert states(stage) == ["issued"]


def test_a_renewal_that_a_scheduled_revocation_took_off_comes_back_when_that_is_called_off(stage, monkeypatch):
    with stage.centre.store.transaction() as tx:
        (first,) = register.every(tx)
    with monkeypatch.context() as doomed:
        # A revocation was scheduled between the opening of the renewal and its start.
        looks = iter([set(), {first.serial}])
        doomed.setattr(reach, "doomed", lambda *_: next(looks, {first.serial}))
        stage.clock.move(first.not_after - timedelta(days=20))
        stage.work()
    assert case_of(stage).state is State.CANCELLED
    stage.pass_time(days=1)
    assert "issued" in states(stage)
    assert case_of(stage, 3).renews_serial == first.serial


def test_staff_read_in_the_alarm_how_to_go_on(stage, refused):
    stage.tell_letters(*APPROVERS)
    stage.send(AOZORA, "再発行申請", "お願いします。", pdf=form(stage, "reissue_hanako"))
    stage.work()
    stage.decide(FIRST_APPROVER, stage.requests()[FIRST_APPROVER], "承認")
    stage.tell_letters(*APPROVERS)
    stage.work()
    text = "".join(mail.text for mail in stage.letters(FIRST_APPROVER))
    number = case_of(stage).number
    assert f"ogis-lra release {number}" in text
    assert f"ogis-lra drop {number} --reason" in text


@pytest.fixture
def hold(copied, finished):
    """Put the case that waits into `held`, as a failed issuance does."""
    store = Store(f"sqlite:///{copied / 'demo.sqlite'}")

    def put():
        with store.transaction() as tx:
            rows = schema.cases
            tx.execute(update(rows).where(rows.c.number == finished.waiting).values(state="held"))

    yield put
    store.close()


def test_the_operator_releases_and_drops_by_command_and_the_log_knows_who(lra, finished, hold):
    refused = lra("release", finished.waiting)
    assert (refused.code, "is not held" in refused.out) == (1, True)
    assert lra("release", "WEBEC-20990101-0001").code == 2
    assert lra("drop", finished.waiting).code == 2
    hold()
    released = lra("release", finished.waiting, "--json")
    assert (released.code, released.document) == (0, {"case": finished.waiting, "state": "awaiting_decision"})
    hold()
    assert lra("drop", finished.waiting, "--reason", " ").code == 2
    dropped = lra("drop", finished.waiting, "--reason", "その他")
    assert (dropped.code, dropped.out.strip()) == (0, f"{finished.waiting} is dropped")
    told = [(line["kind"], line["actor"]) for line in lra("log", finished.waiting, "--json").document]
    assert [line for line in told if line[1] == "operator"] == [
        ("case_released", "operator"),
        ("case_dropped", "operator"),
    ]
