"""How mail programs write a mail: one function a habit, which takes a story and gives everything below the usual
fields. A habit that writes other words than it was given (a tag in the subject, a name it drops) changes the story, so
that the truth stays true."""

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from tools import mail_oddities as odd
from tools.mail_pieces import bundle, extended, file_part, header, text_part, torn_words, words
from tools.mail_story import Habit, Story, page, sender
from tools.pack_files import winmail

_PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def _quoted(name: str, coded: str) -> str:
    return f'{name}="{coded}"'


def outlook_jis(story: Story) -> bytes:
    """Outlook set to Japanese (JIS): names as encoded words in quotes, a logo in the signature."""
    story.fields += [("Subject", words(story.subject, "iso-2022-jp")), ("X-Mailer", "Microsoft Outlook 16.0")]
    sender(story, f'"{words(story.name, "iso-2022-jp")}"')
    logo = header(("Content-ID", "<image001.png@01DACB>")) + file_part(
        _PNG, 'image/png; name="image001.png"', 'inline; filename="image001.png"'
    )
    html = page(story, "iso-2022-jp", "quoted-printable").replace(
        b"</body>", b'<img src="cid:image001.png@01DACB"></body>'
    )
    texts = bundle("alternative", [text_part(story.body, "iso-2022-jp", "7bit"), html], story.random)
    coded = [(words(name, "iso-2022-jp"), data) for name, data in story.files]
    files = [
        file_part(
            data, f"application/pdf;\r\n\t{_quoted('name', name)}", f"attachment;\r\n\t{_quoted('filename', name)}"
        )
        for name, data in coded
    ]
    story.files.insert(0, ("image001.png", _PNG))
    return bundle("mixed", [bundle("related", [texts, logo], story.random), *files], story.random)


def exchange(story: Story) -> bytes:
    """Exchange and Microsoft 365: UTF-8, both parameters, sizes and dates in the disposition."""
    story.fields += [("Subject", words(story.subject, "utf-8")), ("Thread-Topic", words(story.subject, "utf-8"))]
    story.fields.append(("X-MS-Exchange-Organization-AuthAs", "Anonymous"))
    sender(story, words(story.name, "utf-8"))
    texts = [text_part(story.body, "utf-8", "base64"), page(story, "utf-8", "quoted-printable")]
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
    sender(story, words(story.name, "iso-2022-jp"))
    story.packed = [(name, data) for name, data in story.files]
    data = winmail(story.packed, unicode_names=story.random.random() < 0.5)
    story.files[:] = [("winmail.dat", data)]
    tnef = file_part(data, 'application/ms-tnef; name="winmail.dat"', 'attachment; filename="winmail.dat"')
    return bundle("mixed", [text_part(story.body, "iso-2022-jp", "7bit"), tnef], story.random)


def gmail(story: Story) -> bytes:
    """Gmail: names as encoded words in quotes, an identifier for each file."""
    story.fields.append(("Subject", words(story.subject, "UTF-8")))
    sender(story, words(story.name, "UTF-8"))
    texts = [text_part(story.body, "UTF-8", "base64"), page(story, "UTF-8", "quoted-printable")]
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
    story.fields += [
        ("Subject", words(story.subject, "ISO-2022-JP", piece=9)),
        ("X-Mailer", "Becky! ver. 2.81.05 [ja]"),
    ]
    sender(story, words(story.name, "ISO-2022-JP"))
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
    sender(story, words(story.name, "UTF-8"))
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
    sender(story, torn_words(story.name, "ISO-2022-JP", story.random))
    piece = story.random.choice((5, 7, 11, 13))
    files = [
        file_part(
            data,
            "application/octet-stream",
            f"attachment;\r\n {extended('filename', name, 'iso-2022-jp', piece=piece)}",
        )
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "ISO-2022-JP", "7bit"), *files], story.random)


def words_torn_in_characters(story: Story) -> bytes:
    """Programs that count octets: a UTF-8 character begins in one encoded word and ends in the next."""
    story.fields.append(("Subject", torn_words(story.subject, "utf-8", story.random)))
    sender(story, f'"{torn_words(story.name, "utf-8", story.random)}"')
    files = [
        file_part(
            data, "application/pdf", f'attachment; filename="{torn_words(name, "utf-8", story.random)}"', "one line"
        )
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "utf-8", "base64"), *files], story.random)


def notes(story: Story) -> bytes:
    """Lotus Notes: encoded words outside of quotes, Windows names for the sets."""
    story.fields += [("Subject", words(story.subject, "ISO-2022-JP")), ("X-Mailer", "Lotus Notes Release 9.0.1")]
    sender(story, words(story.name, "ISO-2022-JP", "Q", piece=8))
    files = [
        file_part(
            data,
            f"application/octet-stream; name={words(name, 'ISO-2022-JP', piece=40)}",
            f"attachment; filename={words(name, 'ISO-2022-JP', piece=40)}",
        )
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "cp50221", "base64", label="iso-2022-jp-ms"), *files], story.random)


def iphone(story: Story) -> bytes:
    """iPhone: names in NFD, files inline between two texts."""
    story.fields += [("Subject", words(story.subject, "utf-8")), ("X-Mailer", "iPhone Mail (21F90)")]
    sender(story, words(story.name, "utf-8"))
    files = [
        file_part(
            data,
            "application/pdf;\r\n\tname*=utf-8''x.pdf;\r\n\tx-unix-mode=0644",
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
    sender(story, words(story.name, "utf-8"))
    files = [
        file_part(
            data,
            f'application/pdf;\r\n\tname="{words(unicodedata.normalize("NFD", name), "utf-8")}"',
            f"inline;\r\n\t{extended('filename', unicodedata.normalize('NFD', name), 'utf-8')}",
        )
        for name, data in story.files
    ]
    rich = bundle("mixed", [page(story, "utf-8", "quoted-printable"), *files], story.random)
    return bundle("alternative", [text_part(story.body, "utf-8", "quoted-printable"), rich], story.random)


def yahoo(story: Story) -> bytes:
    """A webmailer: UTF-8 in base64, the name in Content-Type only, one long line of base64."""
    story.fields += [("Subject", words(story.subject, "UTF-8", piece=60)), ("X-Mailer", "YahooMailWebService/0.8.111")]
    sender(story, words(story.name, "UTF-8"))
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
    sender(story, "")
    kind = story.random.choice(("application/pdf", "application/octet-stream", "image/pdf"))
    return file_part(
        story.files[0][1], f'{kind}; name="20240701093012.pdf"', 'attachment; filename="20240701093012.pdf"'
    )


def scanner_shift_jis(story: Story) -> bytes:
    """A Japanese printer: Shift_JIS words of Windows, the file name as raw octets, a text of its own."""
    story.name = "複合機"
    story.body = "このメールは複合機①から送信されました。\n（This E-mail was sent from the scanner.）"
    story.subject = "スキャン データ㈱"
    story.fields.append(("Subject", words(story.subject, "Shift_JIS")))
    sender(story, words(story.name, "Shift_JIS"))
    files = [
        file_part(
            data,
            b'application/pdf; name="' + name.encode("cp932") + b'"',
            b'attachment; filename="' + name.encode("cp932") + b'"',
        )
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "Shift_JIS", "8bit"), *files], story.random)


HABITS: Mapping[str, Habit] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            outlook_jis, exchange, exchange_winmail, gmail, becky, thunderbird, sections_torn_in_jis, notes, iphone,
            words_torn_in_characters, apple_mail, yahoo, scanner, scanner_shift_jis, odd.raw_header, odd.unix_euc,
            odd.wrong_label, odd.windows_names, odd.mobile, odd.external_gateway, odd.disclaimer_behind_the_end,
            odd.virus_filter, odd.forwarded, odd.zip_of_windows, odd.html_only, odd.two_froms, odd.raw_euc,
        )
    }
)  # fmt: skip
