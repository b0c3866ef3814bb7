"""Says whether the labels of a window tell the classes of its model.

Does not judge: checks report it, and leave out the metrics.
"""

from __future__ import annotations

from collections.abc import Mapping

from driftline.contracts.check import CheckContext
from driftline.profiles.label_classes import is_unknown, listing
from driftline.profiles.window import CategoricalColumn, Scores
from driftline.types.model import Task

POSITIVE = "1"
"""The positive class in the confusion counts of a binary model."""


def unusable_reason(ctx: CheckContext) -> str:
    """Return why labels and predictions of a binary model give no metric; empty if they do.

    The reasons are: the positive class is not known, occurs neither in the window nor in the
    reference, or there are more than two classes. Empty for other models and without labels.
    """
    cur, ref = ctx.current.scores, ctx.reference.scores if ctx.reference else Scores()
    if ctx.schema.task is not Task.BINARY or not cur.label_values:
        return ""
    show_values = ctx.schema.label is None or ctx.schema.label.name not in ctx.schema.redact
    if cur.class_reason:
        return cur.class_reason if show_values else "its two classes are not known"
    if not (positive_rows(cur) or positive_rows(ref)):
        values = listing(cur.label_values)
        return "no label is the positive class" + (f": the labels are {values}" * show_values)
    if not cur.classes and len(cur.label_values) > 2:
        values = listing(cur.label_values)
        return "there are more than two labels" + (f": {values}" * show_values)
    return ""


def positive_rows(scores: Scores) -> int:
    """Return the rows of a binary model that are labelled with its positive class."""
    if scores.label_values:
        return scores.label_values.get(scores.positive, 0)
    decided = sum(rows for (label, _), rows in scores.confusion.items() if label == POSITIVE)
    return max(decided, int(scores.positives.sum()))


def class_counts(scores: Scores) -> Mapping[str, int]:
    """Return the rows by label, of labels that are a class of the model."""
    classes = frozenset(scores.classes)
    return {
        value: rows
        for value, rows in scores.label_values.items()
        if rows and (value in classes if classes else not is_unknown(value))
    }


def values_of_no_class(
    counts: Mapping[str, int], scores: Scores, ref_scores: Scores
) -> Mapping[str, int]:
    """Return the rows by value, of values that are no class of the model.

    Values that stand for an unknown label are left out where the reference has them too.
    """
    classes = frozenset(scores.classes)
    if not classes:
        return {}
    return {
        value: rows
        for value, rows in counts.items()
        if value not in classes and not (is_unknown(value) and value in ref_scores.label_values)
    }


def values_of(ctx: CheckContext, name: str) -> Mapping[str, int]:
    """Return the rows by value of a categorical column of the window, empty without it."""
    column = ctx.current.columns.get(name)
    return column.counts if isinstance(column, CategoricalColumn) else {}
