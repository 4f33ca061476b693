"""`ogis-lra run` with a responder: it answers while it runs, from its first moment on, and is gone after the stop."""

import http.client
import os
import signal
import socket
import threading

import pytest
from cryptography.x509 import ocsp as judge

from daemon import loop
from support.command_lines import CommandLine, write_config
from support.processes import free_ports
from support.responding import asking, hold, rows_of

# As in test_service: a stop may come inside a connect.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*unclosed <socket:pytest.PytestUnraisableExceptionWarning", "ignore:unclosed <socket:ResourceWarning"
)


@pytest.fixture
def lra(stage, capsys):
    config = write_config(stage.folder, stage.server)
    port = free_ports(1)[0]
    with config.open("a") as file:
        file.write('\n[ocsp]\nurl = "http://ocsp.lra.example/ocsp"\nprofile = "ocsp_responder-p256"\n')
        file.write(f'[http]\nlisten = "127.0.0.1:{port}"\n')
    command = CommandLine(config, stage.clock, capsys)
    command.port = port
    return command


def test_the_service_answers_while_it_runs_and_verify_agrees(lra, stage, monkeypatch):
    serial = hold(stage.centre)
    reached, told = threading.Event(), []
    original = loop._wait

    def waiting(*args, **more):
        reached.set()
        original(*args, **more)

    monkeypatch.setattr(loop, "_wait", waiting)

    def visitor():
        reached.wait(60)
        try:
            client = http.client.HTTPConnection("127.0.0.1", lra.port, timeout=30)
            client.request("POST", "/ocsp", asking(stage.centre, serial))
            told.append(judge.load_der_ocsp_response(client.getresponse().read()).certificate_status.name)
            client.request("GET", "/issuing.crl")
            told.append(client.getresponse().status)
            client.close()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=visitor)
    thread.start()
    answered = lra("run")
    thread.join()
    assert answered.code == 0, answered.err
    assert told == ["GOOD", 200]
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", lra.port, timeout=5).connect()
    (row,) = rows_of(stage.centre)
    assert (row.registration_id, row.case_id) == (None, None)
    verified = lra("verify")
    assert verified.code == 0, verified.out
    key = stage.centre.settings.data_dir / "keys" / f"ocsp-issuing-1-{row.serial}.key"
    key.unlink()
    verified = lra("verify")
    assert verified.code == 1
    assert "ocsp: a key cannot be read" in verified.out
    # The register as people see it knows whom such a certificate belongs to: nobody.
    listed = next(each for each in lra("certs", "--json").document if each["serial"] == row.serial)
    assert listed["subscriber_id"] is None
    assert lra("cert", row.serial).code == 0


def test_a_responder_without_a_key_of_its_profile_is_a_wrong_configuration(lra, stage):
    lra.config.write_text(lra.config.read_text().replace("ocsp_responder-p256", "subscriber-p256"))
    answered = lra("run", "--once")
    assert answered.code == 2
    assert "there is no responder's profile" in answered.err


def test_an_address_that_is_taken_stops_the_service_with_a_sentence(lra):
    with socket.create_server(("127.0.0.1", lra.port)):
        answered = lra("run")
    assert answered.code == 2
    assert "http.listen" in answered.err
