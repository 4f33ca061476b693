"""A page with everything drawn on it that was read there, for a person who asks what the program saw. Pure.

Green is what was taken without a look, amber what staff must compare, red what could not be read, grey an empty field.
The names are those of `read --json`: a recogniser's picture needs no Japanese font.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from parsers.picture import Picture, Pixels
from parsers.reading import Application, Box, FieldValue, SealVerdict
from parsers.subject import SURE, is_empty

Colour = tuple[int, int, int]

ACCEPTED: Colour = (0, 140, 60)
DOUBTED: Colour = (225, 130, 0)
UNREAD: Colour = (205, 0, 30)
EMPTY: Colour = (150, 150, 150)
_SEALS = {SealVerdict.PRESENT: ACCEPTED, SealVerdict.UNCLEAR: DOUBTED, SealVerdict.ABSENT: UNREAD}
# Letters of 5 points can be read on a screen and hide little.
_LETTER_POINTS = 5.0
# The frame lies inside of the ruling lines, or it would not be seen on them.
_INSET_POINTS = 1.5
# How much of the colour lies over a box, and how much white under a name: the print stays readable through both.
_TINT, _VEIL = 0.12, 0.7
# Print is darker than this share of its ground.
_DARK = 0.65
# A name wider than this share of its box is shortened; outside of its box it stands only where it hides so much less.
_NARROW, _OUTSIDE = 0.45, 0.08
# The height of a capital of OpenCV's plain font at scale 1, in pixels.
_PLAIN_HEIGHT = 22.0


class Mark(NamedTuple):
    """One box on a page, in points, with its name and colour."""

    box: Box
    name: str
    colour: Colour


def marks(application: Application, page: int) -> Iterator[Mark]:
    """Everything of one form that was read on that page and has a place."""
    kind, seal = application.type_reading, application.seal
    if kind is not None and kind.page == page and kind.box:
        yield Mark(kind.box, "request_type", colour_of(kind))
    for key, value in application.fields.items():
        if value.page == page and value.box:
            yield Mark(value.box, key, colour_of(value))
    if seal.page == page and seal.box:
        yield Mark(seal.box, f"seal: {seal.verdict.value}", _SEALS[seal.verdict])


def colour_of(value: FieldValue) -> Colour:
    """What became of one reading. An empty cell that may not be empty is a doubt like any other."""
    if value.value is None and not is_empty(value):
        return UNREAD
    if value.confidence < SURE:
        return DOUBTED
    return EMPTY if is_empty(value) else ACCEPTED


def draw(picture: Picture, applications: Iterable[Application], page: int) -> Picture:
    """A copy of the page's picture with the boxes of every form drawn on it."""
    canvas = np.ascontiguousarray(picture.pixels.copy())
    grey = np.array(picture.pixels.min(axis=2))
    thick = max(1, round(picture.dpi / 75))
    scale = _LETTER_POINTS * picture.points / _PLAIN_HEIGHT
    for application in applications:
        for mark in marks(application, page):
            left, top, right, bottom = (_pixel(edge * picture.points) for edge in _inner(mark.box))
            _blend(canvas, (left, top, right, bottom), mark.colour, 0.0 if mark.colour == EMPTY else _TINT)
            cv2.rectangle(canvas, (left, top), (right, bottom), mark.colour, 1 if mark.colour == EMPTY else thick)
            _write(canvas, grey, mark.name, (left, top, right, bottom), (scale, mark.colour))
    return Picture(canvas, picture.dpi)


def _inner(box: Box) -> Box:
    inset = _INSET_POINTS
    return Box(box.x0 + inset, box.y0 + inset, max(box.x0 + inset, box.x1 - inset), max(box.y0 + inset, box.y1 - inset))


def _blend(canvas: Pixels, place: tuple[int, int, int, int], colour: Colour, share: float) -> None:
    left, top, right, bottom = (max(0, edge) for edge in place)
    part = canvas[top:bottom, left:right]
    part[:] = np.round(part * (1 - share) + np.array(colour) * share)


def _write(
    canvas: Pixels, print_: Pixels, text: str, frame: tuple[int, int, int, int], look: tuple[float, Colour]
) -> None:
    """The name on a veil of white where it hides the least print: in a corner of its box or, where each of them holds
    much more of it, just above or below. `print_` is the grey page, on which a name that was written counts as print.
    In a narrow box the block is left out of the name."""
    scale, colour = look
    left, top, right, bottom = frame
    (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    if wide > _NARROW * (right - left):
        text = text.rpartition(".")[2]
        (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    wide, high = wide + 2, high + 3
    corners = [(right - wide, top), (left, top), (right - wide, bottom - high), (left, bottom - high)]
    corners += [(right - wide, top - high), (right - wide, bottom + 1)]
    # Of places that hide equally little the first one, the upper right corner, is where forms are mostly blank.
    costs = [_hidden(print_, x, y, wide, high) + (_OUTSIDE if index > 3 else 0) for index, (x, y) in enumerate(corners)]
    x, y = corners[costs.index(min(costs))]
    _blend(canvas, (x, y, x + wide, y + high), (255, 255, 255), _VEIL)
    cv2.putText(canvas, text, (x, y + high - 2), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
    print_[max(0, y) : max(0, y + high), max(0, x) : max(0, x + wide)][:, ::2] = 0


def _hidden(print_: Pixels, x: int, y: int, wide: int, high: int) -> float:
    """The share of dark pixels under a name in that place, all of them where it does not lie on the page."""
    under = print_[max(0, y) : max(0, y + high), max(0, x) : max(0, x + wide)]
    if x < 0 or y < 0 or under.shape != (high, wide):
        return 1.0
    dark = under < _DARK * float(np.percentile(under, 90))
    # A few specks are no print.
    return round(float(dark.mean()), 2)


def _pixel(place: float) -> int:
    # OpenCV takes 32-bit numbers; a box far outside of any page is drawn nowhere.
    return int(min(max(place, -10_000.0), 100_000.0))
