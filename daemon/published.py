"""The files of `data_dir/public` over HTTP: what the addresses in certificates name (RFC 5280, 4.2.1.13 and 4.2.2.1).

Trusts: the folder to hold nothing but what the world may have. Promises: no path leads out of it, and a file that is
replaced while it is read is given whole, the old one: it was opened before.
A CRL and a certificate are given in DER, as RFC 5280 and RFC 2585 want it at such an address, also where the file is
PEM for nginx's sake; `*.pem` is given as it is.
"""

import binascii
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from config.settings import CaSettings

from .exchange import Request, Response, Room, http_date, plain, unchanged

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\.crl)?\.(crl|cer|pem)")
# RFC 2585 section 4; PEM has no registered type of its own for certificates (RFC 8555 registers one for chains).
_TYPES = {"crl": "application/pkix-crl", "cer": "application/pkix-cert", "pem": "application/pem-certificate-chain"}
# Seconds. A revocation is on the CRL at once; a cache in between shall not hide it for long.
_KEPT = {"crl": 60, "cer": 3600, "pem": 3600}
_PEM = b"-----BEGIN "


def names_of(ca: CaSettings) -> Mapping[str, str]:
    """The files behind the paths of the addresses in certificates, by path."""
    urls = {
        ca.crl_url: "issuing.crl",
        ca.root_crl_url: "root.crl",
        ca.issuing_url: "issuing.cer",
        ca.root_url: "root.cer",
    }
    return {urlsplit(url).path: name for url, name in urls.items()}


def published_room(folder: Path, names: Mapping[str, str]) -> Room:
    """The room of the published files: under the paths of `names`, and each under its own name beside them or at the
    top. A name that could be one of these and is not there is 404; every other path is somebody else's affair."""
    folders = {"/"} | {path.rpartition("/")[0] + "/" for path in names}

    def enter(request: Request) -> Response | None:
        before, _, last = request.path.rpartition("/")
        name = names.get(request.path, last if f"{before}/" in folders else "")
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        if request.method not in ("GET", "HEAD"):
            return plain(HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD"))
        return _give(request, folder / name, found[1])

    return enter


def _give(request: Request, path: Path, kind: str) -> Response:
    try:
        file = path.open("rb")
    except OSError:
        return plain(HTTPStatus.NOT_FOUND)
    about = os.fstat(file.fileno())
    tag = f'"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}"'
    headers: tuple[tuple[str, str], ...] = (
        ("Cache-Control", f"max-age={_KEPT[kind]}, public"),
        ("ETag", tag),
        ("Last-Modified", http_date(datetime.fromtimestamp(int(about.st_mtime), UTC))),
    )
    if unchanged(request, tag):
        file.close()
        return Response(HTTPStatus.NOT_MODIFIED, headers)
    headers = (("Content-Type", _TYPES[kind]), *headers)
    if kind == "pem" or file.read(len(_PEM)) != _PEM:
        file.seek(0)
        return Response(HTTPStatus.OK, headers, file, about.st_size)
    with file:
        file.seek(0)
        return Response(HTTPStatus.OK, headers, _der(file.read()))


def _der(pem: bytes) -> bytes:
    """The octets in the one PEM block of a file of ours (RFC 7468)."""
    lines = pem.splitlines()
    return binascii.a2b_base64(b"".join(line for line in lines if not line.startswith(b"-----")))
