"""Where the four routes meet: a sheet survives its way between processes, and nothing else is taken for one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.reading import Box, Route, Seal, SealVerdict
from parsers.scan import PROBLEMS, Scan, scan_from_json, scan_to_json
from parsers.sheet import Entry, Sheet, sheet_from_json, sheet_to_json

edges = st.floats(-1e6, 1e6)
boxes = st.none() | st.builds(Box, edges, edges, edges, edges)
shares = st.floats(0, 1)
words = st.text(max_size=12)
entries = st.builds(Entry, words, shares, boxes, st.lists(words, max_size=3).map(tuple))
seals = st.builds(Seal, st.sampled_from(SealVerdict), shares, st.none() | st.integers(1, 60), boxes)
sheets = st.builds(
    Sheet,
    version=words,
    route=st.sampled_from(Route),
    pages=st.lists(st.integers(1, 60), min_size=1, max_size=3).map(tuple),
    kind=entries,
    entries=st.dictionaries(words, entries, max_size=4),
    ticks=st.dictionaries(words, st.sampled_from([True, False, None]), max_size=4),
    seal=seals,
    notes=st.lists(words, max_size=3).map(tuple),
)


@given(sheets)
def test_a_sheet_survives_its_way_between_processes(sheet):
    assert sheet_from_json(json.loads(json.dumps(sheet_to_json(sheet)))) == sheet


@given(st.builds(Scan, st.lists(sheets, max_size=2).map(tuple), st.none() | st.sampled_from(sorted(PROBLEMS))))
def test_a_scan_survives_its_way_between_processes(scan):
    assert scan_from_json(json.loads(json.dumps(scan_to_json(scan)))) == scan


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"sheets": [], "problem": "rm -rf"},
        {"sheets": [{}], "problem": None},
        {"sheets": None, "problem": None},
    ],
)
def test_anything_else_is_refused(wrong):
    with pytest.raises((KeyError, TypeError, ValueError)):
        scan_from_json(wrong)
