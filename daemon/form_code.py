"""The code on a filled form: its key, its signature, its modules.

The private key is a credential of the centre, `form-code-key` (daemon/keyring.py): 32 octets in hexadecimal, the seed
of an Ed25519 key (RFC 8032). Readers get its public half only. Without the credential forms are made unsigned, and
readings say so.
"""

from collections.abc import Mapping

import numpy as np
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parsers import codes
from parsers.codes import Sign


def signer(key: bytes) -> Sign:
    """Signs payloads with this key."""
    return Ed25519PrivateKey.from_private_bytes(key).sign


def modules_of(values: Mapping[str, str | bool], form_version: str, *, key: bytes | None) -> list[list[bool]]:
    """The modules of the code for these values, row by row, dark as true. Raises CodeError where they are too long."""
    payload = codes.encode(dict(values), form_version, sign=signer(key) if key else None)
    return drawn(payload)


def drawn(payload: bytes) -> list[list[bool]]:
    """The modules of a QR symbol with these bytes, at level M: 15 % of its code words may be lost (ISO/IEC 18004)."""
    symbol = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    picture = np.array(symbol.to_image(scale=1, add_quiet_zones=False))
    return [[bool(module == 0) for module in row] for row in picture]
