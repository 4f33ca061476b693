"""The form as PDF: blank and fillable, filled with a code, and what a person is told when it cannot be made."""

import io
import json
from datetime import UTC, datetime
from functools import cache

import numpy as np
import openpyxl
import pypdf
import pypdfium2
import pytest

from config import forms, request_types
from config.request_types import Need, RequestType
from daemon import form_console, form_fonts
from daemon.form_code import modules_of
from daemon.form_fonts import FontError, broken_lines, load_typeface
from daemon.form_layout import Role, lay_out
from daemon.form_looks import GREY, WHITE, YELLOW
from daemon.form_pdf import LEAST_MODULE, blank_pdf, filled_pdf, fitted
from daemon.form_values import ValueFault, check_values, printed_text
from daemon.keyring import FORM_CODE_KEY, public_half
from parsers.codes import decode, find_codes
from parsers.document import open_document
from parsers.labels import find_parts, vocabulary
from parsers.picture import Picture
from parsers.signatures import verifier
from support.command_lines import CommandLine, write_config, write_credential

TABLE = request_types.load()
NEWEST = forms.newest()
KEY = b"\x05" * 32
WISHED = "wished_revocation_date"
# The kanji of JIS X 0208, level 1, from the 17th row on: every font has them, and they do not pack well.
KANJI = bytes(octet for row in range(0xB1, 0xCF) for cell in range(0xA1, 0xFF) for octet in (row, cell)).decode(
    "euc_jp"
)


def values_of(kind, **changes):
    """A complete form of that type, every field it asks for filled."""
    values = {"request_type": kind.value, "application_date": "2024-07-01", "remarks": "一行目です。\n二行目です。"}
    for row in TABLE.fields():
        if row.needs[kind] is Need.REQUIRED or row.key.startswith("applicant."):
            last = row.key.partition(".")[2]
            values[row.key] = {
                "email": "takashi.yoshida_l1+webec@sub.minato-shoji.example",
                "phone": "03-6712-1274",
                "postal_code": "100-0001",
                "company_en": "Yoshinoya Takasaki International Holdings Co., Ltd.",
                "name_en": "Takashi YOSHIDA",
                "title": "代表取締役社長兼最高執行責任者",
            }.get(last, "株式会社𠮷野家髙﨑①㈱")
    if not TABLE.row(WISHED).needs[kind].greyed:
        values[WISHED] = "2024-07-31"
    values |= {row.key: row.needs[kind] is Need.REQUIRED for row in TABLE.confirmations}
    return check_values(values | {key.replace("__", "."): value for key, value in changes.items()}, NEWEST, TABLE)


@cache
def filled(kind):
    values = values_of(kind)
    return filled_pdf(NEWEST, TABLE, values, modules_of(values, NEWEST.version, key=KEY))


@cache
def blank(version=NEWEST.version):
    return blank_pdf(forms.form(version), TABLE)


def picture(data, dpi=200):
    document = pypdfium2.PdfDocument(data)
    try:
        return np.array(document[0].render(scale=dpi / 72).to_pil().convert("RGB"))
    finally:
        document.close()


def parts(data, form=NEWEST):
    (page,) = open_document(data).pages
    return page, find_parts(page.cells, vocabulary(form), TABLE)


@pytest.mark.parametrize("kind", RequestType)
def test_every_printed_value_is_read_by_its_label_from_the_text(kind):
    page, grid = parts(filled(kind))
    values = values_of(kind)
    expected = {
        key: printed_text(key, text, TABLE).replace("\n", "") for key, text in values.items() if isinstance(text, str)
    }
    assert grid.type_cell.text == expected.pop("request_type")
    assert {key: cell.text for key, cell in grid.values.items() if cell.text} == expected
    assert not any(cell.overflows for cell in page.cells)
    assert {key: mark.text in NEWEST.ticked for key, (mark, _) in grid.checks.items()} == {
        key: value for key, value in values.items() if isinstance(value, bool)
    }
    assert grid.seal_cell.text == ""


@pytest.mark.parametrize("kind", RequestType)
def test_a_filled_form_is_yellow_white_or_grey_as_the_table_says(kind):
    _, grid = parts(filled(kind))
    seen = picture(filled(kind))
    cells = grid.values | {"seal": grid.seal_cell} | {key: mark for key, (mark, _) in grid.checks.items()}
    for row in (*TABLE.fields(), *TABLE.confirmations, TABLE.seal):
        box = cells[row.key].box
        # Near the upper right corner there is no text.
        pixel = seen[round((box.y0 + 2.2) * 200 / 72), round((box.x1 - 2.2) * 200 / 72)]
        need = row.needs[kind]
        wanted = YELLOW if need is Need.REQUIRED else GREY if need.greyed else WHITE
        if row.key == "application_date" and not TABLE.row(WISHED).needs[kind].greyed:
            wanted = YELLOW  # a wished date counts from it
        assert "".join(f"{channel:02X}" for channel in pixel) == wanted, row.key


@pytest.mark.parametrize("kind", RequestType)
def test_the_code_says_what_is_printed_and_lies_clear_of_the_seal(kind):
    values = values_of(kind)
    ((payload, box),) = find_codes(Picture(picture(filled(kind)), 200.0))
    content = decode(payload, verify=verifier(public_half(KEY)))
    assert (content.request_type, content.form_version, content.valid) == (kind, NEWEST.version, True)
    assert {key: text for key, text in content.values.items() if text} == {
        key: text for key, text in values.items() if isinstance(text, str) and key != "request_type"
    }
    assert dict(content.ticks) == {row.key: values[row.key] for row in TABLE.confirmations}
    _, grid = parts(filled(kind))
    assert box.y0 > max(cell.box.y1 for cell in grid.values.values())
    assert box.y0 > grid.seal_cell.box.y1 + 100
    modules = len(modules_of(values, NEWEST.version, key=KEY))
    assert (box.x1 - box.x0) / modules >= LEAST_MODULE * 0.99
    assert 37 <= (box.x1 - box.x0) / 72 * 25.4 <= 41


@pytest.mark.parametrize("version", [known.version for known in forms.load_forms()])
def test_the_blank_form_is_one_a4_page_whose_labels_are_all_found(version):
    form = forms.form(version)
    page, grid = parts(blank(version), form)
    assert (round(page.width), round(page.height)) == (595, 842)
    assert set(grid.values) == set(form.field_keys(TABLE))
    assert set(grid.checks) == {row.key for row in TABLE.confirmations}
    assert grid.type_cell.text == ""
    assert grid.seal_cell.area > 5000
    assert not any(cell.text for cell in grid.values.values())
    lines = page.loose_lines()
    assert form.mark in lines
    assert form.title in lines


def test_the_blank_form_asks_viewers_to_draw_what_is_typed_in_an_embedded_font():
    reader = pypdf.PdfReader(io.BytesIO(blank()))
    form = reader.root_object["/AcroForm"]
    assert form["/NeedAppearances"]
    font = form["/DR"]["/Font"]["/JaGo"]
    text_map = font["/ToUnicode"].get_data().decode()
    for char in "あ亜髙﨑栁𠮷①A@":
        assert f"<{char.encode('utf-16-be').hex().upper()}>" in text_map, char
    assert "/FontFile2" in font["/DescendantFonts"][0]["/FontDescriptor"]
    assert reader.pages[0]["/Tabs"] == "/R"
    assert "/JavaScript" not in str(reader.root_object)
    words = [rule.word for rule in TABLE.types.values()]
    (kind,) = [each for each in reader.pages[0]["/Annots"] if each.get_object().get("/T") == "request_type"]
    assert kind.get_object()["/Opt"] == words


def test_the_blank_form_names_the_types_of_each_part_in_words():
    page, _ = parts(blank())
    text = "".join(page.loose_lines())
    assert "新規発行／再発行／解約・失効 の場合にご記入ください" in text
    assert text.count("登録変更／担当変更 の場合にご記入ください") == 2
    assert {"すべての種別", "新規発行／担当変更", "解約・失効"} <= {cell.text for cell in page.cells}


def test_the_same_form_is_the_same_file():
    values = values_of(RequestType.REISSUE)
    modules = modules_of(values, NEWEST.version, key=KEY)
    assert filled_pdf(NEWEST, TABLE, values, modules) == filled_pdf(NEWEST, TABLE, values, modules)


# --- values


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"user.nickname": "x"}, "user.nickname"),
        ({"request_type": "解約かも"}, "request_type"),
        ({"request_type": None}, "request_type"),
        ({"user.name_ja": 5}, "user.name_ja"),
        ({"user.name_ja": "山田\n太郎"}, "user.name_ja"),
        ({"user.name_ja": "あ" * 161}, "user.name_ja"),
        ({"remarks": "\x07"}, "remarks"),
        ({"application_date": "2024-02-30"}, "application_date"),
        ({"webec_terms": "yes"}, "webec_terms"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(changes, sentence):
    with pytest.raises(ValueFault, match=sentence):
        check_values({"request_type": "reissue"} | changes, NEWEST, TABLE)


def test_values_may_be_empty_and_the_type_a_printed_word():
    given = {"request_type": "解約", "user.name_ja": "  ", "remarks": None, "content_correct": False}
    assert check_values(given, NEWEST, TABLE) == {"request_type": "cancellation", "content_correct": False}
    with pytest.raises(ValueFault, match="one JSON object"):
        check_values([], NEWEST, TABLE)


def test_text_shrinks_then_wraps_and_is_refused_by_its_key_before_it_runs_over():
    face = load_typeface()
    assert fitted(face, "短い", 10, 200, 20) == (10, ["短い"])
    size, lines = fitted(face, "少し長い値です", 10, 60, 20)
    assert size < 10
    assert lines == ["少し長い値です"]
    size, lines = fitted(face, "代表取締役社長兼最高執行責任者代理", 10, 75, 20)
    assert len(lines) > 1
    assert all(face.width(line, size) <= 75 for line in lines)
    with pytest.raises(ValueFault, match=r"applicant\.title"):
        fitted(face, "長" * 160, 10, 75, 20, key="applicant.title")
    values = values_of(RequestType.REISSUE, applicant__title="長" * 160)
    modules = modules_of(values, NEWEST.version, key=None)
    with pytest.raises(ValueFault, match=r"applicant\.title"):
        filled_pdf(NEWEST, TABLE, values, modules)


def test_latin_words_stay_whole_and_longer_ones_than_a_line_are_cut():
    face = load_typeface()
    assert broken_lines(face, "Aozora Electric Co., Ltd.", 10, 80) == ["Aozora Electric", "Co., Ltd."]
    cut = broken_lines(face, "x" * 40, 10, 80)
    assert len(cut) > 1
    assert "".join(cut) == "x" * 40


def test_a_character_that_no_font_has_is_named():
    values = values_of(RequestType.REISSUE, user__name_ja="山田 \U0002f9f4")
    with pytest.raises(ValueFault, match=r"user\.name_ja: no font here"):
        filled_pdf(NEWEST, TABLE, values, modules_of(values, NEWEST.version, key=None))


def test_a_machine_without_a_japanese_font_is_told_which_package_to_install(tmp_path):
    with pytest.raises(FontError, match="fonts-ipaexfont-gothic"):
        load_typeface([tmp_path])
    (tmp_path / "ipaexg.ttf").write_bytes(b"no font")
    with pytest.raises(FontError, match="cannot be used"):
        load_typeface([tmp_path, tmp_path])


def test_the_looks_of_every_role_are_known_to_both_writers():
    assert {place.role for form in forms.load_forms() for place in lay_out(form, TABLE).places} <= set(Role)


# --- the command


@pytest.fixture
def lra(tmp_path, capsys):
    """Making a form needs no centre: there is no configuration."""
    return CommandLine(tmp_path / "none.toml", lambda: datetime(2024, 7, 2, 16, tzinfo=UTC), capsys)


def json_file(folder, content):
    path = folder / "values.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_the_blank_form_is_written_as_excel_and_as_pdf(lra, tmp_path):
    for option, name in (("--xlsx", "form.xlsx"), ("--pdf", "form.pdf")):
        target = tmp_path / name
        answered = lra("form", option, str(target), "--json")
        assert answered.code == 0
        assert answered.document == {"file": str(target), "form_version": NEWEST.version}
    assert "申請書" in str(
        [cell.value for row in openpyxl.load_workbook(tmp_path / "form.xlsx").active.rows for cell in row]
    )
    assert (tmp_path / "form.pdf").read_bytes() == blank()


def test_a_filled_form_is_written_and_says_that_its_code_is_not_signed(lra, tmp_path):
    given = json_file(tmp_path, values_of(RequestType.CANCELLATION))
    answered = lra("form", "--fill", str(given), "--pdf", str(tmp_path / "out.pdf"))
    assert answered.code == 0
    assert "not signed" in answered.out
    ((payload, _),) = find_codes(Picture(picture((tmp_path / "out.pdf").read_bytes()), 200.0))
    assert not decode(payload, verify=None).signed


def test_a_filled_form_is_signed_with_the_key_of_the_centre(lra, tmp_path):
    lra.config = write_config(tmp_path)
    write_credential(tmp_path, FORM_CODE_KEY, KEY.hex())
    given = json_file(tmp_path, values_of(RequestType.REISSUE))
    answered = lra("form", "--fill", str(given), "--pdf", str(tmp_path / "out.pdf"), "--json")
    assert answered.document["signed"] is True
    assert (tmp_path / "out.pdf").read_bytes() == filled(RequestType.REISSUE)
    write_credential(tmp_path, FORM_CODE_KEY, "00" * 20)
    assert lra("form", "--fill", str(given), "--pdf", str(tmp_path / "out.pdf")).code == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"request_type": "reissue", "user.nickname": "x"}, "user.nickname"),
        ({"request_type": "reissue", "applicant.title": "長" * 160}, "applicant.title"),
        ("{", "is not JSON"),
        ("[]", "one JSON object"),
    ],
)
def test_values_that_cannot_be_printed_are_a_wrong_use(lra, tmp_path, content, sentence):
    answered = lra("form", "--fill", str(json_file(tmp_path, content)), "--pdf", str(tmp_path / "out.pdf"))
    assert answered.code == 2
    assert sentence in answered.err
    assert not (tmp_path / "out.pdf").exists()


@pytest.mark.parametrize("length", [30, 60])
def test_values_that_are_too_many_for_the_code_are_a_wrong_use(lra, tmp_path, length):
    chance = np.random.default_rng(3)
    long = {
        row.key: "".join(KANJI[at] for at in chance.integers(0, len(KANJI), length))
        for row in TABLE.fields()
        if "_date" not in row.key
    }
    given = json_file(tmp_path, {"request_type": "handover"} | long)
    answered = lra("form", "--fill", str(given), "--pdf", str(tmp_path / "out.pdf"))
    assert answered.code == 2
    assert "too long" in answered.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--fill", "v.json"),
        ("--learn", "blank.pdf"),
        ("--out", "form.toml"),
        ("--xlsx", "a.xlsx", "--pdf", "a.pdf"),
    ],
)
def test_options_that_do_not_belong_together_are_a_wrong_use(lra, words):
    answered = lra("form", *words)
    assert answered.code == 2
    assert "ogis-lra form --xlsx OUT" in answered.err


@pytest.mark.parametrize("option", ["--xlsx", "--pdf"])
def test_a_file_that_cannot_be_written_is_a_wrong_use(lra, tmp_path, option):
    answered = lra("form", option, str(tmp_path / "nowhere" / "form"))
    assert answered.code == 2
    assert "cannot be written" in answered.err


def test_another_layout_is_learnt_from_its_blank_form(lra, tmp_path):
    (tmp_path / "blank.pdf").write_bytes(blank())
    answered = lra("form", "--learn", str(tmp_path / "blank.pdf"), "--out", str(tmp_path / "own.toml"))
    assert answered.code == 0
    assert "proposal" in answered.out
    assert NEWEST.title in (tmp_path / "own.toml").read_text("utf-8")
    assert lra("form", "--learn", str(tmp_path / "own.toml"), "--out", str(tmp_path / "x.toml")).code == 2


def test_a_machine_without_fonts_says_so_instead_of_failing(lra, tmp_path, monkeypatch):
    def no_fonts():
        return form_fonts.load_typeface([tmp_path / "empty"])

    monkeypatch.setattr("daemon.form_pdf.load_typeface", no_fonts)
    answered = lra("form", "--pdf", str(tmp_path / "out.pdf"))
    assert answered.code == 2
    assert "fonts-ipaexfont-gothic" in answered.err
    assert form_console.FontError is FontError
