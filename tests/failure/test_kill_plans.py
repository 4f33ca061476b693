"""How a killed life is planned and weighed: no place is left out, no kill answers for two repetitions."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from failure.kill_all import moments_of, plans_of, random_plans
from support.kills import PHASES
from support.repetitions import unexplained

PLACES = [
    "start: before COMMIT of mails #1",
    "start: after COMMIT of mails #1",
    "start: before SMTP reply #1",
    "start: after SMTP reply #1",
    "start: before create in blobs #1",
    "start: after create in blobs #1",
    "start: before fsync #1",
    "application: before COMMIT of mails #1",
    "application: after COMMIT of mails #1",
    "later: before COMMIT of mails #1",
]


def test_right_after_one_call_and_right_before_the_next_is_one_moment_but_not_around_files():
    assert list(moments_of(PLACES).values()) == [
        PLACES[0:1],
        PLACES[1:3],
        PLACES[3:4],
        PLACES[4:5],
        PLACES[5:6],
        PLACES[6:7],
        PLACES[7:8],
        PLACES[8:9],
    ]


def test_every_place_is_killed_once_and_every_moment_before_the_second_place_of_any():
    plans = plans_of(PLACES, None, chance=random.Random(1))
    planned = [f"{phase}: {place}" for plan in plans for phase, place in plan.kills.items()]
    assert Counter(planned) == Counter(PLACES[:9])
    assert set(planned[-1:]) <= {PLACES[1], PLACES[2]}


def test_a_place_that_killed_is_not_planned_again():
    plans = plans_of(PLACES, None, struck={PLACES[1], PLACES[7]}, chance=random.Random(1))
    planned = {f"{phase}: {place}" for plan in plans for phase, place in plan.kills.items()}
    assert planned == set(PLACES[:9]) - {PLACES[1], PLACES[7]}
    assert plans[-1].kills == {"start": PLACES[2].partition(": ")[2]}  # its moment was killed: it comes last


def test_no_mail_is_struck_three_times_at_random():
    for plan in random_plans(dict.fromkeys(PHASES, 1.0), None, count=50, seed=1):
        assert {phase: len(times) for phase, times in plan.moments.items() if phase in PHASES} == dict.fromkeys(
            PHASES, 1
        )
        assert set(plan.moments) <= {*PHASES, *(f"again after {phase}" for phase in PHASES)}
        assert all(len(times) == 1 for times in plan.moments.values())


def test_a_kill_answers_for_one_repetition():
    assert unexplained(["a", "b", "a"], [(2, 3)]) == []
    assert unexplained(["a", "a", "b", "b"], [(2, 4)]) == ["a"]  # the kill came when both had arrived
    assert unexplained(["a", "b", "a", "b"], [(2, 4)]) == ["b"]  # one kill, two repetitions
    assert unexplained(["a", "b", "a", "b"], [(0, 0), (2, 4)]) == ["b"]  # the first came before any letter
    assert unexplained(["a", "b", "a", "b"], [(2, 2), (2, 4)]) == []  # what the first cost may come after the second


def test_a_letter_that_its_server_handed_over_late_is_still_owed_to_the_kill():
    assert unexplained(["a", "a"], [(0, 2)]) == []


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.integers(0, 8), max_size=4))
def test_never_more_repetitions_are_explained_than_there_were_kills(arrivals, noticed):
    kills = [(each, each + 1) for each in sorted(noticed)]
    repeated = len(arrivals) - len(set(arrivals))
    assert repeated - len(unexplained(arrivals, kills)) <= len(kills)
