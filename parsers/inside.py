"""The inside of one cell, cleaned and searched once however many look at it."""

from functools import cached_property

from parsers import ink
from parsers.ink import Span
from parsers.lines import Line, whole_line
from parsers.lines import prepare as prepare_line
from parsers.picture import Picture, Pixels
from parsers.reading import Box
from parsers.ruling import Ruled
from parsers.tick_boxes import ticked

MM = 72 / 25.4  # points
# A ruling line is as much as half a millimetre wide on each side of its middle.
INSET = 0.45 * MM
# No letter of a form is lower than this, in mm.
_LETTER = 1.3


class Inside:
    """Pixels of a cell without its ruling lines as far as they are straight; `mm` are its pixels to the millimetre.

    `signals` is for the recogniser alone, which keeps what it has seen there, as several lines (True) or as one.
    """

    def __init__(self, pixels: Pixels, mm: float) -> None:
        self.pixels, self.mm = pixels, mm
        self.signals: dict[bool, object] = {}

    @cached_property
    def grey(self) -> Pixels:
        """The print as dark on white."""
        return ink.clean(self.pixels)

    @cached_property
    def _searched(self) -> tuple[list[Span], bool]:
        return ink.search_lines(self.grey)

    @property
    def spans(self) -> list[Span]:
        """The lines of text, each as tight as its ink."""
        return self._searched[0]

    @cached_property
    def lines(self) -> list[Line]:
        """The lines of text as recognisers take them."""
        return [prepare_line(self.grey, span) for span in self.spans]

    @cached_property
    def is_blank(self) -> bool:
        """Whether nothing is written here."""
        return not ink.marks(self.grey, mm=self.mm)

    @property
    def has_rest(self) -> bool:
        """Whether there is ink of a letter's height that does not count as writing, as half a letter at the border."""
        return self.is_blank and any(span.y1 - span.y0 >= _LETTER * self.mm for span in self.spans)

    @cached_property
    def is_at_border(self) -> bool:
        """Whether all that is here hangs on a border; see `ink.is_at_border`."""
        return ink.is_at_border(self.grey, mm=self.mm)

    @cached_property
    def ticked(self) -> bool | None:
        """Whether a box to tick is ticked; see `tick_boxes.ticked`."""
        return ticked(self.pixels, mm=self.mm)

    @cached_property
    def is_written_over(self) -> bool:
        """Whether coloured ink lies over what is written here."""
        return ink.seal_over(self.pixels, self.spans)

    @property
    def touches_border(self) -> bool:
        """Whether print reaches the very border, where a thin letter may be taken for the ruling line and a stranger's
        ink for a letter."""
        return self._searched[1] or any(span.x0 <= 1 or span.x1 >= self.pixels.shape[1] - 1 for span in self.spans)

    def as_one_line(self) -> list[Line]:
        """All the ink as one line; none where there is no ink."""
        return [prepare_line(self.grey, whole_line(self.spans))] if self.spans else []


class FlatPage:
    """A flat page of which each cell is looked into once."""

    def __init__(self, ruled: Ruled) -> None:
        self.ruled = ruled
        self._insides: dict[Box, Inside] = {}

    @property
    def picture(self) -> Picture:
        """The flat picture."""
        return self.ruled.picture

    def inside(self, box: Box) -> Inside:
        """The inside of a cell."""
        found = self._insides.get(box)
        # Who comes second in the same moment takes what the first one made.
        return found or self._insides.setdefault(box, Inside(self._cut(box), self.picture.dpi / 25.4))

    def _cut(self, box: Box) -> Pixels:
        """The pixels of a box of the flat page without its rim."""
        scale = self.picture.points
        x0, y0 = max(round((box.x0 + INSET) * scale), 0), max(round((box.y0 + INSET) * scale), 0)
        x1, y1 = round((box.x1 - INSET) * scale), round((box.y1 - INSET) * scale)
        return self.picture.pixels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]

    def lines_in(self, box: Box) -> list[Box]:
        """The lines of print in a cell, each as tight as its ink, in points of the flat page."""
        x, y, scale = box.x0 + INSET, box.y0 + INSET, self.picture.points
        return [
            Box(x + span.x0 / scale, y + span.y0 / scale, x + span.x1 / scale, y + span.y1 / scale)
            for span in self.inside(box).spans
        ]
