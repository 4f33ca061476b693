"""The ground of the failure tests: a centre where Yamada Hanako holds a certificate, and may apply for a reissue."""

from datetime import timedelta

import pytest
from daemon.demo.server import MailServer
from daemon.demo.stage import AUTHSERV_ID, CENTRE, PASSWORD, Clock
from daemon.demo.story import AOZORA, HANAKO
from support.centres import PEOPLE, START, Centres, form
from support.stops import APPROVERS, Life


@pytest.fixture(scope="session")
def registered(centres, tmp_path_factory):
    """Where such centres come from: the first certificate was issued once, for all tests."""
    folder = tmp_path_factory.mktemp("registered")
    clock = Clock(START)
    with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as server:
        stage = centres.open(folder, server, clock)
        stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
        stage.work()
        stage.approve(2)
        stage.pass_time(minutes=11)
        assert stage.letters(HANAKO)
        stage.centre.close()
    return Centres(folder)


@pytest.fixture
def life(registered, tmp_path, server, clock):
    """A life that is about to begin, the day after."""
    clock.move(START + timedelta(days=1))
    for address in (CENTRE, *APPROVERS, *PEOPLE):
        server.add_mailbox(address, PASSWORD)
    opened = registered.open(tmp_path / "centre", server, clock, companies=False)
    opened.centre.close()
    living = Life(registered, tmp_path / "centre", server, clock)
    yield living
    living.close()
