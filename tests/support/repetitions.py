"""Which kill may have cost which repeated letter: at most one repetition for each kill (runtime notes §7)."""

from collections.abc import Sequence


def unexplained(arrivals: Sequence[str], kills: Sequence[tuple[int, int]]) -> list[str]:
    """The repetitions that no kill accounts for, by Message-ID.

    `arrivals` are the Message-IDs of all letters as they arrived. A kill is two numbers of arrivals: how many were known
    when it was noticed, and how many when the service had recovered. A repetition is owed to a kill that was noticed
    before the later copy arrived, and whose recovery ended after the earlier one had arrived (a server may hand over
    late what a dead service sent); each kill answers for one.
    """
    owed = []
    latest: dict[str, int] = {}
    for index, message_id in enumerate(arrivals):
        if message_id in latest:
            before = latest[message_id]
            able = [number for number, (noticed, rested) in enumerate(kills) if noticed <= index and rested > before]
            owed.append((able, message_id))
        latest[message_id] = index
    # Both bounds only grow, so those able are neighbours: whoever could wait least long chooses first, and takes the
    # earliest that is left.
    left = set(range(len(kills)))
    missing = []
    for able, message_id in sorted(owed, key=lambda each: each[0][-1:]):
        free = [number for number in able if number in left]
        if free:
            left.remove(free[0])
        else:
            missing.append(message_id)
    return missing
