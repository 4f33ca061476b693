"""The responder's own certificate: made when there is none, made anew at half of its life (SPEC 3).

The same order as for every certificate: prepared and linted → its key sealed on the disk → serial number and
to-be-signed bytes committed with their audit line → the right to the signature claimed → signed once → compared →
recorded. Nobody applied for it, so it has neither registration nor case.
Crash: a key without a recorded certificate is unlinked by the next one; a reserved serial number is abandoned when its
lease ends. In every case the next round makes another.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from cryptography import x509
from sqlalchemy import Connection, select

from ca import issue, register
from ca.authority import Authority
from ca.errors import UNREADABLE, CaError, CaErrorKind
from ca.issue import IssuanceRequest
from ca.names import UPPER_BOUND, AuthorityName
from ca.ocsp import ResponseSigner
from ca.ocsp_checker import check_answers
from ca.profiles import Role, load_profiles
from ca.register import CertificateRow, CertificateState
from ca.signer import ResponderSigner, Signer, make_ca_key
from config.credentials import CredentialError
from config.settings import Settings

from . import authorities, post, signing
from .cabinet import Cabinet
from .centre import Centre, profiles_of
from .guard import attempt
from .keyring import secret
from .planning import JST
from .responder import Responder
from .store import Store

_log = logging.getLogger(__name__)

_ALARM = timedelta(days=4)
"""With less than this left, staff are told: a weekend and a day to act in."""
_MOST_AT_ONCE = 3
"""Attempts under a lease where there is no responder at all; one, where an older one answers on."""


def look_after(centre: Centre) -> int:
    """See to it that every authority that issues here has a responder; returns how many certificates were made.

    Raises what kept one from being made, after everything else was done.
    """
    responder, cabinet = centre.responder, centre.cabinet
    if responder is None or cabinet is None:
        return 0
    made, signers, errors = 0, [], list[Exception]()
    for issuer in centre.signers:
        current = _current(centre, cabinet, issuer, responder.signer_of(issuer.authority.id))
        if _is_wanted(centre, issuer, current):
            fresh = attempt("OCSP responder", partial(_make, centre, cabinet, issuer), errors)
            made += fresh is not None
            current = fresh or current
        if current is not None:
            signers.append(current)
        if current is None or current.not_after - centre.clock() < _ALARM:
            attempt("alarm about OCSP", partial(_tell, centre, issuer.authority.id, current))
    # Whatever kept the next one from being made: those that are there answer on.
    responder.install(signers)
    if errors:
        raise errors[0]
    return made


def newest(tx: Connection, authority_id: str, now: datetime) -> CertificateRow | None:
    """The responder's certificate of an authority that stands as issued, has begun, and ends last."""
    table = register.certificates
    query = (
        select(table.c.serial)
        .where(
            table.c.authority_id == authority_id,
            table.c.state == CertificateState.ISSUED.value,
            table.c.profile.in_(_profiles()),
            table.c.not_before <= now,
        )
        .order_by(table.c.not_after.desc(), table.c.serial)
    )
    serial = tx.execute(query.limit(1)).scalar_one_or_none()
    return None if serial is None else register.find(tx, serial)


def key_name(authority: Authority, serial: str) -> str:
    """What the key of a responder's certificate is called in the cabinet."""
    return f"ocsp-{authority.id}-{serial}"


def signer_from(cabinet: Cabinet, issuer: Authority, row: CertificateRow) -> ResponderSigner:
    """The signer of a recorded certificate. Raises CaError(key_unavailable) where its key cannot be had."""
    if row.der is None:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the responder's certificate was never signed")
    try:
        certificate = x509.load_der_x509_certificate(row.der)
    except UNREADABLE as error:
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the responder's certificate is damaged") from error
    return ResponderSigner(issuer, certificate, cabinet.take(key_name(issuer, row.serial)))


def faults(
    tx: Connection,
    settings: Settings,
    store: Store,
    now: datetime,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> list[str]:
    """What `verify` finds about OCSP, as sentences: the responder is opened here and asked about everything in the
    register, which must stand still meanwhile (the caller's transaction)."""
    if not settings.ocsp.url:
        return []
    begun = [each for each in authorities.serving(tx, now) if each.not_before <= now]
    return [fault for issuer in begun for fault in _faults_of(tx, settings, store, issuer, now, random_bytes)]


def _faults_of(
    tx: Connection,
    settings: Settings,
    store: Store,
    issuer: Authority,
    now: datetime,
    random_bytes: Callable[[int], bytes],
) -> list[str]:
    row = newest(tx, issuer.id, now)
    if row is None or row.not_after < now:
        return [f"ocsp: no responder of {issuer.id} has a certificate that is valid; run the service, it makes one"]
    responder = Responder(store, lambda: now, settings.ocsp)
    try:
        cabinet = Cabinet(settings.data_dir / "keys", secret(settings, settings.ca.passphrase_credential))
        responder.install([signer_from(cabinet, issuer, row)])
    except (CaError, CredentialError) as error:
        return [f"ocsp: {error}; run the service, it makes another"]
    found = check_answers(
        tx,
        authority=issuer,
        ask=lambda der: responder.answer(der).body,
        now=now,
        random_bytes=random_bytes,
        profiles=profiles_of(settings),
    )
    return [f"{issuer.id}: {fault}" for fault in found]


def _current(
    centre: Centre, cabinet: Cabinet, issuer: Signer, installed: ResponseSigner | None
) -> ResponseSigner | None:
    """The signer to go on with; None where there is none that is still valid."""
    now = centre.clock()
    with centre.store.reading() as tx:
        row = newest(tx, issuer.authority.id, now)
    if row is None or now > row.not_after:
        return None
    if installed is not None and register.serial_text(installed.certificate.serial_number) == row.serial:
        return installed
    try:
        return signer_from(cabinet, issuer.authority, row)
    except CaError as error:
        _log.warning("OCSP responder: %s; another is made", error)
        return None


def _tell(centre: Centre, authority_id: str, current: ResponseSigner | None) -> None:
    """Staff are told once a day that the world will soon be told nothing, or is told nothing already."""
    now = centre.clock()
    key = f"alarm:ocsp:{authority_id}:{now.astimezone(JST):%Y%m%d}"
    asking = "証明書が有効かどうかの問い合わせ（OCSP）に"
    if current is None:
        meaning = f"{asking}応答できません。"
    else:
        meaning = f"{asking}、{current.not_after.astimezone(JST):%Y-%m-%d %H:%M} から応答できなくなります。"
    lines = (meaning, "システム担当者にご連絡ください（原因はログにあります。ogis-lra check でも確認できます）。")
    with centre.store.transaction() as tx:
        post.notify_once(tx, centre, key=key, subject="OCSP応答者の証明書を更新できません", lines=lines, now=now)


def _is_wanted(centre: Centre, issuer: Signer, current: ResponseSigner | None) -> bool:
    """Whether to try for the next one now: half of its life is left for whatever keeps it from being made.

    A failed attempt leaves a reserved serial number until its lease ends. Where there are enough of these, the next
    round is not the time: a key that cannot sign would else cost a serial number, and an entry on the CRL, each round.
    """
    now = centre.clock()
    if current is not None and now < current.not_before + (current.not_after - current.not_before) / 2:
        return False
    table = register.certificates
    running = select(table.c.serial).where(
        table.c.authority_id == issuer.authority.id,
        table.c.state == CertificateState.RESERVED.value,
        table.c.profile.in_(_profiles()),
        table.c.lease_until > now,
    )
    with centre.store.reading() as tx:
        return len(tx.execute(running).all()) < (_MOST_AT_ONCE if current is None else 1)


def _profiles() -> list[str]:
    return [name for name, profile in load_profiles().items() if profile.role is Role.RESPONDER]


def _make(centre: Centre, cabinet: Cabinet, issuer: Signer) -> ResponderSigner:
    """A new key and certificate. Raises CaError, OSError; nothing but a reserved serial number is left behind."""
    profile = profiles_of(centre.settings)[centre.settings.ocsp.profile]
    key = make_ca_key(profile.key)
    not_before, not_after = profile.period(centre.clock())
    request = IssuanceRequest(
        _name_of(issuer.authority), key.public_key, profile, not_before, min(not_after, issuer.authority.not_after)
    )
    prepared = issue.prepare(request, issuer.authority, issue.new_serial(centre.random_bytes))
    serial = register.serial_text(prepared.serial)
    cabinet.keep(key_name(issuer.authority, serial), key, centre.random_bytes)
    der = signing.certify(centre, issuer, prepared, actor="issuer", profile=profile.name)
    signer = ResponderSigner(issuer.authority, x509.load_der_x509_certificate(der), key)
    with centre.store.transaction() as tx:
        signing.record(tx, centre, prepared, der, actor="issuer", now=centre.clock(), profile=profile.name)
    cabinet.clear(key_name(issuer.authority, ""), but=key_name(issuer.authority, serial))
    _log.info("OCSP responder: a new certificate until %s", f"{not_after:%Y-%m-%d}")
    return signer


def _name_of(authority: Authority) -> AuthorityName:
    """The responder of an authority is called after it, as far as 64 characters go (RFC 5280, appendix A.1)."""
    organization, name = (
        str(authority.name.get_attributes_for_oid(oid)[0].value)
        for oid in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME)
    )
    full = f"{name} OCSP"
    return AuthorityName(organization, full if len(full) <= UPPER_BOUND else "OCSP Responder")
