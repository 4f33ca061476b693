"""A form learnt from a centre's own blank is read as exactly as ours, whatever its order, wording and geometry."""

import io
import tomllib
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, PdfObject, TextStringObject

from config import forms, request_types
from config.forms import Form, Library
from config.request_types import RequestType
from daemon.form_learning import learn_form
from parsers import dates, normalise
from parsers.application import read
from parsers.document import open_document
from parsers.errors import ParseError
from parsers.labels import find_parts, vocabulary
from parsers.learning import propose
from parsers.normalise import Kind
from parsers.reading import Application
from support.drawing import Drawing, to_pdf
from support.layout_values import Content, make_content
from tools.make_layouts import DRAWN

LAYOUTS = Path(__file__).parent.parent / "data" / "layouts"
SAMPLES = LAYOUTS.parent / "samples"
TABLE = request_types.load()
TODAY = date(2025, 11, 1)

# What a person changes in the proposal: what it says → what it gets. All else is right as it was proposed.
CORRECTIONS: dict[str, dict[str, str]] = {
    "two_columns": {},
    "labels_above": {},
    "plain_list": {},
    # 記入者 could be anybody, an address anything, and a lone 〒 is mostly printed inside a value's own cell.
    "guide_wording": {
        'absent = ["applicant.postal_code", "remarks"]': "absent = []",
        '    "記入者",\n': "",
        '    "証明書送付先アドレス",\n': "",
        '    "その他ご要望",\n': "",
        'name = ["氏名", "お名前"]': 'name = ["記入者"]\npostal_code = ["〒"]',
        'email = ["Ｅメール"]': 'email = ["Ｅメール", "証明書送付先アドレス"]',
        'application_date = ["申請日"]': 'application_date = ["申請日"]\nremarks = ["その他ご要望"]',
    },
}
WORDS = dict(zip(RequestType, ("新規発行", "再発行", "登録内容変更", "担当者変更", "解約"), strict=True))


@cache
def learnt(name: str) -> Form:
    text = learn_form((LAYOUTS / f"{name}.pdf").read_bytes())
    for proposed, corrected in CORRECTIONS[name].items():
        assert text.count(proposed) == 1
        text = text.replace(proposed, corrected)
    return forms.build(tomllib.loads(text), file=f"{name}.toml", table=TABLE)


@cache
def library() -> Library:
    """All forms at once, so that each must also be told from the others."""
    return Library((*map(learnt, DRAWN), *forms.load_forms()))


def read_page(data: bytes) -> Application:
    found = read(data, received_on=TODAY, seal=False, library=library())
    assert found.problems == ()
    [application] = found.applications
    return application


def display(key: str, raw: str) -> str | None:
    kind = normalise.kind_of(key)
    if kind is Kind.DATE:
        day = dates.read_date(raw, TODAY).value
        return day.isoformat() if day else None
    return normalise.display(kind, raw).value


def expect(application: Application, content: Content, form: Form) -> None:
    assert application.form_version == form.version
    assert {key: field.value for key, field in application.fields.items()} == {
        key: display(key, text) for key, text in content.fields.items()
    }
    assert all(field.confidence == 1 and field.box for field in application.fields.values())
    assert {key: application.confirmations[key] for key in content.ticks} == content.ticks
    assert application.request_type is content.kind


@pytest.mark.parametrize("name", DRAWN)
def test_the_blank_is_what_the_script_draws_and_its_form_needs_no_more_than_the_corrections(name: str) -> None:
    blank = (LAYOUTS / f"{name}.pdf").read_bytes()
    assert blank == DRAWN[name]({}).finish()
    if not CORRECTIONS[name]:
        assert propose(blank).assumed == ()
    form = learnt(name)
    [page] = open_document(blank).pages
    rows = {row.key for row in (*TABLE.fields(), *TABLE.confirmations) if form.has(row.key)}
    assert find_parts(page.cells, vocabulary(form), TABLE).parts == rows | {"request_type", "seal"}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", DRAWN)
def test_a_filled_form_of_a_learnt_layout_is_read_exactly(name: str, seed: int) -> None:
    form = learnt(name)
    content = make_content(seed, form, TABLE, WORDS)
    expect(read_page(DRAWN[name](content.drawn).finish()), content, form)


def fill(blank: bytes, names: dict[str, str], content: Content) -> bytes:
    """The blank as a person fills it in a viewer: the values are in the fields, nothing is drawn on the page."""
    writer = PdfWriter(clone_from=io.BytesIO(blank))
    fields = {str(annotation["/T"]): annotation for annotation in map(as_field, writer.pages[0]["/Annots"])}
    for key, text in content.drawn.items():
        if key not in names:
            continue
        widget = fields[names[key]]
        if widget["/FT"] == "/Btn":
            widget[NameObject("/V")] = widget[NameObject("/AS")] = NameObject("/Yes")
        else:
            widget[NameObject("/V")] = TextStringObject(text)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def as_field(reference: PdfObject) -> DictionaryObject:
    found = reference.get_object()
    assert isinstance(found, DictionaryObject)
    return found


@pytest.mark.parametrize("seed", range(100, 105))
@pytest.mark.parametrize("name", DRAWN)
def test_a_fillable_form_of_a_learnt_layout_is_read_exactly(name: str, seed: int) -> None:
    form = learnt(name)
    content = make_content(seed, form, TABLE, WORDS)
    paper = DRAWN[name]({}, fillable=True)
    expect(read_page(fill(paper.finish(), paper.places, content)), content, form)


@pytest.mark.parametrize("name", DRAWN)
def test_a_fillable_blank_is_learnt_like_the_printed_one(name: str) -> None:
    printed = propose(DRAWN[name]({}).finish()).form
    fillable = propose(DRAWN[name]({}, fillable=True).finish()).form
    assert replace(fillable, version="") == replace(printed, version="")


@pytest.mark.parametrize("version", ["2024-07", "2021-04"])
def test_our_own_forms_are_told_from_the_learnt_ones(version: str) -> None:
    name = {"2024-07": "handover", "2021-04": "old_form"}[version]
    assert read_page((SAMPLES / f"{name}.pdf").read_bytes()).form_version == version


def test_a_letter_and_a_picture_hold_nothing_to_learn() -> None:
    for name in ("terms_only", "image_only", "truncated", "not_a_pdf"):
        with pytest.raises(ParseError):
            learn_form((SAMPLES / f"{name}.pdf").read_bytes())


def test_what_the_blank_does_not_have_is_marked_to_be_checked() -> None:
    page = Drawing().text(200, 40, "利用届", 14)
    for number, label in enumerate(("氏名", "フリガナ", "会社名", "TEL", "内線", "住所", "所属", "備考", "趣味")):
        page.cell(40, 60 + 20 * number, 140, 80 + 20 * number, label).cell(140, 60 + 20 * number, 400, 80 + 20 * number)
    text = learn_form(to_pdf(page))
    assert text.count("CHECK: not found on the blank") >= 4
    assert '    "趣味",' in text
    assert '    "フリガナ",' in text
    form = forms.build(tomllib.loads(text), file="x.toml", table=TABLE)
    assert (form.title, form.mark) == ("利用届", "")
    assert form.single_labels["remarks"] == ("備考",)


CELL_TEXTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20), min_size=8, max_size=14
)


@given(CELL_TEXTS)
@settings(max_examples=25, deadline=None)
def test_whatever_is_printed_the_proposal_loads_or_there_is_nothing_to_learn(texts: list[str]) -> None:
    page = Drawing().text(200, 40, "申請書", 14)
    for number, text in enumerate((*texts, "利用者氏名", "申請者", "社名", "社名（英語）", "氏名")):
        page.cell(40, 60 + 20 * number, 240, 80 + 20 * number, text).cell(240, 60 + 20 * number, 400, 80 + 20 * number)
    try:
        text = learn_form(to_pdf(page))
    except ParseError:
        return
    forms.build(tomllib.loads(text), file="x.toml", table=TABLE)
