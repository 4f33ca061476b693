"""Japanese fonts of this machine, and text measured and set with them.

The PDF form embeds the glyphs it uses, so it needs TrueType outlines that may be embedded: those of Debian's IPA, Takao
and VL packages are free. The first font found sets the text; a character it lacks (𠮷, ☑) is set in the next
that has it.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
"""Where Debian and an administrator put fonts."""

# In order of preference; the last is the one with the most characters of JIS X 0213 and beyond.
_FILES = ("ipaexg.ttf", "ipagp.ttf", "TakaoPGothic.ttf", "VL-PGothic-Regular.ttf", "VL-Gothic-Regular.ttf")


class FontError(ValueError):
    """No font can be used; the sentence names the package to install."""


class Typeface:
    """One or more fonts that stand in for each other, in the order given."""

    def __init__(self, fonts: Sequence[TTFont]) -> None:
        self._fonts = tuple(fonts)

    def missing(self, text: str) -> str:
        """The characters that no font has."""
        return "".join(dict.fromkeys(char for char in text if self._font_of(char) is None))

    def pieces(self, text: str) -> Iterator[tuple[str, str]]:
        """The text in pieces of one font each: name of the font, piece. A character that is missing becomes 〓."""
        shown = "".join(char if self._font_of(char) else "〓" for char in text)
        for font, chars in groupby(shown, key=lambda char: (self._font_of(char) or self._fonts[0]).fontName):
            yield font, "".join(chars)

    def width(self, text: str, size: float) -> float:
        """How wide the text is at that size, in points."""
        return sum(float(pdfmetrics.stringWidth(piece, font, size)) for font, piece in self.pieces(text))

    def fullest(self, text: str) -> TTFont:
        """The font that has the most of these characters."""
        return max(self._fonts, key=lambda font: sum(ord(char) in font.face.charToGlyph for char in text))

    def _font_of(self, char: str) -> TTFont | None:
        return next((font for font in self._fonts if ord(char) in font.face.charToGlyph), None)


def load_typeface(folders: Sequence[Path] = FOLDERS) -> Typeface:
    """The fonts found in these folders. FontError where there is none."""
    return _load(tuple(folders))


@cache
def _load(folders: tuple[Path, ...]) -> Typeface:
    found = {path.name: path for folder in folders for path in sorted(folder.rglob("*.ttf")) if path.name in _FILES}
    fonts = []
    for name in _FILES:
        if name in found:
            try:
                font = TTFont(f"Form-{Path(name).stem}", str(found[name]))
            except (TTFError, OSError) as error:
                raise FontError(f"{found[name]} cannot be used: {error}") from error
            # reportlab's canvas finds fonts by name in its own registry only.
            pdfmetrics.registerFont(font)
            fonts.append(font)
    if not fonts:
        raise FontError(
            "there is no Japanese TrueType font on this machine; install fonts-ipaexfont-gothic "
            "(and fonts-vlgothic for rare characters)"
        )
    return Typeface(fonts)


def broken_lines(face: Typeface, text: str, size: float, width: float) -> list[str]:
    """The text in lines that fit the width: broken where written, after a blank, or between Japanese characters."""
    return [line for paragraph in text.split("\n") for line in _broken(face, paragraph, size, width)]


def _broken(face: Typeface, text: str, size: float, width: float) -> Iterator[str]:
    line = ""
    for word in _words(text):
        if line and face.width((line + word).rstrip(), size) > width:
            yield line.rstrip()
            line = ""
        if not line and face.width(word.rstrip(), size) > width:
            *full, word = _chopped(face, word, size, width)  # noqa: PLW2901 - what is left of the word goes on
            yield from full
        line += word
    yield line.rstrip()


def _words(text: str) -> Iterator[str]:
    """Stretches that stay on one line: Latin words with the blank behind them, single Japanese characters."""
    word = ""
    for char in text:
        if char.isascii() and not char.isspace():
            word += char
        elif char.isspace():
            yield word + char
            word = ""
        else:
            if word:
                yield word
            yield char
            word = ""
    if word:
        yield word


def _chopped(face: Typeface, word: str, size: float, width: float) -> list[str]:
    parts, part = [], ""
    for char in word:
        if part and face.width(part + char, size) > width:
            parts.append(part)
            part = ""
        part += char
    return [*parts, part]
