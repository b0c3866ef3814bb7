"""Measures how well the model predicts, and judges whether it lastingly predicts worse.

Needs labels; rows without a label are left out. An undefined metric has no value and a reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import field_validator

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    hookimpl,
    loss,
    stats,
)
from driftline.kit.checks import (
    Decision,
    Scores,
    Task,
    Wording,
    label_use,
    phrasing,
    score_metrics,
)
from driftline.kit.checks.comparison import absent_values

DEPTH = 0.1
"""Share of rows with the highest scores that gain and lift look at."""
ECE_BINS = 15

MetricName = Literal[
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "bias",
    "brier",
    "calibration_gap",
    "calibration_intercept",
    "calibration_slope",
    "cohen_kappa",
    "expected_calibration_error",
    "f0_5",
    "f1",
    "f2",
    "false_negative_rate",
    "false_positive_rate",
    "gain",
    "jaccard",
    "lift",
    "log_loss",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "mae",
    "mcc",
    "mse",
    "precision",
    "r2",
    "recall",
    "rmse",
    "roc_auc",
    "separation",
    "specificity",
    "spiegelhalter_z",
    "wape",
    "weighted_f1",
    "weighted_precision",
    "weighted_recall",
]

METRIC_ALIASES: Mapping[str, MetricName] = {
    # SageMaker Model Monitor
    "auc": "roc_auc",
    "true_positive_rate": "recall",
    "true_negative_rate": "specificity",
    # Arize
    "ACCURACY": "accuracy",
    "PRECISION": "precision",
    "RECALL": "recall",
    "F_1": "f1",
    "AUC": "roc_auc",
    "PR_AUC": "average_precision",
    "LOG_LOSS": "log_loss",
    "FALSE_POSITIVE_RATE": "false_positive_rate",
    "FALSE_NEGATIVE_RATE": "false_negative_rate",
    "SENSITIVITY": "recall",
    "SPECIFICITY": "specificity",
    "CALIBRATION": "calibration_gap",
    "MACRO_AVERAGED_PRECISION": "macro_precision",
    "MACRO_AVERAGED_RECALL": "macro_recall",
    "MAE": "mae",
    "MSE": "mse",
    "RMSE": "rmse",
    "R_SQUARED": "r2",
    "WAPE": "wape",
    "MEAN_ERROR": "bias",
    # Evidently
    "Accuracy": "accuracy",
    "Precision": "precision",
    "Recall": "recall",
    "F1Score": "f1",
    "TPR": "recall",
    "TNR": "specificity",
    "FPR": "false_positive_rate",
    "FNR": "false_negative_rate",
    "RocAuc": "roc_auc",
    "LogLoss": "log_loss",
    "MeanError": "bias",
    "R2Score": "r2",
    # NannyML and Azure Machine Learning
    "f1_score": "f1",
    # scikit-learn, where a shorter name is usual here
    "matthews_corrcoef": "mcc",
    "brier_score_loss": "brier",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "r2_score": "r2",
    "roc_auc_score": "roc_auc",
}
"""Names of other tools for the same metric."""


@dataclass(frozen=True, slots=True)
class PerformanceMetric:
    """One metric of a task."""

    tasks: frozenset[Task]
    estimate: Callable[[Scores], stats.Estimate]
    is_loss: bool = False
    """Whether lower values are better."""
    noun: str = ""
    """What people call it; its name with spaces when empty."""


BINARY, CLASSES = frozenset({Task.BINARY}), frozenset({Task.BINARY, Task.MULTICLASS})
MULTICLASS, REGRESSION = frozenset({Task.MULTICLASS}), frozenset({Task.REGRESSION})


PERFORMANCE_METRICS: Mapping[MetricName, PerformanceMetric] = {
    "accuracy": PerformanceMetric(CLASSES, lambda s: stats.accuracy(s.confusion)),
    "balanced_accuracy": PerformanceMetric(
        BINARY, lambda s: stats.balanced_accuracy(score_metrics.confusion_of(s))
    ),
    "precision": PerformanceMetric(
        BINARY, lambda s: stats.precision(score_metrics.confusion_of(s))
    ),
    "recall": PerformanceMetric(BINARY, lambda s: stats.recall(score_metrics.confusion_of(s))),
    "specificity": PerformanceMetric(
        BINARY, lambda s: stats.specificity(score_metrics.confusion_of(s))
    ),
    "false_positive_rate": PerformanceMetric(
        BINARY, lambda s: stats.false_positive_rate(score_metrics.confusion_of(s)), is_loss=True
    ),
    "false_negative_rate": PerformanceMetric(
        BINARY, lambda s: stats.false_negative_rate(score_metrics.confusion_of(s)), is_loss=True
    ),
    "f1": PerformanceMetric(BINARY, lambda s: stats.f1(score_metrics.confusion_of(s)), noun="F1"),
    "f0_5": PerformanceMetric(
        BINARY, lambda s: stats.f_beta(score_metrics.confusion_of(s), 0.5), noun="F0.5"
    ),
    "f2": PerformanceMetric(
        BINARY, lambda s: stats.f_beta(score_metrics.confusion_of(s), 2.0), noun="F2"
    ),
    "jaccard": PerformanceMetric(BINARY, lambda s: stats.jaccard(score_metrics.confusion_of(s))),
    "mcc": PerformanceMetric(CLASSES, lambda s: stats.mcc(s.confusion), noun="MCC"),
    "cohen_kappa": PerformanceMetric(
        CLASSES, lambda s: stats.cohen_kappa(s.confusion), noun="Cohen's kappa"
    ),
    "roc_auc": PerformanceMetric(
        BINARY,
        score_metrics.roc_auc,
        noun="ROC AUC",
    ),
    "average_precision": PerformanceMetric(
        BINARY, score_metrics.order_metric(stats.average_precision, score_metrics.MAX_HEAD_ERROR)
    ),
    "gain": PerformanceMetric(
        BINARY,
        score_metrics.order_metric(
            lambda n, p: stats.gain(n, p, DEPTH), score_metrics.MAX_HEAD_ERROR
        ),
    ),
    "lift": PerformanceMetric(
        BINARY,
        score_metrics.order_metric(
            lambda n, p: stats.lift(n, p, DEPTH), score_metrics.MAX_HEAD_ERROR
        ),
    ),
    "separation": PerformanceMetric(BINARY, score_metrics.order_metric(score_metrics.separation)),
    "log_loss": PerformanceMetric(
        BINARY,
        lambda s: stats.log_loss(s.sums.n, s.sums.log_loss, s.sums.log_loss2, s.sums.outside),
        is_loss=True,
    ),
    "brier": PerformanceMetric(
        BINARY,
        lambda s: stats.brier(s.sums.n, s.sums.brier, s.sums.brier2, s.sums.outside),
        is_loss=True,
    ),
    "calibration_gap": PerformanceMetric(
        BINARY,
        lambda s: stats.calibration_gap(
            s.sums.n, int(s.positives.sum()), s.sums.score, s.sums.brier, s.sums.outside
        ),
    ),
    "expected_calibration_error": PerformanceMetric(
        BINARY,
        score_metrics.calibration_metric(
            lambda cells: stats.expected_calibration_error(cells, ECE_BINS)
        ),
        is_loss=True,
    ),
    "calibration_intercept": PerformanceMetric(
        BINARY,
        score_metrics.calibration_metric(lambda cells: stats.calibration_line(cells).intercept),
    ),
    "calibration_slope": PerformanceMetric(
        BINARY, score_metrics.calibration_metric(lambda cells: stats.calibration_line(cells).slope)
    ),
    "spiegelhalter_z": PerformanceMetric(
        BINARY,
        score_metrics.calibration_metric(score_metrics.spiegelhalter),
        noun="Spiegelhalter's z",
    ),
    "macro_precision": PerformanceMetric(
        MULTICLASS, lambda s: stats.macro(s.confusion, "precision")
    ),
    "macro_recall": PerformanceMetric(MULTICLASS, lambda s: stats.macro(s.confusion, "recall")),
    "macro_f1": PerformanceMetric(
        MULTICLASS, lambda s: stats.macro(s.confusion, "f1"), noun="macro F1"
    ),
    "weighted_precision": PerformanceMetric(
        MULTICLASS, lambda s: stats.weighted(s.confusion, None, by_label=False)
    ),
    "weighted_recall": PerformanceMetric(MULTICLASS, lambda s: stats.weighted(s.confusion, None)),
    "weighted_f1": PerformanceMetric(
        MULTICLASS, lambda s: stats.weighted(s.confusion, 1.0), noun="weighted F1"
    ),
    "mae": PerformanceMetric(
        REGRESSION,
        lambda s: stats.mae(s.regression.n, s.regression.abs_e, s.regression.e2),
        is_loss=True,
        noun="MAE",
    ),
    "mse": PerformanceMetric(
        REGRESSION,
        lambda s: stats.mse(s.regression.n, s.regression.e2, s.regression.e4),
        is_loss=True,
        noun="MSE",
    ),
    "rmse": PerformanceMetric(
        REGRESSION,
        lambda s: stats.rmse(s.regression.n, s.regression.e2, s.regression.e4),
        is_loss=True,
        noun="RMSE",
    ),
    "wape": PerformanceMetric(REGRESSION, score_metrics.wape, is_loss=True, noun="WAPE"),
    "r2": PerformanceMetric(
        REGRESSION,
        lambda s: stats.r2(
            s.regression.n, s.regression.e2, s.regression.e4, s.regression.y, s.regression.y2
        ),
        noun="R²",
    ),
    "bias": PerformanceMetric(
        REGRESSION, lambda s: stats.bias(s.regression.n, s.regression.e, s.regression.e2)
    ),
}
"""Every metric that the scores of a window give."""

Headline = Literal[
    "accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "log_loss",
    "brier",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "mae",
    "rmse",
    "r2",
]

USUAL_METRICS: Mapping[Task, tuple[MetricName, ...]] = {
    Task.BINARY: (
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "log_loss",
        "brier",
        "calibration_gap",
    ),
    Task.MULTICLASS: ("accuracy", "macro_precision", "macro_recall", "macro_f1"),
    Task.REGRESSION: ("mae", "rmse", "r2", "bias"),
}
"""The metrics that are measured where the settings name none."""
RELATIVE_METRICS = frozenset({"mae", "rmse"})
DECISION_METRICS = frozenset(
    {
        "accuracy",
        "balanced_accuracy",
        "cohen_kappa",
        "f0_5",
        "f1",
        "f2",
        "false_negative_rate",
        "false_positive_rate",
        "jaccard",
        "mcc",
        "precision",
        "recall",
        "specificity",
    }
)
"""The metrics of the predicted classes of a binary model."""
NOUNS: Mapping[str, str] = {
    name: metric.noun for name, metric in PERFORMANCE_METRICS.items() if metric.noun
}
"""The name that people use for a metric, where it differs."""


def _noun(metric: str) -> str:
    return NOUNS.get(metric) or phrasing.clean(metric.replace("_", " "), 60)


def _drop_numbers(alert: AlertFact) -> tuple[str, float, float] | None:
    """The metric that `drop` compares: its noun, its value now and in the reference."""
    metric = alert.detail.get("metric")
    if not isinstance(metric, str):
        return None
    now, before = alert.detail.get(metric), alert.detail.get(f"{metric}_was")
    if not isinstance(now, (int, float)) or not isinstance(before, (int, float)):
        return None
    return _noun(metric), now, before


def _drop_sentence(alert: AlertFact) -> str:
    """Return the metric itself, now and in the reference."""
    if (numbers := _drop_numbers(alert)) is None:
        return ""
    noun, now, before = numbers
    return f"{noun} {phrasing.number(before)} → {phrasing.number(now)}"


def _past_drop_sentence(alert: AlertFact) -> str:
    if (numbers := _drop_numbers(alert)) is None:
        return ""
    noun, now, before = numbers
    return f"{noun} was {phrasing.number(now)} (usually {phrasing.number(before)})"


def _loss_sentence(alert: AlertFact) -> str:
    """Return the usual metric and its mean since the loss began, with the interval of that."""
    usual, now, low, high = (
        alert.detail.get(name) for name in ("usual", "now", "now_low", "now_high")
    )
    if not isinstance(usual, (int, float)) or not isinstance(now, (int, float)):
        return ""
    text = f"{_noun(alert.measurement)} {_figure(usual)} → {_figure(now)}"
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return text
    return f"{text} (95%: {_figure(low)} to {_figure(high)})"


def _figure(value: float) -> str:
    """Return the value with two decimals where it is a share that these show."""
    return f"{value:.2f}" if 0.1 <= abs(value) < 1 else phrasing.number(float(f"{value:.2g}"))


def _loss_wording(metric: str) -> Wording:
    return Wording(noun=NOUNS.get(metric, ""), sentence=_loss_sentence, hides_value=True)


LOSS_RULES = {
    "accuracy": loss(warning=0.03, critical=0.05),
    "recall": loss(warning=0.03, critical=0.05),
    "roc_auc": loss(warning=0.03, critical=0.05),
    "macro_recall": loss(warning=0.03, critical=0.05),
    "brier": loss(
        side="above",
        scale="relative",
        margins=(0.1, 0.2, 0.4),
        obvious=0.2,
        warning=0.1,
        critical=0.3,
    ),
    "calibration_gap": loss(side="both", warning=0.03, critical=0.1),
    "mae": loss(
        side="above", scale="log", margins=(0.1, 0.2, 0.4), obvious=0.2, warning=0.1, critical=0.3
    ),
    "rmse": loss(
        side="above", scale="log", margins=(0.1, 0.2, 0.4), obvious=0.2, warning=0.1, critical=0.3
    ),
}
"""The rules of the metrics that are judged by default."""


class Performance(Check):
    """Measures the metrics of the model's task on labelled rows, and their loss.

    By default accuracy, recall, ROC AUC, Brier score and calibration gap are judged for a binary
    model, accuracy and macro recall for several classes, MAE and RMSE for regression: each is
    compared with the reference, and `loss` adds up the evidence over windows. The calibration gap
    is the mean label less the mean score: it moves when the scores stay and the labels change.

    drop has no rule by default. It says how much worse the headline metric is: above 0 the model is
    worse than in the reference. For accuracy, AUC and similar metrics it is in the metric's own
    units (0.03 is three points), for MAE and RMSE a share of the reference's value. Its interval
    combines the intervals of both sides (MOVER; for MAE and RMSE on the log scale). The rows of
    precision are those predicted positive, of recall those labelled positive, of F1 both.

    | input | answer |
    | --- | --- |
    | no labelled rows | no value, with the reason |
    | nothing predicted positive | no precision, with the reason |
    | no positive label in the window | no recall, with the reason |
    | none in the reference either, or no two known classes | no metric, with the reason |
    | fewer than 10 positive or negative labels, or no scores | no roc_auc, with the reason |
    | scores that the reference does not have | no metric of their order, with the reason |
    | one row | errors and calibration gap without interval |
    | scores below 0 or above 1 | no log_loss, brier and calibration_gap, with the reason |
    | such scores without a prediction or threshold | no metric of classes, with the reason |
    | a class that is only labelled or only predicted | 0 for it in the macro averages |
    | all labels the same | r2 without value, with the reason |
    | no reference, or one without labels | drop without value, with the reason |
    | the same numbers on both sides | drop 0, with the interval 0 to 0 |
    """

    type = "performance"
    cause = "performance"
    main = "drop"
    collectors: ClassVar = frozenset({"scores"})
    default_rules: ClassVar = LOSS_RULES
    min_rows = 30
    default_for: ClassVar = frozenset({"label"})
    default_place = 80
    wordings: ClassVar = {
        **{metric: Wording(noun=noun) for metric, noun in NOUNS.items()},
        **{metric: _loss_wording(metric) for metric in PERFORMANCE_METRICS if metric != "bias"},
        "drop": Wording(sentence=_drop_sentence, past=_past_drop_sentence, hides_value=True),
    }

    metrics: tuple[MetricName, ...] = ()
    """The metrics to measure; when empty, the usual ones of the model's task.

    Gain and lift are those of the tenth of rows with the highest scores. The names that SageMaker,
    Arize, Evidently and scikit-learn use are accepted, too.
    """
    headline: Headline | None = None
    """The metric that `drop` compares. It plays no part in what is judged by default.

    When absent: roc_auc where there are scores, else accuracy; mae for regression.
    """

    decision: Decision | None = None
    """What should happen when a judged metric has changed, for actions that are bound to it."""

    @field_validator("metrics", "headline", mode="before")
    @classmethod
    def _use_own_names(cls, names: object) -> object:
        if isinstance(names, str):
            return METRIC_ALIASES.get(names, names)
        if isinstance(names, Sequence):
            return tuple(dict.fromkeys(METRIC_ALIASES.get(name, name) for name in names))
        return names

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield every metric, then the drop."""
        scores = ctx.current.scores
        ref_scores = ctx.reference.scores if ctx.reference else Scores()
        task = ctx.schema.task or _task(scores if scores.labelled else ref_scores)
        problem = label_use.unusable_reason(ctx)
        if problem:
            scores = Scores(rows=scores.rows)
        undecided = score_metrics.undecided_reason(ctx.schema, scores)
        if undecided:
            scores = replace(scores, confusion={})
        if score_metrics.undecided_reason(ctx.schema, ref_scores):
            ref_scores = replace(ref_scores, confusion={})
        if ctx.schema.score is not None:
            column = ctx.current.columns.get(ctx.schema.score.name)
            scores = score_metrics.check_order(scores, column)
        missing = _missing_rows(ctx, task, scores)
        for metric in self.metrics or USUAL_METRICS[task]:
            definition = PERFORMANCE_METRICS[metric]
            if task not in definition.tasks:
                tasks = " and ".join(sorted(definition.tasks))
                reason = f"{metric} is a metric of {tasks} models, not of {task} ones"
                yield Measurement(None, name=metric, rows=scores.labelled, reason=reason)
                continue
            cur, ref = definition.estimate(scores), definition.estimate(ref_scores)
            value, reason = _finite(cur.value), cur.reason
            if metric in DECISION_METRICS:
                reason = undecided or reason
            if value is None:
                yield Measurement(
                    None,
                    name=metric,
                    rows=scores.labelled,
                    reason=problem or missing or reason or "too large a number",
                )
            else:
                yield Measurement(
                    value,
                    name=metric,
                    rows=cur.n,
                    interval=_require_interval(cur.interval),
                    reason=reason,
                    was=_finite(ref.value),
                    was_interval=_require_interval(ref.interval),
                    decision=self.decision if metric in LOSS_RULES else None,
                )
        yield self._drop(task, scores, ref_scores, problem or missing)

    def _drop(self, task: Task, scores: Scores, ref_scores: Scores, problem: str) -> Measurement:
        has_scores = scores.sums.n > 0 or ref_scores.sums.n > 0
        usual: MetricName = (
            "mae"
            if task == Task.REGRESSION
            else "roc_auc"
            if task == Task.BINARY and has_scores
            else "accuracy"
        )
        metric = self.headline or usual
        definition = PERFORMANCE_METRICS[metric]
        cur, ref = definition.estimate(scores), definition.estimate(ref_scores)
        value, interval = (
            stats.growth(cur, ref) if metric in RELATIVE_METRICS else stats.change(cur, ref)
        )
        if value is None or interval is None:
            reason = problem or (
                f"the reference has no {metric}: {ref.reason}" if ref.value is None else cur.reason
            )
            reason = reason or f"{metric} has no interval here or in the reference"
            return Measurement(
                None, name="drop", rows=scores.labelled, reason=reason, detail={"metric": metric}
            )
        low, high = interval
        if not definition.is_loss:
            value, low, high = -value, -high, -low
        detail = {"metric": metric, f"{metric}_was": ref.value, metric: cur.value}
        if (shown := _require_interval(cur.interval)) is not None:
            detail |= {"shown_low": shown[0], "shown_high": shown[1]}
        return Measurement(
            value + 0.0,
            name="drop",
            rows=cur.n,
            interval=(low + 0.0, high + 0.0),
            detail=detail,
            decision=self.decision,
        )


def _task(scores: Scores) -> Task:
    if scores.regression.n:
        return Task.REGRESSION
    classes = {name for pair in scores.confusion for name in pair}
    return Task.BINARY if classes <= {"0", "1"} else Task.MULTICLASS


def _missing_rows(ctx: CheckContext, task: Task, scores: Scores) -> str:
    """Return why no row has a usable prediction and label; "" where one has."""
    if scores.labelled:
        return ""
    fields = (ctx.schema.prediction, ctx.schema.label)
    for field in fields if task is Task.REGRESSION else ():
        column = ctx.current.columns.get(field.name) if field else None
        if isinstance(column, NumericColumn) and column.infinities and not column.count:
            return f"{column.name} has {absent_values(column)}"
    return "no labelled rows"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _require_interval(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return interval if interval is not None and all(map(math.isfinite, interval)) else None


@hookimpl
def register_checks() -> list[type[Check]]:
    """The performance check."""
    return [Performance]
