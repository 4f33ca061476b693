"""Whatever people attach in place of a form gets a letter that says what to do, and a person is shown it."""

from pathlib import Path

import pytest

from daemon import unpacking
from daemon.reader import Reader
from parsers.mail import open_mail
from support.mailroom import Mailroom, mail
from tools.pack_files import bomb, winmail, zipped

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
LOCKED_PDF = (SAMPLES / "encrypted.pdf").read_bytes()
EXCEL = (SAMPLES / "form.xlsx").read_bytes()
WORD = zipped([("[Content_Types].xml", b"x"), ("word/document.xml", b"x")])
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
PHOTO = b"\xff\xd8\xff\xe0" + bytes(150_000)
LOCKED_ZIP = zipped([("申請書.pdf", b"%PDF-1.7")], encrypted=True)


@pytest.fixture(scope="module")
def reader():
    with Reader() as opened:
        yield opened


@pytest.fixture
def room(tmp_path, reader):
    opened = Mailroom(tmp_path, reader)
    yield opened
    opened.centre.store.close()


def text_of(came):
    (answer,) = came.answers
    return open_mail(answer["raw"]).text.replace("\n", "").replace("　", "")


@pytest.mark.parametrize(
    ("files", "letter", "words"),
    [
        ([("申請書.zip", LOCKED_ZIP)], "locked_file", "パスワード付きのファイル"),
        ([("申請書.pdf", LOCKED_PDF)], "locked_file", "パスワードをお知らせいただいた場合も"),
        ([("申請書.xlsx", OLE + "EncryptedPackage".encode("utf-16-le"))], "locked_file", "パスワードなし"),
        ([("申請書.xlsx", EXCEL)], "office_file", "お送りいただいたファイルは、Excelファイルでした"),
        ([("申請書.docx", WORD)], "office_file", "Wordファイルでした"),
        ([("申請書.xlsx", EXCEL), ("申請書.docx", WORD)], "office_file", "Excel・Wordファイル"),
        ([("IMG_0123.jpg", PHOTO)], "picture_file", "スマートフォン"),
        ([("申請書.exe", b"MZ" + bytes(99))], "unreadable", "自己解凍形式"),
        ([("申請書.msg", OLE + "__substg1.0_".encode("utf-16-le"))], "unreadable", "Outlookのメール形式"),
        ([("申請書.7z", b"7z\xbc\xaf\x27\x1c" + bytes(99))], "unreadable", "この形式の圧縮ファイル"),
        ([("申請書.bin", bytes(range(256)) * 9)], "unreadable", "PDFファイルではない"),
        ([("空.pdf", b"")], "unreadable", "0バイト"),
        ([("一式.zip", zipped([("申請書.xlsx", EXCEL)]))], "office_file", "Excelファイルでした"),
        ([("一式.zip", zipped([("a.pdf", b"")]))], "unreadable", "0バイト"),
        ([("winmail.dat", winmail([("申請書.xlsx", EXCEL)]))], "office_file", "Excelファイルでした"),
        ([("爆弾.zip", bomb(80))], "unreadable", "容量またはページ数が上限"),
        ([("壊れ.zip", zipped([("a.pdf", b"%PDF-1.7" * 50)])[:60])], "unreadable", "ファイルが壊れている"),
    ],
    ids=str,
)  # fmt: skip
def test_each_kind_is_told_what_to_do_about_it(room, files, letter, words):
    came = room.take(mail("お送りします。", *files))
    assert came.kinds == [letter]
    assert words in text_of(came)
    assert came.row.outcome == "unreadable"
    assert "申請書のないメール" in came.words


def test_several_documents_of_different_kinds_are_each_told_in_the_one_answer(room):
    came = room.take(
        mail("一式", ("a.zip", LOCKED_ZIP), ("b.xlsx", EXCEL), ("c.jpg", PHOTO), ("d.7z", b"7z\xbc\xaf\x27\x1c"))
    )
    assert came.kinds == ["unreadable"]
    for words in ("パスワード付きの圧縮ファイル", "Excelファイルのままでは", "画像ファイル", "この形式の圧縮ファイル"):
        assert words in text_of(came)


def test_a_link_is_never_fetched_and_its_sender_is_told_to_attach_the_form(room):
    came = room.take(mail("申請書は下記URLからダウンロードしてください。\nhttps://12.gigafile.nu/0701-abcdef\n"))
    assert came.kinds == ["download_link"]


def test_a_winmail_with_nothing_but_its_text_is_no_document(room):
    came = room.take(mail("担当者が退職しました。", ("winmail.dat", winmail([]))))
    assert came.kinds == ["guidance"]


def test_what_lay_in_a_container_is_shown_by_the_way_to_it(room):
    came = room.take(mail("一式", ("一式.zip", zipped([("下/申請書.xlsx", EXCEL)]))))
    assert "一式.zip→下→申請書.xlsx" in came.words.replace(" ", "").replace("\n", "").replace("　", "")


def test_a_mail_too_costly_to_open_is_answered_with_a_way_out_and_shown(room):
    came = room.take(
        mail("お送りします。").replace(b"MIME-Version", b"X-Long: " + b"a" * 300_000 + b"\r\nMIME-Version", 1)
    )
    assert came.kinds == ["unreadable"]
    assert "メールの容量が大きすぎるか、構造が複雑" in text_of(came)
    assert came.row.folder == room.centre.settings.mailbox.staff_folder


def test_more_documents_than_a_mail_may_cost_are_told_and_shown(room, monkeypatch):
    monkeypatch.setattr(unpacking, "MOST_DOCUMENTS", 3)
    files = [(f"{count}.bin", b"no form %d" % count) for count in range(5)]
    came = room.take(mail("多数", ("all.zip", zipped(files))))
    assert "数通のメールに分けて" in text_of(came)


def test_automatic_mail_is_not_answered_whatever_it_brings(room):
    came = room.take(mail("a", ("a.zip", LOCKED_ZIP), headers=[("Auto-Submitted", "auto-generated")]))
    assert came.kinds == []
    assert came.shown
