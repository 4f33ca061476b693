"""A second recogniser that shares nothing with the first but the crop: tesseract, where the operator installed it.

`open_second_opinion` gives None where the package or its data for Japanese and English is missing, which is no error:
the gate then accepts less. Pictures are handed over in memory. Weak: it errs more often than the first recogniser, so
its answer confirms a reading and never replaces one; and what the crop lost, both miss.
"""

import importlib
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

from parsers import characters
from parsers.corrections import correct
from parsers.decoding import Mask
from parsers.inside import Inside
from parsers.lines import Line, lines_of
from parsers.picture import Pixels

# Where Debian and others keep the data; empty means where the library itself looks.
_DATA = ("", "/usr/share/tesseract-ocr/5/tessdata/", "/usr/share/tesseract-ocr/4.00/tessdata/", "/usr/share/tessdata/")
_JAPANESE, _LATIN = "jpn", "eng"
# Tesseract's number for "treat the picture as one line of text".
_ONE_LINE = 7
_MARGIN = 12
_WHITELISTS = {
    Mask.MAIL: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._-+",
    Mask.PHONE: "0123456789-()+",
    Mask.POSTAL: "0123456789-",
    Mask.DATE: "0123456789年月日令和平成昭元/.-RH",
}


class SecondOpinion:
    """Holds both languages open, for a process of its own."""

    def __init__(self, japanese: Any, latin: Any) -> None:  # noqa: ANN401 - tesserocr ships no types
        self._japanese, self._latin = japanese, latin
        # Each language is an engine of its own, so the two can read side by side. The thread is started now: the walls
        # of a confined child may let no new one through.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="second opinion")
        self._beside.submit(int).result()

    def read_all(self, crops: Sequence[tuple[Pixels | Inside, Mask]]) -> list[str]:
        """The texts of some crops, in their order."""
        latin = [index for index, (_, mask) in enumerate(crops) if self._engine(mask) is self._latin]
        others = [index for index in range(len(crops)) if index not in set(latin)]
        beside = self._beside.submit(lambda: [self.read(*crops[index]) for index in latin])
        texts = dict(zip(others, [self.read(*crops[index]) for index in others], strict=True))
        texts |= dict(zip(latin, beside.result(), strict=True))
        return [texts[index] for index in range(len(crops))]

    def read(self, pixels: Pixels | Inside, mask: Mask) -> str:
        """The text of a crop as tesseract reads it, with the same corrections as the first reading."""
        lines = pixels.lines if isinstance(pixels, Inside) else lines_of(pixels)
        return correct(mask, "".join(self._read(line, mask) for line in lines).strip())

    def _engine(self, mask: Mask) -> Any:  # noqa: ANN401 - as above
        return self._japanese if mask in (Mask.JAPANESE, Mask.LABEL, Mask.ANY, Mask.DATE) else self._latin

    def _read(self, line: Line, mask: Mask) -> str:
        engine = self._engine(mask)
        image = cv2.copyMakeBorder(line.image, _MARGIN, _MARGIN, _MARGIN, _MARGIN, cv2.BORDER_CONSTANT, value=(250,))
        image = np.ascontiguousarray(image)
        engine.SetVariable("tessedit_char_whitelist", _WHITELISTS.get(mask, ""))
        engine.SetImageBytes(image.tobytes(), image.shape[1], image.shape[0], 1, image.shape[1])
        return str(engine.GetUTF8Text()).strip()


def open_second_opinion(places: Sequence[str] = _DATA) -> SecondOpinion | None:
    """Tesseract with Japanese and English; None where it is not installed or its data is not found in any place."""
    try:
        tesserocr = importlib.import_module("tesserocr")
    except ImportError:
        return None
    for place in places:
        try:
            return SecondOpinion(
                tesserocr.PyTessBaseAPI(path=place, lang=_JAPANESE, psm=_ONE_LINE),
                tesserocr.PyTessBaseAPI(path=place, lang=_LATIN, psm=_ONE_LINE),
            )
        except RuntimeError:
            continue
    return None


def agrees(mask: Mask, first: str, second: str) -> bool:
    """Whether two readings say the same: addresses and Latin text letter by letter, Japanese by its look, because both
    take 力 for カ at times and neither knows 髙; those letters are doubts of their own (`parsers.gate`)."""
    if mask in (Mask.JAPANESE, Mask.LABEL, Mask.ANY):
        return characters.fold_look(first) == characters.fold_look(second)
    return _plain(first) == _plain(second)


def _plain(text: str) -> str:
    return characters.drop_spaces(unicodedata.normalize("NFKC", text))
