"""OCSP over HTTP (RFC 6960 appendix A, RFC 5019 sections 5 and 6): POST, and GET with the request in the path. Pure.

Any octets get an OCSP answer with status 200; only what HTTP itself forbids gets another status. What was signed for
everybody carries headers by which caches may keep it, for a few minutes: a cache that kept `good` until nextUpdate
would answer so after a revocation. What holds a nonce, and every error, is not to be stored at all.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus

from ca.ocsp import Answer

from .exchange import Request, Response, Room, http_date, plain, unchanged

TYPE = "application/ocsp-response"
LONGEST_KEPT = timedelta(minutes=5)
"""How long an HTTP cache may give an answer without asking again."""


def ocsp_room(path: str, answer: Callable[[bytes], Answer], clock: Callable[[], datetime]) -> Room:
    """The room at `path` (that of `ocsp.url`); `answer` is `Responder.answer`."""
    base = path.rstrip("/")

    def enter(request: Request) -> Response | None:
        if request.path != base and not request.path.startswith(f"{base}/"):
            return None
        if request.method == "POST" and request.path.rstrip("/") == base:
            return _respond(request, answer(request.body), clock())
        # In the path of a GET there is at least one octet; a visitor at the bare address asked for nothing.
        asked = request.path[len(base) + 1 :]
        if request.method not in ("GET", "HEAD"):
            return plain(HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD, POST"))
        if not asked:
            return plain(HTTPStatus.NOT_FOUND)
        return _respond(request, answer(decoded(asked)), clock())

    return enter


def decoded(text: str) -> bytes:
    """The request in a path (RFC 5019 section 5); empty, which is no request, where it is no base64.

    Clients that do not escape `+` and proxies that read it as a blank are common, and so is missing padding.
    """
    text = text.replace(" ", "+").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _respond(request: Request, answer: Answer, now: datetime) -> Response:
    kind = ("Content-Type", TYPE)
    if answer.kept_until is None or answer.this_update is None or answer.next_update is None:
        return Response(HTTPStatus.OK, (kind, ("Cache-Control", "no-store")), answer.body)
    tag = f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
    seconds = max(0, int(min(answer.next_update - now, LONGEST_KEPT).total_seconds()))
    headers = (
        kind,
        ("Cache-Control", f"max-age={seconds}, public, no-transform, must-revalidate"),
        ("ETag", tag),
        ("Last-Modified", http_date(answer.this_update)),
        ("Expires", http_date(now + timedelta(seconds=seconds))),
    )
    if request.method != "POST" and unchanged(request, tag):
        return Response(HTTPStatus.NOT_MODIFIED, headers[1:])
    return Response(HTTPStatus.OK, headers, answer.body)
