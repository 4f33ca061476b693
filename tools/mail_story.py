"""What a made-up mail is to say, and the pieces of it that several habits write alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from random import Random

from tools.mail_pieces import extended, file_part, text_part
from tools.pack_files import Member

JST = timezone(timedelta(hours=9), "JST")


@dataclass(slots=True)
class Story:
    """What a mail is to say, before a habit writes it down. A habit may change it where its program does."""

    random: Random
    subject: str
    name: str
    address: str
    body: str
    files: list[Member]
    packed: list[Member] = field(default_factory=list)
    fields: list[tuple[str, str | bytes]] = field(default_factory=list)
    suspicions: tuple[str, ...] = ()
    at: datetime = datetime(2024, 7, 1, 9, 30, tzinfo=JST)


Habit = Callable[[Story], bytes]


def sender(story: Story, name: str) -> None:
    """The From field."""
    story.fields.append(("From", f"{name} <{story.address}>" if name else story.address))


def attached(story: Story, charset: str) -> list[bytes]:
    """The files as RFC 2231 asks for."""
    return [
        file_part(data, "application/pdf", f"attachment; {extended('filename', name, charset)}")
        for name, data in story.files
    ]


def page(story: Story, charset: str, encoding: str) -> bytes:
    """The text once more, or alone, as HTML."""
    lines = "<br>\n".join(story.body.split("\n"))
    head = f'<head><meta http-equiv="Content-Type" content="text/html; charset={charset}"></head>'
    html = f"<html>{head}<body>{lines}</body></html>"
    return text_part(html, charset, encoding, subtype="html")
