"""a certificate of the authority itself has neither registration nor case."""

from alembic import op

revision = "7d1e0c52b6a9"
down_revision = "0b7766f94f53"
branch_labels = None
depends_on = None

_COLUMNS = ("registration_id", "case_id")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        for column in _COLUMNS:
            op.alter_column("certificates", column, nullable=True)
        return
    # Rebuilding the table would lose its guards (`ca.tables`); SQLite's manual allows to take a NOT NULL away in the
    # text of the schema ("ALTER TABLE", section 7): every row that fulfilled it fulfils its absence.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    for column in _COLUMNS:
        connection.exec_driver_sql(
            "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'certificates'",
            (f"{column} INTEGER NOT NULL", f"{column} INTEGER"),
        )
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")
    columns = connection.exec_driver_sql("PRAGMA table_info(certificates)").mappings()
    if any(row["notnull"] for row in columns if row["name"] in _COLUMNS):
        raise RuntimeError("the table of certificates is not the one this migration knows")
