"""What a centre adds to the program reaches its confined readers: its own forms, and the key that its codes bear."""

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from config import forms, request_types
from config.request_types import RequestType
from config.settings import SettingsError, load
from daemon import cases, keyring
from daemon.children import ChildLost
from daemon.equipment import equipment_from
from daemon.form_code import modules_of
from daemon.form_learning import learn_form
from daemon.form_pdf import filled_pdf
from daemon.form_values import check_values
from daemon.keyring import FORM_CODE_KEY, public_half
from daemon.reader import Patience, Reader
from daemon.reading_console import application_lines, open_reader
from daemon.request_parts import application_lines as letter_lines
from parsers import normalise, rules
from parsers.application import read
from parsers.document import open_document
from parsers.equipment import Equipment, equipment_in
from parsers.frames import Frame, FrameError
from parsers.labels import find_parts, vocabulary
from parsers.picture import Picture
from parsers.reading import Route, SealVerdict
from parsers.rendering import render
from support.applications import application, case_of, flat
from support.centres import today
from support.command_lines import CommandLine, write_config, write_credential
from tools.make_layouts import DRAWN

LAYOUTS = Path(__file__).parents[1] / "data" / "layouts"
ODD = str(Path(__file__).parents[1] / "support" / "odd_nursery.py")
TABLE, NEWEST = request_types.load(), forms.newest()
KEY = b"\x07" * 32
DAY = date(2024, 7, 2)
MINATO = "suzuki@minato-shoji.example"
VALUES = {
    "applicant.company": "株式会社みなと商事",
    "applicant.department": "情報システム部",
    "applicant.title": "部長",
    "applicant.name": "鈴木 一郎",
    "applicant.phone": "03-5550-1234",
    "applicant.email": MINATO,
    "applicant.postal_code": "100-0001",
    "applicant.address": "東京都千代田区千代田1-1",
    "user.company_ja": "株式会社みなと商事",
    "user.company_en": "Minato Trading Co., Ltd.",
    "user.name_ja": "佐藤 健",
    "user.name_en": "Takeru SATO",
    "user.email": "takeru.sato@minato-shoji.example",
    "remarks": "特になし",
}


# --- forms of the centre's own


@cache
def learnt_text():
    return learn_form((LAYOUTS / "two_columns.pdf").read_bytes())


@pytest.fixture
def folder(tmp_path):
    """A centre's folder of forms, with one that it has learnt."""
    made = tmp_path / "forms"
    made.mkdir()
    (made / "two_columns.toml").write_text(learnt_text(), "utf-8")
    (made / "notes.txt").write_text("not a form", "utf-8")
    return made


@cache
def learnt_form():
    known = {form.version for form in forms.load_forms()}
    (form,) = [each for each in Equipment((("own.toml", learnt_text()),)).library().forms if each.version not in known]
    return form


def filled_layout(day, **values):
    """The learnt layout as an applicant fills, stamps and exports it."""
    written = VALUES | {"application_date": f"{day:%Y/%m/%d}"} | values
    ticks = {row.key: "■" for row in TABLE.confirmations if not row.needs[RequestType.NEW_ISSUE].greyed}
    drawn = written | ticks | {f"type:{RequestType.NEW_ISSUE}": "■", "request_type": "新規発行"}
    return stamped(DRAWN["two_columns"](drawn).finish())


def stamped(data):
    """A red seal in its box."""
    (page,) = open_document(data).pages
    box = find_parts(page.cells, vocabulary(learnt_form()), TABLE).seal_cell.box
    x, y = (box.x0 + box.x1) / 2, page.height - (box.y0 + box.y1) / 2
    drawn = io.BytesIO()
    canvas = Canvas(drawn, pagesize=(page.width, page.height), invariant=1)
    canvas.setStrokeColorRGB(0.8, 0.1, 0.1)
    canvas.setLineWidth(1.6)
    canvas.circle(x, y, 17)
    for step in (-8, 0, 8):
        canvas.line(x - 10, y + step, x + 10, y + step)
        canvas.line(x + step, y - 10, x + step, y + 10)
    canvas.save()
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.pages[0].merge_page(pypdf.PdfReader(drawn).pages[0])
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def expect_values(found, values):
    given = {key: normalise.display(normalise.kind_of(key), text).value for key, text in values.items()}
    assert {key: found.fields[key].value for key in given} == given


def test_a_mailed_form_of_a_learnt_layout_becomes_a_case_with_every_field(stage, folder):
    with Reader(equipment=equipment_from(folder, source="forms.folder")) as reader:
        stage.centre = replace(stage.centre, reader=reader)
        stage.send(MINATO, "新規発行", "お願いします", pdf=filled_layout(today(stage)))
        stage.work()
        (request, *_) = stage.requests().values()
        number = f"WEBEC-{stage.clock():%Y%m%d}-0001"
        assert case_of(stage, number).state == "awaiting_decision"
        with stage.centre.store.transaction() as tx:
            found = cases.application(tx, cases.find(tx, number))
        assert (found.form_version, found.route) == (learnt_form().version, Route.TEXT)
        expect_values(found, VALUES)
        assert found.seal.verdict is not SealVerdict.ABSENT
        for key, value in VALUES.items():
            assert flat(value) in flat(request.text)
            assert flat(TABLE.row(key).label) in flat(request.text)
        assert found.form_version in request.text


def test_a_defect_is_told_in_the_words_of_the_form_that_was_used(folder):
    equipment = equipment_from(folder, source="x")
    form, library = learnt_form(), equipment.library()
    with Reader(equipment=equipment) as reader:
        found = reader.read(filled_layout(DAY, **{"user.name_en": ""}), received_on=DAY, pictures=False)
    (missing,) = [each for each in found.applications[0].findings if each.code == "field_missing"]
    assert missing.field == "user.name_en"
    assert form.name("user.name_en") in missing.message
    assert form.name("user.name_en") != TABLE.label("user.name_en")
    again = rules.find(found.applications[0], table=TABLE, received_on=DAY, library=library)
    assert again == found.applications[0].findings


def test_an_application_whose_form_was_removed_since_is_still_shown_and_judged():
    """Its rows are those that were stored, its names those of the newest form."""
    stored = replace(application(RequestType.NEW_ISSUE), form_version="centre-1999")
    shown = "\n".join(application_lines(stored, TABLE))
    assert "centre-1999" in shown
    assert "centre-1999" in "\n".join(letter_lines(stored))
    assert rules.find(stored, table=TABLE, received_on=DAY) == rules.find(
        replace(stored, form_version=NEWEST.version), table=TABLE, received_on=DAY
    )


@pytest.mark.parametrize("form", [*forms.load_forms(), learnt_form()], ids=lambda form: form.version)
def test_every_row_of_a_form_has_a_name(form):
    rows = [row.key for row in (*TABLE.fields(), *TABLE.confirmations, TABLE.seal) if form.has(row.key)]
    assert all(form.name(key).strip() for key in rows)
    if form is NEWEST:
        assert {key: form.name(key) for key in rows} == {key: TABLE.label(key) for key in rows}


@pytest.fixture
def lra(tmp_path, capsys):
    clock = lambda: datetime(2024, 7, 2, 3, tzinfo=UTC)  # noqa: E731 - a clock that stands still
    # The command's own reader, but one that does not load the model: these forms are text.
    return CommandLine(tmp_path / "none.toml", clock, capsys, open_reader=TextReader)


class TextReader(Reader):
    def __init__(self, equipment):
        super().__init__(equipment=equipment)

    def read(self, data, *, received_on, **_):
        return super().read(data, received_on=received_on, pictures=False)


def test_read_knows_the_forms_of_a_folder_that_is_named_or_configured(lra, tmp_path, folder):
    paper = tmp_path / "form.pdf"
    paper.write_bytes(filled_layout(DAY))
    (named,) = lra("read", str(paper), "--forms", str(folder), "--json").document["applications"]
    assert named["form_version"] == learnt_form().version
    assert {key: named["fields"][key]["value"] for key in VALUES} == VALUES
    lra.config = with_folder(write_config(tmp_path))
    assert lra("read", str(paper), "--json").document["applications"] == [named]
    (tmp_path / "empty").mkdir()
    unknown = lra("read", str(paper), "--forms", str(tmp_path / "empty"), "--json")
    versions = [each["form_version"] for each in unknown.document["applications"]]
    assert learnt_form().version not in versions


def with_folder(config):
    """The configuration with the folder `forms` beside it."""
    config.write_text(config.read_text("utf-8") + '\n[forms]\nfolder = "forms"\n', "utf-8")
    return config


BROKEN = {
    "unknown_key": ('version = "x"\nshoe_size = 3\n', "two.toml: "),
    "not_toml": ("version =", "two.toml: not valid TOML"),
    "same_version": (learnt_text(), "same version"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_form_file_is_named_by_every_command(lra, tmp_path, folder, name):
    text, sentence = BROKEN[name]
    (folder / "two.toml").write_text(text, "utf-8")
    paper = tmp_path / "form.pdf"
    paper.write_bytes(b"%PDF-1.7")
    answered = lra("read", str(paper), "--forms", str(folder))
    assert answered.code == 2
    assert "--forms" in answered.err
    assert sentence in answered.err
    lra.config = with_folder(write_config(tmp_path))
    for verb in (("read", str(paper)), ("check",)):
        answered = lra(*verb)
        assert answered.code in (1, 2)
        assert sentence in answered.out + answered.err
        assert "forms.folder" in answered.out + answered.err


def test_a_folder_that_is_not_there_or_holds_no_text_is_named(tmp_path, folder):
    with pytest.raises(SettingsError, match=r"forms\.folder: .*nowhere cannot be read"):
        equipment_from(tmp_path / "nowhere", source="forms.folder")
    (folder / "odd.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"odd\.toml: not UTF-8"):
        equipment_from(folder, source="forms.folder")


def test_the_service_equips_its_readers_from_its_settings(finished, copied):
    """The folder of the configuration, the public half of the credential: nothing else of a key reaches a child."""
    (copied / "forms").mkdir()
    (copied / "forms" / "own.toml").write_text(learnt_text(), "utf-8")
    settings = load(with_folder(copied / "ogis-lra.toml"))
    centre = keyring.open_service(settings, clock=finished.clock)
    try:
        seed = keyring.form_code_key(settings)
        told = centre.reader._equipment
        assert told.code_key == public_half(seed) != seed
        assert [name for name, _ in told.texts] == ["own.toml"]
        assert centre.library.form(learnt_form().version) == learnt_form()
        assert seed.hex() not in repr(centre) + repr(keyring.open_keys(settings))
    finally:
        centre.close()
    (copied / "centre" / "credentials" / FORM_CODE_KEY).unlink()
    assert keyring.open_keys(settings).form_code_public == b""
    (copied / "forms" / "own.toml").write_text("x = 1", "utf-8")
    with pytest.raises(SettingsError, match=r"own\.toml"):
        keyring.open_service(settings, clock=finished.clock)


# --- the key of the codes


@cache
def coded():
    """A filled form with a signed code, as it looks when it is printed: a picture of 200 dpi."""
    values = {key: text for key, text in VALUES.items() if key != "remarks"}
    values |= {"request_type": "new_issue", "application_date": f"{DAY:%Y-%m-%d}", "remarks": "一行目です。"}
    values |= {row.key: not row.needs[RequestType.NEW_ISSUE].greyed for row in TABLE.confirmations}
    checked = check_values(values, NEWEST, TABLE)
    data = filled_pdf(NEWEST, TABLE, checked, modules_of(checked, NEWEST.version, key=KEY))
    (page,) = open_document(data).pages
    places = {key: cell.box for key, cell in find_parts(page.cells, vocabulary(NEWEST), TABLE).values.items()}
    return values, render(data, 1, dpi=200.0), places


def scan_of(picture):
    out = io.BytesIO()
    Image.fromarray(picture.pixels).save(out, "PDF", resolution=picture.dpi, quality=92)
    return out.getvalue()


@pytest.fixture(scope="module")
def keyed():
    with Reader(Patience(whole=60.0, page=50.0), equipment=Equipment(code_key=public_half(KEY))) as reader:
        yield reader


def test_a_scan_with_a_signed_code_is_read_exactly_behind_the_walls(keyed):
    values, picture, _ = coded()
    (found,) = keyed.read(scan_of(picture), received_on=DAY).applications
    assert found.route is Route.CODE
    assert found.request_type is RequestType.NEW_ISSUE
    expect_values(found, {key: values[key] for key in found.fields if key in VALUES})
    assert found.value("application_date") == DAY.isoformat()
    assert found.confirmations == {key: values[key] for key in found.confirmations}
    assert found.notes == ()
    assert not [each for each in found.findings if each.code.startswith("code")]


def test_a_print_that_was_tampered_with_is_a_doubt(keyed):
    _, picture, places = coded()
    box, other = places["user.email"], places["applicant.email"]
    pixels = picture.pixels.copy()
    scale = picture.dpi / 72
    high, wide = (round((min(one.y1 - one.y0, 15)) * scale) for one in (box, other)), round(140 * scale)
    high = min(high)
    to = (round(box.y0 * scale) + 4, round(box.x0 * scale) + 4)
    come = (round(other.y0 * scale) + 4, round(other.x0 * scale) + 4)
    pixels[to[0] : to[0] + high, to[1] : to[1] + wide] = picture.pixels[
        come[0] : come[0] + high, come[1] : come[1] + wide
    ]
    assert not np.array_equal(pixels, picture.pixels)
    (found,) = keyed.read(scan_of(Picture(pixels, picture.dpi)), received_on=DAY).applications
    assert found.route is Route.CODE
    assert "code_differs" in found.fields["user.email"].doubts
    assert found.fields["user.email"].confidence < 0.9
    assert ("code_differs", "user.email") in {(each.code, each.field) for each in found.findings}


def test_a_code_of_another_key_counts_for_nothing():
    _, picture, _ = coded()
    with Reader(Patience(whole=60.0, page=50.0), equipment=Equipment(code_key=public_half(b"\x08" * 32))) as reader:
        (found,) = reader.read(scan_of(picture), received_on=DAY).applications
    assert found.route is Route.SCAN
    assert "code_invalid" in found.notes


def test_read_checks_signatures_with_the_key_of_the_configuration(tmp_path, capsys):
    seen = []
    lra = CommandLine(tmp_path / "none.toml", lambda: datetime(2024, 7, 2, tzinfo=UTC), capsys)

    def note(equipment):
        seen.append(equipment)
        return open_reader(equipment)

    lra._open_reader = note
    paper = tmp_path / "form.pdf"
    paper.write_bytes(b"%PDF-1.7")
    lra("read", str(paper))
    lra.config = write_config(tmp_path)
    write_credential(tmp_path, FORM_CODE_KEY, KEY.hex())
    lra("read", str(paper))
    assert [each.code_key for each in seen] == [b"", public_half(KEY)]
    write_credential(tmp_path, FORM_CODE_KEY, "00" * 20)
    assert lra("read", str(paper)).code == 2
    assert FORM_CODE_KEY in lra("check").out


# --- what is told, and how


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5), st.sampled_from([b"", b"\x01" * 32]))
def test_equipment_comes_out_as_it_went_in(texts, key):
    equipment = Equipment(tuple(texts.items()), key)
    frame = equipment.frame()
    assert equipment_in(Frame(frame.kind, json.loads(json.dumps(dict(frame.body))))) == equipment
    assert bool(equipment) is bool(texts or key)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"texts": [], "code_key": ""},
        {"texts": {}, "code_key": None},
        {"texts": {}, "code_key": "zz"},
        {"texts": {}, "code_key": "00"},
        {"texts": {"a": 1}, "code_key": ""},
        {"texts": {"a": "x" * 200_000}, "code_key": ""},
        {"texts": {str(number): "" for number in range(60)}, "code_key": ""},
        {"texts": {}, "code_key": "", "more": 1},
    ],
)
def test_equipment_of_another_shape_or_size_is_refused(body):
    with pytest.raises(FrameError):
        equipment_in(Frame("equip", body))


def test_a_child_that_does_not_take_its_equipment_is_never_given_a_file(folder):
    """It would read by other forms than the service judges by."""
    with Reader(
        Patience(start=5.0), equipment=equipment_from(folder, source="x"), program=(ODD, "other-kind")
    ) as reader:
        with pytest.raises(OSError, match="no confined reader gets ready"):
            reader.read(b"%PDF-1.7", received_on=DAY)
        with pytest.raises(ChildLost):
            reader._get_ready(reader._nursery.hire("reader"))


def test_a_learnt_form_is_read_in_a_child_as_in_the_service(folder):
    equipment = equipment_from(folder, source="x")
    data = filled_layout(DAY)
    with Reader(equipment=equipment) as reader:
        found = reader.read(data, received_on=DAY, pictures=False)
    assert found == read(data, received_on=DAY, library=equipment.library())
