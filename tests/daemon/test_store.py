"""The store: one place that opens transactions, durable, one writer at a time, never a schema it does not know."""

import sqlite3
import threading

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from ca.register import guards
from ca.tables import claim_guards
from daemon import schema
from daemon.store import Conflict, Store, StoreError, added, alembic_config, changed, every, next_number, one
from support.centres import START

COUNTERS = schema.counters


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('migrated') / 'deep' / 'centre.sqlite'}")
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def store(tmp_path):
    opened = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    schema.metadata.create_all(opened.engine)
    yield opened
    opened.close()


def pragma(store, name):
    with store.engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_a_commit_that_returned_survives_a_power_cut(store):
    # https://sqlite.org/pragma.html: in WAL mode only FULL (2) syncs the log at every commit.
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == 2


def test_foreign_keys_are_kept_and_deleted_content_is_overwritten(store):
    assert pragma(store, "foreign_keys") == 1
    assert pragma(store, "secure_delete") == 1
    with pytest.raises(IntegrityError), store.transaction() as tx:
        tx.execute(sa.insert(schema.company_domains).values(company_id=99, domain="aozora-denki.example"))


def test_a_block_that_raises_leaves_nothing_behind(store):
    class Fall(BaseException):
        pass

    def fall(error):
        with store.transaction() as tx:
            next_number(tx, "case")
            raise error

    for error in (ValueError, Fall):
        with pytest.raises(error):
            fall(error)
    with store.transaction() as tx:
        assert every(tx, sa.select(COUNTERS)) == []


def test_a_transaction_that_only_reads_keeps_other_writers_out(store, tmp_path):
    with store.transaction() as tx:
        every(tx, sa.select(COUNTERS))
        other = sqlite3.connect(tmp_path / "store.sqlite", timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_two_writers_count_without_gap_and_without_double(store):
    second = Store(str(store.engine.url))
    taken = []

    def count(mine):
        for _ in range(20):
            with mine.transaction() as tx:
                taken.append(next_number(tx, "case"))

    threads = [threading.Thread(target=count, args=(each,)) for each in (store, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    second.close()
    assert sorted(taken) == list(range(1, 41))


def test_an_update_that_finds_another_row_than_was_read_changes_nothing(store):
    with store.transaction() as tx:
        next_number(tx, "case")

    def change():
        with store.transaction() as tx:
            next_number(tx, "case")
            changed(tx, sa.update(COUNTERS).where(COUNTERS.c.name == "case", COUNTERS.c.value == 7).values(value=8))

    with pytest.raises(Conflict, match="counters"):
        change()
    with store.transaction() as tx:
        assert one(tx, sa.select(COUNTERS.c.value)) == {"value": 1}


def test_the_only_row_is_one_row_or_an_error(store):
    with store.transaction() as tx:
        assert one(tx, sa.select(COUNTERS)) is None
        next_number(tx, "a")
        next_number(tx, "b")
        with pytest.raises(sa.exc.MultipleResultsFound):
            one(tx, sa.select(COUNTERS))
        assert added(tx, schema.companies, name_ja="青空", key="青空", created_at=START) == 1


def test_migrating_makes_folder_and_database_for_this_user_alone_and_may_be_repeated(migrated):
    file = migrated._file
    assert file.stat().st_mode & 0o777 == 0o600
    migrated.migrate()
    migrated.check()


def test_the_migrations_lead_to_the_tables_of_the_program(migrated):
    with migrated.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_the_migrated_database_keeps_every_promise_of_the_schema(migrated, store):
    def promises(of):
        inspector = sa.inspect(of.engine)
        tables = set(inspector.get_table_names()) - {"alembic_version"}
        found = {
            ("check", name, check["sqltext"]) for name in tables for check in inspector.get_check_constraints(name)
        }
        found |= {
            ("column", name, column["name"], str(column["type"]), column["nullable"], column["default"])
            for name in tables
            for column in inspector.get_columns(name)
        }
        found |= {
            ("unique", name, tuple(unique["column_names"]))
            for name in tables
            for unique in inspector.get_unique_constraints(name)
        }
        with of.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
        return found | {("trigger", *row) for row in rows}

    assert promises(migrated) == promises(store)
    assert len([each for each in promises(migrated) if each[0] == "trigger"]) == len(guards("sqlite")) + len(
        claim_guards("sqlite")
    )


def test_a_newer_schema_is_refused_and_left_alone(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'newer.sqlite'}")
    store.migrate()
    with store.transaction() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    for work in (store.check, store.migrate):
        with pytest.raises(StoreError, match="newer than this program"):
            work()
    store.close()


def test_an_older_schema_says_what_to_do(store):
    with pytest.raises(StoreError, match="ogis-lra init"):
        store.check()


def test_looking_for_a_database_makes_none(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'nowhere' / 'centre.sqlite'}")
    with pytest.raises(StoreError, match="there is no database"):
        store.check()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["not a url", "nosuchdb://user:hunter2@host/x"])
def test_a_url_that_cannot_be_used_is_refused_without_being_repeated(url):
    with pytest.raises(StoreError) as refused:
        Store(url)
    assert "hunter2" not in str(refused.value)


def test_letters_of_an_earlier_version_come_through_the_migration_with_what_follows_them(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'older.sqlite'}")
    config = alembic_config()

    def upgrade(to):
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)

    upgrade("5c30e60db610")
    columns = "id, key, kind, recipient, message_id, raw, state, not_before, after_id, created_at"
    with store.engine.begin() as connection:
        for values in (
            "1, 'notice', 'issue_notice', 'a@b.example', '<1@x>', x'00ff', 'sent', '2026', NULL, '2026'",
            "2, 'password', 'password', 'a@b.example', '<2@x>', NULL, 'queued', '2026', 1, '2026'",
        ):
            connection.exec_driver_sql(f"INSERT INTO letters ({columns}) VALUES ({values})")
    upgrade("head")
    store.check()
    with store.engine.begin() as connection:
        rows = connection.exec_driver_sql(f"SELECT {columns}, trace, lost, answer FROM letters ORDER BY id").all()
        assert [row[:2] for row in rows] == [(1, "notice"), (2, "password")]
        assert (rows[0][5], rows[1][8]) == (b"\x00\xff", 1)
        assert rows[0][10:] == (None, 0, 0)
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        connection.exec_driver_sql("UPDATE letters SET state = 'unknown' WHERE id = 2")
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql("UPDATE letters SET after_id = 9 WHERE id = 2")
        with pytest.raises(IntegrityError):
            connection.exec_driver_sql("UPDATE letters SET state = 'lost' WHERE id = 2")
        # Numbers go on: AUTOINCREMENT never gives one twice.
        connection.exec_driver_sql(
            "INSERT INTO letters (key, kind, recipient, message_id, state, not_before, created_at) "
            "VALUES ('c', 'receipt', 'a@b.example', '<3@x>', 'queued', '2026', '2026')"
        )
        assert connection.exec_driver_sql("SELECT max(id) FROM letters").scalar_one() == 3
    store.close()
