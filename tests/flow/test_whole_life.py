"""Whole applications through real IMAP and SMTP: what the README promises, from the applicant's mail to the letters.

Over the embedded server, and over Dovecot and Postfix.
"""

import pytest

from ca import register
from daemon.demo.server import MailServer
from daemon.demo.stage import APPROVERS, AUTHSERV_ID, CENTRE
from daemon.demo.story import AOZORA, HANAKO
from support.centres import form
from support.real_servers import RealMailServer


@pytest.fixture(params=[MailServer, RealMailServer], ids=["embedded", "dovecot and postfix"])
def server(request, clock):
    with request.param(authserv_id=AUTHSERV_ID, clock=clock) as running:
        yield running


@pytest.fixture
def stage(stage, monkeypatch):
    """A real server's "250" means "in the queue": the service looks when the queue is empty."""
    work = stage.work

    def settled():
        stage.server.settle()
        work()
        stage.server.settle()

    stage.work = settled
    return stage


def test_new_issue_ends_with_a_certificate_and_two_letters(stage):
    stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
    stage.work()
    stage.approve(2)
    assert stage.fetch_certificate(HANAKO).startswith("WEBEC-20260401-0001")
    assert not stage.surprises
    with stage.centre.store.transaction() as tx:
        assert [row.state for row in register.every(tx)] == ["issued"]
    assert all(stage.letters(address) for address in APPROVERS)
    assert stage.server.messages(CENTRE) == []
    assert len(stage.server.messages(CENTRE, "LRA-Processed")) == 3


def test_a_decision_in_an_approvers_name_without_their_login_is_refused(stage):
    stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
    stage.work()
    forged = "Authentication-Results"
    for approver, request in list(stage.requests().items())[:2]:
        stage.send(
            approver,
            f"Re: {request.subject}",
            "承認",
            to=request.reply_to[0].address,
            answers=request,
            headers={forged: f"{AUTHSERV_ID}; auth=pass smtp.auth={approver}"},
        )
        stage.work()
    with stage.centre.store.transaction() as tx:
        assert list(register.every(tx)) == []
