"""The mail that brings the password of a file sent before: is it one, and which words of it are the password.

Much of Japan sends a document in an encrypted file and its password in a second mail, by hand or by a gateway
(「PPAP」, domain notes B.4). That second mail must not be answered as one without a form, and its password must be
shown to nobody. Pure, by the words alone. Promises: `password_note` finds a note only where a password stands behind
its label; who writes *about* a password (forgotten, not received, what is it?) gives none. Weak: a password of
Japanese words is not seen; the mail is then an ordinary one.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from parsers.bodies import own_lines

HIDDEN = "［パスワードのため省略］"

# More lines no such mail has; the rest of a longer one is not looked at, and its passwords, if any, are not found.
_MOST_LINES = 200
_LONGEST_LINE = 400
# How far below its label a password may stand alone on a line.
_REACH = 4


@dataclass(frozen=True, slots=True)
class PasswordNote:
    """What a mail says about a password. `strong` where it says by itself that it belongs to a file that was sent;
    otherwise it is a note only if such a file came from the same people."""

    passwords: tuple[str, ...]
    strong: bool


_LABEL = (
    r"(?:(?:解凍|開封|展開|復号化?|暗号化?|閲覧|ダウンロード|受信|受取|ファイル|添付|ZIP|PDF)\s*(?:用|時)?の?\s*)?"
    r"(?:パスワード|パスコード|パスフレーズ|ﾊﾟｽﾜｰﾄﾞ|暗証番号|解凍キー|復号キー|開封キー|解凍PW|解凍パス|"
    r"pass\s?word|pass\s?code|pass\s?phrase|(?<![A-Za-z])(?:pwd?|pass|パス)(?![A-Za-z]))"
)
_OPEN, _CLOSE = r"[「『【〔\[(<“\"'≪《*＊]*", r"[」』】〕\])>”\"'≫》*＊■●◆]*"
_SECRET = r"([!-~]{3,128}?)"  # noqa: S105 - the shape of any password
_TAIL = r"\s*(?:です|でございます|となります|となっております|になります|で御座います|となっています)?\s*[。.!]?\s*"
# 「パスワード：abc123」「PWは abc123 です。」「パスワードは「abc123」となります」; a remark may stand between.
_SAME_LINE = re.compile(
    rf".*?{_LABEL}(?:\s*[(（][^()（）]{{0,30}}[)）])?\s*{_CLOSE}\s*"
    rf"(?:は|:|=|⇒|→|->|・+|…+|\s)\s*(?:下記|以下|次|こちら)?(?:の?通り)?[、,:\s]*{_OPEN}{_SECRET}{_CLOSE}{_TAIL}",
    re.IGNORECASE,
)
# A line that announces: the password stands below.
_ANNOUNCES = re.compile(
    rf"(?:.*{_LABEL}\s*{_CLOSE}\s*(?:は|:|=|⇒|→|↓|です|のお知らせ|の通知|のご連絡|のご案内|につきまして)?[、。:\s↓-]*|"
    rf".*{_LABEL}.*(?:以下|下記|次|こちら)(?:の?(?:通り|とおり|もの)|になります|となります|です|に|を).*|"
    rf".*(?:以下|下記|次)(?:の|が).*{_LABEL}.*)",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"[・*＊>■●◆○-]*\s*{_OPEN}{_SECRET}{_CLOSE}{_TAIL}")

# Somebody who asks about a password, or tells of one that is none of a file.
_ABOUT = re.compile(
    r"忘れ|失念|紛失|分から|わから|不明|教えて|ご教示|知りた|届い(?:てい|ており)?(?:な|ませ)|届きませ|届かな|来ない|来ていませ|"
    r"受け取っていな|受け取れ(?:な|ませ)|リセット|ロックされ|再設定|変更(?:したい|をお願い|方法)|再通知|再送(?:して|を|いただ|願)|"
    r"入力しても|ログイン(?:でき|が)|forgot|reset|expired|has not arrived|haven't received",
    re.IGNORECASE,
)
# What says that the password opens something that was sent.
_OF_A_FILE = re.compile(
    r"添付|ファイル|zip|解凍|展開|圧縮|復号|暗号化|開封|ダウンロード|送付|お送り|送信|先ほど|先程|先の(?:メール|便)|前(?:の|便)|別(?:メール|途|便)|"
    r"pdf|excel|attach|file|archive|previous",
    re.IGNORECASE,
)
_IN_SUBJECT = re.compile(rf"{_LABEL}", re.IGNORECASE)

_URL = re.compile(r"https?://\S*", re.IGNORECASE)
_NO_SECRET = re.compile(
    r"https?:.*|[^@\s]+@[^@\s]+\.[a-z]{2,}|.*\.(?:pdf|zip|xlsx?|docx?|lzh|7z|exe|html?|com|jp|net)|"
    r"(?:tel|fax|from|to|cc|date|sent|subject|url|http|https|email|e-mail|mail|pdf|zip|is|the|for|your|will|below|follows|"
    r"required|protected|password|pass|pw|pwd|notice|notification|information|file|files|attached|and|or)[.:,]*|"
    r"[-=_*~#.,:;/|+<>]+|(?:\+?\d{1,4}[-(]\d{1,4}[-)]\d{3,4})|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}",
    re.IGNORECASE,
)
# The shape of the password that this service itself mails (`ca.bundle.make_password`): never somebody's zip.
_OURS = re.compile(r"[A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){4}")


def password_note(subject: str, text: str) -> PasswordNote | None:
    """What a mail says about the password of a file, None where it brings none."""
    lines = _lines(text)
    own = " ".join(lines)
    if _ABOUT.search(subject) or _ABOUT.search(own):
        return None
    found = tuple(dict.fromkeys(_passwords(lines)))
    if not found or any(_OURS.fullmatch(password) for password in found):
        return None
    said = _URL.sub(" ", own)
    strong = bool(_OF_A_FILE.search(said) or _IN_SUBJECT.search(_folded(subject)))
    return PasswordNote(found, strong)


def without_passwords(text: str, *, of: str = "") -> str:
    """The text with its passwords left out wherever they stand in it, and those of `of`; all else as it was."""
    known = {*_all_passwords(text), *_all_passwords(of)}
    for password in sorted(known, key=len, reverse=True):
        text = re.sub(r"\s?".join(map(_letter, password)), HIDDEN, text)
    return text


def _all_passwords(text: str) -> list[str]:
    return _passwords(_lines(text)) + _passwords(_sentences(text.splitlines()))


def _letter(char: str) -> str:
    """A character as it may have been written: half width or full width."""
    wide = chr(ord(char) + 0xFEE0)
    return f"[{re.escape(char)}{re.escape(wide)}]"


def _lines(text: str) -> list[str]:
    own = own_lines(text)
    if not any(own):
        # Gateways put sender and subject of the first mail on top, which elsewhere begins a quotation.
        own = tuple(line for line in text.splitlines() if not line.startswith((">", "＞")))
    return _sentences(own)


def _sentences(lines: Iterable[str]) -> list[str]:
    folded = (_folded(line) for line in itertools.islice(lines, _MOST_LINES))
    return [sentence for line in folded for sentence in line.replace("。", "。\n").split("\n")][: 2 * _MOST_LINES]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _passwords(lines: list[str]) -> list[str]:
    found: list[str] = []
    for at, line in enumerate(lines):
        short = line.strip()[:_LONGEST_LINE]
        if not short:
            continue
        if (same := _SAME_LINE.fullmatch(short)) and _may_be(same[1]):
            found.append(same[1])
        elif _ANNOUNCES.fullmatch(short):
            found += _below(lines[at + 1 :])
    return found


def _below(lines: list[str]) -> list[str]:
    """The first line below an announcement that is nothing but one word a password could be."""
    spoken = [line.strip()[:_LONGEST_LINE] for line in lines if line.strip()][:_REACH]
    for line in spoken:
        if re.fullmatch(r"[-=_*~#─━―＿・]+", line):
            continue
        if (alone := _ALONE.fullmatch(line)) and _may_be(alone[1]):
            return [alone[1]]
    return []


def _may_be(word: str) -> bool:
    return len(word) >= 3 and not _NO_SECRET.fullmatch(word)
