"""The code on a filled form: values ↔ the bytes in its QR symbol, and the symbols that a picture holds.

The payload is `WF`, the layout's number, flags, a deflated vector of the form's values and, where the centre has a key,
an Ed25519 signature over everything before it (RFC 8032). Trusts nothing: a code is drawn by whoever likes to, so every
length is bounded before anything is unpacked. Promises: any bytes give a `CodeContent` or a `CodeError`. Weak: a code
proves what a program wrote into it, not what is printed beside it; `parsers.code_sheet` compares the two.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import cv2
import numpy as np
import zxingcpp
from numpy.typing import NDArray

from config.request_types import RequestType
from parsers.picture import Picture
from parsers.reading import Box

Sign = Callable[[bytes], bytes]
Verify = Callable[[bytes, bytes], bool]

MAGIC = b"WF\x01"
"""What every code of ours begins with: two letters and the number of the layout below."""

# The vector of layout 1. A printed form may come back years later, so this list is never changed: a new field means a
# new layout with a list of its own. A test tells when the table of request types has a row that is not here.
FIELDS = (
    *(f"applicant.{name}" for name in ("company", "department", "title", "name", "phone", "email")),
    "applicant.postal_code",
    "applicant.address",
    *(f"{block}.{name}" for block in ("user", "before", "after") for name in ("company_ja", "company_en")),
    *(f"{block}.{name}" for block in ("user", "before", "after") for name in ("name_ja", "name_en", "email")),
    "application_date",
    "wished_revocation_date",
    "remarks",
)
CONFIRMATIONS = (
    "webec_terms",
    "ogis_terms",
    "info_in_certificate",
    "content_correct",
    "revoke_unneeded",
    "user_not_entitled",
)
TYPE = "request_type"

# Words that nearly every form holds, the most frequent last (zlib manual, deflateSetDictionary). Part of layout 1.
_WORDS = (
    "北海道青森県岩手県宮城県福島県茨城県栃木県群馬県埼玉県千葉県新潟県富山県石川県長野県岐阜県静岡県三重県滋賀県"
    "京都府兵庫県奈良県岡山県広島県福岡県熊本県神奈川県横浜市名古屋市大阪市大阪府愛知県東京都千代田区中央区港区"
    "丁目番号階ビル工業電機製作所商事産業物流運輸食品化学建設情報システム営業部第一課総務部経理部購買部部長課長係長"
    "Corporation Industries Inc. Trading Electric Technology Kabushiki Kaisha Co., Ltd. K.K. "
    ".com.ne.jp.co.jp@example03-06-090-080-電話番号合同会社有限会社株式会社20242025202620272028-0-1"
    "new_issueregistration_changecancellationhandoverreissue2021-042024-07"
).encode()
_LARGEST_PAYLOAD = 2331  # the largest QR symbol holds no more (ISO/IEC 18004, version 40 at level M)
_LARGEST_VECTOR = 16_384
_SIGNED = 1
_SIGNATURE = 64  # RFC 8032 section 5.1.6
_END, _ESCAPE = "\x1f", "\x1b"
_TICKS: Mapping[bool | None, str] = {True: "1", False: "0", None: "-"}


class CodeProblem(StrEnum):
    """Why bytes are no content: not ours at all, ours but spoilt, or too much for a code."""

    FOREIGN = "foreign"
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"


class CodeError(Exception):
    """Bytes that are no code of ours, or values that no code can carry. `str()` holds nothing of the content."""

    def __init__(self, kind: CodeProblem, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class CodeContent:
    """What a code says: `values` by field name, empty where none was given, dates in ISO 8601.

    `signed` tells that a signature is there, `valid` whether it is the centre's: None where there is none, or no key to
    check it with.
    """

    form_version: str
    request_type: RequestType | None
    values: Mapping[str, str]
    ticks: Mapping[str, bool | None]
    signed: bool = False
    valid: bool | None = field(default=None)


def encode(values: Mapping[str, str | bool | None], form_version: str, *, sign: Sign | None) -> bytes:
    """The payload for these values: `request_type`, the field names of SPEC 5 and the confirmations.

    CodeError where they are too long for any code; ValueError names a key that this layout does not have.
    """
    unknown = set(values) - {TYPE, *FIELDS, *CONFIRMATIONS}
    if unknown:
        raise ValueError(f"the code has no place for {', '.join(sorted(unknown))}")
    ticks = "".join(_tick(values.get(key)) for key in CONFIRMATIONS)
    parts = [form_version, _text(values, TYPE), ticks, *(_text(values, key) for key in FIELDS)]
    vector = _END.join(map(_escaped, parts)).encode("utf-8", "surrogatepass")
    if len(vector) > _LARGEST_VECTOR:
        raise CodeError(CodeProblem.TOO_LARGE, f"the values take {len(vector)} bytes")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, _WORDS)
    payload = MAGIC + bytes([_SIGNED if sign else 0]) + packer.compress(vector) + packer.flush()
    if sign:
        payload += sign(payload)
    if len(payload) > _LARGEST_PAYLOAD:
        raise CodeError(CodeProblem.TOO_LARGE, f"the code would take {len(payload)} bytes")
    return payload


def _text(values: Mapping[str, str | bool | None], key: str) -> str:
    value = values.get(key)
    if isinstance(value, bool):
        raise ValueError(f"{key} takes a text")  # noqa: TRY004 - a wrong value in a file, not wrong code
    return value or ""


def _tick(value: str | bool | None) -> str:  # noqa: FBT001 - the value itself
    if isinstance(value, str):
        raise ValueError("a confirmation takes true or false")  # noqa: TRY004 - a wrong value in a file
    return _TICKS[value]


def _escaped(text: str) -> str:
    return text.replace(_ESCAPE, _ESCAPE + "e").replace(_END, _ESCAPE + "s")


def _unescaped(text: str) -> str:
    return text.replace(_ESCAPE + "s", _END).replace(_ESCAPE + "e", _ESCAPE)


def decode(payload: bytes, *, verify: Verify | None) -> CodeContent:
    """What a payload says. `verify` is given the signed bytes and the signature. Raises CodeError and nothing else."""
    if not payload.startswith(MAGIC[:2]):
        raise CodeError(CodeProblem.FOREIGN, "the code is not one of ours")
    if len(payload) > _LARGEST_PAYLOAD:
        raise CodeError(CodeProblem.TOO_LARGE, "no QR symbol holds so much")
    head, body = payload[: len(MAGIC) + 1], payload[len(MAGIC) + 1 :]
    if not head.startswith(MAGIC) or head[-1:] not in (b"\0", b"\1"):
        raise CodeError(CodeProblem.DAMAGED, "the code is of a layout that this program does not know")
    signed = head[-1] == _SIGNED
    signature = b""
    if signed:
        body, signature = body[:-_SIGNATURE], body[-_SIGNATURE:]
        if len(signature) != _SIGNATURE:
            raise CodeError(CodeProblem.DAMAGED, "the code is shorter than its signature")
    parts = _unpacked(body)
    valid = verify(head + body, signature) if signed and verify else None
    return _content(parts, signed=signed, valid=valid)


def _unpacked(body: bytes) -> list[str]:
    packer = zlib.decompressobj(-15, zdict=_WORDS)
    try:
        vector = packer.decompress(body, _LARGEST_VECTOR + 1)
        text = vector.decode("utf-8", "surrogatepass")
    except (zlib.error, UnicodeDecodeError):
        raise CodeError(CodeProblem.DAMAGED, "the code cannot be unpacked") from None
    # A body that goes on after its end, or unpacks to more than any form holds, was not made by us.
    if not packer.eof or packer.unused_data or packer.unconsumed_tail or len(vector) > _LARGEST_VECTOR:
        raise CodeError(CodeProblem.DAMAGED, "the code is longer or shorter than its content")
    return [_unescaped(part) for part in text.split(_END)]


def _content(parts: list[str], *, signed: bool, valid: bool | None) -> CodeContent:
    if len(parts) != 3 + len(FIELDS) or len(parts[2]) != len(CONFIRMATIONS) or set(parts[2]) - set("10-"):
        raise CodeError(CodeProblem.DAMAGED, "the code has not the parts of its layout")
    version, kind, marks, *texts = parts
    if kind not in ("", *RequestType):
        raise CodeError(CodeProblem.DAMAGED, "the code names a type that there is not")
    meanings = {mark: ticked for ticked, mark in _TICKS.items()}
    return CodeContent(
        form_version=version,
        request_type=RequestType(kind) if kind else None,
        values=MappingProxyType(dict(zip(FIELDS, texts, strict=True))),
        ticks=MappingProxyType({key: meanings[mark] for key, mark in zip(CONFIRMATIONS, marks, strict=True)}),
        signed=signed,
        valid=valid,
    )


# --- symbols in pictures ------------------------------------------------------------------------------------------

# A symbol is only looked for at these sizes: beyond them a page is no page.
_LARGEST_SIDE = 12_000
_QR = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_GREY = NDArray[np.uint8]


def find_codes(picture: Picture) -> list[tuple[bytes, Box]]:
    """Every QR symbol in the picture, top to bottom: its bytes and its place in points.

    The page is looked at as it is first. Only where that shows a symbol which cannot be read, it is looked at again
    enlarged, smoothed and without red: a worn print needs it, a page without a code need not pay for it.
    """
    if not 0 < min(picture.width, picture.height) <= max(picture.width, picture.height) <= _LARGEST_SIDE:
        return []
    grey = np.ascontiguousarray(cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    found: dict[bytes, Box] = {}
    for attempt in (_as_it_is, _enlarged, _smoothed, _without_red):
        prepared, scale = attempt(grey, picture)
        symbols = zxingcpp.read_barcodes(prepared, formats=_QR, return_errors=True)
        for symbol in symbols:
            if symbol.valid:
                found.setdefault(bytes(symbol.bytes), _place(symbol, scale * picture.points))
        if len(found) >= len(symbols) or any(payload.startswith(MAGIC[:2]) for payload in found):
            break
    return sorted(found.items(), key=lambda each: (each[1].y0, each[1].x0))


def _as_it_is(grey: _GREY, _: Picture) -> tuple[_GREY, float]:
    return grey, 1.0


def _enlarged(grey: _GREY, picture: Picture) -> tuple[_GREY, float]:
    # Three pixels a module is where zxing begins to fail (pdf.md 4); more than 600 dpi only costs time.
    scale = 2.0 if picture.dpi <= 310 and max(grey.shape) <= _LARGEST_SIDE // 2 else 1.0
    larger = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return np.asarray(larger, dtype=np.uint8), scale


def _smoothed(grey: _GREY, _: Picture) -> tuple[_GREY, float]:
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.8), dtype=np.uint8), 1.0


def _without_red(_: _GREY, picture: Picture) -> tuple[_GREY, float]:
    # A red stamp or note over the symbol is nearly white in the red channel.
    return _enlarged(np.ascontiguousarray(picture.pixels[:, :, 0]), picture)


def _place(symbol: zxingcpp.Barcode, pixels_per_point: float) -> Box:
    corners = symbol.position
    points = (corners.top_left, corners.top_right, corners.bottom_right, corners.bottom_left)
    xs, ys = [point.x / pixels_per_point for point in points], [point.y / pixels_per_point for point in points]
    return Box(min(xs), min(ys), max(xs), max(ys))
