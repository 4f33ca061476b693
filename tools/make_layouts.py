"""Draw application forms of other making: layouts that differ from ours in order, wording and geometry.

    .venv/bin/python -m tools.make_layouts             # tests/data/layouts/*.pdf, the blanks

Each layout is drawn blank (what a centre would have `ogis-lra form --learn` look at), filled with text, or with form
fields that may be filled. Only fonts that every PDF reader brings are named, so nothing is embedded and the same input
gives the same bytes.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

LAYOUTS = Path(__file__).resolve().parent.parent / "tests" / "data" / "layouts"
FONT = "HeiseiKakuGo-W5"

Values = Mapping[str, str]

PERSON = ("company_ja", "company_en", "name_ja", "name_en", "email")


class Paper:
    """One page with its origin at the top left. `values` are drawn where the layout has a place for their key."""

    def __init__(self, size: tuple[float, float], values: Values, *, fillable: bool = False) -> None:
        if FONT not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(UnicodeCIDFont(FONT))
        self._out = io.BytesIO()
        self._canvas = Canvas(self._out, pagesize=size, invariant=1)
        self._height = size[1]
        self._values = values
        self._fillable = fillable
        self.places: dict[str, str] = {}

    def text(self, x: float, y: float, text: str, size: float = 9) -> None:
        """Text with its baseline at `y`."""
        self._canvas.setFont(FONT, size)
        self._canvas.drawString(x, self._height - y, text)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """The four ruling lines of a cell."""
        self._canvas.setLineWidth(0.6)
        self._canvas.rect(x0, self._height - y1, x1 - x0, y1 - y0)

    def cell(self, x0: float, y0: float, x1: float, y1: float, text: str = "", size: float = 9) -> None:
        """A cell with printed text, a line of it for each line break."""
        self.box(x0, y0, x1, y1)
        lines = text.split("\n")
        first = (y0 + y1) / 2 + size * 0.36 - (len(lines) - 1) * size * 0.6
        for number, line in enumerate(lines):
            self.text(x0 + 3, first + number * size * 1.2, line, size)

    def value(self, key: str, x0: float, y0: float, x1: float, y1: float, printed: str = "") -> None:
        """A cell that takes a value, after what is printed in it."""
        self.box(x0, y0, x1, y1)
        baseline = (y0 + y1) / 2 + 3.2
        start = x0 + 4
        if printed:
            self.text(start, baseline, printed)
            start += pdfmetrics.stringWidth(printed, FONT, 9)
        if self._fillable:
            # Form programs number the fields themselves; no name tells what it is for.
            name = f"Text{len(self.places) + 1}"
            self.places[key] = name
            self._canvas.acroForm.textfield(
                name=name, x=start, y=self._height - y1 + 1, width=x1 - start - 1, height=y1 - y0 - 2, borderWidth=0
            )
        elif self._values.get(key):
            self.text(start, baseline, self._values[key])

    def is_ticked(self, key: str) -> bool:
        """Whether the values tick the box of that key."""
        return bool(self._values.get(key))

    def marked(self, key: str, x: float, y: float, text: str) -> float:
        """A box to tick and its words, with the baseline at `y`; where they end."""
        if self._fillable:
            self._tick_field(key, x, y - 8, 9)
            self.text(x + 12, y, text)
        else:
            self.text(x, y, f"{'■' if self.is_ticked(key) else '□'} {text}")
        return x + 12 + pdfmetrics.stringWidth(text, FONT, 9)

    def check(self, key: str, x0: float, y0: float, x1: float, y1: float, mark: str = "■") -> None:
        """A cell, or a small drawn box, that takes nothing but a mark."""
        self.box(x0, y0, x1, y1)
        if self._fillable:
            self._tick_field(key, (x0 + x1) / 2 - 4, (y0 + y1) / 2 - 4, 8)
        elif self.is_ticked(key):
            self.text((x0 + x1) / 2 - 4, (y0 + y1) / 2 + 3, mark, 8)

    def _tick_field(self, key: str, x: float, top: float, side: float) -> None:
        name = f"Check{len(self.places) + 1}"
        self.places[key] = name
        self._canvas.acroForm.checkbox(name=name, x=x, y=self._height - top - side, size=side, borderWidth=0)

    def finish(self) -> bytes:
        """The PDF."""
        self._canvas.showPage()
        self._canvas.save()
        return self._out.getvalue()


def two_columns(values: Values, *, fillable: bool = False) -> Paper:
    """Applicant and user side by side, before and after too; the type is ticked before one of five words."""
    paper = Paper(A4, values, fillable=fillable)
    paper.text(150, 50, "電子証明書 利用申込書（イーキューブネット）", 15)
    paper.text(440, 28, "様式第3号（2025年4月）", 8)
    words = {
        "new_issue": "新規発行",
        "reissue": "再発行",
        "registration_change": "登録内容変更",
        "handover": "担当者変更",
        "cancellation": "解約",
    }
    paper.cell(40, 66, 110, 84, "お申込日")
    paper.value("application_date", 110, 66, 250, 84)
    paper.cell(40, 90, 110, 110, "お申込区分")
    paper.box(110, 90, 555, 110)
    x = 114.0
    for kind, word in words.items():
        x = paper.marked(f"type:{kind}", x, 103, word) + 14
    paper.cell(40, 118, 290, 134, "お申込者様")
    paper.cell(300, 118, 555, 134, "ご利用者様")
    applicant = ("company", "department", "title", "name", "phone", "email", "postal_code", "address")
    labels = ("貴社名", "部署名", "肩書", "ご担当者名", "TEL", "E-mail", "郵便番号", "ご住所")
    y = 134.0
    for name, label in zip(applicant, labels, strict=True):
        paper.cell(40, y, 110, y + 20, label)
        paper.value(f"applicant.{name}", 110, y, 290, y + 20, "〒 " if name == "postal_code" else "")
        y += 20
    y = 134.0
    for label, key in (
        ("法人名（和文）", "user.company_ja"),
        ("法人名（英文）", "user.company_en"),
        ("フリガナ", ""),
        ("お名前（漢字）", "user.name_ja"),
        ("お名前（ローマ字）", "user.name_en"),
        ("メールアドレス", "user.email"),
    ):
        paper.cell(300, y, 385, y + 20, label)
        if key:
            paper.value(key, 385, y, 555, y + 20)
        else:
            paper.cell(385, y, 555, y + 20)
        y += 20
    paper.cell(300, 256, 385, 294, "社印")
    paper.cell(385, 256, 480, 350)
    for x0, x1, heading, block in ((40, 290, "現在の登録内容", "before"), (300, 555, "新しい登録内容", "after")):
        paper.cell(x0, 360, x1, 376, heading)
        for number, (name, label) in enumerate(
            zip(
                PERSON,
                ("法人名（和文）", "法人名（英文）", "お名前（漢字）", "お名前（ローマ字）", "メールアドレス"),
                strict=True,
            )
        ):
            top = 376 + 20 * number
            paper.cell(x0, top, x0 + 85, top + 20, label)
            paper.value(f"{block}.{name}", x0 + 85, top, x1, top + 20)
    paper.cell(40, 486, 160, 506, "証明書の失効希望日")
    paper.value("wished_revocation_date", 160, 486, 290, 506)
    statements = (
        ("webec_terms", "WebEC電子証明書発行サービス利用規定の内容に同意します"),
        ("ogis_terms", "オージス総研電子証明書発行サービス利用規定の内容に合意します"),
        ("info_in_certificate", "証明書に利用者の情報が記載されることを了承します"),
        ("content_correct", "申込内容に相違ありません"),
        ("revoke_unneeded", "発行済の不要な証明書が失効されることを了承します"),
        ("user_not_entitled", "利用者はすでに利用資格がないことを確認しました"),
    )
    for number, (key, statement) in enumerate(statements):
        paper.box(40, 516 + 18 * number, 555, 534 + 18 * number)
        paper.marked(key, 44, 528 + 18 * number, statement)
    paper.cell(40, 632, 110, 672, "通信欄")
    paper.value("remarks", 110, 632, 555, 672)
    paper.text(40, 700, "ご記入・押印のうえ、PDFファイルにしてお送りください。", 8)
    return paper


def labels_above(values: Values, *, fillable: bool = False) -> Paper:
    """Every label above its value, the seal box and the check cells to the right; no remarks, title or wished date."""
    paper = Paper(A4, values, fillable=fillable)
    paper.text(170, 52, "電子証明書発行サービス届出書", 16)
    paper.text(460, 820, "Ver. 2.1", 8)
    paper.cell(40, 70, 200, 86, "届出の種類")
    paper.value("request_type", 40, 86, 200, 108)
    paper.cell(200, 70, 360, 86, "届出日")
    paper.value("application_date", 200, 86, 360, 108)
    top = _grid_above(
        paper,
        118,
        "届出者",
        "applicant",
        (
            (("company", "企業名", 40, 240), ("department", "部門", 240, 430)),
            (("name", "担当者氏名", 40, 240), ("phone", "連絡先電話番号", 240, 430)),
            (("email", "メール", 40, 430),),
        ),
    )
    paper.cell(440, 134, 555, 150, "押印欄")
    paper.cell(440, 150, 555, top)
    rows = (
        (("company_ja", "会社名（漢字）", 40, 300), ("company_en", "会社名（英字）", 300, 555)),
        (("name_ja", "利用責任者名（漢字）", 40, 210), ("name_en", "利用責任者名（英字）", 210, 380)),
        (("email", "メール", 40, 555),),
    )
    for heading, block in (("使用者の情報", "user"), ("旧使用者", "before"), ("新使用者", "after")):
        top = _grid_above(paper, top + 10, heading, block, rows)
    top += 10
    for key, statement in (
        ("webec_terms", "本サービスの利用規約を確認し、同意します"),
        ("info_in_certificate", "電子証明書に使用者の氏名等が表示されることを承諾します"),
        ("content_correct", "記載事項に誤りはありません"),
        ("revoke_unneeded", "不用となる証明書を失効させることを承知しています"),
        ("user_not_entitled", "使用者は利用する資格を失っています"),
    ):
        paper.cell(40, top, 530, top + 17, statement)
        paper.check(key, 530, top, 555, top + 17)
        top += 17
    return paper


def _grid_above(
    paper: Paper,
    top: float,
    heading: str,
    block: str,
    rows: Sequence[Sequence[tuple[str, str, float, float]]],
) -> float:
    """A heading over rows of labels, each over its value; the height where it ends."""
    paper.cell(40, top, 555, top + 16, heading)
    top += 16
    for row in rows:
        for name, label, x0, x1 in row:
            paper.cell(x0, top, x1, top + 13, label, 7.5)
            paper.value(f"{block}.{name}", x0, top + 13, x1, top + 33)
        top += 33
    return top


def plain_list(values: Values, *, fillable: bool = False) -> Paper:
    """One long list without headings: each label names its block, boxes are drawn as small squares; a wide page."""
    paper = Paper(landscape(A4), values, fillable=fillable)
    paper.text(280, 36, "証明書利用届（依頼書）", 14)
    rows: list[tuple[str, str]] = [
        ("remarks", "特記事項"),
        ("user.name_ja", "利用者氏名"),
        ("user.name_en", "利用者氏名（アルファベット）"),
        ("user.company_ja", "利用者の会社名"),
        ("user.company_en", "利用者の会社名（アルファベット）"),
        ("user.email", "利用者メールアドレス"),
        ("before.name_ja", "前任者氏名"),
        ("before.name_en", "前任者氏名（アルファベット）"),
        ("before.company_ja", "前任者の会社名"),
        ("before.company_en", "前任者の会社名（アルファベット）"),
        ("before.email", "前任者メールアドレス"),
        ("after.name_ja", "後任者氏名"),
        ("after.name_en", "後任者氏名（アルファベット）"),
        ("after.company_ja", "後任者の会社名"),
        ("after.company_en", "後任者の会社名（アルファベット）"),
        ("after.email", "後任者メールアドレス"),
        ("wished_revocation_date", "失効予定日"),
        ("applicant.email", "申請者メールアドレス"),
        ("applicant.phone", "申請者電話番号"),
        ("applicant.name", "申請者氏名"),
        ("applicant.company", "申請者の会社名"),
        ("applicant.address", "申請者の所在地"),
        ("application_date", "記入日"),
    ]
    for number, (key, label) in enumerate(rows):
        top = 50 + 17 * number
        paper.cell(30, top, 60, top + 17, str(number + 1))
        paper.cell(60, top, 220, top + 17, label)
        paper.value(key, 220, top, 500, top + 17)
    paper.cell(510, 50, 590, 90, "手続きの種類")
    paper.box(590, 50, 810, 90)
    words = (("new_issue", "新規"), ("reissue", "再発行"), ("handover", "担当交代"))
    _squares(paper, words, 596, 56)
    _squares(paper, (("registration_change", "登録変更"), ("cancellation", "失効")), 596, 74)
    top = 110.0
    for key, statement in (
        ("content_correct", "以上の記載に間違いがないことを確認しました"),
        ("info_in_certificate", "証明書に私の情報が記録されることに同意します"),
        ("revoke_unneeded", "不要になった証明書の失効に同意します"),
        ("ogis_terms", "オージス総研の規約に同意します"),
        ("webec_terms", "WebECの規約に同意します"),
        ("user_not_entitled", "利用者が資格を喪失したことを確認しました"),
    ):
        paper.box(510, top, 810, top + 24)
        paper.check(key, 516, top + 7, 526, top + 17, "レ")
        paper.text(536, top + 15.5, statement)
        top += 24
    paper.cell(510, 270, 590, 350, "印鑑")
    paper.box(590, 270, 690, 350)
    return paper


def _squares(paper: Paper, words: Sequence[tuple[str, str]], x: float, y: float) -> None:
    for kind, word in words:
        paper.check(f"type:{kind}", x, y, x + 10, y + 10, "レ")
        paper.text(x + 14, y + 8.5, word)
        x += 72


def guide_wording(values: Values, *, fillable: bool = False) -> Paper:
    """The words of the service's guide in a ruled sheet: types in cells of their own, labels over two cells."""
    paper = Paper(A4, values, fillable=fillable)
    paper.text(140, 44, "WebEC電子証明書発行サービス申請書（新規発行/再発行/登録変更/解約）", 11)
    paper.text(470, 24, "2026.02版", 8)
    paper.cell(30, 60, 110, 80, "申請の種類")
    words = (
        ("new_issue", "新規発行"),
        ("reissue", "再発行"),
        ("registration_change", "登録内容変更"),
        ("handover", "担当変更"),
        ("cancellation", "解約・失効"),
    )
    x = 110.0
    for kind, word in words:
        paper.check(f"type:{kind}", x, 60, x + 18, 80)
        paper.cell(x + 18, 60, x + 89, 80, word)
        x += 89
    paper.cell(30, 88, 560, 104, "申請者に関する情報[社名、氏名、電話番号、メールアドレス他]")
    top = 104.0
    for pairs in (
        (("company", "貴社の商号"), ("department", "ご所属の課")),
        (("name", "記入者"), ("title", "お役職")),
        (("phone", "日中のご連絡先TEL"), ("postal_code", "〒")),
        (("email", "Ｅメール"), ("address", "所在地")),
    ):
        for number, (name, label) in enumerate(pairs):
            left = 30 + 265 * number
            paper.cell(left, top, left + 95, top + 22, label)
            paper.value(f"applicant.{name}", left + 95, top, left + 265, top + 22)
        top += 22
    for heading, block in (
        ("利用者\nに関する\n情報", "user"),
        ("変更前\n(前任者)", "before"),
        ("変更後\n(後任者)", "after"),
    ):
        top += 8
        paper.cell(30, top, 90, top + 100, heading)
        for first, label, names in ((0, "社名", PERSON[:2]), (2, "氏名", PERSON[2:4])):
            paper.cell(90, top + 20 * first, 140, top + 20 * first + 40, label)
            for number, (name, language) in enumerate(zip(names, ("日本語", "英語"), strict=True)):
                y = top + 20 * (first + number)
                paper.cell(140, y, 190, y + 20, language)
                paper.value(f"{block}.{name}", 190, y, 560, y + 20)
        paper.cell(90, top + 80, 190, top + 100, "証明書送付先アドレス")
        paper.value(f"{block}.email", 190, top + 80, 560, top + 100)
        top += 100
    top += 8
    paper.cell(30, top, 190, top + 20, "現在お持ちの証明書の失効希望日")
    paper.value("wished_revocation_date", 190, top, 360, top + 20)
    paper.cell(370, top, 430, top + 20, "申請日")
    paper.value("application_date", 430, top, 560, top + 20)
    top += 28
    paper.cell(30, top, 400, top + 15, "確認／同意項目")
    paper.cell(400, top, 430, top + 15, "チェック", 7)
    paper.cell(440, top, 560, top + 15, "申請社印(担当者印可)")
    paper.box(440, top + 15, 560, top + 105)
    for key, statement in (
        ("webec_terms", "WebEC電子証明書発行サービスの利用規定(※1)の確認と同意"),
        ("ogis_terms", "オージス総研電子証明書発行サービス利用規定(※2)の確認と合意"),
        ("info_in_certificate", "証明書に利用者の情報が記載されることの確認と了承"),
        ("content_correct", "申請内容が正しいことの確認"),
        ("revoke_unneeded", "発行済の不要な証明書を失効することの確認と了承"),
        ("user_not_entitled", "利用者はすでに利用資格がないことの確認と了承"),
    ):
        top += 15
        paper.cell(30, top, 400, top + 15, statement, 8)
        paper.check(key, 400, top, 430, top + 15)
    paper.cell(30, top + 24, 110, top + 54, "その他ご要望")
    paper.value("remarks", 110, top + 24, 560, top + 54)
    return paper


DRAWN: Mapping[str, Callable[..., Paper]] = {
    "two_columns": two_columns,
    "labels_above": labels_above,
    "plain_list": plain_list,
    "guide_wording": guide_wording,
}


def main() -> None:
    """Write the blanks."""
    LAYOUTS.mkdir(exist_ok=True)
    for name, draw in DRAWN.items():
        (LAYOUTS / f"{name}.pdf").write_bytes(draw({}).finish())


if __name__ == "__main__":
    main()
