"""A share of trials with its 95 % bounds: by Wilson, and by Clopper and Pearson, which never promise too much."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

_Z = 1.959963984540054  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Share:
    """So many hits among so many trials."""

    hits: int
    trials: int

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Self:
        hits = trials = 0
        for outcome in outcomes:
            hits, trials = hits + bool(outcome), trials + 1
        return cls(hits, trials)

    def wilson(self) -> tuple[float, float]:
        """Lower and upper bound; (0, 1) without trials."""
        n = self.trials
        if not n:
            return 0.0, 1.0
        p, z2 = self.hits / n, _Z * _Z
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        # At the ends the formula gives the end itself, but for rounding.
        return (0.0 if self.hits == 0 else middle - half), (1.0 if self.hits == n else middle + half)

    def exact(self) -> tuple[float, float]:
        """Lower and upper bound by Clopper and Pearson; (0, 1) without trials."""
        if not self.trials:
            return 0.0, 1.0
        lower = 0.0 if self.hits == 0 else _solve(lambda p: 1 - _at_most(self.hits - 1, self.trials, p) > 0.025)
        upper = 1.0 if self.hits == self.trials else _solve(lambda p: _at_most(self.hits, self.trials, p) < 0.025)
        return lower, upper

    def told(self) -> dict[str, Any]:
        """In percent, as JSON."""
        return {
            "percent": round(100 * self.hits / self.trials, 3) if self.trials else None,
            "hits": self.hits,
            "n": self.trials,
            "wilson": [round(100 * bound, 3) for bound in self.wilson()],
            "exact": [round(100 * bound, 3) for bound in self.exact()],
        }


def _solve(holds: Any) -> float:  # noqa: ANN401 - a function of one number that turns true once
    """The least p for which it holds."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _at_most(hits: int, trials: int, p: float) -> float:
    """The chance of at most so many hits, each of chance p."""
    if p <= 0:
        return 1.0
    if p >= 1:
        return float(hits >= trials)
    whole, odds = math.lgamma(trials + 1), (math.log(p), math.log1p(-p))
    # The shorter tail is summed.
    short = hits <= trials // 2
    range_ = range(hits + 1) if short else range(hits + 1, trials + 1)
    total = math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * odds[0] + (trials - k) * odds[1])
        for k in range_
    )
    return total if short else 1 - total
