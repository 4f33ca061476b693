"""Make test scans with their truth: forms filled in, printed, stamped, worn and scanned; a seed gives the same
files.

    .venv/bin/python -m tools.make_scans tuning --out FOLDER --forms 60
    .venv/bin/python -m tools.make_scans final --out FOLDER --forms 150 --dpi 300 --colour colour
    .venv/bin/python -m tools.make_scans final --out FOLDER --forms 150 --classes 300c,200c,300g
    .venv/bin/python -m tools.make_scans other --out FOLDER --forms 48

Writes NNNN.pdf and NNNN.json: the shape of tests/data/samples; `scan`, what was done; `cells`, where each value
stands on the page as displayed, in points; `corners`, the same with its skew, the top left of the form first. With
--classes each form is drawn once and scanned once for each class, with wear of its own, into a folder for each.
Without --dpi and --colour the set is mixed. Needs LibreOffice and Japanese fonts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pypdfium2
from openpyxl import Workbook

from config import forms, request_types
from config.request_types import Table
from daemon.form import Style, draw_form
from parsers import normalise
from parsers.document import open_document
from parsers.labels import find_parts, vocabulary
from parsers.normalise import Kind
from tools.scan_paper import DRAWN_DPI, PROFILES, Box, Pixels, Scanned, Wish, hull, scan_page, stamp_page
from tools.scan_pdf import garble, write_pdf
from tools.scan_people import WORLDS, Filled, make_filled, world
from tools.scan_seals import Stamp, make_stamps

BATCH = 40
CLASSES = {"300c": (300, "colour"), "200c": (200, "colour"), "300g": (300, "grey"), "200g": (200, "grey")}


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: the set, its seed, and the classes by folder; an empty class is a mixed one."""

    world: str
    seed: int
    classes: tuple[tuple[Path, int | None, str | None], ...]
    check: bool = True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=WORLDS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--forms", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="number of the first form: to add to a set")
    parser.add_argument("--dpi", type=int, choices=(150, 200, 300, 400))
    parser.add_argument("--colour", choices=("colour", "grey", "bitonal"))
    parser.add_argument("--classes", help="e.g. 300c,200c,300g: a folder for each under --out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.classes:
        classes = tuple((options.out / name, *CLASSES[name]) for name in options.classes.split(","))
    else:
        classes = ((options.out, options.dpi, options.colour),)
    for folder, _, _ in classes:
        folder.mkdir(parents=True, exist_ok=True)
    order = Order(options.set, options.seed, classes)
    numbers = range(options.first, options.first + options.forms)
    if options.set == "other":
        from tools.scan_other import make_other  # noqa: PLC0415 - the other way of making scans shares nothing with this

        for number in numbers:
            make_other(number, order.seed, classes)
        return 0
    wrong = 0
    for start in range(0, len(numbers), BATCH):
        wrong += make_batch(order, numbers[start : start + BATCH], jobs=options.jobs)
    print(f"{len(numbers)} forms, {len(classes)} scans of each; {wrong} whose own text layer says otherwise")
    return 0


def make_batch(order: Order, numbers: Sequence[int], *, jobs: int) -> int:
    """Draw and scan some forms, with one run of LibreOffice. Returns how many differ from their own text layer."""
    table, here = request_types.load(), world(order.world)
    filled = {number: make_filled(_rng(order, number, "form"), here, table) for number in numbers}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, form in filled.items():
            write_book(folder / f"{number:04d}.xlsx", form, table)
        convert(folder)
        work = partial(_make_one, order, folder)
        if jobs == 1:
            return sum(work(number, form) for number, form in filled.items())
        with ProcessPoolExecutor(jobs) as pool:
            return sum(pool.map(work, filled.keys(), filled.values()))


def _rng(order: Order, number: int, what: str) -> Random:
    return Random(f"{order.world} {order.seed} {number} {what}")


def write_book(path: Path, form: Filled, table: Table) -> None:
    """The filled form as a workbook, with row heights as another program or printer driver would make them."""
    book = Workbook()
    page = book.worksheets[0]
    style = Style(form.font.name, form.font.digit, form.margin, form.columns)
    draw_form(book, page, form=forms.form(form.version), table=table, values=form.values, style=style)
    for row in page.row_dimensions.values():
        height = row.height * form.heights
        row.height = round(height / 0.75) * 0.75 if form.snapped else height
    book.save(path)


def convert(folder: Path) -> None:
    books = sorted(str(path) for path in folder.glob("*.xlsx"))
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder), *books]
    subprocess.run(command, check=True, capture_output=True, timeout=600)


def _make_one(order: Order, folder: Path, number: int, form: Filled) -> int:
    """Scan one form in every class; 1 where its own text layer says other than what was written, else 0."""
    table = request_types.load()
    data = (folder / f"{number:04d}.pdf").read_bytes()
    cells, texts = find_cells(data, form, table)
    truth = tell_truth(form, table)
    wrong = [key for key, text in texts.items() if _squeezed(text) != _squeezed(_as_written(form, key))]
    if wrong:
        print(f"{order.world} {number}: the page does not show what was written in {', '.join(wrong)}")
    # Every class scans the same stamped sheet, with wear of its own.
    page, stamps = draw_page(data), _stamps(order, number, form)
    stamp_page(page, stamps, cells.get("seal"))
    for out, dpi, colour in order.classes:
        rng = _rng(order, number, out.name if len(order.classes) > 1 else "scan")
        wish = _wish(rng, number, dpi, colour)
        if wish.colour == "bitonal" and stamps[0].faint:
            # A faint seal leaves nothing in black and white; nobody could say that it is there.
            wish = replace(wish, colour="grey")
        _write(out / f"{number:04d}", scan_page(page, wish, rng), wish, truth, stamps, cells, form, rng)
    return int(bool(wrong))


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _as_written(form: Filled, key: str) -> str:
    value = form.values.get(key, "")
    return f"{value.year}年{value.month}月{value.day}日" if isinstance(value, date) else str(value)


def find_cells(data: bytes, form: Filled, table: Table) -> tuple[dict[str, Box], dict[str, str]]:
    """Where each value stands on the drawn page, in points; and what the page's own text layer says there."""
    [page] = open_document(data).pages
    grid = find_parts(page.cells, vocabulary(forms.form(form.version)), table)
    boxes: dict[str, Box] = {key: tuple(cell.box) for key, cell in grid.values.items()}
    texts = {key: cell.text for key, cell in grid.values.items()}
    if grid.seal_cell:
        boxes["seal"] = tuple(grid.seal_cell.box)
    if grid.type_cell:
        boxes["request_type"] = tuple(grid.type_cell.box)
    for key, (mark, _statement) in grid.checks.items():
        if mark:
            boxes[key] = tuple(mark.box)
    return boxes, texts


def draw_page(data: bytes) -> Pixels:
    document = pypdfium2.PdfDocument(data)
    try:
        bitmap = document[0].render(scale=DRAWN_DPI / 72, rev_byteorder=True)
        return np.ascontiguousarray(bitmap.to_numpy()[:, :, :3])
    finally:
        document.close()


def _stamps(order: Order, number: int, form: Filled) -> tuple[Stamp, ...]:
    day = f"{form.received_on.year % 100}.{form.received_on.month}.{form.received_on.day}"
    return make_stamps(
        _rng(order, number, "seal"),
        world=order.world,
        company=form.company.name,
        surname=form.surname,
        day=day,
        dpi=DRAWN_DPI,
    )


def _wish(rng: Random, number: int, dpi: int | None, colour: str | None) -> Wish:
    """Profiles take turns, so that every set has equal shares."""
    dpi = dpi or rng.choices((200, 300, 150, 400), (45, 45, 5, 5))[0]
    colour = colour or rng.choices(("colour", "grey", "bitonal"), (62, 32, 6))[0]
    return Wish(PROFILES[number % len(PROFILES)], dpi, colour)


def tell_truth(form: Filled, table: Table) -> dict[str, Any]:
    """What a right reading says: values normalised by the rules that hold for every route, dates in ISO 8601."""
    return {
        "request_type": form.kind.value,
        "form_version": form.version,
        "pages": [1],
        "fields": {key: _reads(form, key) for key in forms.form(form.version).field_keys(table)},
        "confirmations": {row.key: bool(form.values.get(row.key)) for row in table.confirmations},
    }


def _reads(form: Filled, key: str) -> str | None:
    if normalise.kind_of(key) is Kind.DATE:
        day = form.days.get(key)
        return day.isoformat() if day else None
    value = form.values.get(key)
    return normalise.display(normalise.kind_of(key), str(value)).value if value else None


def _write(
    path: Path,
    scan: Scanned,
    wish: Wish,
    truth: dict[str, Any],
    stamps: Sequence[Stamp],
    cells: dict[str, Box],
    form: Filled,
    rng: Random,
) -> None:
    corners = {key: scan.place(box) for key, box in cells.items()}
    placed = {key: hull(quad) for key, quad in corners.items()}
    # Only a page stored as it is displayed gets hidden text: so its places need no turning.
    hidden = rng.random() < 0.15 and not scan.rotate
    layer = list(_layer(rng, placed, form)) if hidden else None
    path.with_suffix(".pdf").write_bytes(write_pdf(scan, bitonal=wish.colour == "bitonal", hidden=layer))
    first = stamps[0]
    application = truth | {"seal": first.verdict}
    about = {
        "profile": wish.profile,
        "dpi": wish.dpi,
        "colour": wish.colour,
        "font": form.font.name,
        "seal_kind": first.kind,
        "seal_faint": first.faint,
        "seal_over": first.over,
        "stamps": [stamp.kind for stamp in stamps],
        "hidden_text": hidden,
        **scan.facts,
    }
    told = {
        "received_on": form.received_on.isoformat(),
        "applications": [application],
        "problems": [],
        "written": {key: _as_written(form, key) for key in form.values},
        "cells": placed,
        "corners": corners,
        "scan": about,
    }
    path.with_suffix(".json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _layer(rng: Random, placed: dict[str, Box], form: Filled) -> Iterator[tuple[Box, str]]:
    """The wrong text of a scanner's own recognition, where the values are and as a title."""
    yield (200.0, 40.0, 420.0, 60.0), garble(rng, "WebEC電子証明書発行サービス申請書")
    for key, box in placed.items():
        text = _as_written(form, key)
        if text not in ("", "True", "False"):
            yield box, garble(rng, text)


if __name__ == "__main__":
    sys.exit(main())
