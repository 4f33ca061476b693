"""The name servers: TXT records, for the keys of DKIM signatures (RFC 6376 section 3.6.2).

Trusts: the resolvers that are configured, or the system's; whoever can answer in their place can make keys, so they
belong on this machine or in the operator's own network, and should validate DNSSEC. Promises: records as they are
published, nothing where there are none; a server that does not answer is a passing failure and never an empty answer.
Weak: no cache of its own; a reply costs one question.
"""

from collections.abc import Callable, Iterable, Sequence

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from .failures import NameServerUnavailable

Ask = Callable[[str], tuple[str, ...]]
LONGEST_WAIT = 5.0
"""Seconds for one question, all servers and repetitions together."""
_PORT = 53


def asker(resolvers: Sequence[str]) -> Ask:
    """What answers for the TXT records of a name. `resolvers`: `address` or `address:port`; empty: the system's."""

    def ask(name: str) -> tuple[str, ...]:
        try:
            resolver = dns.resolver.Resolver(configure=not resolvers)
            if resolvers:
                resolver.nameservers = [_server(each) for each in resolvers]
            answer = resolver.resolve(name, "TXT", lifetime=LONGEST_WAIT, search=False, raise_on_no_answer=False)
        except (dns.resolver.NXDOMAIN, dns.name.EmptyLabel, dns.name.LabelTooLong, dns.name.NameTooLong):
            return ()
        except (dns.exception.DNSException, OSError) as error:
            raise NameServerUnavailable(type(error).__name__) from error
        records = answer.rrset or ()
        # RFC 6376 section 3.6.2.2: the strings of one record are one text.
        return tuple(b"".join(record.strings).decode("ascii", "replace") for record in records)

    return ask


def look_up(ask: Ask, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The TXT records of each name. Raises NameServerUnavailable."""
    return {name: ask(name) for name in names}


def _server(text: str) -> dns.nameserver.Do53Nameserver:
    address, mark, port = text.rpartition(":")
    plain = not mark or ("]" not in text and text.count(":") > 1)
    return dns.nameserver.Do53Nameserver(text if plain else address.strip("[]"), _PORT if plain else int(port))
