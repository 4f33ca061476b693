"""Scenarios by which a hostile reviewer broke an earlier version; each one stays mended."""

from datetime import date, timedelta

from sqlalchemy import select, update

from daemon import cases, issuance, ledger, schema, upkeep
from daemon.case import Event, State
from daemon.demo.stage import APPROVERS
from daemon.demo.story import AOZORA
from daemon.store import added, every
from support.applications import TAKERU, application, case_of, certificates, deliver, enrol
from support.letters_in import letter, stamped

FIRST = next(iter(APPROVERS))


def agree(stage, number):
    """Both approvers have said yes, and nothing was begun yet: as when several replies are read in one round."""
    with stage.centre.store.transaction() as tx:
        case = cases.find(tx, number)
        rows = every(tx, select(schema.requests).where(schema.requests.c.case_id == case.id))
        for row in rows:
            who = row["approver"]
            said = stamped(
                letter("承認", sender=who, fields=[("X-Number", str(row["id"]))]), f"auth=pass smtp.auth={who}"
            )
            digest = stage.centre.blobs.put(said)
            mail_id = ledger.add(tx, digest=digest, size=len(said), arrived_at=stage.clock(), now=stage.clock())
            ledger.settle(tx, mail_id, state="read", outcome="decision_approve", folder="")
            added(
                tx,
                schema.decisions,
                case_id=case.id,
                version=case.version,
                digest=case.digest,
                request_id=row["id"],
                approver=row["approver"],
                verb="approve",
                mail_id=mail_id,
                evidence={"method": "login", "identity": row["approver"]},
                decided_at=stage.clock(),
            )
        tx.execute(update(schema.requests).where(schema.requests.c.case_id == case.id).values(state="used"))
        now = stage.clock()
        cases.apply(tx, stage.centre.audit, case, Event.APPROVED, now=now, actor=FIRST, accepted_at=now)


def live(stage):
    return [fate for _, fate in certificates(stage)].count("live")


def test_a_reissue_approved_beside_a_cancellation_makes_no_certificate_for_a_closed_registration(stage):
    enrol(stage)
    (cancelled,) = deliver(stage, application("cancellation"))
    (reissued,) = deliver(stage, application("reissue"))
    agree(stage, cancelled)
    agree(stage, reissued)
    issuance.execute(stage.centre)
    assert live(stage) == 0
    assert case_of(stage, reissued).state is State.ON_HOLD


def test_a_renewal_opened_beside_a_cancellation_is_dropped(stage):
    enrol(stage)
    stage.clock.move(stage.clock() + timedelta(days=729))
    (cancelled,) = deliver(stage, application("cancellation"))
    agree(stage, cancelled)
    stage.clock.move(stage.clock() + timedelta(days=2))
    assert upkeep.renew(stage.centre) == 1
    issuance.execute(stage.centre)
    assert [fate == "live" for _, fate in certificates(stage)] == [False]
    with stage.centre.store.transaction() as tx:
        assert [case.kind for case in cases.in_state(tx, State.CANCELLED)] == ["renewal"]


def test_another_application_in_answer_to_an_old_mail_is_a_case_of_its_own(stage):
    enrol(stage)
    (number,) = deliver(stage, application("reissue"))
    (other,) = deliver(stage, application("cancellation"), subject=f"Re: {number}")
    assert other != number
    assert (case_of(stage, number).version, case_of(stage, number).state) == (1, State.AWAITING_DECISION)


def test_staff_are_told_when_a_scheduled_revocation_goes_on_in_spite_of_a_mail(stage):
    enrol(stage)
    (number,) = deliver(stage, application("cancellation", wished=date(2026, 4, 20)))
    stage.approve(1)
    stage.send(AOZORA, f"Re: {number}", "やめてください。")
    stage.work()
    (told,) = [mail for mail in stage.letters(FIRST) if f"案件 {number} に関する" in mail.subject]
    assert "2026-04-21" in told.text
    assert "自動では止まりません" in told.text


def test_a_bounced_request_is_shown_to_staff(stage):
    enrol(stage)
    deliver(stage, application("cancellation"))
    request = stage.requests()[FIRST]
    stage.send(
        "mailer-daemon@lra.example",
        f"配信不能: {request.subject}",
        "The recipient's mailbox is full.",
        headers={"Auto-Submitted": "auto-replied"},
    )
    stage.work()
    assert any("自動メール" in mail.subject for mail in stage.letters(FIRST))


def test_a_corrected_form_from_the_applicant_is_answered_to_the_applicant(stage):
    enrol(stage, TAKERU)
    scanner = "scanner@aozora-denki.example"
    (number,) = deliver(
        stage, application("cancellation"), sender=scanner, headers={"Auto-Submitted": "auto-generated"}
    )
    deliver(stage, application("cancellation"), subject=f"Re: {number}", sender=AOZORA)
    assert case_of(stage, number).correspondent == AOZORA
    assert not case_of(stage, number).muted


def test_one_letter_that_the_server_puts_off_ends_the_round_of_sending(stage):
    stage.send(AOZORA, "質問", "再発行はどうすればよいですか。")
    stage.server.faults.reply("MAIL", "451 4.3.0 later", times=20)
    stage.work()
    with stage.centre.store.transaction() as tx:
        attempts = [row["attempts"] for row in every(tx, select(schema.letters).order_by(schema.letters.c.id))]
    assert len(attempts) > 1
    assert attempts.count(0) >= len(attempts) - 2
    stage.server.faults.clear()
    stage.pass_time(hours=1)
    assert stage.letters(AOZORA)
