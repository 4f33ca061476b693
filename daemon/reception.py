"""Step 3: what a mail that was read becomes: cases, a letter, a decision, or something for a person to look at.

`receive` is called inside the transaction that settles the mail, so that the mail is dealt with and its consequences
exist together or not at all. Nothing that reaches us ends in a folder nobody reads: whatever we do not understand is
shown to staff.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from parsers.mail import Attachment, Mail
from parsers.reply import find_case_number
from sqlalchemy import Connection

from config import events
from parsers.reading import Application, Problem, Reading

from . import approval, assessment, cases, letters, post, replies
from .answers import answer
from .case import CaseKind, Event, State
from .cases import Case
from .centre import Centre
from .ledger import MailRow
from .letters import Draft, Enclosure
from .planning import JST

# Problems of a page that are no reason to bother anybody when another page gave an application.
_QUIET = frozenset({"cover_or_terms", "not_a_form"})


@dataclass(frozen=True, slots=True)
class Opened:
    """One attachment and what the parsers made of it: a reading, or the kind of document it is instead."""

    attachment: Attachment
    digest: str
    reading: Reading | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One mail with everything that was read from it."""

    row: MailRow
    mail: Mail
    opened: tuple[Opened, ...]

    @property
    def sender(self) -> str:
        """The one From address; empty when there is none or more than one, so that nobody wrong is answered."""
        return self.mail.senders[0].address if len(self.mail.senders) == 1 else ""

    @property
    def answerable(self) -> bool:
        """Whether we may answer by ourselves (RFC 3834 §2): a person wrote it, from one address."""
        return bool(self.sender) and self.mail.automatic is None and not self.mail.suspicions

    def forms(self) -> list[tuple[Opened, Application]]:
        """Every application in every attachment."""
        return [(each, form) for each in self.opened if each.reading for form in each.reading.applications]

    def problems(self) -> list[tuple[Opened, Problem]]:
        """Every page that gave no application and is worth a word."""
        return [
            (each, problem)
            for each in self.opened
            if each.reading
            for problem in each.reading.problems
            if not (problem.code in _QUIET and each.reading.applications)
        ]

    def unreadable(self) -> list[str]:
        """The kinds of documents that cannot be an application as they are."""
        return [each.kind for each in self.opened if each.kind]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail, and whether a person has to look at the mail itself."""

    name: str
    for_staff: bool = False


def receive(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> Outcome:
    """Deal with one mail. The order matters: a reply with a token first, then forms, then everything else."""
    mail = delivery.mail
    if delivery.sender.lower() == centre.office.address.lower():
        return Outcome("own_mail")
    if replies.concerns_decision(centre, mail):
        return Outcome(replies.handle(tx, centre, mail, delivery.row, now=now))
    if delivery.forms():
        return _take_forms(tx, centre, delivery, now=now)
    if any(problem.code == "no_text_layer" for _, problem in delivery.problems()):
        return _hold_pictures(tx, centre, delivery, now=now)
    return _no_form(tx, centre, delivery, now=now)


def _take_forms(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> Outcome:
    forms = delivery.forms()
    thread = _thread_case(tx, delivery)
    for index, (opened, application) in enumerate(forms):
        if thread is not None and len(forms) == 1 and _may_join(thread, delivery):
            _join(tx, centre, thread, delivery, opened, application, index, now=now)
        else:
            _open(tx, centre, delivery, opened, application, index, now=now)
    if problems := delivery.problems():
        _show_staff(
            tx, centre, delivery, "読み取れないページがあります", [problem.message for _, problem in problems], now
        )
    if thread is not None and not (len(forms) == 1 and _may_join(thread, delivery)):
        _show_staff(tx, centre, delivery, f"案件 {thread.number} への返信に申請書があります", [], now, thread.id)
    return Outcome("application", for_staff=bool(problems))


def _open(
    tx: Connection,
    centre: Centre,
    delivery: Delivery,
    opened: Opened,
    application: Application,
    index: int,
    *,
    now: datetime,
) -> None:
    case = cases.open_case(
        tx,
        centre.audit,
        kind=CaseKind.APPLICATION,
        state=State.RECEIVED,
        arrived_at=delivery.row.arrived_at,
        now=now,
        actor="applicant",
        correspondent=delivery.sender,
        thread_id=delivery.mail.message_id,
        muted=int(not delivery.answerable),
        **assessment.columns(centre, application),
    )
    _keep(tx, case, delivery, opened, application, index, now)
    consider(tx, centre, case, now=now)


def _join(
    tx: Connection,
    centre: Centre,
    case: Case,
    delivery: Delivery,
    opened: Opened,
    application: Application,
    index: int,
    *,
    now: datetime,
) -> None:
    """A corrected form sent in answer joins its case as a new version and voids what was asked about the old one."""
    event = Event.RESUBMITTED if case.state is State.RETURNED else Event.AMENDED
    case = cases.apply(
        tx,
        centre.audit,
        case,
        event,
        now=now,
        actor="applicant",
        version=case.version + 1,
        registration_id=None,
        deadline=None,
        thread_id=delivery.mail.message_id,
        muted=int(not delivery.answerable),
        **assessment.columns(centre, application),
    )
    _keep(tx, case, delivery, opened, application, index, now)
    consider(tx, centre, case, now=now)


def consider(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> None:
    """Rules over a received case: clear defects go back to the applicant in one letter, the rest is asked about."""
    assessed = assessment.assess(tx, centre, case, now=now)
    if assessed.defects:
        _send_back(tx, centre, case, now=now)
        return
    case = cases.apply(tx, centre.audit, case, Event.COMPLETED, now=now, actor="system")
    draft = letters.receipt(centre.office, _facts(case, assessed.application))
    answer(tx, centre, case, draft, f"receipt:{case.id}:{case.version}", now=now)
    approval.ask(tx, centre, case, now=now)


def _send_back(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> None:
    assessed = assessment.assess(tx, centre, case, now=now)
    deadline = now + timedelta(days=centre.settings.policy.resubmission_days)
    case = cases.apply(
        tx,
        centre.audit,
        case,
        Event.DEFECTIVE,
        now=now,
        actor="system",
        deadline=deadline,
        note={"codes": [finding.code for finding in assessed.defects]},
    )
    draft = letters.defects(
        centre.office,
        _facts(case, assessed.application),
        findings=assessed.defects,
        deadline=deadline.astimezone(JST).date(),
    )
    answer(tx, centre, case, draft, f"defects:{case.id}:{case.version}", now=now)


def _hold_pictures(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> Outcome:
    """Pages without text: a case of its own that is held for staff, so that it has a number and waits in the queue."""
    case = cases.open_case(
        tx,
        centre.audit,
        kind=CaseKind.APPLICATION,
        state=State.RECEIVED,
        arrived_at=delivery.row.arrived_at,
        now=now,
        actor="applicant",
        correspondent=delivery.sender,
        thread_id=delivery.mail.message_id,
        muted=int(not delivery.answerable),
    )
    case = cases.apply(tx, centre.audit, case, Event.UNREADABLE, now=now, actor="system", note={"why": "no_text_layer"})
    answer(tx, centre, case, letters.receipt(centre.office, approval.facts_of(case)), f"receipt:{case.id}:1", now=now)
    lines = [problem.message for _, problem in delivery.problems()]
    _show_staff(tx, centre, delivery, f"読み取れない申請書 {case.number}", lines, now, case.id)
    return Outcome("held_for_staff", for_staff=True)


def _no_form(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> Outcome:
    mail, kinds = delivery.mail, delivery.unreadable()
    if any(problem.code == "other_service" for _, problem in delivery.problems()):
        kinds = [*kinds, "other_service"]
    thread = _thread_case(tx, delivery)
    if thread is not None and mail.automatic is None:
        _pause(tx, centre, thread, now=now)
        lines = ["内容をご確認ください。承認済みの案件は保留にしました。", "", mail.text]
        _show_staff(tx, centre, delivery, f"案件 {thread.number} に関するメール", lines, now, thread.id)
        return Outcome("about_a_case", for_staff=True)
    if mail.automatic is not None and not delivery.opened:
        return Outcome("automatic")
    if delivery.answerable:
        draft = _explanation(centre, mail, kinds)
        post.queue(
            tx,
            centre,
            draft,
            key=f"answer:{delivery.row.id}",
            recipient=delivery.sender,
            now=now,
            in_reply_to=mail.message_id or None,
        )
    _show_staff(tx, centre, delivery, "申請書のないメール", ["", mail.text], now)
    return Outcome("unreadable" if kinds else "no_form", for_staff=True)


def _explanation(centre: Centre, mail: Mail, kinds: Sequence[str]) -> Draft:
    if kinds:
        return letters.unreadable(centre.office, kinds=tuple(dict.fromkeys(kinds)))
    return letters.guidance(centre.office, hints=events.hints(f"{mail.subject}\n{mail.text}"), events=events.load())


def _pause(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> None:
    """A human mail in a case's thread may be a "please stop": nothing goes on before staff have read it."""
    if case.state in (State.AWAITING_DECISION, State.APPROVED):
        cases.apply(tx, centre.audit, case, Event.PAUSED, now=now, actor="applicant")


def _thread_case(tx: Connection, delivery: Delivery) -> Case | None:
    mail = delivery.mail
    case_id = post.case_of_thread(tx, (*mail.references, *mail.in_reply_to))
    if case_id is not None:
        return cases.get(tx, case_id)
    number = find_case_number(mail.subject)
    return cases.find(tx, number) if number else None


def _may_join(case: Case, delivery: Delivery) -> bool:
    """Only who sent the form, or its applicant, corrects it; and only while nothing has been carried out."""
    known = {case.correspondent.lower(), case.applicant_email.lower()} - {""}
    open_states = (State.RETURNED, State.AWAITING_DECISION, State.ON_HOLD, State.APPROVED)
    return delivery.sender.lower() in known and case.state in open_states


def _show_staff(
    tx: Connection,
    centre: Centre,
    delivery: Delivery,
    subject: str,
    lines: Sequence[str],
    now: datetime,
    case_id: int | None = None,
) -> None:
    mail = delivery.mail
    head = [
        f"差出人：{'、'.join(address.address for address in mail.senders)}",
        f"件名：{mail.subject}",
        f"添付：{'、'.join(each.attachment.name for each in delivery.opened) or 'なし'}",
    ]
    head += [f"注意：{suspicion}" for suspicion in mail.suspicions]
    enclosures = [
        Enclosure(each.attachment.name or "document", each.attachment.content_type, each.attachment.data)
        for each in delivery.opened
    ]
    post.notify(
        tx,
        centre,
        key=f"mail:{delivery.row.id}:{subject}",
        subject=subject,
        lines=[*head, *lines],
        now=now,
        case_id=case_id,
        enclosures=enclosures,
    )


def _keep(
    tx: Connection, case: Case, delivery: Delivery, opened: Opened, application: Application, index: int, now: datetime
) -> None:
    cases.add_version(
        tx,
        case.id,
        case.version,
        application,
        now=now,
        mail_id=delivery.row.id,
        form_index=index,
        document=opened.digest,
    )


def _facts(case: Case, application: Application) -> letters.CaseFacts:
    return approval.facts_of(case, wished=application.value("wished_revocation_date"))
