"""Tables of BigQuery with a column of times, above all the request-response logs of Vertex AI
endpoints.

Refuses to write, to read columns that nobody asked for, and to scan more than a cap. A slice that
changed since it was listed is not taken: its rows come from one query, and their number and times
must be those that were listed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import msgspec
from pydantic import PrivateAttr, StringConstraints, field_validator

from driftline import (
    DecodeContext,
    DiscoverContext,
    LogObject,
    ObjectChanged,
    Source,
    SourceError,
    hookimpl,
)
from driftline.kit.clouds import google
from driftline.kit.decoding import json_values
from driftline.kit.decoding.line_chunks import joined
from driftline.kit.settings import Bytes, Duration, FormatRef, Length, Size
from driftline.kit.stores.retry import patiently

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = re.compile(
    r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]\.[A-Za-z0-9_]{1,1024}\.[A-Za-z0-9_-]{1,1000}(?:_\*)?"
)
Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$")]
LOG = ("endpoint", "request_id", "deployed_model_id", "request_payload", "response_payload")
"""Columns of a request-response log beside that of the times; the first two name a row."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCOPE = "https://www.googleapis.com/auth/bigquery"
DAY = timedelta(days=1)
PAGE, WAIT = 10_000, 240.0
"""Rows asked for at a time; seconds that a query may take."""
TOO_MUCH = "raise maximum_bytes_billed, or have the table partitioned by its column of times"
MARK = "MOD(FARM_FINGERPRINT(CAST(UNIX_MICROS({time}) AS STRING)), 4294967296)"
SLICES = """
SELECT DIV(UNIX_MICROS({time}), @slice) AS slice, COUNT(*) AS n, MAX({time}) AS newest, SUM({mark}) AS marks
FROM {table} WHERE {time} >= @since AND {time} < @until GROUP BY slice ORDER BY slice
"""
COLUMNS = "SELECT * FROM {table} WHERE {time} >= @since AND {time} < @until"
ROWS = """
SELECT {columns}, {time} AS driftline_time, {mark} AS driftline_mark, {copy} AS driftline_copy
FROM {table} WHERE {time} >= @since AND {time} < @until
"""


class BigQuery(Source):
    """Reads a table by slices of a column of times. A slice is listed once it is over; rows that
    come later change it, and it is read again as a whole.
    """

    type = "bigquery"
    extra = "gcp"

    format: str | FormatRef | None = "vertex_logging"
    """What unpacks the rows of a log of Vertex AI, which go to it as JSON lines; `null` for a table
    whose columns are the records' own.
    """
    table: str
    """The table as `project.dataset.table`; of logs that are split, `project.dataset.table_*`."""
    time_column: Column = "logging_time"
    """The column with each row's time, a TIMESTAMP; best the one by which the table is
    partitioned.
    """
    slice: Length = timedelta(hours=1)
    """What is read in one query: a whole part of a day, no longer than the windows. Keep it: with
    another one, rows that were counted are counted once more.
    """
    settle: Duration = timedelta(minutes=5)
    """How long after its end a slice is first read. Rows of online predictions come 2 to 3 minutes
    late.
    """
    lookback: Duration = timedelta(hours=3)
    """How much older rows may be than the last look and still be found by the next; older ones are
    found once a day.
    """
    begin: datetime | None = None
    """Slices before that of this moment, such as `2024-05-01` (UTC), are never read."""
    unique: tuple[Column, ...] | None = None
    """Columns that name a row: one written twice in a slice is read once. `endpoint`, `request_id`
    of a log if absent.
    """
    maximum_bytes_billed: Size = Bytes(10 * 10**9)
    """The most that one query may scan; one that would scan more is refused and costs nothing."""
    project: str | None = None
    """The project that pays for the queries; the table's own when absent."""
    location: str | None = None
    """Where the dataset is, such as `EU`; found out when absent."""
    credentials_file: str | None = None
    """A key file, where the machine's own identity can't be used. A relative path starts at the
    configuration's folder.
    """
    endpoint_url: str | None = None
    """Address of a server that speaks the same language, such as `http://127.0.0.1:9050`; Google's
    when absent.
    """
    anonymous: bool = False
    """Ask without any credentials, as a server for tests wants it."""

    _client: Any = PrivateAttr(default=None)
    _jobs: dict[str, Any] = PrivateAttr(default={})
    _names: tuple[str, ...] = PrivateAttr(default=())
    _sleep: Callable[[float], object] = PrivateAttr(default=time.sleep)

    @field_validator("table")
    @classmethod
    def _is_a_table(cls, value: str) -> str:
        value = value.removeprefix("bq://")
        if not TABLE.fullmatch(value):
            raise ValueError(
                "should be project.dataset.table, of letters, digits, - and _, or project.dataset.table_*"
            )
        return value

    @field_validator("slice")
    @classmethod
    def _parts_a_day(cls, value: timedelta) -> timedelta:
        if value < timedelta(minutes=1) or DAY % value:
            raise ValueError(
                "should part a day evenly, such as 10m or 1h, and be a minute at least"
            )
        return value

    @property
    def whole_every(self) -> timedelta | None:
        """Rows later than `lookback` are found once a day."""
        return DAY

    def stop(self) -> None:
        """Cancel what runs, close the connections."""
        client, self._client = self._client, None
        for job in list(self._jobs.values()):
            _cancel(job)
        if client is not None:
            client.close()
        super().stop()

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """The slices that are over and hold rows, by one query that reads the column of times
        only.
        """
        since = EPOCH if ctx.since is None else ctx.since - self.lookback
        for row in self._query(SLICES, self._span(since, ctx.now - self.settle)):
            begin, newest = EPOCH + row["slice"] * self.slice, row["newest"]
            uri = f"bq://{self.table}/{begin:%Y-%m-%dT%H:%MZ}"
            yield LogObject(
                uri, _version(row["n"], newest, row["marks"]), 0, newest, partition=begin
            )

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """The rows of a log as JSON lines, as an export of the table has them."""
        encode = msgspec.json.Encoder().encode
        found = ((row.pop("driftline_time"), row) for row in self._rows(obj, LOG))
        lines = (encode({"logging_time": at} | row) + b"\n" for at, row in found)
        return joined(lines)

    def batches(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch] | None:
        """The rows of a table whose columns are the records' own; only columns that are asked for
        are read.
        """
        return None if self.format is not None else self._own(obj, ctx)

    def probe(self) -> str:
        """Ask what the queries would scan, which costs nothing; say it, and as whom."""
        now = self.context.clock()
        columns = (
            LOG
            if self.format is not None
            else [name for name in self._columns() if name != self.time_column]
        )
        asked = {
            "a look for new rows": (SLICES, self._span(now - self.lookback, now)),
            "reading a slice": (self._select(columns), self._span(now - self.slice, now)),
        }
        told = []
        for what, (sql, span) in asked.items():
            scanned = int(self._job(sql, span, dry=True).total_bytes_processed or 0)
            told.append(f"{what} scans {scanned / 1e6:,.1f} MB")
            if scanned > self.maximum_bytes_billed:
                raise SourceError(f"{self.table}: {told[-1]}: {TOO_MUCH}")
        return f"{self.table}, {google.identity(self._handle()._credentials)}: {', '.join(told)}"

    def permissions(self) -> Sequence[str]:
        """What a reader of a table needs, and nothing to write with."""
        run = f"bigquery.jobs.create on the project {self._payer}: the role BigQuery Job User"
        return (
            run,
            f"bigquery.tables.getData on the table {self.table}: the role BigQuery Data Viewer",
        )

    @property
    def _payer(self) -> str:
        return self.project or self.table.rsplit(".", 2)[0]

    def _span(self, since: datetime, until: datetime) -> dict[str, datetime]:
        """Whole slices only."""
        begin = self.begin or EPOCH
        since = max(since, begin.replace(tzinfo=begin.tzinfo or UTC))
        return {
            name: EPOCH + (at - EPOCH) // self.slice * self.slice
            for name, at in (("since", since), ("until", until))
        }

    def _own(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        there = self._columns()
        wanted = (
            there
            if ctx.fields is None
            else [str(json_values.parse_path(field.path)[0]) for field in ctx.fields]
        )
        found = self._rows(
            obj, [name for name in wanted if name in there and name != self.time_column]
        )
        while rows := [
            {self.time_column: row.pop("driftline_time")} | row for row in islice(found, PAGE)
        ]:
            yield json_values.tabulated(ctx.fields, msgspec.to_builtins(rows))

    def _rows(self, obj: LogObject, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The rows of one slice. Raises ObjectChanged after the last one when they are not those
        that were listed.
        """
        begin = obj.partition or EPOCH
        key, copies, count, marks, newest = self._key, 0, 0, 0, EPOCH
        for row in self._query(
            self._select(columns), {"since": begin, "until": begin + self.slice}
        ):
            count += 1
            marks += row.pop("driftline_mark")
            newest = max(newest, row["driftline_time"])
            if row.pop("driftline_copy") > 1 and None not in [row[name] for name in key]:
                copies += 1
                continue
            yield row
        if _version(count, newest, marks) != obj.version:
            raise ObjectChanged(f"{obj.uri}: changed since it was listed")
        if copies and self._context is not None:
            self._context.log.info(
                "rows that were written twice are read once", slice=obj.uri, copies=copies
            )

    @property
    def _key(self) -> tuple[str, ...]:
        return (
            self.unique if self.unique is not None else LOG[:2] if self.format is not None else ()
        )

    def _select(self, columns: Iterable[str]) -> str:
        columns = dict.fromkeys((*columns, *self._key))
        key = ", ".join(f"`{name}`" for name in self._key)
        copy = (
            f"ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY `{self.time_column}`)" if key else "1"
        )
        return ROWS.replace("{copy}", copy).replace(
            "{columns}, ", "".join(f"`{name}`, " for name in columns)
        )

    def _columns(self) -> tuple[str, ...]:
        """The table's columns, asked once, by a query that doesn't run."""
        if not self._names:
            job = self._job(COLUMNS, self._span(EPOCH, self.context.clock()), dry=True)
            self._names = tuple(field.name for field in job.schema or ())
        return self._names

    def _query(self, sql: str, span: Mapping[str, datetime]) -> Iterator[dict[str, Any]]:
        """The rows that a query gives, page by page."""
        job = self._job(sql, span)
        self._jobs[job.job_id] = job
        try:
            found = google.told(
                partial(
                    job.result, page_size=PAGE, retry=self._again, timeout=WAIT, job_retry=None
                ),
                self._meaning,
            )
        except TimeoutError:
            _cancel(job)
            raise SourceError(
                f"{self.table}: a query took more than {WAIT:g} s: set a shorter slice"
            ) from None
        finally:
            self._jobs.pop(job.job_id, None)
        for row in found:
            yield dict(row.items())

    def _job(self, sql: str, span: Mapping[str, datetime], *, dry: bool = False) -> Any:
        """A query that was begun. Its id is ours, so that one whose answer was lost is found and
        not begun again.
        """
        client, bigquery = self._handle(), google.sdk("bigquery")
        name = re.sub(
            "[^A-Za-z0-9_-]", "_", self._context.name if self._context is not None else self.type
        )
        parameters = [
            bigquery.ScalarQueryParameter(name, "TIMESTAMP", at) for name, at in span.items()
        ]
        parameters.append(
            bigquery.ScalarQueryParameter("slice", "INT64", self.slice // timedelta(microseconds=1))
        )
        config = bigquery.QueryJobConfig(
            query_parameters=parameters, use_query_cache=False, dry_run=dry
        )
        config.maximum_bytes_billed = int(self.maximum_bytes_billed)
        text = (
            sql.replace("{mark}", MARK)
            .replace("{time}", f"`{self.time_column}`")
            .replace("{table}", f"`{self.table}`")
        )
        begin = partial(
            client.query, text, config, job_id_prefix=f"driftline-{name}-", location=self.location
        )
        return google.told(
            partial(begin, retry=self._again, timeout=WAIT, job_retry=None), self._meaning
        )

    def _handle(self) -> Any:
        if self._client is None:
            file = self.context.base / self.credentials_file if self.credentials_file else None
            self._client = google.sdk("bigquery").Client(
                project=self._payer,
                credentials=google.credentials(SCOPE, file, anonymous=self.anonymous),
                client_options={"api_endpoint": self.endpoint_url} if self.endpoint_url else None,
            )
        return self._client

    def _again(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        """One request, made again while the service is busy."""
        return lambda *args, **named: patiently(
            lambda: google.told(lambda: ask(*args, **named), self._meaning), self._sleep
        )

    def _meaning(self, error: Exception) -> SourceError:
        (status, reason, says), place = google.refusal(error), self.table
        whose = google.identity(getattr(self._client, "_credentials", None))
        if status == 401 or type(error).__module__.startswith("google.auth"):
            self._client = (
                None  # Whoever renews credentials may have done so: they are looked for again.
            )
        if reason == "bytesBilledLimitExceeded" or "bytes billed" in says:
            return SourceError(f"{place}: {says}: {TOO_MUCH}")
        if status == 403 and reason in ("accessDenied", ""):
            right = (
                f"bigquery.jobs.create on {self._payer}"
                if "jobs.create" in says
                else "bigquery.tables.getData on it"
            )
            return SourceError(f"{place}: access denied ({whose}): {right} is needed: {says}")
        if status == 404:
            return SourceError(
                f"{place}: there is no such table, or it is in another location: {says}"
            )
        if "Unrecognized name" in says:
            return SourceError(
                f"{place}: {says}: set time_column, or format to null for a table that is no log of Vertex AI"
            )
        return google.meaning(error, place, whose)


def _version(count: int, newest: datetime, marks: int) -> str:
    """Of a slice: how many rows, the time of the newest, and a sum over the times of all."""
    return f"{count}-{(newest - EPOCH) // timedelta(microseconds=1)}-{marks}"


def _cancel(job: Any) -> None:
    with suppress(Exception):  # It ends by itself; nobody waits for it.
        job.cancel(retry=None, timeout=1.0)


@hookimpl
def register_sources() -> list[type[Source]]:
    """The sources of this file."""
    return [BigQuery]
