"""The door to the mail server and every reply a server may give: each has one meaning."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.credentials import Secret
from daemon.failures import Consequence, Kind, consequence_of
from daemon.smtp import (
    OutcomeUnknown,
    Route,
    Transport,
    TransportMisconfigured,
    TransportRefused,
    TransportUnavailable,
)
from support.servers import make_message
from support.wires import ScriptedSmtp

MESSAGE = make_message("plain", subject="x")


def route(port, **changes):
    values = {
        "host": "127.0.0.1",
        "port": port,
        "security": "plain",
        "connect_timeout": 2.0,
        "reply_timeout": 2.0,
        "data_timeout": 2.0,
    }
    return Route(**(values | changes))


def send(server, message=MESSAGE, recipient="taro@aozora-denki.example", sender="ogis-lra@lra.example", **changes):
    with Transport(route(server.port, **changes)) as transport:
        return transport.send(message, sender=sender, recipient=recipient)


def test_the_commands_are_those_of_rfc_5321():
    with ScriptedSmtp({}) as server:
        accepted = send(server)
    assert (accepted.code, accepted.text) == (250, "2.0.0 queued as 1")
    assert server.seen == [
        "EHLO [127.0.0.1]",
        f"MAIL FROM:<ogis-lra@lra.example> SIZE={len(MESSAGE)}",
        "RCPT TO:<taro@aozora-denki.example>",
        "DATA",
        "QUIT",
    ]
    assert server.data == [MESSAGE]


LOGIN, SENDER = Kind.TRANSPORT_LOGIN, Kind.SENDER_REFUSED
RECIPIENT, MESSAGE_REFUSED = Kind.RECIPIENT_REFUSED, Kind.MESSAGE_REFUSED


@pytest.mark.parametrize(
    ("replies", "failure", "kind", "detail"),
    [
        ({"greeting": "421 4.3.2 not now"}, TransportUnavailable, None, "connect: 421"),
        ({"greeting": "554 5.3.2 not here"}, TransportUnavailable, None, "connect: 554"),
        ({"greeting": None}, TransportUnavailable, None, "connect: SMTPServerDisconnected"),
        ({"greeting": "* OK IMAP4rev1 ready"}, TransportUnavailable, None, "connect: -1"),
        ({"EHLO": "502 no", "HELO": "502 no"}, TransportUnavailable, None, "connect: 502"),
        ({"EHLO": None}, TransportUnavailable, None, "connect: SMTPServerDisconnected"),
        ({"MAIL": "451 4.3.0 later"}, TransportUnavailable, None, "MAIL: 451 4.3.0"),
        ({"MAIL": "530 5.7.0 authenticate first"}, TransportMisconfigured, LOGIN, "MAIL: 530 5.7.0"),
        ({"MAIL": "550 5.7.1 not your address"}, TransportMisconfigured, SENDER, "MAIL: 550 5.7.1"),
        ({"MAIL": "552 5.3.4 too large"}, TransportRefused, MESSAGE_REFUSED, "MAIL: 552 5.3.4"),
        ({"MAIL": None}, TransportUnavailable, None, "MAIL: SMTPServerDisconnected"),
        ({"RCPT": "450 4.2.0 greylisted"}, TransportUnavailable, None, "RCPT: 450 4.2.0"),
        ({"RCPT": "421 4.3.2 closing"}, TransportUnavailable, None, "RCPT: 421 4.3.2"),
        ({"RCPT": "550 5.1.1 <taro@aozora-denki.example> unknown"}, TransportRefused, RECIPIENT, "RCPT: 550 5.1.1"),
        ({"RCPT": "553 bad address"}, TransportRefused, RECIPIENT, "RCPT: 553"),
        ({"RCPT": "what?"}, TransportUnavailable, None, "RCPT: -1"),
        ({"RCPT": None}, TransportUnavailable, None, "RCPT: SMTPServerDisconnected"),
        ({"DATA": "451 4.3.0 later"}, TransportUnavailable, None, "DATA: 451 4.3.0"),
        ({"DATA": "554 5.5.1 no valid recipients"}, TransportRefused, MESSAGE_REFUSED, "DATA: 554 5.5.1"),
        ({"DATA": "250 fine"}, TransportUnavailable, None, "DATA: 250"),
        ({"DATA": None}, TransportUnavailable, None, "DATA: SMTPServerDisconnected"),
        ({".": "452 4.3.1 disk full"}, TransportUnavailable, None, "end of data: 452 4.3.1"),
        ({".": "550 5.7.1 spam"}, TransportRefused, MESSAGE_REFUSED, "end of data: 550 5.7.1"),
        ({".": None}, OutcomeUnknown, None, "end of data: SMTPServerDisconnected"),
        ({".": "what?"}, OutcomeUnknown, None, "end of data: not an SMTP reply"),
        ({".": "354 again"}, OutcomeUnknown, None, "end of data: not an SMTP reply"),
        ({".": "x" * 10_000}, OutcomeUnknown, None, "end of data: SMTPResponseException"),
    ],
)
def test_every_reply_has_one_meaning(replies, failure, kind, detail):
    with ScriptedSmtp(replies) as server, pytest.raises(failure) as caught:
        send(server)
    assert type(caught.value) is failure
    assert caught.value.detail == detail
    if kind is not None:
        assert caught.value.kind is kind
    assert "taro@" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["550 5.1.1 <taro@aozora-denki.example>: no", "550 mail to taro@aozora-denki.example\x07 no"]
)
def test_a_refusal_tells_staff_the_servers_words_without_addresses(text):
    with ScriptedSmtp({"RCPT": text}) as server, pytest.raises(TransportRefused) as caught:
        send(server)
    assert "taro" not in caught.value.reply
    assert "<address>" in caught.value.reply
    assert caught.value.reply.isprintable()
    assert consequence_of(caught.value) is Consequence.REFUSE


@pytest.mark.parametrize(
    ("auth", "failure", "kind"),
    [
        ("535 5.7.8 wrong", TransportMisconfigured, Kind.TRANSPORT_LOGIN),
        ("534 5.7.9 too weak", TransportMisconfigured, Kind.TRANSPORT_LOGIN),
        ("504 5.5.4 unknown", TransportMisconfigured, Kind.TRANSPORT_LOGIN),
        ("454 4.7.0 later", TransportUnavailable, Kind.TRANSPORT_UNAVAILABLE),
        (None, TransportUnavailable, Kind.TRANSPORT_UNAVAILABLE),
        ("334 ////\r\n334 *", TransportUnavailable, Kind.TRANSPORT_UNAVAILABLE),
    ],
)
def test_every_reply_to_a_login_has_one_meaning(auth, failure, kind):
    extension = "AUTH CRAM-MD5" if auth and auth[0] == "3" else "AUTH PLAIN"
    with ScriptedSmtp({"AUTH": auth}, extensions=(extension,)) as server, pytest.raises(failure) as caught:
        send(server, username="ogis-lra@lra.example", password=Secret("password"), reply_timeout=0.5)
    assert (type(caught.value), caught.value.kind) == (failure, kind)


@pytest.mark.parametrize("extensions", [(), ("AUTH GSSAPI NTLM",)])
def test_a_server_without_a_login_we_know_is_the_operators_matter(extensions):
    with ScriptedSmtp({}, extensions=extensions) as server, pytest.raises(TransportMisconfigured) as caught:
        send(server, username="ogis-lra@lra.example", password=Secret("password"))
    assert caught.value.kind is Kind.TRANSPORT_LOGIN


def test_a_server_that_offers_no_tls_is_not_used_without_it():
    with (
        ScriptedSmtp({}, extensions=("AUTH PLAIN",)) as server,
        pytest.raises(TransportMisconfigured, match="STARTTLS"),
    ):
        send(server, security="starttls", username="ogis-lra@lra.example", password=Secret("password"))
    assert not any(line.startswith(("AUTH", "MAIL")) for line in server.seen)


def test_a_refused_starttls_is_unavailable():
    with (
        ScriptedSmtp({"STARTTLS": "454 4.7.0 later"}, extensions=("STARTTLS",)) as server,
        pytest.raises(TransportUnavailable, match="connect: 454"),
    ):
        send(server, security="starttls")


def test_a_connection_that_breaks_while_the_data_is_written_means_that_nothing_was_sent():
    """RFC 5321 section 4.1.1.10. The message is larger than all socket buffers, so that writing it must fail."""
    message = b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * 20_000
    with (
        ScriptedSmtp({"body": None}) as server,
        pytest.raises(TransportUnavailable, match="DATA: SMTPServerDisconnected"),
    ):
        send(server, message)


def test_after_a_refusal_the_transaction_is_ended_before_the_next():
    with ScriptedSmtp({"RCPT": "550 5.1.1 no"}) as server, Transport(route(server.port)) as transport:
        with pytest.raises(TransportRefused):
            transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
        del server.replies["RCPT"]
        transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
    assert [line.partition(" ")[0] for line in server.seen] == [
        "EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA", "QUIT",
    ]  # fmt: skip


@pytest.mark.parametrize("rset", ["500 what?", None])
def test_a_server_that_cannot_end_a_transaction_is_left(rset):
    with ScriptedSmtp({"RCPT": "550 5.1.1 no", "RSET": rset}) as server, Transport(route(server.port)) as transport:
        with pytest.raises(TransportRefused):
            transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
        del server.replies["RCPT"]
        transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
        assert server.connections == 2


@pytest.mark.parametrize("later", ["421 4.7.0 too many messages", "451 4.3.0 later", None])
def test_a_connection_the_server_is_tired_of_is_replaced_once(later):
    with ScriptedSmtp({}) as server, Transport(route(server.port)) as transport:
        transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
        server.replies["MAIL"] = later
        with pytest.raises(TransportUnavailable):
            transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
        assert server.connections == 2
        del server.replies["MAIL"]
        transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
    assert len(server.data) == 2


def test_a_sender_refused_on_an_open_connection_is_not_asked_again():
    with ScriptedSmtp({}) as server, Transport(route(server.port)) as transport:
        transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
        server.replies["MAIL"] = "550 5.7.1 not you"
        with pytest.raises(TransportMisconfigured):
            transport.send(MESSAGE, sender="", recipient="taro@aozora-denki.example")
        assert server.connections == 1


def test_8bit_is_announced_where_the_server_has_it_and_refused_where_not():
    message = make_message("日本語")
    with ScriptedSmtp({}) as server:
        send(server, message)
    assert server.seen[1].endswith(" BODY=8BITMIME")
    with ScriptedSmtp({}, extensions=()) as server, pytest.raises(TransportRefused, match="8BITMIME") as caught:
        send(server, message)
    assert caught.value.kind is Kind.MESSAGE_MALFORMED
    assert server.data == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"Subject: x\n\nx\n", "bare"),
        (b"Subject: x\r\n\r\nx\rx\r\n", "bare"),
        (b"Subject: x\r\n\r\n\n.\nMAIL FROM:<a@b.example>\r\n", "bare"),
        (b"Subject: x\r\n\r\nx\r", "bare"),
        (b"Subject: x\r\n\r\n" + b"y" * 999 + b"\r\n", "line of 1000"),
        (b"Subject: x\r\n\r\n" + b"y" * 999, "line of 1000"),
        (b"Subject: x\r\n\r\nx\0\r\n", "NUL"),
    ],
)
def test_a_message_that_servers_read_differently_is_never_handed_over(message, reason):
    with ScriptedSmtp({}) as server, pytest.raises(TransportRefused, match=reason) as caught:
        send(server, message)
    assert caught.value.kind is Kind.MESSAGE_MALFORMED
    assert server.connections == 0


def test_a_line_of_exactly_the_allowed_length_goes_out():
    with ScriptedSmtp({}) as server:
        send(server, b"Subject: x\r\n\r\n" + b"y" * 998 + b"\r\n")
    assert len(server.data) == 1


@pytest.mark.parametrize(
    "address",
    [
        "", "taro", "@lra.example", "taro@", "ta ro@lra.example", "taro@lra.example>\r\nRCPT TO:<x@lra.example",
        "taro@lra.example\r\nDATA", "<taro@lra.example>", "太郎@lra.example", "taro@例え.example", '"taro"@lra.example',
        "taro@lra.example NOTIFY=NEVER", "a@b@lra.example", "t" * 65 + "@lra.example", "taro@" + "l" * 250,
    ],
)  # fmt: skip
def test_an_address_that_plain_smtp_cannot_carry_is_refused_before_connecting(address):
    with ScriptedSmtp({}) as server:
        with pytest.raises(TransportRefused) as caught:
            send(server, recipient=address)
        assert server.connections == 0
    assert caught.value.kind is Kind.RECIPIENT_REFUSED


def test_a_sender_that_plain_smtp_cannot_carry_is_refused_before_connecting():
    with ScriptedSmtp({}) as server:
        with pytest.raises(TransportRefused) as caught:
            send(server, sender="ogis-lra@lra.example> SIZE=1")
        assert server.connections == 0
    assert caught.value.kind is Kind.MESSAGE_MALFORMED


@pytest.mark.parametrize(
    "address", ["taro..yamada.@keitai.example", "ogis-lra+tok-1_2@lra.example", "o'neil@x.example"]
)
def test_addresses_as_they_are_in_use_are_carried(address):
    with ScriptedSmtp({}) as server:
        send(server, recipient=address)
    assert f"RCPT TO:<{address}>" in server.seen


@settings(max_examples=25, deadline=None)
@given(message=st.binary(max_size=300))
def test_any_octets_are_sent_as_they_are_or_refused(message):
    with ScriptedSmtp({}) as server:
        try:
            send(server, message)
        except TransportRefused:
            assert server.data == []
        else:
            (sent,) = server.data
            whole = message if message.endswith(b"\r\n") else message + b"\r\n"
            assert b"".join(line.removeprefix(b".") for line in sent.splitlines(keepends=True)) == whole


def test_an_envelope_id_goes_where_delivery_reports_are_offered_and_nowhere_else():
    for extensions, mail_ends, rcpt_ends in (
        (
            ("SIZE 1000000", "DSN"),
            " RET=HDRS ENVID=L+2B7+3Dx+20y",
            " NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@c.example",
        ),
        (("SIZE 1000000",), f" SIZE={len(MESSAGE)}", "<a+b@c.example>"),
    ):
        with ScriptedSmtp({}, extensions=extensions) as server, Transport(route(server.port)) as transport:
            transport.send(MESSAGE, sender="ogis-lra@lra.example", recipient="a+b@c.example", envid="L+7=x y")
        assert server.seen[1].endswith(mail_ends)
        assert server.seen[2].endswith(rcpt_ends)


@pytest.mark.parametrize("envid", ["x" * 101, "a\r\nRCPT TO:<b@c.example>", "封筒"])
def test_an_envelope_id_that_no_report_could_carry_is_a_mistake_of_ours(envid):
    with Transport(route(1)) as transport, pytest.raises(ValueError, match="envelope id"):
        transport.send(MESSAGE, sender="ogis-lra@lra.example", recipient="a@c.example", envid=envid)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("553 5.7.1 <x@lra.example>: Sender address rejected: not owned by user y", SENDER),
        ("550 5.1.8 Bad sender's system address", SENDER),
        ("554 5.7.1 <client[192.0.2.1]>: Client host rejected: Access denied", LOGIN),
        ("554 5.7.1 <a@elsewhere.example>: Relay access denied", LOGIN),
    ],
)
def test_a_refusal_that_was_kept_back_until_rcpt_is_the_operators_matter_and_not_the_recipients(reply, kind):
    with ScriptedSmtp({"RCPT": reply}) as server, pytest.raises(TransportMisconfigured) as caught:
        send(server)
    assert caught.value.kind is kind
