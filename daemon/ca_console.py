"""The commands under `ogis-lra ca`: show, rollover, export, import, issue-tls, issue-staff, revoke (docs/ceremony)."""

import argparse
import secrets
from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from sqlalchemy import Connection

from ca import register
from ca.authority import Authority
from ca.crl import Reason
from ca.hierarchy import ROOT_ID
from config.settings import Settings, load

from . import authorities, ceremony, key_places, own_certificates, rollover, root_key, taking_over, upkeep
from .blobs import write_durably
from .ceremony_record import write_record
from .console import Answer, UsageError, described, file_bytes, opened, parse_day
from .keyring import check_profile, open_service, sealed_key, secret
from .own_certificates import Made
from .planning import JST
from .service import alone
from .store import Store

RandomBytes = Callable[[int], bytes]
_REASONS = tuple(each.value for each in Reason if each not in (Reason.CERTIFICATE_HOLD, Reason.REMOVE_FROM_CRL))


def show(arguments: argparse.Namespace) -> Answer:
    """The authorities of the centre; in order while the current one can issue certificates of their whole term."""
    now = arguments.clock()
    with opened(arguments) as (settings, store), store.transaction() as tx:
        known = [(each, standing.value) for each, standing in authorities.standings(tx, now)]
        root = register.authority(tx, ROOT_ID)
        documents = [_document(tx, settings, each, state, now) for each, state in [(root, "root"), *known]]
        ends = authorities.last_full_day(settings, tx)
    lines: list[str] = []
    for each in documents:
        lines += [*described(_pairs(each)), ""]
    late = ends is not None and now > ends
    if ends is not None:
        word = "could issue certificates of their whole term until" if late else "issues whole terms until"
        lines.append(
            f"the issuing CA {word} {ends:%Y-%m-%d}{'; make the next one: ogis-lra ca rollover' if late else ''}"
        )
    return Answer("\n".join(lines), {"authorities": documents, "issues_whole_terms_until": ends}, in_order=not late)


def roll_over(arguments: argparse.Namespace, random_bytes: RandomBytes = secrets.token_bytes) -> Answer:
    """The next issuing CA; the service must stand still, for it opens the keys when it starts."""
    now: datetime = arguments.clock()
    start = now
    if arguments.start is not None:
        start = max(now, datetime.combine(parse_day(arguments.start), time(), JST).astimezone(now.tzinfo))
    with opened(arguments) as (settings, store), alone(settings):
        made = rollover.roll_over(
            settings, store, now=now, start=start, name=arguments.name or "", random_bytes=random_bytes
        )
        record = _finish(settings, store, "rollover", arguments, now)
    text = (
        f"made {made.id}, which issues from {made.not_before:%Y-%m-%d %H:%M} UTC on\n"
        f"ceremony record {record}\n"
        "next: give the new chain.pem to the relying parties before that day; start the service; "
        "take the root's key away again: ogis-lra ca export --root-key OUT --remove"
    )
    document = {"id": made.id, "not_before": made.not_before, "not_after": made.not_after, "record": str(record)}
    return Answer(text, document)


def export(arguments: argparse.Namespace, random_bytes: RandomBytes = secrets.token_bytes) -> Answer:
    """The root's key, sealed, for the safe."""
    now = arguments.clock()
    with opened(arguments) as (settings, store):
        out = arguments.root_key
        made = root_key.export(settings, store, out, remove=arguments.remove, now=now, random_bytes=random_bytes)
        remark = f"root key written to {out.name}" + (", removed from this host" if arguments.remove else "")
        record = write_record(
            settings, store, "export", now=now, people=tuple(arguments.present or ()), remarks=(remark,)
        )
    name = settings.ca.root_passphrase_credential
    lines = [f"the root's key is written to {out}, was read back and opens", f"ceremony record {record}"]
    if made:
        lines.append(f"its passphrase was made now: credential {name}")
    if arguments.remove:
        lines.append(
            f"it is removed from this host; take the credential {name} away as well, and keep it apart from the key"
        )
    return Answer("\n".join(lines), {"file": str(out), "removed": arguments.remove, "record": str(record)})


def take_in(arguments: argparse.Namespace, random_bytes: RandomBytes = secrets.token_bytes) -> Answer:
    """A root's key comes back, a root's CRL comes from outside, or a whole former CA is taken over."""
    if arguments.root_key is not None:
        return _bring_back(arguments)
    if arguments.certificate is None and arguments.root_crl is not None:
        return _take_root_crl(arguments)
    if arguments.certificate is None or arguments.root is None:
        raise UsageError("a former CA is taken over with --certificate and --root, and --key where it is a file")
    return _take_over(arguments, random_bytes)


def issue_tls(arguments: argparse.Namespace) -> Answer:
    """A certificate for the portal's web server."""
    request = file_bytes(arguments.csr)
    centre = open_service(load(arguments.config), clock=arguments.clock)
    try:
        made = own_certificates.issue_tls(centre, arguments.hosts, request)
    finally:
        centre.close()
    write_durably(arguments.out, made.chain, mode=0o644)
    return _made(made, [f"certificate and issuing CA are in {arguments.out}"], {"file": str(arguments.out)})


def issue_staff(arguments: argparse.Namespace) -> Answer:
    """An S/MIME certificate for an approver."""
    out: Path = arguments.out
    password_file = out.with_name(f"{out.name}.password")
    centre = open_service(load(arguments.config), clock=arguments.clock)
    try:
        made = own_certificates.issue_staff(centre, arguments.address, arguments.name)
    finally:
        centre.close()
    write_durably(out, made.bundle)
    write_durably(password_file, made.password.encode() + b"\n")
    lines = [
        f"the PKCS#12 file is {out}, its password in {password_file}; hand them over apart, then remove both",
        f'where the approver\'s certificates are pinned: certificates = ["{made.fingerprint}"]',
    ]
    return _made(made, lines, {"file": str(out), "password_file": str(password_file)})


def revoke(arguments: argparse.Namespace) -> Answer:
    """Revoke a certificate of the centre's own at once."""
    centre = open_service(load(arguments.config), clock=arguments.clock)
    try:
        own_certificates.revoke_own(centre, arguments.serial, Reason(arguments.reason))
        upkeep.publish_crl(centre)
    finally:
        centre.close()
    return Answer(
        f"revoked {arguments.serial}; the CRL is published, every approver is told", {"revoked": arguments.serial}
    )


def add_commands(add: Callable[[str, Callable[..., Answer], str], argparse.ArgumentParser]) -> None:
    """The parsers of the commands; `add` makes one under `ca`."""
    add("show", show, "every authority: what it does, where its key is, until when, its last CRL")
    parser = add("rollover", roll_over, "make the next issuing CA; needs the root's key")
    parser.add_argument("--name", help="its common name (default: the last one's, counted on)")
    parser.add_argument("--from", dest="start", metavar="DATE", help="issues from this day on (default: at once)")
    _add_people(parser)
    parser = add("export", export, "write the root's key, sealed, for the safe")
    parser.add_argument("--root-key", type=Path, required=True, metavar="OUT", help="where to; never overwritten")
    parser.add_argument("--remove", action="store_true", help="then remove it from this host")
    _add_people(parser)
    parser = add("import", take_in, "bring the root's key back, or take over a former CA")
    parser.add_argument("--root-key", type=Path, metavar="FILE", help="what `ca export` wrote")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="the issuing CA's certificate")
    parser.add_argument("--root", type=Path, metavar="FILE", help="the root's certificate")
    parser.add_argument("--key", type=Path, metavar="FILE", help="encrypted PKCS#8 or PKCS#12; left out: in the token")
    parser.add_argument("--crl", type=Path, metavar="FILE", help="the issuing CA's last full CRL")
    parser.add_argument("--root-crl", type=Path, metavar="FILE", help="the root's CRL; alone: its renewed one")
    parser.add_argument(
        "--password-credential",
        default="import-password",
        metavar="NAME",
        help="opens --key (default: import-password)",
    )
    _add_people(parser)
    parser = add("issue-tls", issue_tls, "a certificate for the portal's web server")
    parser.add_argument("hosts", nargs="+", metavar="HOST", help="its names, the main one first")
    parser.add_argument("--csr", type=Path, required=True, metavar="FILE", help="its request: a P-256 key, PKCS#10")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="certificate and issuing CA (PEM)")
    parser = add("issue-staff", issue_staff, "a certificate that an approver signs his replies with (S/MIME)")
    parser.add_argument("address", metavar="ADDRESS", help="of an approver of the configuration")
    parser.add_argument("--name", required=True, help="the approver's name in Latin letters")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the PKCS#12 file")
    parser = add("revoke", revoke, "revoke a certificate of the centre's own: portal, staff, responder")
    parser.add_argument("serial", metavar="SERIAL")
    parser.add_argument("--reason", required=True, choices=_REASONS)


def _add_people(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--present", action="append", metavar="NAME", help="who carries this out or witnesses it; stands in the record"
    )


def _finish(settings: Settings, store: Store, what: str, arguments: argparse.Namespace, now: datetime) -> Path:
    """What every ceremony ends with: the root's CRL where it is due, the published files, the record."""
    ceremony.renew_root_crl(settings, store, now=now)
    ceremony.publish_all(settings, store)
    return write_record(settings, store, what, now=now, people=tuple(arguments.present or ()))


def _bring_back(arguments: argparse.Namespace) -> Answer:
    now = arguments.clock()
    with opened(arguments) as (settings, store):
        root_key.bring_back(settings, store, file_bytes(arguments.root_key), now=now)
    text = (
        f"the root's key is back and opens; take it away again when its work is done ({sealed_key(settings, ROOT_ID)})"
    )
    return Answer(text, {"root_key": str(sealed_key(settings, ROOT_ID))})


def _take_root_crl(arguments: argparse.Namespace) -> Answer:
    with opened(arguments) as (settings, store):
        taking_over.take_root_crl(settings, store, file_bytes(arguments.root_crl), now=arguments.clock())
        ceremony.publish_all(settings, store)
    return Answer("the root's CRL is recorded and published", {})


def _take_over(arguments: argparse.Namespace, random_bytes: RandomBytes) -> Answer:
    settings = load(arguments.config)
    check_profile(settings)
    now = arguments.clock()
    optional = {name: getattr(arguments, name) for name in ("key", "crl", "root_crl")}
    files = {name: file_bytes(path) for name, path in optional.items() if path is not None}
    inheritance = taking_over.Inheritance(file_bytes(arguments.certificate), file_bytes(arguments.root), **files)
    password = secret(settings, arguments.password_credential).reveal() if arguments.key is not None else ""
    ceremony.make_secrets(settings)
    store = Store(settings.database)
    try:
        taken = taking_over.take_over(
            settings, store, inheritance, password=password, now=now, random_bytes=random_bytes
        )
        ceremony.publish_all(settings, store)
        record = write_record(
            settings,
            store,
            "import",
            now=now,
            people=tuple(arguments.present or ()),
            remarks=[f"warning {each}" for each in taken.warnings],
        )
    finally:
        store.close()
    lines = [
        f"taken over; its CRLs go on from number {taken.crl_number}, with {taken.revoked} revoked certificates",
        *(f"warning: {each}" for each in taken.warnings),
        f"ceremony record {record}",
        "next: import the former CA's certificates (docs/operations.md), then `ogis-lra check`",
    ]
    document = {
        "warnings": taken.warnings,
        "revoked": taken.revoked,
        "crl_number": taken.crl_number,
        "record": str(record),
    }
    return Answer("\n".join(lines), document)


def _document(tx: Connection, settings: Settings, authority: Authority, state: str, now: datetime) -> dict[str, Any]:
    crl = register.latest_crl(tx, authority.id)
    if authority.id == ROOT_ID:
        path = sealed_key(settings, ROOT_ID)
        place = f"file {path.name}" if path.exists() else "offline"
    else:
        place = key_places.described(settings, authority.id)
    return {
        "id": authority.id,
        "state": state,
        "imported": register.is_imported(tx, authority.id),
        "subject": authority.name.rfc4514_string(),
        "key": authority.key_kind.value,
        "key_place": place,
        "not_before": authority.not_before,
        "not_after": authority.not_after,
        "sha256": authority.certificate.fingerprint(hashes.SHA256()).hex(),
        "crl_number": None if crl is None else crl.number,
        "crl_next_update": None if crl is None else crl.next_update,
        "crl_fresh": crl is not None and now < crl.next_update,
    }


def _pairs(told: dict[str, Any]) -> list[tuple[str, str]]:
    crl = "none"
    if told["crl_number"] is not None:
        stale = "" if told["crl_fresh"] else ", EXPIRED"
        crl = f"number {told['crl_number']}, next update {told['crl_next_update']:%Y-%m-%d %H:%M} UTC{stale}"
    return [
        ("authority", f"{told['id']} ({told['state']}{', imported' if told['imported'] else ''})"),
        ("subject", told["subject"]),
        ("key", f"{told['key']}, {told['key_place']}"),
        ("valid", f"{told['not_before']:%Y-%m-%d} to {told['not_after']:%Y-%m-%d}"),
        ("SHA-256", told["sha256"]),
        ("last CRL", crl),
    ]


def _made(made: Made, lines: list[str], document: dict[str, Any]) -> Answer:
    ends = made.certificate.not_valid_after_utc
    first = f"issued {made.serial}, valid until {ends:%Y-%m-%d}; every approver is told"
    facts = {"serial": made.serial, "not_after": ends, "sha256": made.fingerprint}
    return Answer("\n".join([first, *lines]), facts | document)
