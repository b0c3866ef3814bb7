"""`driftline init` writes names of columns so that the configuration has the same names."""

from pathlib import Path

import pytest

from driftline.config.document import parse_document
from driftline.ingest.columns.infer import InferredSchema
from driftline.onboarding.config_text import InspectedModel, write_config
from driftline.onboarding.inspect_logs import LogInspection
from driftline.onboarding.window_choice import WindowChoice
from driftline.types.loss_reasons import LossReasons
from driftline.types.model import Field, Kind, Schema


@pytest.mark.parametrize(
    "name",
    ["age", "no", "NULL", "Null", "TRUE", ".nan", ".INF", "-.inf", "- a", "7", "a: b", "Länge"],
)
def test_configuration_has_the_names_of_columns(name: str) -> None:
    schema = Schema(timestamp=Field(name, name), features={name: Field(name, name, Kind.NUMERIC)})
    inspection = LogInspection(
        objects=[],
        has_more=False,
        object_count=0,
        format="csv",
        format_options={},
        prefix=None,
        layout=None,
        folders=(),
        batches=[],
        inference=InferredSchema(schema),
        windows=WindowChoice(),
        rejected=LossReasons(),
    )
    model = InspectedModel(
        name="churn",
        source_type="local",
        source_options={},
        inspection=inspection,
        reference=None,
    )
    document = parse_document(write_config([model]), Path("driftline.yaml"))
    written = document.value["models"]["churn"]["schema"]
    assert written["timestamp"] == name
    assert written["features"] == {name: "numeric"}
