import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ca.names import AuthorityName, alternative_name, distinguished_name, problems
from support.authorities import subject

_LONG = "A" * 65


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("common_name", "", ["common_name_empty"]),
        ("common_name", "  ", ["common_name_empty"]),
        ("common_name", "A" * 64, []),
        ("common_name", _LONG, ["common_name_too_long"]),
        ("common_name", "山田 太郎", ["common_name_characters"]),
        ("common_name", "Ｔａｒｏ", ["common_name_characters"]),
        ("common_name", "Taro\nYAMADA", ["common_name_characters"]),
        ("common_name", "Taro\x00YAMADA", ["common_name_characters"]),
        ("common_name", "Taro\u202eYAMADA", ["common_name_characters"]),
        ("common_name", "Taro YAMADA\n", ["common_name_characters", "common_name_spaces"]),
        ("common_name", "taro@yamada", ["common_name_characters"]),
        ("common_name", "Taro  YAMADA", ["common_name_spaces"]),
        ("common_name", " Taro", ["common_name_spaces"]),
        ("common_name", "-", ["common_name_meaningless"]),
        ("common_name", "na", ["common_name_meaningless"]),
        ("common_name", "N/A", ["common_name_meaningless"]),
        ("common_name", "Nao NA", []),
        ("organization", "", ["organization_empty"]),
        ("organization", _LONG, ["organization_too_long"]),
        ("organization", "株式会社あおぞら電機", ["organization_characters"]),
        ("organization", "A&B (Japan) Co., Ltd. - 1/2: x=y+z?'", []),
        ("organization", "...", ["organization_meaningless"]),
        ("subscriber_id", "", ["subscriber_id_empty"]),
        ("subscriber_id", _LONG, ["subscriber_id_too_long"]),
        ("subscriber_id", "W 1", ["subscriber_id_characters"]),
        ("subscriber_id", "W1\n", ["subscriber_id_characters"]),
        ("email", "", ["email_empty"]),
        ("email", "太郎@aozora-denki.example", ["email_characters"]),
        ("email", "taro@あおぞら.example", ["email_characters"]),
        ("email", "taro@xn--l8j9a.example", []),
        ("email", "taro.yamada+edi@mail.aozora-denki.example", []),
        ("email", "taro", ["email_malformed"]),
        ("email", "taro@localhost", ["email_malformed"]),
        ("email", "taro@192.0.2.1", ["email_malformed"]),
        ("email", "ta..ro@aozora-denki.example", ["email_malformed"]),
        ("email", "taro.@aozora-denki.example", ["email_malformed"]),
        ("email", "taro@-denki.example", ["email_malformed"]),
        ("email", "Taro <taro@aozora-denki.example>", ["email_malformed"]),
        ("email", "taro@aozora-denki.example\n", ["email_malformed"]),
        ("email", "taro@aozora-denki.example, jiro@aozora-denki.example", ["email_malformed"]),
        ("email", "a" * 65 + "@aozora-denki.example", ["email_too_long"]),
        ("email", "a@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 63 + ".example", ["email_too_long"]),
    ],
)
def test_data_that_cannot_stand_in_a_certificate_are_named(field: str, value: str, wanted: list[str]) -> None:
    assert list(problems(subject(**{field: value}))) == wanted


def test_all_problems_are_told_at_once() -> None:
    found = problems(subject(organization="", common_name=_LONG, subscriber_id="", email="x"))
    assert found == ("organization_empty", "common_name_too_long", "subscriber_id_empty", "email_malformed")


def test_the_dn_has_the_string_types_of_rfc_5280_byte_for_byte() -> None:
    name = distinguished_name(subject(organization="A&B", common_name="Taro", subscriber_id="W1"))
    assert (
        name.public_bytes().hex()
        == (
            "303b"
            "310b3009" + "0603550406" + "13024a50"  # C, PrintableString JP
            "310c300a" + "060355040a" + "0c03412642"  # O, UTF8String
            "310d300b" + "0603550403" + "0c045461726f"  # CN, UTF8String
            "310b3009" + "0603550405" + "13025731"  # serialNumber, PrintableString
        ).replace("303b", f"30{len(name.public_bytes()) - 2:02x}")
    )


def test_an_authority_is_named_without_a_subscriber_id() -> None:
    name = distinguished_name(AuthorityName("Example LRA", "Example Root CA"))
    assert name.rfc4514_string() == "CN=Example Root CA,O=Example LRA,C=JP"


def test_unfit_data_never_become_a_name() -> None:
    with pytest.raises(ValueError, match="cannot stand"):
        distinguished_name(subject(common_name=_LONG))


def test_the_mail_address_stands_in_the_san_as_registered() -> None:
    names = list(alternative_name(subject(email="Taro@Aozora-Denki.example")))
    assert names == [x509.RFC822Name("Taro@Aozora-Denki.example")]


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_is_either_refused_or_encoded(organization: str, name: str, number: str, mail: str) -> None:
    who = subject(organization=organization, common_name=name, subscriber_id=number, email=mail)
    if problems(who):
        with pytest.raises(ValueError, match="cannot stand"):
            distinguished_name(who)
    else:
        distinguished_name(who)
        alternative_name(who)


@given(st.from_regex(r"[A-Za-z0-9 '(),\-./:=+?&]{1,64}", fullmatch=True))
def test_every_name_that_passes_comes_back_unchanged(text: str) -> None:
    who = subject(common_name=text)
    if not problems(who):
        encoded = distinguished_name(who)
        assert encoded.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == text


@given(st.emails())
def test_every_mail_address_that_passes_can_be_encoded(mail: str) -> None:
    who = subject(email=mail)
    if not problems(who):
        assert alternative_name(who).get_values_for_type(x509.RFC822Name) == [mail]


def test_a_subject_shows_nothing_personal_when_printed() -> None:
    assert repr(subject()) == "<Subject W000001>"
