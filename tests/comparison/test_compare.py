"""Comparisons of two tables: what is found, what is not, and what bad input answers."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from comparison_tables import make_table, with_outputs

import driftline
from driftline.types.errors import ComparisonError, SourceError

REFERENCE, SAME, DRIFTED = make_table(1), make_table(2), make_table(3, drift=True)


def test_a_drifted_column_comes_first():
    """The columns that changed come first, the largest difference before the smaller one."""
    result = driftline.compare(REFERENCE, DRIFTED)
    assert [column.name for column in result.columns[:2]] == ["age", "plan"]
    assert [column.verdict for column in result.columns] == ["changed"] * 2 + ["ok"] * 4
    assert result.headline == "2 of 6 columns changed"
    assert "mean 39.82 → 80.25" in result.columns[0].text


def test_two_samples_of_one_law_show_no_change():
    """Nothing changed between two tables of 2,000 rows that are drawn alike."""
    result = driftline.compare(REFERENCE, SAME)
    assert not result.is_changed
    assert {column.verdict for column in result.columns} == {"ok"}


@pytest.mark.slow
def test_null_tables_are_seldom_called_changed():
    """Of 40 pairs of tables of 5,000 rows and 20 columns, at most one shows a change."""
    pairs = range(40)
    changed = sum(
        driftline.compare(
            make_table(2 * seed, rows=5000, columns=20),
            make_table(2 * seed + 1, rows=5000, columns=20),
        ).is_changed
        for seed in pairs
    )
    assert changed <= 1


@pytest.mark.parametrize("seed", range(2))
def test_null_tables_of_twenty_columns_have_no_change(seed):
    """Two tables of 5,000 rows and 20 columns that are drawn alike show no change."""
    first, second = (make_table(10 * seed + part, rows=5000, columns=20) for part in (1, 2))
    assert not driftline.compare(first, second).is_changed


@pytest.mark.parametrize(
    "convert",
    [
        lambda table: table.to_pandas(),
        pl.from_arrow,
        lambda table: duckdb.connect().from_arrow(table),
        lambda table: pa.RecordBatchReader.from_batches(
            table.schema, table.to_batches(max_chunksize=300)
        ),
    ],
    ids=["pandas", "polars", "duckdb", "reader"],
)
def test_every_frame_library_gives_the_same_numbers(convert):
    """A table of pandas, polars or DuckDB gives what the table of pyarrow gives."""
    plain = driftline.compare(REFERENCE, DRIFTED).to_dict()
    assert driftline.compare(convert(REFERENCE), convert(DRIFTED)).to_dict() == plain


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_file_gives_the_numbers_of_the_table(tmp_path, suffix):
    """Files of any format give the findings of the table in memory."""
    paths = []
    for name, table in (("a", REFERENCE), ("b", DRIFTED)):
        path = tmp_path / f"{name}.{suffix}"
        if suffix == "parquet":
            pq.write_table(table, path)
        elif suffix == "csv":
            table.to_pandas().to_csv(path, index=False)
        else:
            table.to_pandas().to_json(path, orient="records", lines=True, double_precision=15)
        paths.append(path)
    result, plain = driftline.compare(*paths), driftline.compare(REFERENCE, DRIFTED)
    assert result.reference_rows == plain.reference_rows
    assert [column.name for column in result.columns] == [column.name for column in plain.columns]
    for column, other in zip(result.columns, plain.columns, strict=True):
        for finding, same in zip(column.findings, other.findings, strict=True):
            assert finding.value == pytest.approx(same.value, rel=1e-6, abs=1e-9)


def test_labels_and_predictions_bring_the_metrics():
    """A model that became worse is found by its label and its prediction."""
    reference = with_outputs(REFERENCE, 1, accuracy=0.9)
    current = with_outputs(SAME, 2, accuracy=0.6)
    result = driftline.compare(reference, current, label="outcome", prediction="guess")
    metric = next(metric for metric in result.model if metric.name == "accuracy")
    finding = metric.findings[0]
    assert metric.verdict == "changed"
    assert finding.value == pytest.approx(0.6, abs=0.03)
    assert finding.was == pytest.approx(0.9, abs=0.03)
    assert "95%" in metric.text


def test_a_segment_is_compared_separately():
    """A change in one segment only is found there, and so is unequal treatment."""
    reference = with_outputs(REFERENCE, 1, accuracy=0.9)
    current = with_outputs(SAME, 2, accuracy=0.9).to_pandas()
    current.loc[current["plan"] == "pro", "x1"] += 30
    current.loc[current["plan"] == "pro", "guess"] = 1
    result = driftline.compare(
        reference, current, label="outcome", prediction="guess", segments="plan"
    )
    assert any(record.name == "x1 (plan=pro)" for record in result.segments)
    assert not any("free" in record.name for record in result.segments)
    families = {finding.check for column in result.columns for finding in column.findings}
    assert "fairness" in families


def test_columns_of_one_side_are_listed():
    """A column that was removed and one that was added are a change, with their names."""
    current = SAME.drop_columns(["x2"]).append_column("extra", pa.array(np.arange(2000) % 7))
    result = driftline.compare(REFERENCE, current)
    assert result.removed == ("x2",)
    assert result.added == ("extra",)
    assert result.is_changed
    assert "x2" not in [record.name for record in result.columns]


def test_a_reference_with_labels_and_a_log_without():
    """The metrics are not compared, one sentence says so, and the features are."""
    reference = REFERENCE.append_column("label", pa.array([0, 1] * 1000))
    reference = reference.append_column("score", pa.array([0.2, 0.7] * 1000))
    result = driftline.compare(reference, SAME)
    assert result.headline == "0 of 6 columns changed, 2 removed"
    assert not result.model
    assert "the metrics of the model are not compared: only the reference has" in str(result)


def test_a_constant_that_has_other_values_now_is_changed():
    """A column with one value in the reference is compared."""
    constant = pa.array(["eu"] * 2000)
    other = pa.array(["us"] * 1000 + ["eu"] * 1000)
    result = driftline.compare(
        REFERENCE.append_column("area", constant), SAME.append_column("area", other)
    )
    assert result.columns[0].name == "area"
    assert result.columns[0].verdict == "changed"


def test_text_where_numbers_were_is_a_changed_type():
    """A column of another type is named as such."""
    words = pa.array(["low", "high"] * 1000)
    current = SAME.set_column(SAME.column_names.index("x1"), "x1", words)
    column = driftline.compare(REFERENCE, current).columns[0]
    assert (column.name, column.verdict) == ("x1", "changed")
    assert "where numbers were" in column.text


@pytest.mark.parametrize(
    ("reference", "current", "message"),
    [
        (pa.table({"a": [1, 2]}), pa.table({"b": [1, 2]}), "no column in common"),
        (pa.table({"a": pa.array([], pa.int64())}), REFERENCE, "the reference table has no rows"),
        (REFERENCE, REFERENCE.slice(0, 0), "the current table has no rows"),
        (
            pa.table([[1, 2], [3, 4]], names=["a", "a"]),
            REFERENCE,
            "more than one column 'a'",
        ),
    ],
)
def test_tables_that_can_not_be_compared_say_why(reference, current, message):
    """Tables without a common column, without rows or with repeated names are an error."""
    with pytest.raises(ComparisonError, match=message):
        driftline.compare(reference, current)


def test_an_absent_column_is_named_with_those_that_exist():
    """A label that a table lacks is an error that lists the columns."""
    with pytest.raises(
        ComparisonError, match="label: reference has no column 'y'; it has age, plan"
    ):
        driftline.compare(REFERENCE, SAME, label="y")


@pytest.mark.parametrize("data", [5, None, {"a": 1}, np.zeros(3)])
def test_an_object_that_is_no_table_is_a_type_error(data):
    """The error says what may be passed."""
    with pytest.raises(TypeError, match="is no table: give a path, or a table of pandas"):
        driftline.compare(data, REFERENCE)


def test_an_absent_file_is_named(tmp_path):
    """A path without a file is an error with the path."""
    with pytest.raises(SourceError, match=r"absent\.parquet: no such file"):
        driftline.compare(tmp_path / "absent.parquet", REFERENCE)


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"\x00\x01\x02"])
def test_a_file_without_rows_is_an_error(tmp_path, content):
    """An empty file, one with a header only and one of noise are an error with the path."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises((SourceError, ComparisonError), match=r"a\.csv"):
        driftline.compare(path, REFERENCE)


def test_pandas_with_repeated_names_says_so():
    """A frame of pandas with two columns of one name is an error."""
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    with pytest.raises(ComparisonError, match=r"reference table.*[Dd]uplicate|more than one"):
        driftline.compare(frame, REFERENCE)


def test_the_json_holds_what_the_result_holds():
    """`to_dict` is plain JSON without NaN."""
    result = driftline.compare(REFERENCE, DRIFTED)
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert document["headline"] == result.headline
    assert document["columns"][0]["findings"][0]["interval"]
    assert "no past" in document["basis"]
