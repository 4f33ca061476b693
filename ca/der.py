"""The little of DER that is put together by hand: the outer frame of what the authority signs, and lists in it.

X.690; RFC 5280 (4.1 and 5.1) gives a certificate and a CRL the same frame.
"""


def signed(tbs: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """SEQUENCE { tbs, algorithm, BIT STRING signature } in DER.

    `tbs` and `algorithm` are complete DER values and go in untouched, so that what is signed is what was linted, byte
    for byte. A signature has no unused bits: the first octet of its BIT STRING is zero (X.690, 8.6.2).
    """
    return value(0x30, tbs + signature_part(algorithm, signature))


def signature_part(algorithm: bytes, signature: bytes) -> bytes:
    """What follows the signed part in that frame."""
    return algorithm + value(0x03, b"\x00" + signature)


def value(tag: int, content: bytes) -> bytes:
    """One DER value."""
    return header(tag, len(content)) + content


def header(tag: int, count: int) -> bytes:
    """Tag and definite length octets (X.690, 8.1.3) of a value whose content is `count` octets long."""
    if count < 0x80:
        return bytes([tag, count])
    octets = count.to_bytes((count.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets


def header_size(data: bytes) -> tuple[int, int]:
    """How long the header at the beginning of `data` is, and how long the content that it announces.

    Raises ValueError for what is no header of DER with a definite length in its shortest form.
    """
    if len(data) < 2:
        raise ValueError("not a DER value")
    size = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    count = int.from_bytes(data[2:size]) if size > 2 else data[1]
    if data[:size] != header(data[0], count):
        raise ValueError("not a DER value")
    return size, count


def members(sequence: bytes) -> list[bytes]:
    """The values in a constructed value, each complete. Raises ValueError where they do not fill it exactly."""
    size, count = header_size(sequence)
    if len(sequence) != size + count:
        raise ValueError("not one DER value")
    found, at = [], size
    while at < len(sequence):
        inner, length = header_size(sequence[at : at + 8])
        found.append(sequence[at : at + inner + length])
        at += inner + length
    if at != len(sequence):
        raise ValueError("the members of a DER value do not fill it")
    return found
