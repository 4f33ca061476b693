"""Mail that is too large, that a filter put into the junk folder, or that meets a full disk."""

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import select

from daemon import disk_room, gauges, incoming, intake, junk, ledger, loop, oversize, schema
from daemon.demo.stage import APPROVERS, CENTRE
from daemon.demo.story import AOZORA, STRANGER
from daemon.store import every
from parsers.mail import open_mail
from support.centres import form

STAFF = next(iter(APPROVERS))


def with_settings(stage, block, **values):
    settings = stage.centre.settings
    changed = replace(settings, **{block: replace(getattr(settings, block), **values)})
    stage.centre = replace(stage.centre, settings=changed)


def raw_of(stage, sender, subject, text="本文", pdf=None, **headers):
    """A mail as the mail program of `sender` would write it, to be put into a folder by hand."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, CENTRE, subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    if pdf:
        message.add_attachment(pdf, maintype="application", subtype="pdf", filename="form.pdf")
    return message.as_bytes()


def put_into_junk(stage, *raws):
    """A filter's work: the folder is made like any other, and the mails are put into it."""
    with stage.centre.open_mailbox(stage.centre.account) as mailbox:
        mailbox._ensure("Junk")
    for raw in raws:
        stage.server.append(CENTRE, raw, "Junk")


def letters(stage, address):
    """Everything that ever reached an address."""
    return [open_mail(each.content) for each in stage.deliveries if each.recipient.lower() == address.lower()]


def notices(stage, word):
    return [letter for letter in letters(stage, STAFF) if word in letter.subject]


def test_a_mail_above_the_limit_is_kept_answered_and_given_to_staff_without_being_read(stage):
    with_settings(stage, "mailbox", largest_mail_mb=1)
    text = "x" * 70
    raw = raw_of(stage, AOZORA, "大きな申請", "\n".join([text] * 40_000), Message_ID="<large@x>")
    assert len(raw) > 2 * 1024 * 1024
    stage.server.append(CENTRE, raw)
    stage.work()
    with stage.centre.store.transaction() as tx:
        (row,) = ledger.held(tx)
    assert (row.outcome, row.reason, row.message_id) == ("too_large", "larger than 1 MB", "<large@x>")
    assert stage.centre.blobs.get(row.digest) == stage.server.messages(CENTRE, "LRA-Staff")[0]
    (answer,) = letters(stage, AOZORA)
    assert "容量" in answer.text
    (notice,) = notices(stage, "大きすぎるメール")
    assert "大きな申請" in notice.text
    assert "上限 1 MB" in notice.text
    # After the limit was raised it is read like any other; its sender is not told a second time.
    with_settings(stage, "mailbox", largest_mail_mb=50)
    with stage.centre.store.transaction() as tx:
        ledger.release(tx, row.id)
    stage.work()
    with stage.centre.store.transaction() as tx:
        assert ledger.get(tx, row.id).state == "read"


def test_a_large_mail_released_under_the_same_limit_is_held_again_and_its_sender_told_once(stage):
    with_settings(stage, "mailbox", largest_mail_mb=1)
    stage.server.append(CENTRE, raw_of(stage, AOZORA, "大", "y" * 70 + "\n" + "x\n" * 900_000))
    stage.work()
    with stage.centre.store.transaction() as tx:
        (row,) = ledger.held(tx)
        ledger.release(tx, row.id)
    stage.clock.time += timedelta(minutes=1)
    stage.work()
    assert len(letters(stage, AOZORA)) == 1
    assert len(notices(stage, "大きすぎるメール")) == 2


def test_a_large_mail_is_fetched_and_stored_a_piece_at_a_time(stage):
    with_settings(stage, "mailbox", largest_mail_mb=1)
    raw = raw_of(stage, AOZORA, "大", "\n".join(["z" * 70] * 60_000)).replace(b"\n", b"\r\n")
    stage.server.append(CENTRE, raw)
    seen = []
    put = stage.centre.blobs.put_stream

    def watched(chunks, **options):
        return put((seen.append(len(chunk)) or chunk for chunk in chunks), **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(incoming, "BATCH_BYTES", 1024 * 1024)
        patched.setattr(incoming, "PIECE_BYTES", 1024 * 1024)
        patched.setattr(stage.centre.blobs, "put_stream", watched)
        with stage.centre.open_mailbox(stage.centre.account) as mailbox:
            assert intake.fetch(stage.centre, mailbox) == 1
    assert sum(seen) == len(raw)
    assert max(seen) <= 1024 * 1024
    assert len(raw) > oversize.limit(stage.centre)


# --- the junk folder


def test_a_form_in_the_junk_folder_is_told_once_and_the_folder_stays_as_it_is(stage):
    pdf = form(stage, "new_issue_hanako")
    put_into_junk(stage, raw_of(stage, STRANGER, "申請", pdf=pdf), raw_of(stage, "spam@spam.example", "儲かる話"))
    before = stage.server.messages(CENTRE, "Junk")
    for _ in range(3):
        stage.work()
        stage.clock.time += timedelta(minutes=11)
    (notice,) = notices(stage, "迷惑メールフォルダー")
    assert junk.FORM in notice.text
    assert STRANGER in notice.text
    assert stage.server.messages(CENTRE, "Junk") == before
    with stage.centre.store.transaction() as tx:
        assert every(tx, select(schema.cases)) == []
        measured = gauges.values(tx)
    assert (measured["junk_listed"], measured["junk_noticed"]) == (2, 1)


def test_a_mail_that_a_person_moves_out_of_the_junk_folder_is_an_application(stage):
    raw = raw_of(stage, STRANGER, "申請", pdf=form(stage, "new_issue_hanako"))
    put_into_junk(stage, raw)
    stage.work()
    stage.server.append(CENTRE, raw)
    stage.work()
    with stage.centre.store.transaction() as tx:
        assert len(every(tx, select(schema.cases))) == 1
    stage.clock.time += timedelta(minutes=11)
    stage.work()
    assert len(notices(stage, "迷惑メールフォルダー")) == 1


def test_somebody_known_an_approver_and_an_answer_are_told_too(stage):
    stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
    stage.work()
    (receipt,) = letters(stage, AOZORA)
    for sender, subject, headers in (
        (AOZORA, "別件", {}),
        (STAFF, "承認", {}),
        (STRANGER, "Re: 受付", {"In_Reply_To": receipt.message_id}),
    ):
        put_into_junk(stage, raw_of(stage, sender, subject, **headers))
    stage.clock.time += timedelta(minutes=11)
    stage.work()
    texts = "".join("".join(notice.text.split()) for notice in notices(stage, "迷惑メールフォルダー"))
    assert all(reason in texts for reason in (junk.KNOWN, junk.APPROVER, junk.ANSWER))
    assert junk.FORM not in texts


def test_a_copy_of_what_is_in_the_ledger_is_not_told(stage):
    raw = raw_of(stage, AOZORA, "照会")
    stage.server.append(CENTRE, raw)
    put_into_junk(stage, raw)
    stage.work()
    assert notices(stage, "迷惑メールフォルダー") == []


# --- the disk


def test_a_full_disk_leaves_the_mail_where_it_is_raises_the_alarm_and_goes_on_by_itself(stage):
    stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
    with_settings(stage, "run", reserve_mb=10**9)
    rests = {}
    progress = loop.run_round(stage.centre, rests)
    assert {"fetch", "read"} <= set(progress.failed)
    assert len(stage.server.messages(CENTRE)) == 1
    with stage.centre.store.transaction() as tx:
        assert ledger.unread(tx) == []
    loop.run_round(stage.centre, rests)
    assert len(notices(stage, "ディスクの空き容量")) == 1
    with_settings(stage, "run", reserve_mb=0)
    loop.run_round(stage.centre, rests)
    assert len(stage.server.messages(CENTRE)) == 1, "it rests for five minutes"
    stage.clock.time += timedelta(minutes=6)
    loop.run_round(stage.centre, rests)
    assert stage.server.messages(CENTRE) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_disk_that_is_really_full_loses_nothing(stage, tmp_path, monkeypatch):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        blobs = type(stage.centre.blobs)(small / "blobs", os.urandom)
        stage.centre = replace(stage.centre, blobs=blobs)
        monkeypatch.setattr(disk_room, "require", lambda *_: None)  # another program took the room meanwhile
        raw = raw_of(stage, AOZORA, "照会", "\n".join(["z" * 70] * 20_000)).replace(b"\n", b"\r\n")
        stage.server.append(CENTRE, raw)
        progress = loop.run_round(stage.centre, {})
        assert "fetch" in progress.failed
        assert len(stage.server.messages(CENTRE)) == 1
        assert [path for path in (small / "blobs").iterdir() if path.is_file()] == [], "nothing half written is left"
        subprocess.run(["mount", "-o", "remount,size=8m", str(small)], check=True)
        loop.run_round(stage.centre, {})
        assert stage.server.messages(CENTRE) == []
        with stage.centre.store.transaction() as tx:
            (row,) = every(tx, select(schema.mails))
        assert stage.centre.blobs.get(row["digest"]) == raw
    finally:
        subprocess.run(["umount", str(small)], check=True)
