"""Bad input, for every format there is: whatever the bytes are, they end in rows, rejects with
reasons, or Unreadable.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from format_decoding import SAMPLES, category, number, other
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from driftline import ObjectGone, Unreadable
from driftline.extensions.registry import Registry
from driftline.ingest.read.compression import open_decompressed
from driftline.ingest.read.decoding import Decoding

REGISTRY = Registry.load()
FORMATS = REGISTRY.names("format")
FIELDS = (
    other("event_id"), other("event_time"), other("timestamp"), number("a"), number("_c0"), number("x[0].y"),
    category("b"), category("prediction"), number("score"), category("label"), other("input.a"),
)  # fmt: skip
WRITTEN = [
    {"a": i, "b": f"v{i % 3}", "request": '{"inputs":[[1]]}', "response": '{"predictions":[1]}'}
    for i in range(400)
]


def parquet_file() -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(WRITTEN), out, row_group_size=100)
    return out.getvalue()


def avro_file(codec: str = "null") -> bytes:
    fields = [{"name": name, "type": "int" if name == "a" else "string"} for name in WRITTEN[0]]
    out = io.BytesIO()
    fastavro.writer(
        out, {"type": "record", "name": "r", "fields": fields}, WRITTEN, codec, sync_interval=1000
    )
    return out.getvalue()


def lines() -> Iterator[bytes]:
    """Real records of every kind, and made ones of the kinds that have no sample."""
    for path in sorted(SAMPLES.rglob("*")):
        if path.suffix in (".jsonl", ".out") and "test_gt" not in path.parts:
            yield path.read_bytes().split(b"\n")[0]
    payloads = {
        "request": '{"dataframe_split":{"columns":["a"],"data":[[1]]}}',
        "response": '{"predictions":[{"b":1}]}',
    }
    yield json.dumps(
        {
            "databricks_request_id": "d",
            "status_code": 200,
            "request_metadata": {"m": "1"},
            **payloads,
        }
    ).encode()
    yield json.dumps(
        {"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "e"}}
    ).encode()
    yield json.dumps(
        {"timestamp": "2024-05-01T00:00:00", "request_id": "1", "trace_id": "2", "a": 1}
    ).encode()
    yield b'[{"prefix":"s3://bucket/out/"},"gone","forbidden"]'


LINES = list(lines())
GOOD = b"".join(line + b"\n" for line in LINES if len(line) < 20_000)
TABLE = b"a,b,prediction\n" + b"1,x,0.5\n" * 50
PACKED = gzip.compress(GOOD * 20)
CRUMBS = [b"a,b", b"1,2", b"{", b"}", b'"', b"[", b"\xff", b"\\", b"\0"]
PARQUET, AVRO = parquet_file(), avro_file("deflate")
DEEP = 100_000
LONG_BODY = {"data": "x" * 200_000 + ",1\n2,3", "encoding": "CSV"}
PIECES: dict[str, bytes] = {
    "nothing": b"",
    "a newline": b"\n",
    "blanks": b" \t\r\n\r\n \n",
    "only a byte order mark": b"\xef\xbb\xbf",
    "a gzip that is cut": PACKED[:-20],
    "a gzip cut in its header": PACKED[:5],
    "a gzip damaged in the middle": PACKED[: len(PACKED) // 2]
    + b"\xff" * 30
    + PACKED[len(PACKED) // 2 + 30 :],
    "two gzips": gzip.compress(GOOD) + gzip.compress(GOOD),
    "a gzip and a cut one": gzip.compress(GOOD) + PACKED[:-20],
    "a gzip and plain text": gzip.compress(GOOD) + GOOD,
    "a gzip of Parquet": gzip.compress(PARQUET),
    "a torn last line": GOOD[:-30],
    "lines without their ends": GOOD.replace(b"\n", b""),
    "a line that is Latin-1": GOOD + '{"a":1,"b":"é"}\n'.encode("latin-1") + GOOD,
    "lines of UTF-16": GOOD + '{"a":1}\n'.encode("utf-16") + GOOD,
    "all UTF-16": GOOD.decode().encode("utf-16"),
    "all UTF-32": GOOD.decode().encode("utf-32"),
    "lone surrogates": b'{"a":"\\ud800","\\udfff":1}\n' + b'{"a":"\xed\xa0\x80"}\n',
    "NUL bytes": b'{"a":"\\u0000"}\n\0\0\0\n' + b"1,\0,2\n",
    "a table": TABLE,
    "a table of another width in the middle": TABLE + b"1,2,3,4,5\n1\n" + TABLE,
    "a table whose first line is long": b"x" * 200_000 + b",b\n1,2\n",
    "a table of very many columns": b"a," * 300_000 + b"b\n" + b"1," * 300_000 + b"2\n",
    "a record with a long value": json.dumps(
        {"captureData": {"endpointInput": LONG_BODY, "endpointOutput": LONG_BODY}}
    ).encode(),
    "a table of many columns of one name": b"a," * 15_000 + b"b\n" + b"1," * 15_000 + b"2\n",
    "a quote that is never closed": b'a,b\n1,"x\n' + b"2,y\n" * 1000,
    "carriage returns alone": b"a,b\r1,2\r3,4\r",
    "HTML": b"<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n",
    "XML": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "an image": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 4,
    "a zip": b"PK\x03\x04" + bytes(200),
    "a Parquet without its footer": PARQUET[:-100],
    "a Parquet without its last byte": PARQUET[:-1],
    "a Parquet without its beginning": PARQUET[50:],
    "a Parquet with a damaged page": PARQUET[:200] + b"\xff" * 50 + PARQUET[250:],
    "a whole Parquet": PARQUET,
    "an Avro that is cut": AVRO[:-50],
    "an Avro with a damaged block": AVRO[:800] + b"\xff" * 20 + AVRO[820:],
    "a whole Avro": AVRO,
    "JSON that is deep": b"[" * DEEP + b"]" * DEEP + b"\n",
    "JSON objects that are deep": b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"\n" + GOOD,
    "deep JSON that never ends": b'[{"a":' * DEEP,
    "numbers beyond all types": b'{"a":1e999,"b":-1e999,"c":NaN,"score":' + b"9" * 5000 + b"}\n",
    "ever more names": b"".join(b'{"n%d":%d}\n' % (i, i) for i in range(2000)),
    "one list of records": b"[" + b",".join(line for line in LINES if line[:1] == b"{") + b"]",
    "a document over many lines": json.dumps(json.loads(LINES[0]), indent=2).encode(),
    "numbers alone": b"1\n2.5\ntrue\nnull\n",
}
INSIDE: list[Any] = [
    None, True, -1, 1e308, "", " ", "@@not base64@@", base64.b64encode(bytes(range(256))).decode(), "[" * 5000, '{"a":' * 5000,
    '{"instances":{"instances":{"instances":1}}}', '{"dataframe_split":{"columns":5,"data":[1,[2],{"x":3}]}}',
    '{"dataframe_split":{"columns":[[1],null],"data":[[1,2],null]}}', '{"a":1}{"b":2', "1,2\r3,4\n\"x", "\ud800", "\0",
    [], [[]], [1, "a", None, {"b": []}], {}, {"a": {"b": [{"c": None}]}}, {"data": 5, "encoding": 7},
    {"data": "[" * 5000, "encoding": "JSON"}, {"data": "/w==", "encoding": "BASE64"}, {"data": "1,2\r3", "encoding": "CSV"},
]  # fmt: skip
"""What is put in the place of each value of a record."""


def refer(uri: str) -> Any:
    if uri.endswith("gone"):
        raise ObjectGone(f"{uri}: gone")
    raise Unreadable(f"{uri}: lies outside")


def survive(name: str, data: bytes) -> None:
    """Read `data` as the agent does, with and without fields, whole and still growing."""
    form = REGISTRY.get("format", name)()
    for fields in (None, FIELDS):
        for is_complete in (True, False):
            ctx = Decoding(
                uri="s3://bucket/log/output/2024/05/01/00/x.json",
                fields=fields,
                is_complete=is_complete,
                parts={},
                open_reference=refer,
            )
            stored = io.BytesIO(data)
            try:
                for batch in form.decode(
                    stored if form.compressed else open_decompressed(stored), ctx
                ):
                    assert isinstance(batch, pa.RecordBatch)
                    batch.validate(full=True)
                    assert fields is None or set(batch.schema.names) <= {
                        field.name for field in fields
                    }
            except Unreadable as error:
                assert str(error).strip(), "Unreadable without a reason"  # noqa: PT017  other exceptions must get through
            assert ctx.rejected >= len(ctx.samples)
            assert all(reason.strip() and place >= 0 for place, reason, _ in ctx.samples)


@pytest.mark.parametrize("story", PIECES)
@pytest.mark.parametrize("name", FORMATS)
def test_bytes_that_are_no_log(name, story):
    """Cut, torn, mixed, mistaken, deep: never an exception of another kind."""
    survive(name, PIECES[story])


@pytest.mark.system
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "jsonl" else pytest.mark.slow) for name in FORMATS],
)
def test_records_with_a_strange_value_anywhere(name):
    """Each value of real records, at any depth, in turn replaced by each strange one."""
    for line in LINES:
        record = json.loads(line)
        odd = [json.dumps(strange) for path in paths(record) for strange in changed(record, path)]
        survive(name, "\n".join(odd).encode("utf-8", "surrogatepass"))
        survive(name, odd[len(odd) // 2].encode("utf-8", "surrogatepass"))


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values stand, two of each list and a dozen of each object."""
    items = (
        list(value.items())[:12]
        if isinstance(value, dict)
        else list(enumerate(value))[:2]
        if isinstance(value, list)
        else []
    )
    for key, item in items:
        yield (*before, key)
        if len(before) < 4:
            yield from paths(item, (*before, key))


def changed(record: Any, path: tuple[Any, ...]) -> Iterator[Any]:
    for value in INSIDE:
        copy = at = json.loads(json.dumps(record))
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        yield copy
    copy = at = json.loads(json.dumps(record))
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    yield copy


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from([*LINES[:6], *CRUMBS]), max_size=12).map(b"\n".join),
    st.tuples(st.sampled_from([GOOD[:3000], PARQUET, AVRO, TABLE]), st.integers(0, 3000), st.binary(max_size=8)).map(
        lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + len(drawn[2]) :]
    ),
))  # fmt: skip
def test_random_bytes_and_random_damage(name, data):
    """Noise, known pieces in any order, and good files with some bytes changed."""
    survive(name, data)


LONG = """
import io, resource, sys
sys.path[:0] = sys.argv[1:3]
from driftline.extensions.registry import Registry
from driftline.ingest.read.compression import open_decompressed
from driftline.ingest.read.decoding import Decoding
from driftline import Unreadable
from test_format_hostile import FIELDS

class Line(io.RawIOBase):
    '''One long line between two others, made as it is read.'''
    def __init__(self, size):
        self.head, self.tail = b'{"a":1,"b":"x"}\\n{"b":"', b'"}\\n{"a":1,"b":"x"}\\n'
        self.end = len(self.head) + size + len(self.tail)
        self.inner, self.at = len(self.head) + size, 0
    def readable(self): return True
    def seekable(self): return True
    def tell(self): return self.at
    def seek(self, offset, whence=0):
        self.at = max(0, offset + {0: 0, 1: self.at, 2: self.end}[whence])
        return self.at
    def readinto(self, buffer):
        size = min(len(buffer), self.end - self.at, 1 << 20)
        if size <= 0:
            return 0
        if self.at < len(self.head):
            data = self.head[self.at:self.at + size]
        elif self.at < self.inner:
            data = b"x" * min(size, self.inner - self.at)
        else:
            data = self.tail[self.at - self.inner:][:size]
        buffer[:len(data)] = data
        self.at += len(data)
        return len(data)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

def read(form, size, fields):
    ctx = Decoding(uri="file:///log/x.jsonl", fields=fields)
    stored = io.BufferedReader(Line(size), 1 << 18)
    try:
        for batch in form.decode(stored if form.compressed else open_decompressed(stored), ctx):
            pass
    except Unreadable as error:
        return str(error)
    return f"{ctx.rejected} rejects"

registry = Registry.load()
forms = [registry.get("format", name)() for name in registry.names("format")]
for form in forms:
    for fields in (None, FIELDS):
        read(form, 20 << 20, fields)
for form in forms:
    before = peak()
    said = read(form, 500 << 20, FIELDS)
    print(form.type, peak() - before, said, sep="|")
"""


@pytest.mark.system
@pytest.mark.slow
def test_a_line_of_500_mb_takes_no_memory():
    """After one of 20 MB has been read, one of 500 MB needs at most 200 MB more, whatever the
    format, and is told.
    """
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", LONG, str(here), str(here.parent / "support")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = [line.split("|", 2) for line in done.stdout.splitlines()]
    assert [name for name, _, _ in found] == FORMATS
    assert {name: int(grown) for name, grown, _ in found if int(grown) > 200} == {}
    assert {name: said for name, _, said in found if said == "0 rejects"} == {}
