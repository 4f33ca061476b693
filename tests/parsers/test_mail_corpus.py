"""Every mail of the made-up corpus (tools/make_mails.py) is read right, and no mutation of one loses a byte unsaid."""

import hashlib
import unicodedata
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.containers import take_out
from parsers.mail import documents, open_mail
from tools.fuzz_mail import fault_in, mutated
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


@settings(max_examples=150)
@given(st.integers(0, len(CORPUS) - 1), st.integers(0, 2**32))
def test_a_mutation_of_any_mail_is_a_mail_and_loses_no_form(number, seed):
    assert fault_in(mutated(CORPUS[number].raw, Random(seed))) == ""
