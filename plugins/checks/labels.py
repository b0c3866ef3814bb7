"""How many predictions have their label by now, how long it took, and how many labels were
corrected.

Refuses to judge by itself: young windows have few labels, and how many there should be is for the
configuration to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from driftline import Check, CheckContext, Measurement, hookimpl, stats
from driftline.kit.checks import Labels

HOUR = 3600.0


class LabelCoverage(Check):
    """coverage is the share of the predictions whose label is known, with Wilson's interval:
    whether it came in the record itself or later.

    Of labels that came later and on their own: delay and delay_p90 are the hours from a prediction
    to its first label, up to which half and nine tenths of those known came, within 4.5% (0 is less
    than a minute); corrected is the share with labels of different values, of which the newest
    counts; contradicting is the share whose newest labels have one and the same time and differ.
    All of it is measured again when labels come.

    | input | answer |
    | --- | --- |
    | no predictions | no value, with the reason |
    | no labels yet | coverage 0; the others without value, with the reason |
    | labels in the records alone | coverage; the others without value, with the reason |
    """

    type = "labels"
    cause = "quality"
    main = "coverage"
    collectors: ClassVar = frozenset({"scores", "labels"})
    min_rows = 30
    default_for: ClassVar = frozenset({"late label"})
    default_place = 90

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Five numbers."""
        scores, ref_scores = ctx.current.scores, ctx.reference.scores if ctx.reference else None
        late: Labels = ctx.current.summaries.get("labels", Labels())
        rows, labelled = scores.rows, scores.labelled
        before = ref_scores.labelled / ref_scores.rows if ref_scores and ref_scores.rows else None
        reason = "" if rows else "no predictions"
        interval = stats.wilson(labelled, rows)
        yield Measurement(
            labelled / rows if rows else None,
            {},
            "coverage",
            rows,
            interval,
            None,
            reason,
            before,
            "share",
        )
        n = late.labelled
        reason = "" if n else "no label has come later"
        for name, q in (("delay", 0.5), ("delay_p90", 0.9)):
            seconds = late.delay(q)
            yield Measurement(
                None if seconds is None else seconds / HOUR,
                name=name,
                rows=n,
                reason=reason,
                unit="hours",
            )
        for name, count in (("corrected", late.corrected), ("contradicting", late.contradicting)):
            share = count / n if n else None
            yield Measurement(
                share,
                name=name,
                rows=n,
                interval=stats.wilson(count, n),
                reason=reason,
                unit="share",
            )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The labels check."""
    return [LabelCoverage]
