"""The errors of a regression model in a window with no or few labels.

How large errors are by prediction is that of the labelled reference. Says why where it is not
known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from driftline import stats
from driftline.contracts.check import CheckContext
from driftline.profiles.exact import without_limit
from driftline.profiles.window import NumericColumn, PredictionErrors
from driftline.types.arrays import Floats
from driftline.types.model import Task

LEAST_LABELS = 200
"""Labelled rows of the reference below which nothing is said."""
LEAST_OF_GROUP = 5
"""Labelled rows of the reference below which a group of predictions is not known."""
MOST_BEYOND = 0.1
"""Share of rows with predictions that are not known above which nothing is said."""


@dataclass(frozen=True, kw_only=True)
class ErrorGroups:
    """Absolute and squared errors by group of predictions."""

    reference: PredictionErrors
    window: PredictionErrors
    rows: Floats
    """All rows of the window by group, shape (G,)."""

    def absolute(self) -> tuple[stats.GroupErrors, stats.GroupErrors]:
        """The absolute errors of reference and window."""
        return _groups(self.reference, "abs_e", "e2"), _groups(self.window, "abs_e", "e2")

    def squared(self) -> tuple[stats.GroupErrors, stats.GroupErrors]:
        """The squared errors of reference and window."""
        return _groups(self.reference, "e2", "e4"), _groups(self.window, "e2", "e4")


def group_errors(ctx: CheckContext) -> tuple[ErrorGroups | None, str]:
    """Return the errors of reference and window by prediction, or None and the reason."""
    prediction = ctx.schema.prediction
    column = ctx.current.columns.get(prediction.name) if prediction else None
    if ctx.schema.task is not Task.REGRESSION:
        return None, "the model is no regression"
    if ctx.reference is None:
        return None, "no reference yet"
    if not isinstance(column, NumericColumn) or not column.count:
        return None, "the window has no predictions"
    reference = ctx.reference.summaries.get("prediction_errors")
    if not isinstance(reference, PredictionErrors) or reference.rows.sum() < LEAST_LABELS:
        return None, f"fewer than {LEAST_LABELS} labelled rows in the reference"
    if without_limit(float(reference.e4.max())) == np.inf:
        return None, "errors of the reference are too large numbers"
    window = ctx.current.summaries.get("prediction_errors")
    if not isinstance(window, PredictionErrors):
        window = PredictionErrors(cuts=reference.cuts, rows=0 * reference.rows)
    rows = reference.rows_by_group(column)
    known = reference.rows >= LEAST_OF_GROUP
    outside = float(column.counts[0] + column.counts[-1])
    beyond = (float(rows[~known].sum()) + outside) / column.count
    if beyond > MOST_BEYOND:
        return None, f"{beyond:.0%} of predictions lie beyond those of the labelled reference"
    return ErrorGroups(reference=reference, window=window, rows=rows), ""


def _groups(errors: PredictionErrors, loss: str, loss2: str) -> stats.GroupErrors:
    return stats.GroupErrors(
        errors.rows.astype(np.float64), getattr(errors, loss), getattr(errors, loss2)
    )
