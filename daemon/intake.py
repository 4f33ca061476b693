"""Steps 1 to 3: mail → ledger → cases. The order is the promise (SPEC 2):

fetch without marking → bytes on disk, fsynced → ledger row committed → read → consequences committed → only then the
mail is filed on the server. Stop anywhere and start again: a mail that is not in the ledger is still in the mailbox,
one that is in the ledger and not read is read, one that is read and not filed is filed.
"""

import logging
from datetime import date, datetime
from functools import partial

from sqlalchemy.exc import OperationalError

from parsers.errors import ParseError, ParseKind
from parsers.mail import DocumentKind, Mail, documents, kind_of, open_mail
from parsers.reading import Problem, Reading

from . import ledger, post, proof
from .centre import Centre
from .failures import MailboxUnavailable, NameServerUnavailable
from .guard import attempt
from .imap import Mailbox
from .ledger import MailRow, Place
from .planning import JST
from .reception import receive
from .referral import Delivery, Opened

_log = logging.getLogger(__name__)

# A mail that stopped the program this many times is set aside for a person (SPEC 2, mail notes §2.1).
MOST_ATTEMPTS = 3

_TOO_COSTLY = "読み取りに時間またはメモリーがかかりすぎるため、中止しました。原本をご確認ください。"


def place_of(centre: Centre, mailbox: Mailbox) -> Place:
    """The ledger's name for the folder that is open."""
    account = centre.settings.mailbox
    return Place(f"{account.username}@{account.host}", account.folder, mailbox.uidvalidity)


def fetch(centre: Centre, mailbox: Mailbox) -> int:
    """Step 1: store every mail of the mailbox that the ledger does not know; returns how many were new."""
    place = place_of(centre, mailbox)
    with centre.store.transaction() as tx:
        known = ledger.seen(tx, place)
    new = 0
    for fetched in mailbox.fetch([uid for uid in mailbox.uids() if uid not in known]):
        digest = centre.blobs.put(fetched.raw)
        with centre.store.transaction() as tx:
            new += ledger.record(
                tx,
                place,
                fetched.uid,
                digest=digest,
                size=len(fetched.raw),
                arrived_at=fetched.internal_date,
                now=centre.clock(),
            )
    return new


def read(centre: Centre) -> int:
    """Steps 2 and 3: read every stored mail and commit what follows from it; returns how many were read."""
    with centre.store.transaction() as tx:
        rows = ledger.unread(tx)
    return sum(bool(attempt(f"mail {row.id}", partial(_read_one, centre, row))) for row in rows)


def _read_one(centre: Centre, row: MailRow) -> bool:
    now = centre.clock()
    if row.attempts >= MOST_ATTEMPTS:
        _set_aside(centre, row, now)
        return False
    with centre.store.transaction() as tx:
        ledger.count_attempt(tx, row)
    try:
        _consider(centre, row, now)
    except (OSError, OperationalError, NameServerUnavailable):
        # The disk, the database or the name server is in trouble, not the mail: this attempt does not count against it.
        with centre.store.transaction() as tx:
            ledger.forget_attempt(tx, row)
        raise
    return True


def _consider(centre: Centre, row: MailRow, now: datetime) -> None:
    raw = centre.blobs.get(row.digest)
    mail = open_mail(raw)
    verdict = proof.weigh(centre, raw, mail, now=now)
    opened = _open_documents(centre, mail, row)
    with centre.store.transaction() as tx:
        outcome = receive(tx, centre, Delivery(row, mail, opened, own=_is_own(centre, mail), verdict=verdict), now=now)
        settings = centre.settings.mailbox
        ledger.settle(
            tx,
            row.id,
            state="read",
            outcome=outcome.name,
            folder=settings.staff_folder if outcome.for_staff else settings.filed_folder,
            message_id=mail.message_id,
        )
        centre.audit.append(tx, "mail_read", at=now, actor="system", mail=row.id, outcome=outcome.name)


def _is_own(centre: Centre, mail: Mail) -> bool:
    return any(sender.address.lower() == centre.office.address.lower() for sender in mail.senders)


def _open_documents(centre: Centre, mail: Mail, row: MailRow) -> tuple[Opened, ...]:
    """Every attachment that may be a form, read; what cannot be one is named by its kind."""
    received_on = row.arrived_at.astimezone(JST).date()
    opened = []
    for attachment in documents(mail):
        digest = centre.blobs.put(attachment.data)
        kind = kind_of(attachment)
        if kind not in (DocumentKind.PDF, DocumentKind.OTHER):
            opened.append(Opened(attachment, digest, None, kind.value))
            continue
        try:
            opened.append(Opened(attachment, digest, read_document(centre, attachment.data, received_on=received_on)))
        except ParseError as error:
            opened.append(Opened(attachment, digest, None, error.kind.value))
    return tuple(opened)


def read_document(centre: Centre, data: bytes, *, received_on: date) -> Reading:
    """Read one document in the confined reader. Raises ParseError for what is no document of ours.

    One that exceeded its time or memory there may be a form all the same: it is told as a page for a person's eye, and
    not to the sender as a fault of the file.
    """
    try:
        return centre.reader.read(data, received_on=received_on)
    except ParseError as error:
        if error.kind is not ParseKind.TOO_COSTLY:
            raise
        return Reading((), (Problem(error.kind.value, _TOO_COSTLY),))


def _set_aside(centre: Centre, row: MailRow, now: datetime) -> None:
    """A mail that could not be read again and again is kept, taken out of the way and shown to staff."""
    _log.error("mail %d is held after %d attempts", row.id, row.attempts)
    with centre.store.transaction() as tx:
        ledger.settle(
            tx,
            row.id,
            state="held",
            outcome="held",
            folder=centre.settings.mailbox.staff_folder,
            reason=f"could not be read in {row.attempts} attempts",
        )
        centre.audit.append(tx, "mail_held", at=now, actor="system", mail=row.id)
        post.notify(
            tx,
            centre,
            key=f"held-mail:{row.id}",
            subject="処理できないメールがあります",
            lines=(
                f"メール番号：{row.id}",
                f"到着：{row.arrived_at.astimezone(JST):%Y-%m-%d %H:%M}",
                f"{row.attempts}回処理を試みましたが完了できませんでした。",
                f"メールは {centre.settings.mailbox.staff_folder} フォルダーに移します。直接ご確認ください。",
            ),
            now=now,
        )


def file(centre: Centre, mailbox: Mailbox) -> int:
    """Move every settled mail to its folder; returns how many. A mail that is gone already counts as moved.

    One mail that the server will not move holds up no other; after a few the server itself is taken for the reason.
    Raises the last MailboxUnavailable when any could not be moved.
    """
    place = place_of(centre, mailbox)
    with centre.store.transaction() as tx:
        rows = ledger.unfiled(tx, place)
    trouble: list[MailboxUnavailable] = []
    for row in rows:
        try:
            mailbox.file(row["uid"], row["target"])
        except MailboxUnavailable as error:
            trouble.append(error)
            if len(trouble) == MOST_ATTEMPTS:
                break
            continue
        with centre.store.transaction() as tx:
            ledger.note_filed(tx, row["id"], now=centre.clock())
    if trouble:
        raise trouble[-1]
    return len(rows)
