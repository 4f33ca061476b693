"""Pictures cut out of the form for staff: each mail address, the seal, the type, every doubtful value, and the page.

Whoever decides compares these letter by letter and looks at the seal (SPEC 1.3.10, domain notes E.1): what was read and
what stands there lie side by side on the phone. The page is drawn in the confined reader, which gives plain pixels;
here is what is cut out of them, and what the pictures are called. A form that can't be drawn is asked about all the
same: the letter says so.
"""

import io
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from config import request_types
from config.request_types import Row
from parsers.errors import ParseError
from parsers.normalise import Kind, kind_of
from parsers.picture import Picture
from parsers.reading import Application, Box, FieldValue
from parsers.subject import SURE, is_empty

from .draft import Enclosure


class Painter(Protocol):
    """The confined reader, as far as pictures go: raw pixels, for which we need no decoder."""

    def picture(self, data: bytes, page: int, *, dpi: float) -> Picture:
        """A whole page, counted from 1."""


# Fine enough to tell l from 1 in 8-point print; the page as a whole only shows where things stand.
CROP_DPI = 200.0
_PAGE_DPI = 120.0
# So many shades of each colour show print, paper, pen and seal, and leave out most of the noise of a scanner, which no
# PNG makes small.
_SHADES = 8
# JPEG quality from fine to coarse: the first that fits is taken.
_QUALITIES = (70, 45, 25)
_MOST_PAGE_OCTETS = 400_000
_MOST_CROP_OCTETS = 2_000_000
_MOST_PAGES = 4
# Around a cell, so that a letter on the line or over it is seen whole.
_MARGIN = 6.0
_TYPE = "request_type"
_SEAL = "seal"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """One place to cut: what it shows (field name, `request_type` or `seal`), its page and box, its file name."""

    key: str
    name: str
    page: int
    box: Box


@dataclass(frozen=True, slots=True)
class Crops:
    """The pictures for one letter, the file name of each by what it shows, and whether any could not be made."""

    pictures: tuple[Enclosure, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    failed: bool = False

    def name_of(self, key: str) -> str:
        """The file that shows a field; empty where there is none."""
        return dict(self.names).get(key, "")


def places(application: Application) -> tuple[Place, ...]:
    """What of this form staff must see as a picture: type, mail addresses and seal always, however they were read, and
    every other value in doubt."""
    table = request_types.load()
    found = [_place(_TYPE, "request-type.png", application.type_reading, always=True)]
    for row in table.fields():
        always = kind_of(row.key) is Kind.MAIL and _is_used(row, application)
        found.append(_place(row.key, _file_name(row.key), application.fields.get(row.key), always=always))
    seal = application.seal
    if seal.page and seal.box:
        found.append(Place(_SEAL, "seal.png", seal.page, _widened(seal.box)))
    return tuple(place for place in found if place)


def _is_used(row: Row, application: Application) -> bool:
    return application.request_type is None or not row.needs[application.request_type].greyed


def _place(key: str, name: str, value: FieldValue | None, *, always: bool) -> Place | None:
    if value is None or value.page is None or value.box is None:
        return None
    if value.confidence >= SURE and not (always and not is_empty(value)):
        return None
    return Place(key, name, value.page, _widened(value.box))


def _file_name(key: str) -> str:
    """A name that every mail program shows as it is: ASCII, and it says what the picture shows."""
    block, _, last = key.rpartition(".")
    word = "mail-address" if last == "email" else last.replace("_", "-")
    return f"{word}-{block}.png" if block else f"{word}.png"


def _widened(box: Box) -> Box:
    return Box(max(0.0, box.x0 - _MARGIN), max(0.0, box.y0 - _MARGIN), box.x1 + _MARGIN, box.y1 + _MARGIN)


def make(data: bytes, application: Application, reader: Painter) -> Crops:
    """Cut everything that staff must see. What can't be cut is told by `failed`, not raised."""
    wanted = places(application)
    if not wanted:
        return Crops()
    pages = sorted({place.page for place in wanted})[:_MOST_PAGES]
    try:
        pictures = {page: reader.picture(data, page, dpi=CROP_DPI) for page in pages}
    except (ParseError, OSError, ValueError) as error:
        # The form has been read and must be asked about; the original is enclosed anyway. The text of an error may
        # hold content of the form, so only its name is logged.
        _log.warning("no pictures could be cut out of a form (%s)", type(error).__name__)
        return Crops(failed=True)
    cut = _within(_MOST_CROP_OCTETS, wanted, pictures)
    shown = {page: _page(pictures[page]) for page in pages}
    crops = [Enclosure(place.name, "image/png", cut[place.key], inline=True) for place in wanted if place.key in cut]
    whole = [Enclosure(f"page-{page}.jpg", "image/jpeg", found, inline=True) for page, found in shown.items() if found]
    return Crops(
        (*crops, *whole),
        tuple((place.key, place.name) for place in wanted if place.key in cut),
        failed=len(cut) < len(wanted) or not all(shown.values()),
    )


def _cut(place: Place, pictures: Mapping[int, Picture]) -> bytes:
    """The place as PNG; empty where it lies on no page that was drawn."""
    picture = pictures.get(place.page)
    if picture is None:
        return b""
    left, top, right, bottom = (_pixel(edge * picture.points) for edge in place.box)
    part = picture.pixels[top:bottom, left:right]
    if not part.size:
        return b""
    stream = io.BytesIO()
    step = 256 // _SHADES
    Image.fromarray(part // step * (255 // (_SHADES - 1))).save(stream, "PNG")
    return stream.getvalue()


def _pixel(place: float) -> int:
    # A box comes from a child that a stranger's file may have taken over.
    return int(min(max(place, 0.0), 100_000.0)) if math.isfinite(place) else 0


def _within(most: int, wanted: Sequence[Place], pictures: Mapping[int, Picture]) -> dict[str, bytes]:
    """As many as fit, by the key of what they show; mail addresses, seal and type before all others."""
    first = sorted(wanted, key=lambda place: kind_of(place.key) is not Kind.MAIL and place.key not in (_SEAL, _TYPE))
    kept: dict[str, bytes] = {}
    for place in first:
        picture = _cut(place, pictures)
        most -= len(picture)
        if most < 0:
            break
        if picture:
            kept[place.key] = picture
    return kept


def _page(picture: Picture) -> bytes:
    """The page as fine as fits; empty where not even a coarse picture is small enough."""
    scale = _PAGE_DPI / picture.dpi
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    page = Image.fromarray(picture.pixels).resize(size, Image.Resampling.BOX)
    for quality in _QUALITIES:
        stream = io.BytesIO()
        page.save(stream, "JPEG", quality=quality)
        if stream.tell() <= _MOST_PAGE_OCTETS:
            return stream.getvalue()
    return b""
