"""The table of four eyes and of revocation reasons."""

import tomllib
from importlib import resources

import pytest

from ca.crl import Reason
from config import approval_rules


def raw():
    return tomllib.loads(resources.files("config").joinpath("approval_rules.toml").read_text("utf-8"))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("紛失", "key_compromise"),
        ("PCの盗難のため", "key_compromise"),
        ("鍵の漏えい", "key_compromise"),
        ("ＬＯＳＴ laptop", "key_compromise"),
        ("退職", "affiliation_changed"),
        ("契約終了", "cessation_of_operation"),
        ("電話での申し出", "unspecified"),
        ("", "unspecified"),
    ],
)
def test_the_code_of_a_revocation_follows_from_the_words_of_the_reason(typed, code):
    assert approval_rules.load().reason_of(typed).code == code


def test_every_code_is_one_that_the_authority_knows():
    assert {rule.code for rule in approval_rules.load().reasons} <= {reason.value for reason in Reason}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda table: table.pop("reasons"), "reasons"),
        (lambda table: table.update(more={}), "more"),
        (lambda table: table["two_for_orders"].pop("postponement"), "two_for_orders"),
        (lambda table: table["two_for_severities"].update(odd="…"), "odd"),
        (lambda table: table["reasons"].pop(), "last reason"),
        (lambda table: table["reasons"][0].update(words=[]), "last reason"),
    ],
)
def test_a_table_that_breaks_its_rules_is_refused(change, word):
    table = raw()
    change(table)
    with pytest.raises(ValueError, match=word):
        approval_rules.build(table)
