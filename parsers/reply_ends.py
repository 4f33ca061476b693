"""What may stand below the command of a reply because it says nothing: by whole lines, each from a closed list.

Lines that phones and mail programs add; and behind a blank line closing formulas, and the author's own signature block:
his name, his company, department words, telephone, address, or the very lines his centre has configured for him. What
is not on a list is a sentence, and a sentence below a command makes the reply unclear. Nothing can ride on a listed
line, since each is matched from its first character to its last.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from parsers.reply_words import PHRASES, fold

# Lines that a phone or a mail program adds by itself. Each is matched whole, so nothing can ride on one.
_DEVICE = (
    r"(?:私の|自分の)?(?:iPhone|iPad|iPod|Mac|Android(?:携帯)?(?:端末)?|スマートフォン|スマホ|携帯|"
    r"Xperia|Galaxy|AQUOS|arrows|Pixel)"
)
_URL = r"\s*(?:[<(\[]\s*https?://[^\s<>()\[\]]{1,200}\s*[>)\]])?"
_PROGRAM_LINES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_DEVICE}から送信(?:しました|されました)?[。.]?",
        r"Sent from my (?:iPhone|iPad|iPod|Mac|Galaxy|Pixel|Xperia)\.?",
        r"Sent from my (?:Android|mobile)(?: (?:phone|device))?\.?",
        rf"Sent from (?:Outlook(?: for (?:iOS|Android|Mac))?|Mail(?: for Windows(?: 10)?)?|Gmail Mobile){_URL}\.?",
        rf"\[?Outlook for (?:iOS|Android|Mac)\]?{_URL}\s*(?:を入手(?:する)?|から送信)?[。.]?",
        rf"Get \[?Outlook for (?:iOS|Android|Mac)\]?{_URL}\.?",
        rf"(?:iOS|Android|Mac|Windows)\s*(?:版|用)?\s*(?:の)?\s*(?:Outlook|メール|Gmail){_URL}\s*から送信(?:しました)?[。.]?",
        rf"Windows\s*(?:10\s*)?(?:版|用)?\s*(?:の)?\s*メール{_URL}\s*から送信[。.]?",
        r"Yahoo!メール(?:アプリ)?から送信(?:しました)?[。.]?",
    )
)


def is_program_line(line: str) -> bool:
    """Whether a phone or a mail program adds this line by itself."""
    folded = fold(line)
    return len(folded) <= 300 and any(pattern.fullmatch(folded) for pattern in _PROGRAM_LINES)


@dataclass(frozen=True, slots=True)
class Author:
    """How the author of a reply signs: words of his name and company, and whole lines of his signature, folded."""

    words: frozenset[str] = frozenset()
    lines: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *, names: Iterable[str], address: str = "", signature: str = "") -> "Author":
        """`names`: his own and those of his company and centre as he may write them; `signature`: his block of lines.

        The words of his address count as his name in Latin letters. A line that begins with a command is never taken
        for a signature, whoever configured it.
        """
        words = {_bare(part) for name in names for part in (name, *re.split(r"[\s・]+", name))}
        words |= {part for part in re.split(r"[._+-]", address.rpartition("@")[0].lower()) if len(part) > 1}
        lines = {_bare(line) for line in signature.splitlines()}
        return cls(frozenset(words - _COMMANDS - {""}), frozenset(lines - _COMMANDS - {""}))


NOBODY = Author()


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", fold(text)).casefold()


_COMMANDS = frozenset(word for phrase in PHRASES for word in phrase.words)

_ASKED = r"(?:お願い|御願い)(?:いたします|致します|します|申し上げます|申しあげます)"
_CLOSINGS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"以上(?:です|となります)?[。.]?",
        rf"(?:以上[、,]?)?(?:ご?対応(?:の?ほど)?[、,]?)?(?:どうぞ|何卒|引き続き)?(?:よろしく|宜しく){_ASKED}[。.]?",
        r"(?:お疲れ(?:さま|様)(?:です|でした)|お世話になっております)[。.]?",
        r"(?:(?:Best|Kind|Warm)\s+)?regards[,.]?|thanks[,.!]?|thank you[,.!]?|sincerely(?: yours)?[,.]?",
    )
)
# A line of one or two signs, as people draw them above and below their signature.
_RULE = re.compile(r"[-=*_~+#/|:・◆■□◇○●☆★▽▼△▲―─━═＿〜…┌┐└┘│┃\s]{3,}")
_PHONE = r"[+0-9(][0-9()+\s.-]{6,24}[0-9](?:\s*\(?(?:代表|直通|内線\s*[:.]?\s*[0-9]{1,6}|ext\.?\s*[0-9]{1,6})\)?)?"
_MAIL = r"<?[a-z0-9._+-]{1,64}@[a-z0-9.-]{1,100}>?"
_LINK = r"<?(?:https?://|www\.)[a-z0-9._~/?=&%#:-]{3,200}>?"
_CONTACT = re.compile(
    rf"(?:(?:tel|fax|phone|mobile|電話|携帯|直通|代表|内線|e-?mail|mail|メール|url|hp|web)(?:番号)?\s*[:./]?\s*)?"
    rf"(?:{_PHONE}|{_MAIL}|{_LINK}|[0-9]{{3,6}})",
    re.IGNORECASE,
)
_POST = r"〒\s*[0-9]{3}-?[0-9]{4}"
# An address: prefecture or postal code, then no sentence mark and at most one run of hiragana (さいたま, つくば).
_PLACE = re.compile(
    rf"(?:{_POST}|(?:{_POST}\s*)?(?:東京都|北海道|京都府|大阪府|[一-龠]{{2,3}}県)"
    r"[^ぁ-ゖ。、!?]{0,20}(?:さいたま|つくば|みなとみらい|ひたちなか)?[^ぁ-ゖ。、!?]{0,50}[0-9][^ぁ-ゖ。、!?]{0,40})"
)
_UNIT = re.compile(r"[^ぁ-ゖ。、!?\s]{1,16}(?:部|課|室|係|チーム|グループ|センター|本部|事業部|支社|支店|営業所)")
_TITLE = re.compile(r"部長|課長|係長|主任|室長|担当|リーダー|マネージャー|チームリーダー|課長代理|部長代理")
_LONGEST = 120


def says_nothing(line: str, author: Author = NOBODY) -> bool:
    """Whether a line behind a blank line is a closing formula or part of the author's signature."""
    folded = fold(line)
    if len(folded) > _LONGEST:
        return False
    if _bare(line) in author.lines or _RULE.fullmatch(folded):
        return True
    if any(pattern.fullmatch(folded) for pattern in (*_CLOSINGS, _CONTACT, _PLACE)):
        return True
    return _is_signed(folded, author)


def _is_signed(folded: str, author: Author) -> bool:
    """A line of nothing but the author's names, units of an organisation and titles: 「小林 恵子」「認証部 課長」."""
    if _bare(folded) in author.words:
        return True
    words = [word for word in re.split(r"[\s・/|,()\[\]<>]+", folded.casefold()) if word]
    return bool(words) and all(word in author.words or _is_unit(word) for word in words)


def _is_unit(word: str) -> bool:
    """A unit of an organisation or a title, in which no word of the grammar is hidden (「保留課」)."""
    return not any(each in word for each in _COMMANDS) and bool(_UNIT.fullmatch(word) or _TITLE.fullmatch(word))
