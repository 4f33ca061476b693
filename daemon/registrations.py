"""The register of companies and persons: its rows, and what it says about an application."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import RowMapping

from ca import register
from config.request_types import Table, TypeRule
from parsers.likeness import is_near, plain
from parsers.normalise import company_key
from parsers.reading import Application, Route

from . import former, schema
from .matching import PERSON_FIELDS, Match, Person, Registration, match, person_of
from .planning import JST, Known, LiveCertificate, RegisterFacts
from .store import added, changed, every, next_number, one

_rows = schema.registrations
_COMPANY_FIELDS = ("applicant.company", "user.company_ja", "before.company_ja", "after.company_ja")


def live(tx: Connection) -> list[Registration]:
    """Every live registration."""
    return [_registration(row) for row in every(tx, select(_rows).where(_rows.c.state == "live").order_by(_rows.c.id))]


def get(tx: Connection, registration_id: int) -> Registration:
    """One registration; KeyError where there is none."""
    row = one(tx, select(_rows).where(_rows.c.id == registration_id))
    if row is None:
        raise KeyError(f"no registration {registration_id}")
    return _registration(row)


def by_subscriber_id(tx: Connection, subscriber_id: str) -> Registration | None:
    """The registration that staff name by its id."""
    row = one(tx, select(_rows).where(_rows.c.subscriber_id == subscriber_id))
    return _registration(row) if row else None


def reserve(tx: Connection, person: Person, *, now: datetime, predecessor: int | None = None) -> Registration:
    """A new registration that comes alive with its first certificate."""
    subscriber_id = f"W{next_number(tx, 'subscriber'):06d}"
    return get(tx, _add(tx, person, subscriber_id, "reserved", now, predecessor))


def enter(tx: Connection, person: Person, *, now: datetime) -> Registration:
    """A registration that is live at once: the import of those who were there before us."""
    subscriber_id = f"W{next_number(tx, 'subscriber'):06d}"
    return get(tx, _add(tx, person, subscriber_id, "live", now, None))


def _add(tx: Connection, person: Person, subscriber_id: str, state: str, now: datetime, predecessor: int | None) -> int:
    return added(
        tx,
        _rows,
        subscriber_id=subscriber_id,
        state=state,
        created_at=now,
        predecessor_id=predecessor,
        **_columns(person),
    )


def open_up(tx: Connection, registration_id: int) -> None:
    """A reserved registration comes alive; a live one stays so."""
    if get(tx, registration_id).state == "reserved":
        changed(
            tx,
            update(_rows).where(_rows.c.id == registration_id, _rows.c.state == "reserved").values(state="live"),
        )


def change(tx: Connection, registration_id: int, person: Person, *, now: datetime) -> Registration:
    """New data; the certificates in use stay as they are (guide lines 90-93). Returns what was registered before."""
    before = get(tx, registration_id)
    moved = {"email_changed_at": now} if person.keys[2] != before.person.keys[2] else {}
    changed(
        tx,
        update(_rows).where(_rows.c.id == registration_id, _rows.c.state == "live").values(**_columns(person), **moved),
    )
    return before


def close(tx: Connection, registration_id: int, *, now: datetime) -> None:
    """The registration ends and is renewed no more; closing a closed one changes nothing."""
    tx.execute(
        update(_rows)
        .where(_rows.c.id == registration_id, _rows.c.state != "closed")
        .values(state="closed", closed_at=now)
    )


def choose_bundle(tx: Connection, registration_id: int, bundle: str) -> None:
    """The kind of PKCS#12 file this subscriber gets from the next issue on; empty for the kind of the centre."""
    changed(tx, update(_rows).where(_rows.c.id == registration_id).values(bundle=bundle))


def note_applicant(tx: Connection, registration_id: int, application: Application) -> None:
    """Applicant contact data follow the newest accepted form (SPEC 1.3.9)."""
    changed(
        tx,
        update(_rows)
        .where(_rows.c.id == registration_id)
        .values(
            applicant_company=application.value("applicant.company") or "",
            applicant_name=application.value("applicant.name") or "",
            applicant_email=application.value("applicant.email") or "",
        ),
    )


def add_company(
    tx: Connection, *, name_ja: str, name_en: str, domains: Sequence[str], now: datetime
) -> tuple[int, bool]:
    """Enter a company, or add domains and the English name to the one that is there; returns its id and whether new."""
    companies = schema.companies
    key = company_key(name_ja)
    row = one(tx, select(companies).where(companies.c.key == key))
    if row is None:
        company_id = added(tx, companies, name_ja=name_ja, name_en=name_en, key=key, created_at=now)
    else:
        company_id = int(row["id"])
        if name_en and not row["name_en"]:
            changed(tx, update(companies).where(companies.c.id == company_id).values(name_en=name_en))
    known = _domains(tx, company_id)
    for domain in domains:
        if domain and domain.lower() not in known:
            tx.execute(insert(schema.company_domains).values(company_id=company_id, domain=domain.lower()))
    return company_id, row is None


def learn_company(tx: Connection, person: Person, *, now: datetime) -> None:
    """An approved person's company and mail domain are known from now on."""
    add_company(tx, name_ja=person.company_ja, name_en=person.company_en, domains=(person.domain,), now=now)


def facts(
    tx: Connection,
    application: Application,
    table: Table,
    *,
    chosen: int | None,
    sender: str,
    duplicates: tuple[str, ...],
    now: datetime,
) -> RegisterFacts:
    """All that the register says about one application. `chosen` is the registration staff picked by 対象, if any."""
    kind, registrations = application.request_type, live(tx)
    known = _known(tx, application, registrations)
    if kind is None:
        return RegisterFacts(sender=sender, duplicates=duplicates, known=known)
    rule = table.types[kind]
    found = match(person_of(application, rule.looks_up), registrations)
    target = _target(tx, found, chosen) if rule.must_match else None
    company = person_of(application, rule.gives or rule.looks_up).keys[0]
    row = one(tx, select(schema.companies).where(schema.companies.c.key == company))
    english = frozenset(filter(None, [row["name_en"] if row else ""]))
    same = [registration for registration in registrations if registration.person.keys[0] == company]
    before = person_of(application, rule.looks_up).keys[0]
    return RegisterFacts(
        match=found,
        target=target,
        live=live_certificates(tx, target.id, now) if target else (),
        company_known=row is not None,
        company_certified=any(register.ever_issued(tx, registration.id) for registration in same),
        company_english=english,
        company_domains=_domains(tx, int(row["id"])) if row else frozenset(),
        colleagues=tuple(
            f"{other.person.name_ja}（{other.subscriber_id}）"
            for other in registrations
            if other.person.keys[0] == before and (target is None or other.id != target.id)
        ),
        taken=_taken(application, rule, registrations, target),
        duplicates=duplicates,
        sender=sender,
        as_of=now.astimezone(JST).date(),
        known=known,
        former=tuple(each.words for each in former.living(tx, target.id, now)) if target else (),
    )


def live_certificates(tx: Connection, registration_id: int, now: datetime) -> tuple[LiveCertificate, ...]:
    """The certificates of a registration that are good now, fetched or not."""
    return tuple(LiveCertificate(row.serial, row.not_after) for row in register.live(tx, registration_id, now))


def _target(tx: Connection, found: Match, chosen: int | None) -> Registration | None:
    if chosen is not None:
        registration = get(tx, chosen)
        return registration if registration.state == "live" else None
    return found.exact[0] if len(found.exact) == 1 else None


def _taken(
    application: Application, rule: TypeRule, registrations: Sequence[Registration], target: Registration | None
) -> tuple[str, ...]:
    """The live registrations that the next holder has already: a successor should have none."""
    if not rule.must_match or not rule.gives or rule.gives == rule.looks_up:
        return ()
    found = match(person_of(application, rule.gives), registrations).exact
    return tuple(other.subscriber_id for other in found if target is None or other.id != target.id)


def _known(tx: Connection, application: Application, registrations: Sequence[Registration]) -> Known:
    """The names, addresses and people of the companies that the form names, or nearly names, for `cross_checks`."""
    if application.route is not Route.SCAN:
        return Known()
    read = {value for key in _COMPANY_FIELDS if (value := application.value(key))}
    names = {row["name_ja"] for row in every(tx, select(schema.companies.c.name_ja))}
    names |= {registration.applicant_company for registration in registrations} - {""}
    companies = frozenset(
        name for name in names if any(plain(name) == plain(one) or is_near(name, one) for one in read)
    )
    keys = {company_key(name) for name in companies | read}
    theirs = [
        registration
        for registration in registrations
        if registration.person.keys[0] in keys or company_key(registration.applicant_company) in keys
    ]
    people = {(each.person.name_ja, each.person.email) for each in theirs}
    people |= {(each.applicant_name, each.applicant_email) for each in theirs if each.applicant_email}
    return Known(companies, frozenset(address for _, address in people), frozenset(people))


def _domains(tx: Connection, company_id: int) -> frozenset[str]:
    rows = every(tx, select(schema.company_domains).where(schema.company_domains.c.company_id == company_id))
    return frozenset(row["domain"] for row in rows)


def _columns(person: Person) -> dict[str, str]:
    company, name, mail = person.keys
    values = {name: getattr(person, name) for name in PERSON_FIELDS}
    return values | {"company_key": company, "person_key": name, "mail_key": mail}


def _registration(row: RowMapping) -> Registration:
    return Registration(
        id=row["id"],
        subscriber_id=row["subscriber_id"],
        state=row["state"],
        person=Person(**{name: row[name] for name in PERSON_FIELDS}),
        applicant_company=row["applicant_company"],
        applicant_name=row["applicant_name"],
        applicant_email=row["applicant_email"],
        email_changed_at=row["email_changed_at"],
        bundle=row["bundle"],
    )
