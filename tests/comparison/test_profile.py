"""Profiles of tables: the same for every library, added, saved, compared."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from comparison_tables import make_table, with_outputs
from hostile_names import HOSTILE_NAMES

import driftline as dl
from driftline.types.errors import ComparisonError, SourceError

REFERENCE, CURRENT = make_table(1), make_table(3, drift=True)


def to_duckdb(table: pa.Table) -> duckdb.DuckDBPyRelation:
    """The rows as a relation of DuckDB."""
    return duckdb.connect().from_arrow(table)


LIBRARIES = pytest.mark.parametrize(
    "convert",
    [
        lambda table: table.to_pandas(),
        pl.from_arrow,
        to_duckdb,
        lambda table: pa.RecordBatchReader.from_batches(
            table.schema, table.to_batches(max_chunksize=300)
        ),
    ],
    ids=["pandas", "polars", "duckdb", "reader"],
)


def odd_table() -> pa.Table:
    """A table with nulls, integers, truth values, dates, decimals and a constant."""
    generator = np.random.default_rng(5)
    rows = 700
    return pa.table(
        {
            "whole": pa.array(generator.integers(-5, 900, rows), pa.int32()),
            "gaps": pa.array([None if row % 7 == 0 else row / 3 for row in range(rows)]),
            "flag": pa.array((generator.random(rows) > 0.3).tolist()),
            "text": pa.array([None if row % 5 == 0 else "abcé"[row % 4] for row in range(rows)]),
            "constant": pa.array([1.5] * rows),
        }
    )


@LIBRARIES
@pytest.mark.parametrize("make", [lambda: REFERENCE, odd_table], ids=["plain", "odd"])
def test_every_library_gives_the_same_bytes(convert, make):
    """The bytes of a profile do not depend on the library that holds the rows."""
    table = make()
    assert dl.profile(convert(table)).to_bytes() == dl.profile(table).to_bytes()


def test_numbers_are_those_of_the_rows():
    """Counts are exact, and mean, variance and extremes are those of numpy to 1e-12."""
    column = dl.profile(odd_table()).columns["gaps"]
    values = np.array([row / 3 for row in range(700) if row % 7])
    assert (column.rows, column.nulls, column.count) == (700, 100, 600)
    assert column.mean == pytest.approx(values.mean(), rel=1e-12)
    assert column.variance == pytest.approx(values.var(ddof=1), rel=1e-12)
    assert (column.minimum, column.maximum) == (values.min(), values.max())


def test_the_sum_is_the_profile_of_all_rows():
    """Profiles of parts add up: integers exactly, floats to 1e-12."""
    grid = dl.profile(REFERENCE)
    parts = [dl.profile(CURRENT.slice(start, 500), grid) for start in range(0, 2000, 500)]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    assert_same_numbers(total, dl.profile(CURRENT, grid))


def assert_same_numbers(first, second):
    """The columns of both are the same: integers exactly, floats to 1e-12."""
    assert first.rows == second.rows
    assert list(first.columns) == list(second.columns)
    for name, column in first.columns.items():
        other = second.columns[name]
        assert (column.rows, column.nulls) == (other.rows, other.nulls)
        if hasattr(column, "edges"):
            assert np.array_equal(column.edges, other.edges)
            assert np.array_equal(column.counts, other.counts)
            assert column.mean == pytest.approx(other.mean, rel=1e-12)
            assert column.variance == pytest.approx(other.variance, rel=1e-12)
        else:
            assert dict(column.counts) == dict(other.counts)


def test_profiles_of_rows_in_memory_add_up_without_a_reference():
    """Where the rows are at hand, the second ones are profiled again on the grid of the first."""
    total = dl.profile(REFERENCE) + dl.profile(CURRENT)
    assert total.rows == 4000
    assert_same_numbers(total, dl.profile(REFERENCE) + dl.profile(CURRENT, dl.profile(REFERENCE)))


def test_a_saved_profile_is_read_back(tmp_path):
    """The path of a profile is taken wherever a table is."""
    made = dl.profile(REFERENCE)
    made.save(tmp_path / "train.dlprofile")
    assert dl.profile(tmp_path / "train.dlprofile").to_bytes() == made.to_bytes()
    result = dl.compare(tmp_path / "train.dlprofile", CURRENT)
    assert result.to_dict()["columns"] == dl.compare(REFERENCE, CURRENT).to_dict()["columns"]


def test_profiles_compare_as_their_rows_do():
    """A profile on either side gives the findings of the rows, with outputs and segments, too."""
    first = with_outputs(make_table(1), 1, accuracy=0.9)
    second = with_outputs(make_table(3, drift=True), 3, accuracy=0.6)
    roles = {"label": "outcome", "prediction": "guess", "segments": ["plan"]}
    before = dl.profile(first, **roles)
    after = dl.profile(second, before)
    expected = dl.compare(first, second, **roles).to_dict()
    for pair in ((before, after), (before, second), (first, after)):
        found = dl.compare(*pair, **roles).to_dict()
        assert [row["name"] for row in found["columns"]] == [
            row["name"] for row in expected["columns"]
        ]
        assert found["headline"] == expected["headline"]


def test_times_make_a_profile_for_each_window():
    """With a column of times each window has a profile, and they add up to all rows."""
    start = datetime(2026, 3, 2, tzinfo=UTC)
    times = [start + timedelta(hours=row % 72) for row in range(2000)]
    made = dl.profile(REFERENCE.append_column("at", pa.array(times)), timestamp="at", window="1d")
    assert len(made.parts) == 3
    assert sum(part.rows for part in made.parts.values()) == made.rows == 2000


def test_rows_without_times_name_the_column_of_times():
    """With a reference that has windows, rows need its times; the error names their column."""
    start = datetime(2026, 3, 2, tzinfo=UTC)
    timed = REFERENCE.append_column("at", pa.array([start] * REFERENCE.num_rows))
    grid = dl.profile(timed, timestamp="at", window="1d")
    no_times = timed.set_column(
        timed.schema.get_field_index("at"),
        "at",
        pa.nulls(timed.num_rows, timed.schema.field("at").type),
    )
    for rows in (REFERENCE, no_times, timed.rename_columns([*REFERENCE.column_names, "when"])):
        with pytest.raises(SourceError, match="no row can be read: a row needs a time in 'at'"):
            dl.profile(rows, grid)


def test_different_grids_are_named(tmp_path):
    """Saved profiles of different grids can't be added or compared; the text says what to do."""
    for name, table in (("a", REFERENCE), ("b", CURRENT)):
        dl.profile(table).save(tmp_path / f"{name}.dlprofile")
    with pytest.raises(ComparisonError, match=r"different grids .* driftline.profile"):
        dl.compare(tmp_path / "a.dlprofile", tmp_path / "b.dlprofile")
    with pytest.raises(ComparisonError, match="different grids"):
        dl.profile(tmp_path / "a.dlprofile") + dl.profile(tmp_path / "b.dlprofile")


@pytest.mark.parametrize("cut", [20, 200, -9])
def test_a_damaged_profile_is_an_error(tmp_path, cut):
    """A file that was cut is an error that names it."""
    path = tmp_path / "cut.dlprofile"
    path.write_bytes(dl.profile(REFERENCE).to_bytes()[:cut])
    with pytest.raises((ComparisonError, SourceError), match=r"cut\.dlprofile"):
        dl.profile(path)


def test_other_columns_than_those_of_the_reference():
    """Rows without any column of the reference are an error; other columns are left out."""
    grid = dl.profile(REFERENCE)
    with pytest.raises(ComparisonError, match="no column of the reference"):
        dl.profile(pa.table({"other": [1.0, 2.0]}), grid)
    more = CURRENT.append_column("other", pa.array(range(2000)))
    assert dl.profile(more, grid).columns.keys() == grid.columns.keys()


def test_a_profile_shows_itself():
    """In a notebook it is a table with a picture of each column; its text has one line a column."""
    made = dl.profile(REFERENCE)
    assert made._repr_html_().count("<svg") == len(made.columns) == 6
    assert str(made).count("\n") == 6
    assert repr(made) == "<profile of 2,000 rows and 6 columns>"


def test_a_file_of_rows_gives_their_numbers(tmp_path):
    """A path of rows is profiled as the rows in memory are."""
    pq.write_table(REFERENCE, tmp_path / "rows.parquet")
    assert_same_numbers(dl.profile(tmp_path / "rows.parquet"), dl.profile(REFERENCE))


def test_hostile_names_stay_text():
    """Names and values from data are text in a profile and its page, never markup."""
    rows = pa.table(
        {
            **{name: [1.0, 2.0, 3.0] * 40 for name in HOSTILE_NAMES},
            "value": [HOSTILE_NAMES[row % 60] for row in range(120)],
        }
    )
    made = dl.profile(rows)
    page = made._repr_html_()
    assert set(HOSTILE_NAMES) & set(made.columns)
    assert not re.search(r"<(?!/?(div|p|table|thead|tbody|tr|th|td|svg|rect|title)\b)", page)
    assert "\u202e" not in page + str(made)
    assert len(str(made).splitlines()) == len(made.columns) + 1
    assert dl.compare(made, rows).headline.startswith("0 of")
