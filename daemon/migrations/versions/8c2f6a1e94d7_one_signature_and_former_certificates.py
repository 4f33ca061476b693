"""one signature a reservation, certificates of a former CA, the kind of a subscriber's file."""

import sqlalchemy as sa
from alembic import op

from ca.tables import claim_guards

revision = "8c2f6a1e94d7"
down_revision = "4e8b7d20c915"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("certificates", sa.Column("claimed_at", sa.String(length=27), nullable=True))
    op.create_index("certificates_by_case", "certificates", ["case_id"], unique=False)
    reserved = sa.text("state = 'reserved'")
    op.create_index(
        "certificates_by_lease",
        "certificates",
        ["lease_until"],
        unique=False,
        sqlite_where=reserved,
        postgresql_where=reserved,
    )
    op.add_column("registrations", sa.Column("bundle", sa.String(), server_default="", nullable=False))
    op.create_table(
        "former_certificates",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("registration_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("not_before", sa.String(length=27), nullable=False),
        sa.Column("not_after", sa.String(length=27), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("wanted_at", sa.String(length=27), nullable=True),
        sa.Column("gone_at", sa.String(length=27), nullable=True),
        sa.Column("imported_at", sa.String(length=27), nullable=False),
        sa.CheckConstraint("state IN ('live', 'wanted', 'gone')", name="state_known"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.ForeignKeyConstraint(["registration_id"], ["registrations.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("issuer", "serial"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_former_certificates_case_id"), "former_certificates", ["case_id"], unique=False)
    op.create_index(
        op.f("ix_former_certificates_registration_id"), "former_certificates", ["registration_id"], unique=False
    )
    for statement in claim_guards(op.get_bind().dialect.name):
        op.get_bind().exec_driver_sql(statement)
