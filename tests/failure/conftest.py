"""The ground of the failure tests: a centre where Yamada Hanako holds a certificate, and may apply for a reissue."""

import pytest

from daemon import keyring, unpacking
from daemon.demo import stage
from daemon.demo.server import MailServer
from daemon.demo.stage import AUTHSERV_ID, Clock
from support.centres import START
from support.kills import Zygote
from support.stops import begin, end_of, faults_of, register_hanako


@pytest.fixture(scope="session")
def registered(centres, tmp_path_factory):
    """Where such centres come from: the first certificate was issued once, for all tests."""
    return register_hanako(centres, tmp_path_factory.mktemp("registered"))


@pytest.fixture(scope="session")
def zygote():
    """The process that services are forked from, to be killed."""
    with Zygote() as started:
        yield started


@pytest.fixture(scope="session")
def kills_folder(tmp_path_factory):
    """Where their lives are; what a form says is read once and remembered there."""
    folder = tmp_path_factory.mktemp("kills")
    (folder / "memory").mkdir()
    return folder


@pytest.fixture(scope="session")
def read_once():
    """The reader of forms, remembering: what a form says follows from its bytes, and reading it takes longest."""
    read, known = unpacking.read_document, {}

    def remember(opener, data, *, received_on):
        if (data, received_on) not in known:
            known[data, received_on] = read(opener, data, received_on=received_on)
        return known[data, received_on]

    return remember


@pytest.fixture(scope="session")
def keys_once():
    """The opened keys, the same files in every centre of these tests; opening them is slow on purpose (scrypt)."""
    opened = []

    def open_keys(settings):
        if not opened:
            opened.append(keyring.open_keys(settings))
        return opened[0]

    return open_keys


@pytest.fixture
def life(registered, tmp_path, server, clock, read_once, keys_once, monkeypatch):
    """A life that is about to begin, the day after."""
    monkeypatch.setattr(unpacking, "read_document", read_once)
    monkeypatch.setattr(stage, "open_keys", keys_once)
    living = begin(registered, tmp_path / "centre", server, clock)
    yield living
    living.close()


@pytest.fixture(scope="session")
def undisturbed(registered, tmp_path_factory):
    """The end of a life that nothing interrupted."""
    clock = Clock(START)
    with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as server:
        living = begin(registered, tmp_path_factory.mktemp("undisturbed") / "centre", server, clock)
        living.live()
        assert not faults_of(living)
        living.close()
        return end_of(living)
