"""The edge of `parsers.authentication`: gathers what a verdict needs from the world, at receipt and again at issue.

Promises: the name servers are asked before any transaction is open; of a stored decision the issuer comes to the same
verdict from the stored octets of the mail, with the key record of that day, or does not act on it.
Trusts: the settings, the roots and CRLs in the folders they name, and our own published ones.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from sqlalchemy import Connection
from sqlalchemy.engine import RowMapping

from config.settings import Approver
from parsers import authentication
from parsers.authentication import Facts, Verdict
from parsers.mail import Mail, open_mail
from parsers.reply import Author, Command, Unclear, read_command
from parsers.smime_chain import Trust

from . import dns, ledger
from .blobs import BlobMissing
from .centre import Centre
from .failures import NameServerUnavailable
from .planning import JST

_log = logging.getLogger(__name__)


# What the octets of a mail prove by themselves; the other ways rest on what our own server wrote above them.
_BY_CONTENT = ("dkim", "smime")


def weigh(
    centre: Centre, raw: bytes, mail: Mail, *, now: datetime, by_file: bool = False, patient: bool = True
) -> Verdict | None:
    """The verdict on a mail that claims to be an approver's, as at receipt; None for any other mail.

    In a mail that was imported from a file (`by_file`) the header is the word of whoever wrote the file, stamps of our
    server included: there only signatures count.

    Raises NameServerUnavailable where a key must be asked for and nobody answers: the mail is looked at again later.
    Not `patient` any more, it is judged without the key; a selector that nobody serves would keep it waiting for ever.
    """
    approver = centre.settings.approver(mail.senders[0].address) if len(mail.senders) == 1 else None
    if approver is None or mail.automatic is not None:
        return None
    if by_file:
        approver = replace(approver, methods=tuple(each for each in approver.methods if each in _BY_CONTENT))
    names = authentication.questions(raw, approver)
    try:
        keys = dns.look_up(dns.asker(centre.settings.authentication.resolvers), names)
    except NameServerUnavailable:
        if patient:
            raise
        keys = {}
    return _judge(centre, raw, mail, approver, now=now, keys=keys)


def words(centre: Centre, approver: Approver, verdict: Verdict, *, now: datetime) -> Command | Unclear:
    """The command in the authenticated words, the approver's own signature below it left aside."""
    office = centre.settings.centre
    author = Author.of(
        names=(approver.name, office.company, office.name), address=approver.address, signature=approver.signature
    )
    return read_command(verdict.text, author=author, today=now.astimezone(JST).date())


def again(tx: Connection, centre: Centre, decision: RowMapping, *, now: datetime) -> Verdict | None:
    """The verdict on the mail of a stored decision, taken anew by the issuer (SPEC 2.1); None where it does not hold or
    where its words are not that decision.

    A stamp or a DKIM signature is judged as of the decision, with the key record kept then; an S/MIME certificate must
    be good now, too: one that was revoked meanwhile carries nothing any more.
    """
    evidence: Mapping[str, Any] = decision["evidence"]
    approver = centre.settings.approver(decision["approver"])
    method = evidence.get("method")
    if approver is None or method not in approver.methods:
        return None
    try:
        raw = centre.blobs.get(ledger.get(tx, decision["mail_id"]).digest)
    except (BlobMissing, KeyError):
        _log.error("the mail of decision %d is not there any more", decision["id"])
        return None
    moment = now if method == "smime" else decision["decided_at"]
    keys = {evidence["key_name"]: (evidence["key_record"],)} if method == "dkim" else {}
    mail = open_mail(raw)
    verdict = _judge(centre, raw, mail, replace(approver, methods=(method,)), now=moment, keys=keys)
    said = words(centre, approver, verdict, now=decision["decided_at"])
    proven = verdict.accepted and verdict.identity == evidence.get("identity")
    return verdict if proven and isinstance(said, Command) and said.verb.value == decision["verb"] else None


def _judge(
    centre: Centre,
    raw: bytes,
    mail: Mail,
    approver: Approver,
    *,
    now: datetime,
    keys: Mapping[str, tuple[str, ...]],
) -> Verdict:
    trust = trust_of(centre) if "smime" in approver.methods else Trust()
    facts = Facts(now=now, mailbox=centre.office.address, keys=keys, trust=trust)
    return authentication.judge(raw, mail, approver, centre.settings.authentication, facts)


def trust_of(centre: Centre) -> Trust:
    """What staff certificates are judged by: the configured roots, else our own; every CRL at hand."""
    settings = centre.settings.authentication
    # Of every issuing authority: one that was rolled over has certificates of staff about.
    own = [each for path in sorted(centre.public.glob("issuing*.pem")) for each in _certificates(path)]
    roots = _certificates(Path(settings.smime_roots) if settings.smime_roots else centre.public / "root.pem")
    folders = [centre.public, *([Path(settings.smime_crls)] if settings.smime_crls else [])]
    crls = [crl for folder in folders for path in sorted(folder.glob("*.crl")) for crl in _crls(path)]
    return Trust(tuple(roots), tuple(own), tuple(crls))


def _certificates(path: Path) -> Iterator[x509.Certificate]:
    try:
        yield from x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        # Without it nothing is accepted; the file's name tells the operator which one.
        _log.error("%s: no certificates can be read from it (%s)", path, type(error).__name__)


def _crls(path: Path) -> Iterator[x509.CertificateRevocationList]:
    try:
        data = path.read_bytes()
        pem = b"-----BEGIN" in data[:200]
        yield x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
    except (OSError, ValueError) as error:
        _log.error("%s: no CRL can be read from it (%s)", path, type(error).__name__)
