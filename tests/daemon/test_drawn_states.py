"""The picture in docs/flow.md is the table in daemon/case.py."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_diagram_is_drawn_from_the_table():
    tool = runpy.run_path(str(ROOT / "tools" / "draw_states.py"))
    page = (ROOT / "docs" / "flow.md").read_text("utf-8")
    assert tool["drawn"](page) == page, "run tools/draw_states.py"
