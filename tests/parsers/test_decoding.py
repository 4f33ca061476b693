"""CTC output → letters under a mask, and the score of a word."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.decoding import Alphabet, Mask, decode, mask_of, score

LETTERS = ["", "a", "b", "１", "1", "山", "Б", "@", " "]
ALPHABET = Alphabet(LETTERS)


def columns(*rows):
    """Each row names classes with their probability; the rest is shared by nobody."""
    table = np.zeros((len(rows), len(LETTERS)), dtype=np.float32)
    for index, row in enumerate(rows):
        for char, probability in row.items():
            table[index, LETTERS.index(char)] = probability
    return table


def whole(table):
    """What the recogniser keeps of a line: the letters of any mask."""
    return ALPHABET.narrow(table, Mask.ANY)


def text(letters):
    return "".join(letter.char for letter in letters)


def test_a_run_of_one_letter_is_one_and_a_gap_parts_two():
    run = columns({"a": 0.9}, {"a": 0.8}, {"": 0.9}, {"a": 0.7}, {"b": 0.9})
    letters = decode(ALPHABET, whole(run), Mask.MAIL)
    assert text(letters) == "aab"
    assert [round(letter.probability, 1) for letter in letters] == [0.9, 0.7, 0.9]
    assert [(letter.start, letter.end) for letter in letters] == [(0, 2), (3, 4), (4, 5)]


def test_letters_that_differ_in_width_alone_count_together():
    letters = decode(ALPHABET, whole(columns({"１": 0.35, "1": 0.3, "a": 0.34})), Mask.MAIL)
    assert text(letters) == "1"
    assert round(letters[0].probability, 2) == 0.65


def test_a_letter_the_mask_lacks_gives_way_to_the_next():
    assert text(decode(ALPHABET, whole(columns({"山": 0.4, "a": 0.6})), Mask.PHONE)) != "山"
    assert text(decode(ALPHABET, whole(columns({"Б": 0.6, "山": 0.4})), Mask.JAPANESE)) == "山"


def test_a_field_full_of_foreign_letters_is_read_freely():
    assert text(decode(ALPHABET, whole(columns({"山": 0.9, "a": 0.1}, {"": 1.0}, {"山": 0.9})), Mask.ENGLISH)) == "山山"


def test_the_word_that_stands_there_scores_best():
    shown = columns({"a": 0.8, "b": 0.2}, {"": 0.9}, {"b": 0.9, "a": 0.1})
    ab, ba, a = score(ALPHABET, whole(shown), ["ab", "ba", "a"])
    assert ab > ba
    assert ab > a


def test_a_doubled_letter_needs_the_gap_between():
    aa, a = score(ALPHABET, whole(columns({"a": 1.0}, {"a": 1.0})), ["aa", "a"])
    assert a > aa


def test_masks_follow_the_kind_of_the_field():
    assert mask_of("user.email") is Mask.MAIL
    assert mask_of("application_date") is Mask.DATE
    assert mask_of("remarks") is Mask.JAPANESE


@settings(deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1, width=32), min_size=len(LETTERS), max_size=len(LETTERS)), max_size=12),
    st.sampled_from(Mask),
    st.text(max_size=6),
)
def test_any_probabilities_give_letters_of_the_mask(rows, mask, word):
    table = np.array(rows, dtype=np.float32).reshape(len(rows), len(LETTERS))
    for letter in decode(ALPHABET, whole(table), mask):
        assert letter.char in ALPHABET.letters(mask) + ALPHABET.letters(Mask.ANY)
        assert 0 <= letter.probability <= 1
    assert len(score(ALPHABET, whole(table), [word])) == 1
