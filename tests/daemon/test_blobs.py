"""Blobs: bytes on disk under their digest, each under a key of its own; whole or not at all; erased for good."""

import fcntl
import hashlib
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.blobs import BlobErased, BlobMissing, Blobs, write_durably
from daemon.sealing import PIECE, SealBroken, pieces, seal, unseal
from support.centres import START
from support.rooms import Drawn

KEY = b"k" * 32


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs", Drawn())


def sealed(blobs, digest):
    return blobs.folder / digest[:1] / f"{digest}.sealed"


def plain(blobs, data):
    """A blob as stages 1 and 2 wrote it."""
    digest = hashlib.sha256(data).hexdigest()
    write_durably(blobs.folder / digest[:2] / digest, data)
    return digest


def files(blobs):
    return [path for path in blobs.folder.parent.rglob("*") if path.is_file()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=300))
def test_any_bytes_come_back_as_they_were(blobs, data):
    digest = blobs.put(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert blobs.get(digest) == data


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 9, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 3]), max_size=4))
def test_bytes_cut_anyhow_are_sealed_in_equal_pieces_and_come_back(sizes):
    data = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    cut = list(pieces(data))
    assert b"".join(piece for piece, _ in cut) == b"".join(data)
    assert [last for _, last in cut] == [False] * (len(cut) - 1) + [True]
    assert all(len(piece) == PIECE for piece, last in cut if not last)


def test_a_stream_is_stored_as_the_same_bytes_at_once_would_be(blobs):
    chunks = [b"a" * PIECE, b"", b"b" * 5, b"c" * PIECE * 2]
    stored = blobs.put_stream(iter(chunks))
    assert (stored.digest, stored.size) == (hashlib.sha256(b"".join(chunks)).hexdigest(), 3 * PIECE + 5)
    assert b"".join(blobs.stream(stored.digest)) == b"".join(chunks)
    assert blobs.put(b"".join(chunks)) == stored.digest
    assert len(files(blobs)) == 2


def test_the_same_bytes_are_stored_once(blobs):
    digest = blobs.put(b"mail")
    before = {path: path.stat().st_mtime_ns for path in files(blobs)}
    assert blobs.put(b"mail") == digest
    assert {path: path.stat().st_mtime_ns for path in files(blobs)} == before


def test_many_are_stored_as_each_alone_would_be_and_the_same_bytes_once(blobs):
    known = blobs.put(b"2")
    blobs.erase(blobs.put(b"4"))
    stored = blobs.put_many([b"1", b"2", b"3", b"1", b"4", b""])
    assert [each.digest for each in stored] == [
        hashlib.sha256(raw).hexdigest() for raw in (b"1", b"2", b"3", b"1", b"4", b"")
    ]
    assert stored[1].digest == known
    assert [blobs.get(each.digest) for each in (*stored[:4], stored[5])] == [b"1", b"2", b"3", b"1", b""]
    with pytest.raises(BlobErased):
        blobs.get(stored[4].digest)
    assert not [path for path in files(blobs) if path.suffix == ".part"]


def test_only_the_service_may_read_them_and_none_is_readable_without_its_key(blobs):
    digest = blobs.put(b"a mail that nobody else reads")
    for path in files(blobs):
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"nobody else" not in path.read_bytes()
    assert blobs.keys.folder.stat().st_mode & 0o777 == 0o700
    (blobs.keys.folder / digest[:1]).unlink()
    with pytest.raises(BlobMissing):
        blobs.get(digest)


def test_two_blobs_have_two_keys(blobs):
    digests = [blobs.put(bytes([number])) for number in range(20)]
    keys = set()
    for digest in digests:
        with blobs.keys.open(digest) as table:
            keys.add(table.find(digest))
    assert len(keys) == 20


def test_missing_bytes_are_an_error(blobs):
    with pytest.raises(BlobMissing, match="cannot be read"):
        blobs.get("0" * 64)


@pytest.mark.parametrize("change", ["empty", "short", "other", "longer", "swapped"])
def test_damaged_bytes_are_an_error_and_are_healed_by_the_same_bytes_coming_again(blobs, change):
    data = b"x" * (2 * PIECE + 9)
    digest = blobs.put(data)
    path = sealed(blobs, digest)
    raw = path.read_bytes()
    piece = PIECE + 16
    path.write_bytes(
        {
            "empty": b"",
            "short": raw[: 2 * piece],
            "other": raw[:-1] + bytes([raw[-1] ^ 1]),
            "longer": raw + b"\0",
            "swapped": raw[piece : 2 * piece] + raw[:piece] + raw[2 * piece :],
        }[change]
    )
    with pytest.raises(BlobMissing, match="damaged"):
        blobs.get(digest)
    assert blobs.put(data) == digest
    assert blobs.get(digest) == data


def test_a_sealed_stream_is_opened_by_its_key_only(tmp_path):
    path = tmp_path / "sealed"
    path.write_bytes(b"".join(seal(KEY, [b"secret"])))
    with path.open("rb") as file, pytest.raises(SealBroken):
        list(unseal(b"o" * 32, file))


def test_plain_blobs_of_an_older_data_folder_stay_readable(blobs):
    digest = plain(blobs, b"old mail")
    assert blobs.get(digest) == b"old mail"
    assert blobs.put(b"old mail") == digest
    assert not sealed(blobs, digest).exists()
    (blobs.folder / digest[:2] / digest).write_bytes(b"old maiL")
    with pytest.raises(BlobMissing, match="damaged"):
        blobs.get(digest)


# --- erasing


@pytest.mark.parametrize("store", [lambda blobs: blobs.put(b"secret"), lambda blobs: plain(blobs, b"secret")])
def test_what_was_erased_is_gone_for_good_and_only_that(blobs, store):
    digest, other = store(blobs), blobs.put(b"other")
    backup = {path: path.read_bytes() for path in blobs.folder.rglob("*.sealed")}
    assert not blobs.erased(digest)
    for _ in range(2):
        blobs.erase(digest)
        with pytest.raises(BlobErased):
            blobs.get(digest)
        assert blobs.erased(digest)
    assert blobs.get(other) == b"other"
    # The sealed bytes of a backup open nothing.
    for path, raw in backup.items():
        path.write_bytes(raw)
    with pytest.raises(BlobErased):
        blobs.get(digest)
    # Another process, or the next start, finds the same.
    with pytest.raises(BlobErased):
        Blobs(blobs.folder, Drawn()).get(digest)


def test_the_key_of_an_erased_blob_stands_in_no_file(blobs):
    digest = blobs.put(b"secret")
    with blobs.keys.open(digest) as table:
        key = table.find(digest)
    assert key in (blobs.keys.folder / digest[:1]).read_bytes()
    blobs.erase(digest)
    assert not any(key in path.read_bytes() for path in files(blobs))


def test_erased_bytes_that_come_again_are_stored_only_where_that_is_wanted(blobs):
    digest = blobs.put(b"secret")
    blobs.erase(digest)
    assert blobs.put(b"secret") == digest
    assert blobs.put_stream([b"secret"]).digest == digest
    with pytest.raises(BlobErased):
        blobs.get(digest)
    blobs.put(b"secret", anew=True)
    assert blobs.get(digest) == b"secret"
    blobs.erase(digest)
    with pytest.raises(BlobErased):
        blobs.get(digest)


def test_bytes_may_be_erased_before_they_ever_came(blobs):
    digest = hashlib.sha256(b"secret").hexdigest()
    blobs.erase(digest)
    blobs.put(b"secret")
    with pytest.raises(BlobErased):
        blobs.get(digest)


# --- stops


class Halted(BaseException):
    """The process ends here."""


def stop_at(monkeypatch, call, number):
    """End at the `number`th call that touches the disk (`call` names which), before it is carried out."""
    done = []
    original = {name: getattr(owner, name) for owner, name in TOUCHES}

    def touch(name):
        def tried(*args, **kwargs):
            done.append(name)
            if len(done) == number:
                raise Halted
            return original[name](*args, **kwargs)

        return tried

    for owner, name in TOUCHES:
        monkeypatch.setattr(owner, name, touch(name))
    try:
        call()
    except Halted:
        return True
    return False


TOUCHES = [(os, "fsync"), (os, "pwrite"), (Path, "rename"), (Path, "unlink"), (Path, "mkdir")]


def test_a_stop_at_any_step_of_storing_leaves_nothing_half_and_the_next_try_stores(tmp_path, monkeypatch):
    for number in range(1, 100):
        blobs = Blobs(tmp_path / str(number) / "blobs", Drawn())
        with monkeypatch.context() as patched:
            stopped = stop_at(patched, lambda blobs=blobs: blobs.put(b"mail"), number)
        after = Blobs(blobs.folder, Drawn())
        after._random_bytes.count = 1000
        try:
            assert after.get(hashlib.sha256(b"mail").hexdigest()) == b"mail"
        except BlobMissing:
            assert stopped
        digest = after.put(b"mail")
        assert after.get(digest) == b"mail"
        if not stopped:
            break
    assert number > 8


def test_a_stop_at_any_step_of_storing_many_leaves_each_whole_or_missing(tmp_path, monkeypatch):
    mails = [bytes([number]) for number in range(6)]
    for number in range(1, 200):
        blobs = Blobs(tmp_path / str(number) / "blobs", Drawn())
        with monkeypatch.context() as patched:
            stopped = stop_at(patched, lambda blobs=blobs: blobs.put_many(mails), number)
        after = Blobs(blobs.folder, Drawn())
        after._random_bytes.count = 1000
        for mail in mails:
            try:
                assert after.get(hashlib.sha256(mail).hexdigest()) == mail
            except BlobMissing:
                assert stopped
        assert [after.get(each.digest) for each in after.put_many(mails)] == mails
        if not stopped:
            break
    assert number > 20


def test_a_stop_at_any_step_of_erasing_leaves_it_whole_or_gone_and_the_next_try_erases(tmp_path, monkeypatch):
    for number in range(1, 100):
        blobs = Blobs(tmp_path / str(number) / "blobs", Drawn())
        digest = blobs.put(b"mail")
        with monkeypatch.context() as patched:
            stopped = stop_at(patched, lambda blobs=blobs, digest=digest: blobs.erase(digest), number)
        after = Blobs(blobs.folder, Drawn())
        try:
            assert after.get(digest) == b"mail"
            assert stopped
        except BlobErased:
            pass
        after.erase(digest)
        with pytest.raises(BlobErased):
            after.get(digest)
        assert not sealed(blobs, digest).exists()
        if not stopped:
            break
    assert number > 3


def test_a_key_is_durable_before_the_blob_gets_its_name_and_both_before_it_counts_as_stored(blobs, monkeypatch):
    blobs.put(b"the folders are there")
    done = []
    fsync, rename = os.fsync, Path.rename

    def noted(descriptor):
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(blobs.folder.parent).parts[0:2])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "rename", lambda self, target: done.append("rename") or rename(self, target))
    digest = blobs.put(b"mail")
    synced = [each for each in done if each == "rename" or each[-1] not in ("blobs", "blob-keys")]
    assert synced[0][1].endswith(".part")
    assert synced[1:] == [("blob-keys", digest[:1]), "rename", ("blobs", digest[:1])]


def test_a_torn_record_at_the_end_of_a_key_table_opens_nothing_and_hides_nothing(blobs):
    digest = blobs.put(b"mail")
    table = blobs.keys.folder / digest[:1]
    whole = table.read_bytes()
    table.write_bytes(whole + whole[:70])
    assert blobs.get(digest) == b"mail"
    with blobs.keys.open(digest) as opened:
        opened.add({digest[:1] + "0" * 63: KEY})
    assert len(table.read_bytes()) == 256
    assert blobs.get(digest) == b"mail"


def test_a_record_that_was_half_overwritten_opens_nothing(blobs):
    digest = blobs.put(b"mail")
    table = blobs.keys.folder / digest[:1]
    raw = bytearray(table.read_bytes())
    raw[48:64] = bytes(16)
    table.write_bytes(raw)
    with pytest.raises(BlobMissing):
        blobs.get(digest)
    blobs.erase(digest)
    with pytest.raises(BlobErased):
        blobs.get(digest)


def test_an_interrupted_stream_leaves_no_file_behind(blobs):
    def breaking():
        yield b"x" * PIECE * 2
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        blobs.put_stream(breaking())
    assert files(blobs) == []


def test_what_a_crash_left_half_written_is_swept_away_when_it_is_old(blobs):
    digest = blobs.put(b"mail")
    left = blobs.folder / f".{'0' * 32}.part"
    left.write_bytes(b"half")
    os.utime(left, (START.timestamp(), START.timestamp()))
    assert blobs.sweep(START + timedelta(hours=23)) == 0
    assert blobs.sweep(START + timedelta(hours=25)) == 1
    assert not left.exists()
    assert blobs.get(digest) == b"mail"


def test_two_processes_never_hold_one_table_together(blobs):
    digest = blobs.put(b"mail")
    waiting = threading.Event()
    got = []

    def read():
        waiting.set()
        got.append(Blobs(blobs.folder, Drawn()).get(digest))

    with blobs.keys.open(digest) as table:
        with (blobs.keys.folder / digest[:1]).open("rb") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        thread = threading.Thread(target=read)
        thread.start()
        waiting.wait()
        assert got == []
        table.forget("0" * 64)
    thread.join()
    assert got == [b"mail"]


# --- the ground: durable files


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
