"""Whether the signature of a code is the centre's: Ed25519 (RFC 8032), with the public half of its key only.

Stands here and not beside the signing (daemon/form_code.py), because it runs in the confined recogniser, which knows no
secret. Promises an answer for any bytes.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from parsers.codes import Verify

PUBLIC_OCTETS = 32


def verifier(public: bytes) -> Verify:
    """Tells whether a signature was made with the private half of this key. ValueError where it is no key."""
    known = Ed25519PublicKey.from_public_bytes(public)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            known.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return verify
