"""Questions about models and measurements: each example of the page, and mistakes pointed at."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from catalog_scene import run, run_json
from question_scene import make_scene

from driftline.catalog.search import search_models
from driftline.cli.records import open_record_catalog
from driftline.profiles.language import ExpressionError

pytestmark = pytest.mark.system

PAGE = (Path(__file__).parent.parent.parent / "docs/records.md").read_text()
CELLS = [re.split(r" \| ", line.strip("| ")) for line in PAGE.splitlines() if "` | " in line]
EXAMPLES = [(cell[0].strip("`"), cell[1]) for cell in CELLS if len(cell) == 2]
SEARCHES = [pair for pair in EXAMPLES if re.match(r"(churn|fraud|leads)", pair[1])]
QUERIES = [pair for pair in EXAMPLES if pair[0].startswith("driftline query")]
MLFLOW = [
    # From MLflow's pages on searching runs, models and versions, with names of this scene.
    "metrics.loss > 0.4",
    'metrics.`train.auc` <= 0.83 and params.booster = "gbtree"',
    "params.`max_depth` = '6'",
    'tags."stage" = "retired"',
    "tags.stage LIKE 'ret%' AND params.rate = '0.1'",
    "tags.stage ILIKE '%TIRED'",
    "params.booster != 'dart' and tags.stage <> 'production'",
    "attributes.version IN ('v3')",
    "datasets.name IN ('train-2026-03')",
    "dataset.name LIKE '%2026-03'",
    "tags.stage IS NOT NULL AND params.max_depth > '3'",
    "name = 'churn' and version_number = 'v3'",
    "param.booster = 'gbtree' and metric.loss > 0.4",
    "attributes.creation_timestamp < 1775000000000 and name LIKE 'ch%'",
]


def test_the_page_has_twenty_examples():
    """Those that the tests below run."""
    assert len(SEARCHES) + len(QUERIES) >= 20


@pytest.mark.parametrize(("expression", "expected"), SEARCHES)
def test_a_search_lists_what_the_page_says(scene, expression, expected):
    """The models and versions."""
    rows = run_json(scene, "search", "models", expression)
    assert ", ".join(f"{row['model']} {row['version']}".strip() for row in rows) == expected


@pytest.mark.parametrize("expression", MLFLOW)
def test_strings_of_mlflow_work_as_they_are(scene, expression):
    """All of these choose the same version."""
    with open_record_catalog(scene) as catalog:
        items = search_models(catalog, expression)
    assert [(item.model, item.version) for item in items] == [("churn", "v3")]


@pytest.mark.parametrize(("command", "rows"), QUERIES)
def test_a_query_shows_what_the_page_says(scene, command, rows):
    """As many rows, in every format."""
    assert count_rows(scene, command) == int(rows)


@pytest.mark.postgres
def test_each_example_says_the_same_on_each_database(tmp_path):
    """On SQLite and on PostgreSQL."""
    scene = make_scene(tmp_path)
    for expression, expected in SEARCHES:
        rows = run_json(scene, "search", "models", expression)
        names = [f"{row['model']} {row['version']}".strip() for row in rows]
        assert ", ".join(names) == expected, expression
    for command, rows in QUERIES:
        assert count_rows(scene, command) == int(rows), command


def count_rows(scene, command: str) -> int:
    """The rows that a command writes, or the lines of its chart."""
    _, *words = shlex.split(command)
    result = run(scene, *words)
    assert result.exception is None, result.output
    form = words[words.index("--format") + 1] if "--format" in words else "table"
    return {
        "table": lambda text: len(text.splitlines()) - 1,
        "json": lambda text: len(json.loads(text)),
        "csv": lambda text: len(list(csv.DictReader(io.StringIO(text)))),
        "chart": lambda text: len(re.findall("[▁▂▃▄▅▆▇█]+", text)),
    }[form](result.stdout)


def test_the_formats_have_the_same_numbers(scene, tmp_path):
    """JSON, CSV and Parquet."""
    words = ("query", "churn", "psi", "--where", "column = 'tenure'")
    values = [row["value"] for row in json.loads(run(scene, *words, "--format", "json").stdout)]
    text = run(scene, *words, "--format", "csv").stdout
    assert [float(row["value"]) for row in csv.DictReader(io.StringIO(text))] == values
    file = tmp_path / "answer.parquet"
    run(scene, *words, "--format", "parquet", "--output", str(file))
    assert pq.read_table(file).column("value").to_pylist() == values
    assert len(values) == 6


def test_a_summary_weighs_by_rows(scene):
    """The mean of a version is that of its rows; versions are compared on the same windows."""
    words = ("query", "churn", "psi", "--where", "column = 'tenure'", "--format", "json")
    rows = json.loads(run(scene, *words).stdout)
    by_version = json.loads(run(scene, *words, "--by", "version").stdout)
    assert [row["version"] for row in by_version] == ["v3", "v4"]
    for summary in by_version:
        own = [row for row in rows if row["version"] == summary["version"]]
        total = sum(row["rows"] for row in own)
        mean = sum(row["value"] * row["rows"] for row in own) / total
        assert summary["mean"] == pytest.approx(mean, rel=1e-12)
        assert summary["windows"] == 3
        assert summary["newest"] == own[-1]["value"]


MISTAKES = [
    ("parms.max_depth > 4", "parms", "params"),
    ("param.max_dept > 4", "param.max_dept", "params.max_depth"),
    ("tag.teem = 'growth'", "tag.teem", "tags.team"),
    ("metric.train.acu > 0.8", "metric.train.acu", "metrics.train.auc"),
    ("metrics.loss > 'high'", "'high'", "a metric is a number"),
    ("max_depth > 4", "max_depth", "params.max_depth"),
    ("team = 'growth'", "team", "tags.team"),
    ("owner = 'Ada' and onwer = 'Bob'", "onwer", "owner"),
    ("alais = 'champion'", "alais", "alias"),
    ("verison = 'v3'", "verison", "version"),
    ("datasets.nmae = 'x'", "datasets.nmae", "name"),
    ("tags.team = 'growth' && params.max_depth > 4", "&&", "write and"),
    ("tags.team = 'growth' || params.max_depth > 4", "||", "write or"),
    ("tags.team == 'growth", "'growth", "no expression near"),
    ("tags.team = ", "", "ends too early"),
    ("(tags.team = 'growth'", "(", "no expression near"),
    ("tags.team = 'growth')", ")", "no expression near"),
    ("tags.team == null", "null", "is null"),
    ("tags.team is 'growth'", "tags.team is 'growth'", "with null only"),
    ("tags.team in 'growth'", "tags.team in 'growth'", "followed by a list"),
    ("tags.team in ['a', 1]", "tags.team in ['a', 1]", "texts only"),
    ("lower(tags.team) = 'growth'", "lower(tags.team)", "no function 'lower'"),
    ("tags.team LIKE 3", "LIKE 3", "no expression near"),
    ("matches(tags.team, '(')", "matches(tags.team, '(')", "no regular expression"),
    ("abs() > 3", "abs()", "abs takes 1"),
    ("near(metrics.loss, 0.4) and model = 'a'", "near(metrics.loss, 0.4)", "near takes 3"),
    ("metrics.loss > 1e999", "1e999", "too large"),
    ("metrics.loss > 0.4 tags.team = 'x'", "tags", "no expression near"),
    ("metrics[0] > 1", "metrics[0]", "can't stand"),
    ("attributes.staus = 'x'", "attributes.staus", "status"),
    ("1 < 2", "1 < 2", "name a column"),
    ("links.modle = 'x'", "links.modle", "links.model"),
]


@pytest.mark.parametrize(("expression", "words", "hint"), MISTAKES)
def test_a_mistake_is_pointed_at(scene, expression, words, hint):
    """With the words that it is about, and what was probably meant."""
    with open_record_catalog(scene) as catalog, pytest.raises(ExpressionError) as error:
        search_models(catalog, expression)
    assert hint in str(error.value)
    start, end = error.value.place
    assert end > start
    assert expression[start:].startswith(words) if words else start >= len(expression.strip())


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["churn", "pssi"], "churn has no metric 'pssi'; did you mean 'psi'"),
        (["chrun", "psi"], "no model 'chrun' has measurements; did you mean 'churn'"),
        (["churn", "psi", "--by", "verson"], "did you mean 'version'"),
        (["churn", "psi", "--where", "colum = 'tenure'"], "did you mean 'column'"),
        (["churn", "psi", "--where", "value > 'a'"], "a number is compared with text"),
        (["churn", "psi", "--since", "yesterday"], "--since yesterday: should be a time"),
        (["churn", "psi", "--since", "3000000d"], "--since 3000000d: should be a time"),
        (["churn", "psi", "--output", "/no/such/folder/a"], "No such file or directory"),
    ],
)
def test_a_mistake_in_a_query_is_named(scene, words, hint):
    """Of the metric, the model, a field, a time and a file."""
    assert hint in str(run(scene, "query", *words).exception)


def test_a_mistake_is_shown_below_the_line(scene):
    """As the page shows it."""
    result = run(scene, "search", "models", "param.max_dept > 4")
    lines = PAGE[PAGE.index("    $ driftline search models") :].splitlines()[1:4]
    assert "\n".join(line.strip() for line in lines) in str(result.exception)
