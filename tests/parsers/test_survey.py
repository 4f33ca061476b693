"""Mails that were built to be costly: bounded time and memory, the bytes kept, a person told. Small sizes; the full ones
run in `make soak` (tools/measure_mail.py)."""

import pytest

from parsers import survey
from parsers.mail import documents, is_overgrown, open_mail
from tools.measure_mail import SHAPES, measure


@pytest.mark.parametrize("name", SHAPES)
def test_a_costly_mail_is_read_in_bounded_time_and_memory_and_kept_whole(name):
    told = measure(name, scale=0.1)
    assert told.cpu < 10
    assert told.grown < 12 * told.size + (64 << 20)
    assert told.kept


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.overgrown])
def test_what_is_not_taken_apart_has_its_header_read_and_is_for_a_person(name):
    raw = SHAPES[name].make(0.25 if name not in ("size", "short-lines") else 1.0)
    mail = open_mail(raw)
    assert is_overgrown(mail)
    assert mail.senders[0].address == "aoki@aozora-denki.example"
    assert mail.attachments[-1].data == raw
    assert documents(mail) == () or name == "many"


def test_an_ordinary_large_mail_is_taken_apart():
    raw = SHAPES["honest"].make(0.3)
    mail = open_mail(raw)
    assert mail.defects == ()
    assert len(documents(mail)) == 1


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\r\r"])
def test_the_head_is_the_header_alone(end):
    assert survey.head_of(b"A: b\r\nC: d" + end + b"body") == b"A: b\r\nC: d" + end
    assert survey.head_of(b"A: b\r\n" * 100_000) == (b"A: b\r\n" * 100_000)[: survey.MAX_HEADER // 6 * 6]
    assert survey.head_of(b"x") == b"x"
    assert len(survey.head_of(b"x" * 400_000)) == survey.MAX_HEADER
