"""How the service and its confined children speak: one frame is a JSON object and, behind it, raw bytes.

Trusts nothing that comes in: a child that a hostile file has taken over may write anything. So a frame says its sizes
first, they are bounded before a byte of it is read, JSON is the only notation (never pickle), and whatever is no frame
is a FrameError. Promises nothing about the content; who asked a question checks the answer.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from parsers.errors import ParseError, ParseKind
from parsers.picture import Picture

_MARK = b"LRA1"
_HEAD = struct.Struct(">4sII")
# A reading of 60 pages is a few hundred kilobytes of JSON.
MOST_JSON = 4_000_000
# A3 at 300 dpi is 52 million bytes of RGB, the largest file we read is 30 million.
MOST_BYTES = 80_000_000
# Sentences for developers are short; a child cannot fill a log with one.
_LONGEST_SENTENCE = 200


class FrameError(ValueError):
    """Bytes that are no frame, or a frame that says what nobody asked for."""


@dataclass(frozen=True, slots=True)
class Frame:
    """`kind` says what it is about, `body` is a JSON object, `blob` are bytes that JSON could not carry."""

    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
    blob: bytes | bytearray | memoryview = b""


def pack(frame: Frame) -> bytes:
    """Everything of the frame but its blob, which is to be sent right behind."""
    text = json.dumps({"kind": frame.kind, "body": frame.body}, ensure_ascii=False, allow_nan=False).encode()
    if len(text) > MOST_JSON or len(frame.blob) > MOST_BYTES:
        raise FrameError("a frame is too large")
    return _HEAD.pack(_MARK, len(text), len(frame.blob)) + text


def unpack(take: Callable[[int], bytearray]) -> Frame:
    """The next frame; `take` gives exactly so many bytes or raises. Raises FrameError."""
    mark, text_length, blob_length = _HEAD.unpack(take(_HEAD.size))
    if mark != _MARK or text_length > MOST_JSON or blob_length > MOST_BYTES:
        raise FrameError("not the beginning of a frame")
    try:
        told = json.loads(bytes(take(text_length)).decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # The text of a ValueError quotes what it stumbled over.
        raise FrameError("a frame holds no JSON") from None
    if not isinstance(told, dict) or told.keys() != {"kind", "body"}:
        raise FrameError("a frame has no kind or no body")
    kind, body = told["kind"], told["body"]
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise FrameError("kind or body of a frame is of the wrong type")
    return Frame(kind, body, take(blob_length))


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def picture_frame(kind: str, picture: Picture, **body: Any) -> Frame:  # noqa: ANN401 - whatever JSON holds
    """A picture as raw RGB: whoever gets it needs no decoder."""
    pixels = picture.pixels
    shape = {"width": picture.width, "height": picture.height, "dpi": float(picture.dpi)}
    return Frame(kind, {**body, **shape}, pixels.tobytes())


def picture_of(frame: Frame) -> Picture:
    """The picture in a frame. Raises FrameError when its sizes do not fit."""
    import numpy as np  # noqa: PLC0415 - takes a tenth of a second, and most commands never see a picture

    width, height, dpi = (frame.body.get(key) for key in ("width", "height", "dpi"))
    if type(width) is not int or type(height) is not int or not isinstance(dpi, int | float) or isinstance(dpi, bool):
        raise FrameError("a picture without sizes")
    if not (0 < width <= 20_000 and 0 < height <= 20_000 and 1 <= dpi <= 2400):
        raise FrameError("a picture of impossible size")
    if len(frame.blob) != width * height * 3:
        raise FrameError("a picture with too few or too many bytes")
    return Picture(np.frombuffer(frame.blob, dtype=np.uint8).reshape(height, width, 3), float(dpi))


def refusal(error: ParseError) -> Frame:
    """The frame that tells why there is no answer."""
    return Frame("refused", {"kind": error.kind.value, "page": error.page, "sentence": str(error)})


def refusal_of(frame: Frame) -> ParseError:
    """The error that such a frame tells. Raises FrameError."""
    body = frame.body
    page, sentence = body.get("page"), body.get("sentence")
    if body.keys() != {"kind", "page", "sentence"} or not isinstance(sentence, str):
        raise FrameError("a refusal without its parts")
    if page is not None and (type(page) is not int or not 0 < page < 100_000):
        raise FrameError("a refusal of an impossible page")
    try:
        kind = ParseKind(body["kind"])
    except ValueError:
        raise FrameError("a refusal of an unknown kind") from None
    return ParseError(kind, readable(sentence), page=page)


def readable(sentence: str) -> str:
    """What a child says, fit for a log: one short line of plain letters."""
    return "".join(char for char in sentence[:_LONGEST_SENTENCE] if " " <= char <= "~")
