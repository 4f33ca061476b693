"""Every option of a centre, as frozen data; `config.settings` reads them, `config.faults` says what cannot work.

`example.toml` documents each. A default here is the default of the service.
"""

from dataclasses import dataclass, field
from pathlib import Path


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
    junk_folder: str = "Junk"
    largest_mail_mb: int = 50
    login: str = "password"
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """The submission server that letters leave by, and where reports of failure come back to.

    `bounce` chooses the envelope sender: `none` is the centre's own address, `plus` local+bounce-TRACE@domain, `domain`
    bounce-TRACE@bounce_domain. A letter that is put off is given up after `give_up_days`; one whose outcome nobody
    knows goes again at most `most_repeats` times.
    """

    host: str
    port: int = 587
    security: str = "starttls"
    username: str = ""
    login: str = "password"
    password_credential: str = "smtp-password"  # noqa: S105 - the name of a credential, not its value
    ca_file: str = ""
    bounce: str = "none"
    bounce_domain: str = ""
    give_up_days: int = 5
    most_repeats: int = 5


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """Where tokens come from, for a mailbox or a submission server whose `login` is by token (RFC 6749)."""

    grant: str = "client_credentials"
    authority: str = ""
    token_url: str = ""
    client_id: str = ""
    scope: str = ""
    secret_credential: str = "oauth-secret"  # noqa: S105 - the name of a credential, not its value
    refresh_token_credential: str = "oauth-refresh-token"  # noqa: S105 - as above
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
    threads: int = 2
    crl_days: int = 7
    passphrase_credential: str = "ca-passphrase"  # noqa: S105 - the name of a credential, not its value
    root_passphrase_credential: str = "root-passphrase"  # noqa: S105 - as above
    key: str = "rsa-3072"
    """The kind of key of an authority that is made: root, issuing CA, the next one at a rollover."""
    key_store: str = "file"
    pkcs11_module: str = ""
    pkcs11_token: str = ""
    pkcs11_key: str = ""
    """The label of the issuing CA's key in the token; empty: the name of the authority, such as issuing-1."""
    pin_credential: str = "pkcs11-pin"


@dataclass(frozen=True, slots=True)
class CrlSettings:
    """What is published beside the full CRL: delta CRLs, and (where not 0) so many partitions, of which each new
    certificate names one."""

    deltas: bool = False
    partitions: int = 0


@dataclass(frozen=True, slots=True)
class OcspSettings:
    """The OCSP responder. `url` stands in every certificate; without it there is no responder. An answer is valid for
    `validity_minutes`; `profile` is what the responder's own certificates are made by."""

    url: str = ""
    profile: str = "ocsp_responder"
    validity_minutes: int = 60


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where the service listens for HTTP: `host:port`, `systemd` for the socket that systemd hands over, or nothing."""

    listen: str = ""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The times the guide leaves open (domain notes B.2); days are calendar days.

    `fetch_days` is how long a certificate counts as not fetched yet; beyond `answers_per_hour` and `answers_per_day`
    one correspondent, or one case, is answered no more by itself.
    """

    renewal_days: int = 30
    password_delay_minutes: int = 10
    request_days: int = 7
    resubmission_days: int = 30
    lease_minutes: int = 15
    cancel_minutes: int = 0
    fetch_days: int = 30
    answers_per_hour: int = 20
    answers_per_day: int = 60


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """How staff are asked: links in the request, business time, reminders, the daily digest (domain notes E.3).

    Hours are business hours since the request; times are times of day in Japan; without `digest_at` there is no digest.
    `closed_days` are days beside Saturdays, Sundays and public holidays: `MM-DD` every year, `YYYY-MM-DD` once.
    """

    mailto_links: bool = False
    remind_hours: int = 4
    deputy_hours: int = 8
    manager_hours: int = 16
    day_begins: str = "09:00"
    day_ends: str = "17:30"
    digest_at: str = "09:00"
    closed_days: tuple[str, ...] = ("12-29", "12-30", "12-31", "01-01", "01-02", "01-03")
    form_days: int = 7


@dataclass(frozen=True, slots=True)
class FormsSettings:
    """The centre's own application forms, as learnt by `ogis-lra form --learn`: a folder of TOML files, or none."""

    folder: str = ""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How the service runs."""

    poll_seconds: int = 60
    absence_minutes: int = 15
    silence_minutes: int = 60
    junk_minutes: int = 10
    reserve_mb: int = 100


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
    crl: CrlSettings = field(default_factory=CrlSettings)
    policy: PolicySettings = field(default_factory=PolicySettings)
    approval: ApprovalSettings = field(default_factory=ApprovalSettings)
    forms: FormsSettings = field(default_factory=FormsSettings)
    oauth: OAuthSettings = field(default_factory=OAuthSettings)
    run: RunSettings = field(default_factory=RunSettings)
    ocsp: OcspSettings = field(default_factory=OcspSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    database_url: str = ""
    credentials_dir: str = ""

    @property
    def database(self) -> str:
        """The SQLAlchemy URL; by default a SQLite file in the data directory."""
        return self.database_url or f"sqlite:///{self.data_dir / 'ogis-lra.sqlite'}"

    @property
    def logs_in_by_token(self) -> bool:
        """Whether any login is by OAuth 2."""
        return any(login != "password" for login in (self.mailbox.login, self.smtp.login))

    def approver(self, address: str) -> Approver | None:
        """The approver of that address; the domain is compared without case, the local part too (domain notes C.2)."""
        return next((one for one in self.approvers if one.address.lower() == address.lower()), None)
