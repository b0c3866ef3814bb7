"""Mistakes in routes and templates are told with their place, before anything runs."""

import pytest

from driftline.config import load_config
from driftline.types.errors import ConfigError

TEXT = """\
version: 1
models: {m: {source: {type: local, options: {path: logs}}}}
sinks:
  screen: {type: console, templates: {%s}}
routes: {%s}
"""


def problems(tmp_path, templates="", routes=""):
    (tmp_path / "d.yaml").write_text(TEXT % (templates, routes))
    (tmp_path / "bad.j2").write_text("fine\n{% if %}")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "d.yaml")
    return [
        f"{problem.line} {problem.name}: {problem.message}" for problem in caught.value.problems
    ]


def test_a_sink_that_is_not_there(tmp_path):
    """In any depth, with what may have been meant."""
    [one] = problems(tmp_path, routes="routes: [{routes: [{fallback: [scren]}]}]")
    assert one.startswith("5 routes.routes[0].routes[0].fallback[0]: no sink is called 'scren'")
    assert "screen" in one


def test_the_outermost_route_takes_everything(tmp_path):
    """A match there would lose what doesn't match."""
    [one] = problems(tmp_path, routes="match: {model: m}")
    assert "takes everything" in one


def test_a_template_that_is_none(tmp_path):
    """Syntax is checked, here and in files, and a piece must be one that there is."""
    [one] = problems(tmp_path, templates="lead: {file: bad.j2}")
    assert "wrong in its line 2" in one
    [one] = problems(tmp_path, templates="lead: {file: none.j2}")
    assert "can't be read: FileNotFoundError" in one
    assert problems(tmp_path, templates="laed: x")
    assert "severity" in problems(tmp_path, routes="routes: [{match: {severity: grave}}]")[0]
