"""What the columns of a training file add to the schema that `init` infers from a log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from driftline.ingest.columns.infer import InferredSchema, infer_schema
from driftline.onboarding.reference_columns import add_reference_columns

ROWS = 200
DRAW = np.random.default_rng(8)
AGE = DRAW.normal(40, 9, ROWS).round(1).tolist()
PLAN = [str(value) for value in DRAW.choice(["gold", "free"], ROWS)]
BINARY = [int(value) for value in DRAW.random(ROWS) < 0.4]
CHANCE = DRAW.random(ROWS).round(3).tolist()
INPUTS = {"age": AGE, "plan": PLAN}
Columns = dict[str, Any]


def add(log: Columns, reference: Columns) -> InferredSchema:
    batches = [pa.RecordBatch.from_pydict(log)]
    return add_reference_columns(
        infer_schema(batches), batches, [pa.RecordBatch.from_pydict(reference)]
    )


@pytest.mark.parametrize(
    ("outputs", "label"),
    [
        ({"prediction": BINARY}, {"churned": BINARY}),
        ({"score": CHANCE}, {"label": BINARY}),
        ({"predicted_price": AGE}, {"actual_price": AGE}),
        ({"predicted_default": ["yes", "no"] * 100}, {"default": ["no", "yes"] * 100}),
    ],
)
def test_a_label_of_the_training_file_is_the_label_to_check(outputs, label):
    """It is in no record of the log, which a sentence says."""
    found = add({**INPUTS, **outputs}, {**INPUTS, **label})
    (name,) = label
    assert found.schema.label is not None
    assert found.schema.label.path == name
    assert set(found.schema.features) == set(INPUTS)
    assert any(f"the label {name} is in the reference only" in text for text in found.doubts)


def test_a_label_with_other_classes_than_the_predictions_is_named_only():
    found = add(
        {**INPUTS, "prediction": ["yes", "no"] * 100}, {**INPUTS, "label": ["good", "bad"] * 100}
    )
    assert found.schema.label is None
    assert any("the label label is in the reference only" in text for text in found.doubts)


def test_a_label_of_the_log_stays():
    columns = {**INPUTS, "prediction": BINARY, "label": BINARY}
    found = add(columns, {**INPUTS, "label": BINARY, "churned": BINARY})
    assert found.schema.label is not None
    assert found.schema.label.path == "label"
    assert not any("in the reference only" in text for text in found.doubts)


def test_features_that_the_training_file_lacks_are_named():
    found = add({**INPUTS, "prediction": BINARY}, {"age": AGE})
    assert set(found.schema.features) == set(INPUTS)
    assert any("the reference has no column plan" in text for text in found.doubts)
