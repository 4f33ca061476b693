"""How the parts of the application form look, whichever file it is written to: fonts, positions, colours.

Pure. `daemon.form` (Excel) and `daemon.form_pdf` (PDF) both dress the places of `daemon.form_layout` with it, so that a
customer who knows the one recognises the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from config.request_types import Need
from daemon.form_layout import Role

YELLOW, WHITE, GREY = "FFFF99", "FFFFFF", "BFBFBF"
_HEADING_FILL, _LABEL_FILL = "D6E0EC", "EDF2F8"


@dataclass(frozen=True, slots=True)
class Look:
    """Font size, weight and position of the text of one role; `fill` is its ground, empty for white."""

    size: float
    bold: bool = False
    horizontal: str = "left"
    vertical: str = "center"
    wrap: bool = False
    shrink: bool = False
    indent: int = 0
    fill: str = ""


LOOKS: Mapping[Role, Look] = {
    Role.MARK: Look(9, horizontal="right"),
    Role.TITLE: Look(16, bold=True, horizontal="center"),
    Role.ADDRESSEE: Look(9.5, shrink=True),
    Role.HEADING: Look(9.5, bold=True, horizontal="center", wrap=True, fill=_HEADING_FILL),
    Role.LABEL: Look(9, horizontal="center", shrink=True, fill=_LABEL_FILL),
    Role.TYPE: Look(12, bold=True, horizontal="center", shrink=True, fill=YELLOW),
    Role.FIELD: Look(10, shrink=True, indent=1),
    Role.DATE: Look(10, horizontal="center", shrink=True),
    Role.REMARKS: Look(9.5, wrap=True, indent=1),
    Role.CHECK: Look(11, horizontal="center"),
    Role.STATEMENT: Look(9, shrink=True, indent=1),
    Role.SEAL: Look(9),
    Role.LEGEND_REQUIRED: Look(8.5, horizontal="center", shrink=True, fill=YELLOW),
    Role.LEGEND_OPTIONAL: Look(8.5, horizontal="center", shrink=True, fill=WHITE),
    Role.LEGEND_GREYED: Look(8.5, horizontal="center", shrink=True, fill=GREY),
    Role.HINT: Look(8, wrap=True, indent=1),
    Role.CAPTION: Look(8.5, bold=True, vertical="bottom"),
    Role.TEXT: Look(8, shrink=True),
}


def ground_of(need: Need) -> str:
    """The colour of a row whose type is known: yellow must be filled in, grey is not asked for, white is free."""
    if need is Need.REQUIRED:
        return YELLOW
    return GREY if need.greyed else WHITE
