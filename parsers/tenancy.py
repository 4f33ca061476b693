"""The tenant rule of SPEC 2.1: staff whose mail never leaves the operator's own mail system and so carries no DKIM.

Trusts: header fields that the operator's server sets and takes away from mail that comes from outside (in Exchange the
"header firewall" does both). The operator names them, with their values, and the hosts of that system.
Promises: every named field stands exactly once with exactly that value, and every Received field, of which there is at
least one, was written by and received from one of the named hosts. Weak: it is as good as that server's stripping.
"""

import re
from collections.abc import Sequence

from parsers.dkim_message import UnsoundError, Wire

_FROM_BY = re.compile(
    r"\s*from\s+([A-Za-z0-9._-]+)(?:\s+\([^()]*\))*\s+by\s+([A-Za-z0-9._-]+)(?:\s|;|\Z)", re.IGNORECASE | re.DOTALL
)


def read_rule(line: str) -> tuple[str, str]:
    """`Name: value` of the configuration as (name in lower case, value). ValueError for anything else."""
    name, mark, value = line.partition(":")
    if not mark or not re.fullmatch(r"[!-9;-~]+", name.strip()) or not value.strip():
        raise ValueError("a tenant header is written as `Name: value`")
    return name.strip().lower(), value.strip()


def within_tenant(wire: Wire, *, headers: Sequence[str], hosts: Sequence[str]) -> None:
    """Raises UnsoundError unless the mail stayed within the operator's own mail system."""
    if not headers or not hosts:
        raise UnsoundError("tenant_not_configured")
    for name, wanted in map(read_rule, headers):
        values = [_text(field.body) for field in wire.all(name)]
        if len(values) > 1:
            raise UnsoundError("tenant_header_repeated")
        if not values or values[0].lower() != wanted.lower():
            raise UnsoundError("tenant_header_missing" if not values else "tenant_header_differs")
    received = wire.all("received")
    if not received:
        raise UnsoundError("tenant_no_hop")
    for field in received:
        hop = _FROM_BY.match(_text(field.body))
        if hop is None or not all(_own(host, hosts) for host in hop.groups()):
            raise UnsoundError("tenant_foreign_hop")


def _text(value: bytes) -> str:
    return re.sub(r"[ \t\r\n]+", " ", value.decode("utf-8", "replace")).strip()


def _own(host: str, hosts: Sequence[str]) -> bool:
    """A host that is named, or stands below a name that begins with a dot."""
    host = host.lower().rstrip(".")
    return any(host.endswith(known.lower()) if known.startswith(".") else host == known.lower() for known in hosts)
