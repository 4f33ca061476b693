"""Text that says other than its picture shows is doubted; what recognition merely misreads is not."""

from dataclasses import replace

import pytest

from parsers.comparison import compared
from parsers.reading import Box, Route, Seal, SealVerdict
from parsers.sheet import Entry, Sheet

KEYS = ("user.company_ja", "user.name_ja", "user.name_en", "user.email", "applicant.phone")
TEXTS = {
    "user.company_ja": "株式会社あおぞら電機",
    "user.name_ja": "髙橋 花子",
    "user.name_en": "Hanako TAKAHASHI",
    "user.email": "hanako.takahashi@aozora-denki.example",
    "applicant.phone": "03-5550-1234",
}


def sheet(texts=TEXTS, *, route=Route.TEXT, kind="新規発行", left=100.0):
    entries = {
        key: Entry(texts[key], 1.0, Box(left, 20.0 * row, left + 200, 20.0 * row + 18))
        for row, key in enumerate(KEYS)
        if key in texts
    }
    return Sheet("2024-07", route, (1,), Entry(kind), entries, {}, Seal(SealVerdict.PRESENT))


def doubted(found):
    return {key for key, entry in found.entries.items() if "unlike_picture" in entry.doubts}


def test_text_that_its_picture_confirms_keeps_its_confidence():
    assert compared(sheet(), [sheet(route=Route.SCAN)]) == sheet()


@pytest.mark.parametrize(
    ("key", "seen"),
    [
        ("user.name_ja", "高橋花子"),  # a variant
        ("user.company_ja", "株式会社あおぞら電気"),  # one letter in ten misread
        ("user.email", "hanako.takahashi@aozora-denki.examp1e"),  # a look-alike
        ("user.name_en", "HanakoTAKAHASHI"),
    ],
)
def test_what_recognition_misreads_is_no_doubt(key, seen):
    assert not doubted(compared(sheet(), [sheet(TEXTS | {key: seen}, route=Route.SCAN)]))


@pytest.mark.parametrize(
    ("key", "seen"),
    [
        ("user.name_ja", "鈴木一郎"),
        ("user.email", "hanako.takahashi@aozora-dengi.test"),
        ("user.email", "mallory@evil.example"),
        ("applicant.phone", "06-1111-9876"),
        ("user.company_ja", ""),
    ],
)
def test_text_that_its_picture_denies_is_doubted(key, seen):
    found = compared(sheet(), [sheet(TEXTS | {key: seen}, route=Route.SCAN)])
    assert doubted(found) == {key}
    assert found.entries[key].confidence < 0.9
    assert found.entries[key].raw == TEXTS[key]


def test_a_type_that_its_picture_denies_is_doubted():
    found = compared(sheet(), [sheet(route=Route.SCAN, kind="解約・失効")])
    assert "unlike_picture" in found.kind.doubts
    assert found.kind.confidence < 0.9


def test_the_form_in_the_same_place_is_compared():
    other = sheet(dict.fromkeys(TEXTS, "別の申請書"), route=Route.SCAN, left=500.0)
    assert not doubted(compared(sheet(), [other, sheet(route=Route.SCAN)]))


def test_a_picture_in_which_no_form_is_found_is_noted():
    assert "picture_unread" in compared(sheet(), []).notes


def test_a_field_that_the_picture_does_not_show_is_left_as_it_is():
    seen = sheet({key: TEXTS[key] for key in KEYS[:2]}, route=Route.SCAN)
    assert compared(sheet(), [seen]) == sheet()


def test_a_confidence_is_never_raised():
    low = replace(sheet().entries["user.email"], confidence=0.3)
    doubtful = replace(sheet(), entries={**sheet().entries, "user.email": low})
    assert compared(doubtful, [sheet(route=Route.SCAN)]).entries["user.email"].confidence == 0.3
