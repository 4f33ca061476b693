"""Cells that lost one upright side are found by what is left of them, and by nothing less."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.line_gaps import completed
from parsers.reading import Box

POINTS = 2.0  # pixels to the point
HEADING, LABELS, VALUES = (20.0, 60.0), (60.0, 120.0), (120.0, 300.0)
ROWS = [(50.0 + 20 * number, 70.0 + 20 * number) for number in range(5)]
TABLE = [Box(side[0], top, side[1], bottom) for top, bottom in ROWS for side in (LABELS, VALUES)]
WHOLE = Box(HEADING[0], ROWS[0][0], HEADING[1], ROWS[-1][1])
# Another table above has the columns as well.
ABOVE = [Box(x0, top, x1, top + 15) for top in (10, 25) for x0, x1 in (HEADING, LABELS, VALUES)]


def strokes(boxes):
    """The masks of the lines around these boxes, across and, laid on its side, down."""
    across, down = np.zeros((400, 700), np.uint8), np.zeros((400, 700), np.uint8)
    for box in boxes:
        x0, y0, x1, y1 = (round(edge * POINTS) for edge in box)
        across[[y0, y1], x0:x1] = 1
        down[y0:y1, [x0, x1]] = 1
    return across, np.ascontiguousarray(down.T)


def near(found, box):
    return any(max(abs(a - b) for a, b in zip(each, box, strict=True)) < 1 for each in found)


def test_a_heading_with_a_hole_in_its_side_is_found():
    across, down = strokes([*ABOVE, *TABLE, WHOLE])
    down[round(HEADING[0] * POINTS), 180:220] = 0
    assert near(completed([*ABOVE, *TABLE], across, down, POINTS), WHOLE)


def test_labels_and_then_their_heading_are_found():
    across, down = strokes([*ABOVE, *TABLE, WHOLE])
    values = [box for box in TABLE if box.x0 == VALUES[0]]
    found = completed([*ABOVE, *values], across, down, POINTS)
    assert all(near(found, box) for box in (*TABLE, WHOLE))


def test_a_value_that_lost_its_right_side_is_found():
    across, down = strokes([*ABOVE, *TABLE])
    down[round(VALUES[1] * POINTS), 100:112] = 0
    lost = Box(VALUES[0], ROWS[0][0], VALUES[1], ROWS[0][1])
    assert near(completed([*ABOVE, *(box for box in TABLE if box != lost)], across, down, POINTS), lost)


@pytest.mark.parametrize("gone", ["side", "line"])
def test_what_is_not_there_is_not_made_up(gone):
    across, down = strokes([*ABOVE, *TABLE, WHOLE])
    if gone == "side":
        down[round(HEADING[0] * POINTS), 100:300] = 0
    else:
        across[[round(edge * POINTS) for edge in (ROWS[0][0], ROWS[-1][1])], : round(55 * POINTS)] = 0
    assert not near(completed([*ABOVE, *TABLE], across, down, POINTS), WHOLE)


def test_a_whole_table_stays_as_it_is():
    boxes = [*ABOVE, *TABLE, WHOLE]
    assert completed(boxes, *strokes(boxes), POINTS) == boxes


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(0, 190)] * 2, *[st.floats(5, 150)] * 2), max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_any_boxes_and_strokes_give_boxes(corners, seed):
    noise = np.random.default_rng(seed).random((400, 700)) > 0.5
    across, down = noise.astype(np.uint8), np.ascontiguousarray(noise.T.astype(np.uint8))
    boxes = [Box(x, y, x + width, y + height) for x, y, width, height in corners]
    found = completed(boxes, across, down, POINTS)
    assert found[: len(boxes)] == boxes
    assert all(box.x0 < box.x1 and box.y0 < box.y1 for box in found)
