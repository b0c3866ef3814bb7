"""Measures how many predictions have a label, how late labels come, and how many are corrected.

Has no default rules: young windows have few labels, so the configuration says how many there should
be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from driftline import Check, CheckContext, Measurement, hookimpl, stats
from driftline.kit.checks import Labels

HOUR = 3600.0


class LabelCoverage(Check):
    """Measures label coverage, the delay of labels, and corrections.

    coverage is the share of predictions that have a label, in the same record or from a later one,
    with Wilson's interval.

    The other measurements are about labels that came later in records of their own. delay and
    delay_p90 are hours from a prediction to its first label: half and nine tenths of the labels
    that have come took at most so long. They are exact within 4.5%; 0 means less than a minute.
    corrected is the share of predictions with labels of different values; the newest label counts.
    contradicting is the share whose newest labels have the same time and different values. All of
    it is measured again when labels come.

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
        """Yield five measurements."""
        scores, ref_scores = ctx.current.scores, ctx.reference.scores if ctx.reference else None
        late: Labels = ctx.current.summaries.get("labels", Labels())
        rows, labelled_rows = scores.rows, scores.labelled
        before = ref_scores.labelled / ref_scores.rows if ref_scores and ref_scores.rows else None
        reason = "" if rows else "no predictions"
        interval = stats.wilson(labelled_rows, rows)
        yield Measurement(
            labelled_rows / rows if rows else None,
            name="coverage",
            rows=rows,
            interval=interval,
            reason=reason,
            was=before,
            unit="share",
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
