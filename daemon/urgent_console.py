"""`ogis-lra revoke`: the operator's way to an urgent revocation. By default it opens the case that 至急失効 opens, and
two approvers decide by mail; --break-glass revokes at once, alarms everybody and stands in the audit log.

Trusts: whoever may start the command with the centre's keys. Weak: --break-glass is one person's deed; that is its
purpose, and why nobody can do it unseen.
"""

import argparse

from sqlalchemy import Connection

from ca import register
from ca.crl import Reason
from config.settings import load

from . import post, reach, upkeep, urgent
from .centre import Centre
from .console import Answer, UsageError
from .keyring import open_service
from .planning import JST
from .urgent import Aim, Why

_OPERATOR = "operator"


def revoke(arguments: argparse.Namespace) -> Answer:
    """Open an urgent revocation or, with --break-glass, carry it out here and now."""
    centre = open_service(load(arguments.config), clock=arguments.clock)
    try:
        return _break_glass(centre, arguments) if arguments.break_glass else _open(centre, arguments)
    finally:
        centre.close()


def _open(centre: Centre, arguments: argparse.Namespace) -> Answer:
    now = centre.clock()
    with centre.store.transaction() as tx:
        found, reason = _meant(tx, centre, arguments)
        if problem := urgent.problem(tx, found, now=now):
            raise UsageError(problem)
        evidence = {"method": "command_line", "identity": _OPERATOR}
        case = urgent.open_case(tx, centre, found, reason, opened_by=_OPERATOR, evidence=evidence, now=now)
    text = (
        f"opened {case.number}: nothing is revoked yet. Two approvers must answer the request with 承認; the running "
        "service sends it. To revoke without them: --break-glass"
    )
    return Answer(text, {"case": case.number, "revoked": []})


def _break_glass(centre: Centre, arguments: argparse.Namespace) -> Answer:
    """Revocation, audit event and the alarm are one transaction; the CRL follows at once, and the running service
    writes it again should this process stop in between."""
    now = centre.clock()
    with centre.store.transaction() as tx:
        found, reason = _meant(tx, centre, arguments)
        rows = reach.reached(tx, found.target.id, found.serials, now)
        if not rows:
            raise UsageError("there is no live certificate of this number: it is revoked already, or has expired")
        for row in rows:
            register.revoke(
                tx, row.serial, at=now, reason=Reason(reason.code), now=now, invalidity_date=urgent.begin_of(reason)
            )
            centre.audit.append(tx, "break_glass", at=now, actor=_OPERATOR, serial=row.serial, reason=reason.code)
        serials = [row.serial for row in rows]
        person = found.target.person
        post.notify(
            tx,
            centre,
            key=f"break-glass:{now.isoformat()}:{serials[0]}",
            subject="緊急：証明書が承認なしで失効されました",
            lines=(
                f"{now.astimezone(JST):%Y-%m-%d %H:%M}に、サーバー上の操作（--break-glass）で失効されました。",
                f"対象：{person.company_ja} {person.name_ja} 様（登録 {found.target.subscriber_id}）",
                *(f"シリアル番号：{serial}" for serial in serials),
                f"理由：{reason.said}",
                "心当たりのない場合は、ただちにセキュリティ担当者にお知らせください。",
                "申請者・利用者には自動では通知していません。ご連絡と、申請書のご依頼をお願いします。",
            ),
            now=now,
        )
    upkeep.publish_crl(centre, force=True)
    text = f"revoked {', '.join(serials)}; the CRL is published. Every approver is told, as soon as the service sends."
    return Answer(text, {"case": None, "revoked": serials})


def _meant(tx: Connection, centre: Centre, arguments: argparse.Namespace) -> tuple[Aim, Why]:
    """Whom the number means, and the reason. Raises UsageError with the sentence of `urgent`."""
    found = urgent.aim(tx, centre, arguments.serial, now=centre.clock())
    reason = urgent.why(arguments.reason, today=centre.clock().astimezone(JST).date())
    if isinstance(found, str):
        raise UsageError(found)
    if isinstance(reason, str):
        raise UsageError(reason)
    return found, reason
