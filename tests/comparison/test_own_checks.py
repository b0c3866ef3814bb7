"""A check of one's own runs in a comparison, from a file or a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from comparison_tables import make_table

import driftline as dl
from driftline.cli.compare import compare as command

REFERENCE, SAME, DRIFTED = make_table(1), make_table(2), make_table(3, drift=True)
PLUGIN = '''
from driftline import Check, Measurement, above, check, hookimpl

@check(rule=above(warning=50.0))
def median_age(current, reference):
    """Median age of the rows."""
    return current.columns["age"].quantile(0.5)

@check(rule=above(warning=1.0))
def broken(current, reference):
    """Fails on every window."""
    raise KeyError("no such column")

class Limited(Check):
    """Needs a limit."""
    type = "limited"
    limit: float
    def evaluate(self, ctx):
        yield Measurement(self.limit)

@hookimpl
def register_checks():
    return [median_age, broken, Limited]
'''


@pytest.fixture(params=["file", "folder"])
def plugin(tmp_path: Path, request) -> Path:
    """A plugin with three checks, named by its file or its folder."""
    path = tmp_path / "plugins" / "ages.py"
    path.parent.mkdir()
    path.write_text(PLUGIN)
    return path if request.param == "file" else path.parent


def findings(result) -> dict[str, str]:
    """The verdict of each check of the plugin."""
    return {
        finding.check: finding.verdict
        for record in (*result.model, *result.columns)
        for finding in record.findings
        if finding.check in ("median_age", "broken", "limited")
    }


def test_it_is_judged_by_its_own_rule(plugin):
    """Its rule decides between ok and changed; a check that fails is an error of its own, one that
    needs options does not run, and the other columns are compared as ever.
    """
    result = dl.compare(REFERENCE, DRIFTED, plugins=[plugin])
    assert findings(result) == {"median_age": "changed", "broken": "error"}
    assert result.columns == dl.compare(REFERENCE, DRIFTED).columns
    calm = dl.compare(REFERENCE, SAME, plugins=[plugin])
    assert findings(calm) == {"median_age": "ok", "broken": "error"}
    assert "median age" in str(result).lower().replace("_", " ")


def test_it_runs_on_profiles(plugin):
    """Profiles that were made with the plugin show its check, too."""
    before = dl.profile(REFERENCE, plugins=[plugin])
    after = dl.profile(DRIFTED, before, plugins=[plugin])
    result = dl.compare(before, after, plugins=[plugin])
    assert findings(result)["median_age"] == "changed"


def test_the_command_takes_it(plugin, tmp_path):
    """`--plugins` adds it to the command."""
    import pyarrow.parquet as pq

    for name, table in (("a", REFERENCE), ("b", DRIFTED)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    paths = [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]
    done = CliRunner().invoke(command, [*paths, "--plugins", str(plugin)])
    assert "median age" in done.output.lower().replace("_", " ")


def test_a_missing_plugin_is_an_error(tmp_path):
    """A path without a plugin is an error that names it."""
    with pytest.raises(dl.DriftlineError, match="nothing: there is no such file"):
        dl.compare(REFERENCE, SAME, plugins=[tmp_path / "nothing"])
