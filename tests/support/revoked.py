"""A register with many revoked certificates, made up, and just enough of a centre to publish its CRLs."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import update

from ca import register
from ca.crl_entry import Entry, Reason, encode
from ca.keys import KeyKind
from ca.profiles import Role
from ca.rows import serial_text
from ca.tables import Instant, authorities
from config.settings import build
from daemon.audit import Audit
from daemon.store import Store
from support.authorities import NOW, hierarchy, signer

CENTRE, APPROVERS = "lra@lra.example", ("one@lra.example", "two@lra.example")


def publishing_centre(folder: Path, kind: KeyKind = KeyKind.P_256, **crl: Any) -> Any:
    """What `daemon.publication` needs of a centre; `clock.now` may be set."""
    settings = build(
        {
            "data_dir": "centre",
            "centre": {"address": CENTRE},
            "mailbox": {"host": "127.0.0.1", "username": CENTRE},
            "smtp": {"host": "127.0.0.1"},
            "authentication": {"authserv_id": "mx.lra.example"},
            "approvers": [{"address": address, "name": address} for address in APPROVERS],
            "crl": crl,
        },
        base=folder,
    )
    store = Store(settings.database)
    store.migrate()
    made = hierarchy(kind)
    with store.transaction() as tx:
        if not register.every_authority(tx):
            register.record_authority(tx, made.root, Role.ROOT, now=NOW)
            register.record_authority(tx, made.issuing, Role.ISSUING, now=NOW)
            register.store_crl(tx, made.root.id, made.root_crl)
    clock = SimpleNamespace(now=NOW)
    return SimpleNamespace(
        settings=settings,
        store=store,
        audit=Audit(b"k" * 32),
        signers=(signer(kind=kind),),
        public=settings.data_dir / "public",
        published={},
        clock=lambda: clock.now,
        time=clock,
    )


def fill(store: Store, count: int, *, at: datetime = NOW, issued: int = 0) -> list[str]:
    """So many revoked certificates of the issuing authority, and so many that are good, of which the serial numbers are
    returned. They were never signed: what is made here is their place in the register."""
    moment = Instant()
    bind = lambda value: moment.process_bind_param(value, None)  # type: ignore[arg-type]  # noqa: E731
    good: list[str] = []

    def rows() -> Any:
        for number in range(count + issued):
            serial = int.from_bytes(os.urandom(20)) >> 1 | 1 << 100
            text = serial_text(serial)
            plain = (
                text,
                "issuing-1",
                number,
                number,
                "subscriber",
                "CN=x",
                "",
                bind(at),
                bind(at + timedelta(days=760)),
            )
            if number >= count:
                good.append(text)
                yield (*plain, "issued", None, None, None, None, None, None)
                continue
            invalid = at - timedelta(days=3)
            entry = encode(Entry(serial, at, Reason.KEY_COMPROMISE, invalid))
            yield (*plain, "revoked", bind(at), bind(at), "key_compromise", bind(invalid), entry, number + 1)

    columns = (
        "serial, authority_id, registration_id, case_id, profile, subject, email, not_before, not_after, state,"
        " revoked_at, recorded_at, reason, invalidity_date, crl_entry, crl_change, tbs, der, reserved_at, lease_until,"
        " issued_at"
    )
    told = f"x'30', x'30', '{bind(at)}', '{bind(at)}', '{bind(at)}'"
    with store.transaction() as tx:
        cursor = tx.connection.cursor()
        cursor.executemany(f"INSERT INTO certificates ({columns}) VALUES ({', '.join('?' * 16)}, {told})", rows())
        tx.execute(update(authorities).where(authorities.c.id == "issuing-1").values(crl_change=count))
    return good
