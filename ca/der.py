"""The outer frame of a certificate and of a CRL, which RFC 5280 (4.1 and 5.1) gives the same shape."""


def signed(tbs: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """SEQUENCE { tbs, algorithm, BIT STRING signature } in DER.

    `tbs` and `algorithm` are complete DER values and go in untouched, so that what is signed is what was linted, byte
    for byte. A signature has no unused bits: the first octet of its BIT STRING is zero (X.690, 8.6.2).
    """
    return _value(0x30, tbs + algorithm + _value(0x03, b"\x00" + signature))


def _value(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _length(len(content)) + content


def _length(count: int) -> bytes:
    """The definite length octets of X.690, 8.1.3."""
    if count < 0x80:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8)
    return bytes([0x80 | len(octets)]) + octets
