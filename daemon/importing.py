"""Companies and registrations from CSV, as they come out of Excel: all rows or none, each refusal with its line.

Files may be UTF-8 (with or without BOM) or CP932. The first line names the columns, in any order.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ca.names import Subject, problems
from parsers.normalise import company_key, mail_address, person_key

from . import registrations
from .matching import PERSON_FIELDS, Person

COMPANY_COLUMNS = ("name_ja", "name_en", "domains")

_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", re.IGNORECASE)
# Control characters, line ends, and what only one machine knows how to draw (Unicode general categories).
_NOT_IN_A_NAME = ("Cc", "Zl", "Zp", "Co", "Cn")
# csv puts the cells of a row that is longer than its heading under this name.
_SURPLUS = "surplus cells"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that cannot be taken: its number in the file (the heading is 1), the column and why, in English.

    The reason never repeats the value: it may be somebody's name.
    """

    line: int
    column: str
    reason: str


class ImportRefused(Exception):
    """Nothing was imported; `refusals` names every line that must be mended first."""

    def __init__(self, refusals: list[Refusal]) -> None:
        lines = len({refusal.line for refusal in refusals})
        super().__init__(f"{lines} line(s) cannot be imported; nothing was changed")
        self.refusals = refusals


def companies(tx: Connection, data: bytes, *, now: datetime) -> tuple[int, int]:
    """Import companies (`name_ja`, `name_en`, `domains` separated by spaces); returns how many are new and known.

    Raises ImportRefused before anything is written.
    """
    rows = rows_of(data, COMPANY_COLUMNS, _company_refusals)
    new = 0
    for row in rows:
        _, is_new = registrations.add_company(
            tx, name_ja=row["name_ja"], name_en=row["name_en"], domains=row["domains"].split(), now=now
        )
        new += is_new
    return new, len(rows) - new


def people(tx: Connection, data: bytes, *, now: datetime) -> tuple[int, int]:
    """Import registrations (the five fields of a user block); returns how many are new and how many were there.

    Raises ImportRefused before anything is written.
    """
    rows = rows_of(data, PERSON_FIELDS, _person_refusals)
    known = {registration.person.keys for registration in registrations.live(tx)}
    new = 0
    for row in rows:
        person = Person(**{name: row[name] for name in PERSON_FIELDS})
        if person.keys not in known:
            registrations.enter(tx, person, now=now)
            registrations.learn_company(tx, person, now=now)
            known.add(person.keys)
            new += 1
    return new, len(rows) - new


def rows_of(
    data: bytes, columns: tuple[str, ...], refuse: Callable[[dict[str, str]], Iterator[tuple[str, str]]]
) -> list[dict[str, str]]:
    """The lines of a CSV file with exactly these columns; `refuse` says what is wrong in one. Raises ImportRefused."""
    reader = csv.DictReader(io.StringIO(_text(data), newline=""), restkey=_SURPLUS, strict=True)
    rows: list[dict[str, str]] = []
    refusals: list[Refusal] = []
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        refusals += _heading_refusals(names, columns)
        if refusals:
            raise ImportRefused(refusals)
        for raw in reader:
            row = {name: (raw.get(name) or "").strip() for name in columns}
            if not any(row.values()) and _SURPLUS not in raw:
                continue
            refusals += [Refusal(reader.line_num, column, reason) for column, reason in _cell_refusals(raw, columns)]
            refusals += [Refusal(reader.line_num, column, reason) for column, reason in refuse(row)]
            rows.append(row)
    except csv.Error as error:
        # A quote that is never closed, a NUL: what follows cannot be told apart any more.
        raise ImportRefused([*refusals, Refusal(reader.reader.line_num, "", "is not CSV: check the quotes")]) from error
    if refusals:
        raise ImportRefused(refusals)
    return rows


def _heading_refusals(names: list[str], columns: tuple[str, ...]) -> Iterator[Refusal]:
    for name in columns:
        if names.count(name) != 1:
            yield Refusal(1, name, "the heading names it twice" if name in names else "the heading has no such column")


def _cell_refusals(raw: dict[str, str], columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if _SURPLUS in raw:
        # A comma in an unquoted value moves every value after it into the wrong column.
        yield columns[-1], "the line has more cells than the heading; put a value with a comma in quotes"
    for name in columns:
        if any(unicodedata.category(char) in _NOT_IN_A_NAME for char in raw.get(name) or ""):
            yield name, "holds a line break, a control character or a 外字"


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            return data.decode("cp932")
        except UnicodeDecodeError as error:
            raise ImportRefused([Refusal(1, "", "the file is neither UTF-8 nor CP932 (Shift_JIS)")]) from error


def _company_refusals(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not company_key(row["name_ja"]):
        yield "name_ja", "is empty or names no company"
    if not all(_DOMAIN.fullmatch(domain) for domain in row["domains"].split()):
        yield "domains", "is not a mail domain such as example.co.jp, or several separated by spaces"


def _person_refusals(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not company_key(row["company_ja"]):
        yield "company_ja", "is empty or names no company"
    if not person_key(row["name_ja"]):
        yield "name_ja", "is empty"
    if not row["email"]:
        yield "email", "is empty"
    elif mail_address(row["email"]).value != row["email"]:
        yield "email", "is not one plain mail address"
    # What the certificate will say of them is refused now, not when the first renewal fails.
    wrong = problems(Subject(row["company_en"], row["name_en"], "W000000", row["email"]))
    for start, column in (("organization_", "company_en"), ("common_name_", "name_en")):
        found = [code.removeprefix(start) for code in wrong if code.startswith(start)]
        if found:
            yield column, f"cannot stand in a certificate: {', '.join(found)}"
