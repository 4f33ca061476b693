"""What may stand below a command because it says nothing, and what may not."""

import re
import unicodedata
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.bodies import own_lines
from parsers.reply import PHRASES, Author, Command, Unclear, Verb, read_command
from parsers.reply_ends import is_program_line, says_nothing

AUTHOR = Author.of(
    names=("田中 恵子", "株式会社オージス総研", "電子証明書発行サービス LRAセンター"),
    address="keiko.tanaka@lra.example",
    signature="*** 認証チーム ***\nWebEC Team / Osaka",
)
TODAY = date(2026, 7, 1)


@pytest.mark.parametrize(
    "below",
    [
        "以上",
        "以上です。",
        "よろしくお願いいたします。",
        "以上、ご対応のほど、どうぞ宜しくお願い致します",
        "お疲れ様でした。",
        "Best regards,",
        "田中",
        "田中　恵子",
        "田中恵子",
        "Keiko Tanaka",
        "株式会社オージス総研",
        "株式会社オージス総研 認証部 第二課",
        "認証サービス部",
        "課長 田中 恵子",
        "TEL 06-0000-0000",
        "電話：06-0000-0000（内線 1234）",
        "FAX: +81 6 0000 0000",
        "Mobile 090-0000-0000",
        "keiko.tanaka@lra.example",
        "E-mail：keiko.tanaka@lra.example",
        "https://www.lra.example/",
        "〒550-0023",
        "〒550-0023 大阪府大阪市西区千代崎3-1",
        "埼玉県さいたま市大宮区1丁目2番3号",
        "==========",
        "－－－－－－",
        "***---***",
        "*** 認証チーム ***",
        "WebEC Team / Osaka",
        "iPhoneから送信",
    ],
)
def test_closing_formulas_and_the_authors_own_signature_say_nothing(below):
    assert says_nothing(below, AUTHOR) or is_program_line(below)
    assert read_command(f"承認\n\n{below}", author=AUTHOR) == Command(Verb.APPROVE)


@pytest.mark.parametrize(
    "below",
    [
        "ただし、押印を確認してください。",
        "待って",
        "一旦停止",
        "一旦 保留",
        "明日まで",
        "要確認",
        "却下",
        "やはり却下で",
        "保留課",
        "取消部 田中",
        "田中さんに確認してから",
        "田中 待って",
        "鈴木 一郎",
        "株式会社青空電機",
        "株式会社オージス総研の件は保留",
        "大阪府の件は3日待って",
        "〒550-0023 ですが、まだ",
        "東京都の分は1件だけ",
        "以上の理由で却下します",
        "以上、保留でお願いします",
        "よろしくお願いします、が、まだ待ってください",
        "TEL 折り返してください",
        "06-0000-0000 に電話してから",
        "https://www.lra.example/ を見てから",
        "Thanks, but wait",
        "Please wait",
        "Keiko says no",
        "iPhoneから送信しましたが、待ってください",
        "?",
        "x" * 200,
    ],
)
def test_anything_else_is_a_sentence_and_makes_the_reply_unclear(below):
    assert not says_nothing(below, AUTHOR)
    assert isinstance(read_command(f"承認\n\n{below}", author=AUTHOR), Unclear)


@pytest.mark.parametrize("below", ["以上", "よろしくお願いします", "田中", "=========="])
def test_a_signature_begins_behind_a_blank_line(below):
    assert isinstance(read_command(f"承認\n{below}", author=AUTHOR), Unclear)
    assert isinstance(read_command(f"{below}\n\n承認", author=AUTHOR), Unclear)


@pytest.mark.parametrize(
    ("text", "argument", "target"),
    [
        ("不在 7/22-7/26", "2026-07-22/2026-07-26", ""),
        ("不在 7/22〜7/26 代理 鈴木", "2026-07-22/2026-07-26", "鈴木"),
        ("不在　７月２２日から７月２６日まで　代理：鈴木 一郎", "2026-07-22/2026-07-26", "鈴木 一郎"),
        ("不在 2026-07-22 - 2026-07-26", "2026-07-22/2026-07-26", ""),
        ("不在 7/22", "2026-07-22/2026-07-22", ""),
        ("休み 7/1", "2026-07-01/2026-07-01", ""),
        ("不在 12/29-1/3", "2026-12-29/2027-01-03", ""),
        ("不在 6/30", "2027-06-30/2027-06-30", ""),
        ("away 2026/7/22 to 2026/7/26 deputy Suzuki", "2026-07-22/2026-07-26", "Suzuki"),
    ],
)
def test_an_absence_has_a_first_and_a_last_day_and_maybe_a_deputy(text, argument, target):
    assert read_command(text, today=TODAY) == Command(Verb.ABSENCE, argument, target=target)


@pytest.mark.parametrize(
    "text",
    [
        "不在",
        "不在 来週",
        "不在 7/32",
        "不在 2026/7/26-2026/7/22",
        "不在 2026/7/1-2028/7/1",
        "不在 2/29",
        "不在 7-22",
        "不在 7/22 鈴木",
        "不在です",
    ],
)
def test_an_absence_that_is_not_wholly_one_is_unclear(text):
    assert isinstance(read_command(text, today=TODAY), Unclear)


def test_without_todays_date_the_year_must_be_written():
    assert isinstance(read_command("不在 7/22-7/26"), Unclear)
    assert read_command("不在 2026/7/22").argument == "2026-07-22/2026-07-22"


PIECES = [
    *sorted({word for phrase in PHRASES for word in phrase.words}),
    *(
        "できません",
        "？",
        "。",
        " ",
        "\u3000",
        "\n",
        "\n\n",
        "\r\n",
        "> ",
        "-- \n",
        "以上",
        "田中 恵子",
        "iPhoneから送信",
    ),
    *("ただし", "理由", "=", "：", "7/22"),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=9).map("".join))
def test_a_decision_is_never_found_unless_the_first_own_line_matches_the_grammar_wholly(text):
    said = read_command(text, author=AUTHOR, today=TODAY)
    if isinstance(said, Unclear):
        return
    first, *rest = (line for line in own_lines(text) if line)
    alone = read_command(first, today=TODAY)
    assert isinstance(alone, Command)
    assert alone.verb is said.verb
    # The word is the whole line, or its whole first word.
    word = re.split(r"[\s:：]", first, maxsplit=1)[0]
    assert any(_folded(word).removesuffix("。") in phrase.words for phrase in PHRASES if phrase.verb is said.verb)
    for line in rest[: rest.index("--")] if "--" in rest else rest:
        another = read_command(line, today=TODAY)
        amends = isinstance(another, Command) and another.verb is said.verb is Verb.AMEND
        assert amends or says_nothing(line, AUTHOR) or is_program_line(line)


def _folded(word):
    return unicodedata.normalize("NFKC", word).strip().casefold()
