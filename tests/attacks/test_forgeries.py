"""Every forgery of the tables is refused, and for the reason it was made for; what is genuine beside it is accepted."""

import pytest

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
