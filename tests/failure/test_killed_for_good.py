"""The service is a process, and it is killed with SIGKILL while it does the work of a life: nothing is lost or doubled.

A seeded selection of what `failure.kill_all` does in full under `make soak` (docs/soak/kills.md): places right before
and after a commit or an outward call, and random moments, over the embedded server and over Dovecot and Postfix.
"""

import random

import pytest

from failure.kill_all import Theatre, plans_of, random_plans
from support.kills import PHASES, WORLDS, Plan

SEED = 4
PLACES = {"embedded": 4, "dovecot-postfix": 2}
MOMENTS = {"embedded": 2, "dovecot-postfix": 1}


@pytest.fixture(scope="module", params=sorted(WORLDS))
def theatre(request, registered, zygote, kills_folder):
    """Where lives are played; the first one reads its form and the pictures for staff, the others remember them."""
    return Theatre(kills_folder, request.param, registered=registered, zygote=zygote)


@pytest.fixture(scope="module")
def undisturbed(theatre):
    """A life that nobody disturbed: its places, and how long its phases took."""
    theatre.play("warm", Plan(memory=theatre.memory))
    outcome = theatre.play("undisturbed", Plan(counting=True, memory=theatre.memory))
    assert outcome.faults == []
    assert {place.partition(":")[0] for place in outcome.places} >= set(PHASES)
    return outcome


def test_a_kill_at_a_commit_or_an_outward_call_loses_nothing_and_doubles_nothing(theatre, undisturbed):
    plans = plans_of(undisturbed.places, theatre.memory, chance=random.Random(SEED))
    for plan in plans[: PLACES[theatre.server]]:
        outcome = theatre.play("place", plan)
        assert outcome.faults == [], plan
        assert len(outcome.kills) >= 1


def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(theatre, undisturbed):
    plans = random_plans(undisturbed.spent, theatre.memory, count=MOMENTS[theatre.server], seed=SEED)
    outcomes = [theatre.play("moment", plan) for plan in plans]
    assert [outcome.faults for outcome in outcomes if outcome.faults] == []


def test_the_judge_sees_a_letter_that_was_lost_and_one_that_was_sent_twice_too_often(theatre, undisturbed):
    outcome = theatre.play("spoilt", Plan(memory=theatre.memory), spoil=_lose_one_and_repeat_one)
    assert any("never arrived" in fault for fault in outcome.faults)
    assert any("copies of letters" in fault for fault in outcome.faults)


def _lose_one_and_repeat_one(life):
    life.delivered[:] = [*life.delivered[1:], *life.delivered[-2:]]
