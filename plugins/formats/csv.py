"""CSV and its relatives: a record on a line, with or without a header line.

Refuses to guess names: a column that the header doesn't have is null. Numbers are parsed where the
schema wants numbers; where some value of a chunk is none, the chunk's column stays text and the
host counts what doesn't fit.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from pydantic import field_validator

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import csv_parse, json_values
from driftline.kit.decoding.line_chunks import read_blocks

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 8 << 20
CAP = 16 << 20
ROWS = 1 << 17
"""About how many rows a batch has at most."""
COLUMNS = 20_000
DELIMITERS = ",;\t|"


class Csv(Format):
    """Delimited text. A file that grows is read again as a whole; with `names`, from where reading
    stopped.
    """

    type = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    delimiter: str | None = None
    """What stands between values, one character; found in the first line (comma, semicolon, tab,
    bar) when absent.
    """
    header: bool = True
    """Whether the first line names the columns. Without it and without `names` they are called
    `_c0`, `_c1` and so on.
    """
    names: tuple[str, ...] = ()
    """The columns of a file without a header line, in order."""
    encoding: str = "utf-8"
    """How the text is encoded, such as `latin-1` or `utf-16`."""
    quote: str = '"'
    """What stands around values that contain the delimiter or a line end; inside it is doubled."""
    nulls: tuple[str, ...] = csv_parse.NULLS
    """Values that mean that there is none."""

    @field_validator("delimiter", "quote")
    @classmethod
    def _one_byte(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n"):
            raise ValueError("one ASCII character is needed")
        return value

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError("no such encoding") from None

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of whole records; ends of lines inside quotes belong to the value."""
        direct = self.encoding in ("utf-8", "utf-8-sig", "ascii")
        if not direct:
            stream = cast(BinaryIO, codecs.EncodedFile(stream, "utf-8", self.encoding))
        resumable = direct and bool(self.names)
        chunks = _Chunks(stream, ctx, self.quote.encode())
        table: _Table | None = None
        for data in chunks:
            if table is None:
                if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    raise Unreadable("is UTF-16: set the format's encoding to utf-16")
                data = data.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
                if not data:
                    continue
                table, data = self._begin(data, ctx)
            before = table.records
            batch = table.read(data, chunks)
            if resumable:
                ctx.consumed(chunks.end)
            if batch is not None:
                chunks.size = min(
                    SIZE, max(1 << 16, ROWS * len(data) // max(table.records - before, 1))
                )
                yield batch

    def _begin(self, data: bytes, ctx: DecodeContext) -> tuple[_Table, bytes]:
        """The table that the first record promises, and the data without it where it is a
        header.
        """
        end = next(iter(_scan(data, self.quote.encode())[0]), len(data))
        try:
            first = data[:end].decode()
        except UnicodeDecodeError:
            raise Unreadable("the first line is not UTF-8: set the format's encoding") from None
        delimiter = self.delimiter or self._sniffed(re.sub('"[^"]*"', "", first))
        try:
            values = next(csv.reader([first], delimiter=delimiter, quotechar=self.quote), [])
        except csv.Error as error:
            raise Unreadable(f"the first line is no record: {error}") from None
        if len(values) > COLUMNS:
            raise Unreadable(
                f"the first line has {len(values):,} values: no table has more than {COLUMNS:,} columns"
            )
        if self.names or not self.header:
            return _Table(
                self, delimiter, self.names or tuple(f"_c{i}" for i in range(len(values))), ctx, 0
            ), data
        names: dict[str, None] = {}
        again: dict[str, Iterator[int]] = {}
        for i, value in enumerate(values):
            name = called = value.strip() or f"_c{i}"
            while called in names:
                called = f"{name}.{next(again.setdefault(name, count(1)))}"
            names[called] = None
        return _Table(self, delimiter, tuple(names), ctx, first.count("\n")), data[end:]

    def _sniffed(self, line: str) -> str:
        fitting = [
            delimiter
            for delimiter in DELIMITERS
            if line.count(delimiter) == len(self.names) - 1 > 0
        ]
        return fitting[0] if fitting else max(DELIMITERS, key=line.count)


class _Table:
    """Chunks of whole records to batches."""

    def __init__(
        self, form: Csv, delimiter: str, names: tuple[str, ...], ctx: DecodeContext, lines: int
    ) -> None:
        self.records = 0
        self._form, self._delimiter, self._names, self._ctx, self._lines = (
            form,
            delimiter,
            names,
            ctx,
            lines,
        )
        self._kinds = (
            None if ctx.fields is None else {field.path: field.kind for field in ctx.fields}
        )

    def read(self, data: bytes, chunks: _Chunks) -> pa.RecordBatch | None:
        """The batch of a chunk; rows with too few or too many values are rejected. None when there
        is no row.
        """
        import pyarrow as pa

        for line in chunks.dropped:
            self._ctx.reject(
                self.records, "a quote is never closed, or the record is longer than 16 MiB", line
            )
            self.records += 1
        chunks.dropped.clear()
        data = self._utf8(data)
        if not data.strip():
            self._lines += data.count(b"\n")
            return None
        invalid: list[Any] = []
        form = self._form
        try:
            table = csv_parse.parse(
                data,
                self._names,
                self._kinds,
                delimiter=self._delimiter,
                quote=form.quote,
                nulls=form.nulls,
                invalid=invalid,
            )
        except pa.ArrowInvalid as error:
            raise Unreadable(f"not CSV: {error}") from None
        word, before = (
            ("record", self.records) if form.quote.encode() in data else ("line", self._lines)
        )
        for row in invalid:
            reason = f"{word} {before + row.number} has {row.actual_columns} values where {row.expected_columns} are expected"
            self._ctx.reject(self.records + row.number - 1, reason, row.text)
        self.records += len(invalid)
        self.records += table.num_rows
        self._lines += data.count(b"\n")
        if not table.num_rows:
            return None
        wanted = (
            [(field.name, field.path) for field in self._ctx.fields]
            if self._ctx.fields is not None
            else None
        )
        columns = [
            (name, table.column(path))
            for name, path in wanted or [(name, name) for name in self._names if wanted is None]
        ]
        return json_values.record_batch(
            [name for name, _ in columns],
            [column.unify_dictionaries().combine_chunks() for _, column in columns],
            table.num_rows,
        )

    def _utf8(self, data: bytes) -> bytes:
        """The data without the records that are not UTF-8."""
        try:
            data.decode()
            return data
        except UnicodeDecodeError:
            pass
        good: list[bytes] = []
        start = 0
        for end in [*_scan(data, self._form.quote.encode())[0], len(data)]:
            record, start = data[start:end], end
            try:
                record.decode()
                good.append(record)
            except UnicodeDecodeError:
                self._ctx.reject(
                    self.records,
                    f"not UTF-8: set the format's encoding if it is not {self._form.encoding}",
                    record,
                )
                self.records += 1
        return b"".join(good)


class _Chunks:
    """Chunks that end where a record ends."""

    def __init__(self, stream: BinaryIO, ctx: DecodeContext, quote: bytes) -> None:
        self.size, self.end = SIZE, 0
        self.dropped: list[bytes] = []
        """Beginnings of records that were left out because they don't end."""
        self._stream, self._ctx, self._quote = stream, ctx, quote

    def __iter__(self) -> Iterator[bytes]:
        rest, skipping = b"", False
        for block in self._blocks():
            if skipping:
                cut = block.find(b"\n") + 1
                self.end += cut or len(block)
                skipping, block = not cut, block[cut:] if cut else b""
            data = rest + block
            cut = _last_end(data, self._quote)
            while not cut and len(data) > CAP:
                skipping = b"\n" not in data
                data = self._without_first_line(data)
                cut = _last_end(data, self._quote)
            self.end += cut
            if cut:
                yield data[:cut]
            rest = data[cut:]
        if not self._ctx.sealed:
            return
        while rest and _scan(rest, self._quote)[1]:
            cut = _last_end(rest, self._quote)
            self.end += cut
            if cut:
                yield rest[:cut]
            rest = self._without_first_line(rest[cut:])
        if rest or self.dropped:
            self.end += len(rest)
            yield rest

    def _blocks(self) -> Iterator[bytes]:
        try:
            yield from read_blocks(self._stream, lambda: self.size)
        except UnicodeError as error:
            raise Unreadable(f"{error}: set the format's encoding") from None

    def _without_first_line(self, data: bytes) -> bytes:
        """What follows the first line of a record that is endless or whose quote is never closed:
        the next one may be sound.
        """
        self.dropped.append(data[:1000])
        line = data.find(b"\n") + 1 or len(data)
        self.end += line
        return data[line:]


def _last_end(data: bytes, quote: bytes) -> int:
    """Where the last whole record ends; 0 when none does. `data` begins with a record."""
    last = data.rfind(b"\n") + 1
    if not last or quote not in data:
        return last
    if _regular(data, quote):
        odd = data.count(quote, 0, last) & 1
        end = last
        while odd and end:
            before = data.rfind(b"\n", 0, end - 1) + 1
            odd ^= data.count(quote, before, end) & 1
            end = before
        return end
    ends, _ = _scan(data, quote)
    return ends[-1] if ends else 0


def _regular(data: bytes, quote: bytes) -> bool:
    """Whether every other quote opens a value or follows a quote: then line ends after an even
    number of quotes end records.
    """
    import numpy as np

    text = np.frombuffer(data, np.uint8)
    opening = np.flatnonzero(text == quote[0])[::2]
    before = text[opening - 1]
    fine = np.isin(before, np.frombuffer(b"\n" + DELIMITERS.encode() + quote, np.uint8)) | (
        opening == 0
    )
    return bool(fine.all())


def _scan(data: bytes, quote: bytes) -> tuple[list[int], bool]:
    """Where records end, at line ends outside quotes, where quotes open only at the beginning of a
    value; and whether the data stops inside quotes.
    """
    ends: list[int] = []
    special = re.compile(
        rb"\n|(?<![^\n" + re.escape(DELIMITERS.encode()) + rb"])" + re.escape(quote)
    )
    at = 0
    while (found := special.search(data, at)) is not None:
        at = found.end()
        if found[0] == b"\n":
            ends.append(at)
            continue
        while True:
            close = data.find(quote, at)
            if close < 0:
                return ends, True
            at = close + 1
            if data[at : at + 1] != quote:
                break
            at += 1
    return ends, False


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [Csv]
