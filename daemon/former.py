"""Certificates that a former CA issued to people registered here: we cannot revoke them, staff must do it there.

Whatever revokes every certificate of a registration (cancellation, handover, reissue) wants these gone too. The case is
not carried out before somebody has revoked them there and said so (`ogis-lra former revoked ID`): until then they are a
task for staff, told once by mail and every day in the digest (SPEC 4).
Weak: that they were revoked there is the word of whoever says so; it stands in the audit log with his deed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.engine import RowMapping

from config.request_types import RequestType

from . import cases, post, schema
from .audit import Audit
from .cases import Case, TaskRow
from .centre import Centre
from .planning import JST, TaskKind
from .store import changed, every, one

_rows = schema.former_certificates
_ENDING = frozenset({RequestType.REISSUE, RequestType.HANDOVER, RequestType.CANCELLATION})


@dataclass(frozen=True, slots=True)
class Former:
    """One of them. `state`: live, wanted (to be revoked there), gone."""

    id: int
    registration_id: int
    issuer: str
    serial: str
    not_after: datetime
    state: str
    case_id: int | None

    @property
    def words(self) -> str:
        """How staff find it at the former CA."""
        return f"{self.serial}（発行者 {self.issuer}、期限 {self.not_after.astimezone(JST):%Y-%m-%d}）"


def living(tx: Connection, registration_id: int, now: datetime) -> list[Former]:
    """Those of a registration that are neither revoked nor expired."""
    query = select(_rows).where(
        _rows.c.registration_id == registration_id, _rows.c.state != "gone", _rows.c.not_after > now
    )
    return [_former(row) for row in every(tx, query.order_by(_rows.c.id))]


def must_wait(tx: Connection, centre: Centre, case: Case, due: Sequence[TaskRow], *, now: datetime) -> bool:
    """Whether these tasks wait for staff to revoke something there; asks them for it the first time."""
    found = living(tx, case.registration_id, now) if case.registration_id and _ends(tx, case, due) else []
    new = [each for each in found if each.state == "live"]
    for each in new:
        changed(
            tx,
            update(_rows)
            .where(_rows.c.id == each.id, _rows.c.state == "live")
            .values(state="wanted", case_id=case.id, wanted_at=now),
        )
        centre.audit.append(tx, "former_wanted", at=now, actor="issuer", case_id=case.id, former=each.id)
    if new:
        post.notify(
            tx,
            centre,
            key=f"former:{case.id}:{new[0].id}",
            subject=f"旧認証局での失効をお願いします {case.number}",
            lines=(
                "次の証明書は旧認証局が発行したもので、こちらからは失効できません。旧認証局で失効してください。",
                *(f"{each.words}　番号 {each.id}" for each in new),
                "失効のあと、運用担当者が ogis-lra former revoked 番号 を実行するまで、この案件は完了しません。",
            ),
            now=now,
            case_id=case.id,
        )
    return bool(found)


def _ends(tx: Connection, case: Case, due: Sequence[TaskRow]) -> bool:
    """Whether these tasks end every certificate that the holder of the registration has had until now."""
    if case.request_type not in _ENDING:
        return False
    if any(task.kind is TaskKind.REVOKE for task in due):
        return True
    # A reissue to somebody whose only certificate is a former CA's has no revocation of ours among its tasks.
    kinds = {task.kind for task in cases.tasks(tx, case.id)}
    return case.request_type is RequestType.REISSUE and TaskKind.REVOKE not in kinds


def revoked_there(tx: Connection, audit: Audit, number: int, *, now: datetime, actor: str) -> Former:
    """Somebody says that it is revoked at the former CA. Raises KeyError for an unknown one, ValueError where that was
    said before."""
    row = one(tx, select(_rows).where(_rows.c.id == number))
    if row is None:
        raise KeyError(f"no certificate {number} of a former CA")
    if row["state"] == "gone":
        raise ValueError(f"certificate {number} of a former CA was reported revoked before")
    changed(
        tx,
        update(_rows).where(_rows.c.id == number, _rows.c.state == row["state"]).values(state="gone", gone_at=now),
    )
    audit.append(tx, "former_revoked", at=now, actor=actor, case_id=row["case_id"], former=number)
    return _former(row)


def every_one(tx: Connection) -> list[Former]:
    """All of them, in the order of their import."""
    return [_former(row) for row in every(tx, select(_rows).order_by(_rows.c.id))]


def lines(tx: Connection, _: Centre, __: datetime) -> Iterator[str]:
    """What the daily digest says of those that wait."""
    for row in every(tx, select(_rows).where(_rows.c.state == "wanted").order_by(_rows.c.id)):
        each = _former(row)
        number = cases.get(tx, each.case_id).number if each.case_id else ""
        yield f"{number} {each.words}　番号 {each.id}".strip()


def _former(row: RowMapping) -> Former:
    return Former(**{name: row[name] for name in Former.__dataclass_fields__})
