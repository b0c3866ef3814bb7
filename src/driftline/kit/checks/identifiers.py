"""Recognises columns whose values never come back: identifiers, row numbers, times as numbers.

Their distribution differs from the reference in every window, and that is usual for them. Checks
that compare distributions leave them out, and report `turnover` or `rise` as information.

A column of categories is one if most rows have values that the reference lacks, in each window so
far, and the reference has many values or the new ones all sort behind it. It also is one if that
share grew by small steps, and all values have digits, as those of campaigns that come and go. A
numeric column is one if each window lies above the window before, and all above the reference.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from driftline.contracts.check import CheckContext
from driftline.profiles.window import CategoricalColumn, Column, NumericColumn
from driftline.types.model import Measurement

MOST_ROWS_NEW, MANY_VALUES, LARGEST_SHARE = 0.5, 50, 0.1
"""The share of rows with new values; the values of the reference that are many; the largest share
of one of these.
"""
LARGEST_STEP, LEAST_STEPS, FEW_VALUES = 0.34, 5, 5
"""The largest growth of the share of rows with new values from one window to the next, the fewest
steps, and the fewest new values.
"""
APART = 2.0
"""Standard deviations of a window between its mean and that of the window before, at least."""
NARROW = 0.5
"""The standard deviation of a counter's window, in units of the reference's: less than this."""
EVEN, ADJACENT = 0.1, 0.01
"""How far the standard deviation of evenly spread values is from that of a uniform law, and the gap
between two windows of a counter in units of the reference's range: at most these.
"""
PAST_WINDOWS, GROWTH_WINDOWS = 50, 1000
"""Earlier windows that are looked at, and those in which a share may grow."""


class Identifier(NamedTuple):
    """What is known of one column."""

    measurement: Measurement | None
    """What a check yields, so that later windows find it in the history."""
    reason: str
    """Why the column is not compared with the reference; empty where it is."""


NO_IDENTIFIER = Identifier(None, "")


def find_identifier(ctx: CheckContext, name: str) -> Identifier:
    """Tell whether a column is an identifier; see the module.

    Args:
        ctx: Window, reference and the earlier measurements of the check that asks.
        name: The column.
    """
    reference = ctx.reference.columns.get(name) if ctx.reference else None
    current = ctx.current.columns.get(name)
    if isinstance(reference, CategoricalColumn) and isinstance(current, CategoricalColumn):
        return _find_rotating(ctx, reference, current)
    if isinstance(reference, NumericColumn) and isinstance(current, NumericColumn):
        return _find_rising(ctx, reference, current)
    return NO_IDENTIFIER


def _find_rotating(
    ctx: CheckContext, reference: CategoricalColumn, current: CategoricalColumn
) -> Identifier:
    if not reference.count or not current.count:
        return NO_IDENTIFIER
    new_names = [name for name in current.counts if name not in reference.counts]
    new_rows = sum(current.counts[name] for name in new_names) + current.other
    largest = next(iter(reference.counts.values()), 0) / reference.count
    has_many = reference.distinct >= MANY_VALUES and largest <= LARGEST_SHARE
    turnover = new_rows / current.count
    are_numbered = _have_digits(new_names) and _have_digits(reference.counts)
    if not has_many and turnover < MOST_ROWS_NEW and not (new_names and are_numbered):
        return NO_IDENTIFIER
    measurement = _measure(current, "turnover", turnover, "share")
    past = _past(ctx, measurement, GROWTH_WINDOWS)
    newest = [*past[-PAST_WINDOWS:], turnover]
    rotates = all(value >= MOST_ROWS_NEW for value in newest)
    comes_and_goes = (
        turnover >= MOST_ROWS_NEW
        and len(new_names) >= FEW_VALUES
        and are_numbered
        and _grew_slowly([*past, turnover])
    )
    if comes_and_goes or (rotates and (has_many or _sorts_behind(new_names, reference))):
        return _left_out(measurement, "its values are new all the time, as those of an identifier")
    return Identifier(measurement, "")


def _have_digits(names: Iterable[str]) -> bool:
    return all(any(char.isdigit() for char in name) for name in names)


def _grew_slowly(shares: Sequence[float]) -> bool:
    """Whether a share of new values grew from a small one by many small steps."""
    steps = [after - before for before, after in itertools.pairwise(shares)]
    return (
        len(steps) >= LEAST_STEPS
        and shares[0] <= LARGEST_STEP
        and max(steps) <= LARGEST_STEP
        and sum(step > 0 for step in steps) >= LEAST_STEPS
    )


def _sorts_behind(new_names: list[str], reference: CategoricalColumn) -> bool:
    """Whether new values with digits, such as dates, all sort behind those of the reference."""
    known_names = list(reference.counts)
    if not _have_digits((*new_names, *known_names)):
        return False
    last = max((len(name), name) for name in known_names)
    return all((len(name), name) > last for name in new_names)


def _find_rising(ctx: CheckContext, reference: NumericColumn, current: NumericColumn) -> Identifier:
    if (
        reference.minimum is None
        or reference.maximum is None
        or current.minimum is None
        or reference.mean is None
        or current.mean is None
        or not reference.variance
        or current.minimum < reference.maximum
    ):
        return NO_IDENTIFIER
    unit = math.sqrt(reference.variance)
    rise = (current.mean - reference.mean) / unit
    if not math.isfinite(rise):
        return NO_IDENTIFIER
    width = math.sqrt(current.variance or 0.0) / unit
    measurement = _measure(current, "rise", rise, "sd")
    past = _past(ctx, measurement, PAST_WINDOWS)
    if past:
        steps = [after - before for before, after in itertools.pairwise([*past, rise])]
        rises = min(steps) > 0 and min(steps[-3:]) > APART * width
    else:
        # The second window tells a counter from a jump: it lies above the first one, or beside it.
        # Until then a narrow window not far above the reference is taken for a counter, and a wide
        # one that begins where the reference ends, with values spread as evenly.
        span = reference.maximum - reference.minimum
        gap = current.minimum - reference.maximum
        goes_on = gap <= ADJACENT * span and _is_even(reference) and _is_even(current)
        # One value may be a day or a sensor that is stuck: days spread over all of the reference.
        is_near = gap <= span and (width > 0 or _evenness(reference) >= 1 - EVEN)
        rises = is_near if width < NARROW else goes_on
    if rises:
        return _left_out(measurement, "it only rises, as a row number or a time does")
    return Identifier(measurement, "")


def _is_even(column: NumericColumn) -> bool:
    """Whether the values spread evenly between the smallest and the largest, as a counter's do."""
    return abs(_evenness(column) - 1) <= EVEN


def _evenness(column: NumericColumn) -> float:
    """Return the standard deviation in units of that of a uniform law over the same range."""
    if column.minimum is None or column.maximum is None or not column.variance:
        return 0.0
    return math.sqrt(12 * column.variance) / (column.maximum - column.minimum)


def _measure(column: Column, name: str, value: float, unit: str) -> Measurement:
    return Measurement(value, {"column": column.name}, name=name, rows=column.rows, unit=unit)


def _past(ctx: CheckContext, measurement: Measurement, limit: int) -> list[float]:
    past = ctx.history(measurement.name, measurement.labels, limit)
    return [earlier.value for earlier in past]


def _left_out(measurement: Measurement, why: str) -> Identifier:
    reason = f"not compared with the reference: {why}"
    return Identifier(
        Measurement(
            measurement.value,
            measurement.labels,
            name=measurement.name,
            rows=measurement.rows,
            unit=measurement.unit,
            reason=reason,
        ),
        reason,
    )
