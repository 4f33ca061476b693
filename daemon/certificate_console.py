"""`certs`, `cert`, `crl` and `verify`: what was issued, what was published, and whether everything agrees.

Reading only, but for `crl --publish`, which needs the CA key.
"""

import argparse
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, select

from ca import register
from ca.authority import Authority
from ca.checker import check as check_register
from ca.hierarchy import ROOT_ID
from ca.register import CertificateRow, CertificateState, CrlRow
from config.settings import load

from . import audit, audit_console, authorities, certificate_search, responders, schema, upkeep
from .audit import Audit
from .authorities import Standing
from .centre import profiles_of
from .ceremony import public_files
from .console import Answer, UsageError, aligned, described, local, opened
from .crl_files import holds, pem_holds
from .keyring import AUDIT_KEY, key_bytes, open_service
from .publication import file_name
from .store import every, one

STATE_WORDS: Mapping[CertificateState, str] = {
    CertificateState.RESERVED: "発行処理中",
    CertificateState.ISSUED: "有効",
    CertificateState.REVOKED: "失効",
    CertificateState.ABANDONED: "発行中止",
    CertificateState.HELD: "一時停止",
}
_EXPIRED = "期限切れ"

# Faults of the checker that the operator can mend at once; all others are for whoever knows the CA.
_PUBLISH = ": run the service or `ogis-lra crl --publish`"
_BRING_ROOT = ": bring the root key back into data/keys and run `ogis-lra init` (docs/operations.md)"
_NEXT_STEPS: Mapping[str, str] = {
    "crl_none": _PUBLISH,
    "crl_not_fresh": _PUBLISH,
    "crl_behind": _PUBLISH,
    "crl_missing": _PUBLISH,
    "lease_overdue": ": run the service, it gives the serial number up",
}
# Neither signs a CRL: an authority that begins later, and one that has nothing to look after any more.
_OF_THOSE_WHO_SERVE = frozenset({"authority_not_valid", "crl_none", "crl_not_fresh", "crl_behind"})
_ROOT_STEPS: Mapping[str, str] = {"crl_none": _BRING_ROOT, "crl_not_fresh": _BRING_ROOT}


def certs(arguments: argparse.Namespace) -> Answer:
    """Certificates of the register: all, or those that fit what is searched for."""
    now = arguments.clock()
    with opened(arguments) as (_, store), store.transaction() as tx:
        before = None if arguments.expiring is None else now + timedelta(days=arguments.expiring)
        words = " ".join(arguments.text)
        rows = list(certificate_search.find(tx, text=words, state=arguments.state, before=before, now=now))
        subscribers = _subscribers(tx)
    lines = [("シリアル番号", "状態", "有効期限", "登録番号", "氏名", "会社")]
    for row in rows:
        person, company = _names(row)
        subscriber = subscribers.get(row.registration_id, "-")
        lines.append((row.serial, _state(row, now), local(row.not_after), subscriber, person, company))
    text = "\n".join(aligned(lines)) if rows else "該当する証明書はありません。"
    return Answer(text, [_json(row) | {"subscriber_id": subscribers.get(row.registration_id)} for row in rows])


def cert(arguments: argparse.Namespace) -> Answer:
    """One certificate by its serial number; in order while it is good."""
    now = arguments.clock()
    with opened(arguments) as (_, store), store.transaction() as tx:
        try:
            row = register.find(tx, arguments.serial)
        except ValueError as error:
            raise UsageError(f"{arguments.serial!r} is not a serial number; write it in hexadecimal") from error
        if row is None:
            raise UsageError(f"no certificate has the serial number {arguments.serial}")
        subscriber = _subscribers(tx).get(row.registration_id)
        case = one(tx, select(schema.cases.c.number).where(schema.cases.c.id == row.case_id))
    good = row.state is CertificateState.ISSUED and now <= row.not_after
    document = _json(row) | {"subscriber_id": subscriber, "case": case["number"] if case else None}
    if arguments.pem:
        if row.der is None:
            raise UsageError("this serial number was reserved and never became a certificate")
        pem = x509.load_der_x509_certificate(row.der).public_bytes(Encoding.PEM).decode()
        return Answer(pem.rstrip(), document | {"pem": pem}, in_order=good)
    person, company = _names(row)
    pairs = [
        ("シリアル番号", row.serial),
        ("状態", _state(row, now)),
        ("氏名", person),
        ("会社", company),
        ("メールアドレス", row.email or "-"),
        ("登録番号", subscriber or "-"),
        ("受付番号", document["case"] or "-"),
        ("有効期間", f"{local(row.not_before)} ～ {local(row.not_after)}"),
    ]
    if row.revoked_at is not None:
        pairs.append(("失効", f"{local(row.revoked_at)}（{row.reason.value if row.reason else '-'}）"))
    return Answer("\n".join(described(pairs)), document, in_order=good)


def crl(arguments: argparse.Namespace) -> Answer:
    """The newest CRL; --publish makes one now."""
    now = arguments.clock()
    if arguments.publish:
        centre = open_service(load(arguments.config), clock=arguments.clock)
        try:
            upkeep.publish_crl(centre, force=True)
        finally:
            centre.close()
    with opened(arguments) as (settings, store), store.transaction() as tx:
        known_now = authorities.standings(tx, now)
        serving = {each.id: each for each, standing in known_now if standing is not Standing.RETIRED}
        issuing = next((each.id for each, standing in known_now if standing is Standing.CURRENT), "")
        newest = [row for name in serving for row in register.newest_crls(tx, name)]
    public = settings.data_dir / "public"
    known = [_crl_json(row, str(public / file_name(serving[row.authority_id], row.scope)), now) for row in newest]
    of_issuing = [each for each in known if each["authority"] == issuing and each["kind"] == "full"]
    if not of_issuing:
        sentence = "no CRL has been published yet; run the service or `ogis-lra crl --publish`"
        return Answer(sentence, None, in_order=False)
    lines: list[str] = []
    for each in known:
        lines += [*described(_crl_pairs(each)), ""]
    stale = [each for each in known if not each["fresh"]]
    if stale:
        lines.append("EXPIRED: relying parties refuse every certificate; run the service or `ogis-lra crl --publish`")
    document = of_issuing[0] | {"all": known}
    return Answer("\n".join(lines).rstrip(), document, in_order=not stale)


def _crl_json(row: CrlRow, file: str, now: datetime) -> dict[str, Any]:
    return {
        "number": row.number,
        "authority": row.authority_id,
        "kind": row.kind.value,
        "partition": row.partition or None,
        "base": row.base_number,
        "this_update": row.this_update,
        "next_update": row.next_update,
        "entries": row.size,
        "octets": row.octets,
        "fresh": now < row.next_update,
        "file": file,
    }


def _crl_pairs(crl: Mapping[str, Any]) -> list[tuple[str, str]]:
    kind = {
        "full": "full",
        "delta": f"delta, changes since number {crl['base']}",
        "partition": f"partition {crl['partition']}",
    }[crl["kind"]]
    return [
        ("CRL number", str(crl["number"])),
        ("authority", crl["authority"]),
        ("kind", kind),
        ("this update", f"{crl['this_update']:%Y-%m-%d %H:%M:%S} UTC"),
        ("next update", f"{crl['next_update']:%Y-%m-%d %H:%M:%S} UTC"),
        ("entries", str(crl["entries"])),
        ("file", crl["file"]),
    ]


def verify(arguments: argparse.Namespace) -> Answer:
    """Register, certificates, CRLs, published files and audit chain against each other."""
    now = arguments.clock()
    with opened(arguments) as (settings, store), store.transaction() as tx:
        public = settings.data_dir / "public"
        faults = []
        for authority in register.every_authority(tx):
            name = authority.id

            def published(row: CrlRow, authority: Authority = authority) -> bytes | None:
                path = public / file_name(authority, row.scope)
                return path.read_bytes() if path.exists() else None

            found = check_register(
                tx, authority=authority, now=now, profiles=profiles_of(settings), published=published
            )
            steps = _ROOT_STEPS if name == ROOT_ID else _NEXT_STEPS
            resting = authorities.rests(tx, name, now)
            faults += [
                f"{name}: {fault}{steps.get(fault.code, '')}"
                for fault in found
                if not (resting and fault.code in _OF_THOSE_WHO_SERVE)
            ]
        faults += responders.faults(tx, settings, store, now)
        faults += Audit(key_bytes(settings, AUDIT_KEY)).faults(tx)
        faults += audit_console.kept_faults(tx, arguments.checkpoint)
        faults += _file_faults(tx, public)
        events = audit.count(tx)
        issued = sum(row.der is not None for row in register.every(tx))
    text = "\n".join(faults) or (
        f"in order: {issued} certificates, their register, CRLs, published files and {events} audit events agree"
    )
    return Answer(text, {"faults": faults, "certificates": issued, "audit_events": events}, in_order=not faults)


def _file_faults(tx: Connection, public: Path) -> Iterator[str]:
    """The files relying parties fetch, octet for octet."""
    for name, data in public_files(tx).items():
        path = public / name
        if not path.exists():
            yield f"published: {path} is missing; run `ogis-lra init`"
        elif path.read_bytes() != data:
            yield f"published: {path} is not what the register holds; run `ogis-lra init`"
    for authority in register.every_authority(tx):
        for row in register.newest_crls(tx, authority.id) if authority.id != ROOT_ID else ():
            path = public / file_name(authority, row.scope)
            pem = path.with_name(f"{path.name}.pem")
            step = "; run `ogis-lra crl --publish`"
            if not path.exists():
                yield f"published: {path} is missing{step}"
            elif not holds(path, row, authority):
                yield f"published: {path} is not what the register holds{step}"
            elif not pem_holds(path, pem):
                yield f"published: {pem} is not the PEM of {path.name}{step}"


def _subscribers(tx: Connection) -> Mapping[int | None, str]:
    columns = schema.registrations.c
    return {row["id"]: row["subscriber_id"] for row in every(tx, select(columns.id, columns.subscriber_id))}


def _state(row: CertificateRow, now: datetime) -> str:
    expired = row.state is CertificateState.ISSUED and row.not_after < now
    return _EXPIRED if expired else STATE_WORDS[row.state]


def _names(row: CertificateRow) -> tuple[str, str]:
    """Person and company as the certificate names them."""
    name = x509.Name.from_rfc4514_string(row.subject)
    found = [name.get_attributes_for_oid(oid) for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME)]
    person, company = (str(each[0].value) if each else "-" for each in found)
    return person, company


def _json(row: CertificateRow) -> dict[str, Any]:
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
