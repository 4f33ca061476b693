"""The trace fields of the embedded server: ours on top, forged ones gone, everything else untouched."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import compat32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.demo.stamps import Trace, from_address, split_fields, stamp, strip_claims

OURS = "mx.lra.example"
MESSAGE = b"From: <taro@aozora-denki.example>\r\nSubject: x\r\n\r\nbody\r\n"


def trace(**changes):
    values = {
        "authserv_id": OURS,
        "login": None,
        "greeting": "[127.0.0.1]",
        "queue_id": "00000001",
        "sender": "taro@aozora-denki.example",
        "recipient": "ogis-lra+tok@lra.example",
        "at": datetime(2026, 7, 1, 0, 0, tzinfo=UTC),
    }
    return Trace(**(values | changes))


def test_mail_from_outside_is_stamped_as_not_authenticated():
    assert stamp(MESSAGE, trace()) == (
        b"Authentication-Results: mx.lra.example; auth=none\r\n"
        b"Received: from [127.0.0.1] ([127.0.0.1])\r\n"
        b"\tby mx.lra.example with ESMTP id 00000001;\r\n"
        b"\tWed, 01 Jul 2026 00:00:00 +0000\r\n"
        b"Return-Path: <taro@aozora-denki.example>\r\n"
        b"Delivered-To: ogis-lra+tok@lra.example\r\n" + MESSAGE
    )


def test_submitted_mail_is_stamped_with_the_user_who_logged_in():
    stamped = stamp(MESSAGE, trace(login="tanaka@lra.example"))
    assert stamped.startswith(b"Authentication-Results: mx.lra.example; auth=pass smtp.auth=tanaka@lra.example\r\n")
    assert b"with ESMTPA id" in stamped


@pytest.mark.parametrize(
    "greeting", ["x\r\nAuthentication-Results: mx.lra.example; auth=pass", "a" * 5000, "名前", "(", ""]
)
def test_a_greeting_cannot_write_header_fields(greeting):
    fields, _ = split_fields(stamp(MESSAGE, trace(greeting=greeting)))
    assert [field.partition(b":")[0] for field in fields[:4]] == [
        b"Authentication-Results",
        b"Received",
        b"Return-Path",
        b"Delivered-To",
    ]
    assert max(map(len, stamp(MESSAGE, trace(greeting=greeting)).splitlines())) < 998


@pytest.mark.parametrize(
    "forged",
    [
        b"Authentication-Results: mx.lra.example; auth=pass smtp.auth=tanaka@lra.example\r\n",
        b"authentication-results: MX.LRA.EXAMPLE; dkim=pass\r\n",
        b"Authentication-Results : mx.lra.example; dkim=pass\r\n",
        b"Authentication-Results:\r\n\tmx.lra.example;\r\n\tdkim=pass\r\n",
        b"Authentication-Results: mx.\r\n lra.example; dkim=pass\r\n",
        b'Authentication-Results: "mx.lra.example"; dkim=pass\r\n',
        b'Authentication-Results: "mx.l\\ra.example"; dkim=pass\r\n',
        b"Authentication-Results: (a;b) mx.lra.example 1; dkim=pass\r\n",
        b"Authentication-Results: mx.(x)lra.example; dkim=pass\r\n",
        b"Authentication-Results:mx.lra.example\r\n",
    ],
)
def test_a_forged_result_of_ours_is_removed(forged):
    """RFC 8601 section 5."""
    assert strip_claims(forged + MESSAGE, OURS) == MESSAGE
    head, body = MESSAGE.split(b"\r\n\r\n")
    assert strip_claims(head + b"\r\n" + forged + b"\r\n" + body, OURS) == head + b"\r\n\r\n" + body


@pytest.mark.parametrize("hidden", [b"\n", b"\r"])
def test_a_forged_result_behind_a_bare_line_end_is_removed(hidden):
    forged = b"X: y" + hidden + b"Authentication-Results: mx.lra.example; dkim=pass\r\n"
    assert strip_claims(forged + MESSAGE, OURS) == b"X: y" + hidden + MESSAGE


@pytest.mark.parametrize(
    "kept",
    [
        b"Authentication-Results: mx.aozora-denki.example; dkim=pass\r\n",
        b"ARC-Authentication-Results: i=1; mx.lra.example; dkim=pass\r\n",
        b"X-Original-Authentication-Results: mx.lra.example; dkim=pass\r\n",
        b"Subject: Authentication-Results: mx.lra.example; dkim=pass\r\n",
        b"Subject: x\r\n Authentication-Results: mx.lra.example; dkim=pass\r\n",
    ],
)
def test_everything_else_stays(kept):
    assert strip_claims(kept + MESSAGE, OURS) == kept + MESSAGE


def test_the_body_is_not_the_header():
    message = MESSAGE + b"Authentication-Results: mx.lra.example; dkim=pass\r\n"
    assert strip_claims(message, OURS) == message


@given(st.binary(max_size=400))
def test_any_octets_come_out_below_the_stamp_as_they_went_in(message):
    fields, body = split_fields(message)
    assert b"".join(fields) + body == message
    if b"authentication" not in message.lower():
        assert stamp(message, trace()).endswith(b"\r\nDelivered-To: ogis-lra+tok@lra.example\r\n" + message)


PIECES = st.sampled_from(
    [
        *(
            b"Authentication-Results",
            b"authentication-results ",
            b":",
            b" ",
            b"\t",
            b"mx.lra.example",
            b"MX.LRA.EXAMPLE",
        ),
        *(b"; dkim=pass", b"\r\n", b"\n", b"\r", b"Subject: x", b'"', b"(", b")", b"\x0b", b"\x85", b"\0"),
    ]
)


@given(st.lists(PIECES, max_size=25).map(b"".join))
def test_no_reader_finds_a_result_of_ours_that_we_did_not_write(message):
    stamped = stamp(message, trace())
    found = message_from_bytes(stamped, policy=compat32).get_all("Authentication-Results", [])
    claims = [value for value in found if OURS in "".join(str(value).split()).lower()]
    assert claims == ["mx.lra.example; auth=none"]


@pytest.mark.parametrize(
    ("field", "address"),
    [
        (b"From: tanaka@lra.example", "tanaka@lra.example"),
        (b"From: <Tanaka@LRA.example>", "tanaka@lra.example"),
        ("From: 田中 恵子 <tanaka@lra.example>".encode(), "tanaka@lra.example"),
        (b"From: =?utf-8?b?55Sw5Lit?= <tanaka@lra.example>", "tanaka@lra.example"),
        (b'From: "Tanaka, Keiko" <tanaka@lra.example>', "tanaka@lra.example"),
        (b'From: "approver@lra.example" <tanaka@lra.example>', "tanaka@lra.example"),
        (b'From: "a \\" <x@y.example>" <tanaka@lra.example>', "tanaka@lra.example"),
        (b"From:\r\n <tanaka@lra.example>", "tanaka@lra.example"),
        (b"FROM : tanaka@lra.example", "tanaka@lra.example"),
        (b"From: approver@lra.example <tanaka@lra.example>", None),
        (b"From: tanaka@lra.example, approver@lra.example", None),
        (b"From: <tanaka@lra.example> <approver@lra.example>", None),
        (b"From: tanaka@lra.example (approver@lra.example)", None),
        (b"From: Group: tanaka@lra.example;", None),
        (b"From: tanaka@lra.example\r\nFrom: approver@lra.example", None),
        (b"From: tanaka@lra.example\r\nX: y\rfrom: approver@lra.example", None),
        (b"From: tanaka@lra.example\r\nX: y\nFrom: approver@lra.example", None),
        (b"From:", None),
        (b"From: <>", None),
        (b"Subject: no sender", None),
    ],
)
def test_the_from_field_is_one_address_or_none(field, address):
    assert from_address(field + b"\r\nSubject: x\r\n\r\nbody\r\n") == address


@given(st.binary(max_size=200))
def test_any_octets_have_a_from_address_or_none(message):
    assert from_address(message) is None or from_address(b"From:" + message) is None
