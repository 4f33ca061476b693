"""A centre with an OCSP responder and an HTTP server, on P-256 and the cheapest scrypt; everything else is the real."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from cryptography.x509 import ocsp as judge

from ca import ocsp, register
from ca.bundle import make_key
from ca.issue import IssuanceRequest, new_serial, prepare
from ca.keys import PrivateKey
from ca.ocsp_wire import SHA1, SHA256, question, request
from ca.profiles import load_profiles
from config.settings import HttpSettings, OcspSettings
from daemon.cabinet import Cabinet
from daemon.centre import Centre
from daemon.responder import Responder
from daemon.site import site_of
from daemon.web_server import WebServer, listening
from support.authorities import subject
from support.processes import free_ports

URL = "http://ocsp.lra.example/ocsp"


def with_responder(centre: Centre, *, url: str = URL, minutes: int = 60, listen: str = "127.0.0.1:8080") -> Centre:
    """The same centre, as if its configuration named a responder."""
    settings = replace(
        centre.settings,
        ocsp=OcspSettings(url=url, profile="ocsp_responder-p256", validity_minutes=minutes),
        http=HttpSettings(listen=listen),
    )
    assert centre.cabinet is not None
    return replace(
        centre,
        settings=settings,
        cabinet=Cabinet(centre.cabinet.folder, centre.cabinet.passphrase, cost=15),
        responder=Responder(centre.store, centre.clock, settings.ocsp),
    )


def hold(centre: Centre, *, number: int = 1, key: PrivateKey | None = None) -> str:
    """A subscriber's certificate, issued by the shortest way; its serial number."""
    authority = centre.signer.authority
    chosen = load_profiles()["subscriber-p256"]
    key = key or make_key(chosen)
    wanted = IssuanceRequest(subject(), key.public_key(), chosen, *chosen.period(centre.clock()))
    ready = prepare(wanted, authority, new_serial(centre.random_bytes))
    with centre.store.transaction() as tx:
        register.reserve(
            tx,
            ready,
            authority=authority,
            registration_id=number,
            case_id=number,
            now=centre.clock(),
            lease_until=centre.clock() + timedelta(minutes=5),
        )
        register.record_issued(tx, ready.serial, centre.signer.sign_certificate(ready), now=centre.clock())
    return register.serial_text(ready.serial)


def asking(centre: Centre, serial: int | str, *, digest: str = "sha1", nonce: bytes | None = None) -> bytes:
    hashes = ocsp.issuer_hashes(centre.signer.authority, digest)
    number = int(serial, 16) if isinstance(serial, str) else serial
    return request([question(SHA1 if digest == "sha1" else SHA256, *hashes, number)], nonce)


def says(centre: Centre, serial: int | str, **how: object) -> str:
    """What the responder says of a serial number: good, revoked, unknown, or the name of an error."""
    answered = judge.load_der_ocsp_response(centre.responder.answer(asking(centre, serial, **how)).body)
    if answered.response_status is not judge.OCSPResponseStatus.SUCCESSFUL:
        return answered.response_status.name.lower()
    return answered.certificate_status.name.lower()


def rows_of(centre: Centre, profile: str = "ocsp_responder-p256") -> list[register.CertificateRow]:
    with centre.store.transaction() as tx:
        return [row for row in register.every(tx) if row.profile == profile]


@contextmanager
def served(centre: Centre, *, seconds: int = 10) -> Iterator[WebServer]:
    """The centre's site on loopback."""
    reachable = replace(centre, settings=replace(centre.settings, http=HttpSettings(f"127.0.0.1:{free_ports(1)[0]}")))
    server = WebServer(site_of(reachable), listening(reachable.settings), seconds=seconds)
    server.start()
    try:
        yield server
    finally:
        server.stop()


DAY = timedelta(days=1)
