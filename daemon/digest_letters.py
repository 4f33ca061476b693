"""The daily digest as a letter (domain notes E.3): headings and lines, nothing that decides anything."""

from collections.abc import Sequence
from datetime import date

from . import wording
from .draft import Draft, LetterKind, Office


def daily_digest(office: Office, *, day: date, waiting: int, sections: Sequence[tuple[str, Sequence[str]]]) -> Draft:
    """日報 (E.3): what waits and what is due, by headings; those without an entry are told in one line. No token."""
    empty = [heading for heading, lines in sections if not lines]
    shown = [f"■ {heading}（{len(lines)}件）\n{_bullets(lines)}" for heading, lines in sections if lines]
    if empty:
        shown.append("該当なし：" + "、".join(empty))
    setting = wording.fill(
        LetterKind.DAILY_DIGEST,
        office,
        {
            "day": wording.japanese_date(day),
            "waiting": str(waiting),
            "summary": f"ご判断をお待ちしている案件：{waiting}件"
            if waiting
            else "ご判断をお待ちしている案件はありません。",
            "sections": "\n\n".join(shown),
        },
    )
    return Draft(LetterKind.DAILY_DIGEST, setting.subject, setting.body, "auto-generated")


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"・{wording.one_line(line)}" for line in lines)
