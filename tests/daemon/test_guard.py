"""The guard: one piece of work fails and is told of, without a word of what it was about; the rest goes on."""

import logging

import pytest

from daemon.failures import Kind, MailboxRefused, MailboxUnavailable
from daemon.guard import attempt


def failing(error):
    def work():
        raise error

    return work


def test_work_that_succeeds_gives_its_result():
    failed = []
    assert attempt("read", lambda: 3, failed) == 3
    assert failed == []


def test_work_that_fails_is_named_and_gives_nothing(caplog):
    failed = []
    assert attempt("case 7", failing(ValueError("山田 花子 hanako@aozora-denki.example")), failed) is None
    assert attempt("case 8", failing(KeyError("secret"))) is None
    assert [type(error) for error in failed] == [ValueError]
    assert "ValueError" in caplog.text
    assert "test_guard.py" in caplog.text
    assert "hanako" not in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (MailboxUnavailable("open: abort"), logging.WARNING),
        (MailboxRefused(Kind.MAILBOX_LOGIN), logging.ERROR),
        (RuntimeError(), logging.ERROR),
    ],
    ids=repr,
)
def test_only_what_passes_by_itself_is_a_mere_warning(caplog, error, level):
    attempt("fetch", failing(error))
    assert [record.levelno for record in caplog.records] == [level]


@pytest.mark.parametrize("request_to_stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_request_to_stop_passes_through(request_to_stop):
    with pytest.raises(request_to_stop):
        attempt("read", failing(request_to_stop()))
