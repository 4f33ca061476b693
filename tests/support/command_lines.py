"""The command line in a test: a configuration over a centre of the test's own, and what a command answered.

`Finished` is a centre with some weeks of life behind it, played once per session and copied for each test, so that a
test may spoil its copy.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon import cli, reading_console
from daemon.demo.server import MailServer
from daemon.demo.stage import APPROVERS, AUTHSERV_ID, CENTRE, PASSWORD, Clock
from daemon.demo.story import AOZORA, HANAKO, MINATO
from daemon.reader import Reader
from parsers.equipment import Equipment
from support.centres import START, Centres, form


@dataclass(frozen=True)
class Answered:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; fails when there is anything else."""
        return json.loads(self.out)


class CommandLine:
    """`lra("show", number)` as a person types it, with this configuration and this clock."""

    def __init__(
        self,
        config: Path,
        clock: Callable[[], datetime],
        capsys: Any,
        open_reader: Callable[[Equipment], Reader] = reading_console.open_reader,
    ) -> None:
        self.config = config
        self.clock = clock
        self._capsys = capsys
        self._open_reader = open_reader

    def __call__(self, *words: str) -> Answered:
        self._capsys.readouterr()
        verb, *rest = words
        try:
            code = cli.main(
                [verb, "--config", str(self.config), *rest], clock=self.clock, open_reader=self._open_reader
            )
        except SystemExit as exit_:  # argparse leaves this way
            code = exit_.code
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        return Answered(code, captured.out, captured.err)


def write_config(folder: Path, server: Any = None, **changes: str) -> Path:
    """A configuration over the centre in `folder`; `changes` replaces whole lines by their key, as in port="1"."""
    lines = {
        "data_dir": '"centre"',
        "database_url": f'"sqlite:///{folder / "demo.sqlite"}"',
        "[centre]": "",
        "address": f'"{CENTRE}"',
        "[authentication]": "",
        "authserv_id": f'"{AUTHSERV_ID}"',
        "[run]": "",
        "poll_seconds": "60",
        "[mailbox]": "",
        "host": '"127.0.0.1"',
        "username": f'"{CENTRE}"',
        "port": str(server.imap_port if server else 1),
        "security": '"starttls"',
        "ca_file": f'"{server.ca_file if server else ""}"',
    }
    lines |= changes
    text = "\n".join(key if key.startswith("[") else f"{key} = {value}" for key, value in lines.items())
    text += f"""
[smtp]
host = "127.0.0.1"
port = {server.submission_port if server else 1}
username = "{CENTRE}"
ca_file = "{server.ca_file if server else ""}"

[ca]
profile = "subscriber-p256"
"""
    for address, name in APPROVERS.items():
        text += f'\n[[approvers]]\naddress = "{address}"\nname = "{name}"\n'
    path = folder / "ogis-lra.toml"
    path.write_text(text, "utf-8")
    for name in ("imap-password", "smtp-password"):
        write_credential(folder, name, PASSWORD)
    return path


def write_credential(folder: Path, name: str, value: str, mode: int = 0o600) -> Path:
    path = folder / "centre" / "credentials" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(value + "\n", "utf-8")
    path.chmod(mode)
    return path


@dataclass(frozen=True)
class Finished:
    """A centre whose life was played, and the moment at which it ended. Numbers of its cases by what became of them."""

    folder: Path
    clock: Clock
    issued: str
    reissued: str
    returned: str
    waiting: str

    @classmethod
    def play(cls, centres: Centres, folder: Path) -> "Finished":
        """A new issue, its reissue (the first certificate revoked), a form sent back, one that waits for approval."""
        clock = Clock(START)
        with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as server:
            stage = centres.open(folder, server, clock)
            stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
            stage.work()
            stage.approve(2)
            issued = stage.fetch_certificate(HANAKO)
            stage.pass_time(days=1)
            stage.send(AOZORA, "再発行", "紛失しました", pdf=form(stage, "reissue_hanako"))
            stage.work()
            stage.approve(1)
            reissued = stage.fetch_certificate(HANAKO)
            stage.pass_time(days=1)
            stage.send(MINATO, "新規発行", "お願いします", pdf=form(stage, "new_issue_takeru_no_seal"))
            stage.work()
            stage.send(AOZORA, "登録変更", "改姓しました", pdf=form(stage, "registration_change_hanako"))
            stage.work()
            assert not stage.surprises
            stage.centre.close()
        day = f"{clock():%Y%m%d}"
        return cls(folder, clock, issued, reissued, f"WEBEC-{day}-0001", f"WEBEC-{day}-0002")

    def copy(self, to: Path) -> Path:
        """A copy to read or to spoil; returns its configuration."""
        shutil.copytree(self.folder, to)
        return write_config(to)
