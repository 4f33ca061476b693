"""The tables of the register, and what the database itself refuses.

The daemon adds its own tables to the same `metadata`. The CHECKs and the guards (triggers) hold against every writer,
this program included: a revoked certificate never comes back, and a row of the register never goes away.
Weak: whoever owns the database can drop a trigger; the checker and the audit log are there for that. A migration that
changes or rebuilds `certificates` drops them, and `renew_guards` puts those of today in place when all are done.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    event,
    text,
)

metadata = MetaData()


class Instant(TypeDecorator[datetime]):
    """A point in time, in UTC to the microsecond, as text of fixed width: `2024-07-01T00:00:00.000000Z`.

    The text sorts as the time does, reads the same in SQLite and PostgreSQL, and comes back as an aware datetime.
    A naive datetime is refused with ValueError: nobody can say when that is.
    """

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without zone")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else datetime.fromisoformat(value)


def _where(condition: str) -> dict[str, Any]:
    """A partial index, for both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


# `crl_number` is the highest CRL number ever given out; it only grows (RFC 5280, 5.2.3). `crl_change` counts what
# happened to the list of revoked certificates: a CRL remembers how far it reaches. `origin` says whether we made it or
# took it over from a former CA, whose certificate another program made by another taste.
authorities = Table(
    "authorities",
    metadata,
    Column("id", String, primary_key=True),
    Column("role", String, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("crl_url", String, nullable=False),
    Column("ca_url", String, nullable=False),
    Column("ocsp_url", String, nullable=False, server_default=""),
    Column("crl_number", Integer, nullable=False, server_default="0"),
    Column("crl_change", Integer, nullable=False, server_default="0"),
    Column("recorded_at", Instant, nullable=False),
    Column("origin", String, nullable=False, server_default="made"),
    CheckConstraint("role IN ('root', 'issuing')", name="authority_role_known"),
)

# One serial number and what became of it: reserved -> issued -> revoked, or reserved -> abandoned; an issued one may
# be held and come back (certificateHold, RFC 5280, 5.3.1). The serial number is lower-case hexadecimal without
# leading zeros. `registration_id` and `case_id` are the daemon's; both are NULL where the certificate is the centre's
# own (an OCSP responder, the portal, staff), which nobody applied for. `revoked_at` is the date on the CRL,
# `recorded_at` when it was entered; `listed_until` see `register.store_crl`. `crl_entry` is the DER of its entry,
# made when it was revoked, `crl_change` the count of its authority at its last revocation, hold or end of a hold
# (`unheld_at`); `crl_partition` the partition of the CRL that its distribution point names, 0 for none.
# `claimed_at` is when the right to the one signature was taken (`ca.claims`); before it nobody may have signed.
still_reserved = text("state = 'reserved'")
certificates = Table(
    "certificates",
    metadata,
    Column("serial", String(40), primary_key=True),
    Column("authority_id", ForeignKey("authorities.id"), nullable=False),
    Column("registration_id", Integer),
    Column("case_id", Integer),
    Column("profile", String, nullable=False),
    Column("state", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("email", String, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("not_after", Instant, nullable=False),
    Column("tbs", LargeBinary, nullable=False),
    Column("der", LargeBinary),
    Column("reserved_at", Instant, nullable=False),
    Column("lease_until", Instant, nullable=False),
    Column("claimed_at", Instant),
    Column("issued_at", Instant),
    Column("revoked_at", Instant),
    Column("recorded_at", Instant),
    Column("reason", String),
    Column("invalidity_date", Instant),
    Column("listed_until", Instant),
    Column("crl_entry", LargeBinary),
    Column("crl_change", Integer),
    Column("crl_partition", Integer, nullable=False, server_default="0"),
    Column("unheld_at", Instant),
    CheckConstraint("state IN ('reserved', 'issued', 'revoked', 'abandoned', 'held')", name="certificate_state_known"),
    CheckConstraint("serial = lower(serial) AND length(serial) <= 40", name="certificate_serial_canonical"),
    CheckConstraint("not_before <= not_after", name="certificate_validity_in_order"),
    CheckConstraint(
        "(state IN ('issued', 'revoked', 'held') AND der IS NOT NULL AND issued_at IS NOT NULL)"
        " OR (state IN ('reserved', 'abandoned') AND der IS NULL AND issued_at IS NULL)",
        name="certificate_issued_or_not",
    ),
    CheckConstraint(
        "(state IN ('revoked', 'abandoned', 'held')"
        " AND revoked_at IS NOT NULL AND recorded_at IS NOT NULL AND reason IS NOT NULL"
        " AND crl_entry IS NOT NULL AND crl_change IS NOT NULL)"
        " OR (state IN ('reserved', 'issued') AND crl_entry IS NULL"
        " AND revoked_at IS NULL AND recorded_at IS NULL AND reason IS NULL AND invalidity_date IS NULL)",
        name="certificate_revoked_or_not",
    ),
    CheckConstraint("revoked_at <= recorded_at", name="certificate_not_revoked_in_future"),
    CheckConstraint("invalidity_date <= revoked_at", name="certificate_invalid_before_revoked"),
    CheckConstraint("state <> 'held' OR reason = 'certificate_hold'", name="certificate_held_with_its_reason"),
    # One case, one certificate: the next serial number of a case waits until the last one is abandoned (SPEC 3).
    Index(
        "certificates_one_per_case",
        "case_id",
        unique=True,
        **_where("state IN ('reserved', 'issued', 'held')"),
    ),
    Index("certificates_by_registration", "registration_id"),
    Index("certificates_by_case", "case_id"),
    Index("certificates_by_lease", "lease_until", sqlite_where=still_reserved, postgresql_where=still_reserved),
    Index("certificates_by_state", "authority_id", "state", "not_after"),
    # A CRL is read from this index alone, in its order: the rows themselves, some 3 kB each, are not touched.
    Index(
        "certificates_on_crl",
        *("authority_id", "serial", "revoked_at", "listed_until", "crl_entry"),
        **_where("crl_entry IS NOT NULL"),
    ),
    Index("certificates_by_change", "authority_id", "crl_change", "revoked_at", **_where("crl_change IS NOT NULL")),
    Index(
        "certificates_to_leave_crl",
        *("authority_id", "not_after"),
        **_where("crl_entry IS NOT NULL AND listed_until IS NULL"),
    ),
    Index("certificates_leaving_crl", "authority_id", "listed_until", **_where("listed_until IS NOT NULL")),
    Index("certificates_by_partition", "authority_id", "crl_partition", "serial", **_where("crl_partition > 0")),
)

# `size` counts the entries, `octets` and `digest` are those of its DER (`crl.digest_of`); the DER itself is kept where
# it is small and new (docs/decisions/0031). `base_number` is that of a delta CRL's base. `change` see `authorities`.
crls = Table(
    "crls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("authority_id", ForeignKey("authorities.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("this_update", Instant, nullable=False),
    Column("next_update", Instant, nullable=False),
    Column("partition", Integer, nullable=False, server_default="0"),
    Column("base_number", Integer),
    Column("change", Integer, nullable=False, server_default="0"),
    Column("size", Integer, nullable=False),
    Column("octets", Integer, nullable=False),
    Column("digest", String(128), nullable=False),
    Column("der", LargeBinary),
    # A delta CRL has the number of the full CRL that was made with it (RFC 5280, 5.2.3).
    UniqueConstraint("authority_id", "number", "kind", name="crl_number_once"),
    CheckConstraint("kind IN ('full', 'delta', 'partition')", name="crl_kind_known"),
    CheckConstraint("(kind = 'partition') = (partition > 0)", name="crl_partition_known"),
    CheckConstraint("(kind = 'delta') = (base_number IS NOT NULL)", name="crl_base_known"),
    CheckConstraint("base_number < number", name="crl_newer_than_its_base"),
    CheckConstraint("this_update < next_update", name="crl_updates_in_order"),
    Index("crls_by_scope", "authority_id", "kind", "partition", "number"),
)

_IDENTITY = (
    *("serial", "authority_id", "registration_id", "case_id", "profile", "subject", "email"),
    *("not_before", "not_after", "tbs", "reserved_at", "crl_partition"),
)
_ISSUED = ("der", "issued_at", "lease_until")
_REVOKED = ("revoked_at", "recorded_at", "reason", "invalidity_date", "crl_entry")


def guards(dialect: str) -> tuple[str, ...]:
    """The statements that put the guards in place, for `sqlite` or `postgresql`; KeyError for another database.

    `metadata.create_all` runs them by itself when it makes the table of certificates; a migration that makes or
    rebuilds it in another way runs each of them afterwards. Running them twice does no harm.
    """
    return {"sqlite": _sqlite_guards, "postgresql": _postgresql_guards}[dialect]()


def _forbidden_update(differs: str) -> str:
    """The condition under which a change of a certificate row is refused; `differs` is the null-safe operator."""

    def changed(columns: tuple[str, ...]) -> str:
        return " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in columns)

    return (
        "(NEW.state <> OLD.state"
        " AND NOT (OLD.state = 'reserved' AND NEW.state IN ('issued', 'abandoned'))"
        " AND NOT (OLD.state = 'issued' AND NEW.state IN ('revoked', 'held'))"
        " AND NOT (OLD.state = 'held' AND NEW.state IN ('revoked', 'issued')))"
        f" OR {changed(_IDENTITY)}"
        f" OR (OLD.state <> 'reserved' AND ({changed(_ISSUED)}))"
        f" OR (OLD.state IN ('revoked', 'abandoned') AND ({changed(_REVOKED)}))"
        f" OR (OLD.state = 'held' AND NEW.state = 'held' AND ({changed(_REVOKED)}))"
        " OR NEW.crl_change < OLD.crl_change OR (OLD.crl_change IS NOT NULL AND NEW.crl_change IS NULL)"
        # A certificate that was not to be trusted since its hold is not revoked from a later day on.
        f" OR (OLD.state = 'held' AND NEW.state = 'revoked' AND ({changed(('revoked_at',))}))"
    )


def renew_guards(conn: Connection) -> None:
    """Put the guards of today in the place of those of before. For the end of a migration, in its transaction."""
    sqlite = conn.dialect.name == "sqlite"
    for name, table in _GUARDED.items():
        conn.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}" + ("" if sqlite else f" ON {table}"))
    for statement in (*guards(conn.dialect.name), *claim_guards(conn.dialect.name)):
        conn.exec_driver_sql(statement)


_GUARDED = {
    "certificates_change": "certificates",
    "certificates_claim": "certificates",
    "certificates_delete": "certificates",
    "authorities_number": "authorities",
}


def _forbidden_claim(differs: str) -> str:
    """The condition under which a change of `claimed_at` is refused: a token is taken once, for a reservation."""
    return f"NEW.claimed_at {differs} OLD.claimed_at AND (OLD.claimed_at IS NOT NULL OR OLD.state <> 'reserved')"


_CHANGE = "the register does not take this change of a certificate"
_CLAIM = "the right to a signature is taken once"
_DELETE = "the register forgets no certificate"
_NUMBER = "a CRL number never goes back"
_GROWS = "NEW.crl_number < OLD.crl_number OR NEW.crl_change < OLD.crl_change"


def claim_guards(dialect: str) -> tuple[str, ...]:
    """As `guards`, for the column that came later: what an older migration runs must not speak of it."""
    if dialect == "sqlite":
        return (_sqlite_guard("certificates_claim", "UPDATE ON certificates", _forbidden_claim("IS NOT"), _CLAIM),)
    return _postgresql_guard(
        "certificates_claim", "UPDATE ON certificates", _forbidden_claim("IS DISTINCT FROM"), _CLAIM
    )


def _sqlite_guard(name: str, when: str, condition: str, sentence: str) -> str:
    return (
        f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {when} FOR EACH ROW{f' WHEN {condition}' if condition else ''}"
        f" BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
    )


def _sqlite_guards() -> tuple[str, ...]:
    return tuple(
        _sqlite_guard(name, when, condition, sentence)
        for name, when, condition, sentence in (
            ("certificates_change", "UPDATE ON certificates", _forbidden_update("IS NOT"), _CHANGE),
            ("certificates_delete", "DELETE ON certificates", "", _DELETE),
            ("authorities_number", "UPDATE ON authorities", _GROWS, _NUMBER),
        )
    )


def _postgresql_guard(name: str, when: str, condition: str, sentence: str) -> tuple[str, ...]:
    return (
        (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{sentence}' USING ERRCODE = 'check_violation'; END $$"
        ),
        f"CREATE OR REPLACE TRIGGER {name} BEFORE {when} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}()",
    )


def _postgresql_guards() -> tuple[str, ...]:
    return (
        *_postgresql_guard(
            "certificates_change", "UPDATE ON certificates", _forbidden_update("IS DISTINCT FROM"), _CHANGE
        ),
        *_postgresql_guard("certificates_delete", "DELETE ON certificates", "TRUE", _DELETE),
        *_postgresql_guard("authorities_number", "UPDATE ON authorities", _GROWS, _NUMBER),
    )


def _hang_guards() -> None:
    for dialect in ("sqlite", "postgresql"):
        for statement in (*guards(dialect), *claim_guards(dialect)):
            # SQLAlchemy formats the statement with %, and has no types for this constructor.
            ddl = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
            event.listen(certificates, "after_create", ddl.execute_if(dialect=dialect))


_hang_guards()
