"""a ledger of everything seen."""

import sqlalchemy as sa
from alembic import op

revision = "5c30e60db610"
down_revision = "333e654c13b1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mails", sa.Column("likeness", sa.String(length=64), server_default="", nullable=False))
    op.add_column("mails", sa.Column("erasure_asked_at", sa.String(length=27), nullable=True))
    op.add_column("mails", sa.Column("erased_at", sa.String(length=27), nullable=True))
    op.add_column("sightings", sa.Column("internal_date", sa.String(length=27), nullable=True))
    op.create_index(op.f("ix_mails_likeness"), "mails", ["likeness"], unique=False)
    op.create_index(op.f("ix_mails_message_id"), "mails", ["message_id"], unique=False)
    op.create_table(
        "absences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("uidvalidity", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Integer(), nullable=False),
        sa.Column("since", sa.String(length=27), nullable=False),
        sa.Column("told_at", sa.String(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "folder", "uidvalidity", "uid"),
    )
    op.create_table(
        "junk_sightings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("uidvalidity", sa.Integer(), nullable=False),
        sa.Column("uid", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(), server_default="", nullable=False),
        sa.Column("seen_at", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "folder", "uidvalidity", "uid"),
    )
    op.create_index(op.f("ix_junk_sightings_digest"), "junk_sightings", ["digest"], unique=False)
    op.create_table(
        "gauges",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
