"""Letters with variants, told by the shape at their place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from parsers.lines import HEIGHT, lines_of
from parsers.variants import GROUPS, SETTLED, load_variants
from support.crops import NOTO, drawn, scanned

VARIANTS = load_variants()


@pytest.mark.parametrize("group", GROUPS)
def test_every_letter_of_a_group_is_told_from_the_others(group):
    for char in group:
        line = lines_of(scanned(drawn(f"{char}田", font=NOTO), 3))[0]
        for taken_for in group:
            found, likely = VARIANTS.choose(line.image, 10 + 0.5 * (line.image.shape[1] - 20) / 2, taken_for)
            assert found == char or likely < SETTLED


def test_a_letter_without_variants_is_left_alone():
    assert VARIANTS.choose(np.full((HEIGHT, 60), 250, np.uint8), 30, "山") == ("山", 1.0)


def test_where_no_ink_is_nothing_is_told():
    assert VARIANTS.choose(np.full((HEIGHT, 60), 250, np.uint8), 30, "高") == ("高", 0.0)


@settings(max_examples=40, deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.just(HEIGHT), st.integers(1, 90))),
    st.floats(-50, 200),
    st.sampled_from([char for group in GROUPS for char in group]),
)
def test_any_line_gives_a_letter_of_the_group(image, centre, char):
    found, likely = VARIANTS.choose(image, centre, char)
    assert any(char in group and found in group for group in GROUPS)
    assert 0 <= likely <= 1
