"""The door to the mailbox: what it promises with any IMAP server."""

import logging
import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import imapclient
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.credentials import Secret
from daemon import imap, incoming
from daemon.failures import Kind, outward
from daemon.imap import Account, Mailbox, MailboxRefused, MailboxUnavailable
from support.servers import make_message
from support.wires import Proxy

pytest_plugins = ("support.servers",)


@pytest.fixture
def server(either_server):
    """Every promise is kept with the embedded server, and with Dovecot and Postfix."""
    return either_server


JIS = b"From: <taro@aozora-denki.example>\r\nSubject: =?ISO-2022-JP?B?GyRCPz9AQRsoQg==?=\r\n\r\n\x1b$B?=@A\x1b(B\r\n"
SJIS = b"Subject: \x90\x5c\x90\xbf\r\n\r\n\x90\x5c\x90\xbf \xfa\x40\r\n"
DOTS = b"Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.a\r\n\r\n"
FOLDED = b"DKIM-Signature: v=1;\r\n\ta=rsa-sha256;\r\n  b=AAAA\r\n\tBBBB\r\nSubject: folded\r\n\r\nx\r\n"
PARENS = b"Subject: ) FLAGS (\\Seen) {5}\r\n\r\n* BYE {3}\r\nA1 OK )\r\n"


@pytest.mark.parametrize("raw", [JIS, SJIS, DOTS, FOLDED, PARENS], ids=["jis", "sjis", "dots", "folded", "parens"])
def test_a_mail_comes_as_it_was_sent_octet_for_octet(postbox, raw):
    postbox.receive(raw)
    with Mailbox.open(postbox.account()) as mailbox:
        (mail,) = mailbox.fetch(mailbox.uids())
    assert mail.raw.endswith(raw)
    assert [mail.raw] == postbox.messages()


@pytest.mark.parametrize("security", ["plain", "starttls", "tls"])
def test_every_security_reaches_the_same_mailbox(postbox, security):
    postbox.receive(make_message())
    port = postbox.server.imaps_port if security == "tls" else postbox.server.imap_port
    with Mailbox.open(postbox.account(security=security, port=port)) as mailbox:
        assert len(mailbox.uids()) == 1
        assert mailbox.uidvalidity > 0


def test_fetching_marks_nothing(postbox):
    postbox.receive(make_message())
    with Mailbox.open(postbox.account()) as mailbox:
        list(mailbox.fetch(mailbox.uids()))
    with imapclient.IMAPClient(postbox.server.host, postbox.server.imap_port, ssl=False) as client:
        client.login(postbox.address, postbox.password)
        client.select_folder("INBOX", readonly=True)
        (flags,) = client.get_flags(client.search("ALL")).values()
    assert imapclient.SEEN not in flags


def test_the_internal_date_is_aware_and_utc(postbox):
    postbox.receive(make_message())
    with Mailbox.open(postbox.account()) as mailbox:
        (mail,) = mailbox.fetch(mailbox.uids())
    assert mail.internal_date.tzinfo is UTC
    assert abs(mail.internal_date - datetime.now(UTC)) < timedelta(minutes=5)


def test_new_mail_is_seen_on_an_open_connection(postbox):
    with Mailbox.open(postbox.account()) as mailbox:
        assert mailbox.uids() == []
        postbox.receive(make_message())
        (first,) = mailbox.uids()
        postbox.receive(make_message())
        assert mailbox.uids() == [first, first + 1]


def test_uidvalidity_and_uids_are_the_same_on_every_connection(postbox):
    postbox.receive(make_message())
    seen = []
    for _ in range(2):
        with Mailbox.open(postbox.account()) as mailbox:
            seen.append((mailbox.uidvalidity, mailbox.uids()))
    assert seen[0] == seen[1]


def test_sizes_are_the_octets_of_the_mails(postbox):
    postbox.receive(make_message("a"))
    postbox.receive(make_message("b" * 500))
    with Mailbox.open(postbox.account()) as mailbox:
        uids = mailbox.uids()
        sizes = mailbox.sizes([*uids, uids[-1] + 1000])
        assert sizes == {mail.uid: len(mail.raw) for mail in mailbox.fetch(uids)}


def test_a_missing_uid_is_not_yielded_and_disturbs_nobody(postbox):
    postbox.receive(make_message())
    with Mailbox.open(postbox.account()) as mailbox:
        (uid,) = mailbox.uids()
        assert [mail.uid for mail in mailbox.fetch([uid + 7, uid, uid + 9])] == [uid]
        assert list(mailbox.fetch([uid + 7])) == []
        assert list(mailbox.fetch([])) == []


def test_fetching_goes_batch_by_batch_and_keeps_the_order(postbox, monkeypatch):
    monkeypatch.setattr(incoming, "BATCH_BYTES", 4000)
    monkeypatch.setattr(incoming, "BATCH_MAILS", 3)
    monkeypatch.setattr(incoming, "BATCH_UIDS", 5)
    for number in range(12):
        postbox.receive(make_message("x" * 900 if number % 4 else "y\r\n" * 2000, subject=str(number)))
    with Mailbox.open(postbox.account()) as mailbox:
        uids = list(reversed(mailbox.uids()))
        mails = list(mailbox.fetch(uids))
    assert [mail.uid for mail in mails] == uids
    assert [mail.raw for mail in reversed(mails)] == postbox.messages()


@given(
    sizes=st.dictionaries(st.integers(1, 60), st.integers(0, incoming.BATCH_BYTES * 2), max_size=60),
    uids=st.lists(st.integers(1, 60), unique=True),
)
def test_batches_hold_every_mail_once_and_are_bounded_by_octets_and_number(sizes, uids):
    batches = list(incoming.batches(uids, sizes))
    assert [uid for batch in batches for uid in batch] == [uid for uid in uids if uid in sizes]
    for batch in batches:
        assert 1 <= len(batch) <= incoming.BATCH_MAILS
        assert len(batch) == 1 or sum(sizes[uid] for uid in batch) <= incoming.BATCH_BYTES


def test_an_error_of_the_caller_between_two_mails_stays_the_callers(postbox):
    postbox.receive(make_message())
    with Mailbox.open(postbox.account()) as mailbox:
        mails = mailbox.fetch(mailbox.uids())
        next(mails)
        with pytest.raises(ValueError, match="mine"):
            mails.throw(ValueError("mine"))
        assert len(mailbox.uids()) == 1


@pytest.mark.parametrize("folder", ["LRA-Processed", "処理済み", "LRA/処理 済み/2026", 'quo"te & back\\slash'])
def test_a_mail_is_filed_into_a_folder_that_is_made(postbox, folder):
    for subject in ("one", "two"):
        postbox.receive(make_message(subject=subject))
    with Mailbox.open(postbox.account()) as mailbox:
        first, second = mailbox.uids()
        mailbox.file(first, folder)
        assert mailbox.uids() == [second]
        mailbox.file(second, folder)
        assert mailbox.uids() == []
    assert [b"Subject: one" in raw for raw in postbox.messages(folder)] == [True, False]
    assert postbox.messages() == []


def test_a_mail_that_must_not_be_kept_is_deleted_and_no_other(postbox):
    for number in range(3):
        postbox.receive(make_message(f"{number}"))
    with Mailbox.open(postbox.account()) as mailbox:
        first, second, third = mailbox.uids()
        mailbox.erase(second)
        mailbox.erase(second)
        assert mailbox.uids() == [first, third]
    assert len(postbox.messages()) == 2
    with Mailbox.open(postbox.account(), readonly=True) as mailbox, pytest.raises(ValueError, match="erases nothing"):
        mailbox.erase(first)


def test_filing_a_mail_that_is_gone_is_no_error(postbox):
    postbox.receive(make_message())
    with Mailbox.open(postbox.account()) as mailbox:
        (uid,) = mailbox.uids()
        mailbox.file(uid, "Filed")
        mailbox.file(uid, "Filed")
        mailbox.file(uid + 99, "Filed")
    assert len(postbox.messages("Filed")) == 1


def test_filing_uses_a_folder_somebody_else_made(postbox):
    postbox.receive(make_message())
    with Mailbox.open(postbox.account()) as first, Mailbox.open(postbox.account()) as second:
        uid = first.uids()[0]
        second.file(uid + 99, "Filed")
        first.file(uid, "Filed")
    assert len(postbox.messages("Filed")) == 1


def test_a_folder_that_was_deleted_meanwhile_is_made_again_by_the_next_attempt(postbox):
    for _ in range(2):
        postbox.receive(make_message())
    with Mailbox.open(postbox.account()) as mailbox:
        first, second = mailbox.uids()
        mailbox.file(first, "Filed")
        with imapclient.IMAPClient(postbox.server.host, postbox.server.imap_port, ssl=False) as client:
            client.login(postbox.address, postbox.password)
            client.delete_folder("Filed")
        with pytest.raises(MailboxUnavailable):
            mailbox.file(second, "Filed")
        mailbox.file(second, "Filed")
    assert len(postbox.messages("Filed")) == 1


def test_waiting_returns_when_mail_comes(postbox):
    with Mailbox.open(postbox.account()) as mailbox:
        uids = mailbox.uids()
        # Late enough for the wait to have begun: what comes just before it is no news to IDLE.
        sender = threading.Timer(1.0, postbox.receive, args=(make_message(),))
        sender.start()
        began = time.monotonic()
        while mailbox.uids() == uids:
            mailbox.wait(30)
        assert time.monotonic() - began < 15
        sender.join()


def test_waiting_without_news_ends_in_time(postbox):
    with Mailbox.open(postbox.account()) as mailbox:
        assert mailbox.wait(0.01) is False
        assert mailbox.uids() == []


def test_waiting_is_renewed_before_anybody_on_the_way_forgets_the_connection(postbox, monkeypatch):
    assert 4 * 60 <= imap.LONGEST_IDLE <= 5 * 60
    monkeypatch.setattr(imap, "LONGEST_IDLE", 0.05)
    with Mailbox.open(postbox.account()) as mailbox:
        began = time.monotonic()
        assert mailbox.wait(60) is False
        assert time.monotonic() - began < 15


def test_a_connection_that_somebody_on_the_way_forgot_is_noticed_within_minutes(postbox):
    with Mailbox.open(postbox.account(security="starttls")) as mailbox:
        sock = mailbox._client.socket()
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count = (
            sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + interval * count <= 120


def test_octets_that_no_mail_should_hold_come_as_the_server_has_them(postbox):
    postbox.server.append(postbox.address, b"Subject: nul\r\n\r\na\0b \xff\x1b$B?=\x1b(B\r\n")
    with Mailbox.open(postbox.account()) as mailbox:
        assert [mail.raw for mail in mailbox.fetch(mailbox.uids())] == postbox.messages()


def test_waiting_is_ended_by_the_wake_descriptor(postbox):
    reading, writing = os.pipe()
    try:
        os.write(writing, b"x")
        with Mailbox.open(postbox.account()) as mailbox:
            began = time.monotonic()
            assert mailbox.wait(30, wake_fd=reading) is False
            assert time.monotonic() - began < 15
            assert mailbox.uids() == []
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("security", ["plain", "starttls"])
def test_many_rounds_of_waiting_lose_no_mail_and_no_line(postbox, security):
    """IMAPClient's own idle_check dies of half a line within some dozens of such rounds."""
    with Mailbox.open(postbox.account(security=security)) as mailbox:
        for number in range(40):
            postbox.receive(make_message(subject=str(number)))
            mailbox.wait(0.001 * (number % 3))
            assert len(mailbox.uids()) == number + 1


def test_a_refused_login_is_refused_and_not_called_temporary(postbox):
    with pytest.raises(MailboxRefused) as caught:
        Mailbox.open(postbox.account(password=Secret("wrong")))
    assert caught.value.kind is Kind.MAILBOX_LOGIN
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("password", ["合言葉", "a\r\nA1 LOGOUT", "nul\0"])
def test_a_password_that_login_cannot_carry_is_never_sent(postbox, password):
    with pytest.raises(MailboxRefused, match="printable ASCII") as caught:
        Mailbox.open(postbox.account(password=Secret(password)))
    assert caught.value.kind is Kind.MAILBOX_LOGIN


def test_a_folder_that_is_not_there_is_refused(postbox):
    with pytest.raises(MailboxRefused) as caught:
        Mailbox.open(postbox.account(folder="Nowhere"))
    assert caught.value.kind is Kind.MAILBOX_FOLDER


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(postbox, security):
    port = postbox.server.imaps_port if security == "tls" else postbox.server.imap_port
    with pytest.raises(MailboxRefused) as caught:
        Mailbox.open(postbox.account(security=security, port=port, ca_file=None))
    assert caught.value.kind is Kind.MAILBOX_CERTIFICATE


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_missing_ca_file_is_refused(postbox, tmp_path, security):
    port = postbox.server.imaps_port if security == "tls" else postbox.server.imap_port
    with pytest.raises(MailboxRefused) as caught:
        Mailbox.open(postbox.account(security=security, port=port, ca_file=tmp_path / "none.pem"))
    assert caught.value.kind is Kind.MAILBOX_CERTIFICATE


def test_a_server_that_is_not_there_is_unavailable(postbox):
    with Proxy(postbox.server.imap_port) as proxy:
        port = proxy.port
    with pytest.raises(MailboxUnavailable, match="connect: ConnectionRefusedError"):
        Mailbox.open(postbox.account(port=port))


@pytest.mark.parametrize(
    ("host", "security"), [("imap.lra.example", "plain"), ("10.0.0.1", "plain"), ("imap.lra.example", "ssl")]
)
def test_an_account_that_would_show_its_password_to_the_network_cannot_be_made(host, security):
    with pytest.raises(ValueError, match="security"):
        Account(host, 143, security, "user", Secret("x"))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_plain_is_allowed_on_loopback(host):
    assert Account(host, 143, "plain", "user", Secret("x")).host == host


def test_a_connection_cut_in_the_middle_of_a_mail_yields_no_part_of_it(postbox):
    postbox.receive(make_message("x" * 70 + "\r\n" * 5000))
    with Proxy(postbox.server.imap_port) as proxy, Mailbox.open(postbox.account(port=proxy.port)) as mailbox:
        uids = mailbox.uids()
        proxy.break_after(3000)
        with pytest.raises(MailboxUnavailable):
            list(mailbox.fetch(uids))
        proxy.mend()
        assert [mail.raw for mail in mailbox.fetch(uids)] == postbox.messages()
        assert proxy.connections == 2


def test_a_server_that_falls_silent_in_the_middle_of_a_mail_is_given_up_in_time(postbox):
    postbox.receive(make_message("x\r\n" * 5000))
    with (
        Proxy(postbox.server.imap_port) as proxy,
        Mailbox.open(postbox.account(port=proxy.port, read_timeout=0.5)) as mailbox,
    ):
        uids = mailbox.uids()
        proxy.break_after(3000, stall=True)
        began = time.monotonic()
        with pytest.raises(MailboxUnavailable, match="TimeoutError"):
            list(mailbox.fetch(uids))
        assert time.monotonic() - began < 5


def test_a_connection_cut_while_waiting_is_an_error_and_not_silence(postbox):
    with Proxy(postbox.server.imap_port) as proxy, Mailbox.open(postbox.account(port=proxy.port)) as mailbox:
        proxy.cut_upon(b"IDLE\r\n")
        with pytest.raises(MailboxUnavailable):
            mailbox.wait(30)


def test_a_connection_lost_while_filing_leaves_the_mail_in_one_of_the_folders(postbox):
    postbox.receive(make_message())
    with Proxy(postbox.server.imap_port) as proxy:
        proxy.cut_upon(b"MOVE")

        def attempt():
            with Mailbox.open(postbox.account(port=proxy.port)) as mailbox:
                for uid in mailbox.uids():
                    mailbox.file(uid, "Filed")

        with pytest.raises(MailboxUnavailable):
            attempt()
        assert proxy.dealt.wait(10)
        assert len(postbox.messages()) + len(postbox.messages("Filed")) == 1
        proxy.mend()
        attempt()
    assert (len(postbox.messages()), len(postbox.messages("Filed"))) == (0, 1)


def test_opening_is_repeated_by_the_policy_until_the_server_is_back(postbox):
    with Proxy(postbox.server.imap_port) as proxy:
        proxy.cut_upon(b"LOGIN")

        def restore(seconds):
            proxy.mend()

        with outward(sleep=restore)(Mailbox.open, postbox.account(port=proxy.port)) as mailbox:
            assert mailbox.uids() == []
        assert proxy.connections == 2


@pytest.mark.parametrize("stall", [False, True])
def test_a_call_repeated_by_the_policy_uses_a_new_connection(postbox, stall):
    postbox.receive(make_message("x\r\n" * 3000))
    with (
        Proxy(postbox.server.imap_port) as proxy,
        Mailbox.open(postbox.account(port=proxy.port, read_timeout=0.5)) as mailbox,
    ):
        (uid,) = mailbox.uids()
        proxy.break_after(500, stall=stall)
        policy = outward(sleep=lambda seconds: proxy.mend())
        assert [mail.raw for mail in policy(lambda: list(mailbox.fetch([uid])))] == postbox.messages()
        proxy.break_after(10, stall=stall)
        policy(mailbox.file, uid, "Filed")
        assert proxy.connections == 3
    assert len(postbox.messages("Filed")) == 1


def test_closing_twice_and_after_a_failure_is_quiet(postbox):
    mailbox = Mailbox.open(postbox.account())
    mailbox.close()
    mailbox.close()
    with pytest.raises(MailboxUnavailable, match="the mailbox is closed"):
        mailbox.wait(1)


def test_nothing_of_a_mail_or_a_password_is_ever_logged(postbox, caplog):
    caplog.set_level(logging.DEBUG)
    with Mailbox.open(postbox.account(security="starttls")) as mailbox:
        postbox.receive(make_message("body-canary", subject="subject-canary", sender="canary@aozora-denki.example"))
        for mail in mailbox.fetch(mailbox.uids()):
            mailbox.file(mail.uid, "Filed")
        mailbox.wait(0.01)
    assert caplog.records  # the debug log is on
    assert "canary" not in caplog.text
    assert postbox.password not in caplog.text
