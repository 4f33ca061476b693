"""A name server on loopback: TXT records by name, as a real resolver would answer, over UDP."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """Answers for `records`; a name that is not there does not exist. `rcode` other than NOERROR is said to everybody."""

    def __init__(self) -> None:
        self.records: dict[str, tuple[str, ...]] = {}
        self.rcode = dns.rcode.NOERROR
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if data == b"stop":
                return
            query = dns.message.from_wire(data)
            (question,) = query.question
            name = question.name.to_text(omit_final_dot=True).lower()
            self.asked.append(name)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            answer.set_rcode(self.rcode)
            if self.rcode == dns.rcode.NOERROR and name in self.records:
                for record in self.records[name]:
                    # A string of a record holds at most 255 octets (RFC 1035 section 3.3).
                    pieces = " ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))
                    answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", pieces))
            elif self.rcode == dns.rcode.NOERROR:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(answer.to_wire(), client)


@contextlib.contextmanager
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    server._thread.start()
    try:
        yield server
    finally:
        host, _, port = server.address.partition(":")
        server._socket.sendto(b"stop", (host, int(port)))
        server._thread.join(10)
        server._socket.close()
