"""JSON files that hold one document of many records."""

from __future__ import annotations

import json

import pytest
from driftline_plugins.formats.jsonl import JsonLines
from format_decoding import category, number, read

ROWS = [{"a": i, "b": f'x "{i}"\n', "c": {"d": i}} for i in range(300)]
FLAT = [{"a": i, "b": f'x "{i}"\n'} for i in range(300)]
EXPECTED = [(float(i), f'x "{i}"\n') for i in range(300)]
INDEX = list(map(str, range(300)))
FRAMES = {
    "split": {"columns": ["a", "b"], "index": INDEX, "data": [list(r.values()) for r in FLAT]},
    "columns": {n: dict(zip(INDEX, [r[n] for r in FLAT], strict=True)) for n in ("a", "b")},
    "index": dict(zip(INDEX, FLAT, strict=True)),
    "table": {"schema": {"fields": []}, "data": FLAT},
    "records": ROWS,
}


def values(data: bytes, **how):
    rows, ctx = read(JsonLines(), data, number("a"), category("b"), **how)
    return [tuple(row.values()) for row in rows], ctx


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("orientation", FRAMES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_document_of_pandas(orientation, indent, encoding):
    """Each orientation gives its records, on one line or pretty-printed."""
    data = json.dumps(FRAMES[orientation], indent=indent).encode(encoding)
    rows, ctx = values(data)
    assert (rows, ctx.rejected) == (EXPECTED, 0)


def test_objects_over_several_lines():
    """Pretty-printed objects one after the other are records."""
    data = "\n".join(json.dumps(row, indent=4) for row in ROWS).encode()
    rows, ctx = values(data)
    assert (rows, ctx.rejected) == (EXPECTED, 0)


@pytest.mark.parametrize("rows", [1, 20_000])
def test_an_array_of_any_length(rows):
    """A short array and one longer than the first block give all records."""
    data = json.dumps([{"a": i, "b": "x"} for i in range(rows)]).encode()
    found, ctx = values(data)
    assert (found, ctx.rejected) == ([(float(i), "x") for i in range(rows)], 0)


@pytest.mark.parametrize("orientation", ["split", "columns", "index"])
def test_a_long_frame_on_one_line(orientation):
    """A data frame longer than the first block gives all records."""
    count = 20_000
    frames = {
        "split": {"columns": ["a", "b"], "data": [[i, "x"] for i in range(count)]},
        "columns": {
            "a": {str(i): i for i in range(count)},
            "b": {str(i): "x" for i in range(count)},
        },
        "index": {str(i): {"a": i, "b": "x"} for i in range(count)},
    }
    found, ctx = values(json.dumps(frames[orientation], separators=(",", ":")).encode())
    assert (found, ctx.rejected) == ([(float(i), "x") for i in range(count)], 0)


def test_an_unfinished_array_of_a_growing_file_waits():
    """An array whose end is not written yet gives no rows and no reject; when complete, all."""
    data = json.dumps(ROWS).encode()
    rows, ctx = values(data[:-30], is_complete=False)
    assert (rows, ctx.rejected) == ([], 0)
    assert values(data, is_complete=False)[0] == EXPECTED


def test_a_bad_first_line_costs_only_itself():
    """JSON lines stay lines where the first one is torn or holds nested objects."""
    rows, ctx = values(b'{"a":\n{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n')
    assert (rows, ctx.rejected) == ([(1.0, "x"), (2.0, "y")], 1)
    rows, ctx = read(JsonLines(), b'{"i":{"a":1},"o":{"a":2}}\n', number("i.a"), number("o.a"))
    assert [tuple(row.values()) for row in rows] == [(1.0, 2.0)]


def test_the_first_of_columns_with_one_name_keeps_it():
    """As in a CSV header: the others get a number."""
    data = json.dumps({"columns": ["a", "a", "b"], "data": [[1, 2, 3], [4, 5, 6]]}).encode()
    rows, _ = values(data)
    assert rows == [(1, 3), (4, 6)]
    found, _ = read(JsonLines(), data, number("a.1"))
    assert [row["a.1"] for row in found] == [2, 5]


@pytest.mark.parametrize("data", [b"[]", b"[ ]\n", b"\xef\xbb\xbf[\n]\n"])
def test_an_empty_array_has_no_records(data):
    """pandas writes it for a frame without rows: nothing is rejected."""
    rows, ctx = values(data)
    assert (rows, ctx.rejected) == ([], 0)
