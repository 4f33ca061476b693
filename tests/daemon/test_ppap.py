"""A file under a password and the mail that brings it: one letter for the two, the password shown to nobody and forgotten."""

from datetime import timedelta

import pytest

from daemon.blobs import BlobErased
from daemon.reader import Reader
from parsers.ppap import HIDDEN
from support.mailroom import Mailroom, mail
from tools.pack_files import zipped

SECRET = "Xk7#mQ92pL"
LOCKED = ("申請書.zip", zipped([("申請書.pdf", b"%PDF-1.7")], encrypted=True))
FILE = mail("申請書をお送りします。パスワードは別途お送りします。", LOCKED)
WORD = mail(
    f"先ほどお送りしたファイルのパスワードは以下の通りです。\n\n{SECRET}\n", subject="パスワードのご連絡", number="2"
)
MINUTES = timedelta(minutes=3)


@pytest.fixture(scope="module")
def reader():
    with Reader() as opened:
        yield opened


@pytest.fixture
def room(tmp_path, reader):
    opened = Mailroom(tmp_path, reader)
    yield opened
    opened.centre.store.close()


def test_the_pair_gets_one_letter_that_says_what_to_do(room):
    first, second = room.take(FILE), room.take(WORD, after=MINUTES)
    assert (first.kinds, second.kinds) == (["locked_file"], [])
    assert (first.row.outcome, second.row.outcome) == ("unreadable", "password_mail")
    assert room.pair(second.row)["partner_id"] == room.pair(first.row)["id"]


def test_the_password_is_shown_to_nobody_and_its_mail_is_forgotten(room, tmp_path):
    room.take(FILE)
    second = room.take(WORD, after=MINUTES)
    assert SECRET not in second.words
    assert HIDDEN in second.words
    with pytest.raises(BlobErased):
        room.centre.blobs.get(second.row.digest)
    assert second.row.erased_at is not None
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_the_mail_with_the_file_is_kept(room):
    first = room.take(FILE)
    assert room.centre.blobs.get(first.row.digest) == FILE
    assert "申請書のないメール" in first.words


def test_the_password_may_come_first_and_the_pair_still_gets_one_letter(room):
    first, second = room.take(WORD), room.take(FILE, after=MINUTES)
    assert (first.kinds, second.kinds) == (["locked_file"], [])
    assert first.row.outcome == "password_mail"


def test_the_next_file_of_the_same_sender_gets_a_letter_of_its_own(room):
    room.take(FILE)
    room.take(WORD, after=MINUTES)
    again = room.take(mail("再送します。", LOCKED, number="3"), after=MINUTES)
    assert again.kinds == ["locked_file"]


def test_after_its_time_a_password_belongs_to_no_file(room):
    room.take(FILE)
    late = room.take(mail(f"PW: {SECRET}", subject="Re:", number="4"), after=timedelta(days=4))
    assert late.kinds == ["guidance"]
    assert room.pair(late.row) is None


def test_a_password_in_the_subject_is_not_shown_either(room):
    room.take(FILE)
    second = room.take(mail(f"PW: {SECRET}", subject=f"{SECRET} です", number="10"), after=MINUTES)
    assert SECRET not in second.words


def test_a_bare_password_is_known_by_the_file_that_went_before(room):
    room.take(FILE)
    bare = room.take(mail(f"PW: {SECRET}", subject="Re:", number="5"), after=MINUTES)
    assert (bare.kinds, bare.row.outcome) == ([], "password_mail")
    assert SECRET not in bare.words


@pytest.mark.parametrize(
    ("sender", "answers", "joined"),
    [
        ("notice@aozora-denki.example", "", True),
        ("gateway@filter.example", "<1@aozora-denki.example>", True),
        ("somebody@minato.example", "", False),
    ],
)
def test_a_gateway_or_an_answer_in_the_thread_belongs_to_the_file(room, sender, answers, joined):
    first = room.take(FILE)
    second = room.take(mail(f"PW: {SECRET}", subject="Re:", number="6", sender=sender, answers=answers), after=MINUTES)
    assert (room.pair(second.row) is not None) is joined
    assert (second.kinds == []) is joined
    assert room.pair(first.row)["role"] == "file"


def test_a_gateway_s_automatic_password_mail_is_joined_without_a_word(room):
    room.take(FILE)
    raw = mail(
        f"パスワード：{SECRET}", subject="パスワード通知", number="7", headers=[("Auto-Submitted", "auto-generated")]
    )
    second = room.take(raw, after=MINUTES)
    assert (second.kinds, second.shown, second.row.outcome) == ([], [], "password_mail")
    with pytest.raises(BlobErased):
        room.centre.blobs.get(second.row.digest)


def test_a_password_in_the_mail_of_its_file_is_not_shown(room):
    came = room.take(mail(f"申請書です。\n解凍パスワード：{SECRET}", LOCKED))
    assert came.kinds == ["locked_file"]
    assert SECRET not in came.words


@pytest.mark.parametrize(
    "text",
    [
        "電子証明書のパスワードを忘れました。再発行をお願いします。",
        "パスワードのメールが届いておりません。",
        "よろしくお願いします。",
    ],
)
def test_who_writes_about_a_password_is_answered_as_ever_and_nothing_is_forgotten(room, text):
    room.take(FILE)
    raw = mail(text, number="8")
    came = room.take(raw, after=MINUTES)
    assert came.kinds == ["guidance"]
    assert room.centre.blobs.get(came.row.digest) == raw
    assert text in came.words.replace("\n", "")


def test_a_stop_between_the_commit_and_the_forgetting_forgets_at_the_next_start(room):
    room.take(FILE)
    forget, room.centre.blobs.erase = room.centre.blobs.erase, lambda digest: (_ for _ in ()).throw(OSError("stopped"))
    with pytest.raises(OSError, match="stopped"):
        room.take(WORD, after=MINUTES)
    room.centre.blobs.erase = forget
    other = room.take(mail("質問です。", number="9"))
    assert other.kinds == ["guidance"]
    with room.centre.store.transaction() as tx:
        from daemon import ledger  # noqa: PLC0415 - only here

        assert ledger.erasable(tx) == []
