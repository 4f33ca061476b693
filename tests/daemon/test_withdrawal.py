"""A mail that sounds like a withdrawal makes a hint, in words that fit the state of the case; never more."""

from types import SimpleNamespace

import pytest

from daemon.case import State
from daemon.withdrawal import hint, sounds_like


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("申請を取り下げます。", True),
        ("やはり取下げたいです", True),
        ("キャンセルをお願いします", True),
        ("手続きを中止してください", True),
        ("Please cancel my application.", True),
        ("退職日は3月31日です。", False),
        ("", False),
    ],
)
def test_words_that_sound_like_a_withdrawal(text, sounds):
    assert sounds_like(text) == sounds


@pytest.mark.parametrize("state", State)
def test_the_hint_fits_the_state_and_is_no_command(state):
    case = SimpleNamespace(state=state)
    said = hint(case, "取り下げます")
    assert ("「却下 取下げ」" in said) == (state in (State.AWAITING_DECISION, State.ON_HOLD))
    assert said.startswith("取下げのお申し出と思われます")
    assert hint(case, "承知しました") == ""
