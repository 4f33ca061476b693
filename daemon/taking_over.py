"""`init` with a CA that is there: another program's issuing authority, its key, its root and its last CRL.

Everything is verified before anything is written (`ca.foreign`); what only differs from our own taste is told and
stands in the ceremony's record. The root's key need not be here; then its CRL must come with it and be renewed outside.
Crash: as in `ceremony`: the key is durable before the register names its authority.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca import register
from ca.authority import Authority
from ca.crl import Reason
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.foreign import examine_foreign
from ca.hierarchy import ISSUING_ID, ROOT_ID
from ca.lint import lint_crl
from ca.profiles import Role
from ca.signer import COST, CaKey, read_key
from config.settings import Settings

from . import authorities, key_places
from .audit import Audit
from .centre import profiles_of
from .keyring import AUDIT_KEY, key_bytes, secret
from .store import Store


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What is taken over, as octets of files. `key` is empty where it is in a token; `crl` and `root_crl` may be."""

    certificate: bytes
    root: bytes
    key: bytes = field(default=b"", repr=False)
    crl: bytes = b""
    root_crl: bytes = b""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of it: the warnings, how many revoked serial numbers were entered, the number the CRL goes on from."""

    warnings: tuple[str, ...]
    revoked: int
    crl_number: int


def take_over(
    settings: Settings,
    store: Store,
    inheritance: Inheritance,
    *,
    password: str,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    cost: int = COST,
) -> Taken:
    """Enter a former CA as the issuing authority of a centre that has none.

    `password` opens the key file (PKCS#8 or PKCS#12). Raises CaError: mismatch with the codes of what is wrong,
    key_unavailable, conflict where there is a CA already.
    """
    ca = settings.ca
    issuing = Authority(
        ISSUING_ID, certificate_of(inheritance.certificate), ca.crl_url, ca.issuing_url, settings.ocsp.url
    )
    root = Authority(ROOT_ID, certificate_of(inheritance.root), ca.root_crl_url, ca.root_url)
    validity = profiles_of(settings)[ca.profile].validity
    found = examine_foreign(issuing, root, now=now, validity=validity)
    if found.faults:
        raise CaError(CaErrorKind.MISMATCH, "this CA cannot be taken over", problems=found.faults)
    crl = _crl_of(inheritance.crl, issuing) if inheritance.crl else None
    root_crl = _crl_of(inheritance.root_crl, root) if inheritance.root_crl else None
    warnings = [*found.warnings, *([] if crl is not None else ["no_crl"])]
    # The issuing CA's next CRL is ours; the root's is published as it is.
    codes = ("no_root_crl",) if root_crl is None else lint_crl(root_crl, authority=root)
    warnings += [code if root_crl is None else f"root_crl:{code}" for code in codes]
    key = _key_of(settings, inheritance, password)
    if key.public_key != issuing.public_key:
        raise CaError(CaErrorKind.MISMATCH, "the key does not belong to the certificate", problems=["key_differs"])
    store.migrate()
    with store.transaction() as tx:
        if register.every_authority(tx):
            raise CaError(CaErrorKind.CONFLICT, "there is a CA already; a rollover makes the next one")
    if inheritance.key:
        passphrase = secret(settings, ca.passphrase_credential).reveal().encode()
        key_places.keep(settings, ISSUING_ID, key, passphrase, random_bytes, cost=cost)
    else:
        key_places.note_in_token(settings, ISSUING_ID, key_places.wanted_in_token(settings, ISSUING_ID))
    number = _number(crl) if crl is not None else 0
    with store.transaction() as tx:
        if authorities.issuing(tx):
            raise CaError(CaErrorKind.CONFLICT, "there is a CA already; a rollover makes the next one")
        register.record_authority(tx, root, Role.ROOT, now=now, imported=True)
        register.record_authority(tx, issuing, Role.ISSUING, now=now, imported=True, crl_number=number)
        if inheritance.root_crl:
            register.store_crl(tx, ROOT_ID, _der(inheritance.root_crl))
        revoked = sum(
            register.record_taken_over(
                tx, issuing, each.serial_number, at=min(each.revocation_date_utc, now), reason=_reason(each), now=now
            )
            for each in (crl if crl is not None else ())
        )
        Audit(key_bytes(settings, AUDIT_KEY)).append(
            tx, "authority_taken_over", at=now, actor="operator", authority=ISSUING_ID, revoked=revoked, number=number
        )
    return Taken(tuple(warnings), revoked, number)


def take_root_crl(settings: Settings, store: Store, data: bytes, *, now: datetime) -> None:
    """Record the renewed CRL of a root whose key is elsewhere. Raises CaError: mismatch; conflict for an older one."""
    with store.transaction() as tx:
        root = register.authority(tx, ROOT_ID)
        crl = _crl_of(data, root)
        register.store_crl(tx, ROOT_ID, _der(data))
        Audit(key_bytes(settings, AUDIT_KEY)).append(
            tx, "crl_published", at=now, actor="operator", authority=ROOT_ID, number=_number(crl), entries=len(crl)
        )


def certificate_of(data: bytes) -> x509.Certificate:
    """The one certificate in a file, PEM or DER. Raises CaError(mismatch)."""
    try:
        if b"-----BEGIN" not in data:
            return x509.load_der_x509_certificate(data)
        found = x509.load_pem_x509_certificates(data)
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "a file holds no certificate") from error
    if len(found) != 1:
        raise CaError(CaErrorKind.MISMATCH, f"a file holds {len(found)} certificates where one is wanted")
    return found[0]


def _key_of(settings: Settings, inheritance: Inheritance, password: str) -> CaKey:
    if inheritance.key:
        return read_key(inheritance.key, password.encode())
    if settings.ca.key_store != "pkcs11":
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, 'no key file is named, and ca.key_store is not "pkcs11"')
    wanted = key_places.wanted_in_token(settings, ISSUING_ID)
    pin = secret(settings, settings.ca.pin_credential).reveal()
    return key_places.open_token(settings, wanted.token, pin).find_key(wanted.key)


def _crl_of(data: bytes, authority: Authority) -> x509.CertificateRevocationList:
    try:
        crl = x509.load_der_x509_crl(_der(data))
        signed = crl.issuer == authority.name and crl.is_signature_valid(authority.public_key)
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "a file holds no CRL") from error
    if not signed:
        raise CaError(CaErrorKind.MISMATCH, f"the CRL is not one of {authority.id}", problems=["crl_signature"])
    if any(isinstance(each.value, x509.DeltaCRLIndicator | x509.IssuingDistributionPoint) for each in crl.extensions):
        raise CaError(CaErrorKind.MISMATCH, "the CRL is not the full one", problems=["crl_not_full"])
    return crl


def _der(data: bytes) -> bytes:
    if b"-----BEGIN" not in data:
        return data
    try:
        return x509.load_pem_x509_crl(data).public_bytes(Encoding.DER)
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "a file holds no CRL") from error


def _number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def _reason(entry: x509.RevokedCertificate) -> Reason:
    """The reason an entry gives; a hold stays listed like any other until staff import the certificate itself."""
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return Reason.UNSPECIFIED
    try:
        return Reason[flag.name.upper()]
    except KeyError:
        return Reason.UNSPECIFIED
