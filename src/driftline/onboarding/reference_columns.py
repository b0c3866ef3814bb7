"""Compares the columns of a log with those of its reference, which is often the training file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from driftline.ingest.columns.infer import InferredSchema, infer_schema
from driftline.profiles.label_classes import listing
from driftline.types.model import Task


def add_reference_columns(
    inference: InferredSchema, log: Sequence[pa.RecordBatch], reference: Sequence[pa.RecordBatch]
) -> InferredSchema:
    """Return the inferred schema of a log with what the records of its reference add.

    A label that only the reference has becomes the label of the schema where the predictions have
    the same classes: estimates of the performance use it. A sentence says that it is not in the
    log. Another one names features that the reference lacks.
    """
    in_log = {name for batch in log for name in batch.schema.names}
    in_reference = {name for batch in reference for name in batch.schema.names}
    schema, doubts = inference.schema, list(inference.doubts)
    features = {part.path for part in schema.features.values() if not part.element_paths}
    absent = features - in_reference
    if absent and features & in_reference:
        doubts.append(
            f"the reference has no column {listing(absent)}: such a feature is compared with "
            "nothing"
        )
    if schema.label is not None or (schema.prediction is None and schema.score is None):
        return replace(inference, doubts=doubts)
    others = [
        batch.select([name for name in batch.schema.names if name not in in_log])
        for batch in reference
    ]
    both = infer_schema([*log, *others])
    label = both.schema.label
    if label is None or label.path in in_log:
        return replace(inference, doubts=doubts)
    doubts.append(
        f"the label {label.name} is in the reference only: performance is not measured until "
        "labels arrive; set labels to their source, where schema.id joins them"
    )
    if both.schema.task is Task.BINARY and both.schema.positive != schema.positive:
        return replace(inference, doubts=doubts)
    return replace(inference, schema=replace(schema, label=label), doubts=doubts)
