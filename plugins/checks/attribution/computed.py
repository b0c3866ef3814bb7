"""SHAP values of sampled rows, computed with the file of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from driftline import CheckContext, Kind, stats
from driftline.kit.checks.model_files import (
    BOOSTERS,
    LoadedModel,
    ModelFileError,
    ModelInputs,
    load_model_file,
)
from driftline.kit.checks.sampled_rows import Columns

BACKGROUND = 50
"""Rows of the reference that stand for absent features, where the model is no tree ensemble."""
MOST_KEPT = 8
"""References whose values are kept."""

Values = NDArray[np.float64]


class Attributions(NamedTuple):
    """SHAP values of both sides, shape (n, F, C), or why there are none."""

    names: tuple[str, ...] = ()
    reference: Values | None = None
    current: Values | None = None
    reason: str = ""


_values_by_key: dict[bytes, Values] = {}


def compute_attributions(
    ctx: CheckContext,
    file: str,
    *,
    names: Sequence[str],
    categories: Mapping[str, tuple[str, ...]],
    rows: int,
    allow_pickle: bool,
) -> Attributions:
    """Return the SHAP values of up to `rows` sampled rows of each side.

    `names` are the inputs in order; when empty, those of the file, or else all features.
    """
    now = ctx.current.summaries.get("sample", {})
    before = ctx.reference.summaries.get("sample", {}) if ctx.reference else {}
    if ctx.reference is None:
        return Attributions(reason="no reference yet")
    try:
        model = load_model_file(Path(file), allow_pickle=allow_pickle)
        inputs = _find_inputs(ctx, model, names, categories, file, (before, now))
        sides = [_encode(sample, inputs, rows) for sample in (before, now)]
        if not all(len(side) for side in sides):
            side = "window" if len(sides[0]) else "reference"
            return Attributions(reason=f"no sample of the {side}")
        # The same order of draws for both sides, so that equal rows have equal values.
        reference = _kept_values(model, file, inputs, sides[0])
        current = _explain(model, inputs, sides[1], sides[0])
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


def _kept_values(model: LoadedModel, file: str, inputs: ModelInputs, rows: Values) -> Values:
    """Return the values of the reference, which are computed once for a model and its rows."""
    stamp = f"{file} {id(model)} {inputs}".encode()
    key = blake2b(rows.tobytes() + stamp, digest_size=16).digest()
    values = _values_by_key.get(key)
    if values is None:
        values = _explain(model, inputs, rows, rows)
        while len(_values_by_key) >= MOST_KEPT:
            _values_by_key.pop(next(iter(_values_by_key)), None)
        _values_by_key[key] = values
    return values


def _explain(model: LoadedModel, inputs: ModelInputs, rows: Values, reference: Values) -> Values:
    """Return the SHAP values of rows. Raises ModelFileError where the model fails on them."""
    try:
        values = model.contributions(rows, inputs)
        if values is None:
            values = stats.shapley_values(
                lambda table: model.predict(table, inputs),
                rows,
                reference[:BACKGROUND],
                np.random.default_rng(0),
            )
    except ImportError as error:
        raise ModelFileError(f"{error.name} is not installed") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(f"the model can't be applied to the sampled rows: {reason}") from None
    if not np.isfinite(values).all():
        raise ModelFileError("the model gives no finite numbers for the sampled rows")
    return values
