"""An authority as everybody but its signer knows it: the certificate and the addresses it publishes at."""

import posixpath
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding

from ca.der import signed
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.keys import KeyKind, PublicKey, kind_of, signature_algorithm, signature_hash


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority.

    `id` names it in the register. `crl_url`, `ca_url` and, where there is a responder, `ocsp_url` go into every
    certificate it issues (RFC 5280, 4.2.1.13 and 4.2.2.1); all http, since a relying party that needs TLS to check a
    TLS certificate goes round in circles (RFC 5280, section 8).
    """

    id: str
    certificate: x509.Certificate
    crl_url: str
    ca_url: str
    ocsp_url: str = ""

    def crl_url_of(self, part: str) -> str:
        """Where the CRL of a part of its certificates is published (`Scope.part`): `issuing.crl`, `issuing-p1.crl`."""
        stem, suffix = posixpath.splitext(self.crl_url)
        return f"{stem}-{part}{suffix}" if part else self.crl_url

    def partition_extension(self, part: str) -> x509.IssuingDistributionPoint:
        """What binds a partitioned CRL to the certificates that name its address (RFC 5280, 5.2.5; critical)."""
        return x509.IssuingDistributionPoint([_url(self.crl_url_of(part))], None, False, False, None, False, False)  # noqa: FBT003

    def freshest_extension(self) -> x509.FreshestCRL:
        """What tells the readers of a full CRL where the delta CRLs are (RFC 5280, 5.2.6)."""
        return x509.FreshestCRL([x509.DistributionPoint([_url(self.crl_url_of("delta"))], None, None, None)])

    @property
    def name(self) -> x509.Name:
        """The issuer name of everything this authority signs."""
        return self.certificate.subject

    @property
    def public_key(self) -> PublicKey:
        """The key its signatures are verified with. Raises CaError(key_unavailable) for a key of a kind not ours."""
        key = self.certificate.public_key()
        if kind_of(key) is None:
            raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the authority's key is of a kind we do not sign with")
        return key  # type: ignore[return-value]  # kind_of has told the two classes apart from all others

    @property
    def key_kind(self) -> KeyKind:
        """The kind of its key. Raises CaError(key_unavailable) for a kind not ours."""
        kind = kind_of(self.public_key)
        assert kind is not None  # noqa: S101 — public_key has just refused every other kind
        return kind

    @property
    def key_identifier(self) -> bytes:
        """What the authority key identifier of its certificates and CRLs holds: its own SKI (RFC 5280, 4.2.1.1)."""
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest

    @property
    def not_before(self) -> datetime:
        """The first second it may issue in."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """The last second it may issue in, and the last that any certificate of its may reach."""
        return self.certificate.not_valid_after_utc

    def has_issued(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate names this authority as its issuer and its signature verifies under its key, the
        frame around both being the one that our signer makes."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except InvalidSignature:
            return False
        except UNREADABLE:
            return False
        return self._framed(certificate.tbs_certificate_bytes, certificate.signature) == certificate.public_bytes(
            Encoding.DER
        )

    def has_signed(self, crl: x509.CertificateRevocationList) -> bool:
        """Whether the signature of a CRL verifies under this authority's key, in the frame that our signer makes."""
        try:
            valid = crl.is_signature_valid(self.public_key)
        except UNREADABLE:
            return False
        return valid and self._framed(crl.tbs_certlist_bytes, crl.signature) == crl.public_bytes(Encoding.DER)

    def has_signed_digest(self, digest: bytes, signature: bytes) -> bool:
        """Whether this authority signed something of that digest, by the hash that its key signs with."""
        key, prehashed = self.public_key, Prehashed(signature_hash(self.key_kind))
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, digest, padding.PKCS1v15(), prehashed)
            else:
                key.verify(signature, digest, ec.ECDSA(prehashed))
        except InvalidSignature:
            return False
        return True

    def _framed(self, tbs: bytes, signature: bytes) -> bytes:
        # The signature does not cover the frame: a BIT STRING that claims unused bits verifies just as well here, and
        # other clients refuse it.
        return signed(tbs, signature_algorithm(self.key_kind), signature)

    def authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        """The AKI extension of everything it signs: the key identifier alone."""
        return x509.AuthorityKeyIdentifier(self.key_identifier, None, None)


def _url(address: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(address)
