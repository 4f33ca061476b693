"""What comes without a readable form: it is answered where it may be, and always shown to a person (SPEC 2)."""

import email.policy
import smtplib
from email.message import EmailMessage
from pathlib import Path

from config.request_types import RequestType
from daemon.demo.stage import APPROVERS, CENTRE
from daemon.demo.story import AOZORA, MINATO
from support.applications import application, case_of, deliver
from support.centres import form
from support.pictures import photo_pdf
from tools.pack_files import zipped

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
FIRST, SECOND = APPROVERS


def send(stage, sender, *papers, answers=""):
    """One mail with these files."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, CENTRE, "申請書"
    message["Message-ID"] = f"<{len(stage.deliveries)}@mail.example>"
    if answers:
        message["In-Reply-To"] = answers
    message.set_content("お送りします。")
    for number, paper in enumerate(papers, 1):
        message.add_attachment(paper, maintype="application", subtype="pdf", filename=f"{number}.pdf")
    with smtplib.SMTP(stage.server.host, stage.server.smtp_port, "client.example", timeout=20) as client:
        client.send_message(message, sender, [CENTRE])
    stage.work()


def test_a_scan_waits_for_staff_as_a_case_with_a_number(stage):
    send(stage, AOZORA, photo_pdf())
    (receipt,) = stage.letters(AOZORA)
    assert "WEBEC-20260401-0001" in receipt.subject
    assert case_of(stage, "WEBEC-20260401-0001").state == "held"
    for address in APPROVERS:
        (shown,) = stage.letters(address)
        assert "読み取れない申請書 WEBEC-20260401-0001" in shown.subject
        assert shown.attachments


def test_a_form_is_taken_and_the_scan_beside_it_is_shown(stage):
    send(stage, MINATO, form(stage, "new_issue_takeru"), photo_pdf())
    assert case_of(stage, "WEBEC-20260401-0001").state == "awaiting_decision"
    assert case_of(stage, "WEBEC-20260401-0002") is None
    subjects = [mail.subject for mail in stage.letters(SECOND)]
    assert any("承認依頼" in subject for subject in subjects)
    assert any("読み取れないページがあります" in subject for subject in subjects)


def test_what_cannot_be_opened_or_is_of_another_service_is_answered_with_the_reason(stage):
    send(stage, AOZORA, (SAMPLES / "encrypted.pdf").read_bytes(), (SAMPLES / "other_service.pdf").read_bytes())
    (answer,) = stage.letters(AOZORA)
    assert "パスワード" in answer.text
    assert "申請書ではないようです" in answer.text.replace("\n", "").replace("　", "")
    (shown,) = stage.letters(FIRST)
    assert "申請書のないメール" in shown.subject


def test_a_form_in_a_zip_is_taken_and_its_sender_is_told_of_the_locked_file_beside_it(stage):
    locked = zipped([("二人目.pdf", b"%PDF-1.7")], encrypted=True)
    logo = b"\x89PNG\r\n\x1a\n" + bytes(3000)
    send(stage, MINATO, zipped([("一人目.pdf", form(stage, "new_issue_takeru"))]), locked, logo)
    assert case_of(stage, "WEBEC-20260401-0001").state == "awaiting_decision"
    told = {mail.subject: mail.text for mail in stage.letters(MINATO)}
    assert len(told) == 2
    words = next(text for subject, text in told.items() if "一部のファイル" in subject)
    assert "パスワード付きの圧縮ファイル" in words
    assert "画像ファイル" not in words
    assert any("確認していないファイルがあります" in mail.subject for mail in stage.letters(FIRST))


def test_an_excel_file_in_answer_to_a_letter_of_ours_pauses_the_case_and_is_answered_too(stage):
    (number,) = deliver(stage, application(RequestType.NEW_ISSUE))
    receipt = stage.letters(AOZORA)[-1]
    excel = (SAMPLES / "form.xlsx").read_bytes()
    send(stage, AOZORA, excel, answers=receipt.message_id)
    assert case_of(stage, number).state in ("on_hold", "returned")
    assert any("Excelファイルのままでは" in mail.text for mail in stage.letters(AOZORA))
    assert any(f"案件 {number} に関するメール" in mail.subject for mail in stage.letters(FIRST))


def test_a_mail_in_our_own_name_is_never_answered(stage):
    send(stage, CENTRE)
    assert not [each for each in stage.deliveries if each.sender == CENTRE and each.recipient != CENTRE]
    assert not stage.letters(FIRST)
