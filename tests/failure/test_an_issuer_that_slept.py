"""An issuer that stops at any place of the order of issuance, and wakes after another one took its case over: one
certificate, one pair of letters, the late serial given up and on the CRL as soon as it may have been signed.

The first issuer is held at exactly one place while a second, over the same database opened anew, does whatever is due
after the first one's lease. Then the first goes on with what it has in its hands.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from ca import register
from daemon import audit, cases, issuance, loop, opening, schema
from daemon.case import State
from daemon.store import every
from support.sleeping_issuer import CLOCK
from support.stops import FIRST_APPROVER, Fault, at_event, at_function, at_part, end_of, faults_of

LONGEST = 60  # seconds until a test gives up; nothing here decides by time


@dataclass(frozen=True)
class Place:
    """Where the first issuer stops. `locked`: inside a transaction, so that nobody else gets anywhere meanwhile."""

    name: str
    fault: Fault
    abandoned: int = 0
    locked: bool = False

    def __str__(self):
        return self.name.replace(" ", "_")


PLACES = [
    Place("case started", at_event("case_started", committed=True)),
    Place("before the lint", at_function(issuance.issue, "prepare")),
    # It wakes with a serial whose lease is over, and never signs it.
    Place("serial not committed", at_event("serial_reserved"), abandoned=1, locked=True),
    Place("serial committed", at_event("serial_reserved", committed=True), abandoned=1),
    # It signs what it has claimed, and may not record it.
    Place("claim not committed", at_event("signature_claimed"), abandoned=1, locked=True),
    Place("claim committed", at_event("signature_claimed", committed=True), abandoned=1),
    Place("signed", at_part("signer", "sign_certificate", after=True), abandoned=1),
    Place("file made", at_function(opening, "open_again"), abandoned=1),
    Place("certificate not committed", at_event("certificate_issued"), locked=True),
    Place("everything committed", at_event("case_done", committed=True)),
]


class Sleep:
    """A wire that holds the first who touches it until it is woken."""

    def __init__(self):
        self.reached, self.woken, self._first = threading.Event(), threading.Event(), threading.Lock()

    def touch(self):
        if self._first.acquire(blocking=False):
            self.reached.set()
            assert self.woken.wait(LONGEST)


@contextmanager
def another(life, patience=10_000):
    """A second service over the same database; it waits so many milliseconds for a lock."""
    stage = life.centres.reopen(life.folder, life.server, life.clock)
    stage.centre.store.engine.dispose()
    event.listen(stage.centre.store.engine, "connect", lambda each, _: each.execute(f"PRAGMA busy_timeout={patience}"))
    yield stage
    stage.centre.close()


def signed_serials(centre, into):
    """Note what the signer of a centre signs."""

    class Noting:
        def __getattr__(self, name):
            return getattr(centre.signer, name)

        def sign_certificate(self, prepared):
            into.append(register.serial_text(prepared.serial))
            return centre.signer.sign_certificate(prepared)

    return replace(centre, hands=(Noting(),))


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_an_issuer_that_wakes_after_its_lease_was_taken_does_no_harm(life, undisturbed, place):
    life._application()
    approve_without_carrying_out(life)
    signed, results = [], []
    life.stage.centre = signed_serials(life.stage.centre, signed)
    wire = Sleep()
    with another(life, patience=20) as second:
        place.fault(life.stage, wire)
        first = threading.Thread(target=lambda: results.append(issuance.execute(life.stage.centre)))
        first.start()
        assert wire.reached.wait(LONGEST)
        before = list(signed)
        life.clock.move(life.clock.time + timedelta(minutes=16))
        if place.locked:
            with pytest.raises(OperationalError, match="database is locked"):
                issuance.execute(second.centre)
        else:
            issuance.execute(second.centre)
        wire.woken.set()
        first.join(LONGEST)
        assert not first.is_alive()
        assert len(results) == 1
    # Woken, it has signed at most what it had claimed before it slept.
    assert len(signed) - len(before) <= 1
    life.work()
    with life.stage.centre.store.transaction() as tx:
        rows = list(register.every(tx))
        issued = [each.detail["serial"] for each in audit.records(tx, 2) if each.kind == "certificate_issued"]
        letters = [row["kind"] for row in every(tx, select(schema.letters).where(schema.letters.c.case_id == 2))]
    assert len(issued) == 1
    assert letters.count("issue_notice") == letters.count("password") == 1
    # Nothing was ever signed without a claim.
    assert set(signed) <= {row.serial for row in rows if row.claimed_at}
    assert sum(row.state.value == "abandoned" for row in rows) == place.abandoned
    life.pass_time(minutes=11)
    life.pass_time(minutes=30)
    assert end_of(life) == undisturbed
    assert faults_of(life, abandoned=place.abandoned) == []


def test_of_two_issuers_at_the_same_moment_one_issues_and_the_other_leaves_no_trace(life, undisturbed):
    life._application()
    meeting = threading.Barrier(2, timeout=LONGEST)

    class Both:
        def touch(self):
            if not meeting.broken:
                meeting.wait()

    approve_without_carrying_out(life)
    at_function(issuance.issue, "prepare")(life.stage, Both())
    with another(life) as second:
        results = []
        pair = [
            threading.Thread(target=lambda centre=centre: results.append(issuance.execute(centre)))
            for centre in (life.stage.centre, second.centre)
        ]
        for each in pair:
            each.start()
        for each in pair:
            each.join(LONGEST)
        meeting.abort()
    assert sorted(results) == [0, 1]
    life.work()
    life.pass_time(minutes=11)
    life.pass_time(minutes=30)
    assert end_of(life) == undisturbed
    assert faults_of(life) == []


def approve_without_carrying_out(life):
    """The approval is read and nothing more."""
    held, loop_steps = life.stage, loop.STEPS
    loop.STEPS = tuple(each for each in loop_steps if each[0] != "execute")
    try:
        held.decide(FIRST_APPROVER, held.requests()[FIRST_APPROVER], "承認")
        held.work()
    finally:
        loop.STEPS = loop_steps


def test_a_process_that_was_really_stopped_and_continued_does_no_harm(life, undisturbed, tmp_path):
    life._application()
    approve_without_carrying_out(life)
    clock = tmp_path / "clock"
    server = life.server
    door = {name: getattr(server, name) for name in ("host", "imap_port", "submission_port", "authserv_id")}
    door["ca_file"] = str(server.ca_file)

    def tell_the_time():
        clock.write_bytes(CLOCK.pack(life.clock.time.timestamp()))

    tell_the_time()
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-m",
            "support.sleeping_issuer",
            life.folder,
            json.dumps(door),
            clock,
            "signature_claimed",
        ],
        env={"PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}", "LANG": "C.UTF-8"},
        cwd=root,
    )
    try:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "it ended before the place was reached"
        life.clock.move(life.clock.time + timedelta(minutes=16))
        tell_the_time()
        life.work()
        with life.stage.centre.store.transaction() as tx:
            assert cases.get(tx, 2).state in (State.FULFILLED, State.CLOSED)
        process.send_signal(signal.SIGCONT)
        assert process.wait(LONGEST) == 1
    finally:
        process.kill()
        process.wait()
    life.pass_time(minutes=30)
    life.pass_time(minutes=30)
    assert end_of(life) == undisturbed
    assert faults_of(life, abandoned=1) == []
