"""A picture of a page, or of a part of it: what rendering gives and what recognition, seals and codes look at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """`pixels` are rows × columns × RGB, origin at the top left; `dpi` is pixels per inch, the same both ways."""

    pixels: Pixels
    dpi: float

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def points(self) -> float:
        """Pixels per PDF point."""
        return self.dpi / 72
