"""Turns instances and predictions of Vertex AI, each a JSON value, into rows.

Names for a bare list of numbers come from the settings; without them the values are numbered.
Payloads are shortened unless the schema needs them: base64 becomes its length, and a long text
becomes its start and a hash.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from driftline.kit.decoding import json_values
from driftline.kit.decoding.headers import FormatWithHeaders
from driftline.types.model import Field, Kind

LONG = 1000
"""Characters of a text that is not shortened."""
CLASSES_AND_SCORES = (("classes", "scores"), ("displayNames", "confidences"))
"""Keys of a list of classes and of the list of their scores."""
POSITIVE = frozenset({"1", "true", "yes"})
"""Names of the positive one of two classes, where the settings do not name it."""


class PredictionFormat(FormatWithHeaders):
    """A format of instances and predictions, with the settings that name their values."""

    classes: tuple[str, ...] = ()
    """Names of the classes, in order, where a prediction is a list of their scores."""
    positive: str | None = None
    """The class whose score is the column `score`.

    When absent, of two classes the one named 1, true or yes.
    """

    def reader(self, fields: Sequence[Field] | None) -> PredictionReader:
        """Return a reader for the columns of `fields`."""
        return PredictionReader(self.headers, self.classes, self.positive, fields)


class PredictionReader:
    """Turns instances and predictions into rows of one log.

    `headers` names the values of an instance that is a list. `classes` names the scores of a
    prediction that is a list. `positive` is the class whose score is the column `score`. With
    `fields` a row also has the raw prediction, and both sides as `input` and `output`, for paths
    into them. Payloads are not shortened where `fields` has texts or images.
    """

    def __init__(
        self,
        headers: Sequence[str],
        classes: Sequence[str],
        positive: str | None,
        fields: Sequence[Field] | None,
    ) -> None:
        self._headers, self._classes, self._positive = headers, classes, positive
        self._everything = fields is None
        self._whole = any(field.kind in (Kind.TEXT, Kind.IMAGE) for field in fields or ())

    def shorten(self, value: Any) -> Any:
        """Return a value for a row: shortened, unless the schema needs payloads."""
        return value if self._whole else shorten_payloads(value)

    def parse(self, text: str | bytes) -> Any:
        """Return the one JSON value of `text`. Raises ValueError with a reason for people."""
        return parse_json_value(text, whole=self._whole)

    def row(self, instance: Any, prediction: Any, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return one row; the values of `metadata` win over others of the same name.

        Raises ValueError with the reason.
        """
        inputs = self.inputs(instance)
        outputs, unknown = self.outputs(prediction)
        if self._everything:
            return {**inputs, **unknown, **outputs, **metadata}
        raw = prediction if isinstance(prediction, dict) else {}
        return {
            "input": inputs,
            "output": prediction,
            **inputs,
            **raw,
            **unknown,
            **outputs,
            **metadata,
        }

    def inputs(self, value: Any) -> dict[str, Any]:
        """Return the values of an instance by name; unnamed values are `_c0`, `_c1` and so on."""
        if isinstance(value, dict):
            return value
        values = value if isinstance(value, list) else [value]
        names = self._headers or [f"_c{i}" for i in range(len(values))]
        if len(names) != len(values):
            raise ValueError(
                f"{len(values)} values in the instance where {len(names)} names are set"
            )
        return dict(zip(names, values, strict=True))

    def outputs(self, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the standard columns of a prediction, and its other values by name.

        The standard columns are `prediction` (the value, or the class with the highest score),
        `confidence` (the highest score), `score` (of the positive class) and `scores.CLASS`.
        """
        if isinstance(value, list):
            return self._list(value)
        if not isinstance(value, dict):
            return {"prediction": value}, {}
        for names, scores in CLASSES_AND_SCORES:
            if isinstance(value.get(names), list) and isinstance(value.get(scores), list):
                columns = self._score_columns(value[names], value[scores])
                return columns, _without(value, names, scores, "ids")
        key = next((key for key in value if key.startswith("predicted_")), None)
        if key is not None:
            return self._bigquery_ml(value, key)
        if _is_number(value.get("value")):
            return {"prediction": value["value"]}, _without(value, "value")
        only = next(iter(value.values())) if len(value) == 1 else None
        if only is not None and not isinstance(only, dict):
            return self._list(only if isinstance(only, list) else [only])
        return {}, value

    def _bigquery_ml(
        self, value: dict[str, Any], key: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Read a prediction of BigQuery ML: the decision, and often the probabilities."""
        label = key.removeprefix("predicted_")
        names, scores = value.get(f"{label}_values"), value.get(f"{label}_probs")
        if not isinstance(names, list) or not isinstance(scores, list):
            return {"prediction": value[key]}, _without(value, key)
        columns = self._score_columns(names, scores) | {"prediction": value[key]}
        return columns, _without(value, key, f"{label}_values", f"{label}_probs")

    def _list(self, values: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        while len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        if values and all(
            isinstance(item, dict) and "displayName" in item and "confidence" in item
            for item in values
        ):
            best: dict[str, Any] = {}
            # A class may be there several times, once for each segment of a video.
            for item in values:
                name, score = json_values.to_text(item["displayName"]), _number(item["confidence"])
                best[name] = max(score, best.get(name, score))
            return self._score_columns(list(best), list(best.values())), {}
        if self._classes and not any(isinstance(item, dict) for item in values):
            return self._score_columns(self._classes, values), {}
        if len(values) == 1:
            [value] = values
            return ({}, value) if isinstance(value, dict) else ({"prediction": value}, {})
        return {}, {f"_o{i}": item for i, item in enumerate(values)}

    def _score_columns(self, names: Sequence[Any], values: Sequence[Any]) -> dict[str, Any]:
        if len(names) != len(values):
            raise ValueError(f"{len(values)} scores where there are {len(names)} classes")
        if not names:
            return {"prediction": None, "confidence": None}
        scores = [_number(value) for value in values]
        top = max(
            range(len(scores)), key=lambda i: -math.inf if math.isnan(scores[i]) else scores[i]
        )
        columns: dict[str, Any] = {"prediction": names[top], "confidence": scores[top]}
        by_class = {
            json_values.to_text(name): score for name, score in zip(names, scores, strict=True)
        }
        positive = self._positive
        if positive is None and len(by_class) == 2:
            candidates = [name for name in by_class if name.lower() in POSITIVE]
            positive = candidates[0] if len(candidates) == 1 else None
        if positive is not None:
            columns["score"] = by_class.get(positive)
        return columns | {f"scores.{name}": score for name, score in by_class.items()}


def shorten_payloads(value: Any) -> Any:
    """Return a value without its payloads.

    `{"b64": TEXT}` gets the number of its bytes, and a long text becomes its start and a hash.
    Raises RecursionError where the value is nested too deeply.
    """
    if isinstance(value, str):
        if len(value) <= LONG:
            return value
        digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return f"{value[:50]}… ({len(value)} characters, {digest})"
    if isinstance(value, list):
        return [shorten_payloads(item) for item in value]
    if not isinstance(value, dict):
        return value
    payload = value.get("b64")
    if len(value) == 1 and isinstance(payload, str):
        return {"b64": len(payload.rstrip("=")) * 3 // 4}
    return {name: shorten_payloads(item) for name, item in value.items()}


def parse_json_value(text: str | bytes, *, whole: bool = False) -> Any:
    """Return the one JSON value of `text`, shortened unless `whole`.

    Raises ValueError with a reason for people.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    values = list(json_values.parse_documents(data))
    if len(values) != 1:
        raise ValueError(
            "empty" if not values else f"{len(values)} JSON values where one is expected"
        )
    if whole or (len(data) <= LONG and b'"b64"' not in data):
        return values[0]
    try:
        return shorten_payloads(values[0])
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in names}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """Return a score; numbers of 64 bits are text. Raises ValueError."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"a score that is no number: {json_values.to_text(value)[:50]}")
