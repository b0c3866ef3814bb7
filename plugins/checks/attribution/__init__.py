"""Compares how important each feature is to the model with the reference.

Attributions such as SHAP values come with the records, or are computed with the file or the
endpoint of the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field as Setting
from pydantic import model_validator

from driftline import (
    Check,
    CheckContext,
    Measurement,
    NumericColumn,
    Window,
    below,
    hookimpl,
    stats,
)
from driftline.kit.checks import ColumnName, Wording
from driftline.kit.checks.model_endpoint import ModelEndpoint

from .correlations import measure_correlations
from .shift import FeatureUse, FeatureUses, measure_shift, use_of_values


class Attribution(Check):
    """Measures how the importance of features has moved since the reference.

    The importance of a feature is the mean size of its attributions over all rows.

    attribution_ndcg compares the order of the features by importance; 1 is the same order.
    SageMaker and Azure use this number and the same bound, 0.90. attribution_moved is half the sum
    of the absolute differences of the shares: 0.3 means that 30% of all importance lies with other
    features now. attribution_spearman is the rank correlation of the importances. The intervals
    come from 400 draws from the errors of the rows, with features taken as independent. `moved` in
    the detail names the features whose share changed most.

    Of each feature, importance is its mean size, and score_contribution what it adds to the mean
    score now less what it added in the reference. These add up to the change of the mean score,
    where a model has one output.

    With `model_file` or `endpoint` the attributions are SHAP values of sampled rows: the exact ones
    of trees for XGBoost and LightGBM, and else Shapley values against 50 rows of the reference, 20
    for an endpoint. They are in the unit of the model's output: log odds of boosters, else
    probabilities.

    Without attribution columns and file the check measures score_correlation instead. It is the
    rank correlation of each numeric feature with the score (or a numeric prediction) on the sampled
    rows. It moves when the model uses the feature differently, or when the feature's relation to
    other features changes.

    | input | answer |
    | --- | --- |
    | no model file, no library, an input that the log lacks | no value, with the reason |
    | an endpoint that can't be reached, or answers otherwise | no value, with the reason |
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
    wordings: ClassVar = {
        "attribution_ndcg": Wording(noun="attribution NDCG"),
        "importance": Wording(noun="importance"),
        "score_contribution": Wording(noun="contribution to the change of the score"),
    }

    columns: Mapping[str, str] = {}
    """The attribution column of each feature, such as `{age: shap_age}`."""
    prefix: str = ""
    """A prefix that all attribution columns share, such as `shap_`; an alternative to `columns`."""
    model_file: str = ""
    """The file of the model, to compute SHAP values of sampled rows; an alternative to `columns`.

    It is a model of XGBoost (`.json`, `.ubj`), LightGBM (`.txt`), ONNX (`.onnx`) or, with
    `allow_pickle`, scikit-learn (`.joblib`, `.pkl`). A relative path starts at the folder where the
    agent runs. Its libraries come with the extra `explain`.
    """
    endpoint: ModelEndpoint | None = None
    """The endpoint of the model, to compute SHAP values without its file; an alternative to it.

    It gets up to 50 rows of a side with 20 rows of the reference in place of the features that are
    left out: about 2,000 predictions for each feature and window.
    """
    inputs: tuple[ColumnName, ...] = ()
    """The inputs of the model in their order; when empty, those of its file, or all features."""
    categories: Mapping[ColumnName, tuple[str, ...]] = {}
    """The values of each category in the order of the training, for XGBoost and LightGBM."""
    explained_rows: int = Setting(default=200, ge=10, le=10_000)
    """The most sampled rows that are explained on each side."""
    allow_pickle: bool = False
    """Whether a pickle may be loaded: loading one runs the code in it."""

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        origins = (self.columns, self.prefix, self.model_file, self.endpoint)
        if sum(map(bool, origins)) > 1:
            raise ValueError("give columns, prefix, model_file or endpoint, not several")
        if self.model_file:
            from driftline.kit.checks.model_files import find_problem

            problem = find_problem(self.model_file, allow_pickle=self.allow_pickle)
            if problem:
                raise ValueError(f"model_file: {problem}")
        return self

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield three measurements of the shift, then two of each feature.

        Without attributions, yield one for each feature.
        """
        if self.model_file or self.endpoint:
            yield from self._measure_computed(ctx)
        elif self.columns or self.prefix:
            yield from self._measure_logged(ctx)
        else:
            yield from measure_correlations(ctx)

    def _measure_computed(self, ctx: CheckContext) -> Iterator[Measurement]:
        from .computed import compute_attributions

        values = compute_attributions(
            ctx,
            self.endpoint or self.model_file,
            names=self.inputs,
            categories=self.categories,
            rows=self.explained_rows,
            allow_pickle=self.allow_pickle,
        )
        if values.reference is None or values.current is None:
            sides = FeatureUses({}, {}, rows=0)
        else:
            sides = FeatureUses(
                use_of_values(values.names, values.reference),
                use_of_values(values.names, values.current),
                rows=len(values.current),
            )
        yield from measure_shift(ctx, sides, values.reason)

    def _measure_logged(self, ctx: CheckContext) -> Iterator[Measurement]:
        features = dict(self.columns) or attribution_columns(self.prefix, ctx)
        ref, cur = _use_of_columns(ctx.reference, features), _use_of_columns(ctx.current, features)
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
        reason = f"no attributions in {lacking}"[:200] if lacking else ""
        if ctx.reference is None:
            reason = "no reference yet"
        yield from measure_shift(ctx, FeatureUses(ref, cur, rows=rows), reason)


def attribution_columns(prefix: str, ctx: CheckContext) -> dict[str, str]:
    """Attribution columns by feature: the columns whose names begin with `prefix`."""
    columns = dict(ctx.reference.columns if ctx.reference else {}) | dict(ctx.current.columns)
    return {name.removeprefix(prefix): name for name in columns if name.startswith(prefix)}


def _use_of_columns(window: Window | None, features: Mapping[str, str]) -> dict[str, FeatureUse]:
    uses, totals = {}, window.summaries.get("sizes", {}) if window else {}
    for feature, name in features.items():
        column = window.columns.get(name) if window else None
        if isinstance(column, NumericColumn) and column.mean is not None and name in totals:
            size = stats.mean_size(totals[name], column.count, column.mean, column.variance)
            if size is not None:
                error = math.sqrt((column.variance or 0.0) / max(1, column.count))
                uses[feature] = FeatureUse(size, column.mean, error)
    return uses


@hookimpl
def register_checks() -> list[type[Check]]:
    """The attribution check."""
    return [Attribution]
