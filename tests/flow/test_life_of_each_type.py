"""Each of the five types from the mail to the last letter: which letters went to whom, the register, the certificates.

Nobody gets more than is listed here, and every case ends `closed` (SPEC 2, 2.3).
"""

import email.policy
import smtplib
from collections import Counter
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

from daemon import ceremony, schema
from daemon.demo.stage import APPROVERS, CENTRE
from daemon.demo.story import AOZORA, HANAKO, ICHIRO, MINATO, TAKERU
from daemon.store import every
from support.applications import (
    HANAKO_MARRIED,
    NAKAMURA,
    case_of,
    certificates,
    enrol,
    letters_of,
    register_of,
)
from support.applications import (
    TAKERU as TAKERU_IS,
)
from support.centres import form, today

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
STAFF = tuple(APPROVERS)


def staff(*, decisions):
    """What every approver gets of a case that goes well: the request, and an echo of each decision."""
    return [
        *(("approval_request", address) for address in STAFF),
        *(("decision_recorded", address) for address in STAFF for _ in range(decisions)),
    ]


def live_through(stage, sender, paper, *, approvals):
    """Mail, decisions, and half an hour for the letters; returns the number of the case."""
    stage.deliveries.clear()
    stage._read.clear()
    stage.send(sender, "申請", "申請書をお送りします。", pdf=paper)
    stage.work()
    stage.approve(approvals)
    stage.pass_time(minutes=30)
    (number,) = {
        mail.subject[mail.subject.index("WEBEC-") :][:19] for mail in stage.letters(sender) if "WEBEC-" in mail.subject
    }
    return number


def assert_letters(stage, number, *expected):
    """Exactly these letters were written, and exactly these mails arrived."""
    assert letters_of(stage, number) == sorted(expected)
    arrived = Counter(each.recipient for each in stage.deliveries if each.sender == CENTRE)
    assert arrived == Counter(recipient for _, recipient in expected)
    assert case_of(stage, number).state == "closed"


def test_new_issue(stage):
    number = live_through(stage, AOZORA, form(stage, "new_issue_hanako"), approvals=2)
    assert_letters(
        stage,
        number,
        ("receipt", AOZORA),
        *staff(decisions=2),
        ("issue_notice", HANAKO),
        ("password", HANAKO),
        ("issued_to_applicant", AOZORA),
    )
    assert certificates(stage) == [(HANAKO, "live")]
    assert register_of(stage) == [("W000001", "live", "山田 花子", HANAKO)]


def test_reissue(stage):
    enrol(stage)
    number = live_through(stage, AOZORA, form(stage, "reissue_hanako"), approvals=1)
    assert_letters(
        stage,
        number,
        ("receipt", AOZORA),
        *staff(decisions=1),
        ("issue_notice", HANAKO),
        ("password", HANAKO),
        ("issued_to_applicant", AOZORA),
        ("revoked", AOZORA),
        ("revoked", HANAKO),
    )
    assert [fate == "live" for _, fate in certificates(stage)] == [False, True]
    assert register_of(stage) == [("W000001", "live", "山田 花子", HANAKO)]


def test_reissue_with_a_wished_date(stage):
    enrol(stage)
    paper = form(stage, "reissue_hanako", wished=today(stage) + timedelta(days=7))
    number = live_through(stage, AOZORA, paper, approvals=1)
    at_acceptance = [
        ("receipt", AOZORA),
        *staff(decisions=1),
        ("issue_notice", HANAKO),
        ("password", HANAKO),
        ("issued_to_applicant", AOZORA),
        ("scheduled_revocation", AOZORA),
        ("scheduled_revocation", HANAKO),
    ]
    assert_letters(stage, number, *at_acceptance)
    assert [fate for _, fate in certificates(stage)] == ["live", "live"]
    stage.pass_time(days=8)
    assert_letters(stage, number, *at_acceptance, ("revoked", AOZORA), ("revoked", HANAKO))
    assert certificates(stage)[1] == (HANAKO, "live")
    assert certificates(stage)[0] != (HANAKO, "live")


def test_registration_change(stage):
    enrol(stage)
    number = live_through(stage, AOZORA, form(stage, "registration_change_hanako"), approvals=1)
    assert_letters(
        stage,
        number,
        ("receipt", AOZORA),
        *staff(decisions=1),
        ("registration_changed", AOZORA),
        ("registration_changed", HANAKO),
    )
    assert certificates(stage) == [(HANAKO, "live")]
    assert register_of(stage) == [("W000001", "live", "髙橋 花子", HANAKO)]


def test_handover(stage):
    enrol(stage, HANAKO_MARRIED)
    number = live_through(stage, AOZORA, form(stage, "handover_hanako_to_ichiro"), approvals=2)
    assert_letters(
        stage,
        number,
        ("receipt", AOZORA),
        *staff(decisions=2),
        ("issue_notice", ICHIRO),
        ("password", ICHIRO),
        ("handover_done", AOZORA),
        ("handover_predecessor", HANAKO),
    )
    assert certificates(stage)[1] == (ICHIRO, "live")
    assert certificates(stage)[0] != (HANAKO, "live")
    assert register_of(stage) == [("W000001", "closed", "髙橋 花子", HANAKO), ("W000002", "live", "鈴木 一郎", ICHIRO)]


def test_handover_with_a_wished_date(stage):
    enrol(stage, HANAKO_MARRIED)
    paper = form(stage, "handover_hanako_to_ichiro", wished=today(stage) + timedelta(days=3))
    number = live_through(stage, AOZORA, paper, approvals=2)
    at_acceptance = [
        ("receipt", AOZORA),
        *staff(decisions=2),
        ("issue_notice", ICHIRO),
        ("password", ICHIRO),
        ("handover_done", AOZORA),
        ("handover_predecessor", HANAKO),
    ]
    assert_letters(stage, number, *at_acceptance)
    assert [fate for _, fate in certificates(stage)] == ["live", "live"]
    stage.pass_time(days=4)
    assert_letters(stage, number, *at_acceptance, ("revoked", AOZORA))
    assert [state for _, state, *_ in register_of(stage)] == ["closed", "live"]


def test_cancellation(stage):
    enrol(stage, TAKERU_IS, applicant=NAKAMURA)
    number = live_through(stage, MINATO, form(stage, "cancellation_takeru"), approvals=1)
    assert_letters(stage, number, ("receipt", MINATO), *staff(decisions=1), ("cancelled", MINATO))
    assert certificates(stage) != [(TAKERU, "live")]
    assert register_of(stage) == [("W000001", "closed", "佐藤 健", TAKERU)]


def test_cancellation_with_a_wished_date(stage):
    enrol(stage, TAKERU_IS, applicant=NAKAMURA)
    paper = form(stage, "cancellation_takeru", wished=today(stage) + timedelta(days=30))
    number = live_through(stage, MINATO, paper, approvals=1)
    at_acceptance = [("receipt", MINATO), *staff(decisions=1), ("scheduled_revocation", MINATO)]
    assert_letters(stage, number, *at_acceptance)
    assert register_of(stage)[0][1] == "live"
    stage.pass_time(days=31)
    assert_letters(stage, number, *at_acceptance, ("cancelled", MINATO))
    assert register_of(stage)[0][1] == "closed"


def test_a_renewal_needs_no_application_and_no_decision(stage):
    enrol(stage)
    stage.deliveries.clear()
    # The yearly visit to the safe: a root's CRL that runs out is told to staff.
    ceremony.establish_authority(stage.centre.settings, now=stage.clock() + timedelta(days=731))
    stage.pass_time(days=731)
    stage.pass_time(minutes=11)
    number = case_numbers(stage)[-1]
    assert_letters(stage, number, ("renewal_notice", HANAKO), ("password", HANAKO))
    assert [fate for _, fate in certificates(stage)] == ["live", "live"]


def test_two_forms_in_one_pdf_and_two_pdfs_in_one_mail_are_as_many_cases(stage):
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = AOZORA, CENTRE, "申請書3通"
    message["Message-ID"] = "<three@aozora-denki.example>"
    message.set_content("2つのファイルをお送りします。")
    papers = ((SAMPLES / "two_forms.pdf").read_bytes(), form(stage, "new_issue_takeru"))
    for number, paper in enumerate(papers, 1):
        message.add_attachment(paper, maintype="application", subtype="pdf", filename=f"{number}.pdf")
    with smtplib.SMTP(stage.server.host, stage.server.smtp_port, "client.example", timeout=20) as client:
        client.send_message(message, AOZORA, [CENTRE])
    stage.work()
    assert case_numbers(stage) == [f"WEBEC-20260401-000{number}" for number in (1, 2, 3)]
    assert len(stage.letters(AOZORA)) == 3
    for address in STAFF:
        assert len([mail for mail in stage.letters(address) if "承認依頼" in mail.subject]) == 3


def case_numbers(stage):
    with stage.centre.store.transaction() as tx:
        return [row["number"] for row in every(tx, schema.cases.select().order_by(schema.cases.c.id))]
