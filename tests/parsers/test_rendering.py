"""Pictures of pages: in the resolution of the scan, bounded, and nothing but ParseError from damaged bytes."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from parsers.errors import ParseError, ParseKind
from parsers.reading import Box
from parsers.rendering import native_dpi, render

FORM = (Path(__file__).parents[1] / "data/samples/new_issue.pdf").read_bytes()


def drawn(width, height, *, picture=None, place=None, bar=None):
    """A page of this size with a picture at a place, or a red bar (x, y, w, h from the lower left)."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(width, height))
    if picture:
        canvas.drawImage(ImageReader(Image.new("RGB", picture, (200, 200, 200))), *place)
    if bar:
        canvas.setFillColorRGB(1, 0, 0)
        canvas.rect(*bar, stroke=0, fill=1)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def rotated(data, angle):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.pages[0].rotate(angle)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_scan_is_drawn_in_its_own_resolution_however_the_page_is_turned(angle):
    data = rotated(drawn(288, 432, picture=(800, 1200), place=(0, 0, 288, 432)), angle)
    dpi = native_dpi(data, 1)
    assert dpi == pytest.approx(200)
    picture = render(data, 1, dpi=dpi)
    assert sorted((picture.width, picture.height)) == [800, 1200]
    assert (picture.width < picture.height) == (angle in {0, 180})


def test_a_seal_on_a_page_of_text_is_no_scan():
    assert native_dpi(drawn(300, 400, picture=(600, 600), place=(50, 50, 100, 100)), 1) is None
    assert native_dpi(FORM, 1) is None


def test_the_larger_of_two_pictures_tells_the_resolution_and_it_stays_within_bounds():
    assert native_dpi(drawn(100, 100, picture=(3000, 3000), place=(0, 0, 100, 100)), 1) == 400
    assert native_dpi(drawn(1000, 1000, picture=(30, 30), place=(0, 0, 1000, 1000)), 1) == 100


def test_red_is_red_and_the_origin_is_at_the_top_left():
    picture = render(drawn(100, 200, bar=(0, 190, 10, 10)), 1, dpi=72)
    assert picture.pixels.shape == (200, 100, 3)
    assert tuple(picture.pixels[5, 5]) == (255, 0, 0)
    assert tuple(picture.pixels[195, 5]) == (255, 255, 255)


def test_a_region_is_the_same_as_that_part_of_the_whole_page():
    whole = render(FORM, 1, dpi=144)
    part = render(FORM, 1, dpi=144, region=Box(100, 200, 300, 250))
    assert (part.width, part.height) == (400, 100)
    cut = whole.pixels[400:500, 200:600].astype(int)
    # The paper has a fraction of a pixel in its height, so that edges may lie a fraction apart.
    assert np.abs(cut - part.pixels).mean() < 12


def test_a_page_of_a_kilometre_becomes_a_picture_of_bounded_size():
    picture = render(drawn(1_000_000, 1_000_000, bar=(0, 0, 500_000, 500_000)), 1, dpi=300)
    assert max(picture.width, picture.height) <= 5001
    assert picture.points * 1_000_000 == pytest.approx(picture.width, abs=1)


def test_what_was_put_on_the_page_later_is_drawn_only_if_asked():
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(drawn(200, 200))))
    writer.add_annotation(0, FreeText(text="X", rect=(20, 20, 180, 180), background_color="ff0000", font_size="90pt"))
    out = io.BytesIO()
    writer.write(out)
    assert render(out.getvalue(), 1, dpi=72).pixels.min() == 255
    assert render(out.getvalue(), 1, dpi=72, annotations=True).pixels.min() < 255


@pytest.mark.parametrize("page", [0, 2, 99])
def test_a_page_that_is_not_there_is_damage(page):
    with pytest.raises(ParseError) as caught:
        render(FORM, page, dpi=100)
    assert caught.value.kind is ParseKind.DAMAGED


@pytest.mark.parametrize("region", [Box(900, 0, 950, 10), Box(10, 10, 10, 20), Box(50, 50, 20, 20)])
def test_a_region_off_the_page_is_damage(region):
    with pytest.raises(ParseError):
        render(FORM, 1, dpi=100, region=region)


def run(program, *arguments):
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_the_process_that_opens_pdfs_loads_no_opencv_by_it():
    assert run("import parsers.rendering, sys; print('cv2' in sys.modules)") == "False"


OUT_OF_MEMORY = """
import resource, sys
from parsers.errors import ParseError
from parsers.rendering import render
data = open(sys.argv[1], "rb").read()
render(data, 1, dpi=20)
pages = int(open("/proc/self/statm").read().split()[0])
# Room for what PDFium draws, 100 MB, and not for the 75 MB that take it over.
room = pages * resource.getpagesize() + 135_000_000
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    render(data, 1, dpi=288)
except ParseError as error:
    print(error.kind.name)
"""


def test_a_page_for_which_memory_runs_out_is_too_costly(tmp_path):
    page = tmp_path / "page.pdf"
    page.write_bytes(drawn(1250, 1250, bar=(0, 0, 600, 600)))
    assert run(OUT_OF_MEMORY, str(page)) == ParseKind.TOO_COSTLY.name


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.integers(0, len(FORM) - 1).map(lambda at: FORM[:at])))
def test_any_bytes_give_a_picture_or_a_parse_error(data):
    for ask in (lambda: render(data, 1, dpi=50), lambda: native_dpi(data, 1)):
        with contextlib.suppress(ParseError):
            ask()
