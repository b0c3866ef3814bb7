"""Finds the period of a series: after how many values it repeats."""

from __future__ import annotations

import numpy as np

from driftline.types.arrays import Floats

LEAST_CORRELATION = 0.3
"""The autocorrelation at a period."""
LEAST_RISE = 0.2
"""The height of a peak above the lowest lag before it."""
NEAR = 0.92
"""The shortest lag whose autocorrelation is this share of the greatest one is the period."""
FEWEST_PERIODS = 3


def find_period(values: Floats) -> int | None:
    """The period of `values`, shape (n,), finite, in values; None where there is none.

    It is the lag of the greatest peak of the autocorrelation, after a line and outliers are
    removed, of at least 2 and at most a third of the values.
    """
    n = len(values)
    longest = n // FEWEST_PERIODS
    if longest < 3:
        return None
    places = np.arange(n, dtype=np.float64)
    line = np.polyfit(places, values, 1)
    rest = values - np.polyval(line, places)
    middle = float(np.median(rest))
    spread = float(np.median(np.abs(rest - middle)))
    if spread <= 0:
        return None
    rest = np.clip(rest - middle, -6 * spread, 6 * spread)
    rest -= rest.mean()
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(rest, size)
    sums = np.fft.irfft(spectrum * np.conj(spectrum), size)[: longest + 1]
    if not 0 < sums[0] < np.inf:
        return None  # Squares of huge and of tiny numbers do not exist.
    # Sums of fewer products at longer lags: each is brought to the same number.
    correlation = sums / sums[0] * n / (n - np.arange(longest + 1))
    inner = correlation[1:-1]
    is_peak = (inner >= correlation[:-2]) & (inner > correlation[2:])
    lags = np.flatnonzero(is_peak & (inner >= LEAST_CORRELATION)) + 1
    # Near lag 0 every smooth series correlates: a peak stands above the lags before it.
    valleys = np.minimum.accumulate(correlation)[lags]
    lags = lags[(lags >= 2) & (correlation[lags] - valleys >= LEAST_RISE)]
    if not len(lags):
        return None
    near = correlation[lags] >= NEAR * correlation[lags].max()
    first = int(lags[near][0])
    # A broad peak has several tops by noise: its highest one is the period.
    begin, end = int(0.8 * first), min(int(1.25 * first) + 1, longest)
    return begin + int(correlation[begin : end + 1].argmax()) if first > 8 else first
