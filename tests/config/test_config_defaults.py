"""Settings that models share: `defaults`, merge keys, and anchors under keys of one's own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from driftline.config import load_config
from driftline.config.show import effective_settings
from driftline.types.errors import ConfigError

CONFIG = """\
version: 1
x-daily: &daily
  windows: {length: 1d, lateness: 2h}
defaults:
  windows: {length: 6h, lateness: 1h}
  source: {type: local, options: {path: logs, format: csv}}
  schema: {features: {age: numeric}}
  checks: {drift: {type: drift, for: 2}}
models:
  churn: {}
  fraud:
    <<: *daily
    schema: {features: {amount: numeric}}
    checks: {missing: {type: missing}}
  leads:
    source: {type: s3, options: {bucket: b}}
    windows: {length: 1h}
    checks: {drift: {type: missing}}
"""


def load(folder: Path, text: str = CONFIG):
    path = folder / "driftline.yaml"
    path.write_text(text)
    return load_config(path)


def test_a_model_has_what_it_does_not_set_itself(tmp_path):
    """Mappings are merged; lists, texts and numbers are replaced."""
    models = load(tmp_path).models
    hours = {name: model.windows.length / timedelta(hours=1) for name, model in models.items()}
    assert hours == {"churn": 6, "fraud": 24, "leads": 1}
    assert models["leads"].windows.lateness == timedelta(hours=1)
    assert models["fraud"].windows.lateness == timedelta(hours=2)
    assert set(models["fraud"].schema_.features) == {"age", "amount"}
    assert set(models["fraud"].checks) == {"drift", "missing"}
    assert models["churn"].source.path == "logs"


def test_options_of_another_plugin_are_not_merged(tmp_path):
    """A source or check of another type has its own options alone."""
    leads = load(tmp_path).models["leads"]
    assert (leads.source.type, leads.source.bucket) == ("s3", "b")
    assert leads.checks["drift"].plugin.type == "missing"
    assert leads.checks["drift"].for_.changed == 1


def test_a_value_names_the_line_that_it_comes_from(tmp_path):
    """Of defaults, of merge keys and of the model itself."""
    load(tmp_path)
    origins = {
        item.name: item.origin.rpartition(":")[2]
        for item in effective_settings(tmp_path / "driftline.yaml")
    }
    assert origins["models.churn.windows.length"] == "5"
    assert origins["models.fraud.windows.length"] == "3"
    assert origins["models.leads.windows.length"] == "17"
    assert origins["models.leads.windows.lateness"] == "5"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  windows: {length: 6h",
            "  windws: {length: 6h",
            r":5:3: models\.churn\.windws: unknown",
        ),
        ("length: 6h", "length: 6", r":5:21: models\.churn\.windows\.length: should be a time"),
        ("<<: *daily", "<<: daily", r"models\.fraud\.<<: should be a mapping"),
        ("defaults:\n", "defaults: 3\nx-rest:\n", r"defaults: should be settings of a model"),
        ("x-daily", "y-daily", r":2:1: y-daily: unknown setting"),
    ],
)
def test_a_mistake_in_shared_settings_has_its_place(tmp_path, old, new, message):
    """The place is where the setting stands, the name that of the model it is for."""
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, CONFIG.replace(old, new, 1))


def test_of_several_merged_mappings_the_first_wins(tmp_path):
    """As YAML says; the model's own keys win over all."""
    text = CONFIG.replace("defaults:", "x-weekly: &weekly {windows: {length: 7d}}\ndefaults:")
    merged = load(tmp_path, text.replace("<<: *daily", "<<: [*weekly, *daily]"))
    assert merged.models["fraud"].windows.length == timedelta(days=7)
