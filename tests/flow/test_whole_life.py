"""Whole applications through real IMAP and SMTP: what the README promises, from the applicant's mail to the letters."""

from ca import register
from daemon.demo.stage import APPROVERS
from daemon.demo.story import AOZORA, HANAKO
from support.centres import form


def test_new_issue_ends_with_a_certificate_and_two_letters(stage):
    stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
    stage.work()
    stage.approve(2)
    assert stage.fetch_certificate(HANAKO).startswith("WEBEC-20260401-0001")
    assert not stage.surprises
    with stage.centre.store.transaction() as tx:
        assert [row.state for row in register.every(tx)] == ["issued"]
    assert all(stage.letters(address) for address in APPROVERS)
