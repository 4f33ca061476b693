"""Which readings are accepted without a person's look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.decoding import Mask
from parsers.gate import SURE, is_open, judge

GOOD = [
    (Mask.JAPANESE, "田中 正"),
    (Mask.ENGLISH, "Hanako YAMADA"),
    (Mask.MAIL, "hanako.yamada@aozora-denki.example"),
    (Mask.PHONE, "03-5550-1234"),
    (Mask.POSTAL, "100-0099"),
    (Mask.DATE, "2024年7月1日"),
]


@pytest.mark.parametrize(("mask", "text"), GOOD)
def test_two_engines_that_agree_on_good_text_are_enough(mask, text):
    verdict = judge(mask, text, 0.95, second=text)
    assert verdict.confidence >= SURE
    assert verdict.doubts == ()


@pytest.mark.parametrize(("mask", "text"), GOOD)
def test_two_engines_that_differ_leave_it_to_a_person(mask, text):
    verdict = judge(mask, text, 0.99, second=text[:-1])
    assert verdict.confidence < SURE
    assert "second_opinion" in verdict.doubts


@pytest.mark.parametrize("mask", [Mask.MAIL, Mask.JAPANESE, Mask.ENGLISH])
def test_without_a_second_opinion_names_and_addresses_go_to_a_person(mask):
    text = dict(GOOD)[mask]
    assert judge(mask, text, 1.0, second=None).confidence < SURE


def test_without_a_second_opinion_a_date_that_can_be_nothing_else_is_accepted():
    assert judge(Mask.DATE, "2024/07/01", 0.99, second=None).confidence >= SURE
    assert judge(Mask.DATE, "2024/07/01", 0.9, second=None).confidence < SURE


@pytest.mark.parametrize(
    ("mask", "text", "doubt"),
    [
        (Mask.JAPANESE, "髙橋 正", "variant"),
        (Mask.JAPANESE, "高橋 正", "variant"),
        (Mask.JAPANESE, "アメリカ大使館", "look_alike"),
        (Mask.JAPANESE, "青木 工リカ", "look_alike"),
        (Mask.JAPANESE, "青木工リカ", "look_alike"),
        (Mask.ENGLISH, "Aqua Chemical Corporation.", "grammar"),
        (Mask.MAIL, "l1nda@example.jp", "look_alike"),
        (Mask.MAIL, "fumil@example.jp", "look_alike"),
        (Mask.MAIL, "hanako.example.jp", "grammar"),
        (Mask.MAIL, "a@example.jp,b@example.jp", "grammar"),
        (Mask.PHONE, "03-5550-123", "grammar"),
        (Mask.POSTAL, "100-009", "grammar"),
        (Mask.DATE, "2024年13月1日", "grammar"),
        (Mask.DATE, "7月1日", "grammar"),
        (Mask.ENGLISH, "山田 花子", "grammar"),
        (Mask.JAPANESE, "", "unreadable"),
    ],
)
def test_what_both_engines_may_get_wrong_goes_to_a_person(mask, text, doubt):
    verdict = judge(mask, text, 1.0, second=text)
    assert verdict.confidence < SURE
    assert doubt in verdict.doubts


def test_a_variant_told_by_its_shape_is_no_doubt():
    assert judge(Mask.JAPANESE, "髙橋 正", 0.99, second="高橋 正", settled="髙").confidence >= SURE


@pytest.mark.parametrize("sign", ["written_over", "cut_off", "touches_border", "lost_mark"])
def test_one_sign_from_the_picture_is_enough_for_a_doubt(sign):
    verdict = judge(Mask.JAPANESE, "田中 正", 1.0, second="田中 正", doubts=[sign])
    assert verdict.confidence < SURE
    assert verdict.doubts == (sign,)


@given(st.sampled_from(Mask), st.text(max_size=20), st.floats(0, 1), st.none() | st.text(max_size=20))
def test_a_confidence_is_sure_exactly_where_there_is_no_doubt(mask, text, confidence, second):
    verdict = judge(mask, text, confidence, second=second)
    assert 0 <= verdict.confidence <= 1
    assert (verdict.confidence >= SURE) == (not verdict.doubts)


@pytest.mark.parametrize("text", ["演口 薫", "瀘口 さくら", "総務部("])
def test_what_both_engines_get_wrong_alike_is_a_doubt(text):
    assert judge(Mask.JAPANESE, text, 1.0, second=text).confidence < SURE


@given(st.sampled_from(list(Mask)), st.text(max_size=12), st.floats(0, 1), st.booleans())
def test_a_second_opinion_is_left_out_only_where_it_could_not_make_the_reading_sure(mask, text, sure, doubtful):
    doubts = ("written_over",) if doubtful else ()
    if not is_open(mask, text, sure, doubts=doubts):
        assert judge(mask, text, sure, second=text, doubts=doubts).confidence < SURE
