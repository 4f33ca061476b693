"""What may be written by hand is told by its strokes, and print is left alone."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.handwriting import handwritten, likelihood
from parsers.ink import Span
from parsers.inside import Inside
from parsers.lines import HEIGHT, Line
from support.crops import FONTS, MM
from tools.score_handwriting import written

VALUES = {
    "applicant.company": "株式会社みなと商事",
    "applicant.name": "田中 正",
    "applicant.phone": "03-5550-1234",
    "user.name_en": "Hanako YAMADA",
    "user.email": "hanako.yamada@minato.example",
    "application_date": "2024年7月1日",
}


def lines(*, by_hand, font, seed):
    chance = Random(seed)
    return {key: Inside(written(text, font, chance, by_hand=by_hand), MM).lines for key, text in VALUES.items()}


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_form_in_print_holds_no_handwriting(font, seed):
    assert len(handwritten(lines(by_hand=False, font=font, seed=seed))) <= 1


@pytest.mark.parametrize("seed", range(4))
def test_letters_that_tremble_turn_and_leave_their_line_are_handwriting(seed):
    """Even those of a printer's font, as no font for handwriting need be installed where tests run."""
    found = lines(by_hand=True, font=FONTS[seed % 2], seed=seed)
    printed = lines(by_hand=False, font=FONTS[seed % 2], seed=seed)
    more = [
        np.mean([likelihood(line) for line in found[key]]) - np.mean([likelihood(line) for line in printed[key]])
        for key in VALUES
    ]
    assert np.mean(more) > 2.0


def test_one_value_by_hand_makes_no_other_doubtful():
    form = lines(by_hand=False, font=FONTS[0], seed=1)
    assert "applicant.name" not in handwritten(form | {"remarks": []})


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_any_line_has_a_likelihood(width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (HEIGHT, width), dtype=np.uint8)
    assert np.isfinite(likelihood(Line(image, Span(0, 0, width, HEIGHT), 1.0)))
