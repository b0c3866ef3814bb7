"""Decodes CSV and similar text: one record on a line, with or without a header line.

Does not guess names: a column that is not in the header is null. Numeric columns of the schema are
parsed as numbers. Where a value of a chunk is no number, the column of that chunk stays text, and
the host counts the values that do not fit.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from pydantic import field_validator, model_validator

from driftline import DecodeContext, Format, Unreadable, hookimpl
from driftline.kit.decoding import csv_parse, json_values
from driftline.kit.decoding.csv_settings import find_csv_settings
from driftline.kit.decoding.line_chunks import read_blocks
from driftline.kit.decoding.missing_header import looks_like_record, mark_missing_header
from driftline.kit.decoding.streams import open_utf8

if TYPE_CHECKING:
    import pyarrow as pa

SIZE = 8 << 20
CAP = 16 << 20
ROWS = 1 << 17
"""About the most rows of a batch."""
COLUMNS = 20_000
DELIMITERS = ",;\t|"
SPACES = re.compile(rb"(?m)^ +\r?(?:\n|\Z)")
"""A line of spaces, which is blank."""
EXCEL_SEP = re.compile(rb'"?sep=([!-~\t])"?\r?\n', re.IGNORECASE)
"""The line before the header by which Excel learns the delimiter."""


class Csv(Format):
    """Delimited text, in lines that end with a newline, a carriage return or both.

    A file that has grown is read again as a whole; with `names`, only the new rows are read.
    """

    type = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    delimiter: str | None = None
    """The character between values.

    When absent, the most frequent of comma, semicolon, tab and bar in the first line is used.
    """
    header: bool = True
    """Whether the first line has the names of the columns.

    If not, and without `names`, the columns are `_c0`, `_c1` and so on.
    """
    names: tuple[str, ...] = ()
    """Names of the columns, in order, for files without a header line.

    A line that has exactly these names is no record.
    """
    encoding: str = "utf-8"
    """The encoding of the text, such as `cp1252` (Windows), `latin-1` or `utf-16`.

    UTF-16 with a byte order mark is recognised without this setting.
    """
    quote: str = '"'
    """The character around values that contain the delimiter or a line end.

    Inside a value it is doubled.
    """
    escape: str | None = None
    """The character before a quote inside a value, such as the backslash that Spark writes."""
    decimal: str | None = None
    """The character before the decimals of a number, such as the comma in `33,4`.

    When absent, it is a point, or a comma where the delimiter is another character and numbers
    have a comma before their decimals.
    """
    thousands: str | None = None
    """The character between groups of three digits, such as the point in `26.610,29`."""
    nulls: tuple[str, ...] = csv_parse.NULLS
    """Texts of missing values, in all columns.

    In numeric columns the texts that pandas takes for missing values are so as well, such as `NA`.
    """

    @field_validator("delimiter", "quote", "escape", "decimal", "thousands")
    @classmethod
    def _one_byte(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n"):
            raise ValueError("must be one ASCII character")
        return value

    @field_validator("encoding")
    @classmethod
    def _is_an_encoding(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError("no such encoding") from None

    @model_validator(mode="after")
    def _distinct(self) -> Csv:
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            raise ValueError("decimal and thousands must be different characters")
        return self

    @classmethod
    def suggest_options(cls, head: bytes, uris: Sequence[str]) -> dict[str, Any]:
        """Return the settings that the beginning of a file shows."""
        return find_csv_settings(head)

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches of whole records; line ends inside quotes belong to the value."""
        stream, has_same_bytes = open_utf8(stream, self.encoding)
        resumable = has_same_bytes and bool(self.names)
        chunks = _Chunks(stream, ctx, _Scanner(self.quote, self.escape))
        table: _Table | None = None
        for data in chunks:
            if table is None:
                data = data.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
                if not data:
                    continue
                table, data = self._start_table(data, ctx)
            before = table.records
            batch = table.read(data, chunks)
            if resumable:
                ctx.report_progress(chunks.end)
            if batch is not None:
                rows = max(table.records - before, 1)
                chunks.size = min(SIZE, max(1 << 16, ROWS * len(data) // rows))
                yield batch

    def _start_table(self, data: bytes, ctx: DecodeContext) -> tuple[_Table, bytes]:
        """Return the table for the first record, and the data without the header."""
        sep = EXCEL_SEP.match(data)
        if sep:
            data = data[sep.end() :]
        scanner = _Scanner(self.quote, self.escape)
        end = next(iter(scanner.scan(data)[0]), len(data))
        try:
            first = data[:end].decode()
        except UnicodeDecodeError:
            raise Unreadable(
                "the first line is not UTF-8: set the format's encoding, such as cp1252"
            ) from None
        if first.count("\0") > len(first) / 3:
            raise Unreadable("the first line looks like UTF-16: set the format's encoding")
        delimiter = self.delimiter or (
            sep[1].decode() if sep else self._guess_delimiter(re.sub('"[^"]*"', "", first))
        )
        try:
            reader = csv.reader(
                [first], delimiter=delimiter, quotechar=self.quote, escapechar=self.escape
            )
            values = next(reader, [])
        except csv.Error as error:
            raise Unreadable(f"the first line is no record: {error}") from None
        if len(values) > COLUMNS:
            raise Unreadable(
                f"the first line has {len(values):,} values: "
                f"a table may have at most {COLUMNS:,} columns"
            )
        if self.names or not self.header:
            columns = self.names or tuple(f"_c{i}" for i in range(len(values)))
            table = _Table(form=self, delimiter=delimiter, names=columns, ctx=ctx)
            is_header = tuple(value.strip() for value in values) == columns
            if len(self.names) > 1:
                table.header = data[:end] if is_header else delimiter.join(columns).encode()
            return table, data
        names: dict[str, None] = {}
        suffixes: dict[str, Iterator[int]] = {}
        for i, value in enumerate(values):
            name = unique_name = value.strip() or f"_c{i}"
            while unique_name in names:
                unique_name = f"{name}.{next(suffixes.setdefault(name, count(1)))}"
            names[unique_name] = None
        table = _Table(form=self, delimiter=delimiter, names=tuple(names), ctx=ctx)
        table.header = data[:end] if len(names) > 1 else b""
        wanted = {field.path for field in ctx.fields or ()}
        table.misses_header = (
            bool(wanted) and not wanted & names.keys() and looks_like_record(values)
        )
        return table, data[end:]

    def _guess_delimiter(self, line: str) -> str:
        fitting = [
            delimiter
            for delimiter in DELIMITERS
            if line.count(delimiter) == len(self.names) - 1 > 0
        ]
        return fitting[0] if fitting else max(DELIMITERS, key=line.count)


class _Table:
    """Turns chunks of whole records into batches."""

    def __init__(
        self, *, form: Csv, delimiter: str, names: tuple[str, ...], ctx: DecodeContext
    ) -> None:
        self.records = 0
        self.header = b""
        """The header line, which is left out where it is repeated; empty without one."""
        self.misses_header = False
        """Whether the first line looks like a record, and has none of the names that are wanted."""
        self._form, self._ctx = form, ctx
        self._delimiter, self._names, self._decimal = delimiter, names, form.decimal or "."
        self._kinds = (
            None if ctx.fields is None else {field.path: field.kind for field in ctx.fields}
        )

    def read(self, data: bytes, chunks: _Chunks) -> pa.RecordBatch | None:
        """Return the batch of a chunk, or None without rows; reject rows of another width."""
        import pyarrow as pa

        for line in chunks.endless_records:
            reason = "a quote is never closed, or the record is longer than 16 MiB"
            self._ctx.reject(self.records, reason + self._escape_hint(line), line)
            self.records += 1
        chunks.endless_records.clear()
        data = self._without_headers(self._without_bad_utf8(data))
        if b"\n " in data and self._form.quote.encode() not in data:
            data = SPACES.sub(b"", data)
        if not data.strip():
            return None
        invalid: list[Any] = []
        try:
            table = self._parse(data, invalid)
            may_be_comma = self._form.decimal is None and self._delimiter != "," != self._decimal
            if may_be_comma and csv_parse.has_decimal_commas(table, self._kinds):
                self._decimal = ","
                table = self._parse(data, invalid)
        except pa.ArrowInvalid as error:
            raise Unreadable(f"not CSV: {error}") from None
        for row in invalid:
            reason = (
                f"{row.actual_columns} values where {row.expected_columns} are expected"
            ) + self._escape_hint(row.text)
            self._ctx.reject(self.records + row.number - 1, reason, row.text)
        self.records += len(invalid)
        self.records += table.num_rows
        if not table.num_rows:
            return None
        fields = self._ctx.fields
        columns = [(name, name) for name in self._names]
        if fields is not None:
            columns = [(field.name, field.path) for field in fields]
        batch = json_values.record_batch(
            [name for name, _ in columns],
            [table.column(path).unify_dictionaries().combine_chunks() for _, path in columns],
            table.num_rows,
        )
        return mark_missing_header(batch) if self.misses_header else batch

    def _parse(self, data: bytes, invalid: list[Any]) -> pa.Table:
        form = self._form
        return csv_parse.parse_csv(
            data,
            self._names,
            self._kinds,
            delimiter=self._delimiter,
            quote=form.quote,
            nulls=form.nulls,
            escape=form.escape,
            decimal=self._decimal,
            thousands=form.thousands,
            invalid=invalid,
        )

    def _escape_hint(self, record: bytes | str) -> str:
        """Return what to set where quotes of the record have a backslash before them."""
        text = record if isinstance(record, str) else record.decode("utf-8", "replace")
        if self._form.escape is not None or f"\\{self._form.quote}" not in text:
            return ""
        return ", with a backslash before a quote: set the format's escape to a backslash"

    def _without_headers(self, data: bytes) -> bytes:
        """Return the data without repeated header lines, as concatenated files have them."""
        header = self.header.rstrip(b"\r\n")
        if not header or header not in data:
            return data
        return re.sub(rb"(?:\A|(?<=\n))" + re.escape(header) + rb"\r?(?:\n|\Z)", b"", data)

    def _without_bad_utf8(self, data: bytes) -> bytes:
        """Return the data without the records that are not UTF-8."""
        try:
            data.decode()
            return data
        except UnicodeDecodeError:
            pass
        good: list[bytes] = []
        start = 0
        scanner = _Scanner(self._form.quote, self._form.escape)
        for end in [*scanner.scan(data)[0], len(data)]:
            record, start = data[start:end], end
            try:
                record.decode()
                good.append(record)
            except UnicodeDecodeError:
                self._ctx.reject(
                    self.records,
                    "not UTF-8: set the format's encoding, such as cp1252",
                    record,
                )
                self.records += 1
        return b"".join(good)


class _Chunks:
    """Iterates over chunks that end where a record ends."""

    def __init__(self, stream: BinaryIO, ctx: DecodeContext, scanner: _Scanner) -> None:
        self.size, self.end = SIZE, 0
        self.endless_records: list[bytes] = []
        """Starts of records that were left out because their end was not found."""
        self._stream, self._ctx, self._scanner = stream, ctx, scanner

    def __iter__(self) -> Iterator[bytes]:
        tail, skipping = b"", False
        for block in self._blocks():
            if skipping:
                cut = block.find(b"\n") + 1
                self.end += cut or len(block)
                skipping, block = not cut, block[cut:] if cut else b""
            data = tail + block
            cut = self._scanner.last_end(data)
            while not cut and len(data) > CAP:
                skipping = b"\n" not in data
                data = self._without_first_line(data)
                cut = self._scanner.last_end(data)
            self.end += cut
            if cut:
                yield data[:cut]
            tail = data[cut:]
        if not self._ctx.is_complete:
            return
        while tail and self._scanner.scan(tail)[1]:
            cut = self._scanner.last_end(tail)
            self.end += cut
            if cut:
                yield tail[:cut]
            tail = self._without_first_line(tail[cut:])
        if tail or self.endless_records:
            self.end += len(tail)
            yield tail

    def _blocks(self) -> Iterator[bytes]:
        ends_lines_by_cr: bool | None = None
        try:
            for block in read_blocks(self._stream, lambda: self.size):
                if ends_lines_by_cr is None:
                    # Excel on a Mac writes such files. A CR at the very end may precede a newline.
                    ends_lines_by_cr = b"\n" not in block and b"\r" in block[:-1]
                yield block.replace(b"\r", b"\n") if ends_lines_by_cr else block
        except UnicodeDecodeError as error:
            bad = error.object[error.start]
            raise Unreadable(
                f"the text is not {error.encoding} (byte 0x{bad:02x}): set the format's encoding"
            ) from None
        except UnicodeError as error:
            raise Unreadable(f"{error}: set the format's encoding") from None

    def _without_first_line(self, data: bytes) -> bytes:
        """Return the data after the first line of an endless record: the next one may be good."""
        self.endless_records.append(data[:1000])
        line = data.find(b"\n") + 1 or len(data)
        self.end += line
        return data[line:]


class _Scanner:
    """Finds where records end."""

    def __init__(self, quote: str, escape: str | None) -> None:
        self._quote = quote.encode()
        self._escaped = (
            None
            if escape is None
            else re.compile(
                re.escape(escape.encode()) + b"[" + re.escape((escape + quote).encode()) + b"]"
            )
        )

    def last_end(self, data: bytes) -> int:
        """Return the end of the last whole record, or 0. `data` starts with a record."""
        return _last_end(self._mask(data), self._quote)

    def scan(self, data: bytes) -> tuple[list[int], bool]:
        """Return where records end, and whether the data stops inside quotes."""
        return _scan(self._mask(data), self._quote)

    def _mask(self, data: bytes) -> bytes:
        """Return data of the same length, without escaped characters."""
        return data if self._escaped is None else self._escaped.sub(b"xx", data)


def _last_end(data: bytes, quote: bytes) -> int:
    """Return the end of the last whole record, or 0. `data` starts with a record."""
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
    """Return whether every other quote opens a value or follows a quote.

    If so, each line end after an even number of quotes ends a record.
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
    """Return where records end, and whether the data stops inside quotes.

    Records end at line ends outside quotes. A quote opens only at the start of a value.
    """
    ends: list[int] = []
    special = re.compile(
        rb"\n|(?<![^\n" + re.escape(DELIMITERS.encode()) + rb"])" + re.escape(quote)
    )
    at = 0
    while (match := special.search(data, at)) is not None:
        at = match.end()
        if match[0] == b"\n":
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
    """Register the format of this file."""
    return [Csv]
