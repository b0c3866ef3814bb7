"""Turns bodies of serving protocols into rows: TensorFlow, Open Inference Protocol, Seldon, MLflow.

A body that is no table, such as an image, is one row without named values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, Literal

from driftline.kit.decoding import json_values

FRAMES = ("input_data", "dataframe_split", "data")
"""Keys of a frame, which has `columns` and `data`, or the rows alone."""
LISTS = ("instances", "predictions", "input_data", "dataframe_records", "inputs", "outputs", "data")
"""Keys of a list of rows."""
PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Protocols:
    """Parses one side; `names` are the names of the values, in order, for bodies without names."""

    side: Literal["request", "response"]
    names: Sequence[str] = ()

    def rows(self, document: Any) -> list[dict[str, Any]]:
        """Return the rows of a body, by name.

        Values without names are `_c0`, `_c1` and so on in a request. In a response a single value
        is `prediction`, and several are `_o0`, `_o1` and so on. Raises ValueError with the reason
        where the body has no rows.
        """
        if isinstance(document, dict):
            tensors = document.get("inputs" if self.side == "request" else "outputs")
            if (
                isinstance(tensors, list)
                and tensors
                and all(isinstance(t, dict) and "shape" in t for t in tensors)
            ):
                version = {
                    k: v
                    for k, v in document.items()
                    if k == "model_version" and v not in (None, "")
                }
                return [version | row for row in self._tensors(tensors)]
            if isinstance(document.get("data"), dict):
                return self._seldon(document["data"])
            if "jsonData" in document:
                return self.rows(document["jsonData"])
            if "strData" in document:
                return [self._by_name(document["strData"])]
            if "binData" in document:
                raise ValueError("binData: bytes without a documented form")
            frame = next(
                (document[name] for name in FRAMES if isinstance(document.get(name), dict)),
                document,
            )
            if isinstance(frame.get("data"), list) and isinstance(frame.get("columns"), list):
                columns = [json_values.to_text(name) for name in frame["columns"]]
                return [self._by_name(row, columns) for row in frame["data"]]
            rows = next((frame[name] for name in LISTS if isinstance(frame.get(name), list)), None)
            if rows is None:
                return self._columns(frame)
            document = rows
        if not isinstance(document, list):
            return [self._by_name(document)]
        return [self._by_name(row) for row in document]

    def _columns(self, frame: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of an object without a known key: one row, or columns of equal length."""
        inner = next(
            (frame[name] for name in (*FRAMES, *LISTS) if isinstance(frame.get(name), dict)), None
        )
        if inner is None:
            return [dict(frame)]
        lists = [value for value in inner.values() if isinstance(value, list)]
        if lists and len(lists) == len(inner) and len({len(value) for value in lists}) == 1:
            return [dict(zip(inner, row, strict=True)) for row in zip(*lists, strict=True)]
        return [dict(inner)]

    def _by_name(self, row: Any, names: Sequence[str] = ()) -> dict[str, Any]:
        if isinstance(row, dict):
            return row
        values = row if isinstance(row, list) else [row]
        while len(values) == 1 and isinstance(values[0], list):
            values = values[0]
        names = names or self.names or self._default_names(len(values))
        if len(names) != len(values):
            raise ValueError(f"{len(values)} values where there are {len(names)} names")
        return dict(zip(names, values, strict=True))

    def _default_names(self, width: int) -> Sequence[str]:
        if self.side == "request":
            return [f"_c{i}" for i in range(width)]
        return ["prediction"] if width == 1 else [f"_o{i}" for i in range(width)]

    def _tensors(self, tensors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows of tensors of the Open Inference Protocol.

        The first dimension of a tensor is the rows; its data is flat, row by row.
        """
        columns: dict[str, list[Any]] = {}
        for tensor in tensors:
            name, data = json_values.to_text(tensor.get("name", "")), tensor.get("data")
            if not isinstance(data, list):
                raise ValueError(f"tensor {name}: its data is not in the body")
            rows = _reshape(name, tensor["shape"], data)
            width = len(rows[0]) if rows else 0
            if width == 1:
                # Where the settings name one value, that name replaces the name in the response.
                single = len(tensors) == 1 and len(self.names) == 1
                columns[self.names[0] if single else name] = [row[0] for row in rows]
                continue
            column_names = (
                self.names
                if len(tensors) == 1 and self.names
                else [f"{name}_{i}" for i in range(width)]
            )
            if rows and len(column_names) != width:
                raise ValueError(
                    f"tensor {name}: {width} values where there are {len(column_names)} names"
                )
            columns |= {label: [row[i] for row in rows] for i, label in enumerate(column_names)}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"tensors of {', '.join(map(str, sorted(lengths)))} rows")
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _seldon(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        names = data.get("names")
        names = [json_values.to_text(name) for name in names] if isinstance(names, list) else []
        tensor = data.get("tensor")
        if isinstance(tensor, dict):
            values = tensor.get("values")
            if not isinstance(values, list):
                raise ValueError("a tensor without values")
            rows: list[Any] = _reshape("", tensor.get("shape"), values)
        elif isinstance(data.get("ndarray"), list):
            rows = data["ndarray"]
            if (
                rows
                and all(isinstance(value, PLAIN) for value in rows)
                and len(names) == len(rows) > 1
            ):
                rows = [rows]
        elif isinstance(data.get("columns"), list) and isinstance(data.get("data"), list):
            names, rows = [json_values.to_text(name) for name in data["columns"]], data["data"]
        else:
            return [dict(data)]
        return [
            self._by_name(row, self.names if self.side == "response" and self.names else names)
            for row in rows
        ]


def _reshape(name: str, shape: Any, data: list[Any]) -> list[list[Any]]:
    """Return flat data as rows. Raises ValueError where it does not fit the shape."""
    if not isinstance(shape, list) or not all(
        isinstance(size, int) and size >= 0 for size in shape
    ):
        raise ValueError(f"tensor {name}: its shape is not valid")
    flat: list[Any] = data
    while any(isinstance(value, list) for value in flat):
        flat = [item for value in flat for item in (value if isinstance(value, list) else [value])]
    rows = shape[0] if shape else 1
    width = prod(shape[1:])
    if rows * width != len(flat) or (rows and not width):
        raise ValueError(f"tensor {name}: {len(flat)} values do not fill the shape {shape}")
    values = iter(flat)
    return [list(islice(values, width)) for _ in range(rows)]
