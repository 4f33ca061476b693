"""The code on a filled form: its key, its signature, its modules.

The private key is a credential of the centre, `form-code-key`: 32 octets in hexadecimal, the seed of an Ed25519
key (RFC 8032). Readers get its public half only. Without the credential forms are made unsigned, and readings say so.
"""

from collections.abc import Mapping

import numpy as np
import zxingcpp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.credentials import CredentialError
from config.settings import Settings
from parsers import codes
from parsers.codes import Sign, Verify

from .keyring import credentials_of, key_bytes

FORM_CODE_KEY = "form-code-key"
_OCTETS = 32


def signing_key(settings: Settings) -> bytes | None:
    """The centre's key for codes; None where it has none. Raises CredentialError where there is one of no use."""
    if not (credentials_of(settings) / FORM_CODE_KEY).exists():
        return None
    key = key_bytes(settings, FORM_CODE_KEY)
    if len(key) != _OCTETS:
        raise CredentialError(f"credential {FORM_CODE_KEY}: must be {_OCTETS} octets in hexadecimal")
    return key


def public_half(key: bytes) -> bytes:
    """What readers get: enough to check a signature, nothing to make one with."""
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def signer(key: bytes) -> Sign:
    """Signs payloads with this key."""
    return Ed25519PrivateKey.from_private_bytes(key).sign


def verifier(public: bytes) -> Verify:
    """Tells whether a signature was made with the private half of this key."""
    known = Ed25519PublicKey.from_public_bytes(public)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            known.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return verify


def modules_of(values: Mapping[str, str | bool], form_version: str, *, key: bytes | None) -> list[list[bool]]:
    """The modules of the code for these values, row by row, dark as true. Raises CodeError where they are too long."""
    payload = codes.encode(dict(values), form_version, sign=signer(key) if key else None)
    return drawn(payload)


def drawn(payload: bytes) -> list[list[bool]]:
    """The modules of a QR symbol with these bytes, at level M: 15 % of its code words may be lost (ISO/IEC 18004)."""
    symbol = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    picture = np.array(symbol.to_image(scale=1, add_quiet_zones=False))
    return [[bool(module == 0) for module in row] for row in picture]
