"""authorities that were taken over from a former CA."""

import sqlalchemy as sa
from alembic import op

revision = "4e8b7d20c915"
down_revision = "7d1e0c52b6a9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("authorities", sa.Column("origin", sa.String(), server_default="made", nullable=False))
