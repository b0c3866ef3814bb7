"""Measures how well the model predicts, and judges whether it lastingly predicts worse.

Needs labels; rows without a label are left out. An undefined metric has no value and a reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import PositiveInt, field_validator

from driftline import Check, CheckContext, Measurement, NumericColumn, hookimpl, stats
from driftline.kit.checks import (
    Chart,
    Decision,
    Scores,
    Task,
    Wording,
    class_metrics,
    error_metrics,
    label_use,
    score_metrics,
)
from driftline.kit.checks.comparison import absent_values

from .loss_rules import LOSS_RULES
from .metric_baselines import (
    BASELINES,
    OF_BASELINE,
    measure_baseline,
)
from .metric_names import (
    METRIC_ALIASES,
    NAMES_OF_TOOLS,
    Headline,
    MetricName,
)
from .metric_table import (
    DECISION_METRICS,
    NOUNS,
    PERFORMANCE_METRICS,
    RELATIVE_METRICS,
    USUAL_METRICS,
    usual_metrics,
)
from .sentences import (
    DROP_WORDING,
    MEANINGS,
    loss_wording,
    noun_of,
)

__all__ = [
    "BASELINES",
    "METRIC_ALIASES",
    "NAMES_OF_TOOLS",
    "PERFORMANCE_METRICS",
    "USUAL_METRICS",
    "Performance",
    "register_checks",
]


class Performance(Check):
    """Measures the metrics of the model's task on labelled rows, and their loss.

    By default accuracy, recall, ROC AUC, Brier score and calibration gap are judged for a binary
    model, accuracy and macro recall for several classes, MAE, RMSE and the coverage of prediction
    intervals for regression, NDCG and hit rate for rankings (the rows are groups), and micro F1 for
    sets of classes: each is
    compared with the reference, and `loss` adds up the evidence over windows. The calibration gap
    is the mean label less the mean score: it moves when the scores stay and the labels change. The
    slope of the calibration, which is judged where `metrics` names it, also moves where high scores
    mean less than they did and low ones more. The debiased calibration error is the squared one
    less what chance adds, below 0 by chance (Kumar, Liang and Ma 2019).

    drop has no rule by default. It says how much worse the headline metric is: above 0 the model is
    worse than in the reference. For accuracy, AUC and similar metrics it is in the metric's own
    units (0.03 is three points), for errors such as MAE a share of the reference's value. Its
    interval combines the intervals of both sides (MOVER; for errors on the log scale). The rows of
    precision are those predicted positive, of recall those labelled positive, of F1 both.

    METRIC_of_baseline is the headline metric of a prediction without a model: the most frequent
    class, the shares of the classes, one number, a random order. A metric that is no better says
    so, in messages, too.

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
    | an infinite label or prediction | no metric of errors, with the reason |
    | a label of 0 | no mape, with the reason |
    | a label or prediction of -1 or below | no msle and rmsle, with the reason |
    | a lower end above the upper one | no metric of prediction intervals, with the reason |
    | probabilities outside of 0 to 1, or whose sum is not 1 | no log_loss, brier and roc_auc_ovr |
    | a label of a class without probability | the same; a miss for top_k_accuracy |
    | fewer than 10 labels of a class | no roc_auc_ovr, with the reason |
    | a group of one item | it is left out of ndcg, mrr and mean_average_precision |
    | no relevant item in any group | no metric of rankings but precision_at_k |
    | a label of a ranking below 0 | no metric, with the reason |
    | series without labels in the reference | they are left out of mase; without any, no value |
    | no reference, or one without labels | drop without value, with the reason |
    | the same numbers on both sides | drop 0, with the interval 0 to 0 |
    """

    type = "performance"
    cause = "performance"
    main = "drop"
    collectors: ClassVar = frozenset({"scores"})
    default_rules: ClassVar = LOSS_RULES
    remedies: ClassVar = {
        "calibration_gap": Decision.RECALIBRATE,
        "calibration_slope": Decision.RECALIBRATE,
        "calibration_intercept": Decision.RECALIBRATE,
        "brier": Decision.RECALIBRATE,
    }
    min_rows = 30
    default_for: ClassVar = frozenset({"label"})
    uses_labels = True
    default_place = 80
    charts: ClassVar = {
        metric: Chart(beside=f"estimated_{metric}") for metric in PERFORMANCE_METRICS
    }
    wordings: ClassVar = {
        **{
            metric: Wording(noun=NOUNS.get(metric, ""), meaning=MEANINGS.get(metric, ""))
            for metric in {**NOUNS, **MEANINGS}
        },
        **{metric: loss_wording(metric) for metric in PERFORMANCE_METRICS if metric != "bias"},
        **{
            f"{metric}{OF_BASELINE}": Wording(noun=f"{noun_of(metric)} without a model")
            for metric in BASELINES
        },
        "drop": DROP_WORDING,
    }

    metrics: tuple[MetricName, ...] = ()
    """The metrics to measure; when empty, the usual ones of the model's task.

    Gain and lift are those of the tenth of rows with the highest scores. The names that SageMaker,
    Arize, Evidently and scikit-learn use are accepted, too.
    """
    headline: Headline | None = None
    """The metric that `drop` compares. It plays no part in what is judged by default.

    When absent: roc_auc where there are scores, else accuracy; mae for regression, ndcg for
    rankings.
    """

    k: PositiveInt | None = None
    """The first items of a ranking that count (default 10), or the likeliest classes (2)."""

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
        if self.k is not None:
            scores, ref_scores = replace(scores, k=self.k), replace(ref_scores, k=self.k)
        missing = _missing_rows(ctx, task, scores)
        for metric in self.metrics or usual_metrics(task, ctx.schema):
            reason = problem or missing or (undecided if metric in DECISION_METRICS else "")
            is_of_class = PERFORMANCE_METRICS[metric].of_class is not None
            if is_of_class and ctx.schema.label and ctx.schema.label.name in ctx.schema.redact:
                reason = reason or "the names of the classes are redacted"
            if is_of_class and not reason:
                yield from self._by_class(metric, task, scores, ref_scores)
            else:
                yield self._measure(metric, task, scores, ref_scores, reason)
        yield from self._of_horizons(ctx, task, scores, ref_scores, problem or missing)
        yield self._drop(task, scores, ref_scores, problem or missing)
        yield from self._baseline_of_headline(task, scores, ref_scores, problem or missing)

    def _of_horizons(
        self,
        ctx: CheckContext,
        task: Task,
        scores: Scores,
        ref_scores: Scores,
        problem: str,
    ) -> Iterator[Measurement]:
        """The metrics of each horizon of the window or the reference, with the label `horizon`."""
        part = ctx.schema.task_columns.horizon
        if part is None or part.path in ctx.schema.redact:
            return
        current, reference = (error_metrics.by_horizon(s) for s in (scores, ref_scores))
        for horizon in {**reference, **current}:
            sides = current.get(horizon, Scores()), reference.get(horizon, Scores())
            for metric in self.metrics or usual_metrics(task, ctx.schema):
                measurement = self._measure(metric, task, *sides, problem)
                yield replace(measurement, labels={"horizon": horizon})

    def _by_class(
        self, metric: MetricName, task: Task, scores: Scores, ref_scores: Scores
    ) -> Iterator[Measurement]:
        """The metric of each class, with the label `class`."""
        definition = PERFORMANCE_METRICS[metric]
        if definition.of_class is None or task not in definition.tasks:
            yield self._measure(metric, task, scores, ref_scores, "")
            return
        references = class_metrics.confusion_by_class(ref_scores)
        for name, confusion in class_metrics.confusion_by_class(scores).items():
            cur = definition.of_class(confusion)
            ref = definition.of_class(references[name]) if name in references else None
            yield Measurement(
                cur.value,
                {"class": name},
                name=metric,
                rows=cur.n,
                interval=cur.interval,
                reason=cur.reason,
                was=ref.value if ref else None,
                was_interval=ref.interval if ref else None,
            )

    def _measure(
        self, metric: MetricName, task: Task, scores: Scores, ref_scores: Scores, problem: str
    ) -> Measurement:
        """One metric of the window; `problem` says why its labels can't be used."""
        definition = PERFORMANCE_METRICS[metric]
        if task not in definition.tasks:
            tasks = " and ".join(sorted(definition.tasks))
            reason = f"{metric} is a metric of {tasks} models, not of {task} ones"
            return Measurement(None, name=metric, rows=scores.labelled, reason=reason)
        cur, ref = definition.estimate(scores), definition.estimate(ref_scores)
        value, reason, detail = _finite(cur.value), cur.reason, {}
        if value is None:
            return Measurement(
                None,
                name=metric,
                rows=scores.labelled,
                reason=problem or reason or "too large a number",
            )
        baseline = measure_baseline(metric, scores)
        if baseline is not None and (
            value >= baseline if definition.is_loss else value <= baseline
        ):
            reason = reason or f"no better than {BASELINES[metric][1]}: {baseline:.3g}"
            detail = {"baseline": baseline}
        return Measurement(
            value,
            name=metric,
            rows=cur.n,
            interval=_require_interval(cur.interval),
            reason=reason,
            detail=detail,
            was=_finite(ref.value),
            was_interval=_require_interval(ref.interval),
            decision=self.decision if metric in LOSS_RULES else None,
        )

    def _headline(self, task: Task, scores: Scores, ref_scores: Scores) -> MetricName:
        """The metric that `drop` compares."""
        has_scores = scores.sums.n > 0 or ref_scores.sums.n > 0
        usual: MetricName = (
            "mae"
            if task == Task.REGRESSION
            else "ndcg"
            if task == Task.RANKING
            else "subset_accuracy"
            if task == Task.MULTILABEL
            else "roc_auc"
            if task == Task.BINARY and has_scores
            else "accuracy"
        )
        return self.headline or usual

    def _baseline_of_headline(
        self, task: Task, scores: Scores, ref_scores: Scores, problem: str
    ) -> Iterator[Measurement]:
        """The headline metric of a prediction without a model, where it exists."""
        metric = self._headline(task, scores, ref_scores)
        if metric not in BASELINES:
            return
        value = None if problem else measure_baseline(metric, scores)
        was = measure_baseline(metric, ref_scores)
        yield Measurement(
            value,
            name=f"{metric}{OF_BASELINE}",
            rows=scores.labelled,
            reason=f"of {BASELINES[metric][1]}"
            if value is not None
            else problem or "the labels have no such prediction",
            was=was if value is not None else None,
        )

    def _drop(self, task: Task, scores: Scores, ref_scores: Scores, problem: str) -> Measurement:
        metric = self._headline(task, scores, ref_scores)
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
