"""The habits of programs of companies' own, of phones, gateways and old systems; as tools/mail_habits.py."""

from tools.mail_pieces import bundle, encode, euc, extended, file_part, header, jis, text_part, words
from tools.mail_story import Story, attached, page, sender
from tools.pack_files import zipped


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
    sender(story, words(story.name, label))
    files = attached(story, label)
    return bundle("mixed", [text_part(story.body, "euc-jp", "8bit", label=label), *files], story.random)


def wrong_label(story: Story) -> bytes:
    """A label of one set on the octets of another."""
    meant, said = story.random.choice(
        (("cp932", "iso-2022-jp"), ("utf-8", "iso-2022-jp"), ("utf-8", "shift_jis"), ("iso-2022-jp", "utf-8"),
         ("iso-2022-jp", "us-ascii"), ("cp932", "utf-8"), ("utf-8", "iso-8859-1"), ("cp932", "x-unknown"))
    )  # fmt: skip
    story.fields.append(("Subject", words(story.subject, meant).replace(f"=?{meant}?", f"=?{said}?")))
    sender(story, words(story.name, meant))
    files = [
        file_part(
            data,
            "application/pdf",
            f"attachment; filename*={said}''{extended('f', name, meant).partition(chr(39) * 2)[2]}",
        )
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, meant, "8bit", label=said), *files], story.random)


def windows_names(story: Story) -> bytes:
    """Every name under which Windows' set travels."""
    label = story.random.choice(("windows-31j", "x-sjis", "Windows-31J", "MS_Kanji", "cp932", "x-ms-cp932", "ms932"))
    story.fields.append(("Subject", words(story.subject, label)))
    sender(story, words(story.name, label))
    files = attached(story, label)
    return bundle("mixed", [text_part(story.body, "cp932", "base64", label=label), *files], story.random)


def mobile(story: Story) -> bytes:
    """A carrier's phone: Shift_JIS, an address with dots where none may be, no name."""
    story.name = ""
    story.address = story.address.replace("@", ".@").replace("user", "user..")
    story.fields.append(("Subject", words(story.subject, "Shift_JIS", piece=8)))
    sender(story, "")
    files = [
        file_part(
            data,
            f'application/pdf; name="{words(name, "Shift_JIS")}"',
            f'attachment; filename="{words(name, "Shift_JIS")}"',
        )
        for name, data in story.files
    ]
    return bundle("mixed", [text_part(story.body, "Shift_JIS", "quoted-printable"), *files], story.random)


def external_gateway(story: Story) -> bytes:
    """A gateway that tags the subject and appends its words as a part of its own."""
    coded = words(story.subject, "iso-2022-jp")
    story.subject = f"[EXTERNAL] {story.subject}"
    story.fields.append(("Subject", f"[EXTERNAL] {coded}"))
    sender(story, words(story.name, "iso-2022-jp"))
    notice = "----------\n本メールは社外から届いています。"
    inner = [text_part(story.body, "iso-2022-jp", "7bit")]
    inner += attached(story, "iso-2022-jp")
    story.body += "\n" + notice
    return bundle("mixed", [bundle("mixed", inner, story.random), text_part(notice, "utf-8", "base64")], story.random)


def disclaimer_behind_the_end(story: Story) -> bytes:
    """A gateway that writes its words behind the last boundary, where nobody looks."""
    story.fields.append(("Subject", words(story.subject, "utf-8")))
    sender(story, words(story.name, "utf-8"))
    files = attached(story, "utf-8")
    after = "\r\n免責事項：本メールは機密です。\r\n".encode()
    story.files.append(("part-0.end.txt", after))
    return bundle("mixed", [text_part(story.body, "utf-8", "8bit"), *files], story.random, after=after)


def virus_filter(story: Story) -> bytes:
    """A filter that says what it did in a text file of its own."""
    story.fields += [("Subject", words(story.subject, "utf-8")), ("X-Virus-Scanned", "clean")]
    sender(story, words(story.name, "utf-8"))
    files = attached(story, "utf-8")
    note = "ウイルスは検出されませんでした。\r\n".encode()
    story.files.append(("VirusScan.txt", note))
    told = file_part(note, "text/plain; charset=utf-8; name=VirusScan.txt", "attachment; filename=VirusScan.txt")
    return bundle("mixed", [text_part(story.body, "utf-8", "8bit"), *files, told], story.random)


def forwarded(story: Story) -> bytes:
    """Forwarded as an attachment, or as a .eml file under any type; the form is in the mail within."""
    inner_text = "元のメールの本文です。"
    parts = [text_part(inner_text, "iso-2022-jp", "7bit")]
    parts += attached(story, "utf-8")
    inner = header(("From", "other@minato-tech.example"), ("Subject", words("元の件名", "utf-8"))) + bundle(
        "mixed", parts, story.random
    )
    story.fields.append(("Subject", words(story.subject, "utf-8")))
    sender(story, words(story.name, "utf-8"))
    story.files.insert(0, ("part-2-1.txt", inner_text.encode()))
    kind, disposition, encoding = story.random.choice(
        (
            ("message/rfc822", None, "8bit"),
            ("message/rfc822; name=mail.eml", "attachment; filename=mail.eml", "base64"),
            ("application/octet-stream", 'attachment; filename="mail.eml"', "base64"),
        )
    )
    return bundle(
        "mixed", [text_part(story.body, "utf-8", "8bit"), file_part(inner, kind, disposition, encoding)], story.random
    )


def zip_of_windows(story: Story) -> bytes:
    """A folder sent to the compressed folder of Windows: names in CP932 and no word about it; macOS: UTF-8, no word."""
    story.packed = [(name, data) for name, data in story.files]
    names = story.random.choice(("cp932", "cp932", "utf-8", "utf-8-flagged"))
    data = zipped([(f"申請書/{name}", content) for name, content in story.packed], names=names)
    story.files[:] = [("申請書一式.zip", data)]
    story.fields.append(("Subject", words(story.subject, "utf-8")))
    sender(story, words(story.name, "utf-8"))
    part = file_part(
        data, "application/x-zip-compressed", f"attachment; {extended('filename', '申請書一式.zip', 'utf-8')}"
    )
    return bundle("mixed", [text_part(story.body, "utf-8", "8bit"), part], story.random)


def html_only(story: Story) -> bytes:
    """A program that writes HTML alone, its set named nowhere but in the page."""
    story.fields.append(("Subject", words(story.subject, "Shift_JIS")))
    sender(story, words(story.name, "Shift_JIS"))
    story.body = "申請書①を送ります。\n㈱青空電機 髙橋"
    only = page(story, "Shift_JIS", "base64").replace(b"text/html; charset=Shift_JIS\r\n", b"text/html\r\n", 1)
    files = [
        file_part(data, "application/pdf", f"inline; {extended('filename', name, 'utf-8')}")
        for name, data in story.files
    ]
    return bundle("mixed", [only, *files], story.random)


def two_froms(story: Story) -> bytes:
    """Two From fields: whoever looks at one of them sees another sender than whoever looks at the other."""
    story.fields.append(("Subject", jis(story.subject)))
    sender(story, words(story.name, "iso-2022-jp"))
    story.fields.append(("From", "other@minato-tech.example"))
    story.suspicions = ("two_from_headers", "several_from_addresses")
    files = attached(story, "utf-8")
    return bundle("mixed", [text_part(story.body, "iso-2022-jp", "7bit"), *files], story.random)


def raw_euc(story: Story) -> bytes:
    """A form of a web site: EUC in the header, no part at all but the text."""
    story.subject = "申請書を送付いたしますのでよろしくお願いいたします"
    story.files.clear()
    story.fields.append(("Subject", euc(story.subject)))
    sender(story, words(story.name, "euc-jp"))
    return text_part(story.body, "euc-jp", "8bit", label=story.random.choice(("", "euc-jp")))
