"""A page with what was read drawn on it: colours tell what became of each value, and nothing else is changed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import overlay
from parsers.picture import Picture
from parsers.reading import Box, FieldValue, SealVerdict
from support.applications import application
from support.scanned import scanned

BLANK = Picture(np.full((1169, 827, 3), 255, np.uint8), 100.0)
PLACE = Box(100.0, 200.0, 300.0, 220.0)


def only(value: FieldValue):
    form = scanned(application("reissue"))
    return replace(form, fields={"user.email": value}, type_reading=None, seal=replace(form.seal, page=None))


def colours(picture: Picture) -> set[tuple[int, ...]]:
    """The colours of the lower edge of the frame, where no name is written."""
    row = int((PLACE.y1 - 1.5) * picture.points)
    return {tuple(int(part) for part in picture.pixels[row, column]) for column in range(200, 380)}


@pytest.mark.parametrize(
    ("value", "colour"),
    [
        (FieldValue("a@b.example", "a@b.example", 0.95, 1, PLACE), overlay.ACCEPTED),
        (FieldValue("a@b.example", "a@b.example", 0.6, 1, PLACE), overlay.DOUBTED),
        (FieldValue(None, "a@", 0.95, 1, PLACE), overlay.UNREAD),
        (FieldValue(None, "", 0.95, 1, PLACE), overlay.EMPTY),
        (FieldValue(None, "", 0.5, 1, PLACE), overlay.DOUBTED),
    ],
)
def test_the_colour_tells_what_became_of_a_value(value, colour):
    drawn = overlay.draw(BLANK, [only(value)], 1)
    assert colours(drawn) == {colour}
    assert BLANK.pixels.min() == 255, "the picture that was given is not drawn on"


def test_only_what_stands_on_that_page_is_drawn():
    value = FieldValue("a", "a", 0.95, 2, PLACE)
    assert overlay.draw(BLANK, [only(value)], 1).pixels.min() == 255
    assert overlay.draw(BLANK, [only(value)], 2).pixels.min() < 255


def test_type_seal_and_every_field_are_drawn_by_name():
    form = scanned(application("reissue"))
    named = {mark.name for mark in overlay.marks(form, 1)}
    assert named == {"request_type", "seal: present", *form.fields}
    for verdict in SealVerdict:
        seal = replace(form, seal=replace(form.seal, verdict=verdict))
        assert f"seal: {verdict.value}" in {mark.name for mark in overlay.marks(seal, 1)}


@pytest.mark.parametrize("at", [105.0, 200.0, 260.0])
def test_a_name_does_not_hide_what_it_names(at):
    left, right, top, bottom = (round(edge * BLANK.points) for edge in (at, at + 35, PLACE.y0 + 3, PLACE.y1 - 3))
    pixels = BLANK.pixels.copy()
    pixels[top:bottom, left:right:3] = 0
    printed = (pixels == 0).all(axis=2)
    value = FieldValue("a@b.example", "a@b.example", 0.95, 1, PLACE)
    drawn = overlay.draw(Picture(pixels, BLANK.dpi), [only(value)], 1)
    assert (drawn.pixels[printed].max(axis=1) < 60).all()


_edge = st.floats(allow_nan=False, allow_infinity=False, width=32)


@settings(max_examples=50)
@given(
    st.tuples(_edge, _edge, _edge, _edge), st.integers(1, 60), st.integers(1, 60), st.sampled_from([20.0, 72.0, 300.0])
)
def test_any_box_on_any_picture_is_drawn_or_left_out(box, width, height, dpi):
    picture = Picture(np.zeros((height, width, 3), np.uint8), dpi)
    drawn = overlay.draw(picture, [only(FieldValue("a", "a", 0.95, 1, Box(*box)))], 1)
    assert drawn.pixels.shape == picture.pixels.shape
    assert drawn.dpi == dpi
