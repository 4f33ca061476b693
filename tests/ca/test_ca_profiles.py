from datetime import UTC, datetime, timedelta

import pytest

from ca.keys import KeyKind
from ca.profiles import Role, load_profiles

GOOD = """
[x]
role = "subscriber"
key = "rsa-3072"
validity_days = 760
key_usage = ["digital_signature"]
extended_key_usage = ["client_auth"]
"""


def test_the_profiles_of_the_service_are_there() -> None:
    profiles = load_profiles()
    keys = {name: profile.key.value for name, profile in profiles.items()}
    assert keys == {
        "root": "rsa-3072",
        "issuing": "rsa-3072",
        "subscriber": "rsa-3072",
        "subscriber-2048": "rsa-2048",
        "subscriber-p256": "p-256",
        "staff_smime": "rsa-3072",
        "portal_tls": "p-256",
        "ocsp_responder": "rsa-3072",
        "ocsp_responder-2048": "rsa-2048",
        "ocsp_responder-p256": "p-256",
    }
    assert {name for name, profile in profiles.items() if profile.is_authority} == {"root", "issuing"}
    assert profiles["issuing"].path_length == 0
    assert all(profile.name == name for name, profile in profiles.items())


def test_a_subscriber_certificate_is_good_for_two_years_and_thirty_days_both_ends_included() -> None:
    start = datetime(2026, 7, 1, 3, 0, 0, 123456, tzinfo=UTC)
    first, last = load_profiles()["subscriber"].period(start)
    assert first == datetime(2026, 7, 1, 3, 0, 0, tzinfo=UTC)
    assert last == datetime(2028, 7, 30, 2, 59, 59, tzinfo=UTC)
    assert last - first + timedelta(seconds=1) == timedelta(days=760)


def test_only_rsa_keys_encipher() -> None:
    profiles = load_profiles()
    assert profiles["subscriber"].key_usage_extension().key_encipherment
    assert not profiles["subscriber-p256"].key_usage_extension().key_encipherment


def test_an_operator_may_bring_profiles_of_its_own() -> None:
    profile = load_profiles(GOOD)["x"]
    assert (profile.role, profile.key, profile.policies) == (Role.SUBSCRIBER, KeyKind.RSA_3072, ())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('role = "subscriber"', "", "'role' is missing"),
        ("validity_days", "extra = [1]\nvalidity_days", "unknown word extra"),
        ('"rsa-3072"', '"rsa-1024"', "rsa-1024"),
        ("760", "0", "validity_days"),
        ("760", '"760"', "validity_days"),
        ('["digital_signature"]', '["content_commitment"]', "unknown usage content_commitment"),
        ('["digital_signature"]', "[]", "key_usage is empty"),
        ('["digital_signature"]', "7", "x: "),
        ('["digital_signature"]', '["key_cert_sign"]', "for authorities"),
        ('["digital_signature"]', '["digital_signature", "crl_sign"]', "for authorities"),
        ('"subscriber"', '"issuing"', "for authorities"),
        ('"client_auth"', '"code_signing"', "unknown usage code_signing"),
        ('"client_auth"', '"server_auth"', "server_auth is for servers"),
        ('extended_key_usage = ["client_auth"]', "", "names its purpose"),
        ('role = "subscriber"', 'role = "subscriber"\npath_length = 0', "for authorities"),
        ('role = "subscriber"', 'role = "subscriber"\npolicies = ["none"]', "x: "),
        ("[x]", "x = 1\n[y]", "x: "),
    ],
)
def test_a_profile_that_is_wrong_stops_the_program_and_is_named(old: str, new: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as raised:
        load_profiles(GOOD.replace(old, new))
    assert "profile x" in str(raised.value)


def test_an_elliptic_curve_key_enciphers_nothing() -> None:
    text = GOOD.replace("rsa-3072", "p-256").replace(
        '["digital_signature"]', '["digital_signature","key_encipherment"]'
    )
    with pytest.raises(ValueError, match="no key_encipherment"):
        load_profiles(text)
