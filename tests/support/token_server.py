"""A token server on loopback (RFC 6749) over TLS, and the introspection (RFC 7662) by which Dovecot asks about tokens.

One thread each. What it answers is set on the object, so that a test may expire, revoke, refuse and break.
"""

import base64
import json
import ssl
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from support.throwaway_tls import write_server_tls

CLIENT, SECRET, REFRESH = "our-client", "client-secret-canary", "refresh-token-canary"


class TokenServer:
    """`user` is whom its tokens let in; `requests` are the forms that came to the token endpoint."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.lifetime = 3600
        self.answer: tuple[int, bytes] | None = None  # instead of a token
        self.rotates = False
        self.valid: set[str] = set()
        self.requests: list[dict[str, str]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="ogis-lra-tokens-")
        folder = Path(self._folder.name)
        self.ca_file, certificate, key = write_server_tls(folder, "token server under test")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), self._handler()) for _ in range(2)]
        self._servers[0].socket = context.wrap_socket(self._servers[0].socket, server_side=True)
        self.authority = f"https://127.0.0.1:{self._servers[0].server_port}/tenant"
        self.token_url = f"{self.authority}/token"
        self.introspection_url = f"http://127.0.0.1:{self._servers[1].server_port}/introspect?token="
        self._threads = [
            threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True) for each in self._servers
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
        self._folder.cleanup()

    def grant(self) -> str:
        """A token that is valid now."""
        token = f"token-canary-{len(self.requests)}-{len(self.valid)}" + "x" * 1500  # as long as Microsoft's
        self.valid.add(token)
        return token

    def _respond(self, form: dict[str, str]) -> tuple[int, bytes]:
        self.requests.append(form)
        if self.answer is not None:
            return self.answer
        known = form.get("client_id") == CLIENT and (form.get("client_secret") == SECRET or "client_assertion" in form)
        if not known:
            described = "AADSTS7000215: Invalid client secret provided, description-canary"
            return 401, json.dumps({"error": "invalid_client", "error_description": described}).encode()
        answer: dict[str, Any] = {"access_token": self.grant(), "token_type": "Bearer", "expires_in": self.lifetime}
        if self.rotates:
            answer["refresh_token"] = f"rotated-canary-{len(self.requests)}"
        return 200, json.dumps(answer).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                if path == "/tenant/.well-known/openid-configuration":
                    endpoint = {
                        "token_endpoint": tokens.token_url,
                        "authorization_endpoint": f"{tokens.authority}/auth",
                    }
                    self._say(200, json.dumps({"issuer": tokens.authority, **endpoint}).encode())
                elif path == "/introspect":
                    token = urllib.parse.parse_qs(query).get("token", [""])[0]
                    valid = token in tokens.valid
                    self._say(200, json.dumps({"active": valid, "username": tokens.user if valid else ""}).encode())
                else:
                    self._say(404, b"{}")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = dict(urllib.parse.parse_qsl(body))
                basic = self.headers.get("Authorization", "")
                if basic.startswith("Basic "):
                    user, _, password = base64.b64decode(basic[6:]).decode().partition(":")
                    form |= {"client_id": user, "client_secret": urllib.parse.unquote(password)}
                self._say(*tokens._respond(form))

            def _say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: a test's output is its own."""

        return Handler


def passdb_for(tokens: TokenServer, folder: Path) -> str:
    """A passdb block for Dovecot that asks this server about each token."""
    file = folder / "oauth2.conf.ext"
    file.write_text(
        f"introspection_mode = get\nintrospection_url = {tokens.introspection_url}\n"
        "username_attribute = username\nactive_attribute = active\nactive_value = true\n"
    )
    return f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {file}\n}}\n"
