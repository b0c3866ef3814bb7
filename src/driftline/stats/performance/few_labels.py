"""A mean from many estimates and few labels: prediction-powered inference.

Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023), with power tuning (Angelopoulos, Duchi and
Zrnic 2023). The labelled rows must be a random sample of all rows.
"""

from __future__ import annotations

import math

from driftline.stats.basics.estimate import Z95, Estimate


def prediction_powered_mean(
    *,
    rows: int,
    estimated_mean: float,
    estimated_variance: float,
    labels: int,
    labelled_mean: float,
    labelled_variance: float,
    estimated_mean_of_labelled: float,
    estimated_variance_of_labelled: float,
    covariance: float,
    power: float | None = None,
) -> Estimate:
    """The mean of a quantity that is estimated in all rows and known in a few.

    Args:
        rows: Rows without a label.
        estimated_mean: Mean of the estimate over them.
        estimated_variance: Variance of the estimate.
        labels: Rows with a label.
        labelled_mean: Mean of the true quantity over these.
        labelled_variance: Its variance.
        estimated_mean_of_labelled: Mean of the estimate over the labelled rows.
        estimated_variance_of_labelled: Its variance over them.
        covariance: Covariance of estimate and true quantity over them.
        power: How much the estimates count, from 0 to 1. By default as much as makes the interval
            narrowest.

    Returns:
        The mean with its interval; with the default power it is never wider than that of the labels
        alone. Without two labels there is none.
    """
    if labels < 2:
        return Estimate(None, n=labels, reason="fewer than two labels")
    if not rows:
        power = 0.0
    elif power is None:
        spread = estimated_variance_of_labelled
        power = covariance / (spread * (1 + labels / rows)) if spread > 0 else 0.0
    value = labelled_mean + power * (estimated_mean - estimated_mean_of_labelled)
    # Over the labelled rows, label and estimate vary together: their difference varies less.
    rest = labelled_variance - 2 * power * covariance + power**2 * estimated_variance_of_labelled
    variance = max(0.0, rest) / labels
    if rows > 0:
        variance += power**2 * estimated_variance / rows
    se = math.sqrt(variance)
    return Estimate(value, se, (value - Z95 * se, value + Z95 * se), rows + labels)
