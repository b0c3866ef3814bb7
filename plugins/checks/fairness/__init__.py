"""Compares the decisions for each group of a column with those for all other rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, get_args

from driftline import (
    AlertFact,
    CategoricalColumn,
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    Rule,
    Window,
    hookimpl,
    loss,
    stats,
)
from driftline.kit.checks import ColumnName, Task, Wording, label_use, phrasing, score_metrics

from .bias_baseline import import_checks as import_checks
from .metric_names import PHRASES, RATE_OF, Clarify, Difference, Gap

SUPPRESSED = 10
"""A group with fewer rows is not named: its members could be recognised."""
MIN_GROUP = 30
"""A side with fewer rows has no value: its rates are too uncertain to be compared."""

WITHOUT_LABELS = frozenset(
    {"demographic_parity_difference", "disparate_impact", "DPPL", "DI", *get_args(Gap)[:2]}
)
"""Metrics of the decisions alone."""
CONDITIONAL = frozenset({"CDDL", "CDDPL"})
"""Metrics within the values of a third column."""
DEFAULTS: tuple[Difference, ...] = (
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "predictive_equality_difference",
    "accuracy_difference",
)

Counts = stats.GroupCounts
Compare = Callable[[Counts, Counts], stats.Estimate]


def _differences(name: str) -> Compare:
    if name == "disparate_impact":
        return lambda group, others: stats.rate_ratio("selection_rate", group, others)
    if name == "average_odds_difference":
        return stats.average_odds_difference
    if name == "treatment_equality_difference":
        return stats.treatment_equality
    return lambda group, others: stats.rate_difference(RATE_OF[name], group, others)


COMPARISONS: Mapping[str, Compare] = {
    **{name: _differences(name) for name in get_args(Difference)},
    **stats.CLARIFY,
}


def _sentence(alert: AlertFact) -> str:
    rate, others = alert.detail.get("rate"), alert.detail.get("rate_others")
    phrase = PHRASES.get(str(alert.detail.get("rate_name")), "")
    if not phrase or not isinstance(rate, float) or not isinstance(others, float):
        return ""
    return f"{phrase.format(phrasing.share(rate))}, the others in {phrasing.share(others)}"


def _headline(alert: AlertFact) -> str:
    """Return both rates, and how far apart they are, now and usually."""
    text = _sentence(alert)
    if not text or alert.value is None:
        return text
    usual = "" if alert.was is None else f", usually {_gap(alert.was)}"
    return f"{text} ({_gap(alert.value)} points apart{usual})"


def _gap(difference: float) -> str:
    return phrasing.number(float(f"{100 * abs(difference):.0f}"))


def _extent(alert: AlertFact) -> str:
    """Return how many rows of the group it is, and how many at the rate of the others."""
    rate, others = alert.detail.get("rate"), alert.detail.get("rate_others")
    rows, group = alert.detail.get("rate_rows", alert.rows), alert.labels.get("group", "")
    if alert.measurement != "demographic_parity_difference" or not isinstance(rows, int):
        return f"{alert.rows:,} rows of the group {phrasing.clean(group, 40)}" if group else ""
    if not isinstance(rate, float) or not isinstance(others, float) or not group:
        return ""
    return (
        f"{round(rate * rows):,} of the {rows:,} rows of group {phrasing.clean(group, 40)} in the "
        f"newest window were predicted positive, about {round(others * rows):,} would be at the "
        "rate of the others"
    )


def _change(weight: float) -> Rule:
    return loss(side="both", margins=(0.03, 0.1), obvious=0.1, weight=weight)


class Fairness(Check):
    """Compares decisions for each group of a column with those for all other rows.

    The column, called a facet, is one of `schema.segments`: a categorical feature, bands of a
    number, combined columns, or a condition. A measurement has the labels `column` and `group`. The
    positive class counts as the favourable outcome.

    Differences are the rate of the group less that of the others, with Newcombe's interval:
    demographic_parity_difference (positive decisions), equal_opportunity_difference (true positive
    rate), predictive_equality_difference (false positive rate), predictive_parity_difference
    (precision), accuracy_difference, label_difference (positive labels), average_odds_difference,
    and treatment_equality_difference (misses per false alarm). disparate_impact is the ratio of
    positive decisions. Clarify's metrics have its names and its signs, which differ: AD is the
    accuracy of the others less that of the group. Metrics that end in `_gap` or `_ratio` are over
    all groups of a facet, as Fairlearn defines its differences and ratios.

    A lasting change of demographic_parity_difference or equal_opportunity_difference against the
    reference is reported; with `compare_with: parity`, a lasting difference from equal treatment.
    Give another metric a rule where it should page: parity, equal odds and calibration can't all
    hold where the groups' shares of positive labels differ (Chouldechova 2017).

    | input | answer |
    | --- | --- |
    | a group of fewer than 10 rows | left out |
    | a side of fewer than 30 rows that count | no value, with the reason |
    | no labels | metrics that need them have no value, with the reason |
    | a facet without members, or one that is no segment | no value, with the reason |
    | no false positives | no treatment equality, with the reason |
    | a model that is not binary | no value, with the reason |
    """

    type = "fairness"
    cause = "fairness"
    main = "demographic_parity_difference"
    collectors: ClassVar = frozenset({"categories", "numeric", "scores"})
    default_rules: ClassVar = {
        "demographic_parity_difference": _change(weight=2.0),
        "equal_opportunity_difference": _change(weight=1.0),
    }
    min_rows = MIN_GROUP
    wordings: ClassVar = {
        name: Wording(
            sentence=_sentence,
            headline=_headline,
            extent=_extent,
            advice=lambda alert: (
                "Compare what the model decides for this group with the decisions for others; look "
                "at the columns that changed for the group."
            ),
        )
        for name in get_args(Difference)
    }

    facets: tuple[ColumnName, ...]
    """The columns whose groups are compared; each is one of `schema.segments`."""
    metrics: tuple[Difference | Clarify | Gap, ...] = DEFAULTS
    """The metrics to measure."""
    strata: ColumnName | None = None
    """The column whose values CDDL and CDDPL hold fixed.

    Combine it with the facet under `schema.segments`: `{name: sex_and_area, columns: [sex, area]}`.
    """
    compare_with: Literal["reference", "parity"] = "reference"
    """What a difference is judged against: that of the reference, or none at all."""

    @classmethod
    def for_segments(cls, columns: tuple[str, ...]) -> Fairness | None:
        """Return the check with these columns as facets."""
        return cls(facets=columns)

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the metrics of each group of each facet; nothing for a segment by itself."""
        if ctx.current.segment:
            return
        for facet in self.facets:
            problem = _find_problem(ctx, facet)
            if problem:
                for name in self.metrics:
                    yield Measurement(None, {"column": facet}, name=name, rows=0, reason=problem)
                continue
            yield from self._compare_groups(ctx, facet)

    def _compare_groups(self, ctx: CheckContext, facet: str) -> Iterator[Measurement]:
        names = _group_names(ctx, facet)
        pairs = {name: ctx.segment(f"{facet}={name}") for name in names}
        current = {name: _count_group(pair[0], ctx) for name, pair in pairs.items()}
        current = {name: counts for name, counts in current.items() if _rows(counts) >= SUPPRESSED}
        reference = {
            name: _count_group(pair[1], ctx) for name, pair in pairs.items() if pair[1] is not None
        }
        gaps = [name for name in self.metrics if name in stats.GAPS]
        for name in gaps:
            yield self._measure_gap(name, facet, current, reference)
        compared = current
        if len(pairs) == 2:
            # Of two groups one says it all: the smaller one of the reference.
            rows = {name: _rows(reference.get(name, current.get(name, Counts()))) for name in pairs}
            compared = {
                name: current[name]
                for name in [min(names, key=lambda name: (rows[name], name))]
                if name in current
            }
        for group, counts in compared.items():
            others = _sum(counts for name, counts in current.items() if name != group)
            before = reference.get(group)
            before_others = _sum(counts for name, counts in reference.items() if name != group)
            labels = {"column": facet, "group": group}
            for name in self.metrics:
                if name in CONDITIONAL:
                    yield self._measure_conditional(ctx, name, labels, list(current))
                elif name not in stats.GAPS:
                    yield self._measure(
                        name,
                        labels,
                        (counts, others),
                        None if before is None else (before, before_others),
                    )

    def _measure(
        self,
        name: str,
        labels: Mapping[str, str],
        now: tuple[Counts, Counts],
        before: tuple[Counts, Counts] | None,
    ) -> Measurement:
        estimate = _estimate(name, *now)
        was = None if before is None else _estimate(name, *before)
        rate = RATE_OF.get(name)
        detail: dict[str, str | float | int | None] = {}
        if rate is not None and estimate.value is not None:
            shares = [stats.RATES[rate](side) for side in now]
            detail = {
                "rate_name": rate,
                "rate": shares[0][0] / shares[0][1],
                "rate_others": shares[1][0] / shares[1][1],
            }
        if self.compare_with == "parity" and name in DEFAULTS:
            was = stats.Estimate(0.0, interval=(0.0, 0.0))
        return Measurement(
            estimate.value,
            labels,
            name=name,
            rows=estimate.n,
            interval=estimate.interval,
            was=None if was is None else was.value,
            was_interval=None if was is None else was.interval,
            reason=estimate.reason,
            detail=detail,
        )

    def _measure_conditional(
        self, ctx: CheckContext, name: str, labels: Mapping[str, str], groups: Sequence[str]
    ) -> Measurement:
        facet, column = labels["column"], ctx.current.columns.get(self.strata or "")
        rule = next(
            (
                rule_name
                for rule_name, rule in ctx.schema.segment_rules.items()
                if rule.columns == (facet, self.strata)
            ),
            None,
        )
        if rule is None or not isinstance(column, CategoricalColumn):
            reason = (
                f"set strata, and combine {facet} with it under schema.segments: "
                f"columns: [{facet}, {self.strata or '...'}]"
            )
            return Measurement(None, labels, name=name, rows=0, reason=reason)
        strata = []
        for value in column.counts:
            sides = {
                group: _count_group(ctx.segment(f"{rule}={group}, {value}")[0], ctx)
                for group in groups
            }
            others = _sum(counts for group, counts in sides.items() if group != labels["group"])
            strata.append(_stratum(name, sides[labels["group"]], others))
        estimate = stats.conditional_disparity(strata)
        return Measurement(
            estimate.value, labels, name=name, rows=estimate.n, reason=estimate.reason
        )

    def _measure_gap(
        self, name: str, facet: str, current: Mapping[str, Counts], reference: Mapping[str, Counts]
    ) -> Measurement:
        estimate = stats.GAPS[name](list(current.values()))
        was = stats.GAPS[name](list(reference.values()))
        return Measurement(
            estimate.value,
            {"column": facet},
            name=name,
            rows=estimate.n,
            was=was.value,
            reason=estimate.reason,
        )


def _estimate(name: str, group: Counts, others: Counts) -> stats.Estimate:
    """Return the metric, without value where one side is too small for it."""
    sides = (("the group", group), ("all other groups together", others))
    needs_labels = name not in WITHOUT_LABELS
    for side, counts in sides:
        rows = counts.labelled if needs_labels else counts.selection[1]
        if rows < MIN_GROUP:
            what = "labelled rows" if needs_labels else "rows with a decision"
            return stats.Estimate(
                None, n=int(rows), reason=f"{side}: {rows:.0f} of {MIN_GROUP} {what}"
            )
    rate = RATE_OF.get(name)
    if rate is not None:
        for side, counts in sides:
            rows = stats.RATES[rate](counts)[1]
            if rows < MIN_GROUP:
                what = stats.ROWS_OF_RATE[rate]
                return stats.Estimate(
                    None, n=int(rows), reason=f"{side}: {rows:.0f} of {MIN_GROUP} {what}"
                )
    return COMPARISONS[name](group, others)


def _stratum(name: str, group: Counts, others: Counts) -> stats.Stratum:
    if name == "CDDL":
        return stats.Stratum(
            group.tp + group.fn, group.fp + group.tn, others.tp + others.fn, others.fp + others.tn
        )
    (accepted, decided), (others_accepted, others_decided) = group.selection, others.selection
    return stats.Stratum(
        accepted, decided - accepted, others_accepted, others_decided - others_accepted
    )


def _rows(counts: Counts) -> float:
    return max(counts.labelled, counts.selection[1])


def _sum(groups: Iterable[Counts]) -> Counts:
    return sum(groups, Counts(accepted=0.0, decided=0.0))


def _find_problem(ctx: CheckContext, facet: str) -> str:
    """Return why the groups of a facet can't be compared; empty if they can."""
    if ctx.schema.task is not Task.BINARY:
        return "fairness needs a model with two classes"
    if facet not in ctx.schema.segments:
        return f"list {facet} under schema.segments"
    if not _group_names(ctx, facet):
        return "the window has no row with a group"
    return label_use.unusable_reason(ctx) or score_metrics.undecided_reason(
        ctx.schema, ctx.current.scores
    )


def _group_names(ctx: CheckContext, facet: str) -> list[str]:
    column = ctx.current.columns.get(facet)
    return sorted(column.counts) if isinstance(column, CategoricalColumn) else []


def _count_group(window: Window, ctx: CheckContext) -> Counts:
    """Return the rows of a group by decision and label."""
    confusion = window.scores.confusion
    accepted, decided = _decisions(window, ctx)
    return Counts(
        tp=confusion.get(("1", "1"), 0),
        fp=confusion.get(("0", "1"), 0),
        fn=confusion.get(("1", "0"), 0),
        tn=confusion.get(("0", "0"), 0),
        accepted=accepted,
        decided=decided,
    )


def _decisions(window: Window, ctx: CheckContext) -> tuple[float, float]:
    """Return the rows with a positive decision and those with any, labelled or not."""
    schema, scores = ctx.schema, window.scores
    if schema.prediction is not None:
        column = window.columns.get(schema.prediction.name)
        if not isinstance(column, CategoricalColumn):
            return 0.0, 0.0
        known = scores.classes or tuple(column.counts)
        decided = sum(column.counts.get(name, 0) for name in known)
        return float(column.counts.get(scores.positive, 0)), float(decided)
    column = None if schema.score is None else window.columns.get(schema.score.name)
    if not isinstance(column, NumericColumn) or not column.count:
        return 0.0, 0.0
    return _rows_from(column, schema.threshold), float(column.count)


def _rows_from(column: NumericColumn, threshold: float) -> float:
    """Return the rows with a value of at least `threshold`, interpolated between two edges."""
    edges, counts = column.edges, column.counts
    place = int(edges.searchsorted(threshold))
    rows = float(counts[2 * place + 1 :].sum())
    if 0 < place < len(edges):
        share = (edges[place] - threshold) / (edges[place] - edges[place - 1])
        rows += float(counts[2 * place] * share)
    return rows


@hookimpl
def register_checks() -> list[type[Check]]:
    """The fairness check."""
    return [Fairness]
