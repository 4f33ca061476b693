"""What the register makes us notice about an application (SPEC 1.3.6, 1.3.7, 1.3.9), pure.

These findings are for staff only: a letter to an applicant never says what stands in the register. Each rule is one
function in `RULES`; it looks at the facts and yields findings, it does not act.
"""

from collections.abc import Callable, Iterator

from config.request_types import RequestType, Table
from parsers.normalise import english_key, mail_key
from parsers.reading import Application, Finding, Severity

from .matching import Person, person_of
from .planning import RegisterFacts

Rule = Callable[[Application, RegisterFacts, Table], Iterator[Finding]]


def find(application: Application, facts: RegisterFacts, table: Table) -> tuple[Finding, ...]:
    """All findings of the register about one application; nothing while its type is undecided."""
    if application.request_type is None:
        return ()
    return tuple(finding for rule in RULES for finding in rule(application, facts, table))


def _matching(application: Application, facts: RegisterFacts, table: Table) -> Iterator[Finding]:
    """New issue matches nobody, the others exactly one (SPEC 1.3.7)."""
    rule = table.types[_kind(application)]
    block = table.block(rule.looks_up)
    found = len(facts.match.exact)
    if not rule.must_match:
        if found:
            yield _doubt(
                "already_registered", block.key, "同じ利用者の有効な登録があります。再発行の可能性があります。"
            )
        elif facts.match.candidates:
            yield _note("similar_registration", block.key, "似た登録があります。同じ人でないかご確認ください。")
    elif facts.target is not None:
        if not facts.live:
            yield _warning("no_live_certificate", block.key, "対象の登録に現在有効な証明書がありません。")
        if all(facts.target.id != exact.id for exact in facts.match.exact):
            # Chosen by staff: whom the form names and whom it would reach differ, so one person is not enough.
            chosen = f"選択された登録（{facts.target.subscriber_id}）は、申請書の{block.label}と一致しません。"
            yield _warning("target_chosen", block.key, f"{chosen}同じ人かどうか、相違点をご確認ください。")
    elif found > 1:
        yield _doubt("several_registrations", block.key, f"{block.label}に該当する登録が複数あります。")
    elif found == 0:
        yield _doubt(
            "no_registration", block.key, f"{block.label}に該当する登録がありません。近い登録をご確認ください。"
        )


def _company(application: Application, facts: RegisterFacts, table: Table) -> Iterator[Finding]:
    """An unknown company, a new mail domain, the first certificate of a company (SPEC 1.3.7, 2.1)."""
    rule = table.types[_kind(application)]
    if not rule.gives:
        return
    person = person_of(application, rule.gives)
    if not facts.company_known:
        yield _warning(
            "company_unknown", f"{rule.gives}.company_ja", "登録のない会社です。契約先かどうかご確認ください。"
        )
    elif person.domain and facts.company_domains and person.domain not in facts.company_domains:
        yield _warning("mail_domain_new", f"{rule.gives}.email", "この会社に登録のないメールドメインです。")
    if rule.issues and not facts.company_certified:
        yield _note("first_certificate", f"{rule.gives}.company_ja", "この会社として最初の証明書です。")
    known = {english_key(name) for name in facts.company_english if name}
    if known and person.company_en and english_key(person.company_en) not in known:
        yield _warning(
            "company_english_differs",
            f"{rule.gives}.company_en",
            "社名（英語）が、同じ会社の登録済みの表記と異なります。",
        )


def _register_difference(application: Application, facts: RegisterFacts, table: Table) -> Iterator[Finding]:
    """The looked-up block against the register, where a match still leaves the English spellings open."""
    rule = table.types[_kind(application)]
    if facts.target is None:
        return
    read, registered = person_of(application, rule.looks_up), facts.target.person
    for name in ("company_en", "name_en"):
        if getattr(read, name) and english_key(getattr(read, name)) != english_key(getattr(registered, name)):
            key = f"{rule.looks_up}.{name}"
            yield _note("differs_from_register", key, f"{table.label(key)}が登録と異なります。")


def _taken(application: Application, facts: RegisterFacts, table: Table) -> Iterator[Finding]:
    """A handover or change to somebody who is registered already would make a second registration of one person."""
    if facts.taken:
        block = table.block(table.types[_kind(application)].gives)
        numbers = "、".join(facts.taken)
        yield _doubt("successor_registered", block.key, f"{block.label}の方は、すでに登録があります（{numbers}）。")


def _mail_change(application: Application, facts: RegisterFacts, table: Table) -> Iterator[Finding]:
    """A changed mail address moves the next certificate to another mailbox: four eyes (SPEC 2.1)."""
    if application.request_type is RequestType.REGISTRATION_CHANGE and facts.target is not None:
        after = person_of(application, table.types[RequestType.REGISTRATION_CHANGE].gives)
        if mail_key(after.email) != mail_key(facts.target.person.email):
            yield _note("mail_address_changed", "after.email", "メールアドレスが変更されます。")


def _sender(application: Application, facts: RegisterFacts, table: Table) -> Iterator[Finding]:
    """原則として申請者から直接提出 (guide line 215): another sender is worth a note, not a refusal."""
    applicant = application.value("applicant.email")
    if facts.sender and applicant and mail_key(facts.sender) != mail_key(applicant):
        yield _note("applicant_not_sender", "applicant.email", "差出人のアドレスが申請者のものと異なります。")


def _duplicate(application: Application, facts: RegisterFacts, table: Table) -> Iterator[Finding]:
    """The same form twice, or mail and post both (domain notes E.1.9)."""
    if facts.duplicates:
        yield _doubt("duplicate_application", "user", f"同じ内容の申請があります（{'、'.join(facts.duplicates)}）。")


def _company_wide(application: Application, facts: RegisterFacts, table: Table) -> Iterator[Finding]:
    """A company-wide event on a one-user form: staff see the company's other certificates (SPEC 1.3.7)."""
    remarks = application.value("remarks") or ""
    renamed = _renamed(application, table)
    if facts.colleagues and (renamed or any(word in remarks for word in ("社名変更", "利用終了", "全員", "全ユーザ"))):
        names = "、".join(facts.colleagues)
        yield _doubt("company_wide_event", "remarks", f"会社全体に関わる申請かもしれません。ほかの登録：{names}")


def _renamed(application: Application, table: Table) -> bool:
    rule = table.types[_kind(application)]
    if not (rule.looks_up == "before" and rule.gives == "after"):
        return False
    before, after = person_of(application, "before"), person_of(application, "after")
    return bool(after.company_ja) and _company_changed(before, after)


def _company_changed(before: Person, after: Person) -> bool:
    return before.keys[0] != after.keys[0]


def _kind(application: Application) -> RequestType:
    kind = application.request_type
    if kind is None:
        raise ValueError("the type of this application is undecided")
    return kind


def _doubt(code: str, field: str, message: str) -> Finding:
    return Finding(code, Severity.DOUBT, field, message)


def _warning(code: str, field: str, message: str) -> Finding:
    return Finding(code, Severity.WARNING, field, message)


def _note(code: str, field: str, message: str) -> Finding:
    return Finding(code, Severity.NOTE, field, message)


RULES: tuple[Rule, ...] = (
    _matching,
    _company,
    _register_difference,
    _taken,
    _mail_change,
    _sender,
    _duplicate,
    _company_wide,
)
