"""Work on a second core gives what it gives in place, errors as well."""

from pathlib import Path

import numpy as np
import pytest

from parsers.beside import Beside, InPlace
from parsers.rectifying import Flattening
from parsers.rendering import render
from parsers.ruling import find_grid

SAMPLE = Path(__file__).parents[1] / "data/samples/new_issue.pdf"


@pytest.fixture(scope="module", params=[InPlace, Beside])
def beside(request):
    return request.param()


def test_the_result_of_work_that_was_begun_comes_when_it_is_asked_for(beside):
    results = [beside.start(lambda number=number: number * number) for number in range(5)]
    assert [result() for result in results] == [0, 1, 4, 9, 16]


def test_what_the_work_raises_reaches_who_asks_for_its_result(beside):
    result = beside.start(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        result()
    assert beside.start(lambda: "and goes on")() == "and goes on"


def test_a_page_is_flattened_and_ruled_alike_with_and_without_a_second_core(beside):
    picture = render(SAMPLE.read_bytes(), 1, dpi=150)
    alone, together = find_grid(picture), find_grid(picture, beside)
    assert together.boxes == alone.boxes
    assert np.array_equal(together.picture.pixels, alone.picture.pixels)


def test_half_a_page_each_is_the_whole_page(beside):
    pixels = np.random.default_rng(3).integers(0, 256, (300, 517, 3), dtype=np.uint8)
    bent = Flattening(517, 300, 1.3, np.full(6, 0.004), np.full(6, -0.003))
    for turn in (False, True):
        whole = bent.apply(pixels, 250, quarter_turn=turn)
        assert np.array_equal(bent.apply(pixels, 250, quarter_turn=turn, beside=beside), whole)
