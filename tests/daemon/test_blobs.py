"""Blobs: bytes on disk under their digest, whole or not at all, and damage is noticed."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon import blobs as module
from daemon.blobs import BlobMissing, Blobs, write_durably


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=300))
def test_any_bytes_come_back_as_they_were(blobs, data):
    digest = blobs.put(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert blobs.get(digest) == data


def test_the_same_bytes_are_stored_once(blobs, monkeypatch):
    digest = blobs.put(b"mail")
    monkeypatch.setattr(module, "write_durably", lambda *_: pytest.fail("written twice"))
    assert blobs.put(b"mail") == digest


def test_only_the_service_may_read_them(blobs):
    digest = blobs.put(b"mail")
    assert (blobs.folder / digest[:2] / digest).stat().st_mode & 0o777 == 0o600


def test_missing_bytes_are_an_error(blobs):
    with pytest.raises(BlobMissing, match="cannot be read"):
        blobs.get("0" * 64)


@pytest.mark.parametrize("damage", [b"", b"mai", b"maiL", b"mail "])
def test_damaged_bytes_are_an_error(blobs, damage):
    digest = blobs.put(b"mail")
    (blobs.folder / digest[:2] / digest).write_bytes(damage)
    with pytest.raises(BlobMissing, match="damaged"):
        blobs.get(digest)


def test_bytes_are_synced_before_they_get_their_name_and_the_name_after(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, target: done.append("rename") or rename(self, target))
    write_durably(tmp_path / "new" / "file", b"x")
    part, renamed, folder = done
    assert part.endswith(".part")
    assert renamed == "rename"
    assert folder == str(tmp_path / "new")


@pytest.mark.parametrize("moment", ["fsync", "rename"])
def test_a_stop_while_writing_leaves_the_old_bytes(tmp_path, monkeypatch, moment):
    target = tmp_path / "issuing.crl"
    write_durably(target, b"old", mode=0o644)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os if moment == "fsync" else Path, moment, stop)
        with pytest.raises(KeyboardInterrupt):
            write_durably(target, b"new", mode=0o644)
    assert target.read_bytes() == b"old"
    write_durably(target, b"new", mode=0o644)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o644
