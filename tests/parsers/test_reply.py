import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import request_types
from parsers.mail import open_mail
from parsers.reply import PHRASES, Command, Unclear, Verb, find_case_number, find_token, read_command, usage
from support.letters_in import OFFICE, TOKEN, letter, mixed, reply, text_part


@pytest.mark.parametrize(
    "text",
    [
        "承認",
        "承認します",
        "承認いたします",
        "承認致します。",
        "　承認　",
        "\r\n\r\n承認\r\n",
        "approve",
        "Approved",
        "ＡＰＰＲＯＶＥ",
        "\ufeff承認",
        "承\u200b認",
        "承認\n-- \n株式会社あおぞら電機\n田中",
        "承認\n--\n田中\n却下 理由",
        "承認\n\niPhoneから送信",
        "承認\n\nSent from my iPhone",
        "承認\n\n\nOutlook for iOS を入手",
        "承認\nOutlook for iOS<https://aka.ms/o0ukef>を入手",
        "承認\n[Outlook for Android](https://aka.ms/AAb9ysg) を入手",
        "承認\nGet Outlook for iOS",
        "承認\nAndroid携帯から送信",
        "承認\nWindows 版のメールから送信",
        "承認\nSent from Mail for Windows",
        "承認\niOS版 Outlook から送信",
        "承認\niPhoneから送信\n\n2024/07/01 9:30、OGIS-LRA <ogis-lra@lra.example>のメール:\n> 却下 理由",
        "承認\n________________________________\n差出人: OGIS-LRA\n却下 理由",
    ],
)
def test_an_approval_is_one_whole_line_of_its_own(text):
    assert read_command(text) == Command(Verb.APPROVE)


@pytest.mark.parametrize(
    "text",
    [
        "承認できません",
        "承認しません",
        "未承認",
        "不承認",
        "承認済みですか？",
        "承認？",
        "承認!",
        "承認は保留で",
        "承認 却下",
        "承認、却下",
        "承認\n却下 押印なし",
        "承認\n承認",
        "承認:",
        "承認：はい",
        "「承認」",
        "・承認（approve）：上記のとおり実行します",
        "承認 お願いします",
        "承認お願いします",
        "お世話になっております。\n承認",
        "お疲れさまです\n\n承認\n",
        "承認\nよろしくお願いします",
        "承認\n==========\n株式会社あおぞら電機",
        "承認\niPhoneから送信\nやはり待ってください",
        "承認\niPhoneから送信しましたが、待ってください",
        "承認\nSent from my iPhone, but please wait",
        "承認\nOutlook for iOS<https://x.example/> 待って",
        "承認\nただし\n-- \n田中",
        "-- \n承認",
        "ok",
        "OK",
        "yes",
        "はい",
        "了解しました",
        "I approve",
        "approve it",
        "do not approve",
        "承 認",
        "承認承認",
        "> 承認",
        "＞承認",
        "On Mon, 1 Jul 2024 OGIS-LRA wrote:\n承認",
        "",
        "\n \n",
        "iPhoneから送信",
    ],
)
def test_nothing_else_that_holds_the_word_is_an_approval(text):
    assert isinstance(read_command(text), Unclear)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("却下 押印がありません", Command(Verb.REJECT, "押印がありません")),
        ("却下します：対象外のため", Command(Verb.REJECT, "対象外のため")),
        ("reject no seal", Command(Verb.REJECT, "no seal")),
        ("差戻し　押印がありません", Command(Verb.RETURN, "押印がありません")),
        ("差し戻し 髙橋様の氏名をご確認ください", Command(Verb.RETURN, "髙橋様の氏名をご確認ください")),
        ("さしもどし 日付", Unclear("さしもどし 日付", "")),
        ("return ﾊﾝｶｸ", Command(Verb.RETURN, "ﾊﾝｶｸ")),
        ("質問 失効希望日はいつですか", Command(Verb.ASK, "失効希望日はいつですか")),
        ("保留 確認中", Command(Verb.HOLD, "確認中")),
        ("hold waiting", Command(Verb.HOLD, "waiting")),
        ("種別変更 担当変更", Command(Verb.CHANGE_TYPE, "担当変更")),
        ("種別変更 担当者交代", Command(Verb.CHANGE_TYPE, "担当変更")),
        ("種別変更 解約", Command(Verb.CHANGE_TYPE, "解約・失効")),
        ("type new-issue", Command(Verb.CHANGE_TYPE, "新規発行")),
        ("失効日 2024-07-31", Command(Verb.WISHED_DATE, "2024-07-31")),
        ("失効日 ２０２４／７／３１", Command(Verb.WISHED_DATE, "2024-07-31")),
        ("失効日 2024年7月31日", Command(Verb.WISHED_DATE, "2024-07-31")),
        ("失効日：令和6年7月31日", Command(Verb.WISHED_DATE, "2024-07-31")),
        ("失効日 令和元年5月1日", Command(Verb.WISHED_DATE, "2019-05-01")),
        ("date R6.7.31", Command(Verb.WISHED_DATE, "2024-07-31")),
        ("対象 S-0012", Command(Verb.CHOOSE, "S-0012")),
        ("対象 ２", Command(Verb.CHOOSE, "2")),
        ("再送 通知", Command(Verb.RESEND, "notice")),
        ("再送 パスワード", Command(Verb.RESEND, "password")),
        ("resend Password", Command(Verb.RESEND, "password")),
        ("至急失効 端末を紛失したため", Command(Verb.REVOKE_URGENTLY, "端末を紛失したため")),
        (
            "至急失効 WEBEC-20240701-0012 端末を紛失",
            Command(Verb.REVOKE_URGENTLY, "端末を紛失", target="WEBEC-20240701-0012"),
        ),
        ("至急失効　7f00a1b2c3　紛失", Command(Verb.REVOKE_URGENTLY, "紛失", target="7f00a1b2c3")),
        ("至急失効 2台紛失 至急", Command(Verb.REVOKE_URGENTLY, "2台紛失 至急")),
        ("取消", Command(Verb.CANCEL)),
        ("取り消し", Command(Verb.CANCEL)),
        ("undo", Command(Verb.CANCEL)),
        ("メモ 電話で確認済み", Command(Verb.NOTE, "電話で確認済み")),
        ("一覧", Command(Verb.LIST)),
        ("照会 webec-20240701-0012", Command(Verb.SHOW, "WEBEC-20240701-0012")),
        ("ヘルプ", Command(Verb.HELP)),
        ("help", Command(Verb.HELP)),
        (
            "修正 利用者 氏名（英語）＝Taro YAMADA",
            Command(Verb.AMEND, amendments=(("利用者 氏名(英語)", "Taro YAMADA"),)),
        ),
        ("修正 備考：髙① a=b", Command(Verb.AMEND, amendments=(("備考", "髙① a=b"),))),
        (
            "修正 氏名=山田\n\n修正：社名 = ㈱あおぞら電機\n-- \n田中",
            Command(Verb.AMEND, amendments=(("氏名", "山田"), ("社名", "㈱あおぞら電機"))),
        ),
        (
            "amend user.name_en=Taro\namend user.name_en=Taro",
            Command(Verb.AMEND, amendments=(("user.name_en", "Taro"),)),
        ),
    ],
)
def test_every_command_is_read_with_its_argument(text, command):
    found = read_command(text)
    if isinstance(command, Unclear):
        assert isinstance(found, Unclear)
    else:
        assert found == command


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("却下", "却下"),
        ("却下 ", "却下"),
        ("却下 理由", "却下 理由"),
        ("差戻し", "差戻し"),
        ("質問", "質問"),
        ("質問 文", "質問 文"),
        ("保留", "保留"),
        ("メモ", "メモ"),
        ("種別変更", "種別変更"),
        ("種別変更 変更", "種別変更 変更"),
        ("失効日", "失効日"),
        ("失効日 7/31", "失効日 7/31"),
        ("失効日 2024-02-30", "失効日 2024-02-30"),
        ("失効日 明日", "失効日 明日"),
        ("対象", "対象"),
        ("対象 1 2", "対象 1 2"),
        ("対象 山田", "対象 山田"),
        ("再送", "再送"),
        ("再送 両方", "再送 両方"),
        ("至急失効", "至急失効"),
        ("至急失効 WEBEC-20240701-0012", "至急失効 WEBEC-20240701-0012"),
        ("至急失効 WEBEC-20240701-0012 理由", "至急失効 WEBEC-20240701-0012 理由"),
        ("修正", "修正"),
        ("修正 氏名", "修正 氏名"),
        ("修正 氏名=", "修正 氏名="),
        ("修正 =山田", "修正 =山田"),
        ("照会", "照会"),
        ("照会 あれ", "照会 あれ"),
        ("取消 してください", "取消 してください"),
        ("一覧 全部", "一覧 全部"),
        ("質問 一行目\n二行目", "二行目"),
        ("修正 氏名=山田\n承認", "承認"),
        ("承認\n修正 氏名=山田", "承認"),
        ("修正 氏名=山田\n修正 氏名=田中", "修正 氏名=田中"),
        ("修正 氏名=山田\nお願いします", "お願いします"),
        ("却下 押印なし\nメモ 電話済み", "却下 押印なし"),
    ],
)
def test_an_incomplete_command_is_asked_back_with_its_line_and_a_reason(text, line):
    found = read_command(text)
    assert isinstance(found, Unclear)
    assert found.line == line
    assert found.reason.endswith(("。", "失効"))


def test_a_long_line_is_shown_cut():
    found = read_command("あ" * 500)
    assert isinstance(found, Unclear)
    assert len(found.line) == 200


WORDS = {word for phrase in PHRASES for word in phrase.words}


def test_no_word_stands_for_two_verbs_and_every_verb_has_one():
    assert len(WORDS) == sum(len(phrase.words) for phrase in PHRASES)
    assert {phrase.verb for phrase in PHRASES} == set(Verb)


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_is_written_as_it_is_compared(word):
    assert unicodedata.normalize("NFKC", word).casefold() == word


def test_help_has_one_line_a_command_and_none_of_them_is_one():
    assert len(usage()) == len(PHRASES)
    assert all(isinstance(read_command(line), Unclear | Command) for line in usage())
    assert isinstance(read_command("\n".join(usage())), Unclear)
    assert not any(read_command(line) == Command(Verb.APPROVE) for line in usage())


SIMPLE = {"承認", "承認する", "承認します", "承認いたします", "承認致します", "approve", "approved"}


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [*sorted(WORDS), "お世話になっております", "", " ", "> 承認", "-- ", "iPhoneから送信", "できません"]
            ),
            st.text(alphabet="承認却下 しませんでは。？=＝:：>＞-\u3000\u200b", max_size=8),
        ),
        max_size=5,
    ),
    st.sampled_from(["\n", "\r\n", " ", ""]),
)
def test_an_approval_is_never_found_unless_the_first_own_line_is_wholly_one(pieces, glue):
    text = glue.join(pieces)
    if read_command(text) == Command(Verb.APPROVE):
        lines = [line.replace("\u200b", "").strip() for line in text.splitlines()]
        first = next(line for line in lines if line)
        folded = unicodedata.normalize("NFKC", first).casefold().strip()
        assert folded.removesuffix("。") in SIMPLE
        rest = [line for line in lines[lines.index(first) + 1 :] if line]
        assert not rest or rest[0].startswith((">", "＞", "iPhoneから送信")) or rest[0] == "--"


@given(st.text(max_size=200))
def test_any_text_is_a_command_or_unclear(text):
    assert isinstance(read_command(text), Command | Unclear)


@given(st.text(alphabet="承認却下修正=あ\n> -", max_size=60))
def test_whatever_is_quoted_changes_nothing(text):
    own = read_command("承認")
    assert read_command("承認\n> " + text.replace("\n", "\n> ")) == own
    assert read_command("承認\n-----Original Message-----\n" + text) == own


def test_a_reply_in_html_only_is_read_the_same_way():
    body = '<div>承認</div><div class="gmail_quote"><blockquote>却下 理由<br>承認依頼</blockquote></div>'
    raw = letter(body, content_type="text/html; charset=utf-8")
    assert read_command(open_mail(raw).text) == Command(Verb.APPROVE)


def test_the_answer_of_an_absent_colleague_quotes_and_decides_nothing():
    raw = reply("本日は不在です。\n> 承認", fields=[("Auto-Submitted", "auto-replied")])
    mail = open_mail(raw)
    assert mail.automatic
    assert isinstance(read_command(mail.text), Unclear)


def test_every_type_of_the_table_can_be_named_in_a_change_of_type():
    for kind, rule in request_types.load().types.items():
        for word in (rule.word, *rule.synonyms, kind.value):
            assert read_command(f"種別変更 {word}") == Command(Verb.CHANGE_TYPE, rule.word)


LOCAL, _, DOMAIN = OFFICE.partition("@")
OTHER = "Z" * 26


def token_of(**settings):
    return find_token(open_mail(letter("承認", **settings)))


@pytest.mark.parametrize(
    ("to", "subject", "token"),
    [
        (f"{LOCAL}+{TOKEN}@{DOMAIN}", "Re: x", TOKEN),
        (f"{LOCAL}+{TOKEN.lower()}@{DOMAIN}", "Re: x", TOKEN),
        (OFFICE, f"Re: [承認依頼][#{TOKEN}]", TOKEN),
        (f"{LOCAL}+{TOKEN}@{DOMAIN}", f"RE: [#{TOKEN.lower()}]", TOKEN),
        (f"{LOCAL}+{TOKEN}@{DOMAIN}, x@y.example", "x", TOKEN),
        (f"{LOCAL}+{TOKEN}@{DOMAIN}", f"[#{OTHER}]", None),
        (f"{LOCAL}+{TOKEN}@{DOMAIN}, {LOCAL}+{OTHER}@{DOMAIN}", "x", None),
        (OFFICE, f"[#{TOKEN}] [#{OTHER}]", None),
        (OFFICE, f"#{TOKEN} [#{TOKEN[:-1]}] [#{TOKEN}A]", None),
        (f"{LOCAL}+{TOKEN}x@{DOMAIN}", "x", None),
        (f"{LOCAL}+{TOKEN[:-1]}1@{DOMAIN}", "x", None),
        (OFFICE, "x", None),
    ],
)
def test_the_token_comes_from_the_address_or_the_subject_and_is_refused_where_they_differ(to, subject, token):
    assert token_of(to=to, subject=subject) == token


@pytest.mark.parametrize("name", ["Cc", "Delivered-To", "X-Original-To"])
def test_the_token_is_found_in_every_field_of_recipients(name):
    assert token_of(fields=[(name, f"{LOCAL}+{TOKEN}@{DOMAIN}")]) == TOKEN


def test_a_token_in_the_text_counts_for_nothing():
    assert find_token(open_mail(mixed(text_part(f"[#{TOKEN}]")))) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Re: 【受付番号 WEBEC-20240701-0012】", "WEBEC-20240701-0012"),
        ("webec-20240701-0012 ＷＥＢＥＣ－20240701－0012", "WEBEC-20240701-0012"),
        ("WEBEC-20240701-0012 WEBEC-20240701-0013", None),
        ("XWEBEC-20240701-0012", None),
        ("WEBEC-20240701-00123", None),
        ("WEBEC-20240701-012", None),
        ("", None),
    ],
)
def test_a_case_number_is_found_whole_and_only_if_it_is_the_only_one(text, number):
    assert find_case_number(text) == number
