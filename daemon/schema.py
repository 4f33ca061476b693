"""The tables of the daemon; the register of certificates stands in `ca.register`, on the same metadata.

The database keeps promises of its own (HOUSE 3): what must not happen twice has a unique key, what must not be
nonsense has a CHECK. Personal data lives in `cases`, `applications`, `companies`, `registrations`, `letters` and
`locked_mails` only; `events` holds ids, codes and states (and which approver acted), so that the audit chain can
outlive the deletion of a customer's data.
"""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from ca.register import Instant, metadata

from .canonical import CanonicalJson
from .case import CaseKind, State
from .despatch import LetterState
from .former_tables import former_certificates


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


# Every mail ever seen, once by content; `attempts` is committed before the try (docs/flow.md, step 2).
mails = Table(
    "mails",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("size", Integer, nullable=False),
    # Both are hints that never decide anything (`duplicates`): a sender may repeat or leave out a Message-ID.
    Column("message_id", String, nullable=False, server_default="", index=True),
    Column("likeness", String(64), nullable=False, server_default="", index=True),
    Column("state", String, nullable=False),
    Column("outcome", String, nullable=False, server_default=""),
    Column("reason", String, nullable=False, server_default=""),
    Column("folder", String, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("arrived_at", Instant, nullable=False),
    Column("stored_at", Instant, nullable=False),
    # Asked for with the consequences of the mail, done after their commit: the row stays, the bytes are forgotten.
    Column("erasure_asked_at", Instant),
    Column("erased_at", Instant),
    _one_of("state", "stored", "read", "held"),
    sqlite_autoincrement=True,
)

# Where each mail was seen on the server. The same content under two UIDs is one mail with two sightings.
sightings = Table(
    "sightings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mail_id", ForeignKey("mails.id"), nullable=False, index=True),
    Column("account", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("uidvalidity", Integer, nullable=False),
    Column("uid", Integer, nullable=False),
    # When the server says it received it; another one under the same UID is another mail. NULL before stage 3.
    Column("internal_date", Instant),
    Column("seen_at", Instant, nullable=False),
    Column("filed_at", Instant),
    UniqueConstraint("account", "folder", "uidvalidity", "uid"),
)

# UIDs that the server lists and does not deliver, until it does or they are gone (`reconciling`).
absences = Table(
    "absences",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("uidvalidity", Integer, nullable=False),
    Column("uid", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("told_at", Instant),
    UniqueConstraint("account", "folder", "uidvalidity", "uid"),
)

# What was looked at in the Junk folder, which is only read; the digest makes it one notice a mail, whatever its UID.
junk_sightings = Table(
    "junk_sightings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account", String, nullable=False),
    Column("folder", String, nullable=False),
    Column("uidvalidity", Integer, nullable=False),
    Column("uid", Integer, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("reason", String, nullable=False, server_default=""),
    Column("seen_at", Instant, nullable=False),
    UniqueConstraint("account", "folder", "uidvalidity", "uid"),
)

# What the newest round measured, one value a name (`metrics`).
gauges = Table(
    "gauges",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Float, nullable=False),
    Column("at", Instant, nullable=False),
)

# The two mails of a pair: one with a file under a password (or behind a link), one with the password (daemon/ppap.py).
# Of the second nothing but this row is left.
locked_mails = Table(
    "locked_mails",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("mail_id", ForeignKey("mails.id"), nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("sender", String, nullable=False, index=True),
    Column("message_id", String, nullable=False, server_default="", index=True),
    Column("partner_id", ForeignKey("locked_mails.id")),
    Column("answered", Integer, nullable=False, server_default="0"),
    Column("arrived_at", Instant, nullable=False),
    _one_of("role", "file", "password"),
    sqlite_autoincrement=True,
)

companies = Table(
    "companies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name_ja", String, nullable=False),
    Column("name_en", String, nullable=False, server_default=""),
    Column("key", String, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
)

company_domains = Table(
    "company_domains",
    metadata,
    Column("company_id", ForeignKey("companies.id"), primary_key=True),
    Column("domain", String, primary_key=True),
)

# A person's place in the register; its id stands in the DN and outlives change, renewal and reissue (SPEC 1.3.7).
registrations = Table(
    "registrations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", String, nullable=False, unique=True),
    Column("state", String, nullable=False),
    Column("company_ja", String, nullable=False),
    Column("company_en", String, nullable=False),
    Column("name_ja", String, nullable=False),
    Column("name_en", String, nullable=False),
    Column("email", String, nullable=False),
    Column("company_key", String, nullable=False, index=True),
    Column("person_key", String, nullable=False),
    Column("mail_key", String, nullable=False, index=True),
    Column("applicant_company", String, nullable=False, server_default=""),
    Column("applicant_name", String, nullable=False, server_default=""),
    Column("applicant_email", String, nullable=False, server_default=""),
    # The new address gets nothing secret for one business day after a change (SPEC 2.2).
    Column("email_changed_at", Instant),
    Column("predecessor_id", ForeignKey("registrations.id")),
    # The kind of PKCS#12 file this subscriber's programs can open; empty: the kind of the centre (ca.bundle).
    Column("bundle", String, nullable=False, server_default=""),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
    _one_of("state", "reserved", "live", "closed"),
    sqlite_autoincrement=True,
)

cases = Table(
    "cases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("request_type", String),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("digest", String(64), nullable=False, server_default=""),
    # 対象: the registration staff chose; a renewal's own.
    Column("registration_id", ForeignKey("registrations.id")),
    # Equal for two applications that ask the same for the same person; finds duplicates (domain notes E.1.9).
    Column("subject_key", String(64), nullable=False, server_default="", index=True),
    # A renewal names the certificate it follows; unique, so that none is renewed twice.
    Column("renews_serial", String, unique=True),
    Column("correspondent", String, nullable=False, server_default=""),
    Column("thread_id", String, nullable=False, server_default=""),
    Column("muted", Integer, nullable=False, server_default="0"),
    Column("applicant_company", String, nullable=False, server_default=""),
    Column("applicant_name", String, nullable=False, server_default=""),
    Column("applicant_email", String, nullable=False, server_default=""),
    Column("arrived_at", Instant, nullable=False),
    Column("accepted_at", Instant),
    Column("deadline", Instant),
    Column("changed_at", Instant, nullable=False),
    _one_of("state", *State),
    _one_of("kind", *CaseKind),
    sqlite_autoincrement=True,
)

# Each version of what was read; an amendment by staff is a version too. One form of one mail gives one version only.
applications = Table(
    "applications",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("mail_id", ForeignKey("mails.id")),
    Column("form_index", Integer),
    Column("document", String(64), nullable=False, server_default=""),
    Column("reading", JSON, nullable=False),
    Column("amended_by", String, nullable=False, server_default=""),
    # The digest of a seal that was put into the PDF as a picture; finds the same picture on other forms.
    Column("seal_image", String, nullable=False, server_default="", index=True),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("case_id", "version"),
    UniqueConstraint("mail_id", "form_index"),
)

# One request for decision a case, version and approver; of the token only its keyed hash is kept. Those that were asked
# together, or were asked besides as time went by, share a `round`; `level` says how far a silent one was reminded. A
# request whose `purpose` is `recall` is the token of a confirmation: it only takes back (取消).
requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("approver", String, nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("state", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("purpose", String, nullable=False, server_default="decision"),
    Column("round", Integer, nullable=False, server_default="1"),
    Column("level", Integer, nullable=False, server_default="0"),
    _one_of("state", "open", "used", "void", "lapsed"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("request_id", ForeignKey("requests.id"), nullable=False),
    Column("approver", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("argument", String, nullable=False, server_default=""),
    Column("mail_id", ForeignKey("mails.id"), nullable=False, unique=True),
    Column("evidence", JSON, nullable=False),
    Column("quorum", Integer, nullable=False, server_default="1"),
    Column("decided_at", Instant, nullable=False),
)

# What an approval fixed. `registration_id` is whom it concerns; `serials` narrows a revocation to some certificates.
tasks = Table(
    "tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("registration_id", ForeignKey("registrations.id"), index=True),
    Column("serials", JSON, nullable=False),
    Column("due_at", Instant),
    Column("detail", JSON, nullable=False),
    Column("done_at", Instant),
    _one_of("kind", "issue", "revoke", "change", "close", "reschedule"),
    _one_of("state", "pending", "done", "failed", "cancelled"),
)

# What staff asked for by themselves, without an application: an urgent revocation, another day for a scheduled one.
# `detail` is what was asked (daemon.orders); `evidence` says how the mail that asked was authenticated.
orders = Table(
    "orders",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("opened_by", String, nullable=False),
    Column("mail_id", ForeignKey("mails.id"), unique=True),
    Column("evidence", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("form_due_at", Instant),
    Column("form_reminded_at", Instant),
    Column("created_at", Instant, nullable=False),
)

# When an approver is away, and who is asked in his stead (不在). Days are ISO 8601, in Japan, both included.
leaves = Table(
    "leaves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("approver", String, nullable=False, index=True),
    Column("first_day", String(10), nullable=False),
    Column("last_day", String(10), nullable=False),
    Column("deputy", String, nullable=False, server_default=""),
    Column("mail_id", ForeignKey("mails.id"), unique=True),
    Column("recorded_at", Instant, nullable=False),
    Column("ended_at", Instant),
    sqlite_autoincrement=True,
)

# Letters are rows before they are SMTP. `raw` is the finished mail; a secret one keeps it sealed until it is accepted.
letters = Table(
    "letters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String, nullable=False, unique=True),
    Column("case_id", ForeignKey("cases.id"), index=True),
    Column("kind", String, nullable=False),
    Column("recipient", String, nullable=False),
    Column("message_id", String, nullable=False, unique=True),
    Column("raw", LargeBinary),
    Column("sealed", LargeBinary),
    Column("seal_key", String, unique=True),
    Column("state", String, nullable=False, index=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", Instant, nullable=False),
    Column("after_id", ForeignKey("letters.id")),
    Column("after_seconds", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("error", String, nullable=False, server_default=""),
    # 128 random bits: the envelope identifier and the bounce address of this letter (daemon.return_path).
    Column("trace", String(26), unique=True),
    # Keyed hash of the password in a password letter: knows a copy that comes back, opens nothing.
    Column("secret_hash", String(64), index=True),
    # The limit on being put off counts from the first try; how often the outcome of a try was unknown.
    Column("tried_at", Instant),
    Column("lost", Integer, nullable=False, server_default="0"),
    # What answers a mail by itself: counted against the ceiling of its correspondent and case (daemon.answers).
    Column("answer", Integer, nullable=False, server_default="0"),
    Index("ix_letters_answers", "answer", "created_at"),
    _one_of("state", *LetterState),
    sqlite_autoincrement=True,
)

# The audit log: keyed hash chain, written in the transaction it tells of.
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("case_id", Integer, index=True),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("detail", CanonicalJson, nullable=False),
    Column("mac", String(64), nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Integer, nullable=False),
)

__all__ = [
    "absences",
    "applications",
    "cases",
    "companies",
    "company_domains",
    "counters",
    "decisions",
    "events",
    "former_certificates",
    "gauges",
    "junk_sightings",
    "leaves",
    "letters",
    "locked_mails",
    "mails",
    "metadata",
    "orders",
    "registrations",
    "requests",
    "sightings",
    "tasks",
]
