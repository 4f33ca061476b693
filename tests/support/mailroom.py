"""A bare centre that reads mails: what becomes of a mail, its letters and what staff see, without any server."""

import email.policy
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage

from sqlalchemy import select

from daemon import intake, ledger, schema
from daemon.demo.stage import APPROVERS, CENTRE
from daemon.store import every, one
from parsers.mail import open_mail
from support.rooms import bare_centre

AOKI = "aoki@aozora-denki.example"


def mail(text="お送りします。", *files, sender=AOKI, subject="申請書の送付", number="1", answers="", headers=()):
    """A mail with files as (name, bytes)."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, CENTRE, subject
    message["Message-ID"] = f"<{number}@aozora-denki.example>"
    if answers:
        message["In-Reply-To"] = message["References"] = answers
    for name, value in headers:
        message[name] = value
    message.set_content(text, cte="base64")
    for name, data in files:
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


@dataclass
class Came:
    """What became of one mail: its row, the letters to its sender, the notices that the first approver got."""

    row: ledger.MailRow
    answers: list
    shown: list

    @property
    def kinds(self):
        return [row["kind"] for row in self.answers]

    @property
    def words(self):
        """Everything that staff were shown, as they read it."""
        return "\n".join(f"{mail.subject}\n{mail.text}" for mail in map(open_mail, (row["raw"] for row in self.shown)))


class Mailroom:
    """Takes mails in one after the other."""

    def __init__(self, folder, reader):
        self.centre = bare_centre(folder)
        self.centre.reader, self.centre.unfinished = reader, {}

    def take(self, raw, *, after=timedelta()):
        """Store a mail, read it, and do what is due; `after` moves the clock first."""
        self.centre.clock.time += after
        now = self.centre.clock()
        with self.centre.store.transaction() as tx:
            known = {row["id"] for row in every(tx, select(schema.letters.c.id))}
            mail_id = ledger.add(tx, digest=self.centre.blobs.put(raw), size=len(raw), arrived_at=now, now=now)
        intake.read(self.centre)
        intake.erase(self.centre)
        with self.centre.store.transaction() as tx:
            fresh = [row for row in every(tx, select(schema.letters)) if row["id"] not in known]
            row = ledger.get(tx, mail_id)
        staff = [each for each in fresh if each["recipient"] in APPROVERS]
        first = next(iter(APPROVERS))
        return Came(
            row,
            [each for each in fresh if each not in staff],
            [each for each in staff if each["recipient"] == first],
        )

    def pair(self, row):
        """What the table of locked mails says of a mail."""
        table = schema.locked_mails
        with self.centre.store.transaction() as tx:
            return one(tx, select(table).where(table.c.mail_id == row.id))
