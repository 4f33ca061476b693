"""Judge the reading of scans: read every PDF of a folder that has its truth beside it, and count.

    .venv/bin/python -m tools.score_scans FOLDER … [--jobs 2] [--no-second-opinion] [--wrong FILE] [--json FILE]

The folders are what `tools.make_scans` writes. A class is a resolution and a colour (300c, 200g). *Exact* is equal
after NFKC and without white space; *folded* also equates variants and look-alikes (LOOKALIKES). A form that is not
found at all counts as all of its fields read wrong. Accepted is what no person would look at: confidence at least
SURE.
"""

import argparse
import json
import sys
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from parsers.application import Recognise, read
from parsers.beside import Beside
from parsers.errors import ParseError
from parsers.normalise import Kind, kind_of
from parsers.reading import Application
from parsers.subject import SURE
from tools.shares import Share

# What the field notes call VAR (pdf.md 3): variants of one name, and letters that a scan hardly tells apart. Each group
# is equated with its first letter; 斎 and 斉 are different names, yet 齋 and 齊 are drawn nearly alike.
_ALIKE = """高髙 崎﨑嵜 浜濵濱 辺邊邉 斉斎齊齋 沢澤 広廣 徳德 柳栁 瀬瀨 吉𠮷 恵惠 国國 真眞 滝瀧 島嶋嶌 富冨
カ力 ー一－-−‐‑–— ニ二 ロ口囗 エ工 タ夕 ト卜 ハ八 へヘ べベ ぺペ バパ 日曰 0Oo〇○ 1lI|i ・･·"""
LOOKALIKES = str.maketrans({letter: group[0] for group in _ALIKE.split() for letter in group[1:]})


@dataclass(frozen=True, slots=True)
class Judged:
    """One thing that was asked of the reading: a field, the type, a box, or the seal (`sort`)."""

    form: str
    group: str
    profile: str
    key: str
    sort: str
    truth: str | None
    got: str | None
    raw: str
    confidence: float
    exact: bool
    folded: bool
    doubts: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One scan: what was judged on it and how long it took."""

    form: str
    group: str
    profile: str
    seconds: float
    found: bool
    judged: tuple[Judged, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=int, help="only the first so many scans of each folder")
    parser.add_argument("--no-second-opinion", action="store_true")
    parser.add_argument("--wrong", type=Path, help="where every wrong field is written, one JSON object a line")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument(
        "--kept", type=Path, help="where each page is kept once it is judged; a run that was cut short goes on from it"
    )
    options = parser.parse_args(arguments)
    paths = [path for folder in options.folders for path in sorted(folder.glob("*.json"))[: options.limit]]
    paths = [path for path in paths if path.with_suffix(".pdf").exists()]
    if not paths:
        print("no scan with its truth was found")
        return 2
    # One page of each folder after the other, so that a run that is cut short has judged some of each.
    paths.sort(key=lambda path: (path.stem, path.parent.name))
    done = {page.form: page for page in kept_pages(options.kept)}
    pages = [done[form_of(path)] for path in paths if form_of(path) in done]
    waiting = [path for path in paths if form_of(path) not in done]
    for page in judge_all(waiting, jobs=options.jobs, second_opinion=not options.no_second_opinion):
        pages.append(page)
        keep(page, options.kept)
    if options.wrong:
        wrong = [each for page in pages for each in page.judged if not each.exact]
        options.wrong.write_text(
            "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in wrong), "utf-8"
        )
    figures = {group: figures_of([page for page in pages if page.group == group]) for group in _groups(pages)}
    figures["all"] = figures_of(pages)
    if options.json:
        options.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for group, found in figures.items():
        print_figures(group, found)
    return 0


def _groups(pages: Sequence[Page]) -> list[str]:
    return sorted({page.group for page in pages})


# --- reading

_recognise: Recognise | None = None


def start(threads: int, second_opinion: bool) -> None:  # noqa: FBT001 - ProcessPoolExecutor passes by position
    """Load the recogniser in this process."""
    global _recognise  # noqa: PLW0603 - one model for each process of the pool
    if not second_opinion:
        # As on a machine where it is not installed: importing it fails.
        sys.modules["tesserocr"] = None  # type: ignore[assignment]
    _recognise = make_recognise(threads)


def make_recognise(threads: int) -> Recognise:
    """What looks at pictures of pages, in this process."""
    from parsers.recogniser import Recogniser  # noqa: PLC0415 - after tesserocr is or is not there
    from parsers.scanner import Scanner  # noqa: PLC0415
    from parsers.second_opinion import open_second_opinion  # noqa: PLC0415

    return Scanner(Recogniser(threads), second=open_second_opinion(), beside=Beside() if threads > 1 else None).scan


def judge_all(paths: Sequence[Path], *, jobs: int, second_opinion: bool) -> Iterator[Page]:
    if jobs == 1:
        start(2, second_opinion)
        yield from map(judge, paths)
        return
    with ProcessPoolExecutor(jobs, initializer=start, initargs=(1, second_opinion)) as pool:
        yield from pool.map(judge, paths)


def kept_pages(path: Path | None) -> Iterator[Page]:
    """The pages that a run before this one has judged."""
    if path is None or not path.exists():
        return
    for line in path.read_text("utf-8").splitlines():
        told = json.loads(line)
        judged = tuple(Judged(**{**each, "doubts": tuple(each["doubts"])}) for each in told.pop("judged"))
        yield Page(**told, judged=judged)


def keep(page: Page, path: Path | None) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(page), ensure_ascii=False) + "\n")


def form_of(path: Path) -> str:
    """How a scan is called in the results."""
    return f"{path.parent.name}/{path.stem}"


def judge(path: Path) -> Page:
    """Read one scan and compare it with its truth."""
    told = json.loads(path.read_text("utf-8"))
    about = told["scan"]
    group = f"{about['dpi']}{about['colour'][0]}"
    data = path.with_suffix(".pdf").read_bytes()
    began = time.perf_counter()
    try:
        found = read(data, received_on=date.fromisoformat(told["received_on"]), recognise=_recognise).applications
    except ParseError as error:
        print(f"{path}: {error.kind.value}")
        found = ()
    seconds = time.perf_counter() - began
    [truth] = told["applications"]
    form = form_of(path)
    reading = found[0] if found else None
    judged = tuple(Judged(form, group, about["profile"], *rest) for rest in _compare(truth, reading, about))
    return Page(form, group, about["profile"], seconds, len(found) == 1, judged)


def _compare(truth: dict[str, Any], found: Application | None, about: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """key, sort, truth, got, raw, confidence, exact, folded, doubts, about: of every part of one form."""
    kind = found.request_type.value if found and found.request_type else None
    reading = found.type_reading if found else None
    right = kind == truth["request_type"]
    sure = reading.confidence if reading else 0.0
    yield "request_type", "type", truth["request_type"], kind, found.type_raw if found else "", sure, right, right
    version = found.form_version if found else None
    right = version == truth["form_version"]
    yield "form_version", "version", truth["form_version"], version, "", 0.0, right, right
    for key, wanted in truth["fields"].items():
        field = found.fields.get(key) if found else None
        got, raw = (field.value, field.raw) if field else (None, "")
        # A form that was not found has no empty cell that was read as empty.
        exact = found is not None and _squeezed(got) == _squeezed(wanted)
        folded = found is not None and _folded(got) == _folded(wanted)
        sure, doubts = (field.confidence, field.doubts) if field else (0.0, ())
        yield key, _sort(key, wanted), wanted, got, raw, sure, exact, folded, doubts
    for key, ticked in truth["confirmations"].items():
        mark = found.confirmations.get(key) if found else None
        right = mark is ticked
        yield key, "box", str(ticked), str(mark), "", 0.0 if mark is None else 1.0, right, right
    verdict = found.seal.verdict.value if found else "none"
    right = verdict == truth["seal"]
    seal = f"{about['seal_kind']}{' over' if about['seal_over'] else ''}{' faint' if about['seal_faint'] else ''}"
    yield "seal", "seal", truth["seal"], verdict, "", found.seal.confidence if found else 0.0, right, right, (), seal


def _sort(key: str, wanted: str | None) -> str:
    if wanted is None:
        return "empty"
    return "date" if kind_of(key) is Kind.DATE else "text"


def _squeezed(text: str | None) -> str:
    return "".join(unicodedata.normalize("NFKC", text or "").split())


def _folded(text: str | None) -> str:
    return _squeezed(text).translate(LOOKALIKES).casefold()


# --- counting


def figures_of(pages: Sequence[Page]) -> dict[str, Any]:
    """All figures of some pages; every share with its number of trials and its bounds."""
    judged = [each for page in pages for each in page.judged]
    filled = [each for each in judged if each.sort in ("text", "date")]
    text = [each for each in filled if each.sort == "text"]
    accepted = [each for each in filled if each.confidence >= SURE]
    mails = [each for each in accepted if each.key.endswith("email")]
    empty = [each for each in judged if each.sort == "empty"]
    times = sorted(page.seconds * 1000 for page in pages)
    return {
        "forms": len(pages),
        "forms not found": sum(not page.found for page in pages),
        "filled exact": Share.of(each.exact for each in filled).told(),
        "filled folded": Share.of(each.folded for each in filled).told(),
        "text exact": Share.of(each.exact for each in text).told(),
        "text folded": Share.of(each.folded for each in text).told(),
        **{
            f"{name} right": Share.of(each.exact for each in judged if each.sort == name).told()
            for name in ("type", "version", "date", "box", "empty")
        },
        "mail exact": Share.of(each.exact for each in text if each.key.endswith("email")).told(),
        "accepted of filled": Share.of(each.confidence >= SURE for each in filled).told(),
        "accepted wrong": Share.of(not each.exact for each in accepted).told(),
        "accepted wrong mails": Share.of(not each.exact for each in mails).told(),
        "accepted wrong types": Share.of(
            not each.exact for each in judged if each.sort == "type" and each.confidence >= SURE
        ).told(),
        "accepted text in empty cells": Share.of(not each.exact for each in empty if each.confidence >= SURE).told(),
        "whole form exact": Share.of(_whole(page) for page in pages).told(),
        "seal": _seals(judged),
        "by kind": _by(filled, lambda each: each.key.rpartition(".")[2]),
        "by profile": _by(filled, lambda each: each.profile),
        "ms a page": {"p50": round(times[len(times) // 2]), "p90": round(times[len(times) * 9 // 10])} if times else {},
    }


def _whole(page: Page) -> bool:
    return page.found and all(each.exact for each in page.judged if each.sort != "seal")


def _by(judged: Sequence[Judged], key: Any) -> dict[str, str]:  # noqa: ANN401 - a function of Judged
    groups: dict[str, list[Judged]] = defaultdict(list)
    for each in judged:
        groups[key(each)].append(each)
    return {
        name: f"{100 * sum(x.exact for x in some) / len(some):.1f} / "
        f"{100 * sum(x.folded for x in some) / len(some):.1f} of {len(some)}"
        for name, some in sorted(groups.items())
    }


def _seals(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Verdicts by what was there."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for each in judged:
        if each.sort == "seal":
            found[f"all {each.truth}"][each.got or "none"] += 1
            found[each.about][each.got or "none"] += 1
    return {name: dict(count) for name, count in sorted(found.items())}


def print_figures(group: str, figures: dict[str, Any]) -> None:
    print(f"\n== {group}: {figures['forms']} forms, {figures['forms not found']} not found")
    for name, value in figures.items():
        if isinstance(value, dict) and "n" in value:
            share = f"{value['percent']:7.2f} %" if value["n"] else "      – "
            wilson, exact = ("–".join(f"{bound:.2f}" for bound in value[name_]) for name_ in ("wilson", "exact"))
            bounds = f"Wilson {wilson}, exact {exact}"
            print(f"{name:30} {share}  {value['hits']}/{value['n']}  ({bounds})")
        elif isinstance(value, dict):
            print(f"{name}: " + "; ".join(f"{key} {told}" for key, told in value.items()))


if __name__ == "__main__":
    sys.exit(main())
