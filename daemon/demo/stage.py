"""The stage of the demo: a mail server, a centre, a clock that can be moved, and what each person does by mail.

Everything goes through the real doors: applicants and staff send by SMTP, the centre fetches by IMAP, its letters leave
by SMTP submission. The only thing that is pretended is the time.
"""

import email
import email.policy
import re
import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

from ca.bundle import open_again
from config.credentials import Secret
from config.settings import Settings, build
from daemon import ceremony, loop
from daemon.account import Account
from daemon.centre import Centre, open_centre
from daemon.keyring import open_keys
from daemon.planning import JST
from daemon.smtp import Route
from parsers.mail import Mail, open_mail

from .server import Delivery, MailServer

CENTRE = "ogis-lra@lra.example"
APPROVERS = {"kobayashi@lra.example": "小林 恵子", "matsumoto@lra.example": "松本 誠"}
PASSWORD = "only-for-the-demo"  # noqa: S105 - guards nothing: the server listens on loopback and ends with the demo
CENTRE_DOMAIN = "lra.example"
AUTHSERV_ID = "mx.lra.example"
_LONGEST_NAME = 80


class Clock:
    """The time of the story; it only goes forward."""

    def __init__(self, start: datetime) -> None:
        self.time = start

    def __call__(self) -> datetime:
        """The time of the story."""
        return self.time

    def move(self, to: datetime) -> None:
        """Go to a later time. Raises ValueError for an earlier one."""
        if to < self.time:
            raise ValueError("the demo's clock does not go back")
        self.time = to


@dataclass
class Stage:
    """One performance. `say` gets each line for the terminal; `surprises` gathers what went otherwise than told."""

    folder: Path
    server: MailServer
    centre: Centre
    clock: Clock
    say: Callable[[str], None]
    surprises: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    _read: dict[str, int] = field(default_factory=dict)

    def expect(self, sentence: str, *, true: bool) -> None:
        """Say what is so, and remember it when it is not."""
        self.say(f"    {'✓' if true else '✗'} {sentence}")
        if not true:
            self.surprises.append(sentence)

    def work(self) -> None:
        """Let the service work until nothing is left to do at this moment."""
        loop.settle(self.centre)

    def pass_time(self, **by: float) -> None:
        """Move the clock and let the service work."""
        self.clock.move(self.clock.time + timedelta(**by))
        self.work()

    def go_to(self, time: datetime) -> None:
        """Move the clock to a later time, say so, and let the service work."""
        if time > self.clock.time:
            self.clock.move(time)
            self.say(f"  （時計を {time.astimezone(JST):%Y-%m-%d %H:%M} に進めました）")
        self.work()

    def send(
        self,
        sender: str,
        subject: str,
        body: str,
        *,
        to: str = CENTRE,
        name: str = "",
        pdf: bytes | None = None,
        pdf_name: str = "申請書.pdf",
        answers: Mail | None = None,
        login: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """A person sends a mail: staff log in to the submission port, everybody else comes from outside."""
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = f"{name} <{sender}>" if name else sender
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = format_datetime(self.clock.time)
        message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
        if answers is not None:
            message["In-Reply-To"] = answers.message_id
            message["References"] = answers.message_id
        for key, value in (headers or {}).items():
            message[key] = value
        message.set_content(body, cte="base64")
        if pdf is not None:
            message.add_attachment(pdf, maintype="application", subtype="pdf", filename=pdf_name)
        port = self.server.submission_port if login else self.server.smtp_port
        with smtplib.SMTP(self.server.host, port, "client.example", timeout=20) as client:
            if login:
                client.login(login, PASSWORD)
            client.send_message(message, sender, [to])
        self.say(f"  → {name or sender}：「{subject}」{'（PDF添付）' if pdf else ''}")

    def letters(self, address: str) -> list[Mail]:
        """The mails that reached an address since it was last asked for."""
        own = [each.content for each in self.deliveries if each.recipient.lower() == address.lower()]
        fresh = own[self._read.get(address, 0) :]
        self._read[address] = len(own)
        return [open_mail(content) for content in fresh]

    def tell_letters(self, *addresses: str) -> list[Mail]:
        """Say what reached these people, and give it."""
        found = []
        for address in addresses:
            for mail in self.letters(address):
                self.say(f"  ← {address}：「{mail.subject}」")
                found.append(mail)
        return found

    def requests(self) -> dict[str, Mail]:
        """The newest request for decision of each approver; other letters to staff are said on the way."""
        newest = {}
        for address in APPROVERS:
            for mail in self.tell_letters(address):
                if "承認依頼" in mail.subject and mail.reply_to:  # a reminder cannot be answered
                    newest[address] = mail
        return newest

    def decide(self, approver: str, request: Mail, words: str) -> None:
        """An approver answers a request from a phone: own words on top, everything quoted below."""
        reply_to = request.reply_to[0].address
        quoted = "\n".join(f"> {line}" for line in request.text.splitlines())
        self.send(
            approver,
            f"Re: {request.subject}",
            f"{words}\n\niPhoneから送信\n\n{format_datetime(self.clock.time)} <{CENTRE}>のメール:\n\n{quoted}\n",
            to=reply_to,
            name=APPROVERS[approver],
            answers=request,
            login=approver,
        )
        self.say(f"      返信の1行目：「{words}」")

    def approve(self, count: int = 2) -> None:
        """So many approvers say 承認, one after the other, and the service acts on each."""
        for approver, request in list(self.requests().items())[:count]:
            self.decide(approver, request, "承認")
            self.pass_time(minutes=3)

    def fetch_certificate(self, address: str) -> str:
        """A subscriber takes the file of the notice and, ten minutes later, the password of the second mail.

        Leaves both in the folder and returns the case number; says so when they do not fit together.
        """
        mails = self.tell_letters(address)
        self.pass_time(minutes=11)
        mails += self.tell_letters(address)
        bundles = [found for mail in mails if (found := _bundle(mail))]
        passwords = [word for mail in mails if (word := _password(mail))]
        if not bundles or not passwords:
            self.expect(f"{address} に発行通知とパスワードの2通が届く", true=False)
            return ""
        name, bundle = bundles[-1]
        number = name.removesuffix(".p12")
        target = self.folder / "certificates"
        target.mkdir(exist_ok=True)
        (target / name).write_bytes(bundle)
        (target / f"{number}.password").write_text(f"{passwords[-1]}\n", "ascii")
        certificate = open_again(bundle, passwords[-1])
        self.expect(f"2通で証明書を開けた：{certificate.subject.rfc4514_string()}", true=True)
        return number

    def leave_mails(self) -> int:
        """Write every mail of the story, both ways, in the order it was delivered."""
        target = self.folder / "mail"
        target.mkdir(exist_ok=True)
        for number, delivery in enumerate(self.deliveries, 1):
            mail = open_mail(delivery.content)
            # Answers leave without an envelope sender (RFC 3834); who wrote them stands in From.
            sender = delivery.sender or "".join(one.address for one in mail.senders)
            name = f"{number:02d}-{_plain(sender)}-{_plain(delivery.mailbox)}-{_plain(mail.subject)}"
            (target / f"{name[:_LONGEST_NAME]}.eml").write_bytes(delivery.content)
        return len(self.deliveries)


def set_stage(folder: Path, server: MailServer, clock: Clock, say: Callable[[str], None], people: list[str]) -> Stage:
    """Mailboxes, CA and centre, as `ogis-lra init` makes them, in the folder given."""
    for address in (CENTRE, *APPROVERS, *people):
        server.add_mailbox(address, PASSWORD)
    settings = settings_for(folder, server)
    ceremony.make_secrets(settings)
    ceremony.establish_authority(settings, now=clock())
    return open_stage(folder, server, clock, say, settings)


def open_stage(folder: Path, server: MailServer, clock: Clock, say: Callable[[str], None], settings: Settings) -> Stage:
    """A stage over a centre whose CA and database are there already: also how a stopped service starts again."""
    account = Account(
        host=server.host,
        port=server.imap_port,
        security="starttls",
        username=CENTRE,
        password=Secret(PASSWORD),
        ca_file=server.ca_file,
    )
    route = Route(
        host=server.host,
        port=server.submission_port,
        security="starttls",
        username=CENTRE,
        password=Secret(PASSWORD),
        ca_file=server.ca_file,
    )
    centre = open_centre(settings, open_keys(settings), account=account, route=route, clock=clock)
    stage = Stage(folder, server, centre, clock, say)
    server.on_delivery(stage.deliveries.append)
    return stage


def settings_for(folder: Path, server: MailServer, **ca: object) -> Settings:
    """The settings of a centre whose mailbox is on this server; `ca` overrides options of [ca]."""
    return build(
        {
            "data_dir": "centre",
            "database_url": f"sqlite:///{folder / 'demo.sqlite'}",
            "credentials_dir": str(folder / "centre" / "credentials"),
            "centre": {"address": CENTRE},
            "mailbox": {"host": server.host, "username": CENTRE, "port": server.imap_port, "security": "starttls"},
            "smtp": {"host": server.host, "port": server.submission_port, "username": CENTRE},
            "ca": ca,
            "authentication": {"authserv_id": server.authserv_id},
            # The story jumps over months; a digest for each business day would bury it.
            "approval": {"digest_at": ""},
            "approvers": [{"address": address, "name": name} for address, name in APPROVERS.items()],
        },
        base=folder,
        source="the demo's settings",
    )


def _bundle(mail: Mail) -> tuple[str, bytes] | None:
    for attachment in mail.attachments:
        if attachment.content_type == "application/x-pkcs12":
            return attachment.name, attachment.data
    return None


def _password(mail: Mail) -> str:
    found = re.search(r"^\s*((?:[A-Za-z0-9]{5}-){4}[A-Za-z0-9]{5})\s*$", mail.text, re.MULTILINE)
    return found.group(1) if found else ""


def _plain(text: str) -> str:
    kept = re.sub(r"[^\w.@+\[\]【】()（）-]+", "_", text)
    return kept.strip("_.")[:36]
