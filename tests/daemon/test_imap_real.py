"""The door to the mailbox and what only a real server does: lost capabilities, prefixes, restarts, large mails."""

import threading
import time
import tracemalloc
from pathlib import Path

import pytest

from config.credentials import Secret
from daemon import imap, incoming
from daemon.failures import outward
from daemon.imap import Account, Mailbox, MailboxUnavailable
from support.real_servers import RealMailServer
from support.servers import Postbox, make_message, make_postbox
from support.wires import Proxy, ScriptedImap

pytest_plugins = ("support.servers",)

LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 4 * 16_000 + b"\r\nend\r\n"


@pytest.fixture
def server(either_server):
    return either_server


@pytest.fixture
def real(real_server) -> Postbox:
    return make_postbox(real_server)


@pytest.fixture(
    params=[
        {"without": ["MOVE"]},
        {"without": ["MOVE", "UIDPLUS"]},
        {"without": ["IDLE", "NAMESPACE", "CONDSTORE", "QRESYNC", "SPECIAL-USE"]},
        {"prefix": "INBOX."},
    ],
    ids=["no MOVE", "no MOVE, no UIDPLUS", "no IDLE, no NAMESPACE", "prefix INBOX."],
)
def poorer(request):
    with RealMailServer(**request.param) as running:
        yield make_postbox(running)


def test_a_poorer_server_gets_its_mail_filed_all_the_same(poorer):
    for subject in ("one", "two", "three"):
        poorer.receive(make_message(subject=subject))
    with Mailbox.open(poorer.account()) as mailbox:
        first, second, third = mailbox.uids()
        mailbox.file(second, "処理済み/2026")
        assert mailbox.uids() == [first, third]
        mailbox.file(first, "処理済み/2026")
        mailbox.wait(0.01)
        mailbox.file(third, "LRA-Staff")
        assert mailbox.uids() == []
    assert [b"Subject: two" in raw for raw in poorer.messages("処理済み/2026")] == [True, False]
    assert len(poorer.messages("LRA-Staff")) == 1
    assert poorer.messages() == []


def test_a_uidvalidity_that_changes_ends_the_use_of_the_uids(real):
    real.receive(make_message())
    mailbox = Mailbox.open(real.account())
    before, uids = mailbox.uidvalidity, mailbox.uids()
    real.server.reset_uidvalidity(real.address)
    with mailbox:
        for _ in range(2):
            with pytest.raises(MailboxUnavailable):
                list(mailbox.fetch(uids))
    with Mailbox.open(real.account()) as mailbox:
        assert mailbox.uidvalidity != before
        assert [mail.raw for mail in mailbox.fetch(mailbox.uids())] == real.messages()


def wait_and_look_until_it_breaks(mailbox):
    while True:
        mailbox.wait(60)
        mailbox.uids()


@pytest.mark.parametrize("hard", [False, True])
def test_a_restart_of_the_server_while_we_wait_is_an_error_at_once_and_mends_itself(hard):
    with RealMailServer() as running:
        postbox = make_postbox(running)
        postbox.receive(make_message())
        with Mailbox.open(postbox.account()) as mailbox:
            uids = mailbox.uids()
            stopper = threading.Timer(0.2, running.dovecot.stop, kwargs={"hard": hard})
            stopper.start()
            began = time.monotonic()
            with pytest.raises(MailboxUnavailable):
                wait_and_look_until_it_breaks(mailbox)
            assert time.monotonic() - began < 20
            stopper.join()
            running.dovecot.start()
            assert outward(sleep=lambda _: None)(mailbox.uids) == uids


def test_a_large_mail_comes_in_pieces_octet_for_octet(server, monkeypatch):
    monkeypatch.setattr(incoming, "BATCH_BYTES", 100_000)
    monkeypatch.setattr(incoming, "PIECE_BYTES", 64_000)
    postbox = make_postbox(server)
    for raw in (make_message(subject="before"), LARGE, make_message(subject="after")):
        postbox.server.append(postbox.address, raw)
    with Mailbox.open(postbox.account()) as mailbox:
        mails = [(mail.size, list(mail.pieces())) for mail in mailbox.mails(mailbox.uids())]
        assert [b"".join(pieces) for _, pieces in mails] == postbox.messages()
        assert [size for size, _ in mails] == [len(raw) for raw in postbox.messages()]
        assert max(len(piece) for piece in mails[1][1]) == 64_000
        assert [mail.raw for mail in mailbox.fetch(mailbox.uids())] == postbox.messages()


@pytest.mark.parametrize("over", [0, 1, 63_999])
def test_the_last_piece_may_be_full_or_short(real, monkeypatch, over):
    monkeypatch.setattr(incoming, "BATCH_BYTES", 1000)
    monkeypatch.setattr(incoming, "PIECE_BYTES", 64_000)
    raw = b"Subject: x\r\n\r\n"
    raw += b"y" * (128_000 + over - len(raw) - 2) + b"\r\n"
    real.server.append(real.address, raw)
    with Mailbox.open(real.account()) as mailbox:
        assert [mail.raw for mail in mailbox.fetch(mailbox.uids())] == [raw]


@pytest.mark.parametrize(("given", "whole"), [(7, True), (0, False), (10**9, False)])
def test_pieces_may_be_shorter_than_asked_for_and_must_be_there(monkeypatch, given, whole):
    monkeypatch.setattr(incoming, "BATCH_BYTES", 10)
    monkeypatch.setattr(incoming, "PIECE_BYTES", 16)
    raw = b"Subject: pieces\r\n\r\nshort and many\r\n"

    def fetch(words):
        if "SIZE" in words[-2]:
            return (
                f'* 1 FETCH (UID 1 RFC822.SIZE {len(raw)} INTERNALDATE "01-Jul-2026 09:00:00 +0900")\r\n{{tag}} OK done'
            )
        offset = int(words[-1].partition("<")[2].partition(".")[0])
        piece = raw[offset : offset + given] if given < 10**9 else b"x" * 16  # no mail ends, or one never does
        if not given:
            return "{tag} OK done"
        return f"* 1 FETCH (UID 1 BODY[]<{offset}> {{{len(piece)}}}\r\n{piece.decode()})\r\n{{tag}} OK done"

    with ScriptedImap({"UID FETCH": fetch}) as server:
        account = Account("127.0.0.1", server.port, "plain", "u@lra.example", Secret("x"), read_timeout=5.0)
        with Mailbox.open(account) as mailbox:
            if whole:
                assert [mail.raw for mail in mailbox.fetch([1])] == [raw]
            elif not given:
                assert list(mailbox.fetch([1])) == []
                assert set(mailbox.withheld) == {1}, "withheld, and not an empty mail"
            else:
                with pytest.raises(MailboxUnavailable, match="piece"):
                    list(mailbox.fetch([1]))


def test_a_large_mail_is_never_in_memory_whole(real):
    size = 48 * 1024 * 1024
    real.server.append(real.address, b"Subject: x\r\n\r\n" + b"0123456789abcd\r\n" * (size // 16))
    with Mailbox.open(real.account(read_timeout=60.0)) as mailbox:
        uids = mailbox.uids()
        tracemalloc.start()
        try:
            taken = sum(len(piece) for mail in mailbox.mails(uids) for piece in mail.pieces())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert taken > size
    assert peak < 5 * incoming.PIECE_BYTES


def test_a_connection_cut_between_the_pieces_is_never_taken_for_the_end_of_the_mail(real, monkeypatch):
    monkeypatch.setattr(incoming, "BATCH_BYTES", 100_000)
    monkeypatch.setattr(incoming, "PIECE_BYTES", 64_000)
    real.server.append(real.address, LARGE)
    with Proxy(real.server.imap_port) as proxy, Mailbox.open(real.account(port=proxy.port)) as mailbox:
        uids = mailbox.uids()
        taken = []

        def fetch():
            taken.clear()
            for mail in mailbox.mails(uids):
                for piece in mail.pieces():
                    taken.append(piece)
                    if len(taken) == 2 and proxy.connections == 1:
                        proxy.hang_up()

        with pytest.raises(MailboxUnavailable):
            fetch()
        fetch()
        assert b"".join(taken) == real.messages()[0]


def test_a_large_folder_is_listed_in_windows(real, monkeypatch):
    """Not over the embedded server, which takes the numbers in UID SEARCH for UIDs and never holds so much."""
    monkeypatch.setattr(imap, "SEARCH_WINDOW", 4)
    postbox = real
    for number in range(11):
        postbox.server.append(postbox.address, make_message(subject=str(number)))
    with Mailbox.open(postbox.account()) as mailbox:
        uids = mailbox.uids()
        assert len(uids) == 11
        mailbox.file(uids[3], "Filed")
        postbox.receive(make_message())
        assert mailbox.uids()[:10] == [uid for uid in uids if uid != uids[3]]
        assert len(mailbox.uids()) == 11


def test_a_folder_of_three_hundred_thousand_mails_can_be_listed():
    """One line with all its UIDs is longer than the library reads."""
    count = 300_000

    def search(words):
        first, last = map(int, words[3].split(":"))
        return "* SEARCH " + " ".join(str(1_000_000 + each) for each in range(first, last + 1)) + "\r\n{tag} OK done"

    answers = {
        "SELECT": f"* {count} EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n{{tag}} OK [READ-WRITE] done",
        "STATUS": f'* STATUS "INBOX" (MESSAGES {count})\r\n{{tag}} OK done',
        "UID SEARCH": search,
    }
    with ScriptedImap(answers) as server:
        account = Account("127.0.0.1", server.port, "plain", "u@lra.example", Secret("x"), read_timeout=20.0)
        with Mailbox.open(account) as mailbox:
            uids = mailbox.uids()
    assert (len(uids), uids[0], uids[-1]) == (count, 1_000_001, 1_000_000 + count)


def test_a_folder_opened_for_reading_only_cannot_be_changed(server):
    postbox = make_postbox(server)
    postbox.receive(make_message("body-text", subject="junk"))
    with Mailbox.open(postbox.account(), readonly=True) as mailbox:
        (uid,) = mailbox.uids()
        (header,) = mailbox.headers([uid, uid + 9])
        assert b"Subject: junk" in header.raw
        assert b"body-text" not in header.raw
        assert header.internal_date.tzinfo is not None
        assert len(list(mailbox.fetch([uid]))) == 1
        with pytest.raises(ValueError, match="reading only"):
            mailbox.file(uid, "Filed")
    assert len(postbox.messages()) == 1


STAND_IN = (
    b"From: Microsoft Exchange Server\r\nSubject: Retrieval using the IMAP4 protocol failed for the following\r\n"
    b" message: 17\r\nContent-Type: text/plain\r\n\r\nThe server couldn't retrieve the following message.\r\n"
)


def test_exchanges_note_that_it_cannot_give_a_mail_is_not_taken_for_the_mail(server):
    postbox = make_postbox(server)
    for raw in (make_message(subject="one"), STAND_IN, make_message(subject="two")):
        postbox.server.append(postbox.address, raw)
    with Mailbox.open(postbox.account()) as mailbox:
        uids = mailbox.uids()
        assert [mail.uid for mail in mailbox.fetch(uids)] == [uids[0], uids[2]]
        assert list(mailbox.withheld) == [uids[1]]
        assert mailbox.withheld[uids[1]].tzinfo is not None


def test_a_mail_that_only_speaks_of_that_note_is_a_mail(server):
    postbox = make_postbox(server)
    postbox.receive(STAND_IN)
    with Mailbox.open(postbox.account()) as mailbox:
        assert len(list(mailbox.fetch(mailbox.uids()))) == 1
        assert mailbox.withheld == {}


def test_a_mail_without_a_body_is_named_until_it_comes():
    empty = '* 1 FETCH (UID 1 RFC822.SIZE 5 INTERNALDATE "01-Jul-2026 09:00:00 +0900"{body})\r\n{tag} OK done'
    with ScriptedImap({"UID FETCH": empty.replace("{body}", " BODY[] NIL")}) as server:
        account = Account("127.0.0.1", server.port, "plain", "u@lra.example", Secret("x"))
        with Mailbox.open(account) as mailbox:
            assert list(mailbox.fetch([1])) == []
            assert list(mailbox.withheld) == [1]
            server.answers["UID FETCH"] = empty.replace("{body}", " BODY[] {5}\r\nhello")
            assert [mail.raw for mail in mailbox.fetch([1])] == [b"hello"]
            assert mailbox.withheld == {}


def test_reconnecting_many_times_leaves_nothing_open(real):
    def open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    with Mailbox.open(real.account(security="starttls")):
        pass
    before = open_files()
    for number in range(60):
        with Mailbox.open(real.account(security="starttls" if number % 2 else "plain")) as mailbox:
            if number % 3 == 0:
                mailbox._client.socket().close()
    assert open_files() <= before
