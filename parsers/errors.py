"""Why a document could not be opened at all: one kind each, so that the daemon can choose the letter or the hold."""

from enum import StrEnum


class ParseKind(StrEnum):
    """What is wrong with the bytes. The consequence of each kind is decided in the daemon, not here."""

    EMPTY = "empty"
    NOT_PDF = "not_pdf"
    ENCRYPTED = "encrypted"
    SPREADSHEET = "spreadsheet"
    IMAGE = "image"
    ARCHIVE = "archive"
    DAMAGED = "damaged"
    TOO_LARGE = "too_large"
    TOO_COSTLY = "too_costly"
    """Reading it reached a limit of time or memory, or the confined child did not survive it."""


class ParseError(Exception):
    """Bytes that yield no document. `str()` is an English sentence for developers and holds nothing of the content.

    `page` counts from 1 and is None where the whole document is meant.
    """

    def __init__(self, kind: ParseKind, sentence: str, *, page: int | None = None) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.page = page
