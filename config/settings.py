"""The settings of a centre: read once, checked whole, frozen.

One TOML file (`example.toml` documents every option). An unknown key stops the program and names the nearest known
one; secrets are never in the file, only the names of credentials (`config.credentials`).
"""

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints


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
    """One person who may decide. `address` is the address the decision must come from."""

    address: str
    name: str


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
    """Whose Authentication-Results we believe (RFC 8601): our own mail server's authserv-id, nobody else's."""

    authserv_id: str


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
    """Make settings from parsed TOML; a relative `data_dir` is taken from `base`. Raises SettingsError."""
    settings = typing.cast(Settings, _read(Settings, raw, source))
    settings = dataclasses.replace(settings, data_dir=(base / settings.data_dir).absolute())
    _check(settings, source)
    return settings


def _check(settings: Settings, source: str) -> None:
    if len({approver.address.lower() for approver in settings.approvers}) < 2:
        raise SettingsError(
            f"{source}: [[approvers]]: two different approvers are needed, some decisions take four eyes (SPEC 2.1)"
        )
    if not settings.authentication.authserv_id.strip():
        raise SettingsError(f"{source}: authentication.authserv_id: must not be empty: any stamp would count as ours")
    for name in ("mailbox", "smtp"):
        security = getattr(settings, name).security
        if security not in ("tls", "starttls", "plain"):
            raise SettingsError(f"{source}: {name}.security: {security!r} is not one of tls, starttls, plain")
    for block in ("policy", "run"):
        for key, value in dataclasses.asdict(getattr(settings, block)).items():
            if value < 0:
                raise SettingsError(f"{source}: {block}.{key}: must not be negative")
    if settings.ca.bundle not in ("modern", "legacy"):
        raise SettingsError(f"{source}: ca.bundle: {settings.ca.bundle!r} is not one of modern, legacy")
    if settings.ca.crl_days < 1:
        raise SettingsError(f"{source}: ca.crl_days: must be at least 1")


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
