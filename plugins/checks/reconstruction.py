"""Reconstruction: do the columns still hang together as they did in the reference?

Refuses to judge single columns: a value moved along with all that goes with it is no error here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, hookimpl, stats, unusual
from driftline.kit.checks import sampled_rows

NAMED = 5


class Reconstruction(Check):
    """reconstruction_error is how far rows lie from what the reference's principal components make
    of them, in units of how far the reference's own do: 1 when nothing changed, above it when
    correlations broke, below when variance collapsed.

    Components are those of the reference's sampled rows that explain 80% of the variance. Each row
    is judged by components that have not seen it. Categories stand for their share of the
    reference, missing values for the mean, all in standard deviations of the reference and at most
    10 of them away. `error` and `error_was` are the mean distances, as NannyML has them. `columns`
    names those whose part of the error moved most in the direction of the whole. Prediction and
    score take part, the label not.

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
    """Columns to look at; all but label, id, time and version when empty."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""
    explained: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Share of the reference's variance that the components keep, at least; breaks show in the
    rest. NannyML's is 0.65.
    """

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """One number."""
        samples = sampled_rows.both(ctx, self.columns, self.ignore)
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
            "error": result.now.value, "error_was": result.was.value, "components": result.components,
        }  # fmt: skip
        growth = result.growth if ratio >= 0 else -result.growth
        columns = sorted(
            (-part, name)
            for part, name in zip(growth.tolist(), sides.names, strict=True)
            if part > 0
        )
        if columns:
            detail["columns"] = ", ".join(name for _, name in columns[:NAMED])
        value, (low, high) = 1 + ratio, interval
        yield Measurement(
            value, {}, "reconstruction_error", samples.rows, (1 + low, 1 + high), detail=detail
        )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The reconstruction check."""
    return [Reconstruction]
