"""Columns of segments: bands, combined columns, conditions, and the rows of all other categories."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from driftline.ingest.columns.canonical import Caster, split_by_segment
from driftline.types.model import Field, Kind, Schema
from driftline.types.segment_rule import SegmentRule

FEATURES = {
    "age": Field("age", "age", Kind.NUMERIC),
    "plan": Field("plan", "plan", Kind.CATEGORICAL),
    "region": Field("region", "region", Kind.CATEGORICAL),
}


def segments(rules: dict[str, SegmentRule], **columns: list[object]) -> dict[str, list[object]]:
    """The segment of each row by the name of the rule."""
    schema = Schema(features=FEATURES, segments=tuple(rules), segment_rules=rules)
    caster = Caster(
        schema=schema,
        default_time=datetime(2026, 5, 1, tzinfo=UTC),
        latest=2**62,
        object_hash=1,
    )
    batch = caster.cast(pa.RecordBatch.from_pydict(columns)).batch
    return {name: batch.columns[name].to_pylist() for name in rules}


@pytest.mark.parametrize(
    ("bands", "names"),
    [
        ((18.0, 30.0), ["below 18", "18 to 30", "18 to 30", "30 or more", "30 or more", None]),
        ((29.95,), ["below 29.95"] * 3 + ["29.95 or more"] * 2 + [None]),
        ((-1e9, 1e15), ["-1000000000 to 1e+15"] * 4 + ["1e+15 or more", None]),
    ],
)
def test_a_value_is_in_the_band_that_begins_with_it(bands, names):
    """A value at a limit is in the upper band; a missing one is in none."""
    rule = SegmentRule(columns=("age",), bands=bands)
    found = segments({"band": rule}, age=[17.9, 18, 29.9, 30, 1e300, None])
    assert found["band"] == names


def test_values_of_several_columns_are_combined_also_with_bands():
    """Combined segments may use segments before them; a missing part leaves the row out."""
    rules = {
        "band": SegmentRule(columns=("age",), bands=(30.0,)),
        "both": SegmentRule(columns=("plan", "band")),
        "places": SegmentRule(columns=("plan", "region")),
    }
    found = segments(
        rules, age=[20, 40, None], plan=["a", "b", "a"], region=["north", None, "south"]
    )
    assert found["both"] == ["a, below 30", "b, 30 or more", None]
    assert found["places"] == ["a, north", None, "a, south"]


def test_a_condition_has_the_segments_yes_and_no():
    """Where a value is missing that decides, the row is in neither."""
    rule = SegmentRule(where='age < 30 and plan == "a"')
    found = segments({"young": rule}, age=[20, 20, 40, None, None], plan=["a", "b", "a", "a", "b"])
    assert found["young"] == ["yes", "no", "no", None, "no"]


def test_a_column_that_a_log_lacks_gives_no_segment():
    """The rows count all the same."""
    rules = {
        "places": SegmentRule(columns=("plan", "region")),
        "old": SegmentRule(where="age > 30"),
        "band": SegmentRule(columns=("age",), bands=(30.0,)),
    }
    found = segments(rules, plan=["a", "b"])
    assert found == {"places": [None, None], "old": [None, None], "band": [None, None]}


def test_the_rows_of_all_other_categories_are_one_segment():
    """With 100 watched categories the rest is `(others)`; with fewer, unknown ones are in none."""
    rule = SegmentRule(columns=("plan", "region"))
    schema = Schema(features=FEATURES, segments=("both",), segment_rules={"both": rule})
    caster = Caster(
        schema=schema, default_time=datetime(2026, 5, 1, tzinfo=UTC), latest=2**62, object_hash=1
    )
    plans = [str(number) for number in range(130)]
    columns = {"plan": [*plans, "0", None], "region": ["n"] * 132}
    batch = caster.cast(pa.RecordBatch.from_pydict(columns)).batch
    names = [f"{plan}, n" for plan in plans]
    parts = dict(split_by_segment(batch, ("both",), {"both": frozenset(names[:100])}))
    assert {name: part.rows for name, part in parts.items()} == {
        "both=0, n": 2,
        **{f"both={name}": 1 for name in names[1:100]},
        "both=(others)": 30,
    }
    few = dict(split_by_segment(batch, ("both",), {"both": frozenset(names[:99])}))
    assert "both=(others)" not in few
