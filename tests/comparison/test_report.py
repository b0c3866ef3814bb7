"""Reports of comparisons: hostile names, size, exit codes and JSON of the command."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from comparison_tables import make_table

import driftline
from driftline.cli.compare import compare

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "a\nb\x1b[31m",
    "[red]x[/red]",
    "=1+1",
    "‮evil",
    "x" * 5000,
    "{{ 7 }} ${env:HOME}",
)


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        """Note a tag."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Paths of a reference, of a table that is alike, and of one that drifted."""
    folder = tmp_path_factory.mktemp("tables")
    tables = {
        "reference": make_table(1),
        "same": make_table(2),
        "drifted": make_table(3, drift=True),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return {name: str(folder / f"{name}.parquet") for name in tables}


def call(*arguments: str):
    """Run the command in this process."""
    return CliRunner().invoke(compare, arguments, standalone_mode=False)


def test_hostile_names_and_values_stay_text():
    """Names and categories of any kind bring no tag, no handler and no control character."""
    reference = {name: ["a", "b"] * 500 for name in HOSTILE}
    current = {name: [HOSTILE[0], HOSTILE[1]] * 500 for name in HOSTILE}
    result = driftline.compare(pa.table(reference), pa.table(current))
    assert len(result.changed) == len(HOSTILE)
    plain = Tags()
    plain.feed(driftline.compare(make_table(1), make_table(3, drift=True))._repr_html_())
    found = Tags()
    found.feed(result._repr_html_())
    assert found.tags <= plain.tags
    assert found.attributes <= plain.attributes
    for text in (result._repr_html_(), str(result)):
        assert not any(char in text for char in "\x1b‮")
    assert "<script" not in result._repr_html_()


def test_a_page_of_many_columns_stays_small(tmp_path):
    """The report of 300 changed columns is below 2 MB, and runs no script."""
    first, second = (
        pa.table({f"c{place}": [value, "z"] * 50 for place in range(300)}) for value in "ab"
    )
    result = driftline.compare(first, second)
    result.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert len(result.changed) == 300
    assert len(page) < 2_000_000
    assert "default-src 'none'" in page
    assert "prefers-color-scheme:dark" in page


def test_a_report_draws_the_values_of_both_tables(files, tmp_path):
    """The page has a chart of each changed column, whose title says what moved."""
    path = tmp_path / "report.html"
    assert call(files["reference"], files["drifted"], "--html", str(path)).return_value == 0
    page = path.read_text()
    assert page.count("<svg") == 2
    assert "plan: the share of free went from 60% to 20%" in page


def test_the_exit_code_says_whether_something_changed(files):
    """`--fail-on changed` gives 1 for a change and 0 without one; by default it is 0."""
    assert call(files["reference"], files["drifted"], "--fail-on", "changed").return_value == 1
    assert call(files["reference"], files["same"], "--fail-on", "changed").return_value == 0
    assert call(files["reference"], files["drifted"]).return_value == 0


def test_the_text_says_what_changed_and_that_there_is_no_past(files):
    """The lines name the changed columns in their order, and the basis of the verdicts."""
    lines = call(files["reference"], files["drifted"]).stdout.splitlines()
    assert lines[1] == "2 of 6 columns changed"
    assert lines[2].startswith("Two tables have no past")
    assert [line.split()[:2] for line in lines[4:6]] == [["changed", "age"], ["changed", "plan"]]


def test_json_is_one_object(files):
    """`--json` prints the result as one object and nothing else."""
    document = json.loads(call(files["reference"], files["drifted"], "--json").stdout)
    assert [column["name"] for column in document["columns"][:2]] == ["age", "plan"]


def test_tables_without_a_common_column_are_a_usage_error(files, tmp_path):
    """The command ends with click's usage error, which has the exit code 2."""
    pq.write_table(pa.table({"other": [1, 2, 3]}), tmp_path / "other.parquet")
    done = call(files["reference"], str(tmp_path / "other.parquet"))
    assert done.exception.exit_code == 2
    assert "no column in common" in str(done.exception)


def test_a_report_names_what_changed_most_and_explains_its_words(files, tmp_path):
    """A reader finds the largest change first, with its size, and the meaning of each number."""
    path = tmp_path / "report.html"
    call(files["reference"], files["drifted"], "--html", str(path))
    page = path.read_text()
    document = json.loads(call(files["reference"], files["drifted"], "--json").stdout)
    sizes = [column["size"] for column in document["columns"] if column["verdict"] == "changed"]
    assert sizes == sorted(sizes, reverse=True)
    assert "Column that changed most: age (size " in page
    guide = page[page.index("How to read this") :]
    words = ["changed", "unsure", "[95% sure: a to b]", "Size", *document["terms"]]
    assert all(f"<dt>{word}</dt>" in guide for word in words)
    assert "PSI" in document["terms"]
