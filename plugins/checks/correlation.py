"""Measures whether numeric columns that moved together in the reference still do.

Does not judge single columns: the values of each may stay as they are while they no longer belong
together. Columns that are unrelated in the reference are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from driftline import AlertFact, Check, CheckContext, Measurement, hookimpl, stats, unusual
from driftline.kit.checks import Wording, phrasing, sampled_rows

SAME_SIGN = 0.1
"""A correlation up to this size has no direction in words."""
LEAST_CORRELATION, MOST_PAIRS, LEAST_ROWS = 0.3, 20, 20
"""The correlation of a pair in the reference; the most pairs; the rows in which both have values.
"""


def _sentence(alert: AlertFact) -> str:
    if alert.value is None or alert.was is None or "with" not in alert.labels:
        return ""
    before, after = (phrasing.number(round(value, 2)) for value in (alert.was, alert.value))
    return f"rank correlation {before} → {after}"


def _headline(alert: AlertFact) -> str:
    """Return how closely the pair moves together, now and usually."""
    if alert.value is None or alert.was is None or "with" not in alert.labels:
        return ""
    usual, now = (phrasing.number(round(value, 2)) for value in (alert.was, alert.value))
    if alert.value * alert.was < 0 and abs(alert.value) > SAME_SIGN:
        text = "linked the other way round"
    else:
        text = f"linked {'less' if abs(alert.value) < abs(alert.was) else 'more'} closely"
    return f"{text}: {now}, usually {usual} (1 fully, 0 not at all)"


def _extent(alert: AlertFact) -> str:
    """Return what a weaker or stronger link means."""
    if alert.value is None or alert.was is None:
        return ""
    if abs(alert.value) < abs(alert.was):
        return "one of the two columns no longer follows the other as it used to"
    return "the two columns follow each other more than they used to"


class Correlation(Check):
    """Measures the rank correlation of pairs of numeric columns, in the sampled rows.

    correlation is Spearman's, of the rows in which both columns have values, with the interval of
    Bonett and Wright. Pairs are those with a correlation of at least 0.3 in the sampled rows of the
    reference, either way, at most the 20 strongest. Score and prediction take part, the label does
    not. A pair is labelled `column` and `with`, in the order of the schema.

    | input | answer |
    | --- | --- |
    | no reference; no sample on a side; no column in common | no value, with the reason |
    | no pair with such a correlation in the reference | nothing is measured |
    | no such pair of the columns in the option `columns` | no value, with the reason |
    | a column constant or null in the window | no value for its pairs, with the reason |
    | fewer than 20 rows with both values in the reference | the pair is left out |
    | identical samples | the correlation of the reference |
    """

    type = "correlation"
    cause = "drift"
    main = "correlation"
    collectors: ClassVar = frozenset({"numeric", "sample"})
    default_rules: ClassVar = {
        "correlation": unusual(
            info=0.1, warning=0.2, obvious=0.5, neutral=None, additive=False, weight=0.5
        )
    }
    min_rows = 100
    default_for: ClassVar = frozenset({"numeric"})
    default_place = 25
    wordings: ClassVar = {
        "correlation": Wording(sentence=_sentence, headline=_headline, extent=_extent)
    }

    columns: tuple[str, ...] = ()
    """The columns to compare; when empty, all except label, id, time and version."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield one measurement for each pair, the strongest first."""
        numeric = {column.name for column in ctx.reference.numeric()} if ctx.reference else set()
        samples = sampled_rows.select_samples(ctx, self.columns, self.ignore)
        names = [name for name in samples.reference if name in numeric]
        pairs = []
        if ctx.reference is not None and not samples.reason:
            derived, key = ctx.reference.derived, (self.type, *names)
            if key not in derived:
                derived[key] = _related_pairs(samples.reference, names)
            pairs = derived[key]
        if not pairs and not samples.reason and not self.columns:
            # Nothing is missing: this model has no relation that could change.
            return
        if not pairs:
            reason = samples.reason or "no two numeric columns of the reference are related"
            yield Measurement(None, name="correlation", rows=samples.rows, reason=reason)
        for first, second, was in pairs:
            now = stats.rank_correlation(samples.current[first], samples.current[second])
            yield Measurement(
                now.value,
                {"column": first, "with": second},
                name="correlation",
                rows=now.n,
                interval=now.interval,
                reason=now.reason,
                was=was,
            )


def _related_pairs(sample: sampled_rows.Columns, names: list[str]) -> list[tuple[str, str, float]]:
    """The related pairs of a reference with their rank correlation, the strongest first."""
    if not names:
        return []
    values = np.array([sample[name] for name in names], np.float64).T
    ranks = np.full(values.shape, np.nan)
    for place, column in enumerate(values.T):
        is_finite = np.isfinite(column)
        ranks[is_finite, place] = stats.midranks(column[is_finite])
    found = []
    for place in range(len(names) - 1):
        strength = stats.correlations(ranks[:, place:], 0, LEAST_ROWS)
        related = np.flatnonzero(np.abs(strength) >= LEAST_CORRELATION)
        found += [(place, place + int(other)) for other in related if other]
    pairs = []
    for first, second in found:
        estimate = stats.rank_correlation(values[:, first], values[:, second])
        if estimate.value is not None and abs(estimate.value) >= LEAST_CORRELATION:
            pairs.append((names[first], names[second], estimate.value))
    return sorted(pairs, key=lambda pair: -abs(pair[2]))[:MOST_PAIRS]


@hookimpl
def register_checks() -> list[type[Check]]:
    """The correlation check."""
    return [Correlation]
