"""The door to the mailbox and servers that answer strangely: always one of our two failures, never a false success."""

import contextlib
import traceback
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.credentials import Secret
from daemon.failures import Kind
from daemon.imap import Account, Mailbox, MailboxRefused, MailboxUnavailable
from support.wires import ScriptedImap


def account(port, **changes):
    values = {
        "host": "127.0.0.1",
        "port": port,
        "security": "plain",
        "username": "ogis-lra@lra.example",
        "password": Secret("password"),
        "connect_timeout": 2.0,
        "read_timeout": 3.0,
    }
    return Account(**(values | changes))


def use_all(mailbox):
    for uid in mailbox.uids():
        list(mailbox.fetch([uid]))
        mailbox.file(uid, "Filed")


FETCHED = (
    '* 1 FETCH (UID 1 RFC822.SIZE 5 INTERNALDATE "01-Jul-2026 09:00:00 +0900" BODY[] {5}\r\nhello)\r\n{tag} OK done'
)


def test_the_scripted_server_is_otherwise_a_good_one():
    with ScriptedImap({"UID FETCH": FETCHED}) as server, Mailbox.open(account(server.port)) as mailbox:
        (mail,) = mailbox.fetch(mailbox.uids())
        assert (mail.uid, mail.raw) == (1, b"hello")
        assert mail.internal_date == datetime(2026, 7, 1, 0, 0, tzinfo=UTC)
        mailbox.file(1, "Filed")
    assert "UID MOVE" in server.seen
    assert server.seen[-1] == "LOGOUT"


@pytest.mark.parametrize(
    "body",
    ["BODY[] NIL", "FLAGS (\\Seen)", "BODY[] {5}\r\nhello", 'INTERNALDATE "01-Jul-2026 09:00:00 +0900"'],
    ids=["no body", "only flags", "no date", "only a date"],
)
def test_ok_without_a_mail_yields_no_mail(body):
    """Exchange and iCloud say OK and send no body; what is absent now may be there next time."""
    answer = f"* 1 FETCH (UID 1 RFC822.SIZE 5 {body})\r\n{{tag}} OK done"
    with ScriptedImap({"UID FETCH": answer}) as server, Mailbox.open(account(server.port)) as mailbox:
        assert list(mailbox.fetch([1])) == []


def test_the_capabilities_are_those_after_the_login():
    greeting = "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready"
    with (
        ScriptedImap({"UID FETCH": FETCHED}, greeting=greeting) as server,
        Mailbox.open(account(server.port)) as mailbox,
    ):
        mailbox.file(1, "Filed")
    assert "UID MOVE" in server.seen


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"LOGIN": "{tag} NO [AUTHENTICATIONFAILED] no"}, Kind.MAILBOX_LOGIN),
        ({"LOGIN": "{tag} NO LOGIN failed for ogis-lra@lra.example"}, Kind.MAILBOX_LOGIN),
        ({"SELECT": "{tag} NO [NONEXISTENT] no"}, Kind.MAILBOX_FOLDER),
        ({"SELECT": "* 1 EXISTS\r\n{tag} OK done"}, Kind.MAILBOX_FOLDER),
        ({"SELECT": "* OK [UIDVALIDITY 0] valid\r\n{tag} OK done"}, Kind.MAILBOX_FOLDER),
    ],
)
def test_a_no_that_stays_a_no_is_refused(answers, kind):
    with ScriptedImap(answers) as server, pytest.raises(MailboxRefused) as caught:
        Mailbox.open(account(server.port))
    assert caught.value.kind is kind
    assert "ogis-lra@" not in str(caught.value)


@pytest.mark.parametrize(
    "answers",
    [
        {"LOGIN": "{tag} NO [UNAVAILABLE] backend is down"},
        {"LOGIN": "{tag} NO [LIMIT] too many connections"},
        {"SELECT": "{tag} NO [INUSE] locked"},
        {"LOGIN": "* BYE too many connections"},
        {"LOGIN": None},
        {"SELECT": None},
        {"CAPABILITY": None},
    ],
)
def test_a_no_that_passes_is_unavailable(answers):
    with ScriptedImap(answers) as server, pytest.raises(MailboxUnavailable):
        Mailbox.open(account(server.port))


@pytest.mark.parametrize("greeting", ["* BYE not today", "220 smtp.lra.example ESMTP", "", "\udcff\udcfe"])
def test_a_greeting_that_is_none_is_unavailable(greeting):
    class Greeter(ScriptedImap):
        def serve(self, client):
            client.sendall(greeting.encode("utf-8", "surrogateescape") + b"\r\n")

    with Greeter({}) as server, pytest.raises(MailboxUnavailable):
        Mailbox.open(account(server.port))


def test_a_server_that_offers_no_tls_is_not_used_without_it():
    with ScriptedImap({}) as server, pytest.raises(MailboxRefused, match="STARTTLS is not offered") as caught:
        Mailbox.open(account(server.port, security="starttls"))
    assert caught.value.kind is Kind.MAILBOX_LOGIN
    assert "LOGIN" not in server.seen


def test_without_move_a_mail_is_copied_first_and_only_it_is_deleted():
    capability = "* CAPABILITY IMAP4rev1 UIDPLUS\r\n{tag} OK done"
    with ScriptedImap({"CAPABILITY": capability}) as server, Mailbox.open(account(server.port)) as mailbox:
        mailbox.file(1, "Filed")
    assert [each for each in server.seen if each.startswith("UID")] == ["UID COPY", "UID STORE", "UID EXPUNGE"]


@pytest.mark.parametrize(("deleted", "expunged"), [("1", True), ("1 2", False), ("", False)])
def test_without_uidplus_nothing_of_other_peoples_is_expunged(deleted, expunged):
    answers = {
        "CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK done",
        "UID SEARCH": f"* SEARCH {deleted}\r\n{{tag}} OK done",
    }
    with ScriptedImap(answers) as server, Mailbox.open(account(server.port)) as mailbox:
        mailbox.file(1, "Filed")
    assert ("EXPUNGE" in server.seen) is expunged


def test_a_copy_that_failed_deletes_nothing():
    answers = {"CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK done", "UID COPY": "{tag} NO [OVERQUOTA] full"}
    with (
        ScriptedImap(answers) as server,
        Mailbox.open(account(server.port)) as mailbox,
        pytest.raises(MailboxUnavailable, match="OVERQUOTA"),
    ):
        mailbox.file(1, "Filed")
    assert "UID STORE" not in server.seen


def test_a_no_to_moving_a_mail_that_is_gone_is_no_error():
    answers = {"UID MOVE": "{tag} NO no matching messages", "UID SEARCH": "* SEARCH\r\n{tag} OK done"}
    with ScriptedImap(answers) as server, Mailbox.open(account(server.port)) as mailbox:
        mailbox.file(1, "Filed")
        assert mailbox.uids() == []


@pytest.mark.parametrize(
    ("folder", "listed", "capability", "created"),
    [
        ("A/B", '* LIST () "." ""', "", "A.B"),
        ("A/B", '* LIST () "/" ""', "", "A/B"),
        ("A/B", '* LIST () NIL ""', "", "A-B"),
        ("A/B", '* LIST () "." ""', "NAMESPACE", "INBOX.A.B"),
        ("INBOX/A", '* LIST () "." ""', "NAMESPACE", "INBOX.A"),
    ],
)
def test_a_folder_is_made_with_the_servers_own_separator_and_prefix(folder, listed, capability, created):
    names = []
    answers = {
        "CAPABILITY": f"* CAPABILITY IMAP4rev1 MOVE {capability}\r\n{{tag}} OK done",
        "NAMESPACE": '* NAMESPACE (("INBOX." ".")) NIL NIL\r\n{tag} OK done',
        "LIST": listed + "\r\n{tag} OK done",
    }
    with ScriptedImap(answers) as server, Mailbox.open(account(server.port)) as mailbox:
        create = mailbox._client.create_folder
        mailbox._client.create_folder = lambda name: names.append(name) or create(name)
        mailbox.file(1, folder)
        mailbox.file(2, folder)
    assert names == [created]
    assert "SUBSCRIBE" in server.seen


def test_a_level_that_holds_no_mail_is_not_taken_for_the_folder():
    answers = {"LIST": '* LIST (\\Noselect \\HasChildren) "/" "Filed"\r\n{tag} OK done'}
    with ScriptedImap(answers) as server, Mailbox.open(account(server.port)) as mailbox:
        mailbox.file(1, "Filed")
    assert "CREATE" in server.seen


def test_a_folder_that_may_not_be_made_is_refused():
    answers = {"LIST": '* LIST () "/" ""\r\n{tag} OK done', "CREATE": "{tag} NO [NOPERM] not yours"}
    with (
        ScriptedImap(answers) as server,
        Mailbox.open(account(server.port)) as mailbox,
        pytest.raises(MailboxRefused, match="NOPERM") as caught,
    ):
        mailbox.file(1, "Filed")
    assert caught.value.kind is Kind.MAILBOX_FOLDER
    assert "UID MOVE" not in server.seen


@pytest.mark.parametrize("command", ["LIST", "CREATE", "SUBSCRIBE", "UID MOVE", "UID SEARCH", "UID FETCH", "NOOP"])
def test_a_connection_that_closes_at_any_command_is_unavailable(command):
    answers = {"LIST": '* LIST () "/" ""\r\n{tag} OK done', command: None}
    with (
        ScriptedImap(answers) as server,
        Mailbox.open(account(server.port)) as mailbox,
        pytest.raises(MailboxUnavailable),
    ):
        use_all(mailbox)


def test_an_announcement_before_the_server_idles_is_news():
    with (
        ScriptedImap({"IDLE": "* 2 EXISTS\r\n+ idling", "DONE": "{tag} OK done"}) as server,
        Mailbox.open(account(server.port)) as mailbox,
    ):
        assert mailbox.wait(30) is True
        assert mailbox.uids() == [1]


def test_an_announcement_in_the_same_packet_as_the_plus_is_news():
    with (
        ScriptedImap({"IDLE": "+ idling\r\n* 2 EXISTS", "DONE": "{tag} OK done"}) as server,
        Mailbox.open(account(server.port)) as mailbox,
    ):
        assert mailbox.wait(30) is True


@pytest.mark.parametrize(
    "answers",
    [
        {"IDLE": "{tag} NO not now"},
        {"IDLE": None},
        {"IDLE": "+ idling\r\n* BYE shutting down", "DONE": None},
        {"IDLE": "+ idling\r\n* BYE shutting down", "DONE": "{tag} OK done"},
        {"IDLE": "+ idling", "DONE": None},
        {"IDLE": "+ idling", "DONE": "* 1 EXISTS"},
        {"IDLE": "+ idling\r\n* 2 EXI", "DONE": None},
    ],
)
def test_a_server_that_ends_while_we_wait_is_an_error_and_not_silence(answers):
    with (
        ScriptedImap(answers) as server,
        Mailbox.open(account(server.port, read_timeout=0.5)) as mailbox,
        pytest.raises(MailboxUnavailable),
    ):
        mailbox.wait(0.01)


def test_without_idle_waiting_is_only_waiting():
    with (
        ScriptedImap({"CAPABILITY": "* CAPABILITY IMAP4rev1\r\n{tag} OK done"}) as server,
        Mailbox.open(account(server.port)) as mailbox,
    ):
        assert mailbox.wait(0.01) is False
    assert "IDLE" not in server.seen


def test_a_connection_that_comes_back_with_another_uidvalidity_is_of_no_use():
    with ScriptedImap({"NOOP": None}) as server, Mailbox.open(account(server.port)) as mailbox:
        with pytest.raises(MailboxUnavailable):
            mailbox.uids()
        del server.answers["NOOP"]
        assert mailbox.uids() == [1]
        server.answers["NOOP"] = None
        with pytest.raises(MailboxUnavailable):
            mailbox.uids()
        server.answers = {"SELECT": "* OK [UIDVALIDITY 8] valid\r\n{tag} OK done"}
        for _ in range(2):
            with pytest.raises(MailboxUnavailable, match="UIDVALIDITY has changed"):
                mailbox.uids()
        assert mailbox.uidvalidity == 7


def test_announcements_are_not_heaped_up():
    answers = {"NOOP": "* 1 EXISTS\r\n* 1 RECENT\r\n{tag} OK done"}
    with ScriptedImap(answers) as server, Mailbox.open(account(server.port)) as mailbox:
        for _ in range(50):
            mailbox.uids()
        assert sum(len(heap) for heap in mailbox._client._imap.untagged_responses.values()) < 10


def test_an_error_never_quotes_the_server():
    """What the server says may be a line of a mail; the traceback must not carry it into a log either."""
    answers = {"UID SEARCH": "canary line of a mail\r\n{tag} OK done"}
    with (
        ScriptedImap(answers) as server,
        Mailbox.open(account(server.port)) as mailbox,
        pytest.raises(MailboxUnavailable) as caught,
    ):
        mailbox.uids()
    assert "canary" not in "".join(traceback.format_exception(caught.value))


LINES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"* 1 FETCH (UID 1 BODY[] {5}\r\nhel",
            b"* 1 FETCH (UID 1 BODY[] {99}\r\nhello)",
            b"* 1 FETCH (UID x RFC822.SIZE y)",
            b"* 1 FETCH (UID 1 RFC822.SIZE (1 2))",
            b"* 1 FETCH ((((",
            b'* 1 FETCH (UID 1 INTERNALDATE "32-Foo-2026" BODY[] {1}\r\nx)',
            b"* SEARCH 1 two 3",
            b"* SEARCH -1 0",
            b"* LIST (\\",
            b'* LIST () "/" &bad-',
            b"* BYE",
            b"* NO",
            b"*",
            b"+",
            b"A1 OK",
        ]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(LINES, min_size=1, max_size=4))
def test_whatever_the_server_says_is_an_answer_or_one_of_our_failures(lines):
    said = b"\r\n".join(lines).decode("utf-8", "surrogateescape").replace("{tag}", "")
    answers = dict.fromkeys(("UID SEARCH", "UID FETCH", "LIST", "UID MOVE"), said + "\r\n{tag} OK done")
    with ScriptedImap(answers) as server:
        for use in (
            lambda mailbox: mailbox.uids(),
            lambda mailbox: list(mailbox.fetch([1])),
            lambda mailbox: mailbox.file(1, "Filed"),
        ):
            with (
                contextlib.suppress(MailboxUnavailable, MailboxRefused),
                Mailbox.open(account(server.port, read_timeout=0.05)) as mailbox,
            ):
                use(mailbox)
