"""A DKIM result that our own server reports (RFC 8601 section 2.7.1): which signature it speaks of, and whether that
signature is one that SPEC 2.1 accepts.

A report says `dkim=pass` and the domain, not which fields were signed; that is read from the DKIM-Signature itself.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from parsers.dkim import Signature, demand, read_signature
from parsers.dkim_message import UnsoundError, Wire
from parsers.stamps import Result, Stamp

# RFC 6008 section 4: at least the first eight characters of the signature tell signatures apart.
_LEAST_PREFIX = 8


def reported(stamp: Stamp, wire: Wire, *, domains: Iterable[str], now: datetime) -> Signature:
    """The signature of one of these domains that the stamp reports as good and that covers what it must.

    Raises UnsoundError with the reason of the first report that could have counted, `not_authenticated` where there is
    none. SPF, and DMARC that rests on SPF, are no such report.
    """
    allowed = [domain.lower() for domain in domains]
    reasons: list[str] = []
    for result in stamp.results:
        if result.method != "dkim" or result.result != "pass":
            continue
        # Some servers report the identity alone (RFC 8601 section 2.7.1); its domain is then the one that must be ours.
        named = result.values("header.d") or tuple(each.rpartition("@")[2] for each in result.values("header.i"))
        if len(named) != 1 or named[0].lower() not in allowed:
            reasons.append("dkim_not_aligned")
            continue
        try:
            signature = _spoken_of(result, named[0].lower(), wire)
            demand(signature, wire, domains=allowed, now=now)
        except UnsoundError as error:
            reasons.insert(0, error.code)
            continue
        return signature
    raise UnsoundError(reasons[0] if reasons else "not_authenticated")


def _spoken_of(result: Result, domain: str, wire: Wire) -> Signature:
    """The one signature a report is about: by domain, selector and the start of its value where they are reported.

    Two that fit leave open which one was verified; a sender may add a second one with a wider `h=`. Every field is
    looked at, an unreadable one too: it must not hide that there are two.
    """
    found: list[Signature] = []
    for field in wire.all("dkim-signature"):
        try:
            signature = read_signature(field)
        except UnsoundError:
            if re.search(rb"\bd\s*=\s*" + re.escape(domain.encode("ascii", "replace")), field.body, re.IGNORECASE):
                raise
            continue
        if signature.domain == domain and _fits(result, signature):
            found.append(signature)
    if len(found) != 1:
        raise UnsoundError("dkim_report_ambiguous" if found else "dkim_missing")
    return found[0]


def _fits(result: Result, signature: Signature) -> bool:
    selectors = result.values("header.s")
    if selectors and [each.lower() for each in selectors] != [signature.selector]:
        return False
    starts = result.values("header.b")
    written = signature.written
    return not starts or (len(starts) == 1 and len(starts[0]) >= _LEAST_PREFIX and written.startswith(starts[0]))
