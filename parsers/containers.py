"""What is packed in a zip or a winmail.dat, also one in the other, as a flat list of files with the way to each.

Runs in the confined child (parsers/worker.py): a hostile archive may cost the child, never the service. The two ends
of the wire are here too, so that what is packed and what is checked stand side by side. Promises: `take_out` never
raises, and stops at the limits with a trouble that says so; `unpacked_of` believes nothing about sizes and names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parsers.attachments import DocumentKind, safe_name, sniff
from parsers.charsets import clean_line
from parsers.frames import Frame, FrameError
from parsers.tnef import open_winmail
from parsers.zips import open_zip

# As many files as a mail may have attachments is too many for an answer; an archive of a company's forms has some ten.
MOST_FILES = 100
# The largest form we read is 30 MB.
MOST_BYTES = 64 * 1024 * 1024
DEEPEST = 4
_LONGEST_PART = 200

UNPACK, UNPACKED = "unpack", "unpacked"
# Why something inside is not there; each is a kind that the letter to the sender has a sentence for.
TROUBLES = frozenset({"encrypted_archive", "damaged", "too_large", "archive"})
ARROW = " → "


@dataclass(frozen=True, slots=True)
class PackedItem:
    """One file; `path` are the names of the containers and folders it lay in, the outermost first, and its own last."""

    path: tuple[str, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that was not taken out, and why: one of TROUBLES. `path` is empty for the container itself."""

    path: tuple[str, ...]
    code: str


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Everything that came out of a container, and what did not."""

    items: tuple[PackedItem, ...]
    troubles: tuple[Trouble, ...] = ()


def is_container(kind: DocumentKind, data: bytes) -> bool:
    """Whether `take_out` has something to do with it: a zip or a winmail.dat, not the other kinds of archives."""
    return kind is DocumentKind.TNEF or (kind is DocumentKind.ARCHIVE and data.startswith(b"PK"))


@dataclass(slots=True)
class _Budget:
    """What is left of the limits, over all levels."""

    files: int
    octets: int


def take_out(data: bytes, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> Unpacked:
    """Take everything out, containers inside it too, down to DEEPEST levels. Never raises."""
    items: list[PackedItem] = []
    troubles: list[Trouble] = []
    budget = _Budget(most_files, most_bytes)
    for found in _open(data, (), 1, budget):
        if isinstance(found, PackedItem):
            items.append(found)
        elif found not in troubles:
            troubles.append(found)
    return Unpacked(tuple(items), tuple(troubles[:most_files]))


def _open(data: bytes, path: tuple[str, ...], depth: int, budget: _Budget) -> Iterator[PackedItem | Trouble]:
    kind = sniff(data)
    if not is_container(kind, data):
        if depth == 1:
            yield Trouble(path, "damaged")
            return
        if budget.files <= 0 or len(data) > budget.octets:
            yield Trouble((), "too_large")
            return
        budget.files -= 1
        budget.octets -= len(data)
        yield PackedItem(path, data)
        return
    if depth > DEEPEST:
        yield Trouble(path, "archive")
        return
    if kind is DocumentKind.TNEF:
        yield from _open_winmail(data, path, depth, budget)
        return
    for member in open_zip(data, most=max(budget.files, 0), most_bytes=max(budget.octets, 0)):
        where = (*path, *member.path)
        if member.trouble:
            yield Trouble(where, member.trouble)
        else:
            yield from _open(member.data, where, depth + 1, budget)


def _open_winmail(data: bytes, path: tuple[str, ...], depth: int, budget: _Budget) -> Iterator[PackedItem | Trouble]:
    found = open_winmail(data)
    for count, packed in enumerate(found.files, 1):
        name = packed.name or (open_winmail(packed.data).subject if packed.message else "")
        named = safe_name(name, part=str(count), data=packed.data)
        yield from _open(packed.data, (*path, named), depth + 1, budget)
    if not found.whole:
        yield Trouble(path, "damaged")


# --- over the wire ---------------------------------------------------------------------------------------------------


def unpacked_frame(found: Unpacked) -> Frame:
    """For the service: names and sizes as JSON, the contents behind one another."""
    items = [{"path": list(_short(item.path)), "size": len(item.data)} for item in found.items]
    troubles = [{"path": list(_short(each.path)), "code": each.code} for each in found.troubles]
    return Frame(UNPACKED, {"items": items, "troubles": troubles}, b"".join(item.data for item in found.items))


def _short(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part[:_LONGEST_PART] for part in (*path[: 2 * DEEPEST - 1], *path[2 * DEEPEST - 1 :][-1:]))


def unpacked_of(frame: Frame) -> Unpacked:
    """What a child says it has taken out. Raises FrameError for what no child of ours says."""
    body = frame.body
    if body.keys() != {"items", "troubles"}:
        raise FrameError("an unpacked container without its parts")
    items, troubles = body["items"], body["troubles"]
    if not isinstance(items, list) or not isinstance(troubles, list):
        raise FrameError("an unpacked container without lists")
    if max(len(items), len(troubles)) > MOST_FILES or len(frame.blob) > MOST_BYTES:
        raise FrameError("more than a container holds")
    blob, at, found = memoryview(frame.blob), 0, []
    for raw in items:
        size = raw.get("size") if isinstance(raw, dict) and raw.keys() == {"path", "size"} else None
        if type(size) is not int or not 0 <= size <= len(blob) - at:
            raise FrameError("a packed file of impossible size")
        found.append(PackedItem(_path_in(raw["path"]), bytes(blob[at : at + size])))
        at += size
    if at != len(blob):
        raise FrameError("more bytes than files")
    return Unpacked(tuple(found), tuple(_trouble_in(raw) for raw in troubles))


def _trouble_in(raw: Any) -> Trouble:  # noqa: ANN401 - whatever JSON a child wrote
    if not isinstance(raw, dict) or raw.keys() != {"path", "code"} or raw["code"] not in TROUBLES:
        raise FrameError("a trouble that we do not know")
    return Trouble(_path_in(raw["path"]), raw["code"])


def _path_in(raw: Any) -> tuple[str, ...]:  # noqa: ANN401 - as above
    if not isinstance(raw, list) or len(raw) > 2 * DEEPEST or not all(isinstance(part, str) for part in raw):
        raise FrameError("a path that is none")
    if any(len(part) > _LONGEST_PART for part in raw):
        raise FrameError("a name without end")
    # A lone surrogate is good JSON, and no file, database or mail accepts it.
    return tuple(clean_line(part.encode("utf-8", "replace").decode()) for part in raw)
