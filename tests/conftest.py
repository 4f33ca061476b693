"""Fixtures that any test may use; builders stand in `support`."""

import sys

import pytest
from hypothesis import HealthCheck, settings

from daemon.demo.server import MailServer
from daemon.demo.stage import AUTHSERV_ID, Clock
from support.centres import START, Centres

# Timings decide no test: on a busy machine the first example of a property may take any time.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture(autouse=True)
def coverage_survives():
    """A test that runs into the recursion limit on purpose makes CPython drop the coverage tracer: put it back."""
    tracer = sys.gettrace()
    yield
    if tracer is not None and sys.gettrace() is None:
        sys.settrace(tracer)


@pytest.fixture(scope="session")
def centres(tmp_path_factory):
    """Where centres for tests come from; the CA is made once."""
    made = Centres.make(tmp_path_factory.mktemp("template"))
    yield made
    made.reader.end()


@pytest.fixture
def clock():
    """A clock that stands still until the test moves it."""
    return Clock(START)


@pytest.fixture
def server(clock):
    """An embedded mail server of the test's own, on loopback, in the test's time."""
    with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as running:
        yield running


@pytest.fixture
def stage(centres, server, clock, tmp_path):
    """A whole centre with two companies known and nobody registered."""
    opened = centres.open(tmp_path / "centre", server, clock)
    yield opened
    opened.centre.close()
