"""Names that stand twice in the settings of a check are measured once."""

import numpy as np
import pytest
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from driftline_plugins.checks.missing import Missing
from driftline_plugins.checks.other_tool import OtherTool
from driftline_plugins.checks.performance import Performance
from driftline_plugins.checks.range import OutsideRange
from driftline_plugins.checks.schema import SchemaChange
from driftline_plugins.checks.stale import Stale
from driftline_plugins.checks.statistics import Statistics
from driftline_plugins.checks.units import Units
from profile_builder import context, pair

COLUMNS = ("x", "x")
CHECKS = [
    Drift(columns=COLUMNS, metrics=("psi", "psi")),
    EstimatedPerformance(metrics=("f1", "f1")),
    Missing(columns=COLUMNS),
    OtherTool(columns=COLUMNS, like="evidently"),
    Performance(metrics=("recall", "true_positive_rate", "recall")),
    OutsideRange(columns=COLUMNS),
    SchemaChange(columns=COLUMNS),
    Stale(columns=COLUMNS),
    Units(columns=COLUMNS),
    Statistics(
        columns=COLUMNS,
        statistics=("mean_value", "mean_value"),
        quantiles=(0.5, 0.50, 0.5000001),
        categories={"x": (True, 1, "1.0")},
    ),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.type)
def test_a_name_that_stands_twice_is_measured_once(check):
    """Other spellings of the same number, value or metric count as the same name."""
    x = np.random.default_rng(3).normal(5, 1, 300).tolist()
    keys = [(m.name, tuple(sorted(m.labels.items()))) for m in check.evaluate(context(*pair(x, x)))]
    assert keys
    assert len(keys) == len(set(keys))
