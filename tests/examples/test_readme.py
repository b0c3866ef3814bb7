"""What the README shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import driftline

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
    column = driftline.CategoricalColumn("churned", rows=4, nulls=0, invalid=0, counts={"0": 3, "1": 1}, other=0, distinct=2)
    window = driftline.Window(rows=4, columns={"churned": column})
    [share] = kind().evaluate(driftline.CheckContext(current=window, reference=None, schema=driftline.Schema()))
    assert (kind.type, share.value) == ("share_of_leavers", 0.25)
