"""The envelope sender of a letter: where reports go that say it did not arrive (RFC 5321 section 4.4). Pure.

Each letter has a trace of its own, 128 random bits. It is the envelope identifier (RFC 3461) of the letter and, where
the operator's mail system can receive such addresses, part of its bounce address. Why which letter wants its failures
back: docs/decisions/0019-bounces.md.
"""

import base64
import re
from collections.abc import Callable, Iterable

from config.settings import SmtpSettings

from .draft import LetterKind

# RFC 3834 section 3.3: an automatic answer goes out with an empty envelope sender. These answer a mail that came this
# very minute and belong to no case that would wait for them, so nobody would do anything about their failure.
UNRETURNED = frozenset({LetterKind.GUIDANCE, LetterKind.UNREADABLE, LetterKind.REPLY_UNCLEAR})

_BOUNCE = re.compile(r"(?:[^@]{1,60}\+)?bounce-([a-z2-7]{26})@[^@]{1,253}", re.IGNORECASE | re.ASCII)


def new_trace(random_bytes: Callable[[int], bytes]) -> str:
    """A new trace: 128 random bits in base32, small letters, since mail systems may fold the case of an address."""
    return base64.b32encode(random_bytes(16)).decode("ascii").rstrip("=").lower()


def envelope_sender(settings: SmtpSettings, address: str, *, trace: str, returned: bool) -> str:
    """The envelope sender of one letter of the centre at `address`; empty for one whose failure nobody wants back.

    A letter without a trace (queued by an earlier version) leaves under the centre's own address.
    """
    if not returned:
        return ""
    local, _, domain = address.rpartition("@")
    if not trace or settings.bounce == "none":
        return address
    if settings.bounce == "plus":
        return f"{local}+bounce-{trace}@{domain}"
    return f"bounce-{trace}@{settings.bounce_domain}"


def traces_in(addresses: Iterable[str]) -> list[str]:
    """The traces in addresses a mail was delivered to, whichever setting was in force when the letter left."""
    return [found[1].lower() for address in addresses if (found := _BOUNCE.fullmatch(address))]
