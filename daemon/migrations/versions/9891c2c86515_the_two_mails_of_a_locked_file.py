"""the two mails of a locked file."""

import sqlalchemy as sa
from alembic import op

revision = "9891c2c86515"
down_revision = "5c30e60db610"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "locked_mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), server_default="", nullable=False),
        sa.Column("partner_id", sa.Integer(), nullable=True),
        sa.Column("answered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("arrived_at", sa.String(length=27), nullable=False),
        sa.CheckConstraint("role IN ('file', 'password')", name="role_known"),
        sa.ForeignKeyConstraint(
            ["mail_id"],
            ["mails.id"],
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"],
            ["locked_mails.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("mail_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_locked_mails_message_id"), "locked_mails", ["message_id"], unique=False)
    op.create_index(op.f("ix_locked_mails_sender"), "locked_mails", ["sender"], unique=False)
