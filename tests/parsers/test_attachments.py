import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.attachments import Attachment, DocumentKind, is_document, kind_of, safe_name, sniff

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PNG = b"\x89PNG\r\n\x1a\n"


def zipped(*names, encrypted=False):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    data = bytearray(buffer.getvalue())
    if encrypted:
        at = data.index(b"PK\x01\x02")
        data[at + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7", DocumentKind.PDF),
        (b"\r\n" * 500 + b"%PDF-1.4", DocumentKind.PDF),
        (b"\r\n" * 512 + b"%PDF-1.4", DocumentKind.OTHER),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), DocumentKind.SPREADSHEET),
        (zipped("[Content_Types].xml", "word/document.xml"), DocumentKind.WORD),
        (zipped("[Content_Types].xml", "ppt/presentation.xml"), DocumentKind.OTHER),
        (zipped("申請書.pdf"), DocumentKind.ARCHIVE),
        (zipped("申請書.pdf", encrypted=True), DocumentKind.ENCRYPTED_ARCHIVE),
        (b"PK\x03\x04 cut off", DocumentKind.ARCHIVE),
        (OLE + "Workbook".encode("utf-16-le"), DocumentKind.SPREADSHEET),
        (OLE + "Book".encode("utf-16-le"), DocumentKind.SPREADSHEET),
        (OLE + "WordDocument".encode("utf-16-le"), DocumentKind.WORD),
        (OLE + "EncryptedPackage".encode("utf-16-le"), DocumentKind.ENCRYPTED),
        (OLE + "__substg1.0_".encode("utf-16-le"), DocumentKind.OUTLOOK_ITEM),
        (b"\x78\x9f\x3e\x22\0\0", DocumentKind.TNEF),
        (b"MZ\x90\0", DocumentKind.PROGRAM),
        (OLE, DocumentKind.OTHER),
        (b"7z\xbc\xaf\x27\x1c", DocumentKind.ARCHIVE),
        (b"Rar!\x1a\x07\x01", DocumentKind.ARCHIVE),
        (b"\x1f\x8b\x08", DocumentKind.ARCHIVE),
        (b"\x1a\x20-lh5-", DocumentKind.ARCHIVE),
        (PNG, DocumentKind.IMAGE),
        (b"\xff\xd8\xff\xe0", DocumentKind.IMAGE),
        (b"GIF89a", DocumentKind.IMAGE),
        (b"II*\x00", DocumentKind.IMAGE),
        (b"RIFF\0\0\0\0WEBP", DocumentKind.IMAGE),
        (b"\0\0\0\x18ftypheic", DocumentKind.IMAGE),
        (b"BM\1\2\3\4\0\0\0\0", DocumentKind.IMAGE),
        (b"BM is the beginning of a text", DocumentKind.OTHER),
        (b"", DocumentKind.OTHER),
    ],
)
def test_the_kind_comes_from_the_content_alone(data, kind):
    assert sniff(data) is kind
    assert kind_of(Attachment("x.txt", "text/plain", data, inline=False)) is kind


@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\x03\x04", OLE, zipped("a")[:-4], zipped("a")]))
def test_any_bytes_have_a_kind(data, head):
    assert sniff(head + data) in DocumentKind
    assert sniff(data + head) in DocumentKind


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("申請書.pdf", "申請書.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\x\\申請書.pdf", "申請書.pdf"),
        ("C:\\Users\\taro\\form.pdf", "form.pdf"),
        ("fdp.\u202eexe.pdf", "fdp. exe.pdf"),
        ("a\r\nb\x00.pdf", "a b .pdf"),
        ("か\u3099く.pdf", "がく.pdf"),
        ("a\u200bb.pdf", "ab.pdf"),
        ('<a>:"|?*.pdf', "_a______.pdf"),
        ("...", "part-1.2.bin"),
        ("", "part-1.2.bin"),
        ("dir/", "dir"),
        ("x" * 200 + ".pdf", "x" * 116 + ".pdf"),
        ("x" * 200, "x" * 119),
        ("a." + "x" * 200, "a." + "x" * 117),
        ("~$form.pdf", "~$form.pdf"),
    ],
)
def test_a_name_is_safe_to_show_and_to_store(raw, name):
    assert safe_name(raw, part="1.2", data=b"") == name


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"%PDF-1.4", "part-2.1.pdf"), (PNG, "part-2.1.img"), (zipped("a"), "part-2.1.zip"), (b"?", "part-2.1.bin")],
)
def test_a_leaf_without_a_name_is_named_by_its_place_and_kind(data, name):
    assert safe_name("", part="2!.1", data=data) == name


@given(st.text(max_size=300))
def test_no_name_leaves_its_folder_or_breaks_a_line(raw):
    name = safe_name(raw, part="1", data=b"")
    assert 0 < len(name) <= 120
    assert not set(name) & set('/\\\r\n\0\u202e<>:"|?*')
    assert name not in (".", "..")


def attached(data, content_type="application/octet-stream", *, inline=False, cid="", named=True):
    return Attachment("n", content_type, data, inline=inline, content_id=cid, named=named)


@pytest.mark.parametrize(
    ("attachment", "worth_a_word"),
    [
        (attached(b"%PDF-1.4", "text/plain", inline=True, named=False), True),
        (attached(b"%PDF-1.4", "application/pkcs7-signature"), True),
        (attached(PNG, "image/png", inline=True, cid="l"), False),
        (attached(PNG + b"x" * 30_000, "image/png", inline=True, cid="l"), False),
        (attached(PNG + b"x" * 30_000, "image/png", inline=True), True),
        (attached(PNG + b"x" * 300_000, "image/png", inline=True, cid="l"), True),
        (attached(PNG, "image/png"), True),
        (attached(b"0\x80", "application/pkcs7-signature"), False),
        (attached(b"BEGIN:VCARD", "text/x-vcard"), False),
        (attached(b"BEGIN:VCALENDAR", "text/calendar", named=False), False),
        (attached(b"From: x", "message/rfc822"), False),
        (attached(b"footer", "text/plain", named=False), False),
        (attached(b"a,b,c", "text/csv"), True),
        (attached(b"", "application/pdf"), True),
        (attached(b"", "application/pdf", named=False), False),
        (attached(b"", "image/png", inline=True), False),
        (attached(b"\x78\x9f\x3e\x22", "application/ms-tnef"), True),
    ],
)
def test_logos_signatures_and_footers_are_no_documents(attachment, worth_a_word):
    assert is_document(attachment) is worth_a_word
