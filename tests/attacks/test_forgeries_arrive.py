"""Every forgery of the tables, and those that only a centre with cases can be shown, as real mail through the real path.

A mail server on loopback takes it, the service fetches, judges and acts. After each: every row of cases, requests,
decisions, tasks, register and certificates is as before; the audit log tells what became of it; staff were told where
SPEC 2.1 says so; whoever sent it got nothing. Beside them, for each way of knowing an approver, a genuine reply decides.
"""

from collections import Counter
from dataclasses import replace

import pytest

from attacks import table_dkim, table_smime, table_stamps
from attacks.besieged import COLLEAGUE, DAY, LEFT, Besieged
from attacks.table_arrivals import ARRIVALS
from daemon.demo.server import MailServer
from daemon.demo.stage import AUTHSERV_ID, Clock
from daemon.demo.story import AOZORA, STRANGER
from support.applications import ICHIRO
from support.letters_in import STAFF
from support.names import name_server
from support.signed_mails import AT

TABLES = (table_stamps, table_dkim, table_smime)
FORGERIES = [each for table in TABLES for each in table.FORGERIES]
GENUINE = {each.methods[0]: each for table in TABLES for each in reversed(table.GENUINE) if len(each.methods) == 1}
BY_OUR_SERVER = [each for each in table_stamps.FORGERIES if each.methods == ("login",)]
WORDS = {
    # What the path finds before or besides the pure judgement of `forgeries.attempt`.
    "automatic": {"automatic", "automatic_command"},
    "unclear_reply": {"unclear_reply"},
    "signature_not_bound": {"refused_signature_not_bound"},
    "unknown_token": {"refused_unknown_token", "unclear_reply"},  # without a token nothing was asked
    "sender_is_another": {"refused_not_an_approver", "refused_not_authenticated"},
    "sender_ambiguous": {"refused_suspicious_mail", "refused_not_an_approver"},
}


@pytest.fixture(scope="module")
def besieged(centres, tmp_path_factory):
    clock = Clock(AT - DAY)
    with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as server, name_server() as names:
        made = Besieged.open(centres, server, clock, names, tmp_path_factory.mktemp("besieged"))
        yield made
        made.stage.centre.close()


def demand_nothing_happened(arrived, besieged, staff=(STAFF, LEFT, COLLEAGUE)):
    """Nothing changed, the log tells it, staff were told, nobody else got a mail."""
    assert arrived.changed == ()
    assert besieged.state(besieged.target) == "awaiting_decision"
    kinds = Counter(event["kind"] for event in arrived.events)
    assert kinds["decision_taken"] == 0
    if arrived.outcome is None:
        assert (arrived.letters, arrived.reached, kinds) == ((), (), Counter())
        return
    assert [each["outcome"] for each in arrived.events if each["kind"] == "mail_read"] == [arrived.outcome]
    if arrived.outcome == "automatic":
        assert (kinds["automatic_reply"], arrived.letters, arrived.reached) == (1, (), ())
    elif arrived.outcome == "automatic_command":
        # A person may have written it: it does not count, and staff hear of it.
        assert kinds["automatic_reply"] == 1
        assert arrived.letters == tuple(sorted((address, "staff_notice") for address in staff))
    elif arrived.outcome == "unclear_reply":
        # Authenticated and no decision: the approver himself hears what was understood.
        assert arrived.letters == ((STAFF, "reply_unclear"),)
        assert arrived.reached == (STAFF,)
    else:
        (refused,) = [each for each in arrived.events if each["kind"] == "decision_refused"]
        assert f"refused_{refused['reason']}" == arrived.outcome
        assert arrived.letters == tuple(sorted((address, "decision_refused") for address in staff))
        assert arrived.reached == tuple(sorted(staff))


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda each: f"{'+'.join(each.methods)}: {each.name}")
def test_a_forgery_that_arrives_changes_nothing_is_logged_and_told(besieged, forgery):
    arrived = besieged.attack(forgery)
    assert arrived.outcome in WORDS.get(forgery.code, {"refused_not_authenticated"})
    demand_nothing_happened(arrived, besieged)
    if arrived.outcome == "refused_not_authenticated":
        (refused,) = [each for each in arrived.events if each["kind"] == "decision_refused"]
        assert refused["detail"] == forgery.code


@pytest.mark.parametrize(
    "forgery", BY_OUR_SERVER, ids=lambda each: f"{'+'.join(each.methods)}: {each.name}, from outside"
)
def test_a_forged_header_from_outside_does_not_pass_our_own_server(besieged, forgery):
    """The same octets by SMTP: the server takes away what claims to be its own, and its own trace stands on top."""
    arrived = besieged.attack(forgery, from_outside=True)
    assert arrived.outcome.startswith("refused_")
    demand_nothing_happened(arrived, besieged)


@pytest.mark.parametrize("attack", ARRIVALS, ids=lambda each: each.name)
def test_what_is_genuine_in_another_place_changes_nothing_is_logged_and_told(besieged, attack):
    with besieged.known_by(*attack.methods, without=attack.without):
        arrived = besieged.arrive(lambda: attack.send(besieged))
    assert arrived.outcome == attack.outcome
    demand_nothing_happened(arrived, besieged, [each for each in (STAFF, LEFT, COLLEAGUE) if each != attack.without])


@pytest.mark.parametrize("sender", [AOZORA, STRANGER])
@pytest.mark.parametrize("words", ["至急失効 W000001 紛失", "承認"])
def test_a_stranger_who_asks_for_an_urgent_revocation_is_shown_to_staff_and_revokes_nothing(besieged, sender, words):
    """Without a token it is a mail without a form: staff see it, and its sender gets what everybody gets."""
    subject = "証明書について"
    arrived = besieged.arrive(lambda: besieged.stage.send(sender, subject, f"{words}\n"))
    assert (arrived.outcome, arrived.changed) == ("no_form", ())
    told = [(address, "staff_notice") for address in (STAFF, LEFT, COLLEAGUE)]
    assert arrived.letters == tuple(sorted([(sender, "guidance"), *told]))
    assert {event["kind"] for event in arrived.events} <= {"mail_read", "letter_queued", "letter_sent"}


@pytest.mark.parametrize("method", ["login", "results", "dkim", "smime", "tenant"])
def test_the_genuine_reply_beside_the_forgeries_decides(besieged, method):
    """By the same doors and the same builders; without it a centre that is deaf would pass."""
    person = {"login": "三郎", "results": "四郎", "dkim": "五郎", "smime": "六郎", "tenant": "七郎"}[method]
    target = besieged.target
    try:
        besieged.target = besieged.case(
            "new_issue", replace(ICHIRO, name_ja=f"鈴木 {person}", name_en=f"{method} SUZUKI")
        )
        arrived = besieged.attack(GENUINE[method])
    finally:
        besieged.target = target
    assert arrived.outcome == "decision_approve"
    assert "decision_taken" in {event["kind"] for event in arrived.events}
    assert {"cases", "decisions", "requests", "certificates"} <= set(arrived.changed)


def test_there_are_enough_of_them_and_no_two_are_the_same():
    assert len(FORGERIES) + len(ARRIVALS) >= 60
    assert len({each.name for each in ARRIVALS}) == len(ARRIVALS)
