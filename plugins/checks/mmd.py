"""Measures how far the joint distribution of all columns has moved (MMD).

Does not name the columns that moved: the domain classifier does. In turn this check also finds
changes that no product of two columns shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, hookimpl, stats, unusual
from driftline.kit.checks import Wording, sampled_rows

MOST = 1_000
"""Rows of each side at most: the cost grows with their square."""


class MMD(Check):
    """Measures the squared maximum mean discrepancy of the sampled rows.

    mmd2 is unbiased: 0 when nothing changed, at most 2. The kernel is Gaussian; its variance is
    half the median squared distance of the reference's rows, and does not change with the window.
    Columns are encoded as for `reconstruction`. The interval is a conservative jackknife interval.
    `raw` in the detail is the biased number, which is above 0 by chance alone. Permutations shuffle
    the rows of both sides; p is (k+1)/(B+1), so it is never 0.

    | input | answer |
    | --- | --- |
    | no reference; no sample on a side; no column in common | no value, with the reason |
    | fewer than 2 rows on a side | no value, with the reason |
    | no column that varies in the reference | no value, with the reason |
    | a column constant or null in the reference, or text against numbers | it is left out |
    | a column constant, null or one category in the window | it takes part |
    | a category that the reference lacks | it stands for 0% |
    | most rows of the reference alike | the mean squared distance takes the place of the median |
    | identical samples | 0 |
    """

    type = "mmd"
    cause = "drift"
    main = "mmd2"
    collectors: ClassVar = frozenset({"sample"})
    default_rules: ClassVar = {
        "mmd2": unusual(side="above", scale="cube_root", info=0.002, warning=0.01, obvious=0.1)
    }
    min_rows = 100
    wordings: ClassVar = {"mmd2": Wording(noun="MMD²")}

    columns: tuple[str, ...] = ()
    """The columns to compare; when empty, all except label, id, time and version."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""
    permutations: Annotated[int, Field(ge=199, le=100_000)] | None = None
    """The number of permutations for a p-value; when absent, there is no p-value."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield one measurement."""
        samples = sampled_rows.select_samples(ctx, self.columns, self.ignore)
        sides = stats.standardise(samples.reference, samples.current)
        variance = stats.kernel_variance(sides.ref[:MOST])
        result = stats.discrepancy(
            sides.ref[:MOST], sides.cur[:MOST], variance or 0.0, self.permutations or 0, ctx.rng()
        )
        if samples.reason or result is None:
            few = f"needs 2 sampled rows on each side: {len(sides.ref)} and {len(sides.cur)}"
            reason = samples.reason or (
                "no column varies in the reference" if not sides.names else few
            )
            yield Measurement(None, name="mmd2", rows=samples.rows, reason=reason)
            return
        value = max(0.0, result.unbiased)
        detail = {"raw": result.biased, "kernel_sd": (variance or 0.0) ** 0.5}
        yield Measurement(
            value,
            name="mmd2",
            rows=samples.rows,
            interval=result.interval,
            p_value=result.p_value,
            detail=detail,
        )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The MMD check."""
    return [MMD]
