"""A centre's own blank form → a proposal of what its printed texts mean, for a person to correct.

Pure. First the labels that the shipped forms know, then the words of `parsers.printed_words`. Nothing is taken from
where a text stands but its neighbourhood: under which heading, in the head of the page. Trusts the operator, whose own
form it is, but raises ParseError for a file that is no PDF with text and ruling lines.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from config import forms, request_types
from config.forms import WISHED_DATE, Form
from config.request_types import Need, Table
from parsers import characters, printed_words
from parsers.cells import Cell, Run
from parsers.document import Document, Page, open_document
from parsers.errors import ParseError, ParseKind
from parsers.labels import Grid, find_parts, heading_of, left_of
from parsers.type_words import types_in
from parsers.vocabulary import fold_label, fold_statement, vocabulary

# Fewer texts in cells than this make no form: a picture of one, or a letter.
_LEAST_TEXTS = 8
# A printed text longer than this is a hint or a rule of the form; nobody could take it for a value.
_LONGEST_LABEL = 24
_HEAD = 0.35
_TITLE = re.compile("(申請書|申込書|届出書|変更届|依頼書|届)([(（].*[)）])?$")
_MARK = re.compile(r"様式|書式|帳票|第\s*[0-9一二三四五六七八九十]+\s*版|[0-9]\s*月?版|[vV]er|[rR]ev|改[訂定版]")
_LONGEST_MARK = 40
_YEAR_MONTH = re.compile(r"(20[0-9]{2})\s*[-./年]\s*(1[0-2]|0?[1-9])(?![0-9])")
# The number of a row is no label.
_LETTER = re.compile(r"[^\W\d_]")
_LEADING_MARK = re.compile(r"^\s*[^\w※「（(〒]\s*")


@dataclass(frozen=True, slots=True)
class Proposal:
    """The form as far as it was understood, and what a person must look at.

    `assumed` are the parts that were not found on the blank and got the labels of the form we print; `unplaced` are
    printed texts that were found to be nothing; `located` are the parts whose cells the reading will find.
    """

    form: Form
    assumed: tuple[str, ...]
    unplaced: tuple[str, ...]
    located: frozenset[str]


@dataclass(slots=True)
class _Draft:
    """What was recognised so far; each list in the order of the page, the printed label first."""

    types: list[str] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)
    blocks: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    singles: dict[str, list[str]] = field(default_factory=dict)
    confirmations: dict[str, list[str]] = field(default_factory=dict)
    rows: set[str] = field(default_factory=set)
    unplaced: list[str] = field(default_factory=list)

    def add(self, section: dict[str, list[str]], key: str, text: str) -> None:
        """Add a label to its list; one that is there already is the same label printed twice."""
        texts = section.setdefault(key, [])
        if fold_label(text) not in map(fold_label, texts):
            texts.append(text)


def propose(blank: bytes) -> Proposal:
    """The proposal for a blank form. ParseError where the file holds no form that can be read."""
    document = open_document(blank)
    table = request_types.load()
    page = max(document.pages, key=lambda each: sum(1 for cell in each.cells if cell.text))
    cells = [cell for cell in page.cells if cell.text]
    if len(cells) < _LEAST_TEXTS:
        raise ParseError(ParseKind.DAMAGED, "no page has printed labels in ruled cells, so there is nothing to learn")
    draft = _Draft()
    rest = _sort_out(cells, draft, table)
    _place_labels(rest, page.cells, draft, table)
    title, mark = _title(page), _mark(page)
    form, assumed = _complete(draft, title, mark, _version(mark, document), table)
    grid = find_parts(page.cells, vocabulary(form), table)
    return Proposal(form, assumed, tuple(draft.unplaced), grid.parts | _named_blocks(grid, table))


def _named_blocks(grid: Grid, table: Table) -> frozenset[str]:
    return frozenset(block.key for block in table.blocks if any(row.key in grid.values for row in block.rows))


def _clean(text: str) -> str:
    """A printed text as it may stand in a file: on one line, without control characters."""
    return characters.one_line(characters.drop_invisible(text))


def _sort_out(cells: Sequence[Cell], draft: _Draft, table: Table) -> list[tuple[Cell, str]]:
    """Recognise what needs no heading; the rest are labels of fields, or nothing."""
    rest = []
    for cell in cells:
        text = _clean(cell.text)
        folded = fold_label(text)
        statement = printed_words.statement_of(fold_statement(text)) or _known_statement(text)
        if not _LETTER.search(text) or printed_words.is_placeholder(text) or _offers_types(text, table):
            continue
        if statement:
            draft.confirmations.setdefault(statement, []).append(_LEADING_MARK.sub("", text))
        elif printed_words.is_type_label(folded):
            draft.types.append(text)
        elif single := printed_words.single_of(folded):
            draft.add(draft.singles, single, text)
        elif _is_heading(folded):
            draft.add(draft.blocks, printed_words.block_in(folded) or "", text)
        elif printed_words.is_seal_label(folded):
            draft.seals.append(text)
        else:
            rest.append((cell, text))
    return rest


def _offers_types(text: str, table: Table) -> bool:
    """Whether a text is one request type or a choice of them; 失効希望日 only has the word of one in it."""
    return table.type_of_word(_LEADING_MARK.sub("", text)) is not None or len(types_in(text, table)) > 1


def _known_statement(text: str) -> str | None:
    return next((key for known in forms.load_forms() if (key := vocabulary(known).statement(text))), None)


def _is_heading(folded: str) -> bool:
    """A heading names a block and no entry, or lists several: 利用者に関する情報［社名、氏名、メールアドレス］."""
    return printed_words.block_in(folded) is not None and len(printed_words.concepts_in(folded)) != 1


def _place_labels(rest: Sequence[tuple[Cell, str]], cells: Sequence[Cell], draft: _Draft, table: Table) -> None:
    owners = {fold_label(text): key for key, texts in draft.blocks.items() for text in texts}
    headings = [(owners[label], cell) for cell in cells if (label := fold_label(cell.text)) in owners]
    rest = _with_halves(rest, cells)
    printed = Counter(fold_label(text) for _, text in rest)
    for cell, text in rest:
        folded = fold_label(text)
        above = heading_of(cell, headings)
        named = printed_words.block_in(folded)
        # A label that is printed once may name its block itself; printed again under each heading it cannot.
        alone = named is not None and named != above and printed[folded] == 1
        block = named if alone else above or named
        key = printed_words.field_in(block, folded, _rows_of(block, table)) if block else None
        if key is None or key in draft.rows:
            draft.unplaced.append(text)
            continue
        draft.rows.add(key)
        if alone or above is None:
            draft.add(draft.singles, key, text)
        else:
            draft.add(draft.labels, key.partition(".")[2], text)


def _with_halves(rest: Sequence[tuple[Cell, str]], cells: Sequence[Cell]) -> list[tuple[Cell, str]]:
    """The texts with labels that two cells make together written as one: 社名（日本語）."""
    heads: dict[int, Cell] = {}
    for cell, text in rest:
        head = left_of(cell, cells) if printed_words.is_language(fold_label(text)) else None
        if head is not None and head.text:
            heads[id(cell)] = head
    used = {id(head) for head in heads.values()}
    return [
        (cell, f"{_clean(heads[id(cell)].text)}（{text}）" if id(cell) in heads else text)
        for cell, text in rest
        if id(cell) not in used
    ]


def _rows_of(block: str, table: Table) -> Iterator[str]:
    return (row.key for row in table.block(block).rows)


def _lines(runs: Iterable[Run]) -> Iterator[tuple[str, float]]:
    return ((_clean(run.text), run.size) for run in runs if run.text.strip())


def _title(page: Page) -> str:
    """The largest text in the head of the page that names a form; else simply the largest."""
    head = [*_lines(run for run in page.runs() if run.middle <= _HEAD * page.height)]
    named = [(text, size) for text, size in head if _TITLE.search(text)]
    return max(named or head or [("申請書", 0.0)], key=lambda line: line[1])[0]


def _mark(page: Page) -> str:
    """The short text that names the version of the form; empty where none is printed."""
    texts = [text for text, _ in _lines(page.runs()) if len(text) <= _LONGEST_MARK and not _TITLE.search(text)]
    return next((text for text in texts if _MARK.search(text)), "")


def _version(mark: str, document: Document) -> str:
    """A name for this version: the year and month of its mark or, without one, a name of its own for this file."""
    dated = _YEAR_MONTH.search(characters.fold_width(mark))
    known = {form.version for form in forms.load_forms()}
    own = hashlib.sha256(document.data).hexdigest()[:8]
    if dated:
        version = f"{dated[1]}-{int(dated[2]):02}"
        return f"{version}-{own}" if version in known else version
    return f"learnt-{own}"


def _complete(draft: _Draft, title: str, mark: str, version: str, table: Table) -> tuple[Form, tuple[str, ...]]:
    """The form of the draft. A row that may be missing is absent; any other gets the labels that we print and is named
    in the second value."""
    ours = forms.newest()
    assumed: list[str] = []
    taken = {fold_label(text) for texts in (*draft.labels.values(), *draft.singles.values()) for text in texts}

    def fill(section: dict[str, list[str]], key: str, labels: Sequence[str], name: str) -> None:
        section[key] = [label for label in labels if fold_label(label) not in taken] or list(labels[:1])
        assumed.append(name)

    absent = set()
    for row in (*table.fields(), *table.confirmations):
        key, last = row.key, row.key.partition(".")[2]
        if key in draft.rows or key in draft.singles or key in draft.confirmations:
            continue
        if not _must_have(key, row.needs.values(), table):
            absent.add(key)
        elif last and last not in draft.labels:
            fill(draft.labels, last, ours.field_labels[last], key)
        elif last:
            assumed.append(key)
        else:
            fill(draft.singles, key, ours.single_labels[key], key)
    for block in table.blocks:
        if block.key not in draft.blocks and any(row.key not in {*draft.singles, *absent} for row in block.rows):
            fill(draft.blocks, block.key, ours.block_labels[block.key], block.key)
    assumed += [name for name, found in (("request_type", draft.types), ("seal", draft.seals)) if not found]
    others = [text for text in dict.fromkeys(draft.unplaced) if len(text) <= _LONGEST_LABEL]
    made = replace(
        ours,
        version=version,
        mark=mark,
        title=title,
        titles=(title,),
        has_wished_date=WISHED_DATE in draft.singles,
        request_type_labels=tuple(dict.fromkeys(draft.types)) or ours.request_type_labels,
        seal_labels=tuple(dict.fromkeys((*(draft.seals or ours.seal_labels), "印"))),
        block_labels=_fixed(draft.blocks),
        field_labels=_fixed(draft.labels),
        single_labels=_fixed(draft.singles),
        confirmation_labels=_fixed(draft.confirmations),
        instructions=(),
        notes=(),
        send_by_mail="",
        send_by_post="",
        contact="",
        absent=frozenset(absent - {WISHED_DATE}),
        others=tuple(text for text in others if fold_label(text) not in taken),
    )
    return made, tuple(assumed)


def _must_have(key: str, needs: Iterable[Need], table: Table) -> bool:
    return key in {row.key for row in table.fields()} and Need.REQUIRED in set(needs)


def _fixed(section: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(texts) for key, texts in section.items()}
