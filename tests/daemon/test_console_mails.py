"""`held`, `release`, `export`, `import`: mail that could not be handled, in the operator's hands."""

import hashlib
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from daemon import audit, intake, ledger, schema
from daemon.blobs import Blobs
from daemon.demo.stage import APPROVERS, AUTHSERV_ID
from daemon.mail_sizes import octets
from daemon.store import Store, every
from support.rooms import Drawn

MENDED = b"From: mended@aozora.example\r\nSubject: =?utf-8?b?55Sz6KuL?=\r\nMessage-ID: <m@x>\r\n\r\nmended\r\n"
WHY = "could not be read in 3 attempts"


@pytest.fixture
def rooms(copied):
    """The store and the blobs of the centre that the command line works on."""
    store = Store(f"sqlite:///{copied / 'demo.sqlite'}")
    yield SimpleNamespace(store=store, blobs=Blobs(copied / "centre" / "blobs", Drawn()), folder=copied)
    store.close()


@pytest.fixture
def stuck(rooms, finished):
    """A mail that is held."""
    raw = b"From: x@aozora.example\r\n\r\nstuck"
    with rooms.store.transaction() as tx:
        arrived = finished.clock() - timedelta(days=2)
        number = ledger.add(tx, digest=rooms.blobs.put(raw), size=len(raw), arrived_at=arrived, now=finished.clock())
        for _ in range(3):
            ledger.count_attempt(tx, ledger.get(tx, number))
        ledger.settle(tx, number, state="held", outcome="held", folder="LRA-Staff", reason=WHY)
        return ledger.get(tx, number)


@pytest.fixture
def mended(tmp_path):
    path = tmp_path / "mended.eml"
    path.write_bytes(MENDED)
    return path


def row_of(rooms, number):
    with rooms.store.transaction() as tx:
        return ledger.get(tx, number)


def kinds(rooms, count):
    with rooms.store.transaction() as tx:
        return [(record.kind, record.actor) for record in audit.records(tx)][-count:]


def test_held_lists_number_arrival_size_attempts_and_reason(lra, stuck):
    answered = lra("held")
    assert answered.code == 0
    line = answered.out.splitlines()[1]
    assert line.startswith(str(stuck.id))
    assert all(word in line for word in ("31 B", "3回", WHY, "2026-04-0"))
    (row,) = lra("held", "--json").document
    assert (row["id"], row["octets"], row["attempts"], row["reason"]) == (stuck.id, 31, 3, WHY)
    assert row["arrived_at"] == stuck.arrived_at.isoformat()


def test_held_says_so_where_there_is_nothing(lra):
    assert lra("held").out == "保留中のメールはありません。\n"
    assert lra("held", "--json").document == []


def test_a_released_mail_is_read_again_as_if_never_tried_and_the_log_knows(lra, rooms, stuck):
    answered = lra("release", str(stuck.id), "--json")
    assert (answered.code, answered.document["state"]) == (0, "stored")
    row = row_of(rooms, stuck.id)
    assert (row.state, row.attempts, row.reason, row.folder) == ("stored", 0, "", "")
    with rooms.store.transaction() as tx:
        assert [mail.id for mail in ledger.unread(tx)] == [stuck.id]
    assert kinds(rooms, 1) == [("mail_released", "operator")]
    assert lra("verify").code == 0


def test_only_a_held_mail_can_be_released(lra, rooms, stuck):
    answered = lra("release", "1")
    assert answered.code == 1
    assert "is not held: it is read" in answered.out
    assert lra("release", "999").code == 2
    assert "there is no mail 999" in lra("release", "999").err
    rooms.blobs.erase(stuck.digest)
    answered = lra("release", str(stuck.id))
    assert answered.code == 1
    assert "was erased" in answered.out
    assert row_of(rooms, stuck.id).state == "held"


def test_export_writes_the_very_bytes_for_the_owner_only(lra, rooms, stuck, tmp_path):
    out = tmp_path / "out.eml"
    answered = lra("export", str(stuck.id), "--out", str(out), "--json")
    assert answered.code == 0
    assert answered.document["file"] == str(out)
    assert out.read_bytes() == rooms.blobs.get(stuck.digest)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == answered.document["digest"]
    assert out.stat().st_mode & 0o777 == 0o600


def test_export_names_the_file_itself_and_overwrites_none(lra, stuck, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lra("export", str(stuck.id)).code == 0
    before = (tmp_path / f"mail-{stuck.id}.eml").read_bytes()
    answered = lra("export", str(stuck.id))
    assert answered.code == 2
    assert "is there already" in answered.err
    assert (tmp_path / f"mail-{stuck.id}.eml").read_bytes() == before


def test_export_of_what_was_erased_or_damaged_says_so_and_leaves_no_file(lra, rooms, stuck, tmp_path):
    out = tmp_path / "out.eml"
    sealed = rooms.blobs.folder / stuck.digest[:1] / f"{stuck.digest}.sealed"
    sealed.write_bytes(sealed.read_bytes()[:-1])
    answered = lra("export", str(stuck.id), "--out", str(out))
    assert (answered.code, "damaged" in answered.out) == (1, True)
    rooms.blobs.erase(stuck.digest)
    answered = lra("export", str(stuck.id), "--out", str(out))
    assert (answered.code, "was erased" in answered.out) == (1, True)
    assert not out.exists()


def test_an_imported_mail_enters_the_ledger_and_waits_to_be_read(lra, rooms, mended, finished):
    answered = lra("import", str(mended), "--json")
    assert (answered.code, answered.document["state"]) == (0, "stored")
    row = row_of(rooms, answered.document["id"])
    assert (row.digest, row.size, row.arrived_at) == (
        hashlib.sha256(MENDED).hexdigest(),
        len(MENDED),
        finished.clock(),
    )
    assert rooms.blobs.get(row.digest) == MENDED
    assert kinds(rooms, 1) == [("mail_imported", "operator")]
    with rooms.store.transaction() as tx:
        assert ledger.came_by_file(tx, row.id)
        assert not every(tx, select(schema.sightings).where(schema.sightings.c.filed_at.is_(None)))


def test_the_same_bytes_are_imported_once(lra, rooms, mended, stuck, tmp_path):
    assert lra("import", str(mended)).code == 0
    answered = lra("import", str(mended))
    assert answered.code == 1
    assert "refused: these very bytes are mail" in answered.out
    assert "which is stored" in answered.out
    copy = tmp_path / "copy.eml"
    copy.write_bytes(rooms.blobs.get(stuck.digest))
    assert f"`ogis-lra release {stuck.id}`" in lra("import", str(copy)).out


def test_a_mended_mail_takes_the_place_and_the_arrival_of_the_held_one(lra, rooms, mended, stuck):
    answered = lra("import", str(mended), "--for", str(stuck.id), "--json")
    assert answered.code == 0
    fresh = row_of(rooms, answered.document["id"])
    assert fresh.arrived_at == stuck.arrived_at
    old = row_of(rooms, stuck.id)
    assert (old.state, old.outcome, old.reason) == ("read", "replaced", f"replaced by mail {fresh.id}")
    assert lra("held", "--json").document == []


def test_a_mail_that_is_not_held_is_not_replaced(lra, rooms, mended):
    answered = lra("import", str(mended), "--for", "1")
    assert (answered.code, "is not held" in answered.out) == (1, True)
    assert lra("import", str(mended), "--for", "999").code == 2
    with rooms.store.transaction() as tx:
        assert ledger.find(tx, hashlib.sha256(MENDED).hexdigest()) is None


@pytest.mark.parametrize("content", [b"", b"no header at all", b"%PDF-1.7\n1 0 obj: <<>>"])
def test_a_file_that_is_no_mail_is_refused(lra, tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    answered = lra("import", str(path))
    assert answered.code == 2
    assert "is no mail" in answered.err
    assert lra("import", str(tmp_path / "missing")).code == 2


def test_what_was_erased_does_not_come_back_by_import(lra, rooms, mended):
    rooms.blobs.erase(hashlib.sha256(MENDED).hexdigest())
    answered = lra("import", str(mended))
    assert (answered.code, "erased on purpose" in answered.out) == (1, True)


APPROVER, _ = APPROVERS


def test_a_mail_from_a_file_cannot_vouch_for_itself(stage):
    """A person who may import mail must not be able to decide: the stamp above the header is the file's own word."""
    stamp = f"Authentication-Results: {AUTHSERV_ID}; auth=pass smtp.auth={APPROVER}\r\nReceived: from x by y\r\n"
    raw = f"{stamp}From: {APPROVER}\r\nSubject: x\r\n\r\n承認\r\n".encode()
    seen = []
    centre = stage.centre
    with centre.store.transaction() as tx:
        number = ledger.add_file(
            tx, digest=centre.blobs.put(raw), size=len(raw), arrived_at=centre.clock(), now=centre.clock()
        )
    with pytest.MonkeyPatch.context() as patched:
        received = intake.receive
        patched.setattr(intake, "receive", lambda *a, **k: seen.append(a[2].verdict) or received(*a, **k))
        assert intake.read(centre) == 1
    with centre.store.transaction() as tx:
        assert ledger.get(tx, number).state == "read"
    assert not seen[0].accepted


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (211_000, "211.0 kB"), (200_000_000, "200.0 MB")]
)
def test_sizes_are_told_in_their_unit(size, words):
    assert octets(size) == words
