"""Doubts that the form alone gives: two domains that differ by a letter, and a type that was not read for sure."""

from dataclasses import replace

import pytest

from parsers import rules
from parsers.reading import FieldValue, Severity
from support.applications import HANAKO, TABLE, TODAY, application
from support.scanned import scanned


def found(form, code):
    return [each for each in rules.find(form, table=TABLE, received_on=TODAY) if each.code == code]


def test_two_domains_that_differ_by_a_letter_are_a_doubt_at_both_whatever_the_route():
    form = application("new_issue", replace(HANAKO, email="hanako@aozora-denkl.example"))
    near = found(form, "mail_domains_near")
    assert {each.field for each in near} == {"applicant.email", "user.email"}
    assert {each.severity for each in near} == {Severity.DOUBT}
    assert not [each for each in near if "aozora" in each.message]


@pytest.mark.parametrize("address", ["hanako@minato-shoji.example", "hanako@aozora-denki.example"])
def test_equal_domains_and_strangers_are_none(address):
    assert not found(application("new_issue", replace(HANAKO, email=address)), "mail_domains_near")


def test_an_address_in_a_grey_cell_is_not_compared():
    form = application("new_issue", before__email="hanako@aozora-denkl.example")
    assert not found(form, "mail_domains_near")


@pytest.mark.parametrize(("confidence", "doubted"), [(0.89, True), (0.9, False), (1.0, False)])
def test_a_type_that_was_not_read_for_sure_is_a_doubt(confidence, doubted):
    form = scanned(application("reissue"))
    form = replace(form, type_reading=FieldValue("reissue", "再発行", confidence, 1))
    assert bool([each for each in found(form, "reading_doubtful") if each.field == "request_type"]) is doubted


def test_a_type_that_staff_chose_is_in_no_doubt():
    form = replace(scanned(application("reissue")), type_reading=None)
    assert not found(form, "reading_doubtful")
