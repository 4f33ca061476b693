"""Which decisions take four eyes, and the reasons of an urgent revocation: `approval_rules.toml`, checked whole."""

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

ORDERS = ("urgent_revocation", "postponement", "calling_off")
SEVERITIES = ("defect", "warning", "doubt", "note")


@dataclass(frozen=True, slots=True)
class ReasonRule:
    """One reason code of RFC 5280, how staff see it, and the words of a typed reason that mean it."""

    code: str
    shown: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """The whole table. Each mapping names what takes two approvers and gives the reason as a request tells it."""

    findings: Mapping[str, str]
    severities: Mapping[str, str]
    orders: Mapping[str, str]
    reasons: tuple[ReasonRule, ...]

    def reason_of(self, typed: str) -> ReasonRule:
        """The rule whose word stands in a reason as staff typed it; the last one, which has no words, for any other."""
        folded = unicodedata.normalize("NFKC", typed).casefold()
        return next(rule for rule in self.reasons if not rule.words or any(word in folded for word in rule.words))


@cache
def load() -> ApprovalRules:
    """The table of the program. Raises ValueError where the file breaks its own rules."""
    return build(tomllib.loads(resources.files("config").joinpath("approval_rules.toml").read_text("utf-8")))


def build(raw: Mapping[str, Any]) -> ApprovalRules:
    """The table from parsed TOML. Raises ValueError that names what is wrong."""
    expected = {"two_for_findings", "two_for_severities", "two_for_orders", "reasons"}
    if set(raw) != expected:
        raise ValueError(f"approval rules: {', '.join(sorted(set(raw) ^ expected))} is unknown or missing")
    if set(raw["two_for_orders"]) != set(ORDERS):
        raise ValueError(f"approval rules: two_for_orders must name exactly {', '.join(ORDERS)}")
    if odd := set(raw["two_for_severities"]) - set(SEVERITIES):
        raise ValueError(f"approval rules: no such severity: {', '.join(sorted(odd))}")
    reasons = tuple(ReasonRule(row["code"], row["shown"], tuple(row["words"])) for row in raw["reasons"])
    if not reasons or reasons[-1].words or not all(rule.words for rule in reasons[:-1]):
        raise ValueError("approval rules: the last reason, and only the last, has no words: it takes all others")
    return ApprovalRules(
        dict(raw["two_for_findings"]), dict(raw["two_for_severities"]), dict(raw["two_for_orders"]), reasons
    )
