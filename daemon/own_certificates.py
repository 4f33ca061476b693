"""Certificates of the centre's own, made at the command line: for the portal's web server, for staff who sign replies.

Does: the same order as for every certificate (SPEC 3): prepared and linted → serial number and to-be-signed bytes
committed with their audit line → signed once → compared → recorded together with the notice to every approver.
Trusts: the operator, who can name approvers in the configuration as well. That is why every approver is told by mail
of each certificate, with its fingerprint: nobody comes by an approver's certificate unseen.
Promises: the web server's key never comes here (a CSR does); a staff certificate is made for a listed approver only.
Weak: no second person decides. Where that is not enough, approvers' certificates are pinned (`approvers.certificates`),
and a new one counts only after the configuration was changed as well.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ca import bundle, issue, register
from ca.bundle import BundleKind
from ca.crl import Reason
from ca.crl_scope import partition_of
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.issue import IssuanceRequest
from ca.keys import PublicKey, kind_of
from ca.names import ServerName, Subject
from ca.profiles import Profile
from ca.rows import CertificateState
from ca.signer import Signer

from . import post, signing
from .centre import Centre, profiles_of

PORTAL, STAFF = "portal_tls", "staff_smime"


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate and its chain; of a staff certificate the PKCS#12 file and its password, too."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    bundle: bytes = field(default=b"", repr=False)
    password: str = field(default="", repr=False)

    @property
    def serial(self) -> str:
        """As the register writes it."""
        return register.serial_text(self.certificate.serial_number)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal: what `approvers.certificates` takes."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def chain(self) -> bytes:
        """The certificate and its issuer as PEM: what a web server takes. The root stays with the clients."""
        return self.certificate.public_bytes(Encoding.PEM) + self.issuer.public_bytes(Encoding.PEM)


def issue_tls(centre: Centre, hosts: Sequence[str], request: bytes) -> Made:
    """A certificate for a web server of these names, for the key of its CSR (PKCS#10), whose other words count for
    nothing. Raises CaError: mismatch for no CSR of a right signature, subject_invalid, lint_failed, key_unavailable."""
    key = _requested_key(request)
    profile = profiles_of(centre.settings)[PORTAL]
    # The kind of the key is the web server's choice, as long as it is one of ours.
    kind = kind_of(key)
    if kind is not profile.key:
        raise CaError(
            CaErrorKind.LINT_FAILED, f"the key of the request must be {profile.key.value}", problems=["key_kind"]
        )
    name = ServerName(centre.settings.ca.organization, tuple(hosts))
    certificate, signer = _issue(centre, name, key, profile, f"ウェブサーバー {', '.join(hosts)}")
    return Made(certificate, signer.authority.certificate)


def issue_staff(centre: Centre, address: str, name: str) -> Made:
    """A certificate that an approver signs his replies with (S/MIME), for his address as it is listed, with its key in
    a PKCS#12 file. `name` is his name in Latin letters. Raises CaError as above, and not_found for an address that is
    not an approver's."""
    approver = next((each for each in centre.settings.approvers if each.address.lower() == address.lower()), None)
    if approver is None:
        raise CaError(CaErrorKind.NOT_FOUND, "no approver of the configuration has this address")
    profile = profiles_of(centre.settings)[STAFF]
    key = bundle.make_key(profile)
    # Stays the same for the same address, and says nothing about it to a reader of the certificate.
    identity = f"STAFF-{hashlib.sha256(approver.address.lower().encode()).hexdigest()[:12].upper()}"
    subject = Subject(centre.settings.ca.organization, name, identity, approver.address)
    certificate, signer = _issue(centre, subject, key.public_key(), profile, f"承認者 {approver.name}")
    password = bundle.make_password(centre.random_bytes)
    issuer = signer.authority.certificate
    kind = BundleKind(centre.settings.ca.bundle)
    data = bundle.pack(key, certificate, [issuer], password=password, friendly_name=identity, kind=kind)
    bundle.open_again(data, password)
    return Made(certificate, issuer, data, password)


def revoke_own(centre: Centre, serial: str, reason: Reason) -> None:
    """Revoke a certificate of the centre's own; every approver is told. The caller publishes the CRL. Raises
    CaError: not_found for a subscriber's, which approvers decide about; conflict where it is revoked already."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        row = register.find(tx, serial)
        if row is None or row.registration_id is not None or row.state is CertificateState.ABANDONED:
            raise CaError(
                CaErrorKind.NOT_FOUND,
                "no certificate of the centre's own has this serial number; see `ogis-lra revoke`",
            )
        if not register.revoke(tx, row.serial, at=now, reason=reason, now=now):
            raise CaError(CaErrorKind.CONFLICT, "this certificate is revoked already")
        centre.audit.append(
            tx, "own_certificate_revoked", at=now, actor="operator", serial=row.serial, reason=reason.value
        )
        post.notify(
            tx,
            centre,
            key=f"own-revoked:{row.serial}",
            subject="センター自身の証明書が失効されました",
            lines=(
                "サーバー上の操作で、センター自身の証明書が失効されました。",
                f"種別：{row.profile}",
                f"シリアル番号：{row.serial}",
                "心当たりのない場合は、ただちにセキュリティ担当者にお知らせください。",
            ),
            now=now,
        )


def _requested_key(request: bytes) -> PublicKey:
    try:
        csr = x509.load_pem_x509_csr(request) if b"-----BEGIN" in request else x509.load_der_x509_csr(request)
        key, sound = csr.public_key(), csr.is_signature_valid
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "the file holds no certificate request (PKCS#10)") from error
    if not sound or kind_of(key) is None:
        raise CaError(CaErrorKind.MISMATCH, "the request does not prove that its key is there, or is of another kind")
    return key  # type: ignore[return-value]  # kind_of has told the two classes apart from all others


def _issue(
    centre: Centre, subject: Subject | ServerName, key: PublicKey, profile: Profile, whom: str
) -> tuple[x509.Certificate, Signer]:
    signer = centre.signer
    signer.check()
    not_before, not_after = profile.period(centre.clock())
    serial = issue.new_serial(centre.random_bytes)
    prepared = issue.prepare(
        IssuanceRequest(subject, key, profile, not_before, not_after),
        signer.authority,
        serial,
        partition=partition_of(serial, centre.settings.crl.partitions),
    )
    text = register.serial_text(serial)
    der = signing.certify(centre, signer, prepared, actor="operator", profile=profile.name)
    certificate = x509.load_der_x509_certificate(der)
    now = centre.clock()
    with centre.store.transaction() as tx:
        signing.record(tx, centre, prepared, der, actor="operator", now=now, profile=profile.name)
        post.notify(
            tx,
            centre,
            key=f"own-issued:{text}",
            subject="センター自身の証明書が発行されました",
            lines=(
                "サーバー上の操作（ogis-lra ca）で、センター自身の証明書が発行されました。",
                f"対象：{whom}",
                f"種別：{profile.name}",
                f"シリアル番号：{text}",
                f"SHA-256：{certificate.fingerprint(hashes.SHA256()).hex()}",
                "心当たりのない場合は、ただちにセキュリティ担当者にお知らせください。",
            ),
            now=now,
        )
    return certificate, signer
