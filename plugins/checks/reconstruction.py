"""Measures whether the columns are still related as they were in the reference.

Does not judge single columns: a value that moves together with its related columns is no error
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, hookimpl, stats, unusual
from driftline.kit.checks import sampled_rows

MAX_NAMES = 5


class Reconstruction(Check):
    """Measures how far rows lie from their reconstruction by the reference's principal components.

    reconstruction_error is in units of the reference's own error: 1 when nothing changed, above 1
    when correlations broke, below 1 when variance collapsed.

    The components are those of the reference's sampled rows that explain 80% of the variance. Each
    row is judged by components that were fitted without it. Categories enter as their share of the
    reference, missing values as the mean, all in standard deviations of the reference and at most
    10 of them away. `error` and `error_was` in the detail are the mean distances, as in NannyML.
    `columns` names the columns whose part of the error moved most in the direction of the whole.
    Prediction and score take part, the label does not.

    | input | answer |
    | --- | --- |
    | no reference; no sample on a side; no column in common | no value, with the reason |
    | fewer than 10 reference rows | no value, with the reason |
    | fewer than 2 columns that vary in the reference | no value, with the reason |
    | a column constant or null in the reference, or text against numbers | it is left out |
    | a column constant, null or one category in the window | it takes part |
    | a category that the reference lacks | it stands for 0% |
    | one row in the window | a value with a wide interval |
    | identical samples | 1, with the interval 1 to 1 |
    """

    type = "reconstruction"
    cause = "drift"
    main = "reconstruction_error"
    collectors: ClassVar = frozenset({"sample"})
    default_rules: ClassVar = {
        "reconstruction_error": unusual(
            scale="log", info=0.05, warning=0.15, obvious=1.0, neutral=1.0
        )
    }
    min_rows = 100

    columns: tuple[str, ...] = ()
    """The columns to compare; when empty, all except label, id, time and version."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""
    explained: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """The smallest share of the reference's variance that the components explain.

    Changes show in the remaining variance. NannyML uses 0.65.
    """

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield one measurement."""
        samples = sampled_rows.select_samples(ctx, self.columns, self.ignore)
        sides = stats.standardise(samples.reference, samples.current)
        result = stats.reconstruction(sides.ref, sides.cur, self.explained)
        ratio, interval = stats.growth(result.now, result.was) if result else (None, None)
        if samples.reason or result is None or ratio is None or interval is None:
            few = f"needs 10 sampled rows of the reference: {len(sides.ref)}"
            reason = samples.reason or (
                few if len(sides.ref) < 10 else "needs two columns that vary in the reference"
            )
            yield Measurement(None, name="reconstruction_error", rows=samples.rows, reason=reason)
            return
        detail: dict[str, str | float | int | None] = {
            "error": result.now.value,
            "error_was": result.was.value,
            "components": result.components,
        }  # fmt: skip
        growth = result.growth if ratio >= 0 else -result.growth
        columns = sorted(
            (-part, name)
            for part, name in zip(growth.tolist(), sides.names, strict=True)
            if part > 0
        )
        if columns:
            detail["columns"] = ", ".join(name for _, name in columns[:MAX_NAMES])
        value, (low, high) = 1 + ratio, interval
        yield Measurement(
            value,
            name="reconstruction_error",
            rows=samples.rows,
            interval=(1 + low, 1 + high),
            detail=detail,
        )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The reconstruction check."""
    return [Reconstruction]
