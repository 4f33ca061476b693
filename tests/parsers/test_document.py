"""PDF bytes → pages with cells, or a ParseError that tells what the bytes are."""

import io
import os
import zipfile
from pathlib import Path

import pypdf
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from PIL import Image

from parsers import cells, document
from parsers.cells import Run, Segment, find_boxes, join_lines, lines_of, place_runs
from parsers.document import Limits, choose_route, open_document
from parsers.errors import ParseError, ParseKind
from parsers.reading import Box, Route
from support.drawing import Drawing, form_page, to_pdf

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
ROWS = [("申請種別", "再発行"), ("社名（英語）", "Aozora Electric Co., Ltd."), ("備考", "なし")]
PLAIN = to_pdf(form_page(ROWS))


def kind_of(data: bytes, limits: Limits | None = None) -> ParseKind:
    with pytest.raises(ParseError) as caught:
        open_document(data, limits)
    return caught.value.kind


def spreadsheet() -> bytes:
    out = io.BytesIO()
    Workbook().save(out)
    return out.getvalue()


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, kind)
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("form.pdf", PLAIN)
    return out.getvalue()


def locked(**passwords: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(PLAIN))
    writer.encrypt(algorithm="AES-256", **passwords)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600


# --- what the bytes are -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", ParseKind.EMPTY),
        (b" \r\n\0", ParseKind.EMPTY),
        (b"hello", ParseKind.NOT_PDF),
        ("申請書です".encode("cp932"), ParseKind.NOT_PDF),
        (b"<html></html>", ParseKind.NOT_PDF),
        (spreadsheet(), ParseKind.SPREADSHEET),
        (OLE + "Workbook".encode("utf-16-le"), ParseKind.SPREADSHEET),
        (OLE + "EncryptedPackage".encode("utf-16-le"), ParseKind.ENCRYPTED),
        (OLE, ParseKind.NOT_PDF),
        (picture("JPEG"), ParseKind.IMAGE),
        (picture("PNG"), ParseKind.IMAGE),
        (picture("TIFF"), ParseKind.IMAGE),
        (picture("GIF"), ParseKind.IMAGE),
        (b"\0\0\0\x18ftypheic", ParseKind.IMAGE),
        (archive(), ParseKind.ARCHIVE),
        (b"\x1f\x8b\x08", ParseKind.ARCHIVE),
        (b"\x20\x00-lh5-", ParseKind.ARCHIVE),
        (PLAIN[: len(PLAIN) // 2], ParseKind.DAMAGED),
        (b"%PDF-1.7\n", ParseKind.DAMAGED),
        (to_pdf(), ParseKind.DAMAGED),
        (locked(user_password="himitsu", owner_password="omoto"), ParseKind.ENCRYPTED),
    ],
)
def test_what_is_no_readable_pdf_is_named_by_its_content(data: bytes, kind: ParseKind) -> None:
    assert kind_of(data) is kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("empty.pdf", ParseKind.EMPTY),
        ("not_a_pdf.pdf", ParseKind.NOT_PDF),
        ("encrypted.pdf", ParseKind.ENCRYPTED),
        ("truncated.pdf", ParseKind.DAMAGED),
        ("form.xlsx", ParseKind.SPREADSHEET),
    ],
)
def test_each_bad_sample_is_refused_with_its_kind(name: str, kind: ParseKind) -> None:
    assert kind_of((SAMPLES / name).read_bytes()) is kind


def test_an_owner_password_alone_opens() -> None:
    assert open_document(locked(user_password="", owner_password="omoto")).pages[0].cells[0].text == "申請種別"


@pytest.mark.parametrize("junk", [1, 500, 1024])
def test_junk_before_the_header_is_allowed(junk: int) -> None:
    assert open_document(b"x" * junk + PLAIN).pages[0].cells == open_document(PLAIN).pages[0].cells


def test_more_junk_than_that_is_no_pdf() -> None:
    assert kind_of(b"x" * 1025 + PLAIN) is ParseKind.NOT_PDF


def test_more_than_a_form_needs_is_too_large() -> None:
    assert kind_of(PLAIN, Limits(file_bytes=100)) is ParseKind.TOO_LARGE
    assert kind_of(to_pdf(Drawing(), Drawing(), Drawing()), Limits(pages=2)) is ParseKind.TOO_LARGE
    with pytest.raises(ParseError) as caught:
        open_document(to_pdf(Drawing(), form_page(ROWS * 9)), Limits(content_bytes=1000))
    assert (caught.value.kind, caught.value.page) == (ParseKind.TOO_LARGE, 2)


def test_an_error_carries_nothing_of_the_file() -> None:
    with pytest.raises(ParseError) as caught:
        open_document(b"%PDF-1.7\n/Himitsu Taro\n" + PLAIN[200:-300])
    assert "Himitsu" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_two_readers_that_disagree_about_the_pages_are_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_page_facts", lambda data, limits: ())
    assert kind_of(PLAIN) is ParseKind.DAMAGED


# --- pages --------------------------------------------------------------------------------------------------------


def test_cells_hold_their_text_and_their_place_in_points_from_the_top_left() -> None:
    [page] = open_document(PLAIN).pages
    assert (page.number, page.width, page.height, page.route) == (1, 595, 842, Route.TEXT)
    assert [cell.text for cell in page.cells] == [text for row in ROWS for text in row]
    assert page.cells[0].box == pytest.approx(Box(40, 60, 220, 78))
    assert page.cells[3].box == pytest.approx(Box(220, 78, 540, 96))
    assert page.loose_lines() == ("WebEC電子証明書発行サービス申請書",)
    assert page.loose_lines(above=0.01) == ()
    assert [run.text for run in page.runs()][-1] == "WebEC電子証明書発行サービス申請書"


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_page_is_measured_as_it_is_displayed(turn: int) -> None:
    turned = form_page(ROWS)
    turned.attributes = f"/Rotate {turn}"
    [page] = open_document(to_pdf(turned)).pages
    assert (page.width, page.height) == ((595, 842) if turn == 180 else (842, 595))
    assert all(0 <= cell.box.x0 < cell.box.x1 <= page.width for cell in page.cells)
    assert all(0 <= cell.box.y0 < cell.box.y1 <= page.height for cell in page.cells)
    assert len(page.cells) == 6


def test_places_count_from_the_corner_of_a_cropped_page() -> None:
    cropped = form_page(ROWS)
    cropped.attributes = "/CropBox [30 42 595 792]"
    [page] = open_document(to_pdf(cropped)).pages
    assert (page.width, page.height) == (565, 750)
    assert page.cells[0].box == pytest.approx(Box(10, 10, 190, 28))
    assert page.cells[0].text == "申請種別"


@pytest.mark.parametrize(
    ("characters", "share", "route"),
    [
        (500, 0.0, Route.TEXT),
        (500, 0.3, Route.TEXT),
        (500, 0.9, Route.SCAN),
        (0, 0.0, Route.SCAN),
        (5, 1.0, Route.SCAN),
    ],
)
def test_a_page_without_text_or_under_one_big_picture_is_a_scan(characters: int, share: float, route: Route) -> None:
    assert choose_route(characters, share) is route


def test_a_searchable_scan_is_a_scan() -> None:
    page = form_page(ROWS)
    page.operations.append("q 595 0 0 842 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID x EI Q")
    assert open_document(to_pdf(page)).pages[0].route is Route.SCAN


def test_a_text_box_or_stamp_that_lies_on_the_page_is_told() -> None:
    page = form_page(ROWS)
    page.attributes = "/Annots [<< /Type /Annot /Subtype /FreeText /Rect [0 0 9 9] /DA () >>]"
    assert open_document(to_pdf(page)).pages[0].written_on
    page.attributes = "/Annots [<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] >>]"
    assert not open_document(to_pdf(page)).pages[0].written_on


def test_borders_drawn_as_lines_or_thin_bars_make_the_same_cells() -> None:
    lines, bars = Drawing(), Drawing()
    for y in (100, 120, 140):
        lines.line(50, y, 300, y)
        bars.fill(50, y - 0.5, 300, y + 0.5, "0 0 0")
    for x in (50, 150, 300):
        lines.line(x, 100, x, 140)
        bars.fill(x - 0.5, 100, x + 0.5, 140, "0 0 0")
    bars.fill(50, 100, 300, 140, "1 1 0.6").fill(10, 10, 11, 11, "0 0 0")
    for page in (lines, bars):
        page.text(60, 114, "二十文字より長い文字列を入れておく必要があるので長く書く")
    found = [open_document(to_pdf(page)).pages[0].cells for page in (lines, bars)]
    assert [len(cell) for cell in found] == [4, 4]
    assert [cell.box for cell in found[0]] == [pytest.approx(cell.box) for cell in found[1]]


def test_text_drawn_twice_for_boldness_is_read_once() -> None:
    page = form_page(ROWS)
    page.text(43, 200, "太字の見出しです").text(43.3, 200, "太字の見出しです").text(43, 260, "太字の見出しです")
    assert open_document(to_pdf(page)).pages[0].loose_lines()[1:] == ("太字の見出しです", "太字の見出しです")


@pytest.mark.parametrize(
    ("operator", "red"),
    [
        ("1 0 0 rg", True),
        ("0.8 0.2 0.2 rg", True),
        ("0 0 0 rg", False),
        ("0 1 1 0 k", True),
        ("0 0 0 1 k", False),
        ("0.5 g", False),
    ],
)
def test_red_print_is_told_from_other_print(operator: str, red: bool) -> None:
    page = form_page(ROWS)
    page.operations.append(f"BT {operator} /F1 10 Tf 1 0 0 1 40 300 Tm <5FC5> Tj ET")
    assert open_document(to_pdf(page)).pages[0].loose[-1].red is red


# --- cells --------------------------------------------------------------------------------------------------------


def lattice(xs: list[float], ys: list[float]) -> tuple[list[Segment], list[Segment]]:
    return [Segment(y, xs[0], xs[-1]) for y in ys], [Segment(x, ys[0], ys[-1]) for x in xs]


def test_merged_cells_are_one_cell() -> None:
    horizontal = [Segment(0, 0, 300), Segment(20, 100, 300), Segment(40, 0, 300)]
    vertical = [Segment(0, 0, 40), Segment(100, 0, 40), Segment(200, 0, 20), Segment(300, 0, 40)]
    assert find_boxes(horizontal, vertical) == (
        Box(0, 0, 100, 40),
        Box(100, 0, 200, 20),
        Box(200, 0, 300, 20),
        Box(100, 20, 300, 40),
    )


def test_an_area_that_is_open_or_not_rectangular_is_no_cell() -> None:
    horizontal, vertical = lattice([0, 100, 200], [0, 20, 40])
    assert len(find_boxes(horizontal, vertical)) == 4
    assert len(find_boxes(horizontal[:-1], vertical)) == 2
    bent = (
        [Segment(0, 0, 200), Segment(20, 100, 200), Segment(40, 0, 200)],
        [Segment(0, 0, 40), Segment(100, 0, 20), Segment(200, 0, 40)],
    )
    assert find_boxes(*bent) == (Box(100, 0, 200, 20),)


def test_a_shape_drawn_inside_a_cell_does_not_break_the_cell() -> None:
    horizontal, vertical = lattice([0, 100], [0, 100])
    inner = [Segment(20, 20, 60), Segment(60, 20, 60)], [Segment(20, 20, 60), Segment(60, 20, 60)]
    assert find_boxes([*horizontal, *inner[0]], [*vertical, *inner[1]]) == (Box(0, 0, 100, 100), Box(20, 20, 60, 60))


def test_lines_a_hair_apart_are_one_line() -> None:
    horizontal, vertical = lattice([0, 100, 101, 200], [0, 0.7, 20])
    assert find_boxes(horizontal, vertical) == (Box(0, 0.35, 100.5, 20), Box(100.5, 0.35, 200, 20))


def test_no_lines_no_cells() -> None:
    assert find_boxes([], []) == ()
    assert find_boxes([Segment(0, 0, 10)], [Segment(0, 0, 10)]) == ()


def test_a_drawing_with_endless_lines_has_no_cells_instead_of_taking_forever() -> None:
    assert find_boxes(*lattice([5.0 * x for x in range(400)], [5.0 * y for y in range(400)])) == ()


@given(st.lists(st.floats(10, 100), min_size=1, max_size=6), st.lists(st.floats(10, 100), min_size=1, max_size=6))
def test_every_lattice_gives_its_cells(widths: list[float], heights: list[float]) -> None:
    xs = [sum(widths[:number]) for number in range(len(widths) + 1)]
    ys = [sum(heights[:number]) for number in range(len(heights) + 1)]
    assert len(find_boxes(*lattice(xs, ys))) == len(widths) * len(heights)


SEGMENTS = st.lists(st.builds(Segment, st.floats(0, 500), st.floats(0, 500), st.floats(0, 500)), max_size=20)


@given(SEGMENTS, SEGMENTS)
def test_any_lines_give_cells_that_do_not_overlap(horizontal: list[Segment], vertical: list[Segment]) -> None:
    boxes = find_boxes(horizontal, vertical)
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
            within = one.x0 < other.x0 and other.x1 < one.x1 and one.y0 < other.y0 and other.y1 < one.y1
            assert apart or within


def run(text: str, x0: float, x1: float, y: float = 10, *, upright: bool = True) -> Run:
    return Run(text, Box(x0, y - 5, x1, y + 5), 10, upright)


BOXES = (Box(0, 0, 100, 20), Box(100, 0, 200, 20), Box(200, 0, 300, 20))


@pytest.mark.parametrize(
    ("long", "owner"),
    [
        (run("left", 3, 180), 0),
        (run("centred", 60, 240), 1),
        (run("right", 120, 297), 2),
        (run("centre left", 103, 260), 1),
    ],
)
def test_a_value_too_long_for_its_cell_stays_in_one_piece(long: Run, owner: int) -> None:
    placed, loose = place_runs(BOXES, [long])
    assert [bool(cell.runs) for cell in placed] == [number == owner for number in range(3)]
    assert placed[owner].overflows
    assert loose == ()


def test_text_inside_its_cell_does_not_overflow() -> None:
    placed, loose = place_runs(BOXES, [run("a", 3, 99), run("outside", 400, 450), run("  ", 95, 120)])
    assert not any(cell.overflows for cell in placed)
    assert [found.text for found in loose] == ["outside"]


@pytest.mark.timeout(10)
def test_a_cell_of_a_billion_points_is_handled_as_any_other() -> None:
    placed, loose = place_runs([Box(0, 0, 1e12, 1e12), BOXES[0]], [run("a", 3, 60, 500), run("b", 300, 360, 1e9)])
    assert [[found.text for found in cell.runs] for cell in placed] == [["a", "b"], []]
    assert loose == ()


def test_runs_of_one_line_are_joined_with_a_blank_where_there_is_a_gap() -> None:
    assert lines_of([run("YAMADA", 60, 90), run("Taro", 10, 30), run("Jr.", 90.5, 99)]) == ("Taro YAMADAJr.",)


def test_turned_text_follows_in_the_order_in_which_it_was_drawn() -> None:
    assert lines_of([run("見", 0, 9, 50, upright=False), run("出し", 0, 9, 20, upright=False), run("横", 0, 9)]) == (
        "横",
        "見出し",
    )


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (("青空", "電機"), "青空電機"),
        (("Aozora", "Denki"), "Aozora Denki"),
        (("Aozora-", "Denki"), "Aozora-Denki"),
        (("taro@", "aozora.example"), "taro@aozora.example"),
        (("青空", "Denki"), "青空Denki"),
        (("", "青空", "", "電機"), "青空電機"),
        ((), ""),
    ],
)
def test_lines_are_joined_as_a_reader_would(lines: tuple[str, ...], joined: str) -> None:
    assert join_lines(lines) == joined


def test_a_cell_knows_its_area_and_text() -> None:
    cell = cells.Cell(Box(0, 0, 30, 40), (run("下", 0, 9, 30), run("上", 0, 9, 10)))
    assert (cell.area, cell.text) == (1200, "上下")


# --- hostile bytes ------------------------------------------------------------------------------------------------

# `make soak` may ask for more; the suite shows that the guard is there.
EXAMPLES = int(os.environ.get("OGIS_LRA_EXAMPLES", "60"))
BOUNDED = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def open_or_refuse(data: bytes) -> None:
    try:
        opened = open_document(data)
    except ParseError:
        return
    assert opened.pages


@given(st.binary(max_size=2000))
@example(b"%PDF-1.4\n%%EOF")
@example(b"%PDF-1.4\nstartxref\n0\n%%EOF")
def test_any_bytes_are_a_document_or_a_parse_error(data: bytes) -> None:
    open_or_refuse(data)


@BOUNDED
@given(st.binary(max_size=300))
def test_any_bytes_after_a_header_are_a_document_or_a_parse_error(data: bytes) -> None:
    open_or_refuse(b"%PDF-1.7\n" + data)


@BOUNDED
@given(st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_form_with_changed_bytes_is_a_document_or_a_parse_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(PLAIN)
    for at, value in changes:
        data[at] = value
    open_or_refuse(bytes(data))


@BOUNDED
@given(st.integers(0, len(PLAIN)), st.integers(0, len(PLAIN)), st.binary(max_size=40))
def test_a_form_with_a_piece_replaced_is_a_document_or_a_parse_error(start: int, end: int, piece: bytes) -> None:
    open_or_refuse(PLAIN[: min(start, end)] + piece + PLAIN[max(start, end) :])


@pytest.mark.parametrize(
    "hostile",
    [
        to_pdf(Drawing(), extra={2: b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"}),
        to_pdf(Drawing(), extra={7: b"<< /Length 9 /Filter /FlateDecode >>\nstream\nnot zlib!\nendstream"}),
        to_pdf(Drawing(), extra={6: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 (a) 1] /Contents 7 0 R >>"}),
        to_pdf(Drawing(), extra={6: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 0 0] /Contents 7 0 R >>"}),
        to_pdf(Drawing(), extra={6: b"[" * 3000 + b"]" * 3000}),
        to_pdf(Drawing(width=1e6, height=1e6)),
        to_pdf(Drawing(operations=["q"] * 2000)),
    ],
)
def test_a_malformed_file_is_a_document_or_a_parse_error(hostile: bytes) -> None:
    open_or_refuse(hostile)
