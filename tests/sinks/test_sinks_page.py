"""docs/sinks.md is true: its examples are what arrives, its configurations are valid, and no
setting is left out.
"""

import re
from pathlib import Path

import pytest
import yaml

from driftline import Secret
from driftline.extensions import Registry

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/sinks.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(
    r"`(\w+\.(?:jsonl?|txt))`[^`\n]*:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
SHIPPED = Registry.load().types


@pytest.mark.parametrize(("file", "text"), BLOCK.findall(PAGE), ids=lambda given: given[:20])
def test_an_example_is_what_arrives(file, text):
    """It is the beginning of the stored message, which the receivers' tests compare with."""
    assert (
        (Path(__file__).parent / "golden" / file)
        .read_text(encoding="utf-8")
        .startswith(text.rstrip("\n"))
    )


@pytest.mark.parametrize("name", SECTIONS)
def test_a_configuration_works_and_shows_every_setting(name):
    """The sink takes the options as they stand there, secrets by reference, and has no others."""
    [found] = re.findall(r"```yaml\n(.*?)```", SECTIONS[name], re.DOTALL)
    [told] = yaml.safe_load(found).values()
    made = SHIPPED["sink", told["type"]](**told["options"])
    assert set(told["options"]) == set(type(made).model_fields)
    secrets = [value for _, value in made if isinstance(value, Secret)]
    assert all(secret.reference.startswith("${env:") for secret in secrets)
    assert f"| `{name}` |" in PAGE


def test_there_is_an_example_for_each():
    """What arrives can be seen before it does."""
    assert {file.rpartition("_")[0] for file, _ in BLOCK.findall(PAGE)} == set(SECTIONS)
