"""Step 4: asking for a decision. One request a case, version and approver, each with a one-time token of its own.

Promises: of a token only its keyed hash is stored; a request is bound to the digest of what was shown; any change of
the case voids its open requests before new ones go out. Requests lapse, cases never do: a lapsed request is sent anew.
Who is asked, and who besides when nobody answers, `rota` says; what the letter holds, `request_letters`.
"""

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, func, select, update
from sqlalchemy.engine import RowMapping

from config.settings import Approver
from parsers.normalise import mail_key
from parsers.reply import Verb

from . import cases, leaves, post, request_letters, rota, schema
from . import matter as matters
from .case import State
from .case_facts import facts_of
from .cases import Case
from .centre import Centre
from .guard import attempt
from .matter import Matter
from .store import added, changed, every, one

__all__ = [
    "DECISION",
    "RECALL",
    "ask",
    "ask_besides",
    "code_of",
    "correctors",
    "facts_of",
    "find",
    "get",
    "given",
    "make_recall",
    "may_decide",
    "open_requests",
    "renew_lapsed",
    "token_hash",
    "use",
    "void",
]

# What a token is for: deciding, or only taking a decision back (取消).
DECISION, RECALL = "decision", "recall"

_requests = schema.requests
_TOKEN_BYTES = 16


def token_hash(centre: Centre, token: str) -> str:
    """The keyed hash under which a token is known; without the key a stolen database opens no request."""
    return hmac.new(centre.token_key, token.strip().upper().encode(), "sha256").hexdigest()


def code_of(centre: Centre, request_token_hash: str, digest: str) -> str:
    """The short form of the digest that a request shows, so that a signed reply names what it decides.

    Keyed and bound to the one request: the same application asked about anew, or another approver, has another code.
    80 bits in base32, in groups of four.
    """
    key = hmac.new(centre.token_key, f"code:{request_token_hash}:{digest}".encode(), "sha256").digest()
    letters = base64.b32encode(key[:10]).decode()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def ask(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> Case:
    """Void what was asked before and ask about the case as it is now, everybody whose turn it is."""
    void(tx, case)
    matter = matters.look(tx, centre, case, now=now)
    case = cases.set_values(tx, case, digest=matter.digest)
    eligible, away = may_decide(centre, matter.parties), leaves.away(tx, now)
    choose = rota.everybody if matters.is_urgent(case) else rota.first
    # What somebody corrected needs somebody else, whatever the plan asks for.
    needed = max(matter.plan.quorum, 2 if correctors(tx, case) else 1)
    asked = choose(eligible, away, needed)
    _send(tx, centre, case, matter, asked, now=now, number=_newest_round(tx, case) + 1, before=0)
    if len(eligible) < needed:
        post.notify(
            tx,
            centre,
            key=f"too-few:{case.id}:{case.version}:{now.isoformat()}",
            subject=f"承認者が足りません {case.number}",
            lines=(
                f"異なる{needed}名の承認が必要ですが、判断できる承認者は{len(eligible)}名です。",
                "承認者ご本人が当事者の申請は、ご本人には依頼していません。承認者の追加をご検討ください。",
            ),
            now=now,
            case_id=case.id,
        )
    centre.audit.append(
        tx,
        "decision_asked",
        at=now,
        actor="system",
        case_id=case.id,
        version=case.version,
        digest=matter.digest,
        approvers=len(asked),
    )
    return case


def ask_besides(
    tx: Connection, centre: Centre, case: Case, more: Sequence[Approver], *, now: datetime, why: str
) -> int:
    """Ask these too, in the running round, about exactly what the others were shown; returns how many were new.

    Whoever holds an open request of the round, or has answered one, is not asked twice. Where the case has changed
    since, nobody is asked: whoever answers the old request is told so and all are asked anew.
    """
    matter = matters.look(tx, centre, case, now=now)
    if matter.digest != case.digest:
        return 0
    number = _newest_round(tx, case)
    query = select(_requests.c.approver).where(
        _requests.c.case_id == case.id,
        _requests.c.round == number,
        _requests.c.purpose == DECISION,
        _requests.c.state.in_(("open", "used")),
    )
    asked = {row["approver"].lower() for row in every(tx, query)}
    allowed = {approver.address.lower() for approver in may_decide(centre, matter.parties)} - asked
    fresh = [approver for approver in more if approver.address.lower() in allowed]
    _send(tx, centre, case, matter, fresh, now=now, number=number, before=len(asked))
    for approver in fresh:
        centre.audit.append(
            tx, "decision_asked_besides", at=now, actor="system", case_id=case.id, approver=approver.address, why=why
        )
    return len(fresh)


def _send(
    tx: Connection,
    centre: Centre,
    case: Case,
    matter: Matter,
    asked: Sequence[Approver],
    *,
    now: datetime,
    number: int,
    before: int,
) -> None:
    """One request and one letter for each. `before` counts those of the round who hold theirs already."""
    if not asked:
        return
    make = request_letters.prepare(tx, centre, case, matter)
    expires = now + timedelta(days=centre.settings.policy.request_days)
    for index, approver in enumerate(asked, before + 1):
        token, request_id = _token(tx, centre, case, approver, now=now, expires=expires, number=number)
        code = code_of(centre, token_hash(centre, token), case.digest)
        draft = make(token=token, code=code, approver_index=f"{index}/{before + len(asked)}", expires_at=expires)
        post.queue(
            tx,
            centre,
            draft,
            key=f"request:{request_id}",
            recipient=approver.address,
            now=now,
            case_id=case.id,
        )


def make_recall(
    tx: Connection, centre: Centre, case: Case, approver: Approver, *, now: datetime, expires: datetime
) -> str:
    """A token with which this approver can take back what was decided about the case as it is now (取消)."""
    number = _newest_round(tx, case)
    return _token(tx, centre, case, approver, now=now, expires=expires, number=number, purpose=RECALL)[0]


def _token(
    tx: Connection,
    centre: Centre,
    case: Case,
    approver: Approver,
    *,
    now: datetime,
    expires: datetime,
    number: int,
    purpose: str = DECISION,
) -> tuple[str, int]:
    token = base64.b32encode(centre.random_bytes(_TOKEN_BYTES)).decode().rstrip("=")
    request_id = added(
        tx,
        _requests,
        case_id=case.id,
        version=case.version,
        digest=case.digest,
        approver=approver.address,
        token_hash=token_hash(centre, token),
        state="open",
        created_at=now,
        expires_at=expires,
        purpose=purpose,
        round=number,
    )
    return token, request_id


def may_decide(centre: Centre, parties: frozenset[str]) -> list[Approver]:
    """The approvers who may decide: nobody does about an affair of his own. `parties` are compare keys of addresses."""
    return [approver for approver in centre.settings.approvers if mail_key(approver.address) not in parties]


def find(tx: Connection, centre: Centre, token: str) -> RowMapping | None:
    """The request a token belongs to, whatever its state."""
    return one(tx, select(_requests).where(_requests.c.token_hash == token_hash(centre, token)))


def get(tx: Connection, request_id: int) -> RowMapping | None:
    """The request of that number."""
    return one(tx, select(_requests).where(_requests.c.id == request_id))


def open_requests(tx: Connection, case: Case) -> Sequence[RowMapping]:
    """The requests for decision that may still be answered, in the order they were sent."""
    query = select(_requests).where(
        _requests.c.case_id == case.id, _requests.c.state == "open", _requests.c.purpose == DECISION
    )
    return every(tx, query.order_by(_requests.c.id))


def given(tx: Connection, case: Case) -> Sequence[RowMapping]:
    """The approvals of exactly what the case is now, in answer to the newest round of requests.

    When a case was asked about anew (a mail came in, the term passed, 取消), what was said before counts no more.
    """
    decisions = schema.decisions
    return every(
        tx,
        select(decisions)
        .join(_requests, _requests.c.id == decisions.c.request_id)
        .where(
            decisions.c.case_id == case.id,
            decisions.c.version == case.version,
            decisions.c.digest == case.digest,
            decisions.c.verb == Verb.APPROVE.value,
            _requests.c.purpose == DECISION,
            _requests.c.round == _newest_round(tx, case),
        ),
    )


def correctors(tx: Connection, case: Case) -> frozenset[str]:
    """Who corrected the form as it came in last: each correction needs the approval of somebody else (SPEC 2.1)."""
    versions = schema.applications
    query = select(versions.c.amended_by).where(versions.c.case_id == case.id).order_by(versions.c.version.desc())
    found = []
    for row in every(tx, query):
        if not row["amended_by"]:
            break
        found.append(row["amended_by"])
    return frozenset(found)


def use(tx: Connection, request: RowMapping) -> None:
    """The token is spent. Raises Conflict when it was spent, voided or lapsed meanwhile."""
    changed(
        tx,
        update(_requests).where(_requests.c.id == request["id"], _requests.c.state == "open").values(state="used"),
    )


def void(tx: Connection, case: Case) -> None:
    """No open request of this case may be answered any more, and no token takes anything back."""
    tx.execute(
        update(_requests).where(_requests.c.case_id == case.id, _requests.c.state == "open").values(state="void")
    )


def renew_lapsed(centre: Centre) -> int:
    """Requests past their term lapse, and the case is asked about anew: silence approves nothing and loses nothing."""
    query = select(_requests.c.case_id).where(_requests.c.state == "open", _requests.c.expires_at <= centre.clock())
    with centre.store.transaction() as tx:
        waiting = [row["case_id"] for row in every(tx, query.distinct())]
    return sum(attempt(f"lapsed case {case_id}", partial(_renew, centre, case_id)) or 0 for case_id in waiting)


def _renew(centre: Centre, case_id: int) -> int:
    now = centre.clock()
    with centre.store.transaction() as tx:
        case = cases.get(tx, case_id)
        waits = case.state in (State.AWAITING_DECISION, State.ON_HOLD)
        late = update(_requests).where(_requests.c.case_id == case_id, _requests.c.state == "open")
        # Of a case that waits all lapse together: a round is one. Elsewhere only tokens of 取消 are left.
        tx.execute((late if waits else late.where(_requests.c.expires_at <= now)).values(state="lapsed"))
        if not waits:
            return 0
        ask(tx, centre, case, now=now)
    return 1


def _newest_round(tx: Connection, case: Case) -> int:
    query = select(func.max(_requests.c.round)).where(_requests.c.case_id == case.id)
    return int(tx.execute(query).scalar_one() or 0)
