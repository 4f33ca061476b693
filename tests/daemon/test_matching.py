"""Whom a form means: three compare keys, never a guess (SPEC 1.3.7)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.matching import PERSON_FIELDS, Person, match, near_keys, person_from, person_of
from support.applications import HANAKO, ICHIRO, TAKERU, application, registration

NOBODY = Person("", "", "", "", "")


def test_a_match_needs_company_name_and_mail_address_and_nothing_else():
    spelled_otherwise = replace(HANAKO, company_en="AOZORA DENKI K.K.", name_en="YAMADA H.")
    found = match(spelled_otherwise, [registration(1), registration(2, TAKERU)])
    assert [one.id for one in found.exact] == [1]
    assert found.candidates == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"company_ja": "あおぞら電機（株）"},
        {"name_ja": "山田花子"},
        {"name_ja": "山田　花子"},
        {"email": "Hanako.Yamada@AOZORA-DENKI.example"},
    ],
)
def test_spelling_does_not_stand_in_the_way_of_a_match(changed):
    assert match(replace(HANAKO, **changed), [registration()]).exact


@pytest.mark.parametrize(
    "changed",
    [
        {"company_ja": "株式会社みなと商事"},
        {"name_ja": "髙橋 花子"},
        {"email": "h-yamada@aozora-denki.example"},
    ],
)
def test_two_of_three_keys_make_a_candidate_and_no_match(changed):
    found = match(replace(HANAKO, **changed), [registration()])
    assert not found.exact
    assert [one.id for one in found.candidates] == [1]


def test_a_misread_name_within_the_company_is_a_candidate():
    misread = replace(HANAKO, name_ja="山田 花了", email="hanako.yarnada@aozora-denki.example")
    assert [one.id for one in match(misread, [registration()]).candidates] == [1]


@pytest.mark.parametrize("person", [TAKERU, ICHIRO, NOBODY])
def test_a_stranger_is_no_candidate(person):
    found = match(person, [registration()])
    assert (found.exact, found.candidates) == ((), ())


def test_an_empty_block_matches_nobody_not_even_the_empty():
    """An import may leave data open; two unknowns are not the same person."""
    found = match(NOBODY, [registration(1, replace(NOBODY, company_ja="株式会社みなと商事"))])
    assert (found.exact, found.candidates) == ((), ())


def test_several_registrations_of_one_person_are_all_found():
    assert [one.id for one in match(HANAKO, [registration(1), registration(2), registration(3, TAKERU)]).exact] == [
        1,
        2,
    ]


def test_candidates_stand_best_first_and_are_five_at_most():
    moved = registration(9, replace(HANAKO, company_ja="株式会社みなと商事"))  # two keys
    same_name = [registration(n, replace(TAKERU, name_ja=HANAKO.name_ja)) for n in range(1, 8)]  # one key
    found = match(HANAKO, [*same_name, moved])
    assert [one.id for one in found.candidates] == [9, 1, 2, 3, 4]


@given(st.lists(st.sampled_from([HANAKO, ICHIRO, TAKERU, NOBODY]), max_size=6), st.builds(Person, *[st.text()] * 5))
def test_a_match_is_always_one_of_the_given_and_always_equal_in_all_keys(people, wanted):
    known = [registration(number, person) for number, person in enumerate(people)]
    found = match(wanted, known)
    assert all(one.person.keys == wanted.keys for one in found.exact)
    assert all(one.person.keys != wanted.keys for one in found.candidates)
    assert set(found.exact) | set(found.candidates) <= set(known)


def test_a_person_is_read_from_the_block_that_is_named():
    form = application("handover", HANAKO, ICHIRO)
    assert (person_of(form, "before"), person_of(form, "after")) == (HANAKO, ICHIRO)
    assert person_of(form, "user") == NOBODY


def test_a_stored_person_comes_back_as_it_was():
    assert person_from({name: getattr(HANAKO, name) for name in PERSON_FIELDS}) == HANAKO
    assert HANAKO.domain == "aozora-denki.example"


def test_one_misread_character_in_each_of_the_three_keys_still_finds_the_candidate():
    misread = replace(
        HANAKO, company_ja="あおぞら竃機株式会社", name_ja="山田 花了", email="hanako.yamaba@aozora-denki.example"
    )
    found = match(misread, [registration(1), registration(2, TAKERU), registration(3, ICHIRO)])
    assert not found.exact
    assert [one.id for one in found.candidates] == [1]
    assert near_keys(misread, HANAKO) == 3
    assert near_keys(NOBODY, NOBODY) == 0
