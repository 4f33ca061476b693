"""The calendar: what is due is done once, late rather than never, and the CRL is always fresh and whole."""

from datetime import timedelta

import pytest
from cryptography import x509
from sqlalchemy import select, update

from ca import register
from ca.crl import Reason
from daemon import approval, cases, completion, schema, upkeep
from daemon.case import State
from daemon.demo.stage import APPROVERS
from daemon.demo.story import AOZORA, HANAKO, MINATO
from daemon.store import added, every
from support.centres import form
from support.stops import FIRST_APPROVER, begin, register_hanako


@pytest.fixture(scope="module")
def registered(centres, tmp_path_factory):
    return register_hanako(centres, tmp_path_factory.mktemp("registered"))


@pytest.fixture
def stage(registered, tmp_path, server, clock):
    """A centre where Yamada Hanako has held a certificate for a day."""
    life = begin(registered, tmp_path / "centre", server, clock)
    yield life.stage
    life.close()


def rows(stage, query):
    with stage.centre.store.transaction() as tx:
        return every(tx, query)


def certificates(stage):
    with stage.centre.store.transaction() as tx:
        return list(register.every(tx))


def case_of(stage, number=1):
    with stage.centre.store.transaction() as tx:
        return cases.get(tx, number)


def change(stage, statement):
    with stage.centre.store.transaction() as tx:
        tx.execute(statement)


def task(stage, kind, due_at, *, case_id=1, registration_id=1):
    with stage.centre.store.transaction() as tx:
        return added(
            tx,
            schema.tasks,
            case_id=case_id,
            kind=kind,
            state="pending",
            registration_id=registration_id,
            serials=[],
            due_at=due_at,
            detail={"reason": "cessation_of_operation"},
        )


def renewals(stage):
    return rows(stage, select(schema.cases).where(schema.cases.c.kind == "renewal"))


def move_before_the_end(stage, **by):
    (certificate,) = certificates(stage)
    stage.clock.move(certificate.not_after - timedelta(**by))


def test_a_certificate_is_renewed_once_without_application_and_the_old_one_stays_good(stage):
    move_before_the_end(stage, days=30, hours=1)
    stage.work()
    assert renewals(stage) == []
    stage.pass_time(hours=2)
    stage.pass_time(minutes=11)
    stage.pass_time(days=10)
    (case,) = renewals(stage)
    old, new = certificates(stage)
    assert case["state"] == "closed"
    assert case["renews_serial"] == old.serial
    assert [old.state.value, new.state.value] == ["issued", "issued"]
    assert new.registration_id == old.registration_id
    assert new.not_after > old.not_after
    kinds = rows(stage, select(schema.letters.c.kind).where(schema.letters.c.case_id == case["id"]))
    assert sorted(row["kind"] for row in kinds) == ["password", "renewal_notice"]
    assert len(stage.letters(HANAKO)) == 2


@pytest.mark.parametrize("days", [2, -3])
def test_a_renewal_missed_in_an_outage_is_made_up_for(stage, days):
    move_before_the_end(stage, days=days)
    assert upkeep.renew(stage.centre) == 1
    assert upkeep.renew(stage.centre) == 0


@pytest.mark.parametrize("doom", ["revocation scheduled", "registration closed", "certificate revoked"])
def test_what_is_ending_is_not_renewed(stage, doom):
    move_before_the_end(stage, days=10)
    now = stage.clock()
    if doom == "revocation scheduled":
        task(stage, "revoke", now + timedelta(days=5))
    elif doom == "registration closed":
        change(stage, update(schema.registrations).values(state="closed", closed_at=now))
    else:
        with stage.centre.store.transaction() as tx:
            register.revoke(tx, next(register.every(tx)).serial, at=now, reason=Reason.SUPERSEDED, now=now)
    assert upkeep.renew(stage.centre) == 0


def test_silence_approves_nothing_and_the_request_is_sent_anew(stage):
    stage.send(AOZORA, "再発行申請", "お願いします。", pdf=form(stage, "reissue_hanako"))
    stage.work()
    lapsed = stage.requests()[FIRST_APPROVER]
    stage.pass_time(days=6, hours=23)
    assert stage.requests() == {}
    stage.pass_time(hours=2)
    fresh = stage.requests()
    assert set(fresh) == set(APPROVERS)
    assert case_of(stage, 2).state is State.AWAITING_DECISION
    states = [row["state"] for row in rows(stage, select(schema.requests).where(schema.requests.c.case_id == 2))]
    assert states == ["lapsed"] * 2 + ["open"] * 2
    stage.decide(FIRST_APPROVER, lapsed, "承認")
    stage.work()
    assert case_of(stage, 2).state is State.AWAITING_DECISION
    stage.decide(FIRST_APPROVER, fresh[FIRST_APPROVER], "承認")
    stage.work()
    assert case_of(stage, 2).state is State.FULFILLED


def test_a_request_about_a_case_that_went_on_lapses_without_a_new_one(stage):
    stage.send(AOZORA, "再発行申請", "お願いします。", pdf=form(stage, "reissue_hanako"))
    stage.work()
    change(stage, update(schema.cases).where(schema.cases.c.id == 2).values(state="withdrawn"))
    stage.clock.move(stage.clock() + timedelta(days=8))
    assert approval.renew_lapsed(stage.centre) == 0
    assert approval.renew_lapsed(stage.centre) == 0


def test_a_form_that_never_came_back_is_withdrawn_after_its_term_and_told_once(stage):
    stage.send(MINATO, "新規発行", "お願いします。", pdf=form(stage, "new_issue_takeru_no_seal"))
    stage.work()
    assert len(stage.letters(MINATO)) == 1
    stage.pass_time(days=29, hours=23)
    assert case_of(stage, 2).state is State.RETURNED
    stage.pass_time(hours=2)
    stage.pass_time(days=1)
    assert case_of(stage, 2).state is State.WITHDRAWN
    (letter,) = stage.letters(MINATO)
    assert case_of(stage, 2).number in letter.subject


def test_a_dated_revocation_waits_for_its_time_and_is_made_up_for_after_an_outage(stage):
    due = stage.clock() + timedelta(days=3)
    change(stage, update(schema.cases).values(registration_id=1))
    task(stage, "revoke", due)
    task(stage, "close", due)
    stage.clock.move(due - timedelta(seconds=1))
    assert upkeep.carry_out_due(stage.centre) == 0
    stage.clock.move(due + timedelta(days=4))
    assert upkeep.carry_out_due(stage.centre) == 2
    assert upkeep.carry_out_due(stage.centre) == 0
    (certificate,) = certificates(stage)
    assert certificate.state.value == "revoked"
    assert certificate.revoked_at == stage.clock()
    assert rows(stage, select(schema.registrations.c.state)) == [{"state": "closed"}]
    assert {row["state"] for row in rows(stage, select(schema.tasks).where(schema.tasks.c.due_at.is_not(None)))} == {
        "done"
    }
    stage.work()
    assert any("失効" in mail.subject for mail in stage.letters(AOZORA))


def test_a_case_that_is_still_being_carried_out_is_left_alone(stage):
    task(stage, "revoke", stage.clock())
    change(stage, update(schema.cases).values(state="executing"))
    assert upkeep.carry_out_due(stage.centre) == 0
    assert certificates(stage)[0].state.value == "issued"


def test_one_case_that_fails_keeps_no_other_from_its_day(stage, monkeypatch):
    stage.send(AOZORA, "再発行申請", "お願いします。", pdf=form(stage, "reissue_hanako"))
    stage.work()
    change(stage, update(schema.cases).values(state="closed", deadline=None))
    task(stage, "revoke", stage.clock(), case_id=1)
    task(stage, "revoke", stage.clock(), case_id=2)
    carry_out = completion.carry_out

    def failing(tx, centre, case, *args, **options):
        if case.id == 1:
            raise RuntimeError("by surprise")
        return carry_out(tx, centre, case, *args, **options)

    monkeypatch.setattr(completion, "carry_out", failing)
    monkeypatch.setattr(approval, "renew_lapsed", failing)
    assert upkeep.look_after(stage.centre) == 1
    assert certificates(stage)[0].state.value == "revoked"
    monkeypatch.undo()
    assert upkeep.look_after(stage.centre) == 1


def published(stage):
    return x509.load_der_x509_crl((stage.centre.public / upkeep.CRL_FILE).read_bytes())


def number(crl):
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_the_crl_is_published_at_half_of_its_life_and_not_before(stage):
    first = published(stage)
    half = first.last_update_utc + (first.next_update_utc - first.last_update_utc) / 2
    stage.clock.move(half - timedelta(seconds=1))
    assert upkeep.publish_crl(stage.centre) is False
    stage.clock.move(half)
    assert upkeep.publish_crl(stage.centre) is True
    assert upkeep.publish_crl(stage.centre) is False
    second = published(stage)
    assert number(second) == number(first) + 1
    assert second.last_update_utc <= stage.clock() < second.next_update_utc
    assert upkeep.publish_crl(stage.centre, force=True) is True
    assert number(published(stage)) == number(second) + 1


def test_a_revocation_is_on_the_published_crl_at_once_and_a_future_one_is_not(stage):
    first = published(stage)
    task(stage, "revoke", stage.clock() + timedelta(days=1))
    stage.work()
    assert number(published(stage)) == number(first)
    stage.pass_time(days=1)
    (certificate,) = certificates(stage)
    assert [f"{entry.serial_number:x}" for entry in published(stage)] == [certificate.serial]
    assert number(published(stage)) == number(first) + 1


@pytest.mark.parametrize("damage", [None, b"", b"-----BEGIN X509 CRL-----"])
def test_a_published_file_that_is_lost_or_damaged_is_put_back_as_it_was_recorded(stage, damage):
    file = stage.centre.public / upkeep.CRL_FILE
    whole = file.read_bytes()
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    assert upkeep.publish_crl(stage.centre) is True
    assert file.read_bytes() == whole
    assert file.stat().st_mode & 0o777 == 0o644
    assert upkeep.publish_crl(stage.centre) is False


def test_a_crl_that_cannot_be_signed_leaves_number_and_file_as_they_were(stage):
    class Broken:
        authority = stage.centre.signer.authority

        def sign_draft(self, _draft):
            raise RuntimeError("the key is gone")

    before, signer, hands = published(stage), stage.centre.signer, stage.centre.hands
    object.__setattr__(stage.centre, "hands", (Broken(),))
    with pytest.raises(RuntimeError):
        upkeep.publish_crl(stage.centre, force=True)
    object.__setattr__(stage.centre, "hands", hands)
    assert published(stage) == before
    with stage.centre.store.transaction() as tx:
        assert register.latest_crl(tx, signer.authority.id).number == number(before)
        assert register.next_crl_number(tx, signer.authority.id) == number(before) + 1
