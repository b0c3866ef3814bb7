"""Metrics of the errors of a regression or forecast, from the sums of a window.

A metric that does not exist has no value, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from driftline import stats
from driftline.profiles.window import ErrorSums, Scores
from driftline.stats.basics.estimate import Estimate

ErrorMetric = Callable[[ErrorSums], Estimate]

EARLIER = "these rows were summarised before this metric existed"


def of_scores(metric: ErrorMetric) -> Callable[[Scores], Estimate]:
    """Return the metric of all rows; it has no value where a label or prediction is infinite."""

    def estimate(s: Scores) -> Estimate:
        if s.errors.infinite:
            rows = "row has" if s.errors.infinite == 1 else "rows have"
            reason = f"{s.errors.infinite} labelled {rows} an infinite label or prediction"
            return Estimate(None, reason=reason)
        if s.labelled and not s.errors.total.n:
            return Estimate(None, reason=EARLIER)
        return metric(s.errors.total)

    return estimate


def of_base_sums(metric: ErrorMetric) -> Callable[[Scores], Estimate]:
    """Return a metric of the sums that profiles of earlier versions have, too."""
    whole = of_scores(metric)

    def estimate(s: Scores) -> Estimate:
        if s.errors.infinite or s.errors.total.n >= s.regression.n:
            return whole(s)
        r = s.regression
        sums = ErrorSums(
            n=r.n,
            e=r.e,
            abs_e=r.abs_e,
            e2=r.e2,
            e4=r.e4,
            abs_y=r.abs_y,
            y=r.y,
            y2=r.y2,
            centre=r.centre,
        )
        return metric(sums)

    return estimate


def mape(e: ErrorSums) -> Estimate:
    """Mean of |e / y|."""
    if e.zeros:
        are = "label is" if e.zeros == 1 else "labels are"
        return Estimate(
            None, reason=f"{e.zeros} {are} 0, where a share of the label does not exist"
        )
    return stats.mean_loss(e.n, e.percent, e.percent2)


def smape(e: ErrorSums) -> Estimate:
    """Mean of 2 |e| / (|p| + |y|), 0 to 2."""
    return stats.mean_loss(e.n, e.symmetric, e.symmetric2)


def msle(e: ErrorSums) -> Estimate:
    """Mean of the squared difference of log(1 + p) and log(1 + y)."""
    return _no_logarithm(e) or stats.mean_loss(e.n, e.log2, e.log4)


def rmsle(e: ErrorSums) -> Estimate:
    """Root of the MSLE."""
    return _no_logarithm(e) or stats.root_mean_loss(e.n, e.log2, e.log4)


def _no_logarithm(e: ErrorSums) -> Estimate | None:
    if not e.beyond_log:
        return None
    rows = "row has" if e.beyond_log == 1 else "rows have"
    reason = f"{e.beyond_log} {rows} a label or prediction of -1 or below, without logarithm"
    return Estimate(None, reason=reason)


def wape(e: ErrorSums) -> Estimate:
    """WAPE: the MAE and its interval over the mean absolute label, which counts as exact."""
    mae = stats.mae(e.n, e.abs_e, e.e2)
    if mae.value is None:
        return mae
    value = stats.wape(e.abs_e, e.abs_y)
    if value is None:
        return Estimate(None, n=e.n, reason="every label is 0")
    return _scaled(mae, value, e.n / e.abs_y)


def _scaled(estimate: Estimate, value: float, factor: float) -> Estimate:
    ends = estimate.interval
    return Estimate(
        value,
        None if estimate.se is None else estimate.se * factor,
        None if ends is None else (ends[0] * factor, ends[1] * factor),
        estimate.n,
    )


def mase(e: ErrorSums) -> Estimate:
    """Mean of |e| over the error of the seasonal naive forecast of its series in the reference.

    (Hyndman and Koehler 2006.)
    """
    reason = (
        "the reference has no seasonal naive forecast of these series: it needs labels and times, "
        "at least a season apart"
    )
    return stats.mean_loss(e.scaled, e.scaled_e, e.scaled_e2, reason if e.n else "no labelled rows")


def error_quantile(q: float) -> ErrorMetric:
    """Return the quantile `q` of |e|."""
    return lambda e: stats.error_quantile(e.cells, e.cell_rows, e.largest, q)


def max_error(e: ErrorSums) -> Estimate:
    """The largest |e|; it has no interval."""
    if not e.n:
        return Estimate(None, reason="no labelled rows")
    return Estimate(e.largest, n=e.n)


def pinball(e: ErrorSums) -> Estimate:
    """Mean pinball loss of both ends of the prediction interval."""
    return _no_interval(e) or stats.mean_loss(e.intervals, e.quantile_loss, e.quantile_loss2)


def interval_coverage(e: ErrorSums) -> Estimate:
    """Share of labels in the prediction interval, its ends included; Wilson's interval."""
    if (without := _no_interval(e)) is not None:
        return without
    share = e.covered / e.intervals
    return Estimate(share, None, stats.wilson(e.covered, e.intervals), e.intervals)


def interval_width(e: ErrorSums) -> Estimate:
    """Mean width of the prediction interval."""
    return _no_interval(e) or stats.mean_loss(e.intervals, e.width, e.width2)


def _no_interval(e: ErrorSums) -> Estimate | None:
    if e.crossed:
        rows = "row" if e.crossed == 1 else "rows"
        reason = f"the lower end of the interval is above the upper one in {e.crossed} {rows}"
        return Estimate(None, reason=reason)
    if not e.intervals:
        return Estimate(None, reason="no labelled row has a prediction interval")
    return None


def by_horizon(scores: Scores) -> Mapping[str, Scores]:
    """Return the scores of each horizon, with nothing but the errors."""
    return {
        horizon: replace(
            Scores(), rows=sums.n, labelled=sums.n, errors=replace(scores.errors, total=sums)
        )
        for horizon, sums in scores.errors.by_horizon.items()
    }
