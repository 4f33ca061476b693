"""The ground of the failure tests: a centre where Yamada Hanako holds a certificate, and may apply for a reissue."""

from datetime import timedelta

import pytest
from daemon.demo.server import MailServer
from daemon.demo.stage import AUTHSERV_ID, Clock
from daemon.demo.story import AOZORA, HANAKO
from support.centres import START, Centres, form
from support.stops import Life, end_of, faults_of


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


def _begin(registered, folder, server, clock):
    clock.move(START + timedelta(days=1))
    registered.open(folder, server, clock, companies=False).centre.close()
    return Life(registered, folder, server, clock)


@pytest.fixture
def life(registered, tmp_path, server, clock):
    """A life that is about to begin, the day after."""
    living = _begin(registered, tmp_path / "centre", server, clock)
    yield living
    living.close()


@pytest.fixture(scope="session")
def undisturbed(registered, tmp_path_factory):
    """The end of a life that nothing interrupted."""
    clock = Clock(START)
    with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as server:
        living = _begin(registered, tmp_path_factory.mktemp("undisturbed") / "centre", server, clock)
        living.live()
        assert not faults_of(living)
        living.close()
        return end_of(living)
