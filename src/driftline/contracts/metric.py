"""A metric of one's own: one decorated function of sampled rows.

The interval comes from the bootstrap. History, evidence, segments, late labels and backtest work
as for the metrics of the check `performance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from driftline.contracts.check import Check, CheckContext
from driftline.contracts.rule import Rule, loss
from driftline.profiles.window import Window
from driftline.types.family import Family
from driftline.types.model import Measurement, Schema

if TYPE_CHECKING:
    import numpy as np

    from driftline.types.arrays import Ints

MIN_ROWS = 30
"""With fewer labelled rows a bootstrap interval is too narrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledRows:
    """Rows of a window, at most as many as its sample holds; a random choice of them.

    Numbers are float64 with NaN where they are missing; texts are objects with None. All arrays
    have the shape (rows,).
    """

    columns: Mapping[str, np.ndarray[Any, Any]]
    """By name. Rows whose label came later have prediction, score and label only."""
    prediction: np.ndarray[Any, Any] | None
    """None where the schema declares none."""
    score: np.ndarray[Any, Any] | None
    """None where the schema declares none."""
    label: np.ndarray[Any, Any] | None
    """None where the schema declares none."""

    def __len__(self) -> int:
        return max((len(values) for values in self.columns.values()), default=0)

    def take(self, places: Ints) -> SampledRows:
        """Return the rows at these places, shape (n,)."""

        def of(values: np.ndarray[Any, Any] | None) -> np.ndarray[Any, Any] | None:
            return None if values is None else values[places]

        return SampledRows(
            columns={name: values[places] for name, values in self.columns.items()},
            prediction=of(self.prediction),
            score=of(self.score),
            label=of(self.label),
        )


Metric = Callable[[SampledRows], float | None]


def metric(
    *,
    better: Literal["higher", "lower"],
    margin: float,
    unit: str = "",
    needs_label: bool = True,
    min_rows: int = MIN_ROWS,
    rule: Rule | None = None,
) -> Callable[[Metric], type[Check]]:
    """Make a check of the decorated function, which computes one number of rows.

    The name of the function becomes the check's `type`, its docstring the description. `better`
    says which values are good, and `margin` is the smallest loss that matters, in the unit of the
    metric. Without `rule` a lasting loss is reported. With `needs_label` the rows are those that
    have a label. A function returns None where its number does not exist.
    """
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError("margin should be a number above 0")
    side: Literal["above", "below"] = "below" if better == "higher" else "above"
    default = loss(side=side, margins=(margin, 2 * margin, 4 * margin), obvious=2 * margin)
    collector = "labelled_sample" if needs_label else "sample"

    def make(measure: Metric) -> type[Check]:
        name = measure.__name__

        def evaluate(self: Check, ctx: CheckContext) -> Iterator[Measurement]:
            yield _measure(measure, collector, unit, ctx)

        body = {
            "__doc__": measure.__doc__,
            "__module__": measure.__module__,
            "type": name,
            "cause": Family.PERFORMANCE.value,
            "collectors": frozenset({collector}),
            "min_rows": min_rows,
            "default_rules": {name: rule or default},
            "evaluate": evaluate,
        }
        return type(name, (Check,), body)

    return make


def _measure(metric: Metric, collector: str, unit: str, ctx: CheckContext) -> Measurement:
    from driftline import stats

    rows = _rows(ctx.current, collector, ctx.schema)
    if not len(rows):
        what = "labelled rows" if collector == "labelled_sample" else "sample"
        return Measurement(None, rows=0, unit=unit, reason=f"the window has no {what}")
    value = _number(metric(rows))
    if value is None:
        return Measurement(None, rows=len(rows), unit=unit, reason="the metric has no value")
    rng = ctx.rng()
    interval = stats.bootstrap_interval(lambda places: metric(rows.take(places)), len(rows), rng)
    was, was_interval = None, None
    earlier = None if ctx.reference is None else _rows(ctx.reference, collector, ctx.schema)
    if earlier is not None and len(earlier):
        was = _number(metric(earlier))
    if was is not None and earlier is not None:
        was_interval = stats.bootstrap_interval(
            lambda places: metric(earlier.take(places)), len(earlier), rng
        )
    return Measurement(
        value,
        rows=len(rows),
        interval=interval,
        was=was,
        was_interval=was_interval,
        unit=unit,
        reason="" if interval else "its interval is not known: the rows are too much alike",
    )


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _rows(window: Window, collector: str, schema: Schema) -> SampledRows:
    sample = window.summaries.get(collector, {})
    columns = {name: _array(values) for name, values in sample.items()}

    def of(name: str | None) -> np.ndarray[Any, Any] | None:
        return None if name is None else columns.get(name)

    return SampledRows(
        columns=columns,
        prediction=of(schema.prediction.name if schema.prediction else None),
        score=of(schema.score.name if schema.score else None),
        label=of(schema.label.name if schema.label else None),
    )


def _array(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    if any(isinstance(value, str) for value in values):
        return np.array(values, object)
    return np.array([math.nan if value is None else value for value in values], np.float64)
