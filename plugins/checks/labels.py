"""Measures how many predictions have a label, which ones, how late labels come, and contradictions.

Does not judge coverage: young windows have few labels, so the configuration says how many there
should be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from driftline import (
    AlertFact,
    CategoricalColumn,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    above,
    hookimpl,
    stats,
    unusual,
)
from driftline.kit.checks import Labels, Task, Wording, phrasing

HOUR = 3600.0
BINS = 10
"""Groups of scores, of as many rows each, over which labelled rows are compared with all."""


def _selection_sentence(alert: AlertFact) -> str:
    labelled, total = alert.detail.get("labelled_rows"), alert.detail.get("rows")
    if not isinstance(labelled, int) or not isinstance(total, int):
        return ""
    return (
        f"the {labelled:,} of {total:,} rows with a label have other predictions than the rest "
        f"(PSI {phrasing.number(alert.value)})"
    )


class LabelCoverage(Check):
    """Measures label coverage, the selection and delay of labels, and corrections.

    coverage is the share of predictions that have a label, in the same record or from a later one,
    with Wilson's interval.

    selection is how unlike the rest the labelled rows are: the PSI of their scores against those of
    all rows on ten groups of equal size, or of their predicted classes, less what chance adds. For
    regression it is the square of the difference of mean predictions in standard deviations, which
    is the PSI of normal distributions. Where it is large, as with labels that come early, metrics
    of the labelled rows are not those of all rows; the estimates of `estimated_performance` allow
    for it.

    The other measurements are about labels that came later in records of their own. delay and
    delay_p90 are hours from a prediction to its first label: half and nine tenths of the labels
    that have come took at most so long. They are exact within 4.5%; 0 means less than a minute.
    corrected is the share of predictions with labels of different values; the newest label counts.
    contradicting is the share whose newest labels have the same time and different values. All of
    it is measured again when labels come.

    | input | answer |
    | --- | --- |
    | no predictions | no value, with the reason |
    | no labels yet | coverage 0; the others without value, with the reason |
    | all rows labelled | selection 0 |
    | labels in the records alone | coverage and selection; no delay, with the reason |
    """

    type = "labels"
    cause = "quality"
    main = "coverage"
    collectors: ClassVar = frozenset({"scores", "labels", "numeric", "categories"})
    default_rules: ClassVar = {
        "selection": above(info=0.1, warning=0.5),
        "delay": unusual(
            side="above", scale="log", info=0.4, warning=0.7, neutral=None, additive=False
        ),
        "contradicting": above(warning=0.01, critical=0.2),
    }
    min_rows = 30
    wordings: ClassVar = {
        "selection": Wording(
            noun="PSI of labelled and all rows",
            sentence=_selection_sentence,
            advice=lambda alert: (
                "Do not read metrics of these rows as those of all: wait for more labels, or label "
                "rows at random."
            ),
        ),
        "delay": Wording(noun="median delay of labels"),
        "contradicting": Wording(noun="predictions with contradicting labels"),
    }
    default_for: ClassVar = frozenset({"late label"})
    default_place = 90

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield six measurements."""
        scores, ref_scores = ctx.current.scores, ctx.reference.scores if ctx.reference else None
        late: Labels = ctx.current.summaries.get("labels", Labels())
        rows, labelled_rows = scores.rows, scores.labelled
        before = ref_scores.labelled / ref_scores.rows if ref_scores and ref_scores.rows else None
        reason = "" if rows else "no predictions"
        interval = stats.wilson(labelled_rows, rows)
        yield Measurement(
            labelled_rows / rows if rows else None,
            name="coverage",
            rows=rows,
            interval=interval,
            reason=reason,
            was=before,
            unit="share",
        )
        yield _selection(ctx)
        n = late.labelled
        reason = "" if n else "no label has come later"
        for name, q in (("delay", 0.5), ("delay_p90", 0.9)):
            seconds = late.delay(q)
            yield Measurement(
                None if seconds is None else seconds / HOUR,
                name=name,
                rows=n,
                reason=reason,
                unit="hours",
            )
        for name, count in (("corrected", late.corrected), ("contradicting", late.contradicting)):
            share = count / n if n else None
            yield Measurement(
                share,
                name=name,
                rows=n,
                interval=stats.wilson(count, n),
                reason=reason,
                unit="share",
            )


def _selection(ctx: CheckContext) -> Measurement:
    """Return the distance of the labelled rows from all rows, by score or prediction."""
    scores = ctx.current.scores
    if not scores.labelled:
        return Measurement(None, name="selection", rows=0, reason="no labels")
    shift, reason = _selection_shift(ctx)
    if shift.value is None:
        reason = reason or "the predictions are too large to compare"
        return Measurement(None, name="selection", rows=scores.labelled, reason=reason)
    return Measurement(
        shift.value,
        name="selection",
        rows=scores.labelled,
        interval=shift.interval,
        detail={"labelled_rows": scores.labelled, "rows": scores.rows},
    )


def _selection_shift(ctx: CheckContext) -> tuple[stats.Shift, str]:
    scores, schema = ctx.current.scores, ctx.schema
    field = schema.score if schema.task is Task.BINARY and schema.score else schema.prediction
    column = ctx.current.columns.get(field.name) if field else None
    if scores.labelled >= scores.rows:
        return stats.Shift(0.0, (0.0, 0.0)), ""
    if isinstance(column, CategoricalColumn):
        predicted: dict[str, int] = {}
        for (_, name), rows in scores.confusion.items():
            predicted[name] = predicted.get(name, 0) + rows
        if schema.task is Task.BINARY:
            positive = column.counts.get(scores.positive, 0)
            whole = {"1": positive, "0": sum(column.counts.values()) - positive}
        else:
            whole = dict(column.counts)
        names = sorted(whole.keys() | predicted.keys())
        return stats.psi_shift(
            [whole.get(name, 0) for name in names], [predicted.get(name, 0) for name in names]
        ), ""
    if not isinstance(column, NumericColumn) or not column.count:
        return stats.Shift(None), "the window has no predictions"
    if schema.task in (Task.REGRESSION, Task.RANKING):
        return _mean_distance(ctx, column), ""
    labelled = scores.positives + scores.negatives
    if len(labelled) != len(column.counts):
        return stats.Shift(None), "the labelled rows have no scores"
    middle = np.cumsum(column.counts) - column.counts / 2
    bins = np.minimum(BINS * middle / column.count, BINS - 1).astype(np.int64)
    return stats.psi_shift(
        np.bincount(bins, column.counts, BINS), np.bincount(bins, labelled, BINS)
    ), ""


def _mean_distance(ctx: CheckContext, column: NumericColumn) -> stats.Shift:
    """Return the squared difference of mean predictions in standard deviations, less chance."""
    sums, items, sd = ctx.current.scores.regression, ctx.current.scores.rankings.scores, column.sd
    n = len(items) if ctx.schema.task is Task.RANKING else sums.n
    if not n or column.mean is None or not sd:
        return stats.Shift(0.0, (0.0, 0.0))
    if ctx.schema.task is Task.RANKING:
        mean = float(np.mean(items))
    else:
        mean = (sums.e + sums.y) / n + sums.centre
    distance = abs(mean - column.mean) / sd
    # Of a sample without return from the same rows.
    error = math.sqrt(max(1 / n - 1 / column.count, 0.0))
    low, high = max(0.0, distance - stats.Z95 * error), distance + stats.Z95 * error
    if not math.isfinite(high):
        return stats.Shift(None)
    return stats.Shift(max(0.0, distance**2 - error**2), (low**2, high**2))


@hookimpl
def register_checks() -> list[type[Check]]:
    """The labels check."""
    return [LabelCoverage]
