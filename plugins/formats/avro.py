"""Avro object container files: fields by path, blocks streamed, each unpacked within a bound.

Refuses to read past damage, to resume (a file is read as a whole), and schemas by which a few bytes
could fill memory or stack: those that contain themselves, lists of nothing, and very deep ones.
"""

from __future__ import annotations

import bz2
import io
import json
import lzma
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, NamedTuple

from driftline import DecodeContext, Format, SourceError, Unreadable, hookimpl
from driftline.kit.decoding import json_values

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 4096
LARGEST = 16 << 20
"""Bytes of a block, as stored and unpacked."""
DEPTH, LEAVES = 100, 10_000
"""Levels of a schema, and values of one record outside of lists."""


class Avro(Format):
    """Avro files with the codecs null, deflate, snappy, zstandard, bzip2 and xz. Names in nested
    records are joined by dots.

    Dates, timestamps and decimals are read as such; where one is out of range, the number that is
    stored stands for it.
    """

    type = "avro"
    magic = b"Obj\x01"
    extra = "avro"
    suffixes: ClassVar[tuple[str, ...]] = (".avro",)

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of at most 4,096 rows. What stands before damage counts; a last block that is not
        whole yet waits.
        """
        given = 0
        try:
            for rows in _rows(_Exact(stream)):
                given += len(rows)
                yield json_values.tabulated(ctx.fields, rows)
        except EOFError:
            if ctx.sealed:
                raise Unreadable(f"ends in the middle, after {given:,} rows") from None
        except _Damaged as error:
            where = f"damaged after {given:,} rows" if given else "no Avro file that can be read"
            raise Unreadable(f"{where}: {error}") from None


class _Damaged(Exception):
    """Why nothing more can be read."""


class _Exact:
    """A stream that gives as many bytes as were asked for, or raises EOFError."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        if not 0 <= size <= LARGEST:
            raise _Damaged(f"something in it says that it has {size} bytes")
        parts = []
        while size:
            part = self._stream.read(size)
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def number(self, byte: bytes | None = None) -> int:
        """A number of variable length, whose first byte may have been read."""
        value = shift = 0
        while True:
            last = (byte or self.read(1))[0]
            value, shift, byte = value | (last & 0x7F) << shift, shift + 7, None
            if last < 0x80:
                return (value >> 1) ^ -(value & 1)
            if shift > 63:
                raise _Damaged("a number in it is too long")

    def numbers(self) -> Iterator[int]:
        """The number that stands next, as often as it is asked for, until nothing follows."""
        while byte := self._stream.read(1):
            yield self.number(byte)


def _rows(stream: _Exact) -> Iterator[list[dict[str, Any]]]:
    """The records, some at a time. Raises EOFError where the file is cut, and _Damaged."""
    try:
        import fastavro
    except ImportError:
        raise SourceError("fastavro is not installed: pip install 'driftline[avro]'") from None
    about = _header(stream)
    try:
        codec = about.get("avro.codec", b"null").decode()
        written = json.loads(about["avro.schema"])
        typed, bare = fastavro.parse_schema(written), fastavro.parse_schema(_bare(written))
        _measured(typed, {}, frozenset())
    except _Damaged:
        raise
    except Exception as error:  # of many kinds, and none that fastavro promises
        raise _Damaged(f"its schema: {type(error).__name__}: {error}") from None
    if not isinstance(typed, dict) or typed["type"] not in ("record", "error"):
        raise _Damaged("what it holds are no records")
    sync = stream.read(16)
    for count in stream.numbers():
        data = _unpacked(codec, stream.read(stream.number()))
        if stream.read(16) != sync:
            raise _Damaged("a block doesn't end where it should")
        if not 0 <= count <= len(data):
            raise _Damaged(f"a block of {len(data)} bytes can't hold {count} records")
        block = io.BytesIO(data)
        for first in range(0, count, ROWS):
            rows: list[dict[str, Any]] = []
            try:
                for _ in range(min(ROWS, count - first)):
                    rows.append(_record(fastavro, block, typed, bare))
            except Exception as error:
                if rows:
                    yield rows
                raise _Damaged(f"a record can't be read: {type(error).__name__}: {error}") from None
            yield rows


def _header(stream: _Exact) -> dict[str, bytes]:
    """Schema and codec."""
    if stream.read(4) != b"Obj\x01":
        raise _Damaged("it doesn't begin like one")
    found: dict[str, bytes] = {}
    while count := stream.number():
        if count < 0:
            stream.number()  # bytes of this part of the map
        for _ in range(abs(count)):
            name, value = stream.read(stream.number()), stream.read(stream.number())
            if name in (b"avro.schema", b"avro.codec"):
                found[name.decode()] = value
    return found


def _record(fastavro: Any, block: io.BytesIO, typed: Any, bare: Any) -> dict[str, Any]:
    """The next record; where a date or time in it is out of range, with the numbers that are
    stored.
    """
    at = block.tell()
    try:
        found = fastavro.schemaless_reader(block, typed, None, handle_unicode_errors="replace")
    except (OverflowError, ValueError, ArithmeticError):
        block.seek(at)
        found = fastavro.schemaless_reader(block, bare, None, handle_unicode_errors="replace")
    return found  # type: ignore[no-any-return]


def _unpacked(codec: str, data: bytes) -> bytes:
    try:
        if codec == "null":
            plain = data
        elif codec == "deflate":
            plain = zlib.decompressobj(-15).decompress(data, LARGEST + 1)
        elif codec == "bzip2":
            plain = bz2.BZ2Decompressor().decompress(data, LARGEST + 1)
        elif codec == "xz":
            plain = lzma.LZMADecompressor(memlimit=4 * LARGEST).decompress(data, LARGEST + 1)
        elif codec == "zstandard":
            import pyarrow as pa

            plain = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(LARGEST + 1)
        elif codec == "snappy":
            plain = _from_snappy(data)
        else:
            raise _Damaged(f"its codec {codec!r} is not known")
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise _Damaged(f"a block can't be unpacked: {error}") from None
    if len(plain) > LARGEST:
        raise _Damaged(f"a block unpacks to more than {LARGEST:,} bytes")
    return plain


def _from_snappy(data: bytes) -> bytes:
    """The content of a block, whose length stands before it and whose checksum after it."""
    import pyarrow as pa

    size = shift = 0
    for byte in data[:5]:
        size, shift = size | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            break
    if size > LARGEST:
        raise ValueError(f"it unpacks to {size:,} bytes")
    plain: bytes = pa.Codec("snappy").decompress(data[:-4], size, asbytes=True)
    if zlib.crc32(plain) != int.from_bytes(data[-4:], "big"):
        raise ValueError("its checksum is wrong")
    return plain


class _Shape(NamedTuple):
    """What a schema can ask of who reads by it."""

    depth: int
    leaves: int
    empty: bool
    """Whether a value may take no byte."""


def _measured(schema: Any, known: dict[str, _Shape], within: frozenset[str]) -> _Shape:
    """The shape of a schema whose names fastavro has made full. Raises _Damaged for one that is a
    trap.
    """
    if isinstance(schema, str):
        if schema in within:
            raise _Damaged(f"its schema {schema} contains itself")
        return known.get(schema, _Shape(1, 1, schema == "null"))
    if isinstance(schema, list):
        parts = [_measured(part, known, within) for part in schema]
        return _bounded(parts, empty=False)
    kind, name = schema["type"], schema.get("name", "")
    if kind in ("record", "error"):
        parts = [_measured(field["type"], known, within | {name}) for field in schema["fields"]]
        known[name] = _bounded(parts, empty=all(part.empty for part in parts))
        return known[name]
    if kind == "array":
        items = _measured(schema["items"], known, within)
        if items.empty:
            raise _Damaged("its schema has lists whose items take no byte")
        return _bounded([items], empty=False)
    if kind == "map":
        return _bounded([_measured(schema["values"], known, within)], empty=False)
    if kind in ("enum", "fixed"):
        known[name] = _Shape(1, 1, schema.get("size") == 0)
        return known[name]
    return _measured(kind, known, within)


def _bounded(parts: list[_Shape], *, empty: bool) -> _Shape:
    depth, leaves = (
        1 + max((part.depth for part in parts), default=0),
        sum(part.leaves for part in parts),
    )
    if depth > DEPTH or leaves > LEAVES:
        raise _Damaged(f"its schema has more than {DEPTH} levels or {LEAVES:,} values")
    return _Shape(depth, leaves, empty)


def _bare(schema: Any) -> Any:
    """The same without logical types."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if isinstance(schema, dict):
        return {
            key: value if key == "default" else _bare(value)
            for key, value in schema.items()
            if key != "logicalType"
        }
    return schema


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [Avro]
