"""`ogis-lra check`: one verdict for each thing the service needs, in plain words, and the next step where it fails.

Each question is asked by itself, so that one broken thing does not hide another. Changes nothing, sends nothing.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from ca.errors import CaError
from config.credentials import CredentialError
from config.settings import Settings, SettingsError

from . import gauges, opening, schema
from .equipment import equipment_of
from .failures import Failure, Kind
from .imap import Mailbox
from .keyring import (
    AUDIT_KEY,
    FORM_CODE_KEY,
    TOKEN_KEY,
    account_of,
    check_profile,
    credentials_of,
    door_credentials,
    form_code_key,
    key_bytes,
    open_keys,
    route_of,
    secret,
)
from .letters import check_templates
from .oauth_advice import advice
from .reader import Reader
from .smtp import Transport
from .store import Store, StoreError

# What `is not there yet`, `is wrong` or `does not answer` may look like; anything else is a bug and shows itself.
_FAULTS = (Failure, CaError, CredentialError, StoreError, SettingsError, DBAPIError, ValueError, OSError)

# A CA must outlive what it signs: two years and thirty days (ca/profiles.toml), and half a year to arrange the next.
_CA_LEFT = timedelta(days=760 + 183)
# A clock may be behind the newest event by this much: two machines, or a leap second.
_CLOCK_SLACK = timedelta(minutes=5)

_NEXT_STEPS = {
    Kind.MAILBOX_UNAVAILABLE: "are mailbox.host and mailbox.port right, is the server up, is a firewall in between?",
    Kind.MAILBOX_LOGIN: "write the right password into the credential, or mend mailbox.username or mailbox.security",
    Kind.MAILBOX_CERTIFICATE: "name the server as its certificate does in mailbox.host, or its CA in mailbox.ca_file",
    Kind.MAILBOX_FOLDER: "does mailbox.folder exist, and may mailbox.username open it?",
    Kind.TRANSPORT_UNAVAILABLE: "are smtp.host and smtp.port right, is the server up, is a firewall in between?",
    Kind.TRANSPORT_LOGIN: "write the right password into the credential, or mend smtp.username or smtp.security",
    Kind.TRANSPORT_CERTIFICATE: "name the server as its certificate does in smtp.host, or its CA in smtp.ca_file",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the answer. `next_step` is what the operator does about it, empty where all is well."""

    name: str
    in_order: bool
    message: str
    next_step: str = ""


def verdicts(settings: Settings, clock: Callable[[], datetime]) -> Iterator[Verdict]:
    """Every question of the list with its answer, in the order in which they are best mended."""
    yield _ask("data directory", partial(_data_directory, settings), "create it and give it to the service's user")
    for name in _credential_names(settings):
        ours = name in (settings.ca.passphrase_credential, AUDIT_KEY, TOKEN_KEY, FORM_CODE_KEY)
        step = "`ogis-lra init` makes it" if ours else f"write it into {credentials_of(settings) / name}"
        yield _ask(f"credential {name}", partial(_credential, settings, name, ours=ours), f"{step}; mode 0600")
    yield _ask(
        "database", partial(_database, settings), "run `ogis-lra init`; if it was there before, restore the backup"
    )
    step = "run `ogis-lra init`, or restore keys, passphrase and database from the same backup"
    yield _ask("certificate authority", partial(_authority, settings, clock), step)
    yield _ask("file opener", _opener, "install it; nothing is issued without it (docs/operations.md)")
    yield _ask("mailbox", partial(_mailbox, settings), "mend the credential first, or [mailbox]")
    yield _ask(
        "intake",
        partial(_intake, settings, clock),
        "look at the folder with a mail program: the server lists mail it does not deliver; is `ogis-lra run` running?",
    )
    yield _ask("mail server", partial(_mail_server, settings), "mend the credential first, or [smtp]")
    yield _ask("letters", _letters, "install the program again: its templates are damaged")
    yield _ask("forms", partial(_forms, settings), "mend the file, or take it out of the folder (forms.folder)")
    yield _ask("confined readers", _readers, "install the program again: its libraries or its model are damaged")
    yield _ask("clock", partial(_clock, settings, clock), "set it and keep it set (chrony, systemd-timesyncd)")


def _ask(name: str, question: Callable[[], str], step: str) -> Verdict:
    try:
        return Verdict(name, in_order=True, message=question())
    except Failure as failure:
        next_step = advice(failure.detail) or _NEXT_STEPS.get(failure.kind, step)
        return Verdict(name, in_order=False, message=str(failure), next_step=next_step)
    except DBAPIError as error:
        # Its text quotes statements and their parameters.
        return Verdict(name, in_order=False, message=f"cannot be read ({type(error.orig).__name__})", next_step=step)
    except _FAULTS as error:
        return Verdict(name, in_order=False, message=str(error), next_step=step)


def _data_directory(settings: Settings) -> str:
    folder = settings.data_dir
    if not folder.is_dir():
        raise StoreError(f"{folder} is not there")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(f"{folder} cannot be written by this user")
    return str(folder)


def _credential_names(settings: Settings) -> list[str]:
    # Without the key of codes a centre works: it signs none and believes none without the print.
    optional = [FORM_CODE_KEY] if (credentials_of(settings) / FORM_CODE_KEY).exists() else []
    if settings.ca.key_store == "pkcs11":
        optional.append(settings.ca.pin_credential)
    return list(
        dict.fromkeys([*door_credentials(settings), settings.ca.passphrase_credential, AUDIT_KEY, TOKEN_KEY, *optional])
    )


def _credential(settings: Settings, name: str, *, ours: bool) -> str:
    if name == FORM_CODE_KEY:
        form_code_key(settings)
    elif ours and name != settings.ca.passphrase_credential:
        key_bytes(settings, name)
    else:
        secret(settings, name)
    return "can be read, by nobody else"


def _database(settings: Settings) -> str:
    with _opened(settings) as tx:
        count = tx.execute(select(func.count()).select_from(schema.cases)).scalar_one()
    return f"schema of this program, {count} case(s)"


def _authority(settings: Settings, clock: Callable[[], datetime]) -> str:
    check_profile(settings)
    keys = open_keys(settings, clock=clock)
    for each in keys.signers:
        each.check()
    authority = keys.signer.authority
    left = authority.not_after - clock()
    if left < _CA_LEFT:
        raise StoreError(
            f"the issuing CA ends on {authority.not_after:%Y-%m-%d}, too early for certificates of its whole term; "
            "a rollover is needed"
        )
    also = f"; {len(keys.signers) - 1} more to look after" if len(keys.signers) > 1 else ""
    return (
        f"the key opens{also}; the issuing CA is valid until {authority.not_after:%Y-%m-%d}; CRL at {authority.crl_url}"
    )


def _mailbox(settings: Settings) -> str:
    with Mailbox.open(account_of(settings)) as opened:
        return f"{len(opened.uids())} mail(s) in {settings.mailbox.folder}"


def _intake(settings: Settings, clock: Callable[[], datetime]) -> str:
    """What the last comparison of mailbox and ledger found (`reconciling`)."""
    try:
        with _opened(settings) as tx:
            measured = gauges.values(tx)
    except StoreError:
        return "not compared yet: there is no database"
    compared = gauges.moment(measured, "compared_timestamp_seconds")
    if compared is None or "mailbox_missing" not in measured:
        return "not compared yet: the service has not run"
    when = f"compared {compared:%Y-%m-%d %H:%M} UTC"
    if measured["mailbox_missing"]:
        raise StoreError(f"{measured['mailbox_missing']:.0f} mail(s) of the server are not in the ledger; {when}")
    if clock() - compared > timedelta(minutes=settings.run.silence_minutes):
        # No fault by itself: `check` is run before the service is started, too.
        return f"warning: mailbox and ledger were last {when}; is the service running?"
    return f"every mail of the server is in the ledger; {when}"


def _mail_server(settings: Settings) -> str:
    with Transport(route_of(settings)) as opened:
        opened.probe()
    return f"{settings.smtp.host} takes our mail"


def _forms(settings: Settings) -> str:
    """The shipped forms are a part of the program; those of the centre's own folder may be wrong."""
    own = len(equipment_of(settings).texts)
    return f"the shipped ones and {own} of {settings.forms.folder}" if own else "the shipped ones"


def _readers() -> str:
    """Both kinds of children start; a wall that this machine does not give is said, and is no reason to stop."""
    with Reader() as reader:
        walls = reader.walls()
    missing = sorted({name for each in walls.values() for name in each.missing()})
    if missing:
        return f"warning: this machine has no {', '.join(missing)} (docs/decisions/0009-confined-readers.md)"
    return f"{' and '.join(walls)} start, every wall stands"


def _opener() -> str:
    program = opening.command()
    return f"{program[-1]} opens every PKCS#12 file once more before it is sent"


def _letters() -> str:
    check_templates()
    return "every letter can be written"


def _clock(settings: Settings, clock: Callable[[], datetime]) -> str:
    """Nothing can have happened after now: the newest audit event dates a clock that fell back (RTC battery, VM)."""
    now, newest = clock(), _newest_event(settings)
    if newest is not None and newest > now + _CLOCK_SLACK:
        raise StoreError(f"it says {now:%Y-%m-%d %H:%M} UTC, but the log has events of {newest:%Y-%m-%d %H:%M} UTC")
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"


def _newest_event(settings: Settings) -> datetime | None:
    """None also where there is no database to ask: that is another line of the list."""
    try:
        with _opened(settings) as tx:
            newest: datetime | None = tx.execute(select(func.max(schema.events.c.at))).scalar_one()
    except (StoreError, DBAPIError):
        return None
    return newest


@contextmanager
def _opened(settings: Settings) -> Iterator[Connection]:
    store = Store(settings.database)
    try:
        store.check()
        with store.transaction() as tx:
            yield tx
    finally:
        store.close()
