"""Who is asked for a decision, and who is asked besides when nobody answers. Pure.

`away` maps the address (lower case) of everybody on leave to the address of his stand-in, empty where he named none.
Nobody is left out for good: where too few are there, those on leave are asked too, since silence approves nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from config.settings import Approver

Away = Mapping[str, str]


def first(approvers: Sequence[Approver], away: Away, needed: int) -> list[Approver]:
    """Who is asked at once: the approvers who are there and the stand-ins of those who are not; where these are fewer
    than `needed`, the deputies, then the managers, then those on leave."""
    present = [one for one in approvers if not _is_away(one, away)]
    asked = {_key(one) for one in present if one.role == "approver"}
    asked |= {_key(one) for one in _stand_ins(approvers, away, present)}
    for group in (
        [one for one in present if one.role == "deputy"],
        [one for one in present if one.role == "manager"],
        list(approvers),
    ):
        if len(asked) < max(needed, 1):
            asked |= {_key(one) for one in group}
    return [one for one in approvers if _key(one) in asked]


def everybody(approvers: Sequence[Approver], away: Away, needed: int) -> list[Approver]:
    """Who is asked about what cannot wait: all who are there, whatever their role; all, where these are too few."""
    present = [one for one in approvers if not _is_away(one, away)]
    return present if len(present) >= needed else list(approvers)


def deputies(approvers: Sequence[Approver], away: Away, silent: Collection[str]) -> list[Approver]:
    """Who is asked besides when those asked are silent: their own deputies and everybody of that role."""
    keys = {address.lower() for address in silent}
    named = {one.deputy.lower() for one in approvers if _key(one) in keys and one.deputy}
    return [one for one in approvers if not _is_away(one, away) and (one.role == "deputy" or _key(one) in named)]


def managers(approvers: Sequence[Approver], away: Away) -> list[Approver]:
    """Who is asked last."""
    return [one for one in approvers if one.role == "manager" and not _is_away(one, away)]


def _stand_ins(approvers: Sequence[Approver], away: Away, present: Sequence[Approver]) -> Iterator[Approver]:
    for one in approvers:
        if one.role == "approver" and _is_away(one, away):
            wanted = (away[_key(one)] or one.deputy).lower()
            yield from (other for other in present if _key(other) == wanted)


def _is_away(approver: Approver, away: Away) -> bool:
    return _key(approver) in away


def _key(approver: Approver) -> str:
    return approver.address.lower()
