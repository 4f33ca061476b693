"""A centre under attack: real cases with open requests, and what may not change whatever arrives.

Everything stands at one moment (`signed_mails.AT`), so that nothing happens but what a mail brings about. The cases are
there before the first forgery; no form is read meanwhile.
"""

import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from attacks.forgeries import TENANT, Forgery
from ca import register
from config.settings import Approver
from daemon import approval, cases, schema
from daemon.demo.stage import APPROVERS, CENTRE, Clock, Stage
from daemon.demo.story import MINATO
from daemon.store import every
from parsers.mail import Mail
from parsers.reply import find_token
from parsers.smime_chain import Trust
from support.applications import ICHIRO, NAKAMURA, TAKERU, application, deliver, enrol
from support.centres import Centres
from support.deciding import configure
from support.letters_in import STAFF
from support.names import NameServer
from support.signed_mails import AT, Shown, detached, showing, trust

LEFT, COLLEAGUE = APPROVERS
DAY = timedelta(days=1)
ATTACKER = "x@evil.example"
KEPT = ("cases", "applications", "requests", "decisions", "tasks", "registrations", "orders", "leaves", "companies")
_OURS = [Approver(LEFT, APPROVERS[LEFT]), Approver(COLLEAGUE, APPROVERS[COLLEAGUE])]


@dataclass(frozen=True)
class Arrived:
    """What one mail brought about. `outcome` is None where the ledger knew its octets already; `changed` names tables,
    `letters` are (recipient, kind) as queued, `reached` the mailboxes in which a mail from us lies now."""

    outcome: str | None
    changed: tuple[str, ...]
    events: tuple[dict[str, Any], ...]
    letters: tuple[tuple[str, str], ...]
    reached: tuple[str, ...]


class Besieged:
    """The centre, and for each of its cases the letters by which an approver was asked about it."""

    def __init__(self, stage: Stage, names: NameServer, folder: Path) -> None:
        self.stage, self.names, self.folder = stage, names, folder
        self._mails: dict[str, list[Mail]] = {STAFF: [], LEFT: [], COLLEAGUE: []}
        self._count = 0
        self.genuine = b""

    # --- the beginning ----------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, centres: Centres, server: Any, clock: Clock, names: NameServer, folder: Path) -> "Besieged":
        """The day before: cases arrive. The next day: a digest, reminders, and one approval of two that was given."""
        made = cls(centres.open(folder / "centre", server, clock), names, folder)
        made.configure()
        enrol(made.stage)
        enrol(made.stage, TAKERU, applicant=NAKAMURA)
        made.target = made.case("cancellation")
        made.other = made.case("new_issue", ICHIRO)
        made.own = made.case("new_issue", replace(ICHIRO, name_en="Keiko TANAKA", name_ja="田中 恵子", email=STAFF))
        made.corrected = made.case("new_issue", replace(ICHIRO, name_ja="鈴木 次郎", name_en="Jiro SUZUKI"))
        made.half = made.case("cancellation", TAKERU, applicant=NAKAMURA, applied=None, sender=MINATO)
        made.earlier = made.request(made.corrected)
        made.say(COLLEAGUE, made.mail(made.corrected, COLLEAGUE), "修正 備考=読み取りを訂正")
        clock.move(AT)
        made.stage.work()
        with made.known_by("smime"), showing(made.request(made.half)):
            made.genuine = detached()
            assert made.arrive(lambda: made.by_smtp(made.genuine)).outcome == "decision_approve_partly"
        return made

    def configure(self) -> None:
        """Three approvers, no ceiling for answers, a digest, the tenant rule, our name server."""
        approvers = [Approver(STAFF, "田中 恵子"), *_OURS]
        policy = {"answers_per_hour": 10_000, "answers_per_day": 100_000}
        rules = {"tenant_headers": TENANT, "tenant_hosts": (".prod.outlook.example", "mx.lra.example")}
        authentication = {**rules, "resolvers": (self.names.address,)}
        approving = {"digest_at": "09:00"}
        configure(self.stage, approvers=approvers, policy=policy, authentication=authentication, approval=approving)

    def case(self, kind: str, *who: Any, sender: str = "", **more: Any) -> str:
        """A case that waits for a decision from today on."""
        today = self.stage.clock().date()
        made = application(kind, *who, **({"received_on": today, "applied": today} | more))
        (number,) = deliver(self.stage, made, **({"sender": sender} if sender else {}))
        return number

    # --- what approvers hold ----------------------------------------------------------------------------------------

    def mails(self, address: str) -> list[Mail]:
        """Everything an approver ever got, oldest first."""
        self._mails[address] += self.stage.letters(address)
        return self._mails[address]

    def mail(self, number: str, address: str = STAFF, word: str = "[承認依頼][") -> Mail:
        """The newest mail to an approver about a case whose subject holds the word."""
        return [each for each in self.mails(address) if number in each.subject and word in each.subject][-1]

    def request(self, number: str, address: str = STAFF, word: str = "[承認依頼][") -> Shown:
        """What that mail showed."""
        token = find_token(self.mail(number, address, word))
        assert token is not None
        centre = self.stage.centre
        with centre.store.transaction() as tx:
            row = approval.find(tx, centre, token)
        code = approval.code_of(centre, row["token_hash"], row["digest"])
        return Shown(token, number, code)

    # --- how mail gets in -------------------------------------------------------------------------------------------

    def by_smtp(self, raw: bytes) -> None:
        """From outside, as everybody can: the server takes forged claims away and writes its own trace on top."""
        with smtplib.SMTP(self.stage.server.host, self.stage.server.smtp_port, "evil.example", timeout=20) as client:
            client.sendmail(ATTACKER, [CENTRE], raw)

    def as_delivered(self, raw: bytes) -> None:
        """With the header as it stands, for servers that take nothing away; a field of its own makes the octets new."""
        self._count += 1
        self.stage.server.append(CENTRE, b"X-Delivery-ID: %d\r\n" % self._count + raw)

    def say(self, sender: str, mail: Mail, words: str, *, login: bool = True, **more: Any) -> None:
        """An ordinary reply by submission, or without login from outside; the service acts on it."""
        quoted = "\n".join(f"> {line}" for line in mail.text.splitlines())
        settings = {"to": mail.reply_to[0].address if mail.reply_to else CENTRE, "answers": mail} | more
        subject = settings.pop("subject", f"Re: {mail.subject}")
        self.stage.send(sender, subject, f"{words}\n\n{quoted}\n", login=sender if login else None, **settings)
        self.stage.work()

    # --- how the approver is known ----------------------------------------------------------------------------------

    @contextmanager
    def known_by(
        self, *methods: str, pins: Sequence[str] = (), judged_by: Trust | None = None, without: str = ""
    ) -> Iterator[None]:
        """Within, the approver is known in these ways, and `without` is none any more."""
        before = self.stage.centre
        roots, crls = self._trusted(trust() if judged_by is None else judged_by)
        own = Approver(STAFF, "田中 恵子", methods=methods, certificates=tuple(pins))
        approvers = tuple(each for each in (own, *_OURS) if each.address != without)
        rules = replace(before.settings.authentication, smime_roots=str(roots), smime_crls=str(crls))
        self.stage.centre = replace(
            before, settings=replace(before.settings, approvers=approvers, authentication=rules)
        )
        try:
            yield
        finally:
            self.stage.centre = before

    def _trusted(self, judged_by: Trust) -> tuple[Path, Path]:
        self._count += 1
        folder = self.folder / f"trust-{self._count}"
        folder.mkdir()
        roots = folder / "roots.pem"
        roots.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in judged_by.roots))
        for number, crl in enumerate(judged_by.crls):
            (folder / f"{number}.crl").write_bytes(crl.public_bytes(Encoding.DER))
        return roots, folder

    # --- what came of it --------------------------------------------------------------------------------------------

    def attack(self, forgery: Forgery, *, from_outside: bool = False) -> Arrived:
        """Let a forgery of the tables arrive as an answer to the target's request: what is proven by its octets from
        outside, what rests on our server's header with that header."""
        by_smtp = from_outside or set(forgery.methods) & {"dkim", "smime"}
        self.names.records = dict(forgery.keys())
        with (
            showing(self.request(self.target)),
            self.known_by(*forgery.methods, pins=forgery.pins, judged_by=forgery.trust()),
        ):
            raw = forgery.build()
            return self.arrive(lambda: (self.by_smtp if by_smtp else self.as_delivered)(raw))

    def arrive(self, send: Any) -> Arrived:
        """Let a mail in and the service work until nothing is left to do."""
        before, (mails, events, letters) = self._kept(), self._newest()
        delivered = len(self.stage.deliveries)
        send()
        self.stage.work()
        after = self._kept()
        with self.stage.centre.store.transaction() as tx:
            arrived = every(tx, schema.mails.select().where(schema.mails.c.id > mails))
            seen = every(tx, schema.events.select().where(schema.events.c.seq > events))
            rows = every(tx, schema.letters.select().where(schema.letters.c.id > letters))
        assert len(arrived) <= 1
        reached = {each.mailbox for each in self.stage.deliveries[delivered:] if each.mailbox != CENTRE}
        return Arrived(
            arrived[0]["outcome"] if arrived else None,
            tuple(name for name in before if before[name] != after[name]),
            tuple({"kind": row["kind"], **row["detail"]} for row in seen),
            tuple(sorted((row["recipient"], row["kind"]) for row in rows)),
            tuple(sorted(reached)),
        )

    def _kept(self) -> dict[str, Any]:
        tables = {name: schema.metadata.tables[name] for name in KEPT} | {"certificates": register.certificates}
        with self.stage.centre.store.transaction() as tx:
            return {name: [tuple(row.values()) for row in every(tx, table.select())] for name, table in tables.items()}

    def _newest(self) -> tuple[int, int, int]:
        with self.stage.centre.store.transaction() as tx:
            found = [every(tx, table.select()) for table in (schema.mails, schema.events, schema.letters)]
        mails, events, letters = found
        return len(mails), max(row["seq"] for row in events), max(row["id"] for row in letters)

    def state(self, number: str) -> str:
        """The state of a case."""
        with self.stage.centre.store.transaction() as tx:
            return cases.find(tx, number).state.value
