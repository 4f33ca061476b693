"""The cells of a page are found by its ruling lines, however the page was laid on the glass."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.document import open_document
from parsers.picture import Picture
from parsers.reading import Box
from parsers.rendering import render
from parsers.ruling import find_grid

SAMPLES = Path(__file__).parents[1] / "data/samples"
DPI = 200
MM = DPI / 25.4
WHITE = (255, 255, 255)


@cache
def clean(name, dpi=DPI):
    """The picture of a sample and the cells that its drawing tells."""
    data = (SAMPLES / f"{name}.pdf").read_bytes()
    return render(data, 1, dpi=dpi), tuple(cell.box for cell in open_document(data).pages[0].cells)


def bent(picture, *, angle=0.0, pull=0.0, scale=1.0, shift=(0.0, 0.0)):
    """The page laid askew: turned, pulled at one corner, made smaller, moved; and how places came to lie."""
    height, width = picture.pixels.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    moved = (turn @ np.c_[corners, np.ones(4)].T).T + np.array(shift) * MM
    moved[2] += np.array([pull, -pull]) * width
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    pixels = cv2.warpPerspective(picture.pixels, matrix, (width, height), borderValue=WHITE)
    return Picture(pixels, picture.dpi), matrix


def worn(picture, seed=1, *, noise=10, quality=50, dim=0.15):
    """Blur, uneven light, noise and JPEG."""
    rng = np.random.default_rng(seed)
    pixels = cv2.GaussianBlur(picture.pixels, (0, 0), 0.9).astype(np.float32)
    pixels *= 1 - dim * np.linspace(0, 1, picture.width, dtype=np.float32)[None, :, None]
    pixels = np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return Picture(cv2.imdecode(packed, cv2.IMREAD_COLOR), picture.dpi)


def where_printed(ruled, boxes, matrix, points):
    """The boxes of a flattened page in points of the page as it was printed, corner by corner."""
    back = np.linalg.inv(matrix)
    for box in boxes:
        corners = [ruled.page_box(Box(x, y, x, y)) for x in (box.x0, box.x1) for y in (box.y0, box.y1)]
        seen = np.array([[(corner.x0 * points, corner.y0 * points) for corner in corners]], np.float32)
        places = cv2.perspectiveTransform(seen, back)[0] / points
        yield Box(*(float(each) for each in (*places.min(axis=0), *places.max(axis=0))))


def likeness(first, second):
    """Shared area as a share of all area of two boxes."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    shared = max(width, 0) * max(height, 0)
    return shared / (area(first) + area(second) - shared)


def area(box):
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def large(boxes):
    """The cells that hold labels and values: at least 5 mm wide and 3.5 mm high."""
    return [box for box in boxes if box.x1 - box.x0 >= 14.2 and box.y1 - box.y0 >= 9.9]


def differences(found, truth):
    """The cells of either side that have no equal on the other."""
    found, truth = large(found), large(truth)
    missing = [box for box in truth if max((likeness(box, other) for other in found), default=0) < 0.8]
    added = [box for box in found if max((likeness(box, other) for other in truth), default=0) < 0.8]
    return missing, added


def assert_same_cells(picture, matrix, truth):
    ruled = find_grid(picture)
    assert ruled is not None
    found = list(where_printed(ruled, ruled.boxes, matrix, picture.points))
    assert differences(found, truth) == ([], [])
    return ruled


@pytest.mark.parametrize("dpi", [150, 200, 300, 400])
def test_a_clean_page_has_the_cells_of_its_drawing_at_any_resolution(dpi):
    picture, truth = clean("new_issue", dpi)
    ruled = assert_same_cells(picture, np.eye(3), truth)
    assert ruled.picture.pixels.shape == picture.pixels.shape
    assert (ruled.turn, ruled.cut_edges) == (0, frozenset())


@pytest.mark.parametrize("name", ["old_form", "reissue__margin", "handover__columns", "new_issue__grey_filled"])
@pytest.mark.parametrize(("angle", "pull"), [(2.5, 0.006), (-2.5, 0.006), (6.0, 0.0), (-0.7, -0.01)])
def test_a_worn_page_laid_askew_has_the_cells_of_the_clean_one(name, angle, pull):
    picture, truth = clean(name)
    askew, matrix = bent(picture, angle=angle, pull=pull)
    assert_same_cells(worn(askew), matrix, truth)


@pytest.mark.parametrize("scale", [0.7, 0.85])
def test_a_form_printed_smaller_and_off_centre_keeps_its_cells(scale):
    picture, truth = clean("new_issue")
    moved, matrix = bent(picture, scale=scale, shift=(12, -9), angle=1)
    ruled = find_grid(moved)
    assert ruled is not None
    found = list(where_printed(ruled, ruled.boxes, matrix, picture.points))
    missing, _ = differences(found, truth)
    assert missing == []


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_page_comes_upright_but_for_a_half_turn_that_the_caller_makes(turn):
    picture, truth = clean("new_issue")
    turned = Picture(np.ascontiguousarray(np.rot90(worn(picture).pixels, -turn // 90)), DPI)
    ruled = find_grid(turned)
    assert ruled is not None
    assert (ruled.turn + turn) % 180 == 0
    if (ruled.turn + turn) % 360:
        ruled = ruled.half_turned()
    assert (ruled.turn + turn) % 360 == 0
    assert differences(ruled.boxes, truth) == ([], [])
    assert ruled.picture.pixels.shape == picture.pixels.shape
    # Text, too, stands where it stood: the pictures are alike as they lie.
    grey = [cv2.resize(cv2.cvtColor(each.pixels, cv2.COLOR_RGB2GRAY), (165, 234)) for each in (picture, ruled.picture)]
    assert np.corrcoef(grey[0].ravel(), grey[1].ravel())[0, 1] > 0.8


@pytest.mark.parametrize("turn", [0, 90])
@pytest.mark.parametrize("half", [False, True])
def test_a_box_maps_back_to_the_place_on_the_page_where_it_was(turn, half):
    picture, _ = clean("new_issue")
    # Four marks at known places, in a colour that no line has.
    marks = [(60.0, 60.0), (540.0, 60.0), (60.0, 790.0), (300.0, 720.0)]
    pixels = picture.pixels.copy()
    for x, y in marks:
        cv2.circle(pixels, (round(x * picture.points), round(y * picture.points)), round(2 * MM), (255, 0, 255), -1)
    askew, matrix = bent(Picture(pixels, DPI), angle=1.7, pull=0.005)
    pixels = np.ascontiguousarray(np.rot90(askew.pixels, -turn // 90))
    height = askew.height / askew.points
    ruled = find_grid(Picture(pixels, DPI))
    assert ruled is not None
    ruled = ruled.half_turned() if half else ruled
    purple = (ruled.picture.pixels[:, :, 1] < 90) & (ruled.picture.pixels[:, :, [0, 2]].min(axis=2) > 200)
    _, _, stats, middles = cv2.connectedComponentsWithStats(purple.astype(np.uint8))
    found = [middle for middle, stat in zip(middles[1:], stats[1:], strict=True) if stat[4] > 5 * MM]
    assert len(found) == 4
    expected = cv2.perspectiveTransform(np.array([marks], np.float32) * picture.points, matrix)[0] / picture.points
    if turn:
        expected = np.stack([height - expected[:, 1], expected[:, 0]], axis=1)
    for x, y in found:
        box = ruled.page_box(Box(*((x + 0.5) / askew.points, (y + 0.5) / askew.points) * 2))
        assert np.hypot(expected[:, 0] - box.x0, expected[:, 1] - box.y0).min() < 1


def test_holes_folds_staples_and_a_red_seal_divide_no_cell():
    picture, truth = clean("new_issue")
    pixels = folded(picture, (117.9,), (105,)).pixels
    cv2.circle(pixels, (round(15 * MM), round(108 * MM)), round(3 * MM), (40, 40, 40), -1)
    cv2.line(pixels, (round(15 * MM), round(10 * MM)), (round(24 * MM), round(15 * MM)), (90, 90, 90), 3)
    seal = pixels.copy()
    cv2.circle(seal, (round(110 * MM), round(55 * MM)), round(8 * MM), (215, 60, 50), round(0.8 * MM))
    page = worn(Picture(np.minimum(pixels, seal), DPI))
    assert_same_cells(page, np.eye(3), truth)


def folded(picture, rows=(), columns=(), depth=45):
    """The page with folds across and down at these places, in millimetres: soft grey lines from edge to edge."""
    y, x = np.arange(picture.height)[:, None, None], np.arange(picture.width)[None, :, None]
    pixels = picture.pixels.astype(np.float32)
    for places, along in ((rows, y), (columns, x)):
        for place in places:
            pixels -= depth * np.exp(-(((along - place * MM) / (0.5 * MM)) ** 2))
    return Picture(np.clip(pixels, 0, 255).astype(np.uint8), picture.dpi)


@pytest.mark.parametrize(("row", "column"), [(99, 148), (117.9, 105), (148.5, 70), (60, 102.6)])
@pytest.mark.parametrize("depth", [35, 60])
def test_a_fold_divides_no_cell_wherever_it_runs_and_takes_no_line_with_it(row, column, depth):
    picture, truth = clean("new_issue")
    assert_same_cells(worn(folded(picture, (row,), (column,), depth)), np.eye(3), truth)


def test_a_grey_scan_has_the_same_cells():
    picture, truth = clean("old_form")
    grey = cv2.cvtColor(cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    askew, matrix = bent(Picture(grey, DPI), angle=-1.5)
    assert_same_cells(worn(askew), matrix, truth)


def test_two_forms_on_one_sheet_give_the_cells_of_both():
    picture, truth = clean("new_issue", 300)
    small = cv2.resize(picture.pixels, None, fx=0.707, fy=0.707, interpolation=cv2.INTER_AREA)
    ruled = find_grid(Picture(np.hstack([small, small]), 300))
    assert ruled is not None
    assert ruled.turn == 0
    middle = ruled.picture.width / ruled.picture.points / 2
    sides = [[box for box in ruled.boxes if (box.x0 >= middle) == right] for right in (False, True)]
    once = [Box(*(0.707 * edge for edge in box)) for box in truth]
    for boxes, offset in zip(sides, (0, middle), strict=True):
        moved = [Box(box.x0 - offset, box.y0, box.x1 - offset, box.y1) for box in boxes]
        assert differences(moved, once)[0] == []


@pytest.mark.parametrize(
    ("side", "cut"), [("right", np.s_[:, :-250]), ("left", np.s_[:, 250:]), ("bottom", np.s_[:900])]
)
def test_a_cut_page_says_over_which_side_its_lines_run(side, cut):
    picture, _ = clean("new_issue")
    ruled = find_grid(Picture(np.ascontiguousarray(picture.pixels[cut]), DPI))
    assert ruled is not None
    assert ruled.cut_edges == {side}
    assert len(ruled.boxes) > 10


def test_a_drawn_tick_box_is_a_cell_and_an_underline_is_none():
    pixels = np.full((1000, 1400, 3), 255, np.uint8)
    for row in range(6):
        cv2.line(pixels, (100, 100 + 100 * row), (1300, 100 + 100 * row), (0, 0, 0), 2)
    for x in (100, 400, 1300):
        cv2.line(pixels, (x, 100), (x, 600), (0, 0, 0), 2)
    cv2.line(pixels, (440, 180), (1250, 180), (0, 0, 0), 2)
    cv2.rectangle(pixels, (800, 330), (840, 370), (0, 0, 0), 2)
    ruled = find_grid(Picture(pixels, 200))
    assert ruled is not None
    boxes = [tuple(round(edge / 72 * 200, -1) for edge in box) for box in ruled.boxes]
    table = [(left, top, right, top + 100) for top in range(100, 600, 100) for left, right in ((100, 400), (400, 1300))]
    assert sorted(boxes) == sorted([*table, (800, 330, 840, 370)])


def test_the_frame_of_a_square_seal_in_a_cell_is_none_of_the_cells():
    picture, truth = clean("new_issue__no_seal")
    pixels = picture.pixels.copy()
    corner, side = np.array([165 * MM, 58 * MM]), 18 * MM
    # Black on white, as a grey scan shows it, and not quite straight.
    sides = cv2.boxPoints(((corner + side / 2).astype(np.float32).tolist(), (side, side), 2))
    cv2.polylines(pixels, [np.rint(sides).astype(np.int32)], isClosed=True, color=(90, 90, 90), thickness=4)
    assert_same_cells(Picture(pixels, DPI), np.eye(3), truth)


def test_boxes_are_plain_numbers():
    picture, _ = clean("new_issue")
    ruled = find_grid(picture)
    boxes = [*ruled.boxes, *ruled.half_turned().boxes, *map(ruled.page_box, ruled.boxes)]
    assert {type(edge) for box in boxes for edge in box} == {float}


def test_a_letter_and_a_blank_page_have_no_grid():
    letter = render((SAMPLES / "terms_only.pdf").read_bytes(), 1, dpi=DPI)
    assert find_grid(letter) is None
    assert find_grid(worn(Picture(np.full((1600, 1100, 3), 240, np.uint8), DPI))) is None


@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.sampled_from([72.0, 150.0, 200.0, 400.0]),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "stripes", "blocks"]),
)
def test_any_picture_has_no_grid_or_boxes_that_lie_on_it(width, height, dpi, seed, kind):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "stripes":
        dark_rows, dark_columns = rng.random(height) < 0.04, rng.random(width) < 0.04
        pixels = np.where((dark_rows[:, None] | dark_columns[None, :])[:, :, None], 0, 255).astype(np.uint8)
        pixels = np.repeat(pixels, 3, axis=2)
    elif kind == "blocks":
        pixels = cv2.resize(pixels[::40, ::40], (width, height), interpolation=cv2.INTER_NEAREST)
    ruled = find_grid(Picture(np.ascontiguousarray(pixels), dpi))
    for page in (ruled, ruled.half_turned()) if ruled else ():
        across, down = page.picture.width / page.picture.points, page.picture.height / page.picture.points
        for box in page.boxes:
            assert -0.01 <= box.x0 < box.x1 <= across + 0.01
            assert -0.01 <= box.y0 < box.y1 <= down + 0.01
            back = page.page_box(box)
            assert 0 <= back.x0 <= back.x1 <= width * 72 / dpi + 0.01
            assert 0 <= back.y0 <= back.y1 <= height * 72 / dpi + 0.01
