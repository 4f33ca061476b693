"""The next issuing authority, made while the last one goes on (docs/ceremony.md, rollover).

Crash: the key is durable before the register names its authority; a run that stopped before that commit leaves a key
that signed nothing (in a token: one that the next run finds and uses), one that stopped after it only has to publish,
which `init` does as well.
"""

import posixpath
import re
from collections.abc import Callable
from datetime import datetime

from cryptography import x509

from ca import register
from ca.authority import Authority
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ROOT_ID, Place, certify, number_of
from ca.names import AuthorityName
from ca.profiles import Role
from ca.signer import COST, FileSigner
from config.settings import Settings

from . import authorities, key_places
from .audit import Audit
from .keyring import AUDIT_KEY, key_bytes, open_root_key, secret
from .store import Store

_NUMBERED = re.compile(r"(.*?)(\d+)")


def roll_over(
    settings: Settings,
    store: Store,
    *,
    now: datetime,
    start: datetime,
    name: str = "",
    random_bytes: Callable[[int], bytes],
    cost: int = COST,
) -> Authority:
    """Make the next issuing authority; it issues from `start` on. Needs the root's key.

    `name` is its common name, by default the last one's with the number at its end counted on. Raises CaError:
    key_unavailable, subject_invalid, lint_failed; conflict where one was made that has not begun, or the name is taken.
    """
    with store.transaction() as tx:
        known = authorities.standings(tx, now)
        root = register.authority(tx, ROOT_ID)
        organization = settings.ca.organization
    if not known:
        raise CaError(CaErrorKind.NOT_FOUND, "there is no CA yet; run `ogis-lra init`")
    newest, standing = known[0]
    if standing is authorities.Standing.COMING:
        raise CaError(CaErrorKind.CONFLICT, f"{newest.id} is made and begins on {newest.not_before:%Y-%m-%d}")
    number = number_of(newest.id) + 1
    common_name = name or next_name(_common_name(newest))
    if any(_common_name(each) == common_name for each, _ in known):
        raise CaError(CaErrorKind.CONFLICT, f"an issuing CA is called {common_name} already")
    root_signer = FileSigner(root, open_root_key(settings))
    identity = f"issuing-{number}"
    ca = settings.ca
    # A responder answers at one address for every authority: who is asked about stands in the question.
    place = Place(identity, _numbered(ca.crl_url, number), _numbered(ca.issuing_url, number), newest.ocsp_url)
    if ca.key_store == "pkcs11":
        key = key_places.key_in_token(settings, identity, secret(settings, ca.pin_credential).reveal())
        if any(each.public_key == key.public_key for each, _ in known):
            raise CaError(
                CaErrorKind.CONFLICT,
                "the token's key of that label is the one of a former authority; name a new label in ca.pkcs11_key",
            )
        key_places.note_in_token(settings, identity, key_places.wanted_in_token(settings, identity))
    else:
        key = key_places.new_file_key(settings)
        passphrase = secret(settings, ca.passphrase_credential).reveal().encode()
        key_places.keep(settings, identity, key, passphrase, random_bytes, cost=cost)
    made = certify(
        root_signer, key, AuthorityName(organization, common_name), place, start=start, random_bytes=random_bytes
    )
    with store.transaction() as tx:
        register.record_authority(tx, made, Role.ISSUING, now=now)
        Audit(key_bytes(settings, AUDIT_KEY)).append(
            tx,
            "authority_established",
            at=now,
            actor="operator",
            authority=identity,
            begins=f"{made.not_before:%Y-%m-%d}",
        )
    return made


def next_name(name: str) -> str:
    """`WebEC Client CA 01` is followed by `WebEC Client CA 02`, a name without a number by the same with a 2."""
    found = _NUMBERED.fullmatch(name)
    if found is None:
        return f"{name} 2"
    return f"{found[1]}{int(found[2]) + 1:0{len(found[2])}}"


def _common_name(authority: Authority) -> str:
    names = authority.name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _numbered(url: str, number: int) -> str:
    """`http://ca.lra.example/issuing.crl` → `…/issuing-2.crl`: an address of its own for each authority."""
    stem, suffix = posixpath.splitext(url)
    return f"{stem}-{number}{suffix}"
