"""A service that dies at exactly one place, and starts again from what is on disk and on the mail server.

A `Fault` puts a tripwire somewhere into an open centre: before or after a call of one of its parts, inside a
transaction, or right after its commit. `Life` plays a reissue by mail and, when the wire was touched, starts the
centre anew as a person would; `end_of` is what remains, to be held against an undisturbed life.
"""

import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from sqlalchemy import event, select

from ca import register
from ca.checker import check as check_register
from daemon import schema, upkeep
from daemon.demo.server import Delivery, MailServer
from daemon.demo.stage import APPROVERS, AUTHSERV_ID, CENTRE, PASSWORD, Clock, Stage
from daemon.demo.story import AOZORA, HANAKO
from daemon.store import Store, every
from support.centres import PEOPLE, START, Centres, form

_TRACE = re.compile(
    rb"\A(?:(?:Authentication-Results|Received|Return-Path|Delivered-To|X-Original-To):[^\n]*\n(?:[ \t][^\n]*\n)*)+"
)

FIRST_APPROVER, SECOND_APPROVER = APPROVERS
FILED, FOR_STAFF = "LRA-Processed", "LRA-Staff"


class Stop(BaseException):
    """The process ends here. Like a kill it is no Exception, so that nothing in the house catches it."""


class Trouble(Exception):
    """An error that nobody foresaw; the service must outlive it."""


class Tripwire:
    """Raises `error` when it is touched: at first not for `skip` times, then `times` times, then never again."""

    def __init__(self, error: type[BaseException] = Stop, *, skip: int = 0, times: int = 1) -> None:
        self.error, self.skip, self.times, self.touched = error, skip, times, 0

    def touch(self) -> None:
        self.touched += 1
        if self.skip < self.touched <= self.skip + self.times:
            raise self.error("stopped here")

    @property
    def sprung(self) -> bool:
        return self.touched > self.skip


Fault = Callable[[Stage, Tripwire], None]


class _Part:
    """A part of a centre that touches the wire when `method` is called: before it is carried out, or after."""

    def __init__(self, inner: Any, method: str, wire: Tripwire, *, after: bool) -> None:
        self._inner, self._method, self._wire, self._after = inner, method, wire, after

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name != self._method:
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            if not self._after:
                self._wire.touch()
            result = value(*args, **kwargs)
            if self._after:
                self._wire.touch()
            return result

        return call

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        self._inner.__exit__(*args)


def at_part(part: str, method: str, *, after: bool = False) -> Fault:
    """At a call of a part of the centre: `blobs`, `vault`, `signer`."""

    def arm(stage: Stage, wire: Tripwire) -> None:
        inner = getattr(stage.centre, part)
        wired = _Part(inner, method, wire, after=after)
        # The signer is the first of several hands.
        changed = {"hands": (wired,)} if part == "signer" else {part: wired}
        stage.centre = replace(stage.centre, **changed)

    return arm


def at_door(door: str, method: str, *, after: bool = False) -> Fault:
    """At a call through a door: `open_mailbox`, `open_transport`."""

    def arm(stage: Stage, wire: Tripwire) -> None:
        opener = getattr(stage.centre, door)
        stage.centre = replace(
            stage.centre, **{door: lambda *args, **options: _Part(opener(*args, **options), method, wire, after=after)}
        )

    return arm


def at_function(module: Any, name: str) -> Fault:
    """Before a function of a module is called. It stays in place; a wire that was touched lets everything pass."""

    def arm(stage: Stage, wire: Tripwire) -> None:
        original = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            wire.touch()
            return original(*args, **kwargs)

        setattr(module, name, call)
        stage.undo.append(lambda: setattr(module, name, original))

    return arm


class _WatchedStore(Store):
    """The same database; a transaction in which `matches` saw a statement touches the wire after its commit."""

    def __init__(self, inner: Store, matches: Callable[[str, Any], bool], wire: Tripwire) -> None:
        self.engine, self._seen, self._wire = inner.engine, False, wire

        def look(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
            self._seen = self._seen or matches(statement, parameters)

        event.listen(self.engine, "before_cursor_execute", look)

    @contextmanager
    def transaction(self):
        self._seen = False
        with super().transaction() as tx:
            yield tx
        if self._seen:
            self._wire.touch()


def at_sql(statement: str, value: object = None, *, committed: bool = False) -> Fault:
    """At a statement that begins so and carries that value: instead of it, or after the commit it belongs to."""

    def matches(text: str, parameters: Any) -> bool:
        return text.startswith(statement) and (value is None or value in parameters)

    def arm(stage: Stage, wire: Tripwire) -> None:
        store = stage.centre.store
        if committed:
            stage.centre = replace(stage.centre, store=_WatchedStore(store, matches, wire))
            return

        def look(_conn: Any, _cursor: Any, text: str, parameters: Any, _context: Any, _many: bool) -> None:
            if matches(text, parameters):
                wire.touch()

        event.listen(store.engine, "before_cursor_execute", look)

    return arm


def at_event(kind: str, *, committed: bool = False) -> Fault:
    """At the audit line of a deed: the line cannot be written, or the process ends right after the deed's commit."""
    return at_sql("INSERT INTO events", kind, committed=committed)


class Life:
    """A reissue from the applicant's mail to the closed case: the old certificate revoked, a new one delivered."""

    PHASES = ("application", "approval", "password")

    def __init__(self, centres: Centres, folder: Path, server: MailServer, clock: Clock) -> None:
        self.centres, self.folder, self.server, self.clock = centres, folder, server, clock
        self.delivered: list[Delivery] = []
        self.sent = 0
        self.former_letters = count_letters(folder)
        self.restarts = 0
        server.on_delivery(self._note)
        self.stage = self._opened()

    def _note(self, delivery: Delivery) -> None:
        if delivery.mailbox == CENTRE:
            self.sent += 1
        else:
            self.delivered.append(delivery)

    def _opened(self) -> Stage:
        stage = self.centres.reopen(self.folder, self.server, self.clock)
        stage.undo = []
        return stage

    def live(self, phase: str = "", fault: Fault | None = None, wire: Tripwire | None = None) -> None:
        """The whole life; with a fault, its wire is put up at the beginning of that phase."""
        for name in self.PHASES:
            if fault is not None and wire is not None and name == phase:
                fault(self.stage, wire)
            getattr(self, f"_{name}")()
        self.pass_time(minutes=30)  # past a lease that an error of the approval left behind
        self.pass_time(minutes=30)

    def _application(self) -> None:
        self.stage.send(AOZORA, "再発行申請", "PCを入れ替えました。", pdf=form(self.stage, "reissue_hanako"))
        self.work()

    def _approval(self, before_work: Callable[[], None] = lambda: None) -> None:
        self.stage.decide(FIRST_APPROVER, self.stage.requests()[FIRST_APPROVER], "承認")
        before_work()
        self.work()

    def _password(self) -> None:
        self.pass_time(minutes=11)

    def pass_time(self, **by: float) -> None:
        try:
            self.stage.pass_time(**by)
        except Stop:
            self.restart()

    def work(self) -> None:
        try:
            self.stage.work()
        except Stop:
            self.restart()

    def restart(self) -> None:
        """Everything is closed and opened again. It works first at the very same moment, then past every lease."""
        self.close()
        self.restarts += 1
        old, self.stage = self.stage, self._opened()
        self.stage.deliveries[:0] = old.deliveries
        self.stage._read = old._read
        self.work()
        self.pass_time(minutes=16)

    def close(self) -> None:
        self.stage.centre.close()
        for undo in self.stage.undo:
            undo()


def count_letters(folder: Path) -> int:
    """How many letters a centre has written so far, and so the number of the newest."""
    with closing(sqlite3.connect(folder / "demo.sqlite")) as database:
        return int(database.execute("SELECT coalesce(max(id), 0) FROM letters").fetchone()[0])


def register_hanako(centres: Centres, folder: Path) -> Centres:
    """Where centres come from in which Yamada Hanako holds a certificate since yesterday."""
    clock = Clock(START)
    with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as server:
        stage = centres.open(folder, server, clock)
        stage.send(AOZORA, "新規発行", "お願いします", pdf=form(stage, "new_issue_hanako"))
        stage.work()
        stage.approve(2)
        stage.pass_time(minutes=11)
        if len(stage.letters(HANAKO)) != 2:
            raise AssertionError("the first certificate was not delivered")
        stage.centre.close()
    return Centres(folder, centres.reader)


def begin(registered: Centres, folder: Path, server: MailServer, clock: Clock) -> Life:
    """A life in a copy of such a centre, on the day after."""
    clock.move(START + timedelta(days=1))
    shutil.copytree(registered.template, folder)
    for address in (CENTRE, *APPROVERS, *PEOPLE):
        server.add_mailbox(address, PASSWORD)
    return Life(registered, folder, server, clock)


@dataclass(frozen=True)
class End:
    """What is left of a life, in words that must not depend on where it was interrupted."""

    cases: tuple[tuple[str, str], ...]
    certificates: tuple[tuple[str, str | None], ...]
    letters: tuple[tuple[str, str], ...]
    mails: tuple[tuple[str, str, str, int], ...]

    def of_the_case(self) -> "End":
        """The same without what staff were told about the machine or about the time of day: alarms, reminders and
        digests are not part of the story."""
        beside = ("staff_notice", "approval_reminder", "daily_digest")
        return replace(self, letters=tuple(each for each in self.letters if each[0] not in beside))

    def unordered(self) -> "End":
        """The same without the order in which things came about."""
        return End(*(tuple(sorted(each, key=repr)) for each in astuple(self)))


def end_of(life: Any) -> End:
    """The rows that tell the story, without numbers drawn at random and without abandoned serial numbers."""
    with life.stage.centre.store.transaction() as tx:
        cases = every(tx, select(schema.cases).order_by(schema.cases.c.id))
        letters = every(tx, select(schema.letters).order_by(schema.letters.c.id))
        mails = every(tx, select(schema.mails).order_by(schema.mails.c.id))
        certificates = [row for row in register.every(tx) if row.der is not None]
    return End(
        tuple((row["number"], row["state"]) for row in cases),
        tuple((row.state.value, row.reason.value if row.reason else None) for row in certificates),
        tuple(sorted((row["kind"], row["recipient"]) for row in letters)),
        tuple((row["state"], row["outcome"], row["folder"], row["size"] > 0) for row in mails),
    )


def faults_of(life: Any, *, twice: int | range = 0, abandoned: int | range = 0) -> list[str]:
    """Everything that is not as a finished life must leave it; `twice` letters may have been sent a second time."""
    twice, abandoned = (each if isinstance(each, range) else range(each, each + 1) for each in (twice, abandoned))
    centre = life.stage.centre
    with centre.store.transaction() as tx:
        faults = [*centre.audit.faults(tx)]
        faults += [str(fault) for fault in check_register(tx, authority=centre.signer.authority, now=life.clock())]
        given_up = [row.serial for row in register.every(tx) if row.state.value == "abandoned"]
        revoked = [row.serial for row in register.every(tx) if row.state.value == "revoked"]
        letters = every(tx, select(schema.letters))
        unfiled = _unfiled(every(tx, select(schema.sightings).order_by(schema.sightings.c.id)))
        mails = every(tx, select(schema.mails))
    faults += _delivery_faults(life, [row for row in letters if row["id"] > life.former_letters], twice)
    faults += [f"letter {row['id']} is {row['state']}" for row in letters if row["state"] != "sent"]
    faults += [f"sighting {row['id']} is not filed" for row in unfiled]
    faults += [f"mail {row['id']} is damaged" for row in mails if len(centre.blobs.get(row["digest"])) != row["size"]]
    left = life.server.messages(CENTRE)
    faults += [f"{len(left)} mails left in the mailbox"] * bool(left)
    filed = len(life.server.messages(CENTRE, FILED))
    faults += [f"{filed} mails filed, {life.sent} sent"] * (filed != life.sent)
    published = x509.load_der_x509_crl((centre.public / upkeep.CRL_FILE).read_bytes())
    listed = {f"{entry.serial_number:x}" for entry in published}
    faults += ["the published CRL does not list what was revoked or abandoned"] * (listed != {*given_up, *revoked})
    faults += [f"{len(given_up)} serial numbers abandoned"] * (len(given_up) not in abandoned)
    faults += [f"keys left in the vault: {len(centre.vault.names())}"] * bool(centre.vault.names())
    return faults


def abandoned_of(life: Any) -> int:
    """How many serial numbers were given up."""
    with life.stage.centre.store.transaction() as tx:
        return sum(row.state.value == "abandoned" for row in register.every(tx))


def repeated_of(life: Any) -> int:
    """How many mails arrived that had arrived before."""
    return sum(len(own) - 1 for own in _copies(life).values())


def _copies(life: Any) -> dict[str, list[bytes]]:
    """By Message-ID, what arrived, without what the servers on the way wrote above it."""
    copies: dict[str, list[bytes]] = {}
    for delivery in life.delivered:
        own = _TRACE.sub(b"", delivery.content)
        message_id = message_id_of(own)
        copies.setdefault(message_id, []).append(own)
    return copies


def message_id_of(content: bytes) -> str:
    """The Message-ID of a letter of ours."""
    return content.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()


def _unfiled(sightings: Sequence[Any]) -> list[Any]:
    """What still lies where it was seen. Under a UIDVALIDITY that is gone nothing lies any more."""
    newest = {(row["account"], row["folder"]): row["uidvalidity"] for row in sightings}
    there = [row for row in sightings if row["uidvalidity"] == newest[row["account"], row["folder"]]]
    return [row for row in there if row["filed_at"] is None]


def _delivery_faults(life: Any, letters: list[Any], twice: range) -> list[str]:
    """Each letter once; where the outcome was unknown, once more octet for octet (runtime notes §7)."""
    copies = _copies(life)
    faults = [f"letter {row['kind']} never arrived" for row in letters if row["message_id"] not in copies]
    known = {row["message_id"] for row in letters}
    faults += [f"an unknown letter arrived: {each}" for each in copies if each not in known]
    faults += ["a repetition differs"] * any(len(set(own)) > 1 for own in copies.values())
    again = Counter(len(own) for own in copies.values())
    repeated = sum(len(own) - 1 for own in copies.values())
    return faults + ([] if repeated in twice else [f"copies of letters: {dict(again)}"])
