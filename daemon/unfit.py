"""What a mail held that is no application, by kind, and telling its sender: alone, or beside a form that was taken."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from parsers.attachments import SMALL_IMAGE, DocumentKind
from parsers.links import has_download_link

from . import answers, letters
from .centre import Centre
from .letters import Draft
from .referral import Delivery, show


def kinds_of(delivery: Delivery) -> list[str]:
    """The kinds of what cannot be an application as it came, each once, in order."""
    found = list(delivery.unreadable())
    if any(problem.code == "other_service" for _, problem in delivery.problems()):
        found.append("other_service")
    if delivery.overgrown:
        found.append("mail_too_large")
    if has_download_link(delivery.mail.text):
        found.append("download_link")
    return list(dict.fromkeys(found))


def answer(tx: Connection, centre: Centre, delivery: Delivery, draft: Draft, now: datetime) -> None:
    """The one answer to a mail as such; nobody is answered where we may not (`Delivery.answerable`)."""
    if delivery.answerable:
        answers.send(
            tx,
            centre,
            draft,
            key=f"answer:{delivery.row.id}",
            recipient=delivery.sender,
            now=now,
            in_reply_to=delivery.mail.message_id or None,
        )


def tell_beside(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> bool:
    """A form was taken; tell its sender, and staff, of the files beside it that were not. Whether there were any."""
    kinds = _beside(delivery)
    if not kinds:
        return False
    answer(tx, centre, delivery, letters.not_taken(centre.office, kinds), now)
    names = [f"・{each.attachment.shown}" for each in delivery.opened if each.kind]
    lines = ["申請書のほかに、確認していないファイルがあります。送信者には、その旨をご案内しました。", *names]
    if not delivery.answerable:
        lines[0] = "申請書のほかに、確認していないファイルがあります。送信者には、ご案内していません。"
    show(tx, centre, delivery, "確認していないファイルがあります", lines, now)
    return True


def _beside(delivery: Delivery) -> Sequence[str]:
    """A small picture beside a form is a logo that somebody's mail system took out of the text."""
    worth = [
        each.kind
        for each in delivery.opened
        if each.kind and not (each.kind == DocumentKind.IMAGE and len(each.attachment.data) < SMALL_IMAGE)
    ]
    if delivery.overgrown:
        worth.append("mail_too_large")
    return tuple(dict.fromkeys(worth))
