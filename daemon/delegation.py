"""Who does the work instead: an absence with a stand-in (不在), a case that is handed over (引継ぎ).

Nobody approves by being asked: these only change who is asked. Whoever is away may still answer what he holds.
"""

import unicodedata
from datetime import date, datetime

from sqlalchemy import Connection, update
from sqlalchemy.engine import RowMapping

from config.settings import Approver

from . import approval, cases, leaves, matter, schema
from .case import State
from .cases import Case
from .centre import Centre
from .four_eyes import enough
from .leaves import Leave
from .planning import JST
from .store import changed

_HONORIFICS = ("さん", "様", "氏")
_LONGEST = 366  # days; a longer absence is a slip of the finger, or an approver to be taken off the list


def person(centre: Centre, word: str) -> Approver | None:
    """The approver that a word means: address, its local part, name or a part of it; None unless exactly one."""
    wanted = _fold(word)
    for honorific in _HONORIFICS:
        wanted = wanted.removesuffix(honorific)
    if not wanted:
        return None
    exact = [each for each in centre.settings.approvers if wanted in _names(each)]
    found = exact or [each for each in centre.settings.approvers if wanted in _fold(each.name)]
    return found[0] if len(found) == 1 else None


def _names(approver: Approver) -> tuple[str, ...]:
    return _fold(approver.address), _fold(approver.address.partition("@")[0]), _fold(approver.name)


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def hand_over(
    tx: Connection, centre: Centre, case: Case, request: RowMapping, approver: Approver, word: str, *, now: datetime
) -> tuple[str, ...] | str:
    """Another approver is asked in this one's stead; his own request is closed. A Japanese sentence where it cannot be:
    a case that needs two must keep two who can be asked."""
    other = person(centre, word)
    if other is None:
        names = "・".join(each.name for each in centre.settings.approvers)
        return f"「{word}」に当たる承認者を一人に特定できません。次のどなたかをご指定ください：{names}"
    if other.address.lower() == approver.address.lower():
        return "ご本人への引継ぎはできません。"
    found = matter.look(tx, centre, case, now=now)
    if other not in approval.may_decide(centre, found.parties):
        return f"{other.name}さんは、この案件の当事者のため判断できません。"
    still = {row["approver"].lower() for row in approval.open_requests(tx, case)} - {approver.address.lower()}
    still |= {row["approver"].lower() for row in approval.given(tx, case)} | {other.address.lower()}
    needed = max(found.plan.quorum, 2 if approval.correctors(tx, case) else 1)
    if not enough(still, needed, approval.correctors(tx, case)):
        return f"この案件には異なる{needed}名の承認が必要なため、引き継ぐと人数が足りなくなります。"
    changed(
        tx,
        update(schema.requests)
        .where(schema.requests.c.id == request["id"], schema.requests.c.state == "open")
        .values(state="void"),
    )
    asked = approval.ask_besides(tx, centre, case, [other], now=now, why="handed_over")
    centre.audit.append(tx, "case_handed_over", at=now, actor=approver.address, case_id=case.id, to=other.address)
    already = "" if asked else f"{other.name}さんは、すでに承認依頼をお持ちです。"
    return (f"{other.name}さんに引き継ぎました。{already}", f"{approver.name}さんあての承認依頼は無効になりました。")


def go_away(
    tx: Connection,
    centre: Centre,
    approver: Approver,
    first: date,
    last: date,
    word: str,
    *,
    now: datetime,
    mail_id: int | None = None,
) -> tuple[str, ...] | str:
    """Enter an absence; where it has begun, the stand-in is asked about what the absent one holds at once."""
    today = now.astimezone(JST).date()
    if last < first:
        return "不在の終わりの日が、始まりの日より前です。"
    if last < today:
        return "過ぎた期間です。今日以降の期間をご指定ください。"
    if (last - first).days > _LONGEST:
        return "不在の期間が1年を超えています。ご確認ください。"
    stand_in = person(centre, word) if word else _configured(centre, approver)
    if word and stand_in is None:
        names = "・".join(each.name for each in centre.settings.approvers)
        return f"代理「{word}」に当たる承認者を一人に特定できません。次のどなたかをご指定ください：{names}"
    if stand_in is not None and stand_in.address.lower() == approver.address.lower():
        return "代理には、ほかの承認者をご指定ください。"
    leave = Leave(approver.address, first, last, stand_in.address if stand_in else "")
    leaves.record(tx, centre, leave, now=now, mail_id=mail_id)
    moved = _ask_stand_in(tx, centre, approver, stand_in, now=now) if stand_in and first <= today else 0
    return (
        f"{approver.name}さんの不在を承りました：{first:%Y-%m-%d}〜{last:%Y-%m-%d}",
        f"期間中の承認依頼は、代理の{stand_in.name}さんにお送りします。" if stand_in else "代理の指定はありません。",
        *([f"お待ちの案件{moved}件を、代理の方にもお送りしました。"] if moved else []),
        "早くお戻りのときは、新しいメールに「不在 終了」とご記入ください。",
    )


def come_back(tx: Connection, centre: Centre, approver: Approver, *, now: datetime) -> tuple[str, ...] | str:
    """End whatever absence lasts or is to come."""
    if not leaves.end(tx, centre, approver.address, now=now):
        return "登録されている不在の期間がありません。"
    return (f"{approver.name}さんの不在を終了しました。以後の承認依頼は、ご本人にお送りします。",)


def _configured(centre: Centre, approver: Approver) -> Approver | None:
    return centre.settings.approver(approver.deputy) if approver.deputy else None


def _ask_stand_in(tx: Connection, centre: Centre, approver: Approver, stand_in: Approver, *, now: datetime) -> int:
    moved = 0
    for case in cases.in_state(tx, State.AWAITING_DECISION, State.ON_HOLD):
        held = {row["approver"].lower() for row in approval.open_requests(tx, case)}
        if approver.address.lower() in held:
            moved += approval.ask_besides(tx, centre, case, [stand_in], now=now, why="absence")
    return moved
