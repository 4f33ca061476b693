"""Taking over an authority that another program made: what must be right, and what may be of another taste.

Pure: certificates in, findings out. What is a fault here would make relying parties refuse what we issue, or break a
promise of ours; what is a warning is only different from what we would have made (`ca.lint`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ca.authority import Authority
from ca.errors import UNREADABLE
from ca.keys import kind_of
from ca.lint import lint_certificate
from ca.profiles import Profile, load_profiles

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_WEAK_DIGESTS = frozenset({"md5", "sha1"})


@dataclass(frozen=True, slots=True)
class Findings:
    """Codes of what was found: `faults` forbid to take the authority over, `warnings` are to be known."""

    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def examine_foreign(issuing: Authority, root: Authority, *, now: datetime, validity: timedelta) -> Findings:
    """Judge an issuing authority and the root above it; `validity` is that of the certificates it shall issue."""
    try:
        faults = (*foreign_faults(issuing.certificate, root.certificate), *_times(issuing, root, now))
        if faults:
            return Findings(tuple(dict.fromkeys(faults)), ())
        profiles = load_profiles()
        warnings = list(_taste("root", root, root, profiles["root"]))
        warnings += _taste("issuing", issuing, root, profiles["issuing"])
        if issuing.not_after < now + validity:
            warnings.append("issuing_ends_before_its_certificates")
        return Findings((), tuple(warnings))
    except UNREADABLE:
        return Findings(("undecodable",), ())


def foreign_faults(issuing: x509.Certificate, root: x509.Certificate) -> Iterator[str]:
    """What no authority may be that we issue with, apart from its dates. Raises what `errors.UNREADABLE` lists."""
    for role, certificate in (("root", root), ("issuing", issuing)):
        if kind_of(certificate.public_key()) is None:
            yield f"{role}_key_kind"
        if certificate.version is not x509.Version.v3:
            yield f"{role}_version"
        yield from (f"{role}_{code}" for code in _may_issue(certificate))
        digest = certificate.signature_hash_algorithm
        # Nobody verifies the signature of a root, it is trusted as it is; below it SHA-1 is refused everywhere.
        if role == "issuing" and (digest is None or digest.name in _WEAK_DIGESTS):
            yield "issuing_weak_digest"
    if not _issued(root, root):
        yield "root_not_self_signed"
    if not _issued(root, issuing):
        yield "issuing_not_issued_by_root"
    if issuing.subject == root.subject or issuing.public_key() == root.public_key():
        yield "issuing_is_root"
    constraint = _value(root, x509.BasicConstraints)
    if constraint is not None and constraint.path_length == 0:
        yield "root_path_length"


def _may_issue(certificate: x509.Certificate) -> Iterator[str]:
    constraints, usage = _value(certificate, x509.BasicConstraints), _value(certificate, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        yield "not_an_authority"
    if usage is not None and not usage.key_cert_sign:
        yield "may_not_sign_certificates"
    if usage is not None and not usage.crl_sign:
        yield "may_not_sign_crls"
    # What we issue names its issuer's key by it (RFC 5280, 4.2.1.1).
    if _value(certificate, x509.SubjectKeyIdentifier) is None:
        yield "no_key_identifier"
    if _value(certificate, x509.NameConstraints) is not None:
        yield "name_constraints"


def _times(issuing: Authority, root: Authority, now: datetime) -> Iterator[str]:
    for role, one in (("root", root), ("issuing", issuing)):
        if not one.not_before <= now <= one.not_after:
            yield f"{role}_not_valid_now"


def _taste(role: str, authority: Authority, issuer: Authority, profile: Profile) -> Iterator[str]:
    own = replace(profile, key=authority.key_kind)
    for code in lint_certificate(authority.certificate, profile=own, authority=issuer):
        yield f"{role}:{code}"


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except UNREADABLE:
        return False
    return True


def _value(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
