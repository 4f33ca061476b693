"""The table of certificates that a former CA issued; `daemon.schema` has all the others."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from ca.register import Instant, metadata

# We cannot revoke what another CA issued: `wanted` is a task for staff ("revoke there"), `gone` says that somebody has
# done it (daemon.former). `case_id` is the case that wants it gone.
former_certificates = Table(
    "former_certificates",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("registration_id", ForeignKey("registrations.id"), nullable=False, index=True),
    Column("issuer", String, nullable=False),
    Column("serial", String(40), nullable=False),
    Column("subject", String, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("not_after", Instant, nullable=False),
    Column("der", LargeBinary),
    Column("state", String, nullable=False),
    Column("case_id", ForeignKey("cases.id"), index=True),
    Column("wanted_at", Instant),
    Column("gone_at", Instant),
    Column("imported_at", Instant, nullable=False),
    UniqueConstraint("issuer", "serial"),
    CheckConstraint("state IN ('live', 'wanted', 'gone')", name="state_known"),
    sqlite_autoincrement=True,
)
