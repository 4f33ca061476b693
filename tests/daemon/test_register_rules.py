"""What the register makes us notice: each rule, each of its branches (SPEC 1.3.6, 1.3.7, 1.3.9)."""

from dataclasses import replace

import pytest

from daemon import register_rules
from daemon.matching import Match
from parsers.reading import Severity
from support.applications import (
    HANAKO,
    HANAKO_MARRIED,
    ICHIRO,
    TABLE,
    TAKERU,
    application,
    certificate,
    facts,
    registration,
)

REGISTERED = registration()
FOUND = {"match": Match((REGISTERED,), ()), "target": REGISTERED, "live": (certificate(),)}
AFTER = {"handover": ICHIRO, "registration_change": HANAKO_MARRIED}


def find(kind, *, form=None, **known):
    form = form or application(kind, HANAKO, AFTER.get(kind))
    return register_rules.find(form, facts(**known), TABLE)


def codes(found):
    return [finding.code for finding in found]


def test_nothing_is_said_while_the_type_is_undecided():
    assert find(None, company_known=False, duplicates=("WEBEC-20260401-0001",)) == ()


@pytest.mark.parametrize("kind", ["reissue", "registration_change", "handover", "cancellation"])
def test_an_application_that_fits_the_register_has_no_finding(kind):
    known = {"sender": "soumu@aozora-denki.example"} | FOUND
    assert find(kind, **known) == ()


def test_a_new_user_of_a_known_company_has_no_finding():
    assert find("new_issue") == ()


@pytest.mark.parametrize(
    ("kind", "known", "code", "severity"),
    [
        ("new_issue", {"match": Match((REGISTERED,), ())}, "already_registered", Severity.DOUBT),
        ("new_issue", {"match": Match((), (REGISTERED,))}, "similar_registration", Severity.NOTE),
        ("reissue", {}, "no_registration", Severity.DOUBT),
        ("reissue", {"match": Match((), (REGISTERED,))}, "no_registration", Severity.DOUBT),
        ("cancellation", {"match": Match((REGISTERED, registration(2)), ())}, "several_registrations", Severity.DOUBT),
        ("reissue", FOUND | {"live": ()}, "no_live_certificate", Severity.WARNING),
    ],
)
def test_matching(kind, known, code, severity):
    (found,) = find(kind, **known)
    assert (found.code, found.severity, found.field) == (code, severity, "user")


def test_the_block_that_names_the_registered_person_is_the_one_reported():
    assert [finding.field for finding in find("handover")] == ["before"]


def test_an_unknown_company():
    found = find("new_issue", company_known=False, company_english=frozenset(), company_domains=frozenset())
    assert codes(found) == ["company_unknown"]
    assert found[0].severity is Severity.WARNING


def test_a_mail_domain_new_to_a_known_company():
    form = application("new_issue", replace(HANAKO, email="hanako.yamada@elsewhere.example"))
    assert codes(find("new_issue", form=form)) == ["mail_domain_new"]


def test_a_company_without_known_domains_has_no_new_one():
    assert find("new_issue", company_domains=frozenset()) == ()


def test_the_domain_of_the_successor_is_the_one_that_counts():
    form = application("handover", HANAKO, replace(ICHIRO, email="ichiro@elsewhere.example"))
    found = find("handover", form=form, **FOUND)
    assert [(finding.code, finding.field) for finding in found] == [("mail_domain_new", "after.email")]


@pytest.mark.parametrize(("kind", "expected"), [("new_issue", ["first_certificate"]), ("registration_change", [])])
def test_the_first_certificate_of_a_company(kind, expected):
    assert codes(find(kind, company_certified=False, **(FOUND if expected == [] else {}))) == expected


def test_another_english_spelling_of_the_company():
    form = application("new_issue", replace(HANAKO, company_en="Aozora Denki K.K."))
    (found,) = find("new_issue", form=form)
    assert (found.code, found.severity, found.field) == (
        "company_english_differs",
        Severity.WARNING,
        "user.company_en",
    )


def test_a_company_without_a_registered_english_name_has_no_other_spelling():
    form = application("new_issue", replace(HANAKO, company_en="Aozora Denki K.K."))
    assert find("new_issue", form=form, company_english=frozenset()) == ()


def test_a_cancellation_says_nothing_about_the_company():
    assert find("cancellation", company_known=False, company_certified=False, **FOUND) == ()


@pytest.mark.parametrize("field", ["company_en", "name_en"])
def test_an_english_spelling_other_than_the_registered_one_is_a_note(field):
    form = application("cancellation", replace(HANAKO, **{field: "Something ELSE"}))
    (found,) = find("cancellation", form=form, **FOUND)
    assert (found.code, found.severity, found.field) == ("differs_from_register", Severity.NOTE, f"user.{field}")


def test_a_changed_mail_address():
    form = application("registration_change", HANAKO, replace(HANAKO, email="h.yamada@aozora-denki.example"))
    (found,) = find("registration_change", form=form, **FOUND)
    assert (found.code, found.field) == ("mail_address_changed", "after.email")


def test_a_mail_address_in_other_letters_is_not_a_changed_one():
    form = application("registration_change", HANAKO, replace(HANAKO, email="Hanako.Yamada@Aozora-Denki.example"))
    assert find("registration_change", form=form, **FOUND) == ()


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("scanner@aozora-denki.example", ["applicant_not_sender"]),
        ("SOUMU@aozora-denki.example", []),
        ("", []),
    ],
)
def test_a_sender_who_is_not_the_applicant_is_worth_a_note(sender, expected):
    found = find("new_issue", sender=sender)
    assert codes(found) == expected
    assert all(finding.severity is Severity.NOTE for finding in found)


def test_the_same_application_twice():
    (found,) = find("new_issue", duplicates=("WEBEC-20260401-0001",))
    assert (found.code, found.severity) == ("duplicate_application", Severity.DOUBT)
    assert "WEBEC-20260401-0001" in found.message


@pytest.mark.parametrize("remarks", ["社名変更のため", "EDIの利用終了", "全員分", "全ユーザ解約"])
def test_remarks_about_the_whole_company_show_the_colleagues(remarks):
    form = application("cancellation", remarks=remarks)
    (found,) = find("cancellation", form=form, colleagues=("鈴木 一郎（W000002）",), **FOUND)
    assert (found.code, found.severity) == ("company_wide_event", Severity.DOUBT)
    assert "鈴木 一郎（W000002）" in found.message


def test_a_renamed_company_shows_the_colleagues():
    renamed = replace(HANAKO, company_ja="あおぞらホールディングス株式会社", company_en="Aozora Holdings Inc.")
    form = application("registration_change", HANAKO, renamed)
    found = find(
        "registration_change", form=form, colleagues=("鈴木 一郎（W000002）",), company_english=frozenset(), **FOUND
    )
    assert "company_wide_event" in codes(found)


@pytest.mark.parametrize("after", [HANAKO_MARRIED, replace(HANAKO, company_ja="")])
def test_a_company_that_kept_its_name_shows_no_colleagues(after):
    form = application("registration_change", HANAKO, after)
    found = find("registration_change", form=form, colleagues=("鈴木 一郎（W000002）",), **FOUND)
    assert "company_wide_event" not in codes(found)


def test_without_colleagues_nobody_else_can_be_meant():
    form = application("cancellation", remarks="全員分")
    assert find("cancellation", form=form, **FOUND) == ()


def test_no_finding_of_the_register_ever_goes_to_the_applicant():
    """A letter to an applicant never says what stands in the register: none of these is a defect."""
    strange = replace(TAKERU, email="t-sato@elsewhere.example", company_en="Elsewhere")
    for kind in TABLE.types:
        form = application(kind, strange, replace(strange, company_ja="株式会社よそ"), remarks="全員", applied=None)
        found = find(
            kind,
            form=form,
            company_known=False,
            company_certified=False,
            sender="x@y.example",
            duplicates=("WEBEC-20260401-0001",),
            colleagues=("鈴木 一郎",),
        )
        assert found
        assert all(finding.severity is not Severity.DEFECT for finding in found)


def test_a_rule_asked_about_an_undecided_type_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="undecided"):
        list(register_rules.RULES[0](application(None), facts(), TABLE))
