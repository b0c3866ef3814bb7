"""Compares how important each feature is to the model with the reference.

Does not compute attributions: values such as SHAP come with the records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from driftline import (
    Check,
    CheckContext,
    Kind,
    Measurement,
    NumericColumn,
    Window,
    below,
    hookimpl,
    stats,
)
from driftline.kit.checks import Wording

MAX_NAMES = 5
ATTRIBUTION_MEASUREMENTS = ("attribution_ndcg", "attribution_moved", "attribution_spearman")


class Attribution(Check):
    """Measures how the importance of features has moved since the reference.

    The importance of a feature is the mean size of its attributions over all rows.

    attribution_ndcg compares the order of the features by importance; 1 is the same order.
    SageMaker and Azure use this number and the same bound, 0.90. attribution_moved is half the sum
    of the absolute differences of the shares: 0.3 means that 30% of all importance lies with other
    features now. attribution_spearman is the rank correlation of the importances. The intervals
    come from 400 draws from the errors of the rows, with features taken as independent. `moved` in
    the detail names the features whose share changed most.

    Without attribution columns the check measures score_correlation instead. It is the rank
    correlation of each numeric feature with the score (or a numeric prediction) on the sampled
    rows. It moves when the model uses the feature differently, or when the feature's relation to
    other features changes.

    | input | answer |
    | --- | --- |
    | no reference | attribution_*: no value, with the reason; score_correlation has one |
    | an attribution column absent or without values on a side | no value, with the reason |
    | fewer than two attribution columns | no value, with the reason |
    | all attributions of a side 0 | no value, with the reason |
    | all importances of a side equal | attribution_spearman without value |
    | one row | values, with intervals of that row's own size |
    | no score and no numeric prediction; no sample | no score_correlation, with the reason |
    | a feature or score constant or null; fewer than 4 rows with both | no score_correlation |
    | the same on both sides | 1, 0 and 1 |
    """

    type = "attribution"
    cause = "drift"
    main = "attribution_ndcg"
    collectors: ClassVar = frozenset({"numeric", "sample", "sizes"})
    default_rules: ClassVar = {"attribution_ndcg": below(warning=0.90)}
    min_rows = 100
    wordings: ClassVar = {"attribution_ndcg": Wording(noun="attribution NDCG")}

    columns: Mapping[str, str] = {}
    """The attribution column of each feature, such as `{age: shap_age}`."""
    prefix: str = ""
    """A prefix that all attribution columns share, such as `shap_`; an alternative to `columns`."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield three measurements, or one for each feature when there are no attributions."""
        if not self.columns and not self.prefix:
            yield from _correlations(ctx)
            return
        features = dict(self.columns) or attribution_columns(self.prefix, ctx)
        ref, cur = _sizes(ctx.reference, features), _sizes(ctx.current, features)
        rows = min(
            (
                ctx.current.columns[name].count
                for name in features.values()
                if name in ctx.current.columns
            ),
            default=0,
        )
        lacking = ", ".join(
            dict.fromkeys(features[f] for f in features if f not in ref or f not in cur)
        )
        reason = (
            "no reference yet"
            if ctx.reference is None
            else f"no attributions in {lacking}"[:200]
            if lacking
            else ""
        )
        shift = (
            None
            if reason
            else stats.attribution_shift(list(ref.values()), list(cur.values()), ctx.rng())
        )
        if shift is None:
            reason = reason or "needs two features, and attributions other than 0"
            yield from (
                Measurement(None, name=name, rows=rows, reason=reason)
                for name in ATTRIBUTION_MEASUREMENTS
            )
            return
        all_was, all_now = (sum(size.value for size in side.values()) for side in (ref, cur))
        change = {
            feature: cur[feature].value / all_now - ref[feature].value / all_was
            for feature in features
        }
        most = sorted(
            (feature for feature in change if change[feature]),
            key=lambda feature: (-abs(change[feature]), feature),
        )
        detail = {"moved": ", ".join(f"{f} {change[f]:+.3f}" for f in most[:MAX_NAMES])}
        for name, estimate in zip(ATTRIBUTION_MEASUREMENTS, shift, strict=True):
            reason = "" if estimate.value is not None else "all importances of a side are equal"
            yield Measurement(
                estimate.value,
                name=name,
                rows=rows,
                interval=estimate.interval,
                reason=reason,
                detail=detail,
            )


def attribution_columns(prefix: str, ctx: CheckContext) -> dict[str, str]:
    """Attribution columns by feature: the columns whose names begin with `prefix`."""
    columns = dict(ctx.reference.columns if ctx.reference else {}) | dict(ctx.current.columns)
    return {name.removeprefix(prefix): name for name in columns if name.startswith(prefix)}


def _sizes(window: Window | None, features: Mapping[str, str]) -> dict[str, stats.MeanSize]:
    sizes, totals = {}, window.summaries.get("sizes", {}) if window else {}
    for feature, name in features.items():
        column = window.columns.get(name) if window else None
        if isinstance(column, NumericColumn) and column.mean is not None and name in totals:
            size = stats.mean_size(totals[name], column.count, column.mean, column.variance)
            if size is not None:
                sizes[feature] = size
    return sizes


def _correlations(ctx: CheckContext) -> Iterator[Measurement]:
    schema = ctx.schema
    score = next(
        (
            part.name
            for part in (schema.score, schema.prediction)
            if part and part.kind is Kind.NUMERIC
        ),
        "",
    )
    now = ctx.current.summaries.get("sample", {})
    ref_sample = ctx.reference.summaries.get("sample", {}) if ctx.reference else {}
    numeric = [
        name for name, part in schema.features.items() if part.kind is Kind.NUMERIC and name in now
    ]
    if score not in now or not numeric:
        reason = (
            "no sample of the window"
            if not now
            else "no score"
            if score not in now
            else "no numeric feature"
        )
        yield Measurement(None, name="score_correlation", rows=0, reason=reason)
        return
    for name in numeric:
        value = stats.rank_correlation(now[name], now[score])
        before = (
            stats.rank_correlation(ref_sample[name], ref_sample[score]).value
            if name in ref_sample and score in ref_sample
            else None
        )
        yield Measurement(
            value.value,
            {"column": name},
            name="score_correlation",
            rows=value.n,
            interval=value.interval,
            reason=value.reason,
            was=before,
        )


@hookimpl
def register_checks() -> list[type[Check]]:
    """The attribution check."""
    return [Attribution]
