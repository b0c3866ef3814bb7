"""Estimates how often each class occurs, from the predictions of the window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from driftline import CategoricalColumn, CheckContext, Measurement, stats
from driftline.kit.checks import Scores, Task, class_estimates, label_use
from driftline.kit.checks.calibrated_scores import CalibratedScores


def measure_class_shares(
    ctx: CheckContext, window: CalibratedScores | None
) -> Iterator[Measurement]:
    """Yield the estimated share of each class; of a binary model, of the positive one.

    Source: Lipton, Wang and Smola 2018 (BBSE). Without shares, one measurement has the reason.
    """
    ref_scores = ctx.reference.scores if ctx.reference else Scores()
    confusion, name = ref_scores.confusion, "estimated_class_share"
    predicted = _predicted_rows(ctx, window)
    shares, reason = class_estimates.estimate_shares(confusion, predicted, ctx.rng())
    if not shares:
        yield Measurement(None, name=name, rows=round(sum(predicted.values())), reason=reason)
        return
    is_binary = ctx.schema.task is Task.BINARY
    labels = sum(confusion.values())
    is_redacted = ctx.schema.label is not None and ctx.schema.label.name in ctx.schema.redact
    for place, (value, share) in enumerate(shares.items()):
        if is_binary and value != label_use.POSITIVE:
            continue
        class_name = ref_scores.positive or value if is_binary else value
        was = sum(rows for (label, _), rows in confusion.items() if label == value)
        yield Measurement(
            share.value,
            {"class": f"class {place + 1}" if is_redacted else class_name[:40]},
            name=name,
            rows=share.n,
            interval=share.interval,
            was=was / labels,
            was_interval=stats.wilson(was, labels),
            unit="share",
        )


def _predicted_rows(ctx: CheckContext, window: CalibratedScores | None) -> Mapping[str, float]:
    """Return the rows of the window by predicted class; binary ones are called 1 and 0."""
    prediction = ctx.schema.prediction
    column = ctx.current.columns.get(prediction.name) if prediction else None
    is_binary = ctx.schema.task is Task.BINARY
    if not isinstance(column, CategoricalColumn):
        if window is None or not is_binary:
            return {}
        positive = float(window.predicted_positive.sum())
        return {"1": positive, "0": float(window.rows.sum()) - positive}
    if not is_binary:
        return column.counts
    name = ctx.reference.scores.positive if ctx.reference else ""
    hits = column.counts.get(name or ctx.current.scores.positive, 0)
    return {"1": hits, "0": sum(column.counts.values()) - hits}
