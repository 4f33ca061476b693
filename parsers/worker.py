"""What a confined child does once its walls stand: answer the frames that the service sends, until the service ends.

Two roles. A *reader* opens PDFs and containers and renders pages; what it wants recognised it sends back as raw
pixels. A *recogniser* looks at such pixels and never at a file. So whoever takes over a reader has no model to spoil,
and whoever spoils a picture has no PDF library to take over. Trusts the service, not the file. Weak: an answer that is
wrong on purpose looks like one that is right; that is why a reader lives for one file only (daemon/reader.py).
"""

import os
import traceback
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import PurePath
from typing import Any

from config.forms import Library
from parsers.containers import UNPACK, take_out, unpacked_frame
from parsers.document import Page
from parsers.equipment import EQUIP, EQUIPPED, equipment_in
from parsers.errors import ParseError, ParseKind
from parsers.frames import Frame, FrameError, pack, picture_frame, picture_of, refusal, unpack
from parsers.picture import Picture
from parsers.reading import Box, Reading, to_json
from parsers.scan import Scan, scan_from_json, scan_to_json
from parsers.two_pages import page_from_json, page_to_json

# Writing more than this at once gains nothing, and the other side may bound what it takes.
_PIECE = 1 << 20


class Channel:
    """Frames over one connected file descriptor. Raises EOFError when the other side has gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def receive(self) -> Frame:
        """The next frame of the service."""
        return unpack(self._take)

    def send(self, frame: Frame) -> None:
        """Write one frame whole."""
        for part in (pack(frame), frame.blob):
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(self._descriptor, rest[:_PIECE]) :]

    def _take(self, count: int) -> bytearray:
        taken = bytearray(count)
        rest = memoryview(taken)
        while rest:
            got = os.readv(self._descriptor, [rest])
            if not got:
                raise EOFError
            rest = rest[got:]
        return taken


Answer = Callable[[Channel, Frame], Frame]
"""Answers one question of the service; may ask back over the channel first."""


def serve(channel: Channel, answer: Answer) -> None:
    """Answer frame after frame until the service hangs up. What yields no answer is told as a ParseError's kind."""
    while True:
        try:
            asked = channel.receive()
        except EOFError:
            return
        try:
            told = answer(channel, asked)
        except ParseError as error:
            told = refusal(error)
        except MemoryError:
            told = refusal(ParseError(ParseKind.TOO_COSTLY, "the limit of memory was reached"))
        except Exception as error:  # noqa: BLE001 - a fault of ours must be told apart from a file's: the log names it
            channel.send(Frame("failed", {"where": _where(error)}))
            return
        channel.send(told)


def _where(error: Exception) -> str:
    """The kind of error and the line of ours that raised it; never its text, which may quote the form."""
    ours = [step for step in traceback.extract_tb(error.__traceback__) if "parsers" in step.filename]
    at = f" in {PurePath(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__}{at}"


def reader() -> Answer:
    """What answers as a reader. `equip`: what the centre adds, first of all; `read`: a PDF → its reading; `render`: a
    PDF, a page, a part of it → its picture; `unpack`: a container → the files in it."""
    library: Library | None = None

    def answer(channel: Channel, asked: Frame) -> Frame:
        nonlocal library
        if asked.kind == EQUIP:
            library = equipment_in(asked).library()
            return Frame(EQUIPPED)
        data = bytes(asked.blob)
        if asked.kind == "read":
            return _read(channel, data, asked.body, library)
        if asked.kind == "render":
            return _render(data, asked.body)
        if asked.kind == UNPACK:
            return unpacked_frame(take_out(data))
        raise FrameError("a question that no reader answers")

    return answer


def _read(channel: Channel, data: bytes, wanted: Mapping[str, Any], library: Library | None) -> Frame:
    from parsers.application import read  # noqa: PLC0415 - a recogniser has no use for the PDF libraries

    def recognise(picture: Picture, page: int, before: Page | None = None, /) -> Scan:
        told = page_to_json(before) if before else None
        channel.send(picture_frame("recognise", picture, page=page, before=told))
        return scan_from_json(channel.receive().body)

    def draft(reading: Reading) -> None:
        channel.send(Frame("draft", to_json(reading)))

    found = read(
        data,
        received_on=date.fromisoformat(wanted["received_on"]),
        seal=wanted["seal"],
        recognise=recognise if wanted["pictures"] else None,
        library=library,
        draft=draft,
    )
    return Frame("reading", to_json(found))


def _render(data: bytes, wanted: Mapping[str, Any]) -> Frame:
    from parsers.rendering import render  # noqa: PLC0415 - as above

    region = Box(*wanted["box"]) if wanted["box"] else None
    return picture_frame("picture", render(data, wanted["page"], dpi=wanted["dpi"], region=region))


def _page_before(asked: Frame) -> Page | None:
    """What was recognised on the page before the one in question."""
    told = asked.body.get("before")
    try:
        return page_from_json(told) if told is not None else None
    except (KeyError, TypeError, ValueError):
        raise FrameError("a page before that is none") from None


def recogniser() -> Answer:
    """What answers as a recogniser: `equip` as of a reader, `recognise`: a picture → what is on it. Loads the model,
    which takes about a second."""
    from parsers.beside import Beside  # noqa: PLC0415 - heavy, and a reader has no use for them
    from parsers.recogniser import Recogniser  # noqa: PLC0415
    from parsers.scanner import Scanner  # noqa: PLC0415
    from parsers.second_opinion import open_second_opinion  # noqa: PLC0415
    from parsers.signatures import verifier  # noqa: PLC0415 - behind the walls no library could be loaded any more

    model, second, beside = Recogniser(), open_second_opinion(), Beside()
    scanner = Scanner(model, second=second, beside=beside)

    def answer(_: Channel, asked: Frame) -> Frame:
        nonlocal scanner
        if asked.kind == EQUIP:
            given = equipment_in(asked)
            verify = verifier(given.code_key) if given.code_key else None
            scanner = Scanner(model, second=second, beside=beside, library=given.library(), verify=verify)
            return Frame(EQUIPPED)
        page = asked.body.get("page")
        if asked.kind != "recognise" or type(page) is not int:
            raise FrameError("a question that no recogniser answers")
        return Frame("scan", scan_to_json(scanner.scan(picture_of(asked), page, _page_before(asked))))

    return answer
