"""The rows of cases: opening, moving, versions, tasks.

A move is `UPDATE … WHERE state = :old` and an event row, together. Nothing here decides anything; `daemon.case` says
which moves there are.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.engine import RowMapping

from config.request_types import RequestType
from parsers.reading import Application, application_from_json, application_to_json

from . import schema
from .audit import Audit
from .case import CaseKind, Event, State, move
from .planning import JST, Task, TaskKind, end_of_day
from .store import added, changed, every, next_number, one

_cases = schema.cases


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it stands in the database."""

    id: int
    number: str
    kind: CaseKind
    state: State
    request_type: RequestType | None
    version: int
    digest: str
    registration_id: int | None
    subject_key: str
    renews_serial: str | None
    correspondent: str
    thread_id: str
    muted: bool
    applicant_company: str
    applicant_name: str
    applicant_email: str
    arrived_at: datetime
    accepted_at: datetime | None
    deadline: datetime | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task as it stands in the database."""

    id: int
    case_id: int
    kind: TaskKind
    state: str
    registration_id: int | None
    serials: tuple[str, ...]
    due_at: datetime | None
    detail: dict[str, str]
    done_at: datetime | None


def open_case(
    tx: Connection,
    audit: Audit,
    *,
    kind: CaseKind,
    state: State,
    arrived_at: datetime,
    now: datetime,
    actor: str,
    **values: Any,  # noqa: ANN401 - columns of `cases`
) -> Case:
    """A new case with the next number of its day of arrival, JST (SPEC 5)."""
    day = arrived_at.astimezone(JST).strftime("%Y%m%d")
    number = f"WEBEC-{day}-{next_number(tx, f'case {day}'):04d}"
    case_id = added(tx, _cases, number=number, kind=kind, state=state, arrived_at=arrived_at, changed_at=now, **values)
    audit.append(tx, "case_opened", at=now, actor=actor, case_id=case_id, number=number, case_kind=kind.value)
    return get(tx, case_id)


def get(tx: Connection, case_id: int) -> Case:
    """One case; KeyError where there is none."""
    row = one(tx, select(_cases).where(_cases.c.id == case_id))
    if row is None:
        raise KeyError(f"no case {case_id}")
    return _case(row)


def find(tx: Connection, number: str) -> Case | None:
    """The case of that number (`WEBEC-YYYYMMDD-NNNN`)."""
    row = one(tx, select(_cases).where(_cases.c.number == number.upper()))
    return _case(row) if row else None


def in_state(tx: Connection, *states: State) -> list[Case]:
    """All cases in any of these states, oldest first."""
    return [_case(row) for row in every(tx, select(_cases).where(_cases.c.state.in_(states)).order_by(_cases.c.id))]


def apply(
    tx: Connection,
    audit: Audit,
    case: Case,
    event: Event,
    *,
    now: datetime,
    actor: str,
    note: dict[str, Any] | None = None,
    **values: Any,  # noqa: ANN401 - columns of `cases`
) -> Case:
    """Move a case, with its event row. Raises IllegalMove, or Conflict when another process moved it first."""
    state = move(case.state, event)
    changed(
        tx,
        update(_cases)
        .where(_cases.c.id == case.id, _cases.c.state == case.state)
        .values(state=state, changed_at=now, **values),
    )
    audit.append(
        tx,
        f"case_{event.value}",
        at=now,
        actor=actor,
        case_id=case.id,
        **{"from": case.state.value, "to": state.value, **(note or {})},
    )
    return get(tx, case.id)


def set_values(tx: Connection, case: Case, **values: Any) -> Case:  # noqa: ANN401 - columns of `cases`
    """Change data of a case that is still in the state it was read in."""
    changed(tx, update(_cases).where(_cases.c.id == case.id, _cases.c.state == case.state).values(**values))
    return get(tx, case.id)


def add_version(
    tx: Connection,
    case_id: int,
    version: int,
    application: Application,
    *,
    now: datetime,
    mail_id: int | None = None,
    form_index: int | None = None,
    document: str = "",
    amended_by: str = "",
) -> None:
    """Keep one version of what was read; the unique key refuses the same form of the same mail a second time."""
    added(
        tx,
        schema.applications,
        case_id=case_id,
        version=version,
        mail_id=mail_id,
        form_index=form_index,
        document=document,
        reading=application_to_json(application),
        amended_by=amended_by,
        seal_image=seal_image(application),
        created_at=now,
    )


def seal_image(application: Application) -> str:
    """The digest of the seal's picture where it was put into the PDF as it is; empty for anything that was scanned,
    where two pictures of one stamp are never the same."""
    mark = application.seal.fingerprint
    return mark if mark.startswith("image:") else ""


def application(tx: Connection, case: Case) -> Application:
    """The current version of what was read. Raises KeyError for a case without a form."""
    return application_from_json(version_row(tx, case)["reading"])


def version_row(tx: Connection, case: Case) -> RowMapping:
    """The row of the current version. Raises KeyError for a case without a form."""
    table = schema.applications
    row = one(tx, select(table).where(table.c.case_id == case.id, table.c.version == case.version))
    if row is None:
        raise KeyError(f"case {case.number} has no version {case.version}")
    return row


def add_tasks(tx: Connection, case: Case, tasks: tuple[Task, ...]) -> None:
    """Fix the tasks of an approved plan; a wished day becomes the instant of its end (SPEC 1.3.3)."""
    for task in tasks:
        added(
            tx,
            schema.tasks,
            case_id=case.id,
            kind=task.kind,
            state="pending",
            registration_id=task.registration_id,
            serials=list(task.serials),
            due_at=end_of_day(task.wished) if task.wished else None,
            detail=dict(task.detail),
        )


def tasks(tx: Connection, case_id: int, *, pending: bool = False) -> list[TaskRow]:
    """The tasks of a case, in the order they were fixed."""
    query = select(schema.tasks).where(schema.tasks.c.case_id == case_id).order_by(schema.tasks.c.id)
    if pending:
        query = query.where(schema.tasks.c.state == "pending")
    return [task_of(row) for row in every(tx, query)]


def pending_tasks(tx: Connection) -> list[TaskRow]:
    """Every task still to be done, earliest due first."""
    query = select(schema.tasks).where(schema.tasks.c.state == "pending")
    return [task_of(row) for row in every(tx, query.order_by(schema.tasks.c.due_at, schema.tasks.c.id))]


def finish_task(tx: Connection, task: TaskRow, *, now: datetime, state: str = "done") -> None:
    """A pending task is done, failed or cancelled. Raises Conflict when it is pending no more."""
    changed(
        tx,
        update(schema.tasks)
        .where(schema.tasks.c.id == task.id, schema.tasks.c.state == "pending")
        .values(state=state, done_at=now),
    )


def task_of(row: RowMapping) -> TaskRow:
    """A task from its row."""
    values = dict(row)
    return TaskRow(**(values | {"kind": TaskKind(row["kind"]), "serials": tuple(row["serials"])}))


def _case(row: RowMapping) -> Case:
    values = dict(row)
    return Case(
        **(
            values
            | {
                "kind": CaseKind(row["kind"]),
                "state": State(row["state"]),
                "request_type": RequestType(row["request_type"]) if row["request_type"] else None,
                "muted": bool(row["muted"]),
            }
        )
    )
