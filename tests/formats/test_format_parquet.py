"""Parquet: the columns asked for, in bounded batches, from any stream."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from driftline_plugins.formats import parquet as plugin
from driftline_plugins.formats.parquet import Parquet
from format_decoding import Trickle, category, number, other, read

from driftline import SourceError, Unreadable
from driftline.ingest.read.decoding import Decoding


def file(columns: dict[str, list], **how) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **how)
    return out.getvalue()


NESTED = {
    "a": [{"b": {"c": 1}, "l": [5, 6]}, {"b": None, "l": []}, None],
    "x.y": ["p", "q", None],
    "skip": [1, 2, 3],
}


def test_nested_fields_are_found_by_path():
    """Structs and list positions by path, names with dots as they are, null for what isn't
    there.
    """
    fields = (
        number("a.b.c"),
        number("a.l[1]"),
        category("x.y"),
        number("a.zzz"),
        number("nope"),
        other("a.l"),
    )
    rows, ctx = read(Parquet(), file(NESTED), *fields)
    assert [tuple(row.values()) for row in rows] == [
        (1, 6, "p", None, None, "[5,6]"), (None, None, "q", None, None, "[]"), (None, None, None, None, None, None),
    ]  # fmt: skip
    assert ctx.offset is None


def test_without_fields_everything_is_read():
    """All columns, those of structs with dots, lists as JSON text."""
    rows, _ = read(Parquet(), file(NESTED))
    assert rows[0] == {"a.b.c": 1, "a.l": "[5,6]", "x.y": "p", "skip": 1}


@pytest.mark.parametrize("compression", ["snappy", "gzip", "zstd", "none"])
def test_categories_stay_dictionaries(compression):
    """Strings that are categories come as dictionaries whatever packs the file; other strings
    don't.
    """
    data = file({"c": ["x", "y", "x"], "s": ["1", "2", "3"]}, compression=compression)
    [batch] = Parquet().decode(
        io.BytesIO(data), Decoding(uri="u", fields=(category("c"), other("s")))
    )
    assert pa.types.is_dictionary(batch.schema.field("c").type)
    assert batch.schema.field("s").type == pa.string()
    assert batch.to_pydict() == {"c": ["x", "y", "x"], "s": ["1", "2", "3"]}


def test_batches_are_bounded(monkeypatch):
    """No batch is larger than the bound, and every row comes once, over row groups of any size."""
    monkeypatch.setattr(plugin, "ROWS", 100)
    data = file({"a": list(range(1050))}, row_group_size=333)
    batches = list(Parquet().decode(io.BytesIO(data), Decoding(uri="u", fields=(number("a"),))))
    assert max(batch.num_rows for batch in batches) <= 100
    assert [value for batch in batches for value in batch["a"].to_pylist()] == list(range(1050))


def test_a_stream_that_cannot_seek_is_read_too():
    """It is put into a temporary file first."""
    rows, _ = read(Parquet(), Trickle(file({"a": [1, 2]}), step=100), number("a"))
    assert rows == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("cut", [0, 3, 100, -1, -8])
def test_a_cut_file_is_unreadable(cut):
    """Without its end a Parquet file says nothing: unreadable, with a reason, and no traceback of
    the parser.
    """
    data = file({"a": list(range(1000))})
    with pytest.raises(Unreadable, match="not a whole Parquet file"):
        read(Parquet(), data[:cut], number("a"))


def test_damage_in_the_middle_comes_after_the_rows_before_it():
    """Row groups before the damage are given, and pages whose checksum is wrong are not."""
    columns = {"a": list(range(300_000))}
    data = bytearray(
        file(columns, row_group_size=100_000, use_dictionary=False, write_page_checksum=True)
    )
    data[len(data) // 2 - 3000 : len(data) // 2 + 3000] = b"\xff" * 6000
    got = []
    with pytest.raises(Unreadable, match="damaged after"):
        got.extend(
            Parquet().decode(io.BytesIO(bytes(data)), Decoding(uri="u", fields=(number("a"),)))
        )
    assert got[0]["a"][0].as_py() == 0


def test_trouble_of_the_source_stays_that():
    """A connection that breaks is no damage of the file."""

    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise SourceError("the connection broke")

    with pytest.raises(SourceError, match="connection broke"):
        read(Parquet(), Broken(file({"a": [1]})), number("a"))


def test_rows_are_counted_without_a_column():
    """A model that needs no column still counts its rows."""
    assert [
        b.num_rows
        for b in Parquet().decode(io.BytesIO(file({"a": [1, 2]})), Decoding(uri="u", fields=()))
    ] == [2]
