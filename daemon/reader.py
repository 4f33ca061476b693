"""Reading what strangers send, in confined children (docs/decisions/0009-confined-readers.md).

One question at a time. A reader child lives for one file: whatever took it over cannot touch the next applicant's
form. Its successor is born while it works, so that costs nobody time. The recogniser child, whose model takes a second
to load, lives long and only ever sees pixels. A file that exceeds its time or memory, or kills its reader, costs one
attempt and is a ParseError of the kind `too_costly`: an item for staff. A page that kills the recogniser is a page
without text.

Trusts nothing that a child says: `parsers.answers` checks every answer, findings are made here by the rules, and
pictures come as raw pixels that need no decoder. Promises ParseError or ReaderUnavailable, within the time that
`Patience` gives. Weak: a child that was taken over can still lie about its own file; staff see the document itself.
"""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Self, TypeVar

from parsers.answers import reading_from_child
from parsers.confinement import Confinement
from parsers.containers import UNPACK, UNPACKED, Unpacked, unpacked_of
from parsers.equipment import EQUIPPED, Equipment
from parsers.errors import ParseError, ParseKind
from parsers.frames import Frame, FrameError, picture_of, readable, refusal_of
from parsers.picture import Picture
from parsers.reading import Box, Reading
from parsers.scan import Scan, scan_to_json

from .children import PROGRAM, Child, ChildLost, Nursery, NurseryLost, ReaderUnavailable

_log = logging.getLogger(__name__)
_Seen = TypeVar("_Seen")

# A page that the recogniser could not look at: existing code holds it for staff.
_UNSEEN = scan_to_json(Scan(problem="no_text_layer"))
# So many recognisers are lost to one file; after that its pages are told as unseen at once.
_MOST_LOST = 2
# What may leak in a library of C is given back now and then.
_PAGES_OF_ONE_RECOGNISER = 500
# More pictures of one page than its fields, and then some, nobody asks for.
_MOST_CROPS = 100


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take, in seconds.

    `whole` is for a file of up to `free_pages` pictures; each further page that was looked at brings `more_per_page`,
    so that an honest stack of scans is read and a hostile file is not waited for. `page` is for one look of the
    recogniser, `start` for a child to get ready, which is no fault of the file.
    """

    whole: float = 10.0
    page: float = 8.0
    more_per_page: float = 4.0
    free_pages: int = 1
    start: float = 30.0


class Reader:
    """Reads forms and cuts pictures out of PDFs. For several threads, which wait for each other. A context manager."""

    def __init__(
        self,
        patience: Patience | None = None,
        *,
        equipment: Equipment | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """`equipment` is what the children are told beyond what the program ships; ValueError where a form is wrong.
        `program` is what the interpreter is started with; a test puts children of its own in their place."""
        self._patience = patience or Patience()
        self._equipment = equipment or Equipment()
        self.library = self._equipment.library()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._nursery = Nursery(monotonic, program)
        self._next: Child | None = None
        self._recogniser: Child | None = None
        self._looks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every child. A later question would start new ones."""
        with self._lock:
            for child in (self._next, self._recogniser):
                if child is not None:
                    child.kill()
            self._next = self._recogniser = None
            self._nursery.close()

    def read(self, data: bytes, *, received_on: date, seal: bool = True, pictures: bool = True) -> Reading:
        """Read every form in a PDF; see `parsers.application.read`. `pictures=False` recognises nothing.

        Where the child was lost after it had told what the text alone says, its forms stay, with a note that nobody has
        compared them with their picture. Raises ParseError where the bytes yield no document in good time,
        ReaderUnavailable where nothing can be read.
        """
        wanted = {"received_on": received_on.isoformat(), "seal": seal, "pictures": pictures}

        def read() -> Reading:
            drafts: list[Reading] = []
            try:
                with self._reading() as (child, start):
                    found = self._converse(child, Frame("read", wanted, data), start, partial(take_draft, drafts))
                    return _checked(lambda: reading_from_child(found, received_on=received_on, library=self.library))
            except ParseError:
                if not drafts:
                    raise
            _log.warning("a document's pictures could not be looked at; its forms are read by their text alone")
            return drafts[0]

        def take_draft(drafts: list[Reading], told: Frame) -> None:
            if drafts:
                raise ChildLost("spoke out of turn")
            drafts.append(
                reading_from_child(told, received_on=received_on, library=self.library, notes=("picture_unread",))
            )

        return self._in_turn(read)

    def picture(self, data: bytes, page: int, *, dpi: float = 150.0) -> Picture:
        """The picture of a page, counted from 1. Raises as `read` does."""
        return self._pictures(data, [(page, None)], dpi)[0]

    def crops(self, data: bytes, wanted: Sequence[tuple[int, Box]], *, dpi: float = 150.0) -> list[bytes]:
        """Parts of pages as PNG, in the order asked for. Raises as `read` does."""
        return [as_png(picture) for picture in self._pictures(data, wanted[:_MOST_CROPS], dpi)]

    def unpack(self, data: bytes) -> Unpacked:
        """The files in a container (`parsers.containers`), taken out in a child of its own. Raises as `read` does."""

        def take_out() -> Unpacked:
            with self._reading() as (child, start):
                deadline = start + self._patience.whole
                child.send(Frame(UNPACK, blob=data), deadline)
                answer = _expect(child.receive(deadline), UNPACKED)
                return _checked(partial(unpacked_of, answer))

        return self._in_turn(take_out)

    def _pictures(self, data: bytes, wanted: Sequence[tuple[int, Box | None]], dpi: float) -> list[Picture]:
        def draw() -> list[Picture]:
            found = []
            with self._reading() as (child, start):
                deadline = start + self._patience.whole
                for page, box in wanted:
                    body = {"page": page, "dpi": dpi, "box": list(box) if box else None}
                    child.send(Frame("render", body, data), deadline)
                    answer = _expect(child.receive(deadline), "picture")
                    found.append(_checked(partial(picture_of, answer)))
            return found

        return self._in_turn(draw)

    def _in_turn(self, work: Callable[[], _Seen]) -> _Seen:
        """One question at a time; asked again, once, where the nursery was ended under it."""
        with self._lock:
            try:
                return work()
            except NurseryLost:
                return work()

    def walls(self) -> dict[str, Confinement]:
        """Which walls stand around each kind of child here. Raises ReaderUnavailable."""
        with self._lock:
            with self._reading() as (reader, _):
                found = {"reader": reader.confinement}
            found["recogniser"] = self._ready_recogniser().confinement
        return {role: walls for role, walls in found.items() if walls is not None}

    # --- the reader child --------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[tuple[Child, float]]:
        """A reader for one file, and the time its work begins. It does not outlive the block."""
        child = self._ready_reader()
        # Born while the other works: ready when the next file comes.
        self._next = self._nursery.hire("reader")
        try:
            yield child, self._monotonic()
        except ChildLost as lost:
            if child.is_orphan():
                raise NurseryLost(None, "the nursery of the confined readers was ended", None) from None
            _log.warning("a confined reader was lost to a document: it %s", lost)
            raise ParseError(ParseKind.TOO_COSTLY, f"the confined reader {lost}") from None
        finally:
            child.kill()

    def _ready_reader(self) -> Child:
        for _ in range(2):
            child, self._next = self._next or self._nursery.hire("reader"), None
            try:
                self._get_ready(child)
            except ChildLost as lost:
                # One that waited may have gone with its nursery.
                _log.warning("a confined reader was lost before its work: it %s", lost)
                self._nursery.close()
                continue
            if child.is_alive():
                return child
            child.kill()
        raise ReaderUnavailable(None, "no confined reader gets ready")

    def _get_ready(self, child: Child) -> None:
        """Wait until its walls stand, then tell it what the centre adds, once. Raises ChildLost."""
        if child.confinement is not None:
            return
        deadline = self._monotonic() + self._patience.start
        child.await_ready(deadline)
        if self._equipment:
            child.send(self._equipment.frame(), deadline)
            if child.receive(deadline).kind != EQUIPPED:
                child.kill()
                raise ChildLost("did not take what it was told")

    def _converse(self, child: Child, question: Frame, start: float, take_draft: Callable[[Frame], None]) -> Frame:
        """Ask, pass on what is to be recognised, keep what is told before, and give the final answer."""
        deadline, lost, looked = start + self._patience.whole, 0, 0
        child.send(question, deadline)
        while True:
            answer = child.receive(deadline)
            if answer.kind == "draft":
                _checked(partial(take_draft, answer))
                continue
            if answer.kind != "recognise":
                return _expect(answer, "reading")
            seen = None
            if lost < _MOST_LOST:
                began = self._monotonic()
                recogniser = self._ready_recogniser()
                deadline += self._monotonic() - began  # its start is no fault of the file
                seen = self._look(recogniser, answer, deadline)
                lost, looked = lost + (seen is None), looked + (seen is not None)
            if seen is not None and looked > self._patience.free_pages:
                deadline += self._patience.more_per_page
            child.send(seen or Frame("scan", _UNSEEN), deadline)

    # --- the recogniser child ----------------------------------------------------------------------------------------

    def _look(self, recogniser: Child, asked: Frame, deadline: float) -> Frame | None:
        """What the recogniser sees, as a frame for the reader; None where it was lost to the picture.

        Neither question nor answer is looked into: the recogniser checks the one, the reader the other.
        """
        try:
            recogniser.send(asked, deadline)
            seen = recogniser.receive(min(deadline, self._monotonic() + self._patience.page))
        except ChildLost as lost:
            _log.warning("the confined recogniser was lost to a page: it %s", lost)
            self._recogniser = None
            return None
        self._looks += 1
        if seen.kind == "failed":
            _log.warning("the confined recogniser failed by %s", readable(str(seen.body.get("where"))))
        if seen.kind != "scan" or self._looks >= _PAGES_OF_ONE_RECOGNISER:
            recogniser.kill()
            self._recogniser = None
        return Frame("scan", seen.body) if seen.kind == "scan" else None

    def _ready_recogniser(self) -> Child:
        for _ in range(2):
            if self._recogniser is None:
                self._recogniser, self._looks = self._nursery.hire("recogniser"), 0
            child = self._recogniser
            try:
                self._get_ready(child)
            except ChildLost as lost:
                _log.warning("a confined recogniser was lost before its work: it %s", lost)
                self._recogniser = None
                continue
            return child
        raise ReaderUnavailable(None, "no confined recogniser gets ready")


def _expect(answer: Frame, kind: str) -> Frame:
    """The answer, if it is one. Raises ParseError where the child says why there is none, ChildLost for nonsense."""
    if answer.kind == "refused":
        raise _checked(lambda: refusal_of(answer))
    if answer.kind == "failed":
        raise ChildLost(f"failed by {readable(str(answer.body.get('where')))}")
    if answer.kind != kind:
        raise ChildLost("spoke out of turn")
    return answer


def _checked(look: Callable[[], _Seen]) -> _Seen:
    try:
        return look()
    except FrameError as error:
        raise ChildLost(f"spoke nonsense: {error}") from None


def as_png(picture: Picture) -> bytes:
    """The picture as a PNG file. The bytes were raw pixels until here: nothing of a stranger's is decoded."""
    from PIL import Image  # noqa: PLC0415 - most commands never see a picture

    written = io.BytesIO()
    Image.fromarray(picture.pixels, "RGB").save(written, "PNG", dpi=(picture.dpi, picture.dpi))
    return written.getvalue()
