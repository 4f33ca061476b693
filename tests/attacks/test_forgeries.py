"""Every forgery of the tables is refused, and for the reason it was made for; what is genuine beside it is accepted."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks import table_dkim, table_smime, table_stamps
from attacks.forgeries import attempt
from parsers.verdicts import REASONS

TABLES = (table_stamps, table_dkim, table_smime)
FORGERIES = [each for table in TABLES for each in table.FORGERIES]
GENUINE = [each for table in TABLES for each in table.GENUINE]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda each: f"{'+'.join(each.methods)}: {each.name}")
def test_a_forgery_is_refused_for_its_reason(forgery):
    assert attempt(forgery) == forgery.code


@pytest.mark.parametrize("mail", GENUINE, ids=lambda each: f"{'+'.join(each.methods)}: {each.name}")
def test_the_genuine_mail_beside_the_forgeries_is_accepted(mail):
    """Without it a judgement that refuses everything would pass."""
    assert attempt(mail) == "accepted"


def test_there_are_enough_of_them_and_no_two_are_the_same():
    assert len(FORGERIES) >= 60
    assert len({(each.methods, each.name) for each in FORGERIES}) == len(FORGERIES)


def test_every_reason_of_a_refused_proof_is_shown_by_a_forgery():
    """A reason that no forgery reaches is a check that nobody has seen fail."""
    shown = {each.code for each in FORGERIES}
    accepting = {"login_matches", "results_match", "dkim_verified", "smime_verified", "tenant_matches"}
    # Configuration that `config.settings` refuses, or what only a broken certificate shows (tests/parsers/test_smime.py).
    elsewhere = {"authserv_id_missing", "no_method", "tenant_not_configured", "smime_certificate_malformed"}
    assert set(REASONS) - shown - accepting - elsewhere == set()


@cache
def built():
    return [(each, each.build()) for each in GENUINE]


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=120, deadline=None)
@given(st.data())
def test_whatever_octets_arrive_there_is_a_verdict(data):
    """Octets of a genuine mail are changed, taken out or put in."""
    mail, raw = data.draw(st.sampled_from(built()))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 3))
        raw = raw[:place] + data.draw(st.binary(max_size=3)) + raw[place + cut :]
    said = attempt(replace(mail, build=lambda: raw))
    assert said in REASONS or said in ("accepted", "automatic", "unknown_token", "signature_not_bound", "unclear_reply")
