"""Issuance: it trusts no approval that does not hold at the moment it is carried out, and a failure revokes nothing."""

import subprocess
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from ca import register
from ca.bundle import open_again
from ca.errors import CaError, CaErrorKind
from daemon import audit, cases, issuance, registrations, schema
from daemon.case import State
from daemon.demo.stage import APPROVERS, _bundle, _password
from daemon.demo.story import AOZORA, HANAKO
from daemon.store import every
from support.centres import form
from support.stops import FIRST_APPROVER, begin, register_hanako


@pytest.fixture(scope="module")
def registered(centres, tmp_path_factory):
    return register_hanako(centres, tmp_path_factory.mktemp("registered"))


@pytest.fixture
def stage(registered, tmp_path, server, clock):
    """A reissue for Yamada Hanako is asked for; the approval will be carried out five minutes after it is given."""
    life = begin(registered, tmp_path / "centre", server, clock)
    stage = life.stage
    settings = stage.centre.settings
    policy = replace(settings.policy, cancel_minutes=5)
    stage.centre = replace(stage.centre, settings=replace(settings, policy=policy))
    stage.send(AOZORA, "再発行申請", "お願いします。", pdf=form(stage, "reissue_hanako"))
    stage.work()
    stage.decide(FIRST_APPROVER, stage.requests()[FIRST_APPROVER], "承認")
    stage.work()
    assert state(stage) is State.APPROVED
    yield stage
    life.close()


def state(stage):
    with stage.centre.store.transaction() as tx:
        return cases.get(tx, 2).state


def certificates(stage):
    with stage.centre.store.transaction() as tx:
        return [row.state.value for row in register.every(tx)]


def reasons(stage, kind):
    with stage.centre.store.transaction() as tx:
        return [record.detail.get("why") for record in audit.records(tx, 2) if record.kind == kind]


def change(stage, statement):
    with stage.centre.store.transaction() as tx:
        tx.execute(statement)


def test_an_approval_is_carried_out_after_the_pause_in_which_it_can_be_taken_back(stage):
    stage.pass_time(minutes=4)
    assert certificates(stage) == ["issued"]
    stage.pass_time(minutes=1)
    assert certificates(stage) == ["revoked", "issued"]
    # Starting it again does nothing: it is approved no more.
    issuance._start(stage.centre, 2)
    assert state(stage) is State.FULFILLED


def test_a_register_that_changed_after_the_approval_pauses_the_case_and_asks_anew(stage):
    change(stage, update(schema.registrations).values(name_en="Hanako TAKAHASHI", email="hanako@aozora-denki.example"))
    stage.requests()
    stage.pass_time(minutes=5)
    assert state(stage) is State.ON_HOLD
    assert certificates(stage) == ["issued"]
    assert reasons(stage, "case_paused") == ["digest_changed"]
    assert set(stage.requests()) == set(APPROVERS)


@pytest.mark.parametrize(
    "values", [{"evidence": {}}, {"digest": "0" * 64}, {"verb": "note"}, {"quorum": 2}, {"version": 7}], ids=str
)
def test_decisions_that_do_not_carry_the_approval_issue_nothing(stage, values):
    change(stage, update(schema.decisions).where(schema.decisions.c.case_id == 2).values(values))
    stage.pass_time(minutes=5)
    assert state(stage) is State.ON_HOLD
    assert certificates(stage) == ["issued"]
    assert reasons(stage, "case_paused") == ["quorum_missing"]


@pytest.mark.parametrize("kind", [CaErrorKind.SUBJECT_INVALID, CaErrorKind.LINT_FAILED])
def test_data_that_cannot_become_a_certificate_hold_the_case_revoke_nothing_and_are_told_to_staff(
    stage, monkeypatch, kind
):
    def refuse(*_, **__):
        raise CaError(kind, "the data cannot stand in a certificate", problems=["common_name_too_long"])

    monkeypatch.setattr(issuance.issue, "prepare", refuse)
    stage.tell_letters(*APPROVERS)
    stage.pass_time(minutes=5)
    assert state(stage) is State.HELD
    assert certificates(stage) == ["issued"]
    assert reasons(stage, "case_failed") == ["common_name_too_long"]
    for address in APPROVERS:
        (mail,) = stage.letters(address)
        assert "証明書を発行できません" in mail.subject
        assert "common_name_too_long" in mail.text
    assert stage.letters(HANAKO) == []


def test_any_other_failure_of_the_ca_leaves_the_case_to_be_tried_again_under_a_new_serial(stage, monkeypatch):
    def fail(*_):
        raise CaError(CaErrorKind.MISMATCH, "the signed certificate is not the prepared one")

    with monkeypatch.context() as broken:
        broken.setattr(issuance.issue, "compare", fail)
        stage.pass_time(minutes=5)
        assert certificates(stage) == ["issued", "reserved"]
        assert state(stage) is State.EXECUTING
    stage.pass_time(minutes=1)
    assert certificates(stage) == ["issued", "reserved"]
    stage.pass_time(minutes=15)
    assert sorted(certificates(stage)) == ["abandoned", "issued", "revoked"]
    assert state(stage) is State.FULFILLED
    with stage.centre.store.transaction() as tx:
        kinds = [row["kind"] for row in every(tx, select(schema.letters).where(schema.letters.c.case_id == 2))]
    assert kinds.count("issue_notice") == kinds.count("password") == 1


def test_a_subscriber_whose_programs_are_old_gets_the_older_kind_of_file(stage):
    with stage.centre.store.transaction() as tx:
        (person,) = registrations.live(tx)
        registrations.choose_bundle(tx, person.id, "legacy")
    stage.letters(HANAKO)
    stage.pass_time(minutes=5)
    stage.pass_time(minutes=11)
    letters = stage.letters(HANAKO)
    name, data = next(filter(None, map(_bundle, letters)))
    password = next(filter(None, map(_password, letters)))
    assert name.endswith(".p12")
    shown = subprocess.run(["openssl", "asn1parse", "-inform", "DER"], input=data, capture_output=True, check=True)
    assert b"sha1" in shown.stdout
    assert open_again(data, password).serial_number
