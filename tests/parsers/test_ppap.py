"""The second mail of a 「PPAP」 pair, in the words in which people and gateways write it (all made up)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.ppap import HIDDEN, PasswordNote, password_note, without_passwords

NOTES = [
    ("パスワードのご連絡", "先ほどお送りしたファイルのパスワードは「Ab3x9Kqz」です。\n\nよろしくお願いいたします。", "Ab3x9Kqz"),
    ("申請書の送付（パスワード）", "お世話になっております。\n添付ファイルのパスワードをお送りします。\n\nパスワード：20240701web\n", "20240701web"),
    ("Re: 申請書", "先程の添付ファイルのPWは以下の通りです。\n\n  k#9Lm!2p\n\n以上、宜しくお願い致します。", "k#9Lm!2p"),
    ("【パスワード通知】申請書の送付", "送信者：aoki@aozora-denki.example\n件名：申請書の送付\n\n解凍パスワード\n----------------\nX7d-92_kQ\n----------------\n", "X7d-92_kQ"),
    ("ファイル送信パスワードのお知らせ", "先にお送りしたメールの添付ファイルは、以下のパスワードで解凍してください。\n\n【パスワード】\nmP4$tv8W\n\n※本メールは自動送信です。", "mP4$tv8W"),
    ("PW", "zipのパス：aozora2024", "aozora2024"),
    ("パスワード", "pass: 1234", "1234"),
    ("添付ファイルのパスワード", "パスワードは、ａｂｃ１２３　です。", "abc123"),
    ("Password", "The password for the file I sent is below.\n\nPassword: Qw9-er7T\n\nBest regards,", "Qw9-er7T"),
    ("申請書（２通目）", "＜解凍パスワード＞\ntR5&yu2I\n", "tR5&yu2I"),
    ("ダウンロードパスワードのお知らせ", "ファイルのダウンロードURLは別途お送りしています。\nダウンロードパスワード: 8f3Gk2LmQ0\n", "8f3Gk2LmQ0"),
    ("先ほどの件", "いつもお世話になっております。青空電機の青木です。\n先ほどの申請書ですが、開封パスワードは下記になります。\n\n「Denki#55」\n\nご確認ください。\n--\n青空電機 青木\nTEL 03-0000-0000", "Denki#55"),
    ("パスワードの送付", "先のメールに添付しましたPDFのパスワードは次のとおりです。\n↓\nsakura77\n", "sakura77"),
    ("Fw: パスワード", "■パスワード■\n■ 4hJ2kL9s\n", "4hJ2kL9s"),
    ("パスワードのお知らせ", "復号キー = zz11ZZ22", "zz11ZZ22"),
    ("送付", "別メールでお送りしたExcelファイルのパスワード（半角英数字）：Ex-0701", "Ex-0701"),
    ("パスワード", "PASSWORD→[a1B2c3D4]", "a1B2c3D4"),
    ("無題", "暗証番号は7739です。先ほど送付したzipの分です。", "7739"),
    ("パスワードのご案内", "添付ファイルの解凍パスワードをご連絡いたします。\n\n解凍パスワード　　q8W3e7R2\n\n有効期限：なし", "q8W3e7R2"),
    ("Re: Re: 添付ファイルのパスワード", "田中様\n\nパスワードは\nKiku_0401\nです。\n\n> お世話になっております。\n> パスワード：old-one9\n", "Kiku_0401"),
]  # fmt: skip

NO_NOTES = [
    ("パスワードを忘れました", "電子証明書のパスワードを忘れました。再発行をお願いします。パスワード：不明"),
    ("パスワードについて", "パスワードのメールが届いていません。ご確認ください。\nTEL：03-0000-0000"),
    ("Re: 申請書", "パスワードは何ですか。教えてください。"),
    ("申請書の送付", "申請書をお送りします。ファイルにはパスワードを設定しております。パスワードは別途ご連絡いたします。"),
    ("申請書の送付", "添付ファイルのパスワードは、別メールにてお送りいたします。\n\n青空電機 青木\naoki@aozora-denki.example\n03-0000-0000"),
    ("申請書", "ご担当者様\n\n申請書をお送りします。\nよろしくお願いいたします。"),
    ("証明書の取得について", "パスワードを入力してもエラーになります。パスワードはabc123です。"),
    ("Re: パスワード", "パスワードはABCDE-FGHJK-LMNPQ-RSTUV-WXYZ2でした。"),
    ("URLのご連絡", "パスワードは以下のURLからご確認ください。\nhttps://files.example/p/abc123\n"),
    ("Password reset", "Your password: reset it here"),
    ("Re: 承認依頼", "承認\n"),
    ("パスワード", ""),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "text", "password"), NOTES)
def test_a_mail_that_brings_a_password_is_known_in_whatever_words(subject, text, password):
    assert password_note(subject, text) == PasswordNote((password,), strong=True)


@pytest.mark.parametrize(("subject", "text", "password"), NOTES)
def test_the_password_is_left_out_of_what_staff_read_and_nothing_else_is(subject, text, password):
    shown = without_passwords(text)
    wide = "".join(chr(ord(char) + 0xFEE0) for char in password)
    assert HIDDEN in shown
    assert password not in shown
    assert wide not in shown
    rest = text.replace(password, HIDDEN).replace(wide, HIDDEN)
    assert shown.replace("old-one9", HIDDEN) == rest.replace("old-one9", HIDDEN)


def test_a_password_in_the_quoted_part_is_left_out_too():
    assert "old-one9" not in without_passwords("了解しました。\n\n> パスワード：old-one9\n")


@pytest.mark.parametrize(("subject", "text"), NO_NOTES)
def test_who_writes_about_a_password_brings_none(subject, text):
    assert password_note(subject, text) is None


def test_a_bare_password_is_a_weak_note():
    assert password_note("Re:", "PW: k9x2mm") == PasswordNote(("k9x2mm",), strong=False)


@given(st.text(max_size=200), st.text(max_size=600))
def test_any_words_are_a_note_or_none(subject, text):
    password_note(subject, text)
    without_passwords(text)


def test_a_text_built_to_be_slow_is_not():
    for piece in ("パスワード", "パスワード(", "パスワードは ", "以下の", "password ", "【"):
        password_note("x", (piece * 2000 + "\n") * 20)
        without_passwords((piece * 50 + "\n") * 60)
