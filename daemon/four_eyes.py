"""Who must have approved before a case is carried out (SPEC 2.1), pure. `replies` asks, and the issuer asks again."""

from collections.abc import Collection


def enough(approved: Collection[str], needed: int, correctors: Collection[str]) -> bool:
    """Whether these people may carry a case together.

    `needed` different approvers; and whatever somebody corrected, somebody else has approved. Addresses are compared
    without case.
    """
    people = {address.lower() for address in approved}
    return len(people) >= needed and all(people - {address.lower()} for address in correctors)


def still_missing(approved: Collection[str], needed: int, correctors: Collection[str]) -> int:
    """How many more people must approve, at the least."""
    short = needed - len({address.lower() for address in approved})
    return max(short, 0 if enough(approved, needed, correctors) else 1)
