"""Texts, images and embeddings come out of each format as they went in, and don't fill the
memory.
"""

from __future__ import annotations

import base64
import csv
import io
import json

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from driftline_plugins.formats import parquet as parquet_format
from driftline_plugins.formats.avro import Avro
from driftline_plugins.formats.csv import Csv
from driftline_plugins.formats.jsonl import JsonLines
from driftline_plugins.formats.parquet import Parquet
from driftline_plugins.formats.vertex_batch import VertexBatch
from driftline_plugins.formats.vertex_logging import VertexLogging
from format_decoding import read
from pyarrow import parquet

from driftline import Field, Kind
from driftline.ingest.read.decoding import Decoding

TEXT, IMAGE, EMBEDDING = (
    Field(kind.value, kind.value, kind) for kind in (Kind.TEXT, Kind.IMAGE, Kind.EMBEDDING)
)
FIELDS = (TEXT, IMAGE, EMBEDDING)
PROSE = "what a day\nand “more” of it, " * 100
PIXELS = base64.b64encode(bytes(range(256)) * 20).decode()
VECTOR = [0.5, -1.25, 3.0] * 30
ROWS = [
    {"text": PROSE, "image": PIXELS, "embedding": VECTOR},
    {"text": None, "image": None, "embedding": None},
] * 20


def batches(form, data, *fields):
    return list(form.decode(io.BytesIO(data), Decoding(uri="file:///x", fields=fields)))


def columns(form, data, *fields):
    """Name to type and values, over all batches."""
    table = pa.Table.from_batches(batches(form, data, *fields))
    return {
        name: (table.schema.field(name).type, table.column(name).to_pylist())
        for name in table.column_names
    }


def test_json_lines_keep_lists_as_lists():
    """A column of lists comes as lists, in bulk or line by line; odd values make text only of the
    lines around them.
    """
    data = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    for some in (data, b"\xef\xbb\xbf\n" + data, data.replace(b"\n", b"\n\n", 1)):
        found = columns(JsonLines(), some, *FIELDS)
        assert found["embedding"] == (pa.list_(pa.float64()), [row["embedding"] for row in ROWS])
        assert [found[name][1] for name in ("text", "image")] == [
            [row[name] for row in ROWS] for name in ("text", "image")
        ]
    odd = (
        data
        + b'{"embedding": "none"}\n{"embedding": [true, {"a": 1}]}\n{"embedding": [1, 2, null]}\n'
    )
    pieces = [batch.column("embedding") for batch in batches(JsonLines(), odd, *FIELDS)]
    assert pieces[0].type == pa.list_(pa.float64())
    assert pieces[-1].type == pa.string()
    values = [value for piece in pieces for value in piece.to_pylist()]
    assert values[:20] == [row["embedding"] for row in ROWS[:20]]
    assert values[-3] == "none"
    assert [json.loads(value) for value in values[-2:]] == [[True, {"a": 1}], [1, 2, None]]


def test_parquet_keeps_lists_and_bytes():
    """Lists of any float and binary columns come as they are stored."""
    table = pa.table({
        "text": [row["text"] for row in ROWS],
        "image": pa.array([None if row["image"] is None else base64.b64decode(row["image"]) for row in ROWS]),
        "embedding": pa.array([row["embedding"] for row in ROWS], pa.list_(pa.float32())),
    })  # fmt: skip
    out = io.BytesIO()
    parquet.write_table(table, out)
    found = columns(Parquet(), out.getvalue(), *FIELDS)
    assert {name: values for name, (_, values) in found.items()} == table.to_pydict()
    assert pa.types.is_list(found["embedding"][0])


def test_parquet_of_large_values_comes_in_small_batches(monkeypatch):
    """Batches of images stay within a bound of bytes, whether they are asked for by name or seen
    for the first time.
    """
    monkeypatch.setattr(parquet_format, "BYTES", 1 << 20)
    rows, size = 400, 8_000
    numbers = np.random.default_rng(0).integers(0, 256, rows * size, dtype=np.uint8)
    images = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(size), rows, [None, pa.py_buffer(numbers)]
    )
    out = io.BytesIO()
    parquet.write_table(
        pa.table({"image": images, "n": range(rows)}), out, compression="none", use_dictionary=False
    )
    for fields in ((IMAGE,), None):
        sizes = [
            len(batch)
            for batch in Parquet().decode(
                io.BytesIO(out.getvalue()), Decoding(uri="file:///x", fields=fields)
            )
        ]
        assert sum(sizes) == rows
        assert max(sizes) * size <= 1 << 20
    assert len(batches(Parquet(), out.getvalue(), Field("n", "n", Kind.NUMERIC))) == 1


def test_csv_has_them_as_text():
    """In CSV a list is JSON in quotes, and a text may run over lines."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "image", "embedding"])
    writer.writerows(
        [row["text"], row["image"], json.dumps(row["embedding"])] for row in ROWS if row["text"]
    )
    found = columns(Csv(), out.getvalue().encode(), *FIELDS)
    assert [found[name][1][0] for name in ("text", "image", "embedding")] == [
        PROSE,
        PIXELS,
        json.dumps(VECTOR),
    ]


def test_avro_keeps_bytes_of_images():
    """Bytes in Avro are bytes where an image is wanted."""
    schema = {"type": "record", "name": "r", "fields": [
        {"name": "image", "type": ["null", "bytes"]}, {"name": "embedding", "type": {"type": "array", "items": "double"}},
    ]}  # fmt: skip
    out = io.BytesIO()
    fastavro.writer(
        out,
        fastavro.parse_schema(schema),
        [{"image": b"\xff\xd8\xff\0", "embedding": VECTOR}, {"image": None, "embedding": []}],
    )
    found = columns(Avro(), out.getvalue(), IMAGE, EMBEDDING)
    assert found["image"] == (pa.binary(), [b"\xff\xd8\xff\0", None])
    assert found["embedding"] == (pa.list_(pa.float64()), [VECTOR, []])


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.IMAGE])
def test_vertex_keeps_payloads_that_are_wanted(kind):
    """Where the schema has texts or images, long ones are whole; where it has none, they are cut as
    ever.
    """
    instance = {"text": PROSE, "image": {"b64": PIXELS}}
    told = {
        "request_payload": [json.dumps(instance)],
        "response_payload": ['{"scores": [0.5]}'],
        "request_id": "1",
    }
    line = json.dumps(told).encode() + b"\n"
    batch = json.dumps({"instance": instance, "prediction": [0.5]}).encode() + b"\n"
    fields = (
        Field("t", "text", kind),
        Field("i", "image.b64", kind),
        Field("whole", "image", kind),
    )
    for form, data in ((VertexLogging(), line), (VertexBatch(), batch)):
        [row], _ = read(form, data, *fields)
        assert (row["t"], row["i"], json.loads(row["whole"])) == (PROSE, PIXELS, {"b64": PIXELS})
        [cut], _ = read(form, data, Field("t", "text"), Field("i", "image.b64"))
        assert len(cut["t"]) < 100
        assert cut["i"] == 5120
