"""Staff replies: the whole-line grammar of SPEC 2.1 over the first own block, and the request's token.

A reply is read conservatively. The author's own lines must be exactly one command, or only 修正 lines; below them only
what is known to say nothing may stand: a marked signature, the lines that phones add, and behind a blank line a closing
formula or the author's own signature block (`parsers.reply_ends`). Everything else is `Unclear` and changes nothing: a
sentence that merely contains 承認 is no approval, and neither is a greeting with a command below it.
"""

import re
from dataclasses import dataclass
from datetime import date

from parsers.bodies import own_lines
from parsers.headers import read_addresses
from parsers.mail import Mail
from parsers.reply_ends import NOBODY, Author, is_program_line, says_nothing
from parsers.reply_words import (
    PHRASES,
    Command,
    Phrase,
    RefusalError,
    Verb,
    find_case_number,
    fold,
    usage,
)

__all__ = [
    "PHRASES",
    "Author",
    "Command",
    "Phrase",
    "Unclear",
    "Verb",
    "find_case_number",
    "find_token",
    "read_command",
    "signed_recipients",
    "signed_tokens",
    "usage",
]


@dataclass(frozen=True, slots=True)
class Unclear:
    """A reply that is no command: the line that was not understood, and a Japanese sentence that says why."""

    line: str
    reason: str


def read_command(text: str, *, author: Author = NOBODY, today: date | None = None) -> Command | Unclear:
    """The order in the first own block of a reply, or why there is none. Never raises.

    `text` is what was authenticated (`Verdict.text`). Own words end at the first sign of quoted mail or at a `-- ` line
    (RFC 3676 section 4.3). `author` tells his signature from a sentence; `today` the year of a day without one.
    """
    lines = _before_signature(own_lines(text))
    commands: list[tuple[str, Command]] = []
    behind_blank = False
    for at, line in enumerate(lines):
        if not line:
            behind_blank = bool(commands)
            continue
        command = _read_line(line, today)
        if isinstance(command, Command):
            commands.append((line, command))
            behind_blank = False
            continue
        if not commands:
            # A program's line is no word of the author's; without a command above it there is none.
            return _nothing_written() if is_program_line(line) else command
        return _finish(commands, lines[at:], author, behind_blank=behind_blank)
    return _join(commands) if commands else _nothing_written()


def _nothing_written() -> Unclear:
    return Unclear("", "引用より上に操作が書かれていません。返信の1行目に操作を書いてください。")


def _finish(
    commands: list[tuple[str, Command]], below: tuple[str, ...], author: Author, *, behind_blank: bool
) -> Command | Unclear:
    """The command, if what stands below it says nothing."""
    for line in below:
        if not line:
            behind_blank = True
        elif not (is_program_line(line) or (behind_blank and says_nothing(line, author))):
            return Unclear(_clip(line), "操作の下に別の文があります。操作だけを書いてください。")
    return _join(commands)


def _join(commands: list[tuple[str, Command]]) -> Command | Unclear:
    if len(commands) == 1:
        return commands[0][1]
    return _join_amendments([command for _, command in commands], [line for line, _ in commands])


def _before_signature(lines: tuple[str, ...]) -> tuple[str, ...]:
    # The blank of the mark `-- ` is often lost on the way.
    return lines[: lines.index("--")] if "--" in lines else lines


def _join_amendments(commands: list[Command], lines: list[str]) -> Command | Unclear:
    values: dict[str, str] = {}
    for command, line in zip(commands, lines, strict=True):
        if command.verb is not Verb.AMEND:
            return Unclear(_clip(line), "操作は1通に1つだけ書いてください（「修正」だけは複数行書けます）。")
        for label, value in command.amendments:
            if values.setdefault(label, value) != value:
                return Unclear(_clip(line), "同じ項目に異なる値が書かれています。")
    return Command(Verb.AMEND, amendments=tuple(values.items()))


def _clip(line: str) -> str:
    return line if len(line) <= 200 else line[:199] + "…"


_WORD_AND_REST = re.compile(r"([^\s:：]+)(?:[\s:：]+(\S.*))?", re.DOTALL)


def _read_line(line: str, today: date | None) -> Command | Unclear:
    found = _WORD_AND_REST.fullmatch(line)
    word, rest = (fold(found[1]).casefold(), (found[2] or "").strip()) if found else ("", "")
    phrase = _phrase_of(word, alone=not rest)
    if phrase is None:
        return Unclear(_clip(line), "操作として読み取れない文です。返信の1行目に操作だけを書いてください。")
    try:
        argument = phrase.read(rest, today) if phrase.verb is Verb.ABSENCE else phrase.read(rest)
    except RefusalError as refusal:
        return Unclear(_clip(line), str(refusal))
    if phrase.verb is Verb.AMEND:
        return Command(Verb.AMEND, amendments=((argument.target, argument.text),))
    return Command(phrase.verb, argument.text, target=argument.target)


def _phrase_of(word: str, *, alone: bool) -> Phrase | None:
    # A full stop closes 「承認します。」 as a sentence; it is the only character that may follow a word.
    bare = word.removesuffix("。") if alone else word
    return next((phrase for phrase in PHRASES if bare in phrase.words), None)


# 130 bits in base32 without padding (RFC 4648 section 6).
_BASE32 = r"[A-Z2-7]{26}"
_SUBJECT_TOKEN = re.compile(rf"\[#({_BASE32})\]", re.IGNORECASE | re.ASCII)
_ADDRESS_TOKEN = re.compile(rf"[^@]+\+({_BASE32})@[^@]+", re.IGNORECASE | re.ASCII)


def find_token(mail: Mail) -> str | None:
    """The token of the request that a mail answers: from a recipient address `local+TOKEN@domain` and the Subject
    `[#TOKEN]`, in upper case (mail servers may fold the case of an address). None where there is none, or where two
    different ones are found: an answer to two requests is an answer to neither."""
    found = {token.upper() for token in _SUBJECT_TOKEN.findall(mail.subject)}
    for recipient in mail.recipients:
        match = _ADDRESS_TOKEN.fullmatch(recipient.address)
        if match:
            found.add(match[1].upper())
    return found.pop() if len(found) == 1 else None


def signed_tokens(mail: Mail) -> frozenset[str]:
    """The tokens in Subject and To alone: what a DKIM signature covers; other fields may be added on the way."""
    found = {token.upper() for token in _SUBJECT_TOKEN.findall(mail.subject)}
    matches = (_ADDRESS_TOKEN.fullmatch(address) for address in _in_to(mail))
    return frozenset(found | {match[1].upper() for match in matches if match})


def signed_recipients(mail: Mail) -> frozenset[str]:
    """The addresses in To, in lower case, without a token: `local+TOKEN@domain` is `local@domain`."""
    return frozenset(re.sub(rf"\+{_BASE32}(?=@)", "", each, flags=re.IGNORECASE).lower() for each in _in_to(mail))


def _in_to(mail: Mail) -> list[str]:
    return [recipient.address for value in mail.header("to") for recipient in read_addresses(value).addresses]
