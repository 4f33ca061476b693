"""The profiles of `profiles.toml`: read once, checked whole, an unknown word stops the program."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from importlib import resources
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ca.keys import KeyKind

_EXTENDED_KEY_USAGES = {
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}
_KEY_USAGES = ("digital_signature", "key_encipherment", "key_cert_sign", "crl_sign")
_WORDS = frozenset({"role", "key", "validity_days", "key_usage", "extended_key_usage", "policies", "path_length"})
_EC_KEYS = frozenset({KeyKind.P_256, KeyKind.P_384})


class Role(StrEnum):
    """What the holder of a certificate is."""

    ROOT = "root"
    ISSUING = "issuing"
    SUBSCRIBER = "subscriber"
    RESPONDER = "responder"
    """Signs OCSP answers in the name of the authority that issued it (RFC 6960, 4.2.2.2)."""
    SERVER = "server"
    """A server of the centre's own, such as the portal: known by its host names."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of certificate. `validity_days` is the longest validity, both ends included."""

    name: str
    role: Role
    key: KeyKind
    validity_days: int
    key_usage: frozenset[str]
    extended_key_usage: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    path_length: int | None = None

    @property
    def is_authority(self) -> bool:
        """Whether certificates of this profile may sign certificates."""
        return self.role in (Role.ROOT, Role.ISSUING)

    @property
    def validity(self) -> timedelta:
        """The longest validity of this profile, both ends included."""
        return timedelta(days=self.validity_days)

    def period(self, start: datetime) -> tuple[datetime, datetime]:
        """not_before and not_after of a certificate that starts at `start`, whole seconds.

        RFC 5280 (4.1.2.5) counts both ends as valid, so the last second is one before start + validity_days.
        """
        not_before = start.replace(microsecond=0)
        return not_before, not_before + self.validity - timedelta(seconds=1)

    def key_usage_extension(self) -> x509.KeyUsage:
        """The KeyUsage extension of this profile."""
        return x509.KeyUsage(
            digital_signature="digital_signature" in self.key_usage,
            content_commitment=False,
            key_encipherment="key_encipherment" in self.key_usage,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign="key_cert_sign" in self.key_usage,
            crl_sign="crl_sign" in self.key_usage,
            encipher_only=False,
            decipher_only=False,
        )

    def extended_key_usage_oids(self) -> tuple[x509.ObjectIdentifier, ...]:
        """The purposes of the ExtendedKeyUsage extension; empty where the profile has none."""
        return tuple(_EXTENDED_KEY_USAGES[word] for word in self.extended_key_usage)

    def policy_oids(self) -> tuple[x509.ObjectIdentifier, ...]:
        """The certificate policies; empty where the profile has none."""
        return tuple(x509.ObjectIdentifier(policy) for policy in self.policies)


def load_profiles(text: str | None = None) -> Mapping[str, Profile]:
    """The profiles by name: those of `text` (TOML), by default those that come with the program.

    Raises ValueError naming the profile and what is wrong with it.
    """
    if text is None:
        text = resources.files("ca").joinpath("profiles.toml").read_text("utf-8")
    return {name: _profile(name, raw) for name, raw in tomllib.loads(text).items()}


def _profile(name: str, raw: Mapping[str, Any]) -> Profile:
    try:
        profile = Profile(
            name=name,
            role=Role(raw["role"]),
            key=KeyKind(raw["key"]),
            validity_days=raw["validity_days"],
            key_usage=frozenset(raw["key_usage"]),
            extended_key_usage=tuple(raw.get("extended_key_usage", ())),
            policies=tuple(raw.get("policies", ())),
            path_length=raw.get("path_length"),
        )
        _check(profile, raw)
    except KeyError as error:
        raise ValueError(f"profile {name}: {error} is missing") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"profile {name}: {error}") from error
    return profile


def _check(profile: Profile, raw: Mapping[str, Any]) -> None:
    """Refuse what no certificate may be, whatever the operator writes."""
    if raw.keys() - _WORDS:
        raise ValueError(f"unknown word {', '.join(sorted(raw.keys() - _WORDS))}")
    if not isinstance(profile.validity_days, int) or profile.validity_days < 1:
        raise ValueError("validity_days is a whole number from 1 on")
    unknown = (profile.key_usage - set(_KEY_USAGES)) | (set(profile.extended_key_usage) - set(_EXTENDED_KEY_USAGES))
    if unknown:
        raise ValueError(f"unknown usage {', '.join(sorted(unknown))}")
    if not profile.key_usage:
        raise ValueError("key_usage is empty")
    # RFC 5280, 4.2.1.3 and 4.2.1.9: keyCertSign and pathLenConstraint belong to authorities, and to them alone.
    if profile.is_authority != ("key_cert_sign" in profile.key_usage):
        raise ValueError("key_cert_sign is for authorities and for them alone")
    if not profile.is_authority and ("crl_sign" in profile.key_usage or profile.path_length is not None):
        raise ValueError("crl_sign and path_length are for authorities alone")
    if profile.key in _EC_KEYS and "key_encipherment" in profile.key_usage:
        raise ValueError("an elliptic curve key has no key_encipherment")
    if profile.role is Role.SUBSCRIBER and not profile.extended_key_usage:
        raise ValueError("a subscriber's certificate names its purpose in extended_key_usage")
    if (profile.role is Role.SERVER) != ("server_auth" in profile.extended_key_usage):
        raise ValueError("server_auth is for servers, and they have it")
    # RFC 6960, 4.2.2.2: whoever holds this purpose may declare any certificate of the authority good.
    if (profile.role is Role.RESPONDER) != ("ocsp_signing" in profile.extended_key_usage):
        raise ValueError("ocsp_signing is for responders, and they have it")
    if profile.role is Role.RESPONDER and profile.extended_key_usage != ("ocsp_signing",):
        raise ValueError("a responder has no other purpose than ocsp_signing")
    profile.policy_oids()
