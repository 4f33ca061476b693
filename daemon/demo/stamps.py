"""The trace header fields our embedded server writes on top of a message, and the forged ones it takes away (pure).

The result on top of every delivered message is
    Authentication-Results: <our authserv-id>; ...      (RFC 8601)
    Received: ...                                       (RFC 5321 section 4.4)
    Return-Path: / Delivered-To:
so that a reader who believes only what stands above the first Received field believes only this server. Everything
else stays as it came, octet for octet.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

# Mail readers take a lone CR or LF for a line end as well; a field hidden behind one must be found too.
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")

# The forms a sender of ours may write: a plain address, or one in angle brackets behind a plain or quoted name.
_FROM = re.compile(r'(?:[^<>,;:@()"]*|\s*"(?:[^"\\]|\\.)*"\s*)<\s*([^<>\s,;:()"]+)\s*>|([^<>\s,;:()"]+)')

_WORD = re.compile(r"[^A-Za-z0-9.:\[\]_-]")


@dataclass(frozen=True, slots=True)
class Trace:
    """What the server knows about one delivery. `login` is the user who submitted it, None for mail from outside;
    `greeting` is what the client called itself; `at` is aware."""

    authserv_id: str
    login: str | None
    greeting: str
    queue_id: str
    sender: str
    recipient: str
    at: datetime


def stamp(message: bytes, trace: Trace) -> bytes:
    """The message with our trace fields on top and without results that claim to be ours."""
    if trace.login is None:
        result, protocol = "auth=none", "ESMTP"
    else:
        result, protocol = f"auth=pass smtp.auth={trace.login}", "ESMTPA"  # RFC 8601 section 2.7.4, RFC 3848
    greeting = _WORD.sub("?", trace.greeting)[:100]
    fields = (
        f"Authentication-Results: {trace.authserv_id}; {result}",
        f"Received: from {greeting} ([127.0.0.1])",
        f"\tby {trace.authserv_id} with {protocol} id {trace.queue_id};",
        f"\t{format_datetime(trace.at)}",
        f"Return-Path: <{trace.sender}>",
        f"Delivered-To: {trace.recipient}",
    )
    top = "".join(field + "\r\n" for field in fields).encode("ascii", "replace")
    return top + strip_claims(message, trace.authserv_id)


def strip_claims(message: bytes, authserv_id: str) -> bytes:
    """The message without Authentication-Results fields that claim `authserv_id` (RFC 8601 section 5).

    A field that names our id anywhere is taken for a claim: comments, quoting and line folding leave too many ways to
    write the same id, and RFC 8601 allows to remove more than necessary.
    """
    claim = re.sub(r"\s", "", authserv_id.lower()).encode("ascii", "replace")
    fields, body = split_fields(message)
    kept = []
    for field in fields:
        name, value = _parts(field)
        bare = re.sub(rb'[\s"\\]|\([^()]*\)', b"", value.lower())
        if name == b"authentication-results" and (claim in bare or claim in value.lower()):
            continue
        kept.append(field)
    return b"".join(kept) + body


def from_address(message: bytes) -> str | None:
    """The one address of the one From field, lower case; None when there is not exactly one of each, or when it is
    written in a way that two readers might understand differently."""
    values = [value for name, value in map(_parts, split_fields(message)[0]) if name == b"from"]
    if len(values) != 1:
        return None
    match = _FROM.fullmatch(re.sub(rb"[\r\n]", b"", values[0]).decode("utf-8", "replace").strip())
    if match is None:
        return None
    return (match[1] or match[2]).lower()


def split_fields(message: bytes) -> tuple[list[bytes], bytes]:
    """The header fields with their continuation lines, and the rest from the empty line on; together the message."""
    fields: list[bytes] = []
    position = 0
    for line in _lines(message):
        if not line.strip(b"\r\n"):
            break
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += line
        else:
            fields.append(line)
        position += len(line)
    return fields, message[position:]


def _lines(message: bytes) -> Iterator[bytes]:
    for match in _LINE.finditer(message):
        if match[0]:
            yield match[0]


def _parts(field: bytes) -> tuple[bytes, bytes]:
    name, _, value = field.partition(b":")
    return name.strip().lower(), value
