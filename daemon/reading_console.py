"""`read`: a form read as the service would read it. Needs no centre.

A configuration is only looked at for the folder of the centre's own forms, and for the key that its codes are signed
with; without one, the shipped forms are known and no signature can be checked.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from PIL import Image

from config import request_types
from config.request_types import Table
from config.settings import load
from parsers.equipment import Equipment
from parsers.errors import ParseError
from parsers.links import has_download_link
from parsers.mail import is_overgrown, open_mail
from parsers.reading import Application, FieldValue, Problem, Reading, SealVerdict, Severity, to_json
from parsers.subject import SURE, is_empty

from .console import Answer, UsageError, aligned, file_bytes, parse_day
from .doubt_words import doubt_words, note_words
from .equipment import equipment_from, equipment_of
from .keyring import form_code_public
from .planning import JST
from .reader import Reader
from .unpacking import laid_out

SEVERITY_WORDS: Mapping[Severity, str] = {
    Severity.DEFECT: "不備",
    Severity.WARNING: "警告",
    Severity.DOUBT: "要確認",
    Severity.NOTE: "参考",
}
SEAL_WORDS: Mapping[SealVerdict, str] = {
    SealVerdict.PRESENT: "あり",
    SealVerdict.UNCLEAR: "判別できません",
    SealVerdict.ABSENT: "なし",
}
# Fine enough to see what was read, small enough to be looked at on a screen.
_PICTURE_DPI = 130.0
_TICKS: Mapping[bool | None, str] = {True: "☑", False: "□", None: "？"}

# What staff are told of a document that gives no application, by the code of its problem.
PROBLEM_WORDS: Mapping[str, str] = {
    "empty": "ファイルの中身が空（0バイト）です。",
    "not_pdf": "PDFファイルではありません。",
    "encrypted": "パスワードで保護されたPDFのため、開けません。",
    "spreadsheet": "Excelファイルです。押印のうえPDFに変換したものが必要です。",
    "image": "画像ファイルです。PDFに変換したものが必要です。",
    "archive": "開けない形式の圧縮ファイルです。圧縮していないPDFが必要です。",
    "program": "プログラム（自己解凍形式など）のため、開きません。",
    "outlook_item": "Outlookのメール（.msg）です。PDFを直接添付したものが必要です。",
    "tnef": "winmail.datから添付ファイルを取り出せません。",
    "too_many": "メールの添付ファイルが多すぎるため、一部を読み取りません。",
    "mail_too_large": "メールが大きすぎるか、構造が複雑なため、添付ファイルを取り出せません。",
    "download_link": "ファイルが添付されず、リンクだけが書かれています。",
    "encrypted_archive": "パスワード付きの圧縮ファイルです。圧縮していないPDFが必要です。",
    "word": "Wordファイルです。押印のうえPDFに変換したものが必要です。",
    "damaged": "PDFが壊れているため、開けません。",
    "too_large": "ファイルが大きすぎるため、読み取りません。",
    "too_costly": "読み取りに時間またはメモリーがかかりすぎるため、中止しました。",
    "no_document": "メールに申請書らしい添付ファイルがありません。",
}


def read(arguments: argparse.Namespace) -> Answer:
    """A PDF, or all documents of a mail (`.eml`), read as the service would; in order when no form has a defect.

    With `--picture` every page that gave a form is drawn with the boxes that were read on it. With `--forms` the forms
    of that folder are known, in place of those of the configuration.
    """
    equipment = _equipment(arguments)
    received_on = parse_day(arguments.received) if arguments.received else arguments.clock().astimezone(JST).date()
    data, is_mail = file_bytes(arguments.file), arguments.file.suffix.lower() == ".eml"
    with arguments.open_reader(equipment) as reader:
        papers = _of_mail(data, reader, received_on) if is_mail else [_of_pdf(data, reader, received_on)]
        drawn = _draw(papers, reader, arguments.picture) if arguments.picture else []
    reading = Reading(
        tuple(application for paper in papers for application in paper.reading.applications),
        tuple(problem for paper in papers for problem in paper.reading.problems),
    )
    defective = any(finding.severity is Severity.DEFECT for each in reading.applications for finding in each.findings)
    in_order = bool(reading.applications) and not defective
    return Answer("\n".join([*_lines(reading), *drawn]), to_json(reading), in_order)


def open_reader(equipment: Equipment) -> Reader:
    """A reader for one command; a test puts one in its place that is open already."""
    return Reader(equipment=equipment)


def _equipment(arguments: argparse.Namespace) -> Equipment:
    """Raises SettingsError for a folder or a configuration that is wrong, CredentialError for a key that is."""
    settings = load(arguments.config) if arguments.config.exists() else None
    key = form_code_public(settings) if settings else b""
    if arguments.forms is not None:
        return equipment_from(arguments.forms, key, source="--forms")
    return equipment_of(settings, key) if settings else Equipment()


@dataclass(frozen=True, slots=True)
class _Paper:
    """One document and what it gave."""

    data: bytes
    reading: Reading


def _of_pdf(data: bytes, reader: Reader, received_on: date) -> _Paper:
    try:
        return _Paper(data, reader.read(data, received_on=received_on))
    except ParseError as error:
        return _Paper(data, _unreadable(error.kind.value, error.page))


def _of_mail(raw: bytes, reader: Reader, received_on: date) -> list[_Paper]:
    """The documents `intake` would look at, and told apart as it does."""
    mail = open_mail(raw)
    papers = [
        _Paper(attachment.data, _unreadable(kind)) if kind else _of_pdf(attachment.data, reader, received_on)
        for attachment, kind in laid_out(reader, mail)
    ]
    if has_download_link(mail.text) and not papers:
        return [_Paper(b"", _unreadable("download_link"))]
    return papers or [_Paper(b"", _unreadable("mail_too_large" if is_overgrown(mail) else "no_document"))]


def _draw(papers: Sequence[_Paper], reader: Reader, out: Path) -> list[str]:
    """Draw every page that gave a form: OUT.png, then OUT-2.png and so on. Says what was written."""
    from parsers.overlay import draw  # noqa: PLC0415 - OpenCV is slow to load, and no other command draws

    pages = [
        (paper, page)
        for paper in papers
        for page in sorted({page for application in paper.reading.applications for page in application.pages})
    ]
    said = []
    for count, (paper, page) in enumerate(pages, 1):
        file = out if count == 1 else out.with_name(f"{out.stem}-{count}{out.suffix}")
        try:
            picture = reader.picture(paper.data, page, dpi=_PICTURE_DPI)
        except ParseError:
            said.append(f"図：{page}ページを描けませんでした。")
            continue
        drawn = draw(picture, paper.reading.applications, page)
        try:
            Image.fromarray(drawn.pixels).save(file, "PNG")
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}") from error
        said.append(f"図：{file}（{page}ページ。緑＝読み取り、橙＝要確認、赤＝読み取れない、灰＝空欄）")
    return said or ["図：申請書のページがないため、描いていません。"]


def _unreadable(code: str, page: int | None = None) -> Reading:
    return Reading((), (Problem(code, PROBLEM_WORDS[code], page),))


def _lines(reading: Reading) -> list[str]:
    table = request_types.load()
    lines: list[str] = []
    for number, application in enumerate(reading.applications, 1):
        if len(reading.applications) > 1:
            lines.append(f"【{number}件目】")
        lines += [*application_lines(application, table), ""]
    for problem in reading.problems:
        page = f"{problem.page}ページ：" if problem.page else ""
        lines.append(f"[{problem.code}] {page}{problem.message}")
    return lines if reading.problems else lines[:-1]


def application_lines(application: Application, table: Table) -> list[str]:
    """One application for people: what it is, its fields, its check boxes, the seal, the findings, in that order."""
    kind = application.request_type
    pages = "、".join(map(str, application.pages))
    word = table.types[kind].word if kind else f"不明（{application.type_raw or '記入なし'}）"
    head = [
        ("申請種別", "。".join([word, *_reasons(application.type_reading)])),
        ("様式", application.form_version or "不明"),
        ("ページ", f"{pages}（読み取り方法：{application.route.value}）"),
    ]
    seal = f"{SEAL_WORDS[application.seal.verdict]}（確度 {application.seal.confidence:.2f}）"
    ticks = [f"  {_TICKS[ticked]} {table.row(key).label}" for key, ticked in application.confirmations.items()]
    # A doubt about one reading stands below its value already, with its reasons.
    told = [each for each in application.findings if each.code != "reading_doubtful"]
    found = [f"  ［{SEVERITY_WORDS[each.severity]}］{each.message}" for each in told]
    notes = [f"  ・{word}" for word in note_words(application.notes)]
    return [
        *aligned(head),
        "記入内容",
        *_field_lines(application, table),
        "確認欄",
        *ticks,
        f"押印：{seal}",
        *(["読み取りについて", *notes] if notes else []),
        "指摘事項" if found else "指摘事項：なし",
        *found,
    ]


def _field_lines(application: Application, table: Table) -> Iterator[str]:
    """A field a line: whether the service would take it without a person's look, its value, how sure it is and, where
    the form has several, its page; below a doubtful one every reason."""
    shown = [
        (key, value)
        for key, value in application.fields.items()
        if not is_empty(value) or (value.confidence < SURE and value.box)
    ]
    rows = [
        (
            f"  {'✓ ' if value.confidence >= SURE else '？'} {table.label(key)}",
            _shown(value),
            # Rounded down: 0.899 is a doubt and must not look like 0.90.
            f"{int(value.confidence * 100) / 100:.2f}" if value.confidence < 1 else "",
            f"{value.page}ページ" if len(application.pages) > 1 else "",
        )
        for key, value in shown
    ]
    for line, (_, value) in zip(aligned(rows), shown, strict=True):
        yield line
        yield from (f"       └ {reason}" for reason in _reasons(value))


def _shown(value: FieldValue) -> str:
    raw = " ".join(value.raw.split())
    return value.value if value.value is not None else f"（読み取れません：{raw}）" if raw else "（空欄）"


def _reasons(value: FieldValue | None) -> tuple[str, ...]:
    return doubt_words(value) if value is not None and value.confidence < SURE else ()
