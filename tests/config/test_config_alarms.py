"""Settings that say when people are told: counts of windows, and incidents that wait for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.config import load_config
from driftline.types.errors import ConfigError
from driftline.types.scalars import Persistence

CONFIG = """\
version: 1
models:
  churn:
    source: {{type: local, options: {{path: logs}}}}
    schema: {{features: {{age: numeric}}}}
    checks: {{drift: {{type: drift, for: {count}}}}}
inhibit: [{{{condition}, hold: family=drift}}]
"""


def load(folder: Path, count: str = "1", condition: str = "unless: family=performance") -> object:
    path = folder / "driftline.yaml"
    path.write_text(CONFIG.format(count=count, condition=condition))
    return load_config(path)


@pytest.mark.parametrize(
    ("count", "persistence"),
    [("1", (1, None)), ("3", (3, None)), ("3 of 5", (3, 5)), ("4 of 4", (4, None))],
)
def test_a_count_of_windows_is_read(tmp_path, count, persistence):
    """`3` means three windows in a row, `3 of 5` three of the newest five."""
    checks = load(tmp_path, count).models["churn"].checks
    assert checks["drift"].for_ == Persistence(*persistence)


@pytest.mark.parametrize("count", ["0", "true", "6 of 5", "0 of 5", "3 of 17", "3 out of 5", "2.5"])
def test_a_count_that_can_not_be_is_a_mistake(tmp_path, count):
    """The error names the setting and shows both forms."""
    with pytest.raises(ConfigError, match=r"drift\.for: should be a count .* 2, .* 3 of 5"):
        load(tmp_path, count)


@pytest.mark.parametrize(
    "condition", ["while: family=service, unless: family=performance", "unless: null"]
)
def test_an_inhibition_has_one_condition(tmp_path, condition):
    """Either `while` or `unless` says when incidents wait."""
    with pytest.raises(ConfigError, match="give either while or unless"):
        load(tmp_path, condition=condition)
