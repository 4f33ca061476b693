"""A label that was misread is itself or nothing, never another one; what is no label stays none."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import forms
from parsers.vocabulary import Vocabulary, fold_label, fold_statement, vocabulary

FORMS = {form.version: form for form in forms.load_forms()}


@cache
def words(version: str) -> Vocabulary:
    return vocabulary(FORMS[version])


LABELS = [(version, label) for version in FORMS for label in sorted({known.label for known in words(version).known})]
STATEMENTS = [
    (version, text, key)
    for version, form in FORMS.items()
    for key, texts in form.confirmation_labels.items()
    for text in texts
]
# What recognition writes instead of a letter: anything a Japanese model knows, and the letters of labels themselves.
LETTERS = st.one_of(
    st.sampled_from(sorted({letter for _, label in LABELS for letter in label})),
    st.characters(min_codepoint=0x3041, max_codepoint=0x9FA0),
    st.characters(min_codepoint=0x21, max_codepoint=0x7E),
)


@st.composite
def misread(draw, text: str, errors: int) -> str:
    """The text with so many letters changed, left out or put in."""
    letters = list(text)
    for _ in range(draw(st.integers(0, errors))):
        at = draw(st.integers(0, len(letters) - 1))
        match draw(st.sampled_from(("change", "drop", "add"))):
            case "change":
                letters[at] = draw(LETTERS)
            case "drop" if len(letters) > 1:
                del letters[at]
            case _:
                letters.insert(at, draw(LETTERS))
    return "".join(letters)


@given(data=st.data())
def test_a_label_with_a_tenth_of_its_letters_wrong_is_itself_or_nothing(data) -> None:
    version, label = data.draw(st.sampled_from(LABELS))
    known = words(version)
    text = data.draw(misread(label, len(label) // 10))
    found = known.closest(text)
    assert found is None or known.meaning(found) == known.meaning(fold_label(label))


@given(data=st.data())
def test_a_statement_with_a_tenth_of_its_letters_wrong_is_itself(data) -> None:
    version, statement, key = data.draw(st.sampled_from(STATEMENTS))
    text = data.draw(misread(statement, len(statement) // 10))
    assert words(version).closest_statement(text) in (key, None)
    assert words(version).closest(text) is None


@pytest.mark.parametrize(("version", "label"), LABELS)
def test_one_wrong_letter_that_no_label_has_makes_no_other_label(version: str, label: str) -> None:
    known = words(version)
    for at in range(len(label)):
        for text in (label[:at] + "鬱" + label[at + 1 :], label[:at] + label[at + 1 :]):
            found = known.closest(text)
            # 社名日本語 without its 社 could be 氏名日本語 too, so it is nothing; 会社名 without its 会 is its own synonym.
            assert found in (None, label) or known.meaning(found) == known.meaning(label) or found == fold_label(text)


@pytest.mark.parametrize(("version", "label"), LABELS)
def test_a_label_read_without_error_is_itself(version: str, label: str) -> None:
    known = words(version)
    assert known.closest(label) == (label if known.meaning(label) else None)
    assert known.closest(f" {' '.join(label)} ") == known.closest(label)


@pytest.mark.parametrize(("version", "text", "key"), STATEMENTS)
def test_a_statement_read_with_a_letter_wrong_here_and_there_is_found(version: str, text: str, key: str) -> None:
    known = words(version)
    assert known.closest_statement(text) == key
    body = fold_statement(text)
    # Every eighth letter wrong: small print on a bad scan. The statements of the two terms differ in their heads only.
    spoilt = "".join("鬱" if number % 8 == 7 else letter for number, letter in enumerate(body))
    assert known.closest_statement(spoilt) == key
    assert known.closest_statement(f"□ {text}") == key


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("電括番号", "電話番号"),
        ("メ一ルアドレス", "メールアドレス"),
        ("申請社印（担当者卯可）", "申請社印担当者印可"),
        ("現在お持ちの証朋書の失効希望曰", "現在お持ちの証明書の失効希望日"),
        ("変更前（前仕者）", "変更前前任者"),
        ("【申請種別】必須", "申請種別"),
        ("杜名（日本語）", "社名日本語"),
        ("氏各", "氏名"),
    ],
)
def test_common_misreadings_of_labels_are_mended(text: str, label: str) -> None:
    assert words("2024-07").closest(text) == label


@pytest.mark.parametrize(
    "text",
    [
        "",
        "名",
        "民名",
        "会名",
        "鬱名（日本語）",
        "社名（鬱語）",
        "WebEC電子証明書発行サービス申請書",
        "株式会社社名",
        "山田 花子",
        "備",
        "最初に「申請種別」を選択してください。",
    ],
)
def test_what_could_be_two_labels_or_none_is_nothing(text: str) -> None:
    known = words("2024-07")
    assert known.closest(text) is None
    assert known.closest_statement(text) is None


@given(st.text(max_size=60))
def test_any_text_is_a_label_or_nothing(text: str) -> None:
    known = words("2024-07")
    found = known.closest(text)
    assert found is None or known.exact(found) == found
    assert known.closest_statement(text) in {None, *FORMS["2024-07"].confirmation_labels}
