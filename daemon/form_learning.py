"""`ogis-lra form --learn`: the proposal for a centre's own blank form as a file that a person corrects.

The file says beside each entry what was recognised and what was not, so that correcting is quick. It loads as it
stands: what was not found carries the labels of the form we print.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from config import request_types
from config.forms import Form
from config.request_types import Table
from parsers.learning import Proposal, propose

_HEAD = """\
# A form learnt from a blank by `ogis-lra form --learn`. It is a PROPOSAL: compare it with the printed form, correct it,
# then put it into the folder that the settings name ([forms] folder) and try it with `ogis-lra read --forms DIR`.
# Labels are compared without spaces, width and brackets. The first of each list is printed; add synonyms freely.
"""
_NOT_FOUND = "  # CHECK: not found on the blank, these are the labels of the form we print"
_NOT_REACHED = "  # CHECK: this label was found, but no empty cell beside or below it"


def learn_form(blank: bytes) -> str:
    """The form definition (TOML) proposed for a blank form. ParseError where the PDF holds no ruled form with text."""
    return write_form(propose(blank))


def write_form(proposal: Proposal) -> str:
    """The proposal as TOML with comments for the person who corrects it."""
    return "\n".join(_lines(proposal, request_types.load())) + "\n"


def _lines(proposal: Proposal, table: Table) -> Iterator[str]:
    form = proposal.form
    yield _HEAD
    yield f"version = {_text(form.version)}  # a name for this version; the greater one wins where several fit"
    yield f"mark = {_text(form.mark)}" + (
        "  # decides the version where it can be read"
        if form.mark
        else "  # none was recognised; empty: none is printed"
    )
    yield f"title = {_text(form.title)}"
    yield f"titles = {_list(form.titles)}  # add other titles under which this form is sent"
    yield f"has_wished_date = {'true' if form.has_wished_date else 'false'}  # whether it asks for 失効希望日"
    yield f"request_type_labels = {_list(form.request_type_labels)}{_remark(proposal, 'request_type')}"
    yield f"seal_labels = {_list(form.seal_labels)}{_remark(proposal, 'seal')}"
    yield f"ticked = {_list(form.ticked)}"
    yield f"unticked = {_list(form.unticked)}"
    yield "# Rows that this form does not have. A field that some request type requires cannot be missing."
    yield f"absent = {_list(sorted(form.absent))}"
    yield from _unplaced(proposal)
    yield from _section("blocks", "Headings of the blocks.", form.block_labels, proposal)
    yield from _fields(form, proposal, table)
    yield from _section(
        "singles",
        "Fields that stand alone; a field of a block whose label names the block has its whole name.",
        form.single_labels,
        proposal,
    )
    yield from _section("confirmations", "Wording of the boxes to tick.", form.confirmation_labels, proposal)


def _unplaced(proposal: Proposal) -> Iterator[str]:
    yield ""
    yield "# Printed texts that belong to no row; a cell with one of these never holds a value. Where one of them"
    yield "# is the label of a field after all, move it to its list below."
    yield "others = ["
    yield from (f"    {_text(text)}," for text in proposal.form.others)
    yield "]"
    listed = set(proposal.form.others)
    for text in dict.fromkeys(proposal.unplaced):
        if text not in listed:
            yield f"# also printed: {text}"


def _fields(form: Form, proposal: Proposal, table: Table) -> Iterator[str]:
    yield ""
    yield "# Labels inside a block, by the last part of the field name."
    yield "[labels]"
    for last, labels in form.field_labels.items():
        rows = [row.key for block in table.blocks for row in block.rows if row.key.partition(".")[2] == last]
        lost = [key for key in rows if form.has(key) and key not in form.single_labels and key not in proposal.located]
        note = f"  # CHECK: no cell found for {', '.join(lost)}" if lost else ""
        yield f"{last} = {_list(labels)}{note}"


def _section(name: str, about: str, section: Mapping[str, Sequence[str]], proposal: Proposal) -> Iterator[str]:
    yield ""
    yield f"# {about}"
    yield f"[{name}]"
    for key, labels in section.items():
        yield f"{_key(key)} = {_list(labels)}{_remark(proposal, key)}"


def _remark(proposal: Proposal, key: str) -> str:
    if key in proposal.assumed:
        return _NOT_FOUND
    return "" if key in proposal.located else _NOT_REACHED


def _key(key: str) -> str:
    return _text(key) if "." in key else key


def _text(text: str) -> str:
    # The escapes of JSON are escapes of TOML's basic strings too (TOML 1.0, String).
    return json.dumps(text, ensure_ascii=False)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"
