"""SageMaker ground truth: what turned out to be true of a captured invocation, a JSON line each, as
Model Monitor wants it.

Refuses to join: the ids are those that the `sagemaker` format calls `label_id`, and the joining is
the host's. Refuses times from folders, which tell when a label was collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import msgspec

from driftline import DecodeContext, Format, hookimpl
from driftline.kit.decoding import captured_bodies, json_values, same_record_sides
from driftline.kit.decoding.jsonl_format import JsonRecords

if TYPE_CHECKING:
    import pyarrow as pa


class GroundTruth(Format):
    """Labels by event id: `label`, or the names that a JSON object gives. Of several rows of a
    record the ids are `event_id:0`, `event_id:1` and so on.
    """

    type = "sagemaker_ground_truth"
    marks: ClassVar = (frozenset({"groundTruthData", "eventMetadata"}),)

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches of rows. A capture record that was merged with its label gives the label."""
        unpacker = captured_bodies.Unpacker("label", (), None, ctx)
        lines: JsonRecords[_Record] = JsonRecords(stream, ctx, _Record)
        for some in lines:
            labels = unpacker.unpack([record.groundTruthData for record in some.found], None)
            nameless = {
                i: "no eventId"
                for i, record in enumerate(some.found)
                if not record.eventMetadata.eventId
            }
            pairs = same_record_sides.pair({"label": labels}, nameless, "there is no label")
            for i, reason in pairs.failures.items():
                ctx.reject(some.places[i], reason, some.lines[i])
            if pairs.rows:
                lines.came_to(pairs.rows, some)
                yield json_values.chosen(
                    ctx.fields, _meta(some.found, pairs) | pairs.sides["label"], pairs.rows
                )


class _Event(msgspec.Struct, gc=False):
    eventId: str | None = None  # noqa: N815
    inferenceTime: str | None = None  # noqa: N815


class _Record(msgspec.Struct, gc=False):
    groundTruthData: captured_bodies.Body | None = None  # noqa: N815
    eventMetadata: _Event = msgspec.field(default_factory=_Event)  # noqa: N815


def _meta(found: list[_Record], pairs: same_record_sides.Paired) -> dict[str, pa.Array]:
    events = [record.eventMetadata for record in found]
    return {
        "event_id": pairs.numbered(json_values.texts([event.eventId for event in events])),
        "event_time": pairs.spread(json_values.texts([event.inferenceTime for event in events])),
    }


@hookimpl
def register_formats() -> list[type[Format]]:
    """The formats of this file."""
    return [GroundTruth]
