"""Two versions side by side: only what differs."""

from __future__ import annotations

import pytest
from catalog_scene import run, run_json

pytestmark = pytest.mark.system


def test_only_what_differs_is_shown(scene):
    """Recorded fields, and measurements whose intervals do not overlap."""
    diff = run_json(scene, "versions", "compare", "churn", "v3", "champion")
    recorded = {item["name"]: (item["first"], item["second"]) for item in diff["recorded"]}
    assert recorded["params.max_depth"] == (6, 3)
    assert recorded["metrics.train.auc"] == (0.83, 0.86)
    assert recorded["datasets"] == (["train-2026-03"], ["train-2026-04"])
    assert recorded["aliases"] == ([], ["champion"])
    assert "params.booster" not in recorded
    measured = {item["name"]: item for item in diff["measured"]}
    shifted = measured["drift.psi column=tenure"]
    assert shifted["first"]["high"] < shifted["second"]["low"]
    assert "drift.psi column=plan" not in measured
    assert diff["alike"] > 0


def test_a_version_has_no_difference_to_itself(scene):
    """Neither recorded nor measured."""
    diff = run_json(scene, "versions", "compare", "churn", "v4", "champion")
    assert (diff["recorded"], diff["measured"]) == ([], [])


def test_the_table_names_both_versions(scene):
    """And an unknown one is a mistake that suggests."""
    lines = run(scene, "versions", "compare", "churn", "v3", "v4").stdout.splitlines()
    assert lines[0].split() == ["v3", "v4"]
    assert any(line.split() == ["params.max_depth", "6", "3"] for line in lines)
    mistake = run(scene, "versions", "compare", "churn", "v3", "v44").exception
    assert "churn has no version 'v44'; did you mean 'v4'" in str(mistake)
