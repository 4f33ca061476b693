"""Pictures of forms: what a printed page says, its picture says too, whichever way it lies."""

import io
import json
import tomllib
import unicodedata
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, NameObject
from reportlab.pdfgen import canvas

from config import forms, request_types
from config.forms import Library
from daemon.form_learning import learn_form
from parsers.application import read
from parsers.document import open_document
from parsers.labels import find_parts, vocabulary
from parsers.picture import Picture
from parsers.reading import Route, SealVerdict
from parsers.recogniser import Recogniser
from parsers.rendering import render
from parsers.ruling import find_grid
from parsers.scan import PROBLEMS, scan_from_json, scan_to_json
from parsers.scanner import Scanner
from parsers.type_words import read_type
from support.layout_values import make_content
from tools.make_layouts import DRAWN

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
LAYOUTS = SAMPLES.parent / "layouts"
DAY = date(2024, 7, 1)


@pytest.fixture(scope="module")
def scanner():
    return Scanner(Recogniser(threads=1))


def page_of(name, dpi=200):
    return render((SAMPLES / f"{name}.pdf").read_bytes(), 1, dpi=dpi)


def worn(picture, *, angle=0.0, turn=0, grey=False, seed=1):
    """The picture as an office scanner gives it: askew, noisy, squeezed; `turn` is in quarters."""
    height, width = picture.pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    pixels = cv2.warpAffine(picture.pixels, matrix, (width, height), borderValue=(250, 250, 250))
    noise = np.random.default_rng(seed).normal(0, 4, pixels.shape[:2])
    pixels = np.clip(pixels.astype(np.float32) + noise[:, :, None], 0, 255).astype(np.uint8)
    if grey:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    squeezed = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)
    return Picture(np.ascontiguousarray(np.rot90(squeezed, turn)), picture.dpi)


def as_pdf(picture):
    """The picture alone on a page of its size, as scanners write it."""
    out = io.BytesIO()
    Image.fromarray(picture.pixels).save(out, "PDF", resolution=picture.dpi, quality=90)
    return out.getvalue()


def with_box_before_type(name, *, ticked):
    """The page with its request type moved to the right and a box drawn before it."""
    form, table = forms.form("2024-07"), request_types.load()
    [page] = open_document((SAMPLES / f"{name}.pdf").read_bytes()).pages
    cell = find_parts(page.cells, vocabulary(form), table).type_cell
    picture = page_of(name)
    text, scale = cell.runs[0].box, picture.points
    x0, x1, y0, y1 = (round(at * scale) for at in (text.x0 - 1, text.x1 + 1, text.y0 - 1, text.y1 + 1))
    pixels, high = picture.pixels.copy(), y1 - y0
    word = pixels[y0:y1, x0:x1].copy()
    pixels[y0:y1, x0:x1] = word.max(axis=(0, 1))
    left = x0 + 2 * high
    pixels[y0:y1, left : left + x1 - x0] = word
    corner, other = (x0 + 6, y0 + 6), (x0 + high - 6, y1 - 6)
    cv2.rectangle(pixels, corner, other, (0, 0, 0), 2)
    if ticked:
        cv2.line(pixels, corner, other, (0, 0, 0), 3)
        cv2.line(pixels, (corner[0], other[1]), (other[0], corner[1]), (0, 0, 0), 3)
    return Picture(pixels, picture.dpi)


def truth_of(name):
    return json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))["applications"][0]


def plain(text):
    return "".join((text or "").split())


def wrong_fields(application, truth):
    return {
        key: (value, application.value(key))
        for key, value in truth["fields"].items()
        if plain(application.value(key)) != plain(value)
    }


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("new_issue", {}),
        ("reissue__margin", {"angle": 1.5}),
        ("handover__columns", {"turn": 1, "angle": -1.0}),
        ("cancellation__with_date", {"turn": 2}),
        ("registration_change__font_noto", {"turn": 3, "grey": True}),
        ("old_form", {"grey": True, "angle": 0.5}),
    ],
)
def test_a_scan_says_what_the_page_says(scanner, name, how):
    truth = truth_of(name)
    found = read(as_pdf(worn(page_of(name), **how)), received_on=DAY, recognise=scanner.scan)
    assert not found.problems
    [application] = found.applications
    assert application.route is Route.SCAN
    assert application.request_type.value == truth["request_type"]
    assert application.form_version == truth["form_version"]
    assert dict(application.confirmations) == truth["confirmations"]
    wrong = wrong_fields(application, truth)
    # One letter of a form may be misread; then it must not look certain.
    assert len(wrong) <= 1, wrong
    assert all(application.fields[key].confidence < 0.9 for key in wrong), wrong
    assert application.seal.verdict is not SealVerdict.ABSENT


@pytest.mark.parametrize(("spread", "blur"), [((3, 2), 1.0), ((3, 2), 1.4), ((3, 3), 0.6)])
def test_a_letter_whose_gaps_are_shut_is_no_box_before_a_type(scanner, spread, blur):
    picture = page_of("handover")
    pixels = cv2.GaussianBlur(cv2.erode(picture.pixels, np.ones(spread, np.uint8)), (0, 0), blur)
    kind = scanner.scan(Picture(np.ascontiguousarray(pixels), picture.dpi), 1).sheets[0].kind
    assert (kind.raw, kind.confidence) == ("担当変更", 1.0)


@pytest.mark.parametrize(("ticked", "expected"), [(True, "new_issue"), (False, None)])
def test_a_box_before_the_only_type_counts_whatever_the_word_says(scanner, ticked, expected):
    picture = with_box_before_type("new_issue", ticked=ticked)
    [application] = read(as_pdf(worn(picture)), received_on=DAY, recognise=scanner.scan).applications
    assert (application.request_type.value if application.request_type else None) == expected


def test_statements_whose_line_is_lost_in_a_fold_stay_two(scanner, monkeypatch):
    picture = worn(page_of("new_issue"))
    whole = scanner.scan(picture, 1).sheets[0]

    def with_lost_line(*given):
        ruled = find_grid(*given)
        *others, upper, lower = sorted((box for box in ruled.boxes if box.x1 - box.x0 > 300), key=lambda box: box.y0)
        while not (upper.y1 - upper.y0 < 16 and abs(upper.y1 - lower.y0) < 1 and abs(upper.x0 - lower.x0) < 1):
            *others, upper, lower = *others, upper
        boxes = {box: box for box in ruled.boxes} | {upper: upper._replace(y1=lower.y1)}
        del boxes[lower]
        return replace(ruled, boxes=tuple(boxes.values()))

    monkeypatch.setattr("parsers.scanner.find_grid", with_lost_line)
    folded = scanner.scan(picture, 1).sheets[0]
    assert folded.ticks == whole.ticks
    assert None not in folded.ticks.values()


def test_a_form_on_its_head_is_turned_though_latin_labels_are_read_there_too(scanner):
    picture = page_of("new_issue")
    pixels, wide = picture.pixels.copy(), picture.pixels.shape[1]
    latin = np.full((60, wide, 3), 255, np.uint8)
    for at in range(4):
        cv2.rectangle(latin, (60 + 150 * at, 5), (190 + 150 * at, 55), (0, 0, 0), 2)
        cv2.putText(latin, "E-Mail", (75 + 150 * at, 42), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    # Four labels that are the right way up where the form is not.
    pixels[-200:-140] = np.rot90(latin, 2)
    for turn in (0, 2):
        [sheet] = scanner.scan(worn(Picture(pixels, picture.dpi), turn=turn), 1).sheets
        assert sheet.kind.raw == "新規発行"


def test_every_value_of_a_scan_has_its_place_on_the_page_as_it_came(scanner):
    straight = scanner.scan(worn(page_of("new_issue")), 1).sheets[0]
    turned = scanner.scan(worn(page_of("new_issue"), turn=2), 1).sheets[0]
    picture = page_of("new_issue")
    width, height = picture.width / picture.points, picture.height / picture.points
    for key, entry in straight.entries.items():
        box = turned.entries[key].box
        back = (width - box.x1, height - box.y1, width - box.x0, height - box.y0)
        assert max(abs(a - b) for a, b in zip(back, entry.box, strict=True)) < 4, key


def test_without_a_second_opinion_no_mail_address_of_a_picture_is_certain(scanner):
    sheet = scanner.scan(worn(page_of("new_issue")), 1).sheets[0]
    mails = [entry for key, entry in sheet.entries.items() if key.endswith("email") and entry.raw]
    assert mails
    assert all(entry.confidence < 0.9 for entry in mails)


def test_a_page_without_a_seal_is_not_taken_for_sealed(scanner):
    assert scanner.scan(worn(page_of("new_issue__no_seal")), 1).sheets[0].seal.verdict is not SealVerdict.PRESENT


@pytest.mark.parametrize("grey", [False, True])
def test_a_seal_that_is_there_is_never_called_absent(scanner, grey):
    for name in ("new_issue", "reissue", "registration_change", "new_issue__black_seal"):
        assert scanner.scan(worn(page_of(name), grey=grey), 1).sheets[0].seal.verdict is not SealVerdict.ABSENT


def test_a_seal_box_without_a_seal_is_absent_in_colour_and_not_ours_to_claim_in_grey(scanner):
    assert scanner.scan(worn(page_of("new_issue__no_seal")), 1).sheets[0].seal.verdict is SealVerdict.ABSENT
    assert scanner.scan(worn(page_of("new_issue__no_seal"), grey=True), 1).sheets[0].seal.verdict is SealVerdict.UNCLEAR


def test_two_forms_on_one_sheet_are_two_applications(scanner):
    pages = [worn(page_of(name, dpi=212)).pixels for name in ("new_issue", "reissue")]
    sheet = np.concatenate(pages, axis=1)
    small = Picture(cv2.resize(sheet, None, fx=0.7071, fy=0.7071, interpolation=cv2.INTER_AREA), 212.0)
    found = scanner.scan(small, 1)
    assert [sheet.kind.raw for sheet in found.sheets] == ["新規発行", "再発行"]


@pytest.mark.parametrize(("name", "code"), [("terms_only", "cover_or_terms"), ("other_service", "other_service")])
def test_a_picture_of_another_page_is_told_by_its_words(scanner, name, code):
    assert scanner.scan(worn(page_of(name)), 1).problem == code


def test_a_letter_with_words_is_no_unreadable_scan(scanner):
    """Else an invoice sent by mistake would wait for staff as a form that nobody can read."""
    out = io.BytesIO()
    page = canvas.Canvas(out, pagesize=(595, 842))
    for row in range(12):
        page.drawString(60, 760 - 20 * row, "Dear Sirs, please find our invoice of last month below.")
    page.save()
    found = read(out.getvalue(), received_on=DAY, recognise=scanner.scan)
    assert [problem.code for problem in found.problems] == ["not_a_form"]


def test_a_blank_sheet_is_told(scanner):
    assert scanner.scan(Picture(np.full((2339, 1654, 3), 252, np.uint8), 200.0), 1).problem == "blank_page"


def test_a_picture_with_a_hidden_text_layer_is_a_scan(scanner):
    """Scanners write their own recognition under the picture: a guess, not what somebody typed."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(as_pdf(worn(page_of("new_issue"))))))
    hidden = PdfReader(SAMPLES / "reissue.pdf").pages[0]
    page = writer.pages[0]
    page.merge_page(hidden, over=False)
    out = io.BytesIO()
    writer.write(out)
    [application] = read(out.getvalue(), received_on=DAY, recognise=scanner.scan).applications
    assert application.route is Route.SCAN
    assert application.request_type is request_types.RequestType.NEW_ISSUE


def lying(name, swaps):
    """The sample with a ToUnicode table that takes letters for one another; what is drawn stays as it is."""
    writer = PdfWriter(clone_from=PdfReader(SAMPLES / f"{name}.pdf"))
    for font in writer.pages[0]["/Resources"]["/Font"].values():
        table = font.get_object().get("/ToUnicode")
        if table is None:
            continue
        text = table.get_object().get_data().decode("latin-1")
        for first, second in swaps:
            one, other = f"<{ord(first):04X}>", f"<{ord(second):04X}>"
            text = text.replace(one, "<\0>").replace(other, one).replace("<\0>", other)
        stream = DecodedStreamObject()
        stream.set_data(text.encode("latin-1"))
        font.get_object()[NameObject("/ToUnicode")] = writer._add_object(stream)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_letters_that_a_font_lies_about_are_caught_by_the_picture(scanner):
    data = lying("new_issue", [("1", "7"), ("0", "9")])
    [blind] = read(data, received_on=DAY).applications
    assert blind.value("applicant.phone") != truth_of("new_issue")["fields"]["applicant.phone"]
    assert blind.fields["applicant.phone"].confidence == 1.0
    [application] = read(data, received_on=DAY, recognise=scanner.scan).applications
    assert "unlike_picture" in application.fields["applicant.phone"].doubts
    assert application.fields["applicant.phone"].confidence < 0.9
    assert not application.fields["user.email"].doubts


def test_a_form_whose_fonts_hide_what_it_is_is_read_by_its_picture(scanner):
    """Such a title would make it a form of another service."""
    data = lying("new_issue", [("b", "o"), ("C", "D")])
    assert not read(data, received_on=DAY).applications
    [application] = read(data, received_on=DAY, recognise=scanner.scan).applications
    assert application.request_type is request_types.RequestType.NEW_ISSUE


def test_honest_text_is_not_doubted_for_its_picture(scanner):
    for name in ("new_issue", "handover__font_mincho"):
        data = (SAMPLES / f"{name}.pdf").read_bytes()
        [application] = read(data, received_on=DAY, recognise=scanner.scan).applications
        assert application.route is Route.TEXT
        assert not {key: value.doubts for key, value in application.fields.items() if value.doubts}


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([72.0, 200.0, 400.0]), st.integers(0, 9))
def test_any_picture_gives_a_scan(scanner, width, height, dpi, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = scanner.scan(Picture(noise, dpi), 1)
    assert found.sheets or found.problem in PROBLEMS


def on_two_pages(picture, at):
    """The form cut at a share of its height, each half on a sheet of its own, as people print what does not fit."""
    height = picture.pixels.shape[0]
    cut, space = round(at * height), height // 12
    first, second = np.full_like(picture.pixels, 250), np.full_like(picture.pixels, 250)
    first[:cut] = picture.pixels[:cut]
    second[space : space + height - cut] = picture.pixels[cut:]
    return [Picture(pixels, picture.dpi) for pixels in (first, second)]


def between_blocks(scanner, picture):
    """A height, as a share of the page, at which no cell is cut: over the block of the new user."""
    sheet = scanner.scan(picture, 1).sheets[0]
    after = sheet.entries["after.company_ja"].box
    return (after.y0 - 2.5) / (picture.height / picture.points)


@pytest.mark.parametrize("name", ["handover__columns", "new_issue"])
def test_a_form_over_two_scanned_pages_is_one_application(scanner, name):
    picture = page_of(name)
    halves = on_two_pages(picture, between_blocks(scanner, picture))
    images = [Image.fromarray(worn(half, angle=angle).pixels) for half, angle in zip(halves, (0.5, -0.8), strict=True)]
    out = io.BytesIO()
    images[0].save(out, "PDF", resolution=picture.dpi, quality=90, save_all=True, append_images=images[1:])
    truth = truth_of(name)
    found = read(out.getvalue(), received_on=DAY, recognise=scanner.scan)
    assert not found.problems
    [application] = found.applications
    assert application.pages == (1, 2)
    assert application.request_type.value == truth["request_type"]
    assert dict(application.confirmations) == truth["confirmations"]
    wrong = wrong_fields(application, truth)
    assert len(wrong) <= 1, wrong
    assert application.fields["applicant.name"].page == 1
    assert application.fields["after.name_ja"].page == 2


def test_two_scanned_forms_one_after_the_other_stay_two(scanner):
    images = [Image.fromarray(worn(page_of(name)).pixels) for name in ("new_issue", "reissue")]
    out = io.BytesIO()
    images[0].save(out, "PDF", resolution=200, quality=90, save_all=True, append_images=images[1:])
    found = read(out.getvalue(), received_on=DAY, recognise=scanner.scan)
    assert [application.pages for application in found.applications] == [(1,), (2,)]


def test_what_a_page_hands_on_survives_the_way_between_processes(scanner):
    scan = scanner.scan(page_of("new_issue"), 1)
    assert scan.page is not None
    told = json.loads(json.dumps(scan_to_json(scan)))
    back = scan_from_json(told)
    assert scan_to_json(back) == told
    assert [(cell.box, cell.text) for cell in back.page.cells] == [(cell.box, cell.text) for cell in scan.page.cells]


@pytest.mark.parametrize("name", ["two_columns", "labels_above", "plain_list"])
def test_a_learnt_layout_is_read_from_a_scan_or_in_doubt(name):
    """No template: what `form --learn` found in the blank is enough to read a scan of it."""
    table = request_types.load()
    form = forms.build(tomllib.loads(learn_form((LAYOUTS / f"{name}.pdf").read_bytes())), file=name, table=table)
    content = make_content(1, form, table, {kind: rule.word for kind, rule in table.types.items()})
    picture = worn(render(DRAWN[name](content.drawn).finish(), 1, dpi=200), angle=0.7)
    library = Library((form, *forms.load_forms()))
    [sheet] = Scanner(Recogniser(threads=1), library=library).scan(picture, 1).sheets
    assert sheet.version == form.version
    assert read_type(sheet.kind.raw, form, table)[0] is content.kind
    # A tick that cannot be told is a doubt, a wrong one is none.
    undecided = [key for key in content.ticks if sheet.ticks[key] is None]
    assert len(undecided) <= (name == "plain_list"), undecided
    assert all(sheet.ticks[key] is ticked for key, ticked in content.ticks.items() if key not in undecided)
    for key, text in content.fields.items():
        entry = sheet.entries[key]
        assert folded(entry.raw) == folded(text) or entry.confidence < 0.9, key
    right = sum(folded(sheet.entries[key].raw) == folded(text) for key, text in content.fields.items())
    assert right >= len(content.fields) - 1


def folded(text):
    return plain(unicodedata.normalize("NFKC", text))
