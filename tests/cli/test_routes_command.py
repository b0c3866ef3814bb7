"""`driftline routes explain`: what a person or a program is told of the way of an incident."""

import json
from pathlib import Path

import pytest

from driftline.cli.main import main

TEXT = """
version: 1
models:
  churn: {source: {type: local, options: {path: logs}}, tags: {team: growth}}
sinks:
  screen: {type: console}
  pager: {type: console, min_severity: critical}
routes:
  sinks: [screen]
  routes:
    - match: {tags: {team: growth}, family: [drift, quality]}
      sinks: [pager]
      fallback: [screen]
"""


@pytest.fixture
def explain(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("driftline.yaml").write_text(TEXT)

    def run(*args):
        with pytest.raises(SystemExit) as left:
            main(["routes", "explain", *args])
        told = capsys.readouterr()
        return left.value.code, told.out + told.err

    return run


def test_people_see_the_routes_tried_and_who_is_told(explain):
    """Each route with its reason, then the sinks, the ones that don't hear of this severity, and
    the fallback.
    """
    code, out = explain("churn", "--severity", "warning")
    assert code == 0
    assert out.splitlines() == [
        "churn: warning drift",
        "  taken  routes: takes everything",
        "    taken  routes.routes[0]: family is drift; tag team is growth",
        "-> pager  (by routes.routes[0])  but not sent: its min_severity is critical",
        "   in place of a sink that fails: screen",
    ]


def test_programs_get_the_same(explain):
    """As JSON, also for other tags than the model has."""
    code, out = explain("churn", "--json", "--tag", "team=sales", "--family", "service")
    found = json.loads(out)
    assert (code, found["sinks"]) == (0, {"screen": {"route": "routes", "told": True}})
    assert [route["taken"] for route in found["routes"]] == [True, False]


def test_an_unknown_name_is_a_mistake_of_usage(explain, tmp_path):
    """A name that is neither a model nor an incident ends with 2 (3 without a state to look in),
    and no traceback.
    """
    code, out = explain("chrun")
    assert code in (2, 3)
    assert "Traceback" not in out
