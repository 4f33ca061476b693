"""The comparison of mailbox and ledger: what is missing is measured, and told once when it lasts."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from daemon import alarms, gauges, intake, reconciling, schema
from daemon.failures import Failure, Kind, MailboxRefused, MailboxUnavailable
from daemon.store import every
from support.folders import Folder, settle_all
from support.rooms import bare_centre


class Withholding(Folder):
    """A server that lists a mail and says OK without its body (Exchange and iCloud do, mail notes §4.2)."""

    def __init__(self):
        super().__init__()
        self.withheld = set()

    def mails(self, uids):
        return super().mails([uid for uid in uids if uid not in self.withheld])


@pytest.fixture
def centre(tmp_path):
    opened = bare_centre(tmp_path)
    yield opened
    opened.store.close()


@pytest.fixture
def folder():
    made = Withholding()
    for raw in (b"one", b"two", b"three"):
        made.add(raw)
    return made


def measured(centre):
    with centre.store.transaction() as tx:
        return gauges.values(tx)


def told(centre, word):
    with centre.store.transaction() as tx:
        keys = [row["key"] for row in every(tx, select(schema.letters.c.key))]
    return len({key.rpartition(":")[0] for key in keys if word in key})


def test_a_mailbox_whose_every_mail_is_in_the_ledger_differs_by_nothing(centre, folder):
    intake.fetch(centre, folder)
    found = measured(centre)
    assert (found["mailbox_listed"], found["mailbox_missing"], found["mails_unread"]) == (3, 0, 3)
    assert found["compared_timestamp_seconds"] == centre.clock().timestamp()
    assert found["disk_free_bytes"] > 0
    settle_all(centre)
    intake.fetch(centre, folder)
    assert measured(centre)["mailbox_unfiled"] == 3


def test_a_mail_that_is_listed_and_not_delivered_is_missing_then_told_once_and_taken_in_when_it_comes(centre, folder):
    folder.withheld = {2}
    assert intake.fetch(centre, folder) == 2
    assert measured(centre)["mailbox_missing"] == 1
    assert told(centre, "absent") == 0
    centre.clock.time += timedelta(minutes=centre.settings.run.absence_minutes)
    for _ in range(3):
        intake.fetch(centre, folder)
        centre.clock.time += timedelta(minutes=10)
    assert told(centre, "absent") == 1
    folder.withheld = set()
    assert intake.fetch(centre, folder) == 1
    assert measured(centre)["mailbox_missing"] == 0
    with centre.store.transaction() as tx:
        assert every(tx, select(schema.absences)) == []


def test_a_difference_that_passes_by_itself_is_told_to_nobody(centre, folder):
    folder.withheld = {2}
    intake.fetch(centre, folder)
    folder.mails_there.pop(2)  # somebody moved it
    centre.clock.time += timedelta(hours=1)
    intake.fetch(centre, folder)
    assert told(centre, "absent") == 0
    assert measured(centre)["mailbox_missing"] == 0


def test_what_was_missing_in_an_earlier_life_of_the_uids_is_forgotten(centre, folder):
    folder.withheld = {2}
    intake.fetch(centre, folder)
    folder.renumber()
    folder.withheld = set()
    intake.fetch(centre, folder)
    with centre.store.transaction() as tx:
        assert every(tx, select(schema.absences)) == []


def test_a_comparison_that_found_nothing_new_is_noted_once_a_minute(centre, folder):
    intake.fetch(centre, folder)
    before = measured(centre)["compared_timestamp_seconds"]
    centre.clock.time += timedelta(seconds=30)
    intake.fetch(centre, folder)
    assert measured(centre)["compared_timestamp_seconds"] == before
    centre.clock.time += timedelta(seconds=31)
    intake.fetch(centre, folder)
    assert measured(centre)["compared_timestamp_seconds"] == before + 61


def test_a_mailbox_that_was_not_compared_for_long_is_told_once_for_each_time(centre, folder):
    for silence in (1, 2):
        assert reconciling.watch(centre) == 0
        centre.clock.time += timedelta(minutes=59)
        assert reconciling.watch(centre) == 0
        centre.clock.time += timedelta(minutes=1)
        assert reconciling.watch(centre) == 1
        assert reconciling.watch(centre) == 0
        assert told(centre, "mailbox-silent") == silence
        intake.fetch(centre, folder)
        assert reconciling.watch(centre) == 0
        centre.clock.time += timedelta(days=1)


def test_a_service_that_was_stopped_has_its_time_to_catch_up(centre, folder):
    intake.fetch(centre, folder)
    centre.clock.time += timedelta(days=3)
    assert reconciling.watch(centre) == 0
    intake.fetch(centre, folder)
    centre.clock.time += timedelta(minutes=1)
    assert reconciling.watch(centre) == 0
    assert told(centre, "mailbox-silent") == 0


@pytest.mark.parametrize(
    ("error", "count"),
    [
        (MailboxRefused(Kind.MAILBOX_LOGIN, "x"), 1),
        (Failure(Kind.DISK_FULL), 1),
        (OSError(28, "No space left on device"), 1),
        (MailboxUnavailable("x"), 0),
        (ValueError("nobody foresaw it"), 0),
    ],
)
def test_what_the_operator_must_mend_is_told_to_staff_once_a_day(centre, error, count):
    for _ in range(3):
        alarms.sound(centre, "fetch", error)
    assert told(centre, "alarm") == count
    centre.clock.time += timedelta(days=1)
    alarms.sound(centre, "fetch", error)
    assert told(centre, "alarm") == 2 * count
