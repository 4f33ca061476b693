"""Stop the service at any place of any of the six steps and start it again: the same end as without the stop.

Each fault below ends the process at exactly one place (runtime notes §7). The application is a reissue, because it
does everything: it reads, asks, decides, issues, revokes, publishes a CRL, and sends a notice and a password.
"""

import threading
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from daemon import audit, intake, ledger, loop, opening, publication, unpacking
from daemon.demo.stage import APPROVERS, CENTRE
from daemon.demo.story import AOZORA
from daemon.loop import Progress
from support.centres import START
from support.stops import (
    FOR_STAFF,
    Fault,
    Stop,
    Tripwire,
    Trouble,
    at_door,
    at_event,
    at_function,
    at_part,
    at_sql,
    end_of,
    faults_of,
)


@dataclass(frozen=True)
class Place:
    """Where it stops, from which phase of the life on, and what a stop there leaves behind for good."""

    step: str
    name: str
    phase: str
    fault: Fault
    skip: int = 0
    twice: int = 0
    abandoned: int = 0

    def __str__(self):
        return f"{self.step}-{self.name}".replace(" ", "_")


PLACES = [
    Place("1", "fetched nothing stored", "application", at_part("blobs", "put_many")),
    Place("1", "stored not in the ledger", "application", at_part("blobs", "put_many", after=True)),
    Place("1", "ledger row not committed", "application", at_sql("INSERT INTO sightings")),
    Place("1", "ledger row committed", "application", at_sql("INSERT INTO sightings", committed=True)),
    Place("2", "attempt not counted", "application", at_sql("UPDATE mails SET attempts")),
    Place("2", "attempt counted", "application", at_sql("UPDATE mails SET attempts", committed=True)),
    Place("2", "document stored", "application", at_part("blobs", "put", after=True)),
    Place("2", "in the parser", "application", at_function(unpacking, "read_document")),
    Place("3", "case opened", "application", at_event("case_opened")),
    Place("3", "letters half queued", "application", at_event("letter_queued"), skip=1),
    Place("3", "consequences not committed", "application", at_event("mail_read")),
    Place("3", "consequences committed", "application", at_event("mail_read", committed=True)),
    Place("3", "before filing", "application", at_door("open_mailbox", "file")),
    Place("3", "filed not noted", "application", at_door("open_mailbox", "file", after=True)),
    Place("3", "filing noted", "application", at_sql("UPDATE sightings SET filed_at", committed=True)),
    Place("4", "token spent", "approval", at_sql("UPDATE requests SET state", "used")),
    Place("4", "decision recorded", "approval", at_event("decision_taken")),
    Place("4", "case approved", "approval", at_event("case_approved")),
    Place("4", "decision committed", "approval", at_event("case_approved", committed=True)),
    Place("5", "case not started", "approval", at_event("case_started")),
    Place("5", "case started", "approval", at_event("case_started", committed=True)),
    Place("5", "serial not committed", "approval", at_event("serial_reserved")),
    Place("5", "serial committed", "approval", at_event("serial_reserved", committed=True), abandoned=1),
    Place("5", "claim not committed", "approval", at_event("signature_claimed"), abandoned=1),
    Place("5", "claim committed", "approval", at_event("signature_claimed", committed=True), abandoned=1),
    Place("5", "before signing", "approval", at_part("signer", "sign_certificate"), abandoned=1),
    Place("5", "signed not recorded", "approval", at_part("signer", "sign_certificate", after=True), abandoned=1),
    Place("5", "file made not opened", "approval", at_function(opening, "open_again"), abandoned=1),
    Place("5", "certificate recorded not committed", "approval", at_event("certificate_issued"), abandoned=1),
    Place("5", "old certificate revoked not committed", "approval", at_event("certificate_revoked"), abandoned=1),
    Place("5", "password sealed not committed", "approval", at_part("vault", "seal", after=True), abandoned=1),
    Place("5", "case ended", "approval", at_event("case_done", committed=True)),
    Place("5", "before the CRL is signed", "approval", at_part("signer", "sign_draft")),
    Place("5", "CRL signed not recorded", "approval", at_event("crl_published")),
    Place("5", "CRL recorded not written", "approval", at_function(publication, "_put_in_place")),
    Place("6", "letter taken up", "application", at_sql("UPDATE letters SET state", "sending", committed=True)),
    Place("6", "before SMTP", "application", at_door("open_transport", "send")),
    Place("6", "letter accepted not noted", "application", at_door("open_transport", "send", after=True), twice=1),
    Place("6", "letter sent", "application", at_event("letter_sent", committed=True)),
    Place("6", "password taken up", "password", at_sql("UPDATE letters SET state", "sending", committed=True)),
    Place("6", "password unsealed", "password", at_part("vault", "open", after=True)),
    Place("6", "password accepted not noted", "password", at_door("open_transport", "send", after=True), twice=1),
    Place("6", "password sent not committed", "password", at_event("letter_sent"), twice=1),
    Place("6", "password sent key there", "password", at_part("vault", "destroy")),
    Place("6", "password sent key destroyed", "password", at_part("vault", "destroy", after=True)),
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_stop_and_a_start_end_as_if_nothing_had_happened(life, undisturbed, place):
    wire = Tripwire(Stop, skip=place.skip)
    life.live(place.phase, place.fault, wire)
    assert wire.sprung
    assert life.restarts == 1
    assert end_of(life) == undisturbed
    assert faults_of(life, twice=place.twice, abandoned=place.abandoned) == []


SOFT = (
    "fetched nothing stored",
    "ledger row not committed",
    "in the parser",
    "consequences not committed",
    "before filing",
    "decision recorded",
    "case not started",
    "signed not recorded",
    "certificate recorded not committed",
    "CRL signed not recorded",
    "CRL recorded not written",
    "letter accepted not noted",
    "password unsealed",
)


@pytest.mark.parametrize("place", [place for place in PLACES if place.name in SOFT], ids=str)
def test_an_error_that_nobody_foresaw_is_outlived_without_a_restart(life, undisturbed, place):
    wire = Tripwire(Trouble, skip=place.skip)
    life.live(place.phase, place.fault, wire)
    assert wire.sprung
    assert life.restarts == 0
    assert end_of(life) == undisturbed
    assert faults_of(life, twice=place.twice, abandoned=place.abandoned) == []


def test_a_mail_that_stops_the_process_three_times_is_kept_set_aside_and_shown_to_staff(life, monkeypatch):
    reader = unpacking.read_document

    def stop(opener, data, *, received_on):
        if data.startswith(b"%PDF-1.0 poison"):
            raise Stop("the parser kills the process")
        return reader(opener, data, received_on=received_on)

    monkeypatch.setattr(unpacking, "read_document", stop)
    life.stage.send(AOZORA, "申請", "poison", pdf=b"%PDF-1.0 poison")
    life.work()
    assert life.restarts == intake.MOST_ATTEMPTS
    (raw,) = life.server.messages(CENTRE, FOR_STAFF)
    centre = life.stage.centre
    with centre.store.transaction() as tx:
        (held,) = ledger.held(tx)
        assert [record.kind for record in audit.records(tx)].count("mail_held") == 1
    assert (held.attempts, held.folder) == (intake.MOST_ATTEMPTS, FOR_STAFF)
    assert centre.blobs.get(held.digest) == raw
    for address in APPROVERS:
        assert any("処理できないメール" in mail.subject for mail in life.stage.letters(address))
    # The next mail is dealt with as ever.
    life.live()
    assert life.restarts == intake.MOST_ATTEMPTS


@pytest.mark.parametrize("broken", [name for name, _ in loop.STEPS])
def test_a_step_that_fails_takes_no_other_step_down(monkeypatch, broken):
    def step(name):
        def work(_centre):
            if name == broken:
                raise Trouble(name)
            return 1

        return name, work

    monkeypatch.setattr(loop, "STEPS", tuple(step(name) for name, _ in loop.STEPS))
    expected = {name: int(name != broken) for name, _ in loop.STEPS}
    centre = SimpleNamespace(clock=lambda: START, stop=threading.Event())
    assert loop.run_round(centre) == Progress(expected, (broken,))
