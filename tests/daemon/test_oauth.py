"""Access tokens: fetched by both grants, kept, renewed in time, never shown."""

import contextlib
import json
import logging
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from config.credentials import Secret
from daemon import oauth
from daemon.oauth import ClientCredentials, RefreshToken, TokenRefused, Tokens, TokenUnavailable
from daemon.oauth_advice import advice
from support.throwaway_tls import write_server_tls
from support.token_server import CLIENT, REFRESH, SECRET, TokenServer

SCOPE = "https://outlook.office365.com/.default"
START = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def server():
    with TokenServer("ogis-lra@lra.example") as running:
        yield running


def credentials(server, secret=SECRET):
    return ClientCredentials(server.authority, CLIENT, Secret(secret), SCOPE, server.ca_file)


def refreshing(server, secret=SECRET, refresh=REFRESH):
    return RefreshToken(server.token_url, CLIENT, Secret(secret), Secret(refresh), "", server.ca_file)


@pytest.fixture(params=[credentials, refreshing], ids=["client credentials", "refresh token"])
def grant(request, server):
    return request.param(server)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "oauth" / "token.json"


def test_a_token_is_fetched_once_and_kept_for_the_next_process(server, grant, file):
    first = Tokens(grant, file, lambda: START).token()
    assert Tokens(grant, file, lambda: START + timedelta(minutes=54)).token() == first
    assert first.reveal() in server.valid
    assert len(server.requests) == 1


def test_a_token_is_renewed_before_it_expires(server, grant, file):
    first = Tokens(grant, file, lambda: START).token()
    assert Tokens(grant, file, lambda: START + timedelta(minutes=55)).token() != first


def test_a_refused_token_is_fetched_anew_and_another_is_not(server, grant, file):
    tokens = Tokens(grant, file, lambda: START)
    first = tokens.token()
    second = tokens.token(refused=first)
    assert second != first
    assert tokens.token(refused=first) == second  # somebody else was refused the old one
    assert len(server.requests) == 2


def test_the_forms_are_those_of_rfc_6749(server, file):
    Tokens(credentials(server), file, lambda: START).token()
    Tokens(refreshing(server), file, lambda: START).token()
    first, second = server.requests
    assert (first["grant_type"], first["client_id"], first["scope"]) == ("client_credentials", CLIENT, SCOPE)
    assert second == {
        "grant_type": "refresh_token",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "refresh_token": REFRESH,
    }


def test_a_certificate_signs_instead_of_a_secret(server, tmp_path, file):
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "our application")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    grant = credentials(server, pem.decode())
    assert Tokens(grant, file, lambda: START).token().reveal() in server.valid
    (form,) = server.requests
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_secret" not in form


def test_a_key_that_cannot_sign_is_said(server, tmp_path, file):
    _, certificate, key = write_server_tls(tmp_path, "our application")
    begin, end = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
    for pem, told in (
        (key.read_text(), "no private key with its certificate"),
        (key.read_text() + certificate.read_text(), "must be RSA"),
        (f"{begin}\nAAAA\n{end}\n{certificate.read_text()}", "cannot be read"),
    ):
        with pytest.raises(TokenRefused, match=told):
            Tokens(credentials(server, pem), file, lambda: START).token()
    assert server.requests == []


def test_the_file_is_its_owners_alone_and_written_whole(grant, file):
    Tokens(grant, file, lambda: START).token()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each.name for each in file.parent.iterdir()] == ["token.json"]


@pytest.mark.parametrize("damage", [b"", b"\xff", b"[]", b"{", b'{"access_token": 1}'])
def test_a_damaged_file_is_as_none(server, grant, file, damage):
    Tokens(grant, file, lambda: START).token()
    file.write_bytes(damage)
    assert Tokens(grant, file, lambda: START).token().reveal() in server.valid
    assert len(server.requests) == 2


def test_a_token_for_something_else_is_not_used(server, file):
    Tokens(credentials(server), file, lambda: START).token()
    Tokens(refreshing(server), file, lambda: START).token()
    Tokens(refreshing(server, refresh="another"), file, lambda: START).token()
    assert len(server.requests) == 3


def test_a_refresh_token_that_was_exchanged_is_kept_on_disk_and_used_next(server, file):
    server.rotates = True
    tokens = Tokens(refreshing(server), file, lambda: START)
    tokens.token(refused=tokens.token())
    server.rotates = False
    tokens.token(refused=tokens.token())
    tokens.token(refused=tokens.token())
    sent = [form["refresh_token"] for form in server.requests]
    assert sent == [REFRESH, "rotated-canary-1", "rotated-canary-2", "rotated-canary-2"]


def test_a_wrong_secret_is_refused_with_code_and_number_and_not_a_word_more(server, file):
    for grant in (credentials(server, "wrong"), refreshing(server, "wrong")):
        with pytest.raises(TokenRefused) as caught:
            Tokens(grant, file, lambda: START).token()
        assert str(caught.value) == "invalid_client AADSTS7000215"
        assert "secret is wrong" in advice(f"oauth: {caught.value}")


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, b'{"error": "invalid_grant"}', TokenRefused),
        (503, b'{"error": "temporarily_unavailable"}', TokenUnavailable),
        (200, b"<html>", TokenUnavailable),
        (200, b"[]", TokenUnavailable),
        (200, b"{}", TokenUnavailable),
        (200, b'{"access_token": "a\\r\\nb"}', TokenUnavailable),
        (302, b"", TokenUnavailable),
        (500, b'{"error": "Quoted: secret"}', TokenUnavailable),
    ],
)
def test_every_other_answer_is_one_of_two_failures(server, file, status, body, failure):
    server.answer = (status, body)
    with pytest.raises(failure):
        Tokens(refreshing(server), file, lambda: START).token()
    assert not file.exists()


@pytest.mark.parametrize("make", [credentials, refreshing])
def test_a_token_server_that_nobody_vouches_for_gets_no_secret(server, file, make):
    grant = make(server)
    grant = type(grant)(**{**{name: getattr(grant, name) for name in grant.__slots__}, "ca_file": None})
    with pytest.raises(TokenUnavailable, match="SSLError"):
        Tokens(grant, file, lambda: START).token()
    assert server.requests == []


def test_a_token_server_that_is_gone_is_unavailable(file):
    with TokenServer("u@lra.example") as server:
        grants = [credentials(server), refreshing(server)]
        ca = server.ca_file.read_bytes()
    for grant in grants:
        grant.ca_file.parent.mkdir(exist_ok=True)
        grant.ca_file.write_bytes(ca)
        with pytest.raises(TokenUnavailable, match="ConnectionError"):
            Tokens(grant, file, lambda: START).token()
        grant.ca_file.unlink()
    grants[0].ca_file.parent.rmdir()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["access_token", "expires_in", "refresh_token", "error", "error_description"]), JSON
    )
    | JSON
)
def test_whatever_json_comes_is_a_token_or_one_of_two_failures(answer):
    with contextlib.suppress(TokenRefused, TokenUnavailable):
        granted = oauth._granted(answer)
        assert granted.token.reveal().isprintable()
        assert timedelta(0) <= granted.lifetime <= timedelta(days=1)


def test_nothing_of_a_token_or_a_secret_is_ever_shown(server, grant, file, caplog):
    caplog.set_level(logging.DEBUG)
    tokens = Tokens(grant, file, lambda: START)
    shown = [repr(grant), repr(tokens), repr(tokens.token())]
    server.answer = (400, json.dumps({"error": "invalid_grant", "error_description": "text-canary"}).encode())
    with pytest.raises(TokenRefused) as caught:
        tokens.token(refused=tokens.token())
    shown += [str(caught.value), repr(caught.value), caplog.text]
    assert not [text for text in shown if "canary" in text]
