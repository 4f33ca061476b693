"""Who must have approved before a case is carried out: a table of cases, and what holds for all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.four_eyes import enough, still_missing

A, B, C = "a@lra.example", "b@lra.example", "c@lra.example"
PEOPLE = st.sets(st.sampled_from([A, B, C, A.upper()]))


@pytest.mark.parametrize(
    ("approved", "needed", "correctors", "missing"),
    [
        ({A}, 1, (), 0),
        (set(), 1, (), 1),
        ({A}, 2, (), 1),
        ({A, A.upper()}, 2, (), 1),
        ({A, B}, 2, (), 0),
        ({A}, 1, (A,), 1),  # whoever corrected does not alone approve it
        ({A.upper()}, 1, (A,), 1),
        ({B}, 1, (A,), 0),
        ({A, B}, 1, (A,), 0),
        ({A}, 1, (A, B), 1),
        ({B}, 1, (A, B), 1),  # what B corrected, only B has approved
        ({A, B}, 1, (A, B), 0),
        ({C}, 1, (A, B), 0),
        ({A}, 2, (A,), 1),
    ],
)
def test_so_many_more_must_approve(approved, needed, correctors, missing):
    assert still_missing(approved, needed, correctors) == missing
    assert enough(approved, needed, correctors) == (missing == 0)


@given(PEOPLE, st.integers(1, 3), PEOPLE)
def test_nobody_carries_his_own_correction_and_never_fewer_than_needed(approved, needed, correctors):
    if enough(approved, needed, correctors):
        people = {address.lower() for address in approved}
        assert len(people) >= needed
        assert not any(people == {corrector.lower()} for corrector in correctors)
        assert enough({*approved, C}, needed, correctors), "one more approval never takes one away"
