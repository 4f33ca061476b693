"""Applications without paper: `parsers.reading.Application` built from persons and dates, complete unless a test says otherwise.

`deliver` hands them to a centre as if they had been read from one mail, for the rules that no committed form fits;
`enrol` gives a centre a subscriber with a live certificate.
"""

import email.policy
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from sqlalchemy import select

from ca import register
from config import request_types
from config.request_types import Need, RequestType
from daemon import cases, ledger, registrations, schema
from daemon.case import CaseKind, State
from daemon.demo.story import AOZORA, MINATO
from daemon.matching import Person, Registration
from daemon.planning import JST, LiveCertificate, RegisterFacts, Task, TaskKind
from daemon.reception import Delivery, Opened, receive
from daemon.store import every
from parsers import rules
from parsers.mail import documents, open_mail
from parsers.reading import Application, FieldValue, Reading, Route, Seal, SealVerdict

TODAY = date(2026, 4, 1)  # the day on which a `stage` begins
TABLE = request_types.load()
WISHED = "wished_revocation_date"

HANAKO = Person(
    "あおぞら電機株式会社",
    "Aozora Electric Co., Ltd.",
    "山田 花子",
    "Hanako YAMADA",
    "hanako.yamada@aozora-denki.example",
)
HANAKO_MARRIED = replace(HANAKO, name_ja="髙橋 花子", name_en="Hanako TAKAHASHI")
ICHIRO = replace(HANAKO, name_ja="鈴木 一郎", name_en="Ichiro SUZUKI", email="ichiro.suzuki@aozora-denki.example")
TAKERU = Person(
    "株式会社みなと商事", "Minato Trading Co., Ltd.", "佐藤 健", "Takeru SATO", "t-sato@minato-shoji.example"
)
TANAKA = {"company": "あおぞら電機株式会社", "name": "田中 正", "phone": "03-5550-1234", "email": AOZORA}
NAKAMURA = {"company": "株式会社みなと商事", "name": "中村 由美子", "phone": "045-550-6789", "email": MINATO}


def application(
    kind: RequestType | str | None,
    first: Person | None = HANAKO,
    after: Person | None = None,
    *,
    applicant=TANAKA,
    received_on: date = TODAY,
    applied: date | None = TODAY,
    wished: date | None = None,
    seal: SealVerdict = SealVerdict.PRESENT,
    old_form: bool = False,
    judged: bool = True,
    **more: str | bool | None,
) -> Application:
    """A complete form of that type. `first` stands in the user block, or in the before block of the types that have one.

    `more` sets further fields and boxes (`remarks="…"`, `user__email="…"`, `content_correct=False`). `judged=False`
    leaves the findings out.
    """
    kind = RequestType(kind) if kind else None
    block = TABLE.types[kind].looks_up if kind else "user"
    values: dict[str, str | None] = {f"applicant.{name}": value for name, value in applicant.items()}
    values |= {f"{block}.{name}": value for name, value in asdict(first).items()} if first else {}
    values |= {f"after.{name}": value for name, value in asdict(after).items()} if after else {}
    values["application_date"] = applied.isoformat() if applied else None
    values[WISHED] = wished.isoformat() if wished else None
    boxes = {row.key: bool(kind) and row.needs[kind] in (Need.REQUIRED, Need.WARN) for row in TABLE.confirmations}
    for name, value in more.items():
        key = name.replace("__", ".")
        (boxes if key in boxes else values)[key] = value
    keys = [row.key for row in TABLE.fields() if not (old_form and row.key == WISHED)]
    made = Application(
        request_type=kind,
        form_version="2021-04" if old_form else "2024-07",
        route=Route.TEXT,
        pages=(1,),
        fields={key: _field(values.get(key)) for key in keys},
        confirmations=boxes,
        seal=Seal(seal, 1.0, 1),
        type_raw=TABLE.types[kind].word if kind else "",
        type_words=(TABLE.types[kind].word,) if kind else (),
    )
    return replace(made, findings=rules.find(made, table=TABLE, received_on=received_on)) if judged else made


def _field(value: str | None) -> FieldValue:
    return FieldValue(value, value or "", 1.0, 1)


def registration(number: int = 1, person: Person = HANAKO, **more) -> Registration:
    """A place in the register, live unless told otherwise."""
    return Registration(**({"id": number, "subscriber_id": f"W{number:06d}", "state": "live", "person": person} | more))


def facts(**more) -> RegisterFacts:
    """What the register says, of a company that is known and has certificates."""
    known = {
        "company_known": True,
        "company_certified": True,
        "company_english": frozenset({HANAKO.company_en}),
        "company_domains": frozenset({HANAKO.domain}),
    }
    return RegisterFacts(**(known | more))


def certificate(serial: str = "0A1B") -> LiveCertificate:
    """A live certificate as plans know it."""
    return LiveCertificate(serial, datetime(2028, 5, 1, tzinfo=UTC))


def deliver(
    stage,
    *applications,
    sender: str = AOZORA,
    subject: str = "申請",
    text: str = "お願いします。",
    answers=None,
    headers=None,
    document: bytes = b"%PDF-1.7 a paper",
):
    """One mail whose only attachment was read as these applications, taken in by the centre; returns the case numbers.

    Everything behind the reading is the real thing. The service then works until nothing is left to do.
    """
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = sender
    message["To"] = "ogis-lra@lra.example"
    message["Subject"] = subject
    message["Date"] = format_datetime(stage.clock())
    message["Message-ID"] = make_msgid(domain="mail.example")
    if answers is not None:
        message["In-Reply-To"] = message["References"] = answers.message_id
    for name, value in (headers or {}).items():
        message[name] = value
    message.set_content(text, cte="base64")
    message.add_attachment(document, maintype="application", subtype="pdf", filename="form.pdf")
    raw = message.as_bytes()
    centre, now = stage.centre, stage.clock()
    mail = open_mail(raw)
    opened = Opened(documents(mail)[0], centre.blobs.put(document), Reading(tuple(applications)))
    with centre.store.transaction() as tx:
        before = {row["id"] for row in every(tx, select(schema.cases.c.id))}
        mail_id = ledger.add(tx, digest=centre.blobs.put(raw), size=len(raw), arrived_at=now, now=now)
        receive(tx, centre, Delivery(ledger.get(tx, mail_id), mail, (opened,)), now=now)
        ledger.settle(tx, mail_id, state="read", outcome="application", folder="filed")
        numbers = [row["number"] for row in every(tx, select(schema.cases)) if row["id"] not in before]
    stage.work()
    return numbers


def enrol(stage, person: Person = HANAKO, *, applicant=TANAKA) -> Registration:
    """A live registration with one certificate, issued by the house as a renewal is: nobody is asked."""
    centre, now = stage.centre, stage.clock()
    with centre.store.transaction() as tx:
        entered = registrations.enter(tx, person, now=now)
        registrations.learn_company(tx, person, now=now)
        case = cases.open_case(
            tx,
            centre.audit,
            kind=CaseKind.RENEWAL,
            state=State.EXECUTING,
            arrived_at=now,
            now=now,
            actor="system",
            registration_id=entered.id,
            renews_serial=f"{entered.id:x}",  # of a former CA
            applicant_company=applicant["company"],
            applicant_name=applicant["name"],
            applicant_email=applicant["email"],
        )
        cases.add_tasks(tx, case, (Task(TaskKind.ISSUE, entered.id),))
    stage.work()
    stage.pass_time(minutes=11)
    for address in {person.email, applicant["email"]}:
        stage.letters(address)
    return entered


def certificates(stage) -> list[tuple[str, str]]:
    """Every certificate ever issued, oldest first: (subject's mail address, "live" or the day and time of revocation in Japan)."""
    with stage.centre.store.transaction() as tx:
        rows = [row for row in register.every(tx) if row.der is not None]
    rows.sort(key=lambda row: (row.not_before, row.case_id or 0))
    return [(row.email, _fate(row.revoked_at)) for row in rows]


def _fate(revoked_at) -> str:
    return f"{revoked_at.astimezone(JST):%m-%d %H:%M}" if revoked_at else "live"


def case_of(stage, number: str):
    """The case as it stands."""
    with stage.centre.store.transaction() as tx:
        return cases.find(tx, number)


def flat(text: str) -> str:
    """The words of a letter without its line breaks and blanks: where lines are broken is a matter of layout."""
    return "".join(text.split())


def letters_of(stage, number: str) -> list[tuple[str, str]]:
    """Every letter of a case that a mail server has accepted: (kind, recipient), sorted."""
    with stage.centre.store.transaction() as tx:
        case = cases.find(tx, number)
        rows = every(tx, select(schema.letters).where(schema.letters.c.case_id == case.id))
    assert {row["state"] for row in rows} <= {"sent"}
    return sorted((row["kind"], row["recipient"]) for row in rows)


def register_of(stage) -> list[tuple[str, str, str, str]]:
    """The register: (subscriber id, state, name, mail address)."""
    with stage.centre.store.transaction() as tx:
        rows = every(tx, select(schema.registrations).order_by(schema.registrations.c.id))
    return [(row["subscriber_id"], row["state"], row["name_ja"], row["email"]) for row in rows]
