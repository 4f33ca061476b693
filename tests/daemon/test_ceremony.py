"""The ceremony: what `init` makes is made once, finished after a stop, and never made over something that was there."""

import dataclasses
import re
import shutil
from datetime import timedelta

import pytest
from cryptography import x509
from sqlalchemy import create_engine, text

from ca import register
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ISSUING_ID, ROOT_ID
from config.credentials import CredentialError
from config.settings import load
from daemon import ceremony
from daemon.keyring import open_keys, secret
from daemon.store import Store
from support.centres import START
from support.command_lines import write_config


@pytest.fixture
def settings(tmp_path):
    """Settings over a folder that holds a configuration and nothing else."""
    settings = load(write_config(tmp_path))
    shutil.rmtree(settings.data_dir)
    return settings


def established(settings, now=START):
    return ceremony.make_secrets(settings) + ceremony.establish_authority(settings, now=now, cost=15)


def everything(settings):
    return {path: path.read_bytes() for path in settings.data_dir.parent.rglob("*") if path.is_file()}


def test_the_ceremony_makes_keys_that_open_and_a_second_one_changes_nothing(settings):
    assert all(step.made for step in established(settings))
    assert open_keys(settings).signer.authority.not_before == START
    before = everything(settings)
    assert not any(step.made for step in established(settings))
    assert everything(settings) == before


def test_secrets_are_random_distinct_and_for_the_owner_only(settings):
    ceremony.make_secrets(settings)
    folder = settings.data_dir / "credentials"
    values = {path.name: path.read_text() for path in folder.iterdir()}
    assert len(set(values.values())) == 5
    assert all(re.fullmatch(r"[0-9a-f]{64}\n", value) for value in values.values())
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_stop_before_the_register_knew_the_keys_is_taken_up_with_new_keys(settings, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(register, "record_authority", stop)
        with pytest.raises(KeyboardInterrupt):
            established(settings)
    lost = (settings.data_dir / "keys" / "issuing.key").read_bytes()
    established(settings)
    assert (settings.data_dir / "keys" / "issuing.key").read_bytes() != lost
    open_keys(settings)


def test_a_stop_before_anything_was_published_is_finished_by_the_next_run(settings, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ceremony, "publish", stop)
        with pytest.raises(KeyboardInterrupt):
            established(settings)
    key = (settings.data_dir / "keys" / "issuing.key").read_bytes()
    steps = established(settings)
    assert [step.made for step in steps] == [False] * 8 + [True, True]
    assert (settings.data_dir / "keys" / "issuing.key").read_bytes() == key
    assert {path.name for path in (settings.data_dir / "public").iterdir()} == {
        "root.pem",
        "issuing.pem",
        "chain.pem",
        "root.cer",
        "issuing.cer",
        "root.crl",
        "root.crl.pem",
    }


def test_the_roots_crl_is_renewed_at_half_its_life_while_the_key_is_here(settings):
    established(settings)
    path = settings.data_dir / "public" / "root.crl"
    first = path.read_bytes()
    established(settings, now=START + timedelta(days=198))
    assert path.read_bytes() == first
    key = settings.data_dir / "keys" / "root.key"
    safe = key.rename(settings.data_dir.parent / "safe")
    later = START + timedelta(days=300)
    established(settings, now=later)
    assert path.read_bytes() == first, "without the key nothing is signed, and nothing else fails"
    safe.rename(key)
    steps = established(settings, now=later)
    assert [step.what for step in steps if step.made] == ["CRL of the root", "published certificates"]
    crl = x509.load_der_x509_crl(path.read_bytes())
    assert crl.last_update_utc == later
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2
    assert not any(step.made for step in established(settings, now=later))


def test_a_lost_database_never_costs_the_keys_of_a_published_authority(settings, tmp_path):
    established(settings)
    (tmp_path / "demo.sqlite").unlink()
    keys = (settings.data_dir / "keys" / "issuing.key").read_bytes()
    with pytest.raises(CaError, match="restore the database from the backup") as caught:
        established(settings)
    assert caught.value.kind is CaErrorKind.NOT_FOUND
    assert (settings.data_dir / "keys" / "issuing.key").read_bytes() == keys


def test_a_damaged_register_is_no_reason_for_a_new_authority(settings, tmp_path):
    established(settings)
    engine = create_engine(settings.database)
    with engine.begin() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(text("UPDATE authorities SET certificate = x'3000' WHERE role = 'issuing'"))
    engine.dispose()
    keys = (settings.data_dir / "keys" / "issuing.key").read_bytes()
    with pytest.raises(CaError, match="damaged"):
        established(settings)
    assert (settings.data_dir / "keys" / "issuing.key").read_bytes() == keys


@pytest.mark.parametrize("name", ["ca-passphrase", "audit-key"])
def test_a_lost_secret_is_never_replaced_by_a_new_one(settings, name):
    established(settings)
    (settings.data_dir / "credentials" / name).unlink()
    with pytest.raises(CredentialError, match=f"{name} is missing .* restore it from the backup"):
        established(settings)
    assert not (settings.data_dir / "credentials" / name).exists()


def test_a_lost_token_key_only_voids_open_requests_so_a_new_one_is_made(settings):
    established(settings)
    (settings.data_dir / "credentials" / "token-key").unlink()
    assert [step.what for step in established(settings) if step.made] == ["secret token-key"]


def test_the_ceremony_is_an_audit_event_and_the_register_knows_both_authorities(settings):
    established(settings)
    store = Store(settings.database)
    with store.transaction() as tx:
        assert {each.id for each in register.every_authority(tx)} == {ROOT_ID, ISSUING_ID}
        kinds = tx.execute(text("SELECT kind FROM events")).scalars().all()
    store.close()
    assert kinds == ["authority_established", "ceremony_recorded"]
    assert secret(settings, "audit-key").reveal()


def test_a_configuration_that_is_there_is_never_touched(tmp_path):
    path = tmp_path / "ogis-lra.toml"
    assert ceremony.write_configuration(path).made
    path.write_text("my own words")
    assert not ceremony.write_configuration(path).made
    assert path.read_text() == "my own words"


def test_credentials_may_lie_elsewhere(settings, tmp_path):
    elsewhere = dataclasses.replace(settings, credentials_dir=str(tmp_path / "run" / "secrets"))
    established(elsewhere)
    assert (tmp_path / "run" / "secrets" / "audit-key").exists()
    open_keys(elsewhere)
