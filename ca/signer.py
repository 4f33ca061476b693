"""The only file that touches a CA key.

Does: makes CA keys, keeps them sealed under a passphrase, signs what was prepared.
Trusts: the passphrase to be strong (it comes from a systemd credential), this process's memory, OpenSSL.
Promises: signs only what passes the lint at that moment and was prepared for this very authority; signs no serial
number twice; never shows, pickles or returns a key in clear.
Weak: the key lies in the memory of the process for as long as the signer lives, and Python cannot wipe it. "Once" is
the token of what was prepared; across processes and restarts it is the register that takes a token in once
(`ca.claims`) and refuses a known serial number.
A key in an HSM (PKCS#11) is a `CaKey` made by `ca.token`, and `FileSigner` signs with it all the same.
"""

from collections.abc import Callable
from typing import NoReturn, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.authority import Authority
from ca.crl import Draft, Plan
from ca.der import signed
from ca.errors import CaError, CaErrorKind
from ca.issue import Prepared, compare, examine
from ca.keys import KeyKind, PrivateKey, PublicKey, generate, kind_of, signature_algorithm, signature_hash
from ca.ocsp import ResponsePlan, key_hash
from ca.ocsp_wire import response

# A sealed key: magic, log2 of scrypt's N, r, p (one octet each), salt, nonce, AES-256-GCM of the PKCS#8 DER. The
# header up to the nonce is authenticated with it.
_MAGIC = b"OLRA-CAKEY-1"
_SALT, _NONCE = 16, 12
_HEADER = len(_MAGIC) + 3 + _SALT + _NONCE
_BLOCK, _LANES = 8, 1
# N = 2^17 takes about 0.8 s and 128 MiB. What is read is held to these bounds, so that a tampered header can neither
# exhaust the memory nor weaken the key that is derived.
COSTS = range(15, 18)
COST = 17


class Signer(Protocol):
    """Whoever holds the key of one authority: a file, an HSM."""

    @property
    def authority(self) -> Authority:
        """The authority that this signs for."""
        ...

    def check(self) -> None:
        """Raises CaError(key_unavailable) where it could not sign now."""
        ...

    def sign_certificate(self, prepared: Prepared) -> bytes:
        """The DER certificate. Raises CaError: mismatch, lint_failed, conflict (signed before), key_unavailable."""
        ...

    def sign_crl(self, plan: Plan) -> bytes:
        """The DER CRL. Raises CaError: mismatch, key_unavailable."""
        ...

    def sign_draft(self, draft: Draft) -> bytes:
        """The signature over a CRL of any size, made over its digest. Raises CaError: mismatch, key_unavailable."""
        ...


class CaKey:
    """A CA's private key, closed to everybody outside this file."""

    __slots__ = ("_kind", "_private")

    def __init__(self, private: PrivateKey) -> None:
        kind = kind_of(private.public_key())
        if kind is None:
            raise CaError(CaErrorKind.KEY_UNAVAILABLE, "a key of a kind we do not sign with")
        self._private = private
        self._kind = kind

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._private.public_key()

    @property
    def kind(self) -> KeyKind:
        """Algorithm and size."""
        return self._kind

    def check(self) -> None:
        """Raises CaError(key_unavailable) where the key cannot sign now: the token it is in was pulled out."""
        look = getattr(self._private, "check", None)
        if look is not None:
            look()

    def __repr__(self) -> str:
        return f"<CaKey {self._kind}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a CA key is not pickled")


def make_ca_key(kind: KeyKind) -> CaKey:
    """A new CA key. Randomness comes from OpenSSL (see `ca.keys`)."""
    return CaKey(generate(kind))


def seal_key(key: CaKey, passphrase: bytes, random_bytes: Callable[[int], bytes], *, cost: int = COST) -> bytes:
    """The key as a file may hold it: PKCS#8 DER under AES-256-GCM, the key of that from scrypt (RFC 7914).

    `cost` is log2 of N, 15 to 17. PKCS#8's own encryption is not used: `cryptography` gives it PBKDF2 with 2,048
    rounds. Raises ValueError for an empty passphrase or a cost out of bounds.
    """
    if not passphrase or cost not in COSTS:
        raise ValueError("a passphrase and a cost of 15 to 17 are needed")
    salt, nonce = random_bytes(_SALT), random_bytes(_NONCE)
    header = _MAGIC + bytes([cost, _BLOCK, _LANES]) + salt + nonce
    clear = key._private.private_bytes(  # noqa: SLF001 — this file is where the key may be touched
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return header + AESGCM(_derive(passphrase, salt, cost)).encrypt(nonce, clear, header)


def open_key(blob: bytes, passphrase: bytes) -> CaKey:
    """Open what `seal_key` sealed. Raises CaError(key_unavailable) for a wrong passphrase or a damaged file, and does
    not tell the two apart: an authenticated cipher cannot."""
    header, sealed = blob[:_HEADER], blob[_HEADER:]
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "not a sealed key")
    cost, block, lanes = header[len(_MAGIC) : len(_MAGIC) + 3]
    if cost not in COSTS or (block, lanes) != (_BLOCK, _LANES):
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the sealed key asks for parameters out of bounds")
    salt, nonce = header[-_SALT - _NONCE : -_NONCE], header[-_NONCE:]
    try:
        clear = AESGCM(_derive(passphrase, salt, cost)).decrypt(nonce, sealed, header)
    except InvalidTag as error:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the sealed key does not open with this passphrase") from error
    try:
        private = serialization.load_der_private_key(clear, password=None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "what was sealed is no key") from error
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "a key of a kind we do not sign with")
    return CaKey(private)


def read_key(data: bytes, password: bytes) -> CaKey:
    """The key of another CA, from its encrypted PKCS#8 (PEM or DER) or PKCS#12 file, to be sealed as ours.

    Raises CaError(key_unavailable): not encrypted, a wrong password, no such file, a key we do not sign with.
    """
    private: object = None
    try:
        if b"-----BEGIN" in data:
            private = serialization.load_pem_private_key(data, password)
        else:
            private = _from_der(data, password)
    except TypeError as error:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "a CA key must come encrypted (PKCS#8 or PKCS#12)") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the key file does not open with this password") from error
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "a key of a kind we do not sign with")
    return CaKey(private)


def _from_der(data: bytes, password: bytes) -> object:
    try:
        return serialization.load_der_private_key(data, password)
    except ValueError:
        return pkcs12.load_key_and_certificates(data, password)[0]


class FileSigner:
    """Signs with a key that lies in memory (`open_key`) or in a token (`ca.token`). Safe to share between threads."""

    __slots__ = ("_authority", "_key")

    def __init__(self, authority: Authority, key: CaKey) -> None:
        """Raises CaError(key_unavailable) where the key is not the one of the authority's certificate."""
        if key.public_key != authority.public_key:
            raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the key does not belong to the authority's certificate")
        self._authority = authority
        self._key = key

    @property
    def authority(self) -> Authority:
        """The authority that this signs for."""
        return self._authority

    def check(self) -> None:
        """Raises CaError(key_unavailable) where the key cannot sign now."""
        self._key.check()

    def sign_certificate(self, prepared: Prepared) -> bytes:
        """Sign what was prepared, once, and return the DER certificate.

        The token is spent before the key is touched, so that a failure in between spends it too (SPEC 3: a failed
        attempt never reuses its serial). Raises CaError: mismatch, lint_failed, conflict when it was spent before.
        """
        examine(prepared, self._authority)
        prepared.token.spend()
        certificate = self._sign(prepared.tbs)
        # A faulty signature can give away an RSA key (Boneh, DeMillo, Lipton 1997): nothing leaves unverified.
        compare(prepared, certificate)
        return certificate

    def sign_crl(self, plan: Plan) -> bytes:
        """Sign a planned CRL and return its DER. Raises CaError(mismatch) for the plan of another authority."""
        same_authority = plan.authority.certificate == self._authority.certificate
        if not same_authority or plan.rehearsal.tbs_certlist_bytes != plan.tbs:
            raise CaError(CaErrorKind.MISMATCH, "the plan is not what this authority was asked to sign")
        der = self._sign(plan.tbs)
        if not self._authority.has_signed(x509.load_der_x509_crl(der)):
            raise CaError(CaErrorKind.MISMATCH, "the signed CRL does not verify under the authority")
        return der

    def sign_draft(self, draft: Draft) -> bytes:
        """Sign a composed CRL over its digest and return the signature.

        Raises CaError(mismatch) for the draft of another authority, and for a signature that does not verify.
        """
        if draft.authority.certificate != self._authority.certificate:
            raise CaError(CaErrorKind.MISMATCH, "the draft is not what this authority was asked to sign")
        private, prehashed = self._key._private, Prehashed(signature_hash(self._key.kind))  # noqa: SLF001 — as in seal_key
        if isinstance(private, rsa.RSAPrivateKey):
            signature = private.sign(draft.digest, padding.PKCS1v15(), prehashed)
        else:
            signature = private.sign(draft.digest, ec.ECDSA(prehashed))
        if not self._authority.has_signed_digest(draft.digest, signature):
            raise CaError(CaErrorKind.MISMATCH, "the signed CRL does not verify under the authority")
        return signature

    def _sign(self, tbs: bytes) -> bytes:
        return signed(tbs, signature_algorithm(self._key.kind), _sign(self._key, tbs))

    def __repr__(self) -> str:
        return f"<FileSigner for {self._authority.id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled")


class ResponderSigner:
    """Signs OCSP answers with the key of a delegated responder (RFC 6960, 4.2.2.2). Safe to share between threads."""

    def __init__(self, authority: Authority, certificate: x509.Certificate, key: CaKey) -> None:
        """Raises CaError(key_unavailable) where the key is not the one of the certificate, or the certificate none of
        a responder of that authority: nobody would believe its answers."""
        if key.public_key != certificate.public_key():
            raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the key does not belong to the responder's certificate")
        if not authority.has_issued(certificate) or not _may_answer(certificate):
            raise CaError(CaErrorKind.KEY_UNAVAILABLE, "not the certificate of a responder of this authority")
        self.authority = authority
        self.certificate = certificate
        self.der = certificate.public_bytes(Encoding.DER)
        self.key_hash = key_hash(key.public_key)
        self.not_before, self.not_after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        self._key = key

    def sign_response(self, plan: ResponsePlan) -> bytes:
        """Sign a planned answer and return the whole OCSPResponse. Raises CaError(mismatch) for the plan of another
        responder, or one that reaches beyond this one's certificate."""
        if plan.responder != self.der or not self.not_before <= plan.this_update <= plan.next_update <= self.not_after:
            raise CaError(CaErrorKind.MISMATCH, "the plan is not what this responder was asked to sign")
        signature = _sign(self._key, plan.tbs)
        # As for a certificate: a faulty signature can give away an RSA key.
        _verify(self._key.public_key, signature, plan.tbs, self._key.kind)
        return response(plan.tbs, signature_algorithm(self._key.kind), signature, self.der)

    def __repr__(self) -> str:
        return f"<ResponderSigner for {self.authority.id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not pickled")


def _may_answer(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _sign(key: CaKey, tbs: bytes) -> bytes:
    private, kind = key._private, key.kind  # noqa: SLF001 — as in seal_key
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(tbs, padding.PKCS1v15(), signature_hash(kind))
    return private.sign(tbs, ec.ECDSA(signature_hash(kind)))


def _verify(public_key: PublicKey, signature: bytes, tbs: bytes, kind: KeyKind) -> None:
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, tbs, padding.PKCS1v15(), signature_hash(kind))
        else:
            public_key.verify(signature, tbs, ec.ECDSA(signature_hash(kind)))
    except InvalidSignature as error:
        raise CaError(CaErrorKind.MISMATCH, "the signed answer does not verify under the responder's key") from error


def _derive(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << cost, r=_BLOCK, p=_LANES).derive(passphrase)
