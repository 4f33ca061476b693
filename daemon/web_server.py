"""The HTTP server: waitress in threads of the service's own process (docs/decisions/0033-http-server.md).

Does: accepts, reads requests whole, lets the site answer in a few threads, closes what dawdles.
Trusts: nobody who connects. A web server in front is meant to stand between this and the world.
Promises: a client that sends or reads slowly, sends too much or rubbish costs a file descriptor for REQUEST_SECONDS and
nothing else; threads see whole requests only. `stop` returns within two seconds.
Weak: MOST_CONNECTIONS dawdlers at a time keep others waiting for up to REQUEST_SECONDS; they never hold up the rest of
the service. TLS is the web server's in front.
"""

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

from config.faults import SYSTEMD, listening_address
from config.settings import Settings, SettingsError

from .centre import Centre
from .keyring import activated_sockets
from .site import Site, site_of

_log = logging.getLogger(__name__)

REQUEST_SECONDS = 10
"""From the first octet of a request to its last, and for as long a connection may be silent."""
MOST_CONNECTIONS = 500
LARGEST_BODY = 1 << 17
"""Octets. The largest OCSP request we read is half of it."""
LARGEST_HEADER = 1 << 16
_THREADS = 4
_STOP_SECONDS = 2.0


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection whose time runs from the first octet of a request. waitress counts from the newest one, so that an
    octet now and then would hold it for ever."""

    last_activity: float
    _began: float | None = None

    def handle_read(self) -> None:
        """Take what came."""
        super().handle_read()
        if self.request is None:
            self._began = None
            return
        if self._began is None:
            self._began = self.last_activity
        self.last_activity = self._began


def _close_dawdlers(door: BaseWSGIServer, now: float) -> None:
    """Close what was silent for too long, in the loop's own thread.

    waitress only marks such a connection and closes it when the client can be written to: one that asks for much and
    reads nothing would stay for ever.
    """
    for channel in list(door.active_channels.values()):
        if not channel.requests and channel.last_activity < now - door.adj.channel_timeout:
            channel.handle_close()


class WebServer:
    """A server on sockets that listen already; it closes them in the end."""

    def __init__(self, site: Site, sockets: Sequence[socket.socket], *, seconds: int = REQUEST_SECONDS) -> None:
        # Their names, so that "queue depth" and socket errors of strangers do not fill the log.
        for name in ("waitress", "waitress.queue"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.port = int(sockets[0].getsockname()[1]) if sockets[0].family != socket.AF_UNIX else 0
        self._connections: dict[int, object] = {}
        server = create_server(
            site,
            map=self._connections,
            sockets=list(sockets),
            threads=_THREADS,
            ident=None,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=seconds,
            cleanup_interval=1,
            max_request_body_size=LARGEST_BODY,
            max_request_header_size=LARGEST_HEADER,
            # The default keeps half a megabyte of a request in memory: ours are never so large.
            inbuf_overflow=2 * LARGEST_BODY,
            # Above this a thread would wait for the client to read; what we answer is in memory or a file already.
            outbuf_high_watermark=1 << 40,
            asyncore_use_poll=True,
            log_socket_errors=False,
            clear_untrusted_proxy_headers=True,
        )
        doors = [each for each in self._connections.values() if isinstance(each, BaseWSGIServer)]
        for door in doors:
            door.channel_class = _Channel
            door.maintenance = partial(_close_dawdlers, door)
        self._trigger = doors[0].trigger
        self._dispatcher = server.task_dispatcher
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and come back within two seconds; an answer on its way may be cut off."""
        # Woken by somebody else at this moment, the loop may have closed everything, its own pipe included.
        with suppress(OSError):
            self._trigger.pull_trigger(self._close)
        self._thread.join(_STOP_SECONDS / 2)
        self._dispatcher.shutdown(timeout=_STOP_SECONDS / 2)

    def _run(self) -> None:
        wasyncore.loop(timeout=1, map=self._connections, use_poll=True)

    def _close(self) -> None:
        wasyncore.close_all(self._connections, ignore_all=True)


@contextmanager
def serving(centre: Centre) -> Iterator[WebServer | None]:
    """Serve a centre's site while the block runs; nothing where `http.listen` is empty.

    Raises SettingsError where it cannot listen there.
    """
    sockets = listening(centre.settings)
    if not sockets:
        yield None
        return
    server = WebServer(site_of(centre), sockets)
    server.start()
    _log.info("HTTP on port %d", server.port)
    try:
        yield server
    finally:
        server.stop()


def listening(settings: Settings) -> list[socket.socket]:
    """The sockets of `http.listen`, which listen already or will. Raises SettingsError."""
    where = settings.http.listen
    if not where:
        return []
    if where == SYSTEMD:
        found = activated_sockets()
        if not found:
            raise SettingsError("http.listen: systemd handed no socket over; is ogis-lra.socket enabled?")
        return found
    host, port = listening_address(where)
    try:
        return [socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)]
    except OSError as error:
        raise SettingsError(f"http.listen: {where} cannot be listened on: {error.strerror}") from error
