"""All that a step of a round needs, opened once: settings, store, doors, keys, clock, randomness.

Nothing in the house reads a clock, a random source or an environment by itself; it is handed one of these.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ca.hierarchy import number_of
from ca.profiles import Profile, Role, load_profiles
from ca.signer import Signer
from config import request_types
from config.credentials import Secret
from config.forms import Library
from config.request_types import Table
from config.settings import Settings

from .account import Account
from .audit import Audit
from .blobs import Blobs
from .cabinet import Cabinet
from .crl_files import Seen
from .equipment import equipment_of
from .imap import Mailbox
from .letters import Office
from .reader import Reader
from .responder import Responder
from .smtp import Route, Transport
from .stopping import Stop
from .store import Store
from .turns import Memory
from .vault import Vault


@dataclass(frozen=True)
class Centre:
    """One LRA centre, ready to work."""

    settings: Settings
    store: Store
    blobs: Blobs
    vault: Vault
    audit: Audit
    hands: tuple[Signer, ...]
    """Every authority whose key is here, also one that is to begin later."""
    profile: Profile
    token_key: bytes
    cabinet: Cabinet | None
    responder: Responder | None
    table: Table
    office: Office
    account: Account
    reader: Reader
    open_mailbox: Callable[..., Mailbox]
    open_transport: Callable[[], Transport]
    clock: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    sleep: Callable[[float], None]
    stop: Stop
    unfinished: dict[int, Memory] = field(default_factory=dict)
    """What was read of mails whose turn is over (`turns`), by mail; lost with the process, and then read again."""
    accepted: dict[int, datetime] = field(default_factory=dict)
    """Letters that the mail server took at that time, as long as the database could not be told (`outbox`)."""

    published: dict[str, tuple[int, Seen, Seen]] = field(default_factory=dict)
    """The CRL files when last looked at (`publication`): number, and what would tell a change of either file."""

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Every authority that the centre signs CRLs for, the one that issues first.

        After a rollover the next one issues from its not_before on; the others go on with their CRLs and their OCSP.
        """
        now = self.clock()
        begun = [each for each in self.hands if each.authority.not_before <= now] or list(self.hands)
        return tuple(sorted(begun, key=lambda each: number_of(each.authority.id), reverse=True))

    @property
    def signer(self) -> Signer:
        """The authority that issues now."""
        return self.signers[0]

    @property
    def public(self) -> Path:
        """The folder of what the world may fetch: certificates of the CA and its CRL."""
        return self.settings.data_dir / "public"

    @property
    def library(self) -> Library:
        """The forms that this centre knows: what its readers read by, and what the rules name fields by."""
        return self.reader.library

    def close(self) -> None:
        """Give back the database connections and end the confined children."""
        self.reader.close()
        self.store.close()

    def __repr__(self) -> str:
        return f"Centre({self.settings.centre.address})"


@dataclass(frozen=True)
class Keys:
    """The opened secrets of a centre; nothing of them is ever shown."""

    signers: tuple[Signer, ...]
    """Of every issuing authority that is not retired, the newest first."""
    audit_key: bytes
    token_key: bytes
    form_code_public: bytes = b""
    """The public half of the key that signs the codes on filled forms; empty where the centre has none."""
    passphrase: Secret | None = None
    """What the keys of OCSP responders are sealed under; None where there is no responder."""

    @property
    def signer(self) -> Signer:
        """The newest authority."""
        return self.signers[0]

    def __repr__(self) -> str:
        return "Keys(hidden)"


def wall_clock() -> datetime:
    """The time now, aware, UTC."""
    return datetime.now(UTC)


def open_centre(
    settings: Settings,
    keys: Keys,
    *,
    account: Account,
    route: Route,
    clock: Callable[[], datetime] = wall_clock,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    sleep: Callable[[float], None] | None = None,
) -> Centre:
    """Put a centre together; the database must have this program's schema (StoreError), the folder of its own forms
    must be right (SettingsError). A wait between two tries ends with a request to stop, unless `sleep` is another."""
    stop = Stop()
    equipment = equipment_of(settings, keys.form_code_public)
    store = Store(settings.database)
    store.check()
    cabinet = Cabinet(settings.data_dir / "keys", keys.passphrase) if keys.passphrase is not None else None
    return Centre(
        settings=settings,
        store=store,
        blobs=blobs_of(settings, random_bytes),
        vault=Vault(settings.data_dir / "vault", random_bytes),
        audit=Audit(keys.audit_key),
        hands=keys.signers,
        profile=profiles_of(settings)[settings.ca.profile],
        token_key=keys.token_key,
        cabinet=cabinet,
        responder=Responder(store, clock, settings.ocsp) if settings.ocsp.url and cabinet is not None else None,
        table=request_types.load(),
        office=office_of(settings),
        account=account,
        reader=Reader(equipment=equipment),
        open_mailbox=partial(Mailbox.open, stop=stop),
        open_transport=lambda: Transport(route, stop),
        clock=clock,
        random_bytes=random_bytes,
        sleep=sleep if sleep is not None else stop.sleep,
        stop=stop,
    )


def blobs_of(settings: Settings, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Blobs:
    """The stored mails and documents of a centre."""
    return Blobs(settings.data_dir / "blobs", random_bytes)


def profiles_of(settings: Settings) -> Mapping[str, Profile]:
    """The certificate profiles, with the operator's own policy in those for subscribers (RFC 5280 §4.2.1.4)."""
    oid = settings.ca.policy_oid
    return {
        name: replace(profile, policies=(oid,)) if oid and profile.role in (Role.SUBSCRIBER, Role.SERVER) else profile
        for name, profile in load_profiles().items()
    }


def office_of(settings: Settings) -> Office:
    """What the letters say about us."""
    centre = settings.centre
    return Office(
        address=centre.address,
        name=centre.name,
        call_centre_phone=centre.call_centre_phone,
        call_centre_mail=centre.call_centre_mail,
        form_url=centre.form_url,
        materials_url=centre.materials_url,
        site=centre.company,
    )
