"""Step 3: what a mail that was read becomes: cases, a letter, a decision, or something for a person to look at.

`receive` is called inside the transaction that settles the mail, so that the mail is dealt with and its consequences
exist together or not at all. Nothing that reaches us ends in a folder nobody reads: whatever we do not understand is
shown to staff.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from config import events
from parsers.mail import Mail
from parsers.reading import Application
from parsers.reply import find_case_number

from . import approval, assessment, bounces, cases, letters, password_returns, post, ppap, replies, unfit, withdrawal
from .answers import answer
from .assessment import Assessment
from .case import CaseKind, Event, State
from .cases import Case
from .centre import Centre
from .letters import Draft
from .planning import JST
from .referral import TOO_LITTLE, Delivery, Opened, show


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail, and whether a person has to look at the mail itself."""

    name: str
    for_staff: bool = False


def receive(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> Outcome:
    """Deal with one mail. What of ours it brings back is looked at first, whatever else it is."""
    kept = password_returns.take_back(tx, centre, delivery, now=now)
    reported = bounces.settle(tx, centre, delivery.mail, delivery.row.id, now=now)
    outcome = _deal(tx, centre, kept or delivery, reported, now=now)
    return outcome if kept is None else replace(outcome, for_staff=True)


def _deal(tx: Connection, centre: Centre, delivery: Delivery, reported: str | None, *, now: datetime) -> Outcome:
    """The order matters: a reply with a token first, then forms, then everything else."""
    mail = delivery.mail
    if delivery.own and not delivery.opened:
        return Outcome("own_mail", for_staff=True)
    if reported is not None and not delivery.forms() and not delivery.pictured:
        return Outcome(reported, for_staff=reported.startswith("delivery_failed"))
    automatic_form = mail.automatic is not None and bool(delivery.forms())
    if replies.concerns_decision(centre, mail) and not delivery.is_report and not automatic_form:
        name = replies.handle(tx, centre, mail, delivery.row, delivery.verdict, now=now)
        return Outcome(name, for_staff=name.startswith(("refused", "automatic_")))
    if delivery.forms():
        outcome = _take_forms(tx, centre, delivery, now=now)
    elif delivery.pictured:
        outcome = _hold_pictures(tx, centre, delivery, now=now)
    else:
        outcome = _no_form(tx, centre, delivery, now=now)
    if delivery.overgrown and not outcome.for_staff:
        lines = ["メールの構造が複雑なため、一部を読み取っていません。原本をご確認ください。"]
        show(tx, centre, delivery, "一部を読み取れないメール", lines, now)
        outcome = replace(outcome, for_staff=True)
    return outcome


def _take_forms(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> Outcome:
    forms = delivery.forms()
    thread = _thread_case(tx, delivery)
    joins = thread is not None and len(forms) == 1 and _may_join(centre, thread, delivery, forms[0][1])
    for index, (opened, application) in enumerate(forms):
        if thread is not None and joins:
            _join(tx, centre, thread, delivery, opened, application, index, now=now)
        else:
            _open(tx, centre, delivery, opened, application, index, now=now)
    if problems := delivery.problems():
        show(tx, centre, delivery, "読み取れないページがあります", [problem.message for _, problem in problems], now)
    if thread is not None and not joins:
        show(tx, centre, delivery, f"案件 {thread.number} への返信に申請書があります", [], now, thread.id)
    beside = _tell_beside(tx, centre, delivery, now=now)
    return Outcome("application", for_staff=bool(problems) or beside)


def _tell_beside(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> bool:
    ppap.join(tx, centre, delivery, delivery.unreadable(), now=now)
    return unfit.tell_beside(tx, centre, delivery, now=now)


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
        accepted_at=None,
        correspondent=delivery.sender,
        thread_id=delivery.mail.message_id,
        muted=int(not delivery.answerable),
        **assessment.columns(centre, application),
    )
    _keep(tx, case, delivery, opened, application, index, now)
    consider(tx, centre, case, now=now)


def consider(tx: Connection, centre: Centre, case: Case, *, now: datetime, known: bool = False) -> None:
    """Rules over a received case: clear defects go back to the applicant in one letter, the rest is asked about.
    Whoever applied gets a receipt, unless he is `known` to have had one of this version."""
    assessed = assessment.assess(tx, centre, case, now=now)
    if assessed.defects:
        _send_back(tx, centre, case, assessed, now=now)
        return
    case = cases.apply(tx, centre.audit, case, Event.COMPLETED, now=now, actor="system")
    if not known:
        draft = letters.receipt(centre.office, _facts(case, assessed.application))
        answer(tx, centre, case, draft, f"receipt:{case.id}:{case.version}", now=now)
    approval.ask(tx, centre, case, now=now)


def _send_back(tx: Connection, centre: Centre, case: Case, assessed: Assessment, *, now: datetime) -> None:
    deadline = now + timedelta(days=centre.settings.policy.resubmission_days)
    approval.void(tx, case)
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
    """Pages that gave nothing, or next to nothing: a case of its own that is held for staff, so that it has a number
    and waits in the queue. A scan that was read is an application like any other, whatever its doubts."""
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
    case = cases.apply(tx, centre.audit, case, Event.UNREADABLE, now=now, actor="system", note={"why": _why(delivery)})
    answer(tx, centre, case, letters.receipt(centre.office, approval.facts_of(case)), f"receipt:{case.id}:1", now=now)
    lines = [problem.message for _, problem in delivery.problems()]
    show(tx, centre, delivery, f"読み取れない申請書 {case.number}", lines, now, case.id)
    _tell_beside(tx, centre, delivery, now=now)
    return Outcome("held_for_staff", for_staff=True)


def _why(delivery: Delivery) -> str:
    codes = {problem.code for _, problem in delivery.problems()}
    return TOO_LITTLE if TOO_LITTLE in codes else "no_text_layer"


def _no_form(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> Outcome:
    mail, kinds = delivery.mail, unfit.kinds_of(delivery)
    pair = ppap.join(tx, centre, delivery, kinds, now=now)
    delivery = ppap.masked(delivery)
    text = delivery.mail.text
    thread = _thread_case(tx, delivery)
    if thread is not None and mail.automatic is None:
        if _belongs(tx, delivery, thread):
            thread = _pause(tx, centre, thread, now=now)
        if kinds and not pair.told:
            unfit.answer(tx, centre, delivery, letters.unreadable(centre.office, kinds), now)
        lines = [_standing(tx, thread), *filter(None, [withdrawal.hint(thread, text)]), "", text]
        show(tx, centre, delivery, f"案件 {thread.number} に関するメール", lines, now, thread.id)
        return Outcome("password_mail" if pair.is_password else "about_a_case", for_staff=not pair.is_password)
    if mail.automatic is not None and not delivery.opened:
        # A gateway's password mail has said all it has to say.
        return Outcome("password_mail") if pair.is_password else _automatic(tx, centre, delivery, thread, now=now)
    if not pair.told:
        unfit.answer(
            tx, centre, delivery, _explanation(centre, mail, ["encrypted"] if pair.is_password else kinds), now
        )
    title = "パスワードのお知らせのメール" if pair.is_password else "申請書のないメール"
    show(tx, centre, delivery, title, ["", text], now)
    if pair.is_password:
        # Not where people look at the mail itself: it has the password in it.
        return Outcome("password_mail")
    return Outcome("unreadable" if kinds else "no_form", for_staff=True)


def _automatic(tx: Connection, centre: Centre, delivery: Delivery, thread: Case | None, *, now: datetime) -> Outcome:
    """Automatic mail without a document is never answered. A report that something of ours did not arrive, or anything
    about a case, is shown to staff; an out-of-office notice about nothing is only filed."""
    if thread is None and not delivery.is_report:
        return Outcome("automatic")
    lines = ["お送りしたメールの不達、または自動応答の可能性があります。宛先をご確認ください。", "", delivery.mail.text]
    subject = f"案件 {thread.number} に関する自動メール" if thread else "不達などの自動メール"
    show(tx, centre, delivery, subject, lines, now, thread.id if thread else None)
    return Outcome("automatic", for_staff=True)


def _explanation(centre: Centre, mail: Mail, kinds: Sequence[str]) -> Draft:
    if kinds:
        return letters.unreadable(centre.office, kinds)
    return letters.guidance(centre.office, hints=events.hints(f"{mail.subject}\n{mail.text}"), events=events.load())


def _standing(tx: Connection, case: Case) -> str:
    """What staff must know about a case that somebody writes about: whether anything still happens by itself."""
    if case.state is State.ON_HOLD:
        return "内容をご確認ください。あらためてご判断いただくまで、この案件の実行を止めています。"
    dates = [task.due_at.astimezone(JST) for task in cases.tasks(tx, case.id, pending=True) if task.due_at]
    if dates:
        return (
            f"内容をご確認ください。この案件の失効は {min(dates):%Y-%m-%d %H:%M} に予約済みで、自動では止まりません。"
        )
    return "内容をご確認ください。この案件で、これから自動的に実行されるものはありません。"


def _pause(tx: Connection, centre: Centre, case: Case, *, now: datetime) -> Case:
    """A human mail in a case's thread may be a "please stop": nothing goes on before staff have read it."""
    if case.kind is not CaseKind.APPLICATION:
        return case
    if case.state in (State.AWAITING_DECISION, State.APPROVED):
        # Asked anew, so that no word said before this mail was read, or on its way meanwhile, decides.
        case = cases.apply(tx, centre.audit, case, Event.PAUSED, now=now, actor="applicant", accepted_at=None)
        case = approval.ask(tx, centre, case, now=now)
    return case


def _thread_case(tx: Connection, delivery: Delivery) -> Case | None:
    mail = delivery.mail
    case_id = post.case_of_thread(tx, (*mail.references, *mail.in_reply_to))
    if case_id is not None:
        return cases.get(tx, case_id)
    number = find_case_number(mail.subject)
    return cases.find(tx, number) if number else None


def _belongs(tx: Connection, delivery: Delivery, case: Case) -> bool:
    """Whether a mail about a case comes from its people: in answer to a letter of ours, whose Message-ID nobody else
    knows, or from the sender or applicant. A number in the subject alone, which anybody may guess, stops nothing."""
    answers_ours = post.case_of_thread(tx, (*delivery.mail.references, *delivery.mail.in_reply_to)) == case.id
    return answers_ours or delivery.sender.lower() in {case.correspondent.lower(), case.applicant_email.lower()} - {""}


def _may_join(centre: Centre, case: Case, delivery: Delivery, application: Application) -> bool:
    """Only who sent the form, or its applicant, corrects it, and only while nothing has been carried out.

    A form that was not sent back is replaced only by one that asks the same for the same person: people also answer an
    old mail to apply for something else.
    """
    known = {case.correspondent.lower(), case.applicant_email.lower()} - {""}
    if delivery.sender.lower() not in known:
        return False
    if case.state is State.RETURNED:
        return True
    same = assessment.columns(centre, application)["subject_key"] == case.subject_key
    return same and case.state in (State.AWAITING_DECISION, State.ON_HOLD, State.APPROVED)


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
