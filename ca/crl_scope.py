"""What a CRL speaks about: everything an authority revoked, the changes since such a list, or one part of it."""

from dataclasses import dataclass
from enum import StrEnum


class CrlKind(StrEnum):
    """What a CRL holds: every revoked certificate, the changes since a full one (RFC 5280, 5.2.4), or the revoked
    certificates of one partition (5.2.5)."""

    FULL = "full"
    DELTA = "delta"
    PARTITION = "partition"


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of one CRL. `base` is the number of the full CRL that a delta begins at; `partition` counts from 1, 0
    is none; `fresh` says that a full CRL points to delta CRLs (FreshestCRL, RFC 5280, 5.2.6)."""

    kind: CrlKind = CrlKind.FULL
    partition: int = 0
    base: int = 0
    fresh: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a scope that says two things at once."""
        if (self.kind is CrlKind.PARTITION) != (self.partition > 0) or (self.kind is CrlKind.DELTA) != (self.base > 0):
            raise ValueError("a partition belongs to a partitioned CRL, a base to a delta CRL")

    @property
    def part(self) -> str:
        """What its address and its file have beside the full CRL's: `delta`, `p1`, or nothing."""
        return "delta" if self.kind is CrlKind.DELTA else partition_part(self.partition)


FULL = Scope()


def partition_part(partition: int) -> str:
    """The part of a partition's address (`Scope.part`); nothing where a certificate is in none."""
    return f"p{partition}" if partition else ""


def partition_of(serial: int, partitions: int) -> int:
    """The partition of a serial number where there are so many; 0 where there are none. Serial numbers are random, so
    that the partitions come out equal."""
    return 1 + serial % partitions if partitions else 0
