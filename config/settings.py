"""The settings of a centre: read once, checked whole, frozen.

One TOML file (`example.toml` documents every option). An unknown key stops the program and names the nearest known
one; secrets are never in the file, only the names of credentials (`config.credentials`).
"""

import dataclasses
import difflib
import ipaddress
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from config import approval_settings
from config.approval_settings import ApprovalSettings

SECURITIES = ("tls", "starttls", "plain")
BUNDLES = ("modern", "legacy")
ROLES = ("approver", "deputy", "manager")
# The ways to know that a mail is an approver's (SPEC 2.1); what each proves stands in `parsers.authentication`.
METHODS = ("login", "results", "dkim", "smime", "tenant")

# The least and the most an option may be. The upper ends keep arithmetic with dates possible and catch a slip of the
# finger; a certificate lives for about two years, so nothing that is counted in days may come near that.
LIMITS: Mapping[str, tuple[int, int]] = {
    "ca.crl_days": (1, 365),
    "policy.renewal_days": (0, 365),
    "policy.password_delay_minutes": (0, 10_080),
    "policy.request_days": (1, 365),
    "policy.resubmission_days": (1, 365),
    "policy.lease_minutes": (1, 1_440),
    "policy.cancel_minutes": (0, 10_080),
    "approval.remind_hours": (1, 1_000),
    "approval.deputy_hours": (1, 1_000),
    "approval.manager_hours": (1, 1_000),
    "approval.form_days": (1, 365),
    "run.poll_seconds": (1, 3_600),
}

_ADDRESS = re.compile(r"[!-?A-~]+@(?:[a-z0-9-]+\.)+[a-z0-9-]+", re.IGNORECASE)
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,18})){1,15}")
_FINGERPRINT = re.compile(r"(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE)
_DOMAIN = re.compile(r"(?:[a-z0-9-]+\.)+[a-z0-9-]+", re.IGNORECASE)
_HOST = re.compile(r"\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)
_HEADER_RULE = re.compile(r"[!-9;-~]+\s*:\s*\S.*")
_PASSWORD_IN_URL = re.compile(r"//[^/@]*:[^/@]*@")


class SettingsError(ValueError):
    """The configuration cannot be used; the sentence says which key, why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class CentreSettings:
    """Who we are: the mailbox address applicants write to, and what the letters' footers say."""

    address: str
    name: str = "電子証明書発行サービス LRAセンター"
    company: str = "株式会社オージス総研"
    call_centre_phone: str = "03-6712-1274（東京）／06-6582-3565（大阪）"
    call_centre_mail: str = "support@ecubenet.com"
    form_url: str = "https://universe.eCubeNet.com/ogis-lra/CA1"
    materials_url: str = "https://universe.eCubeNet.com/ogis-lra/"


@dataclass(frozen=True, slots=True)
class Approver:
    """One person who may decide. `address` is the address the decision must come from.

    `role` says when he is asked: an `approver` at once, a `deputy` when those are silent or away, a `manager` last.
    `deputy` is the address of the one who is asked in his stead while he is away.

    `methods` are the ways in which his mail may be known for his, any one of them; `dkim_domains` may sign for him in
    place of the domain of his address; `certificates` (SHA-256 fingerprints) pin his S/MIME certificates; `signature`
    is the block of lines that his mail program puts below what he writes.
    """

    address: str
    name: str
    methods: tuple[str, ...] = ("login",)
    dkim_domains: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    signature: str = ""
    role: str = "approver"
    deputy: str = ""


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """The IMAP account that is read."""

    host: str
    username: str
    port: int = 993
    security: str = "tls"
    password_credential: str = "imap-password"  # noqa: S105 - the name of a credential, not its value
    folder: str = "INBOX"
    filed_folder: str = "LRA-Processed"
    staff_folder: str = "LRA-Staff"
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """The submission server that letters leave by."""

    host: str
    port: int = 587
    security: str = "starttls"
    username: str = ""
    password_credential: str = "smtp-password"  # noqa: S105 - the name of a credential, not its value
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class AuthenticationSettings:
    """What replies are judged by. `authserv_id`: whose Authentication-Results we believe (RFC 8601), nobody else's.

    `tenant_headers` (`Name: value`) and `tenant_hosts` are the tenant rule; `resolvers` the name servers (address or
    address:port) asked for DKIM keys, by default the system's; `smime_roots` a PEM file of trusted roots, by default
    our own root; `smime_crls` a folder of CRLs of other authorities.
    """

    authserv_id: str
    resolvers: tuple[str, ...] = ()
    smime_roots: str = ""
    smime_crls: str = ""
    tenant_headers: tuple[str, ...] = ()
    tenant_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaSettings:
    """The certificate authority: its names, where its CRL and certificates are published, its profile."""

    organization: str = "OGIS-RI Co., Ltd."
    root_name: str = "WebEC Root CA"
    issuing_name: str = "WebEC Client CA 01"
    crl_url: str = "http://ca.lra.example/issuing.crl"
    root_crl_url: str = "http://ca.lra.example/root.crl"
    issuing_url: str = "http://ca.lra.example/issuing.cer"
    root_url: str = "http://ca.lra.example/root.cer"
    profile: str = "subscriber"
    policy_oid: str = ""
    bundle: str = "modern"
    crl_days: int = 7
    passphrase_credential: str = "ca-passphrase"  # noqa: S105 - the name of a credential, not its value


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The times the guide leaves open (domain notes B.2); days are calendar days."""

    renewal_days: int = 30
    password_delay_minutes: int = 10
    request_days: int = 7
    resubmission_days: int = 30
    lease_minutes: int = 15
    cancel_minutes: int = 0


@dataclass(frozen=True, slots=True)
class FormsSettings:
    """The centre's own application forms, as learnt by `ogis-lra form --learn`: a folder of TOML files, or none."""

    folder: str = ""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How the service runs."""

    poll_seconds: int = 60


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one centre. `data_dir` holds database, blobs, keys and the published files."""

    data_dir: Path
    centre: CentreSettings
    mailbox: MailboxSettings
    smtp: SmtpSettings
    authentication: AuthenticationSettings
    approvers: tuple[Approver, ...]
    ca: CaSettings = field(default_factory=CaSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    approval: ApprovalSettings = field(default_factory=ApprovalSettings)
    forms: FormsSettings = field(default_factory=FormsSettings)
    run: RunSettings = field(default_factory=RunSettings)
    database_url: str = ""
    credentials_dir: str = ""

    @property
    def database(self) -> str:
        """The SQLAlchemy URL; by default a SQLite file in the data directory."""
        return self.database_url or f"sqlite:///{self.data_dir / 'ogis-lra.sqlite'}"

    def approver(self, address: str) -> Approver | None:
        """The approver of that address; the domain is compared without case, the local part too (domain notes C.2)."""
        return next((one for one in self.approvers if one.address.lower() == address.lower()), None)


def load(path: Path) -> Settings:
    """Read one configuration file. Raises SettingsError for anything that is missing, unknown or impossible."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); write one with `ogis-lra init`") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    return build(raw, base=path.parent, source=str(path))


def build(raw: Mapping[str, Any], *, base: Path, source: str = "settings") -> Settings:
    """Make settings from parsed TOML; relative paths are taken from `base`. Raises SettingsError."""
    settings = typing.cast(Settings, _read(Settings, raw, source))
    _check(settings, source)
    return dataclasses.replace(
        settings,
        data_dir=(base / settings.data_dir).absolute(),
        credentials_dir=_absolute(base, settings.credentials_dir),
        forms=dataclasses.replace(settings.forms, folder=_absolute(base, settings.forms.folder)),
        authentication=dataclasses.replace(
            settings.authentication,
            smime_roots=_absolute(base, settings.authentication.smime_roots),
            smime_crls=_absolute(base, settings.authentication.smime_crls),
        ),
        mailbox=dataclasses.replace(settings.mailbox, ca_file=_absolute(base, settings.mailbox.ca_file)),
        smtp=dataclasses.replace(settings.smtp, ca_file=_absolute(base, settings.smtp.ca_file)),
    )


def _absolute(base: Path, path: str) -> str:
    return str((base / path).absolute()) if path else ""


def _check(settings: Settings, source: str) -> None:
    """Refuse what has the right type and still cannot work."""
    for key, fault in _faults(settings):
        raise SettingsError(f"{source}: {key}: {fault}")


def _faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every option that cannot work, and why."""
    yield from _people_faults(settings)
    yield from _proof_faults(settings)
    if not settings.authentication.authserv_id.strip():
        yield "authentication.authserv_id", "must not be empty: any stamp would count as ours"
    if _PASSWORD_IN_URL.search(settings.database_url):
        yield "database_url", "must not hold a password: secrets are never in this file"
    for name, door in (("mailbox", settings.mailbox), ("smtp", settings.smtp)):
        if not door.host.strip():
            yield f"{name}.host", "must not be empty"
        if not 0 < door.port < 65536:
            yield f"{name}.port", f"{door.port} is not a port (1 to 65535)"
        if door.security not in SECURITIES:
            yield f"{name}.security", f"{door.security!r} is not one of {', '.join(SECURITIES)}"
    folders = (settings.mailbox.folder, settings.mailbox.filed_folder, settings.mailbox.staff_folder)
    if len(set(folders)) < len(folders) or not all(folders):
        yield "mailbox", "folder, filed_folder and staff_folder must be three different folders"
    if settings.ca.policy_oid and not _OID.fullmatch(settings.ca.policy_oid):
        yield "ca.policy_oid", f"{settings.ca.policy_oid!r} is not an object identifier such as 1.2.392.200091.100"
    if settings.ca.bundle not in BUNDLES:
        yield "ca.bundle", f"{settings.ca.bundle!r} is not one of {', '.join(BUNDLES)}"
    for name, (least, most) in LIMITS.items():
        block, _, key = name.partition(".")
        value = getattr(getattr(settings, block), key)
        if not least <= value <= most:
            yield name, f"{value} is not between {least} and {most}"
    yield from approval_settings.faults(settings.approval)


def _people_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    addresses = [approver.address.lower() for approver in settings.approvers]
    if len(set(addresses)) < 2:
        yield "[[approvers]]", "two different approvers are needed, some decisions take four eyes (SPEC 2.1)"
    if len(set(addresses)) < len(addresses):
        yield "[[approvers]]", "an approver is listed twice"
    for key, address in (("centre", settings.centre.address), *(("approvers", each) for each in addresses)):
        if not _ADDRESS.fullmatch(address):
            yield f"{key}.address", f"{address!r} is not a mail address"
    if settings.centre.address.lower() in addresses:
        yield "[[approvers]]", "the centre's own mailbox cannot be an approver"

    known = set(addresses)
    for approver in settings.approvers:
        if approver.role not in ROLES:
            yield "approvers.role", f"{approver.role!r} is not one of {', '.join(ROLES)}"
        if approver.deputy and approver.deputy.lower() not in known - {approver.address.lower()}:
            yield "approvers.deputy", f"{approver.deputy!r} is not another approver's address"
    if all(approver.role != "approver" for approver in settings.approvers):
        yield "[[approvers]]", "at least one must have the role approver: the others are asked only after those"


def _proof_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with the ways in which approvers are known."""
    for approver in settings.approvers:
        unknown = [method for method in approver.methods if method not in METHODS]
        if unknown or not approver.methods or len(set(approver.methods)) < len(approver.methods):
            yield f"approvers.methods of {approver.address}", f"must be one or more of {', '.join(METHODS)}, each once"
        if wrong := [pin for pin in approver.certificates if not _FINGERPRINT.fullmatch(pin)]:
            yield "approvers.certificates", f"{wrong[0]!r} is not a SHA-256 fingerprint (64 hexadecimal digits)"
        if wrong := [domain for domain in approver.dkim_domains if not _DOMAIN.fullmatch(domain)]:
            yield "approvers.dkim_domains", f"{wrong[0]!r} is not a domain"
    proof = settings.authentication
    if wrong := [server for server in proof.resolvers if not _is_server(server)]:
        yield (
            "authentication.resolvers",
            f"{wrong[0]!r} is not the address of a name server, such as 192.0.2.53:53",
        )
    if wrong := [rule for rule in proof.tenant_headers if not _HEADER_RULE.fullmatch(rule)]:
        yield "authentication.tenant_headers", f"{wrong[0]!r} is not of the form `Name: value`"
    if wrong := [host for host in proof.tenant_hosts if not _HOST.fullmatch(host)]:
        yield "authentication.tenant_hosts", f"{wrong[0]!r} is not a host name, or a domain that begins with a dot"
    if any("tenant" in approver.methods for approver in settings.approvers) and not (
        proof.tenant_headers and proof.tenant_hosts
    ):
        yield "authentication", "an approver has the method tenant, so tenant_headers and tenant_hosts are needed"


def _is_server(text: str) -> bool:
    """`address`, `address:port` or `[address]:port`; a name cannot be asked for without a name server."""
    address, port = text, "53"
    if found := re.fullmatch(r"\[([^\]]*)\]:([0-9]{1,5})|([^:]*):([0-9]{1,5})", text):
        address, port = found[1] or found[3], found[2] or found[4]
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return 0 < int(port) < 65536


def _read(kind: type, raw: Mapping[str, Any], where: str) -> object:
    hints = get_type_hints(kind)
    known = {each.name: each for each in dataclasses.fields(kind)}
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
            raise SettingsError(f"{where}: unknown key {key!r}{hint}")
    values: dict[str, object] = {}
    for name, each in known.items():
        if name in raw:
            values[name] = _value(hints[name], raw[name], f"{where}: {name}")
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            raise SettingsError(f"{where}: {name!r} is missing")
    return kind(**values)


def _value(kind: Any, raw: Any, where: str) -> object:  # noqa: ANN401 - the shape of a type hint is not a type
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(raw, Mapping):
            raise SettingsError(f"{where}: must be a table")
        return _read(kind, raw, where)
    if get_origin(kind) is tuple:
        if not isinstance(raw, list):
            raise SettingsError(f"{where}: must be a list")
        (item, _) = get_args(kind)
        return tuple(_value(item, each, f"{where}[{index}]") for index, each in enumerate(raw))
    if kind is Path:
        kind, wrap = str, Path
    else:
        wrap = None
    if isinstance(kind, types.UnionType) or not isinstance(raw, kind) or isinstance(raw, bool) is not (kind is bool):
        raise SettingsError(f"{where}: must be of type {getattr(kind, '__name__', kind)}")
    return wrap(raw) if wrap else raw
