"""Decodes Avro object container files, block by block, within a bound of memory.

Does not read beyond damage, and does not resume: a file is read as a whole. Rejects schemas with
which a few bytes could fill the memory or the stack: recursive schemas, lists of empty values, and
very deep schemas.
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
"""Bytes of a block, both stored and decompressed."""
DEPTH, LEAVES = 100, 10_000
"""Most levels of a schema, and most values of one record outside of lists."""


class Avro(Format):
    """Avro files with the codecs null, deflate, snappy, zstandard, bzip2 and xz.

    Names in nested records are joined by dots. Dates, timestamps and decimals are read as such;
    where one is out of range, its stored number is used.
    """

    type = "avro"
    magic = b"Obj\x01"
    extra = "avro"
    suffixes: ClassVar[tuple[str, ...]] = (".avro",)

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches of at most 4,096 rows.

        Rows before damage count. An incomplete last block waits until the file has grown.
        """
        row_count = 0
        try:
            for rows in _rows(_ExactReader(stream)):
                row_count += len(rows)
                yield json_values.batch_of_records(ctx.fields, rows)
        except EOFError:
            if ctx.is_complete:
                raise Unreadable(f"ends in the middle, after {row_count:,} rows") from None
        except _DamagedError as error:
            where = (
                f"damaged after {row_count:,} rows"
                if row_count
                else "no Avro file that can be read"
            )
            raise Unreadable(f"{where}: {error}") from None


class _DamagedError(Exception):
    """The reason why nothing more can be read."""


class _ExactReader:
    """Reads exactly as many bytes as requested, or raises EOFError."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        if not 0 <= size <= LARGEST:
            raise _DamagedError(f"something in it says that it has {size} bytes")
        parts = []
        while size:
            part = self._stream.read(size)
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def number(self, byte: bytes | None = None) -> int:
        """Return a number of variable length, whose first byte may have been read before."""
        value = shift = 0
        while True:
            last = (byte or self.read(1))[0]
            value, shift, byte = value | (last & 0x7F) << shift, shift + 7, None
            if last < 0x80:
                return (value >> 1) ^ -(value & 1)
            if shift > 63:
                raise _DamagedError("a number in it is too long")

    def numbers(self) -> Iterator[int]:
        """Return one number each time, until the stream ends."""
        while byte := self._stream.read(1):
            yield self.number(byte)


def _rows(stream: _ExactReader) -> Iterator[list[dict[str, Any]]]:
    """Return the records in parts. Raises EOFError where the file is cut, and _DamagedError."""
    try:
        import fastavro
    except ImportError:
        raise SourceError("fastavro is not installed: pip install 'driftline[avro]'") from None
    header = _header(stream)
    try:
        codec = header.get("avro.codec", b"null").decode()
        schema = json.loads(header["avro.schema"])
        logical_schema = fastavro.parse_schema(schema)
        stored_schema = fastavro.parse_schema(_without_logical_types(schema))
        _measure(logical_schema, {}, frozenset())
    except _DamagedError:
        raise
    except Exception as error:  # fastavro documents none
        raise _DamagedError(f"its schema: {type(error).__name__}: {error}") from None
    if not isinstance(logical_schema, dict) or logical_schema["type"] not in ("record", "error"):
        raise _DamagedError("what it holds are no records")
    sync = stream.read(16)
    for count in stream.numbers():
        data = _decompress(codec, stream.read(stream.number()))
        if stream.read(16) != sync:
            raise _DamagedError("a block doesn't end where it should")
        if not 0 <= count <= len(data):
            raise _DamagedError(f"a block of {len(data)} bytes can't hold {count} records")
        block = io.BytesIO(data)
        for first in range(0, count, ROWS):
            rows: list[dict[str, Any]] = []
            try:
                for _ in range(min(ROWS, count - first)):
                    rows.append(_record(fastavro, block, logical_schema, stored_schema))
            except Exception as error:
                if rows:
                    yield rows
                raise _DamagedError(
                    f"a record can't be read: {type(error).__name__}: {error}"
                ) from None
            yield rows


def _header(stream: _ExactReader) -> dict[str, bytes]:
    """Return the metadata `avro.schema` and `avro.codec`."""
    if stream.read(4) != b"Obj\x01":
        raise _DamagedError("it doesn't begin like one")
    metadata: dict[str, bytes] = {}
    while count := stream.number():
        if count < 0:
            stream.number()  # bytes of this part of the map
        for _ in range(abs(count)):
            name, value = stream.read(stream.number()), stream.read(stream.number())
            if name in (b"avro.schema", b"avro.codec"):
                metadata[name.decode()] = value
    return metadata


def _record(
    fastavro: Any, block: io.BytesIO, logical_schema: Any, stored_schema: Any
) -> dict[str, Any]:
    """Return the next record; with the stored numbers where a date or time is out of range."""
    at = block.tell()
    try:
        record = fastavro.schemaless_reader(
            block, logical_schema, None, handle_unicode_errors="replace"
        )
    except (OverflowError, ValueError, ArithmeticError):
        block.seek(at)
        record = fastavro.schemaless_reader(
            block, stored_schema, None, handle_unicode_errors="replace"
        )
    return record  # type: ignore[no-any-return]


def _decompress(codec: str, data: bytes) -> bytes:
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
            raise _DamagedError(f"its codec {codec!r} is not known")
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise _DamagedError(f"a block can't be unpacked: {error}") from None
    if len(plain) > LARGEST:
        raise _DamagedError(f"a block unpacks to more than {LARGEST:,} bytes")
    return plain


def _from_snappy(data: bytes) -> bytes:
    """Return the content of a block: its length comes before it, its checksum after it."""
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
    """The size of the values that a schema describes."""

    depth: int
    leaves: int
    empty: bool
    """Whether a value may have no bytes."""


def _measure(schema: Any, shapes: dict[str, _Shape], parents: frozenset[str]) -> _Shape:
    """Return the shape of a schema with full names. Raises _DamagedError for a dangerous one."""
    if isinstance(schema, str):
        if schema in parents:
            raise _DamagedError(f"its schema {schema} contains itself")
        return shapes.get(schema, _Shape(1, 1, schema == "null"))
    if isinstance(schema, list):
        parts = [_measure(part, shapes, parents) for part in schema]
        return _combine(parts, empty=False)
    kind, name = schema["type"], schema.get("name", "")
    if kind in ("record", "error"):
        parts = [_measure(field["type"], shapes, parents | {name}) for field in schema["fields"]]
        shapes[name] = _combine(parts, empty=all(part.empty for part in parts))
        return shapes[name]
    if kind == "array":
        items = _measure(schema["items"], shapes, parents)
        if items.empty:
            raise _DamagedError("its schema has lists whose items take no byte")
        return _combine([items], empty=False)
    if kind == "map":
        return _combine([_measure(schema["values"], shapes, parents)], empty=False)
    if kind in ("enum", "fixed"):
        shapes[name] = _Shape(1, 1, schema.get("size") == 0)
        return shapes[name]
    return _measure(kind, shapes, parents)


def _combine(parts: list[_Shape], *, empty: bool) -> _Shape:
    depth, leaves = (
        1 + max((part.depth for part in parts), default=0),
        sum(part.leaves for part in parts),
    )
    if depth > DEPTH or leaves > LEAVES:
        raise _DamagedError(f"its schema has more than {DEPTH} levels or {LEAVES:,} values")
    return _Shape(depth, leaves, empty)


def _without_logical_types(schema: Any) -> Any:
    """Return the schema without its logical types."""
    if isinstance(schema, list):
        return [_without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {
            key: value if key == "default" else _without_logical_types(value)
            for key, value in schema.items()
            if key != "logicalType"
        }
    return schema


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [Avro]
