"""Steps 1 to 3: mail → ledger → cases. The order is the promise (SPEC 2):

fetch without marking → bytes on disk, fsynced → ledger row committed → read → consequences committed → only then the
mail is filed on the server. Stop anywhere and start again: a mail that is not in the ledger is still in the mailbox,
one that is in the ledger and not read is read, one that is read and not filed is filed.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.exc import OperationalError

from parsers.mail import Mail, open_mail

from . import disk_room, duplicates, failures, ledger, oversize, post, proof, reconciling
from .blobs import Stored
from .centre import Centre
from .failures import Failure, Kind, MailboxRefused, MailboxUnavailable, NameServerUnavailable
from .guard import attempt
from .imap import Mailbox
from .incoming import BATCH_BYTES, BATCH_MAILS, Incoming
from .ledger import Arrival, MailRow, Place, Sighting
from .planning import JST
from .reception import receive
from .referral import Delivery
from .turns import Memory, TurnOver, TurnReader
from .unpacking import open_documents

_log = logging.getLogger(__name__)

# A mail that stopped the program this many times is set aside for a person (SPEC 2, mail notes §2.1).
MOST_ATTEMPTS = 3
# So many mails in a row that cannot be moved speak of the server and not of the mails.
MOST_UNMOVED = 10


# How long one round reads before the other steps have their turn.
LONGEST_READING = timedelta(seconds=30)
# How long a reply waits for a name server; after that it is judged without the key, so refused, and staff are told.
LONGEST_UNANSWERED = timedelta(hours=1)


def place_of(centre: Centre, mailbox: Mailbox) -> Place:
    """The ledger's name for the folder that is open."""
    account = centre.settings.mailbox
    return Place(f"{account.username}@{account.host}", account.folder, mailbox.uidvalidity)


def fetch(centre: Centre, mailbox: Mailbox) -> int:
    """Step 1: store every mail of the mailbox that the ledger does not know; returns how many were new."""
    disk_room.require(centre)
    place = place_of(centre, mailbox)
    listed = mailbox.uids()
    with centre.store.transaction() as tx:
        known = ledger.seen(tx, place, listed)
    again = _reused([known[uid] for uid in listed if uid in known], mailbox)
    wanted = [uid for uid in listed if uid not in known or uid in again]
    taken: dict[int, bool] = {}
    trouble: list[Failure] = []
    for batch in _batches(centre, mailbox.mails(wanted), trouble):
        try:
            taken |= _take(centre, place, batch)
        except MailboxUnavailable as error:
            # A large mail that the server does not give to its end holds up none behind it.
            trouble.append(error)
    reconciling.compare(centre, place, listed, set(wanted) - set(taken))
    if trouble:
        raise trouble[-1]
    return sum(taken.values())


@dataclass(frozen=True, slots=True)
class _Small:
    """A mail in memory, for as long as its batch needs to be stored."""

    uid: int
    internal_date: datetime
    raw: bytes


def _batches(centre: Centre, mails: Iterable[Incoming], trouble: list[Failure]) -> Iterator[list[_Small | Incoming]]:
    """Mails that are stored together: as many as were asked for together, bounded by octets; a large one alone.

    One for which the disk has no room is left in the mailbox, to the account of `trouble`; smaller ones go on.
    """
    batch: list[_Small | Incoming] = []
    octets = 0
    for mail in mails:
        try:
            disk_room.require(centre, octets + mail.size)
        except Failure as error:
            trouble.append(error)
            continue
        if mail.size > min(oversize.limit(centre), BATCH_BYTES):
            if batch:
                yield batch
            yield [mail]
            batch, octets = [], 0
            continue
        raw = b"".join(mail.pieces())
        batch.append(_Small(mail.uid, mail.internal_date, raw))
        octets += len(raw)
        if len(batch) == BATCH_MAILS or octets > BATCH_BYTES:
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch


def _take(centre: Centre, place: Place, batch: Sequence[_Small | Incoming]) -> dict[int, bool]:
    """Store mails durably, then commit their rows together; by UID, whether the bytes were new.

    A mail that is too large to be read never lies in memory whole.
    """
    small = [mail for mail in batch if isinstance(mail, _Small)]
    stored = centre.blobs.put_many([mail.raw for mail in small])
    found: list[tuple[_Small | Incoming, Stored]] = list(zip(small, stored, strict=True))
    found += [(mail, centre.blobs.put_stream(mail.pieces())) for mail in batch if isinstance(mail, Incoming)]
    now = centre.clock()
    arrivals = [Arrival(mail.uid, blob.digest, blob.size, mail.internal_date) for mail, blob in found]
    with centre.store.transaction() as tx:
        recorded = ledger.record(tx, place, arrivals, now=now)
        for each in recorded:
            if each.instead_of is not None:
                reused = {"mail": each.mail_id, "instead_of": each.instead_of}
                centre.audit.append(tx, "uid_reused", at=now, actor="system", **reused)
    return {arrival.uid: each.new for arrival, each in zip(arrivals, recorded, strict=True)}


def _reused(listed: Sequence[Sighting], mailbox: Mailbox) -> frozenset[int]:
    """The UIDs of the ledger under which another mail may lie now, so that they are fetched once more.

    Told by INTERNALDATE, which a mail keeps as long as it keeps its UID; to look at it costs one command, since hardly
    any mail that is known still lies there. Weak: a mail under a used UID that came in the very same second.
    """
    dates = mailbox.arrivals([each.uid for each in listed]) if listed else {}
    return frozenset(
        each.uid
        for each in listed
        if each.internal_date is not None and dates.get(each.uid, each.internal_date) != each.internal_date
    )


def read(centre: Centre) -> int:
    """Steps 2 and 3: read every stored mail and commit what follows from it; returns how many had a turn.

    Mails that are read for the first time go before one that goes on (`turns`), so that none waits for long.
    """
    disk_room.require(centre)
    with centre.store.transaction() as tx:
        rows = ledger.unread(tx)
    begun = [row for row in rows if row.id in centre.unfinished]
    begun.sort(key=lambda row: centre.unfinished[row.id].turns)
    errors: list[Exception] = []
    now = [row for row in rows if row.id not in centre.unfinished] + begun[:1]
    done = 0
    began = centre.clock()
    for row in now:
        if centre.stop.is_set() or centre.clock() - began > LONGEST_READING:
            break  # the rest of a backlog waits for the next round, so that what is decided is carried out meanwhile
        done += bool(attempt(f"mail {row.id}", partial(_read_one, centre, row), errors))
    for error in errors:
        if failures.kind_of(error) is Kind.DISK_FULL:
            raise error
    return done


def _read_one(centre: Centre, row: MailRow) -> bool:
    now = centre.clock()
    if row.id not in centre.unfinished:
        if row.attempts >= MOST_ATTEMPTS:
            _set_aside(centre, row, now)
            return False
        with centre.store.transaction() as tx:
            ledger.count_attempt(tx, row)
    try:
        if row.size > oversize.limit(centre):
            oversize.hold(centre, row, now)
        else:
            _consider(centre, row, now)
    except TurnOver:
        return True
    except (OSError, OperationalError, NameServerUnavailable):
        centre.unfinished.pop(row.id, None)
        # The disk, the database or the name server is in trouble, not the mail: this attempt does not count against it.
        with centre.store.transaction() as tx:
            ledger.forget_attempt(tx, row)
        raise
    except BaseException:
        centre.unfinished.pop(row.id, None)
        raise
    centre.unfinished.pop(row.id, None)
    return True


def _consider(centre: Centre, row: MailRow, now: datetime) -> None:
    raw = centre.blobs.get(row.digest)
    mail = open_mail(raw)
    with centre.store.transaction() as tx:
        by_file = ledger.came_by_file(tx, row.id)
    patient = now - row.stored_at < LONGEST_UNANSWERED
    verdict = proof.weigh(centre, raw, mail, now=now, by_file=by_file, patient=patient)
    memory = centre.unfinished.setdefault(row.id, Memory())
    opened = open_documents(centre, mail, row, TurnReader(centre.reader, memory, centre.clock))
    likeness = duplicates.likeness_key(mail, [each.digest for each in opened])
    with centre.store.transaction() as tx:
        ledger.describe(tx, row.id, message_id=mail.message_id, likeness=likeness)
        outcome = receive(tx, centre, Delivery(row, mail, opened, own=_is_own(centre, mail), verdict=verdict), now=now)
        settings = centre.settings.mailbox
        ledger.settle(
            tx,
            row.id,
            state="read",
            outcome=outcome.name,
            folder=settings.staff_folder if outcome.for_staff else settings.filed_folder,
        )
        centre.audit.append(tx, "mail_read", at=now, actor="system", mail=row.id, outcome=outcome.name)


def _is_own(centre: Centre, mail: Mail) -> bool:
    return any(sender.address.lower() == centre.office.address.lower() for sender in mail.senders)


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
            key=f"held-mail:{row.id}:{now:%Y%m%dT%H%M%S}",  # released, it may be held again
            subject="処理できないメールがあります",
            lines=(
                f"メール番号：{row.id}",
                f"到着：{row.arrived_at.astimezone(JST):%Y-%m-%d %H:%M}",
                f"{row.attempts}回処理を試みましたが完了できませんでした。",
                f"メールは {centre.settings.mailbox.staff_folder} フォルダーに移します。直接ご確認ください。",
                "システム担当者は、このメールを再処理（release）または修正して取り込むこと（export・import）ができます。",
            ),
            now=now,
        )


def erase(centre: Centre) -> int:
    """Forget the bytes of every mail for which that was asked (`ledger.ask_erasure`); returns how many.

    First the bytes, then the note of it: a stop in between forgets them once more, which changes nothing.
    """
    with centre.store.transaction() as tx:
        rows = ledger.erasable(tx)
    for row in rows:
        centre.blobs.erase(row.digest)
        with centre.store.transaction() as tx:
            ledger.note_erased(tx, row.id, now=centre.clock())
            centre.audit.append(tx, "mail_erased", at=centre.clock(), actor="system", mail=row.id)
    return len(rows)


def file(centre: Centre, mailbox: Mailbox) -> int:
    """Move every settled mail to its folder; returns how many. A mail that is gone already counts as moved; one whose
    bytes are to be forgotten is deleted there too.

    Under a UID that was given away again another mail may lie, which nobody has read: it stays, and is fetched next.
    One mail that the server will not move holds up no other, nor does a folder that cannot be had; after several in a
    row the server itself is taken for the reason. Raises the last failure when any could not be moved.
    """
    place = place_of(centre, mailbox)
    with centre.store.transaction() as tx:
        rows = ledger.unfiled(tx, place)
        known = ledger.seen(tx, place, [row["uid"] for row in rows])
    again = _reused(list(known.values()), mailbox)
    rows = [row for row in rows if row["uid"] not in again]
    rows.sort(key=lambda row: not row["forgotten"])  # what must not be kept goes first
    trouble: list[MailboxUnavailable | MailboxRefused] = []
    unusable: set[str] = set()
    failed = 0
    for row in rows:
        if row["target"] in unusable and not row["forgotten"]:
            continue
        try:
            if row["forgotten"]:
                mailbox.erase(row["uid"])
            else:
                mailbox.file(row["uid"], row["target"])
        except MailboxRefused as error:
            trouble.append(error)
            unusable.add(row["target"])
            continue
        except MailboxUnavailable as error:
            trouble.append(error)
            failed += 1
            if failed == MOST_UNMOVED:
                break
            continue
        failed = 0
        with centre.store.transaction() as tx:
            ledger.note_filed(tx, row["id"], now=centre.clock())
    if trouble:
        raise trouble[-1]
    return len(rows)
