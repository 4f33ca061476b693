"""`former`: certificates of a former CA: import, list, and the word that one was revoked there."""

import argparse
from dataclasses import asdict
from pathlib import Path

from . import former, former_import
from .audit import Audit
from .console import Answer, UsageError, aligned, file_bytes, local, opened
from .importing import ImportRefused
from .keyring import AUDIT_KEY, key_bytes
from .register_console import refusal

_WORDS = {"live": "有効", "wanted": "旧認証局での失効待ち", "gone": "失効済み"}


def run(arguments: argparse.Namespace) -> Answer:
    """`former import FILE`, `former list`, `former revoked ID`."""
    if arguments.action == "list":
        return _list(arguments)
    if arguments.subject is None:
        what = "import FILE (PEM, DER or CSV)" if arguments.action == "import" else "revoked ID"
        raise UsageError(f"say which: `ogis-lra former {what}`")
    return _import(arguments) if arguments.action == "import" else _revoked(arguments)


def _list(arguments: argparse.Namespace) -> Answer:
    with opened(arguments) as (_, store), store.transaction() as tx:
        found = former.every_one(tx)
    lines = [("番号", "状態", "シリアル番号", "期限", "発行者")]
    lines += [(str(each.id), _WORDS[each.state], each.serial, local(each.not_after), each.issuer) for each in found]
    text = "\n".join(aligned(lines)) if found else "旧認証局の証明書は登録されていません。"
    return Answer(text, [asdict(each) for each in found])


def _import(arguments: argparse.Namespace) -> Answer:
    data, now = file_bytes(Path(arguments.subject)), arguments.clock()
    with opened(arguments) as (settings, store):
        keeper = Audit(key_bytes(settings, AUDIT_KEY))
        with store.transaction() as tx:
            try:
                new, known = former_import.certificates(tx, data, now=now)
            except ImportRefused as refused:
                return refusal(refused)
            keeper.append(tx, "former_imported", at=now, actor="operator", new=new, known=known)
    return Answer(f"{new} new, {known} known already", {"new": new, "known": known})


def _revoked(arguments: argparse.Namespace) -> Answer:
    now = arguments.clock()
    with opened(arguments) as (settings, store), store.transaction() as tx:
        try:
            keeper = Audit(key_bytes(settings, AUDIT_KEY))
            done = former.revoked_there(tx, keeper, int(arguments.subject), now=now, actor="operator")
        except (KeyError, ValueError) as error:
            sentence = str(error.args[0]) if isinstance(error, KeyError) else str(error)
            raise UsageError(f"{sentence}; `ogis-lra former list` shows all") from error
    return Answer(f"{done.serial}: noted as revoked at the former CA", {"id": done.id, "serial": done.serial})
