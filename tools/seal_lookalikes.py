"""What stands in and near seal boxes without being a seal: printed marks, notes, stamps of others, dirt."""

import math

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tools.seal_designs import GOTHIC, PIXELS, REDS, dater, worn
from tools.seal_forms import HEIGHT, WIDTH, Sheet

NO_SEALS = (
    "nothing", "printed_mark", "ringed_mark", "red_mark", "required", "specimen", "copy_framed", "logo", "receipt",
    "correction", "highlighter", "red_lines", "dirt", "punch", "fold", "bleed", "signature", "scribble", "red_circle",
    "cut",
)  # fmt: skip


class SheetWithout(Sheet):
    """A form without a seal."""

    def put_no_seal(self) -> dict[str, object]:
        # Every third page has nothing at all, the others one thing each that may mislead.
        kind = "nothing" if self.draw.random() < 0.3 else self.draw.choice(NO_SEALS)
        getattr(self, f"_no_seal_{kind}")()
        return {"kind": kind}

    def _spot(self, wide: float, high: float) -> tuple[float, float]:
        left, top, right, bottom = self.cell
        return self.draw.uniform(left + 1, max(right - wide - 1, left + 1)), self.draw.uniform(
            top + 1, max(bottom - high - 1, top + 1)
        )

    def _no_seal_nothing(self) -> None:
        pass

    def _no_seal_printed_mark(self) -> None:
        x, y = self._spot(6, 6)
        self.text(
            x,
            y,
            self.draw.choice(("印", "㊞")),
            self.draw.choice((3.5, 5.0)),
            self.draw.choice(("black", (150, 150, 150))),
        )

    def _ringed(self, colour: object, size: float) -> None:
        x, y = self._spot(size, size)
        self.pen.ellipse(
            [value * PIXELS for value in (x, y, x + size, y + size)], outline=colour, width=self.draw.choice((3, 5, 8))
        )
        self.text(x + size * 0.25, y + size * 0.22, "印", size * 0.5, colour)

    def _no_seal_ringed_mark(self) -> None:
        self._ringed(self.draw.choice(("black", (130, 130, 130))), self.draw.uniform(6, 12))

    def _no_seal_red_mark(self) -> None:
        if self.draw.random() < 0.5:
            self._ringed(self.draw.choice(REDS), self.draw.uniform(5, 12))
        else:
            x, y = self._spot(8, 8)
            self.text(x, y, self.draw.choice(("印", "㊞", "社印")), self.draw.uniform(4, 8), self.draw.choice(REDS))

    def _no_seal_required(self) -> None:
        x, y = self._spot(14, 8)
        self.text(
            x,
            y,
            self.draw.choice(("必須", "要押印", "※必須", "押印のこと")),
            self.draw.uniform(3, 6.5),
            self.draw.choice(REDS),
        )

    def _no_seal_specimen(self) -> None:
        x, y = self._spot(20, 12)
        self.text(
            x,
            y,
            self.draw.choice(("見本", "COPY", "写", "控")),
            self.draw.uniform(6, 14),
            self.draw.choice(REDS),
            told=self.draw.random() < 0.5,
        )

    def _no_seal_copy_framed(self) -> None:
        text, size = self.draw.choice((("COPY", 7.0), ("見本", 8.0), ("控え", 7.0))), 0
        tile = Image.new("L", (round(30 * PIXELS), round(14 * PIXELS)), 0)
        pen = ImageDraw.Draw(tile)
        font = ImageFont.truetype(GOTHIC, round(text[1] * PIXELS))
        x0, y0, x1, y1 = pen.textbbox((tile.width / 2, tile.height / 2), text[0], font=font, anchor="mm")
        pen.text((tile.width / 2, tile.height / 2), text[0], font=font, fill=255, anchor="mm")
        pen.rectangle(
            (x0 - 1.2 * PIXELS, y0 - 1.2 * PIXELS, x1 + 1.2 * PIXELS, y1 + 1.2 * PIXELS),
            outline=255,
            width=round(0.7 * PIXELS),
        )
        turned = tile.rotate(self.draw.uniform(-25, 25), expand=True)
        x, y = self._spot(turned.width / PIXELS, turned.height / PIXELS)
        self._put(np.asarray(turned, np.float32) / 255 * self.draw.uniform(0.4, 1) + size, x, y, self.draw.choice(REDS))

    def _no_seal_logo(self) -> None:
        colour, size = self.draw.choice(REDS), self.draw.uniform(8, 18)
        left, top, right, bottom = self.cell
        x, y = self.draw.choice(
            (
                (left + self.draw.uniform(-14, 4), top - 10 - size),
                (left - size - self.draw.uniform(1, 6), bottom + 6),
                (right - size, bottom + 1.5),
            )
        )
        box = [value * PIXELS for value in (x, y, x + size, y + size)]
        kind = self.draw.choice(("disc", "triangle", "bars", "word"))
        if kind == "disc":
            self.pen.ellipse(box, fill=colour)
        elif kind == "triangle":
            self.pen.polygon((box[0], box[3], box[2], box[3], (box[0] + box[2]) / 2, box[1]), fill=colour)
        elif kind == "bars":
            for number in range(3):
                self.pen.rectangle(
                    (box[0], box[1] + number * size * PIXELS / 3, box[2], box[1] + (number + 0.6) * size * PIXELS / 3),
                    fill=colour,
                )
        else:
            self.text(x, y, self.draw.choice(("AOZORA", "MINATO", "青空")), size / 3, colour)

    def _no_seal_receipt(self) -> None:
        """The stamp of another office with a date, beside the box."""
        mask = np.asarray(dater(self.draw.uniform(24, 30), ("受領", "24.07.03", "総務課")), np.float32) / 255
        left, _, right, bottom = self.cell
        x, y = self.draw.choice(
            (
                (left - 34, bottom + 4),
                (left + 2, bottom + 1.5),
                (20, 2),
                (left - 20, bottom - 6),
                (right - 30, bottom - 2),
            )
        )
        self._put(worn(mask, self.draw, missing=False) * self.draw.uniform(0.4, 1), x, y, self.draw.choice(REDS))

    def _no_seal_correction(self) -> None:
        _, top, *_ = self.cell
        y = top - 7.6 + 7.6 * self.draw.randrange(6) + 3.8
        x = 46 + self.draw.uniform(0, 10)
        for offset in (0, self.draw.choice((0, 1.0))):
            self.pen.line(
                [
                    value * PIXELS
                    for value in (x, y + offset, x + self.draw.uniform(15, 45), y + offset + self.draw.uniform(-1, 1))
                ],
                self.draw.choice(REDS),
                8,
            )
        if self.draw.random() < 0.5:
            x, y = self._spot(25, 4)
            self.pen.line(
                [value * PIXELS for value in (x, y, x + 25, y + self.draw.uniform(-2, 4))], self.draw.choice(REDS), 9
            )

    def _no_seal_highlighter(self) -> None:
        x, y = self._spot(20, 6)
        mask = np.ones((round(self.draw.uniform(4, 9) * PIXELS), round(self.draw.uniform(15, 30) * PIXELS)), np.float32)
        self._put(
            mask * self.draw.uniform(0.5, 0.9),
            x - 6,
            y,
            self.draw.choice(((255, 255, 60), (255, 150, 200), (255, 190, 90), (140, 255, 160), (120, 220, 255))),
        )

    def _no_seal_red_lines(self) -> None:
        left, top, right, bottom = self.cell
        colour = self.draw.choice(REDS)
        for area in (self.cell, (left, top - 7.6, right, top), *self.applicant, (2, top - 7.6, WIDTH - 2, bottom + 6)):
            self.pen.rectangle([value * PIXELS for value in area], outline=colour, width=self.draw.choice((5, 8, 12)))

    def _no_seal_dirt(self) -> None:
        for _ in range(self.draw.randrange(3, 25)):
            x, y, size = self.draw.uniform(0, WIDTH), self.draw.uniform(0, HEIGHT), self.draw.uniform(0.1, 0.8)
            shade = self.draw.randrange(40, 190)
            self.pen.ellipse(
                [value * PIXELS for value in (x, y, x + size, y + size * self.draw.uniform(0.5, 2))],
                fill=(shade, shade - 10, shade - 20),
            )

    def _no_seal_punch(self) -> None:
        x, y = self.draw.choice(((self.cell[2] - 4, self.cell[1] + 10), (5, 40), (self.cell[0] + 10, self.cell[3] - 4)))
        for offset in (0, 80):
            self.pen.ellipse(
                [value * PIXELS for value in (x, y + offset, x + 6, y + offset + 6)],
                fill=self.draw.choice(("black", (90, 90, 90), (225, 225, 225))),
            )

    def _no_seal_fold(self) -> None:
        shade = np.zeros((self.image.height, self.image.width), np.float32)
        at = self.draw.uniform(0.2, 0.8)
        if self.draw.random() < 0.5:
            shade[round(at * shade.shape[0]) - 6 : round(at * shade.shape[0]) + 6] = 1
        else:
            shade[:, round(at * shade.shape[1]) - 6 : round(at * shade.shape[1]) + 6] = 1
        self.layers.append((cv2.GaussianBlur(shade, (0, 0), 9) * self.draw.uniform(0.2, 0.5), (90, 90, 90), 0, 0))

    def _no_seal_bleed(self) -> None:
        tile = Image.new("L", self.image.size, 0)
        pen = ImageDraw.Draw(tile)
        font = ImageFont.truetype(GOTHIC, round(3.6 * PIXELS))
        for number in range(12):
            pen.text(
                (0, number * 8 * PIXELS),
                "利用規約第十二条 申請者は本サービスの利用に関し次の各号を遵守する",
                font=font,
                fill=255,
            )
        back = tile.transpose(Image.Transpose.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(8))
        self.layers.append((np.asarray(back, np.float32) / 255 * self.draw.uniform(0.04, 0.15), (40, 40, 40), 0, 0))

    def _curve(self, colour: object, width: int, turns: int) -> None:
        x, y = self._spot(22, 14)
        points = [
            (x + step * 22 / turns / 4 + self.draw.uniform(-2, 2), y + 7 + self.draw.uniform(-6, 6))
            for step in range(turns * 4)
        ]
        self.pen.line([(px * PIXELS, py * PIXELS) for px, py in points], colour, width, joint="curve")

    def _no_seal_signature(self) -> None:
        self._curve(self.draw.choice(((20, 20, 20), (20, 30, 120))), self.draw.choice((5, 8)), 3)

    def _no_seal_scribble(self) -> None:
        self._curve(self.draw.choice(REDS), self.draw.choice((6, 10)), self.draw.choice((2, 4, 6)))

    def _no_seal_red_circle(self) -> None:
        """A hand-drawn ring that says: stamp here."""
        size = self.draw.uniform(10, 26)
        x, y = self._spot(size, size)
        points = []
        for step in range(38):
            angle = step / 36 * 2 * math.pi
            radius = size / 2 * (1 + 0.08 * math.sin(2 * angle + 1)) + self.draw.uniform(-0.15, 0.15)
            points.append(
                (
                    (x + size / 2 + radius * math.cos(angle)) * PIXELS,
                    (y + size / 2 + radius * 0.9 * math.sin(angle)) * PIXELS,
                )
            )
        self.pen.line(points, self.draw.choice(REDS), self.draw.choice((7, 11)), joint="curve")

    def _no_seal_cut(self) -> None:
        """The paper did not lie whole on the glass: beyond its edge all is dark or white."""
        left, _, right, _ = self.cell
        at = self.draw.uniform(left + 2, right - 2)
        self.pen.rectangle(
            [value * PIXELS for value in (at, 0, WIDTH, HEIGHT)],
            fill=self.draw.choice(("black", "white", (70, 70, 70))),
        )
