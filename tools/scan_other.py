"""Scans of other making: forms that no spreadsheet drew, worn by other means, so that nothing here was tuned on.

Shares only names' rules, seals and truth with `tools.make_scans`. The page is drawn by Pillow in one of three
arrangements with the form's own labels or their synonyms, then photographed, faxed, photocopied or scanned by
Pillow's filters, and put into a PDF by reportlab. The `profile` of the truth names which.
"""

import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from config import forms, request_types
from config.forms import Form
from config.request_types import Table
from parsers.cells import Cell, Run
from parsers.reading import Box
from tools.scan_people import Filled, make_filled, world
from tools.scan_seals import Stamp, make_stamps

_DPI = 300
_MM = _DPI / 25.4
_FONTS = "/usr/share/fonts"
_FACES = (
    (f"{_FONTS}/opentype/mplus/Mplus2-Regular.otf", 0),
    (f"{_FONTS}/opentype/ipaexfont-mincho/ipaexm.ttf", 0),
    (f"{_FONTS}/opentype/ipafont-gothic/ipagp.ttf", 0),
    (f"{_FONTS}/opentype/noto/NotoSansCJK-Regular.ttc", 0),
)
ARRANGEMENTS = ("bands", "columns", "list")
MEANS = ("office", "halftone", "fax", "photo")


@dataclass
class Sheet:
    """A page being drawn, in millimetres from its top left; remembers its cells."""

    face: tuple[str, int]
    image: Image.Image = field(default_factory=lambda: Image.new("RGB", (round(210 * _MM), round(297 * _MM)), "white"))
    cells: list[tuple[Box, str]] = field(default_factory=list)
    places: dict[str, Box] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pen = ImageDraw.Draw(self.image)

    def font(self, text: str, points: int) -> ImageFont.FreeTypeFont:
        """The sheet's font, or another for a text with a letter that it lacks."""
        face = next(
            (each for each in (self.face, *_FACES[2:]) if all(has_letter(each, char) for char in text)), self.face
        )
        return ImageFont.truetype(face[0], points, index=face[1])

    def text(self, x: float, y: float, text: str, size: float) -> None:
        font = self.font(text, round(size / 72 * _DPI))
        self.pen.text((x * _MM, y * _MM), text, font=font, fill=(20, 20, 20))

    def cell(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str = "",
        key: str = "",
        fill: str = "",
        size: float = 9,
    ) -> None:
        """A ruled cell; text that is too wide for it is written smaller."""
        box = (x * _MM, y * _MM, (x + width) * _MM, (y + height) * _MM)
        self.pen.rectangle(box, fill=fill or None, outline=(30, 30, 30), width=3)
        points = round(size / 72 * _DPI)
        while points > 18:
            font = self.font(text, points)
            if font.getlength(text) <= (width - 3) * _MM:
                break
            points -= 1
        if text:
            self.pen.text((box[0] + 1.5 * _MM, (box[1] + box[3]) / 2), text, font=font, fill=(20, 20, 20), anchor="lm")
        place = Box(*(round(edge / _DPI * 72, 1) for edge in box))
        self.cells.append((place, text))
        if key:
            self.places[key] = place

    def tick(self, x: float, y: float, height: float, key: str, style: str, *, ticked: bool) -> None:
        """A narrow cell with a mark that is drawn: a box with or without a hook, or a hook alone."""
        self.cell(x, y, 8, height, key=key)
        self.cells[-1] = (self.cells[-1][0], "☑" if ticked else "□")
        left, top, side = (x + 2.5) * _MM, (y + 1.4) * _MM, (height - 2.8) * _MM
        if style == "box":
            self.pen.rectangle((left, top, left + side, top + side), outline=(30, 30, 30), width=3)
        if ticked:
            hook = [(left + side * a, top + side * b) for a, b in ((0.15, 0.5), (0.42, 0.85), (1.05, -0.05))]
            self.pen.line(hook, fill=(20, 20, 20), width=6, joint="curve")

    def as_cells(self) -> list[Cell]:
        """What a reading that makes no mistakes would find."""
        return [Cell(box, (Run(text, box, 9),) if text else ()) for box, text in self.cells]


@cache
def has_letter(face: tuple[str, int], char: str) -> bool:
    """Whether the font draws the letter as other than a letter it lacks."""
    font = ImageFont.truetype(face[0], 40, index=face[1])
    return char.isspace() or bytes(font.getmask(char)) != bytes(font.getmask("\U0010fff0"))


def make_other(number: int, seed: int, classes: Sequence[tuple[Path, int | None, str | None]]) -> None:
    """Make the scan of that number, with its truth."""
    from tools.make_scans import tell_truth  # noqa: PLC0415 - which imports this module in its turn

    rng, table = Random(f"other {seed} {number}"), request_types.load()
    filled = make_filled(rng, world("other"), table)
    sheet = draw(rng, filled, forms.form(filled.version), table, ARRANGEMENTS[number % len(ARRANGEMENTS)])
    day = f"{filled.received_on:%y.%m.%d}"
    stamps = make_stamps(rng, world="other", company=filled.company.name, surname=filled.surname, day=day, dpi=_DPI)
    means = MEANS[number // len(ARRANGEMENTS) % len(MEANS)]
    for stamp in stamps:
        _stamp(sheet, stamp, plain=means in ("fax", "halftone"))
    for folder, dpi, _ in classes:
        resolution = dpi or rng.choice((200, 300))
        scan = {"office": _office, "halftone": _halftone, "fax": _fax, "photo": _photo}[means](sheet.image, rng)
        scan = (
            scan.resize([round(side * resolution / _DPI) for side in scan.size], Image.Resampling.BOX)
            if scan.mode != "1"
            else scan
        )
        (folder / f"{number:04d}.pdf").write_bytes(_pdf(scan, 45 + rng.randint(0, 40)))
        truth = tell_truth(filled, table) | {"seal": stamps[0].verdict}
        about = {
            "profile": means,
            "dpi": 200 if scan.mode == "1" else resolution,
            "colour": {"1": "bitonal", "L": "grey", "RGB": "colour"}[scan.mode],
            "arrangement": ARRANGEMENTS[number % len(ARRANGEMENTS)],
            "font": Path(sheet.face[0]).stem,
            "seal_kind": stamps[0].kind,
            "seal_faint": stamps[0].faint,
            "seal_over": stamps[0].over,
        }
        told: dict[str, Any] = {
            "received_on": filled.received_on.isoformat(),
            "applications": [truth],
            "problems": [],
            "written": {key: str(value) for key, value in filled.values.items()},
            "scan": about,
        }
        text = json.dumps(told, ensure_ascii=False, indent=1)
        (folder / f"{number:04d}.json").write_text(text + "\n", "utf-8")


# --- the form


def draw(rng: Random, filled: Filled, form: Form, table: Table, arrangement: str) -> Sheet:
    """The filled form in one of the arrangements."""
    sheet = Sheet(rng.choice(_FACES))
    sheet.text(150, 7, form.mark, 8.5)
    sheet.text(55, 13, form.titles[0], 15)
    left, width, y, high = rng.uniform(12, 17), 178.0, 26.0, rng.uniform(6.4, 7.2)
    label, ground = rng.uniform(32, 40), rng.choice(("#e8eef4", "#eeeeee", "", "#f3ecd8"))
    pick = lambda labels: rng.choice(labels) if rng.random() < 0.5 else labels[0]  # noqa: E731
    written, style = _writer(filled), rng.choice(("box", "box", "bare"))

    def row(parts: Sequence[tuple[str, str]], x: float, y: float, width: float) -> None:
        each = width / len(parts)
        for number, (text, key) in enumerate(parts):
            start, narrow = x + number * each, label if len(parts) == 1 else label * 0.72
            sheet.cell(start, y, narrow, high, text, fill=ground)
            fill = "#fffbd0" if written(key) and ground else ""
            sheet.cell(start + narrow, y, each - narrow, high, written(key), key, fill, 10)

    row(
        [(form.request_type_labels[0], "request_type"), (form.label("application_date"), "application_date")],
        left,
        y,
        width,
    )
    y += high + 3
    for block in table.blocks:
        keys = [r.key for r in block.rows]
        names = [(pick(form.field_labels[key.partition(".")[2]]), key) for key in keys]
        seal = block.key == "applicant"
        inner = width - 42 if seal else width
        if arrangement == "list":
            x, space = left + 24, inner - 24
            lines = [[each] for each in names]
            sheet.cell(left, y, 24, high * len(lines), form.block_labels[block.key][0], fill=ground, size=8)
        else:
            sheet.cell(left, y, inner, high, form.block_labels[block.key][0], fill=ground)
            y += high
            x, space = left, inner
            two = arrangement == "columns" and seal
            # Company, title, telephone beside each other; address and mail address need the whole width.
            lines = (
                [names[0:2], names[2:4], [names[4], names[6]], [names[5]], [names[7]]]
                if two
                else [[each] for each in names]
            )
        top = y
        for line in lines:
            row(line, x, y, space)
            y += high
        if seal:
            sheet.cell(left + inner + 2, top, 40, high, form.seal_labels[0], fill=ground, size=8)
            sheet.cell(left + inner + 2, top + high, 40, 34, key="seal")
            y = max(y, top + high + 34)
        y += 1.6
    if form.has_wished_date:
        sheet.cell(left, y, 62, high, form.label(forms.WISHED_DATE), fill=ground)
        sheet.cell(left + 62, y, 60, high, written(forms.WISHED_DATE), forms.WISHED_DATE, size=10)
        y += high + 1.6
    for confirmation in table.confirmations:
        sheet.tick(left, y, 5.8, confirmation.key, style, ticked=bool(filled.values.get(confirmation.key)))
        sheet.cell(left + 8, y, width - 8, 5.8, form.label(confirmation.key), size=8.5)
        y += 5.8
    y += 1.6
    sheet.cell(left, y, 24, 11, form.label("remarks"), fill=ground)
    sheet.cell(left + 24, y, width - 24, 11, written("remarks"), "remarks", size=9.5)
    return sheet


def _writer(filled: Filled) -> Any:  # noqa: ANN401 - a function of a key
    def written(key: str) -> str:
        value = filled.values.get(key, "")
        return f"{value.year}年{value.month}月{value.day}日" if hasattr(value, "year") else str(value)

    return written


def _stamp(sheet: Sheet, stamp: Stamp, *, plain: bool) -> None:
    """Multiply the ink onto the sheet, beside the middle of the seal box.

    `plain`: in dark red and not faint. Anything else leaves nothing in black and white: nobody could say it is there.
    """
    strength = 1 / (1 - stamp.faint) if plain else 1.0
    colour = tuple(value // 2 for value in stamp.colour) if plain else stamp.colour
    box = sheet.places["seal"]
    x = round((box.x0 + box.x1) / 2 / 72 * _DPI + stamp.shift[0] * _MM - stamp.ink.shape[1] / 2)
    y = round((box.y0 + box.y1) / 2 / 72 * _DPI + stamp.shift[1] * _MM - stamp.ink.shape[0] / 2)
    mask = Image.fromarray(np.minimum(stamp.ink * strength * 255, 255).astype(np.uint8), "L")
    layer = Image.new("RGB", sheet.image.size, "white")
    layer.paste(colour, (max(0, x), max(0, y)), mask)
    sheet.image.paste(ImageChops.multiply(sheet.image, layer))


# --- the machines


def _office(image: Image.Image, rng: Random) -> Image.Image:
    """A cheap flat-bed: soft, a little crooked, strong contrast."""
    turned = image.rotate(rng.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, fillcolor=(250, 250, 247))
    soft = turned.filter(ImageFilter.BoxBlur(rng.uniform(0.4, 1.3)))
    return ImageEnhance.Contrast(_noisy(soft, rng, 9)).enhance(rng.uniform(0.9, 1.25))


def _halftone(image: Image.Image, rng: Random) -> Image.Image:
    """A photocopy: greys become dots of an ordered screen, then it is scanned grey."""
    grey = image.convert("L").filter(ImageFilter.GaussianBlur(0.8))
    screen = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16
    big = np.kron(screen, np.ones((2, 2)))
    pixels = np.asarray(grey, dtype=np.int16)
    tiled = np.tile(big, (pixels.shape[0] // 8 + 1, pixels.shape[1] // 8 + 1))[: pixels.shape[0], : pixels.shape[1]]
    # A copier prints what is darker than the screen; very light grounds are left out.
    dots = Image.fromarray(np.where(pixels > tiled * 0.88, 255, 25).astype(np.uint8), "L")
    soft = dots.filter(ImageFilter.GaussianBlur(rng.uniform(1.0, 1.5)))
    return _noisy(soft.rotate(rng.uniform(-1, 1), Image.Resampling.BICUBIC, fillcolor=255), rng, 6)


def _fax(image: Image.Image, rng: Random) -> Image.Image:
    """Fine fax, some 200 lines an inch in black and white; greys are scattered dots."""
    grey = image.convert("L").rotate(rng.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor=255)
    small = grey.resize([round(side * 200 / _DPI) for side in grey.size], Image.Resampling.BILINEAR)
    bright = ImageEnhance.Brightness(small).enhance(rng.uniform(1.05, 1.2))
    black = bright.convert("1", dither=Image.Dither.FLOYDSTEINBERG if rng.random() < 0.5 else Image.Dither.NONE)
    pen = ImageDraw.Draw(black)
    for _ in range(rng.randint(0, 3)):
        y = rng.randrange(black.height)
        pen.line((0, y, black.width, y), fill=255)
    return black


def _photo(image: Image.Image, rng: Random) -> Image.Image:
    """A telephone over a desk: perspective, a shadow, the desk around the sheet, warm light."""
    width, height = image.size
    inset = [(rng.uniform(0.01, 0.05) * width, rng.uniform(0.01, 0.05) * height) for _ in range(4)]
    corners = [
        (inset[0][0], inset[0][1]),
        (width - inset[1][0], inset[1][1]),
        (width - inset[2][0], height - inset[2][1]),
        (inset[3][0], height - inset[3][1]),
    ]
    matrix = _perspective(corners, [(0, 0), (width, 0), (width, height), (0, height)])
    desk = rng.choice(((92, 74, 58), (60, 62, 66), (150, 140, 128)))
    seen = image.transform(image.size, Image.Transform.PERSPECTIVE, matrix, Image.Resampling.BICUBIC, fillcolor=desk)
    angle = rng.uniform(0, 2 * math.pi)
    xs, ys = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 90))
    light = 235 - 45 * (np.cos(angle) * xs + np.sin(angle) * ys) - 25 * (xs**2 + ys**2)
    shade = Image.fromarray(np.clip(light, 90, 255).astype(np.uint8), "L").resize(image.size, Image.Resampling.BICUBIC)
    warm = Image.merge("RGB", [shade, shade.point(lambda v: round(v * 0.98)), shade.point(lambda v: round(v * 0.93))])
    return _noisy(ImageChops.multiply(seen, warm).filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.1))), rng, 7)


def _perspective(source: Sequence[tuple[float, float]], target: Sequence[tuple[float, float]]) -> list[float]:
    """The eight numbers by which Pillow finds, for each point of the result (`source`), its point on the page."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows), np.array(wanted))]


def _noisy(image: Image.Image, rng: Random, level: float) -> Image.Image:
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, level, (image.height, image.width))
    pixels = np.asarray(image, dtype=np.float32)
    added = noise[:, :, None] if pixels.ndim == 3 else noise
    return Image.fromarray(np.clip(pixels + added, 0, 255).astype(np.uint8), image.mode)


def _pdf(image: Image.Image, quality: int) -> bytes:
    packed = io.BytesIO()
    if image.mode == "1":
        image.save(packed, "PNG")
    else:
        image.save(packed, "JPEG", quality=quality)
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.drawImage(ImageReader(packed), 0, 0, *A4)
    canvas.save()
    return out.getvalue()


def missing(number: int, seed: int) -> Iterator[str]:
    """Which parts a reading would not find by the labels even if it read every letter right; none should be named."""
    from parsers.labels import find_parts, vocabulary  # noqa: PLC0415 - only the self-check needs them

    rng, table = Random(f"other {seed} {number}"), request_types.load()
    filled = make_filled(rng, world("other"), table)
    form = forms.form(filled.version)
    sheet = draw(rng, filled, form, table, ARRANGEMENTS[number % len(ARRANGEMENTS)])
    grid = find_parts(sheet.as_cells(), vocabulary(form), table)
    for key, place in sheet.places.items():
        if key in grid.values and grid.values[key].box != place:
            yield f"{key} elsewhere"
        elif key == "seal":
            if grid.seal_cell is None or grid.seal_cell.box != place:
                yield key
        elif key in form.field_keys(table) and key not in grid.values:
            yield key
