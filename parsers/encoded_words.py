"""Encoded words (RFC 2047): text beyond ASCII inside a header field."""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from parsers.charsets import Decoded, base64_bytes, canonical, clean_line, decode, wire_text

# RFC 2047 section 2, widened: a language tag (RFC 2231 section 5), blanks in the text, no blank around the word.
_ENCODED_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?\r\n]*)\?=")


def header_text(raw: bytes) -> Decoded:
    """An unstructured header field such as Subject, as one clean line. Never raises."""
    wire = wire_text(raw)
    words = decode_words(wire.text)
    return Decoded(clean_line(words.text), words.charset, damaged=wire.damaged or words.damaged)


@dataclass(frozen=True, slots=True)
class _Word:
    charset: str
    encoding: str
    text: str


def decode_words(text: str) -> Decoded:
    """Replace the encoded words of RFC 2047 in a text, also where they stand in quotes or beside other characters.

    Neighbours of one character set are joined before they are decoded: many senders cut in the middle of a character
    or of a JIS run (RFC 2047 section 5 forbids it, and they do it all the same).
    """
    out: list[str] = []
    charset, damaged, at = "utf-8", False, 0
    run: list[_Word] = []

    def close() -> None:
        nonlocal charset, damaged
        if run:
            found = _decode_run(run)
            out.append(found.text)
            charset, damaged = found.charset, damaged or found.damaged
            run.clear()

    for match in _ENCODED_WORD.finditer(text):
        between = text[at : match.start()]
        word = _Word(match[1], match[2].upper(), match[3])
        if between.strip(" \t\r\n") or not run:
            close()
            out.append(between)
        elif not _same_set(run[-1], word):
            # Blanks between two encoded words belong to the folding (RFC 2047 section 6.2).
            close()
        run.append(word)
        at = match.end()
    close()
    out.append(text[at:])
    return Decoded("".join(out), charset, damaged)


def _same_set(one: _Word, other: _Word) -> bool:
    return (canonical(one.charset) or one.charset.lower()) == (canonical(other.charset) or other.charset.lower())


def _decode_run(run: list[_Word]) -> Decoded:
    joined = decode(b"".join(_run_bytes(run)), run[0].charset)
    if not joined.damaged or len(run) == 1:
        return joined
    apart = [decode(_word_bytes(word.encoding, word.text), word.charset) for word in run]
    if any(piece.damaged for piece in apart):
        return joined
    return Decoded("".join(piece.text for piece in apart), apart[0].charset, damaged=False)


def _run_bytes(run: list[_Word]) -> Iterator[bytes]:
    """The bytes of neighbours; a base64 text that was cut off its grid of four goes on in the next word."""
    pending = ""
    for word in run:
        if word.encoding == "Q":
            yield _word_bytes("B", pending)
            yield _word_bytes("Q", word.text)
            pending = ""
            continue
        pending += word.text
        if "=" in word.text or len(pending) % 4 == 0:
            yield _word_bytes("B", pending)
            pending = ""
    yield _word_bytes("B", pending)


def _word_bytes(encoding: str, text: str) -> bytes:
    if encoding == "Q":
        # Raw 8-bit text in a Q word was read as characters already; it goes back as UTF-8.
        return binascii.a2b_qp(text.encode("utf-8", "replace"), header=True)
    return base64_bytes(text.encode("utf-8", "replace"))[0]
