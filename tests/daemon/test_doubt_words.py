"""Why a reading is doubtful, in words: every code that the parsers give has some, and none is kept from staff."""

import ast
from pathlib import Path

from daemon.cross_checks import LIFTABLE
from daemon.doubt_words import DOUBT_WORDS, NOTE_WORDS, doubt_words, note_words
from parsers.reading import FieldValue

PARSERS = Path(__file__).parents[2] / "parsers"


def given(name: str) -> set[str]:
    """The literal codes that the parsers pass as `doubts=` or `notes=`."""
    found = set()
    for path in PARSERS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == name:
                found |= {part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
    return {code for code in found if isinstance(code, str)} - {name}  # the key under which JSON has them


def appended(module: str) -> set[str]:
    """The literal codes that a module gathers in lists of what speaks against a reading."""
    tree = ast.parse((PARSERS / module).read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return {
        call.args[0].value for call in calls if call.func.attr == "append" and isinstance(call.args[0], ast.Constant)
    }


def test_every_doubt_that_the_parsers_name_has_words():
    named = given("doubts") | appended("gate.py") | appended("scanned_form.py")
    assert named - DOUBT_WORDS.keys() == set()
    assert named >= {"second_opinion", "cut_off"}


def test_every_note_that_the_parsers_name_has_words():
    assert given("notes") - NOTE_WORDS.keys() == set()
    assert "cut_page" in given("notes")


def test_words_are_japanese_and_short_enough_for_a_phone():
    for words in (*DOUBT_WORDS.values(), *NOTE_WORDS.values()):
        assert any("ぁ" <= char <= "ん" for char in words)
        assert len(words) <= 36
        assert not words.endswith("。")


def test_only_doubts_with_words_can_be_lifted():
    assert DOUBT_WORDS.keys() >= LIFTABLE


def test_a_doubtful_value_has_at_least_one_reason_and_a_sure_one_none():
    assert len(doubt_words(FieldValue("a", "a", 0.5))) == 1
    assert doubt_words(FieldValue("a", "a", 0.95)) == ()
    assert doubt_words(FieldValue("a", "a", 0.5, doubts=("variant", "variant"))) == (DOUBT_WORDS["variant"],)
    (unknown,) = doubt_words(FieldValue("a", "a", 0.5, doubts=("brand_new",)))
    assert "brand_new" in unknown


def test_what_a_finding_says_is_not_said_again_and_an_unknown_note_is_shown():
    assert note_words(("code_unsigned",)) == ()
    assert note_words(("cut_page", "brand_new", "cut_page")) == (NOTE_WORDS["cut_page"], "brand_new")
