"""Near is what may be misread; a stranger is not near, and nothing is near to itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.likeness import distance, fold_lookalikes, is_near, is_near_domain, plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("髙橋 花子", "高橋 花子"),
        ("山﨑 一郎", "山崎一郎"),
        ("株式会社カトー", "株式会社力トー"),
        ("ミシマ商事", "三シマ商事"),
        ("山田 花子", "山田 花了"),
        ("tanaka.l1@a.example", "tanaka.11@a.example"),
        ("y_tanaka@a.example", "ytanaka@a.example"),
        ("k+order@a.example", "ktorder@a.example"),
        ("hanako.yamada@aozora-denki.example", "hanako.yarnada@aozora-denki.example"),
        ("Hanako YAMADA", "Hanako YAMAOA"),
    ],
)
def test_what_recognition_confuses_is_near_both_ways(one, other):
    assert is_near(one, other)
    assert is_near(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("山田 花子", "山田　花子"),  # width and blanks are no difference at all
        ("田中", "山中"),
        ("森", "林"),
        ("山田 花子", "鈴木 一郎"),
        ("hanako@a.example", "ichiro@a.example"),
        ("", ""),
        ("", "a"),
    ],
)
def test_the_same_and_strangers_are_not_near(one, other):
    assert not is_near(one, other)


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("aozora-denki.example", "aozora-denk1.example", True),
        ("minato-shoji.co.jp", "minato-shojl.co.jp", True),
        ("aozora.co.jp", "aozora.or.jp", True),
        ("a1.co.jp", "b1.co.jp", False),
        ("mail.aozora.co.jp", "aozora.co.jp", False),
        ("aozora.example", "aozora.example", False),
        ("aozora.example", "minato.example", False),
    ],
)
def test_of_domains_only_the_labels_that_differ_count(one, other, near):
    assert is_near_domain(one, other) is near
    assert is_near_domain(other, one) is near


@given(st.text(max_size=12), st.text(max_size=12))
def test_distance_is_symmetric_bounded_and_zero_for_equals_only(one, other):
    found = distance(one, other)
    assert found == distance(other, one)
    assert 0 <= found <= 3
    assert (found == 0) is (one == other)


@given(st.text(alphabet="abcdefgh", min_size=6, max_size=20), st.integers(0, 19), st.sampled_from("xyzw"))
def test_one_replaced_letter_is_distance_one_and_near(text, place, letter):
    place %= len(text)
    other = text[:place] + letter + text[place + 1 :]
    assert distance(text, other) == 1
    assert is_near(text, other)


@given(st.text(max_size=30))
def test_folding_takes_any_text_and_equals_fold_equally(text):
    assert fold_lookalikes(f" {text} ") == fold_lookalikes(text)
    assert plain(f"{text}\u3000") == plain(text)
    assert not is_near(text, text)
