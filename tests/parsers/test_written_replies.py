"""Replies as people really write them: every clear one understood, every other one asked back, none taken for another."""

from datetime import date

import pytest

from parsers.mail import open_mail
from parsers.reply import Author, Command, Unclear, find_token, read_command
from support.letters_in import STAFF, TOKEN
from support.written_replies import CLEAR, ENCODINGS, HTML, PLAIN, UNCLEAR, written

AUTHOR = Author.of(names=("田中 恵子", "株式会社オージス総研"), address="keiko.tanaka@lra.example")
TODAY = date(2026, 7, 1)


@pytest.fixture(scope="module")
def replies():
    return list(written())


def read(reply):
    return read_command(open_mail(reply.raw).text, author=AUTHOR, today=TODAY)


def test_every_clear_decision_is_understood(replies):
    wrong = [
        (reply.name, said) for reply in replies if reply.command is not None and (said := read(reply)) != reply.command
    ]
    assert wrong == []


def test_every_unclear_reply_is_asked_back(replies):
    wrong = [
        (reply.name, said)
        for reply in replies
        if reply.command is None and not isinstance(said := read(reply), Unclear)
    ]
    assert wrong == []


def test_no_reply_is_taken_for_another_decision_even_without_knowing_who_signs(replies):
    """Without the author's names a signature is a sentence: then a clear decision may be asked back, and no more."""
    for reply in replies:
        said = read_command(open_mail(reply.raw).text)
        assert isinstance(said, Unclear) or said == reply.command, reply.name


def test_there_are_enough_of_them(replies):
    assert len(replies) >= 150
    assert len(PLAIN) + len(HTML) >= 16
    assert len(ENCODINGS) >= 5
    said = {reply.command for reply in replies if reply.command}
    assert said == {command for _, command in CLEAR}
    assert len([reply for reply in replies if reply.command is None]) >= len(UNCLEAR)


def test_the_same_seed_writes_the_same_replies(replies):
    assert [reply.raw for reply in written()] == [reply.raw for reply in replies]
    assert [reply.raw for reply in written(7)] != [reply.raw for reply in replies]


def test_the_token_is_found_in_each(replies):
    assert all(find_token(open_mail(reply.raw)) == TOKEN for reply in replies[:40])


def test_a_commands_own_words_are_never_part_of_a_signature():
    author = Author.of(names=("承認 却下",), address="hold.cancel@lra.example", signature="承認\n取消\n田中")
    assert not author.words & {"承認", "却下", "hold", "cancel"}
    assert author.lines == {"田中"}
    assert isinstance(read_command("承認\n\n却下", author=author), Unclear)
    assert read_command("承認\n\n田中", author=author) == Command(CLEAR[0][1].verb)
    assert STAFF
