"""SageMaker ground truth: what turned out to be true of a captured invocation, a JSON line each, as Model Monitor wants it.

Refuses to join: the ids are those that the `sagemaker` format calls `label_id`, and the joining is the host's. Refuses times
from folders, which tell when a label was collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import msgspec

from driftline import DecodeContext, Format, JsonRecords, bodies, hookimpl, paired, records

if TYPE_CHECKING:
    import pyarrow as pa

META = ("event_id", "event_time")


class GroundTruth(Format):
    """Labels by event id: `label`, or the names that a JSON object gives. Of several rows of a record the ids are `event_id:0`,
    `event_id:1` and so on."""

    type = "sagemaker_ground_truth"
    marks: ClassVar = (frozenset({"groundTruthData", "eventMetadata"}),)

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of rows. A capture record that was merged with its label gives the label."""
        unpacker = bodies.Unpacker("label", (), None, ctx)
        lines: JsonRecords[_Record] = JsonRecords(stream, ctx, _Record)
        for some in lines:
            labels = unpacker.unpack([record.groundTruthData for record in some.found], None)
            nameless = {i: "no eventId" for i, record in enumerate(some.found) if not record.eventMetadata.eventId}
            pairs = paired.pair({"label": labels}, nameless, "there is no label")
            for i, reason in pairs.failures.items():
                ctx.reject(some.places[i], reason, some.lines[i])
            if pairs.rows:
                lines.came_to(pairs.rows, some)
                columns = {name: _meta(name, some.found, pairs) for name in META} | pairs.sides["label"]
                yield records.chosen(ctx.fields, columns, pairs.rows)


class _Event(msgspec.Struct, gc=False):
    eventId: str | None = None  # noqa: N815
    inferenceTime: str | None = None  # noqa: N815


class _Record(msgspec.Struct, gc=False):
    groundTruthData: bodies.Body | None = None  # noqa: N815
    eventMetadata: _Event = msgspec.field(default_factory=_Event)  # noqa: N815


def _meta(name: str, found: list[_Record], pairs: paired.Paired) -> pa.Array:
    import pyarrow as pa

    events = [record.eventMetadata for record in found]
    if name == "event_id":
        return pairs.numbered(pa.array([event.eventId for event in events], pa.string()))
    return pairs.spread(pa.array([event.inferenceTime for event in events], pa.string()))


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [GroundTruth]
