"""Finds labels and predictions that are no class of the model, and watches the share of positives.

Does not judge how well the model predicts: the `performance` check does.
"""

from __future__ import annotations

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
from driftline.kit.checks import Scores, Task, Wording, label_use, phrasing

EXAMPLES = 5
"""Values that a message names."""


def _sentence(alert: AlertFact) -> str:
    if alert.value is None:
        return ""
    if problem := alert.detail.get("problem"):
        return f"no metric: {phrasing.clean(problem)}"
    values = alert.detail.get("values")
    return f"{phrasing.share(alert.value)} of the values are no class" + (
        f": {phrasing.clean(values)}" if values else ""
    )


def _past(alert: AlertFact) -> str:
    return (
        "" if alert.value is None else f"{phrasing.share(alert.value)} of its values were no class"
    )


class LabelClasses(Check):
    """Measures the share of labels and predictions that are no class of the model.

    unknown_class_rate is the share of a column's values that are no class, such as `pending`, or
    `Yes` where the reference has `yes`. Such a label counts as not known. The classes of a binary
    model are the positive class and the one other value of the reference; of a model of several
    classes, the labels and predictions of the reference. It is 1 where a binary model has no
    metric: its positive class is not known or occurs in no label, or it has more than two classes.
    Values that stand for an unknown label, such as `pending`, do not count where the reference has
    them too. For regression it is the share of labels that are no numbers. Its interval is exact
    (Clopper and Pearson).

    positive_rate is the share of the positive class among the labels, with Wilson's interval.

    | input | answer |
    | --- | --- |
    | no labels, or no predictions | no value, with the reason |
    | no reference, or one without labels and predictions | the classes are 1 and 0 |
    | several classes, and a reference without labels | every label is a class |
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
    }
    min_rows = 10
    default_for: ClassVar = frozenset({"label"})
    default_place = 85
    wordings: ClassVar = {
        "unknown_class_rate": Wording(
            noun="values of no class",
            sentence=_sentence,
            past=_past,
            advice=lambda alert: (
                "Compare the values with those of the reference and with prediction.positive."
            ),
        ),
        "positive_rate": Wording(
            noun="share of positive labels",
            advice=lambda alert: (
                "Look at the feed of labels first; then at what changed for the model's subjects."
            ),
        ),
    }

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield a measurement for the label, two for a binary model, and the share of positives."""
        schema, scores = ctx.schema, ctx.current.scores
        if schema.label is None:
            return
        label = schema.label.name
        if schema.task is Task.REGRESSION:
            yield _invalid_rate(ctx, label)
            return
        problem = label_use.unusable_reason(ctx)
        yield _unknown_class_rate(ctx, label, scores.label_values, problem)
        if schema.task is not Task.BINARY:
            return
        if schema.prediction is not None:
            name = schema.prediction.name
            yield _unknown_class_rate(ctx, name, label_use.values_of(ctx, name))
        yield _positive_rate(ctx, problem)


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


@hookimpl
def register_checks() -> list[type[Check]]:
    """The label_classes check."""
    return [LabelClasses]
