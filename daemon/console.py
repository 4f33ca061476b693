"""What the commands of the command line answer: each function takes the parsed arguments and gives an `Answer`.

Nothing here prints; nothing here changes anything but where its name says so (import, crl --publish, form --xlsx).
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from ca import register
from ca.checker import check as check_register
from ca.hierarchy import ISSUING_ID
from config import forms, request_types
from config.settings import Settings, load
from parsers.application import read as read_document
from parsers.errors import ParseError
from parsers.mail import documents, open_mail
from parsers.reading import Application, Problem, Reading, Severity, to_json

from . import audit, cases, importing, schema, upkeep
from .audit import Audit
from .case import final
from .cases import Case
from .centre import wall_clock
from .commands import STATE_WORDS
from .form import write_xlsx
from .keyring import AUDIT_KEY, open_service, secret
from .planning import JST
from .store import Store, every, one


class UsageError(Exception):
    """The command cannot be carried out as it was given; the sentence says what to write instead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say: for people, for programs, and whether the thing asked about is in order."""

    text: str
    document: Any = None
    in_order: bool = True


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[tuple[Settings, Store]]:
    """The settings and the database of a command that needs no key."""
    settings = load(arguments.config)
    store = Store(settings.database)
    try:
        store.check()
        yield settings, store
    finally:
        store.close()


def later(name: str, stage: int) -> Callable[[argparse.Namespace], Answer]:
    """A command that is not there yet."""

    def run(_: argparse.Namespace) -> Answer:
        raise UsageError(f"`{name}` comes with stage {stage} of the project")

    return run


def form(arguments: argparse.Namespace) -> Answer:
    """The blank form as Excel."""
    if any((arguments.pdf, arguments.fill, arguments.learn, arguments.out)):
        raise UsageError(
            "`form --pdf`, `--fill` and `--learn` come with stage 2 of the project; `form --xlsx OUT` works"
        )
    if arguments.xlsx is None:
        raise UsageError("say where to: `ogis-lra form --xlsx OUT`")
    newest = forms.newest()
    write_xlsx(arguments.xlsx, form=newest, table=request_types.load())
    return Answer(f"{arguments.xlsx}: {newest.mark}", {"file": str(arguments.xlsx), "form_version": newest.version})


def read(arguments: argparse.Namespace) -> Answer:
    """A PDF, or all documents of a mail, read as the service would."""
    try:
        data = arguments.file.read_bytes()
    except OSError as error:
        raise UsageError(f"{arguments.file} cannot be read: {error.strerror}") from error
    received_on = _day(arguments.received) if arguments.received else wall_clock().astimezone(JST).date()
    if arguments.file.suffix.lower() == ".eml":
        reading = _joined(_read(each.data, received_on) for each in documents(open_mail(data)))
    else:
        reading = _read(data, received_on)
    defective = any(finding.severity is Severity.DEFECT for form in reading.applications for finding in form.findings)
    in_order = bool(reading.applications) and not defective
    return Answer(_reading_text(reading), to_json(reading), in_order)


def _read(data: bytes, received_on: date) -> Reading:
    try:
        return read_document(data, received_on=received_on)
    except ParseError as error:
        return Reading((), (Problem(error.kind.value, str(error), error.page),))


def _joined(readings: Iterator[Reading]) -> Reading:
    applications: list[Application] = []
    problems: list[Problem] = []
    for reading in readings:
        applications += reading.applications
        problems += reading.problems
    return Reading(tuple(applications), tuple(problems))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a day; write it as YYYY-MM-DD") from error


def _reading_text(reading: Reading) -> str:
    table = request_types.load()
    lines: list[str] = []
    for application in reading.applications:
        kind = application.request_type
        pages = ",".join(map(str, application.pages))
        lines += [
            f"申請種別：{table.types[kind].word if kind else '不明'}　様式：{application.form_version or '不明'}　"
            f"ページ：{pages}　読み取り：{application.route.value}"
        ]
        for key, value in application.fields.items():
            if value.value is not None or value.raw:
                doubt = "" if value.confidence >= 1 else f"　確度{value.confidence:.2f}"
                lines.append(f"  {table.label(key)}：{value.value or f'（読み取れません：{value.raw}）'}{doubt}")
        ticks = {True: "☑", False: "□", None: "？"}
        lines += [f"  {ticks[ticked]} {table.row(key).label}" for key, ticked in application.confirmations.items()]
        lines.append(f"  押印：{application.seal.verdict.value}（確度{application.seal.confidence:.2f}）")
        lines += [f"  [{finding.severity.value}] {finding.message}" for finding in application.findings] or [
            "  所見なし"
        ]
        lines.append("")
    lines += [f"[{problem.code}] {_page(problem)}{problem.message}" for problem in reading.problems]
    return "\n".join(lines).rstrip()


def _page(problem: Problem) -> str:
    return f"{problem.page}ページ：" if problem.page else ""


def queue(arguments: argparse.Namespace) -> Answer:
    """Every case that is not at its end, and mail that was set aside."""
    with opened(arguments) as (_, store), store.transaction() as tx:
        rows = every(tx, select(schema.cases.c.id).order_by(schema.cases.c.id))
        waiting = [case for case in (cases.get(tx, row["id"]) for row in rows) if not final(case.state)]
        held = every(tx, select(schema.mails).where(schema.mails.c.state == "held"))
    now = wall_clock()
    lines = [
        f"{case.number}  {STATE_WORDS[case.state]}  {_word(case)}  {case.applicant_company}  {(now - case.arrived_at).days}日"
        for case in waiting
    ]
    lines += [f"mail {row['id']}  {row['reason']}" for row in held]
    document = {
        "cases": [_case_json(case) for case in waiting],
        "held_mails": [{"id": row["id"], "reason": row["reason"]} for row in held],
    }
    return Answer("\n".join(lines) or "待っている案件はありません。", document)


def show(arguments: argparse.Namespace) -> Answer:
    """One case: what was read, its tasks, its letters."""
    with opened(arguments) as (_, store), store.transaction() as tx:
        case = _found(cases.find(tx, arguments.number), arguments.number)
        tasks = cases.tasks(tx, case.id)
        letters = every(
            tx, select(schema.letters).where(schema.letters.c.case_id == case.id).order_by(schema.letters.c.id)
        )
        version = one(
            tx,
            select(schema.applications.c.reading).where(
                schema.applications.c.case_id == case.id, schema.applications.c.version == case.version
            ),
        )
    lines = [
        f"{case.number}  {STATE_WORDS[case.state]}  {_word(case)}  第{case.version}版",
        f"申請者：{case.applicant_company} {case.applicant_name}",
        f"到着：{_local(case.arrived_at)}　受領：{_local(case.accepted_at)}",
    ]
    lines += [f"実施：{task.kind.value} {task.state} {_local(task.due_at)}" for task in tasks]
    lines += [f"通知：{row['kind']} → {row['recipient']} {row['state']} {_local(row['sent_at'])}" for row in letters]
    document = _case_json(case) | {
        "application": version["reading"] if version else None,
        "tasks": [asdict(task) for task in tasks],
        "letters": [
            {key: row[key] for key in ("kind", "recipient", "message_id", "state", "sent_at")} for row in letters
        ],
    }
    return Answer("\n".join(lines), document)


def log(arguments: argparse.Namespace) -> Answer:
    """The audit events of one case."""
    with opened(arguments) as (_, store), store.transaction() as tx:
        case = _found(cases.find(tx, arguments.number), arguments.number)
        records = audit.records(tx, case.id)
    lines = [
        f"{_local(record.at)}  {record.kind}  {record.actor}  "
        + " ".join(f"{key}={value}" for key, value in record.detail.items())
        for record in records
    ]
    return Answer("\n".join(lines), [asdict(record) for record in records])


def certs(arguments: argparse.Namespace) -> Answer:
    """Certificates of the register, or those that end soon."""
    now = wall_clock()
    with opened(arguments) as (_, store), store.transaction() as tx:
        if arguments.expiring is None:
            rows = list(register.every(tx))
        else:
            rows = register.expiring(tx, now + timedelta(days=arguments.expiring), after=now)
    lines = [f"{row.serial}  {row.state.value}  {_local(row.not_after)}  {row.subject}" for row in rows]
    return Answer("\n".join(lines) or "該当する証明書はありません。", [_certificate_json(row) for row in rows])


def cert(arguments: argparse.Namespace) -> Answer:
    """One certificate by its serial number."""
    with opened(arguments) as (_, store), store.transaction() as tx:
        try:
            row = register.find(tx, arguments.serial)
        except ValueError as error:
            raise UsageError(f"{arguments.serial!r} is not a serial number; write it in hexadecimal") from error
    if row is None:
        raise UsageError(f"no certificate has the serial number {arguments.serial}")
    document = _certificate_json(row)
    pem = x509.load_der_x509_certificate(row.der).public_bytes(Encoding.PEM).decode() if row.der else None
    if arguments.pem:
        if pem is None:
            raise UsageError("this serial number was reserved and never became a certificate")
        return Answer(pem.rstrip(), document | {"pem": pem}, in_order=row.state == "issued")
    lines = [f"{key}: {value}" for key, value in document.items()]
    return Answer("\n".join(lines), document, in_order=row.state == "issued")


def crl(arguments: argparse.Namespace) -> Answer:
    """The newest CRL; --publish makes one now."""
    if arguments.publish:
        centre = open_service(load(arguments.config))
        try:
            upkeep.publish_crl(centre, force=True)
        finally:
            centre.close()
    with opened(arguments) as (settings, store), store.transaction() as tx:
        newest = register.latest_crl(tx, ISSUING_ID)
    if newest is None:
        return Answer(
            "no CRL has been published yet; run the service or `ogis-lra crl --publish`", None, in_order=False
        )
    entries = len(x509.load_der_x509_crl(newest.der))
    fresh = wall_clock() < newest.next_update
    document = {
        "number": newest.number,
        "this_update": newest.this_update,
        "next_update": newest.next_update,
        "entries": entries,
        "file": str(settings.data_dir / "public" / upkeep.CRL_FILE),
    }
    text = f"CRL {newest.number}: {entries} entries, {newest.this_update} to {newest.next_update}"
    return Answer(text if fresh else f"{text} — EXPIRED, publish a new one", document, in_order=fresh)


def verify(arguments: argparse.Namespace) -> Answer:
    """Register, certificates, CRL, published file and audit chain against each other."""
    now = wall_clock()
    with opened(arguments) as (settings, store), store.transaction() as tx:
        authority = register.authority(tx, ISSUING_ID)
        faults = [str(fault) for fault in check_register(tx, authority=authority, now=now)]
        faults += Audit(bytes.fromhex(secret(settings, AUDIT_KEY).reveal())).faults(tx)
        newest = register.latest_crl(tx, ISSUING_ID)
        events = audit.count(tx)
    faults += _file_faults(settings.data_dir / "public" / upkeep.CRL_FILE, newest.der if newest else None)
    text = "\n".join(faults) or f"in order: register, certificates, CRL and {events} audit events agree"
    return Answer(text, {"faults": faults, "audit_events": events}, in_order=not faults)


def _file_faults(path: Path, der: bytes | None) -> list[str]:
    if der is None:
        return []
    if not path.exists():
        return [f"crl: {path} is missing; run `ogis-lra crl --publish`"]
    if path.read_bytes() != x509.load_der_x509_crl(der).public_bytes(Encoding.PEM):
        return [f"crl: {path} is not the newest CRL of the register; run `ogis-lra crl --publish`"]
    return []


def register_of(name: str) -> Callable[[argparse.Namespace], Answer]:
    """`companies` and `registrations`: import FILE.csv, list, show ID."""

    def run(arguments: argparse.Namespace) -> Answer:
        if arguments.action == "import":
            return _import(name, arguments)
        return _list(name, arguments)

    return run


def _import(name: str, arguments: argparse.Namespace) -> Answer:
    if arguments.subject is None:
        raise UsageError(f"say which file: `ogis-lra {name} import FILE.csv`")
    try:
        data = Path(arguments.subject).read_bytes()
    except OSError as error:
        raise UsageError(f"{arguments.subject} cannot be read: {error.strerror}") from error
    work = importing.companies if name == "companies" else importing.people
    with opened(arguments) as (settings, store), store.transaction() as tx:
        new, known = work(tx, data, now=wall_clock())
        keeper = Audit(bytes.fromhex(secret(settings, AUDIT_KEY).reveal()))
        keeper.append(tx, f"{name}_imported", at=wall_clock(), actor="operator", new=new, known=known)
    return Answer(f"{new} new, {known} known already", {"new": new, "known": known})


def _list(name: str, arguments: argparse.Namespace) -> Answer:
    table = schema.companies if name == "companies" else schema.registrations
    key = table.c.id if name == "companies" else table.c.subscriber_id
    shown = [column for column in table.c if not column.name.endswith("key")]
    query = select(*shown).order_by(table.c.id)
    if arguments.action == "show":
        if arguments.subject is None:
            raise UsageError(f"say which one: `ogis-lra {name} show ID`")
        wanted = int(arguments.subject) if name == "companies" and arguments.subject.isdecimal() else arguments.subject
        query = query.where(key == wanted)
    with opened(arguments) as (_, store), store.transaction() as tx:
        rows = [dict(row) for row in every(tx, query)]
    if arguments.action == "show":
        if not rows:
            raise UsageError(f"there is no {arguments.subject} among the {name}")
        return Answer("\n".join(f"{column}: {value}" for column, value in rows[0].items()), rows[0])
    heads = (
        ("id", "name_ja", "name_en")
        if name == "companies"
        else ("subscriber_id", "state", "company_ja", "name_ja", "email")
    )
    lines = ["  ".join(str(row[head]) for head in heads) for row in rows]
    return Answer("\n".join(lines) or "登録はありません。", rows)


def _found(case: Case | None, number: str) -> Case:
    if case is None:
        raise UsageError(f"there is no case {number}; `ogis-lra queue` lists those that wait")
    return case


def _word(case: Case) -> str:
    if case.request_type is None:
        return "更新" if case.kind == "renewal" else "種別未定"
    return request_types.load().types[case.request_type].word


def _case_json(case: Case) -> dict[str, Any]:
    return {
        key: getattr(case, key)
        for key in (
            "number",
            "kind",
            "state",
            "request_type",
            "version",
            "applicant_company",
            "applicant_name",
            "applicant_email",
            "arrived_at",
            "accepted_at",
        )
    }


def _certificate_json(row: register.CertificateRow) -> dict[str, Any]:
    return {
        "serial": row.serial,
        "state": row.state.value,
        "subject": row.subject,
        "email": row.email,
        "not_before": row.not_before,
        "not_after": row.not_after,
        "revoked_at": row.revoked_at,
        "reason": row.reason.value if row.reason else None,
    }


def _local(moment: datetime | None) -> str:
    return moment.astimezone(UTC).astimezone(JST).strftime("%Y-%m-%d %H:%M") if moment else "-"
