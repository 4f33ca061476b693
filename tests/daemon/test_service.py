"""`init`, `check`, `run`: setting up, looking whether all is in order, and the service itself."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from functools import partial

import pytest

from daemon import ceremony, keyring, loop
from daemon.demo import story
from daemon.demo.story import AOZORA, HANAKO
from support.centres import form
from support.command_lines import CommandLine, write_config, write_credential

NAMES = [
    "configuration",
    "data directory",
    "credential imap-password",
    "credential smtp-password",
    "credential ca-passphrase",
    "credential audit-key",
    "credential token-key",
    "credential form-code-key",
    "database",
    "certificate authority",
    "file opener",
    "mailbox",
    "intake",
    "mail server",
    "letters",
    "forms",
    "confined readers",
    "clock",
]


@pytest.fixture
def folder(stage):
    """The folder of a centre whose mailbox is on the running embedded server."""
    write_config(stage.folder, stage.server)
    return stage.folder


@pytest.fixture
def lra(stage, folder, capsys):
    return CommandLine(folder / "ogis-lra.toml", stage.clock, capsys)


def failing(answered) -> dict[str, dict]:
    return {each["check"]: each for each in answered.document if not each["in_order"]}


def test_check_finds_everything_in_order_over_a_running_server(lra):
    answered = lra("check")
    assert answered.code == 0
    lines = answered.out.splitlines()
    assert len(lines) == len(NAMES)
    assert all(line.startswith("ok ") for line in lines)
    document = lra("check", "--json").document
    assert [each["check"] for each in document] == NAMES
    assert all(each["in_order"] and each["message"] and not each["next_step"] for each in document)


def spoil_key(folder):
    path = folder / "centre" / "keys" / "issuing.key"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


BROKEN = {
    "the mailbox password is wrong": (
        lambda folder: write_credential(folder, "imap-password", "wrong"),
        {"mailbox": "refuses our login"},
    ),
    "the mail server password is wrong": (
        lambda folder: write_credential(folder, "smtp-password", "wrong"),
        {"mail server": "refuses our login"},
    ),
    "a credential is missing": (
        lambda folder: (folder / "centre" / "credentials" / "imap-password").unlink(),
        {"credential imap-password": "cannot be read", "mailbox": "cannot be read"},
    ),
    "a credential can be read by everybody": (
        lambda folder: write_credential(folder, "smtp-password", "only-for-the-demo", 0o644),
        {"credential smtp-password": "chmod 0600", "mail server": "chmod 0600"},
    ),
    "a key is not what init wrote": (
        lambda folder: write_credential(folder, "token-key", "zz"),
        {"credential token-key": "hexadecimal", "certificate authority": "hexadecimal"},
    ),
    "the passphrase is another": (
        lambda folder: write_credential(folder, "ca-passphrase", "another"),
        {"certificate authority": "does not open with this passphrase"},
    ),
    "the CA key is damaged": (spoil_key, {"certificate authority": "does not open"}),
    "the CA key is gone": (
        lambda folder: (folder / "centre" / "keys" / "issuing.key").unlink(),
        {"certificate authority": "cannot be read"},
    ),
    "the mailbox folder is not there": (
        lambda folder: edit(folder, ("[mailbox]", '[mailbox]\nfolder = "Nowhere"')),
        {"mailbox": "refuses to open"},
    ),
    "the profile is unknown": (
        lambda folder: edit(folder, ("subscriber-p256", "subscriber-p265")),
        {"certificate authority": "did you mean 'subscriber-p256'?"},
    ),
    "the profile is an authority's": (
        lambda folder: edit(folder, ("subscriber-p256", "issuing")),
        {"certificate authority": "no subscriber profile 'issuing'"},
    ),
    "mail would cross the network unprotected": (
        lambda folder: edit(folder, ('"127.0.0.1"', '"mail.lra.example"'), ('"starttls"', '"plain"')),
        {"mailbox": "loopback only"},
    ),
    "the CA file of the server is not there": (
        lambda folder: edit(folder, ('ca_file = "', 'ca_file = "/nowhere')),
        {"mailbox": "certificate cannot be verified"},
    ),
}


def edit(folder, *changes):
    """Change the first place of each text in the configuration."""
    path = folder / "ogis-lra.toml"
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, "utf-8")


@pytest.mark.parametrize("what", BROKEN)
def test_check_finds_that(lra, folder, what):
    spoil, faults = BROKEN[what]
    spoil(folder)
    answered = lra("check", "--json")
    assert answered.code == 1
    found = failing(answered)
    assert set(found) == set(faults)
    for name, sentence in faults.items():
        assert sentence in found[name]["message"]
        assert found[name]["next_step"]
        assert "wrong" not in found[name]["message"]
        assert "only-for-the-demo" not in answered.out
    people = lra("check")
    assert people.code == 1
    assert people.out.count("FAIL  ") == people.out.count("      → ") == len(faults)


def test_check_finds_that_the_servers_are_down(finished, copied, capsys):
    """Nobody listens on port 1."""
    lra = CommandLine(copied / "ogis-lra.toml", finished.clock, capsys)
    found = failing(lra("check", "--json"))
    assert set(found) == {"mailbox", "mail server"}
    for name in ("mailbox", "mail server"):
        assert "cannot be reached" in found[name]["message"]
        assert "is the server up" in found[name]["next_step"]


def test_check_finds_what_is_missing_before_init(finished, copied, capsys):
    lra = CommandLine(copied / "ogis-lra.toml", finished.clock, capsys)
    (copied / "demo.sqlite").unlink()
    found = failing(lra("check", "--json"))
    assert "there is no database" in found["database"]["message"]
    assert "ogis-lra init" in found["database"]["next_step"]
    (copied / "centre").rename(copied / "elsewhere")
    found = failing(lra("check", "--json"))
    assert "is not there" in found["data directory"]["message"]
    assert not (copied / "centre").exists(), "looking makes nothing"
    (copied / "demo.sqlite").write_bytes(b"no database at all, but long enough" * 30)
    assert "cannot be read" in failing(lra("check", "--json"))["database"]["message"]


def test_check_finds_a_clock_that_fell_back_and_a_ca_near_its_end(finished, copied, capsys):
    at = finished.clock()
    lra = CommandLine(copied / "ogis-lra.toml", lambda: at - timedelta(days=2), capsys)
    assert "the log has events of" in failing(lra("check", "--json"))["clock"]["message"]
    lra = CommandLine(copied / "ogis-lra.toml", lambda: at + timedelta(days=3000), capsys)
    assert "a rollover is needed" in failing(lra("check", "--json"))["certificate authority"]["message"]


def test_check_with_a_configuration_that_cannot_be_used_is_a_wrong_use(lra, folder):
    edit(folder, ("[run]", "[runn]"))
    answered = lra("check")
    assert answered.code == 2
    assert "unknown key 'runn'; did you mean 'run'?" in answered.err


# --- init


@pytest.fixture
def fresh(tmp_path, clock, capsys, monkeypatch):
    """A command line in an empty folder; the CA's keys are sealed cheaply."""
    monkeypatch.setattr(ceremony, "establish_authority", partial(ceremony.establish_authority, cost=15))
    return CommandLine(tmp_path / "ogis-lra.toml", clock, capsys)


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_init_makes_everything_and_a_second_init_changes_nothing(fresh, tmp_path):
    answered = fresh("init", "--json")
    assert answered.code == 0
    assert [step["made"] for step in answered.document] == [True] * 11
    before = contents(tmp_path)
    again = fresh("init")
    assert again.code == 0
    assert again.out.count("found  ") == 10  # a second ceremony leaves no record: nothing was done
    assert "made " not in again.out
    assert contents(tmp_path) == before
    assert "`ogis-lra check`" in again.out
    assert "imap-password" in again.out

    for path in (tmp_path / "data" / "credentials").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    for name in ("keys/issuing.key", "keys/root.key", "ogis-lra.sqlite"):
        assert (tmp_path / "data" / name).stat().st_mode & 0o777 == 0o600
    (tmp_path / "data" / "public" / "chain.pem").unlink()
    assert fresh("verify").code == 1
    assert "made   published certificates" in fresh("init").out
    checked = failing(fresh("check", "--json"))
    assert set(checked) >= {"credential imap-password", "mailbox"}
    assert "database" not in checked


def test_init_tells_a_newcomer_what_to_do_next(fresh, tmp_path):
    out = fresh("init").out
    assert f"write your own values into {tmp_path / 'ogis-lra.toml'}" in out
    assert "credentials/smtp-password" in out


def test_init_with_names_that_no_certificate_may_carry_makes_no_ca(fresh, tmp_path):
    write_config(tmp_path)
    edit(tmp_path, ("[ca]", f'[ca]\norganization = "{"A" * 65}"'))
    answered = fresh("init")
    assert answered.code == 2
    assert "too_long" in answered.err
    assert not (tmp_path / "centre" / "keys").exists()


def test_init_where_nobody_may_write_is_a_sentence(fresh, tmp_path):
    (tmp_path / "file").write_text("")
    fresh.config = tmp_path / "file" / "ogis-lra.toml"
    answered = fresh("init")
    assert answered.code == 2
    assert "file: File exists" in answered.err


# --- run


def test_run_once_does_one_round_of_everything_due(lra, stage):
    stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
    answered = lra("run", "--once", "--json")
    assert answered.code == 0
    assert answered.document["failed"] == []
    assert answered.document["done"]["fetch"] == answered.document["done"]["read"] == 1
    assert set(answered.document["done"]) == {name for name, _ in loop.STEPS}
    assert stage.requests(), "staff were asked"
    assert "fetch" in lra("run", "--once").out


def test_run_once_without_a_mail_server_is_a_temporary_failure(finished, copied, capsys, monkeypatch):
    original = keyring.open_centre
    monkeypatch.setattr(keyring, "open_centre", lambda *args, **more: original(*args, **more, sleep=lambda _: None))
    lra = CommandLine(copied / "ogis-lra.toml", finished.clock, capsys)
    answered = lra("run", "--once")
    assert answered.code == 75
    assert "left for the next round: fetch, file" in answered.out
    assert lra("run", "--once", "--json").document["failed"][:2] == ["fetch", "file"]


def test_the_log_of_a_round_names_nobody(lra, stage, caplog):
    caplog.set_level("DEBUG", "daemon")
    stage.send(AOZORA, "新規発行（山田花子）", "お願いします", pdf=form(stage, "new_issue_hanako"))
    lra("run", "--once")
    stage.approve(2)
    stage.server.faults.reply("RCPT", f"550 5.1.1 <{HANAKO}> unknown")
    lra("run", "--once")
    for personal in ("山田", "花子", "hanako", "YAMADA", "aozora", "あおぞら", "田中"):
        assert personal not in caplog.text


def run_until(lra, stop, monkeypatch):
    """`run` in this thread, stopped from another once it has nothing left to do; returns how long the stop took."""
    reached = threading.Event()
    original = loop._wait

    def waiting(*args, **more):
        reached.set()
        original(*args, **more)

    monkeypatch.setattr(loop, "_wait", waiting)
    told = []

    def watcher():
        reached.wait(30)
        told.append(time.monotonic())
        stop()

    thread = threading.Thread(target=watcher)
    thread.start()
    answered = lra("run")
    took = time.monotonic() - told[0]
    thread.join()
    return answered, took


# A stop may come inside `socket.create_connection`, whose socket nobody has yet who could close it; the process ends then.
INTERRUPTED_CONNECT = pytest.mark.filterwarnings(
    "ignore:.*unclosed <socket:pytest.PytestUnraisableExceptionWarning", "ignore:unclosed <socket:ResourceWarning"
)


@INTERRUPTED_CONNECT
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_stops_on_a_signal_within_two_seconds(lra, monkeypatch, number):
    before = signal.getsignal(number)
    answered, took = run_until(lra, lambda: os.kill(os.getpid(), number), monkeypatch)
    assert (answered.code, answered.out) == (0, "stopped\n")
    assert took < 2
    assert signal.getsignal(number) == before


@INTERRUPTED_CONNECT
def test_run_stops_as_quickly_while_the_mailbox_cannot_be_reached(finished, copied, capsys, monkeypatch):
    original = keyring.open_centre
    monkeypatch.setattr(keyring, "open_centre", lambda *args, **more: original(*args, **more, sleep=lambda _: None))
    lra = CommandLine(copied / "ogis-lra.toml", finished.clock, capsys)
    answered, took = run_until(lra, lambda: os.kill(os.getpid(), signal.SIGTERM), monkeypatch)
    assert answered.code == 0
    assert took < 2


def test_the_service_as_a_process_answers_mail_and_stops_on_sigterm(stage, folder):
    """As systemd runs it: `python -P -m daemon run`."""
    arrived = threading.Event()
    stage.server.on_delivery(lambda delivery: arrived.set() if delivery.recipient == AOZORA else None)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "daemon", "run", "--config", folder / "ogis-lra.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        stage.send(AOZORA, "ご質問", "申請書はどこにありますか。")
        assert arrived.wait(60)
        before = time.monotonic()
        process.terminate()
        out, err = process.communicate(timeout=30)
        took = time.monotonic() - before
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert took < 2
    assert out == b"stopped\n"
    assert b"aozora" not in err


def test_the_demo_without_the_mail_server_package_says_what_to_install(lra, monkeypatch):
    monkeypatch.setitem(sys.modules, "daemon.demo.story", None)
    monkeypatch.delattr("daemon.demo.story", raising=False)
    answered = lra("demo")
    assert answered.code == 2
    assert "install ogis-lra[demo]" in answered.err


def test_the_demo_in_json_is_silent_until_its_document(lra, monkeypatch, tmp_path):
    def play(folder, *, say):
        say("not for stdout")
        return story.Told(3, ("a surprise",))

    monkeypatch.setattr(story, "play", play)
    answered = lra("demo", "--dir", str(tmp_path / "d"), "--json")
    assert answered.code == 1
    assert answered.document == {"dir": str(tmp_path / "d"), "mails": 3, "surprises": ["a surprise"]}
    answered = lra("demo", "--dir", str(tmp_path / "d"))
    assert (answered.code, answered.out) == (1, "not for stdout\n")
