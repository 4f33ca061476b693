"""The command line of SPEC 5, a contract that scripts rely on: exit codes, what stands on stdout, no tracebacks."""

import json
import logging
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from ca.errors import CaError, CaErrorKind
from config.credentials import CredentialError
from config.settings import SettingsError
from daemon import cli, store
from daemon.console import Answer, UsageError
from daemon.failures import Kind, MailboxRefused, MailboxUnavailable
from daemon.store import StoreError
from support.command_lines import CommandLine, write_config

SAMPLES = Path(__file__).parent.parent / "data" / "samples"


@pytest.fixture
def nowhere(tmp_path, clock, capsys):
    """A command line without any configuration."""
    return CommandLine(tmp_path / "ogis-lra.toml", clock, capsys)


@pytest.fixture
def told(monkeypatch, nowhere):
    """What the command line makes of an answer, or an error, of a command."""

    def run(outcome, *words):
        def command(_):
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(cli.case_console, "queue", command)
        return nowhere("queue", *words)

    return run


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer("fine"), 0),
        (Answer("not fine", in_order=False), 1),
        (Answer("not yet", in_order=False, temporary=True), 75),
        (Answer("fine", temporary=True), 0),
    ],
)
def test_the_exit_code_says_what_the_answer_says(told, answer, code):
    answered = told(answer)
    assert (answered.code, answered.out, answered.err) == (code, answer.text + "\n", "")


def database_error(kind, code):
    original = sqlite3.OperationalError("no such table: 山田")
    original.sqlite_errorcode, original.sqlite_errorname = code, "SQLITE_X"
    return kind("SELECT 山田", {"name": "山田"}, original)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (UsageError("write it so"), 2, "write it so"),
        (SettingsError("mailbox.port: no"), 2, "mailbox.port: no"),
        (CredentialError("credential x: no"), 2, "credential x: no"),
        (StoreError("run init"), 2, "run init"),
        (CaError(CaErrorKind.NOT_FOUND, "no such authority"), 2, "no such authority"),
        (MailboxUnavailable("connect: timeout"), 75, "cannot be reached"),
        (MailboxRefused(Kind.MAILBOX_LOGIN, "NO"), 2, "refuses our login"),
        (database_error(OperationalError, sqlite3.SQLITE_BUSY), 75, "busy"),
        (database_error(OperationalError, sqlite3.SQLITE_BUSY_SNAPSHOT), 75, "busy"),
        (database_error(OperationalError, sqlite3.SQLITE_FULL), 75, "its disk is full"),
        (database_error(OperationalError, sqlite3.SQLITE_CANTOPEN), 2, "cannot be used (SQLITE_X)"),
        (database_error(DatabaseError, sqlite3.SQLITE_NOTADB), 2, "cannot be used (SQLITE_X)"),
        (PermissionError(13, "Permission denied", "/srv/x"), 2, "/srv/x: Permission denied"),
        (OSError(28, "No space left on device", "/srv/x"), 75, "No space left"),
        (RuntimeError("山田 花子"), 1, "an error of the program itself"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_every_error_is_a_sentence_and_an_exit_code(told, error, code, sentence):
    answered = told(error)
    assert answered.code == code
    assert answered.out == ""
    assert sentence in answered.err
    assert "山田" not in answered.err, "a foreign error may quote a name"


def test_json_is_one_document_on_stdout_also_for_an_error(told):
    assert told(Answer("words", {"a": "あ"}), "--json").out == '{\n  "a": "あ"\n}\n'
    answered = told(UsageError("write it so"), "--json")
    assert answered.document == {"error": "write it so"}
    assert answered.err == "ogis-lra: write it so\n"


def test_an_error_of_the_program_leaves_kind_and_place_in_the_log(told, caplog):
    told(RuntimeError("山田 花子"))
    assert re.search(r"queue: unexpected RuntimeError at test_cli.py:\d+", caplog.text)
    assert "山田" not in caplog.text


@pytest.mark.parametrize(
    "words",
    [
        ("bogus",),
        ("queue", "surplus"),
        ("queue", "--bogus"),
        ("show",),
        ("show", "a", "b"),
        ("read",),
        ("certs", "--expiring"),
        ("certs", "--exp", "3"),  # no abbreviations: a later option must not change what a script means
        ("cert",),
        ("crl", "publish"),
        ("companies", "bogus"),
    ],
)
def test_wrong_usage_exits_2_and_says_the_usage(nowhere, words):
    answered = nowhere(*words)
    assert answered.code == 2
    assert answered.out == ""
    assert "usage: ogis-lra" in answered.err


def test_without_a_command_the_usage_is_shown(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == 2
    assert "required: COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("rest", [(), ("x",), ("--break-glass", "x", "--reason", "y"), ("show", "--json")])
@pytest.mark.parametrize(("verb", "stage"), cli.LATER.items())
def test_a_command_of_a_later_stage_says_so_and_exits_2(nowhere, verb, stage, rest):
    answered = nowhere(verb, *rest)
    assert answered.code == 2
    assert f"`{verb}` comes with stage {stage}" in answered.err


@pytest.mark.parametrize("words", [("run", "--role", "intake"), ("run", "--shadow")])
def test_an_option_of_a_later_stage_says_so_and_exits_2(nowhere, words):
    answered = nowhere(*words)
    assert answered.code == 2
    assert "stage" in answered.err


def test_every_command_of_the_specification_is_there(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    out = capsys.readouterr().out
    verbs = "demo init check run form read queue show log held release export import certs cert crl companies registrations verify"
    for verb in [*verbs.split(), *cli.LATER]:
        assert re.search(rf"^ +{verb}\b", out, re.MULTILINE), verb


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("run",),
        ("run", "--once"),
        ("queue",),
        ("show", "x"),
        ("log", "x"),
        ("certs",),
        ("cert", "1"),
        ("crl",),
        ("crl", "--publish"),
        ("verify",),
        ("companies", "list"),
        ("registrations", "import", __file__),
    ],
)
def test_a_missing_configuration_or_database_is_named_with_the_next_step(nowhere, tmp_path, words):
    answered = nowhere(*words)
    assert answered.code == 2
    assert "write one with `ogis-lra init`" in answered.err
    write_config(tmp_path)
    answered = nowhere(*words)
    if words == ("check",):
        assert answered.code == 1
    else:
        assert answered.code == 2
        assert "there is no database at" in answered.err
        assert "`ogis-lra init`" in answered.err
    assert not (tmp_path / "demo.sqlite").exists(), "looking makes nothing"


def test_a_database_that_is_none_is_named(nowhere, tmp_path):
    write_config(tmp_path)
    (tmp_path / "demo.sqlite").write_text("not a database, but long enough to be read as one" * 30)
    answered = nowhere("queue")
    assert answered.code == 2
    assert "SQLITE_NOTADB" in answered.err


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x", "oracle://localhost/x"])
def test_a_database_url_that_cannot_be_used_is_named(nowhere, tmp_path, url):
    write_config(tmp_path, database_url=f'"{url}"')
    answered = nowhere("queue")
    assert answered.code == 2
    assert "database_url" in answered.err


def test_a_busy_database_is_a_temporary_failure(lra, copied, monkeypatch):
    prepare = store._prepare_sqlite

    def impatient(connection, entry):
        prepare(connection, entry)
        connection.execute("PRAGMA busy_timeout=1")

    monkeypatch.setattr(store, "_prepare_sqlite", impatient)
    holder = sqlite3.connect(copied / "demo.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        answered = lra("queue")
    finally:
        holder.close()
    assert answered.code == 75
    assert "busy" in answered.err


def python(*words, **options):
    return subprocess.run(
        [sys.executable, "-P", "-m", "daemon", *words], capture_output=True, check=False, timeout=60, **options
    )


def test_the_module_is_the_command():
    done = python("read", str(SAMPLES / "new_issue.pdf"), "--received", "2024-07-03", "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["applications"]) == 1
    assert done.stderr == b""


def test_a_reader_that_has_seen_enough_is_no_error():
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "daemon", "read", str(SAMPLES / "new_issue.pdf"), "--received", "2024-07-03"],
            stdout=write_end,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_knows_no_japanese_gets_escapes_instead_of_an_error():
    done = python("read", str(SAMPLES / "empty.pdf"), env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert done.stdout.startswith(b"[empty] \\u30d5")


@pytest.mark.parametrize("name", ["imapclient.imaplib", "pdfminer.psparser", "mailparser", "root"])
def test_a_message_of_a_library_is_left_out_of_the_log(name):
    record = logging.LogRecord(name, logging.ERROR, "x.py", 7, "山田 %s", ("花子",), None)
    line = cli._Discreet("%(levelname)s %(message)s").format(record)
    assert "山田" not in line
    assert name in line


def test_a_message_of_ours_is_in_the_log():
    record = logging.LogRecord("daemon.intake", logging.INFO, "x.py", 7, "mail %d is held", (3,), None)
    assert cli._Discreet("%(levelname)s %(message)s").format(record) == "INFO mail 3 is held"
