"""The table of states: its properties hold for any sequence of events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.case import TRANSITIONS, Event, IllegalMove, State, final, move

BEGINNINGS = (State.RECEIVED, State.APPROVED)  # a form; a renewal, which nobody is asked about
FINAL = {State.CLOSED, State.REJECTED, State.WITHDRAWN, State.CANCELLED, State.DROPPED}


@given(st.sampled_from(State), st.lists(st.sampled_from(Event), max_size=30))
def test_any_events_lead_to_a_legal_state_or_change_nothing(state, events):
    for event in events:
        before = state
        try:
            state = move(state, event)
        except IllegalMove:
            assert state is before
            assert event not in TRANSITIONS[before]
        else:
            assert state is TRANSITIONS[before][event]


@given(st.sampled_from(sorted(FINAL)), st.sampled_from(Event))
def test_nothing_happens_to_a_case_that_has_ended(state, event):
    assert final(state)
    with pytest.raises(IllegalMove, match=f"a case that is {state} cannot be {event}") as refused:
        move(state, event)
    assert (refused.value.state, refused.value.event) == (state, event)


def test_the_final_states_are_exactly_these():
    assert {state for state in State if final(state)} == FINAL


def test_every_state_stands_in_the_table_and_every_event_is_used():
    assert set(TRANSITIONS) == set(State)
    assert {event for moves in TRANSITIONS.values() for event in moves} == set(Event)


def test_every_state_can_be_reached():
    assert reachable(State.RECEIVED) == set(State)


@pytest.mark.parametrize("state", State)
def test_every_case_can_come_to_an_end(state):
    assert reachable(state) & FINAL


@pytest.mark.parametrize("start", BEGINNINGS)
def test_nothing_is_executed_that_was_not_approved_before(start):
    """Without passing `approved` no case is ever carried out (SPEC 1.3.2)."""
    assert State.EXECUTING not in reachable(State.RECEIVED, avoiding=State.APPROVED)
    assert [state for state, moves in TRANSITIONS.items() if State.EXECUTING in moves.values()] == [State.APPROVED]
    assert start in (State.RECEIVED, State.APPROVED)


def test_what_was_begun_is_neither_paused_nor_taken_back():
    assert set(TRANSITIONS[State.EXECUTING]) == {Event.DONE, Event.FAILED}


def test_the_table_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        TRANSITIONS[State.CLOSED] = {}


def reachable(start, *, avoiding=None):
    found, waiting = set(), [start]
    while waiting:
        state = waiting.pop()
        if state not in found and state is not avoiding:
            found.add(state)
            waiting += TRANSITIONS[state].values()
    return found
