"""PDF bytes → Document: pages with their size, cells, loose text and the route by which each is to be read.

Trusts nothing: the bytes come from strangers. Promises that only ParseError comes out. pypdf gives the page facts
(encryption, page count, size of the content), pdfplumber the characters and ruling lines. Weak: a hostile file can
still burn time and memory inside pdfminer (field notes, pdf.md 6); the confined child of stage 2 bounds that.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pdfplumber
import pypdf
from pdfplumber.page import Page as PlumberPage

from parsers.cells import Cell, Run, Segment, find_boxes, lines_of, place_runs
from parsers.errors import ParseError, ParseKind
from parsers.reading import Box, Route

# The header may stand behind some junk (ISO 32000-1 annex H.3.4.1, implementation note 13).
_HEADER_REACH = 1024
# Fewer characters than this is a page number or a fax header, not a text layer.
_LEAST_TEXT = 20
# A picture over this share of the page is a scan; a text layer above it was made by a scanner's own recognition.
_SCAN_SHARE = 0.6
# Annotations that put text or marks on a page without being part of its text layer.
_WRITTEN_ON = frozenset({"/FreeText", "/Widget", "/Ink", "/Stamp"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a form never exceeds: bytes of the file, pages, and bytes of one page's decoded content."""

    file_bytes: int = 30_000_000
    pages: int = 60
    content_bytes: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page as displayed: size in points, the way to read it, its cells, and the text outside of them.

    `written_on` tells that annotations or form fields lie on the page, which the text layer does not show.
    """

    number: int
    width: float
    height: float
    route: Route
    cells: tuple[Cell, ...] = ()
    loose: tuple[Run, ...] = ()
    written_on: bool = False

    def runs(self) -> Iterator[Run]:
        """All text of the page."""
        for cell in self.cells:
            yield from cell.runs
        yield from self.loose

    def loose_lines(self, *, above: float = 1.0) -> tuple[str, ...]:
        """The lines of text outside of cells, top to bottom; `above` is the share of the page that is looked at."""
        return lines_of(run for run in self.loose if run.middle <= above * self.height)


@dataclass(frozen=True, slots=True)
class Document:
    """An opened PDF. `data` starts at its header, for those who must render a page."""

    data: bytes
    pages: tuple[Page, ...]


@dataclass(frozen=True, slots=True)
class _Facts:
    written_on: bool


def open_document(data: bytes, limits: Limits | None = None) -> Document:
    """Open a PDF. Raises ParseError, whose kind tells what the bytes are instead, and nothing else."""
    limits = limits or Limits()
    start = _find_header(data)
    if len(data) > limits.file_bytes:
        raise ParseError(ParseKind.TOO_LARGE, f"the file has {len(data)} bytes")
    try:
        return _open(data[start:], limits)
    except ParseError:
        raise
    except MemoryError:
        raise ParseError(ParseKind.TOO_COSTLY, "the limit of memory was reached") from None
    except Exception as error:  # noqa: BLE001 - pypdf and pdfminer raise nearly every builtin exception on hostile
        # bytes (IndexError, TypeError, RecursionError, zlib.error, …); this is the one place where they become ours.
        # The cause is dropped, because its text may hold content of the form.
        raise ParseError(ParseKind.DAMAGED, f"the PDF cannot be read ({type(error).__name__})") from None


def _find_header(data: bytes) -> int:
    if not data.strip(b"\0\t\n\f\r "):
        raise ParseError(ParseKind.EMPTY, "the file is empty")
    start = data.find(b"%PDF-", 0, _HEADER_REACH + 5)
    kind = _sniff(data) if start else ParseKind.NOT_PDF
    # An archive may hold a PDF uncompressed near its beginning: then it is no junk that stands before the header.
    if start < 0 or kind is not ParseKind.NOT_PDF:
        raise ParseError(kind, f"no PDF header, looks like {kind.value}")
    return start


_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"II*\0", b"MM\0*", b"GIF8", b"BM")
_ARCHIVES = (b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def _sniff(data: bytes) -> ParseKind:
    """What the bytes are by their content; a file name proves nothing."""
    if data.startswith(_IMAGES) or data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return ParseKind.IMAGE
    if data.startswith(b"PK\x03\x04") and (b"xl/workbook" in data or b"xl/worksheets/" in data):
        return ParseKind.SPREADSHEET
    if data.startswith(_OLE):
        # An Office file with a password is an OLE container around an encrypted package; names are UTF-16 inside.
        if "EncryptedPackage".encode("utf-16-le") in data:
            return ParseKind.ENCRYPTED
        return ParseKind.SPREADSHEET if "Workbook".encode("utf-16-le") in data else ParseKind.NOT_PDF
    # LZH, still met in Japan, has its method name behind two bytes of header.
    if data.startswith(_ARCHIVES) or data[2:5] == b"-lh":
        return ParseKind.ARCHIVE
    return ParseKind.NOT_PDF


def _open(data: bytes, limits: Limits) -> Document:
    facts = _page_facts(data, limits)
    with pdfplumber.open(io.BytesIO(data)) as pdf:
        if len(pdf.pages) != len(facts):
            raise ParseError(ParseKind.DAMAGED, "two readers count different numbers of pages")
        pages = []
        for number, (page, fact) in enumerate(zip(pdf.pages, facts, strict=True), start=1):
            pages.append(_read_page(number, page, fact))
            page.close()
    return Document(data, tuple(pages))


def _page_facts(data: bytes, limits: Limits) -> tuple[_Facts, ...]:
    """What pypdf tells of each page before the costlier reader is let near it."""
    reader = pypdf.PdfReader(io.BytesIO(data))
    # A file with an owner password only opens with the empty user password (ISO 32000-1, 7.6.3.4).
    if reader.is_encrypted and not reader.decrypt(""):
        raise ParseError(ParseKind.ENCRYPTED, "the PDF asks for a password")
    count = len(reader.pages)
    if count > limits.pages:
        raise ParseError(ParseKind.TOO_LARGE, f"the PDF has {count} pages")
    if not count:
        raise ParseError(ParseKind.DAMAGED, "the PDF has no page")
    facts = []
    for number, page in enumerate(reader.pages, start=1):
        content = page.get_contents()
        if content is not None and len(content.get_data()) > limits.content_bytes:
            raise ParseError(ParseKind.TOO_LARGE, "a page holds more than a form can", page=number)
        facts.append(_Facts(written_on=_is_written_on(page)))
    return tuple(facts)


def _is_written_on(page: pypdf.PageObject) -> bool:
    return any(annotation.get_object().get("/Subtype") in _WRITTEN_ON for annotation in page.annotations or ())


def choose_route(characters: int, picture_share: float) -> Route:
    """How a page is to be read, by the number of its characters and the share of it that one picture covers.

    A searchable scan counts as a scan: its text layer is a guess of the scanner, not what somebody typed. The routes
    by form values and by code come in stage 2, here.
    """
    if characters < _LEAST_TEXT or picture_share > _SCAN_SHARE:
        return Route.SCAN
    return Route.TEXT


def _read_page(number: int, page: PlumberPage, fact: _Facts) -> Page:
    # Places count from the corner of what is displayed, which may be less than the paper (ISO 32000-1, 14.11.2).
    left, top, right, bottom = page.cropbox
    share = max((_share(picture, right - left, bottom - top) for picture in page.images), default=0.0)
    runs = _drop_echoes(_runs(page.chars, left, top))
    route = choose_route(sum(len(run.text.strip()) for run in runs), share)
    horizontal, vertical = _segments((*page.lines, *page.rects, *page.curves), left, top)
    cells, loose = place_runs(find_boxes(horizontal, vertical), runs)
    return Page(number, right - left, bottom - top, route, cells, loose, fact.written_on)


def _share(picture: Mapping[str, Any], width: float, height: float) -> float:
    seen_width = min(picture["x1"] - picture["x0"], width)
    seen_height = min(picture["bottom"] - picture["top"], height)
    return float(seen_width * seen_height / (width * height)) if width > 0 and height > 0 else 0.0


def _segments(
    drawn: Iterable[Mapping[str, Any]], left: float, top: float
) -> tuple[Sequence[Segment], Sequence[Segment]]:
    """The ruling lines among everything drawn: thin shapes, stroked or filled, and the sides of stroked boxes."""
    horizontal, vertical = [], []
    for shape in drawn:
        x0, x1 = shape["x0"] - left, shape["x1"] - left
        y0, y1 = shape["top"] - top, shape["bottom"] - top
        # Spreadsheet programs draw a border as a stroked line or as a filled bar; anything thicker is a filled area.
        thin_x, thin_y = x1 - x0 <= 3.0, y1 - y0 <= 3.0
        if thin_x and thin_y:
            continue
        if thin_y:
            horizontal.append(Segment((y0 + y1) / 2, x0, x1))
        elif thin_x:
            vertical.append(Segment((x0 + x1) / 2, y0, y1))
        elif shape["object_type"] == "rect" and shape["stroke"]:
            horizontal += [Segment(y0, x0, x1), Segment(y1, x0, x1)]
            vertical += [Segment(x0, y0, y1), Segment(x1, y0, y1)]
    return horizontal, vertical


def _runs(chars: Iterable[Mapping[str, Any]], left: float, top: float) -> Iterator[Run]:
    """Characters drawn one after the other, as long as they touch; a jump begins a new run."""
    text: list[str] = []
    box, size, upright, red = Box(0, 0, 0, 0), 0.0, True, False
    for char in chars:
        x0, x1, y0, y1 = char["x0"] - left, char["x1"] - left, char["top"] - top, char["bottom"] - top
        if text and _follows(box, size, x0, y0, y1) and char["upright"] and upright:
            text.append(char["text"])
            box = Box(box.x0, min(box.y0, y0), max(box.x1, x1), max(box.y1, y1))
            continue
        if text:
            yield Run("".join(text), box, size, upright, red)
        text, box, size, upright = [char["text"]], Box(x0, y0, x1, y1), char["size"], char["upright"]
        red = _is_red(char["non_stroking_color"])
    if text:
        yield Run("".join(text), box, size, upright, red)


def _is_red(colour: object) -> bool:
    """Whether a fill colour in RGB or CMYK looks red; grey and pattern colours do not."""
    match colour:
        case (float() | int() as red, float() | int() as green, float() | int() as blue):
            return red - max(green, blue) > 0.1
        case (float() | int() as cyan, float() | int() as magenta, float() | int() as yellow, float() | int()):
            return min(magenta, yellow) - cyan > 0.1
    return False


def _drop_echoes(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Some printers draw bold text twice, a hair apart; the second drawing says nothing new."""
    seen: dict[str, list[Box]] = {}
    kept = []
    for run in runs:
        before = seen.setdefault(run.text, [])
        if not any(abs(run.box.x0 - box.x0) < 1 and abs(run.box.y0 - box.y0) < 1 for box in before[-5:]):
            kept.append(run)
            before.append(run.box)
    return tuple(kept)


def _follows(box: Box, size: float, x0: float, y0: float, y1: float) -> bool:
    # Padding parts the texts of two cells by at least a sixth of the size, glyphs of one text by next to nothing.
    return -0.12 * size < x0 - box.x1 < 0.15 * size and abs((y0 + y1) - (box.y0 + box.y1)) < 0.6 * size
