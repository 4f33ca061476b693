"""Replies as people's mail programs write them: words × habits of a program × encodings × signatures, by a seed.

Habits are those of field note mail.md §6. Every reply has the request below it, quoted the way that program quotes,
with all the command words that the request itself holds.
"""

import base64
import html
import quopri
import random
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from parsers.reply import Command, Verb
from support.letters_in import OFFICE, STAFF, TOKEN, letter, multipart

REQUEST = (
    (Path(__file__).parent.parent / "data" / "letters" / "approval_request.txt")
    .read_text("utf-8")
    .replace("㈱", "(株)")
)
NAME, DAY = "OGIS-LRA受付", "2026/07/01 10:11"
FIELDS = {
    "差出人": f"{NAME} <{OFFICE}>",
    "送信日時": "2026年7月1日 10:11",
    "宛先": STAFF,
    "件名": "[承認依頼] 新規発行",
}
ENGLISH = {
    "From": f"{NAME} <{OFFICE}>",
    "Sent": "Wednesday, July 1, 2026 10:11 AM",
    "To": STAFF,
    "Subject": "[承認依頼]",
}

NOTES = {"差出人": NAME, "宛先": STAFF, "日付": DAY, "件名": "[承認依頼]"}
TAB = ":\t"

CLEAR: tuple[tuple[str, Command], ...] = (
    ("承認", Command(Verb.APPROVE)),
    ("承認します。", Command(Verb.APPROVE)),
    ("承認いたします", Command(Verb.APPROVE)),
    ("　承認", Command(Verb.APPROVE)),
    ("ＡＰＰＲＯＶＥ", Command(Verb.APPROVE)),
    ("Approved", Command(Verb.APPROVE)),
    ("却下 押印がありません", Command(Verb.REJECT, "押印がありません")),
    ("却下：対象外", Command(Verb.REJECT, "対象外")),
    ("Reject no seal", Command(Verb.REJECT, "no seal")),
    ("差し戻し 申請日をご記入ください", Command(Verb.RETURN, "申請日をご記入ください")),
    ("差戻し　氏名の英語表記", Command(Verb.RETURN, "氏名の英語表記")),
    ("質問 退職日はいつですか。", Command(Verb.ASK, "退職日はいつですか。")),
    ("保留 電話で確認中", Command(Verb.HOLD, "電話で確認中")),
    ("修正 利用者 氏名（英語）=Taro YAMADA", Command(Verb.AMEND, amendments=(("利用者 氏名(英語)", "Taro YAMADA"),))),
    ("修正 申請日＝2026/07/01\n修正 利用者 会社名：青空電機", Command(Verb.AMEND, amendments=(("申請日", "2026/07/01"), ("利用者 会社名", "青空電機")))),
    ("種別変更 担当変更", Command(Verb.CHANGE_TYPE, "担当変更")),
    ("失効日 2026年7月31日", Command(Verb.WISHED_DATE, "2026-07-31")),
    ("対象 W000012", Command(Verb.CHOOSE, "W000012")),
    ("再送 パスワード", Command(Verb.RESEND, "password")),
    ("至急失効 WEBEC-20260701-0012 端末の紛失", Command(Verb.REVOKE_URGENTLY, "端末の紛失", target="WEBEC-20260701-0012")),
    ("取り消し", Command(Verb.CANCEL)),
    ("メモ 電話で確認済み", Command(Verb.NOTE, "電話で確認済み")),
    ("一覧", Command(Verb.LIST)),
    ("照会 WEBEC-20260701-0012", Command(Verb.SHOW, "WEBEC-20260701-0012")),
    ("ヘルプ", Command(Verb.HELP)),
    ("不在 2026/7/22〜2026/7/26 代理 松本", Command(Verb.ABSENCE, "2026-07-22/2026-07-26", target="松本")),
    ("引継ぎ 松本", Command(Verb.HAND_OVER, "松本")),
)  # fmt: skip

UNCLEAR: tuple[str, ...] = (
    "承認できません", "承認しません", "承認は見送ってください", "未承認", "不承認です", "非承認", "承認してよいですか？", "承認？",
    "承認でお願いします", "承認済み", "承認取消", "承認です", "承認（仮）", "「承認」", "承認!", "承 認", "承認、却下", "承認または却下",
    "承認\n却下 対象外", "却下 対象外\n承認", "承認\n承認", "承認\nただし押印を確認してください", "承認\n\nただし、印影を確認してからにしてください。",
    "承認\n\n株式会社青空電機 押印要確認", "承認\n\n一旦 保留", "承認\n\n明日まで待ってください", "承認\n\n小林さんにも確認", "承認\n\n却下",
    "承認\n\nPlease wait", "お疲れさまです。\n承認", "お疲れさまです。\n\n承認", "下記の件、承認", "はい", "OK", "了解しました", "問題ありません",
    "確認しました", "よろしくお願いします", "承認 よろしくお願いします", "却下", "却下しないでください", "差戻し", "差戻しでもよいですか",
    "質問", "保留", "修正 氏名", "修正 利用者 氏名\nTaro YAMADA", "修正 申請日=2026/07/01\n承認", "失効日 7/31", "種別変更 よく分かりません",
    "対象 どれでしょうか", "再送", "至急失効", "照会", "一覧をください", "不在 来週", "引継ぎ", "approve?", "I approve", "please approve",
    "not approved", "approve it", "do not approve", "yes", "", "。", "?", "承認しません\n\niPhoneから送信",
)  # fmt: skip

SIGNATURES = (
    "",
    "\n\niPhoneから送信",
    "\n\n-- \n田中 恵子\n株式会社オージス総研",
    "\n\nよろしくお願いいたします。",
    "\n\n以上、よろしくお願いします。\n\n田中 恵子",
    (
        "\n\n==============================\n株式会社オージス総研\n認証サービス部 課長\n田中 恵子\n〒550-0023 大阪府大阪市西区"
        "千代崎3丁目\nTEL：06-0000-0000（代表）\nE-mail: tanaka@lra.example\n=============================="
    ),
    "\n\n-----------------\nKeiko Tanaka\nURL: https://www.lra.example/\n-----------------",
    "\n\nOutlook for iOS を入手",
)


def _marked(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def _block(fields: dict[str, str], colon: str = ": ") -> str:
    return "\n".join(f"{name}{colon}{value}" for name, value in fields.items())


PLAIN: dict[str, Callable[[str], str]] = {
    "Outlook, English": lambda own: f"{own}\n\n-----Original Message-----\n{_block(ENGLISH)}\n\n{REQUEST}",
    "Outlook, Japanese": lambda own: f"{own}\n\n{_block(FIELDS)}\n\n{REQUEST}",
    "Outlook, original message": lambda own: f"{own}\n\n-----元のメッセージ-----\n{_block(FIELDS, '：')}\n\n{REQUEST}",
    "Outlook mobile": lambda own: f"{own}\n________________________________\n{_block(FIELDS)}\n\n{REQUEST}",
    "Gmail": lambda own: f"{own}\n\n2026年7月1日(水) 10:11 {NAME} <{OFFICE}>:\n\n{_marked(REQUEST)}",
    "Gmail, wrapped": lambda own: f"{own}\n\n2026年7月1日(水) 10:11 {NAME}\n<{OFFICE}>:\n\n{_marked(REQUEST)}",
    "Apple Mail": lambda own: f"{own}\n\n> {DAY}、{NAME} <{OFFICE}>のメール:\n> \n{_marked(REQUEST)}",
    "iPhone": lambda own: f"{own}\n\n{DAY}、{NAME} <{OFFICE}>のメール:\n\n{_marked(REQUEST)}",
    "Thunderbird": lambda own: f"{own}\n\nOn {DAY}, {NAME} wrote:\n{_marked(REQUEST)}",
    "Thunderbird, Japanese": lambda own: f"{own}\n\n{DAY} に {NAME} さんは書きました:\n{_marked(REQUEST)}",
    "Becky!": lambda own: f"{own}\n\nOn Wed, 01 Jul 2026 10:11:12 +0900\n{NAME} <{OFFICE}> wrote:\n\n{_marked(REQUEST)}",
    "Notes": lambda own: f"{own}\n\n{_block(NOTES, TAB)}\n\n{REQUEST}",
    "Yahoo!": lambda own: f"{own}\n\n----- Original Message -----\n{_block({**ENGLISH, 'Date': DAY})}\n\n{REQUEST}",
    "Windows Mail": lambda own: f"{own}\n\nWindows 版のメールから送信\n\n{_block(FIELDS)}\n\n{REQUEST}",
    "full-width quotation": lambda own: f"{own}\n\n" + "\n".join(f"＞{line}" for line in REQUEST.splitlines()),
    "nothing quoted": lambda own: own,
}  # fmt: skip


def _paragraphs(own: str, tag: str = "p", mark: str = "") -> str:
    blank = "&nbsp;" if tag == "p" else "<br>"
    return "".join(f"<{tag}{mark}>{html.escape(line) or blank}</{tag}>" for line in own.split("\n"))


_QUOTED = "<br>".join(map(html.escape, REQUEST.splitlines()))
_HEAD = "<br>".join(f"<b>{name}:</b> {html.escape(value)}" for name, value in FIELDS.items())
WEB = ' class="elementToProof"'
HTML: dict[str, Callable[[str], str]] = {
    "Outlook, HTML": lambda own: (
        f"<html><head><style>p.MsoNormal{{margin:0}}</style></head><body><div class=WordSection1>"
        f"{_paragraphs(own, mark=' class=MsoNormal')}<div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt'>"
        f"<p class=MsoNormal>{_HEAD}</p></div></div><p class=MsoNormal>{_QUOTED}</p></div></body></html>"
    ),
    "Outlook on the web": lambda own: (
        f'<div>{_paragraphs(own, "div", WEB)}</div><div id="appendonsend"></div><hr>'
        f'<div id="divRplyFwdMsg" dir="ltr"><font>{_HEAD}</font></div><div>{_QUOTED}</div>'
    ),
    "Outlook for iOS": lambda own: (
        f'<div dir="ltr">{_paragraphs(own, "div")}</div><div id="ms-outlook-mobile-signature">'
        f'<div><br></div><a href="https://aka.ms/o0ukef">Outlook for iOS</a> を入手</div><hr><div id="divRplyFwdMsg">{_HEAD}</div>{_QUOTED}'
    ),
    "Gmail, HTML": lambda own: (
        f'<div dir="ltr">{"<br>".join(map(html.escape, own.split(chr(10))))}</div><br><div class="gmail_quote">'
        f'<div dir="ltr" class="gmail_attr">2026年7月1日(水) 10:11 &lt;{OFFICE}&gt;:<br></div><blockquote>{_QUOTED}</blockquote></div>'
    ),
    "Apple Mail, HTML": lambda own: (
        f'<html><body>{_paragraphs(own, "div")}<div><br><blockquote type="cite"><div>{DAY}、{NAME}のメール：</div>{_QUOTED}</blockquote></div></body></html>'
    ),
    "Thunderbird, HTML": lambda own: (
        f'<body><p>{"<br>".join(map(html.escape, own.split(chr(10))))}</p><div class="moz-cite-prefix">On {DAY}, {NAME} wrote:</div>'
        f'<blockquote type="cite" cite="mid:1">{_QUOTED}</blockquote></body>'
    ),
    "Yahoo!, HTML": lambda own: (
        f'<div class="ydp1"><div>{"</div><div>".join(html.escape(line) or "<br>" for line in own.split(chr(10)))}</div></div>'
        f'<div id="ydp2yahoo_quoted_1" class="yahoo_quoted"><div>{_HEAD}</div><div>{_QUOTED}</div></div>'
    ),
}  # fmt: skip

# Written below or inside what is quoted: never a decision, whatever it says.
ELSEWHERE: dict[str, Callable[[str], str]] = {
    "below the quotation": lambda own: f"On {DAY}, {NAME} wrote:\n{_marked(REQUEST)}\n\n{own}",
    "between the lines": lambda own: (
        f"{NAME} さんは書きました:\n{_marked(REQUEST[:300])}\n{own}\n{_marked(REQUEST[300:])}"
    ),
    "below an Outlook block": lambda own: f"{_block(FIELDS)}\n\n{REQUEST}\n\n{own}",
    "quoted itself": lambda own: f"> {own}\n\n{_marked(REQUEST)}",
}


@dataclass(frozen=True)
class Written:
    """One reply: its octets and what it says, None where it says nothing clear."""

    name: str
    raw: bytes
    command: Command | None


def _flowed(text: str) -> str:
    lines = []
    for line in text.split("\n"):
        pieces = textwrap.wrap(line, 60, drop_whitespace=False, break_long_words=False) or [""]
        lines += [f"{piece.rstrip(' ')} " for piece in pieces[:-1]] + [
            pieces[-1].rstrip(" ") if line != "-- " else line
        ]
    return "\n".join(lines)


ENCODINGS: dict[str, tuple[str, str, str]] = {
    "UTF-8 base64": ("utf-8", "base64", ""),
    "UTF-8 quoted-printable": ("utf-8", "quoted-printable", ""),
    "UTF-8 8bit": ("utf-8", "8bit", ""),
    "ISO-2022-JP": ("iso-2022-jp", "7bit", ""),
    "Shift_JIS base64": ("shift_jis", "base64", ""),
    "UTF-8 flowed": ("utf-8", "quoted-printable", "; format=flowed"),
}


def _body(text: str, encoding: str, kind: str) -> tuple[bytes, str, str]:
    charset, transfer, more = ENCODINGS[encoding]
    if more and kind == "plain":
        text = _flowed(text)
    data = text.replace("\n", "\r\n").encode(charset, "replace")
    if transfer == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif transfer == "quoted-printable":
        data = quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return data, f"text/{kind}; charset={charset}{more if kind == 'plain' else ''}", transfer


def mail(text: str, encoding: str, *, kind: str = "plain", beside: str = "") -> bytes:
    """A reply of this text; `beside` is the HTML that a program sends with it."""
    local, _, domain = OFFICE.partition("@")
    data, content_type, transfer = _body(text, encoding, kind)
    settings = {"sender": STAFF, "to": f"{local}+{TOKEN}@{domain}", "subject": f"Re: [#{TOKEN}]"}
    if not beside:
        return letter(data, content_type=content_type, encoding=transfer, **settings)
    other, other_type, other_transfer = _body(beside, encoding, "html")
    parts = (
        f"Content-Type: {a}\r\nContent-Transfer-Encoding: {b}\r\n\r\n".encode() + c
        for a, b, c in ((content_type, transfer, data), (other_type, other_transfer, other))
    )
    return letter(multipart(*parts), content_type='multipart/alternative; boundary="=_b0"', encoding="8bit", **settings)


def written(seed: int = 2026) -> Iterator[Written]:
    """Every program in every encoding, with words and signatures drawn by the seed; each word at least once."""
    chance = random.Random(seed)
    clear, unclear = list(CLEAR) * 9, list(UNCLEAR) * 3
    chance.shuffle(clear)
    chance.shuffle(unclear)
    for encoding in ENCODINGS:
        for client in (*PLAIN, *HTML):
            words, command = clear.pop()
            for said, meant, end in ((words, command, chance.choice(SIGNATURES)), (unclear.pop(), None, "")):
                yield Written(f"{client}, {encoding}: {said!r}{end[:14]!r}", _by(client, encoding, said + end), meant)
        for place, lay in ELSEWHERE.items():
            words, _ = chance.choice(CLEAR)
            yield Written(f"{place}, {encoding}: {words!r}", mail(lay(words), encoding), None)
    for words, command in CLEAR:
        yield Written(
            f"both kinds: {words!r}",
            mail(PLAIN["Gmail"](words), "UTF-8 base64", beside=HTML["Gmail, HTML"](words)),
            command,
        )
    for words in UNCLEAR:
        yield Written(
            f"both kinds: {words!r}",
            mail(PLAIN["Gmail"](words), "UTF-8 base64", beside=HTML["Gmail, HTML"](words)),
            None,
        )


def _by(client: str, encoding: str, own: str) -> bytes:
    if client in HTML:
        return mail(HTML[client](own), encoding, kind="html")
    return mail(PLAIN[client](own), encoding)
