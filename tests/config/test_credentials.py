"""Secrets: found by name, shown by nobody."""

import copy
import dataclasses
import logging
import os
import pickle
import traceback
from pathlib import Path

import pytest

from config import credentials
from config.credentials import CredentialError, Secret


def write(directory: Path, name: str, content: bytes, mode: int = 0o600) -> Path:
    path = directory / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"two\n\n", "two\n"),
        (b" with spaces \n", " with spaces "),
        ("合言葉\n".encode(), "合言葉"),
    ],
)
def test_a_credential_is_the_file_without_its_last_line_end(tmp_path, content, value):
    write(tmp_path, "imap-password", content)
    assert credentials.load("imap-password", tmp_path).reveal() == value


@dataclasses.dataclass(frozen=True)
class Holder:
    name: str
    password: Secret


@pytest.mark.parametrize("show", [repr, str, format, "{}".format, lambda secret: repr(Holder("imap", secret))])
def test_a_secret_shows_nothing_of_itself(show):
    assert "hunter2" not in show(Secret("hunter2"))


def test_a_secret_is_not_in_a_log_line(caplog):
    logging.getLogger("test").warning("%s %r", Secret("hunter2"), Secret("hunter2"))
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("copying", [pickle.dumps, copy.copy, copy.deepcopy, hash])
def test_a_secret_is_not_pickled_copied_or_hashed(copying):
    with pytest.raises(TypeError):
        copying(Secret("hunter2"))


def test_secrets_are_equal_when_their_values_are():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o666])
def test_a_credential_that_everybody_can_read_or_write_is_refused(tmp_path, mode):
    write(tmp_path, "imap-password", b"hunter2", mode)
    with pytest.raises(CredentialError, match="chmod 0600") as caught:
        credentials.load("imap-password", tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_credential_of_the_owner_or_the_group_is_read(tmp_path, mode):
    write(tmp_path, "imap-password", b"hunter2", mode)
    assert credentials.load("imap-password", tmp_path).reveal() == "hunter2"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\xff", "is not UTF-8"),
        (b"hunter2" * 10_000, "is longer than"),
    ],
)
def test_a_file_that_is_no_credential_is_refused_without_showing_it(tmp_path, content, sentence):
    write(tmp_path, "imap-password", content)
    with pytest.raises(CredentialError, match=sentence) as caught:
        credentials.load("imap-password", tmp_path)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_missing_credential_is_named(tmp_path):
    with pytest.raises(CredentialError, match=r"credential smtp-password: .* cannot be read"):
        credentials.load("smtp-password", tmp_path)


def test_a_fifo_in_place_of_a_credential_does_not_hold_us_up(tmp_path):
    os.mkfifo(tmp_path / "imap-password", 0o600)
    with pytest.raises(CredentialError, match="not a regular file"):
        credentials.load("imap-password", tmp_path)


def test_a_folder_is_no_credential(tmp_path):
    (tmp_path / "imap-password").mkdir(mode=0o700)
    with pytest.raises(CredentialError, match="not a regular file"):
        credentials.load("imap-password", tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "../etc/shadow", "a/b", "/etc/shadow", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    with pytest.raises(CredentialError, match="not the name"):
        credentials.load(name, tmp_path)


@pytest.mark.parametrize(
    ("configured", "environ", "found"),
    [
        ("/conf", {"CREDENTIALS_DIRECTORY": "/run/credentials/x"}, "/conf"),
        ("", {"CREDENTIALS_DIRECTORY": "/run/credentials/x"}, "/run/credentials/x"),
        ("", {"CREDENTIALS_DIRECTORY": ""}, "/data/credentials"),
        ("", {}, "/data/credentials"),
    ],
)
def test_the_folder_is_the_configured_one_then_systemds_then_the_fallback(configured, environ, found):
    assert credentials.find_directory(configured, environ=environ, fallback=Path("/data/credentials")) == Path(found)
