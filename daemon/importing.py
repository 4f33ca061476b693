"""Companies and registrations from CSV, as they come out of Excel: all rows or none, each refusal with its line.

Files may be UTF-8 (with or without BOM) or CP932. The first line names the columns, in any order.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from parsers.normalise import mail_address

from . import registrations
from .matching import PERSON_FIELDS, Person

COMPANY_COLUMNS = ("name_ja", "name_en", "domains")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that cannot be taken: its number in the file (the heading is 1), the column and why, in English."""

    line: int
    column: str
    reason: str


class ImportRefused(Exception):
    """Nothing was imported; `refusals` names every line that must be mended first."""

    def __init__(self, refusals: list[Refusal]) -> None:
        super().__init__(f"{len(refusals)} line(s) cannot be imported; nothing was changed")
        self.refusals = refusals


def companies(tx: Connection, data: bytes, *, now: datetime) -> tuple[int, int]:
    """Import companies (`name_ja`, `name_en`, `domains` separated by spaces); returns how many are new and known."""
    rows = _rows(data, COMPANY_COLUMNS, _company_refusals)
    new = 0
    for _, row in rows:
        _, is_new = registrations.add_company(
            tx, name_ja=row["name_ja"], name_en=row["name_en"], domains=row["domains"].split(), now=now
        )
        new += is_new
    return new, len(rows) - new


def people(tx: Connection, data: bytes, *, now: datetime) -> tuple[int, int]:
    """Import registrations (the five fields of a user block); returns how many are new and how many were there."""
    rows = _rows(data, PERSON_FIELDS, _person_refusals)
    known = {registration.person.keys for registration in registrations.live(tx)}
    new = 0
    for _, row in rows:
        person = Person(**{name: row[name] for name in PERSON_FIELDS})
        if person.keys not in known:
            registrations.enter(tx, person, now=now)
            registrations.learn_company(tx, person, now=now)
            known.add(person.keys)
            new += 1
    return new, len(rows) - new


def _rows(
    data: bytes, columns: tuple[str, ...], refuse: Callable[[dict[str, str]], Iterator[tuple[str, str]]]
) -> list[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(_text(data), newline=""))
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise ImportRefused([Refusal(1, name, "the heading has no such column") for name in missing])
    rows: list[tuple[int, dict[str, str]]] = []
    refusals: list[Refusal] = []
    for raw in reader:
        row = {name: (raw.get(name) or "").strip() for name in columns}
        if not any(row.values()):
            continue
        refusals += [Refusal(reader.line_num, column, reason) for column, reason in refuse(row)]
        rows.append((reader.line_num, row))
    if refusals:
        raise ImportRefused(refusals)
    return rows


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            return data.decode("cp932")
        except UnicodeDecodeError as error:
            raise ImportRefused([Refusal(1, "", "the file is neither UTF-8 nor CP932 (Shift_JIS)")]) from error


def _company_refusals(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not row["name_ja"]:
        yield "name_ja", "is empty"
    for domain in row["domains"].split():
        if "@" in domain or "." not in domain:
            yield "domains", "is not a mail domain such as example.co.jp"


def _person_refusals(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name in ("company_ja", "name_ja", "email"):
        if not row[name]:
            yield name, "is empty"
    if row["email"] and mail_address(row["email"]).value != row["email"]:
        yield "email", "is not one plain mail address"
