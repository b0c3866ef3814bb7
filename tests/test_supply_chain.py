"""What the image is made of is pinned, and bots and audits keep it current."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parent.parent
FILES = sorted((TOP / "deploy/requirements").glob("*.txt"))
SETS = {
    "aws": ("aws",),
    "aws-postgres": ("aws", "postgres"),
    "clouds": ("aws", "gcp", "azure"),
}
BREAKING = {"alembic", "httpx", "numpy", "pydantic", "sqlalchemy", "starlette", "uvicorn", "boto3"}
"""Packages whose new releases have often broken programs."""


def read_versions(path: Path) -> dict[str, str]:
    """Names and versions of a file of requirements."""
    found = re.findall(r"^([\w.\[\]-]+)==(\S+) \\$", path.read_text(), re.MULTILINE)
    return {canonicalize_name(name.partition("[")[0]): version for name, version in found}


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    texts = list(project["dependencies"])
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


def test_the_base_image_has_a_digest() -> None:
    """It is the default of `ARG BASE`, and every stage begins with it or with nothing."""
    text = (TOP / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${BASE}", "scratch"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_package_of_the_image_has_a_hash(path: Path) -> None:
    """And no line names an index or another place."""
    lines = path.read_text().splitlines()
    assert not [line for line in lines if "index-url" in line and not line.startswith("#")]
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    pinned = [place for place, line in enumerate(lines) if "==" in line]
    assert pinned
    assert all("--hash=sha256:" in lines[place + 1] for place in pinned)


@pytest.mark.parametrize("name", SETS)
def test_the_pinned_versions_are_those_that_the_package_allows(name: str) -> None:
    """All dependencies are there, within their bounds."""
    versions = read_versions(TOP / f"deploy/requirements/{name}.txt")
    for requirement in wanted(*SETS[name]):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_packages_that_break_often_have_an_upper_bound() -> None:
    """A new major release is tried before it is allowed."""
    bounded = {
        requirement.name
        for requirement in wanted("aws")
        if any(bound.operator == "<" for bound in requirement.specifier)
    }
    assert bounded >= BREAKING


def test_a_bot_and_an_audit_look_at_them() -> None:
    """Renovate reads the Dockerfile and the files with hashes, and the workflow audits them."""
    managers = json.loads((TOP / "renovate.json").read_text())["enabledManagers"]
    assert set(managers) == {"dockerfile", "github-actions", "pip-compile"}
    workflow = (TOP / ".github/workflows/test.yml").read_text()
    assert "pip-audit" in workflow
    assert all(path.stem in workflow for path in FILES)
    assert "cyclonedx-py" in (TOP / "Dockerfile").read_text()
