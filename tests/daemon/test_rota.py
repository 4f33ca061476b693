"""Who is asked, by role, absence and number; nobody is left out for good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Approver
from daemon import rota

ANNE = Approver("anne@lra.example", "Anne", deputy="dora@lra.example")
BOB = Approver("bob@lra.example", "Bob")
DORA = Approver("dora@lra.example", "Dora", role="deputy")
EVE = Approver("eve@lra.example", "Eve", role="deputy")
MAX = Approver("max@lra.example", "Max", role="manager")
ALL = (ANNE, BOB, DORA, EVE, MAX)


def names(people):
    return [one.name for one in people]


@pytest.mark.parametrize(
    ("away", "needed", "asked"),
    [
        ({}, 1, ["Anne", "Bob"]),
        ({}, 2, ["Anne", "Bob"]),
        ({ANNE.address: ""}, 1, ["Bob", "Dora"]),  # her deputy by the settings
        ({ANNE.address: EVE.address}, 1, ["Bob", "Eve"]),  # her stand-in by mail
        ({ANNE.address: BOB.address}, 1, ["Bob"]),
        ({ANNE.address: BOB.address}, 2, ["Bob", "Dora", "Eve"]),
        ({ANNE.address: DORA.address, DORA.address: ""}, 1, ["Bob"]),
        ({one.address: "" for one in (ANNE, BOB, DORA, EVE)}, 1, ["Max"]),
        ({one.address: "" for one in (ANNE, BOB, DORA, EVE)}, 2, ["Anne", "Bob", "Dora", "Eve", "Max"]),
    ],
)
def test_so_many_are_asked_at_once(away, needed, asked):
    assert names(rota.first(ALL, away, needed)) == asked


def test_deputies_are_those_named_and_those_of_the_role():
    assert names(rota.deputies(ALL, {}, [BOB.address])) == ["Dora", "Eve"]
    assert names(rota.deputies((ANNE, Approver("dora@lra.example", "Dora")), {}, [ANNE.address])) == ["Dora"]
    assert names(rota.deputies(ALL, {EVE.address: ""}, [])) == ["Dora"]
    assert names(rota.managers(ALL, {})) == ["Max"]
    assert names(rota.managers(ALL, {MAX.address: ""})) == []


def test_what_cannot_wait_is_asked_of_everybody_who_is_there():
    assert rota.everybody(ALL, {}, 2) == list(ALL)
    assert names(rota.everybody(ALL, {BOB.address: ""}, 2)) == ["Anne", "Dora", "Eve", "Max"]
    assert len(rota.everybody(ALL, {one.address: "" for one in ALL[:4]}, 2)) == 5


@given(st.sets(st.sampled_from(ALL)), st.sets(st.sampled_from(ALL)), st.integers(1, 3))
def test_as_many_are_asked_as_are_needed_wherever_they_are_there_at_all(people, absent, needed):
    approvers = [one for one in ALL if one in people]
    asked = rota.first(approvers, {one.address: "" for one in absent}, needed)
    assert len(asked) >= min(needed, len(approvers))
    assert len(set(asked)) == len(asked)
    assert set(asked) <= set(approvers)
