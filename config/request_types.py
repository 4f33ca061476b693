"""The table of request types (SPEC 1.2), loaded from `request_types.toml` and checked whole.

Everything that must know which field or box belongs to which type asks this table: the form generator, the rules,
the letters, the documentation. Nobody writes the table down a second time.
"""

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any


class RequestType(StrEnum):
    """The five kinds of application of the guide (lines 78-96)."""

    NEW_ISSUE = "new_issue"
    REISSUE = "reissue"
    REGISTRATION_CHANGE = "registration_change"
    HANDOVER = "handover"
    CANCELLATION = "cancellation"


class Need(StrEnum):
    """What a type asks of one row of the form; the words are explained at the head of the TOML file."""

    REQUIRED = "req"
    OPTIONAL = "opt"
    WARN = "warn"
    NONE = "none"
    FREE = "free"

    @property
    def greyed(self) -> bool:
        """Whether the form shows the row grey for this type."""
        return self in (Need.NONE, Need.FREE)


@dataclass(frozen=True, slots=True)
class TypeRule:
    """What one request type does, apart from the rows of its form."""

    type: RequestType
    word: str
    synonyms: tuple[str, ...]
    meaning: str
    looks_up: str
    must_match: bool
    gives: str
    issues: bool
    revokes: bool
    approvers: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the form: a field, a confirmation or the seal, with its printed label and its need for each type.

    `key` is the field name of SPEC 5 (`user.name_ja`), the key of a confirmation, or `seal`.
    """

    key: str
    label: str
    needs: Mapping[RequestType, Need]


@dataclass(frozen=True, slots=True)
class Block:
    """A group of fields printed under one heading: applicant, user, before, after."""

    key: str
    label: str
    needs: Mapping[RequestType, Need]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table. Iterate `fields()` and `confirmations` instead of naming rows in code."""

    types: Mapping[RequestType, TypeRule]
    confirmations: tuple[Row, ...]
    blocks: tuple[Block, ...]
    singles: tuple[Row, ...]
    seal: Row

    def fields(self) -> Iterator[Row]:
        """Every field in the order of the form: the blocks' fields, then the single ones."""
        for block in self.blocks:
            yield from block.rows
        yield from self.singles

    def block(self, key: str) -> Block:
        """The block of that key; KeyError where there is none."""
        return {block.key: block for block in self.blocks}[key]

    def row(self, key: str) -> Row:
        """The row of that key among fields, confirmations and the seal; KeyError where there is none."""
        return {row.key: row for row in (*self.fields(), *self.confirmations, self.seal)}[key]

    def label(self, key: str) -> str:
        """The name a person knows the field by: a block's field with its block, as in 利用者 氏名（英語）."""
        block, dot, _ = key.partition(".")
        row = self.row(key)
        return f"{self.block(block).label} {row.label}" if dot else row.label

    def type_of_word(self, word: str) -> RequestType | None:
        """The type that a word on the form means, or None for a word that is not in the table: staff are asked.

        Spaces, width and brackets do not matter (domain notes C.2).
        """
        return _words(self).get(_word_key(word))


def _word_key(word: str) -> str:
    folded = unicodedata.normalize("NFKC", word)
    return "".join(char for char in folded if not char.isspace() and char not in "()[]「」【】・･/／")


@cache
def _words_of(types: tuple[TypeRule, ...]) -> dict[str, RequestType]:
    words = {}
    for rule in types:
        for word in (rule.word, *rule.synonyms):
            words[_word_key(word)] = rule.type
    return words


def _words(table: Table) -> dict[str, RequestType]:
    return _words_of(tuple(table.types.values()))


@cache
def load() -> Table:
    """Read and check the table; ValueError names what is wrong in it."""
    text = resources.files("config").joinpath("request_types.toml").read_text("utf-8")
    return build(tomllib.loads(text))


def build(raw: Mapping[str, Any]) -> Table:
    """Make the table from parsed TOML. Raises ValueError when a type, a need or a label is missing or unknown."""
    try:
        labels = raw["labels"]
        types = {RequestType(key): _type_rule(key, value) for key, value in raw["types"].items()}
        if set(types) != set(RequestType):
            missing = ", ".join(sorted(set(RequestType) - set(types)))
            raise ValueError(f"request_types.toml: no [types] entry for {missing}")
        blocks = tuple(_block(value, labels) for value in raw["blocks"])
        return Table(
            types=types,
            confirmations=tuple(_row(value) for value in raw["confirmations"]),
            blocks=blocks,
            singles=tuple(_row(value) for value in raw["singles"]),
            seal=_row(raw["seal"]),
        )
    except KeyError as error:
        raise ValueError(f"request_types.toml: {error} is missing") from error


def _type_rule(key: str, value: Mapping[str, Any]) -> TypeRule:
    return TypeRule(
        type=RequestType(key),
        word=value["word"],
        synonyms=tuple(value["synonyms"]),
        meaning=value["meaning"],
        looks_up=value["looks_up"],
        must_match=value["must_match"],
        gives=value["gives"],
        issues=value["issues"],
        revokes=value["revokes"],
        approvers=value.get("approvers", 1),
    )


def _needs(value: Mapping[str, str]) -> dict[RequestType, Need]:
    return {request_type: Need(value[request_type.value]) for request_type in RequestType}


def _row(value: Mapping[str, Any]) -> Row:
    return Row(key=value["key"], label=value["label"], needs=_needs(value["needs"]))


def _block(value: Mapping[str, Any], labels: Mapping[str, str]) -> Block:
    needs = _needs(value["needs"])
    # A field that may stay empty is white where its block is wanted and grey with its block elsewhere.
    relaxed = {kind: Need.OPTIONAL if need is Need.REQUIRED else need for kind, need in needs.items()}
    rows = tuple(
        Row(
            key=f"{value['key']}.{field}",
            label=labels[field],
            needs=relaxed if field in value["optional"] else needs,
        )
        for field in value["fields"]
    )
    return Block(key=value["key"], label=value["label"], needs=needs, rows=rows)
