"""No row is lost without a word: whatever happens to a valid log, each of its rows is counted, is
rejected, is held back or waits for its other half. Above 5% people hear of the lost ones.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from driftline_plugins.formats.azureml import AzureML
from driftline_plugins.formats.csv import Csv
from driftline_plugins.formats.jsonl import JsonLines
from driftline_plugins.formats.parquet import Parquet
from driftline_plugins.formats.sagemaker import SageMaker
from driftline_plugins.formats.vertex_logging import VertexLogging
from pyarrow import parquet

from driftline import Field, Format, Kind, LogObject, Schema, Source
from driftline.agent.feed_facts import feed_facts
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import read_object
from driftline.ingest.read.read_pass import ReadCounts
from driftline.profiles.spec import make_spec
from driftline.types.loss_reasons import LOSS_SHARE
from driftline.types.records import QUARANTINED, ReadOutcome

FAULTS, SLOW_FAULTS = 200, 10_000
START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(days=2)
UNKNOWN = -1
HOUR = 3600 * 10**6
Row = dict[str, Any]
SCHEMA = Schema(
    timestamp=Field("t", "t"),
    id=Field("id", "id"),
    features={
        "amount": Field("amount", "amount", Kind.NUMERIC),
        "plan": Field("plan", "plan", Kind.CATEGORICAL),
    },
)
RETYPES = (
    None,
    "",
    "noon",
    "NA",
    "1,5",
    True,
    -1,
    3.5,
    10**25,
    [1, 2],
    {"a": 1},
    "é",
    "03/04/2026",
)
SHIFTS = (timedelta(hours=-5), timedelta(days=-20), timedelta(days=-20_000), timedelta(days=400))


class OneObject(Source):
    """A source with one object in memory."""

    type = "one_object"

    def __init__(self, uri: str, data: bytes) -> None:
        super().__init__()
        self._obj = LogObject(uri=uri, version="1", size=len(data), modified=START)
        self._data = data

    def discover(self, ctx: Any) -> Iterator[LogObject]:
        yield self._obj

    def open(self, obj: LogObject, start: int = 0) -> io.BytesIO:
        return io.BytesIO(self._data[start:])


def sound_rows(rng: random.Random) -> list[Row]:
    count = rng.choice([1, 2, 19, 21, 60, 150])
    return [
        {
            "t": (START + timedelta(seconds=37 * place)).isoformat(),
            "id": f"r{place}",
            "amount": round(rng.gauss(50, 10), 2),
            "plan": rng.choice("abc"),
        }
        for place in range(count)
    ]


# Faults of rows: some rows of a log have another form.


def some(rows: list[Row], rng: random.Random) -> set[int]:
    """The places of the rows that a fault meets: all, half of them, or a few."""
    share = rng.choice([1.0, 0.5, 0.04])
    return {place for place in range(len(rows)) if rng.random() < share}


def renamed(rows: list[Row], rng: random.Random) -> list[Row]:
    name, new = rng.choice(["t", "id", "amount", "plan"]), rng.choice(["x", "T", "", "a.b", "t"])
    hit = some(rows, rng)
    return [
        {new if place in hit and key == name else key: value for key, value in row.items()}
        for place, row in enumerate(rows)
    ]


def retyped(rows: list[Row], rng: random.Random) -> list[Row]:
    name, value = rng.choice(["t", "id", "amount", "plan"]), rng.choice(RETYPES)
    hit = some(rows, rng)
    return [row | {name: value} if place in hit else row for place, row in enumerate(rows)]


def reordered(rows: list[Row], rng: random.Random) -> list[Row]:
    keys = rng.sample(["t", "id", "amount", "plan"], 4)
    return rng.sample([{key: row[key] for key in keys if key in row} for row in rows], len(rows))


def duplicated(rows: list[Row], rng: random.Random) -> list[Row]:
    return rows + [rows[place] for place in some(rows, rng)]


def shifted(rows: list[Row], rng: random.Random) -> list[Row]:
    shift, hit = rng.choice(SHIFTS), some(rows, rng)
    return [
        row | {"t": (datetime.fromisoformat(row["t"]) + shift).isoformat()} if place in hit else row
        for place, row in enumerate(rows)
    ]


def respelled(rows: list[Row], rng: random.Random) -> list[Row]:
    form, hit = rng.choice(["%d/%m/%Y %H:%M", "%H:%M", "%Y%m%d%H%M%S", "%s", "%c"]), some(rows, rng)
    return [
        row | {"t": datetime.fromisoformat(row["t"]).strftime(form)} if place in hit else row
        for place, row in enumerate(rows)
    ]


ROW_FAULTS = (renamed, retyped, reordered, duplicated, shifted, respelled)


# Faults of bytes: a writer, a disk or a transfer damaged the file.


def torn_end(data: bytes, rng: random.Random) -> bytes:
    return data[: len(data) - rng.randint(1, min(len(data), 400))]


def torn_inside(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randint(1, 400) :]


def with_garbage(data: bytes, rng: random.Random) -> bytes:
    """Some bytes more; line ends and quotes would change how many records there are."""
    start, more = rng.randrange(len(data) + 1), rng.randbytes(rng.randint(1, 40))
    for byte in b'\n\r"':
        more = more.replace(bytes([byte]), b"~")
    return data[:start] + more + data[start:]


def with_zeros(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + b"\0" * rng.randint(1, 4096) + data[start:]


def with_blank_lines(data: bytes, rng: random.Random) -> bytes:
    return data.replace(b"\n", rng.choice([b"\n\n", b"\r\n", b"\n \n"]))


def repeated_bytes(data: bytes, rng: random.Random) -> bytes:
    """A piece that was written twice, such as by a writer that tried again."""
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.randint(1, 500))
    return data[:end] + data[start:]


BYTE_FAULTS = (
    torn_end, torn_inside, with_garbage, with_zeros, with_blank_lines, repeated_bytes,
)  # fmt: skip


def utf16(data: bytes) -> bytes:
    return data.decode().encode("utf-16")


def with_mark(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


def cp1252(data: bytes) -> bytes:
    return data.replace(b"a", "é".encode("cp1252"), 2)


def packed(data: bytes) -> bytes:
    return gzip.compress(data)


def half_packed(data: bytes) -> bytes:
    return gzip.compress(data)[:-9]


def with_cr_ends(data: bytes) -> bytes:
    """Line ends of old Macs, which only CSV may have."""
    return data if data.startswith(b"{") else data.replace(b"\n", b"\r")


ENCODINGS = (utf16, with_mark, cp1252, with_cr_ends, packed, half_packed)


# Logs of each format, with one record for each row.


def jsonl(rows: list[Row]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def comma_separated(rows: list[Row]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(
        text, names, lineterminator="\n", quoting=csv.QUOTE_NONE, escapechar="~"
    )
    writer.writeheader()
    writer.writerows([{k: str(v).replace(",", ";") for k, v in row.items()} for row in rows])
    return text.getvalue().encode()


def columnar(rows: list[Row]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, OverflowError):
            columns[name] = pa.array([None if v is None else str(v) for v in values])
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, row_group_size=40)
    return out.getvalue()


def sagemaker(rows: list[Row]) -> bytes:
    records = [
        {
            "captureData": {
                "endpointInput": {"data": json.dumps(row), "encoding": "JSON"},
                "endpointOutput": {"data": "0.5", "encoding": "CSV"},
            },
            "eventMetadata": {"eventId": str(place), "inferenceTime": "2026-11-01T10:00:00Z"},
        }
        for place, row in enumerate(rows)
    ]
    return jsonl(records)


def sagemaker_lines(rows: list[Row]) -> bytes:
    """The same with bodies of comma-separated values, whose names are a setting."""
    records = []
    for place, row in enumerate(rows):
        body = io.StringIO()
        csv.writer(body).writerow(row.values())
        records.append(
            {
                "captureData": {
                    "endpointInput": {"data": body.getvalue(), "encoding": "CSV"},
                    "endpointOutput": {"data": "1,0.5", "encoding": "CSV"},
                },
                "eventMetadata": {"eventId": str(place), "inferenceTime": "2026-11-01T10:00:00Z"},
            }
        )
    return jsonl(records)


def document(rows: list[Row]) -> bytes:
    """One array of records over several lines."""
    return json.dumps(rows, indent=1).encode()


def vertex(rows: list[Row]) -> bytes:
    records = [
        {
            "endpoint": "e",
            "deployed_model_id": "7",
            "logging_time": "2026-11-01 10:00:00 UTC",
            "request_id": str(place),
            "request_payload": [json.dumps(row)],
            "response_payload": ["0.5"],
        }
        for place, row in enumerate(rows)
    ]
    return jsonl(records)


def azure_requests(rows: list[Row]) -> bytes:
    records = [
        {"specversion": "1.0", "time": row.get("t"), "correlationid": str(place), "data": [row]}
        for place, row in enumerate(rows)
    ]
    return jsonl(records)


@dataclass(frozen=True)
class Log:
    """How the log of a format is written and read."""

    form: Format
    write: Callable[[list[Row]], bytes]
    path: str
    header_lines: int = 0
    has_lines: bool = True


LOGS = {
    "jsonl": Log(JsonLines(), jsonl, "a.jsonl"),
    "csv": Log(Csv(), comma_separated, "a.csv", header_lines=1),
    "parquet": Log(Parquet(), columnar, "a.parquet", has_lines=False),
    "sagemaker": Log(SageMaker(), sagemaker, "a.jsonl"),
    "sagemaker CSV": Log(
        SageMaker(headers=("t", "id", "amount", "plan")), sagemaker_lines, "a.jsonl"
    ),
    "document": Log(JsonLines(), document, "a.json", has_lines=False),
    "vertex": Log(VertexLogging(), vertex, "a.jsonl"),
    "azureml": Log(AzureML(), azure_requests, "ep/dep/model_inputs/2026/11/01/10/a.jsonl"),
}


@dataclass(frozen=True)
class FaultyLog:
    """A log with a fault, and how many rows stand in it, where the fault leaves that clear."""

    log: Log
    data: bytes
    rows: int
    packed: bool
    faults: tuple[str, ...]


def make_fault(seed: int) -> FaultyLog:
    """A valid log with one or two faults."""
    rng = random.Random(seed)
    log = LOGS[rng.choice(list(LOGS))]
    rows, names = sound_rows(rng), []
    for _ in range(rng.choice([0, 1, 1, 2])):
        fault = rng.choice(ROW_FAULTS[:4] if names else ROW_FAULTS)
        rows, names = fault(rows, rng), [*names, fault.__name__]
    data, count = log.write(rows), len(rows)
    if not names or rng.random() < 0.3:
        damage = rng.choice(BYTE_FAULTS)
        data, names = damage(data, rng), [*names, damage.__name__]
        lines = [line.strip() for line in data.split(b"\n") if line.strip()]
        if log.header_lines:  # a repeated header is no record
            lines = [line for line in lines if line != lines[0]]
        count = len(lines) if log.has_lines else UNKNOWN
    elif log.has_lines and rng.random() < 0.3:
        encode = rng.choice(ENCODINGS)
        data, names = encode(data), [*names, encode.__name__]
        # Lines of UTF-16 end in the middle of a character for a reader of UTF-8.
        count = UNKNOWN if encode is utf16 and not log.header_lines else count
    is_packed = names[-1] in ("packed", "half_packed")
    return FaultyLog(log, data, count, is_packed, tuple(names))


def read(fault: FaultyLog) -> ReadOutcome:
    """What the agent counts of it."""
    source = OneObject(f"file:///log/{fault.log.path}{'.gz' * fault.packed}", fault.data)
    [obj] = source.discover(None)
    job = Job(
        source=source,
        formats={"": fault.log.form},
        schema=SCHEMA,
        spec=make_spec(SCHEMA, {}, {}, ("numeric", "categories")),
        length=HOUR,
        latest=int(NOW.timestamp() * 10**6),
    )
    return read_object(job, Work(object=obj, start=0, is_complete=True))


def incident_reasons(reading: ReadCounts) -> list[str]:
    facts = feed_facts(
        "m",
        NOW,
        reading,
        error="",
        request_counts=None,
        reference_losses=None,
        label_problems={},
        patience_ticks=1,
    )
    return [text for fact in facts if (text := fact.judged.judgement.reason)]


def assert_nothing_is_lost(fault: FaultyLog) -> None:
    outcome = read(fault)
    counted = sum(share.rows for share in outcome.shares if not share.segment)
    waiting = sum(len(stub.hashes) for stub in outcome.stubs)
    assert not outcome.broken, outcome.error
    assert counted + waiting + outcome.held == outcome.rows
    assert outcome.held == outcome.held_reasons.total
    assert outcome.rejected == outcome.rejected_reasons.total
    if outcome.state == QUARANTINED:
        assert outcome.error
    elif fault.rows >= 0:
        assert outcome.rows + outcome.rejected == fault.rows
    reading = ReadCounts()
    reading.add(outcome)
    reasons = incident_reasons(reading)
    lost = fault.rows - counted - waiting
    if outcome.state == QUARANTINED or lost > LOSS_SHARE * max(fault.rows, 1):
        assert reasons
        assert all(fault.log.path.rpartition("/")[2] in reason for reason in reasons), reasons
        assert not any(reason.rstrip().endswith(":") for reason in reasons)


def check(seeds: range) -> None:
    for seed in seeds:
        fault = make_fault(seed)
        try:
            assert_nothing_is_lost(fault)
        except AssertionError as error:
            raise AssertionError(
                f"seed {seed}, {fault.log.path}, {fault.faults}: {error}"
            ) from None


def test_each_row_of_a_log_with_a_fault_is_accounted_for() -> None:
    """200 faults: renamed, of another type, in another order, torn, in another encoding, repeated,
    at another time.
    """
    check(range(FAULTS))


@pytest.mark.slow
def test_ten_thousand_faults_lose_no_row() -> None:
    check(range(FAULTS, SLOW_FAULTS))


@pytest.mark.parametrize(
    ("rejected", "held", "reasons"), [(4, 4, 2), (4, 0, 0), (0, 6, 1), (2, 2, 0)]
)
def test_rejected_records_and_held_rows_count_together(rejected, held, reasons):
    """Of 100 records, 4 rejected ones and 4 rows held back are more than 5%: people hear of both."""
    reading = ReadCounts(
        objects=1, rows=100 - rejected, rejected_records=rejected, rows_held_back=held
    )
    assert len(incident_reasons(reading)) == reasons
