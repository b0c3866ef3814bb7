"""Finds labels and predictions that are no class of the model, and watches what labels say.

Does not judge how well the model predicts: the `performance` check does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    above,
    hookimpl,
    stats,
    unusual,
)
from driftline.kit.checks import (
    RegressionSums,
    Scores,
    Task,
    Wording,
    label_use,
    phrasing,
    plain_words,
    score_metrics,
)

EXAMPLES = 5
"""Values that a message names."""
MOST_CHANCE = 1e-6
"""Chance by which all labels may be of one class before that is a fault."""
REVERSED_AUC = 0.4
"""A ROC AUC surely below this is that of a score of the other class."""


def _sentence(alert: AlertFact) -> str:
    if alert.value is None:
        return ""
    if problem := alert.detail.get("problem"):
        return f"no metric: {phrasing.clean(problem)}"
    values = alert.detail.get("values")
    return f"{phrasing.share(alert.value)} of the values are not a known class" + (
        f": {phrasing.clean(values)}" if values else ""
    )


def _headline(alert: AlertFact) -> str:
    """Return the share of values that are no class, which is usually none, and their names."""
    if alert.value is None or alert.detail.get("problem"):
        return ""
    values = alert.detail.get("values")
    shown = f": {phrasing.clean(values, 40)}" if values else ""
    return f"{phrasing.share(alert.value)} of the values are no known class{shown} (usually 0%)"


def _extent(alert: AlertFact) -> str:
    """Return how many labels can't be used."""
    return plain_words.count_rows(alert.value, alert.rows, 0.0)


def _past(alert: AlertFact) -> str:
    return (
        ""
        if alert.value is None
        else f"{phrasing.share(alert.value)} of its values were not a known class"
    )


def _feed_advice(alert: AlertFact) -> str:
    return "Look at the feed of labels first; then at what changed for the model's subjects."


def _reversed_sentence(alert: AlertFact) -> str:
    value = alert.detail.get("roc_auc")
    shown = f" (ROC AUC {phrasing.number(value)})" if isinstance(value, float) else ""
    return f"rows with higher scores have fewer positive labels{shown}"


def _one_class_sentence(alert: AlertFact) -> str:
    value = alert.detail.get("class")
    return "all labels are of one class" + (f": {phrasing.clean(value)}" if value else "")


class LabelClasses(Check):
    """Measures the share of labels that are no class of the model, and how labels change.

    unknown_class_rate is the share of a column's values that are no class, such as `pending`, or
    `Yes` where the reference has `yes`. Such a label counts as not known. The classes of a binary
    model are the positive class and the one other value of the reference; of a model of several
    classes, the labels and predictions of the reference. It is 1 where a binary model has no
    metric: its positive class is not known or occurs in no label, or it has more than two classes.
    Values that stand for an unknown label, such as `pending`, do not count where the reference has
    them too. For regression it is the share of labels that are no numbers. Its interval is exact
    (Clopper and Pearson).

    one_class is 1 where all labels are of one class, and that is no chance: with the shares of the
    reference it happens less than once in a million windows.

    reversed_score is 1 where higher scores have fewer positive labels, in the window and in the
    reference: the 95% interval of the ROC AUC is below 0.4, as with a score that is the probability
    of the other class.

    positive_rate is the share of the positive class among the labels, with Wilson's interval.
    label_psi is the same for several classes: the PSI of their shares against the reference, less
    what chance adds. label_mean_shift is that for regression: the mean label less that of the
    reference, in standard deviations of its labels.

    | input | answer |
    | --- | --- |
    | no labels, or no predictions | no value, with the reason |
    | no reference, or one without labels and predictions | the classes are 1 and 0 |
    | several classes, and a reference without labels | every label is a class |
    | one class in the labels of the reference, too | one_class 0 |
    | constant, one row, ties | counted like any other values |
    """

    type = "label_classes"
    cause = "quality"
    main = "unknown_class_rate"
    collectors: ClassVar = frozenset({"categories", "numeric", "scores"})
    default_rules: ClassVar = {
        "unknown_class_rate": above(warning=0.0, critical=0.20),
        "positive_rate": unusual(
            scale="odds", info=0.2, warning=1.0, critical=3.0, obvious=0.1, neutral=None
        ),
        "label_psi": unusual(
            side="above", scale="cube_root", info=0.02, warning=0.1, critical=2.0, obvious=0.25
        ),
        "label_mean_shift": unusual(info=0.1, warning=0.25, critical=3.0, obvious=0.75),
        "one_class": above(critical=0.5),
        "reversed_score": above(warning=0.5),
    }
    min_rows = 10
    default_for: ClassVar = frozenset({"label"})
    default_place = 85
    wordings: ClassVar = {
        "unknown_class_rate": Wording(
            noun="values of no class",
            sentence=_sentence,
            headline=_headline,
            extent=_extent,
            past=_past,
            advice=lambda alert: (
                "Check the job that writes these values; compare them with the setting "
                "prediction.positive."
            ),
        ),
        "positive_rate": Wording(noun="share of positive labels", advice=_feed_advice),
        "label_psi": Wording(noun="PSI of the labels", advice=_feed_advice),
        "label_mean_shift": Wording(noun="shift of the mean label", advice=_feed_advice),
        "one_class": Wording(
            noun="labels of one class",
            sentence=_one_class_sentence,
            past=lambda alert: "all labels were of one class",
            advice=_feed_advice,
        ),
        "reversed_score": Wording(
            noun="score of the other class",
            sentence=_reversed_sentence,
            past=lambda alert: "rows with higher scores had fewer positive labels",
            advice=lambda alert: (
                "Check that prediction.score is the score of the class in prediction.positive."
            ),
        ),
    }

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the values of no class by column, whether there is one class, and the shares."""
        schema, scores = ctx.schema, ctx.current.scores
        if schema.label is None:
            return
        label = schema.label.name
        if schema.task in (Task.REGRESSION, Task.RANKING):
            yield _invalid_rate(ctx, label)
            yield _label_mean_shift(ctx)
            return
        problem = label_use.unusable_reason(ctx)
        yield _unknown_class_rate(ctx, label, scores.label_values, problem)
        yield _one_class(ctx, label, problem)
        if schema.task is not Task.BINARY:
            yield _label_psi(ctx)
            return
        if schema.prediction is not None:
            name = schema.prediction.name
            yield _unknown_class_rate(ctx, name, label_use.values_of(ctx, name))
        yield _positive_rate(ctx, problem)
        if schema.score is not None:
            yield _reversed_score(ctx, problem)


def _unknown_class_rate(
    ctx: CheckContext, name: str, counts: Mapping[str, int], problem: str = ""
) -> Measurement:
    ref_scores = ctx.reference.scores if ctx.reference else Scores()
    rows = sum(counts.values())
    outside = label_use.values_of_no_class(counts, ctx.current.scores, ref_scores)
    wrong = rows if problem else sum(outside.values())
    detail: dict[str, str | float | int | None] = {}
    if problem:
        detail["problem"] = problem
    elif outside and name not in ctx.schema.redact:
        detail["values"] = ", ".join(map(phrasing.value_text, list(outside)[:EXAMPLES]))
    return _share(name, wrong, rows, detail)


def _invalid_rate(ctx: CheckContext, name: str) -> Measurement:
    column = ctx.current.columns.get(name)
    if not isinstance(column, NumericColumn):
        return _share(name, 0, 0, {})
    return _share(name, column.invalid, column.count + column.invalid, {})


def _share(
    name: str, wrong: int, rows: int, detail: Mapping[str, str | float | int | None]
) -> Measurement:
    # None of the values is exactly none: an interval would leave it unsure whether some are.
    return Measurement(
        wrong / rows if rows else None,
        {"column": name},
        name="unknown_class_rate",
        rows=rows,
        interval=stats.clopper_pearson(wrong, rows) if wrong else None,
        reason="" if rows else "no values in the window",
        unit="share",
        detail=detail,
    )


def _positive_rate(ctx: CheckContext, problem: str) -> Measurement:
    scores, ref_scores = ctx.current.scores, ctx.reference.scores if ctx.reference else Scores()
    rows, positives = scores.labelled, label_use.positive_rows(scores)
    ref_rows = ref_scores.labelled
    reason = problem or ("" if rows else "no labels")
    return Measurement(
        None if reason else positives / rows,
        name="positive_rate",
        rows=rows,
        interval=None if reason else stats.wilson(positives, rows),
        reason=reason,
        was=label_use.positive_rows(ref_scores) / ref_rows if ref_rows else None,
        unit="share",
    )


def _one_class(ctx: CheckContext, name: str, problem: str) -> Measurement:
    counts = label_use.class_counts(ctx.current.scores)
    before = label_use.class_counts(ctx.reference.scores if ctx.reference else Scores())
    rows, ref_rows = sum(counts.values()), sum(before.values())
    reason = problem or ("" if rows else "no labels")
    reason = reason or ("" if ref_rows else "the reference has no labels")
    if reason:
        return Measurement(None, name="one_class", rows=rows, reason=reason)
    commonest = max(counts, key=lambda value: counts[value])
    # A class that the reference lacks counts as half a row of it.
    chance = math.exp(rows * math.log(max(before.get(commonest, 0), 0.5) / ref_rows))
    is_fault = len(counts) == 1 and len(before) > 1 and chance < MOST_CHANCE
    shows_value = is_fault and name not in ctx.schema.redact
    return Measurement(
        float(is_fault),
        name="one_class",
        rows=rows,
        detail={"class": commonest[:40]} if shows_value else {},
    )


def _reversed_score(ctx: CheckContext, problem: str) -> Measurement:
    now = score_metrics.roc_auc(ctx.current.scores)
    was = score_metrics.roc_auc(ctx.reference.scores if ctx.reference else Scores())
    reason = problem or now.reason
    if reason or now.value is None:
        return Measurement(None, name="reversed_score", rows=now.n, reason=reason)
    estimates = [now] if was.value is None else [now, was]
    is_reversed = all(e.interval is not None and e.interval[1] < REVERSED_AUC for e in estimates)
    return Measurement(
        float(is_reversed), name="reversed_score", rows=now.n, detail={"roc_auc": now.value}
    )


def _label_psi(ctx: CheckContext) -> Measurement:
    counts = label_use.class_counts(ctx.current.scores)
    before = label_use.class_counts(ctx.reference.scores if ctx.reference else Scores())
    classes = sorted(counts.keys() | before.keys())
    shift = stats.psi_shift(
        [before.get(value, 0) for value in classes], [counts.get(value, 0) for value in classes]
    )
    rows = sum(counts.values())
    if shift.value is None:
        reason = "the reference has no labels" if rows else "no labels"
        return Measurement(None, name="label_psi", rows=rows, reason=reason)
    return Measurement(shift.value, name="label_psi", rows=rows, interval=shift.interval)


def _label_mean_shift(ctx: CheckContext) -> Measurement:
    now = ctx.current.scores.regression
    was = ctx.reference.scores.regression if ctx.reference else RegressionSums()
    if not now.n or was.n < 2:
        reason = "the reference has too few labels" if now.n else "no labels"
        return Measurement(None, name="label_mean_shift", rows=now.n, reason=reason)
    (mean, variance), (ref_mean, ref_variance) = _moments(now), _moments(was)
    if not ref_variance > 0:
        reason = "all labels of the reference are the same"
        return Measurement(None, name="label_mean_shift", rows=now.n, reason=reason)
    sd = math.sqrt(ref_variance)
    value = (mean - ref_mean) / sd
    half = stats.Z95 * math.sqrt(max(variance, 0.0) / now.n + ref_variance / was.n) / sd
    if not (math.isfinite(value) and math.isfinite(half)):
        reason = "the labels are too large to compare"
        return Measurement(None, name="label_mean_shift", rows=now.n, reason=reason)
    return Measurement(
        value,
        name="label_mean_shift",
        rows=now.n,
        interval=(value - half, value + half),
        unit="sd",
        detail={"mean": mean, "mean_was": ref_mean},
    )


def _moments(sums: RegressionSums) -> tuple[float, float]:
    """Return mean and variance of the labels."""
    off = sums.y / sums.n
    return sums.centre + off, max(sums.y2 / sums.n - off * off, 0.0)


@hookimpl
def register_checks() -> list[type[Check]]:
    """The label_classes check."""
    return [LabelClasses]
