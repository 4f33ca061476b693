"""Fields are found by label and ruling line on any layout; every page is an application or a problem."""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from config import forms, request_types
from config.request_types import RequestType
from parsers import __main__ as child
from parsers.application import amended, read, read_document
from parsers.document import open_document
from parsers.errors import ParseError
from parsers.reading import (
    Application,
    Reading,
    Route,
    SealVerdict,
    application_from_json,
    application_to_json,
    to_json,
)
from parsers.type_words import read_type
from support.drawing import Drawing, to_pdf

TABLE, FORM, OLD = request_types.load(), forms.form("2024-07"), forms.form("2021-04")
RECEIVED = date(2024, 7, 3)
VALUES = {
    "application_date": "2024年7月1日",
    "applicant.company": "あおぞら電機株式会社",
    "applicant.name": "田中　正",
    "applicant.phone": "03-5550-1234",
    "applicant.email": "soumu@aozora-denki.example",
    "user.company_ja": "あおぞら電機株式会社",
    "user.company_en": "Aozora Electric Co., Ltd.",
    "user.name_ja": "髙橋　花子",
    "user.name_en": "Hanako TAKAHASHI",
    "user.email": "hanako@aozora-denki.example",
}
TICKED = ("info_in_certificate", "content_correct", "revoke_unneeded")
Row = tuple[float, float, float, float, str]


def rows(
    values: dict[str, str], *, type_word: str = "再発行", ticked: Sequence[str] = TICKED, form: forms.Form = FORM
) -> Iterator[Row]:
    """The cells of a plain layout: heading, label, value; each (x0, y0, x1, y1, text)."""
    y = 60.0
    yield (40, y, 200, y + 16, form.request_type_labels[0])
    yield (200, y, 400, y + 16, type_word)
    for key, labels in form.single_labels.items():
        y += 16
        yield (40, y, 200, y + 16, labels[0])
        yield (200, y, 540, y + 16, values.get(key, ""))
    for block in TABLE.blocks:
        y += 20
        yield (40, y, 110, y + 16 * len(block.rows), form.block_labels[block.key][-1])
        for row in block.rows:
            yield (110, y, 200, y + 16, form.label(row.key))
            yield (200, y, 420, y + 16, values.get(row.key, ""))
            y += 16
    y += 4
    for confirmation in TABLE.confirmations:
        yield (40, y, 60, y + 14, "✓" if confirmation.key in ticked else "□")
        yield (60, y, 420, y + 14, form.label(confirmation.key))
        y += 14
    yield (430, 500, 540, 516, form.seal_labels[0])
    yield (430, 516, 540, 616, "")


def sheet(cells: Iterator[Row] | None = None, *, title: str = FORM.title, mark: str = FORM.mark) -> Drawing:
    page = Drawing()
    page.text(420, 25, mark, 8)
    page.text(180, 45, title, 14)
    for x0, y0, x1, y1, text in cells or rows(VALUES):
        page.cell(x0, y0, x1, y1, text, 8)
    return page


def one(page: Drawing) -> Application:
    found = read(to_pdf(page), received_on=RECEIVED)
    assert found.problems == ()
    [application] = found.applications
    return application


def values_of(application: Application) -> dict[str, str]:
    return {key: field.value for key, field in application.fields.items() if field.value is not None}


EXPECTED = VALUES | {"application_date": "2024-07-01", "applicant.name": "田中 正", "user.name_ja": "髙橋 花子"}


# --- the plain layout ---------------------------------------------------------------------------------------------


def test_a_form_of_any_layout_is_read_whole() -> None:
    application = one(sheet())
    assert values_of(application) == EXPECTED
    assert application.request_type is RequestType.REISSUE
    assert application.form_version == "2024-07"
    assert application.route is Route.TEXT
    assert application.pages == (1,)
    assert {key for key, ticked in application.confirmations.items() if ticked} == set(TICKED)
    assert None not in application.confirmations.values()
    assert (application.type_raw, application.type_words) == ("再発行", ("再発行",))


def test_every_field_of_the_form_version_is_present_and_empty_ones_have_no_value() -> None:
    application = one(sheet())
    assert list(application.fields) == list(FORM.field_keys(TABLE))
    empty = application.fields["after.name_ja"]
    assert (empty.value, empty.raw, empty.confidence) == (None, "", 1.0)


def test_a_field_tells_its_page_and_its_place() -> None:
    field = one(sheet()).fields["application_date"]
    assert field.page == 1
    assert field.box == pytest.approx((200, 76, 540, 92))
    assert field.raw == "2024年7月1日"
    assert field.confidence == 1.0


def test_the_whole_page_may_be_moved_and_stretched() -> None:
    moved = (
        (x0 * 0.9 + 20, y0 * 1.05 + 5, x1 * 0.9 + 20, y1 * 1.05 + 5, text) for x0, y0, x1, y1, text in rows(VALUES)
    )
    assert values_of(one(sheet(moved))) == EXPECTED


def test_a_turned_page_is_read() -> None:
    page = sheet()
    page.operations.insert(0, "0 1 -1 0 842 0 cm")
    page.width, page.height, page.attributes = 842, 595, "/Rotate 90"
    assert values_of(one(page)) == EXPECTED


def test_labels_may_be_synonyms_with_blanks_and_brackets() -> None:
    swaps = {
        "申請種別": "申請 区分",
        "社名": "会社名",
        "メールアドレス": "Ｅ－Ｍａｉｌ",
        "氏名（日本語）": "氏　名 (日本語)【必須】",
        "利用者": "利用者に関する情報",
    }
    swapped = ((*place, swaps.get(text, text)) for *place, text in rows(VALUES))
    assert values_of(one(sheet(swapped))) == EXPECTED  # type: ignore[arg-type]


def test_agreement_may_be_worded_either_way() -> None:
    swap = {"同意": "合意", "合意": "同意"}
    ticked = ("webec_terms", "ogis_terms")

    def reworded() -> Iterator[Row]:
        for *place, text in rows(VALUES, ticked=ticked):
            yield (*place, text[:-2] + swap.get(text[-2:], text[-2:]))  # type: ignore[misc]

    assert {key for key, on in one(sheet(reworded())).confirmations.items() if on} == set(ticked)


def test_a_heading_above_its_block_is_as_good_as_one_beside_it() -> None:
    def spread() -> Iterator[Row]:
        y = 60.0
        yield (40, y, 200, y + 14, "申請種別")
        yield (200, y, 400, y + 14, "再発行")
        for block in TABLE.blocks:
            y += 18
            yield (40, y, 540, y + 14, FORM.block_labels[block.key][0])
            for row in block.rows:
                y += 14
                yield (40, y, 200, y + 14, FORM.label(row.key))
                yield (200, y, 540, y + 14, VALUES.get(row.key, ""))

    assert values_of(one(sheet(spread()))) == {key: text for key, text in EXPECTED.items() if key != "application_date"}


def test_before_and_after_may_stand_side_by_side() -> None:
    def pairs() -> Iterator[Row]:
        yield from list(rows(VALUES, type_word="登録変更"))[:2]
        yield (40, 100, 290, 116, "変更前（前任者）")
        yield (300, 100, 550, 116, "変更後（後任者）")
        for number, row in enumerate(TABLE.block("before").rows):
            y, name = 116.0 + 16 * number, row.key.partition(".")[2]
            for x, side in ((40, "before"), (300, "after")):
                yield (x, y, x + 90, y + 16, FORM.label(row.key))
                yield (x + 90, y, x + 250, y + 16, f"{side} {name}" if name != "email" else f"{side}@a.example")

    found = values_of(one(sheet(pairs())))
    assert found["before.name_ja"] == "before name_ja"
    assert found["after.name_ja"] == "after name_ja"
    assert found["after.email"] == "after@a.example"


def test_a_value_may_stand_below_its_label() -> None:
    def below() -> Iterator[Row]:
        yield from list(rows(VALUES))[8:]
        yield (40, 60, 200, 70, "申請種別")
        yield (40, 70, 200, 82, "再発行")
        yield (240, 60, 400, 70, "申請日")
        yield (240, 70, 400, 82, "令和6年7月1日")

    application = one(sheet(below()))
    assert application.request_type is RequestType.REISSUE
    assert application.value("application_date") == "2024-07-01"


def test_the_box_to_tick_may_stand_behind_its_statement_or_inside_it() -> None:
    def behind() -> Iterator[Row]:
        for x0, y0, x1, y1, text in rows(VALUES):
            if text in ("✓", "□"):
                yield (400, y0, 420, y1, text)
            elif x0 == 60:
                yield (60, y0, 400, y1, text)
            else:
                yield (x0, y0, x1, y1, text)

    def inside() -> Iterator[Row]:
        mark = ""
        for x0, y0, x1, y1, text in rows(VALUES):
            if text in ("✓", "□"):
                mark = text
            elif x0 == 60:
                yield (40, y0, x1, y1, f"{mark} {text}")
            else:
                yield (x0, y0, x1, y1, text)

    for layout in (behind, inside):
        assert {key for key, on in one(sheet(layout())).confirmations.items() if on} == set(TICKED), layout


@pytest.mark.parametrize(
    ("mark", "ticked"),
    [("✓", True), ("レ", True), ("■", True), ("○", True), ("□", False), ("", False), ("?", None)],
)
def test_a_mark_is_ticked_unticked_or_unknown(mark: str, ticked: bool | None) -> None:
    marked = ((*place, mark if text == "✓" else text) for *place, text in rows(VALUES))
    assert one(sheet(marked)).confirmations["content_correct"] is ticked  # type: ignore[arg-type]


def test_a_value_of_several_lines_is_joined() -> None:
    tall = [(40, 700, 200, 740, "備考"), (200, 700, 540, 740, "よろしく\nお願いします\nAozora\nDenki")]
    kept = [row for row in rows(VALUES) if row[1] != 108]
    assert one(sheet(iter([*kept, *tall]))).value("remarks") == "よろしくお願いしますAozora Denki"


def test_a_value_that_overflows_its_cell_is_read_whole_but_with_doubt() -> None:
    long = "Aozora Electric Machinery and Instruments of Greater Kansai Co., Ltd."
    cut = [
        (x0, y0, 330 if x0 == 200 and x1 == 420 else x1, y1, text)
        for x0, y0, x1, y1, text in rows(VALUES | {"user.company_en": long})
    ]
    field = one(sheet(iter(cut))).fields["user.company_en"]
    assert field.value == long
    assert field.confidence < 0.9


def test_odd_characters_lower_the_confidence() -> None:
    opened = open_document(to_pdf(sheet()))
    [page] = opened.pages
    name = next(cell for cell in page.cells if cell.text == VALUES["user.name_ja"])
    odd = replace(name, runs=(replace(name.runs[0], text="髙橋\ue123子"),))
    cells = tuple(odd if cell is name else cell for cell in page.cells)
    spoilt = replace(opened, pages=(replace(page, cells=cells),))
    [application] = read_document(spoilt, received_on=RECEIVED).applications
    assert application.fields["user.name_ja"].confidence < 0.9
    assert ("reading_doubtful", "user.name_ja") in {(finding.code, finding.field) for finding in application.findings}


def test_a_form_that_somebody_wrote_on_is_all_doubt_and_no_defect() -> None:
    page = sheet(rows({}))
    page.attributes = "/Annots [<< /Type /Annot /Subtype /FreeText /Rect [0 0 9 9] /DA () >>]"
    application = one(page)
    assert {field.confidence for field in application.fields.values()} == {0.5}
    assert application.confirmations["webec_terms"] is None
    assert "defect" not in {finding.severity for finding in application.findings if finding.field in application.fields}


def test_a_missing_label_is_a_doubt_and_no_defect() -> None:
    kept = (row for row in rows(VALUES) if row[4] not in ("社名（英語）", VALUES["user.company_en"]))
    application = one(sheet(kept))
    assert application.fields["user.company_en"].confidence == 0.0
    assert [
        (finding.code, finding.severity) for finding in application.findings if finding.field == "user.company_en"
    ] == [("field_missing", "doubt")]


def test_a_missing_box_is_unknown() -> None:
    kept = (row for row in rows(VALUES) if row[4] != FORM.label("content_correct"))
    assert one(sheet(kept)).confirmations["content_correct"] is None


# --- the type -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("再発行", RequestType.REISSUE, ("再発行",)),
        ("解約・失効", RequestType.CANCELLATION, ("解約・失効",)),
        ("解約-失効", RequestType.CANCELLATION, ("解約・失効",)),  # a recogniser takes the dot for a dash
        ("解約", RequestType.CANCELLATION, ("解約・失効",)),
        ("担当者変更", RequestType.HANDOVER, ("担当変更",)),
        ("登録内容変更", RequestType.REGISTRATION_CHANGE, ("登録変更",)),
        ("新 規 発 行", RequestType.NEW_ISSUE, ("新規発行",)),
        ("□新規発行 ☑再発行 □登録変更 □担当変更 □解約・失効", RequestType.REISSUE, ("再発行",)),
        ("■新規発行 □再発行", RequestType.NEW_ISSUE, ("新規発行",)),
        ("新規発行 再発行", None, ("新規発行", "再発行")),
        ("新規発行／解約", None, ("新規発行", "解約・失効")),
        ("☑新規発行 ☑再発行 □登録変更", None, ("新規発行", "再発行")),
        ("□新規発行 □再発行", None, ()),
        ("再発行ではない", None, ("再発行",)),
        ("更新", None, ()),
        ("", None, ()),
    ],
)
def test_one_type_is_a_type_and_anything_else_is_undecided(
    text: str, kind: RequestType | None, words: tuple[str, ...]
) -> None:
    assert read_type(text, FORM, TABLE) == (kind, words)


# --- form versions ------------------------------------------------------------------------------------------------


def test_the_version_is_known_by_its_mark() -> None:
    application = one(sheet(rows(VALUES, form=OLD), title=OLD.title, mark=OLD.mark))
    assert application.form_version == "2021-04"
    assert "wished_revocation_date" not in application.fields
    assert values_of(application) == EXPECTED


def test_without_a_mark_the_label_of_the_wished_date_decides() -> None:
    assert one(sheet(mark="")).form_version == "2024-07"
    old = [row for row in rows(VALUES) if "失効希望日" not in row[4]]
    assert one(sheet(iter(old), mark="")).form_version == "2021-04"


# --- which pages are forms ----------------------------------------------------------------------------------------


def letter(*lines: str) -> Drawing:
    page = Drawing()
    for number, line in enumerate(lines):
        page.text(60, 60 + 20 * number, line)
    return page


TERMS = letter("WebEC電子証明書発行サービス利用規定", "第1条 本規定は、本サービスの利用に関する条件を定めます。")
COVER = letter("書類送付のご案内", "下記の書類をお送りします。", "", "WebEC電子証明書発行サービス申請書")
INVOICE = letter("請求書", "下記のとおりご請求申し上げます。合計金額は 110,000 円です。")


def problems(*pages: Drawing) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.page) for problem in read(to_pdf(*pages), received_on=RECEIVED).problems]


def test_terms_and_cover_letters_are_told_apart_quietly() -> None:
    assert problems(TERMS) == [("cover_or_terms", 1)]
    assert problems(COVER) == [("cover_or_terms", 1)]


def test_a_document_without_any_form_is_not_a_form() -> None:
    assert problems(INVOICE) == [("not_a_form", 1)]


def test_a_page_beside_a_form_is_its_companion() -> None:
    found = read(to_pdf(INVOICE, sheet(), TERMS), received_on=RECEIVED)
    assert [application.pages for application in found.applications] == [(2,)]
    assert [(problem.code, problem.page) for problem in found.problems] == [
        ("cover_or_terms", 1),
        ("cover_or_terms", 3),
    ]


def test_a_page_without_text_goes_to_staff() -> None:
    assert problems(Drawing()) == [("no_text_layer", 1)]
    found = read(to_pdf(sheet(), Drawing()), received_on=RECEIVED)
    assert (len(found.applications), [problem.code for problem in found.problems]) == (1, ["no_text_layer"])


@pytest.mark.parametrize(
    "title",
    [
        "クラウド請求書サービス 利用申込書",
        "サーバ電子証明書発行サービス申請書",
        "電子証明書発行サービス申請書（XYZ-EDI）",
        "住所変更届",
    ],
)
def test_a_form_of_another_service_is_not_processed(title: str) -> None:
    assert problems(sheet(title=title, mark="")) == [("other_service", 1)]


@pytest.mark.parametrize(
    "title",
    [
        "WebEC電子証明書発行サービス申請書",
        "ＷｅｂＥＣ電子証明書発行サービス　申請書",
        "電子証明書発行サービス申請書",
        "WebEC電子証明書発行サービス申請書（新規発行/再発行/登録変更/解約）",
        "電子証明書発行サービス申請書（WebEC）",
        "",
    ],
)
def test_our_form_is_known_by_each_of_its_titles(title: str) -> None:
    assert one(sheet(title=title)).form_version == "2024-07"


def test_several_forms_in_one_pdf_are_several_applications() -> None:
    second = sheet(rows(VALUES | {"user.name_ja": "鈴木 一郎"}))
    found = read(to_pdf(sheet(), second), received_on=RECEIVED)
    assert [(application.pages, application.value("user.name_ja")) for application in found.applications] == [
        ((1,), "髙橋 花子"),
        ((2,), "鈴木 一郎"),
    ]
    assert {field.page for field in found.applications[1].fields.values()} == {2}


def test_no_pdf_is_a_parse_error() -> None:
    with pytest.raises(ParseError):
        read(b"", received_on=RECEIVED)


# --- the seal -----------------------------------------------------------------------------------------------------


def in_colour(page: Drawing) -> Drawing:
    """The page with a fill as that of a required cell, without which no absence of a seal is claimed."""
    page.operations.insert(0, f"q 1 1 0.6 rg {page._at(20, 20)} 120 15 re f Q")
    return page


def test_an_empty_seal_box_is_absent_and_a_red_mark_is_present() -> None:
    assert one(in_colour(sheet())).seal.verdict is SealVerdict.ABSENT
    page = sheet()
    page.operations.append(f"q 0.8 0.15 0.15 RG 3 w {page._at(450, 600)} 50 50 re S {page._at(460, 590)} 30 30 re S Q")
    assert one(page).seal.verdict is SealVerdict.PRESENT


@pytest.mark.parametrize(
    ("text", "verdict"), [("印", SealVerdict.ABSENT), ("㊞", SealVerdict.ABSENT), ("田中", SealVerdict.UNCLEAR)]
)
def test_what_the_form_prints_in_the_box_is_no_seal_and_what_was_typed_there_is_unclear(
    text: str, verdict: SealVerdict
) -> None:
    cells = [(*row[:4], text) if row[:2] == (430, 516) else row for row in rows(VALUES)]
    assert one(in_colour(sheet(iter(cells)))).seal.verdict is verdict  # type: ignore[arg-type]


def test_a_text_page_without_colour_claims_no_absence_either() -> None:
    """Its seal may be a grey picture over the print, which nobody can tell from print."""
    assert one(sheet()).seal.verdict is SealVerdict.UNCLEAR


def test_a_form_whose_seal_box_is_not_found_is_unclear() -> None:
    assert one(sheet(row for row in rows(VALUES) if row[0] != 430)).seal.verdict is SealVerdict.UNCLEAR


def test_the_seal_may_be_left_unexamined() -> None:
    [application] = read(to_pdf(sheet()), received_on=RECEIVED, seal=False).applications
    assert application.seal.verdict is SealVerdict.UNCLEAR


# --- corrections by staff -----------------------------------------------------------------------------------------


def test_a_correction_replaces_value_and_doubt_and_nothing_else() -> None:
    before = one(sheet(rows(VALUES | {"user.email": "a@a.example / b@a.example"})))
    after = amended(before, "user.email", "ｂ＠a.example", received_on=RECEIVED)
    assert after is not None
    assert after.value("user.email") == "b@a.example"
    assert after.fields["user.email"].confidence == 1.0
    assert after.fields["user.email"].box == before.fields["user.email"].box
    assert {key: field for key, field in after.fields.items() if key != "user.email"} == {
        key: field for key, field in before.fields.items() if key != "user.email"
    }


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("wished_revocation_date", "令和6年7月20日", "2024-07-20"),
        ("wished_revocation_date", "なし", None),
        ("user.name_en", "Ｔaro", "Taro"),
    ],
)
def test_a_correction_is_read_as_the_form_is(key: str, text: str, value: str | None) -> None:
    changed = amended(one(sheet()), key, text, received_on=RECEIVED)
    assert changed is not None
    assert changed.value(key) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("wished_revocation_date", "6/7/1"),
        ("application_date", "いつか"),
        ("user.email", "x"),
        ("user.name_ja", " "),
        ("application_date", ""),
    ],
)
def test_a_correction_that_is_no_value_is_none(key: str, text: str) -> None:
    assert amended(one(sheet()), key, text, received_on=RECEIVED) is None


def test_a_correction_of_an_unknown_field_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        amended(one(sheet()), "user.shoe_size", "42", received_on=RECEIVED)


def test_a_correction_gives_the_old_form_a_wished_date() -> None:
    old = one(sheet(rows(VALUES, form=OLD), mark=OLD.mark))
    changed = amended(old, "wished_revocation_date", "2024-07-20", received_on=RECEIVED)
    assert changed is not None
    assert changed.value("wished_revocation_date") == "2024-07-20"


# --- JSON and the child -------------------------------------------------------------------------------------------


def test_an_application_survives_its_json() -> None:
    found = read(to_pdf(sheet(), INVOICE), received_on=RECEIVED)
    [application] = found.applications
    assert application_from_json(json.loads(json.dumps(application_to_json(application)))) == application
    assert set(to_json(found)) == {"applications", "problems"}


def run_child(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: bytes, *arguments: str
) -> tuple[int, dict[str, object]]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code = child.main(arguments)
    return code, json.loads(capsys.readouterr().out)


def test_the_child_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run_child(monkeypatch, capsys, to_pdf(sheet()), "--received", "2024-07-03")
    assert code == 0
    assert document == to_json(Reading(read(to_pdf(sheet()), received_on=RECEIVED).applications))


def test_the_child_reads_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "form.pdf"
    path.write_bytes(to_pdf(sheet()))
    code, document = run_child(monkeypatch, capsys, b"", str(path))
    assert code == 0
    assert document["applications"]


def test_the_child_names_what_it_could_not_open(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = run_child(monkeypatch, capsys, b"PK\x03\x04")
    assert code == 1
    assert document == {"error": {"kind": "archive", "page": None, "sentence": "no PDF header, looks like archive"}}
