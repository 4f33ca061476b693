"""Zips and winmail.dat: what is in them comes out whole, names in whatever character set, and never beyond the limits."""

import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.attachments import DocumentKind, sniff
from parsers.containers import (
    DEEPEST,
    MOST_FILES,
    PackedItem,
    Trouble,
    Unpacked,
    is_container,
    take_out,
    unpacked_frame,
    unpacked_of,
)
from parsers.frames import Frame, FrameError
from parsers.tnef import open_winmail
from parsers.zips import MOST_ENTRIES, directory
from tools.pack_files import bomb, winmail, zipped

A, B = b"%PDF-1.7 a", b"%PDF-1.7 b"
FORMS = [("申請書_髙橋①.pdf", A), ("表ソ能.pdf", B)]


def paths(found):
    return [(item.path, item.data) for item in found.items]


@pytest.mark.parametrize("names", ["cp932", "utf-8", "utf-8-flagged"])
def test_the_names_in_a_zip_are_read_whatever_wrote_them(names):
    assert paths(take_out(zipped(FORMS, names=names))) == [((name,), data) for name, data in FORMS]


def test_a_name_that_stands_once_more_in_unicode_is_taken_from_there():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("form.pdf")
        name = "申請書﨑.pdf".encode()
        content = struct.pack("<BI", 1, zipfile.crc32(b"form.pdf")) + name
        info.extra = struct.pack("<HH", 0x7075, len(content)) + content
        archive.writestr(info, A)
    assert paths(take_out(out.getvalue())) == [(("申請書﨑.pdf",), A)]


def test_folders_litter_and_ways_out_of_the_folder_leave_the_files_only():
    members = [("a/", b""), ("a/b.pdf", A), ("__MACOSX/a/._b.pdf", b"x"), ("a/.DS_Store", b"x"), ("..\\..\\c.pdf", B)]
    assert paths(take_out(zipped(members))) == [(("a", "b.pdf"), A), (("c.pdf",), B)]


def test_a_file_without_a_name_is_not_lost():
    assert paths(take_out(zipped([("../..", A), ("\x01", B)]))) == [(("unnamed",), A), (("unnamed",), B)]


def test_a_zip_of_stored_forms_is_an_archive_and_no_form():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.pdf", A)
        archive.writestr("b.pdf", B)
    assert sniff(out.getvalue()) is DocumentKind.ARCHIVE
    assert [item.data for item in take_out(out.getvalue()).items] == [A, B]


def test_a_zip_under_a_password_is_known_by_its_names_alone():
    assert sniff(zipped(FORMS, encrypted=True)) is DocumentKind.ENCRYPTED_ARCHIVE


def test_what_is_open_in_a_half_locked_zip_comes_out_and_the_rest_is_told():
    data = bytearray(zipped(FORMS))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    found = take_out(bytes(data))
    assert sniff(bytes(data)) is DocumentKind.ARCHIVE
    assert paths(found) == [(("表ソ能.pdf",), B)]
    assert found.troubles == (Trouble(("申請書_髙橋①.pdf",), "encrypted_archive"),)


def test_a_spoilt_member_is_told_and_the_others_come_out():
    data = bytearray(zipped(FORMS))
    data[30 + len(FORMS[0][0].encode("cp932"))] ^= 0xFF
    found = take_out(bytes(data))
    assert [item.data for item in found.items] == [B]
    assert [trouble.code for trouble in found.troubles] == ["damaged"]


@pytest.mark.parametrize("unicode_names", [True, False])
def test_the_files_of_a_winmail_come_out_under_their_long_names(unicode_names):
    data = winmail(FORMS, unicode_names=unicode_names)
    assert sniff(data) is DocumentKind.TNEF
    assert paths(take_out(data)) == [((name,), data) for name, data in FORMS]


def test_a_winmail_without_long_names_gives_the_short_one_of_windows():
    title = b"\x95\x5c\x8e\xa6~1.PDF\0"
    head = b"\x78\x9f\x3e\x22\x01\x00"
    begin = struct.pack("<BII", 2, 0x00069002, 14) + bytes(16)
    data = struct.pack("<BII", 2, 0x0006800F, len(A)) + A + b"\0\0"
    name = struct.pack("<BII", 2, 0x00018010, len(title)) + title + b"\0\0"
    assert [(each.name, each.data) for each in open_winmail(head + begin + name + data).files] == [("表示~1.PDF", A)]


def test_a_mail_within_a_winmail_is_opened_too():
    inner = winmail([("内.pdf", B)], subject="転送：申請の件")
    found = take_out(winmail([("外.pdf", A)], within=inner))
    assert paths(found) == [(("外.pdf",), A), (("転送：申請の件", "内.pdf"), B)]


def test_a_winmail_that_ends_early_gives_what_stood_before():
    data = winmail(FORMS)
    found = take_out(data[: data.index(B)])
    assert found.items[0].data == A
    assert found.troubles[-1].code == "damaged"


def test_a_container_in_a_container_is_opened_and_the_way_is_told():
    inner = zipped(FORMS)
    found = take_out(zipped([("下/箱.zip", inner), ("winmail.dat", winmail([("w.pdf", B)]))]))
    assert [item.path for item in found.items] == [
        ("下", "箱.zip", FORMS[0][0]),
        ("下", "箱.zip", FORMS[1][0]),
        ("winmail.dat", "w.pdf"),
    ]


def test_containers_without_end_are_given_up():
    data = zipped(FORMS)
    for _ in range(DEEPEST):
        data = zipped([("箱.zip", data)])
    assert take_out(data) == Unpacked((), (Trouble(("箱.zip",) * DEEPEST, "archive"),))


def test_a_bomb_is_given_up_within_its_limits():
    assert take_out(bomb(64)) == Unpacked((), (Trouble(("0.pdf",), "too_large"),))
    nested = zipped([(f"{count}.zip", bomb(3)) for count in range(6)])
    assert sum(len(item.data) for item in take_out(nested, most_bytes=8 << 20).items) <= 8 << 20


def test_more_files_than_the_limit_are_told_not_dropped():
    found = take_out(zipped([(f"{count}.pdf", A) for count in range(MOST_FILES + 5)]))
    assert len(found.items) == MOST_FILES
    assert found.troubles == (Trouble((), "too_large"),)


def test_the_list_of_names_is_looked_at_only_so_far():
    assert len(directory(zipped([(str(count), b"") for count in range(MOST_ENTRIES + 9)]))) == MOST_ENTRIES


@settings(max_examples=150)
@given(
    st.integers(0, 3), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8), st.integers(0, 900)
)
def test_any_spoilt_container_is_opened_or_not_and_nothing_is_raised(which, changes, cut):
    sound = (zipped(FORMS), winmail(FORMS), winmail(FORMS, unicode_names=False, within=winmail(FORMS)), bomb(1))[which]
    data = bytearray(sound)
    for at, octet in changes:
        data[at % len(data)] = octet
    for one in (bytes(data), bytes(data[: len(data) - cut % len(data)])):
        found = take_out(one)
        assert unpacked_of(unpacked_frame(found)) == found or any(
            len(part) > 200 for i in found.items for part in i.path
        )
        assert is_container(sniff(one), one) or found.troubles


@settings(max_examples=100)
@given(st.binary(max_size=400), st.sampled_from([b"PK\x03\x04", b"PK\x05\x06", b"\x78\x9f\x3e\x22\1\0", b""]))
def test_any_bytes_can_be_asked_for_what_is_in_them(data, head):
    take_out(head + data)
    directory(head + data)


# --- over the wire


def frame(items=(), troubles=(), blob=b"", **more):
    return Frame("unpacked", {"items": list(items), "troubles": list(troubles), **more}, blob)


def test_what_was_taken_out_travels_whole():
    found = Unpacked(
        (PackedItem(("箱.zip", "申請書.pdf"), A), PackedItem(("空.pdf",), b"")), (Trouble((), "too_large"),)
    )
    assert unpacked_of(unpacked_frame(found)) == found


def test_no_name_of_a_child_breaks_a_line_or_turns_one_round():
    told = frame([{"path": ["a\r\n\u202eb\ud800.pdf"], "size": 1}], blob=b"x")
    assert not set(unpacked_of(told).items[0].path[0]) & set("\r\n\u202e\ud800")


@pytest.mark.parametrize(
    "told",
    [
        Frame("unpacked", {"items": []}),
        Frame("unpacked", {"items": {}, "troubles": []}),
        frame(extra=1),
        frame([{"path": ["a"], "size": 2}], blob=b"x"),
        frame([{"path": ["a"], "size": -1}]),
        frame([{"path": ["a"], "size": True}], blob=b"x"),
        frame([{"path": ["a"], "size": 1, "more": 1}], blob=b"x"),
        frame([{"path": "a", "size": 0}]),
        frame([{"path": [1], "size": 0}]),
        frame([{"path": ["a" * 300], "size": 0}]),
        frame([{"path": ["a"] * 30, "size": 0}]),
        frame([7]),
        frame(blob=b"left over"),
        frame(troubles=[{"path": [], "code": "anything"}]),
        frame(troubles=[7]),
        frame([{"path": ["a"], "size": 0}] * 200),
    ],
)
def test_what_no_child_of_ours_says_is_refused(told):
    with pytest.raises(FrameError):
        unpacked_of(told)
