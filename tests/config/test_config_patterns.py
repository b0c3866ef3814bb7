"""Patterns of model names: one model for each folder, with settings of its own where it has some."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from driftline.config import load_config
from driftline.config.show import effective_settings
from driftline.types.errors import ConfigError

CONFIG = """\
version: 1
x-daily: &daily {length: 1d, lateness: 2h}
defaults:
  windows: {length: 6h, lateness: 1h}
  schema: {features: {age: numeric}}
models:
  prod-{endpoint}:
    source: {type: local, options: {path: "logs/{endpoint}/captured", format: csv}}
    owner: team {endpoint}
    windows: {lateness: 30m}
  prod-fraud:
    windows: {<<: *daily}
actions: {}
"""
PARTS = {"prod-{endpoint}": ["churn", "fraud", "leads"]}


def load(folder: Path, text: str = CONFIG, parts=PARTS):
    path = folder / "driftline.yaml"
    path.write_text(text)
    return load_config(path, parts=parts)


def test_a_pattern_has_a_model_for_each_part(tmp_path):
    """Texts have the part in place of the placeholder; the pattern itself is no model."""
    config = load(tmp_path)
    assert set(config.models) == {"prod-fraud", "prod-churn", "prod-leads"}
    assert config.models["prod-leads"].source.path == "logs/leads/captured"
    assert config.models["prod-leads"].owner == "team leads"
    assert config.models["prod-leads"].windows.lateness == timedelta(minutes=30)
    assert set(config.models["prod-leads"].schema_.features) == {"age"}
    assert set(config.patterns) == {"prod-{endpoint}"}


def test_a_model_whose_name_fits_is_completed_by_the_pattern(tmp_path):
    """Its own settings win, also those that it merges; it needs no folder to be there."""
    fraud = load(tmp_path, parts={}).models["prod-fraud"]
    assert fraud.windows.length == timedelta(days=1)
    assert fraud.windows.lateness == timedelta(hours=2)
    assert fraud.source.path == "logs/fraud/captured"
    assert fraud.owner == "team fraud"


def test_each_value_names_the_line_that_it_comes_from(tmp_path):
    """Of the pattern, the defaults, the merge key, or the model itself."""
    load(tmp_path)
    origins = {
        item.name: item.origin.rpartition(":")[2]
        for item in effective_settings(tmp_path / "driftline.yaml", parts=PARTS)
    }
    assert origins["models.prod-churn.owner"] == "9"
    assert origins["models.prod-churn.windows.length"] == "4"
    assert origins["models.prod-churn.windows.lateness"] == "10"
    assert origins["models.prod-fraud.windows.length"] == "2"
    assert origins["models.prod-fraud.source.options.path"] == "8"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lateness: 30m", "latenes: 30m", r":10:15: models\.prod-\{endpoint\}\..*did you mean"),
        ("{lateness: 30m}", "{lateness: 3}", r":10:25: .*should be a time"),
        ("logs/{endpoint}/captured", "logs", r":8:13: .*should have \{endpoint\} for the folder"),
        ("type: local", "type: bigquery", r"lists no folders: name its models one by one"),
        ("prod-{endpoint}:", "prod-{endpoint}-{variant}:", r":7:3: .*has one placeholder"),
        ("prod-{endpoint}:", "prod-{Endpoint}:", r":7:3: .*has one placeholder"),
        (
            "actions: {}",
            "actions: {a: {type: shell, options: {command: [/bin/true]}, "
            "when: {models: [stage-x]}}}",
            r"no model is called 'stage-x'",
        ),
    ],
)
def test_a_mistake_in_a_pattern_has_its_place_once(tmp_path, old, new, message):
    """The models of the pattern have it too, but it is said once."""
    with pytest.raises(ConfigError, match=message) as error:
        load(tmp_path, CONFIG.replace(old, new, 1))
    places = [(problem.line, problem.column, problem.message) for problem in error.value.problems]
    assert len(set(places)) == len(places)


def test_a_condition_may_name_a_model_that_a_pattern_may_have(tmp_path):
    """Which models there are is known later."""
    action = (
        "actions: {a: {type: shell, options: {command: [/bin/true]}, when: {models: [prod-later]}}}"
    )
    assert load(tmp_path, CONFIG.replace("actions: {}", action)).actions["a"]


def test_defaults_may_merge(tmp_path):
    """A merge key within `defaults` holds for each model, as in any mapping."""
    text = CONFIG.replace("  schema: {features", "  <<: {every: 5m}\n  schema: {features")
    assert load(tmp_path, text).models["prod-churn"].every == timedelta(minutes=5)


def test_a_number_of_folders_is_no_limit(tmp_path):
    """The values of a pattern count once towards the largest file."""
    parts = {"prod-{endpoint}": [f"e{number}" for number in range(300)]}
    assert len(load(tmp_path, parts=parts).models) == 301
