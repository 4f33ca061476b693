import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.bodies import MARKER, MAX_HTML, html_to_text, own_lines, unflow

# Reply headings as the mail programs of staff write them. Every one must end the author's own block.
HEADINGS = {
    "marker": MARKER,
    "marker quoted by a client": f"| {MARKER}",
    "angle": "> 承認依頼",
    "wide angle": "＞ 承認依頼",
    "gmail ja": "2024年7月1日(月) 9:30 OGIS-LRA <ogis-lra@lra.example>:",
    "gmail ja wrapped": "2024年7月1日(月) 9:30 OGIS-LRA センター 承認担当 <\nogis-lra@lra.example>:",
    "gmail en": "On Mon, Jul 1, 2024 at 9:30 AM OGIS-LRA <ogis-lra@lra.example> wrote:",
    "gmail en wrapped": "On Mon, Jul 1, 2024 at 9:30 AM OGIS-LRA\n<ogis-lra@lra.example>\nwrote:",
    "apple ja": "2024/07/01 9:30、OGIS-LRA <ogis-lra@lra.example>のメール:",
    "iphone ja": "2024/07/01 9:30、OGIS-LRA <ogis-lra@lra.example>のメール：",
    "apple old ja": "2024/07/01 9:30、OGIS-LRA のメッセージ:",
    "thunderbird ja": "On 2024/07/01 9:30, OGIS-LRA wrote:",
    "thunderbird old": "(2024/07/01 9:30), OGIS-LRA wrote:",
    "someone wrote": "OGIS-LRAさんは書きました:",
    "someone wrote with address": "OGIS-LRA <ogis-lra@lra.example> さんは書きました:",
    "becky": "On Mon, 1 Jul 2024 09:30:00 +0900\nOGIS-LRA <ogis-lra@lra.example> wrote:",
    "at": "At Mon, 1 Jul 2024 09:30:00 +0900, OGIS-LRA wrote:",
    "outlook plain": "-----Original Message-----",
    "outlook ja": "-----元のメッセージ-----",
    "outlook rule": "_" * 32,
    "outlook block": "差出人: OGIS-LRA <ogis-lra@lra.example>\n送信日時: 2024年7月1日 9:30\n宛先: 田中",
    "outlook block wide colon": "差出人：OGIS-LRA\n\n日付：2024年7月1日",
    "outlook en": "From: OGIS-LRA\nSent: Monday, July 1, 2024 9:30 AM",
    "outlook bold": "*From:* OGIS-LRA\n*Sent:* Monday",
    "notes": "-----山田 太郎 <ogis-lra@lra.example> -----",
    "forwarded": "---------- Forwarded message ---------",
    "forwarded ja": "---------- 転送メッセージ ----------",
    "apple forward": "Begin forwarded message:",
}


@pytest.mark.parametrize("heading", HEADINGS.values(), ids=HEADINGS)
def test_the_own_block_ends_at_every_known_heading(heading):
    assert own_lines(f"承認\n\n{heading}\n承認依頼の本文\n却下") == ("承認", "")


@pytest.mark.parametrize(
    "line",
    [
        "差出人: 住所が違うので待ってください",
        "日付: 7/31 に変更してください",
        "On second thought, please wait.",
        "2024年7月1日に電話で確認します。",
        "山田さんが書きましたが誤りです",
        "-----",
        "_____",
        "From: me",
        "この線より上に",
        "承認は山田さんのメール待ち",
        "x" * 5000,
    ],
)
def test_words_of_the_author_are_not_taken_for_a_heading(line):
    assert own_lines(f"承認\n{line}\nまだ待ってください") == ("承認", line, "まだ待ってください")


def test_invisible_characters_are_no_part_of_a_line():
    assert own_lines("\ufeff\u200b承\u200d認\u200e \x07\r\n") == ("承認",)


def test_only_the_first_thousand_lines_are_looked_at():
    assert len(own_lines("x\n" * 5000)) == 1000


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div>承認</div>", "承認"),
        ("<p>承認</p><p>二</p>", "承認\n\n二"),
        ("承認<br>二<br/>三", "承認\n二\n三"),
        ("<html><head><title>t</title><style>p{}</style></head><body>承認<script>x()</script></body>", "承認"),
        ("<title>never closed<body>承認", "承認"),
        ("<head><title>x</head>承認", "承認"),
        ("<b>承</b>認 \n\t します&nbsp;&amp;&#12354;", "承認 します &あ"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<ul><li>一</li><li>二</li></ul>", "一\n二"),
        ("<pre>a  b\n\nc</pre>d", "a  b\n\nc\nd"),
        ("<!-- x --><![if !x]>承認<![endif]><?xml y?><!DOCTYPE z>", "承認"),
        ("承認<!-- never closed", "承認"),
        ("1 < 2 <b>x</b> a<", "1 < 2 x a"),
        ("承認<style>", "承認"),
        ("", ""),
    ],
)
def test_html_becomes_the_text_a_person_sees(html, text):
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "quote",
    [
        '<div class="gmail_quote">{}</div>',
        '<div class="x_gmail_quote gmail_quote_container">{}</div>',
        '<blockquote type="cite">{}</blockquote>',
        '<blockquote cite="mid:1@x">{}</blockquote>',
        '<blockquote style="BORDER-LEFT: #000 2px solid">{}</blockquote>',
        '<div id="divRplyFwdMsg">{}</div>',
        '<div id="x_x_divRplyFwdMsg">{}</div>',
        '<div id="appendonsend"></div><hr>{}',
        '<div class="moz-cite-prefix">{}</div>',
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt"><p>{}</p></div>',
        '<div class="yahoo_quoted"><p>{}</p></div>',
        '<div class="protonmail_quote">{}</div>',
    ],
)
def test_the_quoted_mail_of_an_html_reply_is_marked_as_quoted(quote):
    text = html_to_text(f"<div>承認</div>{quote.format('却下 理由')}<p>承認依頼</p>")
    assert [line for line in own_lines(text) if line] == ["承認"]
    assert "> 却下 理由" in text


def test_a_bare_blockquote_is_the_authors_indent():
    assert own_lines(html_to_text("承認<blockquote>ただし来週から</blockquote>")) == ("承認", "ただし来週から")


@given(st.text(alphabet="<>/!-?=\"' abdivpre&;#承\n[]", max_size=200))
def test_any_markup_gives_text(html):
    html_to_text(html)


@pytest.mark.parametrize(
    "piece", ["<!", "<", "</a ", "<a ", "<!--", "<![", "<?", "&#x", '<a b="', "<p>", "<script", "<b>x</b>"]
)
@pytest.mark.parametrize("end", ["", ">", "-->"])
def test_hostile_markup_is_read_in_time_that_grows_with_its_length(piece, end):
    started = time.process_time()
    html_to_text(piece * (MAX_HTML // len(piece)) + end)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "delsp", "whole"),
    [
        ("質問 これは \n一つの行です", False, "質問 これは 一つの行です"),
        ("質問 これは \n一つの行です", True, "質問 これは一つの行です"),
        ("承認\n-- \n山田", False, "承認\n-- \n山田"),
        ("a \n-- \nb", False, "a \n-- \nb"),
        ("> a \n> b\nc", False, "> a b\nc"),
        (">a \n>>b", False, "> a \n>> b"),
        (" >not a quote", False, ">not a quote"),
        ("a \n", True, "a"),
        ("", False, ""),
    ],
)
def test_flowed_lines_are_put_together(text, delsp, whole):
    assert unflow(text, delsp=delsp) == whole
