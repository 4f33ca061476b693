import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers import charsets
from parsers.charsets import Decoded, base64_bytes, canonical, decode, detect, wire_text
from parsers.encoded_words import decode_words, header_text

FORM = "申請書を送付します"


@pytest.mark.parametrize(
    "label",
    ["shift_jis", "Shift-JIS", "x-sjis", "windows-31j", "MS_Kanji", "cp932", "csWindows31J", '"sjis"', "ms932"],
)
def test_every_name_of_shift_jis_reads_the_characters_of_windows(label):
    assert decode("髙橋①㈱﨑".encode("cp932"), label) == Decoded("髙橋①㈱﨑", "cp932", damaged=False)


@pytest.mark.parametrize(
    "label", ["iso-2022-jp", "ISO-2022-JP-MS", "cp50220", "cp50221", "CP50222", "csISO2022JP", "iso-2022-jp-3", "jis"]
)
def test_every_name_of_iso_2022_jp_reads_the_nec_and_ibm_rows(label):
    jis = b"\x1b$B-!\x1b(B \x1b$B-j\x1b(B \x1b$By\x75\x1b(B \x1b$B?=@A\x1b(J!"
    assert decode(jis, label).text == "① ㈱ " + b"\xed\x95".decode("cp932") + " 申請!"


@pytest.mark.parametrize("label", ["euc-jp", "EUCJP", "x-euc-jp", "eucJP-ms", "cp51932", "ujis"])
def test_every_name_of_euc_jp_reads_the_nec_row(label):
    assert decode(b"\xad\xa1\xad\xea" + FORM.encode("euc_jp"), label).text == "①㈱" + FORM


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b(I;]\x1b(B", "ｻﾝ"),
        (b"\x0e;]\x0f", "ｻﾝ"),
        (b"\x1b$B?=@A\x1b(I;]\x1b$B=q\x1b(B.", "申請ｻﾝ書."),
        (b"\x1b$B?=\xbb\xdd", "申ｻﾝ"),
        (b"\x1b$@?=\x1b(H1\x1b&@\x1b$B@A\x1b(B", "申1請"),
        (b"\x1b$(D0!\x1b(B", "丂"),
    ],
    ids=["escape", "shift out", "mixed", "eight bit", "old designations", "supplement"],
)
def test_half_width_kana_and_old_designations_of_jis_are_read(data, text):
    assert decode(data, "iso-2022-jp") == Decoded(text, "iso-2022-jp", damaged=False)


def test_a_line_that_forgot_to_leave_jis_spoils_nothing_after_it():
    assert decode(b"\x1b$B?=@A\r\nOK\r\n", None).text == "申請\r\nOK\r\n"


def test_euc_reads_half_width_kana_and_the_supplement():
    assert decode(b"\x8e\xbb\x8e\xdd \x8f\xb0\xa1", "euc-jp").text == "ｻﾝ 丂"


def test_both_ways_through_the_double_byte_table_agree():
    for row in range(0x21, 0x7F):
        for cell in range(0x21, 0x7F):
            assert charsets._pairs(bytes((row, cell))) == charsets._pair(row, cell)


@pytest.mark.parametrize(
    "label", [None, "", "us-ascii", "x-unknown", "no-such-charset", "undefined", "../../x", "a\0b"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp", "iso2022_jp"])
def test_without_a_useful_label_the_bytes_decide(label, encoding):
    found = decode(FORM.encode(encoding), label)
    assert (found.text, found.damaged) == (FORM, False)


@pytest.mark.parametrize(
    ("label", "encoding"),
    [
        ("iso-2022-jp", "utf-8"),
        ("iso-2022-jp", "cp932"),
        ("shift_jis", "utf-8"),
        ("euc-jp", "utf-8"),
        ("iso-8859-1", "utf-8"),
        ("utf-8", "cp932"),
        ("utf-8", "iso2022_jp"),
        ("iso-8859-1", "iso2022_jp"),
        ("shift_jis", "iso2022_jp"),
        ("idna", "utf-8"),
        ("unicode_escape", "utf-8"),
        ("rot13", "cp932"),
    ],
)
def test_a_label_that_the_bytes_contradict_is_not_believed(label, encoding):
    found = decode(FORM.encode(encoding), label)
    assert (found.text, found.damaged) == (FORM, False)


@pytest.mark.parametrize(
    ("label", "encoding", "text"),
    [
        ("gb2312", "gb18030", "朱镕基"),
        ("ks_c_5601-1987", "cp949", "한글"),
        ("iso-8859-1", "cp1252", "“é”"),
        ("koi8-r", "koi8-r", "Привет"),
        ("utf-16", "utf-16", FORM),
        ("big5", "big5", "申請"),
    ],
)
def test_other_character_sets_are_read_by_their_label(label, encoding, text):
    assert decode(text.encode(encoding), label).text == text


def test_the_undefined_bytes_of_windows_1252_are_not_lost():
    assert decode(b"a\x81\xe9", "latin1").text == "a\x81é"


def test_half_width_kana_of_windows_are_not_taken_for_euc():
    assert decode("ﾔﾏﾀﾞ ﾀﾛｳ".encode("cp932")).text == "ﾔﾏﾀﾞ ﾀﾛｳ"


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        (FORM.encode() * 3 + b"\xff", "utf-8", FORM * 3 + "\ufffd"),
        (FORM.encode("cp932") * 3 + b"\x81", "shift_jis", FORM * 3 + "\ufffd"),
        (b"\x1b$B?=@A\x7f?\x1b(B\x1b$(Zab", "iso-2022-jp", "申請\x7f\ufffd\ufffd$(Zab"),
        (b"\x1b$B?=@A?=@A?=@A?=@A?=\x1b(B", "iso-2022-jp", "申請申請申請申請申"),
        (b"\x1b$B?=@A?=@A?=@A?=@A?\x1b(B", "iso-2022-jp", "申請申請申請申請\ufffd"),
        (b"\x1b$(D\x7e\x7e\x1b(B", "iso-2022-jp", "\ufffd"),
        (b"\x1b$B\x7e\x7e\x1b(B", "iso-2022-jp", "\ufffd"),
        (b"\xb4\xc1" * 20 + b"\xff\xfc\xfe", "euc-jp", "漢" * 20 + "\ufffd＂"),
        (b"\xff\xfe\xfd", None, "\ufffd\ufffd\ufffd"),
        (b"\x80\xa0\xfd", "shift_jis", "\ufffd\ufffd\ufffd"),
    ],
)
def test_a_lossy_reading_says_so_and_drops_nothing(data, label, text):
    found = decode(data, label)
    assert found.damaged == ("\ufffd" in text)
    assert found.text == text


def test_no_codec_brings_a_lone_surrogate_into_a_text():
    assert "\ud800" not in decode(b"+2AA-abc", "utf-7").text


def test_a_byte_order_mark_is_no_text():
    assert decode(b"\xef\xbb\xbfabc", "utf-8").text == "abc"


@given(st.binary(max_size=200), st.one_of(st.none(), st.sampled_from(sorted(charsets._ALIASES)), st.text(max_size=12)))
def test_any_bytes_under_any_label_give_encodable_text(data, label):
    found = decode(data, label)
    found.text.encode("utf-8")
    assert found.damaged == ("\ufffd" in found.text)
    assert detect(data) in ("utf-8", "cp932", "euc-jp", "iso-2022-jp")


@given(
    st.text(
        alphabet=st.characters(codec="cp932", exclude_characters="\x1b\x80¢£¬‖−〜\uf8f0\uf8f1\uf8f2\uf8f3"), max_size=40
    )
)
def test_whatever_windows_can_write_comes_back(text):
    assert decode(text.encode("cp932"), "windows-31j").text in (text, text.encode("cp932").decode("utf-8", "replace"))


@given(st.text(alphabet="申請書アあ①㈱～∥－ abc", max_size=40))
def test_japanese_comes_back_through_jis_and_euc_alike(text):
    euc = b"".join((char.encode("euc_jis_2004") if char not in "①㈱～∥－" else _euc(char)) for char in text)
    assert decode(euc, "euc-jp").text == text


def _euc(char):
    lead, trail = char.encode("cp932")
    row = (lead - 0x81) * 2 + 0x21 + (trail >= 0x9F)
    cell = trail - 0x7E if trail >= 0x9F else trail - 0x1F - (trail >= 0x80)
    return bytes((row | 0x80, cell | 0x80))


@pytest.mark.parametrize(
    "name", [None, "", "us-ascii", "punycode", "mbcs-nowhere", "あ", "x" * 50, "hex", "cp037", "utf-16-x"]
)
def test_a_name_that_says_nothing_is_no_charset(name):
    assert canonical(name) is None


# --- header fields -----------------------------------------------------------------------------------------------


def b(text, charset, codec=None):
    return f"=?{charset}?B?{base64.b64encode(text.encode(codec or charset)).decode()}?="


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b("申請", "utf-8"), "申請"),
        (b("髙①", "Shift_JIS", "cp932"), "髙①"),
        ("Re: " + b("申請", "utf-8") + "\r\n " + b("書", "utf-8") + " (2)", "Re: 申請書 (2)"),
        ("=?utf-8?Q?=E7=94=B3_=E8=AB=8B?=", "申 請"),
        ("=?utf-8*ja?q?a_b?=", "a b"),
        ("=?utf-8?Q?bad blanks here?=", "bad blanks here"),
        ('"' + b("申請", "utf-8") + '"', '"申請"'),
        ("x" + b("申", "utf-8") + "y", "x申y"),
        (b("申", "utf-8") + " " + b("請", "shift_jis") + " z", "申請 z"),
        ("=?utf-8?Z?abc?=", "=?utf-8?Z?abc?="),
        ("=?utf-8?B?not closed", "=?utf-8?B?not closed"),
    ],
)
def test_encoded_words_are_read_as_they_are_written(raw, text):
    assert header_text(raw.encode("ascii")).text == text


def test_a_character_split_over_two_words_is_whole_again():
    data = "申請".encode()
    raw = b"=?utf-8?B?" + base64.b64encode(data[:4]) + b"?=\r\n =?UTF-8?B?" + base64.b64encode(data[4:]) + b"?="
    assert header_text(raw) == Decoded("申請", "utf-8", damaged=False)


def test_a_jis_run_split_without_escapes_is_whole_again():
    jis = b"\x1b$B?=@A=q\x1b(B"
    raw = b"=?ISO-2022-JP?B?" + base64.b64encode(jis[:6]) + b"?= =?iso-2022-jp?B?" + base64.b64encode(jis[6:]) + b"?="
    assert header_text(raw).text == "申請書"


def test_a_base64_text_cut_off_its_grid_is_whole_again():
    code = base64.b64encode("申請書".encode())
    raw = b"=?utf-8?B?" + code[:5] + b"?= =?utf-8?B?" + code[5:] + b"?= =?utf-8?Q?x?="
    assert header_text(raw).text == "申請書x"


def test_a_base64_end_left_over_before_a_q_word_is_kept():
    assert header_text(b"=?utf-8?B?YWI?= =?utf-8?Q?c?=").text == "abc"


def test_words_that_only_make_sense_apart_are_read_apart():
    # The first word never leaves JIS, the second begins in plain text.
    raw = b"=?iso-2022-jp?B?" + base64.b64encode(b"\x1b$B?=") + b"?= =?iso-2022-jp?Q?a?="
    assert header_text(raw) == Decoded("申a", "iso-2022-jp", damaged=False)


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "euc_jp", "iso2022_jp"])
def test_raw_eight_bit_headers_are_read(encoding):
    assert header_text("申請書の送付について".encode(encoding)).text == "申請書の送付について"


@pytest.mark.parametrize("word", ["=?utf-8?Q?a=0D=0ABcc:_x?=", "=?utf-8?B?4oCuYQ==?=", "=?utf-8?Q?=00=1B?="])
def test_no_control_or_directional_mark_comes_out_of_a_header(word):
    text = header_text(word.encode()).text
    assert not set(text) & set("\r\n\0\x1b\u202e")


def test_a_damaged_word_says_so():
    assert decode_words("=?utf-8?B?/////w==?= =?utf-8?B?/w==?=").damaged


@given(st.binary(max_size=200))
def test_any_bytes_in_a_header_give_one_clean_line(raw):
    text = header_text(raw).text
    text.encode("utf-8")
    assert "\n" not in text
    assert "\r" not in text


def test_a_folded_field_is_one_line():
    assert wire_text(b" a\r\n b\r\n\tc\r\n").text == "a b\tc"


@given(st.binary(max_size=300))
def test_base64_of_any_bytes_comes_back(data):
    assert base64_bytes(base64.encodebytes(data)) == (data, False)


@pytest.mark.parametrize(
    ("code", "data"),
    [(b"YQ==YmI=", b"abb"), (b"YWJj!ZGVm", b"abcdef"), (b"YWJjZ", b"abc"), (b"YWI", b"ab"), (b"", b"")],
)
def test_damaged_base64_gives_what_it_still_holds(code, data):
    assert base64_bytes(code)[0] == data


@given(st.binary(max_size=200))
def test_any_bytes_can_be_undone_from_base64(code):
    data, damaged = base64_bytes(code)
    assert isinstance(data, bytes)
    assert damaged or base64.b64decode(code) == data
