"""The one place that opens a transaction.

Trusts: SQLite's WAL with synchronous=FULL (a commit that returned survives a power cut).
Promises: everything done with one `transaction()` is committed together or not at all; writers queue up
(BEGIN IMMEDIATE), so what was read inside still holds when it is written.
Weak: SQLite has one writer at a time; PostgreSQL comes with stage 7.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Executable, create_engine, event, insert, select, update
from sqlalchemy.engine import RowMapping, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from ca.tables import renew_guards

from . import schema

READS_ONLY = "reads_only"


class StoreError(Exception):
    """The database is not in a state to work with; the sentence says what to do."""


class Conflict(StoreError):
    """A row was not as it had been read; nothing was changed."""


class Store:
    """The database of one centre."""

    def __init__(self, url: str) -> None:
        """Raises StoreError for a URL that names no database this program can open."""
        self.engine = _engine(url)
        database = self.engine.url.database
        on_disk = self.engine.dialect.name == "sqlite" and database not in (None, "", ":memory:")
        self._file = Path(str(database)) if on_disk else None

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction to read in: it waits for no writer, makes none wait, and sees everything that was committed
        before its first look. Nothing that is written in it is ever committed."""
        with self.engine.connect().execution_options(**{READS_ONLY: True}) as connection:
            yield connection

    def migrate(self) -> None:
        """Make the database where there is none, and bring its schema to this version.

        Raises StoreError when it is newer than the program.
        """
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # SQLite would make it readable to every user of the machine; its -wal and -shm take over this mode.
            self._file.touch(mode=0o600)
        self._refuse_newer()
        before = self._revision()
        with self.engine.begin() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if before != self._head():
                renew_guards(connection)

    def check(self) -> None:
        """Raise StoreError unless the schema is exactly this program's. Makes nothing, not even an empty file."""
        if self._file is not None and not self._file.exists():
            raise StoreError(f"there is no database at {self._file}; `ogis-lra init` makes it")
        self._refuse_newer()
        if self._revision() != self._head():
            raise StoreError("the database schema is older than this program; run `ogis-lra init` to bring it up")

    def _head(self) -> str | None:
        return ScriptDirectory.from_config(alembic_config()).get_current_head()

    def _revision(self) -> str | None:
        with self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def _refuse_newer(self) -> None:
        revision = self._revision()
        known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
        if revision is not None and revision not in known:
            raise StoreError(f"the database schema {revision} is newer than this program; install the newer program")


def alembic_config() -> Config:
    """Where the migrations are."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("daemon").joinpath("migrations")))
    # Without it Alembic warns about a separator it does not need here.
    config.set_main_option("path_separator", "os")
    return config


def _engine(url: str) -> Engine:
    try:
        engine = create_engine(make_url(url))
    except (ArgumentError, ModuleNotFoundError) as error:
        # The URL itself may hold a password: it is not repeated.
        raise StoreError("database_url names no database this program can open; leave it empty for SQLite") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # pysqlite would otherwise open transactions by itself, and later than we think (SQLAlchemy, "pysqlite" dialect).
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=10000",
        # A deleted secret is overwritten inside the file; its key is destroyed besides (daemon.vault).
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    reads = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def one(tx: Connection, statement: Executable) -> RowMapping | None:
    """The only row of a query, or None; more than one raises."""
    return tx.execute(statement).mappings().one_or_none()


def every(tx: Connection, statement: Executable) -> Sequence[RowMapping]:
    """All rows of a query."""
    return tx.execute(statement).mappings().all()


def added(tx: Connection, table: Any, **values: Any) -> int:  # noqa: ANN401 - a column takes what its type takes
    """Insert one row and return its integer primary key."""
    key = tx.execute(insert(table).values(**values)).inserted_primary_key
    if key is None:
        raise StoreError(f"{table.name}: the database named no primary key")
    return int(key[0])


def changed(tx: Connection, statement: Any) -> None:  # noqa: ANN401 - Update and Delete share no useful base
    """Carry out an UPDATE that must touch exactly one row. Raises Conflict."""
    count = tx.execute(statement).rowcount
    if count != 1:
        raise Conflict(f"{statement.table.name}: expected to change one row, changed {count}")


def next_number(tx: Connection, name: str) -> int:
    """The next value of a counter, from 1 on, without gaps as long as its transactions commit."""
    row = one(tx, select(schema.counters.c.value).where(schema.counters.c.name == name))
    if row is None:
        tx.execute(insert(schema.counters).values(name=name, value=1))
        return 1
    value = int(row["value"]) + 1
    changed(tx, update(schema.counters).where(schema.counters.c.name == name).values(value=value))
    return value
