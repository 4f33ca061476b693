"""Small PDFs to mutate: each exercises one part of the reader and is read in milliseconds, a real form in fifty.

A hundred thousand mutants of full forms are a night's work; of these, with one full form among ten, an hour's. Streams
are left unpacked in half of them, so that a changed byte is a changed operator and not only a broken stream.
"""

import io
from collections.abc import Callable, Iterator

from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from daemon.form_fonts import load_typeface

WIDTH, HEIGHT = 345.0, 260.0
ROWS = (
    ("", "申請種別", "再発行"),
    ("", "申請日", "2026年3月30日"),
    ("申請者", "社名", "青空商事株式会社"),
    ("申請者", "氏名", "山田 花子"),
    ("申請者", "電話番号", "03-0000-0000"),
    ("申請者", "メールアドレス", "hanako@aozora.example"),
    ("利用者", "氏名（日本語）", "山田 花子"),
    ("利用者", "氏名（英語）", "Hanako Yamada"),
    ("利用者", "メールアドレス", "hanako@aozora.example"),
    ("", "申請内容が正しいことの確認", "☑"),
)
Drawing = Callable[[Canvas], None]


def small_pdfs() -> list[bytes]:
    """The files, always the same octets for the same versions of the libraries."""
    return [
        *(_written(draw, packed=packed) for draw in DRAWINGS for packed in (False, True)),
        _written(_table, packed=True, encrypt=StandardEncryption("", ownerPassword="x", canPrint=1)),
    ]


def _written(draw: Drawing, *, packed: bool, encrypt: StandardEncryption | None = None) -> bytes:
    target = io.BytesIO()
    canvas = Canvas(target, (WIDTH, HEIGHT), pageCompression=int(packed), invariant=1, encrypt=encrypt)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _set(canvas: Canvas, x: float, y: float, text: str) -> None:
    for font, piece in load_typeface().pieces(text):
        canvas.setFont(font, 8)
        canvas.drawString(x, y, piece)
        x += pdfmetrics.stringWidth(piece, font, 8)


def _rows(canvas: Canvas) -> Iterator[tuple[float, str, str, str]]:
    """The ruled cells of each row, and what is to be written into them."""
    for index, (block, label, value) in enumerate(ROWS):
        y = HEIGHT - 60 - 18 * index
        if block:
            canvas.rect(20, y, 40, 18)
        canvas.rect(60, y, 110, 18)
        canvas.rect(170, y, 100, 18)
        yield y, block, label, value


def _table(canvas: Canvas) -> None:
    """The title, ruled cells, a seal in its box; a font of two octets a letter with its own table to Unicode."""
    _set(canvas, 20, HEIGHT - 24, "WebEC電子証明書発行サービス申請書（新規発行/再発行/登録変更/解約）")
    for y, block, label, value in _rows(canvas):
        _set(canvas, 24, y + 5, block)
        _set(canvas, 64, y + 5, label)
        _set(canvas, 174, y + 5, value)
    canvas.rect(275, 110, 62, 76)
    _set(canvas, 277, 175, "申請社印")
    canvas.setStrokeColorRGB(0.85, 0.1, 0.1)
    canvas.setLineWidth(2)
    canvas.circle(306, 141, 22)
    _set(canvas, 302, 138, "印")


def _known_font(canvas: Canvas) -> None:
    """A Japanese font that is only named, and letters by a predefined CMap."""
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiKakuGo-W5"))
    canvas.setFont("HeiseiKakuGo-W5", 8)
    for y, block, label, value in _rows(canvas):
        canvas.drawString(24, y + 5, block)
        canvas.drawString(64, y + 5, label)
        canvas.drawString(174, y + 5, value)


def _fields(canvas: Canvas) -> None:
    """Form fields: text, a box, a choice."""
    for index, (y, block, label, value) in enumerate(_rows(canvas)):
        _set(canvas, 24, y + 5, block)
        _set(canvas, 64, y + 5, label)
        typed = value if value.isascii() else "x"
        canvas.acroForm.textfield(name=f"field{index}", value=typed, x=172, y=y + 1, width=96, height=16)
    canvas.acroForm.checkbox(name="agreed", x=20, y=20, size=12, checked=True)
    canvas.acroForm.choice(name="kind", value="a", options=["a", "b"], x=60, y=20, width=60, height=16)


def _pictures(canvas: Canvas) -> None:
    """Images of each kind of colour, one with a mask, one inline, and text that nobody sees."""
    grey = Image.linear_gradient("L").resize((40, 30))
    for index, picture in enumerate((grey, grey.convert("RGB"), grey.convert("1"), grey.convert("P"))):
        canvas.drawImage(ImageReader(picture), 20 + 70 * index, 140, 60, 60)
    clear = grey.convert("RGBA")
    clear.putalpha(grey)
    canvas.drawImage(ImageReader(clear), 20, 60, 60, 60, mask="auto")
    canvas.drawInlineImage(grey.convert("RGB"), 100, 60, 60, 60)
    hidden = canvas.beginText(20, 40)
    hidden.setFont("Helvetica", 8)
    hidden.setTextRenderMode(3)
    hidden.textLine("hidden")
    canvas.drawText(hidden)


def _nested(canvas: Canvas) -> None:
    """Forms within forms, turned and scaled, clipped, dashed; a link, an outline, a second page."""
    canvas.beginForm("inner")
    canvas.rect(0, 0, 40, 20)
    canvas.setFont("Helvetica", 8)
    canvas.drawString(2, 4, "inner")
    canvas.endForm()
    canvas.saveState()
    for step in range(6):
        canvas.translate(30, 10)
        canvas.rotate(15 * step)
        canvas.setDash(step + 1, 2)
        canvas.doForm("inner")
    canvas.restoreState()
    path = canvas.beginPath()
    path.circle(100, 100, 50)
    canvas.clipPath(path, stroke=1)
    canvas.linkRect("", "here", (0, 0, 50, 50))
    canvas.bookmarkPage("here")
    canvas.addOutlineEntry("here", "here")
    canvas.showPage()
    canvas.setPageRotation(90)
    _table(canvas)


DRAWINGS: tuple[Drawing, ...] = (_table, _known_font, _fields, _pictures, _nested)
