"""The committed sample applications: what LibreOffice made of the Excel form, and that the set is whole.

Whether they are read rightly is tested with the parsers; here the papers themselves are judged.
"""

import io
import json
from pathlib import Path

import openpyxl
import pdfplumber
import pypdf
import pytest

from config import forms, request_types
from config.forms import WISHED_DATE
from config.request_types import Need, RequestType

TABLE = request_types.load()
SAMPLES = Path(__file__).parent / "samples"
DEMO = Path(__file__).parents[2] / "daemon" / "demo" / "forms"
EXPECTED = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(SAMPLES.glob("*.json"))}
FORMS = [name for name, expected in EXPECTED.items() if expected["applications"]]
SINGLE = [name for name in FORMS if not EXPECTED[name]["problems"] and len(EXPECTED[name]["applications"]) == 1]
CLEAN = [kind.value for kind in RequestType]
STYLES = ("font_mincho", "font_noto", "margin", "columns")
BAD = ("empty.pdf", "not_a_pdf.pdf", "encrypted.pdf", "truncated.pdf", "form.xlsx")

YELLOW, WHITE, GREY = (1.0, 1.0, 0.6), (1.0, 1.0, 1.0), (0.75, 0.75, 0.75)
STRICT = {"vertical_strategy": "lines_strict", "horizontal_strategy": "lines_strict"}


class Paper:
    """One exported page: its ruled cells with their text, and the colour under a point."""

    def __init__(self, path):
        with pdfplumber.open(path) as document:
            self.count = len(document.pages)
            page = document.pages[0]
            self.size = (float(page.width), float(page.height))
            self.fills = [rect for rect in page.rects if rect["fill"]]
            self.text = page.extract_text()
            self.cells = {}
            for table in page.find_tables(STRICT):
                for cell in table.cells:
                    self.cells[tuple(cell)] = self.inside(page.chars, cell)

    @staticmethod
    def inside(chars, cell):
        left, top, right, bottom = cell
        middle = [char for char in chars if left < (char["x0"] + char["x1"]) / 2 < right]
        return "".join(char["text"] for char in middle if top < (char["top"] + char["bottom"]) / 2 < bottom).strip()

    def labelled(self, label):
        """The cells with this text, from the top of the page down."""
        return sorted((cell for cell, text in self.cells.items() if text == label), key=lambda cell: cell[1])

    def colour(self, x, y):
        """The last fill painted over the point; paper is white."""
        over = [rect for rect in self.fills if rect["x0"] < x < rect["x1"] and rect["top"] < y < rect["bottom"]]
        return tuple(over[-1]["non_stroking_color"]) if over else WHITE


def place_of(paper, form, key):
    """A point in the cell that takes the value of that row: right of its label, for a box left, for the seal below."""
    block, dot, _ = key.partition(".")
    label = form.label(key)
    # The three blocks share their labels; the applicant's mail address comes before them.
    shared = dot and block != "applicant"
    found = paper.labelled(label)
    left, top, right, bottom = found[("user", "before", "after").index(block) - 3] if shared else found[0]
    if key in {row.key for row in TABLE.confirmations}:
        return left - 3, (top + bottom) / 2
    if key == "seal":
        return (left + right) / 2, bottom + 6
    return right + 3, top + 3


@pytest.fixture(scope="module")
def papers():
    return {}


def paper(papers, name):
    if name not in papers:
        papers[name] = Paper(SAMPLES / f"{name}.pdf")
    return papers[name]


@pytest.mark.parametrize("kind", CLEAN)
@pytest.mark.parametrize("row", [row.key for row in (*TABLE.fields(), *TABLE.confirmations, TABLE.seal)])
def test_the_exported_form_shows_the_colour_of_the_table(papers, kind, row):
    need = TABLE.row(row).needs[RequestType(kind)]
    dated = EXPECTED[kind]["applications"][0]["fields"][WISHED_DATE]
    duty = row == "application_date" and dated
    expected = YELLOW if need is Need.REQUIRED or duty else GREY if need.greyed else WHITE
    shown = paper(papers, kind)
    x, y = place_of(shown, forms.newest(), row)
    assert shown.colour(x, y) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("name", SINGLE)
def test_every_form_is_one_a4_page_with_its_mark(papers, name):
    shown = paper(papers, name)
    assert shown.count == 1
    assert shown.size == pytest.approx((595.3, 841.9), abs=0.5)
    assert forms.form(EXPECTED[name]["applications"][0]["form_version"]).mark in shown.text


@pytest.mark.parametrize("name", [*CLEAN, *(f"{kind}__{style}" for kind in CLEAN for style in STYLES)])
def test_every_label_is_printed_in_full_in_a_cell_of_its_own(papers, name):
    form, shown = forms.newest(), paper(papers, name)
    for row in (*TABLE.fields(), *TABLE.confirmations, TABLE.seal):
        assert shown.labelled(form.label(row.key)), row.key
    assert len(shown.labelled(form.field_labels["name_en"][0])) == 3


@pytest.mark.parametrize("name", CLEAN)
def test_the_seal_box_has_room_for_a_seal(papers, name):
    shown = paper(papers, name)
    [label] = shown.labelled(forms.newest().label("seal"))
    [box] = [cell for cell in shown.cells if abs(cell[1] - label[3]) < 3 and abs(cell[0] - label[0]) < 3]
    millimetre = 72 / 25.4
    assert min(box[2] - box[0], box[3] - box[1]) >= 30 * millimetre
    assert shown.cells[box] == ""


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("style", STYLES)
def test_a_restyled_form_says_the_same(name, style):
    assert EXPECTED[f"{name}__{style}"] == EXPECTED[name]


def test_the_styles_really_differ(papers):
    plain = paper(papers, "new_issue")
    left = min(cell[0] for cell in plain.cells)
    width = {name: paper(papers, name).labelled("社名")[0][2] for name in ("new_issue", "new_issue__columns")}
    assert min(cell[0] for cell in paper(papers, "new_issue__margin").cells) > left + 15
    assert abs(width["new_issue"] - width["new_issue__columns"]) > 15
    for name, font in (("font_mincho", "IPAPMincho"), ("font_noto", "NotoSansCJK")):
        page = pypdf.PdfReader(SAMPLES / f"new_issue__{name}.pdf").pages[0]
        fonts = [entry.get_object()["/BaseFont"] for entry in page["/Resources"]["/Font"].values()]
        assert any(font in base for base in fonts)


@pytest.mark.parametrize("name", FORMS)
def test_an_expected_reading_names_every_field_of_its_form(name):
    for application in EXPECTED[name]["applications"]:
        form = forms.form(application["form_version"])
        assert list(application["fields"]) == list(form.field_keys(TABLE))
        assert list(application["confirmations"]) == [row.key for row in TABLE.confirmations]
        assert application["seal"] in ("present", "unclear", "absent")
        for finding in application["findings"]:
            assert finding["severity"] in ("defect", "warning", "doubt", "note")


@pytest.mark.parametrize("name", [*CLEAN, "reissue__with_date", "handover__without_date", "cancellation__with_date"])
def test_a_clean_form_has_no_findings(name):
    [application] = EXPECTED[name]["applications"]
    assert application["findings"] == []
    assert application["seal"] == "present"


# The common mistakes that the stage asks for, and the finding that each must give (SPEC 1.3).
@pytest.mark.parametrize(
    ("name", "code", "severity"),
    [
        ("new_issue__no_seal", "seal_missing", "defect"),
        ("new_issue__black_seal", "seal_unclear", "doubt"),
        ("type_missing", "type_missing", "defect"),
        ("type_two", "type_ambiguous", "defect"),
        ("new_issue__grey_filled", "grey_value", "note"),
        ("reissue__date_too_late", "wished_date_too_late", "defect"),
        ("reissue__date_past", "wished_date_past", "warning"),
        ("cancellation__undated", "application_date_missing", "warning"),
        ("cancellation__undated_with_date", "application_date_missing", "defect"),
        ("old_form", "old_form", "note"),
        ("old_form__date_in_remarks", "old_form_with_date", "doubt"),
        ("reissue__era_past_its_end", "era_year_out_of_range", "warning"),
        ("reissue__no_such_day", "date_invalid", "defect"),
        ("new_issue__terms_unticked", "confirmation_missing", "defect"),
        ("registration_change__revoke_unticked", "confirmation_missing", "warning"),
        ("new_issue__fields_missing", "field_missing", "defect"),
        ("new_issue__two_mails", "mail_address_several", "defect"),
        ("new_issue__bad_mail", "mail_address_invalid", "defect"),
        ("new_issue__kanji_english_name", "english_not_ascii", "defect"),
        ("new_issue__long_english_name", "english_too_long", "defect"),
        ("new_issue__signs_in_english", "english_characters", "defect"),
        ("new_issue__short_phone", "phone_invalid", "warning"),
        ("handover__same_person", "handover_same_person", "doubt"),
        ("registration_change__other_person", "change_other_person", "doubt"),
    ],
)
def test_a_common_mistake_has_its_sample(name, code, severity):
    [application] = EXPECTED[name]["applications"]
    assert (code, severity) in {(finding["code"], finding["severity"]) for finding in application["findings"]}


# Unusual, and right all the same: no finding but those of the form itself.
@pytest.mark.parametrize(
    "name",
    [
        "reissue__date_at_limit",
        "cancellation__date_at_month_end",
        "reissue__era_dates",
        "reissue__terms_ticked",
        "new_issue__wide_mail",
        "new_issue__seal_over_company",
    ],
)
def test_an_unusual_but_correct_form_has_its_sample(name):
    assert EXPECTED[name]["applications"][0]["findings"] == []


@pytest.mark.parametrize(
    ("name", "forms_in_it", "problems"),
    [
        ("two_forms", [1, 2], []),
        ("cover_and_form", [2], [("cover_or_terms", 1)]),
        ("terms_only", [], [("cover_or_terms", 1)]),
        ("other_service", [], [("other_service", 1)]),
        ("image_only", [], [("no_text_layer", 1)]),
    ],
)
def test_a_document_that_is_not_just_one_form_has_its_sample(name, forms_in_it, problems):
    expected = EXPECTED[name]
    assert [application["pages"][0] for application in expected["applications"]] == forms_in_it
    assert [(problem["code"], problem["page"]) for problem in expected["problems"]] == problems


def test_the_two_forms_in_one_document_are_of_two_people():
    names = [application["fields"]["user.name_ja"] for application in EXPECTED["two_forms"]["applications"]]
    assert len(set(names)) == 2


def test_the_image_has_no_letter_of_text():
    page = pypdf.PdfReader(SAMPLES / "image_only.pdf").pages[0]
    assert page.extract_text().strip() == ""
    assert len(page.images) == 1


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_bad_in_its_own_way(name):
    data = (SAMPLES / name).read_bytes()
    assert not (SAMPLES / name).with_suffix(".json").exists()
    match name:
        case "empty.pdf":
            assert data == b""
        case "not_a_pdf.pdf":
            assert b"%PDF" not in data
        case "encrypted.pdf":
            reader = pypdf.PdfReader(io.BytesIO(data))
            assert reader.is_encrypted
            assert not reader.decrypt("")
        case "truncated.pdf":
            assert data.startswith(b"%PDF")
            assert b"%%EOF" not in data
        case "form.xlsx":
            assert openpyxl.load_workbook(io.BytesIO(data)).active.title == "申請書"


def test_the_samples_stay_small():
    files = [path for path in SAMPLES.iterdir() if path.is_file()]
    assert max(path.stat().st_size for path in files) < 120_000
    assert sum(path.stat().st_size for path in files) < 4_000_000


def test_every_pdf_has_its_expected_reading_and_the_other_way_round():
    pdfs = {path.stem for path in SAMPLES.glob("*.pdf")}
    assert pdfs - {Path(name).stem for name in BAD} == set(EXPECTED)


def test_only_invented_domains_stand_on_the_samples():
    for expected in EXPECTED.values():
        for application in expected["applications"]:
            for key, value in application["fields"].items():
                if key.endswith(".email") and value:
                    assert value.endswith(".example")


DEMO_VALUES = json.loads((DEMO / "values.json").read_text("utf-8"))


def test_the_demo_has_its_forms():
    assert set(DEMO_VALUES) == {path.stem for path in DEMO.glob("*.pdf")}
    types = {entry["values"]["request_type"] for entry in DEMO_VALUES.values()}
    assert types == {rule.word for rule in TABLE.types.values()}


@pytest.mark.parametrize("name", DEMO_VALUES)
def test_a_demo_form_bears_no_dates_and_shows_where_they_go(name):
    entry = DEMO_VALUES[name]
    shown = Paper(DEMO / f"{name}.pdf")
    assert shown.count == 1
    for key in ("application_date", WISHED_DATE):
        left, top, right, bottom = entry["places"][key]
        [label] = shown.labelled(forms.newest().label(key))
        assert (left, top) == pytest.approx((label[2], label[1]), abs=1)
        assert min(right - left, bottom - top) > 15
        [text] = [
            text for cell, text in shown.cells.items() if cell == pytest.approx((left, top, right, bottom), abs=1)
        ]
        assert text == ""
        assert key not in entry["values"]
    for key, value in entry["values"].items():
        if isinstance(value, str):
            assert value.replace(" ", "") in shown.text.replace(" ", ""), key


def test_only_the_demo_form_without_a_seal_has_none():
    assert {name for name, entry in DEMO_VALUES.items() if entry["seal"] != "present"} == {"new_issue_takeru_no_seal"}
    for name in DEMO_VALUES:
        images = pypdf.PdfReader(DEMO / f"{name}.pdf").pages[0].images
        assert bool(len(images)) is (name != "new_issue_takeru_no_seal")
