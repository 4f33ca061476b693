"""The sample applications are read exactly: values, boxes, type, seal, findings (issue 2: 100 %).

The samples are made by tools/make_samples.py, in the house style and in other fonts, margins and column widths.
"""

import json
import os
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parsers.application import read
from parsers.errors import ParseError
from parsers.reading import Application, Reading

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
EXPECTED = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(SAMPLES.glob("*.json"))}
NEW_ISSUE = (SAMPLES / "new_issue.pdf").read_bytes()


def summary(application: Application) -> dict[str, Any]:
    return {
        "request_type": application.request_type.value if application.request_type else None,
        "form_version": application.form_version,
        "pages": list(application.pages),
        "fields": {key: field.value for key, field in application.fields.items()},
        "confirmations": dict(application.confirmations),
        "seal": application.seal.verdict.value,
        "findings": sorted((found.code, found.severity.value, found.field) for found in application.findings),
    }


def expected(application: dict[str, Any]) -> dict[str, Any]:
    findings = sorted((found["code"], found["severity"], found["field"]) for found in application["findings"])
    return application | {"findings": findings}


@cache
def read_sample(name: str) -> Reading:
    received_on = date.fromisoformat(EXPECTED[name]["received_on"])
    return read((SAMPLES / f"{name}.pdf").read_bytes(), received_on=received_on)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_is_read_exactly(name: str) -> None:
    found = read_sample(name)
    assert [summary(application) for application in found.applications] == list(
        map(expected, EXPECTED[name]["applications"])
    )
    assert [{"code": problem.code, "page": problem.page} for problem in found.problems] == EXPECTED[name]["problems"]


@pytest.mark.parametrize("name", [name for name in EXPECTED if EXPECTED[name]["applications"]])
def test_every_value_of_a_sample_has_its_place_on_the_page_and_full_confidence(name: str) -> None:
    for application in read_sample(name).applications:
        for key, field in application.fields.items():
            assert field.confidence == 1.0, key
            assert field.page in application.pages
            assert field.box is not None
            assert 0 < field.box.x0 < field.box.x1 < 595.4
            assert 0 < field.box.y0 < field.box.y1 < 842
        assert application.seal.box is not None


def test_all_five_types_are_read_in_every_style() -> None:
    styles = ("", "__font_mincho", "__font_noto", "__margin", "__columns")
    types = ("new_issue", "reissue", "registration_change", "handover", "cancellation")
    assert {f"{kind}{style}" for kind in types for style in styles} <= set(EXPECTED)


# `make soak` may ask for more; the suite shows that the guard is there.
EXAMPLES = int(os.environ.get("OGIS_LRA_EXAMPLES", "15"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(NEW_ISSUE) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_a_sample_with_changed_bytes_is_a_reading_or_a_parse_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(NEW_ISSUE)
    for at, value in changes:
        data[at] = value
    try:
        found = read(bytes(data), received_on=date(2024, 7, 3))
    except ParseError:
        return
    assert found.applications or found.problems


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(NEW_ISSUE)), st.integers(0, 400), st.binary(max_size=100))
def test_a_sample_with_a_piece_replaced_is_a_reading_or_a_parse_error(at: int, length: int, piece: bytes) -> None:
    try:
        found = read(NEW_ISSUE[:at] + piece + NEW_ISSUE[at + length :], received_on=date(2024, 7, 3))
    except ParseError:
        return
    assert found.applications or found.problems
