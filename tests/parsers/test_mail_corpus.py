"""Every mail of the made-up corpus (tools/make_mails.py) is read right, and no mutation of one loses a byte unsaid."""

import email
import hashlib
import unicodedata
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.containers import take_out
from parsers.mail import documents, open_mail
from tools.mail_habits import HABITS
from tools.make_mails import mails

CORPUS = mails(270, seed=20240701)


def spelt(text):
    """As Windows spells it: one character of JIS has two code points, and a program's choice is no other word."""
    return text.translate(str.maketrans("〜‖−", "～∥－"))


@pytest.mark.parametrize("habit", HABITS)
def test_every_subject_name_body_and_file_is_right(habit):
    samples = [sample for sample in CORPUS if sample.truth.habit == habit]
    assert len(samples) >= 10
    for raw, truth in ((sample.raw, sample.truth) for sample in samples):
        mail = open_mail(raw)
        assert mail.subject == spelt(truth.subject)
        assert (mail.senders[0].name, mail.senders[0].address) == (spelt(truth.sender_name), truth.sender)
        assert mail.text.rstrip("\n") == spelt(truth.body)
        files = [(each.name, hashlib.sha256(each.data).hexdigest()) for each in mail.attachments]
        assert files == [(spelt(name), digest) for name, digest in truth.files]
        assert mail.suspicions == truth.suspicions
        assert not [defect for defect in mail.defects if "damaged" in defect]
        packed = [
            (unicodedata.normalize("NFC", item.path[-1]), hashlib.sha256(item.data).hexdigest())
            for each in mail.attachments
            for item in (take_out(each.data).items if truth.packed else ())
        ]
        assert packed == [(spelt(name), digest) for name, digest in truth.packed]


def test_every_form_of_the_corpus_is_a_document_and_no_logo_is():
    for sample in CORPUS:
        found = {each.name for each in documents(open_mail(sample.raw))}
        wanted = {name for name, _ in sample.truth.files if name.endswith((".pdf", ".zip", ".dat"))}
        assert wanted <= found
        assert not {name for name in found if name.startswith(("image", "part-"))}


def test_the_same_seed_gives_the_same_mails_and_another_seed_others():
    assert [each.raw for each in mails(30, 1)] == [each.raw for each in mails(30, 1)]
    assert [each.raw for each in mails(30, 1)] != [each.raw for each in mails(30, 2)]


PIECES = (
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
    b";",
    b"*0*=",
)


def mutated(raw, random):
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
            data[at:at] = random.choice(PIECES)
        elif kind == 3:
            data[at:at] = data[at : at + random.randrange(200)]
        else:
            del data[at:]
        data = data or bytearray(b"x")
    return bytes(data)


@settings(max_examples=150)
@given(st.integers(0, len(CORPUS) - 1), st.integers(0, 2**32))
def test_a_mutation_of_any_mail_is_a_mail_and_loses_no_form(number, seed):
    raw = mutated(CORPUS[number].raw, Random(seed))
    mail = open_mail(raw)
    for text in (mail.subject, mail.text, mail.message_id, *(value for _, value in mail.headers)):
        text.encode("utf-8")
    for attachment in mail.attachments:
        attachment.name.encode("utf-8")
        take_out(attachment.data)
    kept = [each.data for each in mail.attachments]
    for form in forms_in(raw):
        assert mail.defects or any(form in data for data in kept)
    if "\ufffd" in mail.text or "\ufffd" in mail.subject:
        assert {"text_damaged", "subject_damaged"} & set(mail.defects)


def forms_in(raw):
    """What the standard library alone finds of PDFs, in its own way."""
    try:
        parts = [part for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
        contents = [part.get_payload(decode=True) for part in parts]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    return [data for data in contents if isinstance(data, bytes) and b"%PDF-" in data[:1024]]
