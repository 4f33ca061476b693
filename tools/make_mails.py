"""Made-up mails of Japanese companies in the habits of the programs that send them, each with the truth about itself.

    .venv/bin/python -m tools.make_mails OUT [--count 240] [--seed 1]     writes NNN-habit.eml and NNN-habit.json

The same seed gives the same mails. Everybody and everything in them is invented. The habits are those of the field
notes (mail.md §5.3, runtime.md §3): nothing is copied from a real mail. The tests make them anew at every run
(tests/parsers/test_mail_corpus.py) and ask for every subject, name, body and file.
"""

import argparse
import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random

from tools.mail_habits import HABITS
from tools.mail_pieces import header
from tools.mail_story import JST, Habit, Story
from tools.pack_files import Member

_FAMILIES = ("髙橋", "﨑山", "山田", "渡邊", "齋藤", "鈴木", "表", "曽根", "ソ連田", "德永", "佐々木", "五十嵐")
_GIVEN = ("花子", "一郎", "ソノ子", "能", "十志", "めぐみ", "ジョージ", "はるか", "申")
_COMPANIES = ("㈱青空電機", "青空電機株式会社", "（有）みなと商会", "みなとテック㈱", "№①製作所", "ソフト表現社")
_SUBJECTS = (
    "申請書の送付",
    "【至急】WebEC電子証明書 新規発行の申請書①を送付いたします（㈱青空電機）",
    "Re: Re: 再発行のお願い～担当：髙橋",
    "ｼﾝｾｲｼｮ 送付ﾉｹﾝ",
    "証明書の申請について、ソフト開発部より表を添付いたします。ご確認のほどよろしくお願い申し上げます",
    "Fw: 担当変更（№３）の申請書類一式",
    "申請",
)
_BODIES = (
    "ご担当者様\n\nお世話になっております。\n申請書①を添付いたします。\n\nよろしくお願いいたします。",
    "お世話になっております、㈱青空電機の髙橋です。\n再発行の申請書を送ります～。\n表の「ソ」欄は能力表示です。\n10℃～20℃、№5、ｱｲｳｴｵ。",
    "申請書送付の件\n\n添付をご確認ください。",
    "いつもお世話になります。\n\n下記のとおり申請いたします。\n　・種別：新規発行\n　・利用者：﨑山 花子\n\n以上",
)
_FILES = (
    "申請書.pdf",
    "WebEC電子証明書発行サービス申請書（新規発行）_㈱青空電機_髙橋様_20240701.pdf",
    "表ソ能十申.pdf",
    "ｼﾝｾｲｼｮ①.pdf",
    "申請書 (2).pdf",
    "がぎぐげご パピプペポ.pdf",
    "form.pdf",
)


@dataclass(frozen=True, slots=True)
class Truth:
    """What a reader must find. `files` are (name, SHA-256) in order; `packed` those inside a container; `charset` is
    what limits the letters of this mail; `suspicions` and `automatic` as `parsers.mail.Mail` has them."""

    habit: str
    subject: str
    sender_name: str
    sender: str
    body: str
    files: tuple[tuple[str, str], ...] = ()
    packed: tuple[tuple[str, str], ...] = ()
    suspicions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One mail and its truth."""

    raw: bytes
    truth: Truth


def mails(count: int, seed: int) -> list[Sample]:
    """So many mails, every habit in turn."""
    habits = list(HABITS.items())
    return [_sample(*habits[number % len(habits)], Random(f"{seed}/{number}"), number) for number in range(count)]


def _sample(name: str, habit: Habit, random: Random, number: int) -> Sample:
    story = _story(random, number)
    rest = habit(story)
    usual: list[tuple[str, str | bytes]] = [
        ("Received", f"from mail.aozora-denki.example ([192.0.2.{number % 250}]) by mx.lra.example; {_date(story)}"),
        ("Message-ID", f"<{random.getrandbits(60):x}.{number}@aozora-denki.example>"),
        ("Date", _date(story)),
        ("To", "OGIS-LRA <ogis-lra@lra.example>"),
        ("MIME-Version", "1.0"),
    ]
    raw = header(*usual, *story.fields) + rest
    truth = Truth(
        habit=name,
        subject=story.subject,
        sender_name=story.name,
        sender=story.address,
        body=story.body,
        files=tuple(_told(each) for each in story.files),
        packed=tuple(_told(each) for each in story.packed),
        suspicions=story.suspicions,
    )
    return Sample(raw, truth)


def _told(member: Member) -> tuple[str, str]:
    # A name is one name however its accents are stored, and blanks in it are one blank.
    name = " ".join(unicodedata.normalize("NFC", member[0]).split())
    return name, hashlib.sha256(member[1]).hexdigest()


def _date(story: Story) -> str:
    return format_datetime(story.at)


def _story(random: Random, number: int) -> Story:
    family, given = random.choice(_FAMILIES), random.choice(_GIVEN)
    name = random.choice((f"{family} {given}", f"{family}{given}", f"{random.choice(_COMPANIES)} {family}", given))
    files = [(each, pdf(random)) for each in random.sample(_FILES, random.choice((1, 1, 1, 2, 3)))]
    return Story(
        random=random,
        subject=random.choice(_SUBJECTS),
        name=name,
        address=f"user{number}@{random.choice(('aozora-denki', 'minato-tech'))}.example",
        body=random.choice(_BODIES),
        files=files,
        at=datetime(2024, 7, 1, 9, 30, tzinfo=JST) + timedelta(hours=number),
    )


def pdf(random: Random) -> bytes:
    """Octets that begin as a PDF and hold every awkward one: line ends of all kinds, dots, NUL, `From `, boundaries."""
    awkward = (
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n.\r\n",
        b"\0",
        b"\nFrom x\n",
        b"\n--=_x\n",
        b"=41=\n",
        b"\x1b$B",
        b"\xff" * 9,
    )
    pieces = [random.choice(awkward) if random.random() < 0.3 else random.randbytes(40) for _ in range(30)]
    return b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"".join(pieces) + b"\n%%EOF\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write made-up Japanese mails and the truth about each.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(mails(options.count, options.seed)):
        stem = f"{number:03d}-{sample.truth.habit}"
        (options.out / f"{stem}.eml").write_bytes(sample.raw)
        told: Mapping[str, object] = asdict(sample.truth)
        (options.out / f"{stem}.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
