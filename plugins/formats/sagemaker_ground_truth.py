"""Decodes SageMaker ground truth: a JSON line with the label of each captured invocation.

The ids are the `label_id` of the format `sagemaker`; the host joins the labels. The times in folder
names are not used: they say when a label was collected.
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
    """Labels by event id: `label`, or the names in a JSON object.

    Where a record has several rows, their ids are `event_id:0`, `event_id:1` and so on.
    """

    type = "sagemaker_ground_truth"
    marks: ClassVar = (frozenset({"groundTruthData", "eventMetadata"}),)

    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return batches of labels, also those of capture records that were merged with labels."""
        unpacker = captured_bodies.Unpacker(side="label", names=(), path=None, ctx=ctx)
        lines: JsonRecords[_Record] = JsonRecords(stream, ctx, _Record)
        for chunk in lines:
            labels = unpacker.unpack([record.groundTruthData for record in chunk.records], None)
            failures = {
                i: "no eventId"
                for i, record in enumerate(chunk.records)
                if not record.eventMetadata.eventId
            }
            pairs = same_record_sides.pair_sides({"label": labels}, failures, "there is no label")
            for i, reason in pairs.failures.items():
                ctx.reject(chunk.places[i], reason, chunk.lines[i])
            if pairs.rows:
                lines.resize_for(pairs.rows, chunk)
                yield json_values.select_columns(
                    ctx.fields, _meta(chunk.records, pairs) | pairs.sides["label"], pairs.rows
                )


class _Event(msgspec.Struct, gc=False):
    eventId: str | None = None  # noqa: N815
    inferenceTime: str | None = None  # noqa: N815


class _Record(msgspec.Struct, gc=False):
    groundTruthData: captured_bodies.CapturedBody | None = None  # noqa: N815
    eventMetadata: _Event = msgspec.field(default_factory=_Event)  # noqa: N815


def _meta(records: list[_Record], pairs: same_record_sides.RowPairs) -> dict[str, pa.Array]:
    events = [record.eventMetadata for record in records]
    return {
        "event_id": pairs.number_ids(json_values.text_array([event.eventId for event in events])),
        "event_time": pairs.repeat_per_row(
            json_values.text_array([event.inferenceTime for event in events])
        ),
    }


@hookimpl
def register_formats() -> list[type[Format]]:
    """Register the format of this file."""
    return [GroundTruth]
