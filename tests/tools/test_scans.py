"""The generator of test scans and its judge: what the figures of docs/reading.md rest on."""

import json
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import request_types
from parsers.application import read
from parsers.rendering import render
from tools import scan_people, score_scans
from tools.scan_paper import PROFILES, Wish, hull, scan_page
from tools.scan_pdf import write_pdf
from tools.scan_seals import DECOYS, KINDS, make_stamps
from tools.shares import Share

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
# A mark in the middle of an A4 page, in points.
MARK = (180.0, 240.0, 330.0, 290.0)


@pytest.fixture(scope="module")
def drawn():
    page = np.full((4677, 3308, 3), 255, dtype=np.uint8)
    x0, y0, x1, y1 = (round(edge / 72 * 400) for edge in MARK)
    page[y0:y1, x0:x1] = (20, 20, 20)
    return page


def test_the_three_worlds_share_no_name_company_or_domain():
    worlds = [scan_people.world(name) for name in scan_people.WORLDS]
    for pool in ("surnames", "given", "cores", "industries", "variants"):
        words = [{japanese for japanese, _ in getattr(each, pool)} for each in worlds]
        assert sum(map(len, words)) == len(set.union(*words)), pool
    made = [{scan_people.make_company(Random(number), each).domain for number in range(300)} for each in worlds]
    assert sum(map(len, made)) == len(set.union(*made))


def test_about_one_name_in_eight_has_a_variant_letter():
    here, letters = scan_people.world("tuning"), set("髙﨑邉齋栁濵澤𠮷惠")
    names = [scan_people.make_person(Random(number), here).name for number in range(2000)]
    assert 0.09 <= sum(bool(letters & set(name)) for name in names) / len(names) <= 0.15


def test_the_same_seed_writes_the_same_form():
    table = request_types.load()
    first, second = (scan_people.make_filled(Random("7"), scan_people.world("final"), table) for _ in range(2))
    assert first == second
    assert first != scan_people.make_filled(Random("8"), scan_people.world("final"), table)


def test_a_decoy_is_no_seal_and_a_faint_seal_is_one():
    seen = set()
    for number in range(120):
        first, *_ = make_stamps(
            Random(number), world="tuning", company="株式会社甲", surname="乙", day="26.1.2", dpi=100
        )
        seen.add(first.kind)
        assert first.verdict == ("present" if first.kind in KINDS else "absent")
        assert first.kind in (*KINDS, *DECOYS)
        assert first.ink.max() <= 1
        assert first.ink.min() >= 0
    assert seen == {*KINDS, *DECOYS}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_truth_tells_where_a_value_stands_on_the_page_as_displayed(drawn, profile, seed):
    scan = scan_page(drawn, Wish(profile, 150, "grey"), Random(f"{profile} {seed}"))
    seen = render(write_pdf(scan), 1, dpi=75).pixels
    x0, y0, x1, y1 = (edge / 72 * 75 for edge in hull(scan.place(MARK)))
    # The middle of the mark is dark, and nothing is that dark far outside of it.
    middle = seen[
        round((y0 + y1) / 2) - 3 : round((y0 + y1) / 2) + 3, round((x0 + x1) / 2) - 3 : round((x0 + x1) / 2) + 3
    ]
    assert middle.mean() < 100
    rows, columns = np.nonzero(seen[:, :, 0] < 110)
    inside = (rows > y0 - 3) & (rows < y1 + 3) & (columns > x0 - 3) & (columns < x1 + 3)
    assert inside.sum() > 0.6 * len(rows)


def test_the_same_seed_gives_the_same_file_without_a_date(drawn):
    first, second = (
        write_pdf(scan_page(drawn, Wish("worn", 150, "colour"), Random(3)), hidden=[((1, 2, 30, 12), "印")])
        for _ in range(2)
    )
    assert first == second
    assert pypdf.PdfReader(BytesIO(first)).pages[0].extract_text().strip() == "印"


# --- the judge


@pytest.fixture(scope="module")
def judged():
    """A sample, its truth, and a reading of it that makes no mistake."""
    truth = json.loads((SAMPLES / "handover.json").read_text("utf-8"))["applications"][0]
    [found] = read((SAMPLES / "handover.pdf").read_bytes(), received_on=date(2024, 7, 3)).applications
    return truth, found


ABOUT = {"seal_kind": "square", "seal_over": False, "seal_faint": 0}


def compared(truth, found):
    return {each[0]: each for each in score_scans._compare(truth, found, ABOUT)}


def test_a_reading_without_mistake_is_exact_in_everything(judged):
    assert all(each[6] and each[7] for each in compared(*judged).values())


def test_a_wrong_letter_counts_and_a_variant_only_when_exact(judged):
    truth, found = judged
    for text, exact, folded in (("高橋　花子", False, True), ("髙橋花子", True, True), ("髙橋 花", False, False)):
        fields = {**found.fields, "before.name_ja": replace(found.fields["before.name_ja"], value=text)}
        told = compared(truth, replace(found, fields=fields))["before.name_ja"]
        assert told[6:8] == (exact, folded)


def test_a_form_that_is_not_found_is_wrong_in_every_field(judged):
    truth, _ = judged
    assert not any(each[6] or each[7] for each in compared(truth, None).values())


def test_the_bounds_are_those_of_the_textbooks():
    # Clopper and Pearson, 1934; the rule of three for no hit at all; the field notes' own 0.07 to 0.9 %.
    lower, upper = Share(3, 948).exact()
    assert (round(lower, 4), round(upper, 4)) == (0.0007, 0.0092)
    assert Share(0, 1000).exact()[0] == 0
    assert round(Share(0, 1000).exact()[1], 5) == 0.00368
    assert Share(0, 0).told()["percent"] is None


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=60, deadline=None)
def test_the_share_lies_within_its_bounds(trial):
    share = Share(*trial)
    for lower, upper in (share.wilson(), share.exact()):
        assert 0 <= lower <= share.hits / share.trials <= upper <= 1


def test_the_figures_count_what_was_accepted_and_wrong(judged, capsys):
    truth, found = judged
    fields = {**found.fields, "before.email": replace(found.fields["before.email"], value="x@aozora-denki.example")}
    pages = [
        score_scans.Page(
            "a", "300c", "clean", 0.5, True, tuple(score_scans.Judged("a", "300c", "clean", *each) for each in rows)
        )
        for rows in (
            list(score_scans._compare(truth, found, ABOUT)),
            list(score_scans._compare(truth, replace(found, fields=fields), ABOUT)),
        )
    ]
    figures = score_scans.figures_of(pages)
    filled = 2 * sum(value is not None for value in truth["fields"].values())
    assert (figures["filled exact"]["hits"], figures["filled exact"]["n"]) == (filled - 1, filled)
    assert figures["accepted wrong mails"]["hits"] == figures["accepted wrong"]["hits"] == 1
    assert figures["whole form exact"]["hits"] == 1
    assert figures["seal"]["all present"] == {"present": 2}
    score_scans.print_figures("300c", figures)
    assert "accepted wrong mails" in capsys.readouterr().out
