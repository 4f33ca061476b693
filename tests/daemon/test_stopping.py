"""A request to stop is obeyed within two seconds, whatever the program waits for at a mail server."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from daemon.demo.stage import CENTRE, PASSWORD
from daemon.failures import OutcomeUnknown, TransportUnavailable
from daemon.smtp import Route, Transport
from daemon.stopping import Interrupted, Stop
from support.command_lines import write_config
from support.real_servers import RealMailServer
from support.servers import make_message
from support.wires import Proxy, ScriptedSmtp


def test_outside_of_a_call_through_a_door_nothing_is_interrupted():
    stop = Stop()
    stop.request()
    assert stop.is_set()
    with pytest.raises(Interrupted), stop.interrupting():
        pytest.fail("began after the request")


def test_a_request_interrupts_once_so_that_cleaning_up_is_left_alone():
    stop = Stop()
    with stop.interrupting():
        with pytest.raises(Interrupted):
            stop.request()
        stop.request()


def signal_later(process_id=None, seconds=0.3):
    timer = threading.Timer(seconds, os.kill, (process_id or os.getpid(), signal.SIGUSR1))
    timer.start()
    return timer


@pytest.fixture
def stop():
    """A stop that SIGUSR1 asks for."""
    made = Stop()
    former = signal.signal(signal.SIGUSR1, made.request)
    yield made
    signal.signal(signal.SIGUSR1, former)


def test_a_sleep_between_two_tries_ends(stop):
    began = time.monotonic()
    timer = signal_later()
    stop.sleep(30)
    stop.sleep(30)
    timer.join()
    assert time.monotonic() - began < 2


def route(port, **changes):
    values = {"connect_timeout": 30.0, "reply_timeout": 30.0, "data_timeout": 30.0} | changes
    return Route("127.0.0.1", port, "plain", **values)


def send(stop, port):
    with Transport(route(port), stop) as transport:
        return transport.send(make_message("x"), sender=CENTRE, recipient="taro@aozora-denki.example")


def test_a_letter_that_waits_for_a_silent_server_stays_unsent(stop):
    with ScriptedSmtp({}) as server, Proxy(server.port) as proxy:
        proxy.break_after(20, stall=True)
        began = time.monotonic()
        timer = signal_later()
        with pytest.raises(TransportUnavailable, match="stopping") as caught:
            send(stop, proxy.port)
        assert time.monotonic() - began < 2
        timer.join()
    assert not isinstance(caught.value, OutcomeUnknown)
    assert server.data == []


def test_a_letter_whose_last_reply_comes_in_the_moment_of_the_stop_is_sent(stop):
    """Without that it would go out a second time after the next start."""
    with ScriptedSmtp({}) as server:

        def slowly(file, client):
            """The whole message is there, the client waits for the reply, and only then is the stop asked for."""
            while file.readline() not in (b".\r\n", b""):
                pass
            signal_later(seconds=0.05).join()
            client.sendall(b"250 2.0.0 queued as 1\r\n")
            return True

        server._take = slowly
        assert send(stop, server.port).code == 250
    assert stop.is_set()


def test_a_letter_whose_last_reply_does_not_come_is_of_unknown_outcome_in_time(stop):
    with ScriptedSmtp({}) as server:
        release = threading.Event()
        server._take = lambda file, client: release.wait(20) and False
        timer = signal_later()
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            send(stop, server.port)
        assert time.monotonic() - began < 3
        release.set()
        timer.join()


class Silent:
    """Accepts and says nothing, or does not even accept."""

    def __init__(self, *, accepts: bool) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self._listening.getsockname()[1]
        self._held = []
        self._accepts = accepts
        if not accepts:
            # The kernel's queue of one is full: whoever comes now gets no answer at all.
            for _ in range(2):
                filler = socket.socket()
                filler.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    filler.connect(("127.0.0.1", self.port))
                self._held.append(filler)

    def reached(self) -> bool:
        if self._accepts:
            self._listening.settimeout(60)
            self._held.append(self._listening.accept()[0])
            return True
        wanted, until = f":{self.port:04X} 02", time.monotonic() + 60  # 02: SYN_SENT
        while time.monotonic() < until:
            waiting = [line for line in Path("/proc/net/tcp").read_text().splitlines() if wanted in line]
            if len(waiting) > len(self._held) - 1:
                return True
            time.sleep(0.02)
        return False

    def close(self) -> None:
        for each in (*self._held, self._listening):
            each.close()


@pytest.fixture(scope="module")
def real():
    with RealMailServer() as running:
        running.add_mailbox(CENTRE, PASSWORD)
        yield running


@contextlib.contextmanager
def service(config):
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "daemon", "run", "--config", config],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parent.parent.parent,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stops_in_time(process):
    began = time.monotonic()
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("security", "accepts"),
    [("starttls", False), ("starttls", True), ("tls", True)],
    ids=["connect", "greeting", "TLS"],
)
def test_a_service_that_waits_for_a_connection_stops(copied, security, accepts):
    silent = Silent(accepts=accepts)
    config = write_config(copied, port=str(silent.port), security=f'"{security}"')
    try:
        with service(config) as process:
            assert silent.reached()
            assert stops_in_time(process) < 2
    finally:
        silent.close()


@pytest.mark.parametrize("state", ["idle", "in the middle of a mail"])
def test_a_service_that_waits_for_a_real_server_stops(copied, real, state):
    real.append(CENTRE, make_message("x\r\n" * 20_000))  # one for each test: the service files what it has read
    with Proxy(real.imap_port) as proxy:
        config = write_config(copied, real, port=str(proxy.port), security='"plain"')
        token = b"IDLE\r\n" if state == "idle" else b"BODY.PEEK[]"
        reached = proxy.stall_upon(token, octets=None if state == "idle" else 5_000)
        with service(config) as process:
            assert reached.wait(60)
            assert stops_in_time(process) < 2
