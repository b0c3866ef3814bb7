"""MMD: how far the joint distribution of all columns has moved, whatever moved in it.

Refuses to say what: the domain classifier names columns, this one only misses less of what no
product of two columns shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, hookimpl, stats, unusual
from driftline.kit.checks import Wording, sampled_rows

MOST = 1_000
"""Rows of each side: cost grows with their square."""


class MMD(Check):
    """mmd2 is the squared maximum mean discrepancy of the sampled rows, unbiased: 0 when nothing
    changed, at most 2.

    The kernel is Gaussian; its variance is half the median squared distance of the reference's
    rows, and stays so. Columns are encoded as for `reconstruction`. The interval is the
    jackknife's, on the safe side. `raw` is the biased number, which chance alone keeps above 0.
    Permutation deals out the rows of both sides together, and p is (k+1)/(B+1): never 0.

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
    """Columns to look at; all but label, id, time and version when empty."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""
    permutations: Annotated[int, Field(ge=199, le=100_000)] | None = None
    """How often the rows are dealt out anew for a p-value; none when absent."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """One number."""
        samples = sampled_rows.both(ctx, self.columns, self.ignore)
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
            value, {}, "mmd2", samples.rows, result.interval, result.p_value, detail=detail
        )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The MMD check."""
    return [MMD]
