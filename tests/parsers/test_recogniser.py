"""Recognition of cells, with the real model on cells drawn at test time."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from parsers.recogniser import Crop, Mask, Recogniser, mask_of
from support.crops import FONTS, GOTHIC, MINCHO, NOTO, drawn, scanned


@pytest.fixture(scope="module")
def recogniser():
    return Recogniser(threads=1)


def plain(text):
    return "".join(unicodedata.normalize("NFKC", text).split())


VALUES = {
    "user.name_ja": ["山田 花子", "鈴木 一郎", "工藤 カオリ"],
    "user.company_ja": ["あおぞら電機株式会社", "株式会社ユーロ交易", "㈱エコー・ソリューション", "カワバタ力学研究所"],
    "user.name_en": ["Hanako YAMADA"],
    "user.company_en": ["Aozora Electric Co., Ltd."],
    "user.email": ["hanako_yamada@aozora-denki.example", "t-sato@minato.example.co.jp"],
    "applicant.phone": ["03-5550-1234"],
    "applicant.postal_code": ["100-0099"],
    "application_date": ["2024年7月1日", "令和6年7月31日", "2024/07/01"],
    "applicant.address": ["東京都千代田区青空町1丁目2番3号 ABCタワー5F"],
}


@pytest.mark.parametrize("font", FONTS)
def test_clean_print_is_read_letter_by_letter(recogniser, font):
    for key, values in VALUES.items():
        for value in values:
            seen = recogniser.read([Crop(scanned(drawn(value, font=font), 7), mask_of(key))])[0]
            assert plain(seen.text) == plain(value)


NAMES = ("髙橋 正", "高橋 正", "山﨑 健", "山崎 健", "渡邉 恵", "渡邊 惠", "栁田 真", "柳田 眞")


@pytest.mark.parametrize(
    ("font", "name"),
    # IPA fonts draw 栁 as the common form.
    [(font, name) for font in (GOTHIC, MINCHO, NOTO) for name in NAMES if font == NOTO or "栁" not in name],
)
def test_variants_of_a_name_are_told_apart_by_their_shape(recogniser, font, name):
    seen = recogniser.read([Crop(scanned(drawn(name, font=font), 5), Mask.JAPANESE)])[0]
    assert plain(seen.text) == plain(name)


def test_two_lines_are_joined_as_a_reader_would(recogniser):
    lines = np.vstack([scanned(drawn(part, frame=0), 1)[:, :300] for part in ("東京都千代田", "青空町一丁目")])
    assert plain(recogniser.read([Crop(lines, Mask.JAPANESE)])[0].text) == "東京都千代田青空町一丁目"


def test_nothing_is_read_where_nothing_stands(recogniser):
    seen = recogniser.read([Crop(scanned(drawn(""), 1), Mask.JAPANESE)])[0]
    assert (seen.text, seen.glyphs) == ("", ())


def test_kanji_in_a_latin_field_are_shown_as_they_stand(recogniser):
    seen = recogniser.read([Crop(scanned(drawn("山田花子"), 1), Mask.ENGLISH)])[0]
    assert plain(seen.text) == "山田花子"


def test_the_request_type_scores_best_among_its_words(recogniser):
    words = ["新規発行", "再発行", "登録変更", "担当変更", "解約・失効"]
    for word in words:
        scores = recogniser.score(Crop(scanned(drawn(word, font=MINCHO), 2), Mask.LABEL), words)
        assert words[int(np.argmax(scores))] == word


def test_letters_lie_where_they_were_printed_from_left_to_right(recogniser):
    crop = scanned(drawn("03-5550-1234"), 4)
    glyphs = recogniser.read([Crop(crop, Mask.PHONE)])[0].glyphs
    starts = [glyph.place.x0 for glyph in glyphs]
    assert starts == sorted(starts)
    assert all(0 <= glyph.place.x0 < glyph.place.x1 <= crop.shape[1] for glyph in glyphs)


@settings(max_examples=25, deadline=None)
@given(
    arrays.arrays(
        np.uint8,
        st.one_of(
            st.tuples(st.integers(0, 50), st.integers(0, 90), st.just(3)),
            st.tuples(st.integers(0, 50), st.integers(0, 90)),
        ),
    ),
    st.sampled_from(Mask),
    st.booleans(),
)
def test_any_pixels_give_a_reading(recogniser, pixels, mask, lines):
    crop = Crop(pixels, mask, lines)
    seen = recogniser.read([crop])[0]
    assert 0 <= seen.confidence <= 1
    assert len(recogniser.score(crop, ["再発行", "", "🂡"])) == 3
