"""The pictures that go to staff with a request: which places, what they are called, and that none holds a request up."""

import io
import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon import crops
from parsers.application import read
from parsers.errors import ParseError, ParseKind
from parsers.picture import Picture
from parsers.reading import Application, Box, FieldValue, Route
from parsers.rendering import render
from support.applications import HANAKO, ICHIRO, application
from support.scanned import scanned

SAMPLE = (Path(__file__).parents[1] / "data" / "samples" / "reissue.pdf").read_bytes()


class InProcess:
    """Draws in this process what the confined reader draws in its own."""

    def picture(self, data, page, *, dpi):
        return render(data, page, dpi=dpi)


class Broken:
    """A reader that does not survive the file."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def picture(self, data, page, *, dpi):
        raise self._error


class Grainy:
    """A page of noise, which compresses to nothing small."""

    def __init__(self, side: int = 2400) -> None:
        self._side = side

    def picture(self, data, page, *, dpi):
        noise = np.random.default_rng(7).integers(0, 256, (self._side, self._side, 3), dtype=np.uint8)
        return Picture(noise, dpi)


def sample(route: Route = Route.SCAN) -> Application:
    """The sample with the places where its values really stand."""
    (found,) = read(SAMPLE, received_on=date(2024, 7, 3)).applications
    return replace(found, route=route)


def names(form: Application) -> set[str]:
    return {place.name for place in crops.places(form)}


def test_every_mail_address_that_was_read_from_a_picture_is_shown_however_sure_it_is():
    assert names(scanned(application("reissue"))) == {
        "request-type.png",
        "mail-address-applicant.png",
        "mail-address-user.png",
        "seal.png",
    }
    assert names(scanned(application("handover", HANAKO, ICHIRO))) >= {
        "mail-address-before.png",
        "mail-address-after.png",
    }
    assert "mail-address-user.png" in names(replace(scanned(application("reissue")), route=Route.CODE))


def test_every_doubtful_reading_is_shown():
    form = scanned(application("reissue"), user__name_ja=("variant",), applicant__phone=())
    assert names(form) >= {"name-ja-user.png", "phone-applicant.png"}
    assert "name-en-user.png" not in names(form)


def test_of_text_too_what_is_checked_by_eye_is_shown_and_nothing_else_but_doubts():
    form = replace(scanned(application("reissue")), route=Route.TEXT)
    always = {"request-type.png", "mail-address-applicant.png", "mail-address-user.png", "seal.png"}
    assert names(form) == always
    doubtful = {**form.fields, "user.name_ja": replace(form.fields["user.name_ja"], confidence=0.5)}
    assert names(replace(form, fields=doubtful)) == {*always, "name-ja-user.png"}


def test_what_has_no_place_cannot_be_shown():
    form = scanned(application("reissue"))
    lost = {key: FieldValue(value.value, value.raw, 0.1, 1) for key, value in form.fields.items()}
    bare = replace(form, fields=lost, type_reading=None, seal=replace(form.seal, box=None))
    assert crops.places(bare) == ()
    assert crops.make(SAMPLE, bare, InProcess()) == crops.Crops()


def test_names_are_plain_ascii_and_no_two_are_equal():
    form = scanned(application(None), everything=("look_alike",))
    found = [place.name for place in crops.places(form)]
    assert len(set(found)) == len(found) > 5
    assert all(name.isascii() and " " not in name for name in found)


def test_a_crop_shows_the_value_with_a_margin_and_the_page_goes_with_it():
    made = crops.make(SAMPLE, sample(), InProcess())
    pictures = {picture.name: picture for picture in made.pictures}
    assert not made.failed
    assert made.name_of("user.email") == "mail-address-user.png"
    assert made.name_of("remarks") == ""
    crop = Image.open(io.BytesIO(pictures["mail-address-user.png"].data))
    box = sample().fields["user.email"].box
    assert crop.width == pytest.approx((box.x1 - box.x0 + 12) * crops.CROP_DPI / 72, abs=3)
    assert np.asarray(crop.convert("L")).min() < 100, "print is seen"
    page = Image.open(io.BytesIO(pictures["page-1.jpg"].data))
    assert (page.format, page.width > 900) == ("JPEG", True)
    assert len(pictures["page-1.jpg"].data) <= 400_000
    assert all(picture.inline for picture in made.pictures)


def test_text_brings_the_picture_of_its_page_too():
    made = crops.make(SAMPLE, sample(Route.TEXT), InProcess())
    assert {"mail-address-user.png", "seal.png", "page-1.jpg"} <= {picture.name for picture in made.pictures}


@pytest.mark.parametrize("error", [ParseError(ParseKind.DAMAGED, "secret"), OSError("secret"), ValueError("secret")])
def test_a_reader_that_fails_holds_no_request_up(error, caplog):
    made = crops.make(SAMPLE, sample(), Broken(error))
    assert made == crops.Crops(failed=True)
    assert "pictures" in caplog.text
    assert "secret" not in caplog.text, "what an error says may hold content of the form"


def test_what_stays_too_large_is_left_out_and_that_is_said():
    form = scanned(application("reissue"), everything=("look_alike",))
    form = replace(form, fields={key: replace(field, box=Box(0, 0, 500, 150)) for key, field in form.fields.items()})
    made = crops.make(SAMPLE, form, Grainy())
    assert made.failed
    assert sum(len(picture.data) for picture in made.pictures) <= 2_000_000
    assert made.name_of("user.email"), "the mail addresses come first"
    assert not made.name_of("applicant.phone")


def test_a_page_that_no_jpeg_makes_small_is_left_out_and_that_is_said():
    made = crops.make(SAMPLE, sample(), Grainy(7000))
    assert made.failed
    assert "page-1.jpg" not in {picture.name for picture in made.pictures}
    assert made.name_of("user.email")


@pytest.mark.parametrize("box", [Box(5000, 5000, 6000, 6000), Box(math.nan, 0, math.inf, 10), Box(50, 50, 20, 20)])
def test_a_place_that_is_on_no_page_is_left_out_and_that_is_said(box):
    form = sample()
    made = crops.make(SAMPLE, replace(form, seal=replace(form.seal, box=box)), InProcess())
    assert made.failed
    assert not made.name_of("seal")
    assert made.name_of("user.email")
