"""Draw the table of case states into docs/flow.md, between its two marks.

    .venv/bin/python -P tools/draw_states.py

`tests/daemon/test_drawn_states.py` fails while the picture is not the table.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from daemon.case import TRANSITIONS, State

PAGE = ROOT / "docs" / "flow.md"
BEGIN, END = "<!-- states: begin -->", "<!-- states: end -->"


def draw() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.RECEIVED}"]
    lines += [
        f"    {state} --> {target}: {event}" for state, moves in TRANSITIONS.items() for event, target in moves.items()
    ]
    lines += [f"    {state} --> [*]" for state, moves in TRANSITIONS.items() if not moves]
    return "\n".join([*lines, "```"])


def drawn(page: str) -> str:
    """The page with the picture of now."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{draw()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text("utf-8")), "utf-8")
