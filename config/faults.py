"""What has the right type and still cannot work: every rule about the options, each with the sentence that mends it."""

import ipaddress
import re
from collections.abc import Iterator, Mapping

from config.options import ApprovalSettings, CaSettings, Settings

SECURITIES = ("tls", "starttls", "plain")
LOGINS = ("password", "xoauth2", "oauthbearer")
GRANTS = ("client_credentials", "refresh_token")
BUNDLES = ("modern", "legacy")
BOUNCES = ("none", "plus", "domain")
ROLES = ("approver", "deputy", "manager")
# The ways to know that a mail is an approver's (SPEC 2.1); what each proves stands in `parsers.authentication`.
CA_KEYS = ("rsa-3072", "rsa-4096", "p-256", "p-384")
KEY_STORES = ("file", "pkcs11")
METHODS = ("login", "results", "dkim", "smime", "tenant")

# The least and the most an option may be. The upper ends keep arithmetic with dates possible and catch a slip of the
# finger; a certificate lives for about two years, so nothing that is counted in days may come near that.
LIMITS: Mapping[str, tuple[int, int]] = {
    "ca.crl_days": (1, 365),
    "crl.partitions": (0, 1_000),
    "ocsp.validity_minutes": (5, 10_080),
    "ca.threads": (1, 64),
    "policy.renewal_days": (0, 365),
    "policy.password_delay_minutes": (0, 10_080),
    "policy.request_days": (1, 365),
    "policy.resubmission_days": (1, 365),
    "policy.lease_minutes": (1, 1_440),
    "policy.cancel_minutes": (0, 10_080),
    "mailbox.largest_mail_mb": (1, 2_000),
    "policy.fetch_days": (1, 365),
    "policy.answers_per_hour": (1, 10_000),
    "policy.answers_per_day": (1, 100_000),
    "smtp.give_up_days": (1, 30),
    "smtp.most_repeats": (0, 20),
    "approval.remind_hours": (1, 1_000),
    "approval.deputy_hours": (1, 1_000),
    "approval.manager_hours": (1, 1_000),
    "approval.form_days": (1, 365),
    "run.poll_seconds": (1, 3_600),
    "run.absence_minutes": (1, 1_440),
    "run.silence_minutes": (5, 10_080),
    "run.junk_minutes": (1, 1_440),
    "run.reserve_mb": (0, 100_000),
}

_ADDRESS = re.compile(r"[!-?A-~]+@(?:[a-z0-9-]+\.)+[a-z0-9-]+", re.IGNORECASE)
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,18})){1,15}")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_CLOSED_DAY = re.compile(r"(?:[0-9]{4}-)?(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_FINGERPRINT = re.compile(r"(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}", re.IGNORECASE)
_DOMAIN = re.compile(r"(?:[a-z0-9-]+\.)+[a-z0-9-]+", re.IGNORECASE)
_HOST = re.compile(r"\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)
_HEADER_RULE = re.compile(r"[!-9;-~]+\s*:\s*\S.*")
_HTTP_URL = re.compile(r"http://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
SYSTEMD = "systemd"
_PASSWORD_IN_URL = re.compile(r"//[^/@]*:[^/@]*@")


def find_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every option that cannot work, and why."""
    yield from _people_faults(settings)
    yield from _proof_faults(settings)
    if not settings.authentication.authserv_id.strip():
        yield "authentication.authserv_id", "must not be empty: any stamp would count as ours"
    if _PASSWORD_IN_URL.search(settings.database_url):
        yield "database_url", "must not hold a password: secrets are never in this file"
    yield from _door_faults(settings)
    yield from _oauth_faults(settings)
    yield from _bounce_faults(settings)
    if settings.ca.policy_oid and not _OID.fullmatch(settings.ca.policy_oid):
        yield "ca.policy_oid", f"{settings.ca.policy_oid!r} is not an object identifier such as 1.2.392.200091.100"
    if settings.ca.bundle not in BUNDLES:
        yield "ca.bundle", f"{settings.ca.bundle!r} is not one of {', '.join(BUNDLES)}"
    yield from _key_faults(settings.ca)
    for name, (least, most) in LIMITS.items():
        block, _, key = name.partition(".")
        value = getattr(getattr(settings, block), key)
        if not least <= value <= most:
            yield name, f"{value} is not between {least} and {most}"
    yield from _approval_faults(settings.approval)
    yield from _http_faults(settings)


def _key_faults(ca: CaSettings) -> Iterator[tuple[str, str]]:
    """What is wrong about where the keys of the CA are."""
    if ca.key not in CA_KEYS:
        yield "ca.key", f"{ca.key!r} is not one of {', '.join(CA_KEYS)}"
    if ca.key_store not in KEY_STORES:
        yield "ca.key_store", f"{ca.key_store!r} is not one of {', '.join(KEY_STORES)}"
    if ca.key_store == "pkcs11":
        for name in ("pkcs11_module", "pkcs11_token"):
            if not getattr(ca, name).strip():
                yield f"ca.{name}", 'is needed with key_store = "pkcs11"'
    if ca.root_passphrase_credential == ca.passphrase_credential:
        yield "ca.root_passphrase_credential", "must be another one than passphrase_credential: the root goes offline"


def _door_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong about the mailbox, the mail server and the folders."""
    for name, door in (("mailbox", settings.mailbox), ("smtp", settings.smtp)):
        if not door.host.strip():
            yield f"{name}.host", "must not be empty"
        if not 0 < door.port < 65536:
            yield f"{name}.port", f"{door.port} is not a port (1 to 65535)"
        if door.security not in SECURITIES:
            yield f"{name}.security", f"{door.security!r} is not one of {', '.join(SECURITIES)}"
        if door.login not in LOGINS:
            yield f"{name}.login", f"{door.login!r} is not one of {', '.join(LOGINS)}"
    folders = (settings.mailbox.folder, settings.mailbox.filed_folder, settings.mailbox.staff_folder)
    if len(set(folders)) < len(folders) or not all(folders):
        yield "mailbox", "folder, filed_folder and staff_folder must be three different folders"
    if settings.mailbox.junk_folder in folders:
        yield "mailbox.junk_folder", "must be a folder of its own: it is only looked into"


def _oauth_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is missing for a login by token; nothing of [oauth] is looked at where both logins are by password."""
    oauth = settings.oauth
    if oauth.grant not in GRANTS:
        yield "oauth.grant", f"{oauth.grant!r} is not one of {', '.join(GRANTS)}"
    if not settings.logs_in_by_token:
        return
    wanted = {"client_id": oauth.client_id}
    if oauth.grant == "client_credentials":
        wanted |= {"authority": oauth.authority, "scope": oauth.scope}
    else:
        wanted |= {"token_url": oauth.token_url}
    for key, value in wanted.items():
        if not value.strip():
            yield f"oauth.{key}", f"is needed for {oauth.grant}, since a login is by token"
    for key, value in (("authority", oauth.authority), ("token_url", oauth.token_url)):
        if value and not value.startswith("https://"):
            yield f"oauth.{key}", "must begin with https://, for a secret goes there"
    if settings.smtp.login != "password" and not settings.smtp.username:
        yield "smtp.username", "is needed for a login by token"


def _bounce_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    mode, domain = settings.smtp.bounce, settings.smtp.bounce_domain
    if mode not in BOUNCES:
        yield "smtp.bounce", f"{mode!r} is not one of {', '.join(BOUNCES)}"
    if (mode == "domain") is not bool(domain):
        yield "smtp.bounce_domain", 'is needed with bounce = "domain", and must be empty otherwise'
    if domain and not _ADDRESS.fullmatch(f"x@{domain}"):
        yield "smtp.bounce_domain", f"{domain!r} is not a domain name"
    # "+bounce-" and the trace are 34 octets; a local part has 64 (RFC 5321 section 4.5.3.1.1).
    if mode == "plus" and len(settings.centre.address.rpartition("@")[0]) > 30:
        yield "smtp.bounce", 'the local part of centre.address is too long for "plus"; use "none" or "domain"'


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


def _approval_faults(approval: ApprovalSettings) -> Iterator[tuple[str, str]]:
    for name in ("day_begins", "day_ends", "digest_at"):
        if not _TIME.fullmatch(getattr(approval, name)) and not (name == "digest_at" and not approval.digest_at):
            yield f"approval.{name}", f"{getattr(approval, name)!r} is not a time of day such as 09:00"
    if approval.day_begins >= approval.day_ends:
        yield "approval.day_ends", "must be later than day_begins"
    if not approval.remind_hours <= approval.deputy_hours <= approval.manager_hours:
        yield "approval", "remind_hours, deputy_hours and manager_hours must grow in this order"
    for day in approval.closed_days:
        if not _CLOSED_DAY.fullmatch(day):
            yield "approval.closed_days", f"{day!r} is neither MM-DD nor YYYY-MM-DD"


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


def listening_address(text: str) -> tuple[str, int]:
    """Host and port of `http.listen`, such as 127.0.0.1:8080 or [::1]:8080. Raises ValueError for anything else: a name
    would be looked up, and might be found to be another machine's."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = ipaddress.IPv6Address(host[1:-1]).compressed
    else:
        ipaddress.IPv4Address(host)
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("not a port")
    return host, int(port)


def _http_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    listen, url = settings.http.listen, settings.ocsp.url
    try:
        if listen not in ("", SYSTEMD):
            listening_address(listen)
    except ValueError:
        yield "http.listen", f"{listen!r} is neither an address with a port, such as 127.0.0.1:8080, nor {SYSTEMD!r}"
    # RFC 5280 section 8: who checks a TLS certificate must not need TLS for it.
    if url and not _HTTP_URL.fullmatch(url):
        yield "ocsp.url", f"{url!r} is not a plain http:// address without ? and #"
    if url and not listen:
        yield (
            "http.listen",
            "is needed, since ocsp.url names a responder: 127.0.0.1:8080, with your web server in front",
        )


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
