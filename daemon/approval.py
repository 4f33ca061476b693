"""Step 4: asking for a decision. One request a case, version and approver, each with a one-time token of its own.

Promises: of a token only its keyed hash is stored; a request is bound to the digest of what was shown; any change of
the case voids its open requests before new ones go out. Requests lapse, cases never do: a lapsed request is sent anew.
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
from parsers.reading import Application
from parsers.reply import Verb

from . import cases, crops, post, schema, staff_letters
from .assessment import Assessment, assess
from .case import State
from .cases import Case
from .centre import Centre
from .crops import Crops
from .guard import attempt
from .letters import CaseFacts, Enclosure
from .post import MOST_ENCLOSED
from .staff_letters import Difference
from .store import added, changed, every, one

_requests = schema.requests
_TOKEN_BYTES = 16
_REGISTER_FIELDS = ("company_ja", "company_en", "name_ja", "name_en", "email")


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
    """Void what was asked before and ask every approver about the case as it is now."""
    void(tx, case)
    assessment = assess(tx, centre, case, now=now)
    case = cases.set_values(tx, case, digest=assessment.digest)
    expires = now + timedelta(days=centre.settings.policy.request_days)
    asked = may_decide(centre, assessment.application)
    pictures, documents = _enclosures(tx, centre, case, assessment.application)
    for index, approver in enumerate(asked, 1):
        token = base64.b32encode(centre.random_bytes(_TOKEN_BYTES)).decode().rstrip("=")
        request_id = added(
            tx,
            _requests,
            case_id=case.id,
            version=case.version,
            digest=assessment.digest,
            approver=approver.address,
            token_hash=token_hash(centre, token),
            state="open",
            created_at=now,
            expires_at=expires,
        )
        draft = staff_letters.approval_request(
            centre.office,
            facts_of(case),
            application=assessment.application,
            findings=assessment.findings,
            plan=assessment.plan.sentences,
            blocked=assessment.plan.blocked,
            quorum=assessment.plan.quorum,
            quorum_reasons=assessment.plan.quorum_reasons,
            register_differences=_differences(centre, assessment),
            candidates=_candidates(assessment),
            token=token,
            code=code_of(centre, token_hash(centre, token), assessment.digest),
            approver_index=f"{index}/{len(asked)}",
            expires_at=expires,
            documents=documents,
            crops=pictures,
        )
        post.queue(
            tx,
            centre,
            draft,
            key=f"request:{request_id}",
            recipient=approver.address,
            now=now,
            case_id=case.id,
        )
    if len(asked) < assessment.plan.quorum:
        post.notify(
            tx,
            centre,
            key=f"too-few:{case.id}:{case.version}:{now.isoformat()}",
            subject=f"承認者が足りません {case.number}",
            lines=(
                f"この案件には異なる{assessment.plan.quorum}名の承認が必要ですが、判断できる承認者は{len(asked)}名です。",
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
        digest=assessment.digest,
        approvers=len(asked),
    )
    return case


def may_decide(centre: Centre, application: Application) -> list[Approver]:
    """The approvers who are asked: nobody decides about an application of his own."""
    own = {
        mail_key(application.value(field) or "")
        for field in ("applicant.email", "user.email", "before.email", "after.email")
    }
    return [approver for approver in centre.settings.approvers if mail_key(approver.address) not in own]


def find(tx: Connection, centre: Centre, token: str) -> RowMapping | None:
    """The request a token belongs to, whatever its state."""
    return one(tx, select(_requests).where(_requests.c.token_hash == token_hash(centre, token)))


def get(tx: Connection, request_id: int) -> RowMapping | None:
    """The request of that number."""
    return one(tx, select(_requests).where(_requests.c.id == request_id))


def given(tx: Connection, case: Case) -> Sequence[RowMapping]:
    """The approvals of exactly what the case is now, in answer to the newest round of requests.

    When a case was asked about anew (a mail came in, the term passed), what was said before counts no more.
    """
    newest = select(func.max(_requests.c.created_at)).where(_requests.c.case_id == case.id).scalar_subquery()
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
            _requests.c.created_at == newest,
        ),
    )


def use(tx: Connection, request: RowMapping) -> None:
    """The token is spent. Raises Conflict when it was spent, voided or lapsed meanwhile."""
    changed(
        tx,
        update(_requests).where(_requests.c.id == request["id"], _requests.c.state == "open").values(state="used"),
    )


def void(tx: Connection, case: Case) -> None:
    """No open request of this case may be answered any more."""
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
        tx.execute(
            update(_requests).where(_requests.c.case_id == case_id, _requests.c.state == "open").values(state="lapsed")
        )
        case = cases.get(tx, case_id)
        if case.state not in (State.AWAITING_DECISION, State.ON_HOLD):
            return 0
        ask(tx, centre, case, now=now)
    return 1


def facts_of(case: Case, *, wished: str | None = None, user_name: str = "") -> CaseFacts:
    """What letters may say about a case."""
    return CaseFacts(
        number=case.number,
        request_type=case.request_type,
        company=case.applicant_company,
        person=case.applicant_name,
        arrived_at=case.arrived_at,
        wished_date=datetime.fromisoformat(wished).date() if wished else None,
        user_name=user_name,
    )


def _differences(centre: Centre, assessment: Assessment) -> list[Difference]:
    target, kind = assessment.facts.target, assessment.application.request_type
    if target is None or kind is None:
        return []
    block = centre.table.types[kind].looks_up
    pairs = [
        (f"{block}.{name}", assessment.application.value(f"{block}.{name}") or "", getattr(target.person, name))
        for name in _REGISTER_FIELDS
    ]
    return [
        Difference(centre.table.label(key), read, registered) for key, read, registered in pairs if read != registered
    ]


def _candidates(assessment: Assessment) -> list[str]:
    if assessment.facts.target is not None:
        return []
    shown = (*assessment.facts.match.exact, *assessment.facts.match.candidates)
    return [
        f"{registration.subscriber_id}：{registration.person.company_ja} {registration.person.name_ja}"
        f"（{registration.person.email}）"
        for registration in shown
    ]


def _enclosures(tx: Connection, centre: Centre, case: Case, application: Application) -> tuple[Crops, list[Enclosure]]:
    """What staff compare the reading with: pictures cut out of the form, and the form itself where both together are
    small enough for every mail server; a larger form lies in the mailbox."""
    digest = cases.version_row(tx, case)["document"]
    data = centre.blobs.get(digest) if digest else b""
    if not data:
        return Crops(), []
    pictures = crops.make(data, application, centre.reader)
    size = len(data) + sum(len(picture.data) for picture in pictures.pictures)
    document = Enclosure(f"{case.number}.pdf", "application/pdf", data)
    return pictures, [document] if size <= MOST_ENCLOSED else []
