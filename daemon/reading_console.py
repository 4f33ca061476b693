"""`form` and `read`: the blank form, and a form read as the service would read it. Needs no centre."""

import argparse
from collections.abc import Mapping
from datetime import date

from config import forms, request_types
from config.request_types import Table
from parsers.application import read as read_document
from parsers.attachments import DocumentKind, kind_of
from parsers.errors import ParseError
from parsers.mail import documents, open_mail
from parsers.reading import Application, FieldValue, Problem, Reading, SealVerdict, Severity, to_json

from .console import Answer, UsageError, aligned, file_bytes, parse_day
from .form import write_xlsx
from .planning import JST

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
_TICKS: Mapping[bool | None, str] = {True: "☑", False: "□", None: "？"}

# What staff are told of a document that gives no application, by the code of its problem.
PROBLEM_WORDS: Mapping[str, str] = {
    "empty": "ファイルの中身が空（0バイト）です。",
    "not_pdf": "PDFファイルではありません。",
    "encrypted": "パスワードで保護されたPDFのため、開けません。",
    "spreadsheet": "Excelファイルです。押印のうえPDFに変換したものが必要です。",
    "image": "画像ファイルです。PDFに変換したものが必要です。",
    "archive": "圧縮ファイルです。圧縮していないPDFが必要です。",
    "encrypted_archive": "パスワード付きの圧縮ファイルです。圧縮していないPDFが必要です。",
    "word": "Wordファイルです。押印のうえPDFに変換したものが必要です。",
    "damaged": "PDFが壊れているため、開けません。",
    "too_large": "ファイルが大きすぎるため、読み取りません。",
    "no_document": "メールに申請書らしい添付ファイルがありません。",
}


def form(arguments: argparse.Namespace) -> Answer:
    """The blank form as Excel."""
    if any((arguments.pdf, arguments.fill, arguments.learn, arguments.out)):
        raise UsageError(
            "`form --pdf`, `--fill` and `--learn` come with stage 2 of the project; `form --xlsx OUT` works"
        )
    if arguments.xlsx is None:
        raise UsageError("say where to: `ogis-lra form --xlsx OUT`")
    newest = forms.newest()
    try:
        write_xlsx(arguments.xlsx, form=newest, table=request_types.load())
    except OSError as error:
        raise UsageError(f"{arguments.xlsx} cannot be written: {error.strerror}") from error
    return Answer(f"{arguments.xlsx}: {newest.mark}", {"file": str(arguments.xlsx), "form_version": newest.version})


def read(arguments: argparse.Namespace) -> Answer:
    """A PDF, or all documents of a mail (`.eml`), read as the service would; in order when no form has a defect."""
    received_on = parse_day(arguments.received) if arguments.received else arguments.clock().astimezone(JST).date()
    data = file_bytes(arguments.file)
    reading = _of_mail(data, received_on) if arguments.file.suffix.lower() == ".eml" else _of_pdf(data, received_on)
    defective = any(finding.severity is Severity.DEFECT for each in reading.applications for finding in each.findings)
    in_order = bool(reading.applications) and not defective
    return Answer("\n".join(_lines(reading)), to_json(reading), in_order)


def _of_pdf(data: bytes, received_on: date) -> Reading:
    try:
        return read_document(data, received_on=received_on)
    except ParseError as error:
        return _unreadable(error.kind.value, error.page)


def _of_mail(raw: bytes, received_on: date) -> Reading:
    """The documents `intake` would look at, and told apart as it does."""
    readings = []
    for attachment in documents(open_mail(raw)):
        kind = kind_of(attachment)
        if kind in (DocumentKind.PDF, DocumentKind.OTHER):
            readings.append(_of_pdf(attachment.data, received_on))
        else:
            readings.append(_unreadable(kind.value))
    if not readings:
        return _unreadable("no_document")
    return Reading(
        tuple(application for reading in readings for application in reading.applications),
        tuple(problem for reading in readings for problem in reading.problems),
    )


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
    fields = [
        (f"  {table.label(key)}", _shown(value))
        for key, value in application.fields.items()
        if value.value is not None or value.raw
    ]
    head = [
        ("申請種別", word),
        ("様式", application.form_version or "不明"),
        ("ページ", f"{pages}（読み取り方法：{application.route.value}）"),
    ]
    seal = f"{SEAL_WORDS[application.seal.verdict]}（確度 {application.seal.confidence:.2f}）"
    ticks = [f"  {_TICKS[ticked]} {table.row(key).label}" for key, ticked in application.confirmations.items()]
    found = [f"  ［{SEVERITY_WORDS[each.severity]}］{each.message}" for each in application.findings]
    return [
        *aligned(head),
        "記入内容",
        *aligned(fields),
        "確認欄",
        *ticks,
        f"押印：{seal}",
        "指摘事項" if found else "指摘事項：なし",
        *found,
    ]


def _shown(value: FieldValue) -> str:
    text = value.value if value.value is not None else f"（読み取れません：{' '.join(value.raw.split())}）"
    return text if value.confidence >= 1 else f"{text}（確度 {value.confidence:.2f}）"
