"""All that the service shows by HTTP, as one WSGI application: the rooms, asked in turn.

Does: makes values of what the server hands over and bytes of what a room answers.
Trusts: the server (`web_server`) to have read the whole request within its limits.
Promises: an error in a room is a 500 without a word about it, and a line in the log that names neither path nor
content; every answer forbids guessing at its type.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from .centre import Centre
from .exchange import Request, Response, Room, plain
from .guard import attempt
from .ocsp_room import ocsp_room
from .published import names_of, published_room

Environment = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Site:
    """The WSGI application (PEP 3333) over some rooms."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self._rooms = tuple(rooms)

    def __call__(self, environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        response = attempt("HTTP request", partial(self._answer, environment)) or plain(
            HTTPStatus.INTERNAL_SERVER_ERROR
        )
        body = response.body
        length = len(body) if isinstance(body, bytes) else response.length
        headers = [*response.headers, ("X-Content-Type-Options", "nosniff")]
        if response.status is not HTTPStatus.NOT_MODIFIED:
            headers.append(("Content-Length", str(length)))
        start_response(f"{response.status.value} {response.status.phrase}", headers)
        silent = environment["REQUEST_METHOD"] == "HEAD"
        if isinstance(body, bytes):
            return [] if silent else [body]
        if silent:
            body.close()
            return []
        given: Iterable[bytes] = environment["wsgi.file_wrapper"](body)
        return given

    def _answer(self, environment: Environment) -> Response:
        request = request_of(environment)
        for room in self._rooms:
            response = room(request)
            if response is not None:
                return response
        return plain(HTTPStatus.NOT_FOUND)


def request_of(environment: Environment) -> Request:
    """The request of a WSGI environment."""
    headers = {
        key[5:].replace("_", "-").lower(): str(value) for key, value in environment.items() if key.startswith("HTTP_")
    }
    return Request(
        method=environment["REQUEST_METHOD"],
        path=environment.get("PATH_INFO", "") or "/",
        headers=headers,
        body=environment["wsgi.input"].read(),
    )


def site_of(centre: Centre) -> Site:
    """What a centre shows. Files first: a name with a dot is no base64, so both may live at one address."""
    rooms = [published_room(centre.public, names_of(centre.settings.ca))]
    if centre.responder is not None:
        path = urlsplit(centre.settings.ocsp.url).path
        rooms.append(ocsp_room(path, centre.responder.answer, centre.clock))
    return Site(rooms)
