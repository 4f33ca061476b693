"""`companies` and `registrations`: import from CSV, list, show one."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from ca import register
from ca.bundle import BundleKind

from . import importing, registrations, schema
from .audit import Audit
from .console import Answer, Command, UsageError, aligned, described, file_bytes, local, opened
from .keyring import AUDIT_KEY, key_bytes
from .store import every

_COMPANY_HEADS = {"id": "番号", "name_ja": "社名", "name_en": "社名（英語）", "domains": "メールドメイン"}
_PERSON_HEADS = {
    "subscriber_id": "登録番号",
    "state": "状態",
    "company_ja": "社名",
    "name_ja": "氏名",
    "name_en": "氏名（英語）",
    "email": "メールアドレス",
}
_PERSON_MORE = {
    "company_en": "社名（英語）",
    "applicant_company": "申請者 社名",
    "applicant_name": "申請者 氏名",
    "applicant_email": "申請者 メールアドレス",
    "created_at": "登録日時",
    "closed_at": "終了日時",
    "bundle": "PKCS#12の種類",
    "certificates": "証明書",
}
_STATE_WORDS = {"reserved": "発行前", "live": "登録中", "closed": "終了"}


def register_of(name: str) -> Command:
    """The command `companies` or `registrations`: import FILE.csv, list, show ID."""

    def run(arguments: argparse.Namespace) -> Answer:
        if arguments.action == "import":
            return _import(name, arguments)
        if arguments.action == "set":
            return _set(name, arguments)
        if arguments.action == "show":
            return _show(name, arguments)
        if arguments.subject is not None:
            raise UsageError(f"`{name} list` takes nothing more; `ogis-lra {name} show ID` shows one")
        rows = _rows(name, arguments)
        heads = _COMPANY_HEADS if name == "companies" else _PERSON_HEADS
        lines = aligned([tuple(heads.values()), *([_words(row, head) for head in heads] for row in rows)])
        return Answer("\n".join(lines) if rows else "登録はありません。", rows)

    return run


def _import(name: str, arguments: argparse.Namespace) -> Answer:
    """All rows or none; ImportRefused names every line that stands in the way."""
    if arguments.subject is None:
        raise UsageError(f"say which file: `ogis-lra {name} import FILE.csv`")
    data = file_bytes(Path(arguments.subject))
    work = importing.companies if name == "companies" else importing.people
    now = arguments.clock()
    with opened(arguments) as (settings, store):
        keeper = Audit(key_bytes(settings, AUDIT_KEY))
        with store.transaction() as tx:
            try:
                new, known = work(tx, data, now=now)
            except importing.ImportRefused as refused:
                # Nothing was written yet: every line is looked at before the first is entered.
                return refusal(refused)
            keeper.append(tx, f"{name}_imported", at=now, actor="operator", new=new, known=known)
    return Answer(f"{new} new, {known} known already", {"new": new, "known": known})


def refusal(refused: importing.ImportRefused) -> Answer:
    """What an import that was refused answers: each line that must be mended, with its reason."""
    lines = [f"{refused}:"]
    lines += [f"  line {each.line}{f', {each.column}' * bool(each.column)}: {each.reason}" for each in refused.refusals]
    document = {
        "new": 0,
        "known": 0,
        "refusals": [{"line": each.line, "column": each.column, "reason": each.reason} for each in refused.refusals],
    }
    return Answer("\n".join(lines), document, in_order=False)


def _set(name: str, arguments: argparse.Namespace) -> Answer:
    """`registrations set ID --bundle KIND`: which PKCS#12 file this subscriber gets from the next issue on."""
    if name == "companies" or arguments.subject is None or arguments.bundle is None:
        raise UsageError("write `ogis-lra registrations set ID --bundle modern|legacy|default`")
    kind = "" if arguments.bundle == "default" else BundleKind(arguments.bundle).value
    now = arguments.clock()
    with opened(arguments) as (settings, store), store.transaction() as tx:
        found = registrations.by_subscriber_id(tx, arguments.subject.strip().upper())
        if found is None:
            raise UsageError(f"there is no {arguments.subject} among the {name}; `ogis-lra {name} list` shows all")
        registrations.choose_bundle(tx, found.id, kind)
        Audit(key_bytes(settings, AUDIT_KEY)).append(
            tx, "bundle_chosen", at=now, actor="operator", registration=found.id, bundle=arguments.bundle
        )
    return Answer(
        f"{found.subscriber_id}: the next PKCS#12 file is of the kind {arguments.bundle}",
        {"subscriber_id": found.subscriber_id, "bundle": arguments.bundle},
    )


def _show(name: str, arguments: argparse.Namespace) -> Answer:
    if arguments.subject is None:
        raise UsageError(f"say which one: `ogis-lra {name} show ID`")
    key = "id" if name == "companies" else "subscriber_id"
    wanted = arguments.subject.strip().upper()
    found = next((row for row in _rows(name, arguments) if str(row[key]) == wanted), None)
    if found is None:
        raise UsageError(f"there is no {arguments.subject} among the {name}; `ogis-lra {name} list` shows all")
    heads = _COMPANY_HEADS if name == "companies" else _PERSON_HEADS | _PERSON_MORE
    return Answer("\n".join(described([(word, _words(found, head)) for head, word in heads.items()])), found)


def _rows(name: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    with opened(arguments) as (_, store), store.transaction() as tx:
        return _companies(tx) if name == "companies" else _people(tx)


def _companies(tx: Connection) -> list[dict[str, Any]]:
    companies, domains = schema.companies, schema.company_domains
    known: dict[int, list[str]] = {}
    for row in every(tx, select(domains).order_by(domains.c.domain)):
        known.setdefault(row["company_id"], []).append(row["domain"])
    columns = [column for column in companies.c if column.name != "key"]
    return [
        dict(row) | {"domains": known.get(row["id"], [])}
        for row in every(tx, select(*columns).order_by(companies.c.id))
    ]


def _people(tx: Connection) -> list[dict[str, Any]]:
    table = schema.registrations
    columns = [column for column in table.c if not column.name.endswith("_key")]
    certificates: dict[int, list[str]] = {}
    for row in register.every(tx):
        if row.registration_id is None:  # the authority's own
            continue
        certificates.setdefault(row.registration_id, []).append(f"{row.serial} {row.state.value}")
    return [
        dict(row) | {"certificates": certificates.get(row["id"], [])}
        for row in every(tx, select(*columns).order_by(table.c.id))
    ]


def _words(row: Mapping[str, Any], key: str) -> str:
    value = row[key]
    if key == "state":
        return _STATE_WORDS[value]
    if key.endswith("_at"):
        return local(value)
    return " ".join(value) if isinstance(value, list) else str(value or "-")
