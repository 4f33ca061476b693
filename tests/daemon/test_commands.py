"""What staff commands mean for a case: names of fields as people write them, and every command in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import commands
from daemon.case import State
from daemon.commands import ACTIONS, CONSEQUENCES, READING, STATE_WORDS, field_of, word
from parsers.reply import PHRASES, Command, Verb
from support.applications import HANAKO, ICHIRO, TABLE, application, deliver, enrol


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("user.name_en", "user.name_en"),
        ("利用者 氏名（英語）", "user.name_en"),
        ("利用者氏名(英語)", "user.name_en"),
        ("利用者　氏名（英語）", "user.name_en"),
        ("氏名（英語）", "user.name_en"),
        ("申請者 氏名", "applicant.name"),
        ("申請日", "application_date"),
        ("失効希望日", None),
        ("現在お持ちの証明書の失効希望日", "wished_revocation_date"),
        ("メールアドレス", None),  # of the applicant or of the user?
        ("変更後（後任者） 氏名（日本語）", "after.name_ja"),
        ("好きな色", None),
        ("", None),
    ],
)
def test_a_field_is_meant_by_its_printed_label_or_its_name(label, key):
    assert field_of(label, application("cancellation"), TABLE) == key


def test_a_label_without_its_block_means_the_one_that_is_not_grey():
    assert field_of("氏名（英語）", application("cancellation"), TABLE) == "user.name_en"
    assert field_of("氏名（英語）", application("handover", HANAKO, ICHIRO), TABLE) is None
    assert field_of("氏名（英語）", application(None), TABLE) is None


@given(st.sampled_from([row.key for row in TABLE.fields()]), st.sampled_from([*TABLE.types, None]))
def test_every_field_can_be_named_in_full_for_every_type(key, kind):
    form = application(kind)
    assert field_of(key, form, TABLE) == key
    assert field_of(TABLE.label(key), form, TABLE) == key


@given(st.text(max_size=40))
def test_any_label_means_a_field_of_the_table_or_none(label):
    assert field_of(label, application("handover", HANAKO, ICHIRO), TABLE) in {
        None,
        *(row.key for row in TABLE.fields()),
    }


@pytest.mark.parametrize("verb", Verb)
def test_every_command_can_be_repeated_in_words_and_says_what_follows(verb):
    assert word(Command(verb, "理由")).endswith(" 理由")
    if verb in ACTIONS:
        assert commands.consequences(Command(verb, "理由"))


def test_the_tables_of_commands_agree():
    assert set(CONSEQUENCES) == set(ACTIONS)
    assert not set(READING) & set(ACTIONS)
    assert Verb.APPROVE not in ACTIONS  # only `replies` approves


def test_amendments_are_repeated_whole():
    made = Command(Verb.AMEND, amendments=(("氏名", "山田"), ("備考", "退職")))
    assert word(made) == "修正 氏名=山田、備考=退職"


def test_a_rejection_says_what_the_applicant_will_read():
    _, explained = commands.consequences(Command(Verb.REJECT, "重複"))
    assert "同じ内容の申請書" in explained


def test_every_state_has_a_word_for_staff():
    assert set(STATE_WORDS) == set(State)


def test_a_command_that_slipped_past_its_check_changes_nothing(stage):
    """The parser refuses such words already; these are the checks behind it."""
    enrol(stage)
    (number,) = deliver(stage, application("cancellation"))
    centre, now = stage.centre, stage.clock()
    with centre.store.transaction() as tx:
        case = commands.cases.find(tx, number)
        unknown = Command(Verb.CHANGE_TYPE, "変更届")
        assert "申請種別の名称が分かりません" in commands.problem(tx, centre, case, unknown, now=now)
        assert commands.problem(tx, centre, case, Command(Verb.CHANGE_TYPE, "再発行"), now=now) is None
        wrong = Command(Verb.AMEND, amendments=(("好きな色", "青"),))
        with pytest.raises(ValueError, match="not checked"):
            ACTIONS[Verb.AMEND](tx, centre, case, wrong, centre.settings.approvers[0], now=now)
        assert commands.cases.find(tx, number) == case


@pytest.mark.parametrize("verb", list(Verb))
def test_every_command_can_be_repeated_in_one_japanese_line(verb):
    """A reply that asks for what the case does not allow is answered with what was understood."""
    said = word(Command(verb, "x", target="y"))
    assert said.split()[0] in next(phrase.words for phrase in PHRASES if phrase.verb is verb)
