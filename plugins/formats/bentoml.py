"""BentoML's monitoring logs: JSON lines of `data.<worker>.log`, with the columns that a service
logs.

Refuses the logs of the schema, which tell the columns' roles and hold no data, and to guess the
zone of the server's clock.
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
    """What `bentoml.monitor` writes into files: the columns of the service, `timestamp`,
    `request_id` and `trace_id`.

    The rows of one call have one `request_id`. Which column is the prediction stands in
    `schema/schema.<worker>.log`, which is not read: name it in the model's `schema`.
    """

    type = "bentoml"
    marks: ClassVar = (frozenset({"timestamp", "request_id", "trace_id"}),)

    timezone: str = "UTC"
    """Zone of the server's clock, such as `Europe/Berlin`: the times in the log bear none. Of the
    hour that it shows twice in autumn, the first is meant.
    """

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError):
            raise ValueError(
                f"no time zone is called {name!r}: use a name such as Europe/Berlin"
            ) from None
        return name

    def no_data(self, uri: str) -> str:
        """The logs of the schema."""
        return "tells the columns and their roles, and holds no data" if SCHEMA.search(uri) else ""

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of whole lines; `timestamp` is UTC."""
        zone = ZoneInfo(self.timezone)
        lines: JsonRecords[dict[str, Any]] = JsonRecords(stream, ctx, dict[str, Any])
        for chunk in lines:
            for row in chunk.found:
                row["timestamp"] = _in_utc(row.get("timestamp"), zone)
            yield json_values.tabulated(ctx.fields, chunk.found)


def _in_utc(value: Any, zone: ZoneInfo) -> Any:
    """A time of that zone's clock; what is no time, or has a zone, as it is."""
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
    """The formats of this file."""
    return [BentoMl]
