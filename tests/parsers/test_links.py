"""Mails that point to a file elsewhere, as people and gateways write them (addresses made up)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.links import has_download_link

LINKS = [
    "ファイル便でお送りします。\nhttps://12.gigafile.nu/0701-abcdef0123456789",
    "申請書を共有しました。\nhttps://aozora.sharepoint.com/:b:/s/soumu/EaBcD?e=x1",
    "https://aozora-my.sharepoint.com/:f:/g/personal/aoki/Eq1",
    "https://1drv.ms/b/s!AbCdEf",
    "https://app.box.com/s/abc123def456",
    "https://drive.google.com/file/d/1AbC/view?usp=sharing",
    "https://www.dropbox.com/s/abc/form.pdf?dl=0",
    "https://we.tl/t-AbCdEfGh",
    "添付ファイルは下記サーバに保管しました。\n\nhttps://secure.aozora-denki.example/dl/?id=9a8b7c\n有効期限：7日",
    "以下のURLからファイルをダウンロードしてください。\nhttps://files.minato.example/x/1\n",
    "ダウンロード用URL：\nhttps://send.minato.example/p?k=abc",
    "https://filezen.minato.example/dlpage?id=1",
    "You can download the file here:\nhttps://send.minato.example/a/b",
    "下記のＵＲＬより申請書を受け取ってください。\nhttps://x.minato.example/abc",
]
NO_LINKS = [
    "申請書をお送りします。\n--\n青空電機株式会社\nhttps://www.aozora-denki.example/",
    "よろしくお願いします。\n\n> 以下のURLからダウンロードしてください。\n> https://12.gigafile.nu/0701-abc",
    "申請書はどこからダウンロードできますか。",
    "弊社ではファイル共有サービスを使っています。https://www.dropbox.com/",
    "https://lra.example/ogis-lra/CA1 の申請書を使いました。",
    "http://[::1",
    "",
]


@pytest.mark.parametrize("text", LINKS)
def test_a_link_to_a_file_is_noticed(text):
    assert has_download_link(text)


@pytest.mark.parametrize("text", NO_LINKS)
def test_a_signature_a_question_or_a_quotation_is_no_file(text):
    assert not has_download_link(text)


@given(st.text(max_size=400), st.sampled_from(["", "https://", "http://[", "ダウンロードして https://a.example/"]))
def test_any_text_has_links_or_not(text, piece):
    assert has_download_link(piece + text) in (True, False)
