"""The HTTP server on loopback: whoever dawdles, floods or talks rubbish costs nobody else an answer, and it stops."""

import http.client
import io
import os
import random
import socket
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from http import HTTPStatus

import pytest
from cryptography.x509 import ocsp as judge

from config.settings import HttpSettings, SettingsError
from daemon import keyring, responders
from daemon.exchange import Response
from daemon.site import Site
from daemon.web_server import LARGEST_BODY, LARGEST_HEADER, WebServer, listening, serving
from support.processes import free_ports
from support.responding import asking, hold, served, with_responder


@pytest.fixture
def centre(stage):
    responding = with_responder(stage.centre)
    responders.look_after(responding)
    return responding


@pytest.fixture
def web(centre):
    """The site of a centre with a responder."""
    with served(centre) as running:
        yield running


@pytest.fixture
def impatient(centre):
    """The same, but who dawdles is closed after a second."""
    with served(centre, seconds=1) as running:
        yield running


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def post(server, body, path="/ocsp"):
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    client.request("POST", path, body, {"Content-Type": "application/ocsp-request"})
    answered = client.getresponse()
    content = answered.read()
    client.close()
    return answered, content


def honest(server, centre, serial):
    answered, content = post(server, asking(centre, serial))
    assert answered.status == 200
    return judge.load_der_ocsp_response(content).certificate_status.name


@pytest.fixture
def serial(centre):
    return hold(centre)


def test_it_listens_on_loopback_and_answers(web, centre, serial):
    assert honest(web, centre, serial) == "GOOD"


def test_a_connection_can_be_used_again(web, centre, serial):
    client = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    for _ in range(3):
        client.request("POST", "/ocsp", asking(centre, serial))
        assert len(client.getresponse().read()) > 500
    client.close()


def test_clients_that_never_finish_are_closed_and_hold_up_nobody(impatient, centre, serial):
    """Slowloris: a head that never ends, an octet now and then."""
    with ExitStack() as stack:
        dawdlers = [stack.enter_context(connect(impatient)) for _ in range(40)]
        for each in dawdlers:
            each.sendall(b"POST /ocsp HTTP/1.1\r\nHost: x\r\n")
        assert honest(impatient, centre, serial) == "GOOD"
        trickling = dawdlers[0]
        trickling.settimeout(0.05)
        closed = False
        while not closed:  # the test's own time limit is the end of it
            try:
                trickling.sendall(b"x")
                closed = trickling.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
        for each in dawdlers[1:]:
            with suppress(ConnectionError):
                assert each.recv(100) == b""


def test_a_client_that_says_nothing_is_closed(impatient):
    with connect(impatient) as silent:
        assert silent.recv(100) == b""


def test_a_body_that_never_comes_is_not_waited_for(impatient, centre, serial):
    with connect(impatient) as sock:
        sock.sendall(b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n12345")
        assert honest(impatient, centre, serial) == "GOOD"
        assert sock.recv(100) == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BODY + 1), b"413"),
        (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (LARGEST_HEADER + 1), b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /ocsp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
    ],
)
def test_what_is_too_much_or_no_http_is_refused(web, centre, serial, sent, status):
    with connect(web) as sock:
        with suppress(ConnectionError):
            sock.sendall(sent)
        assert sock.recv(4096).split(b" ", 2)[1] == status
    assert honest(web, centre, serial) == "GOOD"


def test_a_chunked_body_has_the_same_limit(web):
    with connect(web) as sock:
        sock.sendall(b"POST /ocsp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        with suppress(ConnectionError):
            for _ in range(LARGEST_BODY // 0x4000 + 4):
                sock.sendall(chunk)
        assert sock.recv(4096).split(b" ", 2)[1] == b"413"


def test_rubbish_of_any_kind_ends_in_an_answer_or_a_closed_connection(web, centre, serial):
    chance = random.Random(20261201)
    for _ in range(60):
        with connect(web) as sock, suppress(ConnectionError):
            kind = chance.choice([b"", b"POST /ocsp HTTP/1.0\r\nContent-Length: 40\r\n\r\n", b"GET /ocsp/"])
            sock.sendall(kind + chance.randbytes(chance.randrange(1, 200)) + b"\r\n\r\n")
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    assert honest(web, centre, serial) == "GOOD"


class Large(io.BytesIO):
    """More than the kernel keeps for a client; says when the server has done with it."""

    def __init__(self):
        super().__init__(b"x" * 50_000_000)
        self.given_up = threading.Event()

    def close(self):
        super().close()
        self.given_up.set()


def test_an_answer_that_nobody_takes_is_given_up(centre):
    """A client that asks for much and reads nothing."""
    file = Large()
    (listening_socket,) = listening(replace(centre.settings, http=HttpSettings(f"127.0.0.1:{free_ports(1)[0]}")))
    server = WebServer(Site([lambda _: Response(HTTPStatus.OK, (), file, 50_000_000)]), [listening_socket], seconds=1)
    server.start()
    try:
        with connect(server) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert file.given_up.wait(60)
    finally:
        server.stop()


def test_it_stops_although_somebody_dawdles(centre):
    with ExitStack() as stack:
        with served(centre) as server:
            dawdlers = [stack.enter_context(connect(server)) for _ in range(5)]
            for each in dawdlers:
                each.sendall(b"POST /ocsp HTTP/1.1\r\n")
            post(server, b"")
        assert not server._thread.is_alive()
        for each in dawdlers:
            with suppress(ConnectionError):
                assert each.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(server)


def test_it_stops_while_a_room_is_still_thinking(centre):
    entered, leave = threading.Event(), threading.Event()

    def thinks(_):
        entered.set()
        leave.wait(60)
        return Response(HTTPStatus.OK)

    (listening_socket,) = listening(replace(centre.settings, http=HttpSettings(f"127.0.0.1:{free_ports(1)[0]}")))
    server = WebServer(Site([thinks]), [listening_socket])
    server.start()
    with connect(server) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert entered.wait(30)
        server.stop()
        leave.set()
        assert sock.recv(10) == b""


def test_where_another_listens_the_service_says_so(centre):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match="in use"):
            listening(replace(centre.settings, http=HttpSettings(where)))


def test_without_an_address_there_is_no_server(centre):
    off = replace(centre, settings=replace(centre.settings, http=HttpSettings("")))
    with serving(off) as server:
        assert server is None


def test_the_socket_of_systemd_is_taken_when_it_is_for_this_process(centre, monkeypatch):
    by_systemd = replace(centre.settings, http=HttpSettings("systemd"))
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert keyring.activated_sockets() == []
    with pytest.raises(SettingsError, match=r"ogis-lra\.socket"):
        listening(by_systemd)
    monkeypatch.delenv("LISTEN_PID")
    assert keyring.activated_sockets() == []
