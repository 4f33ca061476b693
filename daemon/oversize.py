"""A mail above the size limit: kept whole on the disk, never whole in memory, and never silent.

Its header is read, nothing else. The sender is told once, politely, what to send instead; staff get the task; the mail
is held, so that `ogis-lra export` gives it to a person and `release` reads it after the limit was raised.
"""

import re
from dataclasses import replace
from datetime import datetime

from parsers.mail import Mail, open_mail

from . import answers, ledger, letters, mail_sizes, post
from .centre import Centre
from .ledger import MailRow
from .planning import JST
from .referral import Delivery, show

_MOST_HEADER = 256 * 1024
_MB = 1024 * 1024


def limit(centre: Centre) -> int:
    """Octets of the largest mail that is read."""
    return centre.settings.mailbox.largest_mail_mb * _MB


def hold(centre: Centre, row: MailRow, now: datetime) -> None:
    """Commit what follows from a mail that is too large to be read."""
    mail = _head_of(centre, row)
    size = mail_sizes.octets(row.size)
    with centre.store.transaction() as tx:
        own = any(sender.address.lower() == centre.office.address.lower() for sender in mail.senders)
        delivery = Delivery(row, mail, (), own=own)
        ledger.describe(tx, row.id, message_id=mail.message_id, likeness="")
        ledger.settle(
            tx,
            row.id,
            state="held",
            outcome="too_large",
            folder=centre.settings.mailbox.staff_folder,
            reason=f"larger than {centre.settings.mailbox.largest_mail_mb} MB",
        )
        centre.audit.append(tx, "mail_held", at=now, actor="system", mail=row.id)
        key = f"too-large:{row.id}"
        answered = delivery.answerable and not post.is_queued(tx, key)
        if answered:
            draft = letters.unreadable(centre.office, kinds=("too_large",))
            reply_to = mail.message_id or None
            answered = answers.send(
                tx, centre, draft, key=key, recipient=delivery.sender, now=now, in_reply_to=reply_to
            )
        told = "差出人には、容量を減らして再度お送りいただくようご案内しました。" if answered else ""
        lines = [
            f"メール番号：{row.id}",
            f"到着：{row.arrived_at.astimezone(JST):%Y-%m-%d %H:%M}",
            f"サイズ：{size}（上限 {centre.settings.mailbox.largest_mail_mb} MB）",
            "上限を超えるため、内容を読み取っていません。",
            f"{centre.settings.mailbox.staff_folder} フォルダーでご確認ください。",
            *filter(None, [told]),
        ]
        show(tx, centre, delivery, f"大きすぎるメールがあります（{now:%Y%m%d%H%M%S}）", lines, now)


def _head_of(centre: Centre, row: MailRow) -> Mail:
    """The mail as its header alone tells it."""
    first = next(iter(centre.blobs.stream(row.digest)), b"")[:_MOST_HEADER]
    end = re.search(rb"\r?\n\r?\n", first)
    mail = open_mail((first[: end.start()] if end else first) + b"\r\n\r\n")
    with centre.store.transaction() as tx:
        by_file = ledger.came_by_file(tx, row.id)
    return replace(mail, attachments=(), text="", results=() if by_file else mail.results)
