"""docs/tutorial.md is true: its files are written, its commands run, and its output appears as it
is shown.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from reader import follow, steps

from driftline.extensions import Registry
from driftline.testing import assert_plugin_contract

pytestmark = pytest.mark.system

PAGE = "tutorial.md"


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> Path:
    """The folder of a reader who did all that the tutorial says, and saw what it shows."""
    return follow(PAGE, tmp_path_factory.mktemp("tutorial") / "work")


@pytest.mark.slow
def test_a_reader_sees_what_the_tutorial_shows(followed):
    """Every file can be written and every command gives the output shown, from the empty folder to
    the end.
    """
    assert (followed / "diary.txt").exists()


def test_the_first_check_is_short():
    """A user's check is one file of at most 15 lines."""
    first = next(text for file, _, text in steps(PAGE) if file == "checks/busiest.py")
    assert len(first.splitlines()) <= 15


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        ("sink", "diary", {"path": "contract.txt"}),
        ("source", "zipped", {"path": "logs.zip"}),
        ("format", "pairs", {}),
    ],
)
def test_the_tutorials_plugins_keep_the_contract(followed, monkeypatch, kind, name, options):
    """What the tutorial teaches passes what is asked of every plugin."""
    monkeypatch.chdir(followed)
    registry = Registry.load([followed / "more" / f"{name}.py"], entry_points=False)
    assert not registry.problems
    assert_plugin_contract(registry.get(kind, name), **options)


@pytest.mark.slow
def test_the_installed_check_keeps_the_contract(followed, monkeypatch):
    """The check that became a package does too."""
    monkeypatch.syspath_prepend(followed.parent / "site")
    from acme_driftline.unseen import Unseen

    assert_plugin_contract(Unseen)
