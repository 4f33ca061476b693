"""The applicant's block of a form with its seal box, drawn in millimetres, and a seal stamped on it."""

import random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tools.seal_designs import BLUES, COMPANIES, DESIGNS, GOTHIC, MINCHO, PIXELS, REDS, Area, design_of, worn

WIDTH, HEIGHT = 126.0, 86.0  # mm
PLACES = ("centre", "anywhere", "border", "company", "beside", "half_missing")


class Sheet:
    """The applicant's block of a form, in millimetres."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.image = Image.new("RGB", (round(WIDTH * PIXELS), round(HEIGHT * PIXELS)), "white")
        self.pen = ImageDraw.Draw(self.image)
        self.printed: list[Area] = []
        self.font = draw.choice((MINCHO, GOTHIC))
        self.company = draw.choice(COMPANIES)
        wide, high = draw.uniform(28, 40), draw.uniform(28, 40)
        left, top = draw.uniform(80, 88), draw.uniform(28, 34)
        self.cell: Area = (left, top, min(left + wide, WIDTH - 3), top + high)
        self.line = draw.choice(("black", "black", (60, 60, 60), (120, 120, 120)))
        self.applicant: list[Area] = []
        self._print_form()
        self.layers: list[tuple[np.ndarray, tuple[int, int, int], int, int]] = []

    def _print_form(self) -> None:
        left, top, right, _ = self.cell
        fill = self.draw.choice(("white", (255, 255, 153), (255, 255, 153), (191, 191, 191)))
        self._cell(self.cell, fill)
        head = (left, top - 7.6, right, top)
        self._cell(head, (236, 240, 246))
        self.text(left + 1, top - 5.6, self.draw.choice(("申請社印（担当者印可）", "申請社印", "印")), 3.2)
        rows = (
            ("社名", self.company),
            ("所属", "管理本部 総務部"),
            ("氏名", "田中 正"),
            ("電話番号", "03-5550-1234"),
            ("住所", "東京都千代田区青空町1-2-3"),
            ("メールアドレス", "soumu@aozora.example"),
        )
        for number, (label, value) in enumerate(rows):
            y = top - 7.6 + number * 7.6
            self._cell((22, y, 44, y + 7.6), (236, 240, 246))
            self.text(24, y + 2.2, label, 3.0)
            area = (44, y, left, y + 7.6)
            self._cell(area, self.draw.choice(("white", (255, 255, 153))))
            self.applicant.append(area)
            size = min(3.6, (left - 60) / len(value))
            self.text(46 + self.draw.choice((0, 0, 12)), y + 2, value, size)
        self._cell((2, top - 7.6, 22, top - 7.6 + 45.6), (220, 230, 241))
        self.text(6, top + 14, "申請者", 3.6)
        self.text(40, 6, "WebEC電子証明書発行サービス申請書", 4.4)

    def _cell(self, area: Area, fill: object) -> None:
        self.pen.rectangle(
            [value * PIXELS for value in area], fill=fill, outline=self.line, width=self.draw.choice((3, 4, 7))
        )

    def text(self, x: float, y: float, text: str, size: float, colour: object = "black", *, told: bool = True) -> Area:
        font = ImageFont.truetype(self.font, round(size * PIXELS))
        self.pen.text((x * PIXELS, y * PIXELS), text, font=font, fill=colour)
        x0, y0, x1, y1 = self.pen.textbbox((x * PIXELS, y * PIXELS), text, font=font)
        area = (x0 / PIXELS, y0 / PIXELS, x1 / PIXELS, y1 / PIXELS)
        if told:
            self.printed.append(area)
        return area

    def pixels(self) -> np.ndarray:
        paper = np.asarray(self.image, np.float32) / 255
        for ink, colour, x, y in self.layers:
            # Ink multiplies: print shows through it.
            part = paper[y : y + ink.shape[0], x : x + ink.shape[1]]
            part *= 1 - ink[..., None] * (1 - np.array(colour, np.float32) / 255)
        return paper

    # --- seals ---

    def stamp(self) -> dict[str, object]:
        draw = self.draw
        design = draw.choice(DESIGNS)
        inky = design in ("dater", "self_inking")
        shade = draw.choices(("red", "blue", "black"), (6, 3, 1))[0] if inky else "red"
        fade = draw.choice((0.0, 0.0, 0.35, 0.6, 0.8))
        place = draw.choice(PLACES)
        mask = np.asarray(design_of(design, draw, self.company), np.float32) / 255
        mask = worn(mask, draw, missing=place == "half_missing")
        wide, high = mask.shape[1] / PIXELS, mask.shape[0] / PIXELS
        left, top, right, bottom = self.cell
        x, y = (left + right - wide) / 2 + draw.uniform(-2, 2), (top + bottom - high) / 2 + draw.uniform(-2, 2)
        if place == "anywhere":
            x, y = draw.uniform(left - 2, max(right - wide, left)), draw.uniform(top - 2, max(bottom - high, top) + 2)
        elif place == "border":
            x, y = draw.choice((left - wide / 2, right - wide * 0.6)), draw.uniform(top - 4, bottom - high / 2)
        elif place == "company":
            x, y = left - draw.uniform(0.5, 1.1) * wide, top - 7.6 - draw.uniform(0, high * 0.4)
        elif place == "beside":
            x, y = left - wide - draw.uniform(0, 4), draw.uniform(top, bottom - high)
        x = min(x, WIDTH - wide - 0.5)
        self._put(mask * (1 - fade), x, y, draw.choice({"red": REDS, "blue": BLUES, "black": ((45, 45, 48),)}[shade]))
        if draw.random() < 0.25:
            # Many forms print the place where to stamp, and people stamp on it.
            self.text((left + right) / 2 - 2, (top + bottom) / 2 - 2, "印", 4, draw.choice(("black", (150, 150, 150))))
        return {"design": design, "shade": shade, "fade": fade, "place": place}

    def _put(self, mask: np.ndarray, x: float, y: float, colour: tuple[int, int, int]) -> None:
        at_x, at_y = round(x * PIXELS), round(y * PIXELS)
        x0, y0 = max(at_x, 0), max(at_y, 0)
        x1, y1 = min(at_x + mask.shape[1], self.image.width), min(at_y + mask.shape[0], self.image.height)
        self.layers.append((mask[y0 - at_y : y1 - at_y, x0 - at_x : x1 - at_x].astype(np.float32), colour, x0, y0))
