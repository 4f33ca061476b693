"""Which registration a form means (SPEC 1.3.7), pure.

A match is: company (Japanese), name (Japanese) and mail address all equal by their compare keys. Anything less is a
candidate that staff may choose, never a guess of ours.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from parsers.likeness import is_near
from parsers.normalise import company_key, mail_key, person_key
from parsers.reading import Application

PERSON_FIELDS = ("company_ja", "company_en", "name_ja", "name_en", "email")
_SHOWN_CANDIDATES = 5
_ALIKE = 0.6
# So many of the three keys, equal or nearly so, name a person who may be meant.
_NEARLY = 2


@dataclass(frozen=True, slots=True)
class Person:
    """The five data of a user block, as display values; empty where the form gives none."""

    company_ja: str
    company_en: str
    name_ja: str
    name_en: str
    email: str

    @property
    def keys(self) -> tuple[str, str, str]:
        """The compare keys that decide a match: company, name, mail address."""
        return company_key(self.company_ja), person_key(self.name_ja), mail_key(self.email)

    @property
    def domain(self) -> str:
        """The domain of the mail address, in lower case."""
        return self.email.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class Registration:
    """A person's place in the register."""

    id: int
    subscriber_id: str
    state: str
    person: Person
    applicant_company: str = ""
    applicant_name: str = ""
    applicant_email: str = ""
    email_changed_at: datetime | None = None
    bundle: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """`exact`: all three keys equal. `candidates`: the nearest others, best first."""

    exact: tuple[Registration, ...]
    candidates: tuple[Registration, ...]


def person_of(application: Application, block: str) -> Person:
    """The person that a block of the form names (`user`, `before`, `after`)."""
    return Person(**{name: application.value(f"{block}.{name}") or "" for name in PERSON_FIELDS})


def person_from(values: Mapping[str, str]) -> Person:
    """The person in a stored mapping of the five fields."""
    return Person(**{name: values[name] for name in PERSON_FIELDS})


def match(person: Person, registrations: Iterable[Registration]) -> Match:
    """Compare one person with the live registrations."""
    exact: list[Registration] = []
    near: list[tuple[float, Registration]] = []
    for registration in registrations:
        if registration.person.keys == person.keys:
            exact.append(registration)
        elif (score := _nearness(person, registration.person)) > 0:
            near.append((score, registration))
    near.sort(key=lambda pair: (-pair[0], pair[1].id))
    return Match(tuple(exact), tuple(registration for _, registration in near[:_SHOWN_CANDIDATES]))


def _nearness(one: Person, other: Person) -> float:
    """0 for a stranger; else higher the more of the three keys agree, a near miss counting as a part."""
    equal = [a == b and a != "" for a, b in zip(one.keys, other.keys, strict=True)]
    (company, name, mail) = equal
    if name or mail:
        return sum(equal)
    # Within the same company a misread name or address is more likely than a stranger with a similar one. Colleagues
    # share the domain of their addresses, so only what stands before it can show a likeness.
    pairs = ((one.keys[1], other.keys[1]), (_mailbox(one), _mailbox(other)))
    alike = max(difflib.SequenceMatcher(None, a, b).ratio() if a and b else 0.0 for a, b in pairs)
    if company and alike >= _ALIKE:
        return alike
    # A scan may have spoilt a character in each of the three: two that are nearly the same still name one person.
    return _ALIKE / 2 if near_keys(one, other) >= _NEARLY else 0.0


def near_keys(one: Person, other: Person) -> int:
    """How many of the three keys are equal, or so near that one may be the other misread."""
    return sum(a != "" and (a == b or is_near(a, b)) for a, b in zip(one.keys, other.keys, strict=True))


def _mailbox(person: Person) -> str:
    return person.keys[2].rpartition("@")[0]
