"""Turns bodies of requests and responses into rows: CSV, JSON, JSON lines, and BASE64 of them.

Does not pair bodies: it returns how many rows each has. A body that is no table, such as an image,
has no rows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.contracts.format import DecodeContext
from driftline.kit.decoding import csv_headers, csv_parse, json_values
from driftline.kit.decoding.json_documents import records_of
from driftline.types.model import Kind

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MAX_ONE_BY_ONE = 256
"""Up to so many records are parsed one by one where a bulk parse fails; more are split first."""
PARTS = 8
NESTED = frozenset((list, dict))
LISTS = ("instances", "predictions", "dataframe_records", "inputs")
"""Keys of the rows in requests and responses."""


class CapturedBody(msgspec.Struct, gc=False):
    """A request, a response or a label, as text."""

    data: str | None = None
    encoding: str = "CSV"
    """CSV, JSON or BASE64."""


@dataclass(slots=True)
class Rows:
    """The rows of one side of some records."""

    counts: NDArray[np.int64]
    """Rows of each record, shape (records,); -1 where the side is missing or unreadable."""
    columns: dict[str, pa.Array]
    """The columns of all rows, in the order of the records."""
    failures: dict[int, str] = field(default_factory=dict)
    """The reason why a record can't be read, by its place."""


class Unpacker:
    """Parses one side of records: in bulk where all bodies are CSV, otherwise one by one.

    `side` is `input`, `output` or `label`. `names` are the names of the values, in order, for
    bodies without names. `path` is the place of the rows in JSON, and is guessed when None. A
    header line of a CSV body names the values of that body. Values without names are `_c0`, `_c1`
    and so on in an input. A single value is `prediction` in an output and `label` in a label;
    several are `_o0`, `_o1` or `_l0`, `_l1` and so on.
    """

    def __init__(
        self,
        *,
        side: str,
        names: tuple[str, ...],
        path: str | None,
        ctx: DecodeContext,
        features: tuple[str, ...] = (),
    ) -> None:
        self._side, self._names = side, names
        self._features = features
        """Names of the inputs, which the output of batch transform repeats."""
        self._path = None if path is None else _steps(path)
        self._path_text = path
        self._kinds: dict[str, Kind | None] | None = None
        if ctx.fields is not None:
            # Which side has a name is not known yet: look for all names on each side.
            bare = {f.path.removeprefix(f"{side}."): f.kind for f in ctx.fields}
            self._kinds = {f.path: f.kind for f in ctx.fields} | bare
        self._paths = {name: json_values.parse_path(name) for name in self._kinds or ()}
        self._headers: dict[str, tuple[str, ...]] = {}
        """The names of each header line so far."""

    def unpack(self, sides: list[CapturedBody | None], expected: NDArray[np.int64] | None) -> Rows:
        """Return the rows of each body.

        `expected` is the number of rows of the other sides, shape (records,); -1 where unknown.
        """
        import numpy as np

        if not any(sides):
            return Rows(np.full(len(sides), -1, np.int64), {})
        self._learn_headers(sides, expected)
        return self._unpack(sides, expected)

    def _learn_headers(
        self, sides: list[CapturedBody | None], expected: NDArray[np.int64] | None
    ) -> None:
        """Find the header lines of the bodies of several lines."""
        texts: list[str] = []
        rows: list[int] = []
        for i, side in enumerate(sides):
            if side is None or not side.data or side.encoding == "JSON":
                continue
            text = side.data
            if side.encoding == "BASE64":
                try:
                    text = base64.b64decode(text, validate=True).decode()
                except ValueError:
                    continue
                if _is_json(text):
                    continue
            if "\n" in text:
                texts.append(text)
                rows.append(-1 if expected is None else int(expected[i]))
        if texts:
            self._headers |= csv_headers.find_headers(texts, rows, self._names)

    def _unpack(self, sides: list[CapturedBody | None], expected: NDArray[np.int64] | None) -> Rows:
        texts = [
            side.data for side in sides if side is not None and side.encoding == "CSV" and side.data
        ]
        bulk = self._parse_in_bulk(texts) if len(texts) == len(sides) else None
        if bulk is not None and (
            expected is None or ((expected < 0) | (bulk.counts == expected)).all()
        ):
            return bulk
        if not texts or len(sides) <= MAX_ONE_BY_ONE:
            return self._parse_one_by_one(sides, expected)
        # A bad record should slow down only the records near it.
        step = -(-len(sides) // PARTS)
        parts = [
            self._unpack(
                sides[at : at + step], None if expected is None else expected[at : at + step]
            )
            for at in range(0, len(sides), step)
        ]
        return _concatenate(parts)

    def _parse_in_bulk(self, texts: list[str]) -> Rows | None:
        """Parse all bodies together; return None where one of them must be parsed by itself."""
        import numpy as np
        import pyarrow as pa

        content = "\n".join(texts)
        counts = np.ones(len(texts), np.int64)
        header: tuple[str, ...] = ()
        if content.count("\n") != len(texts) - 1:
            if '"' in content:
                return None
            texts = [text.rstrip("\r\n") for text in texts]
            lines = {csv_headers.first_line(text) for text in texts} if self._headers else set()
            if not lines.isdisjoint(self._headers):
                if len(lines) > 1 or any("\n" not in text for text in texts):
                    return None
                header = self._headers[lines.pop()]
                texts = [text.lstrip("\r\n").partition("\n")[2] for text in texts]
            counts = np.fromiter((text.count("\n") + 1 for text in texts), np.int64, len(texts))
            content = "\n".join(texts)
        try:
            names = (
                header
                or self._names
                or self._default_names(
                    len(csv_headers.read_lines(csv_headers.first_line(texts[0]))[0])
                )
            )
        except (ValueError, IndexError):
            return None
        kinds = (
            None
            if self._kinds is None
            else {n: kind for n, kind in self._kinds.items() if n in names}
        )
        if kinds is not None and not kinds:
            kinds = {names[0]: None}  # Without any column pyarrow would not count the rows.
        try:
            table = csv_parse.parse_csv(content.encode(), names, kinds)
        except (pa.ArrowInvalid, UnicodeEncodeError):
            return None
        if table.num_rows != counts.sum():
            return None
        return Rows(
            counts,
            {n: table.column(n).unify_dictionaries().combine_chunks() for n in table.column_names},
        )

    def _parse_one_by_one(
        self, sides: list[CapturedBody | None], expected: NDArray[np.int64] | None
    ) -> Rows:
        import numpy as np

        counts = np.full(len(sides), -1, np.int64)
        failures: dict[int, str] = {}
        rows: list[dict[str, Any]] = []
        for i, side in enumerate(sides):
            if side is None or not side.data:
                continue
            try:
                side_rows = self._rows(side, -1 if expected is None else int(expected[i]))
            except ValueError as error:
                failures[i] = f"{self._side}: {error}"
                continue
            if side_rows is not None:
                counts[i] = len(side_rows)
                rows += side_rows
        if self._kinds is None:
            flat = [dict(json_values.flatten(row)) for row in rows]
            names = dict.fromkeys(name for row in flat for name in row)
            return Rows(
                counts,
                {name: json_values.value_array([row.get(name) for row in flat]) for name in names},
                failures,
            )
        columns = {}
        for name, kind in self._kinds.items():
            path = self._paths[name]
            values = (
                [row.get(name) for row in rows]
                if len(path) == 1
                else [json_values.look_up(row, name, path) for row in rows]
            )
            if values.count(None) < len(values) or name in self._names:
                columns[name] = json_values.value_array(values, kind)
        return Rows(counts, columns, failures)

    def _rows(self, side: CapturedBody, expected: int) -> list[dict[str, Any]] | None:
        """Return the rows of one body by name; None where it is no table, such as an image.

        Raises ValueError with the reason.
        """
        data, encoding = side.data or "", side.encoding
        if encoding == "BASE64":
            try:
                raw = base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError):
                raise ValueError("the BASE64 data is damaged") from None
            try:
                data = raw.decode()
            except UnicodeDecodeError:
                if self._names or self._path:
                    raise ValueError(
                        f"{len(raw)} bytes that are no text, where columns are set"
                    ) from None
                return None
            encoding = "JSON" if _is_json(data) else "CSV"
        names: tuple[str, ...] = ()
        if encoding == "CSV":
            lines = csv_headers.read_lines(data)
            if len(lines) > 1 and len(lines) != expected:
                names = self._headers.get(csv_headers.first_line(data), ())
                lines = lines[1:] if names else lines
            values: list[Any] = [
                [None if value in csv_parse.NULLS else value for value in line] for line in lines
            ]
        elif encoding == "JSON":
            values = []
            documents = list(json_values.parse_documents(data.encode("utf-8", "replace")))
            for document in documents:
                values += self._rows_of(document, expected if len(documents) == 1 else 1)
        else:
            raise ValueError(f"unknown encoding {encoding}")
        if (
            expected > 1
            and len(values) == 1
            and isinstance(values[0], list)
            and len(values[0]) == expected != len(names or self._names)
        ):
            values = values[0]  # One line with the predictions of all rows.
        if names:
            return [_zip_names(names, value) for value in values]
        return [self._by_name(value) for value in values]

    def _rows_of(self, document: Any, expected: int) -> list[Any]:
        """Return the rows of a JSON document: by the path, or by their form."""
        if self._path is not None:
            matches = list(_matches(document, self._path))
            if not matches:
                raise ValueError(f"nothing at {self._path_text}")
            if (
                len(matches) == 1
                and isinstance(matches[0], list)
                and all(isinstance(row, list | dict) for row in matches[0])
            ):
                return list(matches[0])
            return matches
        if isinstance(document, list):
            rows = (
                all(isinstance(row, list | dict) for row in document)
                or len(document) == expected > 1
            )
            return document if rows else [document]
        if not isinstance(document, dict):
            return [document]
        frame = document if "columns" in document else document.get("dataframe_split")
        if isinstance(frame, dict) and isinstance(frame.get("data"), list):
            return _split_frame(frame.get("columns"), frame["data"])
        for name in LISTS:
            if isinstance(document.get(name), list):
                return self._rows_beside(document, name)
            if isinstance(document.get(name), dict):
                document = document[name]
                break
        records = records_of(document)
        if records is not None:
            return list(records)
        lists = [value for value in document.values() if isinstance(value, list)]
        length = len(lists[0]) if lists else 0
        if (
            lists
            and len(lists) == len(document)
            and "features" not in document
            and all(len(value) == length and NESTED.isdisjoint(map(type, value)) for value in lists)
            and (expected < 0 or length == expected)
        ):
            return [dict(zip(document, row, strict=True)) for row in zip(*lists, strict=True)]
        return [document]

    def _rows_beside(self, document: dict[str, Any], name: str) -> list[Any]:
        """Return the rows at a name, each with its values of the other lists of that length."""
        rows = document[name]
        others = {
            key: value
            for key, value in document.items()
            if key != name and isinstance(value, list) and len(value) == len(rows) > 0
        }
        if not others:
            return list(rows)
        return [
            dict(zip(others, values, strict=True)) | self._by_name(row)
            for row, values in zip(rows, zip(*others.values(), strict=True), strict=True)
        ]

    def _by_name(self, row: Any) -> Any:
        """Return the values of a row by name. Raises ValueError for a wrong number of values."""
        if isinstance(row, dict):
            if "SageMakerOutput" in row:
                other_values = {
                    name: value for name, value in row.items() if name != "SageMakerOutput"
                }
                row = other_values | self._by_name(row["SageMakerOutput"])
            vector = row.get("features")
            if vector is None and len(row) == 1:
                vector = next(iter(row.values()))
            if not isinstance(vector, list) or not NESTED.isdisjoint(map(type, vector)):
                return row
            other_values = {name: value for name, value in row.items() if value is not vector}
            if self._side == "input":
                return other_values | self._by_name(vector)
            if "features" in row:
                return other_values | _zip_names(
                    self._features or tuple(f"_c{i}" for i in range(len(vector))), vector
                )
            return row
        values = row if isinstance(row, list) else [row]
        return _zip_names(self._names or self._default_names(len(values)), values)

    def _default_names(self, width: int) -> tuple[str, ...]:
        """Return the names for values that have none."""
        if self._side == "input":
            return tuple(f"_c{i}" for i in range(width))
        single, many = ("prediction", "_o") if self._side == "output" else ("label", "_l")
        return (single,) if width == 1 else tuple(f"{many}{i}" for i in range(width))


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _zip_names(names: tuple[str, ...], values: list[Any]) -> dict[str, Any]:
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values where {len(names)} names are set")
    return dict(zip(names, values, strict=True))


def _split_frame(names: Any, rows: list[Any]) -> list[Any]:
    """Return the rows of a split data frame, whose column names are in a list of their own."""
    if not isinstance(names, list):
        return rows
    column_names = csv_headers.unique_names([json_values.to_text(name) for name in names])
    return [_zip_names(column_names, row if isinstance(row, list) else [row]) for row in rows]


def _concatenate(parts: list[Rows]) -> Rows:
    """Join several parts of one side."""
    import numpy as np
    import pyarrow as pa

    failures: dict[int, str] = {}
    offset = 0
    for part in parts:
        failures |= {offset + i: reason for i, reason in part.failures.items()}
        offset += len(part.counts)
    columns = {}
    for name in dict.fromkeys(name for part in parts for name in part.columns):
        arrays = [part.columns.get(name) for part in parts]
        types = {
            column.type
            for column in arrays
            if column is not None and column.null_count < len(column)
        }
        kind = types.pop() if len(types) == 1 else pa.string()
        lengths = [int(np.maximum(part.counts, 0).sum()) for part in parts]
        pieces = [
            pa.nulls(length, kind)
            if column is None or column.null_count == length
            else column.cast(kind)
            for column, length in zip(arrays, lengths, strict=True)
        ]
        columns[name] = pa.chunked_array(pieces, kind).unify_dictionaries().combine_chunks()
    return Rows(np.concatenate([part.counts for part in parts]), columns, failures)


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(
        "[*]" if step == "*" else step for step in json_values.parse_path(path.replace("[*]", ".*"))
    )


def _matches(value: Any, steps: tuple[str | int, ...]) -> Iterator[Any]:
    """Return all values at a path; `[*]` in it matches each position of a list."""
    if not steps:
        yield value
        return
    step, next_steps = steps[0], steps[1:]
    if step == "[*]":
        for item in value if isinstance(value, list) else ():
            yield from _matches(item, next_steps)
    elif isinstance(step, int):
        if isinstance(value, list) and step < len(value):
            yield from _matches(value[step], next_steps)
    elif isinstance(value, dict) and step in value:
        yield from _matches(value[step], next_steps)
