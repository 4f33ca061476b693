"""what staff ask for by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "5b45c9cf7445"
down_revision = "a3194e02b14b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leaves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("approver", sa.String(), nullable=False),
        sa.Column("first_day", sa.String(length=10), nullable=False),
        sa.Column("last_day", sa.String(length=10), nullable=False),
        sa.Column("deputy", sa.String(), server_default="", nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=True),
        sa.Column("recorded_at", sa.String(length=27), nullable=False),
        sa.Column("ended_at", sa.String(length=27), nullable=True),
        sa.ForeignKeyConstraint(["mail_id"], ["mails.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("mail_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_leaves_approver"), "leaves", ["approver"], unique=False)
    op.create_table(
        "orders",
        sa.Column("case_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("form_due_at", sa.String(length=27), nullable=True),
        sa.Column("form_reminded_at", sa.String(length=27), nullable=True),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.ForeignKeyConstraint(["mail_id"], ["mails.id"]),
        sa.PrimaryKeyConstraint("case_id"),
        sa.UniqueConstraint("mail_id"),
    )
    op.add_column("requests", sa.Column("purpose", sa.String(), server_default="decision", nullable=False))
    op.add_column("requests", sa.Column("round", sa.Integer(), server_default="1", nullable=False))
    op.add_column("requests", sa.Column("level", sa.Integer(), server_default="0", nullable=False))
    # What was asked at one moment was one round.
    op.execute(
        "UPDATE requests SET round = (SELECT count(DISTINCT earlier.created_at) FROM requests AS earlier "
        "WHERE earlier.case_id = requests.case_id AND earlier.created_at <= requests.created_at)"
    )
    _widen("cases", ("application", "renewal"), ("urgent_revocation", "rescheduling"))
    _widen("tasks", ("issue", "revoke", "change", "close"), ("reschedule",))


def _widen(table: str, known: tuple[str, ...], more: tuple[str, ...]) -> None:
    """Let `kind` be more than it could be.

    SQLite alters no CHECK, and a table that others refer to cannot be rebuilt while its foreign keys are kept; so its
    text is changed in place, as SQLite's own manual describes for constraints ("ALTER TABLE", section 7). Every row
    that fulfilled the narrower rule fulfils the wider one.
    """
    was, becomes = (f"kind IN ({', '.join(map(repr, words))})" for words in (known, (*known, *more)))
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.drop_constraint("kind_known", table, type_="check")
        op.create_check_constraint("kind_known", table, becomes)
        return
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ?", (was, becomes, table)
    )
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")
    found = connection.exec_driver_sql("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).scalar_one()
    if becomes not in found:
        raise RuntimeError(f"the CHECK of {table}.kind is not the one this migration knows")
