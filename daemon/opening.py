"""Every PKCS#12 file is opened once more before anybody gets it, by a program that did not make it: `openssl`.

Does: runs `openssl pkcs12` on the finished file with its password and holds what came out against what should be in.
Trusts: the openssl command of the system; it sees one subscriber's key for some milliseconds, as our own memory does.
Promises: the password goes through a pipe, never into an argument, the environment or a file; so do file and key. The
child has an empty environment and no configuration file, may open few files, write none and leave no core, and is
killed when its time is over (`prlimit`).
Weak: it is another build of the same family of code that `cryptography` carries; that Java, NSS and GnuTLS open the
same files is shown by the tests, not each time. docs/decisions/0037-opened-again.md has the cost.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence

from cryptography import x509

from ca.bundle import check_opened
from ca.errors import CaError, CaErrorKind

_SECONDS = 20
_LIMITS = ("--cpu=10", "--core=0", "--fsize=0", "--nofile=32", f"--as={1 << 30}")
_OPTIONS = ("pkcs12", "-nodes", "-in", "/dev/stdin", "-passin")
_ENVIRONMENT = {"LC_ALL": "C", "OPENSSL_CONF": os.devnull}
# Where the commands of the system are; not the PATH of whoever started us.
_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


class OpenerMissing(OSError):
    """The command that opens files again is not installed: nothing is issued without it."""


def command() -> tuple[str, ...]:
    """How the opener is started. Raises OpenerMissing naming what to install."""
    found = {name: shutil.which(name, path=_PATH) for name in ("prlimit", "openssl")}
    missing = [name for name, place in found.items() if place is None]
    if missing:
        raise OpenerMissing(
            f"{' and '.join(missing)} not found in {_PATH}; install the packages util-linux and openssl"
        )
    return (str(found["prlimit"]), *_LIMITS, "--", str(found["openssl"]))


def open_again(data: bytes, password: str, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> None:
    """Open a bundle as its receiver will. Raises CaError(mismatch) unless it opens with this password and holds this
    certificate, its chain and the key that belongs to it; OpenerMissing; OSError when there is no room for a child."""
    check_opened(_opened(command(), data, password), certificate, chain)


def _opened(program: tuple[str, ...], data: bytes, password: str) -> bytes:
    """What the tool prints. A pipe takes a whole password at once, so writing it first never waits for the child."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "wb") as line:
            line.write(f"{password}\n".encode("ascii"))
        done = subprocess.run(  # noqa: S603 - a fixed command found in the folders of the system
            [*program, *_OPTIONS, f"fd:{reading}"],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            pass_fds=(reading,),
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        # Its message would hold the command line, which is harmless; the file is not opened, and that is what counts.
        raise CaError(CaErrorKind.MISMATCH, f"openssl did not open the bundle within {_SECONDS} seconds") from None
    finally:
        os.close(reading)
    if done.returncode:
        raise CaError(CaErrorKind.MISMATCH, "openssl does not open the bundle with its password")
    return done.stdout
