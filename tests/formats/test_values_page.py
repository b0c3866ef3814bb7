"""docs/values.md states that a value means the same whatever wrote it. The libraries that people
have write the same rows in each spelling and format, and the reading path of the agent gives the
same values for all of them. UPDATE_GOLDEN=1 writes the page anew.
"""

from __future__ import annotations

import io
import json
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from driftline_plugins.formats.avro import Avro
from driftline_plugins.formats.azureml import AzureML
from driftline_plugins.formats.csv import Csv
from driftline_plugins.formats.jsonl import JsonLines
from driftline_plugins.formats.mlflow import MlFlow
from driftline_plugins.formats.parquet import Parquet
from driftline_plugins.formats.sagemaker import SageMaker
from driftline_plugins.formats.vertex_logging import VertexLogging
from pyarrow import csv, parquet

from driftline import Check, CheckContext, Field, Format, Kind, Schema, Verdict, Window
from driftline.contracts.check import no_history
from driftline.evaluate.check_plan import CheckPlan, run_check
from driftline.extensions.registry import Registry
from driftline.ingest.columns.canonical import Caster
from driftline.ingest.read.decoding import Decoding
from driftline.profiles.batch import Batch
from driftline.profiles.categories import count_categories
from driftline.profiles.collector import Collector
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ALWAYS_COLLECTED, ProfileSpec, make_spec

pytestmark = pytest.mark.filterwarnings("ignore:The default formatting of datetime")

PAGE = Path(__file__).parent.parent.parent / "docs" / "values.md"
HEAD = """# Values

A value means the same whatever wrote it. Each value is brought to one canonical form, which is the form of the profiles, of
the messages, and of settings such as `positive`, segments and domains. So a reference in CSV and a log in Parquet
do not differ by their types: the default checks find no drift between the spellings and formats below.

## The canonical form

| column | form |
| --- | --- |
| time | Microseconds since 1970 in UTC. Epoch numbers are seconds, milliseconds, microseconds or nanoseconds, depending on their size. 8, 12, 14 or 17 digits that are a date are that date. A time without a zone is UTC, or of the zone in `schema.timestamp`. |
| numeric | A float of 64 bits. A float of 32 bits has its shortest digits: 0.1, not 0.10000000149011612. `true` is 1 and `false` is 0, as text as well. Text and bytes that are a number are that number. |
| categorical | Text. Booleans are `1` and `0`; numbers have plain digits without zeros at the end, so that `1.50`, `1.5` and DECIMAL(18,4) are `1.5`, and `1`, `1.0` and `true` are `1`. Other text stays as it is. More than 200 characters are cut, and a hash of the whole text follows. |
| identifier | Text. A UUID has 36 characters. Fixed-size bytes are text where they are UTF-8, otherwise hexadecimal digits. `7`, `7.0` and `"7"` are one id of a label. |
| missing | Null and empty text. In a numeric or categorical column also NaN as a number. In a numeric column also `NA`, `N/A`, `null`, `None` and the other texts that pandas reads as missing. In CSV the setting `nulls` names more, for all columns. |

Classes are categorical: `yes` and `no` stay words and are not `1` and `0`. So the log, its labels and the reference need the same
words, and `schema.prediction.positive: "yes"` names the positive class (with quotes; `driftline init` writes it). `driftline doctor`
finds a table with other classes.

A value that does not fit its column, such as a word in a numeric column, is missing and counted as a wrong type. A row
whose time can't be used is held back, counted and shown.

## Local times

`schema.timestamp` may have `format` and `zone`:

```yaml
schema:
  timestamp: {path: t, format: "%d/%m/%Y %H:%M:%S", zone: Europe/Berlin}
```

The zone applies to times that name none: text, timestamps of Parquet and Avro without a zone, dates and compact digits. It
does not apply to epoch numbers. In autumn one hour exists twice: the first one counts. In spring one hour is skipped:
a time in it is read with the offset before the change, so 02:30 is 03:30. With a `format`, text and numbers are read
in this format only. A date such as `03/04/2026` is not read without it, because its first number may be the day or the month.

Windows are in UTC, also with a zone: a window of a day is a day in UTC.

## What writes and reads the same

A test writes the same rows with each of these libraries, reads them as the agent does, and compares all values. A dash says that
the format, or no library that writes it, has such values.

"""
FIRST = datetime(2026, 11, 1, 10, tzinfo=UTC)
TIMES = [FIRST + timedelta(seconds=613 * place) for place in range(40)]
TRUTHS = [place % 3 == 0 for place in range(40)]
NUMBERS = [[0.1, 1.5, 2.99, -0.25, 100.0, 0.001, 33.4, 7.0][place % 8] for place in range(40)]
GAPS = [None if place % 5 == 0 else number for place, number in enumerate(NUMBERS)]
UUIDS = [uuid.UUID(int=(place + 1) * 0x1234_5678_9ABC_DEF0_1111) for place in range(40)]
CODES = [1000 + 7 * place for place in range(40)]
WEST = timezone(timedelta(hours=-7))


@dataclass(frozen=True)
class Spelling:
    """One way to write the values of a type."""

    name: str
    array: pa.Array


def typed(name: str, values: Sequence[Any], kind: pa.DataType | None = None) -> Spelling:
    return Spelling(name, pa.array(values, kind))


def text(name: str, values: Sequence[Any], form: Callable[[Any], str]) -> Spelling:
    return Spelling(name, pa.array([None if v is None else form(v) for v in values], pa.string()))


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


SPELLINGS: dict[str, list[Spelling]] = {
    "time": [
        typed("timestamp with zone", TIMES, pa.timestamp("us", "UTC")),
        typed(
            "timestamp without zone", [at.replace(tzinfo=None) for at in TIMES], pa.timestamp("ms")
        ),
        text("`2026-11-01T10:00:00+00:00`", TIMES, datetime.isoformat),
        text("`2026-11-01T10:00:00Z`", TIMES, lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}"),
        text("`2026-11-01 10:00:00.000 UTC`", TIMES, lambda at: f"{at:%Y-%m-%d %H:%M:%S}.000 UTC"),
        text(
            "`2026-11-01 03:00:00.000 -0700`",
            TIMES,
            lambda at: f"{at.astimezone(WEST):%Y-%m-%d %H:%M:%S.000 %z}",
        ),
        text("`2026-11-01T10:00:00Z[UTC]`", TIMES, lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ[UTC]}"),
        text("`Sun, 01 Nov 2026 10:00:00 +0000`", TIMES, format_datetime),
        text("`[01/Nov/2026:10:00:00 +0000]`", TIMES, lambda at: f"{at:[%d/%b/%Y:%H:%M:%S %z]}"),
        text("`Sun Nov 01 10:00:00 UTC 2026`", TIMES, lambda at: f"{at:%a %b %d %H:%M:%S UTC %Y}"),
        text("`/Date(1793527200000)/`", TIMES, lambda at: f"/Date({1000 * int(at.timestamp())})/"),
        text("`20261101100000` as text", TIMES, lambda at: f"{at:%Y%m%d%H%M%S}"),
        typed(
            "`20261101100000` as integer", [int(f"{at:%Y%m%d%H%M%S}") for at in TIMES], pa.int64()
        ),
        typed("epoch seconds", [seconds(at) for at in TIMES], pa.int64()),
        typed("epoch seconds as float", [float(seconds(at)) for at in TIMES], pa.float64()),
        typed("epoch milliseconds", [seconds(at) * 10**3 for at in TIMES], pa.int64()),
        text("epoch milliseconds as text", TIMES, lambda at: str(seconds(at) * 10**3)),
        typed("epoch microseconds", [seconds(at) * 10**6 for at in TIMES], pa.int64()),
        typed("epoch nanoseconds", [seconds(at) * 10**9 for at in TIMES], pa.int64()),
        typed(
            "epoch milliseconds as DECIMAL(38,0)",
            [Decimal(seconds(at) * 10**3) for at in TIMES],
            pa.decimal128(38, 0),
        ),
    ],
    "boolean": [
        typed("boolean", TRUTHS, pa.bool_()),
        text("`true`", TRUTHS, lambda truth: str(truth).lower()),
        text("`True`", TRUTHS, str),
        text("`TRUE`", TRUTHS, lambda truth: str(truth).upper()),
        typed("1 and 0 as integer", list(map(int, TRUTHS)), pa.int8()),
        typed("1.0 and 0.0 as float", list(map(float, TRUTHS)), pa.float64()),
        Spelling("category of `True`", pa.array(list(map(str, TRUTHS))).dictionary_encode()),
    ],
    "number": [
        typed("float of 64 bits", NUMBERS, pa.float64()),
        typed("float of 32 bits", NUMBERS, pa.float32()),
        typed("DECIMAL(18,4)", [Decimal(str(n)) for n in NUMBERS], pa.decimal128(18, 4)),
        text("`1.5`", NUMBERS, str),
        text("`1.50`", NUMBERS, lambda n: f"{n:.4f}"),
        text("`1.5e+00`", NUMBERS, lambda n: f"{n:.6e}"),
        typed("`1.5` as bytes", [str(n).encode() for n in NUMBERS], pa.binary()),
        Spelling("category of `1.5`", pa.array(list(map(str, NUMBERS))).dictionary_encode()),
    ],
    "missing": [
        typed("null", GAPS, pa.float64()),
        typed("NaN", [np.nan if n is None else n for n in GAPS], pa.float64()),
        typed("null of 32 bits", GAPS, pa.float32()),
        *(
            text(
                f"`{word}`" if word else "empty text", [word if n is None else n for n in GAPS], str
            )
            for word in ("", "NA", "N/A", "null", "None", "nan", "#N/A", "<NA>")
        ),
    ],
    "identifier": [
        text("UUID as text", UUIDS, str),
        Spelling(
            "UUID type",
            pa.ExtensionArray.from_storage(
                pa.uuid(), pa.array([value.bytes for value in UUIDS], pa.binary(16))
            ),
        ),
        typed("UUID as 16 bytes", [value.bytes for value in UUIDS], pa.binary(16)),
        typed("UUID text as bytes", [str(value).encode() for value in UUIDS], pa.binary()),
    ],
    "code": [
        typed("integer", CODES, pa.int64()),
        typed("unsigned integer", CODES, pa.uint16()),
        typed("float", list(map(float, CODES)), pa.float64()),
        typed("DECIMAL(38,0)", list(map(Decimal, CODES)), pa.decimal128(38, 0)),
        text("text", CODES, str),
    ],
}
TITLES = {
    "time": "Times",
    "boolean": "Booleans, in a numeric and a categorical column",
    "number": "Numbers, in a numeric and a categorical column",
    "missing": "Missing values, in a numeric column",
    "identifier": "Identifiers",
    "code": "Identifiers that are numbers",
}


def with_pandas(table: pa.Table) -> pd.DataFrame:
    """The data frame; pandas would write bytes as Python does, `b'1.5'`."""
    if holds_bytes(table):
        raise TypeError("pandas writes the code of bytes")
    return table.to_pandas()


def holds_bytes(table: pa.Table) -> bool:
    kind = table.schema.field("v").type
    return pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind) or kind == pa.uuid()


@cache
def database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def copied(table: pa.Table, form: str) -> bytes:
    """The file that DuckDB copies the table to."""
    if form != "parquet" and holds_bytes(table) and table.schema.field("v").type != pa.uuid():
        raise TypeError("DuckDB writes the escapes of bytes")
    path = Path(os.environ["PAGE_FOLDER"]) / "copy"
    connection = database()
    connection.register("rows", table)
    connection.execute(f"copy (select * from rows) to '{path}' (format {form})")
    return path.read_bytes()


def into_bytes(write: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def arrow_csv(table: pa.Table) -> bytes:
    return into_bytes(lambda out: csv.write_csv(table, out))


def plain_json(value: object) -> str:
    """A value that JSON lacks, as text; bytes have no usual text."""
    if isinstance(value, bytes):
        raise TypeError("bytes")
    return value.isoformat() if isinstance(value, datetime) else str(value)


def polars_json(table: pa.Table) -> bytes:
    frame = pl.from_arrow(table)
    if frame.schema["v"] == pl.Binary:
        raise TypeError("polars panics on bytes")
    return frame.write_ndjson().encode()


def json_lines(records: Sequence[object]) -> bytes:
    return b"".join(json.dumps(row, default=plain_json).encode() + b"\n" for row in records)


AVRO_TYPES: list[tuple[Callable[[pa.DataType], bool], Any]] = [
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_float32, "float"),
    (pa.types.is_float64, "double"),
    (pa.types.is_integer, "long"),
    (pa.types.is_string, "string"),
    (pa.types.is_binary, "bytes"),
    (
        lambda kind: kind == pa.timestamp("us", "UTC"),
        {"type": "long", "logicalType": "timestamp-micros"},
    ),
    (
        lambda kind: kind == pa.timestamp("ms"),
        {"type": "long", "logicalType": "local-timestamp-millis"},
    ),
    (lambda kind: kind == pa.uuid(), {"type": "string", "logicalType": "uuid"}),
]


def fast_avro(table: pa.Table) -> bytes:
    kind = table.schema.field("v").type
    if pa.types.is_dictionary(kind):
        table = table.set_column(0, "v", table.column("v").cast(pa.string()))
        kind = pa.string()
    if pa.types.is_decimal(kind):
        form: Any = {
            "type": "bytes",
            "logicalType": "decimal",
            "precision": kind.precision,
            "scale": kind.scale,
        }
    elif pa.types.is_fixed_size_binary(kind):
        form = {"type": "fixed", "name": "sixteen", "size": kind.byte_width}
    else:
        form = next(name for fits, name in AVRO_TYPES if fits(kind))
    schema = {
        "type": "record",
        "name": "row",
        "fields": [{"name": "v", "type": ["null", form]}, {"name": "k", "type": "long"}],
    }
    return into_bytes(lambda out: fastavro.writer(out, schema, table.to_pylist()))


def values(table: pa.Table) -> list[Any]:
    return table.column("v").to_pylist()


def capture(data: str, encoding: str, place: int) -> dict[str, Any]:
    side = {"data": data, "encoding": encoding, "mode": "INPUT"}
    output = {"data": "0.5", "encoding": "CSV", "mode": "OUTPUT"}
    return {
        "captureData": {"endpointInput": side, "endpointOutput": output},
        "eventMetadata": {"eventId": str(place), "inferenceTime": "2026-11-01T10:00:00Z"},
        "eventVersion": "0",
    }


def sagemaker_csv(table: pa.Table) -> bytes:
    lines = with_pandas(table).to_csv(index=False, header=False).splitlines()
    return json_lines([capture(line, "CSV", place) for place, line in enumerate(lines)])


def sagemaker_json(table: pa.Table) -> bytes:
    return json_lines(
        [
            capture(json.dumps({"v": value}, default=plain_json), "JSON", place)
            for place, value in enumerate(values(table))
        ]
    )


def vertex_log(table: pa.Table) -> bytes:
    return json_lines(
        [
            {
                "endpoint": "e",
                "deployed_model_id": "7",
                "logging_time": "2026-11-01 10:00:00.000001 UTC",
                "request_id": str(place),
                "request_payload": [json.dumps({"v": value}, default=plain_json)],
                "response_payload": ["0.5"],
            }
            for place, value in enumerate(values(table))
        ]
    )


def azure_log(table: pa.Table) -> bytes:
    """A record of an own collection, whose data frame the collector writes with pandas."""
    data = json.loads(with_pandas(table).to_json(orient="records"))
    return json_lines(
        [{"specversion": "1.0", "time": "2026-11-01T10:00:00Z", "correlationid": "c", "data": data}]
    )


def mlflow_call(body: str) -> dict[str, Any]:
    return {
        "databricks_request_id": "d1",
        "date": "2026-11-01",
        "timestamp_ms": 1793527200000,
        "status_code": 200,
        "request": body,
        "response": json.dumps({"predictions": [0.5] * len(TIMES)}),
    }


def mlflow_frame(table: pa.Table) -> bytes:
    body = with_pandas(table).to_json(orient="split")
    return json_lines([mlflow_call(f'{{"dataframe_split": {body}}}')])


def mlflow_table(table: pa.Table) -> bytes:
    """An inference table in Parquet, whose client sent plain JSON."""
    body = json.dumps({"dataframe_records": table.to_pylist()}, default=plain_json)
    calls = pa.Table.from_pylist([mlflow_call(body)])
    return into_bytes(lambda out: parquet.write_table(calls, out))


@dataclass(frozen=True)
class Written:
    """A format and the libraries that write it."""

    form: Format
    writers: dict[str, Callable[[pa.Table], bytes]]


FORMATS = {
    "CSV": Written(
        Csv(),
        {
            "pandas": lambda table: with_pandas(table).to_csv(index=False).encode(),
            "polars": lambda table: pl.from_arrow(table).write_csv().encode(),
            "DuckDB": lambda table: copied(table, "csv"),
            "pyarrow": arrow_csv,
        },
    ),
    "JSONL": Written(
        JsonLines(),
        {
            "pandas": lambda table: (
                with_pandas(table).to_json(orient="records", lines=True).encode()
            ),
            "polars": polars_json,
            "DuckDB": lambda table: copied(table, "json"),
            "json": lambda table: json_lines(table.to_pylist()),
        },
    ),
    "Parquet": Written(
        Parquet(),
        {
            "pandas": lambda table: table.to_pandas().to_parquet(index=False),
            "polars": lambda table: into_bytes(pl.from_arrow(table).write_parquet),
            "DuckDB": lambda table: copied(table, "parquet"),
            "pyarrow": lambda table: into_bytes(lambda out: parquet.write_table(table, out)),
        },
    ),
    "Avro": Written(
        Avro(),
        {
            "fastavro": fast_avro,
            "polars": lambda table: into_bytes(pl.from_arrow(table).write_avro),
        },
    ),
    "SageMaker": Written(
        SageMaker(headers=("v", "k")), {"pandas": sagemaker_csv, "json": sagemaker_json}
    ),
    "Vertex": Written(VertexLogging(), {"json": vertex_log}),
    "Azure ML": Written(AzureML(), {"pandas": azure_log}),
    "MLflow": Written(MlFlow(), {"pandas": mlflow_frame, "pyarrow": mlflow_table}),
}


def cast(form: Format, data: bytes, schema: Schema) -> list[Batch]:
    """All rows, as the agent reads them."""
    uri = "file:///log/ep/dep/mine/2026/11/01/10/a.jsonl"
    ctx = Decoding(uri=uri, fields=schema.fields)
    caster = Caster(schema=schema, default_time=FIRST, latest=2**62, object_hash=1)
    batches = [caster.cast(batch).batch for batch in form.decode(io.BytesIO(data), ctx)]
    assert ctx.rejected == 0, ctx.samples
    return batches


def column(form: Format, data: bytes, kind: Kind) -> list[Any]:
    """Read the column as one of a kind; a value that does not fit fails."""
    batches = cast(form, data, Schema(features={"v": Field("v", "v", kind)}))
    assert not any(batch.invalid for batch in batches), batches[0].invalid
    read = [value for batch in batches for value in batch.columns["v"].to_pylist()]
    return [None if value != value else value for value in read]


def events(form: Format, data: bytes) -> list[int]:
    batches = cast(form, data, Schema(timestamp=Field("v", "v")))
    return [time for batch in batches for time in batch.events.tolist()]


def ids(form: Format, data: bytes) -> list[int]:
    batches = cast(form, data, Schema(joins=Field("v", "v")))
    return [value for batch in batches for value in batch.joins.tolist()]


def meaning(type_: str, form: Format, data: bytes) -> list[list[Any]]:
    """What the agent reads of a column of one type."""
    if type_ == "time":
        return [events(form, data)]
    if type_ == "missing":
        return [column(form, data, Kind.NUMERIC)]
    if type_ in ("identifier", "code"):
        return [ids(form, data), column(form, data, Kind.CATEGORICAL)]
    return [column(form, data, Kind.NUMERIC), column(form, data, Kind.CATEGORICAL)]


def names(kept: Sequence[object]) -> list[str]:
    return [f"{value:g}" if isinstance(value, float) else str(value) for value in kept]


def expected(type_: str) -> list[list[Any]]:
    """The values themselves, without a file. Hashes of ids come from the first spelling."""
    if type_ == "time":
        return [[seconds(at) * 10**6 for at in TIMES]]
    if type_ == "missing":
        return [list(GAPS)]
    if type_ == "boolean":
        return [list(map(float, TRUTHS)), names(list(map(float, TRUTHS)))]
    if type_ == "number":
        return [list(NUMBERS), names(NUMBERS)]
    kept = UUIDS if type_ == "identifier" else CODES
    table = pa.table({"v": list(map(str, kept))})
    return [ids(Csv(), arrow_csv(table)), names(kept)]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], list[str]]:
    """The libraries that wrote each spelling in each format; all of it was read back right."""
    os.environ["PAGE_FOLDER"] = str(tmp_path_factory.mktemp("page"))
    cells: dict[tuple[str, str, str], list[str]] = {}
    wrong = []
    for type_, spellings in SPELLINGS.items():
        right = expected(type_)
        for spelling in spellings:
            table = pa.table({"v": spelling.array, "k": pa.array(range(len(spelling.array)))})
            for name, written in FORMATS.items():
                libraries = cells.setdefault((type_, spelling.name, name), [])
                for library, write in written.writers.items():
                    try:
                        data = write(table)
                    except Exception:
                        continue
                    try:
                        read = meaning(type_, written.form, data)
                    except Exception as error:
                        read = [repr(error)]
                    if read == right:
                        libraries.append(library)
                    else:
                        wrong.append(
                            (type_, spelling.name, name, library, str(read)[:200], data[:150])
                        )
    assert not wrong, "\n".join(map(str, wrong))
    return cells


def page(cells: dict[tuple[str, str, str], list[str]]) -> str:
    parts = [HEAD]
    for type_, spellings in SPELLINGS.items():
        lines = [
            f"### {TITLES[type_]}",
            "",
            f"| spelling | {' | '.join(FORMATS)} |",
            "| --- |" + " --- |" * len(FORMATS),
        ]
        for spelling in spellings:
            found = [", ".join(cells[type_, spelling.name, form]) or "–" for form in FORMATS]
            lines.append(f"| {spelling.name} | {' | '.join(found)} |")
        parts.append("\n".join([*lines, "", ""]))
    return "".join(parts).rstrip() + "\n"


def test_a_value_means_the_same_in_each_spelling_and_format(
    cells: dict[tuple[str, str, str], list[str]],
) -> None:
    """And the page says which library wrote it."""
    text = page(cells)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("type_", SPELLINGS)
def test_each_format_holds_each_type(
    cells: dict[tuple[str, str, str], list[str]], type_: str
) -> None:
    for form in FORMATS:
        assert any(cells[type_, spelling.name, form] for spelling in SPELLINGS[type_]), form


REPEATS = 6
"""How often a window has each row, so that the checks have enough rows to judge."""
KINDS = {
    "boolean": (Kind.NUMERIC, Kind.CATEGORICAL),
    "number": (Kind.NUMERIC, Kind.CATEGORICAL),
    "missing": (Kind.NUMERIC,),
    "identifier": (Kind.CATEGORICAL,),
    "code": (Kind.CATEGORICAL,),
}
DISTANCES = {
    "mean_shift", "spread", "psi", "js", "ks", "wasserstein", "linf", "chi_square",
    "new_categories", "vanished_categories", "missing_increase", "invalid_rate", "constant",
    "outside_rate", "outside_excess", "missing_column", "new_column", "type_changed",
}  # fmt: skip
"""Measurements that are zero for equal rows."""
Measured = dict[tuple[str, str, str], float | None]


def drift_checks(registry: Registry) -> list[Check]:
    """The checks that a model has by default and that compare the values with the reference."""
    names = [name for name in registry.names("check") if name not in ("volume", "freshness")]
    kinds = [registry.get("check", name) for name in names]
    return [
        kind()
        for kind in kinds
        if kind.default_for is not None and kind.default_for <= {"numeric", "categorical"}
    ]


@cache
def collectors() -> dict[str, type[Collector]]:
    return Registry.load().collectors()


def profile(spec: ProfileSpec, batches: Sequence[Batch]) -> Window:
    """A window with each row of these batches several times."""
    rows = Profile(spec, collectors())
    for batch in [*batches] * REPEATS:
        rows.update(batch)
    return rows.window(start=FIRST, end=FIRST + timedelta(hours=1))


def spec_of(schema: Schema, batches: Sequence[Batch], checks: Sequence[Check]) -> ProfileSpec:
    """How windows are counted whose reference has these rows."""
    arrays = {
        name: pa.concat_arrays([batch.columns[name] for batch in batches])
        for name in schema.profile_columns
    }
    kinds = schema.profile_columns.items()
    numbers = {
        name: arrays[name].drop_null().to_numpy(zero_copy_only=False)
        for name, kind in kinds
        if kind is Kind.NUMERIC
    }
    categories = {
        name: dict(count_categories(arrays[name]))
        for name, kind in kinds
        if kind is Kind.CATEGORICAL
    }
    kept = {*ALWAYS_COLLECTED, *(name for check in checks for name in check.collectors)}
    return make_spec(schema, numbers, categories, sorted(kept))


def measure(checks: Sequence[Check], context: CheckContext) -> Measured:
    """The measurements of a window by check, name and labels; a change or an error fails."""
    measured: Measured = {}
    for check in checks:
        plan = CheckPlan(name=check.type, check=check)
        for row in run_check(plan, context, lambda plan, ctx: [*plan.check.evaluate(ctx)]):
            each = row.measurement
            assert row.verdict not in (Verdict.CHANGED, Verdict.ERROR), (row.check, each)
            measured[row.check, each.name, json.dumps(each.labels)] = each.value
    return measured


@pytest.mark.parametrize("type_", KINDS)
def test_the_default_checks_find_no_drift_between_spellings_and_formats(type_: str) -> None:
    """The reference is in Parquet, as the first spelling; the windows are all the others. They
    measure what the reference measures against itself, with all distances zero.
    """
    checks = drift_checks(Registry.load())
    schema = Schema(features={kind.value: Field(kind.value, "v", kind) for kind in KINDS[type_]})
    tables = {
        each.name: pa.table({"v": each.array, "k": pa.array(range(len(each.array)))})
        for each in SPELLINGS[type_]
    }
    form, first = FORMATS["Parquet"], next(iter(tables.values()))
    rows = cast(form.form, form.writers["pyarrow"](first), schema)
    spec = spec_of(schema, rows, checks)
    reference = profile(spec, rows)

    def measures(window: Window) -> Measured:
        context = CheckContext(
            current=window, reference=reference, schema=schema, history=no_history
        )
        return measure(checks, context)

    expected_values = measures(reference)
    found = {name for _, name, _ in expected_values} & DISTANCES
    assert len(found) > 8
    assert all(not value for (_, name, _), value in expected_values.items() if name in DISTANCES)
    drifted, compared = [], 0
    for spelling, table in tables.items():
        for name, written in FORMATS.items():
            for library, write in written.writers.items():
                try:
                    data = write(table)
                except Exception:
                    continue
                compared += 1
                batches = cast(written.form, data, schema)
                if measures(profile(spec, batches)) != expected_values:
                    drifted.append((spelling, name, library))
                break  # the page has read the files of the other libraries
    assert not drifted
    assert compared > len(FORMATS) * len(tables) / 2
