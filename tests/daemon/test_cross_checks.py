"""Evidence about what was read from a picture: what raises a confidence, what lowers it, and that nothing is replaced."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cross_checks import CONTRADICTED, LIFTABLE, SUPPORTED, weigh
from daemon.matching import Match, Person, match
from daemon.planning import Known
from parsers import rules
from parsers.reading import FieldValue, Severity
from parsers.subject import SURE
from support.applications import (
    HANAKO,
    HANAKO_MARRIED,
    ICHIRO,
    TABLE,
    TANAKA,
    TODAY,
    application,
    certificate,
    facts,
    registration,
)
from support.scanned import scanned

REGISTERED = registration(
    applicant_company=TANAKA["company"], applicant_name=TANAKA["name"], applicant_email=TANAKA["email"]
)
KNOWN = Known(
    frozenset({HANAKO.company_ja}),
    frozenset({HANAKO.email, TANAKA["email"]}),
    frozenset({(HANAKO.name_ja, HANAKO.email), (TANAKA["name"], TANAKA["email"])}),
)
AFTER = {"handover": ICHIRO, "registration_change": HANAKO_MARRIED}


def weighed(kind="reissue", first=HANAKO, *, registered=(REGISTERED,), read=None, doubts=None, **more):
    """A scan of that person's form against a register; `doubts` by field, all values in doubt without."""
    form = application(kind, first, AFTER.get(kind), judged=False, **(read or {}))
    form = scanned(form, **(doubts if doubts is not None else {"everything": ("second_opinion",)}))
    form = replace(form, findings=rules.find(form, table=TABLE, received_on=TODAY))
    found = match(first, registered)
    target = found.exact[0] if len(found.exact) == 1 and kind != "new_issue" else None
    known = {"match": found, "target": target, "live": (certificate(),), "known": KNOWN, "sender": TANAKA["email"]}
    return form, weigh(form, facts(**(known | more)), TABLE)


def codes(found):
    return {(finding.code, finding.field) for finding in found.findings}


def test_text_is_what_it_says_and_is_not_weighed():
    form = application("reissue", replace(HANAKO, email="hanako.yamaba@aozora-denki.example"))
    found = weigh(form, facts(match=match(HANAKO, [REGISTERED]), known=KNOWN), TABLE)
    assert found.application is form
    assert not found.findings


@pytest.mark.parametrize("kind", ["reissue", "cancellation", "handover", "registration_change"])
def test_values_equal_to_the_one_registration_that_is_named_are_supported(kind):
    form, found = weighed(kind)
    block = TABLE.types[form.request_type].looks_up
    for name in ("company_ja", "company_en", "name_ja", "name_en", "email"):
        field = found.application.fields[f"{block}.{name}"]
        assert (field.confidence, field.doubts) == (SUPPORTED, ()), name
    assert not [each for each in found.application.findings if each.field.startswith(f"{block}.")]
    assert not found.findings
    assert not found.target_unsure


def test_the_applicant_is_supported_by_sender_and_register():
    _, found = weighed()
    for name in ("company", "name", "email"):
        assert found.application.fields[f"applicant.{name}"].confidence == SUPPORTED, name
    assert found.application.fields["applicant.phone"].confidence < SURE


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"email": "hanako.yamaba@aozora-denki.example"}, "user.email"),
        ({"email": "hanako.yarnada@aozora-denki.example"}, "user.email"),
        ({"name_ja": "山田 花了"}, "user.name_ja"),
        ({"company_ja": "あおぞら竃機株式会社"}, "user.company_ja"),
        ({"name_en": "Hanako YAMAOA"}, "user.name_en"),
        ({"company_en": "Aozora Electrlc Co., Ltd."}, "user.company_en"),
    ],
)
@pytest.mark.parametrize("sure", [True, False])
def test_a_value_next_to_the_registered_one_is_a_doubt_and_is_not_replaced(changed, key, sure):
    misread = replace(HANAKO, **changed)
    form, found = weighed("reissue", misread, doubts={} if sure else None)
    field = found.application.fields[key]
    assert field.value == form.fields[key].value == getattr(misread, key.partition(".")[2])
    assert field.confidence <= CONTRADICTED
    assert "register_near" in field.doubts
    assert ("register_near", key) in codes(found)
    assert all(each.severity is Severity.DOUBT for each in found.findings)


def test_a_variant_of_the_registered_name_is_a_doubt_though_it_matches():
    registered = registration(person=replace(HANAKO, name_ja="髙橋 花子"))
    _, found = weighed("reissue", replace(HANAKO, name_ja="高橋 花子"), registered=(registered,), doubts={})
    assert ("register_near", "user.name_ja") in codes(found)


def test_a_mail_address_is_supported_by_nothing_but_the_registered_one():
    """The certificate of a new user goes to a new address: neither the domain nor the sender makes it a fact."""
    for sender in (HANAKO.email, TANAKA["email"]):
        _, found = weighed("new_issue", registered=(), sender=sender)
        assert found.application.fields["user.email"].confidence < SURE
    _, found = weighed("handover")
    assert found.application.fields["after.email"].confidence < SURE


def test_a_mail_address_with_a_neighbour_in_the_register_is_supported_by_nothing():
    near = replace(ICHIRO, email=HANAKO.email.replace("yamada", "yamaba"))
    known = replace(KNOWN, addresses=KNOWN.addresses | {near.email})
    _, found = weighed(known=known, registered=(REGISTERED, registration(2, near)))
    assert found.application.fields["user.email"].confidence < SURE
    assert ("register_near", "user.email") not in codes(found)


def test_of_two_registrations_that_differ_by_reading_errors_none_is_taken():
    """Two people of one name in one company, sato1@ and sato2@: a misread digit would revoke the wrong one."""
    one, two = (replace(HANAKO, email=f"yamada{number}@aozora-denki.example") for number in (1, 2))
    _, found = weighed("cancellation", one, registered=(registration(1, one), registration(2, two)))
    assert found.target_unsure
    assert ("target_unsure", "user") in codes(found)
    _, found = weighed("cancellation", one, registered=(registration(1, one), registration(2, two)), doubts={})
    assert not found.target_unsure


@pytest.mark.parametrize("doubt", ["written_over", "cut_off", "handwriting", "unlike_picture", "code_differs", "new"])
def test_what_is_covered_cut_or_written_by_hand_stays_a_doubt_whatever_is_known(doubt):
    assert doubt not in LIFTABLE
    _, found = weighed(doubts={"user__name_ja": (doubt,)})
    assert found.application.fields["user.name_ja"].confidence < SURE
    assert found.application.fields["user.name_ja"].doubts == (doubt,)


def test_an_old_variant_in_the_after_block_may_be_the_change_that_is_asked_for():
    form = application("registration_change", HANAKO, replace(HANAKO, email="h@aozora-denki.example"), judged=False)
    for codes_of_doubt, lifted in ((("second_opinion",), True), (("variant",), False)):
        read = scanned(form, after__name_ja=codes_of_doubt)
        found = weigh(read, facts(match=match(HANAKO, [REGISTERED]), target=REGISTERED, known=KNOWN), TABLE)
        assert (found.application.fields["after.name_ja"].confidence >= SURE) is lifted


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("keiri@aozora-denkl.example", "domain_near"),
        ("tanaka@aozora-denki.examp1e", "domain_near"),
        (TANAKA["email"].replace("@", "1@"), "register_near"),
    ],
)
def test_an_applicants_address_next_to_a_known_one_is_a_doubt(address, code):
    _, found = weighed(read={"applicant__email": address}, doubts={})
    assert (code, "applicant.email") in codes(found)


def test_a_new_users_address_next_to_the_senders_is_a_doubt():
    sender = "takeru.sato@aozora-denki.example"
    person = Person("あおぞら電機株式会社", "Aozora Electric Co., Ltd.", "佐藤 健", "Takeru SATO", "")
    misread = replace(person, email="takeru.sat0@aozora-denki.example")
    _, found = weighed("new_issue", misread, registered=(), sender=sender, doubts={})
    assert ("sender_near", "user.email") in codes(found)


def test_what_staff_have_typed_is_not_weighed():
    typed = FieldValue("hanako.yamaba@aozora-denki.example", "hanako.yamaba@aozora-denki.example", 1.0, 1)
    form = scanned(application("reissue", judged=False))
    form = replace(form, fields={**form.fields, "user.email": typed})
    found = weigh(form, facts(match=Match((), (REGISTERED,)), known=KNOWN), TABLE)
    assert found.application.fields["user.email"] == typed


def test_without_a_type_only_sender_and_companies_are_known():
    form = scanned(application(None, judged=False), applicant__email=("look_alike",))
    found = weigh(form, facts(sender=TANAKA["email"], known=KNOWN), TABLE)
    assert found.application.fields["applicant.email"].confidence == SUPPORTED


def test_no_sentence_repeats_a_value():
    misread = replace(HANAKO, email="hanako.yamaba@aozora-denki.example", name_ja="山田 花了")
    _, found = weighed("reissue", misread)
    text = "".join(finding.message for finding in found.findings)
    assert found.findings
    assert not [value for value in (HANAKO.email, misread.email, "山田", "aozora") if value in text]


@given(
    st.text(max_size=20), st.text(max_size=20), st.floats(0, 1), st.sampled_from(["reissue", "new_issue", "handover"])
)
def test_weighing_changes_confidence_and_doubts_only_and_never_makes_a_certainty(name, address, confidence, kind):
    form = scanned(application(kind, HANAKO, AFTER.get(kind), judged=False), everything=("second_opinion",))
    fields = {**form.fields}
    fields["user.name_ja"] = replace(fields["user.name_ja"], value=name or None, confidence=confidence)
    fields["after.email"] = replace(fields["after.email"], value=address or None, confidence=confidence)
    form = replace(form, fields=fields)
    found = weigh(form, facts(match=match(HANAKO, [REGISTERED]), known=KNOWN, sender=address), TABLE)
    for key, before in form.fields.items():
        after = found.application.fields[key]
        assert (after.value, after.raw, after.page, after.box) == (before.value, before.raw, before.page, before.box)
        assert after.confidence == before.confidence or after.confidence in (SUPPORTED, CONTRADICTED)
    assert all(finding.severity is Severity.DOUBT for finding in found.findings)
