"""What must hold in every failure: nothing without its audit line, and no password after its mail was accepted."""

import shutil

import pytest
from sqlalchemy import select, text

from ca import register
from ca.bundle import open_again
from daemon import schema
from daemon.demo.stage import _bundle, _password
from daemon.demo.story import HANAKO
from daemon.store import every, one
from daemon.vault import VaultError
from parsers.mail import open_mail
from support.stops import end_of, faults_of


@pytest.mark.parametrize(
    "kind", ["serial_reserved", "signature_claimed", "certificate_issued", "certificate_revoked", "case_done"]
)
def test_what_cannot_be_written_into_the_audit_log_does_not_happen(life, undisturbed, kind):
    life._application()
    with life.stage.centre.store.transaction() as tx:
        tx.execute(
            text(
                f"CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.kind = '{kind}'"
                " BEGIN SELECT RAISE(ABORT, 'the audit log is full'); END"
            )
        )
    life._approval()
    life.pass_time(minutes=16)
    with life.stage.centre.store.transaction() as tx:
        rows = [row.state.value for row in register.every(tx)]
        letters = every(tx, select(schema.letters).where(schema.letters.c.case_id == 2))
        assert list(life.stage.centre.audit.faults(tx)) == []
    assert rows.count("issued") == 1
    assert "revoked" not in rows
    assert HANAKO not in {row["recipient"] for row in letters}
    with life.stage.centre.store.transaction() as tx:
        tx.execute(text("DROP TRIGGER full"))
    life.pass_time(minutes=16)
    life.pass_time(minutes=11)
    assert end_of(life) == undisturbed
    assert faults_of(life, abandoned=rows.count("abandoned") + rows.count("reserved")) == []


def test_afterwards_nobody_can_open_the_file_not_even_with_a_backup_of_the_day_before(life, tmp_path):
    life._application()
    life._approval()
    centre = life.stage.centre
    with centre.store.transaction() as tx:
        letter = one(
            tx, select(schema.letters).where(schema.letters.c.case_id == 2, schema.letters.c.kind == "password")
        )
    shutil.copytree(life.folder, tmp_path / "backup", ignore=shutil.ignore_patterns("vault"))
    waiting = open_mail(centre.vault.open(letter["seal_key"], letter["sealed"]))
    life._password()
    own = [open_mail(each.content) for each in life.delivered if each.recipient == HANAKO]
    notice, secret = next(mail for mail in own if _bundle(mail)), own[-1]
    password = _password(secret)
    assert password == _password(waiting)
    _, bundle = _bundle(notice)
    assert open_again(bundle, password).serial_number
    for folder in (life.folder, tmp_path / "backup"):
        for path in [each for each in folder.rglob("*") if each.is_file()]:
            data = path.read_bytes()
            assert password.encode() not in data, path.name
            assert password.replace("-", "").encode() not in data, path.name
    assert centre.vault.names() == frozenset()
    with pytest.raises(VaultError):
        centre.vault.open(letter["seal_key"], letter["sealed"])
    with centre.store.transaction() as tx:
        kept = every(tx, select(schema.letters).where(schema.letters.c.kind.in_(("password", "issue_notice"))))
    assert all(row["raw"] is None and row["sealed"] is None for row in kept)


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("kind", ["first letter", "password"])
def test_a_reply_lost_after_the_data_costs_a_repetition_and_never_a_letter(life, undisturbed, kind, delivered):
    """The server drops the connection after the whole mail: nobody can know whether it was taken (RFC 5321 4.2.5)."""
    life._application()
    life._approval(before_work=lambda: _drop(life, delivered) if kind == "first letter" else None)
    if kind == "password":
        _drop(life, delivered)
    life._password()
    life.pass_time(minutes=30)
    life.pass_time(minutes=30)
    assert end_of(life) == undisturbed
    assert faults_of(life, twice=int(delivered)) == []


def _drop(life, delivered):
    life.server.faults.drop_after_data(delivered=delivered)
