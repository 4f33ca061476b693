"""The end of a case where the flows do not reach: business days, tasks told wrongly, what `Issued` shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.approval_settings import ApprovalSettings
from daemon import business_time, completion
from daemon.cases import TaskRow
from daemon.completion import Issued, carry_out, quiet_until
from daemon.planning import JST, TaskKind
from support.applications import (
    HANAKO,
    ICHIRO,
    application,
    case_of,
    certificates,
    deliver,
    enrol,
    letters_of,
    registration,
)

HOURS = business_time.of(ApprovalSettings())
SOUMU = "soumu@aozora-denki.example"


def japan(day, hour=10):
    return datetime(2026, 4, day, hour, tzinfo=JST)


@pytest.mark.parametrize(
    ("changed", "until"),
    [
        (japan(1), japan(2)),  # Wednesday → Thursday
        (japan(3), japan(6)),  # Friday → Monday
        (japan(4), japan(7, 0)),  # Saturday: the business day is Monday
        (japan(5, 23), japan(7, 0)),  # Sunday: the same
        (japan(2, 0), japan(3, 0)),
    ],
)
def test_a_changed_address_is_left_alone_for_one_business_day(changed, until):
    moved = registration(email_changed_at=changed.astimezone(UTC))
    assert quiet_until(moved, changed.astimezone(UTC), HOURS) == until
    assert quiet_until(moved, until + timedelta(hours=1), HOURS) == until + timedelta(hours=1)


def test_an_address_that_never_changed_need_not_wait():
    assert quiet_until(registration(), japan(1), HOURS) == japan(1)


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_the_wait_is_at_least_a_day_and_ends_on_a_business_day(changed):
    until = quiet_until(registration(email_changed_at=changed), changed, HOURS)
    assert (
        timedelta(days=1) <= until - changed <= timedelta(days=12)
    )  # a golden week with a bridge of holidays, or the turn of the year
    assert until.astimezone(JST).weekday() < 5


def test_what_was_issued_shows_neither_key_nor_password():
    issued = Issued(SimpleNamespace(serial=0xABC), b"der", b"bundle", "pass-word", registration())
    assert "pass" not in repr(issued)
    assert "bundle" not in repr(issued)
    assert issued.serial in repr(issued)


def test_a_task_that_names_no_registration_is_a_mistake_of_ours(stage):
    enrol(stage)
    (number,) = deliver(stage, application("cancellation"))
    task = TaskRow(1, 1, TaskKind.CLOSE, "pending", None, (), None, {}, None)
    case = case_of(stage, number)
    with stage.centre.store.transaction() as tx, pytest.raises(ValueError, match="names no registration"):
        carry_out(tx, stage.centre, case, [task], now=stage.clock())
    assert certificates(stage) == [(HANAKO.email, "live")]


def test_a_revocation_that_finds_nothing_left_to_revoke_is_not_told_as_one(stage):
    """Its day comes when a cancellation has revoked everything already."""
    enrol(stage)
    wished = stage.clock().astimezone(JST).date() + timedelta(days=5)
    (dated,) = deliver(stage, application("reissue", wished=wished))
    stage.approve(1)
    (cancelled,) = deliver(stage, application("cancellation"))
    stage.approve(1)
    stage.pass_time(minutes=15)
    before = letters_of(stage, dated)
    stage.pass_time(days=6)
    assert letters_of(stage, dated) == before  # its revocation found nothing to revoke
    assert ("cancelled", SOUMU) in letters_of(stage, cancelled)
    assert case_of(stage, dated).state == case_of(stage, cancelled).state == "closed"
    with stage.centre.store.transaction() as tx:
        assert completion.cases.pending_tasks(tx) == []


def test_a_predecessor_without_a_certificate_is_handed_over_all_the_same(stage):
    enrol(stage)
    with stage.centre.store.transaction() as tx:
        imported = completion.registrations.enter(tx, ICHIRO, now=stage.clock())
    successor = replace(HANAKO, name_ja="木村 次郎", name_en="Jiro KIMURA", email="t-sato@minato-shoji.example")
    (number,) = deliver(stage, application("handover", ICHIRO, successor))
    stage.approve(2)
    stage.pass_time(minutes=15)
    assert [(email, fate == "live") for email, fate in certificates(stage)] == [
        (HANAKO.email, True),
        (successor.email, True),
    ]
    assert ("handover_done", SOUMU) in letters_of(stage, number)
    with stage.centre.store.transaction() as tx:
        assert completion.registrations.get(tx, imported.id).state == "closed"


def test_a_reissue_with_a_wished_date_where_nothing_is_live_leaves_the_new_certificate_alone(stage):
    with stage.centre.store.transaction() as tx:
        completion.registrations.enter(tx, HANAKO, now=stage.clock())
    wished = stage.clock().astimezone(JST).date() + timedelta(days=5)
    (number,) = deliver(stage, application("reissue", wished=wished))
    stage.approve(2)
    stage.pass_time(days=7)
    assert certificates(stage) == [(HANAKO.email, "live")]
    assert {kind for kind, _ in letters_of(stage, number)} & {"revoked", "scheduled_revocation"} == set()
