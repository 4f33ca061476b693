from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.headers import (
    MAX_ADDRESSES,
    Address,
    first_token,
    message_ids,
    read_addresses,
    read_comment,
    read_moment,
    read_parameter,
    read_quoted,
)

A = "taro@aozora-denki.example"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (A, [Address("", A)]),
        (f"<{A}>", [Address("", A)]),
        (f'"山田, 太郎" <{A}>, x@y.example', [Address("山田, 太郎", A), Address("", "x@y.example")]),
        (f"=?utf-8?B?5bGx55Sw?= <{A}>", [Address("山田", A)]),
        (f'"=?ISO-2022-JP?B?GyRCOzNFRBsoQg==?=" <{A}>', [Address("山田", A)]),
        (f"=?utf-8?Q?x=3Ca=40b=2Eexample=3E=2C?= <{A}>", [Address("x<a@b.example>,", A)]),
        (f"{A} (Taro (Yamada))", [Address("Taro (Yamada)", A)]),
        ('"a b"@c.example', [Address("", '"a b"@c.example')]),
        ('<"a>b"@c.example>', [Address("", '"a>b"@c.example')]),
        (f"<@relay.example,@r2.example:{A}>", [Address("", A)]),
        (f"<{A}(comment)>", [Address("", A)]),
        (
            f"Group: {A}, x@y.example; z@y.example",
            [Address("", A), Address("", "x@y.example"), Address("", "z@y.example")],
        ),
        ("undisclosed-recipients:;", []),
        ("a@[192.0.2.1]", [Address("", "a@[192.0.2.1]")]),
        ("", []),
        (f" , {A} ,, ", [Address("", A)]),
        (f'"bo\\"b\\\\" <{A}>', [Address('bo"b\\', A)]),
    ],
)
def test_an_address_list_is_read_by_its_grammar(text, addresses):
    found = read_addresses(text)
    assert list(found.addresses) == addresses
    assert not found.malformed


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("<a@b.example> <c@d.example>", ["c@d.example"]),
        ("<a@b.example>c@d.example", ["a@b.example"]),
        ("山田 taro@x.example", ["taro@x.example"]),
        ("a b@c.example", ["b@c.example"]),
        ("a@b.example c@d.example", []),
        ("a@b@c.example", []),
        ("alice@x.example)bob@y.example", []),
        ("山田太郎", []),
        ("<a@b.example", ["a@b.example"]),
        ('"never closed <a@b.example>', []),
        ("a@b.example (never closed", ["a@b.example"]),
        ("<a@b.example>: c@d.example", ["c@d.example"]),
        ('<a@b.example> "x"', ["a@b.example"]),
        ("<a\u200b@b.example>", []),
        ("<a@b\u202e.example>", []),
    ],
)
def test_what_can_be_read_in_two_ways_is_malformed_and_never_joined_into_an_address(text, addresses):
    found = read_addresses(text)
    assert [address.address for address in found.addresses] == addresses
    assert found.malformed


def test_a_list_without_end_is_cut_and_reported():
    found = read_addresses(",".join([A] * (MAX_ADDRESSES + 5)))
    assert len(found.addresses) == MAX_ADDRESSES
    assert found.malformed


@given(st.text(alphabet='ab@.,;:<>()"\\ \t山[]', max_size=40))
def test_any_text_gives_addresses_of_one_word(text):
    for address in read_addresses(text).addresses:
        assert address.address.count("@") >= 1
        assert address.address.startswith('"') or not set(address.address) & set(" <>(),;:\t")


@pytest.mark.parametrize("text", ["(" * 5000, '"' * 5001, "<" * 5000, "(" * 2000 + ")" * 2000])
def test_endless_nesting_is_no_trouble(text):
    assert read_addresses(text).addresses == ()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('attachment; filename="a\\"b.pdf"', "filename", 'a"b.pdf'),
        ("attachment; filename*0*=iso-2022-jp''%1B%24B%3F; filename*1*=%3D%40%41%1B%28B.pdf", "filename", "申請.pdf"),
        ("a; filename*0*=utf-8''%E7%94%B3; filename*1=.pdf; filename*1*=x", "filename", "申.pdf"),
        ("a; filename=plain.pdf; filename*=utf-8'ja'%E7%94%B3.pdf", "filename", "申.pdf"),
        ("a; filename*=Shift_JIS''%87%40.pdf", "filename", "①.pdf"),
        ("a; filename*=%E7%94%B3.pdf", "filename", "申.pdf"),
        ('a; filename="=?utf-8?B?55Sz?= =?utf-8?B?6KuL?=.pdf"', "filename", "申請.pdf"),
        ("a; name=見積 書.pdf; x=y", "name", "見積 書.pdf"),
        ("a; filename*0=abc; filename*1=def; filename*3=x", "filename", "abcdef"),
        ("a; filename*1*=x; filename*01=y", "filename", None),
        ("a; FILENAME=x; filename=y", "filename", "x"),
        ("text/plain; x; charset=utf-8", "charset", "utf-8"),
        ('a "; charset=no" (; charset=no); charset = "yes"', "charset", "yes"),
        ("a; filename=x ; =; ;", "filename", "x"),
        ("a", "filename", None),
        ('a; filename="', "filename", ""),
    ],
)
def test_parameters_are_read_as_they_are_written_and_as_they_should_be(text, name, value):
    found = read_parameter(text, name)
    assert (found.text if found else None) == value


@given(st.text(alphabet="a;=*'\"\\%01é filename", max_size=60))
def test_any_text_can_be_asked_for_a_parameter(text):
    read_parameter("x; " + text, "filename")


@pytest.mark.parametrize(
    ("text", "ids"),
    [("<a@b> junk <c@d>\t<a@b>", ("<a@b>", "<c@d>")), ("a@b", ()), ("<a b@c>", ()), ("<" * 50 + "a@b>", ("<a@b>",))],
)
def test_message_ids_are_found_once_and_in_order(text, ids):
    assert message_ids(text) == ids


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon, 01 Jul 2024 09:30:00 +0900", datetime(2024, 7, 1, 0, 30, tzinfo=UTC)),
        ("Mon, 01 Jul 2024 09:30:00 -0000", datetime(2024, 7, 1, 9, 30, tzinfo=UTC)),
        ("01 Jul 2024 09:30:00", datetime(2024, 7, 1, 9, 30, tzinfo=UTC)),
        ("昨日", None),
        ("", None),
        ("Mon, 99 Jul 2024 09:30:00 +0900", None),
        ("Mon, 01 Jul 2024 09:30:00 +99999999999999", None),
    ],
)
def test_a_date_is_aware_or_none(text, moment):
    assert read_moment(text) == moment


def test_quoted_strings_and_comments_know_where_they_end():
    assert read_quoted('x"a\\"b"c', 1) == ('a"b', 7)
    assert read_quoted('"ab', 0) == ("ab", 4)
    assert read_comment("(a(b)\\)c)d", 0) == ("a(b)\\)c", 9)
    assert read_comment("(a", 0) == ("a", 3)
    assert first_token(" Base64 (x); y") == "base64"
    assert first_token('"x"') == ""
