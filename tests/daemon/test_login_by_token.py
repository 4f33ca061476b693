"""Login by token at real servers: XOAUTH2 and OAUTHBEARER at Dovecot, and at Postfix by Dovecot's SASL."""

import logging
from datetime import UTC, datetime

import pytest

from config.credentials import Secret
from daemon.failures import Kind
from daemon.imap import Account, Mailbox, MailboxRefused, MailboxUnavailable
from daemon.oauth import RefreshToken, Tokens
from daemon.oauth_advice import advice
from daemon.smtp import Route, Transport, TransportMisconfigured, TransportUnavailable
from support.command_lines import CommandLine, write_config, write_credential
from support.real_servers import RealMailServer
from support.servers import make_message
from support.token_server import CLIENT, REFRESH, SECRET, TokenServer, passdb_for
from support.wires import ScriptedImap, ScriptedSmtp

USER = "ogis-lra@lra.example"
LETTER = make_message(sender=USER)


@pytest.fixture(scope="module")
def tokens_of():
    with TokenServer(USER) as running:
        yield running


@pytest.fixture(scope="module")
def mail_server(tokens_of, tmp_path_factory):
    passdb = passdb_for(tokens_of, tmp_path_factory.mktemp("oauth"))
    with RealMailServer(mechanisms="plain login xoauth2 oauthbearer", authentication=passdb) as running:
        running.add_mailbox(USER, "not-used")
        yield running


@pytest.fixture
def tokens(tokens_of, tmp_path):
    tokens_of.valid.clear()
    tokens_of.answer = None
    grant = RefreshToken(tokens_of.token_url, CLIENT, Secret(SECRET), Secret(REFRESH), "", tokens_of.ca_file)
    return Tokens(grant, tmp_path / "token.json", lambda: datetime.now(UTC))


@pytest.fixture(params=["xoauth2", "oauthbearer"])
def account(request, mail_server, tokens):
    return Account(
        mail_server.host,
        mail_server.imap_port,
        "starttls",
        USER,
        None,
        ca_file=mail_server.ca_file,
        login=request.param,
        tokens=tokens,
        read_timeout=20.0,
    )


@pytest.fixture
def route(account, mail_server):
    return Route(
        mail_server.host,
        mail_server.submission_port,
        "starttls",
        USER,
        ca_file=mail_server.ca_file,
        login=account.login,
        tokens=account.tokens,
        reply_timeout=20.0,
    )


def test_both_doors_open_with_one_token(account, route, tokens_of, mail_server):
    before = len(tokens_of.requests)
    with Mailbox.open(account) as mailbox:
        count = len(mailbox.uids())
    with Transport(route) as transport:
        transport.send(LETTER, sender=USER, recipient=USER)
    mail_server.settle()
    with Mailbox.open(account) as mailbox:
        assert len(mailbox.uids()) == count + 1
    assert len(tokens_of.requests) == before + 1


def test_a_token_that_was_withdrawn_is_replaced_once_and_nobody_notices(account, route, tokens_of, tokens):
    tokens.token()
    before = len(tokens_of.requests)
    tokens_of.valid.clear()
    with Mailbox.open(account) as mailbox:
        mailbox.uids()
    tokens_of.valid.clear()
    with Transport(route) as transport:
        transport.send(LETTER, sender=USER, recipient=USER)
    assert len(tokens_of.requests) == before + 2


def test_a_good_token_that_the_server_does_not_want_is_the_operators_matter(account, route, tokens_of):
    """As Microsoft 365 does where the application has no rights to the mailbox: the second refusal is final."""
    tokens_of.user = "somebody-else@lra.example"
    before = len(tokens_of.requests)
    try:
        with pytest.raises(MailboxRefused) as at_mailbox:
            Mailbox.open(account)
        with Transport(route) as transport, pytest.raises(TransportMisconfigured) as at_transport:
            transport.probe()
    finally:
        tokens_of.user = USER
    assert (at_mailbox.value.kind, at_transport.value.kind) == (Kind.MAILBOX_LOGIN, Kind.TRANSPORT_LOGIN)
    for failure in (at_mailbox.value, at_transport.value):
        assert "FullAccess" in advice(failure.detail)
    assert len(tokens_of.requests) == before + 3  # one, its replacement, and one more for the other door


def test_a_token_server_that_refuses_or_is_away_is_told_from_a_mail_server(account, route, tokens_of):
    tokens_of.answer = (400, b'{"error": "invalid_grant"}')
    with pytest.raises(MailboxRefused, match="oauth: invalid_grant"):
        Mailbox.open(account)
    with Transport(route) as transport, pytest.raises(TransportMisconfigured, match="oauth: invalid_grant"):
        transport.probe()
    tokens_of.answer = (503, b'{"error": "temporarily_unavailable"}')
    with pytest.raises(MailboxUnavailable, match="oauth: temporarily_unavailable"):
        Mailbox.open(account)
    with Transport(route) as transport, pytest.raises(TransportUnavailable, match="oauth: temporarily_unavail") as away:
        transport.probe()
    assert away.value.kind is Kind.TRANSPORT_UNAVAILABLE


def test_nothing_of_a_token_is_ever_logged(account, route, tokens_of, caplog):
    caplog.set_level(logging.DEBUG)
    with Mailbox.open(account), Transport(route) as transport:
        transport.probe()
    tokens_of.valid.clear()
    tokens_of.user = "somebody-else@lra.example"
    try:
        with pytest.raises(MailboxRefused) as caught:
            Mailbox.open(account)
    finally:
        tokens_of.user = USER
    assert caplog.records
    assert "canary" not in caplog.text
    assert "canary" not in repr(caught.value) + repr(account) + repr(route)


def test_a_server_without_the_mechanism_never_sees_a_token(tokens):
    with ScriptedImap({}) as imap, ScriptedSmtp({}) as smtp:
        account = Account("127.0.0.1", imap.port, "plain", USER, None, login="xoauth2", tokens=tokens)
        with pytest.raises(MailboxRefused, match="XOAUTH2 is not offered"):
            Mailbox.open(account)
        route = Route("127.0.0.1", smtp.port, "plain", USER, login="xoauth2", tokens=tokens)
        with Transport(route) as transport, pytest.raises(TransportMisconfigured, match="XOAUTH2 is not offered"):
            transport.probe()
    assert "AUTHENTICATE" not in imap.seen
    assert not [line for line in smtp.seen if line.startswith("AUTH")]


def test_check_says_in_plain_words_what_is_wrong_with_a_token(copied, finished, capsys, mail_server, tokens_of):
    oauth = {
        "login": '"xoauth2"',
        "[oauth]": "",
        "authority": f'"{tokens_of.authority}"',
        "client_id": f'"{CLIENT}"',
        "scope": '"https://outlook.office365.com/.default"',
    }
    config = write_config(copied, mail_server, **oauth)
    text = config.read_text("utf-8").replace(
        "\n[smtp]", f'\nca_file = "{tokens_of.ca_file}"\n[smtp]\nlogin = "xoauth2"'
    )
    config.write_text(text, "utf-8")
    (copied / "centre" / "credentials" / "imap-password").unlink()
    lra = CommandLine(config, finished.clock, capsys)

    def doors():
        rows = {each["check"]: each for each in lra("check", "--json").document}
        assert not [name for name in rows if "password" in name]
        return rows["credential oauth-secret"], rows["mailbox"], rows["mail server"]

    tokens_of.answer = None
    secret, *_ = doors()
    assert "oauth-secret" in secret["next_step"]
    for value, word in (("wrong", "secret is wrong"), (SECRET, "")):
        write_credential(copied, "oauth-secret", value)
        _, *found = doors()
        assert [each["in_order"] for each in found] == [not word] * 2
        assert all(word in each["next_step"] for each in found)
    tokens_of.valid.clear()
    tokens_of.user = "somebody-else@lra.example"
    try:
        _, *found = doors()
    finally:
        tokens_of.user = USER
    assert all("FullAccess" in each["next_step"] for each in found)


def test_a_login_by_token_without_tokens_cannot_be_made():
    with pytest.raises(ValueError, match="needs tokens"):
        Account("127.0.0.1", 143, "plain", USER, None, login="xoauth2")
    with pytest.raises(ValueError, match="needs tokens"):
        Route("127.0.0.1", 587, "plain", USER, login="oauthbearer")
    with pytest.raises(ValueError, match="is not one of"):
        Account("127.0.0.1", 143, "plain", USER, Secret("x"), login="ntlm")
