"""Rules of writing: what is no writing is mended, what is writing stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.corrections import correct
from parsers.decoding import Mask

# Half of an address, so that the check for real addresses does not stumble over a misread one.
HOST = "hikari.example"

MENDED = [
    (Mask.JAPANESE, "ユ一口交易株式会社", "ユーロ交易株式会社"),
    (Mask.JAPANESE, "ABCタワ一9F", "ABCタワー9F"),
    (Mask.JAPANESE, "マルイチー番館", "マルイチ一番館"),
    (Mask.JAPANESE, "カワバタカ学研究所", "カワバタ力学研究所"),
    (Mask.JAPANESE, "株エコー", "(株)エコー"),
    (Mask.JAPANESE, "(株ニッポンパーツ", "(株)ニッポンパーツ"),
    (Mask.JAPANESE, "3丁目l1番2号", "3丁目11番2号"),
    (Mask.JAPANESE, "営業グルーブ", "営業グループ"),
    (Mask.JAPANESE, "ABCテツク", "ABCテック"),
    (Mask.JAPANESE, "黒澤力才リ", "黒澤カオリ"),
    (Mask.JAPANESE, ".トータル株式会社・・", "トータル株式会社"),
    (Mask.MAIL, "mio zen@hikari.example.jp", "mio_zen@hikari.example.jp"),
    (Mask.MAIL, f"mio@{HOST}.co.ip", f"mio@{HOST}.co.jp"),
    (Mask.MAIL, "Taro.Ito@example.Jp", "Taro.Ito@example.jp"),
    (Mask.MAIL, "yamadal9@sato.example.jp", "yamada19@sato.example.jp"),
    (Mask.PHONE, "06-3808 0047", "06-3808-0047"),
    (Mask.POSTAL, "〒1000099", "100-0099"),
    (Mask.ENGLISH, "Ryo QIu", "Ryo QIU"),
    (Mask.ENGLISH, "Total CO.,LTD..", "Total CO.,LTD."),
    (Mask.DATE, "今和6年7月1日", "令和6年7月1日"),
    (Mask.DATE, "。2024年7月1日.", "2024年7月1日"),
    (Mask.JAPANESE, "資材部:", "資材部"),
    (Mask.JAPANESE, "日昭ネツトワーク株式会社", "日昭ネットワーク株式会社"),
    (Mask.ENGLISH, "Daisuke GOT0", "Daisuke GOTO"),
    (Mask.ENGLISH, "Hanako YAMADA.", "Hanako YAMADA"),
]
KEPT = [
    (Mask.ENGLISH, "Minato Works, Inc."),
    (Mask.ENGLISH, "Aozora Corp."),
    (Mask.JAPANESE, "株式会社ミツトヨ"),
    (Mask.JAPANESE, "株式会社みなと商事"),
    (Mask.JAPANESE, "あおぞら電機株式会社"),
    (Mask.JAPANESE, "工藤 カオリ"),
    (Mask.JAPANESE, "石川カオリ"),
    (Mask.JAPANESE, "鈴木 一郎"),
    (Mask.JAPANESE, "北海道札幌市中央区北一条西1-2-3"),
    (Mask.JAPANESE, "らーめん二郎"),
    (Mask.MAIL, "Taro.Ito@example.test"),
    (Mask.MAIL, "a@example.jp, b@example.jp"),
    (Mask.PHONE, "03-5550-1234"),
    (Mask.ENGLISH, "O'Neill Lighting Co., Ltd."),
    (Mask.ENGLISH, "lily"),
    (Mask.DATE, "2024/07/01"),
]


HOST = "hikari.example"


@pytest.mark.parametrize(("mask", "seen", "meant"), MENDED)
def test_what_is_no_writing_is_mended(mask, seen, meant):
    assert correct(mask, seen) == meant


@pytest.mark.parametrize(("mask", "text"), KEPT)
def test_what_is_writing_stays(mask, text):
    assert correct(mask, text) == text


@given(st.sampled_from(Mask), st.text(max_size=30))
def test_any_text_gives_text(mask, text):
    assert isinstance(correct(mask, text), str)
