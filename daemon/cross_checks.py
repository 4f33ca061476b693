"""What was read from a picture, weighed against what is known otherwise: the register and the sender's address. Pure.

A value that is read is never replaced by one that is known. Evidence does one of two things, and nothing else:

* It **raises** a confidence to `SUPPORTED`: the very same value, reached independently, is known of that company or
  person, no other known value is within reading error of it, and only doubts in `LIFTABLE` speak against the reading.
  A mail address of user, before or after block is raised only by the registered address of the one registration that
  the form names by all three keys; the applicant's also by the From address or a registered one. An equal domain
  raises nothing: it is the part before the @ that sends a certificate astray.
* It **lowers** a confidence to `CONTRADICTED` at most, with a doubt and a finding: a value, an address or a domain that
  is known differs from what was read by so little that one may be the other misread (`parsers.likeness`).

A value that a code or a person gave (confidence 1) is not weighed, nor is any other route but the scan: text is what it
says, and where it lies (`unlike_picture`), its being registered would prove nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from config.request_types import Table, TypeRule
from parsers.likeness import is_near, is_near_domain, plain
from parsers.normalise import Kind, domain_of, is_free_mail, kind_of
from parsers.reading import Application, FieldValue, Finding, Route, Severity
from parsers.subject import SURE

from .matching import Registration, near_keys, person_of
from .planning import RegisterFacts

SUPPORTED = 0.95
CONTRADICTED = 0.5

# Doubts about which character stood there: known values can answer them. Those that say that something is covered, cut
# off, written by hand or shown otherwise elsewhere stay, whatever is known.
LIFTABLE = frozenset(
    {"second_opinion", "unconfirmed", "unsure_letter", "variant", "look_alike", "grammar", "touches_border"}
)
# In the after block an old name in another variant may be the very change that is asked for (高橋 → 髙橋).
_LIFTABLE_AFTER = LIFTABLE - {"variant", "look_alike"}

_MESSAGES = {
    "register_near": "の読み取りは、登録されている値とわずかに異なります（画像の読み誤りの疑い）。"
    "原本と1文字ずつ照合してください。",
    "sender_near": "の読み取りは、メールの差出人のアドレスとわずかに異なります（画像の読み誤りの疑い）。"
    "原本と1文字ずつ照合してください。",
    "domain_near": "の読み取りは、この会社または差出人のドメインとわずかに異なります（画像の読み誤りの疑い）。"
    "原本と1文字ずつ照合してください。",
}
_DECIDING = ("company_ja", "name_ja", "email")


@dataclass(frozen=True, slots=True)
class Weighed:
    """The application with the confidences that the evidence leaves, what staff are told of it, and whether the
    registration it seems to mean may just as well be another one."""

    application: Application
    findings: tuple[Finding, ...] = ()
    target_unsure: bool = False


@dataclass(frozen=True, slots=True)
class _References:
    """Known values for one field: `own` may support it when they `support` at all, `others` only contradict it."""

    own: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    supports: bool = False
    code: str = "register_near"


def weigh(application: Application, facts: RegisterFacts, table: Table) -> Weighed:
    """Weigh every field that was read from a picture. Findings of the form about fields that are sure now are gone."""
    if application.route is not Route.SCAN:
        return Weighed(application)
    rule = table.types[application.request_type] if application.request_type else None
    alike = _alike(application, facts, rule)
    fields, found, lifted = dict(application.fields), [], set()
    for key, field in application.fields.items():
        if field.value is None or field.confidence >= 1:
            continue
        code = next(filter(None, _contradictions(key, field.value, application, facts, rule, alike)), None)
        if code:
            fields[key] = _lowered(field, code)
            message = f"「{table.label(key)}」{_MESSAGES[code]}"
            found.append(Finding(code, Severity.DOUBT, key, message))
        elif _is_supported(key, field, _references(key, application, facts, rule, alike)):
            fields[key] = replace(field, confidence=SUPPORTED, doubts=())
            lifted.add(key)
    findings = tuple(
        each for each in application.findings if not (each.code == "reading_doubtful" and each.field in lifted)
    )
    unsure = rule is not None and rule.must_match and _is_target_unsure(application, facts, rule.looks_up)
    if unsure and rule is not None:
        message = (
            f"{table.block(rule.looks_up).label}の読み取りに確信がなく、よく似た登録がほかにもあります。"
            "対象の登録をお選びください。"
        )
        found.append(Finding("target_unsure", Severity.DOUBT, rule.looks_up, message))
    return Weighed(replace(application, fields=fields, findings=findings), tuple(found), unsure)


def _alike(application: Application, facts: RegisterFacts, rule: TypeRule | None) -> list[Registration]:
    """The registrations that the form may mean: two of the three keys equal or nearly so, or chosen by staff."""
    if rule is None:
        return []
    person = person_of(application, rule.looks_up)
    near = (*facts.match.exact, *facts.match.candidates)
    if facts.target is not None and facts.target not in near:
        return [facts.target]
    return [registration for registration in near if near_keys(person, registration.person) >= 2]


def _is_target_unsure(application: Application, facts: RegisterFacts, block: str) -> bool:
    """A doubtful reading that names one registration, while a second one differs from it by reading errors only."""
    if len(facts.match.exact) != 1:
        return False
    if all(application.fields[f"{block}.{name}"].confidence >= SURE for name in _DECIDING):
        return False
    person = person_of(application, block)
    return any(near_keys(person, registration.person) == len(_DECIDING) for registration in facts.match.candidates)


# --- what is known about a field --------------------------------------------------------------------------------------


def _references(
    key: str, application: Application, facts: RegisterFacts, rule: TypeRule | None, alike: list[Registration]
) -> _References:
    block, _, name = key.rpartition(".")
    if name in ("company", "company_ja"):
        return _References(facts.known.companies, supports=True)
    if block == "applicant":
        return _of_applicant(name, application, facts)
    if rule is None or block not in (rule.looks_up, rule.gives):
        return _References()
    values = frozenset(filter(None, (getattr(each.person, name, "") for each in alike)))
    if name == "company_en":
        return _References(values | facts.company_english, supports=True)
    # One registration, and the form names it by all three keys: only then is it more than a resemblance.
    named = len(facts.match.exact) == 1 and facts.match.exact[0] in alike
    if kind_of(key) is not Kind.MAIL:
        agrees = any(_agree(application, rule.looks_up, each, but=name) for each in alike)
        return _References(values, supports=len(alike) == 1 and agrees)
    own = frozenset({facts.match.exact[0].person.email}) if named and rule.must_match else frozenset()
    return _References(own, (values | _rivals(facts, key, rule)) - own, supports=bool(own))


def _rivals(facts: RegisterFacts, key: str, rule: TypeRule) -> frozenset[str]:
    """Every other address that the register knows may be what stands in the looked-up block. A new user's address is
    new, and colleagues have addresses like his, so there only the same person's counts."""
    looked_up = rule.must_match and key.startswith(f"{rule.looks_up}.")
    return facts.known.addresses if looked_up else frozenset()


def _of_applicant(name: str, application: Application, facts: RegisterFacts) -> _References:
    if name == "email":
        return _References(facts.known.addresses | frozenset(filter(None, [facts.sender])), supports=True)
    if name == "name":
        address = application.value("applicant.email")
        return _References(
            frozenset(person for person, known in facts.known.people if known and known == address), supports=True
        )
    return _References()


def _agree(application: Application, block: str, registration: Registration, *, but: str) -> bool:
    """Whether another deciding field of the block is exactly the registered one."""
    others = [name for name in _DECIDING if name != but]
    return any(
        plain(application.value(f"{block}.{name}") or "") == plain(getattr(registration.person, name))
        for name in others
    )


# --- what follows -----------------------------------------------------------------------------------------------------


def _contradictions(
    key: str,
    value: str,
    application: Application,
    facts: RegisterFacts,
    rule: TypeRule | None,
    alike: list[Registration],
) -> Iterable[str | None]:
    known = _references(key, application, facts, rule, alike)
    if not _is_among(key, value, known.own) and any(is_near(value, each) for each in known.own | known.others):
        yield known.code
    if kind_of(key) is not Kind.MAIL:
        return
    if facts.sender and facts.sender != value and value not in facts.known.addresses and is_near(value, facts.sender):
        yield "sender_near"
    domain, sender = domain_of(value), domain_of(facts.sender)
    domains = set(facts.company_domains) | {domain_of(address) for address in facts.known.addresses}
    domains |= {sender} if sender and not is_free_mail(facts.sender) else set()
    if domain not in domains and any(is_near_domain(domain, each) for each in domains):
        yield "domain_near"


def _is_supported(key: str, field: FieldValue, known: _References) -> bool:
    if not known.supports or field.value is None or field.confidence >= SURE:
        return False
    if not _is_among(key, field.value, known.own) or any(is_near(field.value, each) for each in known.others):
        return False
    if any(is_near(field.value, each) for each in known.own):
        return False
    return set(field.doubts) <= (_LIFTABLE_AFTER if key.startswith("after.") else LIFTABLE)


def _is_among(key: str, value: str, known: Iterable[str]) -> bool:
    if kind_of(key) is Kind.MAIL:
        return value in known
    return plain(value) in {plain(each) for each in known}


def _lowered(field: FieldValue, code: str) -> FieldValue:
    doubts = field.doubts if code in field.doubts else (*field.doubts, code)
    return replace(field, confidence=min(field.confidence, CONTRADICTED), doubts=doubts)
