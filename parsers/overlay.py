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
    thick = max(1, round(picture.dpi / 75))
    scale = _LETTER_POINTS * picture.points / _PLAIN_HEIGHT
    for application in applications:
        for mark in marks(application, page):
            left, top, right, bottom = (_pixel(edge * picture.points) for edge in _inner(mark.box))
            _blend(canvas, (left, top, right, bottom), mark.colour, 0.0 if mark.colour == EMPTY else _TINT)
            cv2.rectangle(canvas, (left, top), (right, bottom), mark.colour, 1 if mark.colour == EMPTY else thick)
            _write(canvas, mark.name, (right, top), scale, mark.colour)
    return Picture(canvas, picture.dpi)


def _inner(box: Box) -> Box:
    inset = _INSET_POINTS
    return Box(box.x0 + inset, box.y0 + inset, max(box.x0 + inset, box.x1 - inset), max(box.y0 + inset, box.y1 - inset))


def _blend(canvas: Pixels, place: tuple[int, int, int, int], colour: Colour, share: float) -> None:
    left, top, right, bottom = (max(0, edge) for edge in place)
    part = canvas[top:bottom, left:right]
    part[:] = np.round(part * (1 - share) + np.array(colour) * share)


def _write(canvas: Pixels, text: str, corner: tuple[int, int], scale: float, colour: Colour) -> None:
    """The name inside the upper right corner of its box, where forms are mostly blank, on a veil of white."""
    (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    right, top = corner
    left = max(0, right - wide - 2)
    _blend(canvas, (left, top, right, top + high + 3), (255, 255, 255), _VEIL)
    cv2.putText(canvas, text, (left, top + high + 1), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def _pixel(place: float) -> int:
    # OpenCV takes 32-bit numbers; a box far outside of any page is drawn nowhere.
    return int(min(max(place, -10_000.0), 100_000.0))
