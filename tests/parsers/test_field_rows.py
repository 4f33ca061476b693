"""Every row of the tables in the field notes (mail.md 5.3, runtime.md 3) on which libraries fail, against our reading.

The octets come from `tools.mail_pieces`, which shares no table with our decoder, and from iconv.
"""

import base64
import shutil
import subprocess
from random import Random

import pytest

from parsers.charsets import decode
from parsers.mail import Address, open_mail
from support.letters_in import PDF, letter, mixed, part
from tools.mail_pieces import encode, euc, extended, jis, torn_words, words


def character(lead, trail):
    try:
        return bytes((lead, trail)).decode("cp932")
    except UnicodeDecodeError:
        return ""


# All but the places that users may fill themselves.
WINDOWS = [
    char
    for lead in [*range(0x81, 0xA0), *range(0xE0, 0xFD)]
    for trail in [*range(0x40, 0x7F), *range(0x80, 0xFD)]
    if (char := character(lead, trail)) and not "\ue000" <= char <= "\uf8ff"
]
KANA = [chr(code) for code in range(0xFF61, 0xFFA0)]


def test_every_character_of_windows_comes_back_from_jis():
    text = "".join(WINDOWS + KANA)
    assert len(WINDOWS) > 7000
    for label in ("iso-2022-jp", "iso-2022-jp-ms", "cp50220", "cp50221", None):
        assert decode(jis(text), label).text == text


def test_every_character_of_windows_comes_back_from_euc():
    text = "".join(WINDOWS + KANA)
    for label in ("euc-jp", "eucjp-ms", "cp51932"):
        assert decode(euc(text), label).text == text


@pytest.mark.skipif(shutil.which("iconv") is None, reason="iconv is the judge")
def test_the_characters_of_ibm_behind_the_supplement_are_those_of_iconv():
    data = b"".join(
        bytes((0x8F, lead, trail)) for lead, first in ((0xF3, 0xF3), (0xF4, 0xA1)) for trail in range(first, 0xFF)
    )
    judged = subprocess.run(["iconv", "-f", "EUC-JP-MS", "-t", "UTF-8"], input=data, capture_output=True, check=False)
    if judged.returncode:
        pytest.skip("this iconv does not know EUC-JP-MS")
    assert decode(data, "eucjp-ms").text == judged.stdout.decode()
    assert "髙" in judged.stdout.decode()


TEXT = "申請書①㈱髙橋～表ソｱｲ"


@pytest.mark.parametrize(
    ("label", "body"),
    [
        ("iso-2022-jp", jis(TEXT)),
        ("", jis(TEXT)),
        ("us-ascii", jis(TEXT)),
        ("iso-2022-jp", TEXT.encode("cp932")),
        ("iso-2022-jp", TEXT.encode()),
        ("shift_jis", TEXT.encode("cp932")),
        ("windows-31j", TEXT.encode("cp932")),
        ("x-sjis", TEXT.encode("cp932")),
        ("x-ms-cp932", TEXT.encode("cp932")),
        ("cp50221", jis(TEXT)),
        ("iso-2022-jp-ms", jis(TEXT)),
        ("eucjp-ms", euc(TEXT)),
        ("no-such-set", TEXT.encode("cp932")),
        ("no-such-set", TEXT.encode()),
    ],
)
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_a_body_is_read_under_every_label(label, body, encoding):
    kind = f"text/plain; charset={label}" if label else "text/plain"
    mail = open_mail(mixed(part(body, kind, encoding=encoding, disposition=None), part(PDF)))
    assert mail.text == TEXT
    assert not {"text_damaged", "encoding_damaged"} & set(mail.defects)


@pytest.mark.parametrize(
    "raw",
    [
        words(TEXT, "ISO-2022-JP"),
        words(TEXT, "Shift_JIS"),
        words(TEXT, "Shift_JIS", "Q", piece=5),
        *(
            torn_words(TEXT, charset, Random(seed))
            for charset in ("ISO-2022-JP", "utf-8", "euc-jp")
            for seed in range(8)
        ),
        TEXT.encode("cp932"),
        jis(TEXT),
        TEXT.encode(),
    ],
)
def test_a_subject_is_read_however_it_is_written(raw):
    mail = open_mail(letter(subject=raw))
    assert mail.subject == TEXT
    assert "subject_damaged" not in mail.defects


@pytest.mark.parametrize(
    "name",
    [
        f'filename="{words(TEXT + ".pdf", "ISO-2022-JP", piece=40)}"',
        f"filename={words(TEXT + '.pdf', 'ISO-2022-JP', piece=40)}",
        *(extended("filename", TEXT + ".pdf", "iso-2022-jp", piece=piece) for piece in (1, 2, 3, 5, 7, 11)),
        *(extended("filename", TEXT + ".pdf", "utf-8", piece=piece) for piece in (1, 2, 5)),
        extended("filename", TEXT + ".pdf", "Shift_JIS"),
        b'filename="' + encode(TEXT + ".pdf", "cp932") + b'"',
        b'filename="' + jis(TEXT + ".pdf") + b'"',
        b'filename="' + (TEXT + ".pdf").encode() + b'"',
        'filename="..\\\\..\\\\' + TEXT + '.pdf"',
        f'filename="../../etc/{TEXT}.pdf"',
    ],
)
def test_a_file_name_is_read_however_it_is_written(name):
    disposition = b"attachment; " + (name if isinstance(name, bytes) else name.encode())
    mail = open_mail(mixed(part(PDF, disposition=disposition)))
    assert [each.name for each in mail.attachments] == [TEXT + ".pdf"]
    assert "name_damaged" not in mail.defects


def test_a_name_in_quoted_words_two_senders_and_an_odd_id_are_read():
    quoted = f'"{words("山田①", "ISO-2022-JP")}" <taro@aozora-denki.example>'
    assert open_mail(letter(sender=quoted)).senders == (Address("山田①", "taro@aozora-denki.example"),)
    both = b"From: other@minato.example\r\n" + letter()
    assert "two_from_headers" in open_mail(both).suspicions
    assert open_mail(letter(fields=[("Message-ID", "<@@0@x>")])).message_id
    odd = letter().replace(b"<1@aozora-denki.example>", b"<@@0@x>")
    assert open_mail(odd).message_id == "<@@0@x>"


def test_a_part_without_a_name_is_named_by_its_place_and_always_the_same():
    raw = mixed(part(PDF, disposition="attachment"))
    assert open_mail(raw).attachments[0].name == open_mail(raw).attachments[0].name == "part-1.pdf"


def test_a_form_in_base64_is_whole_under_any_line_length():
    code = base64.b64encode(PDF * 40)
    for width in (1, 3, 76, 977, len(code)):
        lines = b"\r\n".join(code[at : at + width] for at in range(0, len(code), width))
        raw = letter(lines, content_type="application/pdf", encoding="base64")
        assert open_mail(raw).attachments[0].data == PDF * 40
