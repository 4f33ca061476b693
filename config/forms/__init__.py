"""The forms the service knows: one TOML file for each version, loaded and checked whole against the request-type table.

A form file says how the rows of the table are printed on that version: which label, which heading, which mark for a
ticked box. The writer prints the first label of each list, the reader accepts them all. No file holds coordinates: a
form may be exported with another font, margin or column width and is still the same form.
"""

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from config import request_types
from config.request_types import Table

# The wished date came with the revision (guide lines 56-63): the one row of the table that a form may lack.
WISHED_DATE = "wished_revocation_date"

Labels = tuple[str, ...]

_TEXTS = ("version", "mark", "title", "send_by_mail", "send_by_post", "contact")
_LISTS = ("titles", "request_type_labels", "seal_labels", "ticked", "unticked", "instructions", "notes")
_SECTIONS = ("blocks", "labels", "singles", "confirmations")


@dataclass(frozen=True, slots=True)
class Form:
    """One version of the application form. Each `…labels` list begins with the label printed on the form.

    `field_labels` is keyed by the last part of the field name (`name_ja`), because the blocks share their labels;
    the other maps by the key of the block, the single field or the confirmation.
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
    instructions: Labels
    notes: Labels
    send_by_mail: str
    send_by_post: str
    contact: str

    def labels_of(self, key: str) -> Labels:
        """The labels of a field (`user.name_ja`, `remarks`), a confirmation or the seal.

        KeyError where this version has no such row, as with the wished date on the form before its revision.
        """
        if key == "seal":
            return self.seal_labels
        _, dot, last = key.partition(".")
        if dot:
            return self.field_labels[last]
        return self.single_labels[key] if key in self.single_labels else self.confirmation_labels[key]

    def label(self, key: str) -> str:
        """The label printed for that row; KeyError as in `labels_of`."""
        return self.labels_of(key)[0]

    def has(self, key: str) -> bool:
        """Whether this version carries the row: all do, but for the wished date on the form before its revision."""
        return self.has_wished_date or key != WISHED_DATE

    def field_keys(self, table: Table) -> Iterator[str]:
        """Every field of this version in the order of the table, as SPEC 5 names them."""
        return (row.key for row in table.fields() if self.has(row.key))


@cache
def load_forms() -> tuple[Form, ...]:
    """Every form version, newest first. ValueError names the file and the key that is wrong."""
    table = request_types.load()
    found = [
        build(tomllib.loads(entry.read_text("utf-8")), file=entry.name, table=table)
        for entry in resources.files(__name__).iterdir()
        if entry.name.endswith(".toml")
    ]
    versions = [known.version for known in found]
    if len(set(versions)) != len(versions):
        raise ValueError(f"config/forms: two files give the same version among {', '.join(sorted(versions))}")
    return tuple(sorted(found, key=lambda known: known.version, reverse=True))


def form(version: str) -> Form:
    """The form of that version; KeyError where the service does not know it."""
    return {known.version: known for known in load_forms()}[version]


def newest() -> Form:
    """The form that is sent out today."""
    return load_forms()[0]


def build(raw: Mapping[str, Any], *, file: str, table: Table) -> Form:
    """Make one form from parsed TOML. ValueError names `file` and the key that is missing, unknown or ill-typed."""
    _expect_keys(raw, {*_TEXTS, *_LISTS, *_SECTIONS, "has_wished_date"}, file=file, where="")
    has_wished_date = raw["has_wished_date"]
    if not isinstance(has_wished_date, bool):
        raise ValueError(f"{file}: has_wished_date must be true or false")  # noqa: TRY004 - a wrong file, not wrong code
    sections = {name: _section(_table(raw[name], file=file, name=name), file=file, name=name) for name in _SECTIONS}
    expected = _expected_keys(table, has_wished_date=has_wished_date)
    for name, keys in expected.items():
        _expect_keys(sections[name], keys, file=file, where=f"[{name}] ")
    texts = {key: _text(raw[key], file=file, key=key) for key in _TEXTS}
    lists = {key: _labels(raw[key], file=file, key=key) for key in _LISTS}
    made = Form(
        version=texts["version"],
        mark=texts["mark"],
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
        instructions=lists["instructions"],
        notes=lists["notes"],
        send_by_mail=texts["send_by_mail"],
        send_by_post=texts["send_by_post"],
        contact=texts["contact"],
    )
    if made.title not in made.titles:
        raise ValueError(f"{file}: titles does not hold the title itself")
    if set(made.ticked) & set(made.unticked):
        raise ValueError(f"{file}: a mark stands both in ticked and in unticked")
    return made


def _expected_keys(table: Table, *, has_wished_date: bool) -> dict[str, set[str]]:
    """What each section must name: exactly the rows of the table, so that neither file can drift from the other."""
    singles = {row.key for row in table.singles}
    return {
        "blocks": {block.key for block in table.blocks},
        "labels": {row.key.partition(".")[2] for block in table.blocks for row in block.rows},
        "singles": singles if has_wished_date else singles - {WISHED_DATE},
        "confirmations": {row.key for row in table.confirmations},
    }


def _expect_keys(raw: Mapping[str, Any], keys: set[str], *, file: str, where: str) -> None:
    missing, unknown = keys - set(raw), set(raw) - keys
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
    owners: dict[str, str] = {}
    for key, labels in section.items():
        for label in labels:
            # A reader folds width, so two labels that fold to the same text would make a cell ambiguous.
            folded = unicodedata.normalize("NFKC", label)
            if owners.setdefault(folded, key) != key:
                raise ValueError(f"{file}: [{name}] {key} and {owners[folded]} share the label {label}")
    return MappingProxyType(section)


def _labels(value: object, *, file: str, key: str) -> Labels:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{file}: {key} must be a list of texts that is not empty")
    return tuple(value)


def _text(value: object, *, file: str, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{file}: {key} must be a text that is not empty")
    return value
