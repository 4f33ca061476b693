"""The beginning of everything: a root, the issuing authority below it, and the root's first CRL.

No file is written here. The root's key is wanted again only for the next root CRL and the next issuing authority;
sealed under a passphrase of its own it can lie in a safe.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.crl import plan
from ca.issue import Authority, IssuanceRequest, new_serial, prepare, prepare_root
from ca.keys import KeyKind
from ca.names import AuthorityName
from ca.profiles import Profile, load_profiles
from ca.signer import COST, CaKey, FileSigner, Signer, make_ca_key, seal_key

ROOT_ID = "root"
# Numbered, so that the next one after a rollover has a name of the same kind.
ISSUING_ID = "issuing-1"

# The root is offline: its CRL is signed by hand, at the latest once a year, with a month to spare. When it has
# passed its nextUpdate, relying parties refuse everybody (field notes, section 7).
ROOT_CRL_VALIDITY = timedelta(days=397)


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the two authorities publish, http all of them; `ocsp` may be empty."""

    root_crl: str
    root_certificate: str
    issuing_crl: str
    issuing_certificate: str
    ocsp: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What the two authorities are called; ASCII as in every subject DN of ours."""

    organization: str
    root: str
    issuing: str


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Root and issuing authority, their sealed keys, the root's CRL (DER)."""

    root: Authority
    issuing: Authority
    root_key: bytes = field(repr=False)
    issuing_key: bytes = field(repr=False)
    root_crl: bytes = field(repr=False)

    @property
    def root_pem(self) -> bytes:
        """The root certificate: the trust anchor of relying parties."""
        return self.root.certificate.public_bytes(Encoding.PEM)

    @property
    def issuing_pem(self) -> bytes:
        """The issuing authority's certificate."""
        return self.issuing.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """Issuing authority, then root: what nginx takes as `ssl_client_certificate`."""
        return self.issuing_pem + self.root_pem

    @property
    def root_crl_pem(self) -> bytes:
        """The root's CRL; a relying party needs it beside that of the issuing authority, or it refuses everybody."""
        return x509.load_der_x509_crl(self.root_crl).public_bytes(Encoding.PEM)


def establish(
    *,
    names: Names,
    urls: Urls,
    now: datetime,
    passphrase: bytes,
    random_bytes: Callable[[int], bytes],
    root_passphrase: bytes | None = None,
    root_key: KeyKind = KeyKind.RSA_3072,
    issuing_key: KeyKind = KeyKind.RSA_3072,
    root_crl_validity: timedelta = ROOT_CRL_VALIDITY,
    cost: int = COST,
    token_key: CaKey | None = None,
) -> Hierarchy:
    """Make a root and an issuing authority, both valid from `now` (to the second).

    `passphrase` seals the issuing key, `root_passphrase` (by default the same) the root's; `cost` as in `seal_key`.
    `token_key` is the issuing authority's key where it lies in a token: then none is made and none sealed.
    Raises CaError(subject_invalid) for names that cannot stand in a certificate.
    """
    root_ca_key = make_ca_key(root_key)
    issuing_ca_key = make_ca_key(issuing_key) if token_key is None else token_key

    root_profile = replace(load_profiles()["root"], key=root_key)
    request = _request(AuthorityName(names.organization, names.root), root_ca_key, root_profile, now)
    serial = new_serial(random_bytes)
    prepared = prepare_root(request, ROOT_ID, urls.root_crl, urls.root_certificate, serial)
    root_der = FileSigner(prepared.authority, root_ca_key).sign_certificate(prepared)
    root = replace(prepared.authority, certificate=x509.load_der_x509_certificate(root_der))
    root_signer = FileSigner(root, root_ca_key)

    place = Place(ISSUING_ID, urls.issuing_crl, urls.issuing_certificate, urls.ocsp)
    name = AuthorityName(names.organization, names.issuing)
    issuing = certify(root_signer, issuing_ca_key, name, place, start=now, random_bytes=random_bytes)

    return Hierarchy(
        root=root,
        issuing=issuing,
        root_key=seal_key(
            root_ca_key, passphrase if root_passphrase is None else root_passphrase, random_bytes, cost=cost
        ),
        issuing_key=b"" if token_key else seal_key(issuing_ca_key, passphrase, random_bytes, cost=cost),
        root_crl=root_signer.sign_crl(plan(root, 1, (), now, now + root_crl_validity)),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """What an issuing authority is called in the register, and where it publishes; as in `Authority`."""

    id: str
    crl_url: str
    ca_url: str
    ocsp_url: str = ""


def certify(
    root: Signer,
    key: CaKey,
    name: AuthorityName,
    place: Place,
    *,
    start: datetime,
    random_bytes: Callable[[int], bytes],
) -> Authority:
    """An issuing authority below a root, valid from `start` (to the second), at most as long as the root.

    Raises CaError: subject_invalid, lint_failed, key_unavailable.
    """
    profile = replace(load_profiles()["issuing"], key=key.kind)
    request = _request(name, key, profile, start)
    request = replace(request, not_after=min(request.not_after, root.authority.not_after))
    der = root.sign_certificate(prepare(request, root.authority, new_serial(random_bytes)))
    return Authority(place.id, x509.load_der_x509_certificate(der), place.crl_url, place.ca_url, place.ocsp_url)


def number_of(authority_id: str) -> int:
    """Which of the issuing authorities an id names, from 1 on; 0 for the root."""
    return 0 if authority_id == ROOT_ID else int(authority_id.rpartition("-")[2])


def _request(name: AuthorityName, key: CaKey, profile: Profile, now: datetime) -> IssuanceRequest:
    not_before, not_after = profile.period(now)
    return IssuanceRequest(name, key.public_key, profile, not_before, not_after)
