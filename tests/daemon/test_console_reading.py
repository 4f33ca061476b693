"""`read`: a form read as the service would, in the shape of SPEC 5."""

import email.policy
import json
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from config import forms, request_types
from daemon.doubt_words import DOUBT_WORDS, NOTE_WORDS
from daemon.reading_console import PROBLEM_WORDS, SEAL_WORDS, SEVERITY_WORDS, application_lines
from parsers import overlay
from parsers.attachments import DocumentKind
from parsers.errors import ParseKind
from parsers.reading import FieldValue, SealVerdict, Severity
from support.applications import application
from support.command_lines import CommandLine
from support.scanned import scanned

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


@pytest.fixture
def lra(tmp_path, capsys, centres):
    """Reading a form needs no centre: there is no configuration, no database, no server. The confined reader is that of
    the whole session, since its recogniser takes seconds to start."""
    clock = lambda: datetime(2024, 7, 2, 16, tzinfo=UTC)  # noqa: E731 - a clock that stands still
    return CommandLine(tmp_path / "none.toml", clock, capsys, open_reader=lambda _: centres.reader)


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
        assert set(field) == {"value", "raw", "confidence", "page", "box", "doubts"}
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


def test_a_scan_is_read_and_what_is_not_sure_of_it_is_marked(lra):
    answered = lra("read", sample("image_only.pdf"), "--json")
    (application,) = answered.document["applications"]
    assert (application["request_type"], application["route"]) == ("new_issue", "scan")
    assert application["fields"]["user.email"]["value"] == "hanako.yamada@aozora-denki.example"
    assert all(0 <= field["confidence"] <= 1 for field in application["fields"].values())
    assert not [found for found in application["findings"] if found["severity"] == "defect"]
    assert "読み取り方法：scan" in lra("read", sample("image_only.pdf")).out


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


def test_an_error_in_json_is_one_document_too(lra):
    answered = lra("read", "nowhere.pdf", "--json")
    assert answered.code == 2
    assert json.loads(answered.out) == {"error": "nowhere.pdf cannot be read: No such file or directory"}


# --- for a person who asks what the program saw ---


def test_a_doubtful_value_is_marked_with_how_sure_it_is_and_every_reason():
    form = scanned(application("reissue"), user__email=("second_opinion", "look_alike"))
    lines = application_lines(replace(form, notes=("cut_page",)), request_types.load())
    at = next(number for number, line in enumerate(lines) if "利用者 メールアドレス" in line)
    assert lines[at].startswith("  ？ 利用者 メールアドレス")
    assert lines[at].endswith("0.60")
    assert [line.strip(" └") for line in lines[at + 1 : at + 3]] == [
        DOUBT_WORDS["second_opinion"],
        DOUBT_WORDS["look_alike"],
    ]
    (sure,) = [line for line in lines if "申請者 メールアドレス" in line]
    assert sure.startswith("  ✓  申請者")
    assert f"  ・{NOTE_WORDS['cut_page']}" in lines


def test_a_value_that_could_not_be_read_shows_what_stood_there_and_an_empty_one_in_doubt_says_so():
    form = scanned(application("reissue"))
    box = form.fields["user.email"].box
    unread = {"user.email": FieldValue(None, "han ako@", 0.3, 1, box), "remarks": FieldValue(None, "", 0.3, 1, box)}
    text = "\n".join(application_lines(replace(form, fields={**form.fields, **unread}), request_types.load()))
    assert "（読み取れません：han ako@）" in text
    assert "備考" in text
    assert "（空欄）" in text


def test_certainty_is_rounded_down_and_said_of_nothing_that_is_certain():
    form = scanned(application("reissue"))
    almost = replace(form.fields["user.email"], confidence=0.899)
    lines = application_lines(replace(form, fields={"user.email": almost}), request_types.load())
    assert [line for line in lines if line.endswith("0.89")]
    certain = application_lines(application("reissue"), request_types.load())
    assert not [line for line in certain if line.rstrip().endswith("1.00")]


def test_every_page_of_a_form_is_drawn_with_what_was_read_on_it(lra, tmp_path):
    out = tmp_path / "seen.png"
    answered = lra("read", sample("two_forms.pdf"), "--picture", str(out))
    written = sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".png")
    assert written == ["seen-2.png", "seen.png"]
    assert all(name in answered.out for name in written)
    drawn = np.asarray(Image.open(out).convert("RGB")).reshape(-1, 3)
    assert (drawn == np.array(overlay.ACCEPTED)).all(axis=1).sum() > 500
    assert lra("read", sample("two_forms.pdf"), "--picture", str(out), "--json").document["applications"]


def test_where_no_page_is_a_form_nothing_is_drawn(lra, tmp_path):
    out = tmp_path / "seen.png"
    answered = lra("read", sample("other_service.pdf"), "--picture", str(out))
    assert "描いていません" in answered.out
    assert not out.exists()


def test_a_picture_that_cannot_be_written_is_a_wrong_use(lra, tmp_path):
    answered = lra("read", sample("reissue.pdf"), "--picture", str(tmp_path / "no" / "seen.png"))
    assert answered.code == 2
    assert "cannot be written" in answered.err
