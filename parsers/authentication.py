"""Who stands behind a staff reply: the one verdict on a mail, by the ways that are configured for its approver.

The ways (SPEC 2.1, `config.faults.METHODS`): `login` and `results`, a stamp of our own server (RFC 8601) for an
authenticated login or for a DKIM signature that covers enough; `dkim`, a signature verified here on the raw octets;
`smime`, a signed body; `tenant`, header fields that only the operator's own server can have set.
Trusts: the stamp that bears our configured authserv-id above the first Received field; the DNS answers, roots and CRLs
handed in. Promises: pure, never raises; nothing that is missing, doubled, malformed or undecided is accepted; one way
that holds is enough, and a way that is not configured is never tried.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from config.settings import Approver, AuthenticationSettings
from parsers import dkim, dkim_reports, smime, tenancy
from parsers.dkim_message import UnsoundError, Wire, split
from parsers.mail import Mail
from parsers.reply import find_token, signed_recipients, signed_tokens
from parsers.smime_chain import Trust, fingerprint
from parsers.stamps import Stamp, stamps_of
from parsers.verdicts import REASONS

__all__ = ["Facts", "Verdict", "binds", "judge", "questions"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about the sender of a mail.

    `method` is the way that was proven, or the way whose refusal is told; `identity` what it proves (an address, a
    domain, a certificate); `reason` a Japanese clause for staff, `code` the same for the log. `text`: the words that
    were authenticated, from which alone a command may be read. `evidence` can be written as JSON, and `judge` comes to
    the same verdict again from the mail and from it.
    """

    accepted: bool
    method: str
    identity: str
    reason: str
    code: str
    text: str = ""
    evidence: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict needs from the world: the time of receipt, our own address, TXT records by DNS name, what
    certificates are judged by."""

    now: datetime
    mailbox: str
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    trust: Trust = field(default_factory=Trust)


@dataclass(frozen=True, slots=True)
class _Question:
    """One mail and everything it is judged by."""

    wire: Wire
    mail: Mail
    approver: Approver
    settings: AuthenticationSettings
    facts: Facts


def questions(raw: bytes, approver: Approver) -> tuple[str, ...]:
    """The DNS names whose TXT records `judge` wants for this mail; none where DKIM is not a way of this approver."""
    if "dkim" not in approver.methods:
        return ()
    try:
        return dkim.questions(split(raw), _domains(approver))
    except UnsoundError:
        return ()


def judge(raw: bytes, mail: Mail, approver: Approver, settings: AuthenticationSettings, facts: Facts) -> Verdict:
    """Whether this mail is this approver's. `mail` is `open_mail(raw)`, opened once by the caller. Never raises."""
    if mail.suspicions or len(mail.senders) != 1:
        return _refuse("", "sender_ambiguous")
    if not _same_address(mail.senders[0].address, approver.address):
        return _refuse("", "sender_is_another")
    try:
        question = _Question(split(raw), mail, approver, settings, facts)
    except UnsoundError as error:
        return _refuse("", error.code)
    refusals: list[Verdict] = []
    for method in approver.methods:
        try:
            return _WAYS[method](question)
        except UnsoundError as error:
            refusals.append(_refuse(method, error.code))
    # What was tried and failed says more than what was not there at all.
    telling = [each for each in refusals if each.code not in _NOT_THERE]
    return next(iter(telling or refusals), _refuse("", "no_method"))


_NOT_THERE = frozenset({"no_stamp", "smime_missing", "dkim_missing", "tenant_header_missing", "not_authenticated"})


def _refuse(method: str, code: str) -> Verdict:
    return Verdict(accepted=False, method=method, identity="", reason=REASONS[code], code=code)


def _accept(method: str, identity: str, code: str, text: str, **evidence: object) -> Verdict:
    return Verdict(
        accepted=True,
        method=method,
        identity=identity,
        reason=REASONS[code],
        code=code,
        text=text,
        evidence=MappingProxyType({"method": method, "identity": identity, **evidence}),
    )


def _own_stamp(question: _Question) -> Stamp:
    """The one stamp of our own server. `Mail.results` holds only what stands above the first Received field."""
    name = question.settings.authserv_id.strip()
    if not name:
        raise UnsoundError("authserv_id_missing")
    ours = stamps_of(question.mail.results, name)
    if len(ours) != 1:
        raise UnsoundError("several_stamps" if ours else "no_stamp")
    if ours[0] is None:
        raise UnsoundError("stamp_malformed")
    return ours[0]


def _by_login(question: _Question) -> Verdict:
    """`auth=pass` whose `smtp.auth` is the From address (RFC 8601 section 2.7.4)."""
    logins = [result for result in _own_stamp(question).results if result.method == "auth"]
    if len(logins) > 1:
        raise UnsoundError("several_results")
    if not logins or logins[0].result != "pass":
        raise UnsoundError("not_authenticated")
    identities = logins[0].values("smtp.auth")
    if len(identities) != 1 or not _same_login(identities[0], question.mail.senders[0].address):
        raise UnsoundError("other_login")
    return _accept("login", identities[0], "login_matches", question.mail.text)


def _by_results(question: _Question) -> Verdict:
    signature = dkim_reports.reported(
        _own_stamp(question), question.wire, domains=_domains(question.approver), now=question.facts.now
    )
    _demand_to_us(question)
    return _accept(
        "results",
        signature.domain,
        "results_match",
        question.mail.text,
        selector=signature.selector,
        covered=list(signature.names),
        authserv_id=question.settings.authserv_id,
    )


def _by_dkim(question: _Question) -> Verdict:
    proof = dkim.verify(
        question.wire, domains=_domains(question.approver), keys=question.facts.keys, now=question.facts.now
    )
    _demand_to_us(question)
    signature = proof.signature
    return _accept(
        "dkim",
        signature.domain,
        "dkim_verified",
        question.mail.text,
        selector=signature.selector,
        algorithm=signature.algorithm,
        covered=list(signature.names),
        key_name=signature.question,
        key_record=proof.record,
        key_bits=proof.bits,
    )


def _by_smime(question: _Question) -> Verdict:
    proof = smime.verify(
        question.wire,
        address=question.approver.address,
        pins=question.approver.certificates,
        trust=question.facts.trust,
        now=question.facts.now,
    )
    return _accept(
        "smime",
        fingerprint(proof.certificate),
        "smime_verified",
        proof.text,
        serial=f"{proof.certificate.serial_number:x}",
        chain=[fingerprint(each) for each in proof.chain],
        signed_at=proof.signed_at.isoformat(),
    )


def _by_tenant(question: _Question) -> Verdict:
    tenancy.within_tenant(question.wire, headers=question.settings.tenant_headers, hosts=question.settings.tenant_hosts)
    return _accept(
        "tenant",
        question.mail.senders[0].address,
        "tenant_matches",
        question.mail.text,
        headers=list(question.settings.tenant_headers),
    )


_WAYS: Mapping[str, Callable[[_Question], Verdict]] = MappingProxyType(
    {"login": _by_login, "results": _by_results, "dkim": _by_dkim, "smime": _by_smime, "tenant": _by_tenant}
)


def _domains(approver: Approver) -> tuple[str, ...]:
    """Who may sign for an approver: the domain of the address itself, or those configured in its place."""
    return approver.dkim_domains or (approver.address.rpartition("@")[2],)


def _demand_to_us(question: _Question) -> None:
    """What ties the signed mail to us: our address in To, and the token, where there is one, in To or Subject.

    Other fields may have been added on the way; a mail that was signed for somebody else is no reply to us.
    """
    if question.facts.mailbox.lower() not in signed_recipients(question.mail):
        raise UnsoundError("not_to_us")
    token = find_token(question.mail)
    if token is not None and token not in signed_tokens(question.mail):
        raise UnsoundError("token_not_signed")


def binds(text: str, *, number: str, code: str) -> bool:
    """Whether signed words name the case and the short form of the digest that its request showed.

    A signed body must (SPEC 2.1): Subject and address are not signed by S/MIME, so without this an old 承認 could be
    sent again in answer to another request.
    """
    folded = unicodedata.normalize("NFKC", text).upper()
    return bool(number and code) and all(
        re.search(rf"(?<![0-9A-Z-]){re.escape(wanted.upper())}(?![0-9A-Z-])", folded) for wanted in (number, code)
    )


def _same_address(one: str, other: str) -> bool:
    """As `Settings.approver` finds an approver: without regard to case (domain notes C.2)."""
    # ASCII only: the KELVIN SIGN and others become ASCII letters in lower case, and are another mailbox.
    return one.isascii() and one.lower() == other.lower()


def _same_login(one: str, other: str) -> bool:
    """RFC 5321 section 2.4: the local part is compared to the letter, the domain without regard to case."""
    local, at, domain = one.rpartition("@")
    other_local, _, other_domain = other.rpartition("@")
    return bool(local and at and domain) and local == other_local and domain.lower() == other_domain.lower()
