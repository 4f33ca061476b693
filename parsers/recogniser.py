"""The recogniser: crops of cells → text, letter by letter with probabilities.

Runs the recognition model of PP-OCRv6 (Apache-2.0) that comes inside the rapidocr wheel, by onnxruntime and with our
own reading of its output (`parsers.decoding`); nothing else of that wheel is used (docs/decisions/0011-recognition.md).

Trusts the model file, which the lock file pins by its hash. Promises a Recognised for any pixels. Weak: probabilities
are not what they say, and a dropped letter leaves no trace in them; `parsers.gate` decides what a reading is worth.
"""

import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Barrier
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parsers import decoding
from parsers.cells import join_lines
from parsers.corrections import correct
from parsers.decoding import Alphabet, Letter, Mask, Probabilities, mask_of
from parsers.ink import Span
from parsers.inside import Inside
from parsers.lines import HEIGHT, Line, flat_marks, lines_of
from parsers.picture import Pixels
from parsers.variants import GROUP_OF, RINGED, SETTLED, SURER, load_variants

__all__ = ["Crop", "Glyph", "Mask", "Recognised", "Recogniser", "mask_of"]

_MODEL = "models/PP-OCRv6_rec_small.onnx"
# Each column of the model's output stands for so many of a prepared line.
_STRIDE = 8
# Widths are rounded up to this, so that onnxruntime plans its memory for few different shapes.
_STEP = 32


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """The inside of a cell and the letters it may hold. `lines`: it may hold several lines of text."""

    pixels: Pixels | Inside
    mask: Mask
    lines: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Signal:
    """A line of text and what the model sees in it, for the letters of `Mask.ANY`."""

    line: Line
    whole: Probabilities


@dataclass(frozen=True, slots=True)
class Glyph:
    """One letter, its probability, its place in the crop in pixels, and what else it might be."""

    char: str
    probability: float
    place: Span
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Recognised:
    """The text of a crop, by its mask's rules of writing; `confidence` is the probability of its least sure letter, 1
    where there is no ink at all. `settled` are the letters with variants that were told by their shape wherever they
    stand; `doubts` say what of the ink the text does not account for."""

    text: str
    confidence: float
    glyphs: tuple[Glyph, ...] = ()
    settled: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()


class Recogniser:
    """Holds the model. `threads` lines are looked at side by side; one recogniser serves one caller at a time."""

    def __init__(self, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Memory is given back after each line: widths vary, and an arena would keep the widest of all for ever.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(str(_model()), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        characters = self._session.get_modelmeta().custom_metadata_map["character"].split("\n")
        self._variants = load_variants()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="recogniser")
        # Started now: the walls of a confined child may let no new thread through.
        list(self._pool.map(_meet, [Barrier(threads, timeout=30)] * threads))
        # PaddleOCR: class 0 is the blank of CTC, the last one the space.
        self._alphabet = Alphabet(["", *(char for char in characters if char), " "])

    def read(self, crops: Sequence[Crop]) -> list[Recognised]:
        """The text of each crop, in their order."""
        return [self._read(crop, signals) for crop, signals in zip(crops, self._look(crops), strict=True)]

    def score(self, crop: Crop, words: Sequence[str]) -> list[float]:
        """For each word how likely it is what stands in the crop: the logarithm of its probability per letter."""
        [signals] = self._look([crop])
        if not signals:
            return [float("-inf")] * len(words)
        return decoding.score(self._alphabet, np.concatenate([signal.whole for signal in signals]), words)

    def _look(self, crops: Sequence[Crop]) -> list[list[_Signal]]:
        """What the model sees in each crop. The inside of a cell is looked at once, whatever its letters are taken for:
        this is the dearest step of a page, and which part of the form a cell is shows only after a first reading.

        Lines are looked at side by side: one line keeps one core busy, but hardly two.
        """
        known = [_known(crop) for crop in crops]
        lines = [[] if found is not None else _lines(crop) for crop, found in zip(crops, known, strict=True)]
        seen = iter(self._signals([line for each in lines for line in each]))
        result = []
        for crop, found, own in zip(crops, known, lines, strict=True):
            signals = found if found is not None else list(islice(seen, len(own)))
            if isinstance(crop.pixels, Inside):
                crop.pixels.signals[crop.lines] = signals
            result.append(signals)
        return result

    def _signals(self, lines: Sequence[Line]) -> list[_Signal]:
        """What the model sees in each line. The longest go first: begun last, one would keep a thread at work alone."""
        order = sorted(range(len(lines)), key=lambda index: -lines[index].image.shape[1])
        seen = dict(zip(order, self._pool.map(self._signal, [lines[index] for index in order]), strict=True))
        return [seen[index] for index in range(len(lines))]

    def _signal(self, line: Line) -> _Signal:
        return _Signal(line, self._alphabet.narrow(self._probabilities(line), Mask.ANY))

    def _read(self, crop: Crop, signals: Sequence[_Signal]) -> Recognised:
        texts: list[str] = []
        glyphs: list[Glyph] = []
        settled: set[str] = set()
        unsettled: set[str] = set()
        doubts: list[str] = []
        for signal in signals:
            line = signal.line
            letters = decoding.decode(self._alphabet, signal.whole, crop.mask)
            if crop.mask is Mask.JAPANESE:
                letters = [self._told_apart(line, letter) for letter in _without_twins(letters)]
                for letter in letters:
                    if letter.char in GROUP_OF:
                        (settled if letter.probability >= SETTLED else unsettled).add(letter.char)
            text = "".join(letter.char for letter in letters)
            if crop.mask is Mask.MAIL and flat_marks(line) != _flat_letters(correct(crop.mask, text)):
                doubts.append("lost_mark")
            texts.append(text)
            glyphs.extend(_glyph(line, letter) for letter in letters)
        written = [glyph.probability for glyph in glyphs if not glyph.char.isspace()]
        return Recognised(
            correct(crop.mask, join_lines(text.strip() for text in texts)),
            min(written, default=1.0),
            tuple(glyphs),
            frozenset(settled - unsettled),
            tuple(dict.fromkeys(doubts)),
        )

    def _told_apart(self, line: Line, letter: Letter) -> Letter:
        """The letter, or its variant where the shape says so surely; where it does not, how likely the letter is."""
        if letter.char not in GROUP_OF:
            return letter
        char, likely = self._variants.choose(line.image, (letter.start + letter.end) / 2 * _STRIDE, letter.char)
        if likely >= (SETTLED if char == letter.char or letter.char not in RINGED else SURER):
            return replace(letter, char=char, probability=likely)
        # Two that disagree, or one that does not know: the letter stays, with a doubt.
        return replace(letter, probability=min(letter.probability, likely if char == letter.char else 0.5))

    def _probabilities(self, line: Line) -> Probabilities:
        wanted = (line.image.shape[1] + _STEP - 1) // _STEP * _STEP
        padded = np.full((HEIGHT, wanted), 255, dtype=np.uint8)
        padded[:, : line.image.shape[1]] = line.image
        plane = padded.astype(np.float32) / 127.5 - 1
        batch: NDArray[np.float32] = np.ascontiguousarray(np.broadcast_to(plane, (1, 3, *plane.shape)))
        result: Probabilities = self._session.run(None, {self._input: batch})[0][0]
        return result


def _meet(barrier: Barrier) -> None:
    """Wait until every thread of the pool is there, so that each of them has been started."""
    barrier.wait()


def _known(crop: Crop) -> list[_Signal] | None:
    """What has been seen in the inside of a cell before."""
    if not isinstance(crop.pixels, Inside):
        return None
    return cast("list[_Signal] | None", crop.pixels.signals.get(crop.lines))


def _lines(crop: Crop) -> list[Line]:
    if not isinstance(crop.pixels, Inside):
        return lines_of(crop.pixels, several=crop.lines)
    return crop.pixels.lines if crop.lines else crop.pixels.as_one_line()


def _model() -> Path:
    """The model file, found without importing its package, whose import loads a whole pipeline."""
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("rapidocr, which carries the recognition model, is not installed")
    return Path(spec.submodule_search_locations[0], _MODEL)


def _without_twins(letters: Sequence[Letter]) -> list[Letter]:
    """A letter the recogniser wavers on comes out twice within its width, as one variant and then the other."""
    kept: list[Letter] = []
    for letter in letters:
        group = GROUP_OF.get(letter.char)
        if kept and group and group is GROUP_OF.get(kept[-1].char) and letter.start - kept[-1].end <= 1:
            likelier = max(kept[-1], letter, key=lambda each: each.probability)
            kept[-1] = replace(likelier, start=kept[-1].start, end=letter.end)
        else:
            kept.append(letter)
    return kept


def _flat_letters(text: str) -> tuple[int, int]:
    return text.count("_"), text.count("-")


def _glyph(line: Line, letter: Letter) -> Glyph:
    place = line.span(letter.start * _STRIDE, letter.end * _STRIDE)
    return Glyph(letter.char, letter.probability, place, letter.alternatives)
