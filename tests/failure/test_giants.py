"""Mails that are made to be too much: each has a clear outcome, and the ordinary application behind it is dealt with.

Smaller ones here, over the embedded server; in full over Dovecot with their times in docs/soak/giants.md (`make soak`).
"""

import pytest

from failure.giants import GIANTS, play
from support.kills import Plan, life_of


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", GIANTS)
def test_a_giant_has_an_outcome_and_does_not_keep_the_next_mail(registered, zygote, kills_folder, tmp_path, name):
    make, _, size = GIANTS[name]
    mail = make(size)
    with life_of(zygote, registered, tmp_path / "centre", "embedded", Plan(memory=kills_folder / "memory")) as life:
        told = play(life, name, mail)
        assert told.application == "awaiting_decision"
        assert told.outcome.partition(",")[0] in {"read", "held"}
        assert told.to_sender + told.to_staff > 0
        # The mail itself may be held a few times over; what is in it may not be unpacked into memory.
        assert told.most - told.before < 150_000_000 + 5 * len(mail)
        life.end()
