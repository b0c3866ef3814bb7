"""Estimates how well a model predicts from its scores (CBPE), and from the labels there are.

Concept drift, by which the same input leads to other labels, only labels show: `correction` is how
far they are from the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from driftline import (
    Check,
    CheckContext,
    Measurement,
    Rule,
    hookimpl,
    loss,
    stats,
)
from driftline.kit.checks import (
    Decision,
    Scores,
    Task,
    Wording,
    class_estimates,
    error_estimates,
    score_metrics,
)
from driftline.kit.checks import weighted_accuracy as weighted
from driftline.kit.checks.calibrated_scores import (
    CalibratedScores,
    calibrate_scores,
    usable_scores,
)

from .class_shares import measure_class_shares
from .metric_table import (
    ERRORS,
    LABELLED_METRICS,
    METRICS_OF_CLASSES,
    METRICS_OF_RATES,
    NOUNS,
    USUAL_METRICS,
    EstimatedMetric,
)
from .sentences import (
    correction_headline,
    correction_sentence,
    drift_advice,
    error_correction_sentence,
    estimate_extent,
    estimate_headline,
    estimate_sentence,
    label_advice,
    past_correction,
)

Corrected = tuple[stats.Rate | None, stats.Rate | None]
"""The shares of positive labels of both sides of the decision, where labels correct them."""


def _error_rule(scale: Literal["plain", "log"]) -> Rule:
    return loss(
        side="above", scale=scale, margins=(0.1, 0.2, 0.4), obvious=0.2, warning=0.1, critical=0.3
    )


class EstimatedPerformance(Check):
    """Estimates the metrics of windows with no or few labels: accuracy and others, MAE and RMSE.

    The labelled rows of the reference turn each score into the probability of a positive label
    (isotonic regression). If the same scores still mean the same, the metrics of a window follow
    from its scores alone (CBPE, Białek et al. 2024). The interval is that of the metric which
    labels would show: it allows for chance in the labels and for the error of the calibration.
    `was` is the metric of the reference. The details of the accuracy have the expected rows of the
    four cells of the confusion table.

    For several classes the score is that of the predicted class, and gives the probability that it
    is right, and the accuracy. Without a score the predicted class stands for it. Macro precision,
    recall and F1 follow from how often each label comes with each predicted class.

    Where rows of the window have labels, these correct the estimate (prediction-powered inference,
    Angelopoulos et al. 2023), on each side of the decision that has five labels of the rarer class.
    The labelled rows may lie at other scores than the rest; at equal scores they must be a random
    sample. `scores_alone` in the details is the estimate without them.

    For regression, mean absolute error and RMSE follow from how large the errors of the reference
    are by prediction, in twenty groups of it, and from the predictions of the window (direct loss
    estimate). 30 labels correct them.

    `correction` is the accuracy of the labelled rows less the accuracy that their scores promise:
    0 but for chance, while the same scores mean the same. Where it falls, the same input leads to
    other labels now (concept drift), which scores alone can't show. `error_correction` is the same
    for regression: by which share the errors of the labelled rows are larger than expected.

    `weighted_accuracy` is the estimate where inputs moved: scores may mean less where the model has
    seen few rows. Sampled rows of the reference weigh as often as rows like them occur in the
    window (logistic regression), and their labels correct the accuracy that the scores promise. Its
    rows are those of the sample in effect. It has no rule by default.

    `estimated_class_share` is how often each class occurs, from the predictions alone (BBSE,
    Lipton, Wang and Smola 2018). It holds if the rows of each class are what they were, and only
    their mix changes. It has no rule by default.

    | input | answer |
    | --- | --- |
    | a binary model without score, or another task | no value, with the reason |
    | fewer than 200 labelled rows in the reference | no value, with the reason |
    | one class in the labelled rows of the reference | no value, with the reason |
    | over 10% of rows have scores beyond those of the reference | no value, with the reason |
    | decisions that no threshold on the score gives | no value, with the reason |
    | over 10% of predictions are classes that the reference lacks | no value, with the reason |
    | labelled predictions of the reference that are all right | no value, with the reason |
    | no features | no weighted_accuracy, with the reason |
    | fewer than 30 rows of the reference like those of the window | no value without labels |
    | over 20 classes, or predictions that hardly tell them apart | no class shares |
    | more than 200 classes | no macro averages, with the reason |
    | no rows, or nothing predicted positive | no value, with the reason |
    | no labels in the window | estimates from scores alone; no correction, with the reason |
    """

    type = "estimated_performance"
    cause = "performance"
    remedies: ClassVar = {"": Decision.WATCH}
    estimates: ClassVar = {
        **{f"estimated_{metric}": metric for metric in LABELLED_METRICS},
        "estimated_class_share": "",
    }
    main = "estimated_accuracy"
    uses_labels = True
    collectors: ClassVar = frozenset(
        {"scores", "numeric", "categories", "prediction_errors", "sample"}
    )
    default_rules: ClassVar = {
        "estimated_accuracy": loss(warning=0.03, critical=0.05, limits=(0, 1)),
        "estimated_recall": loss(warning=0.03, critical=0.05, limits=(0, 1)),
        "estimated_roc_auc": loss(warning=0.03, critical=0.05, limits=(0, 1)),
        "estimated_macro_recall": loss(warning=0.03, critical=0.05, limits=(0, 1)),
        # Only labels show that scores mean less than they did: they get most of the budget.
        "correction": loss(warning=0.03, critical=0.05, weight=3.0),
        "estimated_mae": _error_rule("log"),
        "estimated_rmse": _error_rule("log"),
        "error_correction": _error_rule("plain"),
    }
    min_rows = 30
    wordings: ClassVar = {
        **{
            f"estimated_{metric}": Wording(
                noun=f"estimated {NOUNS.get(metric, metric)}",
                sentence=estimate_sentence(metric),
                headline=estimate_headline(metric),
                extent=estimate_extent(metric),
                hides_value=True,
                advice=label_advice,
            )
            for metric in LABELLED_METRICS
        },
        "correction": Wording(
            noun="accuracy of labels less its estimate",
            sentence=correction_sentence,
            headline=correction_headline,
            past=past_correction,
            hides_value=True,
            advice=drift_advice,
        ),
        "weighted_accuracy": Wording(noun="weighted estimate of accuracy"),
        "estimated_class_share": Wording(noun="estimated share of the class"),
        "error_correction": Wording(
            noun="errors of labels beyond those expected",
            sentence=error_correction_sentence,
            hides_value=True,
            advice=drift_advice,
        ),
    }

    metrics: tuple[EstimatedMetric, ...] = ()
    """The metrics to estimate; when empty, the usual ones of the model's task."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the estimate of each metric, then the correction."""
        if ctx.schema.task is Task.REGRESSION:
            yield from self._evaluate_errors(ctx)
            return
        task = ctx.schema.task or Task.BINARY
        window, reason = calibrate_scores(ctx)
        correction = (
            None
            if window is None or ctx.schema.score is None
            else weighted.weighted_correction(ctx, window)
        )
        doubt = 0.0 if correction is None else weighted.doubt(correction)
        usual = USUAL_METRICS.get(task, USUAL_METRICS[Task.BINARY])
        metrics = tuple(dict.fromkeys(self.metrics)) or usual
        class_metrics: dict[str, class_estimates.ConfusionMetric] = {
            name: METRICS_OF_CLASSES[name] for name in metrics if name in METRICS_OF_CLASSES
        }
        macros, macro_reason = (
            class_estimates.estimate_macros(ctx, class_metrics)
            if class_metrics and task is Task.MULTICLASS
            else ({}, reason)
        )
        for metric in metrics:
            if metric not in usual:
                problem = f"{metric} is no metric of {task} models"
                yield _without_value(metric, ctx.current.rows, reason or problem)
            elif metric in METRICS_OF_CLASSES:
                estimate = macros.get(metric)
                if estimate is None:
                    yield _without_value(metric, ctx.current.rows, macro_reason)
                else:
                    yield _measurement(metric, estimate, ctx, {})
            elif window is None:
                yield _without_value(metric, ctx.current.rows, reason)
            else:
                support = "" if correction is None else correction.reason
                yield _corrected_measurement(metric, window, ctx, doubt, support)
        yield _correction(window, reason)
        yield _weighted_accuracy(ctx, window, correction, reason)
        yield from measure_class_shares(ctx, window)

    def _evaluate_errors(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the estimates of a regression model, then the correction."""
        groups, reason = error_estimates.group_errors(ctx)
        for metric in dict.fromkeys(self.metrics or ERRORS):
            if metric not in ERRORS:
                problem = f"{metric} is no metric of regression models"
                yield _without_value(metric, ctx.current.rows, problem)
            elif groups is None:
                yield _without_value(metric, ctx.current.rows, reason)
            else:
                yield _estimated_error(metric, groups, ctx)
        if groups is None:
            yield Measurement(None, name="error_correction", rows=0, reason=reason)
        else:
            yield _error_correction(groups)


def _estimated_error(
    metric: EstimatedMetric, groups: error_estimates.ErrorGroups, ctx: CheckContext
) -> Measurement:
    reference, window = groups.absolute() if metric == "mae" else groups.squared()
    alone = stats.expected_loss(reference, groups.rows)
    corrected = stats.corrected_loss(reference, window, groups.rows)
    if metric == "rmse":
        alone, corrected = _root(alone), None if corrected is None else _root(corrected)
    if corrected is None:
        return _measurement(metric, alone, ctx, {})
    detail = {
        "labelled_rows": int(window.rows.sum()),
        "predictions_alone": alone.value,
        "confirmed": _is_confirmed(alone, corrected),
    }
    return _measurement(metric, corrected, ctx, detail)


def _is_confirmed(alone: stats.Estimate, corrected: stats.Estimate) -> int:
    """Return 1 if the corrected estimate lies within the interval of the one without labels."""
    if alone.interval is None or corrected.value is None:
        return 0
    low, high = alone.interval
    return int(low <= corrected.value <= high)


def _root(estimate: stats.Estimate) -> stats.Estimate:
    """Return the root of a mean square, with its error by the delta method."""
    if not estimate.value or estimate.se is None:
        return estimate
    value = math.sqrt(estimate.value)
    se = estimate.se / (2 * value)
    return estimate._replace(value=value, se=se, interval=stats.log_interval(value, se))


def _error_correction(groups: error_estimates.ErrorGroups) -> Measurement:
    """Return how much larger the absolute errors of the labels are than expected, as a share."""
    reference, window = groups.absolute()
    gap = stats.loss_correction(reference, window)
    if gap.value is None:
        return Measurement(None, name="error_correction", rows=gap.n, reason=gap.reason)
    promised = float(np.sum(window.rows * reference.mean)) / gap.n
    half = stats.Z95 * reference.error_of_mean(window.rows) / promised
    return Measurement(
        gap.value,
        name="error_correction",
        rows=gap.n,
        interval=gap.interval,
        was=0.0,
        was_interval=(-half, half),
        detail={"labelled_rows": gap.n},
    )


def _without_value(metric: EstimatedMetric, rows: int, reason: str) -> Measurement:
    return Measurement(None, name=f"estimated_{metric}", rows=rows, reason=reason)


def _corrected_measurement(
    metric: EstimatedMetric,
    window: CalibratedScores,
    ctx: CheckContext,
    doubt: float,
    support: str,
) -> Measurement:
    """Return the estimate of a metric, corrected where labels can do it.

    `doubt` is the error of estimates from scores alone that the reference shows; where it is
    infinite, there is none without labels, and `support` says why.
    """
    alone, corrected = _estimate(metric, window, ctx)
    if math.isinf(doubt):
        if corrected is None:
            return _without_value(metric, alone.n, support)
    elif doubt and alone.value is not None and alone.se is not None:
        alone = stats.bounded_estimate(alone.value, math.hypot(alone.se, doubt), alone.n)
    detail: dict[str, str | float | int | None] = {}
    if metric == "accuracy" and ctx.schema.task is Task.BINARY:
        cells = stats.expected_confusion(window.cells(window.probability))
        detail |= {f"expected_{name}": round(rows, 1) for name, rows in cells._asdict().items()}
    if corrected is not None:
        detail |= {
            "labelled_rows": round(float((window.positives + window.negatives).sum())),
            "scores_alone": alone.value,
            "confirmed": _is_confirmed(alone, corrected),
        }
    return _measurement(metric, alone if corrected is None else corrected, ctx, detail)


def _measurement(
    metric: EstimatedMetric,
    estimate: stats.Estimate,
    ctx: CheckContext,
    detail: Mapping[str, str | float | int | None],
) -> Measurement:
    if estimate.value is None:
        return _without_value(metric, estimate.n, estimate.reason)
    ref_scores = ctx.reference.scores if ctx.reference else Scores()
    was = LABELLED_METRICS[metric](ref_scores)
    return Measurement(
        estimate.value,
        name=f"estimated_{metric}",
        rows=estimate.n,
        interval=estimate.interval,
        was=was.value,
        was_interval=was.interval,
        detail={"labelled_rows_of_reference": ref_scores.labelled, **detail},
    )


def _estimate(
    metric: EstimatedMetric, window: CalibratedScores, ctx: CheckContext
) -> tuple[stats.Estimate, stats.Estimate | None]:
    """Return the estimate from scores alone, and as labels correct it; None where they do not."""
    if metric == "roc_auc":
        return _estimated_auc(window), _corrected_auc(window, ctx)
    alone = _estimate_from_rates(metric, window, (None, None))
    positive, negative = window.sides(window.probability)
    corrected = stats.corrected_rate(positive), stats.corrected_rate(negative)
    if not any(corrected):
        return alone, None
    return alone, _estimate_from_rates(metric, window, corrected)


def _estimate_from_rates(
    metric: EstimatedMetric, window: CalibratedScores, corrected: Corrected
) -> stats.Estimate:
    """Return a metric of the shares of positive labels, with the error of the calibration."""
    estimate_metric = METRICS_OF_RATES[metric]
    positive, negative = corrected
    estimate, *draws = (
        estimate_metric(stats.DecisionRates(positive or rates.positive, negative or rates.negative))
        for rates in (window.rates, *window.rates_of_draws)
    )
    return _widened(estimate, [draw.value for draw in draws])


def _estimated_auc(window: CalibratedScores) -> stats.Estimate:
    """Return the expected ROC AUC with both errors, of labels and calibration."""
    cells = window.cells(window.probability)
    estimate = stats.estimated_roc_auc(cells)
    if estimate.value is None:
        return estimate
    rows, positives = float(cells.rows.sum()), float(np.sum(cells.probability * cells.rows))
    se = stats.hanley_mcneil_se(
        estimate.value, max(1, round(positives)), max(1, round(rows - positives))
    )
    draws = [stats.estimated_roc_auc(window.cells(draw)).value for draw in window.draws]
    return _widened(estimate._replace(se=se), draws)


def _corrected_auc(window: CalibratedScores, ctx: CheckContext) -> stats.Estimate | None:
    """Return the ROC AUC of the labels, moved by what the scores promise for the other rows.

    None where the labels have no ROC AUC, such as with fewer than 10 of a class.
    """
    assert ctx.schema.score is not None
    column = ctx.current.columns.get(ctx.schema.score.name)
    labelled = score_metrics.roc_auc(score_metrics.check_order(usable_scores(ctx), column))
    promised = stats.estimated_roc_auc(window.labelled_cells(window.probability))
    whole = stats.estimated_roc_auc(window.cells(window.probability))
    if (
        labelled.value is None
        or labelled.se is None
        or promised.value is None
        or whole.value is None
    ):
        return None
    value = min(max(labelled.value + whole.value - promised.value, 0.0), 1.0)
    return _widened(stats.Estimate(value, labelled.se, n=whole.n), [])


def _widened(estimate: stats.Estimate, draws: Sequence[float | None]) -> stats.Estimate:
    """Return the estimate with the spread of `draws` added to its error."""
    if estimate.value is None:
        return estimate
    values = [value for value in draws if value is not None]
    calibration_se = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    se = math.hypot(estimate.se or 0.0, calibration_se)
    return stats.bounded_estimate(estimate.value, se, estimate.n)


def _correction(window: CalibratedScores | None, reason: str) -> Measurement:
    """Return the accuracy of the labelled rows less the one that their scores promise."""
    if window is None:
        return Measurement(None, name="correction", rows=0, reason=reason)
    gap = stats.label_correction(*window.sides(window.probability))
    if gap.value is None:
        reason = "no row of the window has a label"
        return Measurement(None, name="correction", rows=0, reason=reason)
    promises = [
        stats.estimated_accuracy(window.labelled_cells(draw)).value for draw in window.draws
    ]
    half = stats.Z95 * float(np.std([value for value in promises if value is not None], ddof=1))
    return Measurement(
        gap.value,
        name="correction",
        rows=gap.n,
        interval=gap.interval,
        was=0.0,
        was_interval=(-half, half),
        detail={"labelled_rows": gap.n},
    )


def _weighted_accuracy(
    ctx: CheckContext,
    window: CalibratedScores | None,
    correction: stats.Estimate | None,
    reason: str,
) -> Measurement:
    """Return the accuracy with the correction by reference rows that weigh as in the window."""
    name = "weighted_accuracy"
    if window is None or correction is None:
        reason = reason or "the records have no score"
        return Measurement(None, name=name, rows=0, reason=reason)
    alone = _estimate_from_rates("accuracy", window, (None, None))
    estimate = weighted.weighted_accuracy(alone, correction)
    if estimate.value is None:
        return Measurement(None, name=name, rows=estimate.n, reason=estimate.reason)
    was = LABELLED_METRICS["accuracy"](ctx.reference.scores if ctx.reference else Scores())
    return Measurement(
        estimate.value,
        name=name,
        rows=estimate.n,
        interval=estimate.interval,
        was=was.value,
        was_interval=was.interval,
        detail={"effective_rows": estimate.n, "scores_alone": alone.value},
    )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The check of estimated performance."""
    return [EstimatedPerformance]
