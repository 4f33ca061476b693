"""What the subscriber gets: a key pair, its certificate and chain in a PKCS#12 file, and the password of it.

The strength of the file is its password alone. `cryptography` always iterates the MAC of a PKCS#12 2,048 times,
whatever the rounds of the cipher, so an attacker tries passwords against the MAC (field notes, section 1). With 128
bits that is hopeless for both kinds of file; the rounds of the cipher are therefore not worth waiting for.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.keys import PrivateKey, generate
from ca.profiles import Profile

# Of the signs that look alike (0 O o Q D, 1 l I i j, 2 Z z, 5 S s, 6 G b, 8 B, 9 g q, and the pairs of case such as
# c C) at most one is in use; W w are left out and VV with them, and rn never stands where m could be read.
UPPER = "ACDEFHJKLMNPRTUVXY"
LOWER = "adefhmnrt"
DIGITS = "23456789"
ALPHABET = UPPER + LOWER + DIGITS
LOOKALIKE_PAIRS = ("rn", "VV")
GROUPS = 5
GROUP_LENGTH = 5

# The ciphers of PKCS#12 iterate by themselves; 2,048 is what OpenSSL writes and every client accepts.
_ROUNDS = 2048


_BEGIN, _END = b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----"


class BundleKind(StrEnum):
    """Which clients a PKCS#12 file is for."""

    MODERN = "modern"
    """AES-256-CBC by PBES2, MAC with SHA-256: Windows 10 1709, Server 2019, Java 12, OpenSSL 1.1 and later."""
    LEGACY = "legacy"
    """3DES and SHA-1: Windows Server 2016, macOS up to 13, Android up to 13, Java 8. Never RC2-40."""


def make_key(profile: Profile) -> PrivateKey:
    """A subscriber's new private key, of the kind of the profile (randomness from OpenSSL, see `ca.keys`)."""
    return generate(profile.key)


def make_password(random_bytes: Callable[[int], bytes]) -> str:
    """A password for a bundle: 25 signs in five groups joined by hyphens, such as `Hd3fK-...`.

    128.18 bits of entropy: the signs are drawn evenly from 35 (no sign is likelier than another), and a draw without a
    capital, a small letter or a digit, or with a pair that looks like another sign, is thrown away whole. CA/Browser
    Forum's S/MIME BR (6.1.2) wants more than 16 characters with all of these and symbols; the hyphens are the symbols.
    Raises ValueError when the source of randomness gives nothing usable.
    """
    for _ in range(128):
        signs = _draw(random_bytes, GROUPS * GROUP_LENGTH)
        password = "-".join(signs[start : start + GROUP_LENGTH] for start in range(0, len(signs), GROUP_LENGTH))
        classes = all(any(sign in password for sign in wanted) for wanted in (UPPER, LOWER, DIGITS))
        if classes and not any(pair in password for pair in LOOKALIKE_PAIRS):
            return password
    raise ValueError("the source of randomness yields no password")


def pack(
    key: PrivateKey,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    *,
    password: str,
    friendly_name: str,
    kind: BundleKind,
) -> bytes:
    """The PKCS#12 file (RFC 7292) with key, certificate and chain.

    The password is ASCII: Java refuses every other. The friendly name keeps to the Basic Multilingual Plane: beyond it
    `openssl` shows rubbish and `cryptography` itself reads nothing back. Raises CaError(mismatch) when the key is not
    the certificate's, and CaError(subject_invalid) for an unfit password or friendly name.
    """
    if key.public_key() != certificate.public_key():
        raise CaError(CaErrorKind.MISMATCH, "the key does not belong to the certificate")
    unfit = []
    if not (password and password.isascii() and password.isprintable()):
        unfit.append("password_not_ascii")
    if not (friendly_name and friendly_name.isprintable() and max(friendly_name) <= "\uffff"):
        unfit.append("friendly_name_unfit")
    if unfit:
        raise CaError(CaErrorKind.SUBJECT_INVALID, "the bundle cannot be made", problems=unfit)
    return pkcs12.serialize_key_and_certificates(
        friendly_name.encode(), key, certificate, chain, _encryption(kind, password)
    )


def open_again(data: bytes, password: str) -> x509.Certificate:
    """Open a bundle as its receiver will, and return the certificate in it.

    Raises CaError(mismatch) when it does not open with this password, or holds no certificate with its own key. Takes
    about 40 ms (RSA-2048), since the key is validated.
    """
    try:
        bundle = pkcs12.load_pkcs12(data, password.encode())
    except (ValueError, TypeError) as error:
        raise CaError(CaErrorKind.MISMATCH, "the bundle does not open") from error
    if bundle.key is None or bundle.cert is None:
        raise CaError(CaErrorKind.MISMATCH, "the bundle lacks key or certificate")
    certificate = bundle.cert.certificate
    if bundle.key.public_key() != certificate.public_key():
        raise CaError(CaErrorKind.MISMATCH, "the bundle's key is not its certificate's")
    return certificate


def check_opened(text: bytes, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> None:
    """Hold what another program found in a bundle, as PEM, against what should be in it.

    Raises CaError(mismatch) unless it is this certificate, its chain, nothing else, and one key that signs for it.
    """
    try:
        found = x509.load_pem_x509_certificates(text)
        # Full validation takes as long as making a key. We made this one; that it still works is asked below.
        key = serialization.load_pem_private_key(_only_key(text), None, unsafe_skip_rsa_key_validation=True)
    except UNREADABLE as error:
        raise CaError(CaErrorKind.MISMATCH, "the opened bundle holds no key or no certificate") from error
    if len(found) != 1 + len(chain) or not {certificate, *chain} <= {*found}:
        raise CaError(CaErrorKind.MISMATCH, "the opened bundle holds other certificates")
    if not _proves_itself(key, certificate):
        raise CaError(CaErrorKind.MISMATCH, "the opened bundle's key is not its certificate's")


def _only_key(text: bytes) -> bytes:
    start, end = text.find(_BEGIN), text.find(_END)
    if start < 0 or end < start or text.find(_BEGIN, start + 1) >= 0:
        raise ValueError("not one private key")
    return text[start : end + len(_END)]


def _proves_itself(key: PrivateKeyTypes, certificate: x509.Certificate) -> bool:
    """Whether a key signs what the certificate verifies: it is whole, and it is the certificate's."""
    public = certificate.public_key()
    sample = certificate.fingerprint(hashes.SHA256())
    try:
        if isinstance(key, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey):
            public.verify(
                key.sign(sample, padding.PKCS1v15(), hashes.SHA256()), sample, padding.PKCS1v15(), hashes.SHA256()
            )
            return True
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(key.sign(sample, ec.ECDSA(hashes.SHA256())), sample, ec.ECDSA(hashes.SHA256()))
            return True
    except (InvalidSignature, ValueError):
        return False
    return False


def _encryption(kind: BundleKind, password: str) -> serialization.KeySerializationEncryption:
    ciphers = {
        BundleKind.MODERN: (pkcs12.PBES.PBESv2SHA256AndAES256CBC, hashes.SHA256()),
        # Weak ciphers, strong password: nobody opens the file without its 128 bits, old clients open it with them.
        BundleKind.LEGACY: (pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC, hashes.SHA1()),  # noqa: S303
    }
    cipher, mac = ciphers[kind]
    builder = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_ROUNDS)
    return builder.key_cert_algorithm(cipher).hmac_hash(mac).build(password.encode("ascii"))


def _draw(random_bytes: Callable[[int], bytes], count: int) -> str:
    """`count` signs, each equally likely: an octet from the incomplete last run of the alphabet is not used."""
    even = 256 - 256 % len(ALPHABET)
    signs: list[str] = []
    for _ in range(64):
        signs += [ALPHABET[octet % len(ALPHABET)] for octet in random_bytes(count) if octet < even]
        if len(signs) >= count:
            return "".join(signs[:count])
    raise ValueError("the source of randomness yields no password")
