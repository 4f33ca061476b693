"""Opening a centre from its configuration: every secret under its name, every refusal a sentence."""

import dataclasses
from pathlib import Path

import pytest

from ca.errors import CaError
from config.credentials import CredentialError
from config.settings import SettingsError, load
from daemon import keyring
from support.command_lines import write_credential


@pytest.fixture
def settings(copied):
    return load(copied / "ogis-lra.toml")


def test_a_centre_is_opened_with_everything_its_configuration_names(settings, finished):
    centre = keyring.open_service(settings, clock=finished.clock)
    try:
        assert centre.account.host == "127.0.0.1"
        assert centre.account.username == "ogis-lra@lra.example"
        assert centre.profile.name == "subscriber-p256"
        assert centre.clock() == finished.clock()
        for shown in (repr(centre), repr(centre.account), repr(keyring.open_keys(settings)), repr(centre.audit)):
            assert "only-for-the-demo" not in shown
            assert keyring.secret(settings, "audit-key").reveal() not in shown
    finally:
        centre.close()


def test_credentials_of_systemd_are_used_where_none_are_configured(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "run"))
    assert keyring.credentials_of(settings) == tmp_path / "run"
    configured = dataclasses.replace(settings, credentials_dir="/etc/lra")
    assert keyring.credentials_of(configured) == Path("/etc/lra")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert keyring.credentials_of(settings) == settings.data_dir / "credentials"


def test_without_a_user_name_the_mail_server_needs_no_password(settings, copied):
    (copied / "centre" / "credentials" / "smtp-password").unlink()
    anonymous = dataclasses.replace(settings, smtp=dataclasses.replace(settings.smtp, username=""))
    assert keyring.route_of(anonymous).password is None
    with pytest.raises(CredentialError, match="smtp-password"):
        keyring.route_of(settings)


@pytest.mark.parametrize(("door", "make"), [("mailbox", keyring.account_of), ("smtp", keyring.route_of)])
def test_plain_to_another_machine_is_refused_by_the_name_of_the_option(settings, door, make):
    block = dataclasses.replace(getattr(settings, door), host="mail.lra.example", security="plain")
    with pytest.raises(SettingsError, match=f"{door}.security: .* loopback only"):
        make(dataclasses.replace(settings, **{door: block}))


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [("subscriber-p265", "did you mean 'subscriber-p256'"), ("root", "no subscriber profile"), ("zzz", "known: subs")],
)
def test_an_unknown_profile_is_refused_before_anything_is_issued(settings, profile, sentence):
    wrong = dataclasses.replace(settings, ca=dataclasses.replace(settings.ca, profile=profile))
    with pytest.raises(SettingsError, match=sentence):
        keyring.open_service(wrong)


@pytest.mark.parametrize("name", ["audit-key", "token-key"])
@pytest.mark.parametrize(
    ("value", "sentence"), [("zz", "not the hexadecimal"), ("0", "not the hexadecimal"), ("00" * 15, "too short")]
)
def test_a_key_that_init_did_not_write_is_refused_without_showing_it(settings, copied, name, value, sentence):
    write_credential(copied, name, value)
    with pytest.raises(CredentialError, match=f"{name}.*{sentence}") as caught:
        keyring.open_keys(settings)
    assert value not in str(caught.value).replace(name, "")
    assert caught.value.__cause__ is None


def test_another_passphrase_opens_nothing(settings, copied):
    write_credential(copied, "ca-passphrase", "another")
    with pytest.raises(CaError, match="does not open with this passphrase"):
        keyring.open_keys(settings)


def test_a_key_of_another_authority_opens_nothing(settings, copied):
    keys = copied / "centre" / "keys"
    (keys / "issuing.key").write_bytes((keys / "root.key").read_bytes())
    with pytest.raises(CaError):
        keyring.open_keys(settings)
