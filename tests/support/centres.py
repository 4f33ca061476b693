"""A whole centre for a test: the embedded mail server, a clock to move, and a CA that was made once per session.

`Centres` copies one template (keys, credentials, migrated database) into the test's folder, so that a test pays for no
RSA key and no scrypt; subscribers get P-256 keys for the same reason. Everything else is the real thing.
"""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

from daemon import ceremony, importing
from daemon.demo import paper
from daemon.demo import stage as demo_stage
from daemon.demo.server import MailServer
from daemon.demo.stage import APPROVERS, AUTHSERV_ID, CENTRE, PASSWORD, Clock, Stage, open_stage, settings_for
from daemon.demo.story import AOZORA, COMPANIES, HANAKO, ICHIRO, MINATO, STRANGER, TAKERU
from daemon.keyring import open_keys
from daemon.planning import JST
from daemon.reader import Reader

START = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)  # 10:00 in Japan, a Wednesday
PEOPLE = (AOZORA, MINATO, HANAKO, ICHIRO, TAKERU, STRANGER)


class SharedReader(Reader):
    """One reader for all centres of a session: its children start once. A centre that closes leaves it open."""

    def close(self) -> None:
        pass

    def end(self) -> None:
        super().close()


class Centres:
    """Makes centres for tests from one template folder."""

    def __init__(self, template: Path, reader: SharedReader | None = None) -> None:
        self.template = template
        self.reader = reader or SharedReader()
        self._keys = []

    @classmethod
    def make(cls, template: Path) -> "Centres":
        """Establish the template once."""
        with MailServer(authserv_id=AUTHSERV_ID) as server:
            settings = settings_for(template, server)
            ceremony.make_secrets(settings)
            ceremony.establish_authority(settings, now=START, cost=15)
        return cls(template)

    def open(self, folder: Path, server: MailServer, clock: Clock, *, companies: bool = True) -> Stage:
        """A fresh centre in `folder`, its mailboxes on `server`."""
        shutil.copytree(self.template, folder, dirs_exist_ok=True)
        for address in (CENTRE, *APPROVERS, *PEOPLE):
            server.add_mailbox(address, PASSWORD)
        stage = self.reopen(folder, server, clock)
        if companies:
            with stage.centre.store.transaction() as tx:
                importing.companies(tx, COMPANIES.encode(), now=clock())
        return stage

    def reopen(self, folder: Path, server: MailServer, clock: Clock) -> Stage:
        """The same centre again, as after a stop: nothing is carried over but what is on disk and on the server."""
        settings = settings_for(folder, server, profile="subscriber-p256")
        with mock.patch.object(demo_stage, "open_keys", self._open_keys):
            stage = open_stage(folder, server, clock, lambda _: None, settings)
        stage.centre = replace(stage.centre, sleep=lambda _: None, reader=self.reader)
        return stage

    def _open_keys(self, settings):
        """The keys are the same files in every centre; opening them is slow on purpose (scrypt), so it is done once."""
        if not self._keys:
            self._keys.append(open_keys(settings))
        return self._keys[0]


def today(stage: Stage):
    """The day of the story, in Japan."""
    return stage.clock().astimezone(JST).date()


def form(stage: Stage, name: str, **dates) -> bytes:
    """One of the demo's forms, dated today."""
    return paper.form(name, applied=dates.pop("applied", today(stage)), **dates)
