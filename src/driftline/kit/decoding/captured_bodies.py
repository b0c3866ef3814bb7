"""Bodies of requests and answers to rows: CSV, JSON in its usual forms, JSON lines, and BASE64 of
them.

Refuses to pair one body with another: it tells how many rows each has. What is no table, such as an
image, has none.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.contracts.format import DecodeContext
from driftline.kit.decoding import csv_parse, json_values
from driftline.types.model import Kind

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FEW = 256
"""Records that are read one by one where not all of them can be read in bulk; of more, parts are
tried in bulk.
"""
PARTS = 8
NESTED = frozenset((list, dict))
LISTS = ("instances", "predictions", "dataframe_records", "inputs")
"""Keys under which requests and answers keep their rows."""


class Body(msgspec.Struct, gc=False):
    """What went in or came out, as text."""

    data: str | None = None
    encoding: str = "CSV"
    """CSV, JSON or BASE64."""


@dataclass(slots=True)
class Rows:
    """One side of some records, unpacked."""

    counts: NDArray[np.int64]
    """Rows of each record; -1 where the side was not captured or is unreadable."""
    columns: dict[str, pa.Array]
    """Of all rows there are, one after another."""
    failures: dict[int, str] = field(default_factory=dict)
    """Why a record can't be read, by its place."""


class Unpacker:
    """Reads one side of records: in bulk where all of it is CSV, else record by record.

    `side` is `input`, `output` or `label`; `names` are those of the values, in order, where the
    bodies bring none; `path` is where the rows stand in JSON, guessed when None. Values without
    names are `_c0`, `_c1` and so on in an input; in an output `prediction` when single, else `_o0`,
    `_o1`; in a label `label`, else `_l0`, `_l1`.
    """

    def __init__(
        self,
        side: str,
        names: tuple[str, ...],
        path: str | None,
        ctx: DecodeContext,
        features: tuple[str, ...] = (),
    ) -> None:
        self._side, self._names = side, names
        self._features = features
        """Names of inputs that an output repeats, as batch transform does."""
        self._path = None if path is None else _steps(path)
        self._said = path
        self._wanted: dict[str, Kind | None] | None = None
        if ctx.fields is not None:
            # The other side's names are wanted of this one too: which has them is known only when
            # they are read.
            bare = {f.path.removeprefix(f"{side}."): f.kind for f in ctx.fields}
            self._wanted = {f.path: f.kind for f in ctx.fields} | bare
        self._paths = {name: json_values.parse_path(name) for name in self._wanted or ()}

    def unpack(self, sides: list[Body | None], expected: NDArray[np.int64] | None) -> Rows:
        """The rows of each record's body. `expected` tells how many the other sides have, -1 where
        nobody knows.
        """
        import numpy as np

        if not any(sides):
            return Rows(np.full(len(sides), -1, np.int64), {})
        texts = [
            side.data for side in sides if side is not None and side.encoding == "CSV" and side.data
        ]
        bulk = self._bulk(texts) if len(texts) == len(sides) else None
        if bulk is not None and (
            expected is None or ((expected < 0) | (bulk.counts == expected)).all()
        ):
            return bulk
        if not texts or len(sides) <= FEW:
            return self._each(sides, expected)
        # One odd record should cost its neighbours only.
        step = -(-len(sides) // PARTS)
        parts = [
            self.unpack(
                sides[at : at + step], None if expected is None else expected[at : at + step]
            )
            for at in range(0, len(sides), step)
        ]
        return _joined(parts)

    def _bulk(self, texts: list[str]) -> Rows | None:
        """All sides in one go; None where one of them needs a closer look."""
        import numpy as np
        import pyarrow as pa

        joined = "\n".join(texts)
        counts = np.ones(len(texts), np.int64)
        if joined.count("\n") != len(texts) - 1:
            if '"' in joined:
                return None
            texts = [text.rstrip("\r\n") for text in texts]
            counts = np.fromiter((text.count("\n") + 1 for text in texts), np.int64, len(texts))
            joined = "\n".join(texts)
        try:
            names = self._names or self._called(len(_csv_lines(texts[0].partition("\n")[0])[0]))
        except (ValueError, IndexError):
            return None
        wanted = (
            None
            if self._wanted is None
            else {n: kind for n, kind in self._wanted.items() if n in names}
        )
        if wanted is not None and not wanted:
            wanted = {names[0]: None}  # Rows are counted even when nobody wants a value.
        try:
            table = csv_parse.parse(joined.encode(), names, wanted)
        except (pa.ArrowInvalid, UnicodeEncodeError):
            return None
        if table.num_rows != counts.sum():
            return None
        return Rows(
            counts,
            {n: table.column(n).unify_dictionaries().combine_chunks() for n in table.column_names},
        )

    def _each(self, sides: list[Body | None], expected: NDArray[np.int64] | None) -> Rows:
        import numpy as np

        counts = np.full(len(sides), -1, np.int64)
        failures: dict[int, str] = {}
        rows: list[dict[str, Any]] = []
        for i, side in enumerate(sides):
            if side is None or not side.data:
                continue
            try:
                found = self._rows(side, -1 if expected is None else int(expected[i]))
            except ValueError as error:
                failures[i] = f"{self._side}: {error}"
                continue
            if found is not None:
                counts[i] = len(found)
                rows += found
        if self._wanted is None:
            flat = [dict(json_values.flatten(row)) for row in rows]
            names = dict.fromkeys(name for row in flat for name in row)
            return Rows(
                counts,
                {name: json_values.column([row.get(name) for row in flat]) for name in names},
                failures,
            )
        columns = {}
        for name, kind in self._wanted.items():
            path = self._paths[name]
            values = (
                [row.get(name) for row in rows]
                if len(path) == 1
                else [json_values.look_up(row, name, path) for row in rows]
            )
            if values.count(None) < len(values) or name in self._names:
                columns[name] = json_values.column(values, kind)
        return Rows(counts, columns, failures)

    def _rows(self, side: Body, expected: int) -> list[dict[str, Any]] | None:
        """The rows of one side by name; None for what is no table, such as an image. Raises
        ValueError with the reason.
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
            encoding = "JSON" if data.lstrip()[:1] in ("{", "[") else "CSV"
        if encoding == "CSV":
            lines = _csv_lines(data)
            values: list[Any] = [
                [None if value in csv_parse.NULLS else value for value in line] for line in lines
            ]
        elif encoding == "JSON":
            values = []
            documents = list(json_values.documents(data.encode("utf-8", "replace")))
            for document in documents:
                values += self._rows_of(document, expected if len(documents) == 1 else 1)
        else:
            raise ValueError(f"unknown encoding {encoding}")
        if (
            expected > 1
            and len(values) == 1
            and isinstance(values[0], list)
            and len(values[0]) == expected
        ):
            values = values[0]  # One line with an answer for each row.
        return [self._named(value) for value in values]

    def _rows_of(self, document: Any, expected: int) -> list[Any]:
        """The rows of a JSON document: what the path says, or what it looks like."""
        if self._path is not None:
            found = list(_matches(document, self._path))
            if not found:
                raise ValueError(f"nothing at {self._said}")
            if (
                len(found) == 1
                and isinstance(found[0], list)
                and all(isinstance(row, list | dict) for row in found[0])
            ):
                return list(found[0])
            return found
        if isinstance(document, list):
            rows = (
                all(isinstance(row, list | dict) for row in document)
                or len(document) == expected > 1
            )
            return document if rows else [document]
        if not isinstance(document, dict):
            return [document]
        frame = document.get("dataframe_split")
        if isinstance(frame, dict) and isinstance(frame.get("data"), list):
            return _framed(frame.get("columns"), frame["data"])
        for name in LISTS:
            if isinstance(document.get(name), list):
                return list(document[name])
            if isinstance(document.get(name), dict):
                document = document[name]
                break
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

    def _named(self, row: Any) -> Any:
        """A row's values by name. Raises ValueError when their number is not that of the names."""
        if isinstance(row, dict):
            if "SageMakerOutput" in row:
                rest = {name: value for name, value in row.items() if name != "SageMakerOutput"}
                row = rest | self._named(row["SageMakerOutput"])
            vector = row.get("features")
            if vector is None and len(row) == 1:
                vector = next(iter(row.values()))
            if not isinstance(vector, list) or not NESTED.isdisjoint(map(type, vector)):
                return row
            rest = {name: value for name, value in row.items() if value is not vector}
            if self._side == "input":
                return rest | self._named(vector)
            if "features" in row:
                return rest | _zipped(
                    self._features or tuple(f"_c{i}" for i in range(len(vector))), vector
                )
            return row
        values = row if isinstance(row, list) else [row]
        return _zipped(self._names or self._called(len(values)), values)

    def _called(self, width: int) -> tuple[str, ...]:
        """Names for values that have none."""
        if self._side == "input":
            return tuple(f"_c{i}" for i in range(width))
        single, many = ("prediction", "_o") if self._side == "output" else ("label", "_l")
        return (single,) if width == 1 else tuple(f"{many}{i}" for i in range(width))


def _csv_lines(data: str) -> list[list[str]]:
    try:
        return [line for line in csv.reader(io.StringIO(data, newline="")) if line]
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None


def _zipped(names: tuple[str, ...], values: list[Any]) -> dict[str, Any]:
    if len(names) != len(values):
        raise ValueError(f"{len(values)} values where {len(names)} names are set")
    return dict(zip(names, values, strict=True))


def _framed(names: Any, rows: list[Any]) -> list[Any]:
    """Rows whose names stand apart, as in a data frame that was split."""
    if not isinstance(names, list):
        return rows
    called = tuple(map(json_values.text, names))
    return [_zipped(called, row if isinstance(row, list) else [row]) for row in rows]


def _joined(parts: list[Rows]) -> Rows:
    """Several stretches of one side as one."""
    import numpy as np
    import pyarrow as pa

    failures: dict[int, str] = {}
    before = 0
    for part in parts:
        failures |= {before + i: reason for i, reason in part.failures.items()}
        before += len(part.counts)
    columns = {}
    for name in dict.fromkeys(name for part in parts for name in part.columns):
        there = [part.columns.get(name) for part in parts]
        types = {
            column.type
            for column in there
            if column is not None and column.null_count < len(column)
        }
        kind = types.pop() if len(types) == 1 else pa.string()
        lengths = [int(np.maximum(part.counts, 0).sum()) for part in parts]
        pieces = [
            pa.nulls(length, kind)
            if column is None or column.null_count == length
            else column.cast(kind)
            for column, length in zip(there, lengths, strict=True)
        ]
        columns[name] = pa.chunked_array(pieces, kind).unify_dictionaries().combine_chunks()
    return Rows(np.concatenate([part.counts for part in parts]), columns, failures)


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(
        "[*]" if step == "*" else step for step in json_values.parse_path(path.replace("[*]", ".*"))
    )


def _matches(value: Any, steps: tuple[str | int, ...]) -> Iterator[Any]:
    """All values at a path in which `[*]` stands for every position."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step == "[*]":
        for item in value if isinstance(value, list) else ():
            yield from _matches(item, rest)
    elif isinstance(step, int):
        if isinstance(value, list) and step < len(value):
            yield from _matches(value[step], rest)
    elif isinstance(value, dict) and step in value:
        yield from _matches(value[step], rest)
