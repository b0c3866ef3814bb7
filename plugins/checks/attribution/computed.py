"""SHAP values of sampled rows, computed with the file or the endpoint of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline import CheckContext, Kind, stats
from driftline.kit.checks.model_endpoint import ModelEndpoint
from driftline.kit.checks.model_files import (
    BOOSTERS,
    LoadedModel,
    ModelFileError,
    ModelInputs,
    load_model_file,
)
from driftline.kit.checks.sampled_rows import Columns

MOST_KEPT = 8
"""References whose values are kept."""

Values = NDArray[np.float64]


class Effort(NamedTuple):
    """How much is computed for one side."""

    rows: int
    """The most rows that are explained."""
    background: int
    """Rows of the reference that stand for absent features, where the model is no tree ensemble."""
    predictions: int
    """The predictions that are made at most, where one pair of orders takes no more."""


OF_FILES = Effort(rows=10_000, background=50, predictions=2_000_000)
OF_ENDPOINTS = Effort(rows=50, background=20, predictions=20_000)


class Attributions(NamedTuple):
    """SHAP values of both sides, shape (n, F, C), or why there are none."""

    names: tuple[str, ...] = ()
    reference: Values | None = None
    current: Values | None = None
    reason: str = ""


_values_by_key: dict[bytes, Values] = {}


def compute_attributions(
    ctx: CheckContext,
    origin: str | ModelEndpoint,
    *,
    names: Sequence[str],
    categories: Mapping[str, tuple[str, ...]],
    rows: int,
    allow_pickle: bool,
) -> Attributions:
    """Return the SHAP values of up to `rows` sampled rows of each side.

    `origin` is the file of the model, or its endpoint, which explains fewer rows.
    `names` are the inputs in order; when empty, those of the file, or else all features.
    """
    now = ctx.current.summaries.get("sample", {})
    before = ctx.reference.summaries.get("sample", {}) if ctx.reference else {}
    if ctx.reference is None:
        return Attributions(reason="no reference yet")
    try:
        if isinstance(origin, ModelEndpoint):
            model: LoadedModel = origin
            file, effort, rows = "endpoint", OF_ENDPOINTS, min(rows, OF_ENDPOINTS.rows)
        else:
            model = load_model_file(Path(origin), allow_pickle=allow_pickle)
            file, effort = origin, OF_FILES
        inputs = _find_inputs(ctx, model, names, categories, file, (before, now))
        sides = [_encode(sample, inputs, rows) for sample in (before, now)]
        if not all(len(side) for side in sides):
            side = "window" if len(sides[0]) else "reference"
            return Attributions(reason=f"no sample of the {side}")
        # The same order of draws for both sides, so that equal rows have equal values.
        reference = _kept_values(model, file, inputs, sides[0], effort)
        current = _explain(model, inputs, sides[1], sides[0], effort)
    except ModelFileError as error:
        return Attributions(reason=str(error)[:300])
    return Attributions(inputs.names, reference, current)


def _find_inputs(
    ctx: CheckContext,
    model: LoadedModel,
    names: Sequence[str],
    categories: Mapping[str, tuple[str, ...]],
    file: str,
    samples: Sequence[Columns],
) -> ModelInputs:
    """Return the inputs of the model. Raises ModelFileError where the log lacks one."""
    chosen = tuple(names) or model.names or tuple(ctx.schema.features)
    absent = [name for name in chosen if any(name not in sample for sample in samples)]
    if absent:
        raise ModelFileError(
            f"{file}: the log has no column {', '.join(absent)[:150]}: name the inputs in their "
            "order (inputs)"
        )
    texts = dict(categories)
    for name in chosen:
        field = ctx.schema.features.get(name)
        if name in texts or field is None or field.kind is not Kind.CATEGORICAL:
            continue
        if Path(file).suffix.lower() in BOOSTERS:
            raise ModelFileError(
                f"{file}: {name} is a category: list its values in the order of the training "
                f"(categories: {{{name}: [...]}})"
            )
        values = {value for sample in samples for value in sample[name] if value is not None}
        texts[name] = tuple(sorted(map(str, values)))
    return ModelInputs(chosen, texts)


def _encode(sample: Columns, inputs: ModelInputs, rows: int) -> Values:
    """Return the first `rows` rows as numbers, shape (n, F); NaN for a missing value."""
    columns = []
    for name in inputs.names:
        values = sample[name][:rows]
        if name in inputs.categories:
            places = {text: place for place, text in enumerate(inputs.categories[name])}
            columns.append([places.get(str(value), np.nan) for value in values])
        else:
            columns.append([_number(value) for value in values])
    return np.array(columns, np.float64).T.reshape(-1, len(inputs.names))


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _kept_values(
    model: LoadedModel, file: str, inputs: ModelInputs, rows: Values, effort: Effort
) -> Values:
    """Return the values of the reference, which are computed once for a model and its rows."""
    stamp = f"{file} {inputs}".encode()
    # Another model behind the same endpoint answers the same rows differently.
    if effort is OF_ENDPOINTS:
        stamp += _predict(model, inputs, rows[: effort.background]).tobytes()
    else:
        stamp += str(id(model)).encode()
    key = blake2b(rows.tobytes() + stamp, digest_size=16).digest()
    values = _values_by_key.get(key)
    if values is None:
        values = _explain(model, inputs, rows, rows, effort)
        while len(_values_by_key) >= MOST_KEPT:
            _values_by_key.pop(next(iter(_values_by_key)), None)
        _values_by_key[key] = values
    return values


def _predict(model: LoadedModel, inputs: ModelInputs, rows: Values) -> Values:
    values: Values = model.predict(rows, inputs)
    return values


def _explain(
    model: LoadedModel, inputs: ModelInputs, rows: Values, reference: Values, effort: Effort
) -> Values:
    """Return the SHAP values of rows. Raises ModelFileError where the model fails on them."""
    try:
        values = model.contributions(rows, inputs)
        if values is None:
            values = stats.shapley_values(
                lambda table: model.predict(table, inputs),
                rows,
                reference[: effort.background],
                np.random.default_rng(0),
                effort.predictions,
            )
    except ModelFileError:
        raise
    except ImportError as error:
        raise ModelFileError(f"{error.name} is not installed") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(f"the model can't be applied to the sampled rows: {reason}") from None
    if not np.isfinite(values).all():
        raise ModelFileError("the model gives no finite numbers for the sampled rows")
    return values
