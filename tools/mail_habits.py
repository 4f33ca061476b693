"""How each mail program writes a mail: one function a habit, which takes a story and gives everything below the usual
fields. A habit that writes other words than it was given (a tag in the subject, a name it drops) changes the story, so
that the truth stays true."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tools.mail_pieces import bundle, encode, euc, extended, file_part, header, jis, text_part, torn_words, words
from tools.pack_files import winmail, zipped

if TYPE_CHECKING:
    from tools.make_mails import Story

_PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def _from(story: Story, name: str) -> None:
    story.fields.append(("From", f"{name} <{story.address}>" if name else story.address))


def _quoted(name: str, coded: str) -> str:
    return f'{name}="{coded}"'


def _ascii_html(story: Story, charset: str, encoding: str) -> bytes:
    lines = "<br>\n".join(story.body.split("\n"))
    html = f'<html><head><meta http-equiv="Content-Type" content="text/html; charset={charset}"></head><body>{lines}</body></html>'
    return text_part(html, charset, encoding, subtype="html")


def outlook_jis(story: Story) -> bytes:
    """Outlook set to Japanese (JIS): names as encoded words in quotes, a logo in the signature."""
    story.fields += [("Subject", words(story.subject, "iso-2022-jp")), ("X-Mailer", "Microsoft Outlook 16.0")]
    _from(story, f'"{words(story.name, "iso-2022-jp")}"')
    logo = header(("Content-ID", "<image001.png@01DACB>")) + file_part(
        _PNG, 'image/png; name="image001.png"', 'inline; filename="image001.png"'
    )
    html = _ascii_html(story, "iso-2022-jp", "quoted-printable").replace(b"</body>", b'<img src="cid:image001.png@01DACB"></body>')
    texts = bundle("alternative", [text_part(story.body, "iso-2022-jp", "7bit"), html], story.random)
    coded = [(words(name, "iso-2022-jp"), data) for name, data in story.files]
    files = [
        file_part(data, f"application/pdf;\r\n\t{_quoted('name', name)}", f"attachment;\r\n\t{_quoted('filename', name)}")
        for name, data in coded
    ]
    story.files.insert(0, ("image001.png", _PNG))
    return bundle("mixed", [bundle("related", [texts, logo], story.random), *files], story.random)


def exchange(story: Story) -> bytes:
    """Exchange and Microsoft 365: UTF-8, both parameters, sizes and dates in the disposition."""
    story.fields += [("Subject", words(story.subject, "utf-8")), ("Thread-Topic", words(story.subject, "utf-8"))]
    story.fields.append(("X-MS-Exchange-Organization-AuthAs", "Anonymous"))
    _from(story, words(story.name, "utf-8"))
    texts = [text_part(story.body, "utf-8", "base64"), _ascii_html(story, "utf-8", "quoted-printable")]
    files = [
        file_part(
            data,
            f"application/pdf; {_quoted('name', words(name, 'utf-8'))}",
            f"attachment; {_quoted('filename', words(name, 'utf-8'))}; size={len(data)};\r\n"
            '\tcreation-date="Mon, 01 Jul 2024 00:30:00 GMT"',
        )
        for name, data in story.files
    ]
    return bundle("mixed", [bundle("alternative", texts, story.random), *files], story.random)


def exchange_winmail(story: Story) -> bytes:
    """Exchange sending rich text outside: every file is in winmail.dat."""
    story.fields.append(("Subject", words(story.subject, "iso-2022-jp")))
    _from(story, words(story.name, "iso-2022-jp"))
    story.packed = [(name, data) for name, data in story.files]
    data = winmail(story.packed, unicode_names=story.random.random() < 0.5)
    story.files[:] = [("winmail.dat", data)]
    tnef = file_part(data, 'application/ms-tnef; name="winmail.dat"', 'attachment; filename="winmail.dat"')
    return bundle("mixed", [text_part(story.body, "iso-2022-jp", "7bit"), tnef], story.random)


def gmail(story: Story) -> bytes:
    """Gmail: names as encoded words in quotes, an identifier for each file."""
    story.fields.append(("Subject", words(story.subject, "UTF-8")))
    _from(story, words(story.name, "UTF-8"))
    texts = [text_part(story.body, "UTF-8", "base64"), _ascii_html(story, "UTF-8", "quoted-printable")]
    files = [
        header(("X-Attachment-Id", "f_ly2k"), ("Content-ID", "<f_ly2k>"))
        + file_part(
            data,
            f"application/pdf; {_quoted('name', words(name, 'UTF-8'))}",
            f"attachment; {_quoted('filename', words(name, 'UTF-8'))}",
        )
        for name, data in story.files
    ]
    return bundle("mixed", [bundle("alternative", texts, story.random), *files], story.random)


def becky(story: Story) -> bytes:
    """Becky!: JIS throughout; words cut between characters, the parameter unfolded and long."""
    story.fields += [("Subject", words(story.subject, "ISO-2022-JP", piece=9)), ("X-Mailer", "Becky! ver. 2.81.05 [ja]")]
    _from(story, words(story.name, "ISO-2022-JP"))
    files = [
        file_part(
            data,
            f'application/pdf;\r\n name="{words(name, "ISO-2022-JP")}"',
            f'attachment;\r\n filename="{words(name, "ISO-2022-JP").replace(chr(13) + chr(10), "")}"',
        )
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "ISO-2022-JP", "7bit"), *files], story.random)


def thunderbird(story: Story) -> bytes:
    """Thunderbird: RFC 2231 in sections, flowed text."""
    story.fields += [("Subject", words(story.subject, "UTF-8", piece=10)), ("User-Agent", "Mozilla Thunderbird")]
    _from(story, words(story.name, "UTF-8"))
    body = text_part(story.body, "UTF-8", "8bit", label="UTF-8; format=flowed")
    files = [
        file_part(
            data,
            f'application/pdf; name="{words(name, "UTF-8")}"',
            f"attachment;\r\n {extended('filename', name, 'UTF-8', piece=19)}",
        )
        for name, data in story.files
    ]
    return bundle("mixed", [body, *files], story.random)


def sections_torn_in_jis(story: Story) -> bytes:
    """Older Mozilla and Japanese webmailers: RFC 2231 in JIS, cut in the middle of a character and of a run."""
    story.fields.append(("Subject", torn_words(story.subject, "ISO-2022-JP", story.random)))
    _from(story, torn_words(story.name, "ISO-2022-JP", story.random))
    piece = story.random.choice((5, 7, 11, 13))
    files = [
        file_part(data, "application/octet-stream", f"attachment;\r\n {extended('filename', name, 'iso-2022-jp', piece=piece)}")
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "ISO-2022-JP", "7bit"), *files], story.random)


def words_torn_in_characters(story: Story) -> bytes:
    """Programs that count octets: a UTF-8 character begins in one encoded word and ends in the next."""
    story.fields.append(("Subject", torn_words(story.subject, "utf-8", story.random)))
    _from(story, f'"{torn_words(story.name, "utf-8", story.random)}"')
    files = [
        file_part(data, "application/pdf", f'attachment; filename="{torn_words(name, "utf-8", story.random)}"', "one line")
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "utf-8", "base64"), *files], story.random)


def notes(story: Story) -> bytes:
    """Lotus Notes: encoded words outside of quotes, Windows names for the sets."""
    story.fields += [("Subject", words(story.subject, "ISO-2022-JP")), ("X-Mailer", "Lotus Notes Release 9.0.1")]
    _from(story, words(story.name, "ISO-2022-JP", "Q", piece=8))
    files = [
        file_part(data, f"application/octet-stream; name={words(name, 'ISO-2022-JP', piece=40)}", f"attachment; filename={words(name, 'ISO-2022-JP', piece=40)}")
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "cp50221", "base64", label="iso-2022-jp-ms"), *files], story.random)


def iphone(story: Story) -> bytes:
    """iPhone: names in NFD, files inline between two texts."""
    story.fields += [("Subject", words(story.subject, "utf-8")), ("X-Mailer", "iPhone Mail (21F90)")]
    _from(story, words(story.name, "utf-8"))
    files = [
        file_part(
            data,
            f"application/pdf;\r\n\tname*=utf-8''x.pdf;\r\n\tx-unix-mode=0644",
            f"inline;\r\n\t{extended('filename', unicodedata.normalize('NFD', name), 'utf-8')}",
        )
        for name, data in story.files
    ]
    first = text_part(story.body, "utf-8", "quoted-printable")
    last = text_part("\n\niPhoneから送信", "utf-8", "base64")
    story.body += "\n\n\niPhoneから送信"
    return bundle("mixed", [first, *files, last], story.random)


def apple_mail(story: Story) -> bytes:
    """Apple Mail: the file inside the HTML alternative, so that readers of the plain text alone lose it."""
    story.fields += [("Subject", words(story.subject, "utf-8", "Q", piece=6)), ("X-Mailer", "Apple Mail (2.3774)")]
    _from(story, words(story.name, "utf-8"))
    files = [
        file_part(
            data,
            f'application/pdf;\r\n\tname="{words(unicodedata.normalize("NFD", name), "utf-8")}"',
            f"inline;\r\n\t{extended('filename', unicodedata.normalize('NFD', name), 'utf-8')}",
        )
        for name, data in story.files
    ]
    rich = bundle("mixed", [_ascii_html(story, "utf-8", "quoted-printable"), *files], story.random)
    return bundle("alternative", [text_part(story.body, "utf-8", "quoted-printable"), rich], story.random)


def yahoo(story: Story) -> bytes:
    """A webmailer: UTF-8 in base64, the name in Content-Type only, one long line of base64."""
    story.fields += [("Subject", words(story.subject, "UTF-8", piece=60)), ("X-Mailer", "YahooMailWebService/0.8.111")]
    _from(story, words(story.name, "UTF-8"))
    files = [
        file_part(data, f'application/pdf; name="{words(name, "UTF-8", piece=60)}"', "attachment", "one line")
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "UTF-8", "base64"), *files], story.random)


def scanner(story: Story) -> bytes:
    """A multi-function printer: its own address, no text, a name of digits, any type."""
    story.name, story.address = "", f"scanner{story.random.randrange(9)}@aozora-denki.example"
    story.subject, story.body = 'Message from "RNP00267"', ""
    story.files[:] = [("20240701093012.pdf", data) for _, data in story.files[:1]]
    story.fields.append(("Subject", story.subject))
    _from(story, "")
    kind = story.random.choice(("application/pdf", "application/octet-stream", "image/pdf"))
    return file_part(story.files[0][1], f'{kind}; name="20240701093012.pdf"', 'attachment; filename="20240701093012.pdf"')


def scanner_shift_jis(story: Story) -> bytes:
    """A Japanese printer: Shift_JIS words of Windows, the file name as raw octets, a text of its own."""
    story.name = "複合機"
    story.body = "このメールは複合機①から送信されました。\n（This E-mail was sent from the scanner.）"
    story.subject = "スキャン データ㈱"
    story.fields.append(("Subject", words(story.subject, "Shift_JIS")))
    _from(story, words(story.name, "Shift_JIS"))
    files = [
        file_part(data, b'application/pdf; name="' + name.encode("cp932") + b'"', b'attachment; filename="' + name.encode("cp932") + b'"')
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "Shift_JIS", "8bit"), *files], story.random)


def raw_header(story: Story) -> bytes:
    """Programs of companies' own: nothing encoded at all, and no label on the text."""
    charset = story.random.choice(("cp932", "utf-8", "iso-2022-jp"))
    story.fields.append(("Subject", encode(story.subject, charset)))
    story.fields.append(("From", encode(f'"{story.name}"', charset) + f" <{story.address}>".encode()))
    files = [
        file_part(data, "application/pdf", b'attachment; filename="' + encode(name, charset) + b'"')
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, charset, "8bit", label=""), *files], story.random)


def unix_euc(story: Story) -> bytes:
    """A script on an old Unix: EUC of Windows under one of its names, uuencode never seen any more but base64."""
    label = story.random.choice(("EUC-JP", "eucJP-ms", "x-euc-jp", "CP51932"))
    story.fields.append(("Subject", words(story.subject, label)))
    _from(story, words(story.name, label))
    files = [file_part(data, "application/pdf", f"attachment; {extended('filename', name, label)}") for name, data in story.files]
    return bundle("mixed", [text_part(story.body, "euc-jp", "8bit", label=label), *files], story.random)


def wrong_label(story: Story) -> bytes:
    """A label of one set on the octets of another."""
    meant, said = story.random.choice(
        (("cp932", "iso-2022-jp"), ("utf-8", "iso-2022-jp"), ("utf-8", "shift_jis"), ("iso-2022-jp", "utf-8"),
         ("iso-2022-jp", "us-ascii"), ("cp932", "utf-8"), ("utf-8", "iso-8859-1"), ("cp932", "x-unknown"))
    )  # fmt: skip
    story.fields.append(("Subject", words(story.subject, meant).replace(f"=?{meant}?", f"=?{said}?")))
    _from(story, words(story.name, meant))
    files = [
        file_part(data, "application/pdf", f"attachment; filename*={said}''{extended('f', name, meant).partition(chr(39) * 2)[2]}")
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, meant, "8bit", label=said), *files], story.random)


def windows_names(story: Story) -> bytes:
    """Every name under which Windows' set travels."""
    label = story.random.choice(("windows-31j", "x-sjis", "Windows-31J", "MS_Kanji", "cp932", "x-ms-cp932", "ms932"))
    story.fields.append(("Subject", words(story.subject, label)))
    _from(story, words(story.name, label))
    files = [file_part(data, "application/pdf", f"attachment; {extended('filename', name, label)}") for name, data in story.files]
    return bundle("mixed", [text_part(story.body, "cp932", "base64", label=label), *files], story.random)


def mobile(story: Story) -> bytes:
    """A carrier's phone: Shift_JIS, an address with dots where none may be, no name."""
    story.name = ""
    story.address = story.address.replace("@", ".@").replace("user", "user..")
    story.fields.append(("Subject", words(story.subject, "Shift_JIS", piece=8)))
    _from(story, "")
    files = [
        file_part(data, f'application/pdf; name="{words(name, "Shift_JIS")}"', f'attachment; filename="{words(name, "Shift_JIS")}"')
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "Shift_JIS", "quoted-printable"), *files], story.random)


def external_gateway(story: Story) -> bytes:
    """A gateway that tags the subject and appends its words as a part of its own."""
    coded = words(story.subject, "iso-2022-jp")
    story.subject = f"[EXTERNAL] {story.subject}"
    story.fields.append(("Subject", f"[EXTERNAL] {coded}"))
    _from(story, words(story.name, "iso-2022-jp"))
    notice = "----------\n本メールは社外から届いています。"
    inner = [text_part(story.body, "iso-2022-jp", "7bit")]
    inner += [file_part(data, "application/pdf", f"attachment; {extended('filename', name, 'iso-2022-jp')}") for name, data in story.files]
    story.body += "\n" + notice
    return bundle("mixed", [bundle("mixed", inner, story.random), text_part(notice, "utf-8", "base64")], story.random)


def disclaimer_behind_the_end(story: Story) -> bytes:
    """A gateway that writes its words behind the last boundary, where nobody looks."""
    story.fields.append(("Subject", words(story.subject, "utf-8")))
    _from(story, words(story.name, "utf-8"))
    files = [file_part(data, "application/pdf", f"attachment; {extended('filename', name, 'utf-8')}") for name, data in story.files]
    after = "\r\n免責事項：本メールは機密です。\r\n".encode()
    story.files.append(("part-0.end.txt", after[2:]))
    return bundle("mixed", [text_part(story.body, "utf-8", "8bit"), *files], story.random, after=after)


def virus_filter(story: Story) -> bytes:
    """A filter that says what it did in a text file of its own."""
    story.fields += [("Subject", words(story.subject, "utf-8")), ("X-Virus-Scanned", "clean")]
    _from(story, words(story.name, "utf-8"))
    files = [file_part(data, "application/pdf", f"attachment; {extended('filename', name, 'utf-8')}") for name, data in story.files]
    note = "ウイルスは検出されませんでした。\r\n".encode()
    story.files.append(("VirusScan.txt", note))
    told = file_part(note, "text/plain; charset=utf-8; name=VirusScan.txt", "attachment; filename=VirusScan.txt")
    return bundle("mixed", [text_part(story.body, "utf-8", "8bit"), *files, told], story.random)


def forwarded(story: Story) -> bytes:
    """Forwarded as an attachment, or as a .eml file under any type; the form is in the mail within."""
    inner_text = "元のメールの本文です。"
    parts = [text_part(inner_text, "iso-2022-jp", "7bit")]
    parts += [file_part(data, "application/pdf", f"attachment; {extended('filename', name, 'utf-8')}") for name, data in story.files]
    inner = header(("From", "other@minato-tech.example"), ("Subject", words("元の件名", "utf-8"))) + bundle("mixed", parts, story.random)
    story.fields.append(("Subject", words(story.subject, "utf-8")))
    _from(story, words(story.name, "utf-8"))
    story.files.insert(0, ("part-2-1.txt", inner_text.encode()))
    kind, disposition, encoding = story.random.choice(
        (
            ("message/rfc822", None, "8bit"),
            ("message/rfc822; name=mail.eml", "attachment; filename=mail.eml", "base64"),
            ("application/octet-stream", 'attachment; filename="mail.eml"', "base64"),
        )
    )
    return bundle("mixed", [text_part(story.body, "utf-8", "8bit"), file_part(inner, kind, disposition, encoding)], story.random)


def zip_of_windows(story: Story) -> bytes:
    """A folder sent to the compressed folder of Windows: names in CP932 and no word about it; macOS: UTF-8, no word."""
    story.packed = [(name, data) for name, data in story.files]
    names = story.random.choice(("cp932", "cp932", "utf-8", "utf-8-flagged"))
    data = zipped([(f"申請書/{name}", content) for name, content in story.packed], names=names)
    story.files[:] = [("申請書一式.zip", data)]
    story.fields.append(("Subject", words(story.subject, "utf-8")))
    _from(story, words(story.name, "utf-8"))
    part = file_part(data, "application/x-zip-compressed", f"attachment; {extended('filename', '申請書一式.zip', 'utf-8')}")
    return bundle("mixed", [text_part(story.body, "utf-8", "8bit"), part], story.random)


def html_only(story: Story) -> bytes:
    """A program that writes HTML alone, its set named nowhere but in the page."""
    story.fields.append(("Subject", words(story.subject, "Shift_JIS")))
    _from(story, words(story.name, "Shift_JIS"))
    story.body = "申請書①を送ります。\n㈱青空電機 髙橋"
    page = _ascii_html(story, "Shift_JIS", "base64").replace(b"text/html; charset=Shift_JIS\r\n", b"text/html\r\n", 1)
    files = [file_part(data, "application/pdf", f"inline; {extended('filename', name, 'utf-8')}") for name, data in story.files]
    return bundle("mixed", [page, *files], story.random)


def two_froms(story: Story) -> bytes:
    """Two From fields: whoever looks at one of them sees another sender than whoever looks at the other."""
    story.fields.append(("Subject", jis(story.subject)))
    _from(story, words(story.name, "iso-2022-jp"))
    story.fields.append(("From", "other@minato-tech.example"))
    story.suspicions = ("two_from_headers", "several_from_addresses")
    files = [file_part(data, "application/pdf", f"attachment; {extended('filename', name, 'utf-8')}") for name, data in story.files]
    return bundle("mixed", [text_part(story.body, "iso-2022-jp", "7bit"), *files], story.random)


def raw_euc(story: Story) -> bytes:
    """A form of a web site: EUC in the header, no part at all but the text."""
    story.subject = "申請書を送付いたしますのでよろしくお願いいたします"
    story.files.clear()
    story.fields.append(("Subject", euc(story.subject)))
    _from(story, words(story.name, "euc-jp"))
    return text_part(story.body, "euc-jp", "8bit", label=story.random.choice(("", "euc-jp")))


HABITS: Mapping[str, Callable[[Story], bytes]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            outlook_jis, exchange, exchange_winmail, gmail, becky, thunderbird, sections_torn_in_jis,
            words_torn_in_characters, notes, iphone, apple_mail, yahoo, scanner, scanner_shift_jis, raw_header, unix_euc,
            wrong_label, windows_names, mobile, external_gateway, disclaimer_behind_the_end, virus_filter, forwarded,
            zip_of_windows, html_only, two_froms, raw_euc,
        )
    }
)  # fmt: skip
