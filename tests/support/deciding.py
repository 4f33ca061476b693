"""What tests about decisions share: a case that waits, answers to any letter, what became of the newest mail."""

from dataclasses import replace

from daemon import cases, schema
from daemon.demo.stage import APPROVERS, CENTRE, PASSWORD
from daemon.demo.story import AOZORA
from daemon.store import every
from support.applications import application, case_of, deliver, enrol

FIRST, SECOND = APPROVERS


def begin(stage, made=None):
    """A case that waits for a decision; returns its number and the request of each approver."""
    enrol(stage)
    (number,) = deliver(stage, made or application("cancellation"))
    stage.letters(AOZORA)
    return number, stage.requests()


def configure(stage, *, approvers=None, **parts):
    """The same centre with other settings: `policy={"cancel_minutes": 10}`; more approvers get a mailbox."""
    settings = stage.centre.settings
    changed = {name: replace(getattr(settings, name), **values) for name, values in parts.items()}
    if approvers is not None:
        changed["approvers"] = tuple(approvers)
        for approver in approvers:
            if approver.address not in APPROVERS:
                stage.server.add_mailbox(approver.address, PASSWORD)
    stage.centre = replace(stage.centre, settings=replace(settings, **changed))


def answer(stage, approver, mail, words):
    """An approver answers any letter, with the token of its Reply-To where it has one."""
    to = mail.reply_to[0].address if mail.reply_to else CENTRE
    quoted = "\n".join(f"> {line}" for line in mail.text.splitlines())
    body = f"{words}\n\n2026年4月1日(水) 10:11 <{CENTRE}>:\n\n{quoted}\n"
    stage.send(approver, f"Re: {mail.subject}", body, to=to, answers=mail, login=approver)
    stage.work()


def order(stage, approver, words, *, subject="お願い", login=True, **more):
    """A mail of its own, which answers nothing."""
    stage.send(approver, subject, f"{words}\n", login=approver if login else None, **more)
    stage.work()


def newest(stage, address, word):
    """The newest of the unread letters of an address whose subject holds the word."""
    return [mail for mail in stage.letters(address) if word in mail.subject][-1]


def outcome(stage):
    """What became of the newest mail."""
    with stage.centre.store.transaction() as tx:
        return every(tx, schema.mails.select().order_by(schema.mails.c.id))[-1]["outcome"]


def state(stage, number):
    return case_of(stage, number).state.value


def events(stage, *kinds):
    """The audit events of these kinds, in order: (kind, actor)."""
    with stage.centre.store.transaction() as tx:
        rows = every(tx, schema.events.select().order_by(schema.events.c.seq))
    return [(row["kind"], row["actor"]) for row in rows if row["kind"] in kinds]


def case_of_kind(stage, kind):
    """The newest case of a kind."""
    with stage.centre.store.transaction() as tx:
        rows = every(tx, schema.cases.select().where(schema.cases.c.kind == kind).order_by(schema.cases.c.id))
        return cases.get(tx, rows[-1]["id"]) if rows else None
