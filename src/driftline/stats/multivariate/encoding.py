"""Two samples of mixed columns as matrices of numbers.

A column is a sequence of numbers and None, or of text and None. A number that is not finite or
beyond 1e150 counts as missing. Missing values get the mean, 0. Columns without information are left
out. A number of 64 bits and one of 32 bits are the same number where both are the same in 32 bits:
the sides may have been written by different tools.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from driftline.stats.basics.sample import midranks
from driftline.types.arrays import Columns, Floats

LARGEST, FAR = 1e150, 10.0
CATEGORIES, SHARE = 10, 0.01
ROUNDING = 1e-7
"""Most by which a number differs from its form of 32 bits, as a share of it."""


class Encoded(NamedTuple):
    """Both sides in the same columns."""

    ref: Floats
    """Shape (n, p)."""
    cur: Floats
    """Shape (m, p)."""
    names: tuple[str, ...]
    """The column that each of the p comes from; one may give several."""


def standardise(ref: Columns, cur: Columns) -> Encoded:
    """Standardise every column by the reference (ddof 0), at most 10 deviations from its mean.

    A category becomes its share of the values of the reference, an unseen one 0. A column that is
    constant in the reference is left out.
    """
    before: list[Floats] = []
    after: list[Floats] = []
    names = []
    for name, values in ref.items():
        ref_values, cur_values = (
            _frequencies(values, cur[name])
            if _text(values, cur[name])
            else _numbers_of(values, cur[name])
        )
        finite_values = ref_values[~np.isnan(ref_values)]
        if not len(finite_values) or np.ptp(finite_values) == 0:
            continue
        # Less one of them and in units of the widest gap, so that neither a large offset nor a huge
        # value costs digits.
        gap = float(np.max(np.abs(finite_values - finite_values[0])))
        centre, sd = (
            float(np.mean((finite_values - finite_values[0]) / gap)),
            float(np.std((finite_values - finite_values[0]) / gap)),
        )
        for side, rows in ((ref_values, before), (cur_values, after)):
            with np.errstate(over="ignore"):
                rows.append(
                    np.nan_to_num(
                        np.clip(((side - finite_values[0]) / gap - centre) / sd, -FAR, FAR)
                    )
                )
        names.append(name)
    return Encoded(_matrix(before, ref), _matrix(after, cur), tuple(names))


def pooled_scores(ref: Columns, cur: Columns) -> Encoded:
    """Every column with mean 0 and sd 1 over both sides together, the sides being treated alike.

    A number is the normal score of its rank (van der Waerden), so that no outlier decides; of a
    categorical column the 10 most frequent categories of at least 1% have a column each, and so
    have missing values of at least 1%.
    """
    n = max((len(values) for values in ref.values()), default=0)
    parts: list[Floats] = []
    names: list[str] = []
    for name, values in ref.items():
        values_of_both = [*values, *cur[name]]
        if not values_of_both:
            continue
        least = SHARE * len(values_of_both)
        if _text(values, cur[name]):
            counts = Counter(values_of_both)
            top = sorted(
                (-count, value)
                for value, count in counts.items()
                if value is not None and count >= least
            )
            places: dict[Any, int] = {None: -1} | {
                value: place for place, (_, value) in enumerate(top[:CATEGORIES])
            }
            codes = np.array([places.get(value, -2) for value in values_of_both])
            features = [(codes == place).astype(np.float64) for place in range(len(places) - 1)]
            missing = (codes == -1).astype(np.float64)
        else:
            numbers = np.concatenate(_numbers_of(values, cur[name]))
            missing = np.isnan(numbers).astype(np.float64)
            features = [_normal_scores(numbers)]
        if missing.sum() >= least:
            features.append(missing)
        for part in features:
            sd = float(np.std(part))
            if sd > 1e-9:
                parts.append((part - np.mean(part)) / sd)
                names.append(name)
    m = max((len(values) for values in cur.values()), default=0)
    rows = np.stack(parts, axis=1) if parts else np.empty((n + m, 0))
    return Encoded(rows[:n], rows[n:], tuple(names))


def _numbers(values: Sequence[Any]) -> Floats:
    array = np.array(values, dtype=np.float64)
    return np.where(np.abs(array) <= LARGEST, array, np.nan) + 0.0


def _numbers_of(ref: Sequence[Any], cur: Sequence[Any]) -> tuple[Floats, Floats]:
    """Both sides as numbers; a fraction has its form of 32 bits where that occurs as well."""
    both = np.concatenate((_numbers(ref), _numbers(cur)))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        narrow = both.astype(np.float32).astype(np.float64)
        # Numbers beyond the range of 32 bits have no such form.
        is_close = np.abs(narrow - both) <= ROUNDING * np.abs(both)
    is_wide = (narrow != both) & is_close & (np.floor(both) != both)
    is_wide &= np.isin(narrow, np.unique(both[narrow == both]))
    both = np.where(is_wide, narrow, both)
    return both[: len(ref)], both[len(ref) :]


def _text(*sides: Sequence[Any]) -> bool:
    return any(
        isinstance(next((value for value in side if value is not None), None), str)
        for side in sides
    )


def _frequencies(ref: Sequence[Any], cur: Sequence[Any]) -> tuple[Floats, Floats]:
    counts = Counter(value for value in ref if value is not None)
    total = counts.total() or 1
    before, after = (
        np.array([np.nan if v is None else counts[v] / total for v in side], np.float64)
        for side in (ref, cur)
    )
    return before, after


def _normal_scores(values: Floats) -> Floats:
    from scipy.special import ndtri

    mask = ~np.isnan(values)
    scores = np.zeros(len(values))
    if mask.any():
        scores[mask] = ndtri((midranks(values[mask]) - 0.5) / mask.sum())
        scores[mask] -= scores[mask].mean()
    return scores


def _matrix(parts: Sequence[Floats], side: Columns) -> Floats:
    rows = max((len(values) for values in side.values()), default=0)
    return np.stack(parts, axis=1) if parts else np.empty((rows, 0))
