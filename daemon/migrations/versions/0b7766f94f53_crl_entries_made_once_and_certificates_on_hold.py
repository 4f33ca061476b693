"""CRL entries made once, delta and partitioned CRLs, certificates on hold."""

import io

import sqlalchemy as sa
from alembic import op
from cryptography import x509

from ca.crl import digest_of
from ca.crl_entry import Entry, Reason, encode
from ca.keys import kind_of
from ca.tables import Instant

revision = "0b7766f94f53"
down_revision = "5b45c9cf7445"
branch_labels = None
depends_on = None

_KEPT_WHOLE = 3

_STATES = "state IN ('reserved', 'issued', 'revoked', 'abandoned')"
_ISSUED = "(state IN ('issued', 'revoked') AND der IS NOT NULL AND issued_at IS NOT NULL)"
_ENDED = (
    "(state IN ('revoked', 'abandoned') AND revoked_at IS NOT NULL AND recorded_at IS NOT NULL AND reason IS NOT NULL)"
)
_LIVING = "(state IN ('reserved', 'issued') AND revoked_at IS NULL"
_REST_OF_ISSUED = " OR (state IN ('reserved', 'abandoned') AND der IS NULL AND issued_at IS NULL)"
_REST_OF_LIVING = " AND recorded_at IS NULL AND reason IS NULL AND invalidity_date IS NULL)"
_HELD = "state <> 'held' OR reason = 'certificate_hold'"

_NEW_STATES = "state IN ('reserved', 'issued', 'revoked', 'abandoned', 'held')"
_NEW_ISSUED = "(state IN ('issued', 'revoked', 'held') AND der IS NOT NULL AND issued_at IS NOT NULL)"
_NEW_ENDED = (
    "(state IN ('revoked', 'abandoned', 'held')"
    " AND revoked_at IS NOT NULL AND recorded_at IS NOT NULL AND reason IS NOT NULL"
    " AND crl_entry IS NOT NULL AND crl_change IS NOT NULL)"
)
_NEW_LIVING = "(state IN ('reserved', 'issued') AND crl_entry IS NULL AND revoked_at IS NULL"


def upgrade() -> None:
    op.add_column("authorities", sa.Column("crl_change", sa.Integer(), server_default="0", nullable=False))
    op.add_column("certificates", sa.Column("crl_entry", sa.LargeBinary(), nullable=True))
    op.add_column("certificates", sa.Column("crl_change", sa.Integer(), nullable=True))
    op.add_column("certificates", sa.Column("crl_partition", sa.Integer(), server_default="0", nullable=False))
    op.add_column("certificates", sa.Column("unheld_at", sa.String(length=27), nullable=True))
    _drop_guards()
    _encode_entries()
    _rebuild_crls()
    _change_checks()
    _make_indexes()


def _drop_guards() -> None:
    """They know nothing of the new columns and would refuse the new states; `Store.migrate` puts those of today in
    place."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, table in (
        ("certificates_change", "certificates"),
        ("certificates_delete", "certificates"),
        ("authorities_number", "authorities"),
    ):
        op.execute(f"DROP TRIGGER IF EXISTS {name}" + ("" if sqlite else f" ON {table}"))


def _encode_entries() -> None:
    """The entry of everything that is revoked or abandoned, counted in the order in which it was recorded."""
    table = sa.table(
        "certificates",
        *(sa.column(name, Instant()) for name in ("revoked_at", "recorded_at", "invalidity_date")),
        *(sa.column(name) for name in ("serial", "authority_id", "reason", "crl_entry", "crl_change")),
    )
    authorities = sa.table("authorities", sa.column("id"), sa.column("crl_change"))
    connection = op.get_bind()
    columns = table.c
    revoked = connection.execute(
        sa.select(columns.serial, columns.authority_id, columns.revoked_at, columns.reason, columns.invalidity_date)
        .where(columns.revoked_at.is_not(None))
        .order_by(columns.recorded_at, columns.serial)
    ).all()
    counts: dict[str, int] = {}
    for serial, authority_id, revoked_at, reason, invalidity_date in revoked:
        counts[authority_id] = counts.get(authority_id, 0) + 1
        entry = encode(Entry(int(serial, 16), revoked_at, Reason(reason), invalidity_date))
        connection.execute(
            sa.update(table).where(columns.serial == serial).values(crl_entry=entry, crl_change=counts[authority_id])
        )
    for authority_id, count in counts.items():
        connection.execute(sa.update(authorities).where(authorities.c.id == authority_id).values(crl_change=count))


def _rebuild_crls() -> None:
    connection = op.get_bind()
    kinds = {}
    for name, der in connection.execute(sa.text("SELECT id, certificate FROM authorities")):
        kind = kind_of(x509.load_der_x509_certificate(der).public_key())
        if kind is None:
            raise RuntimeError(f"the key of authority {name} is of no kind that this program knows")
        kinds[name] = kind
    query = "SELECT id, authority_id, number, kind, this_update, next_update, der FROM crls ORDER BY id"
    rows = [dict(row) for row in connection.execute(sa.text(query)).mappings()]
    op.drop_table("crls")
    crls = op.create_table(
        "crls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authority_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("this_update", sa.String(length=27), nullable=False),
        sa.Column("next_update", sa.String(length=27), nullable=False),
        sa.Column("partition", sa.Integer(), server_default="0", nullable=False),
        sa.Column("base_number", sa.Integer(), nullable=True),
        sa.Column("change", sa.Integer(), server_default="0", nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("octets", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("kind IN ('full', 'delta', 'partition')", name="crl_kind_known"),
        sa.CheckConstraint("(kind = 'partition') = (partition > 0)", name="crl_partition_known"),
        sa.CheckConstraint("(kind = 'delta') = (base_number IS NOT NULL)", name="crl_base_known"),
        sa.CheckConstraint("base_number < number", name="crl_newer_than_its_base"),
        sa.CheckConstraint("this_update < next_update", name="crl_updates_in_order"),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("authority_id", "number", "kind", name="crl_number_once"),
    )
    op.create_index("crls_by_scope", "crls", ["authority_id", "kind", "partition", "number"])
    newest: dict[str, list[int]] = {}
    for row in rows:
        newest.setdefault(row["authority_id"], []).append(row["number"])
    for row in rows:
        crl, name = x509.load_der_x509_crl(row["der"]), row["authority_id"]
        known = {
            "size": len(crl),
            "octets": len(row["der"]),
            "digest": digest_of(io.BytesIO(row["der"]), kinds[name]),
            "change": _reach(name, {f"{entry.serial_number:x}" for entry in crl}),
        }
        if row["number"] not in sorted(newest[name])[-_KEPT_WHOLE:]:
            known["der"] = None
        connection.execute(sa.insert(crls).values(row | known))


def _reach(authority_id: str, listed: set[str]) -> int:
    """Up to which change a CRL knows everything: that before the first that it lacks and that has not left for good."""
    rows = op.get_bind().execute(
        sa.text(
            "SELECT serial, crl_change, listed_until FROM certificates"
            " WHERE authority_id = :id AND crl_change IS NOT NULL ORDER BY crl_change"
        ),
        {"id": authority_id},
    )
    reach = 0
    for serial, change, listed_until in rows:
        if serial not in listed and listed_until is None:
            break
        reach = change
    return reach


def _change_checks() -> None:
    """As in the migration before (5b45c9cf7445): SQLite alters no CHECK, and `certificates` cannot be rebuilt while its
    foreign keys are kept, so its text is changed in place. Every row fulfils the new rules: see `_encode_entries`."""
    changes = ((_STATES, _NEW_STATES), (_ISSUED, _NEW_ISSUED), (_ENDED, _NEW_ENDED), (_LIVING, _NEW_LIVING))
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        checks = {
            "certificate_state_known": _NEW_STATES,
            "certificate_issued_or_not": _NEW_ISSUED + _REST_OF_ISSUED,
            "certificate_revoked_or_not": f"{_NEW_ENDED} OR {_NEW_LIVING}{_REST_OF_LIVING}",
        }
        for name, condition in checks.items():
            op.drop_constraint(name, "certificates", type_="check")
            op.create_check_constraint(name, "certificates", condition)
        op.create_check_constraint("certificate_held_with_its_reason", "certificates", _HELD)
        return
    find = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'certificates'"
    text = connection.exec_driver_sql(find).scalar_one()
    for was, becomes in changes:
        if text.count(was) != 1:
            raise RuntimeError("the CHECKs of the table of certificates are not those this migration knows")
        text = text.replace(was, becomes)
    first = text.index("CONSTRAINT certificate_state_known")
    held = f"CONSTRAINT certificate_held_with_its_reason CHECK ({_HELD}), "
    text = text[:first] + held + text[first:]
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = 'certificates'", (text,)
    )
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")


def _make_indexes() -> None:
    op.drop_index("certificates_one_per_case", table_name="certificates")
    for name, columns, condition, unique in (
        ("certificates_one_per_case", ["case_id"], "state IN ('reserved', 'issued', 'held')", True),
        (
            "certificates_on_crl",
            ["authority_id", "serial", "revoked_at", "listed_until", "crl_entry"],
            "crl_entry IS NOT NULL",
            False,
        ),
        ("certificates_by_change", ["authority_id", "crl_change", "revoked_at"], "crl_change IS NOT NULL", False),
        (
            "certificates_to_leave_crl",
            ["authority_id", "not_after"],
            "crl_entry IS NOT NULL AND listed_until IS NULL",
            False,
        ),
        ("certificates_leaving_crl", ["authority_id", "listed_until"], "listed_until IS NOT NULL", False),
        ("certificates_by_partition", ["authority_id", "crl_partition", "serial"], "crl_partition > 0", False),
    ):
        where = sa.text(condition)
        op.create_index(name, "certificates", columns, unique=unique, sqlite_where=where, postgresql_where=where)
