"""What the site answers, room by room: OCSP by GET and POST with the headers of caches, and the published files."""

import base64
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from io import BytesIO
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca import ocsp
from ca.ocsp import Answer
from ca.ocsp_wire import ErrorStatus
from config.settings import CaSettings
from daemon.exchange import Request, Response, http_date, plain
from daemon.ocsp_room import LONGEST_KEPT, decoded, ocsp_room
from daemon.published import names_of, published_room
from daemon.site import Site
from support.authorities import crl_of, hierarchy

NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SIGNED = Answer(b"for everybody", None, NOW, NOW + HOUR, NOW + HOUR / 2)
OURS = Answer(b"for one alone", None, NOW, NOW + HOUR)


class Desk:
    """Remembers what it was asked and answers as it was told."""

    def __init__(self, answer=SIGNED):
        self.asked, self.told = [], answer

    def __call__(self, der):
        self.asked.append(der)
        return self.told


def enter(request, *, desk=None, at=NOW, path="/ocsp"):
    return ocsp_room(path, desk or Desk(), lambda: at)(request)


@settings(max_examples=80)
@given(st.binary(min_size=1, max_size=120), st.booleans(), st.booleans(), st.sampled_from(["", "/ocsp", "/a/b/"]))
def test_a_request_in_the_path_is_read_however_clients_write_it(der, padded, plus_as_blank, base):
    text = base64.b64encode(der).decode()
    text = text if padded else text.rstrip("=")
    text = text.replace("+", " ") if plus_as_blank else text
    desk = Desk()
    answered = enter(Request("GET", f"{base.rstrip('/')}/{text}"), desk=desk, path=base)
    assert (answered.status, desk.asked) == (HTTPStatus.OK, [der])


@settings(max_examples=80)
@given(st.text(max_size=60))
def test_whatever_stands_in_the_path_is_octets_or_no_request(text):
    assert isinstance(decoded(text), bytes)


@pytest.mark.parametrize("path", ["/ocsp", "/ocsp/"])
def test_a_posted_request_is_answered_at_the_address_itself(path):
    desk = Desk()
    answered = enter(Request("POST", path, {}, b"question"), desk=desk)
    assert (answered.status, answered.body, desk.asked) == (HTTPStatus.OK, b"for everybody", [b"question"])
    assert dict(answered.headers)["Content-Type"] == "application/ocsp-response"


def test_caches_are_told_for_how_long_and_never_for_more_than_minutes():
    headers = dict(enter(Request("GET", "/ocsp/MAA=")).headers)
    assert headers["Cache-Control"] == "max-age=300, public, no-transform, must-revalidate"
    assert headers["Expires"] == http_date(NOW + LONGEST_KEPT) == "Wed, 01 Jul 2026 03:05:00 GMT"
    assert headers["Last-Modified"] == http_date(NOW)
    late = dict(enter(Request("GET", "/ocsp/MAA="), at=NOW + HOUR - timedelta(seconds=9)).headers)
    assert late["Cache-Control"].startswith("max-age=9,")


@pytest.mark.parametrize("answer", [OURS, ocsp.refusal(ErrorStatus.TRY_LATER)])
def test_a_nonce_and_an_error_are_kept_by_nobody(answer):
    for request in (Request("GET", "/ocsp/MAA="), Request("POST", "/ocsp")):
        assert dict(enter(request, desk=Desk(answer)).headers)["Cache-Control"] == "no-store"


def test_who_holds_the_answer_is_told_so():
    tag = dict(enter(Request("GET", "/ocsp/MAA=")).headers)["ETag"]
    for said in (tag, f'"other", W/{tag}', "*"):
        again = enter(Request("GET", "/ocsp/MAA=", {"if-none-match": said}))
        assert (again.status, again.body) == (HTTPStatus.NOT_MODIFIED, b"")
    for said in ('"other"', ""):
        assert enter(Request("GET", "/ocsp/MAA=", {"if-none-match": said})).status is HTTPStatus.OK
    assert enter(Request("POST", "/ocsp", {"if-none-match": tag})).status is HTTPStatus.OK


def test_other_methods_and_other_paths_are_no_questions():
    assert enter(Request("PUT", "/ocsp")).status is HTTPStatus.METHOD_NOT_ALLOWED
    assert enter(Request("POST", "/ocsp/MAA=")).status is HTTPStatus.METHOD_NOT_ALLOWED
    assert enter(Request("GET", "/ocsp/")).status is HTTPStatus.NOT_FOUND
    assert enter(Request("GET", "/ocspx/MAA=")) is None
    assert enter(Request("GET", "/elsewhere")) is None


# --- the published files


@pytest.fixture
def public(tmp_path):
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / "issuing.pem").write_bytes(hierarchy().issuing_pem)
    (folder / "issuing.cer").write_bytes(hierarchy().issuing.certificate.public_bytes(Encoding.DER))
    (folder / "root.crl").write_bytes(hierarchy().root_crl_pem)
    (folder / "issuing.crl").write_bytes(crl_of([]))
    (folder / ".hidden.pem").write_bytes(b"x")
    (tmp_path / "secret.pem").write_bytes(b"x")
    return folder


def given_by(room, path, method="GET", **headers):
    response = room(Request(method, path, {name.replace("_", "-"): value for name, value in headers.items()}))
    if response is not None and not isinstance(response.body, bytes):
        with response.body:
            return response, response.body.read()
    return response, None if response is None else response.body


def test_each_file_is_given_in_the_form_that_its_address_stands_for(public):
    room = published_room(public, {})
    for name, kind in (("root.crl", "application/pkix-crl"), ("issuing.crl", "application/pkix-crl")):
        response, body = given_by(room, f"/{name}")
        assert dict(response.headers)["Content-Type"] == kind
        assert dict(response.headers)["Cache-Control"] == "max-age=60, public"
        assert x509.load_der_x509_crl(body).issuer
    response, body = given_by(room, "/issuing.cer")
    assert x509.load_der_x509_certificate(body) == hierarchy().issuing.certificate
    response, body = given_by(room, "/issuing.pem")
    assert body == hierarchy().issuing_pem
    assert response.length == len(body)


def test_the_addresses_in_certificates_lead_to_their_files(public):
    chosen = CaSettings(
        crl_url="http://ca.lra.example/pki/current.crl", issuing_url="http://ca.lra.example/pki/one.cer"
    )
    room = published_room(public, names_of(chosen))
    assert x509.load_der_x509_crl(given_by(room, "/pki/current.crl")[1]).issuer
    assert x509.load_der_x509_certificate(given_by(room, "/pki/one.cer")[1])
    assert given_by(room, "/root.crl")[0].status is HTTPStatus.OK
    assert given_by(room, "/pki/issuing.pem")[0].status is HTTPStatus.OK


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.pem",
        "/..%2fsecret.pem",
        "/.hidden.pem",
        "/",
        "/issuing",
        "/x/issuing.pem",
        "/issuing.pem/",
        "/a\0b.pem",
    ],
)
def test_no_path_leads_out_of_the_folder(public, path):
    assert given_by(published_room(public, {}), path)[0] is None


def test_what_is_not_there_is_not_found_and_nothing_is_written(public):
    room = published_room(public, {})
    assert given_by(room, "/issuing-p7.crl")[0].status is HTTPStatus.NOT_FOUND
    assert given_by(room, "/issuing.crl", "POST")[0].status is HTTPStatus.METHOD_NOT_ALLOWED


def test_a_file_that_was_replaced_has_another_tag(public):
    room = published_room(public, {})
    tag = dict(given_by(room, "/issuing.crl")[0].headers)["ETag"]
    assert given_by(room, "/issuing.crl", if_none_match=tag)[0].status is HTTPStatus.NOT_MODIFIED
    new = public / "new"
    new.write_bytes(crl_of([], at=NOW + HOUR))
    new.replace(public / "issuing.crl")
    assert given_by(room, "/issuing.crl", if_none_match=tag)[0].status is HTTPStatus.OK


# --- the site


def call(site, **environment):
    said = {}

    def start(status, headers):
        said["status"], said["headers"] = status, dict(headers)

    base = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "wsgi.input": BytesIO(b""),
        "wsgi.file_wrapper": lambda file: [file.read()],
    }
    body = b"".join(site(base | environment, start))
    return said["status"], said["headers"], body


def test_an_error_in_a_room_is_a_500_that_tells_nothing(caplog):
    def breaks(request):
        raise ValueError(f"a secret path {request.path}")

    status, _, body = call(Site([breaks]), PATH_INFO="/very-secret")
    assert status == "500 Internal Server Error"
    assert b"secret" not in body
    assert "very-secret" not in caplog.text
    assert "ValueError" in caplog.text


def test_the_first_room_that_knows_the_path_answers():
    site = Site([lambda _: None, lambda _: plain(HTTPStatus.GONE), lambda _: plain(HTTPStatus.OK)])
    assert call(site)[0] == "410 Gone"
    assert call(Site([]))[0] == "404 Not Found"


def test_head_gives_the_headers_alone(public):
    site = Site([published_room(public, {}), lambda _: Response(HTTPStatus.OK, (), b"12345")])
    for path, length in (("/issuing.pem", len(hierarchy().issuing_pem)), ("/else", 5)):
        status, headers, body = call(site, REQUEST_METHOD="HEAD", PATH_INFO=path)
        assert (status, headers["Content-Length"], body) == ("200 OK", str(length), b"")
        assert headers["X-Content-Type-Options"] == "nosniff"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(max_codepoint=255), max_size=30), st.sampled_from(["GET", "POST", "HEAD", "PUT", "é"]))
def test_any_path_and_method_get_an_answer(public, path, method):
    site = Site([published_room(public, {}), ocsp_room("/ocsp", Desk(), lambda: NOW)])
    for where in (f"/{path}", f"/ocsp/{path}", f"/ocsp/{quote(path, encoding='latin-1')}"):
        assert call(site, REQUEST_METHOD=method, PATH_INFO=where)[0][:3] in ("200", "404", "405")
