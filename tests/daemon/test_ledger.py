"""The ledger: every mail once by its bytes, every place it was seen once by UID, nothing lost when the UIDs change."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from daemon import audit, disk_room, gauges, intake, ledger, schema
from daemon.blobs import BlobErased
from daemon.failures import Failure, Kind, MailboxRefused, MailboxUnavailable
from daemon.incoming import BATCH_BYTES
from daemon.ledger import Arrival, Place
from daemon.store import Conflict, every
from support.centres import START
from support.folders import Folder, settle_all
from support.rooms import bare_centre

HERE = Place("ogis-lra@lra.example@127.0.0.1", "INBOX", 7)
DIGEST = "a" * 64


@pytest.fixture
def centre(tmp_path):
    opened = bare_centre(tmp_path)
    yield opened
    opened.store.close()


def note(centre, uid, digest=DIGEST, place=HERE):
    with centre.store.transaction() as tx:
        (recorded,) = ledger.record(tx, place, [Arrival(uid, digest, 3, START)], now=START)
        return recorded


def count(centre, table):
    with centre.store.transaction() as tx:
        return len(every(tx, select(table)))


def test_a_uid_stands_in_the_ledger_once(centre):
    assert note(centre, 5).new
    again = note(centre, 5)
    assert (again.new, again.instead_of) == (False, None)
    with centre.store.transaction() as tx:
        assert list(ledger.seen(tx, HERE, [4, 5, 6])) == [5]
    assert (count(centre, schema.mails), count(centre, schema.sightings)) == (1, 1)


def test_a_uid_under_which_other_bytes_lie_is_another_mail_and_the_old_one_keeps_its_row(centre):
    first = note(centre, 5)
    second = note(centre, 5, "b" * 64)
    assert (second.new, second.instead_of) == (True, first.mail_id)
    assert (count(centre, schema.mails), count(centre, schema.sightings)) == (2, 1)
    with centre.store.transaction() as tx:
        assert ledger.seen(tx, HERE, [5])[5].mail_id == second.mail_id


def test_the_same_bytes_again_are_one_mail_with_two_sightings(centre):
    assert note(centre, 5).new
    assert not note(centre, 6).new
    assert (count(centre, schema.mails), count(centre, schema.sightings)) == (1, 2)


def test_the_same_bytes_twice_in_one_batch_are_one_new_mail(centre):
    arrivals = [Arrival(1, DIGEST, 3, START), Arrival(2, "b" * 64, 3, START), Arrival(3, DIGEST, 3, START)]
    with centre.store.transaction() as tx:
        recorded = ledger.record(tx, HERE, arrivals, now=START)
        assert [mail.digest for mail in ledger.unread(tx)] == [DIGEST, "b" * 64]
    assert [each.new for each in recorded] == [True, True, False]
    assert recorded[0].mail_id == recorded[2].mail_id
    assert (count(centre, schema.mails), count(centre, schema.sightings)) == (2, 3)


def test_many_uids_are_asked_for_in_blocks(centre):
    for uid in (1, 500, 501, 1999):
        note(centre, uid)
    with centre.store.transaction() as tx:
        assert sorted(ledger.seen(tx, HERE, range(1, 2001))) == [1, 500, 501, 1999]


def test_a_mail_under_a_used_uid_is_taken_in_and_the_log_says_so(centre):
    folder = Folder()
    folder.add(b"one")
    assert intake.fetch(centre, folder) == 1
    folder.reuse(1, b"two")
    assert intake.fetch(centre, folder) == 1
    assert intake.fetch(centre, folder) == 0
    with centre.store.transaction() as tx:
        assert [mail.size for mail in ledger.unread(tx)] == [3, 3]
        assert [(record.kind, record.detail) for record in audit.records(tx)] == [
            ("uid_reused", {"mail": 2, "instead_of": 1})
        ]
    settle_all(centre)
    assert intake.file(centre, folder) == 1
    assert folder.filed == [(b"two", "LRA-Processed")]


def test_a_copy_that_a_person_moves_back_and_one_in_another_folder_are_the_mail_that_is_known(centre):
    inbox = Folder()
    inbox.add(b"one")
    intake.fetch(centre, inbox)
    settle_all(centre)
    intake.file(centre, inbox)
    inbox.add(b"one")
    assert intake.fetch(centre, inbox) == 0
    note(centre, 1, hashlib.sha256(b"one").hexdigest(), Place(HERE.account, "Junk", 1))
    assert (count(centre, schema.mails), count(centre, schema.sightings)) == (1, 3)
    with centre.store.transaction() as tx:
        assert ledger.unread(tx) == []


def test_the_message_id_of_a_mail_decides_nothing(centre):
    """Repeated, missing or nonsense: every mail of other bytes is a mail of its own."""
    folder = Folder()
    heads = [b"Message-ID: <a@b>", b"Message-ID: <a@b>", b"X: y", b"X: y", b"Message-ID: <@@0@x>"]
    for number, head in enumerate(heads):
        folder.add(head + b"\r\n\r\n%d" % number)
    assert intake.fetch(centre, folder) == len(heads)
    with centre.store.transaction() as tx:
        assert len(ledger.unread(tx)) == len(heads)


def test_the_same_uid_in_another_folder_account_or_life_is_another_place(centre):
    places = [HERE, Place(HERE.account, "Junk", 7), Place("other", "INBOX", 7), Place(HERE.account, "INBOX", 8)]
    for place in places:
        note(centre, 5, place=place)
    assert (count(centre, schema.mails), count(centre, schema.sightings)) == (1, 4)


def test_attempts_are_counted_only_while_the_mail_waits(centre):
    note(centre, 5)
    with centre.store.transaction() as tx:
        (row,) = ledger.unread(tx)
        ledger.count_attempt(tx, row)
        assert ledger.get(tx, row.id).attempts == 1
        ledger.settle(tx, row.id, state="held", outcome="held", folder="LRA-Staff", reason="why")
        assert [mail.reason for mail in ledger.held(tx)] == ["why"]
        assert ledger.unread(tx) == []
    for again in (
        lambda tx: ledger.count_attempt(tx, row),
        lambda tx: ledger.settle(tx, row.id, state="read", outcome="x", folder="y"),
    ):
        with pytest.raises(Conflict), centre.store.transaction() as tx:
            again(tx)


def test_an_unknown_mail_is_an_error(centre):
    with pytest.raises(KeyError), centre.store.transaction() as tx:
        ledger.get(tx, 99)


class Stingy(Folder):
    """Gives the first of its mails to no end, as servers do with a damaged one."""

    def mails(self, uids):
        for mail in super().mails(uids):
            yield replace(mail, size=BATCH_BYTES + 1, pieces=self._broken) if mail.uid == 1 else mail

    @staticmethod
    def _broken():
        yield b"the beginning"
        raise MailboxUnavailable("piece")


def test_a_large_mail_that_the_server_does_not_give_to_its_end_holds_up_none_behind_it(centre):
    folder = Stingy()
    folder.add(b"large")
    folder.add(b"small")
    with pytest.raises(MailboxUnavailable):
        intake.fetch(centre, folder)
    with centre.store.transaction() as tx:
        assert [row.size for row in ledger.unread(tx)] == [5]
        assert gauges.values(tx)["mailbox_missing"] == 1


def test_a_mail_for_which_there_is_no_room_lets_smaller_ones_in(centre, monkeypatch):
    folder = Folder()
    folder.add(b"x" * 1000)
    folder.add(b"small")

    def require(_centre, octets=0):
        if octets >= 1000:
            raise Failure(Kind.DISK_FULL)

    monkeypatch.setattr(disk_room, "require", require)
    with pytest.raises(Failure):
        intake.fetch(centre, folder)
    with centre.store.transaction() as tx:
        assert [row.size for row in ledger.unread(tx)] == [5]


def test_a_folder_that_cannot_be_had_keeps_back_only_its_own_mails(centre):
    folder = Folder()
    for raw in (b"to staff", b"to the processed"):
        folder.add(raw)
    intake.fetch(centre, folder)
    with centre.store.transaction() as tx:
        for row, target in zip(ledger.unread(tx), ("LRA-Staff", "LRA-Processed"), strict=True):
            ledger.settle(tx, row.id, state="read", outcome="application", folder=target)
    moved = folder.file

    def refuse(uid, target):
        if target == "LRA-Staff":
            raise MailboxRefused(Kind.MAILBOX_FOLDER, "NO")
        moved(uid, target)

    folder.file = refuse
    with pytest.raises(MailboxRefused):
        intake.file(centre, folder)
    assert folder.filed == [(b"to the processed", "LRA-Processed")]


def test_a_stop_ends_the_reading_of_a_backlog_between_two_mails(centre):
    note(centre, 5)
    centre.stop.request()
    assert intake.read(centre) == 0
    with centre.store.transaction() as tx:
        assert [row.attempts for row in ledger.unread(tx)] == [0]


def test_a_mail_is_filed_only_after_it_was_settled_and_only_once(centre):
    folder = Folder()
    folder.add(b"one")
    assert intake.fetch(centre, folder) == 1
    assert intake.file(centre, folder) == 0
    settle_all(centre)
    assert intake.file(centre, folder) == 1
    assert intake.file(centre, folder) == 0
    assert folder.filed == [(b"one", "LRA-Processed")]


def test_a_mail_that_is_seen_again_after_it_was_dealt_with_is_only_filed(centre):
    folder = Folder()
    folder.add(b"one")
    intake.fetch(centre, folder)
    settle_all(centre)
    folder.add(b"one")
    assert intake.fetch(centre, folder) == 0
    assert intake.file(centre, folder) == 2
    with centre.store.transaction() as tx:
        assert ledger.unread(tx) == []


def test_a_mail_that_is_to_be_forgotten_is_forgotten_whenever_the_stop_comes_and_its_row_stays(centre, monkeypatch):
    folder = Folder()
    folder.add(b"a password")
    intake.fetch(centre, folder)
    with centre.store.transaction() as tx:
        (row,) = ledger.unread(tx)
        ledger.ask_erasure(tx, row.id, now=START)
        ledger.ask_erasure(tx, row.id, now=START + timedelta(days=1))
        assert ledger.get(tx, row.id).erasure_asked_at == START
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "note_erased", stop)
        with pytest.raises(KeyboardInterrupt):
            intake.erase(centre)
    with pytest.raises(BlobErased):
        centre.blobs.get(row.digest)
    assert intake.erase(centre) == 1
    assert intake.erase(centre) == 0
    folder.add(b"a password")
    assert intake.fetch(centre, folder) == 0
    with centre.store.transaction() as tx:
        kept = ledger.get(tx, row.id)
        assert (kept.digest, kept.size, kept.erased_at) == (row.digest, 10, centre.clock())
        assert [record.kind for record in audit.records(tx)] == ["mail_erased"]
    with pytest.raises(BlobErased):
        centre.blobs.get(row.digest)


def stop(*_, **__):
    raise KeyboardInterrupt


ACTIONS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=2).map(lambda raw: ("add", raw)),
        st.tuples(st.just("reuse"), st.binary(min_size=3, max_size=4)),
        st.sampled_from([("renumber", b""), ("fetch", b""), ("settle", b""), ("file", b"")]),
    ),
    max_size=14,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(ACTIONS)
def test_whatever_becomes_of_the_uids_no_mail_is_lost_and_none_is_doubled(tmp_path_factory, actions):
    centre, folder, added = bare_centre(tmp_path_factory.mktemp("ledger")), Folder(), []

    def reuse(raw):
        """The newest mail was fetched and taken away by somebody, and its UID is given to another."""
        if folder.mails_there and not folder.dates.get(folder.last):
            intake.fetch(centre, folder)
            folder.filed += (
                [(folder.mails_there[folder.last], "elsewhere")] if folder.last in folder.mails_there else []
            )
            folder.reuse(folder.last, raw)
            added.append(raw)

    work = {
        "add": lambda raw: (folder.add(raw), added.append(raw)),
        "reuse": reuse,
        "renumber": lambda _: folder.renumber(),
        "fetch": lambda _: intake.fetch(centre, folder),
        "settle": lambda _: settle_all(centre),
        "file": lambda _: intake.file(centre, folder),
    }
    for name, raw in [*actions, ("fetch", b""), ("settle", b""), ("file", b"")]:
        work[name](raw)
    with centre.store.transaction() as tx:
        digests = [row["digest"] for row in every(tx, select(schema.mails.c.digest))]
    centre.store.close()
    assert sorted(digests) == sorted({centre.blobs.put(raw) for raw in added})
    assert folder.mails_there == {}
    assert sorted(raw for raw, _ in folder.filed) == sorted(added)
