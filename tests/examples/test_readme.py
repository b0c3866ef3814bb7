"""What the README shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import driftline
from driftline.config.load import load_config

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


def block(language: str) -> str:
    [text] = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return text


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(target):
    """Every file that the README links to is there."""
    assert (ROOT / target).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z-]+)`", README))))
def test_make_targets_exist(target):
    """Every make target that the README names is one."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_check_works():
    """The check that the README shows is registered by its name and measures a window."""
    space: dict = {}
    exec(block("python"), space)
    [kind] = space["register_checks"]()
    column = driftline.CategoricalColumn(
        name="churned", rows=4, nulls=0, invalid=0, counts={"0": 3, "1": 1}, other=0, distinct=2
    )
    window = driftline.Window(rows=4, columns={"churned": column})
    [share] = kind().evaluate(
        driftline.CheckContext(current=window, reference=None, schema=driftline.Schema())
    )
    assert (kind.type, share.value) == ("share_of_leavers", 0.25)


def test_the_configuration_is_whole(tmp_path):
    """The configuration that the README shows is one, as it stands, and it is read without its
    secrets.
    """
    file = tmp_path / "driftline.yaml"
    file.write_text(block("yaml"))
    config = load_config(file)
    assert list(config.models) == ["churn"]
    assert list(config.sinks) == ["team-chat"]


def test_the_example_shows_every_check_that_runs_by_default():
    """The first file that a user sees has one of each check that would run without it, and names
    real columns.
    """
    config = load_config(ROOT / "config.example.yaml")
    churn = config.models["churn"]
    assert {check.type for check in churn.checks.values()} >= {
        type_.type
        for type_ in config.registry.checks()
        if type_.default_for is not None and type_.default_for <= {"label", "late label", "id"}
    }
    with (ROOT / "examples/churn/reference.csv").open() as file:
        columns = file.readline().strip().split(",")
    assert list(churn.source.format.options["headers"]) == columns[1:-2]
    assert set(churn.schema_.features) <= set(columns)
