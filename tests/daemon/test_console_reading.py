"""`form` and `read`: the blank form, and a form read as the service would, in the shape of SPEC 5."""

import email.policy
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import openpyxl
import pytest

from config import forms, request_types
from daemon.reading_console import PROBLEM_WORDS, SEAL_WORDS, SEVERITY_WORDS
from parsers.attachments import DocumentKind
from parsers.errors import ParseKind
from parsers.reading import SealVerdict, Severity
from support.command_lines import CommandLine

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


@pytest.fixture
def lra(tmp_path, capsys):
    """Reading a form needs no centre: there is no configuration, no database, no server."""
    return CommandLine(tmp_path / "none.toml", lambda: datetime(2024, 7, 2, 16, tzinfo=UTC), capsys)


def sample(name: str) -> str:
    return str(SAMPLES / name)


def mail(*attachments: tuple[str, bytes]) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = "a@aozora-denki.example", "ogis-lra@lra.example", "申請"
    message.set_content("お送りします。")
    for name, data in attachments:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def test_read_prints_exactly_the_document_of_the_contract(lra):
    answered = lra("read", sample("reissue__with_date.pdf"), "--json")
    assert answered.code == 0
    assert answered.err == ""
    assert set(answered.document) == {"applications", "problems"}
    (application,) = answered.document["applications"]
    assert {"request_type", "form_version", "route", "pages", "fields", "confirmations", "seal", "findings"} <= set(
        application
    )
    assert (application["request_type"], application["form_version"]) == ("reissue", "2024-07")
    assert application["route"] == "text"
    assert application["pages"] == [1]
    table = request_types.load()
    assert set(application["fields"]) == set(forms.newest().field_keys(table))
    for field in application["fields"].values():
        assert set(field) == {"value", "raw", "confidence", "page", "box"}
        assert 0 <= field["confidence"] <= 1
    assert application["fields"]["user.name_ja"]["value"] == "山田 花子"
    x0, y0, x1, y1 = application["fields"]["user.name_ja"]["box"]
    assert 0 < x0 < x1 < 600
    assert 0 < y0 < y1 < 850
    assert application["fields"]["before.email"]["value"] is None
    assert set(application["confirmations"]) == {row.key for row in table.confirmations}
    assert set(application["confirmations"].values()) <= {True, False, None}
    assert application["seal"]["verdict"] == "present"
    assert 0 < application["seal"]["confidence"] <= 1
    for finding in application["findings"]:
        assert set(finding) == {"code", "severity", "field", "message"}


def test_read_shows_people_the_labels_of_the_form_and_words_they_know(lra):
    out = lra("read", sample("reissue.pdf")).out
    for expected in ("申請種別  再発行", "利用者 氏名（英語）", "Hanako YAMADA", "☑", "押印：あり", "指摘事項"):
        assert expected in out
    assert "None" not in out


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("new_issue.pdf", 0),
        ("cover_and_form.pdf", 0),
        ("new_issue__no_seal.pdf", 1),
        ("new_issue__fields_missing.pdf", 1),
        ("reissue__date_too_late.pdf", 1),
        ("registration_change__revoke_unticked.pdf", 0),  # a warning is the staff's to accept
    ],
)
def test_a_defect_is_not_in_order_and_a_warning_is(lra, name, code):
    assert lra("read", sample(name)).code == code
    assert lra("read", sample(name), "--json").code == code


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("empty.pdf", "empty"),
        ("not_a_pdf.pdf", "not_pdf"),
        ("encrypted.pdf", "encrypted"),
        ("truncated.pdf", "damaged"),
        ("form.xlsx", "spreadsheet"),
        ("image_only.pdf", "no_text_layer"),
        ("other_service.pdf", "other_service"),
    ],
)
def test_a_bad_file_is_a_problem_of_its_own_and_not_in_order(lra, name, problem):
    answered = lra("read", sample(name), "--json")
    assert answered.code == 1
    assert answered.document["applications"] == []
    assert [each["code"] for each in answered.document["problems"]] == [problem]
    assert set(answered.document["problems"][0]) == {"code", "page", "message"}
    people = lra("read", sample(name))
    assert people.code == 1
    assert f"[{problem}]" in people.out
    assert any("ぁ" <= char <= "ん" for char in people.out), "staff read Japanese"


def test_several_forms_are_counted_for_people(lra):
    out = lra("read", sample("two_forms.pdf")).out
    assert "【1件目】" in out
    assert "【2件目】" in out


def test_the_day_of_receipt_can_be_said_and_is_else_today_in_japan(lra):
    def codes(*words):
        document = lra("read", sample("new_issue.pdf"), "--json", *words).document
        return {finding["code"] for finding in document["applications"][0]["findings"]}

    assert codes() == codes("--received", "2024-07-03")
    assert codes("--received", "2024-12-01") - codes() == {"application_date_old"}


def test_a_mail_gives_the_applications_of_all_its_attachments_in_the_same_shape(lra, tmp_path):
    path = tmp_path / "mail.EML"
    path.write_bytes(
        mail(
            ("a.pdf", (SAMPLES / "new_issue.pdf").read_bytes()),
            ("b.bin", (SAMPLES / "cancellation.pdf").read_bytes()),
            ("form.xlsx", (SAMPLES / "form.xlsx").read_bytes()),
            ("c.pdf", b"%PDF-1.7 broken"),
        )
    )
    answered = lra("read", str(path), "--json")
    assert [each["request_type"] for each in answered.document["applications"]] == ["new_issue", "cancellation"]
    assert [each["code"] for each in answered.document["problems"]] == ["spreadsheet", "damaged"]


@pytest.mark.parametrize("raw", [b"", b"\x00\xff" * 50, mail()])
def test_a_mail_without_a_document_says_so(lra, tmp_path, raw):
    path = tmp_path / "mail.eml"
    path.write_bytes(raw)
    answered = lra("read", str(path), "--json")
    assert answered.code == 1
    assert [each["code"] for each in answered.document["problems"]] == ["no_document"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere.pdf",), "nowhere.pdf cannot be read: No such file"),
        ((str(SAMPLES),), "cannot be read: Is a directory"),
        ((sample("reissue.pdf"), "--received", "7/3"), "'7/3' is not a day; write it as YYYY-MM-DD"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_wrong_use(lra, words, sentence):
    answered = lra("read", *words)
    assert answered.code == 2
    assert answered.out == ""
    assert sentence in answered.err


def test_every_kind_of_problem_has_a_japanese_sentence():
    kinds = {kind.value for kind in ParseKind} | {
        kind.value for kind in DocumentKind if kind not in (DocumentKind.PDF, DocumentKind.OTHER)
    }
    assert kinds <= PROBLEM_WORDS.keys()
    assert set(SEAL_WORDS) == set(SealVerdict)
    assert set(SEVERITY_WORDS) == set(Severity)


def test_the_blank_form_is_written_as_excel(lra, tmp_path):
    target = tmp_path / "form.xlsx"
    answered = lra("form", "--xlsx", str(target), "--json")
    assert answered.code == 0
    assert answered.document == {"file": str(target), "form_version": forms.newest().version}
    assert "申請書" in str([cell.value for row in openpyxl.load_workbook(target).active.rows for cell in row])
    assert forms.newest().mark in lra("form", "--xlsx", str(target)).out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "ogis-lra form --xlsx OUT"),
        (("--pdf", "out.pdf"), "stage 2"),
        (("--fill", "values.json", "--pdf", "out.pdf"), "stage 2"),
        (("--xlsx", "/nowhere/form.xlsx"), "cannot be written"),
    ],
)
def test_a_form_that_cannot_be_written_is_a_wrong_use(lra, words, sentence):
    answered = lra("form", *words)
    assert answered.code == 2
    assert sentence in answered.err


def test_an_error_in_json_is_one_document_too(lra):
    answered = lra("read", "nowhere.pdf", "--json")
    assert answered.code == 2
    assert json.loads(answered.out) == {"error": "nowhere.pdf cannot be read: No such file or directory"}
