"""Avro: what fastavro writes comes back, in order, and what is damaged or a trap is refused."""

from __future__ import annotations

import io
import json
import zlib
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import fastavro
import pytest
from driftline_plugins.formats.avro import LARGEST, Avro
from format_decoding import Trickle, category, number, other, read
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import Unreadable
from driftline.ingest.read.decoding import Decoding

SYNC = b"0123456789abcdef"


def record(name: str = "r", **fields) -> dict:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": key, "type": kind} for key, kind in fields.items()],
    }


def logical(kind: str, base: str = "long", **more) -> dict:
    return {"type": base, "logicalType": kind, **more}


def written(schema, rows, codec: str = "null", interval: int = 200) -> bytes:
    out = io.BytesIO()
    fastavro.writer(
        out,
        fastavro.parse_schema(schema),
        rows,
        codec=codec,
        sync_interval=interval,
        sync_marker=SYNC,
    )
    return out.getvalue()


def long(value: int) -> bytes:
    value, out = (value << 1) ^ (value >> 63), b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def made(
    schema, data: bytes, count: int = 1, codec: str = "null", size: int | None = None
) -> bytes:
    """A file of one block, without fastavro's help."""
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    entries = b"".join(
        long(len(part)) + part for pair in meta.items() for part in (pair[0].encode(), pair[1])
    )
    head = b"Obj\x01" + long(2) + entries + b"\0" + SYNC
    return head + long(count) + long(len(data) if size is None else size) + data + SYNC


def rows(data: bytes, *fields, **how):
    found, ctx = read(Avro(), data, *fields, **how)
    return [tuple(row.values()) for row in found], ctx


SIMPLE = record(a="long", b=["null", "string"])
ROWS = [{"a": i, "b": None if i % 5 == 0 else f"v{i % 3}"} for i in range(1000)]


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_every_codec_that_comes_with_python(codec):
    """All rows of all blocks come in order, also from a stream that gives little at a time."""
    data = written(SIMPLE, ROWS, codec)
    found, ctx = rows(Trickle(data, 11), number("a"), category("b"))
    assert found == [(row["a"], row["b"]) for row in ROWS]
    assert ctx.rejected == 0


def test_snappy_and_zstandard():
    """Their blocks are read by what pyarrow brings; a wrong checksum is damage."""
    import pyarrow as pa

    plain = b"".join(long(i) for i in range(500))
    snappy = pa.Codec("snappy").compress(plain, asbytes=True) + zlib.crc32(plain).to_bytes(4, "big")
    schema = record(a="long")
    expected = [(i,) for i in range(500)]
    assert rows(made(schema, snappy, 500, "snappy"), other("a"))[0] == expected
    zstd = pa.Codec("zstd").compress(plain, asbytes=True)
    assert rows(made(schema, zstd, 500, "zstandard"), other("a"))[0] == expected
    with pytest.raises(Unreadable, match="checksum"):
        rows(made(schema, snappy[:-1] + b"x", 500, "snappy"))
    with pytest.raises(Unreadable, match="'brotli' is not known"):
        rows(made(schema, plain, 500, "brotli"))


def test_nested_names_are_joined_by_dots():
    """Records, maps, lists and enums, by path or all at once."""
    inner = record("inner", plan="string", tags={"type": "array", "items": "int"})
    kind = {"type": "enum", "name": "k", "symbols": ["X", "Y"]}
    schema = record(customer=["null", inner], extra={"type": "map", "values": "double"}, kind=kind)
    data = written(schema, [{"customer": {"plan": "a", "tags": [7, 8]}, "extra": {"q": 0.5}, "kind": "Y"},
                            {"customer": None, "extra": {}, "kind": "X"}])  # fmt: skip
    fields = (
        category("customer.plan"),
        number("customer.tags[1]"),
        number("extra.q"),
        category("kind"),
    )
    assert rows(data, *fields)[0] == [("a", 8, 0.5, "Y"), (None, None, None, "X")]
    everything, _ = read(Avro(), data)
    assert (
        everything[0]
        == {"customer.plan": "a", "customer.tags": "[7,8]", "extra.q": 0.5, "kind": "Y"}
        | everything[0]
    )


def test_logical_types():
    """Times are times, decimals exact; a time out of range leaves its number, and the record its
    other values.
    """
    schema = record(
        ms=logical("timestamp-millis"), us=logical("timestamp-micros"), day=logical("date", "int"),
        price=logical("decimal", "bytes", precision=6, scale=2), x="int",
    )  # fmt: skip
    at = datetime(2024, 5, 1, 12, 0, 0, 123000, tzinfo=UTC)
    row = {
        "ms": at,
        "us": at.replace(microsecond=123456),
        "day": date(2024, 5, 1),
        "price": Decimal("-12.34"),
        "x": 1,
    }
    fields = [other(name) for name in ("ms", "us", "day", "price", "x")]
    assert rows(written(schema, [row]), *fields)[0] == [
        (at, row["us"], row["day"], row["price"], 1)
    ]
    far = long(2**60) + long(0) + long(0) + long(1) + b"\x05" + long(9)
    assert rows(made(schema, far), other("ms"), number("x"))[0] == [(2**60, 9)]


def test_a_file_that_is_cut():
    """Rows of whole blocks count, then the reason; while it may still grow, that is no trouble."""
    data = written(SIMPLE, ROWS)
    for end in (len(data) - 1, len(data) - 17, len(data) // 2, 300):
        with pytest.raises(Unreadable, match="ends in the middle, after"):
            rows(data[:end])
        found, ctx = rows(data[:end], other("a"), is_complete=False)
        assert found == [(row["a"],) for row in ROWS[: len(found)]]
        assert (ctx.offset, ctx.rejected) == (None, 0)
    assert len(rows(data[: len(data) // 2], is_complete=False)[0]) > 300


def test_damage_ends_the_file_with_a_reason():
    """Rows before it were given."""
    data = written(SIMPLE, ROWS)
    place = data.rindex(SYNC, 0, len(data) - 16)
    batches = Avro().decode(
        io.BytesIO(data[:place] + b"x" + data[place + 1 :]), Decoding(uri="file:///x")
    )
    given: list[int] = []
    with pytest.raises(
        Unreadable, match=r"damaged after \d+ rows: a block doesn't end where it should"
    ):
        given.extend(row["a"] for batch in batches for row in batch.to_pylist())
    assert given == list(range(len(given)))
    assert len(given) > 900


BOMB = zlib.compress(bytes(LARGEST + 1))[2:-4]
DEEP = record(a="int")
for level in range(120):
    DEEP = record(f"r{level}", a=DEEP)
WIDE = record("w0", a="null")
DOUBLING = record(
    "all", f0=WIDE, **{f"f{i}": record(f"w{i}", x=f"w{i - 1}", y=f"w{i - 1}") for i in range(1, 40)}
)


@pytest.mark.parametrize(("data", "why"), [
    (b"hello, world", "doesn't begin like one"),
    (b"Obj\x01" + b"\xff" * 30, "a number in it is too long"),
    (b"Obj\x01" + long(1) + long(1 << 40), "says that it has"),
    (b"Obj\x01\0" + SYNC, "its schema: KeyError"),
    (made("long", b"\2"), "no records"),
    (made({"type": "nonsense"}, b""), "schema"),
    (made(record(a="int"), b"\2", count=1 << 40), "can't hold"),
    (made(record(a="int"), b"\2", count=-1), "can't hold"),
    (made(record(a="int"), b"\2", size=1 << 40), "says that it has"),
    (made(record(a="int"), b"\2", size=-5), "says that it has"),
    (made(record(a="string"), long(1 << 40)), "a record can't be read"),
    (made(record(a="int"), b"nonsense", codec="deflate"), "can't be unpacked"),
    (made(record(a="bytes"), BOMB, codec="deflate"), "unpacks to more than"),
    (made(record("n", next=["null", "n"]), b"\2" * 2_000_000 + b"\0"), "contains itself"),
    (made(record(a={"type": "array", "items": "null"}), long(1 << 40)), "take no byte"),
    (made(record(a={"type": "array", "items": record("e")}), long(1 << 40)), "take no byte"),
    (made(DEEP, b"\2"), "levels"),
    (made(DOUBLING, b""), "levels or"),
])  # fmt: skip
def test_traps_and_nonsense(data, why):
    """What isn't Avro, and what would take all memory or the stack, is unreadable with a reason."""
    with pytest.raises(Unreadable, match=why):
        rows(data, other("a"))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_damage_ends_in_rows_or_unreadable(data):
    """A byte changed or a tail cut off never makes anything else."""
    whole = written(SIMPLE, ROWS[:60], data.draw(st.sampled_from(["null", "deflate"])))
    at, byte = (
        data.draw(st.integers(0, len(whole) - 1)),
        data.draw(st.binary(min_size=0, max_size=3)),
    )
    with suppress(Unreadable):
        rows(
            whole[:at] + byte + whole[at + len(byte) :] if byte else whole[:at],
            other("a"),
            category("b"),
        )
