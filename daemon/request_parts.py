"""What an approval request shows: verdict, findings, differences, the application itself, line by line.

One `項目：値` a line and never a table, so that it reads on a phone. All text of the form goes through
`wording.one_line`: what does not show becomes visible, and no value reaches a second line, where it could look like a
line of ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from config import request_types
from config.request_types import RequestType, Row
from parsers.reading import Application, Box, FieldValue, Finding, Route, SealVerdict, Severity
from parsers.subject import SURE, is_empty

from . import wording
from .crops import Crops
from .doubt_words import doubt_words, note_words
from .draft import CaseFacts

_HEADINGS = {
    Severity.DEFECT: "不備（申請者の修正が必要）",
    Severity.WARNING: "警告（承知のうえでの承認が必要）",
    Severity.DOUBT: "要確認（読み取りをご確認ください）",
    Severity.NOTE: "参考",
}
_SEAL = {
    SealVerdict.PRESENT: "あり",
    SealVerdict.UNCLEAR: "判定できません（添付でご確認ください）",
    SealVerdict.ABSENT: "なし",
}
_ROUTES = {Route.ACROFORM: "入力欄", Route.TEXT: "文字情報", Route.CODE: "コード", Route.SCAN: "画像"}
_TICK = {True: "☑", False: "□", None: "？"}
_MM_PER_POINT = 25.4 / 72


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of the form beside the one in the register; for staff only."""

    label: str
    read: str
    registered: str


def verdict(application: Application, found: Sequence[Finding], blocked: Sequence[str], differing: int) -> str:
    """What the program makes of it, in the first line; it never says that a case needs no look."""
    numbers = counts(found)
    if application.request_type is None:
        return f"申請種別を判別できません（{numbers}）"
    if _count(found, Severity.DEFECT):
        return f"不備があります（{numbers}）。差戻しをご検討ください"
    if blocked:
        return f"このままでは承認できません（{numbers}）"
    if _count(found, Severity.WARNING) or _count(found, Severity.DOUBT):
        return f"確認が必要な点があります（{numbers}）"
    if differing:
        return f"不備・警告はありません。登録との差異が{differing}件あります"
    return "不備・警告はありません。ご判断をお願いします"


def _count(found: Sequence[Finding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in found)


def counts(found: Sequence[Finding]) -> str:
    """How many findings of each severity that matters, as the subject shows them."""
    doubts = _count(found, Severity.DOUBT)
    text = f"不備{_count(found, Severity.DEFECT)}/警告{_count(found, Severity.WARNING)}"
    return f"{text}/要確認{doubts}" if doubts else text


def facts(
    case: CaseFacts, expires_at: datetime, approver_index: str, quorum: int, reasons: Sequence[str], code: str = ""
) -> Iterator[str]:
    """Number, arrival, term, and how many must approve. ValueError unless `approver_index` looks like 1/2."""
    index, slash, total = approver_index.partition("/")
    if not (slash and index.isdecimal() and total.isdecimal()):
        raise ValueError("approver_index must look like 1/2")
    yield f"受付番号：{case.number}"
    if code:
        yield f"確認コード：{code}"
    yield f"受領日時：{wording.japanese_time(case.arrived_at)}"
    yield f"期限：{wording.japanese_time(expires_at)}"
    yield "　（過ぎると無効になり、あらためてお送りします）"
    yield f"依頼先：{total}人中{index}人目の方"
    if quorum > 1:
        because = f"（{'、'.join(wording.one_line(reason) for reason in reasons)}）" if reasons else ""
        yield f"必要な承認：異なる{quorum}人{because}"
    else:
        yield "必要な承認：1人"


def blocked_lines(blocked: Sequence[str]) -> Iterator[str]:
    """Why it cannot be approved as it stands."""
    if blocked:
        yield "■ 承認できない理由"
        yield from (f"・{wording.one_line(line)}" for line in blocked)
        yield ""


def doubt_lines(application: Application, crops: Crops) -> Iterator[str]:
    """What was read with doubt: the value, how sure, why, where it stands, and the picture of it (SPEC 1.3.10)."""
    doubtful = list(_doubtful(application))
    if doubtful:
        yield "■ 読み取りに確信のない項目（原本と照合してください）"
    for key, label, value in doubtful:
        yield f"・{label}：{_text_of(value)}"
        # Rounded down: 0.896 must not look like 90.
        yield f"　確度{int(value.confidence * 100)}%"
        yield from (f"　・{wording.one_line(word)}" for word in doubt_words(value))
        if where := _place(value.page, value.box):
            yield f"　位置：{where}"
        if name := crops.name_of(key):
            yield f"　画像：{name}"
    if doubtful:
        yield "　（直すには「修正 項目=値」とご返信ください）"
        yield ""
    if noted := note_words(application.notes):
        yield "■ 読み取りについて"
        yield from (f"・{wording.one_line(word)}" for word in noted)
        yield ""


def _doubtful(application: Application) -> Iterator[tuple[str, str, FieldValue]]:
    """The fields that staff must look at: those of the type, and any other in which something was read."""
    table, kind = request_types.load(), application.type_reading
    if kind is not None and kind.confidence < SURE:
        yield "request_type", "申請種別", replace(kind, value=type_word(application))
    for row in table.fields():
        value = application.fields.get(row.key)
        if value is None or value.confidence >= SURE:
            continue
        if _wanted(row, application.request_type) and (value.box is not None or not is_empty(value)):
            yield row.key, table.label(row.key), value


def picture_lines(application: Application, crops: Crops) -> Iterator[str]:
    """Which picture shows what; or that there are none where there should be."""
    if crops.failed:
        yield "■ 画像"
        yield "・切り抜き画像の一部または全部を作成できませんでした。"
        yield "　添付のPDFでご確認ください。"
        return
    table = request_types.load()
    labels = {"request_type": "申請種別", "seal": table.seal.label}
    told = {key for key, _, _ in _doubtful(application)}
    shown = [(key, name) for key, name in crops.names if key not in told]
    if shown:
        yield "■ 画像（申請書からの切り抜き）"
        yield from (f"・{labels.get(key) or table.label(key)}\n　{name}" for key, name in shown)


def finding_lines(found: Sequence[Finding]) -> Iterator[str]:
    """All findings, the gravest first, but for the doubts about single readings: `doubt_lines` tells those in full."""
    others = [finding for finding in found if finding.code != "reading_doubtful"]
    yield "■ 指摘事項"
    if not others:
        yield "・上記のほかにはありません" if found else "・ありません"
    for severity, heading in _HEADINGS.items():
        group = [finding for finding in others if finding.severity is severity]
        if group:
            yield f"【{heading}】"
            yield from (f"・{wording.one_line(finding.message)}" for finding in group)


def difference_lines(differences: Sequence[Difference]) -> Iterator[str]:
    """What the form says beside what the register says."""
    if differences:
        yield "■ 登録との差異"
    for difference in differences:
        yield f"・{difference.label}"
        yield f"　申請書：{wording.one_line(difference.read) or '（空欄）'}"
        yield f"　登録　：{wording.one_line(difference.registered) or '（なし）'}"


def candidate_lines(candidates: Sequence[str]) -> Iterator[str]:
    """The registrations that may be meant; never shown to anybody but staff."""
    if candidates:
        yield "■ 対象の候補（「対象 番号」でお選びください）"
        yield from (f"・{wording.one_line(candidate)}" for candidate in candidates)


def note_lines(notes: Sequence[str]) -> Iterator[str]:
    """What staff noted about the case so far, a call back for example, and who corrected what."""
    if notes:
        yield "■ これまでの記録（社内用）"
        yield from (f"・{wording.one_line(note)}" for note in notes)


def application_lines(application: Application) -> Iterator[str]:
    """Every field, box and the seal as they were read; certainty and place only where the reading is not certain. Of a
    scan the doubtful readings are only marked here, since `doubt_lines` tells them in full."""
    table, chosen = request_types.load(), application.request_type
    pages = "、".join(str(page) for page in application.pages)
    yield "■ 申請書の内容"
    yield f"申請種別：{type_word(application)}"
    yield f"様式：{application.form_version or '不明'}（{pages}ページ、{_ROUTES[application.route]}から読み取り）"
    for block in table.blocks:
        rows = [row for row in block.rows if _wanted(row, chosen)]
        if chosen is None:
            # No type, no grey cells: whatever was written is shown, and nothing is missed that is empty.
            rows = [row for row in rows if _written(application, row)]
        if rows:
            yield ""
            yield f"【{block.label}】"
            yield from (_field_line(row.label, application.fields.get(row.key), application.route) for row in rows)
    yield ""
    yield "【その他の欄】"
    for row in table.singles:
        if _wanted(row, chosen):
            yield _field_line(row.label, application.fields.get(row.key), application.route)
    yield from _grey(application, [row for row in table.fields() if not _wanted(row, chosen)])
    yield ""
    yield "【確認・同意】"
    for row in table.confirmations:
        ticked = application.confirmations.get(row.key)
        if _wanted(row, chosen) or ticked:
            yield f"{_TICK[ticked]} {row.label}{'' if _wanted(row, chosen) else '（入力不要の欄）'}"
    seal = application.seal
    yield f"{table.seal.label}：{_SEAL[seal.verdict]}{_certainty(seal.confidence, seal.page, seal.box)}"


def _wanted(row: Row, chosen: RequestType | None) -> bool:
    return chosen is None or not row.needs[chosen].greyed


def _written(application: Application, row: Row) -> bool:
    value = application.fields.get(row.key)
    return value is not None and bool(value.value or value.raw.strip())


def _grey(application: Application, rows: Sequence[Row]) -> Iterator[str]:
    """Grey cells that were filled: ignored by the plan, yet they hint at a wrong type (SPEC 1.2)."""
    filled = [row for row in rows if _written(application, row)]
    if filled:
        yield ""
        yield "【入力不要の欄への記入（取り扱いには含めません）】"
        for row in filled:
            value = application.fields.get(row.key)
            yield _field_line(request_types.load().label(row.key), value, application.route)


def _field_line(label: str, value: FieldValue | None, route: Route) -> str:
    if value is None:
        return f"{label}：（この様式にない欄）"
    if is_empty(value) and value.confidence >= SURE:
        return f"{label}：（空欄）"
    text = f"{label}：{_text_of(value)}"
    if route is Route.SCAN:
        # No reading of a picture is certain; how sure each doubtful one is, and why, stands above.
        return text if value.confidence >= SURE else f"{text}［要照合］"
    return text if is_empty(value) else f"{text}{_certainty(value.confidence, value.page, value.box)}"


def _text_of(value: FieldValue) -> str:
    raw = wording.one_line(value.raw)
    if value.value is None and not raw:
        return "（空欄）"
    text = wording.one_line(value.value) if value.value is not None else "（読み取れません）"
    if raw and "".join(raw.split()) != "".join(text.split()):
        text += f"（原文：{raw}）"
    return text


def _certainty(confidence: float, page: int | None, box: Box | None) -> str:
    if confidence >= 1:
        return ""
    place = _place(page, box)
    # Rounded down: 0.996 must not look certain.
    return f"［確度{int(confidence * 100)}%{'、' if place else ''}{place}］"


def _place(page: int | None, box: Box | None) -> str:
    if page is not None and box is not None:
        left, top = (round(edge * _MM_PER_POINT) for edge in (box.x0, box.y0))
        return f"{page}ページ 上から{top}mm・左から{left}mm"
    return "" if page is None else f"{page}ページ"


def type_word(application: Application) -> str:
    """The type as the form prints it; 種別不明 while it is undecided."""
    return wording.request_word(application.request_type) if application.request_type else "種別不明"
