"""One mail with what was read from it, and showing it to staff when it needs a person.

What staff are shown is a letter like any other, so two things are kept out of it: a password of ours that somebody
quotes back (it would lie in the database again), and attachments too large to be sent to everybody.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from parsers.authentication import Verdict
from parsers.mail import Attachment, Mail, explain
from parsers.reading import Application, Problem, Reading

from . import post
from .assessment import too_little
from .centre import Centre
from .ledger import MailRow
from .letters import Enclosure

# Problems of a page that are no reason to bother anybody when another page gave an application.
_QUIET = frozenset({"cover_or_terms", "not_a_form", "blank_page"})
TOO_LITTLE = "too_little_read"
_TOO_LITTLE_MESSAGE = "画像からほとんど読み取れないページです。内容を目視でご確認ください。"
# What may be a form all the same, so that it is held for a person instead of being answered as no form.
_FOR_THE_EYE = frozenset({"no_text_layer", "too_costly", TOO_LITTLE})


# The shape of `ca.bundle.make_password`.
_PASSWORD = re.compile(r"\b[A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){4}\b")
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")


@dataclass(frozen=True, slots=True)
class Opened:
    """One attachment and what the parsers made of it: a reading, or the kind of document it is instead."""

    attachment: Attachment
    digest: str
    reading: Reading | None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One mail with everything that was read from it; `own` when it claims to come from our own address; `verdict` on
    who sent it, where it claims to be an approver's."""

    row: MailRow
    mail: Mail
    opened: tuple[Opened, ...]
    own: bool = False
    verdict: Verdict | None = None

    @property
    def sender(self) -> str:
        """The one From address; empty when there is none or more than one, so that nobody wrong is answered."""
        return self.mail.senders[0].address if len(self.mail.senders) == 1 else ""

    @property
    def answerable(self) -> bool:
        """Whether we may answer by ourselves (RFC 3834 §2): a person wrote it, from one address."""
        return bool(self.sender) and not self.own and self.mail.automatic is None and not self.mail.suspicions

    @property
    def overgrown(self) -> bool:
        """Whether parts of the mail were beyond the reader's limits, so that a form in them was not seen."""
        return bool({"nested_too_deeply", "too_many_parts", "structure_unreadable"} & set(self.mail.defects))

    @property
    def is_report(self) -> bool:
        """Whether a mail system reports on a mail of ours (RFC 3464, RFC 8098), by its type or its sender."""
        kinds = " ".join(self.mail.header("content-type")).lower()
        senders = {address.address.rpartition("@")[0].lower() for address in self.mail.senders}
        return "multipart/report" in kinds or bool(senders & {"mailer-daemon", "postmaster"})

    def forms(self) -> list[tuple[Opened, Application]]:
        """Every application in every attachment that gave enough to be decided about."""
        return [(each, form) for each, form in self._read() if not too_little(form)]

    def _read(self) -> Iterator[tuple[Opened, Application]]:
        return ((each, form) for each in self.opened if each.reading for form in each.reading.applications)

    def problems(self) -> list[tuple[Opened, Problem]]:
        """Every page that gave no application, or next to nothing of one, and is worth a word."""
        found = [
            (each, problem)
            for each in self.opened
            if each.reading
            for problem in each.reading.problems
            if not (problem.code in _QUIET and each.reading.applications)
        ]
        return found + [
            (each, Problem(TOO_LITTLE, _TOO_LITTLE_MESSAGE, form.pages[0]))
            for each, form in self._read()
            if too_little(form)
        ]

    @property
    def pictured(self) -> bool:
        """Whether a page may be a form that only a person can read."""
        return any(problem.code in _FOR_THE_EYE for _, problem in self.problems())

    def unreadable(self) -> list[str]:
        """The kinds of documents that cannot be an application as they are."""
        return [each.kind for each in self.opened if each.kind]


def show(
    tx: Connection,
    centre: Centre,
    delivery: Delivery,
    subject: str,
    lines: Sequence[str],
    now: datetime,
    case_id: int | None = None,
) -> None:
    """Tell every approver about a mail: who sent it, what it says, its documents."""
    mail = delivery.mail
    head = [
        f"差出人：{'、'.join(address.address for address in mail.senders) or '不明'}",
        f"件名：{mail.subject or '（なし）'}",
        f"添付：{'、'.join(each.attachment.name for each in delivery.opened) or 'なし'}",
    ]
    head += [f"注意：{explain(suspicion)}" for suspicion in mail.suspicions]
    enclosures = _enclosures(delivery)
    if delivery.opened and not enclosures:
        folder = centre.settings.mailbox.staff_folder
        head.append(f"添付ファイルが大きいため、このメールには付けていません。{folder} フォルダーでご確認ください。")
    post.notify(
        tx,
        centre,
        key=f"mail:{delivery.row.id}:{subject}",
        subject=subject,
        lines=[*head, *(without_passwords(line) for line in lines)],
        now=now,
        case_id=case_id,
        enclosures=enclosures,
    )


def without_passwords(text: str) -> str:
    """The text with anything of the shape of our passwords left out."""
    return _PASSWORD.sub("［パスワードのため省略］", text)


def _enclosures(delivery: Delivery) -> list[Enclosure]:
    found = [each.attachment for each in delivery.opened]
    if sum(len(each.data) for each in found) > post.MOST_ENCLOSED:
        return []
    return [
        Enclosure(
            each.name or "document",
            # The sender's word: what is no plain content type is sent on as plain octets.
            each.content_type if _CONTENT_TYPE.fullmatch(each.content_type) else "application/octet-stream",
            each.data,
        )
        for each in found
    ]
