"""Mutated mails through the opening of mails and containers, by the hundred thousand.

    .venv/bin/python -m tools.fuzz_mail [--count 100000] [--seed 1] [--report docs/soak/fuzz_mail.md]

Each is a mail of the made-up corpus with octets changed, cut out, doubled or put in. Nothing may be raised, take more
than two seconds, or lose a form unsaid: every PDF that the standard library finds in the mail is in an attachment, or a
defect says that something is wrong. The suite runs a shortened form (tests/parsers/test_mail_corpus.py).
"""

import argparse
import email
import sys
import time
from pathlib import Path
from random import Random

from parsers.containers import take_out
from parsers.mail import open_mail
from tools.make_mails import mails

_PIECES = (
    b"\r\n",
    b"\n--",
    b"=",
    b"\x1b$B",
    b"\x1b(B",
    b'"',
    b"\0",
    b"\xff",
    b"?=",
    b"=?utf-8?B?",
    b"\r\n\r\n",
    b"*0*=",
)
_MOST_SECONDS = 2.0


def mutated(raw: bytes, random: Random) -> bytes:
    """The mail with octets changed, cut out, doubled or put in, mostly where structure is."""
    data = bytearray(raw)
    for _ in range(random.randrange(1, 8)):
        at = random.randrange(len(data)) if random.random() < 0.5 else random.randrange(min(len(data), 1500))
        kind = random.randrange(5)
        if kind == 0:
            data[at] = random.randrange(256)
        elif kind == 1:
            del data[at : at + random.randrange(60)]
        elif kind == 2:
            data[at:at] = random.choice(_PIECES)
        elif kind == 3:
            data[at:at] = data[at : at + random.randrange(200)]
        else:
            del data[at:]
        data = data or bytearray(b"x")
    return bytes(data)


def forms_in(raw: bytes) -> list[bytes]:
    """What the standard library alone finds of PDFs, in its own way."""
    try:
        parts = [part for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
        contents = [part.get_payload(decode=True) for part in parts]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    return [data for data in contents if isinstance(data, bytes) and b"%PDF-" in data[:1024]]


def fault_in(raw: bytes) -> str:
    """What is wrong with the opening of these octets; empty where nothing is."""
    mail = open_mail(raw)
    for text in (mail.subject, mail.text, mail.message_id, *(value for _, value in mail.headers)):
        text.encode("utf-8")
    for attachment in mail.attachments:
        attachment.name.encode("utf-8")
        take_out(attachment.data)
    kept = [each.data for each in mail.attachments]
    if not mail.defects and not all(any(form in data for data in kept) for form in forms_in(raw)):
        return "a form was lost"
    if "\ufffd" in mail.text + mail.subject and not {"text_damaged", "subject_damaged"} & set(mail.defects):
        return "damage was not told"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Open mutated mails.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    corpus = mails(270, options.seed)
    faults: list[str] = []
    slowest = 0.0
    for number in range(options.count):
        raw = mutated(corpus[number % len(corpus)].raw, Random(f"{options.seed}/{number}"))
        began = time.process_time()
        try:
            fault = fault_in(raw)
        except Exception as error:  # noqa: BLE001 - that nothing is raised is what is asked
            fault = f"{type(error).__name__} was raised"
        took = time.process_time() - began
        slowest = max(slowest, took)
        if fault or took > _MOST_SECONDS:
            faults.append(f"- mutation {number}: {fault or f'{took:.1f} s'}")
    told = [
        f"{options.count} mutated mails, seed {options.seed}: {len(faults)} faults, slowest {slowest:.2f} s of CPU."
    ]
    text = "\n".join(["# Mutated mails", "", "Written by `tools/fuzz_mail.py`.", "", *told, *faults[:100], ""])
    sys.stdout.write("\n".join([*told, *faults[:20], ""]))
    if options.report:
        options.report.write_text(text, "utf-8")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
