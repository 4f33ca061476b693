"""the picture of a seal on each form."""

import sqlalchemy as sa
from alembic import op

revision = "333e654c13b1"
down_revision = "c43b0462508a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applications", sa.Column("seal_image", sa.String(), server_default="", nullable=False))
    op.create_index(op.f("ix_applications_seal_image"), "applications", ["seal_image"], unique=False)
