"""`queue`, `show` and `revoke`: who was asked, who is away, an urgent revocation from the command line."""

import pytest

from ca import register
from daemon import schema
from daemon.store import every
from support.applications import application, deliver, enrol
from support.command_lines import CommandLine, write_config
from support.deciding import FIRST, SECOND, case_of_kind, order, state


@pytest.fixture
def line(stage, capsys, tmp_path):
    """The command line over the centre of the stage, at its time."""
    enrol(stage)
    return CommandLine(write_config(stage.folder, stage.server), stage.clock, capsys)


def serials(stage):
    with stage.centre.store.transaction() as tx:
        return [row.serial for row in register.every(tx) if row.der]


def test_the_queue_shows_who_was_asked_how_far_silence_was_reminded_and_who_is_away(stage, line):
    (number,) = deliver(stage, application("cancellation"))
    order(stage, SECOND, "不在 4/2-4/3 代理 小林")
    stage.pass_time(hours=5)
    answered = line("queue", "--json")
    (case,) = answered.document["cases"]
    assert [(row["approver"], row["state"], row["level"]) for row in case["requests"]] == [
        (FIRST, "open", 1),
        (SECOND, "open", 1),
    ]
    assert [leave["approver"] for leave in answered.document["absences"]] == [SECOND]
    text = line("queue").out
    assert "督促済み" in text
    assert f"{SECOND}  2026-04-02〜2026-04-03  代理 {FIRST}" in text
    shown = line("show", number)
    assert "回答待ち" in shown.out
    assert "token" not in line("show", number, "--json").out


def test_revoke_opens_a_case_that_two_decide(stage, line):
    (serial,) = serials(stage)
    answered = line("revoke", serial, "--reason", "紛失 2026-03-31", "--json")
    assert (answered.code, answered.document["revoked"]) == (0, [])
    number = answered.document["case"]
    assert case_of_kind(stage, "urgent_revocation").number == number
    shown = line("show", number).out
    assert "失効基準日" in shown
    assert "key_compromise" in shown
    stage.work()
    stage.approve(2)
    assert state(stage, number) == "closed"


def test_breaking_the_glass_revokes_at_once_is_audited_and_alarms_everybody(stage, line):
    (serial,) = serials(stage)
    answered = line("revoke", serial, "--reason", "鍵の漏えい", "--break-glass", "--json")
    assert (answered.code, answered.document["revoked"]) == (0, [serial])
    with stage.centre.store.transaction() as tx:
        row = register.find(tx, serial)
        kinds = [event["kind"] for event in every(tx, schema.events.select())]
    assert (row.state.value, row.reason.value) == ("revoked", "key_compromise")
    assert "break_glass" in kinds
    assert line("crl", "--json").document["entries"] == 1
    stage.work()
    for address in (FIRST, SECOND):
        assert any("承認なしで失効" in mail.subject for mail in stage.letters(address))
    assert line("verify").code == 0
    assert line("revoke", serial, "--reason", "紛失", "--break-glass").code == 2


@pytest.mark.parametrize(("number", "reason"), [("W999999", "紛失"), ("zz", "紛失"), ("W000001", "紛失 2026-02-30")])
def test_what_cannot_be_meant_is_refused_with_a_sentence(stage, line, number, reason):
    answered = line("revoke", number, "--reason", reason)
    assert answered.code == 2
    assert answered.err.startswith("ogis-lra: ")
    assert case_of_kind(stage, "urgent_revocation") is None
