"""The settings of columns that only some tasks have: mistakes name the setting."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from driftline.config.columns import SchemaConfig
from driftline.types.model import Kind

REGRESSION = {"kind": "regression", "column": "p"}
BINARY = {"kind": "binary", "score": "s"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prediction": BINARY, "horizon": "days"}, "`horizon` belongs to a forecast"),
        ({"prediction": BINARY, "series": "shop"}, "`series` belongs to a forecast"),
        ({"prediction": {"kind": "ranking", "column": "s"}}, "a ranking needs `group`"),
        ({"prediction": BINARY, "group": "query"}, "`group` belongs to a ranking"),
        (
            {"prediction": {**REGRESSION, "probabilities": {"a": "p", "b": "q"}}},
            "only a multiclass model has `probabilities`",
        ),
        (
            {"prediction": {"kind": "multiclass", "column": "c", "probabilities": {"a": "p"}}},
            "`probabilities` needs the column of each class",
        ),
        ({"season": 7}, "`season` belongs to a forecast"),
        ({"prediction": {**REGRESSION, "lower": "a"}}, "set `upper` too"),
        ({"prediction": {**REGRESSION, "upper": "a"}}, "set `lower` too"),
        (
            {"prediction": {**BINARY, "lower": "a", "upper": "b"}},
            "only a regression has a prediction interval: remove lower and upper",
        ),
    ],
)
def test_settings_of_another_task_are_mistakes(settings, message):
    """The message names the setting and what to do."""
    with pytest.raises(ValidationError, match=message):
        SchemaConfig.model_validate(settings)


def test_task_columns_stand_beside_features():
    """A feature may be the series, too: it keeps its name, kind and summary."""
    schema = SchemaConfig.model_validate(
        {
            "prediction": REGRESSION,
            "features": {"shop": "categorical", "days": "numeric"},
            "series": "shop",
            "horizon": "days",
        }
    ).to_schema()
    assert [(part.name, part.path) for part in schema.task_columns.parts] == [
        ("#series", "shop"),
        ("#horizon", "days"),
    ]
    assert schema.profile_columns == {
        "shop": Kind.CATEGORICAL,
        "days": Kind.NUMERIC,
        "p": Kind.NUMERIC,
    }
