"""What our letters to staff say and what the reader of replies understands fit together.

The letters are taken from the goldens, as an approver would quote them.
"""

import re
from pathlib import Path

import pytest

from daemon import staff_letters
from parsers.mail import open_mail
from parsers.reply import PHRASES, Command, Unclear, Verb, find_token, read_command

GOLDENS = Path(__file__).parents[1] / "data" / "letters"
NAMES = sorted(
    path.stem
    for path in GOLDENS.glob("*.txt")
    if "担当者専用" in path.read_text("utf-8") and path.stem != "staff_notice"
)
ANSWERED = [name for name in NAMES if name.startswith(("approval_request", "decision_recorded", "reply_unclear"))]


def body(name: str) -> list[str]:
    return (GOLDENS / f"{name}.txt").read_text("utf-8").partition("\n\n")[2].splitlines()


def header(name: str, key: str) -> str:
    return re.search(rf"^{key}: (.*)$", (GOLDENS / f"{name}.txt").read_text("utf-8"), re.MULTILINE)[1]


@pytest.mark.parametrize("name", [*NAMES, "staff_notice"])
@pytest.mark.parametrize("mark", ["", "> ", "　"])
def test_no_line_of_a_letter_to_staff_is_taken_for_a_command(name, mark):
    for line in body(name):
        assert isinstance(read_command(f"{mark}{line}"), Unclear), line


@pytest.mark.parametrize("name", ANSWERED)
@pytest.mark.parametrize("mark", ["", "> ", ">"])
def test_a_command_above_the_quoted_letter_is_read_and_nothing_else_of_it(name, mark):
    quoted = "\n".join(f"{mark}{line}" for line in body(name))
    assert read_command(f"承認\n{quoted}") == Command(Verb.APPROVE)
    assert isinstance(read_command(quoted), Unclear)


def test_every_command_that_is_taught_is_understood():
    for line in staff_letters.request_commands():
        japanese, english = re.match(r"・(\S+?)(?: \S+)?（(\S+)）", line).groups()
        assert _verb(japanese) is _verb(english) is not None
    assert "例）修正 利用者 氏名（英語）=Taro YAMADA" in "".join(staff_letters.request_commands())
    assert read_command("修正 利用者 氏名（英語）=Taro YAMADA") == Command(
        Verb.AMEND, amendments=(("利用者 氏名(英語)", "Taro YAMADA"),)
    )


def _verb(word: str) -> Verb | None:
    return next((phrase.verb for phrase in PHRASES if word in phrase.words), None)


@pytest.mark.parametrize("name", ["approval_request", "decision_recorded", "reply_unclear"])
def test_the_token_is_found_again_in_address_and_subject(name):
    subject, address = header(name, "Subject"), header(name, "Reply-To")
    token = re.search(r"\[#(.*)\]", subject)[1]
    for to, about in ((address, "Re: x"), ("ogis-lra@lra.example", f"Re: {subject}")):
        answer = f"From: tanaka@lra.example\r\nTo: {to}\r\nSubject: {about}\r\n\r\n承認\r\n"
        assert find_token(open_mail(answer.encode())) == token
