"""Differences and ratios over all groups of a column, as Fairlearn defines them.

Source: Fairlearn, "Common fairness metrics". Its names are `demographic_parity_difference`,
`equal_opportunity_difference`, `equalized_odds_difference`, and `..._ratio`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from driftline.stats.basics.estimate import Estimate
from driftline.stats.fairness.groups import RATES, ROWS_OF_RATE, GroupCounts

ODDS = ("true_positive_rate", "false_positive_rate")


def _rates(name: str, groups: Sequence[GroupCounts]) -> list[float] | str:
    """The rate of each group, or why there is none."""
    shares = []
    for group in groups:
        x, n = RATES[name](group)
        if not n:
            return f"a group has no {ROWS_OF_RATE[name]}"
        shares.append(x / n)
    return shares if len(shares) > 1 else "there are fewer than two groups"


def _gap(names: Sequence[str], groups: Sequence[GroupCounts], *, is_ratio: bool) -> Estimate:
    values = []
    for name in names:
        rates = _rates(name, groups)
        if isinstance(rates, str):
            return Estimate(None, reason=rates)
        if is_ratio and not max(rates):
            return Estimate(None, reason=f"the {name.replace('_', ' ')} is 0 in every group")
        values.append(min(rates) / max(rates) if is_ratio else max(rates) - min(rates))
    rows = int(sum(group.selection[1] for group in groups))
    return Estimate(min(values) if is_ratio else max(values), n=rows)


GAPS: Mapping[str, Callable[[Sequence[GroupCounts]], Estimate]] = {
    "demographic_parity_gap": lambda groups: _gap(("selection_rate",), groups, is_ratio=False),
    "demographic_parity_ratio": lambda groups: _gap(("selection_rate",), groups, is_ratio=True),
    "equal_opportunity_gap": lambda groups: _gap(ODDS[:1], groups, is_ratio=False),
    "equal_opportunity_ratio": lambda groups: _gap(ODDS[:1], groups, is_ratio=True),
    "equalized_odds_gap": lambda groups: _gap(ODDS, groups, is_ratio=False),
    "equalized_odds_ratio": lambda groups: _gap(ODDS, groups, is_ratio=True),
}
"""The largest difference, or the smallest ratio, between any two groups, by name."""
