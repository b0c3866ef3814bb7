"""What a configuration says about columns and rows is looked over where it is read: each mistake
has its place.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from driftline.config import load_config
from driftline.types.errors import ConfigError

WELL = """\
version: 1
models:
  churn:
    source: {type: local, options: {path: logs}}
    schema:
      features: {age: numeric, age_offline: numeric, plan: categorical, Day Mins: numeric}
    checks:
      rules:
        type: rules
        options:
          expressions:
            first: "age > 0"
            second: 'column("Day Mins") >= 0 and plan is not null'
      skew: {type: skew, options: {pairs: {age: age_offline}, tolerance: {age: 0.5}}}
      domain: {type: domain, options: {patterns: {plan: "[a-z]+"}, allowed: {plan: [gold, 1, NO]}}}
      whole: {type: completeness, options: {sets: {both: [age, plan]}}}
      unique: {type: uniqueness, options: {keys: [plan]}}
      range: {type: range, options: {limits: {age: {low: 0}}}}
"""

MISTAKES = {
    "an unknown column": ('"age > 0"', '"agee > 0"', "checks.rules.options.expressions.first", "did you mean 'age'"),
    "no expression": ('"age > 0"', '"age := 0"', "checks.rules.options.expressions.first", "no expression near"),
    "no condition": ('"age > 0"', '"age - 1"', "checks.rules.options.expressions.first", "should be a condition"),
    "a quoted column": ("Day Mins\")", "Day Min\")", "checks.rules.options.expressions.second", "did you mean 'Day Mins'"),
    "an unknown pair": ("{age: age_offline}", "{age: age_online}", "checks.skew.options.pairs.age", "no column 'age_online'"),
    "no pattern": ('"[a-z]+"', '"[a-z"', "checks.domain.options.patterns.plan", "no regular expression"),
    "a list's column": ("{plan: [gold", "{plann: [gold", "checks.domain.options.allowed.plann", "did you mean 'plan'"),
    "a set's column": ("[age, plan]", "[age, pln]", "checks.whole.options.sets.both", "did you mean 'plan'"),
    "an unknown key": ("keys: [plan]", "keys: [plann]", "checks.unique.options.keys", "did you mean 'plan'"),
    "a limit's column": ("{age: {low: 0}}", "{ages: {low: 0}}", "checks.range.options.limits.ages", "did you mean 'age'"),
}  # fmt: skip


def test_what_is_well_is_loaded(tmp_path):
    """Words stay words, and numbers become the categories that they count as."""
    path = tmp_path / "driftline.yaml"
    path.write_text(WELL)
    checks = load_config(path).models["churn"].checks
    assert checks["domain"].plugin.allowed == {"plan": ("gold", "1", "NO")}
    assert checks["rules"].plugin.collector_options()["expressions"][0] == "age > 0"


@pytest.mark.parametrize("story", list(MISTAKES))
def test_each_mistake_has_its_place(tmp_path, story):
    """The setting is named, with its line, and what would mend it."""
    before, after, name, words = MISTAKES[story]
    assert before in WELL
    path = tmp_path / "driftline.yaml"
    path.write_text(WELL.replace(before, after, 1))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    problem = caught.value.problems[0]
    assert problem.name.startswith(f"models.churn.{name}")
    assert words in problem.message
    assert after.split("\n")[0] in WELL.replace(before, after, 1).splitlines()[problem.line - 1]


def test_the_documented_checks_are_read(tmp_path):
    """Every snippet of docs/data-quality.md is a check that loads."""
    pytest.importorskip("holidays")
    text = (Path(__file__).parents[2] / "docs" / "data-quality.md").read_text()
    snippets = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 9
    path = tmp_path / "driftline.yaml"
    source = (
        "version: 1\nmodels:\n  m:\n    source: {type: local, options: {path: logs}}\n    checks:\n"
    )
    path.write_text(source + textwrap.indent("".join(snippets), "      "))
    checks = load_config(path).models["m"].checks
    assert {told.type for told in checks.values()} == {
        "schema", "domain", "uniqueness", "completeness", "volume", "rules", "skew", "stale",
        "statistics",
    }  # fmt: skip
