"""Files that survive a power cut: what is written is there whole, or what was there before still is."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def write_durably(target: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace a file atomically: a reader, or a restart after a crash, sees the old bytes or the new ones."""
    with replaced(target, mode=mode) as file:
        file.write(data)


@contextlib.contextmanager
def replaced(target: Path, *, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """As `write_durably`, for what is written piece by piece: it takes the place of the target when the block ends."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    part.rename(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or an unlink in this folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
