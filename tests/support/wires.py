"""Bad wires and lying servers on loopback: a proxy that cuts and stalls, and servers that follow a script."""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Self

_JOIN_SECONDS = 10.0


class _Listener:
    """Accepts connections on an ephemeral port of loopback and serves each in a thread; `with` ends them all."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._lock = threading.Lock()

    def serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    def track(self, sock: socket.socket) -> socket.socket:
        with self._lock:
            self._sockets.append(sock)
        return sock

    def spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self.track(client)
            self.spawn(lambda client=client: self._serve(client))  # type: ignore[misc]

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            self.serve(client)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._threads[0].join(_JOIN_SECONDS)
        for sock in self._sockets:
            close(sock)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)


def close(sock: socket.socket) -> None:
    """Close for the peer at once, even while another thread reads from it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class Proxy(_Listener):
    """Passes everything on to `port`, until told otherwise.

    `break_after(n, stall=...)`: after n more octets from the server the connection is cut, or nothing more comes.
    `cut_upon(token)`: as soon as the client has sent `token`, which is still passed on, the connection is cut and the
    server's answer to it never arrives; with `passed=False` the octets with the token are not passed on either.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self._target = port
        self._left: int | None = None
        self._stalls = False
        self._token: bytes | None = None
        self._passed = True
        self._deaf = False
        self.passed = self.passed_up = 0
        self._up_left: int | None = None
        self._trigger: bytes | None = None
        self._trigger_octets: int | None = None
        self.dealt = threading.Event()
        self.stalled = threading.Event()

    def break_after(self, octets: int, *, stall: bool = False) -> None:
        self._left, self._stalls = octets, stall

    def cut_upon(self, token: bytes, *, passed: bool = True) -> None:
        self._token, self._passed = token, passed

    def break_upward_after(self, octets: int) -> None:
        """After so many more octets from the client, which are still passed on, cut the connection."""
        self._up_left = octets

    def stall_upon(self, token: bytes, *, octets: int | None = None) -> threading.Event:
        """Once the client has sent `token`, let only so many octets of the answers through (all: None); the event is
        set when it has been sent and those octets are gone."""
        self._trigger, self._trigger_octets = token, octets
        return self.stalled

    def mend(self) -> None:
        """Be a good wire from now on."""
        self._left = self._token = self._up_left = None

    def hang_up(self) -> None:
        """Close the connections there are; new ones are welcome."""
        for sock in self._sockets:
            close(sock)

    def serve(self, client: socket.socket) -> None:
        server = self.track(socket.create_connection(("127.0.0.1", self._target)))
        try:
            self.spawn(lambda: self._down(client, server))
            self._up(client, server)
        finally:
            close(server)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        seen = b""
        while data := client.recv(65536):
            seen = seen[-64:] + data
            self.passed_up += len(data)
            if self._trigger is not None and self._trigger in seen:
                self._trigger = None
                if self._trigger_octets is None:
                    self.stalled.set()
                else:
                    self._stalls, self._left = True, self._trigger_octets
            if self._up_left is not None:
                server.sendall(data[: self._up_left])
                self._up_left -= min(self._up_left, len(data))
                if self._up_left == 0:
                    return
            elif self._token is None or self._token not in seen:
                server.sendall(data)
            elif self._passed:
                self._deaf = True
                server.sendall(data)
                # The answer shows that the server has dealt with it; it goes nowhere.
                assert self.dealt.wait(_JOIN_SECONDS)
                return
            else:
                return

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self._deaf:
                    self._deaf = False
                    self.dealt.set()
                    break
                self.passed += len(data)
                if self._left is not None:
                    data, self._left = data[: self._left], self._left - min(self._left, len(data))
                client.sendall(data)
                if self._left == 0 and self._stalls:
                    self.stalled.set()
                if self._left == 0 and not self._stalls:
                    break
        close(client)


class ScriptedSmtp(_Listener):
    """An SMTP server that answers each verb as told; a verb not in `replies` gets what a friendly server says.

    A reply of None closes the connection. The verb "." stands for the end of the data, "greeting" for the greeting;
    "body" (None) closes as soon as the data begins.
    """

    def __init__(
        self, replies: Mapping[str, str | None], *, extensions: tuple[str, ...] = ("SIZE 1000000", "8BITMIME")
    ) -> None:
        super().__init__()
        self.replies = dict(replies)
        self.seen: list[str] = []
        self.data: list[bytes] = []
        self._extensions = extensions

    def serve(self, client: socket.socket) -> None:
        file = self._say(client, "greeting", "220 scripted")
        with file:
            while line := file.readline():
                verb = line.split()[0].decode().upper().partition(":")[0]
                self.seen.append(verb + line.decode().strip()[len(verb) :])
                friendly = {
                    "EHLO": "".join(f"250-{each}\r\n" for each in ("scripted", *self._extensions)) + "250 HELP",
                    "DATA": "354 go on",
                    "AUTH": "235 2.7.0 welcome",
                }.get(verb, "250 2.0.0 OK")
                given = self.replies.get(verb, friendly)
                if given is None:
                    return
                client.sendall(given.encode() + b"\r\n")
                if "body" in self.replies and verb == "DATA":
                    return
                if verb == "DATA" and given.startswith("354") and not self._take(file, client):
                    return
                if verb == "QUIT":
                    return

    def _say(self, client: socket.socket, verb: str, friendly: str) -> "socket.SocketIO":
        given = self.replies.get(verb, friendly)
        if given is None:
            close(client)
        else:
            client.sendall(given.encode() + b"\r\n")
        return client.makefile("rb")  # type: ignore[return-value]

    def _take(self, file: "socket.SocketIO", client: socket.socket) -> bool:
        lines = []
        while (line := file.readline()) not in (b".\r\n", b""):
            lines.append(line)
        self.data.append(b"".join(lines))
        given = self.replies.get(".", "250 2.0.0 queued as 1")
        if given is None:
            return False
        client.sendall(given.encode() + b"\r\n")
        return True


class ScriptedImap(_Listener):
    """An IMAP server that answers each command as told; `answers` maps a command ("UID FETCH") to a text in which
    `{tag}` stands for the tag, to a function of the command's words that gives such a text, or to None, which closes the
    connection."""

    FRIENDLY: Mapping[str, str] = {
        "CAPABILITY": "* CAPABILITY IMAP4rev1 IDLE MOVE UIDPLUS\r\n{tag} OK done",
        "LOGIN": "{tag} OK welcome",
        "SELECT": "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n{tag} OK [READ-WRITE] done",
        "IDLE": "+ idling",
        "LOGOUT": "* BYE bye\r\n{tag} OK done",
        "UID SEARCH": "* SEARCH 1\r\n{tag} OK done",
        "LIST": '* LIST () "." "Filed"\r\n{tag} OK done',
    }

    def __init__(
        self, answers: Mapping[str, str | Callable[[list[str]], str] | None], *, greeting: str = "* OK ready"
    ) -> None:
        super().__init__()
        self.answers = dict(answers)
        self.seen: list[str] = []
        self._greeting = greeting

    def serve(self, client: socket.socket) -> None:
        client.sendall(self._greeting.encode() + b"\r\n")
        tag = ""
        with client.makefile("rb") as file:
            while line := file.readline():
                words = line.decode("utf-8", "replace").split()
                command = words[0] if words[0] == "DONE" else words[1].upper()
                if command == "UID":
                    command = f"UID {words[2].upper()}"
                tag = tag if command == "DONE" else words[0]
                self.seen.append(command)
                answer = self.answers.get(command, self.FRIENDLY.get(command, "{tag} OK done"))
                if answer is None:
                    return
                if callable(answer):
                    answer = answer(words)
                client.sendall(answer.replace("{tag}", tag).encode("utf-8", "surrogateescape") + b"\r\n")
