"""Make the sample applications: fill the Excel form, export it with LibreOffice, put the seal on, write what it says.

    .venv/bin/python -m tools.make_samples             # tests/data/samples and daemon/demo/forms
    .venv/bin/python -m tools.make_samples reissue     # only the samples whose name begins so

Needs LibreOffice, poppler-utils and the fonts IPA and Noto CJK. The same input gives the same pages; only encrypted.pdf
differs from run to run, because its key is random.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pdfplumber
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet
from pypdf import PdfReader, PdfWriter

from config import forms, request_types
from config.request_types import RequestType, Table
from daemon.form import draw_form, write_xlsx
from tools.sample_cases import (
    AOZORA_APPLICANT,
    HANAKO,
    HANAKO_MARRIED,
    ICHIRO,
    MINATO_APPLICANT,
    PLAIN,
    RECEIVED_ON,
    TAKERU,
    Case,
    Mark,
    Value,
    clean_cases,
    filled,
    mistaken_cases,
    restyled_cases,
)
from tools.sample_seals import cell_right_of, stamp
from tools.slim_fonts import slim_fonts

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests" / "data" / "samples"
DEMO = ROOT / "daemon" / "demo" / "forms"

# One sheet of a workbook: text lines, or a filled form.
Page = Case | Sequence[str]


@dataclass(frozen=True)
class Document:
    """One PDF of one or more pages. `problems` are (code, page)."""

    name: str
    pages: tuple[Page, ...]
    problems: tuple[tuple[str, int], ...] = ()
    image: bool = False

    @property
    def received_on(self) -> date:
        return next((page.received_on for page in self.pages if isinstance(page, Case)), RECEIVED_ON)


COVER = (
    "書類送付のご案内",
    "",
    "2024年7月1日",
    "株式会社オージス総研　電子証明書発行サービスLRAセンター　御中",
    "あおぞら電機株式会社　管理本部 総務部　田中 正",
    "",
    "拝啓　時下ますますご清栄のこととお慶び申し上げます。平素は格別のご高配を賜り、厚く御礼申し上げます。",
    "下記の書類をお送りいたしますので、ご査収のうえよろしくお取り計らいくださいますようお願い申し上げます。",
    "敬具",
    "",
    "記",
    "WebEC電子証明書発行サービス申請書（新規発行）　1部",
    "以上",
)
TERMS = (
    "WebEC電子証明書発行サービス利用規定",
    "",
    "第1条（目的）",
    "本規定は、WebEC電子証明書発行サービス（以下「本サービス」という）の利用に関する条件を定めるものとします。",
    "第2条（申請）",
    "利用者は、所定の申請書に必要事項を記入し、押印のうえ提出するものとします。",
    "第3条（証明書の管理）",
    "利用者は、電子証明書およびパスワードを善良な管理者の注意をもって管理するものとします。",
    "第4条（失効）",
    "利用者は、電子証明書が不要となったときは、速やかに失効の申請を行うものとします。",
    "附則　本規定は2024年7月1日から施行します。",
)
OTHER_SERVICE = (
    "クラウド請求書サービス　利用申込書",
    "",
    "申込日　2024年7月1日",
    "会社名　あおぞら電機株式会社",
    "部署名　管理本部 総務部",
    "担当者　田中 正",
    "メールアドレス　soumu@aozora-denki.example",
    "申込プラン　スタンダード",
)


def documents(table: Table) -> Iterator[Document]:
    """Every sample, one form a page."""
    for cases in (clean_cases(table), restyled_cases(table), mistaken_cases(table)):
        yield from (Document(case.name, (case,)) for case in cases)
    first, second = (
        Case(f"two_people_{number}", filled(table, RequestType.NEW_ISSUE, person), RequestType.NEW_ISSUE)
        for number, person in enumerate((HANAKO, ICHIRO), start=1)
    )
    yield Document("two_forms", (first, second))
    yield Document("cover_and_form", (COVER, first), (("cover_or_terms", 1),))
    yield Document("terms_only", (TERMS,), (("cover_or_terms", 1),))
    yield Document("other_service", (OTHER_SERVICE,), (("other_service", 1),))
    yield Document("image_only", (first,), (("no_text_layer", 1),), image=True)


def demo_documents(table: Table) -> Iterator[Document]:
    """The forms of `ogis-lra demo`. They bear no dates: the demo writes those on when it runs."""
    kinds = RequestType
    for name, kind, people, applicant in (
        ("new_issue_hanako", kinds.NEW_ISSUE, (HANAKO,), AOZORA_APPLICANT),
        ("new_issue_takeru", kinds.NEW_ISSUE, (TAKERU,), MINATO_APPLICANT),
        ("new_issue_takeru_no_seal", kinds.NEW_ISSUE, (TAKERU,), MINATO_APPLICANT),
        ("reissue_hanako", kinds.REISSUE, (HANAKO,), AOZORA_APPLICANT),
        ("reissue_takeru", kinds.REISSUE, (TAKERU,), MINATO_APPLICANT),
        ("registration_change_hanako", kinds.REGISTRATION_CHANGE, (HANAKO, HANAKO_MARRIED), AOZORA_APPLICANT),
        ("handover_hanako_to_ichiro", kinds.HANDOVER, (HANAKO_MARRIED, ICHIRO), AOZORA_APPLICANT),
        ("cancellation_takeru", kinds.CANCELLATION, (TAKERU,), MINATO_APPLICANT),
    ):
        values = filled(table, kind, *people, applicant=applicant)
        del values["application_date"]
        mark = Mark.NONE if name.endswith("no_seal") else Mark.SQUARE
        surname = applicant["name"].split()[0]
        case = Case(name, values, kind, mark=mark, company=applicant["company"], surname=surname)
        yield Document(name, (case,))


def main(prefix: str = "") -> None:
    table = request_types.load()
    SAMPLES.mkdir(parents=True, exist_ok=True)
    DEMO.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        samples = [document for document in documents(table) if document.name.startswith(prefix)]
        for document, data in export(samples, table, Path(folder)):
            (SAMPLES / f"{document.name}.pdf").write_bytes(data)
            write_json(SAMPLES / f"{document.name}.json", expected_reading(document, table))
    if prefix:
        return
    write_bad_files(table, (SAMPLES / "new_issue.pdf").read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        values = {}
        for document, data in export(list(demo_documents(table)), table, Path(folder)):
            (DEMO / f"{document.name}.pdf").write_bytes(data)
            values[document.name] = demo_entry(document, data)
        write_json(DEMO / "values.json", values)


def export(samples: Sequence[Document], table: Table, folder: Path) -> Iterator[tuple[Document, bytes]]:
    """Write the workbooks, convert them all in one run of LibreOffice, put the seals on."""
    for document in samples:
        write_book(folder / f"{document.name}.xlsx", document, table)
    if samples:
        convert(folder)
    for document in samples:
        exported = (folder / f"{document.name}.pdf").read_bytes()
        data = seal(document, exported)
        yield document, as_image(data, folder) if document.image else data


def write_book(path: Path, document: Document, table: Table) -> None:
    book = Workbook()
    book.remove(book.worksheets[0])
    for page in document.pages:
        sheet = book.create_sheet()
        if isinstance(page, Case):
            form = forms.form(page.form_version)
            draw_form(book, sheet, form=form, table=table, values=page.values, style=page.style or PLAIN)
        else:
            draw_text(sheet, page)
    book.save(path)


def draw_text(sheet: Worksheet, lines: Sequence[str]) -> None:
    sheet.title = "文書"
    sheet.column_dimensions["A"].width = 88
    for number, line in enumerate(lines, start=1):
        cell = sheet.cell(number, 1, line)
        cell.font = Font(name=PLAIN.font, size=16 if number == 1 else 10.5, bold=number == 1)
        cell.alignment = Alignment(horizontal="center" if number == 1 else "left", vertical="top", wrap_text=True)
        # A line of 10.5 points holds some 46 wide letters here; longer text wraps.
        sheet.row_dimensions[number].height = 30 if number == 1 else 17 * (1 + len(line) // 46)
    sheet.page_setup.paperSize = 9
    sheet.print_area = f"A1:A{len(lines)}"


def convert(folder: Path) -> None:
    books = sorted(str(path) for path in folder.glob("*.xlsx"))
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder), *books]
    subprocess.run(command, check=True, capture_output=True, timeout=600)


def seal(document: Document, data: bytes) -> bytes:
    """The exported PDF with its seals; LibreOffice's dates are left behind."""
    writer = PdfWriter()
    for page in PdfReader(BytesIO(data)).pages:
        writer.add_page(page)
    if len(writer.pages) != len(document.pages):
        raise RuntimeError(f"{document.name}: {len(writer.pages)} pages where {len(document.pages)} were meant")
    for number, content in enumerate(document.pages):
        if isinstance(content, Case) and content.mark is not Mark.NONE:
            stamp(writer, number, data, content, forms.form(content.form_version).seal_labels[0])
    slim_fonts(writer)
    return written(writer)


def written(writer: PdfWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def as_image(data: bytes, folder: Path) -> bytes:
    """The pages as a scanner gives them: grey pictures and not one letter of text."""
    (folder / "scan.pdf").write_bytes(data)
    command = ["pdftoppm", "-r", "100", "-gray", "-jpeg", "-jpegopt", "quality=40", "scan.pdf", "scan"]
    subprocess.run(command, check=True, cwd=folder, timeout=60)
    from PIL import Image  # noqa: PLC0415 - only this one sample needs it

    pages = [Image.open(path) for path in sorted(folder.glob("scan-*.jpg"))]
    drawn = BytesIO()
    pages[0].save(drawn, "PDF", save_all=True, append_images=pages[1:], resolution=100, quality=40)
    writer = PdfWriter()
    for page in PdfReader(drawn).pages:
        writer.add_page(page)
    return written(writer)


def expected_reading(document: Document, table: Table) -> dict[str, Any]:
    """What `parsers.application.read` must say about the document, without confidences and places."""
    readable = [] if document.image else list(enumerate(document.pages, start=1))
    return {
        "received_on": document.received_on.isoformat(),
        "applications": [
            expected_application(page, number, table) for number, page in readable if isinstance(page, Case)
        ],
        "problems": [{"code": code, "page": page} for code, page in document.problems],
    }


def expected_application(case: Case, number: int, table: Table) -> dict[str, Any]:
    form = forms.form(case.form_version)
    return {
        "request_type": case.request_type.value if case.request_type else None,
        "form_version": case.form_version,
        "pages": [number],
        "fields": {key: case.reads.get(key, _text(case.values.get(key))) for key in form.field_keys(table)},
        "confirmations": {row.key: bool(case.values.get(row.key)) for row in table.confirmations},
        "seal": case.seal,
        "findings": [{"code": code, "severity": severity, "field": field} for code, severity, field in case.findings],
    }


def _text(value: Value | None) -> str | None:
    return value.isoformat() if isinstance(value, date) else value if isinstance(value, str) else None


def demo_entry(document: Document, data: bytes) -> dict[str, Any]:
    """What is on a demo form, and where its two dates go: in points from the top left of the page."""
    [case] = document.pages
    if not isinstance(case, Case):
        raise TypeError(document.name)
    with pdfplumber.open(BytesIO(data)) as opened:
        page = opened.pages[0]
        form = forms.form(case.form_version)
        places = {
            key: [round(value, 2) for value in cell_right_of(page, form.label(key))]
            for key in ("application_date", forms.WISHED_DATE)
        }
    return {"values": dict(case.values), "seal": case.seal, "places": places}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")


def write_bad_files(table: Table, good: bytes) -> None:
    """What people send instead of a readable PDF."""
    bad = {
        "empty.pdf": b"",
        "not_a_pdf.pdf": "これはPDFではなく、ただのテキストです。\n".encode("cp932"),
        "encrypted.pdf": encrypted(good),
        "truncated.pdf": good[: len(good) * 6 // 10],
    }
    for name, data in bad.items():
        (SAMPLES / name).write_bytes(data)
    values = filled(table, RequestType.NEW_ISSUE, HANAKO)
    write_xlsx(SAMPLES / "form.xlsx", form=forms.newest(), table=table, values=values)


def encrypted(data: bytes) -> bytes:
    writer = PdfWriter()
    for page in PdfReader(BytesIO(data)).pages:
        writer.add_page(page)
    writer.encrypt(user_password="himitsu", algorithm="AES-256")  # the made-up password of a made-up sender
    return written(writer)


if __name__ == "__main__":
    main(*sys.argv[1:2])
