"""Every row of こんなときどうする (guide lines 241-263, 305-327), written down a second time on purpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import events
from config.request_types import RequestType

NEW, REISSUE, CHANGE = RequestType.NEW_ISSUE, RequestType.REISSUE, RequestType.REGISTRATION_CHANGE
HANDOVER, CANCEL = RequestType.HANDOVER, RequestType.CANCELLATION

ROWS = [
    ("企業", "弊社EDIサービスの利用に伴い、電子証明書の利用を開始したい", NEW),
    ("企業", "会社の社名が変更になった", CHANGE),
    ("企業", "弊社EDIサービスの利用終了に伴い、電子証明書が不要となった", CANCEL),
    ("企業", "事務所が移転となった", None),
    ("所属", "担当所属が変わった", None),
    ("所属", "担当所属の所属名が変更になった", None),
    ("所属", "担当所属ごと転勤(勤務地変更)となった", None),
    ("ユーザ", "利用ユーザを追加したい", NEW),
    ("ユーザ", "利用者が電子証明書を紛失した", REISSUE),
    ("ユーザ", "担当者が結婚等により改姓／改名した", CHANGE),
    ("ユーザ", "担当者が退職した", CANCEL),
    ("ユーザ", "担当者が交代した", HANDOVER),
    ("ユーザ", "一部ユーザを削除したい", CANCEL),
    ("ユーザ", "電子証明書更新案内メールを紛失した", None),
    ("ユーザ", "ユーザアカウント、パスワードを忘れた", None),
    ("ユーザ", "電子証明書がダウンロードできない", None),
]
NAMES = [f"{number:02}-{text}" for number, (_, text, _) in enumerate(ROWS, start=1)]


@pytest.mark.parametrize("number", range(16), ids=NAMES)
def test_row_of_the_guide(number):
    subject, text, kind = ROWS[number]
    event = events.load()[number]
    assert (event.subject, event.text, event.request_type) == (subject, text, kind)
    assert event.form_needed is (kind is not None)


def test_there_are_sixteen_rows():
    assert len(events.load()) == 16


@pytest.mark.parametrize("number", range(16), ids=NAMES)
def test_the_words_of_a_row_are_found_in_the_words_of_the_guide(number):
    assert events.load()[number] in events.hints(ROWS[number][1])


# What people write, and the row whose application they need.
@pytest.mark.parametrize(
    ("mail", "row"),
    [
        ("担当の者が3月末で退職いたしますので、手続きをお教えください。", 11),
        ("経理担当の中村が退社することになりました。", 11),
        ("4月より担当者が\n交代いたしました。", 12),
        ("後任は鈴木です。", 12),
        ("担当者変更の手続きについて", 12),
        ("証明書の入ったパソコンを\r\n紛失しました。", 9),
        ("ＰＣを買い替えたので証明書の再発行をお願いします", 9),
        ("結婚により苗字が変わりました。", 10),
        ("利用者を追加したいです。", 8),
        ("このたび社名変更いたしました。", 2),
        ("本年度末で EDI の利用を終了いたします。", 3),
        ("事務所を移転しました。", 4),
        ("部署異動がありました。", 5),
        ("更新案内のメールが見つかりません。", 14),
        ("パスワードを失念しました。", 15),
        ("証明書がダウンロード出来ません。", 16),
    ],
)
def test_a_mail_in_plain_words_gets_the_hint(mail, row):
    assert events.load()[row - 1] in events.hints(mail)


@pytest.mark.parametrize(
    "mail", ["", "お世話になっております。", "Thank you for your mail.", "ご確認のほどよろしくお願いいたします。"]
)
def test_a_mail_without_such_words_gets_no_hint(mail):
    assert events.hints(mail) == ()


@given(st.text(max_size=400))
def test_any_text_gives_rows_of_the_table_in_their_order(text):
    found = events.hints(text)
    assert [event for event in events.load() if event in found] == list(found)


def row(**changes):
    plain = {"subject": "企業", "text": "移転した", "form": False, "words": ["移転"]} | changes
    return {"events": [{key: value for key, value in plain.items() if value is not None}]}


def test_a_row_as_it_should_be_is_taken():
    assert events.build(row(form=True, type="reissue"))[0].request_type is REISSUE


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"event": []}, "nothing else"),
        (row(subject="部署"), "row 1: subject"),
        (row(words=None), "words is missing"),
        (row(colour="red"), "colour is unknown"),
        (row(form=True), "row 1: type"),
        (row(type="reissue"), "row 1: type"),
        (row(form=True, type="renewal"), "renewal"),
        (row(words=["("]), "row 1"),
        (row(words=[5]), "row 1"),
    ],
)
def test_a_wrong_row_is_named(raw, message):
    with pytest.raises(ValueError, match=message):
        events.build(raw)
