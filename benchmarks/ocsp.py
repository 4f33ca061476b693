"""How fast OCSP is answered: in process against the bare signature, over HTTP against OpenSSL's own responder.

    .venv/bin/python -P benchmarks/ocsp.py [--quick]

In process: request octets to answer octets with a nonce, per second of CPU, as a ratio to signatures of the same key
over as many octets; RSA-2048 and RSA-3072 count, P-256 and the way through the database are for information. Over HTTP:
our server and `openssl ocsp -port` with the same responder key (RSA-3072, the profile's own) and no keep-alive, asked
in turn by the same client, four connections at a time, each of the three a process of its own. OpenSSL's responder
cannot bind to one address, so everything runs in a network of its own, where there is nothing but loopback. The last
line sums up; exit 1 where a bar of issue 6 is missed: in process 0.7, over HTTP 0.8, signed ahead 3.
"""

import ctypes
import fcntl
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from cryptography import x509  # noqa: E402 - the path comes first
from cryptography.hazmat.primitives import serialization  # noqa: E402

from ca import ocsp, register  # noqa: E402
from ca.keys import KeyKind  # noqa: E402
from ca.ocsp import Responders  # noqa: E402
from ca.ocsp_wire import GOOD, Told  # noqa: E402
from ca.profiles import Role  # noqa: E402
from ca.signer import CaKey, ResponderSigner, _sign, make_ca_key, open_key, seal_key  # noqa: E402
from config.settings import OcspSettings  # noqa: E402
from daemon.ocsp_room import ocsp_room  # noqa: E402
from daemon.responder import Responder  # noqa: E402
from daemon.site import Site  # noqa: E402
from daemon.store import Store  # noqa: E402
from daemon.web_server import WebServer  # noqa: E402
from support.authorities import NOW, hierarchy, issue_one, pem, signer  # noqa: E402
from support.ocsp import asked, responder_prepared  # noqa: E402

BARS = {"in process": 0.7, "HTTP": 0.8, "signed ahead": 3.0}
QUICK = "--quick" in sys.argv
ROUNDS = 3 if QUICK else 7
SIGNATURES = 100 if QUICK else 300
REQUESTS = 200 if QUICK else 1500
CONNECTIONS = 4
PROFILES = {
    KeyKind.RSA_2048: "ocsp_responder-2048",
    KeyKind.RSA_3072: "ocsp_responder",
    KeyKind.P_256: "ocsp_responder-p256",
}
HOUR = timedelta(hours=1)


def rate(work: Callable[[], object], times: int) -> float:
    """How often a second of CPU does it."""
    start = time.process_time()
    for _ in range(times):
        work()
    return times / (time.process_time() - start)


def ratio(work: Callable[[], object], floor: Callable[[], object], times: int) -> tuple[float, float]:
    """The median ratio of both rates, each pair taken one after the other, and the median rate of the work."""
    pairs = [(rate(work, times), rate(floor, times)) for _ in range(ROUNDS)]
    return statistics.median(one / other for one, other in pairs), statistics.median(one for one, _ in pairs)


def responder(kind: KeyKind) -> tuple[ResponderSigner, CaKey]:
    key = make_ca_key(kind)
    start = datetime.now(UTC) - HOUR
    ready = responder_prepared(name=PROFILES[kind], start=start, key=key)
    return ResponderSigner(
        hierarchy().issuing, x509.load_der_x509_certificate(signer().sign_certificate(ready)), key
    ), key


def in_process(folder: Path) -> float:
    """Prints each key's ratio; the lower one of the two RSA keys decides."""
    ratios = []
    now = datetime.now(UTC)
    for kind in PROFILES:
        made, key = responder(kind)
        responders = Responders([made])
        size = len(ocsp.plan_response(made, [(b"x" * 80, GOOD)], now=now, validity=HOUR, nonce=b"n" * 32).tbs)
        requests = cycle([asked(number, nonce=os.urandom(32)) for number in range(10_000, 10_100)])
        times = SIGNATURES if kind is not KeyKind.P_256 else 10 * SIGNATURES

        def bare(key: CaKey = key, size: int = size) -> object:
            return _sign(key, b"x" * size)

        def answer(responders: Responders = responders, requests: Iterator[bytes] = requests) -> object:
            return ocsp.answer(next(requests), responders, _all_good, now=now, validity=HOUR)

        found, per_second = ratio(answer, bare, times)
        print(f"in process, {kind:9} {per_second:8.0f}/s  x{found:.2f} of the bare signature", flush=True)
        if kind is not KeyKind.P_256:
            ratios.append(found)
        if kind is KeyKind.RSA_3072:
            through_the_database(folder, made, bare)
    return min(ratios)


def _all_good(wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Told]:
    return dict.fromkeys(wanted, GOOD)


def through_the_database(folder: Path, made: ResponderSigner, bare: Callable[[], object]) -> None:
    """The same as the service does it, with a look into the register on the disk for each answer."""
    service, serial = filled(folder, made)
    requests = cycle([asked(serial, nonce=os.urandom(32)) for _ in range(100)])
    found, per_second = ratio(lambda: service.answer(next(requests)), bare, SIGNATURES)
    print(f"  through the database     {per_second:8.0f}/s  x{found:.2f}")
    plain = asked(serial)
    _, per_second = ratio(lambda: service.answer(plain), bare, SIGNATURES)
    print(f"  signed ahead, likewise   {per_second:8.0f}/s", flush=True)


def filled(folder: Path, made: ResponderSigner) -> tuple[Responder, str]:
    """A responder over a register on the disk, and a serial number that is good."""
    store = Store(f"sqlite:///{folder / 'register.sqlite'}")
    store.migrate()
    with store.transaction() as tx:
        register.record_authority(tx, hierarchy().root, Role.ROOT, now=NOW)
        register.record_authority(tx, hierarchy().issuing, Role.ISSUING, now=NOW)
        serials = [issue_one(tx, case_id=number) for number in range(1, 101)]
    service = Responder(store, lambda: datetime.now(UTC), OcspSettings())
    service.install([made])
    return service, serials[50]


# --- over HTTP


def lonely() -> None:
    """Move this process, and all that it starts, into a network with nothing but loopback (unshare(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000) != 0 and libc.unshare(0x40000000 | 0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "a network of its own is refused; run this as root")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING


def serve(folder: Path, port: int) -> None:
    """Our server, until its standard input ends; a process of its own."""
    store = Store(f"sqlite:///{folder / 'register.sqlite'}")
    with store.transaction() as tx:
        authority = register.authority(tx, "issuing-1")
    certificate = x509.load_pem_x509_certificate((folder / "responder.pem").read_bytes())
    made = ResponderSigner(authority, certificate, open_key((folder / "responder.sealed").read_bytes(), b"benchmark"))
    service = Responder(store, lambda: datetime.now(UTC), OcspSettings())
    service.install([made])
    site = Site([ocsp_room("/", service.answer, lambda: datetime.now(UTC))])
    server = WebServer(site, [socket.create_server(("127.0.0.1", port), backlog=128)])
    server.start()
    print("waiting", flush=True)
    sys.stdin.read()
    server.stop()


def load(port: int, body: bytes, times: int) -> None:
    """The client: prints how many answers a second it got; a process of its own."""
    head = b"POST / HTTP/1.0\r\nContent-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n" % len(body)

    def ask() -> None:
        for _ in range(times // CONNECTIONS):
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(head + body)
                got = b""
                while piece := sock.recv(65536):
                    got += piece
            if b"200" not in got[:20] or len(got) < 500:
                raise ValueError("no answer")

    threads = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(times // CONNECTIONS * CONNECTIONS / (time.perf_counter() - start))


def measured(port: int, request: Path, times: int = REQUESTS) -> float:
    command = [sys.executable, "-P", __file__, "--load", str(port), str(request), str(times)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)


def over_http(folder: Path) -> tuple[float, float]:
    """The median ratios to OpenSSL's responder: signed for each request, and signed ahead."""
    made, key = responder(KeyKind.RSA_3072)
    _, serial = filled(folder, made)
    (folder / "responder.pem").write_bytes(pem(made.certificate))
    (folder / "responder.sealed").write_bytes(seal_key(key, b"benchmark", os.urandom, cost=15))
    # OpenSSL wants it in clear; it is a key of this run and guards nothing.
    clear = key._private.private_bytes(  # noqa: SLF001
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "responder.key").write_bytes(clear)
    (folder / "issuing.pem").write_bytes(pem(hierarchy().issuing.certificate))
    (folder / "index.txt").write_text(f"V\t360101000000Z\t\t{serial.upper().zfill(40)}\tunknown\t/CN=x\n")
    (folder / "with-nonce").write_bytes(asked(serial, nonce=os.urandom(32)))
    (folder / "without").write_bytes(asked(serial))
    ours, theirs = 20080, 20081
    with ExitStack() as stack:
        for port, command, place in (
            (ours, [sys.executable, "-P", __file__, "--serve", str(folder), str(ours)], ROOT),
            (
                theirs,
                [
                    *("openssl", "ocsp", "-index", "index.txt", "-port", str(theirs), "-ndays", "1"),
                    *("-rsigner", "responder.pem", "-rkey", "responder.key", "-CA", "issuing.pem"),
                ],
                folder,
            ),
        ):
            log = stack.enter_context((folder / f"{port}.log").open("wb"))
            process = stack.enter_context(
                subprocess.Popen(command, cwd=place, stdin=subprocess.PIPE, stdout=log, stderr=log)
            )
            stack.callback(process.terminate)
            wait_for(folder / f"{port}.log")
        for port in (ours, theirs):
            measured(port, folder / "with-nonce", CONNECTIONS * 5)
        signed, ahead = [], []
        for _ in range(ROUNDS):
            floor = measured(theirs, folder / "with-nonce")
            mine = measured(ours, folder / "with-nonce")
            kept = measured(ours, folder / "without", 3 * REQUESTS)
            floor = (floor + measured(theirs, folder / "with-nonce")) / 2
            print(f"over HTTP: ours {mine:6.0f}/s, signed ahead {kept:6.0f}/s, openssl ocsp {floor:6.0f}/s")
            signed.append(mine / floor)
            ahead.append(kept / floor)
    return statistics.median(signed), statistics.median(ahead)


def wait_for(log: Path) -> None:
    """Until a server says that it waits. It is not tried: a connection without a request stops OpenSSL's for good."""
    until = time.monotonic() + 30
    while b"waiting" not in log.read_bytes():
        if time.monotonic() > until:
            raise TimeoutError(log.read_text(errors="replace"))
        time.sleep(0.05)


def main() -> int:
    if "--serve" in sys.argv:
        serve(Path(sys.argv[2]), int(sys.argv[3]))
        return 0
    if "--load" in sys.argv:
        load(int(sys.argv[2]), Path(sys.argv[3]).read_bytes(), int(sys.argv[4]))
        return 0
    lonely()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        found = {"in process": in_process(Path(one))}
        found["HTTP"], found["signed ahead"] = over_http(Path(other))
    told = ", ".join(f"{name} x{each:.2f} (bar {BARS[name]:g})" for name, each in found.items())
    print(f"of the bare signature and of `openssl ocsp`: {told}")
    return 0 if all(each >= BARS[name] for name, each in found.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
