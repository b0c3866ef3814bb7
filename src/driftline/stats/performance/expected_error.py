"""The mean error of a window without labels, from how large errors are by prediction.

The direct loss estimate: the mean error of each group of predictions is that of labelled rows, and
the window says how many rows each group has. It holds while errors of the same predictions stay as
large as they were.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from driftline.stats.basics.estimate import Estimate, log_interval
from driftline.stats.performance.few_labels import prediction_powered_mean
from driftline.types.arrays import Floats

FEWEST_LABELS = 30
"""Labels of a window below which they correct nothing."""


class GroupErrors(NamedTuple):
    """Labelled rows by group of predictions, with sums of a loss; each of shape (G,)."""

    rows: Floats
    loss: Floats
    """Sums of the loss, such as |e| or e squared."""
    loss2: Floats
    """Sums of its square."""

    @property
    def mean(self) -> Floats:
        """Mean loss by group; that of all rows for a group of fewer than two."""
        overall = float(self.loss.sum()) / max(float(self.rows.sum()), 1.0)
        return np.where(self.rows > 1, self.loss / np.maximum(self.rows, 1.0), overall)

    @property
    def variance(self) -> Floats:
        """Variance of the loss by group; that of all rows for a group of fewer than two."""
        n = max(float(self.rows.sum()), 1.0)
        overall = float(self.loss2.sum()) / n - (float(self.loss.sum()) / n) ** 2
        own = self.loss2 / np.maximum(self.rows, 1.0) - self.mean**2
        degrees = self.rows / np.maximum(self.rows - 1, 1.0)
        values: Floats = np.maximum(np.where(self.rows > 1, own * degrees, overall), 0.0)
        return values

    def error_of_mean(self, rows: Floats) -> float:
        """Standard error of the mean loss of `rows` by group, from chance in these labels."""
        n = float(rows.sum())
        return math.sqrt(float(np.sum((rows / n) ** 2 * self.variance / np.maximum(self.rows, 1))))


def expected_loss(reference: GroupErrors, rows: Floats) -> Estimate:
    """Return the mean loss of `rows` by group, shape (G,), with the error of both sides' labels."""
    n = float(rows.sum())
    if not n:
        return Estimate(None, reason="no predictions")
    value = float(np.sum(rows * reference.mean)) / n
    chance = math.sqrt(float(np.sum(rows * reference.variance))) / n
    se = math.hypot(reference.error_of_mean(rows), chance)
    return Estimate(value, se, log_interval(value, se), int(n))


def corrected_loss(reference: GroupErrors, window: GroupErrors, rows: Floats) -> Estimate | None:
    """Return the mean loss of `rows`; the rows of `window` are among them and have labels.

    None with fewer than `FEWEST_LABELS`.
    """
    n, unlabelled = float(window.rows.sum()), np.maximum(rows - window.rows, 0.0)
    rest, promise = float(unlabelled.sum()), reference.mean
    if n < FEWEST_LABELS:
        return None
    known, promised = float(window.loss.sum()) / n, float(np.sum(window.rows * promise)) / n
    others = float(np.sum(unlabelled * promise)) / rest if rest else 0.0
    estimate = prediction_powered_mean(
        rows=round(rest),
        estimated_mean=others,
        estimated_variance=float(np.sum(unlabelled * (promise - others) ** 2)) / max(rest, 1.0),
        labels=round(n),
        labelled_mean=known,
        labelled_variance=max(0.0, float(window.loss2.sum()) / n - known**2),
        estimated_mean_of_labelled=promised,
        estimated_variance_of_labelled=float(np.sum(window.rows * (promise - promised) ** 2)) / n,
        covariance=float(np.sum(promise * window.loss)) / n - known * promised,
        power=rest / (rest + n),
    )
    assert estimate.value is not None
    assert estimate.se is not None
    value = max(estimate.value, 0.0)
    return Estimate(value, estimate.se, log_interval(value, estimate.se), int(rest + n))


def loss_correction(reference: GroupErrors, window: GroupErrors) -> Estimate:
    """Return how much larger the loss of the labelled rows is than expected of them, as a share.

    While errors are as large as they were, it is 0 but for chance.
    """
    n, promise = float(window.rows.sum()), reference.mean
    if n < 2:
        return Estimate(None, n=int(n), reason="fewer than two rows of the window have a label")
    promised = float(np.sum(window.rows * promise)) / n
    if not promised > 0:
        return Estimate(None, n=int(n), reason="the model made no errors in the reference")
    gap = float(window.loss.sum()) / n - promised
    squares = float(np.sum(window.loss2 - 2 * promise * window.loss + window.rows * promise**2))
    expected = float(np.sum(window.rows * reference.variance)) / n
    se = math.sqrt(max(squares / n - gap**2, expected, 0.0) / n) / promised
    value = gap / promised
    interval = log_interval(1 + value, se)
    bounds = None if interval is None else (interval[0] - 1, interval[1] - 1)
    return Estimate(value, se, bounds, int(n))
