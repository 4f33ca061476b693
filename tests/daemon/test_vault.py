"""The vault: what is sealed can be opened until its key is destroyed, and by nobody afterwards."""

import secrets

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.vault import Vault, VaultError

SECRET = "パスワード：abcde-fghij".encode()


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path / "vault", secrets.token_bytes)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=300))
def test_a_sealed_secret_can_be_opened_and_does_not_show(vault, secret):
    name, sealed = vault.seal(secret)
    assert vault.open(name, sealed) == secret
    assert len(secret) < 8 or secret not in sealed


def test_a_destroyed_key_is_the_end_of_the_secret(vault):
    name, sealed = vault.seal(SECRET)
    vault.destroy(name)
    assert vault.names() == frozenset()
    with pytest.raises(VaultError) as gone:
        vault.open(name, sealed)
    assert SECRET.decode() not in str(gone.value)


def test_destroying_twice_is_no_error_nor_is_an_empty_vault(vault):
    assert vault.names() == frozenset()
    vault.destroy("never-there")
    name, _ = vault.seal(SECRET)
    vault.destroy(name)
    vault.destroy(name)


@pytest.mark.parametrize("position", [0, 12, -1])
def test_a_changed_ciphertext_is_refused(vault, position):
    name, sealed = vault.seal(SECRET)
    damaged = bytearray(sealed)
    damaged[position] ^= 1
    with pytest.raises(VaultError):
        vault.open(name, bytes(damaged))
    with pytest.raises(VaultError):
        vault.open(name, b"")


def test_a_key_opens_only_what_was_sealed_under_its_name(vault):
    one, sealed = vault.seal(SECRET)
    other, _ = vault.seal(SECRET)
    (vault.folder / other).write_bytes((vault.folder / one).read_bytes())
    with pytest.raises(VaultError):
        vault.open(other, sealed)


def test_keys_are_for_the_service_alone_and_half_written_ones_do_not_count(vault):
    name, _ = vault.seal(SECRET)
    (vault.folder / f".{name}.1.part").write_bytes(b"half")
    assert vault.names() == {name}
    assert (vault.folder / name).stat().st_mode & 0o777 == 0o600
