"""Raw, display and compare key are three values (SPEC 1.4); the traps of domain notes C.1 and C.2."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers import characters, normalise
from parsers.normalise import FREE_MAIL_DOMAINS, Kind, TextReading, display, kind_of, mail_address, phone

# --- display ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["髙橋 一郎", "山﨑 花子", "\ufa10本 \ufa12子", "\ufa19谷 \ufa1b子", "葛\U000e0100城 薫", "𠮷野 弘", "㈱みなと"],
)
def test_a_name_is_displayed_with_the_very_characters_that_were_written(name: str) -> None:
    assert display(Kind.NAME, name).value == name


@pytest.mark.parametrize(
    ("extracted", "meant"),
    [
        ("⾼⽊ ⼀郎", "高木 一郎"),
        ("神⼾ 太郎", "神戸 太郎"),
        ("⻑野 ⻄子", "長野 西子"),
        ("⻘⽊ ⺠雄", "青木 民雄"),
        ("⿊⽥ ⻯也", "黒田 竜也"),
    ],
)
def test_radicals_that_pdf_extraction_yields_become_characters(extracted: str, meant: str) -> None:
    assert display(Kind.NAME, extracted).value == meant


def test_white_space_of_a_name_becomes_one_blank_and_hidden_marks_go() -> None:
    assert display(Kind.NAME, " 山田　\t太郎\u200b\ufeff ").value == "山田 太郎"


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("raw", ["", " ", "　", "\u200b"])
def test_an_empty_field_has_no_value_and_no_code(kind: Kind, raw: str) -> None:
    assert display(kind, raw) == TextReading(None)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Ｔａｒｏ　ＹＡＭＡＤＡ", "Taro YAMADA"),
        ("Taro  YAMADA", "Taro YAMADA"),
        ("O’Brien", "O'Brien"),
        ("O‘Brien", "O'Brien"),
        ("Anne‐Marie", "Anne-Marie"),
        ("Ｃｏ．，　Ｌｔｄ．", "Co., Ltd."),
        ("Ōno", "Ōno"),
    ],
)
def test_english_is_displayed_in_half_width(raw: str, shown: str) -> None:
    assert display(Kind.ENGLISH, raw).value == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("〒550-0023", "550-0023"),
        ("５５００２３", "550023"),
        ("5500023", "550-0023"),
        ("５５０－００２３", "550-0023"),
        ("不明", "不明"),
    ],
)
def test_a_post_code_is_shown_as_three_and_four_digits(raw: str, shown: str) -> None:
    assert display(Kind.POSTAL_CODE, raw).value == shown


def test_every_field_has_its_kind() -> None:
    kinds = {
        "user.name_en": Kind.ENGLISH,
        "after.email": Kind.MAIL,
        "applicant.phone": Kind.PHONE,
        "before.name_ja": Kind.NAME,
    }
    kinds |= {"application_date": Kind.DATE, "remarks": Kind.TEXT, "applicant.postal_code": Kind.POSTAL_CODE}
    assert {key: kind_of(key) for key in kinds} == kinds


# --- mail addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        "taro.yamada@aozora-denki.example",
        "taro.yamada@AOZORA-DENKI.example",
        "ｔａｒｏ．ｙａｍａｄａ＠ａｏｚｏｒａ－ｄｅｎｋｉ．ｅｘａｍｐｌｅ",
        "taro.yamada＠aozora−denki．example",
        "taro.yamada@aozoraーdenki。example",
        "mailto:taro.yamada@aozora-denki.example",
        "<taro.yamada@aozora-denki.example>",
        "山田 太郎 <taro.yamada@aozora-denki.example>",
        "taro.yamada@aozora-denki.example <taro.yamada@aozora-denki.example>",
        "\u200btaro.yamada@aozora-denki.example\ufeff",
        '"taro.yamada@aozora-denki.example"',
        "taro.yamada@aozora-denki.example。",
        "taro.yamada@aozora-denki.example、",
        "taro. yamada@aozora- denki.example",
    ],
)
def test_one_address_is_read_from_every_way_of_writing_it(raw: str) -> None:
    assert mail_address(raw) == TextReading("taro.yamada@aozora-denki.example")


def test_the_local_part_keeps_its_case_and_the_key_does_not() -> None:
    assert mail_address("Taro@Aozora-Denki.Example").value == "Taro@aozora-denki.example"
    assert normalise.mail_key("Taro@Aozora-Denki.Example") == normalise.mail_key("ｔａｒｏ＠aozora-denki.example")


@pytest.mark.parametrize(
    "raw",
    [
        "a@aozora-denki.example / b@aozora-denki.example",
        "a@aozora-denki.example\nb@aozora-denki.example",
        "a@aozora-denki.example、b@aozora-denki.example",
        "a@aozora-denki.example;b@aozora-denki.example",
        "a＠aozora-denki.example　b＠aozora-denki.example",
    ],
)
def test_two_addresses_in_one_cell_are_several(raw: str) -> None:
    assert mail_address(raw) == TextReading(None, "mail_address_several")


@pytest.mark.parametrize(
    "raw",
    [
        "taro.yamada.aozora-denki.example",
        "taro@",
        "@aozora-denki.example",
        "taro..yamada@aozora-denki.example",
        "abc.@aozora-denki.example",
        "太郎@aozora-denki.example",
        "taro@青空.example",
        "taro@aozora",
        "taro@@aozora-denki.example",
        f"{'a' * 65}@aozora-denki.example",
        f"a@{'b' * 250}.example",
        "なし",
    ],
)
def test_what_is_no_ascii_address_is_invalid(raw: str) -> None:
    assert mail_address(raw) == TextReading(None, "mail_address_invalid")


@given(
    st.emails(domains=st.just("aozora-denki.example")).filter(
        lambda mail: mail.partition("@")[0].replace(".", "").isalnum()
    )
)
def test_a_plain_address_comes_back_as_it_is_also_in_full_width(address: str) -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in address)
    assert mail_address(address).value == address
    assert mail_address(wide).value == address


@given(st.text())
def test_any_text_is_an_address_or_a_reason(text: str) -> None:
    value, code = mail_address(text)
    assert code in (None, "mail_address_invalid", "mail_address_several")
    assert value is None or (value.isascii() and value.count("@") == 1)
    normalise.mail_key(text)


@pytest.mark.parametrize("domain", sorted(FREE_MAIL_DOMAINS))
def test_public_mail_services_are_known(domain: str) -> None:
    assert normalise.is_free_mail(f"someone@{domain.upper()}")


def test_a_company_domain_is_no_public_one() -> None:
    assert not normalise.is_free_mail("taro@aozora-denki.example")
    assert not normalise.is_free_mail("no address")


# --- phones -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("03-6712-1274", "03-6712-1274"),
        ("０３－６７１２－１２７４", "03-6712-1274"),
        ("03ー6712ー1274", "03-6712-1274"),
        ("03一6712一1274", "03-6712-1274"),
        ("03‐6712―1274", "03-6712-1274"),
        ("03−6712─1274", "03-6712-1274"),
        ("（03）6712‐1274", "03-6712-1274"),
        ("03(6712)1274", "03-6712-1274"),
        ("03 6712 1274", "03-6712-1274"),
        ("03.6712.1274", "03-6712-1274"),
        ("+81-3-6712-1274", "03-6712-1274"),
        ("+81 (0)3-6712-1274", "03-6712-1274"),
        ("+81-90-1234-5678", "090-1234-5678"),
        ("TEL：03-6712-1274", "03-6712-1274"),
        ("03-6712-1274（代表）", "03-6712-1274"),
        ("03-6712-1274（代）", "03-6712-1274"),
        ("03-6712-1274 内線1234", "03-6712-1274 内線1234"),
        ("03-6712-1274（内線：12）", "03-6712-1274 内線12"),
        ("0367121274", "03-6712-1274"),
        ("09012345678", "090-1234-5678"),
        ("0120123456", "0120-123-456"),
        ("0800-123-4567", "0800-123-4567"),
        ("050-1234-5678", "050-1234-5678"),
        ("0451234567", "0451234567"),
        ("045-123-4567", "045-123-4567"),
    ],
)
def test_a_phone_number_keeps_its_grouping_with_plain_dashes(raw: str, shown: str) -> None:
    assert phone(raw) == TextReading(shown)


@pytest.mark.parametrize(
    ("raw", "shown"), [("367121274", "03-6712-1274"), ("9012345678", "090-1234-5678"), ("3-6712-1274", "03-6712-1274")]
)
def test_a_zero_that_a_spreadsheet_ate_is_given_back_and_flagged(raw: str, shown: str) -> None:
    assert phone(raw) == TextReading(shown, "phone_invalid")


@pytest.mark.parametrize(
    "raw",
    ["03-6712-127", "03-6712-12745", "090-1234-567", "不明", "03-6712-1274 / 06-6582-3565", "0000000000", "12345"],
)
def test_a_wrong_phone_number_keeps_its_text_and_is_flagged(raw: str) -> None:
    assert phone(raw) == TextReading(raw, "phone_invalid")


@given(st.text())
def test_any_text_is_a_phone_number_or_flagged(text: str) -> None:
    assert phone(text).code in (None, "phone_invalid")


# --- compare keys -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("髙橋 一郎", "高橋　一郎"),
        ("山﨑花子", "山崎 花子"),
        ("渡邊 進", "渡邉 進"),
        ("渡邉 進", "渡辺 進"),
        ("濵田", "浜田"),
        ("濱田", "浜田"),
        ("齋藤", "斎藤"),
        ("齊藤", "斉藤"),
        ("澤田", "沢田"),
        ("廣瀨", "広瀬"),
        ("𠮷野", "吉野"),
        ("栁田", "柳田"),
        ("神⼾", "神戸"),
        ("神戶", "神戸"),
        ("⻑野", "長野"),
        ("葛\U000e0100城", "葛城"),
        ("ﾔﾏﾀﾞ ﾀﾛｳ", "ヤマダタロウ"),
        ("ハ゛ンノ", "バンノ"),
        ("\ufa10本", "塚本"),
        ("関ヶ原", "関ケ原"),
        ("ス－ザン", "スーザン"),
        ("ス一ザン", "スーザン"),
        ("Taro YAMADA", "taro yamada"),
    ],
)
def test_one_person_in_two_spellings_has_one_key(one: str, other: str) -> None:
    assert normalise.person_key(one) == normalise.person_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("斎藤", "斉藤"), ("齋藤", "齊藤"), ("山田", "山口"), ("一郎", "二郎"), ("二村", "ニ村")]
)
def test_two_names_keep_two_keys(one: str, other: str) -> None:
    assert normalise.person_key(one) != normalise.person_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("株式会社青空電機", "㈱青空電機"),
        ("株式会社青空電機", "（株） 青空電機"),
        ("株式会社青空電機", "㍿青空電機"),
        ("株式会社青空電機", "カ）青空電機"),
        ("青空電機株式会社", "青空電機㈱"),
        ("青空電機株式会社", "青空電機　（株）"),
        ("有限会社みなと", "㈲みなと"),
        ("一般社団法人みなと会", "（一社）みなと会"),
        ("株式会社青空・電機", "株式会社青空電機"),
        ("株式会社ＡＢＣ", "株式会社abc"),
        ("株式会社青空電機 大阪支店", "株式会社青空電機"),
        ("青空電機株式会社大阪営業所", "青空電機株式会社"),
        ("株式会社髙島", "株式会社高島"),
        ("株式会社眞龍", "株式会社真竜"),
    ],
)
def test_one_company_in_two_spellings_has_one_key(one: str, other: str) -> None:
    assert normalise.company_key(one) == normalise.company_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("株式会社青空電機", "青空電機株式会社"),
        ("株式会社青空電機", "有限会社青空電機"),
        ("株式会社青空電機", "青空電機"),
        ("株式会社青空電機", "株式会社青空電気"),
        ("株式会社", "有限会社"),
    ],
)
def test_the_place_and_the_kind_of_the_corporate_form_count(one: str, other: str) -> None:
    assert normalise.company_key(one) != normalise.company_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Aozora Denki Co., Ltd.", "AOZORA DENKI CO.,LTD"),
        ("Aozora Denki Co., Ltd.", "Aozora Denki Company Limited"),
        ("Aozora Inc.", "AOZORA INCORPORATED"),
        ("Aozora Corp.", "Aozora Corporation"),
        ("Aozora K.K.", "AOZORA KK"),
        ("Ａｏｚｏｒａ Inc", "Aozora, Inc."),
        ("O'Hara Ltd.", "O’HARA LIMITED"),
    ],
)
def test_one_english_company_name_has_one_key(one: str, other: str) -> None:
    assert normalise.english_key(one) == normalise.english_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Aozora Co., Ltd.", "Aozora Inc."), ("Aozora Ltd.", "Aozora"), ("Aozora A", "Aozora B")]
)
def test_another_english_company_name_has_another_key(one: str, other: str) -> None:
    assert normalise.english_key(one) != normalise.english_key(other)


def test_the_order_of_an_english_name_does_not_matter() -> None:
    assert normalise.english_name_key("Taro YAMADA") == normalise.english_name_key("Yamada, Taro")
    assert normalise.english_name_key("Tarō Ōno") == normalise.english_name_key("ONO TARO")


@given(st.text())
def test_keys_are_stable_and_blind_to_width_and_blanks(text: str) -> None:
    for key in (normalise.person_key, normalise.company_key, normalise.english_key, normalise.english_name_key):
        key(text)
    folded = normalise.person_key(text)
    assert folded == normalise.person_key(f" {text}\u3000")
    assert not any(char.isspace() for char in folded)


# --- characters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dash", "－−‐‑–—―─━-")
def test_every_dash_folds_to_one(dash: str) -> None:
    assert characters.fold_width(f"a{dash}b") == "a-b"


@pytest.mark.parametrize("wave", "〜～")
def test_both_wave_dashes_fold_to_one(wave: str) -> None:
    assert characters.fold_width(wave) == "~"


def test_the_long_vowel_mark_is_a_letter() -> None:
    assert characters.fold_width("ｻｰﾊﾞｰ") == "サーバー"


@pytest.mark.parametrize("text", ["a\ufffdb", "\ue000", "\U000f0000", "(cid:12)"])
def test_characters_that_nobody_typed_are_suspect(text: str) -> None:
    assert characters.is_suspect(text)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"])))
def test_written_text_is_not_suspect(text: str) -> None:
    assert not characters.is_suspect(text.replace("\ufffd", ""))


@given(st.text())
def test_display_of_a_name_changes_nothing_but_blanks_radicals_and_hidden_marks(text: str) -> None:
    shown = display(Kind.NAME, text).value or ""
    kept = [char for char in text if not char.isspace() and unicodedata.category(char) not in ("Cc", "Cf")]
    kept = [char for char in kept if not 0x2E80 <= ord(char) <= 0x2FDF]
    assert [char for char in kept if char not in shown] == []
