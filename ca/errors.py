"""What can go wrong in the authority: one kind, one sentence, and the codes of what was found."""

from collections.abc import Iterable
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

UNREADABLE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""All that `cryptography` raises for bytes that are no certificate or CRL, while they are loaded or, since much is
decoded late, looked at. Several of these are no ValueErrors."""


class CaErrorKind(StrEnum):
    """Why the authority refused. The daemon maps each kind to a consequence (retry, hold, refuse)."""

    SUBJECT_INVALID = "subject_invalid"
    """The data cannot stand in a certificate: staff must correct them. Nothing was reserved."""
    LINT_FAILED = "lint_failed"
    """What was about to be signed breaks a rule of its profile. Nothing was signed."""
    KEY_UNAVAILABLE = "key_unavailable"
    """The authority's key cannot be opened or does not belong to its certificate."""
    MISMATCH = "mismatch"
    """Two things that must agree do not; what was produced must not be used."""
    CONFLICT = "conflict"
    """The register is in another state than the caller believes; nothing was changed."""
    NOT_FOUND = "not_found"
    """The register knows no such thing."""


class CaError(Exception):
    """A refusal of the authority.

    `problems` holds machine codes (`common_name_too_long`). Neither they nor the sentence ever carry personal data,
    so both may be logged.
    """

    def __init__(self, kind: CaErrorKind, sentence: str, *, problems: Iterable[str] = ()) -> None:
        self.kind = kind
        self.problems = tuple(problems)
        super().__init__(f"{sentence}: {', '.join(self.problems)}" if self.problems else sentence)
