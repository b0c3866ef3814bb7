"""Decodes BentoML's monitoring logs: the JSON lines of `data.<worker>.log`.

Skips the schema logs: they have the roles of the columns, and no data. Does not guess the time zone
of the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar
from zoneinfo import ZoneInfo

from pydantic import field_validator

from driftline import DecodeContext, Format, hookimpl
from driftline.kit.decoding import json_values
from driftline.kit.decoding.jsonl_format import JsonRecords

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = re.compile(r"/schema/schema\.[^/]*$")


class BentoMl(Format):
    """Files of `bentoml.monitor`: the service's columns, `timestamp`, `request_id`, `trace_id`.

    The rows of one call have the same `request_id`. The file `schema/schema.<worker>.log`, which
    says which column is the prediction, is not read: name the column in the model's `schema`.
    """

    type = "bentoml"
    marks: ClassVar = (frozenset({"timestamp", "request_id", "trace_id"}),)

    timezone: str = "UTC"
    """The time zone of the server, such as `Europe/Berlin`; the times in the log have no zone.

    Times in the hour that repeats in autumn are taken as the first of the two.
    """

    @field_validator("timezone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError):
            raise ValueError(
                f"no time zone is called {name!r}: use a name such as Europe/Berlin"
            ) from None
        return name

    def no_data(self, uri: str) -> str:
        """Return the reason for schema logs."""
        return "tells the columns and their roles, and holds no data" if SCHEMA.search(uri) else ""

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches of whole lines; `timestamp` is UTC."""
        zone = ZoneInfo(self.timezone)
        lines: JsonRecords[dict[str, Any]] = JsonRecords(stream, ctx, dict[str, Any])
        for chunk in lines:
            for row in chunk.records:
                row["timestamp"] = _in_utc(row.get("timestamp"), zone)
            yield json_values.batch_of_records(ctx.fields, chunk.records)


def _in_utc(value: Any, zone: ZoneInfo) -> Any:
    """Return a time of `zone` in UTC; any other value, or a time with a zone, as it is."""
    try:
        time = datetime.fromisoformat(value)
        return (
            value
            if time.tzinfo is not None
            else time.replace(tzinfo=zone).astimezone(UTC).isoformat()
        )
    except (TypeError, ValueError, OverflowError):
        return value


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [BentoMl]
