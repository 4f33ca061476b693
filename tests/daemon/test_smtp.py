"""The door to the mail server: what it promises with any submission server."""

import logging
import time
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from config.credentials import Secret
from daemon.failures import Kind, outward
from daemon.smtp import (
    OutcomeUnknown,
    Route,
    Transport,
    TransportMisconfigured,
    TransportRefused,
    TransportUnavailable,
)
from support.servers import make_message, make_postbox
from support.wires import Proxy

pytest_plugins = ("support.servers",)


@pytest.fixture
def server(either_server):
    """Every promise is kept with the embedded server, and with Dovecot and Postfix."""
    return either_server


def letter(postbox, body="本文です。", **headers):
    """A letter as the composer makes it, from the mailbox's own user."""
    message = EmailMessage(policy=SMTP)
    message["From"] = postbox.address
    message["Subject"] = headers.get("subject", "申請を受け付けました")
    message.set_content(body)
    return message.as_bytes()


@pytest.mark.parametrize("security", ["plain", "starttls", "tls"])
def test_a_letter_is_handed_over_by_every_security(postbox, server, security):
    port = server.submissions_port if security == "tls" else server.submission_port
    recipient = make_postbox(server, "subscriber")
    with Transport(postbox.route(security=security, port=port)) as transport:
        accepted = transport.send(letter(postbox), sender=postbox.address, recipient=recipient.address)
    assert accepted.code == 250
    assert len(recipient.messages()) == 1


@pytest.mark.parametrize(
    "body",
    [
        "x",
        ".\r\n",
        "..\r\n.a\r\n.\r\n\r\n",
        "\r\n.\r\nMAIL FROM:<forger@elsewhere.example>\r\n",
        "",
        "no end",
        "\r\n\r\n",
    ],
)
def test_a_letter_arrives_octet_for_octet(postbox, server, body):
    recipient = make_postbox(server, "subscriber")
    message = f"From: {postbox.address}\r\nSubject: dots\r\n\r\n{body}".encode()
    with Transport(postbox.route()) as transport:
        transport.send(message, sender=postbox.address, recipient=recipient.address)
    (stored,) = recipient.messages()
    assert stored.endswith(message if message.endswith(b"\r\n") else message + b"\r\n")


def test_an_8bit_letter_arrives_octet_for_octet(postbox, server):
    recipient = make_postbox(server, "subscriber")
    message = make_message("髙﨑①㈱", sender=postbox.address)
    with Transport(postbox.route()) as transport:
        transport.send(message, sender=postbox.address, recipient=recipient.address)
    assert recipient.messages()[0].endswith(message)


def test_letters_of_one_round_share_a_connection(postbox, server):
    with Proxy(server.submission_port) as proxy, Transport(postbox.route(port=proxy.port)) as transport:
        assert proxy.connections == 0  # nothing to send, nothing opened
        for _ in range(5):
            transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        assert proxy.connections == 1
    assert len(postbox.messages()) == 5


def test_a_transport_can_be_used_again_after_it_was_closed(postbox):
    transport = Transport(postbox.route())
    for _ in range(2):
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        transport.close()
        transport.close()
    assert len(postbox.messages()) == 2


def test_a_probe_logs_in_and_sends_nothing(postbox, server):
    with Proxy(server.submission_port) as proxy, Transport(postbox.route(port=proxy.port)) as transport:
        transport.probe()
        transport.probe()
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        assert proxy.connections == 1
    assert len(postbox.messages()) == 1


def test_a_probe_with_a_wrong_password_says_so(postbox):
    with Transport(postbox.route(password=Secret("wrong"))) as transport, pytest.raises(TransportMisconfigured):
        transport.probe()


def test_the_envelope_sender_may_be_empty(postbox):
    """RFC 3834 section 3.3: an automatic answer goes out so that nobody answers it."""
    with Transport(postbox.route()) as transport:
        transport.send(letter(postbox), sender="", recipient=postbox.address)
    assert len(postbox.messages()) == 1


def test_a_letter_that_fails_later_comes_back_with_its_envelope_id(real_server):
    """RFC 3464 section 2.2.1: the report names the letter by the id that it was given, and holds its header only."""
    sender = make_postbox(real_server, "centre")
    real_server.refuse("gone@aozora-denki.example", "550 5.1.1 no such user")
    plus = sender.address.replace("@", "+bounce@")
    with Transport(sender.route()) as transport:
        transport.send(
            letter(sender, "body-canary"), sender=plus, recipient="gone@aozora-denki.example", envid="letter+17="
        )
    real_server.settle()
    (report,) = sender.messages()
    assert b"Original-Envelope-Id: letter+17=" in report
    assert b"Original-Recipient: rfc822;gone@aozora-denki.example" in report
    assert b"Status: 5.1.1" in report
    assert b"body-canary" not in report


def test_an_unknown_recipient_is_refused_for_good_and_the_next_letter_goes_out(postbox, server):
    with Proxy(server.submission_port) as proxy, Transport(postbox.route(port=proxy.port)) as transport:
        with pytest.raises(TransportRefused) as caught:
            transport.send(letter(postbox), sender=postbox.address, recipient="nobody@lra.example")
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        assert proxy.connections == 1
    assert caught.value.kind is Kind.RECIPIENT_REFUSED
    assert caught.value.detail == "RCPT: 550 5.1.1"
    assert len(postbox.messages()) == 1


def test_a_wrong_password_is_the_operators_matter_and_not_the_letters(postbox):
    with (
        Transport(postbox.route(password=Secret("wrong"))) as transport,
        pytest.raises(TransportMisconfigured) as caught,
    ):
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
    assert caught.value.kind is Kind.TRANSPORT_LOGIN
    assert "wrong" not in str(caught.value)
    assert postbox.messages() == []


def test_a_missing_login_is_the_operators_matter(postbox):
    with (
        Transport(postbox.route(username=None, password=None)) as transport,
        pytest.raises(TransportMisconfigured) as caught,
    ):
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
    assert caught.value.kind is Kind.TRANSPORT_LOGIN


def test_a_password_beyond_ascii_is_the_operators_matter(postbox):
    with (
        Transport(postbox.route(password=Secret("合言葉"))) as transport,
        pytest.raises(TransportMisconfigured, match="must be ASCII"),
    ):
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)


def test_somebody_elses_sender_address_is_the_operators_matter(postbox):
    with Transport(postbox.route()) as transport, pytest.raises(TransportMisconfigured) as caught:
        transport.send(letter(postbox), sender="ceo@lra.example", recipient=postbox.address)
    assert caught.value.kind is Kind.SENDER_REFUSED


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_the_operators_matter(postbox, server, security):
    port = server.submissions_port if security == "tls" else server.submission_port
    with (
        Transport(postbox.route(security=security, port=port, ca_file=None)) as transport,
        pytest.raises(TransportMisconfigured) as caught,
    ):
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
    assert caught.value.kind is Kind.TRANSPORT_CERTIFICATE


def test_a_missing_ca_file_is_the_operators_matter(postbox, tmp_path):
    with (
        Transport(postbox.route(security="starttls", ca_file=tmp_path / "none.pem")) as transport,
        pytest.raises(TransportMisconfigured, match="ca_file") as caught,
    ):
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
    assert caught.value.kind is Kind.TRANSPORT_CERTIFICATE


def test_a_server_that_is_not_there_is_unavailable(postbox, server):
    with Proxy(server.submission_port) as proxy:
        port = proxy.port
    with (
        Transport(postbox.route(port=port)) as transport,
        pytest.raises(TransportUnavailable, match="connect: ConnectionRefusedError"),
    ):
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)


@pytest.mark.parametrize("token", [b"ehlo", b"AUTH", b"MAIL FROM", b"RCPT TO", b"DATA\r\n"])
def test_a_connection_lost_before_the_data_means_that_nothing_was_sent(postbox, server, token):
    with Proxy(server.submission_port) as proxy, Transport(postbox.route(port=proxy.port)) as transport:
        proxy.cut_upon(token, passed=False)
        with pytest.raises(TransportUnavailable):
            transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
    assert postbox.messages() == []


def test_a_connection_lost_within_the_data_is_never_called_sent(postbox, server):
    """Whether our side notices before or after its last octet went into the system's buffer is chance; the letter is
    not delivered, and neither verdict claims that it was."""
    with Proxy(server.submission_port) as proxy, Transport(postbox.route(port=proxy.port)) as transport:
        proxy.cut_upon(b"middle", passed=False)
        with pytest.raises((TransportUnavailable, OutcomeUnknown)):
            transport.send(
                letter(postbox, "x" * 70 + "middle\n" + ("y" * 70 + "\n") * 40_000),
                sender=postbox.address,
                recipient=postbox.address,
            )
    assert postbox.messages() == []


def test_a_lost_reply_to_the_data_leaves_the_outcome_unknown(postbox, server):
    with Proxy(server.submission_port) as proxy, Transport(postbox.route(port=proxy.port)) as transport:
        proxy.cut_upon(b"\r\n.\r\n")
        with pytest.raises(OutcomeUnknown):
            transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        assert proxy.dealt.wait(10)
        assert len(postbox.messages()) == 1  # it did arrive, and nobody told us
        proxy.mend()
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
    assert len(postbox.messages()) == 2


def test_a_reply_to_the_data_that_never_comes_leaves_the_outcome_unknown_in_time(postbox, server):
    with (
        Proxy(server.submission_port) as proxy,
        Transport(postbox.route(port=proxy.port, data_timeout=0.5)) as transport,
    ):
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        proxy.break_after(len("250 2.1.0 OK\r\n250 2.1.5 OK\r\n354 End data with <CR><LF>.<CR><LF>\r\n"), stall=True)
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        assert time.monotonic() - began < 3


def test_an_idle_connection_that_the_server_closed_is_replaced_without_a_word(postbox, server):
    with Proxy(server.submission_port) as proxy, Transport(postbox.route(port=proxy.port)) as transport:
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        proxy.hang_up()
        transport.send(letter(postbox), sender=postbox.address, recipient=postbox.address)
        assert proxy.connections == 2
    assert len(postbox.messages()) == 2


def test_sending_is_repeated_by_the_policy_while_nothing_was_sent(postbox, server):
    with Proxy(server.submission_port) as proxy, Transport(postbox.route(port=proxy.port)) as transport:
        proxy.cut_upon(b"RCPT TO", passed=False)

        def restore(seconds):
            proxy.mend()

        accepted = outward(sleep=restore)(
            transport.send, letter(postbox), sender=postbox.address, recipient=postbox.address
        )
        assert accepted.code == 250
    assert len(postbox.messages()) == 1


@pytest.mark.parametrize(
    ("host", "security"), [("smtp.lra.example", "plain"), ("10.0.0.1", "plain"), ("smtp.lra.example", "ssl")]
)
def test_a_route_that_would_show_letters_to_the_network_cannot_be_made(host, security):
    with pytest.raises(ValueError, match="security"):
        Route(host, 587, security)


def test_a_route_with_a_user_needs_a_password():
    with pytest.raises(ValueError, match="password"):
        Route("smtp.lra.example", 587, "starttls", username="ogis-lra@lra.example")


def test_nothing_of_a_letter_or_a_password_is_ever_logged(postbox, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with Transport(postbox.route(security="starttls")) as transport:
        transport.send(
            letter(postbox, "body-canary", subject="subject-canary"), sender=postbox.address, recipient=postbox.address
        )
        with pytest.raises(TransportRefused):
            transport.send(letter(postbox, "body-canary"), sender=postbox.address, recipient="canary@lra.example")
    assert "canary" not in caplog.text
    assert postbox.password not in caplog.text
    assert capfd.readouterr() == ("", "")
