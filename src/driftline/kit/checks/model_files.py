"""Loads the file of a model and applies it to rows: XGBoost, LightGBM, ONNX, scikit-learn.

Does not train, and loads a pickle only on request: loading one runs the code in it. The libraries
are imported on first use.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from driftline.types.arrays import Floats
from driftline.types.errors import DriftlineError

PICKLES = (".joblib", ".pkl", ".pickle")
BOOSTERS = (".json", ".ubj", ".txt", ".lgb")
SUFFIXES = (*BOOSTERS, ".onnx", *PICKLES)
EXTRA = "pip install 'driftline[explain]'"


class ModelFileError(DriftlineError):
    """The model can't be loaded or applied; the text says why."""


class LoadedModel(Protocol):
    """A model that is applied to rows of numbers, shape (n, F).

    The value of a category is its place among the texts of `ModelInputs`.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Its inputs in order, as the file names them; empty where it does not."""
        ...

    def predict(self, rows: Floats, inputs: ModelInputs) -> Floats:
        """Return the outputs, shape (n, C)."""
        ...

    def contributions(self, rows: Floats, inputs: ModelInputs) -> Floats | None:
        """Return the exact SHAP values of trees, shape (n, F, C); None where it has none."""
        ...


@dataclass(frozen=True, slots=True)
class ModelInputs:
    """The inputs of a model, in order."""

    names: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The texts of each input that is a category; a row has the place of its text."""


_models: dict[tuple[str, int, int], LoadedModel] = {}
_lock = threading.Lock()


def load_model_file(path: Path, *, allow_pickle: bool) -> LoadedModel:
    """Return the model of a file; the same object as long as the file stays the same.

    Raises ModelFileError.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}") from None
    key = (str(path), status.st_mtime_ns, status.st_size)
    with _lock:
        model = _models.get(key)
        if model is None:
            for old in [other for other in _models if other[0] == key[0]]:
                del _models[old]
            model = _models[key] = _load(path, allow_pickle=allow_pickle)
        return model


def find_problem(path: str, *, allow_pickle: bool) -> str:
    """Return what is wrong with the name of a model's file; empty if nothing is."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        return f"should end in one of {', '.join(SUFFIXES)}"
    if suffix in PICKLES and not allow_pickle:
        return (
            "a pickle runs the code in it when it is loaded: set allow_pickle: true for a file "
            "that you trust, or convert the model to ONNX"
        )
    return ""


def _load(path: Path, *, allow_pickle: bool) -> LoadedModel:
    problem = find_problem(str(path), allow_pickle=allow_pickle)
    if problem:
        raise ModelFileError(f"{path}: {problem}")
    suffix = path.suffix.lower()
    kind: type[_XGBoost | _LightGBM | _Onnx | _ScikitLearn] = (
        _XGBoost
        if suffix in (".json", ".ubj")
        else _LightGBM
        if suffix in (".txt", ".lgb")
        else _Onnx
        if suffix == ".onnx"
        else _ScikitLearn
    )
    try:
        return kind(path)
    except ImportError as error:
        raise ModelFileError(f"{path}: {error.name} is not installed: {EXTRA}") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{path}: no model can be read from it: {reason}") from None


def _without_base(contributions: Floats, features: int) -> Floats:
    """Return contributions of shape (n, F, C) from those of a library, which end in the base."""
    shaped = contributions.reshape(len(contributions), -1, features + 1)
    values: Floats = np.moveaxis(shaped[:, :, :features], 1, 2).astype(np.float64)
    return values


class _XGBoost:
    """A booster of XGBoost. Its output is the margin, such as log odds."""

    def __init__(self, path: Path) -> None:
        import xgboost

        self._library = xgboost
        self._booster = xgboost.Booster(model_file=str(path))
        self._booster.set_param({"nthread": 1})
        self.names = tuple(self._booster.feature_names or ())

    def predict(self, rows: Floats, inputs: ModelInputs) -> Floats:
        margins = np.asarray(self._booster.predict(self._table(rows), output_margin=True))
        outputs: Floats = margins.reshape(len(rows), -1).astype(np.float64)
        return outputs

    def contributions(self, rows: Floats, inputs: ModelInputs) -> Floats | None:
        contributions_and_base = np.asarray(
            self._booster.predict(self._table(rows), pred_contribs=True)
        )
        return _without_base(contributions_and_base, rows.shape[1])

    def _table(self, rows: Floats) -> Any:
        types = self._booster.feature_types
        return self._library.DMatrix(
            rows,
            feature_names=self._booster.feature_names,
            feature_types=types,
            enable_categorical=bool(types and "c" in types),
            nthread=1,
        )


class _LightGBM:
    """A booster of LightGBM. Its output is the raw score, such as log odds."""

    def __init__(self, path: Path) -> None:
        import lightgbm

        self._booster = lightgbm.Booster(model_file=str(path))
        names = tuple(self._booster.feature_name())
        # Without names the library calls them Column_0, Column_1 and so on.
        self.names = () if names == tuple(f"Column_{n}" for n in range(len(names))) else names

    def predict(self, rows: Floats, inputs: ModelInputs) -> Floats:
        scores = np.asarray(self._booster.predict(rows, raw_score=True, num_threads=1))
        outputs: Floats = scores.reshape(len(rows), -1)
        return outputs

    def contributions(self, rows: Floats, inputs: ModelInputs) -> Floats | None:
        contributions_and_base = np.asarray(
            self._booster.predict(rows, pred_contrib=True, num_threads=1)
        )
        return _without_base(contributions_and_base, rows.shape[1])


class _Onnx:
    """A model in ONNX. Its output is the probabilities of a classifier, or a number."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = self._session.get_inputs()
        # A model with one input for all columns does not name these.
        single = len(self._inputs) == 1
        self.names = () if single else tuple(part.name for part in self._inputs)
        outputs = [part.name for part in self._session.get_outputs()]
        probabilities = [name for name in outputs if "prob" in name.lower()]
        self._output = (probabilities or outputs)[-1]

    def predict(self, rows: Floats, inputs: ModelInputs) -> Floats:
        if self.names:
            feed = {
                part.name: _as_column(rows[:, place], part.type, inputs.categories.get(name, ()))
                for place, (part, name) in enumerate(zip(self._inputs, inputs.names, strict=True))
            }
        else:
            is_double = "double" in self._inputs[0].type
            feed = {self._inputs[0].name: rows.astype(np.float64 if is_double else np.float32)}
        [output] = self._session.run([self._output], feed)
        if isinstance(output, list):  # a map from class to probability for each row
            output = np.array([list(row.values()) for row in output])
        return _positive_only(np.asarray(output, np.float64).reshape(len(rows), -1))

    def contributions(self, rows: Floats, inputs: ModelInputs) -> Floats | None:
        return None


class _ScikitLearn:
    """An estimator of scikit-learn. Its output: the probabilities of a classifier, or a number."""

    def __init__(self, path: Path) -> None:
        import joblib

        self._estimator = joblib.load(path)
        if not hasattr(self._estimator, "predict"):
            raise ValueError(f"a {type(self._estimator).__name__} predicts nothing")
        self.names = tuple(str(name) for name in getattr(self._estimator, "feature_names_in_", ()))

    def predict(self, rows: Floats, inputs: ModelInputs) -> Floats:
        table: Any = rows
        if self.names:
            import pandas

            table = pandas.DataFrame(
                {
                    name: _as_texts(rows[:, place], inputs.categories[name])
                    if name in inputs.categories
                    else rows[:, place]
                    for place, name in enumerate(self.names)
                }
            )
        apply = getattr(self._estimator, "predict_proba", None) or self._estimator.predict
        return _positive_only(np.asarray(apply(table), np.float64).reshape(len(rows), -1))

    def contributions(self, rows: Floats, inputs: ModelInputs) -> Floats | None:
        return None


def _positive_only(outputs: Floats) -> Floats:
    """Return the probability of the positive class alone where there are two classes."""
    return outputs[:, 1:] if outputs.shape[1] == 2 else outputs


def _as_texts(codes: Floats, texts: Sequence[str]) -> Any:
    words = np.array([*texts, None], dtype=object)
    return words[np.where(np.isnan(codes), len(texts), codes).astype(int)]


def _as_column(values: Floats, kind: str, texts: Sequence[str]) -> Any:
    """Return the values of one input of ONNX, shape (n, 1)."""
    if "string" in kind:
        words = np.array([*texts, ""], dtype=object)
        return words[np.where(np.isnan(values), len(texts), values).astype(int)][:, None]
    types = {"int64": np.int64, "int32": np.int32, "double": np.float64}
    type_ = next((type_ for name, type_ in types.items() if name in kind), np.float32)
    return values.astype(type_)[:, None]
