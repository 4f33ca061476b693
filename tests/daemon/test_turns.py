"""Turns: a mail with many slow documents is read to its end, and others come in between."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from daemon import intake, ledger, schema
from daemon.demo.stage import CENTRE
from daemon.demo.story import AOZORA
from daemon.store import every
from daemon.turns import MOST_TURNS, Memory, TurnOver, TurnReader
from parsers.errors import ParseError, ParseKind
from parsers.reading import Reading
from support.centres import form

DAY = date(2026, 4, 1)


class Clock:
    def __init__(self):
        self.now = datetime(2026, 4, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


class Slow:
    """A reader that takes its time, and notes what it was asked."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.read_of = clock, seconds, []

    def read(self, data, *, received_on):
        self.read_of.append(data)
        self.clock.now += timedelta(seconds=self.seconds)
        if data == b"bad":
            raise ParseError(ParseKind.DAMAGED, "x")
        return Reading((), ())


def read_all(reader, memory, clock, documents):
    """Open every document as an intake would, beginning anew at each turn; how many turns it took."""
    while True:
        turn = TurnReader(reader, memory, clock)
        try:
            for each in documents:
                try:
                    turn.read(each, received_on=DAY)
                except ParseError:
                    continue
        except TurnOver:
            continue
        return memory.turns


def test_slow_documents_have_a_turn_each_and_none_is_read_twice():
    clock, memory = Clock(), Memory()
    reader = Slow(clock, 9)
    documents = [b"a", b"bad", b"c", b"a"]
    assert read_all(reader, memory, clock, documents) == 3
    assert reader.read_of == [b"a", b"bad", b"c"]


def test_quick_documents_are_read_in_one_turn():
    clock, memory = Clock(), Memory()
    reader = Slow(clock, 0.01)
    assert read_all(reader, memory, clock, [bytes([number]) for number in range(90)]) == 1


def test_after_its_turns_the_rest_is_too_costly_and_asks_no_reader():
    clock, memory = Clock(), Memory()
    reader = Slow(clock, 9)
    documents = [bytes([number]) for number in range(MOST_TURNS + 5)]
    assert read_all(reader, memory, clock, documents) == MOST_TURNS + 1
    assert len(reader.read_of) == MOST_TURNS
    turn = TurnReader(reader, memory, clock)
    with pytest.raises(ParseError) as caught:
        turn.read(documents[-1], received_on=DAY)
    assert caught.value.kind is ParseKind.TOO_COSTLY


def test_a_clock_that_jumps_costs_a_turn_and_nothing_more():
    clock, memory = Clock(), Memory()
    reader = Slow(clock, 0)
    turn = TurnReader(reader, memory, clock)
    turn.read(b"a", received_on=DAY)
    clock.now -= timedelta(days=1)
    with pytest.raises(TurnOver):
        turn.read(b"b", received_on=DAY)
    assert read_all(reader, memory, clock, [b"a", b"b"]) == 2


def test_the_next_mail_is_read_before_the_second_document_of_a_slow_one(stage, monkeypatch):
    order = []

    class Slowly:
        def __getattr__(self, name):
            return getattr(stage.centre.reader, name)

        def read(self, data, *, received_on):
            order.append(len(data))
            stage.clock.time += timedelta(seconds=9)
            return stage.centre.reader.read(data, received_on=received_on)

    centre = replace(stage.centre, reader=Slowly())
    pdf = form(stage, "new_issue_hanako")
    parts = b"".join(
        b"--x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=%d.pdf\r\n\r\n%%PDF-1.4 %s\r\n"
        % (number, b"x" * number)
        for number in range(3)
    )
    head = b"From: a@aozora.example\r\nSubject: slow\r\nMIME-Version: 1.0\r\n"
    slow = head + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + parts + b"--x--\r\n"
    stage.server.append(CENTRE, slow)
    with centre.open_mailbox(centre.account) as mailbox:
        assert intake.fetch(centre, mailbox) == 1
    assert intake.read(centre) == 1
    stage.send(AOZORA, "申請", "次のメール", pdf=pdf)
    with centre.open_mailbox(centre.account) as mailbox:
        assert intake.fetch(centre, mailbox) == 1
    while centre.unfinished or order == []:
        assert intake.read(centre) > 0
        if any(length == len(pdf) for length in order):
            break
    assert [length == len(pdf) for length in order].index(True) <= 2
    while intake.read(centre):
        pass
    with centre.store.transaction() as tx:
        assert ledger.unread(tx) == []
        assert [row["attempts"] for row in every(tx, select(schema.mails.c.attempts))] == [1, 1]
    assert centre.unfinished == {}
