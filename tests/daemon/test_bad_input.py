"""Bad input through the whole path: fetched by IMAP, stored, read, answered or shown, filed. Nothing is ever lost.

One centre gets every bad mail at once and works one round; each test then looks at what became of one of them.
"""

import io
import zipfile
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from daemon import cases, ledger, loop, schema
from daemon.case import State
from daemon.demo.server import MailServer
from daemon.demo.stage import APPROVERS, AUTHSERV_ID, CENTRE, Clock
from daemon.store import every, one
from parsers.mail import open_mail
from support.centres import START
from support.pictures import photo_pdf

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
FILED, FOR_STAFF = "LRA-Processed", "LRA-Staff"


def sample(name):
    return (SAMPLES / name).read_bytes()


def mail(name, *attachments, sender=None, headers=(), text="よろしくお願いします。"):
    message = EmailMessage(policy=SMTP)
    if sender != "":
        message["From"] = sender or f"{name}@sender.example"
    message["To"] = CENTRE
    message["Subject"] = f"申請 {name}"
    message["Message-ID"] = f"<{name}@sender.example>"
    for key, value in headers:
        message[key] = value
    message.set_content(text, cte="base64")
    for file_name, data in attachments:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=file_name)
    return bytes(message)


def zipped(data):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("form.pdf", data)
    return target.getvalue()


FORM = sample("new_issue.pdf")
MAILS = {
    "empty": mail("empty", ("form.pdf", b"")),
    "not-a-pdf": mail("not-a-pdf", ("form.pdf", sample("not_a_pdf.pdf"))),
    "encrypted": mail("encrypted", ("form.pdf", sample("encrypted.pdf"))),
    "excel": mail("excel", ("form.xlsx", sample("form.xlsx"))),
    "excel-named-pdf": mail("excel-named-pdf", ("form.pdf", sample("form.xlsx"))),
    "truncated": mail("truncated", ("form.pdf", sample("truncated.pdf"))),
    "zip": mail("zip", ("form.zip", zipped(FORM))),
    "seven-zip": mail("seven-zip", ("form.7z", b"7z\xbc\xaf\x27\x1c" + bytes(40))),
    "picture": mail("picture", ("form.png", b"\x89PNG\r\n\x1a\n" + bytes(30_000))),
    "other-service": mail("other-service", ("form.pdf", sample("other_service.pdf"))),
    "image-only": mail("image-only", ("form.pdf", photo_pdf())),
    "type-missing": mail("type-missing", ("form.pdf", sample("type_missing.pdf"))),
    "two-types": mail("two-types", ("form.pdf", sample("type_two.pdf"))),
    "grey": mail("grey", ("form.pdf", sample("new_issue__grey_filled.pdf"))),
    "era": mail("era", ("form.pdf", sample("reissue__era_dates.pdf"))),
    "wide": mail("wide", ("form.pdf", sample("new_issue__wide_mail.pdf"))),
    "terms": mail("terms", ("terms.pdf", sample("terms_only.pdf"))),
    "cover": mail("cover", ("form.pdf", sample("cover_and_form.pdf"))),
    "two-forms": mail("two-forms", ("form.pdf", sample("two_forms.pdf"))),
    "no-sender": mail("no-sender", sender=""),
    "no-sender-form": mail("no-sender-form", ("form.pdf", FORM), sender=""),
    "two-senders": b"From: other@sender.example\r\n" + mail("two-senders", text="教えてください。"),
    "automatic-form": mail("automatic-form", ("form.pdf", FORM), headers=[("Auto-Submitted", "auto-generated")]),
    "automatic": mail("automatic", headers=[("Auto-Submitted", "auto-replied")]),
    "own": mail("own", sender=CENTRE),
    "own-form": mail("own-form", ("form.pdf", FORM), sender=CENTRE),
    "own-loop": mail("own-loop", sender=CENTRE, headers=[("Auto-Submitted", "auto-generated")]),
    "question": mail("question", text="担当者が退職しました。どうすればよいですか。"),
    "random": bytes(range(256)) * 40,
    "zeros": bytes(5000),
    "headerless": b"\r\n\r\nhello",
}


# From a sender of its own: the other tests count what each sender of MAILS was answered.
GROWN = mail("grown", ("form.pdf", b""))


@dataclass
class Outcome:
    """What became of one mail."""

    row: object
    cases: list
    answers: list
    notices: list

    @property
    def answer(self):
        (only,) = self.answers
        return only

    @property
    def text(self):
        return open_mail(self.answer["raw"]).text


class Round:
    """A centre after one round with all the bad mails."""

    def __init__(self, stage):
        self.stage, self.server = stage, stage.server
        for raw in MAILS.values():
            self.server.append(CENTRE, raw)
        self.progress = loop.run_round(stage.centre)

    def of(self, name):
        centre = self.stage.centre
        digest = centre.blobs.put(MAILS[name])
        with centre.store.transaction() as tx:
            row = one(tx, select(schema.mails).where(schema.mails.c.digest == digest))
            found = every(tx, select(schema.applications).where(schema.applications.c.mail_id == row["id"]))
            opened = [cases.get(tx, each["case_id"]) for each in found]
            letters = every(tx, select(schema.letters).order_by(schema.letters.c.id))
        own = {case.id for case in opened}
        keys = (f"staff:mail:{row['id']}:", *(f"staff:receipt:{each}:" for each in own))
        return Outcome(
            ledger.MailRow(**row),
            opened,
            [each for each in letters if each["recipient"] == f"{name}@sender.example"],
            [
                each
                for each in letters
                if each["key"].startswith(keys) or (each["case_id"] in own and each["kind"] == "approval_request")
            ],
        )

    def findings(self, name):
        centre = self.stage.centre
        (case,) = self.of(name).cases
        with centre.store.transaction() as tx:
            return case, cases.application(tx, case)


@pytest.fixture(scope="module")
def after(centres, tmp_path_factory):
    clock = Clock(START)
    with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as server:
        stage = centres.open(tmp_path_factory.mktemp("bad") / "centre", server, clock)
        yield Round(stage)
        stage.centre.close()


def test_no_bad_mail_makes_a_step_fail(after):
    assert after.progress.failed == ()
    assert after.progress.done["fetch"] == after.progress.done["read"] == after.progress.done["file"] == len(MAILS)
    assert after.server.messages(CENTRE) == []


@pytest.mark.parametrize("name", MAILS)
def test_every_mail_is_kept_octet_for_octet_and_filed(after, name):
    row = after.of(name).row
    assert (row.state, row.attempts) == ("read", 1)
    assert after.stage.centre.blobs.get(row.digest) == MAILS[name]
    assert row.folder in (FILED, FOR_STAFF)
    assert MAILS[name] in after.server.messages(CENTRE, row.folder)


@pytest.mark.parametrize(
    ("name", "letter", "words"),
    [
        ("empty", "unreadable", "ファイルの中身が空"),
        ("not-a-pdf", "unreadable", "PDFファイルではない"),
        ("encrypted", "locked_file", "パスワードが設定されて"),
        ("excel", "office_file", "Excelファイルのままでは"),
        ("excel-named-pdf", "office_file", "Excelファイルのままでは"),
        ("truncated", "unreadable", "ファイルが壊れている"),
        ("seven-zip", "unreadable", "この形式の圧縮ファイル"),
        ("picture", "picture_file", "画像ファイル"),
        ("other-service", "unreadable", "申請書ではないようです"),
    ],
)
def test_a_document_that_cannot_be_read_is_answered_with_how_to_mend_it_and_shown_to_staff(after, name, letter, words):
    outcome = after.of(name)
    assert outcome.row.outcome == "unreadable"
    assert outcome.answer["kind"] == letter
    assert words in outcome.text
    assert {notice["recipient"] for notice in outcome.notices} == set(APPROVERS)
    assert outcome.row.folder == FOR_STAFF


def test_a_form_in_a_zip_is_an_application_like_any_other(after):
    outcome = after.of("zip")
    assert len(outcome.cases) == 1
    assert outcome.answer["kind"] in ("receipt", "defects")


def test_pages_without_text_wait_for_staff_under_a_number_and_the_sender_gets_a_receipt(after):
    outcome = after.of("image-only")
    assert outcome.row.outcome == "held_for_staff"
    assert outcome.answer["kind"] == "receipt"
    with after.stage.centre.store.transaction() as tx:
        case = cases.get(tx, outcome.answer["case_id"])
    assert case.state is State.HELD
    assert len(outcome.notices) == len(APPROVERS)


@pytest.mark.parametrize(("name", "code"), [("type-missing", "type_missing"), ("two-types", "type_ambiguous")])
def test_a_form_without_one_type_goes_back_to_its_sender(after, name, code):
    case, application = after.findings(name)
    assert case.state is State.RETURNED
    assert code in [finding.code for finding in application.findings]
    assert after.of(name).answer["kind"] == "defects"
    assert "申請種別" in after.of(name).text


def test_a_value_in_a_grey_cell_is_no_defect_and_is_shown_to_staff(after):
    case, application = after.findings("grey")
    assert case.state is State.AWAITING_DECISION
    assert {finding.field for finding in application.findings if finding.code == "grey_value"} >= {"before.name_ja"}
    request = open_mail(after.of("grey").notices[0]["raw"])
    assert "鈴木 一郎" in request.text
    assert after.of("grey").answer["kind"] == "receipt"


def test_dates_of_an_era_are_read_as_dates(after):
    _, application = after.findings("era")
    assert application.value("application_date") == "2024-07-01"
    assert application.value("wished_revocation_date") == "2024-07-31"


def test_a_full_width_mail_address_is_read_as_the_address_it_means(after):
    case, application = after.findings("wide")
    assert application.value("user.email") == "hanako.yamada@aozora-denki.example"
    assert case.state is State.AWAITING_DECISION


def test_terms_without_a_form_are_answered_with_guidance(after):
    assert after.of("terms").answer["kind"] == "guidance"
    assert after.of("terms").cases == []


def test_a_cover_page_before_the_form_bothers_nobody(after):
    outcome = after.of("cover")
    assert len(outcome.cases) == 1
    assert outcome.row.folder == FILED


def test_two_forms_in_one_document_are_two_cases(after):
    outcome = after.of("two-forms")
    assert len(outcome.cases) == 2
    assert [answer["kind"] for answer in outcome.answers] == ["receipt", "receipt"]


@pytest.mark.parametrize("name", ["no-sender", "two-senders", "random", "zeros", "headerless"])
def test_a_mail_whose_sender_is_not_one_is_not_answered_and_shown_to_staff(after, name):
    outcome = after.of(name)
    assert outcome.answers == []
    assert {notice["recipient"] for notice in outcome.notices} == set(APPROVERS)
    assert outcome.row.folder == FOR_STAFF


@pytest.mark.parametrize("name", ["automatic-form", "no-sender-form", "own-form"])
def test_a_form_that_must_not_be_answered_is_a_case_all_the_same_and_staff_get_the_task(after, name):
    outcome = after.of(name)
    (case,) = outcome.cases
    assert case.state is State.AWAITING_DECISION
    assert case.muted
    assert outcome.answers == []
    subjects = [open_mail(notice["raw"]).subject for notice in outcome.notices]
    assert sum("返信できない申請" in subject for subject in subjects) == len(APPROVERS)


@pytest.mark.parametrize("name", ["automatic", "own", "own-loop"])
def test_automatic_mail_and_our_own_are_never_answered(after, name):
    outcome = after.of(name)
    assert outcome.answers == outcome.cases == outcome.notices == []


def test_nothing_is_ever_sent_to_our_own_address(after):
    with after.stage.centre.store.transaction() as tx:
        assert one(tx, select(schema.letters.c.id).where(schema.letters.c.recipient == CENTRE)) is None


def test_a_question_without_a_form_is_answered_with_what_fits_and_shown_to_staff(after):
    outcome = after.of("question")
    assert outcome.answer["kind"] == "guidance"
    assert "解約" in outcome.text
    assert outcome.row.folder == FOR_STAFF


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(min_size=1, max_size=400), st.binary(max_size=200).map(lambda tail: GROWN + tail)))
def test_no_bytes_in_the_mailbox_stop_the_round(after, raw):
    after.server.append(CENTRE, raw)
    (held,) = after.server.messages(CENTRE)  # the embedded server holds a mail of nothing but blanks as an empty one
    progress = loop.run_round(after.stage.centre)
    assert progress.failed == ()
    assert after.server.messages(CENTRE) == []
    centre = after.stage.centre
    with centre.store.transaction() as tx:
        row = one(tx, select(schema.mails).where(schema.mails.c.digest == centre.blobs.put(held)))
    assert row["state"] == "read"
