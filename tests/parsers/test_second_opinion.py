"""The second engine: optional, in memory, and never more than a confirmation."""

import pytest

from parsers.decoding import Mask
from parsers.second_opinion import agrees, open_second_opinion
from support.crops import drawn, scanned


@pytest.fixture(scope="module")
def second():
    found = open_second_opinion()
    if found is None:
        pytest.skip("tesseract or its data is not installed here, which is allowed")
    return found


def test_data_that_is_nowhere_is_no_error():
    assert open_second_opinion(["/nonexistent/"]) is None
    assert open_second_opinion([]) is None


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (Mask.PHONE, "03-5550-1234"),
        (Mask.MAIL, "hanako.yamada@aozora-denki.example"),
        (Mask.JAPANESE, "東京都千代田区"),
    ],
)
def test_clean_print_is_confirmed(second, mask, text):
    assert agrees(mask, text, second.read(scanned(drawn(text), 1), mask))


def test_crops_of_both_languages_are_read_together_as_one_by_one(second):
    asked = [
        (scanned(drawn(text), 1), mask)
        for text, mask in (
            ("03-5550-1234", Mask.PHONE),
            ("東京都千代田区", Mask.JAPANESE),
            ("100-0099", Mask.POSTAL),
            ("2024年7月1日", Mask.DATE),
        )
    ]
    assert second.read_all(asked) == [second.read(*each) for each in asked]
    assert second.read_all([]) == []


def test_nothing_is_nothing(second):
    assert second.read(scanned(drawn(""), 1), Mask.JAPANESE) == ""


def test_addresses_agree_letter_by_letter_and_japanese_by_its_look():
    assert not agrees(Mask.MAIL, "l@example.jp", "1@example.jp")
    assert agrees(Mask.MAIL, "a b@example.jp", "ab@example.jp")
    assert agrees(Mask.JAPANESE, "髙橋 力", "高橋カ")
    assert not agrees(Mask.JAPANESE, "山田", "山本")
