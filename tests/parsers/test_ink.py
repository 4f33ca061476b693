"""Ink in a cell: print stays, seal and fill and noise go, boxes are told by their ink."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from parsers import ink
from parsers.tick_boxes import ticked
from support.crops import FONTS, MM, drawn, scanned

PIXELS = arrays.arrays(
    np.uint8,
    st.one_of(
        st.tuples(st.integers(0, 40), st.integers(0, 60), st.just(3)), st.tuples(st.integers(0, 40), st.integers(0, 60))
    ),
)


@settings(max_examples=60, deadline=None)
@given(PIXELS, st.floats(1, 20))
def test_any_pixels_give_an_answer(pixels, mm):
    cleaned = ink.clean(pixels)
    assert cleaned.shape == pixels.shape[:2]
    assert cleaned.dtype == np.uint8
    assert ink.is_blank(pixels, mm=mm) in (True, False)
    assert ticked(pixels, mm=mm) in (True, False, None)
    assert ink.seal_over(pixels, ink.find_lines(ink.clean(pixels))) in (True, False)
    for span in ink.find_lines(cleaned):
        assert 0 <= span.x0 < span.x1 <= pixels.shape[1]
        assert 0 <= span.y0 < span.y1 <= pixels.shape[0]


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("fill", [(255, 255, 255), (255, 255, 204), (230, 230, 230)])
def test_an_empty_cell_is_blank_with_dust_and_rests_of_its_ruling_lines(font, fill):
    for seed in range(4):
        crop = scanned(drawn("", font=font, fill=fill, frame=5), seed, slack=1)
        crop[30, 40:42] = 0
        assert ink.is_blank(crop, mm=MM)


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("text", ["一", "1", "山田 花子", "i.l@example.jp"])
def test_writing_is_never_blank(font, text):
    for seed in range(3):
        assert not ink.is_blank(scanned(drawn(text, font=font), seed), mm=MM)


def test_a_seal_beside_nothing_is_no_writing():
    assert ink.is_blank(scanned(drawn("", seal=True), 3), mm=MM)


def test_a_seal_over_writing_is_noticed_and_the_writing_stays():
    plain, sealed = scanned(drawn("山田 花子"), 1), scanned(drawn("山田 花子", seal=True), 1)
    assert ink.seal_over(sealed, ink.find_lines(ink.clean(sealed)))
    assert not ink.seal_over(plain, ink.find_lines(ink.clean(plain)))
    before, after = ink.ink(ink.clean(plain)).sum(), ink.ink(ink.clean(sealed)).sum()
    assert abs(int(after) - int(before)) < 0.15 * before


def test_a_yellow_fill_is_no_seal():
    assert ink.coloured_share(scanned(drawn("山田", fill=(255, 255, 153)), 2)) < 0.001


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize(
    ("mark", "expected"), [("□", False), ("☑", True), ("✓", True), ("レ", True), ("■", True), ("", False)]
)
def test_a_box_is_ticked_by_what_stands_in_it(font, mark, expected):
    if mark in "☑✓" and "ipa" in font:
        # This font has no such mark; a program that prints with it takes the mark from another.
        font = next(other for other in FONTS if "ipa" not in other)
    for seed in range(3):
        assert ticked(scanned(drawn(mark, font=font, points=12), seed), mm=MM) is expected


def test_a_cell_too_full_for_a_box_is_not_told():
    assert ticked(scanned(drawn("利用規定の確認と同意"), 1), mm=MM) is None


def test_two_lines_of_text_are_two_and_the_bars_of_a_letter_are_one():
    two = np.vstack([scanned(drawn(part, frame=0), 1)[:, :240] for part in ("東京都千代田区", "あおぞらビル")])
    assert len(ink.find_lines(ink.clean(two))) == 2
    assert len(ink.find_lines(ink.clean(scanned(drawn("三二三", frame=0), 1)))) == 1


def cell(text_at=60, right=(), dot=None):
    """A wide cell with two letters, and what else is drawn: bars by their place and rows, a speck by its place."""
    grey = np.full((46, 900), 250, np.uint8)
    for left in (text_at, text_at + 34):
        grey[8:38, left : left + 4] = grey[8:38, left + 22 : left + 26] = 0
        grey[8:12, left : left + 26] = 0
    for at, rows in right:
        grey[rows, at : at + 2] = 90
    if dot is not None:
        grey[20:27, dot : dot + 7] = 30
    return grey


@pytest.mark.parametrize(
    "strays",
    [
        {"right": [(880, slice(0, 46))]},
        {"right": [(700, slice(0, 25)), (700, slice(30, 46))]},
        {"dot": 600},
        {"right": [(880, slice(0, 46))], "dot": 500},
    ],
)
def test_a_line_ends_where_its_text_ends_and_not_at_a_stray_ruling_line_or_speck(strays):
    [line] = ink.find_lines(cell(**strays))
    assert (line.x0, line.x1) == (60, 120)


@pytest.mark.parametrize("kept", [{"dot": 130}, {"dot": 200}, {"right": [(140, slice(6, 40))]}])
def test_ink_near_the_text_is_never_left_out(kept):
    [line] = ink.find_lines(cell(**kept))
    assert line.x1 == (kept["dot"] + 7 if "dot" in kept else 142)


def test_a_dash_alone_in_its_cell_stays():
    grey = np.full((46, 900), 250, np.uint8)
    grey[21:25, 60:78] = 0
    assert [(line.x0, line.x1) for line in ink.find_lines(grey)] == [(60, 78)]


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("shade", [(2, 16), (2, 26), (2, 20)])
def test_a_shade_beside_a_box_does_not_tick_it(mark, shade):
    grey = np.full((24, 44), 250, np.uint8)
    cv2.rectangle(grey, (14, 5), (31, 21), (110,), 2)
    grey[shade[0] : 5, shade[1] : shade[1] + 3] = 190
    if mark:
        cv2.line(grey, (18, 13), (21, 17), (90,), 2)
        cv2.line(grey, (21, 17), (27, 9), (90,), 2)
    assert ticked(grey, mm=200 / 25.4) is mark
