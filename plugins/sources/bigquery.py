"""Reads tables of BigQuery that have a time column, such as the request-response logs of Vertex AI.

Does not write, does not read columns that no check needs, and does not scan more than a maximum.
One query reads all rows of a slice. Their number and times must be the listed ones: a slice that
changed since is not used.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, ClassVar

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
from driftline.kit.decoding.streams import stream_of_lines
from driftline.kit.settings import Bytes, Duration, FormatRef, Length, Size
from driftline.kit.stores.retry import retry_while_busy

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = re.compile(
    r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
    r"\.[A-Za-z0-9_]{1,1024}\.[A-Za-z0-9_-]{1,1000}(?:_\*)?"
)
Column = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$")]
LOG = ("endpoint", "request_id", "deployed_model_id", "request_payload", "response_payload")
"""Columns of a request-response log beside the time column; the first two identify a row."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCOPE = "https://www.googleapis.com/auth/bigquery"
DAY = timedelta(days=1)
PAGE, WAIT = 10_000, 240.0
"""Rows in one answer; seconds that a query may take."""
TOO_MUCH = "raise maximum_bytes_billed, or partition the table by its time column"
MARK = "MOD(FARM_FINGERPRINT(CAST(UNIX_MICROS({time}) AS STRING)), 4294967296)"
SLICES = """
SELECT DIV(UNIX_MICROS({time}), @slice) AS slice,
  COUNT(*) AS n, MAX({time}) AS newest, SUM({mark}) AS marks
FROM {table} WHERE {time} >= @since AND {time} < @until GROUP BY slice ORDER BY slice
"""
COLUMNS = "SELECT * FROM {table} WHERE {time} >= @since AND {time} < @until"
ROWS = """
SELECT {columns}, {time} AS driftline_time, {mark} AS driftline_mark, {copy} AS driftline_copy
FROM {table} WHERE {time} >= @since AND {time} < @until
"""


class BigQuery(Source):
    """Reads a table in slices of its time column.

    A slice is listed after its end. Rows that come later change it: it is then read again as a
    whole.
    """

    type = "bigquery"
    extra = "gcp"
    schemes: ClassVar = frozenset({"bq"})

    format: str | FormatRef | None = "vertex_logging"
    """The format of the rows.

    The rows of a Vertex AI log go to `vertex_logging` as JSON lines. Set `null` for a table whose
    columns are the columns of the model.
    """
    table: str
    """`project.dataset.table`, or `project.dataset.table_*` for a log split over several tables."""
    time_column: Column = "logging_time"
    """The TIMESTAMP column with the time of each row.

    Queries scan least where the table is partitioned by it.
    """
    slice: Length = timedelta(hours=1)
    """The span that one query reads.

    It must divide a day evenly, be at least `1m`, and be no longer than the windows. Don't change
    it later: rows that are already counted would count again.
    """
    settle: Duration = timedelta(minutes=5)
    """How long after its end a slice is first read.

    Rows of online predictions arrive 2 to 3 minutes late.
    """
    lookback: Duration = timedelta(hours=3)
    """How late rows may arrive and still be found at the next look.

    Rows that arrive later than that are found once a day.
    """
    begin: datetime | None = None
    """The first time to read, such as `2024-05-01` (UTC); earlier slices are never read."""
    unique: tuple[Column, ...] | None = None
    """Columns that identify a row: a row that is twice in a slice is read once.

    When absent, `endpoint` and `request_id` for a log, and none for other tables.
    """
    maximum_bytes_billed: Size = Bytes(10 * 10**9)
    """The most that one query may scan.

    A query that would scan more is rejected and costs nothing.
    """
    project: str | None = None
    """The project that pays for the queries; the project of the table when absent."""
    location: str | None = None
    """The location of the dataset, such as `EU`; BigQuery finds it when absent."""
    credentials_file: str | None = None
    """The key file of a service account.

    Give it only where the machine's own identity can't be used. A relative path starts at the
    folder of the configuration file.
    """
    endpoint_url: str | None = None
    """The address of another server with the same API; Google's when absent.

    For example `http://127.0.0.1:9050`.
    """
    anonymous: bool = False
    """Send requests without credentials, to a server for tests."""

    _client: Any = PrivateAttr(default=None)
    _jobs: dict[str, Any] = PrivateAttr(default={})
    _names: tuple[str, ...] = PrivateAttr(default=())
    _sleep: Callable[[float], object] = PrivateAttr(default=time.sleep)

    @classmethod
    def options_for(cls, address: str, endpoint_url: str | None = None) -> dict[str, Any]:
        """The options for an address of one of `schemes`."""
        endpoint = {"endpoint_url": endpoint_url} if endpoint_url else {}
        return {"table": address.partition("://")[2]} | endpoint

    @field_validator("table")
    @classmethod
    def _is_a_table(cls, value: str) -> str:
        value = value.removeprefix("bq://")
        if not TABLE.fullmatch(value):
            raise ValueError(
                "should be project.dataset.table, of letters, digits, - and _, "
                "or project.dataset.table_*"
            )
        return value

    @field_validator("slice")
    @classmethod
    def _divides_a_day(cls, value: timedelta) -> timedelta:
        if value < timedelta(minutes=1) or DAY % value:
            raise ValueError(
                "should divide a day evenly, such as 10m or 1h, and be a minute at least"
            )
        return value

    @property
    def full_listing_interval(self) -> timedelta | None:
        """Return a day: rows later than `lookback` are found once a day."""
        return DAY

    def stop(self) -> None:
        """Cancel the running queries and close the connections."""
        client, self._client = self._client, None
        for job in list(self._jobs.values()):
            _cancel(job)
        if client is not None:
            client.close()
        super().stop()

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """List the slices that have ended and have rows, by a query of the time column alone."""
        since = EPOCH if ctx.since is None else ctx.since - self.lookback
        for row in self._query(SLICES, self._span(since, ctx.now - self.settle)):
            begin, newest = EPOCH + row["slice"] * self.slice, row["newest"]
            uri = f"bq://{self.table}/{begin:%Y-%m-%dT%H:%MZ}"
            version = _version(row["n"], newest, row["marks"])
            yield LogObject(uri=uri, version=version, size=0, modified=newest, partition=begin)

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """Return the rows of a log as JSON lines, like an export of the table."""
        encode = msgspec.json.Encoder().encode
        rows = self._rows(obj, LOG)
        lines = (encode({"logging_time": row.pop("driftline_time")} | row) + b"\n" for row in rows)
        return stream_of_lines(lines)

    def batches(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch] | None:
        """Return the rows of a table without a format; only the columns of `ctx` are read."""
        return None if self.format is not None else self._table_batches(obj, ctx)

    def probe(self) -> str:
        """Return how much the queries would scan, by dry runs, which cost nothing."""
        now = self.context.clock()
        columns = (
            LOG
            if self.format is not None
            else [name for name in self._columns() if name != self.time_column]
        )
        queries = {
            "a look for new rows": (SLICES, self._span(now - self.lookback, now)),
            "reading a slice": (self._select(columns), self._span(now - self.slice, now)),
        }
        costs = []
        for purpose, (sql, span) in queries.items():
            size = int(self._job(sql, span, dry=True).total_bytes_processed or 0)
            costs.append(f"{purpose} scans {size / 1e6:,.1f} MB")
            if size > self.maximum_bytes_billed:
                raise SourceError(f"{self.table}: {costs[-1]}: {TOO_MUCH}")
        return f"{self.table}, {google.identity(self._connect()._credentials)}: {', '.join(costs)}"

    def permissions(self) -> Sequence[str]:
        """Return the rights to run queries and to read the table, and none to write."""
        run = f"bigquery.jobs.create on the project {self._payer}: the role BigQuery Job User"
        return (
            run,
            f"bigquery.tables.getData on the table {self.table}: the role BigQuery Data Viewer",
        )

    @property
    def _payer(self) -> str:
        return self.project or self.table.rsplit(".", 2)[0]

    def _span(self, since: datetime, until: datetime) -> dict[str, datetime]:
        """Return `since` and `until`, rounded down to whole slices and not before `begin`."""
        begin = self.begin or EPOCH
        since = max(since, begin.replace(tzinfo=begin.tzinfo or UTC))
        return {
            name: EPOCH + (at - EPOCH) // self.slice * self.slice
            for name, at in (("since", since), ("until", until))
        }

    def _table_batches(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        names = self._columns()
        if ctx.fields is None:
            selection = names
        else:
            paths = [str(json_values.parse_path(field.path)[0]) for field in ctx.fields]
            selection = tuple(name for name in paths if name in names)
        stream = self._rows(obj, [name for name in selection if name != self.time_column])
        while rows := [
            {self.time_column: row.pop("driftline_time")} | row for row in islice(stream, PAGE)
        ]:
            yield json_values.batch_of_records(ctx.fields, msgspec.to_builtins(rows))

    def _rows(self, obj: LogObject, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Return the rows of one slice.

        Raises ObjectChanged after the last row when the rows are not the listed ones.
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
        if self.unique is not None:
            return self.unique
        return LOG[:2] if self.format is not None else ()

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
        """Return the columns of the table, found once by a dry run."""
        if not self._names:
            job = self._job(COLUMNS, self._span(EPOCH, self.context.clock()), dry=True)
            self._names = tuple(field.name for field in job.schema or ())
        return self._names

    def _query(self, sql: str, span: Mapping[str, datetime]) -> Iterator[dict[str, Any]]:
        """Run a query and return its rows, fetched page by page."""
        job = self._job(sql, span)
        self._jobs[job.job_id] = job
        try:
            result = partial(job.result, page_size=PAGE, timeout=WAIT, job_retry=None)
            rows = google.translate_errors(partial(result, retry=self._retry), self._translate)
        except TimeoutError:
            _cancel(job)
            raise SourceError(
                f"{self.table}: a query took more than {WAIT:g} s: set a shorter slice"
            ) from None
        finally:
            self._jobs.pop(job.job_id, None)
        for row in rows:
            yield dict(row.items())

    def _job(self, sql: str, span: Mapping[str, datetime], *, dry: bool = False) -> Any:
        """Start a query under an id of our own: after a lost answer it is found, not repeated."""
        client, bigquery = self._connect(), google.import_sdk("bigquery")
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
        query = partial(client.query, text, config, job_id_prefix=f"driftline-{name}-")
        query = partial(query, location=self.location, timeout=WAIT, job_retry=None)
        return google.translate_errors(partial(query, retry=self._retry), self._translate)

    def _connect(self) -> Any:
        if self._client is None:
            file = (
                self.context.config_folder / self.credentials_file
                if self.credentials_file
                else None
            )
            self._client = google.import_sdk("bigquery").Client(
                project=self._payer,
                credentials=google.load_credentials(SCOPE, file, anonymous=self.anonymous),
                client_options={"api_endpoint": self.endpoint_url} if self.endpoint_url else None,
            )
        return self._client

    def _retry(self, send: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that sends one request and repeats it while the service is busy."""

        def repeat(*args: Any, **options: Any) -> Any:
            request = partial(send, *args, **options)
            return retry_while_busy(
                lambda: google.translate_errors(request, self._translate), self._sleep
            )

        return repeat

    def _translate(self, error: Exception) -> SourceError:
        (status, reason, message), place = google.error_details(error), self.table
        account = google.identity(getattr(self._client, "_credentials", None))
        if status == 401 or type(error).__module__.startswith("google.auth"):
            # Someone may have renewed the credentials: the next request reads them again.
            self._client = None
        if reason == "bytesBilledLimitExceeded" or "bytes billed" in message:
            return SourceError(f"{place}: {message}: {TOO_MUCH}")
        if status == 403 and reason in ("accessDenied", ""):
            right = (
                f"bigquery.jobs.create on {self._payer}"
                if "jobs.create" in message
                else "bigquery.tables.getData on it"
            )
            return SourceError(f"{place}: access denied ({account}): {right} is needed: {message}")
        if status == 404:
            return SourceError(
                f"{place}: there is no such table, or it is in another location: {message}"
            )
        if "Unrecognized name" in message:
            return SourceError(
                f"{place}: {message}: set time_column, "
                "or format to null for a table that is no log of Vertex AI"
            )
        return google.translate_error(error, place, account)


def _version(count: int, newest: datetime, marks: int) -> str:
    """Return the version of a slice: row count, newest time, and a checksum of all times."""
    return f"{count}-{(newest - EPOCH) // timedelta(microseconds=1)}-{marks}"


def _cancel(job: Any) -> None:
    with suppress(Exception):  # The query ends by itself too.
        job.cancel(retry=None, timeout=1.0)


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [BigQuery]
