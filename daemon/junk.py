"""The junk folder, looked at and never touched: an application that a filter put there is not lost in silence.

Does: opens the folder by EXAMINE every `run.junk_minutes`, looks at what it has not seen, and tells staff about a mail
that looks like one for us, once a mail whatever its UID: a form, an answer to a letter of ours, somebody we know. A
person who agrees moves it to the mailbox, where it is taken in like any other; nothing of it is stored here.
Trusts nothing in it: documents are read in the confined reader, a few a mail.
Weak: a mail above the size limit, and one that gives no sign but words, are not told.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

from sqlalchemy import Connection, func, or_, select, update

from parsers.errors import ParseError
from parsers.mail import Mail, documents, open_mail
from parsers.normalise import mail_key
from parsers.reply import find_case_number

from . import cases, gauges, ledger, post, replies, schema
from .centre import Centre
from .failures import Kind, MailboxRefused, outward
from .guard import attempt
from .imap import Fetched, Mailbox
from .ledger import Place
from .planning import JST
from .referral import without_passwords
from .store import added, changed, every, one

_seen = schema.junk_sightings
MOST_AT_ONCE = 200
"""Mails looked at in one go, the newest first; the rest has its turn the next time."""
MOST_DOCUMENTS = 3
_EYE = frozenset({"no_text_layer", "too_costly"})

FORM = "申請書と思われるPDFファイルが添付されています"
ANSWER = "当センターのメールへの返信と思われます"
APPROVER = "承認者のアドレスから送信されています"
KNOWN = "申請者または利用者として記録のあるアドレス・ドメインから送信されています"


def look(centre: Centre) -> int:
    """Look at the junk folder when it is time; returns how many mails staff were told about.

    A mailbox without such a folder is none of our business: it is measured as empty.
    """
    folder, now = centre.settings.mailbox.junk_folder, centre.clock()
    if not folder:
        return 0
    with centre.store.transaction() as tx:
        last = gauges.moment(gauges.values(tx), "junk_timestamp_seconds")
    if last is not None and timedelta(0) <= now - last < timedelta(minutes=centre.settings.run.junk_minutes):
        return 0

    def once() -> int:
        with centre.open_mailbox(replace(centre.account, folder=folder), readonly=True) as mailbox:
            return _look_into(centre, mailbox, folder)

    try:
        told = outward(sleep=centre.sleep)(once)
    except MailboxRefused as error:
        if error.kind is not Kind.MAILBOX_FOLDER:
            raise
        told = 0
        with centre.store.transaction() as tx:
            gauges.note(tx, {"junk_listed": 0}, now=now)
    with centre.store.transaction() as tx:
        noticed = select(func.count(func.distinct(_seen.c.digest))).where(_seen.c.reason != "")
        measured = {"junk_noticed": tx.execute(noticed).scalar_one(), "junk_timestamp_seconds": now.timestamp()}
        gauges.note(tx, measured, now=now)
    return told


def _look_into(centre: Centre, mailbox: Mailbox, folder: str) -> int:
    settings = centre.settings.mailbox
    place = Place(f"{settings.username}@{settings.host}", folder, mailbox.uidvalidity)
    listed = mailbox.uids()
    with centre.store.transaction() as tx:
        query = select(_seen.c.uid).where(
            _seen.c.account == place.account, _seen.c.folder == folder, _seen.c.uidvalidity == place.uidvalidity
        )
        known = {row["uid"] for row in every(tx, query)}
        gauges.note(tx, {"junk_listed": len(listed)}, now=centre.clock())
    fresh = [uid for uid in listed if uid not in known][-MOST_AT_ONCE:]
    sizes = mailbox.sizes(fresh)
    small = [uid for uid in fresh if sizes.get(uid, 0) <= settings.largest_mail_mb * 1024 * 1024]
    told = 0
    for fetched in mailbox.fetch(small):
        told += bool(attempt(f"junk {fetched.uid}", partial(_consider, centre, place, fetched)))
    return told


def _consider(centre: Centre, place: Place, fetched: Fetched) -> bool:
    """Whether staff were told. What stands in the ledger, or was looked at under another UID, is not told again."""
    digest, now = hashlib.sha256(fetched.raw).hexdigest(), centre.clock()
    with centre.store.transaction() as tx:
        known = ledger.find(tx, digest) is not None or _was_looked_at(tx, digest)
        # Noted before it is opened: what anybody can put into this folder must not stop the service again and again.
        row = added(
            tx,
            _seen,
            account=place.account,
            folder=place.folder,
            uidvalidity=place.uidvalidity,
            uid=fetched.uid,
            digest=digest,
            reason="",
            seen_at=now,
        )
    mail = None if known else open_mail(fetched.raw)
    has_form = mail is not None and _has_form(centre, mail, fetched.internal_date.astimezone(JST).date())
    with centre.store.transaction() as tx:
        reasons = tuple(_reasons(tx, centre, mail, has_form=has_form)) if mail is not None else ()
        changed(tx, update(_seen).where(_seen.c.id == row).values(reason="／".join(reasons)))
        if mail is not None and reasons:
            _tell(tx, centre, place, fetched, mail, digest, reasons)
            centre.audit.append(tx, "junk_noticed", at=now, actor="system", digest=digest)
    return bool(reasons)


def _was_looked_at(tx: Connection, digest: str) -> bool:
    return one(tx, select(_seen.c.id).where(_seen.c.digest == digest).limit(1)) is not None


def _reasons(tx: Connection, centre: Centre, mail: Mail, *, has_form: bool) -> Iterator[str]:
    if has_form:
        yield FORM
    number = find_case_number(mail.subject)
    thread = post.case_of_thread(tx, (*mail.references, *mail.in_reply_to))
    if thread is not None or replies.concerns_decision(centre, mail) or (number and cases.find(tx, number)):
        yield ANSWER
    addresses = {mail_key(sender.address) for sender in mail.senders}
    if addresses & {mail_key(approver.address) for approver in centre.settings.approvers}:
        yield APPROVER
    elif any(_is_known(tx, address) for address in addresses):
        yield KNOWN


def _is_known(tx: Connection, address: str) -> bool:
    written, registered, domains = schema.cases, schema.registrations, schema.company_domains
    lower = func.lower
    questions = (
        select(written.c.id).where(
            or_(lower(written.c.correspondent) == address, lower(written.c.applicant_email) == address)
        ),
        select(registered.c.id).where(
            or_(registered.c.mail_key == address, lower(registered.c.applicant_email) == address)
        ),
        select(domains.c.company_id).where(domains.c.domain == address.rpartition("@")[2]),
    )
    return any(one(tx, question.limit(1)) is not None for question in questions)


def _has_form(centre: Centre, mail: Mail, received_on: date) -> bool:
    """Whether a document is a form, or a picture that only a person can tell from one."""
    for attachment in documents(mail)[:MOST_DOCUMENTS]:
        try:
            reading = centre.reader.read(attachment.data, received_on=received_on)
        except ParseError:
            continue
        if reading.applications or any(problem.code in _EYE for problem in reading.problems):
            return True
    return False


def _tell(
    tx: Connection, centre: Centre, place: Place, fetched: Fetched, mail: Mail, digest: str, reasons: tuple[str, ...]
) -> None:
    post.notify(
        tx,
        centre,
        key=f"junk:{digest}",
        subject="迷惑メールフォルダーに、申請に関係するおそれのあるメールがあります",
        lines=(
            f"フォルダー：{place.folder}",
            f"差出人：{'、'.join(sender.address for sender in mail.senders) or '不明'}",
            f"件名：{without_passwords(mail.subject) or '（なし）'}",
            f"受信：{fetched.internal_date.astimezone(JST):%Y-%m-%d %H:%M}",
            *(f"理由：{reason}" for reason in reasons),
            "",
            "このフォルダーのメールは受け付けていません。添付ファイルは開かず、差出人をご確認ください。",
            f"必要なメールであれば、{centre.settings.mailbox.folder} に移してください。自動で受け付けます。",
        ),
        now=centre.clock(),
    )
