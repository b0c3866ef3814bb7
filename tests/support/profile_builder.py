"""Windows, made from raw values the way a profile would: for the tests of the checks."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np

from driftline import CategoricalColumn, CheckContext, Field, NumericColumn, Schema, Window
from driftline.kit.checks import PastValue, Scores
from driftline.profiles.window import RegressionSums, ScoreSums

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def edges_of(values):
    """The grid of a reference: up to 1,500 of its quantiles."""
    kept = finite(values)
    return (
        np.unique(np.quantile(kept, np.linspace(0, 1, 1500), method="inverted_cdf"))
        if len(kept)
        else np.empty(0)
    )


def finite(values):
    array = np.array([np.nan if value is None else value for value in values], dtype=float)
    return array[np.isfinite(array) & (np.abs(array) <= 1e150)]


def cells(edges, values):
    place = np.searchsorted(edges, values)
    hit = (
        (place < len(edges)) & (edges[np.minimum(place, max(len(edges) - 1, 0))] == values)
        if len(edges)
        else 0
    )
    return np.bincount(2 * place + hit, minlength=2 * len(edges) + 1).astype(np.int64)


def numeric(name, values, edges=None, invalid=0):
    values = list(values)
    kept = finite(values)
    nulls = sum(value is None for value in values)
    nans = int(sum(value is not None and np.isnan(value) for value in values))
    grid = edges_of(values) if edges is None else edges
    with np.errstate(all="ignore"):
        variance = float(np.var(kept, ddof=1)) if len(kept) > 1 else None
    return NumericColumn(
        name=name,
        rows=len(values),
        nulls=nulls,
        nans=nans,
        infinities=len(values) - nulls - nans - len(kept),
        invalid=invalid,
        edges=grid,
        counts=cells(grid, kept),
        minimum=float(kept.min()) if len(kept) else None,
        maximum=float(kept.max()) if len(kept) else None,
        mean=float(np.mean(kept)) if len(kept) else None,
        variance=variance,
    )


def categorical(name, values, bound=1000, invalid=0):
    values = list(values)
    ranked = sorted(
        Counter(value for value in values if value is not None).items(),
        key=lambda pair: (-pair[1], pair[0]),
    )
    return CategoricalColumn(
        name=name,
        rows=len(values),
        nulls=sum(value is None for value in values),
        invalid=invalid,
        counts=dict(ranked[:bound]),
        other=sum(count for _, count in ranked[bound:]),
        distinct=len(ranked),
    )


def column(name, values, like=None):
    if any(isinstance(value, str) for value in values):
        return categorical(name, values)
    return numeric(name, values, like.edges if isinstance(like, NumericColumn) else None)


def pair(now, was):
    """A window and its reference, one column `x`, on the reference's grid; `was` None for no
    reference.
    """
    reference = None if was is None else Window(rows=len(was), columns={"x": column("x", was)})
    like = reference.columns["x"] if reference else None
    return Window(
        rows=len(now), columns={"x": column("x", now, like)}, start=START, end=START + HOUR
    ), reference


def context(current, reference=None, past=(), **schema):
    def history(name, labels=None, limit=100):
        return list(past)[-limit:] if name == "rows" else []

    return CheckContext(
        current=current, reference=reference, schema=Schema(**schema), history=history
    )


def compare(check, now, was, **schema):
    """The measurements of column `x`, by name."""
    current, reference = pair(now, was)
    return {m.name: m for m in check.evaluate(context(current, reference, **schema))}


def judged(check, measurement, rule=None):
    """The verdict of a rule, or of the check's own one, on a measurement."""
    rows = measurement.rows if measurement.rows is not None else 10**6
    rule = rule or check.default_rules[measurement.name]
    return rule.judge(measurement, rows, check.min_rows).verdict.value


def severity(check, measurement, rule=None):
    rows = measurement.rows if measurement.rows is not None else 10**6
    rule = rule or check.default_rules[measurement.name]
    return rule.judge(measurement, rows, check.min_rows).severity


def binary_scores(y, s, threshold=0.5, edges=None):
    y, s = np.asarray(y, dtype=float), np.asarray(s, dtype=float)
    grid = np.unique(s) if edges is None else edges
    counted = Counter((str(int(a)), str(int(b >= threshold))) for a, b in zip(y, s, strict=True))
    squares = (s - y) ** 2
    p = np.clip(s, 1e-15, 1 - 1e-15)
    losses = -np.log(np.where(y == 1, p, 1 - p))
    sums = ScoreSums(
        n=len(y),
        brier=float(squares.sum()),
        brier2=float((squares**2).sum()),
        log_loss=float(losses.sum()),
        log_loss2=float((losses**2).sum()),
        score=float(s.sum()),
    )
    return Scores(
        rows=len(y),
        labelled=len(y),
        confusion=dict(counted),
        edges=grid,
        negatives=cells(grid, s[y == 0]),
        positives=cells(grid, s[y == 1]),
        sums=sums,
    )


def regression_scores(y, p):
    y = np.asarray(y, dtype=float)
    e = np.asarray(p, dtype=float) - y
    centre = float(y[0]) if len(y) else 0.0
    with np.errstate(all="ignore"):
        sums = RegressionSums(
            n=len(y),
            e=float(e.sum()),
            abs_e=float(np.abs(e).sum()),
            e2=float((e**2).sum()),
            e4=float((e**4).sum()),
            abs_y=float(np.abs(y).sum()),
            y=float((y - centre).sum()),
            y2=float(((y - centre) ** 2).sum()),
            centre=centre,
        )
    return Scores(rows=len(y), labelled=len(y), regression=sums)


def window_of(scores, hours=0):
    return Window(
        rows=scores.rows, scores=scores, start=START + hours * HOUR, end=START + (hours + 1) * HOUR
    )


def pasts(values, every=HOUR):
    """History of `rows`: one value a window, the last one just before the window of the tests."""
    return [
        PastValue(START - every * (len(values) - place), float(value), int(value), "ok")
        for place, value in enumerate(values)
    ]


LABEL = Field("y", "y")
