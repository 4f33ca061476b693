"""The kinds of keys we know, and what follows from a kind: how it is made and how it signs.

Key generation takes its randomness from OpenSSL inside `cryptography`, which accepts no other source: the one place
where randomness is not an argument.
"""

from enum import StrEnum
from functools import cache
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

# RFC 8017 appendix A.1 and FIPS 186-5 (5.4): the exponent every client takes.
RSA_EXPONENT = 65537


class KeyKind(StrEnum):
    """Algorithm and size of a key."""

    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    P_256 = "p-256"
    P_384 = "p-384"


_RSA_BITS = {KeyKind.RSA_2048: 2048, KeyKind.RSA_3072: 3072, KeyKind.RSA_4096: 4096}
_CURVES: dict[KeyKind, type[ec.EllipticCurve]] = {KeyKind.P_256: ec.SECP256R1, KeyKind.P_384: ec.SECP384R1}

# DER AlgorithmIdentifiers: RFC 4055 section 5 (parameters are NULL) and RFC 5758 section 3.2 (parameters absent).
_SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_ECDSA_WITH_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")


def generate(kind: KeyKind) -> PrivateKey:
    """A new private key. RSA-3072 takes 0.1 to 0.5 s, the curves no noticeable time."""
    if kind in _RSA_BITS:
        return rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=_RSA_BITS[kind])
    return ec.generate_private_key(_CURVES[kind]())


def kind_of(public_key: object) -> KeyKind | None:
    """The kind of a public key; None for every key that is none of ours (Ed25519, RSA-1024, P-521 ...)."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return next((kind for kind, bits in _RSA_BITS.items() if bits == public_key.key_size), None)
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return next((kind for kind, curve in _CURVES.items() if isinstance(public_key.curve, curve)), None)
    return None


def signature_hash(kind: KeyKind) -> hashes.SHA256 | hashes.SHA384:
    """The digest that a key of this kind signs with: SHA-256, for P-384 the SHA-384 of equal strength (RFC 5480)."""
    return hashes.SHA384() if kind is KeyKind.P_384 else hashes.SHA256()


def signature_algorithm(kind: KeyKind) -> bytes:
    """The DER AlgorithmIdentifier of the signatures that a key of this kind makes."""
    if kind in _RSA_BITS:
        return _SHA256_WITH_RSA
    return _ECDSA_WITH_SHA384 if kind is KeyKind.P_384 else _ECDSA_WITH_SHA256


@cache
def rehearsal_key(kind: KeyKind) -> PrivateKey:
    """The throw-away key that rehearses signatures of this kind, one per process.

    Nobody trusts it, so nothing it signs is worth anything; that lets us lint a whole certificate before the
    authority's key is touched. What is to be signed names the algorithm but not the key size, so RSA-2048 stands in
    for all RSA keys: a fresh RSA-3072 key for each certificate would cost more than everything else in issuing it.
    """
    return generate(KeyKind.RSA_2048 if kind in _RSA_BITS else kind)
