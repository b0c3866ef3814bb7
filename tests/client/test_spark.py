"""A frame of Spark is profiled partition by partition; the sum is the profile of all rows."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from comparison_tables import make_table

import driftline as dl
from driftline.spark import PartitionProfiler, profile
from driftline.types.errors import SourceError

ROWS = make_table(3, drift=True)


def partitions(count: int) -> list[list[pa.RecordBatch]]:
    """The rows in partitions of uneven batches, as `mapInArrow` hands them over."""
    size = ROWS.num_rows // count + 1
    parts = [ROWS.slice(start, size) for start in range(0, ROWS.num_rows, size)]
    return [part.to_batches(max_chunksize=137) for part in parts]


@pytest.mark.parametrize("chunk", [1 << 17, 200], ids=["one chunk", "small chunks"])
def test_partitions_add_up(monkeypatch, chunk):
    """The profiler is sent to other processes; its batches add up to the direct profile, integers
    exactly and floats to 1e-12.
    """
    monkeypatch.setattr("driftline.spark.CHUNK_ROWS", chunk)
    grid = dl.profile(make_table(1))
    profiler = pickle.loads(pickle.dumps(PartitionProfiler.of(grid)))
    batches = [batch for part in partitions(5) for batch in profiler(iter(part))]
    assert len(batches) == 5
    total, direct = profiler.add_batches(batches), dl.profile(ROWS, grid)
    assert total.rows == direct.rows == 2000
    for name, column in total.columns.items():
        other = direct.columns[name]
        assert (column.rows, column.nulls) == (other.rows, other.nulls)
        if name == "plan":
            assert dict(column.counts) == dict(other.counts)
        else:
            assert column.counts.tolist() == other.counts.tolist()
            assert column.mean == pytest.approx(other.mean, rel=1e-12)
            assert column.variance == pytest.approx(other.variance, rel=1e-12)


def test_batches_have_the_declared_columns():
    """What a partition yields has the columns and types that are declared to Spark."""
    profiler = PartitionProfiler.of(dl.profile(make_table(1)))
    (batch,) = profiler(iter(ROWS.to_batches()))
    names = ["start: int64", "version: string", "segment: string", "rows: int64", "profile: binary"]
    assert str(batch.schema).splitlines() == names


def test_an_empty_partition_yields_nothing():
    """A partition without rows yields nothing, and no rows at all are an error."""
    profiler = PartitionProfiler.of(dl.profile(make_table(1)))
    assert list(profiler(iter([]))) == []
    assert list(profiler(iter(ROWS.slice(0, 0).to_batches()))) == []
    with pytest.raises(SourceError, match="no rows"):
        profiler.add_batches([])


def test_a_profile_is_saved_at_an_address(tmp_path):
    """An address that pyarrow can write is a place for a profile."""
    made = dl.profile(ROWS)
    made.save((tmp_path / "today.dlprofile").as_uri())
    assert dl.profile(tmp_path / "today.dlprofile").to_bytes() == made.to_bytes()


@pytest.mark.slow
def test_spark_itself(tmp_path):
    """A local session of Spark gives the profile of the rows in memory."""
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed")
    session = (
        pyspark.sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    try:
        grid = dl.profile(make_table(1))
        frame = session.createDataFrame(ROWS.to_pandas()).repartition(3)
        total = profile(frame, tmp_path / "today.dlprofile", grid)
        assert dl.profile(tmp_path / "today.dlprofile").to_bytes() == total.to_bytes()
        direct = dl.profile(ROWS, grid)
        assert total.columns["age"].counts.tolist() == direct.columns["age"].counts.tolist()
        assert total.columns["age"].mean == pytest.approx(direct.columns["age"].mean, rel=1e-12)
    finally:
        session.stop()
