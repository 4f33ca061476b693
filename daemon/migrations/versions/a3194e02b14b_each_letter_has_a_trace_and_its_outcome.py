"""each letter has a trace and its outcome."""

import sqlalchemy as sa
from alembic import op

revision = "a3194e02b14b"
down_revision = "9891c2c86515"
branch_labels = None
depends_on = None

_STATES = ("queued", "sending", "unknown", "sent", "failed", "bounced")
_KEPT = (
    "id, key, case_id, kind, recipient, message_id, raw, sealed, seal_key, state, attempts, not_before, after_id, "
    "after_seconds, created_at, sent_at, error"
)


def upgrade() -> None:
    known = ", ".join(f"'{state}'" for state in _STATES)
    if op.get_bind().dialect.name == "sqlite":
        _make_anew(known)
        return
    op.add_column("letters", sa.Column("trace", sa.String(length=26), unique=True))
    op.add_column("letters", sa.Column("secret_hash", sa.String(length=64)))
    op.add_column("letters", sa.Column("tried_at", sa.String(length=27)))
    op.add_column("letters", sa.Column("lost", sa.Integer(), server_default="0", nullable=False))
    op.add_column("letters", sa.Column("answer", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_letters_secret_hash", "letters", ["secret_hash"])
    op.create_index("ix_letters_answers", "letters", ["answer", "created_at"])
    op.drop_constraint("state_known", "letters", type_="check")
    op.create_check_constraint("state_known", "letters", f"state IN ({known})")


def _make_anew(known: str) -> None:
    """SQLite cannot change a CHECK. The old table is renamed, not the new one: a row names the letter it follows, and
    with foreign keys enforced the old table could not be dropped while rows of the new one point at it."""
    for index in ("ix_letters_case_id", "ix_letters_state"):
        op.drop_index(index, table_name="letters")
    op.rename_table("letters", "letters_before")
    op.create_table(
        "letters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("seal_key", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_before", sa.String(length=27), nullable=False),
        sa.Column("after_id", sa.Integer(), nullable=True),
        sa.Column("after_seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.Column("sent_at", sa.String(length=27), nullable=True),
        sa.Column("error", sa.String(), server_default="", nullable=False),
        sa.Column("trace", sa.String(length=26), nullable=True),
        sa.Column("secret_hash", sa.String(length=64), nullable=True),
        sa.Column("tried_at", sa.String(length=27), nullable=True),
        sa.Column("lost", sa.Integer(), server_default="0", nullable=False),
        sa.Column("answer", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(f"state IN ({known})", name="state_known"),
        sa.ForeignKeyConstraint(["after_id"], ["letters.id"]),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sa.UniqueConstraint("message_id"),
        sa.UniqueConstraint("seal_key"),
        sa.UniqueConstraint("trace"),
        sqlite_autoincrement=True,
    )
    # In the order of their ids, in which a letter always stands before the one that follows it.
    op.execute(f"INSERT INTO letters ({_KEPT}) SELECT {_KEPT} FROM letters_before ORDER BY id")  # noqa: S608 - no input
    op.drop_table("letters_before")
    op.create_index("ix_letters_case_id", "letters", ["case_id"], unique=False)
    op.create_index("ix_letters_state", "letters", ["state"], unique=False)
    op.create_index("ix_letters_secret_hash", "letters", ["secret_hash"], unique=False)
    op.create_index("ix_letters_answers", "letters", ["answer", "created_at"], unique=False)
