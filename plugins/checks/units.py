"""Finds columns whose unit has changed, such as grams for kilograms, or Fahrenheit.

Does not look for factors near 1, such as 1,024/1,000: values that drifted look the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    Rule,
    Severity,
    hookimpl,
    stats,
)
from driftline.kit.checks import Range, Wording, phrasing
from driftline.kit.checks.comparison import find_obstacle

TOLERANCE = 0.03
"""The relative tolerance of mean and sd, in addition to twice their chance error."""
SHIFT, MOST = 0.25, 0.25
"""Tolerances for factors that stand out: of the mean in sd, and of the logarithm of the sd."""
SMALL, PINNED = 3.0, (0.05, 0.1)
"""The factor below which drift alone is a likely cause, and the precision that is then needed.

The precision holds for mean and sd.
"""
APART, EXPLAINED = 0.3, 0.1
"""The smallest KS distance of the values as they are, and the largest of the converted values."""


class Unit(NamedTuple):
    """A change of unit: `value * factor + offset`, and its text for people."""

    factor: float
    offset: float
    looks: str


def _times(factor: float, name: str) -> tuple[Unit, Unit]:
    return Unit(factor, 0.0, f"values look ×{name}"), Unit(1 / factor, 0.0, f"values look ÷{name}")


KNOWN = (
    *(unit for power in (1, 2, 4, 5, 6, 7, 8, 9) for unit in _times(10.0**power, f"{10**power:,}")),
    *_times(1_000, "1,000 or 1,024"),
    *_times(60, "60, as minutes and seconds"),
    *_times(3600, "3,600, as hours and seconds"),
    *_times(86400, "86,400, as days and seconds"),
    *_times(1.609344, "1.609, as miles and kilometres"),
    *_times(2.20462262, "2.205, as kilograms and pounds"),
    Unit(1.8, 32.0, "values look ×1.8 + 32, as Celsius in Fahrenheit"),
    Unit(1 / 1.8, -32 / 1.8, "values look as Fahrenheit in Celsius"),
)
SMALLEST = min(abs(math.log(unit.factor)) for unit in KNOWN)


def _unit_sentence(alert: AlertFact) -> str:
    looks = alert.detail.get("looks")
    return phrasing.clean(looks, 80) if isinstance(looks, str) else ""


class Units(Check):
    """Finds numeric columns whose values are the reference's in another unit.

    unit_change is the factor that explains the window; 1 when no known factor does. Known are
    powers of ten (1,000 stands for 1,024 too), minutes, hours and days in seconds, miles, pounds,
    and Fahrenheit. The label is left out.

    The unconverted values must have a KS distance of at least 0.3 from the reference. After
    conversion, mean and standard deviation must agree within 3% plus twice their chance error; for
    factors above 3 and for Fahrenheit the mean may be off by a quarter of a standard deviation. The
    distance must then be at most 0.1 where the reference's grid reaches. For factors below 3 chance
    may add at most 2% to that, so wide columns need many rows. Growth that passes through a known
    factor looks the same as a change of unit.

    | input | answer |
    | --- | --- |
    | no reference, or one without values in the column | no value, with the reason |
    | column absent, without values, or counted on another grid | no value, with the reason |
    | categorical column | nothing; no value, with the reason, when it is configured |
    | constant or single row on either side | no value, with the reason |
    | identical data | 1 |
    """

    type = "units"
    cause = "quality"
    main = "unit_change"
    collectors: ClassVar = frozenset({"numeric"})
    default_rules: ClassVar = {
        "unit_change": Rule(outside=Range(low=1, high=1, severity=Severity.CRITICAL))
    }
    min_rows = 100
    default_for: ClassVar = frozenset()
    default_place = 50
    wordings: ClassVar = {
        "unit_change": Wording(
            sentence=_unit_sentence,
            past=lambda alert: _unit_sentence(alert).replace(" look ", " looked "),
        )
    }

    columns: tuple[str, ...] = ()
    """The columns to check; when empty, every numeric one except the label."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield one measurement for each column."""
        label = ctx.schema.label.name if ctx.schema.label else None
        references = ctx.reference.columns if ctx.reference else {}
        for name in dict.fromkeys(
            self.columns
            or [column.name for column in ctx.current.numeric() if column.name != label]
        ):
            ref, cur = references.get(name), ctx.current.columns.get(name)
            rows = cur.count if cur else 0
            if not isinstance(cur, NumericColumn):
                reason = "not a numeric column" if cur else "the window has no such column"
            elif not isinstance(ref, NumericColumn):
                reason = (
                    "no reference for this column yet"
                    if ref is None
                    else "categorical in the reference"
                )
            else:
                reason = _obstacle(ref, cur)
            if reason or not isinstance(cur, NumericColumn) or not isinstance(ref, NumericColumn):
                yield Measurement(
                    None,
                    {"column": name},
                    name="unit_change",
                    rows=rows,
                    reason=reason,
                )
                continue
            unit = _find_unit(ref.side, cur.side)
            detail: dict[str, str | float | int | None] = {"looks": unit.looks} if unit else {}
            if name not in ctx.schema.redact:
                detail |= {"mean_was": ref.mean, "mean": cur.mean}
            yield Measurement(
                unit.factor if unit else 1.0,
                {"column": name},
                name="unit_change",
                rows=rows,
                detail=detail,
            )


def _obstacle(ref: NumericColumn, cur: NumericColumn) -> str:
    if obstacle := find_obstacle(ref, cur):
        return obstacle
    return "" if ref.variance and cur.variance else "one value alone has no unit to be told by"


def _find_unit(ref: stats.Side, cur: stats.Side) -> Unit | None:
    """Return the known unit that fits best; None when none fits."""
    if not ref.variance or not cur.variance:
        return None
    sd, wider = math.sqrt(ref.variance), math.log(cur.variance / ref.variance) / 2
    if abs(wider) < SMALLEST - MOST:
        return None
    chance = 2 * math.sqrt(1 / ref.rows + 1 / cur.rows)
    off_sd = TOLERANCE + chance * math.sqrt(max((ref.kurtosis or 3.0) - 1, 0.0)) / 2
    off_mean = TOLERANCE * abs(ref.mean) + chance * sd
    is_pinned = off_mean <= PINNED[0] * abs(ref.mean) and off_sd <= PINNED[1]
    best, misfit = None, math.inf
    for unit in KNOWN:
        stands_out = unit.offset != 0 or abs(math.log(unit.factor)) > math.log(SMALL)
        wide, mean = (
            abs(wider - math.log(unit.factor)),
            abs((cur.mean - unit.offset) / unit.factor - ref.mean),
        )
        near = wide <= min(off_sd, MOST) and mean <= (
            max(off_mean, SHIFT * sd + chance * sd) if stands_out else off_mean
        )
        if near and (stands_out or is_pinned) and wide + mean / sd < misfit:
            best, misfit = unit, wide + mean / sd
    return best if best and _fits(ref, cur, best) else None


def _fits(ref: stats.Side, cur: stats.Side, unit: Unit) -> bool:
    apart, left = stats.grid_ks(ref, cur), stats.rescaled_ks(ref, cur, unit.factor, unit.offset)
    margin = stats.ks_margin(ref.rows, cur.rows)
    if apart is None or left is None or margin is None:
        return False
    return apart[0] >= APART and left <= max(EXPLAINED, margin)


@hookimpl
def register_checks() -> list[type[Check]]:
    """The units check."""
    return [Units]
