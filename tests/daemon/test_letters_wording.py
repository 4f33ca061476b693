"""Dates, line breaking and templates: how the words of all letters are set."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon import wording
from daemon.draft import LetterKind, Office
from daemon.line_breaking import columns, wrap

OFFICE = Office(
    address="ogis-lra@lra.example",
    name="LRAセンター",
    call_centre_phone="03-0000-0000",
    call_centre_mail="support@lra.example",
    form_url="https://www.lra.example/CA1",
    materials_url="https://www.lra.example/",
    site="株式会社サンプル",
)


# --- dates ---


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2026, 11, 22), "2026年11月22日（日）"),
        (date(2024, 2, 29), "2024年2月29日（木）"),
        (date(2027, 1, 4), "2027年1月4日（月）"),
    ],
)
def test_a_date_is_written_as_in_a_japanese_letter(day, text):
    assert wording.japanese_date(day) == text


def test_a_moment_is_written_in_the_time_of_japan():
    assert wording.japanese_time(datetime(2026, 11, 22, 15, 5, tzinfo=UTC)) == "2026年11月23日（月）00:05"
    new_york = timezone(timedelta(hours=-5))
    assert wording.jst_date(datetime(2026, 11, 22, 10, 0, tzinfo=new_york)) == date(2026, 11, 23)


def test_a_moment_without_time_zone_and_a_moment_as_a_day_are_errors():
    with pytest.raises(ValueError, match="time zone"):
        wording.japanese_time(datetime(2026, 11, 22, 15, 5))
    with pytest.raises(TypeError, match="time zone"):
        wording.japanese_date(datetime(2026, 11, 22, 15, 5, tzinfo=UTC))


# --- lines ---


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("短い行", ["短い行"]),
        ("　・この申請書に押印のうえご提出ください。", ["　・この申請書に押印のうえ", "　　ご提出ください。"]),
        ("1. この申請書に押印のうえご提出ください", ["1. この申請書に押印のうえ", "　 ご提出ください"]),
        ("ご不明な点は担当者にお送りください", ["ご不明な点は担当者に", "お送りください"]),
        ("申請書はあらためてお送りします", ["申請書はあらためて", "お送りします"]),
        ("再提出の期限は2026年8月22日です", ["再提出の期限は", "2026年8月22日です"]),
        ("下記のとおりご案内（別紙のとおり）です", ["下記のとおりご案内", "（別紙のとおり）です"]),
        ("｜お世話になっております青空電機です", ["｜お世話になっております", "｜青空電機です"]),
        ("see https://www.lra.example/ogis-lra now", ["see", "https://www.lra.example/ogis-lra", "now"]),
        ("　" * 20, [""]),
        ("漢" * 20, ["漢" * 13, "漢" * 7]),
        ("髙\U000e0100" * 20, ["髙\U000e0100" * 13, "髙\U000e0100" * 7]),
    ],
)
def test_lines_break_between_phrases_and_hang_under_their_bullet(text, lines):
    assert list(wrap(text, 26)) == lines


def test_a_closing_mark_hangs_over_the_edge_and_never_starts_a_line():
    assert list(wrap("内容を確認いたしました、確認です。", 22)) == ["内容を確認いたしました、", "確認です。"]


def test_a_line_that_must_not_stand_alone_is_marked():
    assert list(wrap("理由があります承認", 14, lambda line: line.startswith("承認"))) == ["理由があります", "…承認"]


@given(
    st.text(alphabet="あいう漢字カタカナー、。（）「」abc 123@./\u3000・※お\u0301", max_size=200), st.integers(12, 72)
)
def test_breaking_loses_nothing_but_blanks_and_keeps_the_width(text, width):
    lines = list(wrap(text, width))
    kept = "".join("".join(lines).split())
    assert kept == "".join(text.split())
    longest_word = max((columns(word) for word in text.split()), default=0)
    for line in lines:
        assert columns(line) <= max(width, longest_word) + 24
        assert line == line.rstrip()


@given(st.text(alphabet="漢字かな、。（）「」", max_size=120))
def test_no_line_starts_with_a_closing_mark_or_ends_with_an_opening_one(text):
    lines = list(wrap(text, 24))
    for line in lines[1:]:
        assert line[:1] not in ("、", "。", "）", "」"), lines
    for line in lines[:-1]:
        assert line[-1:] not in ("（", "「"), lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("一行", "一行"),
        (" 前後 \r\n 二行目\u2028三行目 ", "前後 ／ 二行目 ／ 三行目"),
        ("タブ\tと\x00制御", "タブ と〓制御"),
        ("\u202e反転\u200b", "〓反転〓"),
        ("外字\ue000", "外字〓"),
        ("髙﨑\U000e0100", "髙﨑\U000e0100"),
    ],
)
def test_foreign_text_stays_on_one_line_and_hides_nothing(text, shown):
    assert wording.one_line(text) == shown


# --- templates ---


def whole() -> dict[str, str]:
    texts = {
        kind.value: "Subject: 件名\n\n" + "".join(f"${{{name}}}\n" for name in sorted(names | {"footer"}))
        for kind, names in wording.PLACEHOLDERS.items()
    }
    footer = "".join(f"${name}\n" for name in ("site", "office", "reply_note", "call_centre_phone", "call_centre_mail"))
    return {**texts, "footer": footer, "footer_staff": "$office\n"}


def test_the_templates_of_the_package_are_in_order():
    wording.check_templates()


def test_every_kind_of_letter_has_its_placeholders_declared():
    assert set(wording.PLACEHOLDERS) == set(LetterKind)


@pytest.mark.parametrize(
    ("stem", "text", "complaint"),
    [
        ("receipt", None, r"receipt\.txt is missing"),
        ("footer", None, r"footer\.txt is missing"),
        ("farewell", "Subject: x\n\n$footer\n", r"farewell\.txt belongs to no letter"),
        ("password", "Subject: x\n\n$password $footer\n", r"password\.txt: placeholder reference is missing"),
        ("password", "Subject: x\n\n$password $reference\n", r"password\.txt: placeholder footer is missing"),
        ("password", "Subject: x\n\n$password $reference $footer $name", r"password\.txt: placeholder name is unknown"),
        ("footer_staff", "$office $token\n", r"footer_staff\.txt: placeholder token is unknown"),
        ("password", "Subject: x\n\n$password $reference $footer 100$", r"password\.txt: a \$ is not followed"),
        ("password", "$password $reference $footer", r"password\.txt: the first line must be the subject"),
        ("password", "Subject: x\ny\n\n$password $reference $footer", r"password\.txt: the first line must be"),
    ],
)
def test_a_slip_in_a_template_is_named_with_file_and_placeholder(stem, text, complaint):
    texts = {**whole(), stem: text}
    with pytest.raises(ValueError, match=complaint):
        wording.check_templates({name: value for name, value in texts.items() if value is not None})


def test_a_whole_set_of_templates_is_accepted():
    wording.check_templates(whole())


@pytest.mark.parametrize("values", [{}, {"reference": "x"}, {"reference": "x", "password": "y", "name": "z"}])
def test_a_letter_is_filled_with_exactly_its_own_values(values):
    with pytest.raises(ValueError, match="values and placeholders differ"):
        wording.fill(LetterKind.PASSWORD, OFFICE, values)


def test_a_value_with_a_dollar_sign_is_text_and_no_placeholder():
    assert "$footer" in wording.fill(LetterKind.PASSWORD, OFFICE, {"reference": "x", "password": "$footer"}).body
