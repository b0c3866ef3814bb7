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

    Returns:
        The mean with its interval, never wider than that of the labels alone; without two labels
        there is none.
    """
    if labels < 2:
        return Estimate(None, n=labels, reason="fewer than two labels")
    power = 0.0
    if rows > 0 and estimated_variance_of_labelled > 0:
        power = covariance / (estimated_variance_of_labelled * (1 + labels / rows))
    value = labelled_mean + power * (estimated_mean - estimated_mean_of_labelled)
    # Over the labelled rows, label and estimate vary together: their difference varies less.
    rest = labelled_variance - 2 * power * covariance + power**2 * estimated_variance_of_labelled
    variance = max(0.0, rest) / labels
    if rows > 0:
        variance += power**2 * estimated_variance / rows
    se = math.sqrt(variance)
    return Estimate(value, se, (value - Z95 * se, value + Z95 * se), rows + labels)
