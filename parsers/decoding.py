"""Probabilities of a recogniser → text, with only the letters that the kind of a field allows.

Pure. The recogniser gives, column by column, how likely each letter of its alphabet is, or none (CTC, Graves 2006).
The letters a field can hold are a small part of that alphabet: taking only those turns many a wrong guess into the
right one, and letters that differ in width alone are counted together.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from parsers.normalise import Kind, kind_of

Probabilities = NDArray[np.float32]

# The first class of the recogniser is "no letter".
BLANK = 0
# Below this share of letters that the mask knows, the field holds something else than its kind; it is read freely.
_FOREIGN = 0.45
# Letters kept beside each one read, for those who weigh a look-alike.
_ALTERNATIVES = 4
_TINY = 1e-12


class Mask(StrEnum):
    """Which letters a crop may hold."""

    LABEL = "label"
    JAPANESE = "japanese"
    ENGLISH = "english"
    MAIL = "mail"
    PHONE = "phone"
    POSTAL = "postal"
    DATE = "date"
    ANY = "any"


_OF_KIND = {
    Kind.NAME: Mask.JAPANESE,
    Kind.TEXT: Mask.JAPANESE,
    Kind.ENGLISH: Mask.ENGLISH,
    Kind.MAIL: Mask.MAIL,
    Kind.PHONE: Mask.PHONE,
    Kind.POSTAL_CODE: Mask.POSTAL,
    Kind.DATE: Mask.DATE,
}


def mask_of(key: str) -> Mask:
    """The mask of a field by its name (`user.name_en`, `application_date`)."""
    return _OF_KIND[kind_of(key)]


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter that was read: how likely it is, the columns of the recogniser it spans (`start` to `end`, the first
    one after it), and what else it might be, most likely first, itself included."""

    char: str
    probability: float
    start: int
    end: int
    alternatives: tuple[tuple[str, float], ...] = ()


_DIGITS = "0123456789"
_LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ASCII = "".join(map(chr, range(0x20, 0x7F)))
_LETTERS = {
    Mask.ENGLISH: _ASCII,
    # What stands between two addresses is allowed, so that two of them are seen to be two.
    Mask.MAIL: _DIGITS + _LATIN + "@._-+%<>,; ",
    Mask.PHONE: _DIGITS + "-()+ 内線代表携帯直通",
    Mask.POSTAL: _DIGITS + "-〒 ",
    Mask.DATE: _DIGITS + "年月日令和平成昭大正明治元/.-RHS()西暦曜火水木金土末迄付なし未定特に ",
}
_MARKS = "□☐☑✓✔■●○☒※①②③④⑤⑥⑦⑧⑨〒㈱㈲々〆ヶ〇・ー"
# Japanese text has no use for these, but they look like letters that it has.
_ALIEN = ("GREEK", "CYRILLIC", "BOX DRAWINGS", "HANGUL", "ARABIC", "THAI")


def _is_japanese(char: str) -> bool:
    if char in _MARKS:
        return True
    try:
        char.encode("cp932")
    except UnicodeEncodeError:
        return False
    return not unicodedata.name(char, "").startswith(_ALIEN)


def _fold(char: str) -> str:
    """The letter whose class counts for this one: itself, or the one that differs in width alone."""
    if char == "\u3000":
        return " "
    if char in "－‐‑–—−":
        return "-"
    name = unicodedata.name(char, "")
    if name.startswith(("FULLWIDTH", "HALFWIDTH")):
        return unicodedata.normalize("NFKC", char)
    return char


class Alphabet:
    """The letters of the recogniser in the order of its classes, and the masks over them."""

    def __init__(self, characters: Sequence[str]) -> None:
        self._characters = tuple(characters)
        self._choices = lru_cache(maxsize=None)(self._choose)
        self._columns = lru_cache(maxsize=None)(self._place)

    def __len__(self) -> int:
        return len(self._characters)

    def letters(self, mask: Mask) -> str:
        """The letters that can come out under a mask, in the order of `narrow`'s columns after the first."""
        return self._choices(mask)[3]

    def narrow(self, probabilities: Probabilities, mask: Mask) -> Probabilities:
        """Columns × (blank and the letters of the mask), not normalised: what is missing to 1 are other letters."""
        first, more, owners, _ = self._choices(mask)
        narrowed: Probabilities = np.take(probabilities, first, axis=1)
        # Few letters have a second class; adding those up one by one takes a quarter of the time of sums of them all.
        further = probabilities[:, more]
        for index, owner in enumerate(owners):
            narrowed[:, owner] += further[:, index]
        return narrowed

    def select(self, whole: Probabilities, mask: Mask) -> Probabilities:
        """The columns of a mask out of those of `Mask.ANY`, which holds the letters of every other and of those without
        letters of their own the same."""
        if mask not in _LETTERS:
            return whole
        return whole[:, self._columns(mask)]

    def _place(self, mask: Mask) -> NDArray[np.intp]:
        among = {char: index for index, char in enumerate(self.letters(Mask.ANY), 1)}
        return np.array([BLANK, *(among[char] for char in self.letters(mask))], dtype=np.intp)

    def _choose(self, mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[int, ...], str]:
        """The blank and the first class of each letter; the further classes, with the column each counts for; and the
        letters."""
        allowed = _LETTERS.get(mask)
        classes: dict[str, list[int]] = {}
        for index, char in enumerate(self._characters):
            if index == BLANK or len(char) != 1:
                continue
            folded = _fold(char)
            if len(folded) == 1 and (folded in allowed if allowed else _is_japanese(folded)):
                classes.setdefault(folded, []).append(index)
        further = [(index, at) for at, indices in enumerate(classes.values(), 1) for index in indices[1:]]
        return (
            np.array([BLANK, *(indices[0] for indices in classes.values())], dtype=np.intp),
            np.array([index for index, _ in further], dtype=np.intp),
            tuple(at for _, at in further),
            "".join(classes),
        )


def decode(alphabet: Alphabet, whole: Probabilities, mask: Mask) -> list[Letter]:
    """The most likely letters, each the best class of its run of columns; blanks between are kept as letters.

    `whole` is what `Alphabet.narrow` gives for `Mask.ANY`.

    Where most of what stands there is foreign to the mask, as kanji in a field for Latin letters, it is read freely, so
    that staff see what was written and not what it would be if it were Latin.
    """
    narrowed = alphabet.select(whole, mask)
    if mask not in (Mask.ANY, Mask.LABEL, Mask.JAPANESE) and _is_foreign(narrowed):
        mask, narrowed = Mask.ANY, whole
    return _best_path(narrowed, alphabet.letters(mask))


def _is_foreign(narrowed: Probabilities) -> bool:
    written = narrowed[:, 0] < 0.5
    if not written.any():
        return False
    known = narrowed[written, 1:].sum(axis=1) / (1 - narrowed[written, 0])
    return bool(known.mean() < _FOREIGN)


def _best_path(narrowed: Probabilities, letters: str) -> list[Letter]:
    best = narrowed.argmax(axis=1)
    found: list[Letter] = []
    start = 0
    for end in range(1, len(best) + 1):
        if end < len(best) and best[end] == best[start]:
            continue
        if best[start] != 0:
            found.append(_letter(narrowed, letters, start, end))
        start = end
    return found


def _letter(narrowed: Probabilities, letters: str, start: int, end: int) -> Letter:
    peak = start + int(narrowed[start:end, 1:].max(axis=1).argmax())
    row = narrowed[peak, 1:]
    top = np.argpartition(row, -_ALTERNATIVES)[-_ALTERNATIVES:] if len(row) > _ALTERNATIVES else np.arange(len(row))
    ranked = sorted(((letters[index], float(row[index])) for index in top), key=lambda pair: -pair[1])
    return Letter(ranked[0][0], min(1.0, ranked[0][1]), start, end, tuple(ranked))


def score(alphabet: Alphabet, whole: Probabilities, words: Sequence[str]) -> list[float]:
    """For each word the logarithm of its probability, divided by its length, so that long words are not worse.

    `whole` is what `Alphabet.narrow` gives for `Mask.ANY`.

    A word with a letter that the alphabet does not have is as unlikely as can be.
    """
    logs = np.log(np.maximum(whole, _TINY))
    letters = alphabet.letters(Mask.ANY)
    return [_forward(logs, [letters.find(_fold(char)) + 1 for char in word]) for word in words]


def likeliest(scores: Mapping[str, float], meanings: Mapping[str, object], *, least: float, lead: float) -> str | None:
    """The word with the best score, where it has at least `least` and leads every word of another meaning by `lead`."""
    best = max(scores, key=lambda word: scores[word])
    others = [score for word, score in scores.items() if meanings[word] != meanings[best]]
    clear = scores[best] >= least and scores[best] - max(others, default=-np.inf) >= lead
    return best if clear else None


def _forward(logs: NDArray[np.float32], labels: Sequence[int]) -> float:
    """The CTC forward sum of one word (Graves 2006, 4.1), in logarithms."""
    if not labels or 0 in labels or not len(logs):
        return float(np.log(_TINY))
    extended = np.zeros(2 * len(labels) + 1, dtype=np.intp)
    extended[1::2] = labels
    emitted = logs[:, extended].astype(np.float64)
    # A letter may follow the one before it without a blank between, unless it is the same letter.
    skips = np.zeros(len(extended), dtype=bool)
    skips[3::2] = extended[3::2] != extended[1:-2:2]
    forward = np.full(len(extended), -np.inf)
    forward[:2] = emitted[0, :2]
    for column in emitted[1:]:
        one = np.concatenate(([-np.inf], forward[:-1]))
        two = np.where(skips, np.concatenate(([-np.inf, -np.inf], forward[:-2])), -np.inf)
        forward = np.logaddexp(np.logaddexp(forward, one), two) + column
    total = float(np.logaddexp(forward[-1], forward[-2]))
    return max(total / len(labels), float(np.log(_TINY)))
