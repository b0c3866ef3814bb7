"""Clarify's flip test FT on the sampled rows: are members of a group decided like their neighbours?

Does not call the model: the neighbours are rows of the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field as Setting

from driftline import Check, CheckContext, Measurement, above, hookimpl, stats
from driftline.kit.checks import ColumnName, Task, Wording
from driftline.kit.checks.sampled_rows import Columns

MIN_GROUP = 10
"""Sampled rows of a group that is named."""


class FlipTest(Check):
    """Measures how many members of a group would be decided differently among the others.

    FT is Clarify's counterfactual flip test. For each sampled row of a group the nearest rows of
    all other groups are found, by all features but the facet, numbers in standard deviations. The
    row flips where most of them were decided differently. FT is the rows that would gain by it less
    those that would lose, as a share of the group: 0.1 means that 10% more of the group would be
    accepted. The positive class counts as the favourable outcome. The interval is that of a mean.

    | input | answer |
    | --- | --- |
    | no sample, no decision, a model that is not binary | no value, with the reason |
    | a facet without a value beside a decision | no value, with the reason |
    | a group of fewer than 10 sampled rows | left out |
    | fewer others than `neighbours` | no value, with the reason |
    | no other feature that varies | no value, with the reason |
    """

    type = "flip_test"
    cause = "fairness"
    main = "FT"
    collectors: ClassVar = frozenset({"categories", "sample"})
    default_rules: ClassVar = {"FT": above(warning=0.2)}
    min_rows = 30
    wordings: ClassVar = {"FT": Wording(noun="flip test FT")}

    facets: tuple[ColumnName, ...]
    """The categorical columns whose groups are compared."""
    neighbours: int = Setting(default=5, ge=1, le=101)
    """The nearest rows of the others that are asked; an odd number always has a majority."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield FT of each group of each facet; nothing for a segment by itself."""
        if ctx.current.segment:
            return
        sample: Columns = ctx.current.summaries.get("sample", {})
        for facet in self.facets:
            accepted, reason = _find_decisions(ctx, sample)
            if not reason and facet not in sample:
                reason = f"the sample has no column {facet}"
            names = [name for name in ctx.schema.features if name != facet and name in sample]
            if reason:
                yield Measurement(None, {"column": facet}, name="FT", rows=0, reason=reason)
                continue
            yield from self._compare_groups(facet, sample, names, accepted)

    def _compare_groups(
        self, facet: str, sample: Columns, names: list[str], accepted: list[bool | None]
    ) -> Iterator[Measurement]:
        known = [
            place
            for place, value in enumerate(accepted)
            if value is not None and sample[facet][place] is not None
        ]
        columns = {name: [sample[name][place] for place in known] for name in names}
        rows = np.nan_to_num(stats.standardise(columns, columns).ref)
        reason = ""
        if not known:
            reason = f"no sampled row has {facet} and a decision"
        elif not rows.shape[1]:
            reason = "no other feature varies, by which neighbours could be found"
        if reason:
            yield Measurement(None, {"column": facet}, name="FT", rows=len(known), reason=reason)
            return
        decisions = np.array([accepted[place] for place in known], bool)
        groups = np.array([str(sample[facet][place]) for place in known])
        for group in sorted(set(groups.tolist())):
            mask = groups == group
            if int(mask.sum()) < MIN_GROUP:
                continue
            estimate = stats.flip_test(
                rows[mask], decisions[mask], rows[~mask], decisions[~mask], self.neighbours
            )
            yield Measurement(
                estimate.value,
                {"column": facet, "group": group},
                name="FT",
                rows=int(mask.sum()),
                interval=estimate.interval,
                reason=estimate.reason,
            )


def _find_decisions(ctx: CheckContext, sample: Columns) -> tuple[list[bool | None], str]:
    """Return whether each sampled row has a positive decision, or why that is not known."""
    schema = ctx.schema
    if schema.task is not Task.BINARY:
        return [], "fairness needs a model with two classes"
    if not sample:
        return [], "no sample of the window"
    if schema.prediction is not None and schema.prediction.name in sample:
        positive = ctx.current.scores.positive or "1"
        values = sample[schema.prediction.name]
        return [None if value is None else str(value) == positive for value in values], ""
    if schema.score is not None and schema.score.name in sample:
        values = sample[schema.score.name]
        return [None if value is None else value >= schema.threshold for value in values], ""
    return [], "the records have no decision and no score"


@hookimpl
def register_checks() -> list[type[Check]]:
    """The flip test."""
    return [FlipTest]
