"""What went into a model and what came out of it, as prediction services write one of each in JSON:
to columns.

Refuses to guess what a bare list of numbers means: names come from the settings, else the values
are numbered. Refuses to keep payloads that nobody asked for: base64 becomes its length, an endless
text its beginning and a hash.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from driftline.kit.decoding import json_values
from driftline.types.model import Field, Kind

LONG = 1000
"""Characters of a text that is kept whole."""
LISTED = (("classes", "scores"), ("displayNames", "confidences"))
"""Keys of a list of classes and of the list of scores beside it."""
POSITIVE = frozenset({"1", "true", "yes"})
"""Which of two classes is the positive one, where nobody says it."""


class Reader:
    """Instances and predictions to rows of one log.

    `headers` names the values of an instance that is a list, `classes` the scores of a prediction
    that is one, `positive` is the class whose score is the column `score`. Without `fields` a row
    holds what is worth a column; else also what was recognised in its raw form, and both sides
    whole as `input` and `output`, for paths into them. Payloads stay as they are where `fields` has
    texts or images.
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

    def kept(self, value: Any) -> Any:
        """A value as a row holds it: shortened, unless payloads are wanted."""
        return value if self._whole else shortened(value)

    def document(self, text: str | bytes) -> Any:
        """The one JSON value that `text` holds. Raises ValueError with a reason for people."""
        return document(text, whole=self._whole)

    def row(self, instance: Any, prediction: Any, beside: Mapping[str, Any]) -> dict[str, Any]:
        """One row; what stands `beside` the two wins over values of the same name. Raises
        ValueError with the reason.
        """
        inputs = self.inputs(instance)
        outputs, rest = self.outputs(prediction)
        if self._everything:
            return {**inputs, **rest, **outputs, **beside}
        raw = prediction if isinstance(prediction, dict) else {}
        return {"input": inputs, "output": prediction, **inputs, **raw, **rest, **outputs, **beside}

    def inputs(self, value: Any) -> dict[str, Any]:
        """The values of an instance by name; `_c0`, `_c1` and so on where it is a list that nothing
        names.
        """
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
        """What a prediction says in known words, and the rest of it under its own names.

        Known are `prediction` (the class of the highest score, the value), `confidence` (the
        highest score), `score` (that of the positive class) and `scores.CLASS`.
        """
        if isinstance(value, list):
            return self._list(value)
        if not isinstance(value, dict):
            return {"prediction": value}, {}
        for names, scores in LISTED:
            if isinstance(value.get(names), list) and isinstance(value.get(scores), list):
                return self._scored(value[names], value[scores]), _without(
                    value, names, scores, "ids"
                )
        decided = next((key for key in value if key.startswith("predicted_")), None)
        if decided is not None:
            return self._decided(value, decided)
        if _is_number(value.get("value")):
            return {"prediction": value["value"]}, _without(value, "value")
        only = next(iter(value.values())) if len(value) == 1 else None
        if only is not None and not isinstance(only, dict):
            return self._list(only if isinstance(only, list) else [only])
        return {}, value

    def _decided(self, value: dict[str, Any], key: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """A model of BigQuery ML: the decision, and often the probabilities beside it."""
        label = key.removeprefix("predicted_")
        names, scores = value.get(f"{label}_values"), value.get(f"{label}_probs")
        if not isinstance(names, list) or not isinstance(scores, list):
            return {"prediction": value[key]}, _without(value, key)
        rest = _without(value, key, f"{label}_values", f"{label}_probs")
        return self._scored(names, scores) | {"prediction": value[key]}, rest

    def _list(self, values: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        while len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        if values and all(
            isinstance(item, dict) and "displayName" in item and "confidence" in item
            for item in values
        ):
            best: dict[str, Any] = {}
            for item in values:  # A class may come several times, once for each stretch of a video.
                name, score = json_values.text(item["displayName"]), _number(item["confidence"])
                best[name] = max(score, best.get(name, score))
            return self._scored(list(best), list(best.values())), {}
        if self._classes and not any(isinstance(item, dict) for item in values):
            return self._scored(self._classes, values), {}
        if len(values) == 1:
            return (
                ({}, values[0]) if isinstance(values[0], dict) else ({"prediction": values[0]}, {})
            )
        return {}, {f"_o{i}": item for i, item in enumerate(values)}

    def _scored(self, names: Sequence[Any], values: Sequence[Any]) -> dict[str, Any]:
        if len(names) != len(values):
            raise ValueError(f"{len(values)} scores where there are {len(names)} classes")
        if not names:
            return {"prediction": None, "confidence": None}
        scores = [_number(value) for value in values]
        top = max(
            range(len(scores)), key=lambda i: -math.inf if math.isnan(scores[i]) else scores[i]
        )
        found: dict[str, Any] = {"prediction": names[top], "confidence": scores[top]}
        by_class = {
            json_values.text(name): score for name, score in zip(names, scores, strict=True)
        }
        positive = self._positive
        if positive is None and len(by_class) == 2:
            said = [name for name in by_class if name.lower() in POSITIVE]
            positive = said[0] if len(said) == 1 else None
        if positive is not None:
            found["score"] = by_class.get(positive)
        return found | {f"scores.{name}": score for name, score in by_class.items()}


def shortened(value: Any) -> Any:
    """The same without payloads: `{"b64": TEXT}` holds the number of its bytes, a long text is cut
    and told apart by a hash.

    Raises RecursionError where it is nested too deeply.
    """
    if isinstance(value, str):
        if len(value) <= LONG:
            return value
        digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return f"{value[:50]}… ({len(value)} characters, {digest})"
    if isinstance(value, list):
        return [shortened(item) for item in value]
    if not isinstance(value, dict):
        return value
    payload = value.get("b64")
    if len(value) == 1 and isinstance(payload, str):
        return {"b64": len(payload.rstrip("=")) * 3 // 4}
    return {name: shortened(item) for name, item in value.items()}


def document(text: str | bytes, *, whole: bool = False) -> Any:
    """The one JSON value that `text` holds, shortened unless `whole`. Raises ValueError with a
    reason for people.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    found = list(json_values.documents(data))
    if len(found) != 1:
        raise ValueError(
            "empty" if not found else f"{len(found)} JSON values where one is expected"
        )
    if whole or (len(data) <= LONG and b'"b64"' not in data):
        return found[0]
    try:
        return shortened(found[0])
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in names}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    """A score; 64-bit numbers come as text. Raises ValueError."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"a score that is no number: {json_values.text(value)[:50]}")
