"""Domain classifier: can a small model tell the window's rows from the reference's?

Refuses to look at single columns: it finds what moved in them too, but later and less clearly than
the `drift` check.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, hookimpl, stats, unusual
from driftline.kit.checks import Wording, sampled_rows

NAMED = 5


class DomainClassifier(Check):
    """domain_auc is the chance that the model takes a row of the window for newer than one of the
    reference: 0.5 when nothing tells them apart, 1 when everything does. The model is fitted on one
    part of the sampled rows and asked about another: ridge logistic regression on columns, products
    and squares, five folds, at most 4 rows of one side for each of the other.

    Numbers enter by their rank, categories as the 10 most frequent ones, missing values as such;
    prediction and score too, the label, id, time and version not. `columns` in the detail are those
    that drive both sides apart most, `share` the part of the first of them. The p-value is by the
    normal law of cross-fitted AUCs, or by permutation where that is asked for.

    | input | answer |
    | --- | --- |
    | no reference; no sample on a side; no column in common | no value, with the reason |
    | fewer than 10 rows on a side | no value, with the reason |
    | nothing varies: all columns constant or null on both sides alike | no value, with the reason |
    | identical samples | 0.5 |
    | a column constant, null or one category on one side only | it takes part; near 1 when it parts the two |
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
    """Columns to look at; all but label, id, time and version when empty."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out, such as counters and dates: what only ever grows tells old from new for
    nothing.
    """
    permutations: Annotated[int, Field(ge=199, le=100_000)] | None = None
    """How often rows are dealt out anew for an exact p-value. It takes as many times as long; by
    the normal law when absent.
    """

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """One number."""
        samples = sampled_rows.both(ctx, self.columns, self.ignore)
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
            detail["columns"] = ", ".join(name for _, name in helpful[:NAMED])
            detail["share"] = helpful[0][0] / sum(share for share, _ in helpful)
        yield Measurement(
            result.value, {}, "domain_auc", samples.rows, result.interval, p_value, detail=detail
        )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The domain classifier."""
    return [DomainClassifier]
