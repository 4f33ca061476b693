"""The forms the service knows: one TOML file for each version, loaded and checked whole against the request-type table.

A form file says how the rows of the table are printed on that version: which label, which heading, which mark for a
ticked box. The writer prints the first label of each list, the reader accepts them all. No file holds coordinates: a
form may be exported with another font, margin or column width and is still the same form.

A `Library` is what a reading knows: the shipped forms and those that a centre has learnt (`ogis-lra form --learn`). It
is a value that is passed on, so that nothing depends on what was loaded before.
"""

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from config import request_types
from config.request_types import Need, Table

# The wished date came with the revision (guide lines 56-63); its absence tells the version of a form without a mark.
WISHED_DATE = "wished_revocation_date"

Labels = tuple[str, ...]

_TEXTS = ("version", "mark", "title")
_LISTS = ("titles", "request_type_labels", "seal_labels", "ticked", "unticked")
_SECTIONS = ("blocks", "labels", "singles", "confirmations")
# What only a form needs that we print ourselves, or only one that we do not; all may be left out.
_OPTIONAL_TEXTS = ("send_by_mail", "send_by_post", "contact")
_OPTIONAL_LISTS = ("instructions", "notes", "absent", "others")


@dataclass(frozen=True, slots=True)
class Form:
    """One version of the application form. Each `…labels` list begins with the label printed on the form.

    `field_labels` is keyed by the last part of the field name (`name_ja`), because the blocks share their labels;
    the other maps by the key of the block, the single field or the confirmation. A field of a block whose label names
    the block itself (利用者氏名) stands among the singles under its whole name. `absent` are the rows that this form
    does not have, `others` are texts printed in cells that belong to no row (フリガナ), so that none is a value.
    An empty `mark` means that none is printed.
    """

    version: str
    mark: str
    title: str
    titles: Labels
    has_wished_date: bool
    request_type_labels: Labels
    seal_labels: Labels
    ticked: Labels
    unticked: Labels
    block_labels: Mapping[str, Labels]
    field_labels: Mapping[str, Labels]
    single_labels: Mapping[str, Labels]
    confirmation_labels: Mapping[str, Labels]
    instructions: Labels = ()
    notes: Labels = ()
    send_by_mail: str = ""
    send_by_post: str = ""
    contact: str = ""
    absent: frozenset[str] = field(default=frozenset())
    others: Labels = ()

    def labels_of(self, key: str) -> Labels:
        """The labels of a field (`user.name_ja`, `remarks`), a confirmation or the seal.

        KeyError where this version has no such row, as with the wished date on the form before its revision.
        """
        if not self.has(key):
            raise KeyError(key)
        if key == "seal":
            return self.seal_labels
        if key in self.single_labels:
            return self.single_labels[key]
        _, dot, last = key.partition(".")
        return self.field_labels[last] if dot else self.confirmation_labels[key]

    def label(self, key: str) -> str:
        """The label printed for that row; KeyError as in `labels_of`."""
        return self.labels_of(key)[0]

    def name(self, key: str) -> str:
        """The name a person who filled this form knows the row by: its label, below a heading with the heading.

        KeyError as in `labels_of`.
        """
        label, (block, dot, _) = self.label(key), key.partition(".")
        return f"{self.block_labels[block][0]} {label}" if dot and key not in self.single_labels else label

    def has(self, key: str) -> bool:
        """Whether this version carries the row: a field, a confirmation or the seal."""
        return key not in self.absent and (self.has_wished_date or key != WISHED_DATE)

    def field_keys(self, table: Table) -> Iterator[str]:
        """Every field of this version in the order of the table, as SPEC 5 names them."""
        return (row.key for row in table.fields() if self.has(row.key))


@dataclass(frozen=True, slots=True)
class Library:
    """The forms that a reading knows, newest first; a centre's own come before the shipped ones of the same name."""

    forms: tuple[Form, ...]

    def form(self, version: str) -> Form:
        """The form of that version; KeyError where it is not known here."""
        return {known.version: known for known in self.forms}[version]

    def with_texts(self, texts: Mapping[str, str]) -> "Library":
        """This library with the forms of further TOML texts, by file name. ValueError names the file that is wrong."""
        table, known = request_types.load(), {form.version: form for form in self.forms}
        for file, text in texts.items():
            form = _parse(text, file, table)
            if form.version in known:
                raise ValueError(f"{file}: version: two files give the same version {form.version}")
            known[form.version] = form
        return Library(_ordered(tuple(known.values())))


@cache
def load_forms() -> tuple[Form, ...]:
    """Every shipped form version, newest first. ValueError names the file and the key that is wrong."""
    table = request_types.load()
    return _ordered(
        tuple(
            _parse(entry.read_text("utf-8"), entry.name, table)
            for entry in resources.files(__name__).iterdir()
            if entry.name.endswith(".toml")
        )
    )


def shipped() -> Library:
    """The forms that come with the program."""
    return Library(load_forms())


def read_folder(folder: Path) -> dict[str, str]:
    """The form files of a centre's folder by name, as `Library.with_texts` takes them: a confined child gets texts, it
    has no folder. OSError where one cannot be read, ValueError where it is no text."""
    return {path.name: _read_text(path) for path in sorted(folder.iterdir()) if path.suffix == ".toml"}


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path.name}: not UTF-8 text") from None


def form(version: str) -> Form:
    """The shipped form of that version; KeyError where there is none."""
    return shipped().form(version)


def newest() -> Form:
    """The form that is sent out today."""
    return load_forms()[0]


def _parse(text: str, file: str, table: Table) -> Form:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file}: not valid TOML: {error}") from error
    return build(raw, file=file, table=table)


def _ordered(found: tuple[Form, ...]) -> tuple[Form, ...]:
    versions = [known.version for known in found]
    if len(set(versions)) != len(versions):
        raise ValueError(f"config/forms: two files give the same version among {', '.join(sorted(versions))}")
    return tuple(sorted(found, key=lambda known: known.version, reverse=True))


def build(raw: Mapping[str, Any], *, file: str, table: Table) -> Form:
    """Make one form from parsed TOML. ValueError names `file` and the key that is missing, unknown or ill-typed."""
    optional = {*_OPTIONAL_TEXTS, *_OPTIONAL_LISTS}
    _expect_keys(raw, {*_TEXTS, *_LISTS, *_SECTIONS, "has_wished_date"}, file=file, where="", optional=optional)
    has_wished_date = raw["has_wished_date"]
    if not isinstance(has_wished_date, bool):
        raise ValueError(f"{file}: has_wished_date must be true or false")  # noqa: TRY004 - a wrong file, not wrong code
    absent = _absent(raw.get("absent", []), has_wished_date=has_wished_date, file=file, table=table)
    sections = {name: _section(_table(raw[name], file=file, name=name), file=file, name=name) for name in _SECTIONS}
    _expect_rows(sections, absent | (set() if has_wished_date else {WISHED_DATE}), file=file, table=table)
    _expect_distinct(sections["labels"], file=file, table=table)
    texts = {key: _text(raw[key], file=file, key=key) for key in _TEXTS if key != "mark" or raw[key] != ""}
    lists = {key: _labels(raw[key], file=file, key=key) for key in _LISTS}
    own = {key: _labels(raw[key], file=file, key=key) for key in _OPTIONAL_LISTS if raw.get(key)}
    where_to = {key: _text(raw[key], file=file, key=key) for key in _OPTIONAL_TEXTS if raw.get(key)}
    made = Form(
        version=texts["version"],
        mark=texts.get("mark", ""),
        title=texts["title"],
        titles=lists["titles"],
        has_wished_date=has_wished_date,
        request_type_labels=lists["request_type_labels"],
        seal_labels=lists["seal_labels"],
        ticked=lists["ticked"],
        unticked=lists["unticked"],
        block_labels=sections["blocks"],
        field_labels=sections["labels"],
        single_labels=sections["singles"],
        confirmation_labels=sections["confirmations"],
        instructions=own.get("instructions", ()),
        notes=own.get("notes", ()),
        send_by_mail=where_to.get("send_by_mail", ""),
        send_by_post=where_to.get("send_by_post", ""),
        contact=where_to.get("contact", ""),
        absent=absent,
        others=own.get("others", ()),
    )
    if made.title not in made.titles:
        raise ValueError(f"{file}: titles does not hold the title itself")
    if set(made.ticked) & set(made.unticked):
        raise ValueError(f"{file}: a mark stands both in ticked and in unticked")
    return made


def _absent(raw: object, *, has_wished_date: bool, file: str, table: Table) -> frozenset[str]:
    """The rows that the form lacks. A field that some type requires is never one: without it no certificate could be
    made, and a rule that asks only for what the form has would let the application pass."""
    keys = _labels(raw, file=file, key="absent") if raw else ()
    fields = {row.key: row for row in table.fields()}
    for key in keys:
        if key not in fields and key not in {row.key for row in table.confirmations}:
            raise ValueError(f"{file}: absent: {key} is unknown")
        if key in fields and Need.REQUIRED in fields[key].needs.values():
            raise ValueError(f"{file}: absent: {key} is required by a request type, the form must have it")
        if key == WISHED_DATE and has_wished_date:
            raise ValueError(f"{file}: absent: {key} contradicts has_wished_date")
    return frozenset(keys)


def _expect_rows(
    sections: Mapping[str, Mapping[str, Labels]], absent: frozenset[str], *, file: str, table: Table
) -> None:
    """Each section names exactly the rows that the form has, so that neither file can drift from the other.

    A field of a block may stand among the singles instead; then it needs neither heading nor label of the block.
    """
    alone = set(sections["singles"])
    rows = [(block.key, row.key) for block in table.blocks for row in block.rows if row.key not in absent]
    under_heading = [(block, key) for block, key in rows if key not in alone]
    confirmations = {row.key for row in table.confirmations} - absent
    expected = {
        "blocks": ({block for block, _ in under_heading}, {block for block, _ in rows}),
        "labels": ({_last(key) for _, key in under_heading}, {_last(key) for _, key in rows}),
        "singles": ({row.key for row in table.singles} - absent, {key for _, key in rows}),
        "confirmations": (confirmations, confirmations),
    }
    for name, (keys, optional) in expected.items():
        _expect_keys(sections[name], keys, file=file, where=f"[{name}] ", optional=optional)


def _last(key: str) -> str:
    return key.partition(".")[2]


def _expect_distinct(labels: Mapping[str, Labels], *, file: str, table: Table) -> None:
    """No two fields of one block share a label; 氏名 may be the applicant's name and the Japanese name of a user."""
    for block in table.blocks:
        _expect_owners({key: labels[key] for row in block.rows if (key := _last(row.key)) in labels}, file, "labels")


def _expect_keys(
    raw: Mapping[str, Any], keys: set[str], *, file: str, where: str, optional: set[str] | frozenset[str] = frozenset()
) -> None:
    missing, unknown = keys - set(raw), set(raw) - keys - optional
    if missing:
        raise ValueError(f"{file}: {where}{', '.join(sorted(missing))} is missing")
    if unknown:
        raise ValueError(f"{file}: {where}{', '.join(sorted(unknown))} is unknown")


def _table(value: object, *, file: str, name: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"{file}: [{name}] must be a table")


def _section(value: Mapping[str, Any], *, file: str, name: str) -> Mapping[str, Labels]:
    section = {key: _labels(labels, file=file, key=f"[{name}] {key}") for key, labels in value.items()}
    if name != "labels":
        _expect_owners(section, file, name)
    return MappingProxyType(section)


def _expect_owners(section: Mapping[str, Labels], file: str, name: str) -> None:
    owners: dict[str, str] = {}
    for key, labels in section.items():
        for label in labels:
            # A reader folds width, so two labels that fold to the same text would make a cell ambiguous.
            folded = unicodedata.normalize("NFKC", label)
            if owners.setdefault(folded, key) != key:
                raise ValueError(f"{file}: [{name}] {key} and {owners[folded]} share the label {label}")


def _labels(value: object, *, file: str, key: str) -> Labels:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{file}: {key} must be a list of texts that is not empty")
    return tuple(value)


def _text(value: object, *, file: str, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{file}: {key} must be a text that is not empty")
    return value
