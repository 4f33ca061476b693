"""The three answers about the seal box (SPEC 1.3.1, domain notes B.5)."""

import io
from collections.abc import Callable

import numpy as np
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from parsers.cells import Run
from parsers.picture import Picture
from parsers.reading import Box, SealVerdict
from parsers.seal import examine, judge, judge_picture
from parsers.seal_fingerprint import fingerprint, same_mark
from support.drawing import Drawing, to_pdf
from tools.make_seal_pages import make

MM = 6.0  # pixels
CELL = Box(12 * MM, 12 * MM, 50 * MM, 46 * MM)
RED, VERMILION, FAINT, PURPLE_RED = (205, 38, 38), (230, 70, 30), (255, 205, 205), (190, 30, 80)
YELLOW, GREY, WHITE = (255, 255, 153), (191, 191, 191), (255, 255, 255)
Draw = Callable[[ImageDraw.ImageDraw], object]


def picture(draw: Draw, ground: tuple[int, int, int] = WHITE) -> Image.Image:
    """The seal box with its border and 12 mm around it, and the edge of a required cell, which shows the colours."""
    image = Image.new("RGB", (round(62 * MM), round(58 * MM)), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 62 * MM, 1.5 * MM), fill=YELLOW)
    pen.rectangle(CELL, fill=ground, outline="black", width=3)
    draw(pen)
    return image


def ring(x: float, y: float, size: float, colour: object, width: float = 0.7) -> Draw:
    """A round seal with strokes inside, at a place and size in mm from the corner of the picture."""

    def draw(pen: ImageDraw.ImageDraw) -> None:
        box = (x * MM, y * MM, (x + size) * MM, (y + size) * MM)
        pen.ellipse(box, outline=colour, width=round(width * MM))
        for part in (0.3, 0.5, 0.7):
            pen.line(
                (
                    box[0] + part * size * MM,
                    box[1] + size * MM * 0.25,
                    box[0] + part * size * MM,
                    box[1] + size * MM * 0.75,
                ),
                colour,
                3,
            )
            pen.line(
                (
                    box[0] + size * MM * 0.25,
                    box[1] + part * size * MM,
                    box[0] + size * MM * 0.75,
                    box[1] + part * size * MM,
                ),
                colour,
                3,
            )

    return draw


def square(x: float, y: float, size: float, colour: object) -> Draw:
    def draw(pen: ImageDraw.ImageDraw) -> None:
        pen.rectangle((x * MM, y * MM, (x + size) * MM, (y + size) * MM), outline=colour, width=5)
        for step in range(1, 5):
            offset = step * size / 5 * MM
            pen.line((x * MM + offset, (y + 2) * MM, x * MM + offset, (y + size - 2) * MM), colour, 4)
            pen.line(((x + 2) * MM, y * MM + offset, (x + size - 2) * MM, y * MM + offset), colour, 4)

    return draw


def nothing(pen: ImageDraw.ImageDraw) -> None:
    pass


def verdict(draw: Draw, ground: tuple[int, int, int] = WHITE, **more: list[Box]) -> SealVerdict:
    return judge(picture(draw, ground), CELL, MM, **more).verdict


# --- present ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ground", [WHITE, YELLOW, GREY])
@pytest.mark.parametrize("size", [9, 12, 18])
@pytest.mark.parametrize("colour", [RED, VERMILION, FAINT, PURPLE_RED])
def test_red_ink_of_the_size_of_a_seal_is_present(
    colour: tuple[int, int, int], size: int, ground: tuple[int, int, int]
) -> None:
    assert verdict(ring(22, 20, size, colour), ground) is SealVerdict.PRESENT


@pytest.mark.parametrize("draw", [square(20, 15, 24, RED), square(16, 18, 18, RED)])
def test_a_square_company_seal_is_present(draw: Draw) -> None:
    assert verdict(draw, YELLOW) is SealVerdict.PRESENT


@pytest.mark.parametrize(("x", "y"), [(1, 20), (25, 2), (42, 30), (25, 40)])
def test_a_seal_over_the_border_is_present(x: float, y: float) -> None:
    assert verdict(ring(x, y, 16, RED)) is SealVerdict.PRESENT


def test_two_seals_side_by_side_are_present_and_the_place_is_told() -> None:
    def both(pen: ImageDraw.ImageDraw) -> None:
        square(14, 18, 20, RED)(pen)
        ring(37, 25, 10, RED)(pen)

    mark = judge(picture(both), CELL, MM)
    assert mark.verdict is SealVerdict.PRESENT
    assert mark.box is not None
    assert mark.box.x0 == pytest.approx(14 * MM, abs=MM)
    assert mark.confidence >= 0.9


def test_a_seal_over_black_print_is_present() -> None:
    def over_text(pen: ImageDraw.ImageDraw) -> None:
        pen.rectangle((14 * MM, 25 * MM, 40 * MM, 29 * MM), fill="black")
        ring(22, 20, 18, RED)(pen)

    assert verdict(over_text) is SealVerdict.PRESENT


# --- unclear ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", [(0, 0, 0), (60, 60, 60), (120, 120, 120)])
def test_a_seal_of_another_colour_is_unclear(colour: tuple[int, int, int]) -> None:
    assert verdict(ring(22, 20, 18, colour), YELLOW) is SealVerdict.UNCLEAR


@pytest.mark.parametrize(
    "draw",
    [
        ring(25, 25, 5, RED),
        lambda pen: pen.line((15 * MM, 15 * MM, 45 * MM, 43 * MM), RED, 4),
        lambda pen: pen.line((15 * MM, 30 * MM, 45 * MM, 30 * MM), RED, 6),
        lambda pen: pen.rectangle((20 * MM, 20 * MM, 40 * MM, 40 * MM), fill=RED),
    ],
    ids=["too small", "stroke through", "underline", "filled area"],
)
def test_red_that_has_not_the_shape_of_a_seal_is_unclear(draw: Draw) -> None:
    assert verdict(draw) is SealVerdict.UNCLEAR


def test_a_handwritten_name_is_unclear() -> None:
    assert (
        verdict(
            lambda pen: pen.line(
                [(20 * MM, 20 * MM), (24 * MM, 30 * MM), (30 * MM, 22 * MM), (36 * MM, 33 * MM)], (30, 30, 30), 4
            )
        )
        is SealVerdict.UNCLEAR
    )


def test_a_box_without_room_is_unclear() -> None:
    assert judge(picture(nothing), Box(10, 10, 12, 12), MM).verdict is SealVerdict.UNCLEAR


# --- absent -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ground", [WHITE, YELLOW, GREY])
def test_an_empty_box_of_any_colour_is_absent(ground: tuple[int, int, int]) -> None:
    assert verdict(nothing, ground) is SealVerdict.ABSENT


@pytest.mark.parametrize("draw", [nothing, ring(23, 21, 12, (60, 60, 60))])
def test_without_colour_absence_is_never_claimed(draw: Draw) -> None:
    """A grey seal over print cannot be told from print."""
    grey = picture(draw).convert("L").convert("RGB")
    assert judge(grey, CELL, MM).verdict is SealVerdict.UNCLEAR


def test_dust_is_no_ink() -> None:
    assert (
        verdict(lambda pen: pen.point([(30 * MM + number * 40, 30 * MM) for number in range(3)], "black"))
        is SealVerdict.ABSENT
    )


def test_what_the_form_printed_itself_is_no_ink() -> None:
    place = Box(28 * MM, 25 * MM, 34 * MM, 31 * MM)
    assert verdict(lambda pen: pen.ellipse(place, fill="black"), printed=[place]) is SealVerdict.ABSENT


def test_red_print_of_the_form_is_no_seal() -> None:
    place = Box(22 * MM, 20 * MM, 34 * MM, 32 * MM)
    assert verdict(ring(23, 21, 10, RED), printed=[place], red_print=[place]) is SealVerdict.ABSENT


def test_a_blue_seal_is_present() -> None:
    assert verdict(ring(22, 20, 18, (20, 40, 140))) is SealVerdict.PRESENT


def test_a_seal_beside_the_box_counts() -> None:
    assert verdict(ring(1, 1, 10, RED)) is SealVerdict.PRESENT


def test_a_seal_far_from_the_box_is_unclear_and_its_place_is_told() -> None:
    pixels = np.full((1200, 900, 3), 255, np.uint8)
    pixels[800:908, 500:608] = np.asarray(picture(ring(20, 20, 16, RED)))[108:216, 114:222]
    mark = judge_picture(Picture(pixels, 6 * 25.4), Box(60, 60, 170, 150))
    assert (mark.verdict, mark.box) == (SealVerdict.UNCLEAR, None)
    assert mark.elsewhere is not None


@pytest.mark.parametrize("seed", range(12))
def test_a_seal_on_a_scan_is_never_absent_in_colour_or_grey(seed: int) -> None:
    sample = make(seed, sealed=True, grey=seed % 2 == 0)
    mark = judge_picture(sample.picture, sample.cell, printed=sample.printed, neighbours=sample.neighbours)
    assert mark.verdict is not SealVerdict.ABSENT


@pytest.mark.parametrize("seed", range(12))
def test_what_is_no_seal_is_not_present_on_a_scan(seed: int) -> None:
    sample = make(seed + 300_000, sealed=False, grey=seed % 2 == 0)
    mark = judge_picture(sample.picture, sample.cell, printed=sample.printed, neighbours=sample.neighbours)
    assert mark.verdict is not SealVerdict.PRESENT


def test_a_fingerprint_matches_itself_and_no_other_kind() -> None:
    whole = Picture(np.asarray(picture(ring(22, 20, 18, RED))), 6 * 25.4)
    trace = fingerprint(whole, Box(62, 56, 114, 108))
    assert trace.startswith("ink:")
    assert same_mark(trace, trace)
    assert not same_mark(trace, "image:" + trace[4:])
    assert not same_mark("", "")


# --- rendering ----------------------------------------------------------------------------------------------------

BOX = Box(300, 100, 410, 200)


def page_with_box() -> Drawing:
    """A page with the seal box, and the fill of a required cell, which shows the colours."""
    return Drawing().fill(40, 40, 200, 60, "1 1 0.6").cell(*BOX)


def stamped(colour: str = "0.8 0.15 0.15", attributes: str = "") -> bytes:
    page = Drawing(attributes=attributes).cell(*BOX)
    page.operations.append(f"q {colour} RG 3 w {page._at(330, 180)} 50 50 re S {page._at(340, 170)} 30 30 re S Q")
    return to_pdf(page)


def test_the_place_of_the_mark_is_in_points_from_the_top_left() -> None:
    seal = examine(stamped(), 1, BOX, printed=(), typed=False)
    assert (seal.verdict, seal.page) == (SealVerdict.PRESENT, 1)
    assert seal.box == pytest.approx(Box(328.5, 128.5, 381.5, 181.5), abs=1)


def test_an_empty_box_on_a_page_is_absent_and_its_place_is_the_cell() -> None:
    seal = examine(to_pdf(page_with_box()), 1, BOX, printed=(), typed=False)
    assert (seal.verdict, seal.box) == (SealVerdict.ABSENT, BOX)


def test_text_that_somebody_typed_into_the_box_is_unclear_and_never_absent() -> None:
    page = to_pdf(page_with_box().text(303, 112, "押印済"))
    typed = Run("押印済", Box(300, 100, 340, 120), 10)
    assert examine(page, 1, BOX, printed=(), typed=True).verdict is SealVerdict.UNCLEAR
    assert examine(page, 1, BOX, printed=(typed,), typed=True).verdict is SealVerdict.UNCLEAR
    assert examine(page, 1, BOX, printed=(typed,), typed=False).verdict is SealVerdict.ABSENT


def test_big_red_print_is_no_seal() -> None:
    page = to_pdf(page_with_box().text(320, 170, "印", 48, colour="1 0 0"))
    red = Run("印", Box(318, 120, 370, 180), 48, red=True)
    assert examine(page, 1, BOX, printed=(red,), typed=False).verdict is SealVerdict.ABSENT


@pytest.mark.parametrize("box", [Box(5000, 5000, 5100, 5100), Box(-400, 0, -300, 50)])
def test_a_box_outside_of_the_page_is_unclear(box: Box) -> None:
    assert examine(stamped(), 1, box, printed=(), typed=False).verdict is SealVerdict.UNCLEAR


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\nnot really"])
def test_a_page_that_cannot_be_rendered_is_unclear(data: bytes) -> None:
    assert examine(data, 1, BOX, printed=(), typed=False).verdict is SealVerdict.UNCLEAR


def test_a_page_number_that_the_renderer_does_not_know_is_unclear() -> None:
    assert examine(stamped(), 7, BOX, printed=(), typed=False).verdict is SealVerdict.UNCLEAR


def test_a_page_of_a_million_points_is_rendered_small() -> None:
    page = Drawing(width=1e6, height=1e6).cell(0, 0, 900_000, 900_000)
    seal = examine(to_pdf(page), 1, Box(0, 0, 900_000, 900_000), printed=(), typed=False)
    assert (seal.verdict, seal.confidence) == (SealVerdict.UNCLEAR, 0.0)


def test_a_file_with_an_owner_password_is_examined() -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(stamped()))
    writer.encrypt(user_password="", owner_password="omoto", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    assert examine(out.getvalue(), 1, BOX, printed=(), typed=False).verdict is SealVerdict.PRESENT


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=30 * 30 * 3, max_size=30 * 30 * 3), st.tuples(*[st.integers(-10, 40)] * 4))
def test_any_picture_gets_a_verdict(pixels: bytes, cell: tuple[int, int, int, int]) -> None:
    image = Image.frombytes("RGB", (30, 30), pixels)
    mark = judge(image, Box(*cell), 2.0)
    assert mark.verdict in SealVerdict
    assert 0 <= mark.confidence <= 1
