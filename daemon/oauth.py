"""Access tokens for mailboxes that take no password: OAuth 2 (RFC 6749), for Microsoft 365 and Gmail.

Does: fetches a token by one of two grants, keeps it in a file until shortly before it expires, fetches another when a
server refuses it. Client credentials (RFC 6749 section 4.4) go through msal, which signs with a certificate where there
is one; the refresh-token grant (section 6), which msal offers for Microsoft only, is one POST.
Trusts: the token server that its certificate names. Promises: every failure is TokenRefused (the operator must act) or
TokenUnavailable (it may pass); no error and no log line holds a token, a secret, or the server's own text, of which
only the error code and Microsoft's number are kept; the file is readable by its owner only and replaced whole.
Weak: whoever reads the file can use the mailbox until the token expires, about an hour.
"""

import contextlib
import hashlib
import json
import os
import re
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.credentials import Secret

RENEW_BEFORE = timedelta(minutes=5)
"""A token that expires sooner is not used any more: a round may last some minutes, and clocks differ."""

SHORTEST_LIFE = timedelta(minutes=1)
"""What a token whose lifetime is not told, or told as none, is used for (RFC 6749 section 5.1 recommends to tell)."""

_TIMEOUT = (10.0, 20.0)  # seconds to connect, to answer
_LARGEST = 64 * 1024

_ERROR = re.compile(r"[a-z_]{1,40}")  # RFC 6749 section 5.2 and its extensions
_MICROSOFTS = re.compile(r"\bAADSTS\d{3,8}\b")


class TokenRefused(Exception):
    """The token server says no: `code` is the error of RFC 6749 section 5.2, with Microsoft's number if there is one.
    Nothing but a change of the settings, the credentials or the server's own configuration will help."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TokenUnavailable(Exception):
    """The token server cannot be reached or does not speak OAuth now; `detail` names the library's error."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, how long it may be used, and the refresh token that replaces the one used, where the server sent one."""

    token: Secret
    lifetime: timedelta
    refresh_token: Secret | None = None


class Grant(Protocol):
    """A way to a token."""

    @property
    def identity(self) -> str:
        """What the tokens of this grant are for, and nothing secret."""

    def fetch(self, rotated: Secret | None) -> Granted:
        """A fresh token. Raises TokenRefused, TokenUnavailable. `rotated` is the refresh token stored last."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The service itself is the one who is let in (RFC 6749 section 4.4), as Microsoft 365 wants of a daemon.

    `authority` is `https://login.microsoftonline.com/<tenant>`, or the issuer of another OpenID provider. `secret` is a
    client secret, or a private key with its certificate (both PEM).
    """

    authority: str
    client_id: str
    secret: Secret = field(repr=False)
    scope: str
    ca_file: Path | None = None

    @property
    def identity(self) -> str:
        """As `Grant` says."""
        return f"client_credentials {self.authority} {self.client_id} {self.scope}"

    def fetch(self, rotated: Secret | None) -> Granted:  # noqa: ARG002 - this grant has no refresh token
        """As `Grant` says."""
        import msal  # noqa: PLC0415 - see _session
        import requests  # noqa: PLC0415 - see _session

        host = self.authority.removeprefix("https://").partition("/")[0]
        # msal asks Microsoft about every authority that it does not know, unless it is told that it is another's.
        known = msal.authority.WELL_KNOWN_AUTHORITY_HOSTS
        where = "authority" if host in known else "oidc_authority"
        try:
            with _session(self.ca_file) as session:
                # A new application each time: msal would answer from its own memory also when a token was refused.
                application = msal.ConfidentialClientApplication(
                    self.client_id,
                    client_credential=_client_credential(self.secret),
                    http_client=session,
                    **{where: self.authority},
                )
                answer = application.acquire_token_for_client(scopes=[self.scope])
        except requests.RequestException as error:
            raise TokenUnavailable(type(error).__name__) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # msal raises ValueError for a tenant that is not there as well as for an answer that is no JSON.
            raise TokenUnavailable(f"authority: {type(error).__name__}") from None
        return _granted(answer)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A person once let the service in, and the token they gave it is exchanged for one of an hour, as Gmail wants."""

    token_url: str
    client_id: str
    secret: Secret = field(repr=False)
    refresh_token: Secret = field(repr=False)
    scope: str = ""
    ca_file: Path | None = None

    @property
    def identity(self) -> str:
        """As `Grant` says; another refresh token in the credentials makes what was stored void."""
        given = hashlib.sha256(self.refresh_token.reveal().encode()).hexdigest()
        return f"refresh_token {self.token_url} {self.client_id} {self.scope} {given}"

    def fetch(self, rotated: Secret | None) -> Granted:
        """As `Grant` says."""
        import requests  # noqa: PLC0415 - see _session

        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.secret.reveal(),
            "refresh_token": (rotated or self.refresh_token).reveal(),
        }
        if self.scope:
            form["scope"] = self.scope
        try:
            with _session(self.ca_file) as session:
                response = session.post(self.token_url, data=form, headers={"Accept": "application/json"})
                answer = json.loads(response.content[:_LARGEST])
        except requests.RequestException as error:
            raise TokenUnavailable(type(error).__name__) from None
        except ValueError:
            raise TokenUnavailable("not a JSON answer") from None
        return _granted(answer)


class Tokens:
    """The token of one grant, kept in `file` (mode 0600) from one process to the next; `clock` gives aware UTC."""

    def __init__(self, grant: Grant, file: Path, clock: Callable[[], datetime]) -> None:
        self._grant = grant
        self._file = file
        self._clock = clock

    def token(self, *, refused: Secret | None = None) -> Secret:
        """A token that is good for some minutes at least; never the one that was `refused`.

        Raises TokenRefused, TokenUnavailable; OSError when the file cannot be written.
        """
        stored = self._read()
        held = stored.get("access_token", "")
        if held and (refused is None or refused != Secret(held)) and self._lasts(stored):
            return Secret(held)
        rotated = stored.get("refresh_token", "")
        granted = self._grant.fetch(Secret(rotated) if rotated else None)
        self._write(granted, rotated)
        return granted.token

    def __repr__(self) -> str:
        return f"Tokens({self._file.name})"

    def _lasts(self, stored: Mapping[str, str]) -> bool:
        try:
            return datetime.fromisoformat(stored["expires_at"]) - self._clock() > RENEW_BEFORE
        except (KeyError, ValueError, TypeError):
            return False

    def _read(self) -> dict[str, str]:
        """What is stored for this very grant; nothing where there is none, or none that can be read."""
        try:
            stored = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(stored, dict) or stored.get("identity") != self._grant.identity:
            return {}
        return {key: value for key, value in stored.items() if isinstance(value, str)}

    def _write(self, granted: Granted, rotated: str) -> None:
        life = max(granted.lifetime, SHORTEST_LIFE)
        stored = {
            "identity": self._grant.identity,
            "access_token": granted.token.reveal(),
            "expires_at": (self._clock() + life).astimezone(UTC).isoformat(),
            "refresh_token": granted.refresh_token.reveal() if granted.refresh_token is not None else rotated,
        }
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        # Written beside, on disk, then renamed: a stop in between must not lose a refresh token that was exchanged.
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
            json.dump(stored, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._file)


def _session(ca_file: Path | None) -> Any:  # noqa: ANN401 - a requests.Session, which is imported below
    """HTTPS that verifies by the system's authorities, goes by the system's proxy, follows no redirection (it would
    carry the secret elsewhere), and waits for nobody for ever.

    The libraries are loaded here and not above: most centres log in by password, and would pay for them at each start
    and stop.
    """
    import requests  # noqa: PLC0415 - see above

    session: Any = requests.Session()
    session.trust_env = False  # else ~/.netrc and REQUESTS_CA_BUNDLE have a say
    session.proxies.update(urllib.request.getproxies())
    paths = ssl.get_default_verify_paths()
    session.verify = str(ca_file) if ca_file is not None else paths.cafile or paths.capath or True
    session.max_redirects = 0
    session.request = partial(session.request, timeout=_TIMEOUT)
    return session


def _client_credential(secret: Secret) -> str | dict[str, str]:
    text = secret.reveal()
    if "-----BEGIN" not in text:
        return text
    certificate = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.DOTALL)
    key = re.search(r"-----BEGIN (?:RSA )?PRIVATE KEY-----.*?-----END (?:RSA )?PRIVATE KEY-----", text, re.DOTALL)
    if certificate is None or key is None:
        raise TokenRefused("the credential holds no private key with its certificate")
    try:
        opened = load_pem_private_key(key[0].encode(), None)
        x509.load_pem_x509_certificate(certificate[0].encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise TokenRefused("the credential's private key or certificate cannot be read") from None
    if not isinstance(opened, RSAPrivateKey):
        raise TokenRefused("the credential's private key must be RSA")  # Microsoft takes no other
    return {"private_key": key[0], "public_certificate": certificate[0]}


def _granted(answer: Any) -> Granted:  # noqa: ANN401 - what a stranger's JSON holds
    if not isinstance(answer, dict):
        raise TokenUnavailable("not an OAuth answer")
    token = answer.get("access_token")
    if isinstance(token, str) and token.isascii() and token.isprintable() and token:
        seconds = answer.get("expires_in", 0)
        refresh = answer.get("refresh_token")
        return Granted(
            Secret(token),
            timedelta(seconds=min(int(seconds), 86_400) if str(seconds).isdigit() else 0),
            Secret(refresh) if isinstance(refresh, str) and refresh else None,
        )
    code = str(answer.get("error", ""))
    if _ERROR.fullmatch(code) is None or code in ("temporarily_unavailable", "server_error"):
        raise TokenUnavailable(code if _ERROR.fullmatch(code) else "not an OAuth answer")
    number = _MICROSOFTS.search(str(answer.get("error_description", "")))
    raise TokenRefused(f"{code} {number[0]}" if number is not None else code)
