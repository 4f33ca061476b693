"""Secrets by name: read from a credential file, held so that nothing prints them by accident.

Trusts: the folder is private to the service (systemd's `LoadCredential=`, systemd.exec(5), gives one in
`$CREDENTIALS_DIRECTORY`). Promises: the value stands in no `repr`, log line, traceback, pickle or settings dump; a
credential that everybody on the machine could read or replace is refused, not warned about, because a warning at
start-up is read once and the password then stays open for years. Reading by the file's group is allowed, as packages
install `root:service 0640`. Weak: Python cannot wipe a string; the value stays in this program's memory.
"""

import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, final

LARGEST = 64 * 1024
"""Octets. A credential is a password or a key, so a longer file is the wrong file."""


class CredentialError(ValueError):
    """A credential cannot be used; the sentence names it and its file and never shows any of its content."""


@final
class Secret:
    """A secret text. Only `reveal()` gives it; printing, formatting, logging and pickling do not."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself. Call it in the expression that needs it and keep no other name for the result."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # In constant time, so that a comparison of secrets tells nobody how much of a guess was right.
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"), other._value.encode("utf-8", "surrogatepass")
        )

    __hash__ = None  # type: ignore[assignment]  # a secret is nobody's dictionary key

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied")


def find_directory(configured: str, *, environ: Mapping[str, str], fallback: Path) -> Path:
    """The folder credentials are in: the configured one, else systemd's `$CREDENTIALS_DIRECTORY`, else `fallback`."""
    chosen = configured or environ.get("CREDENTIALS_DIRECTORY", "")
    return Path(chosen) if chosen else fallback


def load(name: str, directory: Path) -> Secret:
    """Read the credential `name` from `directory`; one line end at its end is not part of it.

    Raises CredentialError when the name is not a plain file name, the file is missing, empty, no regular file, not
    UTF-8 text, longer than `LARGEST`, or open to every user of the machine.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise CredentialError(f"{name!r} is not the name of a credential")
    path = directory / name
    try:
        content = _read(path)
    except OSError as error:
        raise CredentialError(f"credential {name}: {path} cannot be read ({error.strerror})") from None
    if len(content) > LARGEST:
        raise CredentialError(f"credential {name}: {path} is longer than {LARGEST} octets")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # Without `from None` the chained error would carry the content into a traceback.
        raise CredentialError(f"credential {name}: {path} is not UTF-8 text") from None
    # Editors and `echo` end a file with a line end that nobody means as part of a password.
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise CredentialError(f"credential {name}: {path} is empty")
    return Secret(text)


def _read(path: Path) -> bytes:
    # The open file is examined, not the name, so that it cannot be exchanged between the look and the reading; without
    # O_NONBLOCK a FIFO of that name would hold the program up for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CredentialError(f"credential {path.name}: {path} is not a regular file")
        if status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise CredentialError(
                f"credential {path.name}: every user of this machine can read or write {path}; run: chmod 0600 {path}"
            )
        return os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
