"""What leaves no spent token behind must not be taken again: an order (至急失効, 不在), and 保留, 質問, メモ.

Whoever has the signed mail sends it by SMTP, so that other octets arrive; S/MIME signs no header, so there a forger also
writes another Message-ID.
"""

from datetime import timedelta

import pytest

from attacks.besieged import COLLEAGUE, LEFT, Besieged
from daemon.demo.stage import Clock
from support.applications import enrol
from support.letters_in import OFFICE, STAFF
from support.names import name_server
from support.signed_mails import AT, Shown, answer, detached, dkim_signed, entity, keys, showing

ABSENCE, URGENT = "不在 2026-08-03〜2026-08-07", "至急失効 W000001 紛失"
FIELD, OTHER = b"Message-ID: <1@aozora-denki.example>", b"Message-ID: <2@evil.example>"
THIRD = b"Message-ID: <3@lra.example>"


@pytest.fixture
def clock():
    return Clock(AT - timedelta(hours=1))


@pytest.fixture
def centre(stage, clock, tmp_path):
    """A centre with one live certificate, at the moment AT."""
    with name_server() as names:
        made = Besieged(stage, names, tmp_path)
        made.configure()
        made.names.records = dict(keys())
        enrol(stage)
        clock.move(AT)
        yield made


def ordered(method, words, at):
    with showing(Shown(at=at)):
        if method == "dkim":
            return dkim_signed(answer(words, quoted="", to=OFFICE, subject="x"))
        return detached(entity(words, quoted=""), to=OFFICE, subject="x")


@pytest.mark.parametrize(
    ("method", "words"), [("dkim", ABSENCE), ("dkim", URGENT), ("smime", ABSENCE), ("smime", URGENT)]
)
def test_an_order_that_was_taken_is_not_taken_again(centre, method, words):
    raw = ordered(method, words, AT)
    with centre.known_by(method):
        assert centre.arrive(lambda: centre.by_smtp(raw)).outcome.startswith("order_")
        centre.stage.clock.move(AT + timedelta(minutes=10))
        again = centre.arrive(lambda: centre.by_smtp(raw.replace(FIELD, OTHER) if method == "smime" else raw))
    assert (again.outcome, again.changed) == ("refused_order_repeated", ())
    assert again.letters == tuple(sorted((each, "decision_refused") for each in (STAFF, LEFT, COLLEAGUE)))


@pytest.mark.parametrize("age", [timedelta(minutes=1), timedelta(days=2)])
def test_a_signed_order_is_believed_while_its_signature_is_young_and_newer_than_the_last_order(centre, age):
    """One that never reached us, because it was written to somebody else, is no order for ever."""
    with centre.known_by("smime"):
        first = centre.arrive(lambda: centre.by_smtp(ordered("smime", ABSENCE, AT)))
        later = AT + timedelta(hours=2)
        raw = ordered("smime", "不在 2026-09-07〜2026-09-09", later).replace(FIELD, OTHER)
        centre.stage.clock.move(later + age)
        second = centre.arrive(lambda: centre.by_smtp(raw))
    assert first.outcome.startswith("order_")
    assert second.outcome == ("refused_order_repeated" if age > timedelta(days=1) else first.outcome)


@pytest.mark.parametrize("words", ["保留 確認中", "質問 退職日はいつですか。", "メモ 電話で確認"])
@pytest.mark.parametrize("method", ["dkim", "smime"])
def test_a_reply_that_leaves_its_token_open_acts_once(centre, method, words):
    number = centre.case("cancellation")
    with centre.known_by(method), showing(centre.request(number)):
        raw = dkim_signed(answer(words)) if method == "dkim" else detached(entity(words))
        first = centre.arrive(lambda: centre.by_smtp(raw))
        again = centre.arrive(lambda: centre.by_smtp(raw.replace(FIELD, OTHER) if method == "smime" else raw))
        told = [kind for _, kind in again.letters]
        newer = Shown(centre.request(number).token, number, centre.request(number).code, AT + timedelta(minutes=1))
        with showing(newer):
            made = dkim_signed(answer().replace(FIELD, OTHER)) if method == "dkim" else detached().replace(FIELD, THIRD)
            last = centre.arrive(lambda: centre.by_smtp(made))
    assert first.outcome.startswith("decision_")
    assert (again.outcome, again.changed, told) == ("refused_reply_repeated", (), ["decision_refused"] * 3)
    assert last.outcome == "decision_approve"
