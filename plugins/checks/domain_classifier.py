"""Measures how well a small model tells the window's rows from the reference's.

Does not look at single columns. It finds changes in them too, but later and less clearly than the
`drift` check.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, hookimpl, stats, unusual
from driftline.kit.checks import Wording, sampled_rows

MAX_NAMES = 5


class DomainClassifier(Check):
    """Measures how well a model tells rows of the window from rows of the reference.

    domain_auc is the chance that the model ranks a row of the window as newer than a row of the
    reference: 0.5 when it cannot tell them apart, 1 when it always can. The model is ridge logistic
    regression on columns, products and squares. It is fitted on one part of the sampled rows and
    applied to another: five folds, at most 4 rows of one side for each row of the other.

    Numbers enter by their rank, categories as the 10 most frequent ones, and missing values as a
    value of their own. Prediction and score take part; label, id, time and version do not.
    `columns` in the detail names the columns that separate the two sides most, `share` is the part
    of the first of them. The p-value uses the normal law of cross-fitted AUCs, or permutations
    where these are set.

    | input | answer |
    | --- | --- |
    | no reference; no sample on a side; no column in common | no value, with the reason |
    | fewer than 10 rows on a side | no value, with the reason |
    | nothing varies: all columns constant or null on both sides alike | no value, with the reason |
    | identical samples | 0.5 |
    | a column constant, null or one category on one side only | takes part; up to almost 1 |
    | a category that the reference lacks | it takes part from 1% of all rows on |
    | numbers on one side, text on the other | the column is left out |
    """

    type = "domain_classifier"
    cause = "drift"
    main = "domain_auc"
    collectors: ClassVar = frozenset({"sample"})
    default_rules: ClassVar = {
        "domain_auc": unusual(
            side="above", scale="logit", info=0.03, warning=0.10, obvious=0.25, neutral=0.5
        )
    }
    min_rows = 100
    wordings: ClassVar = {"domain_auc": Wording(noun="domain classifier AUC")}

    columns: tuple[str, ...] = ()
    """The columns to compare; when empty, all except label, id, time and version."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out, such as counters and dates.

    A column that only grows always separates new rows from old ones.
    """
    permutations: Annotated[int, Field(ge=199, le=100_000)] | None = None
    """The number of permutations for an exact p-value; each repeats the whole computation.

    When absent, the p-value uses the normal law.
    """

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield one measurement."""
        samples = sampled_rows.select_samples(ctx, self.columns, self.ignore)
        sides = stats.pooled_scores(samples.reference, samples.current)
        result = stats.domain_auc(sides.ref, sides.cur)
        if samples.reason or result is None:
            few = f"needs 10 sampled rows on each side: {len(sides.ref)} and {len(sides.cur)}"
            reason = samples.reason or ("no column varies" if not sides.names else few)
            yield Measurement(None, name="domain_auc", rows=samples.rows, reason=reason)
            return
        p_value: float | None = result.p_value
        if self.permutations:
            p_value = stats.domain_auc_p_value(sides.ref, sides.cur, self.permutations, ctx.rng())
        contributions: dict[str, float] = {}
        for name, share in zip(sides.names, result.importance.tolist(), strict=True):
            contributions[name] = contributions.get(name, 0.0) + share
        helpful = sorted(
            ((share, name) for name, share in contributions.items() if share > 0),
            key=lambda pair: (-pair[0], pair[1]),
        )
        detail: dict[str, str | float | int | None] = {
            "rows_was": result.rows[0],
            "rows": result.rows[1],
        }
        if helpful:
            detail["columns"] = ", ".join(name for _, name in helpful[:MAX_NAMES])
            detail["share"] = helpful[0][0] / sum(share for share, _ in helpful)
        yield Measurement(
            result.value,
            name="domain_auc",
            rows=samples.rows,
            interval=result.interval,
            p_value=p_value,
            detail=detail,
        )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The domain classifier."""
    return [DomainClassifier]
