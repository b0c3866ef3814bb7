"""SageMaker's statistics.json as rows: the golden pair exactly, and whatever else such files hold
without a guess.
"""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from driftline_plugins.formats.sagemaker_statistics import SageMakerStatistics
from format_decoding import SAMPLES, category, number, read
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import Unreadable
from driftline.ingest.read.decoding import Decoding
from driftline.testing.format_contract import assert_format

BASELINE = SAMPLES / "aws" / "baseline"
FORM = SageMakerStatistics()


def numeric(present=0, missing=0, **told):
    return {"common": {"num_present": present, "num_missing": missing}, **told}


def file(rows, *features):
    return json.dumps(
        {"version": 0.0, "dataset": {"item_count": rows}, "features": list(features)}
    ).encode()


def values(data, name, form=FORM):
    rows, _ = read(form, data)
    return [row[name] for row in rows]


def test_the_golden_pair_gives_back_every_value():
    """Below the sketch's k the rebuilt columns hold exactly the values of the file that SageMaker
    summarised.
    """
    rows, ctx = read(FORM, (BASELINE / "data_quality" / "statistics.json").read_bytes())
    with (BASELINE / "data_quality" / "baseline_dataset.csv").open() as lines:
        table = [list(map(float, line)) for line in csv.reader(lines)]
    assert ctx.rejected == 0
    assert len(rows) == 100
    for place in range(6):
        assert sorted(row[f"_c{place}"] for row in rows) == sorted(line[place] for line in table)


def test_the_schema_of_2019_is_read():
    """A string column of one category, with SageMaker's first layout of the file."""
    rows, ctx = read(FORM, (BASELINE / "nyc_taxi_old_schema" / "statistics.json").read_bytes())
    assert ctx.rejected == 0
    assert [row["message"] for row in rows] == ["preproc-not-YET-supported-for-csv-json"] * 418


def test_higher_levels_of_a_sketch_stand_for_more_rows():
    """An item of level i counts 2^i rows; the true ends come from min and max."""
    sketch = {"sketch": {"data": [[1.0, 2.0], [10.0], [100.0]]}}
    found = values(
        file(
            8,
            {
                "name": "x",
                "numerical_statistics": numeric(
                    8, min=0.5, max=120.0, distribution={"kll": sketch}
                ),
            },
        ),
        "x",
    )
    assert sorted(found) == [0.5, 2.0, 10.0, 10.0, 100.0, 100.0, 100.0, 120.0]


def test_without_a_sketch_values_are_spread_within_buckets():
    """As many in each bucket as it counts, evenly, whole where the feature is integral, between min
    and max.
    """
    buckets = [
        {"lower_bound": 0, "upper_bound": 10, "count": 30},
        {"lower_bound": 10, "upper_bound": 20, "count": 10},
    ]
    told = numeric(40, 10, min=0, max=20, distribution={"kll": {"buckets": buckets}})
    found = values(
        file(50, {"name": "x", "inferred_type": "Integral", "numerical_statistics": told}), "x"
    )
    known = np.array([value for value in found if value is not None])
    assert found.count(None) == 10
    assert (len(known), known.min(), known.max()) == (40, 0, 20)
    assert np.all(known == np.rint(known))
    assert int((known < 10).sum()) == 30


def test_categories_beyond_the_listed_are_one():
    """Listed values count as they stand; the rest of those present are one category, and missing
    ones stay missing.
    """
    told = {
        "common": {"num_present": 9, "num_missing": 1},
        "distribution": {
            "categorical": {"buckets": [{"value": "a", "count": 5}, {"value": "b", "count": 2}]}
        },
    }
    found = values(file(10, {"name": "x", "string_statistics": told}), "x")
    assert {each: found.count(each) for each in set(found)} == {
        "a": 5,
        "b": 2,
        "(not listed)": 2,
        None: 1,
    }


def test_what_the_file_does_not_tell_is_empty_and_told():
    """A feature without a distribution keeps its place among the columns, is null, and is rejected
    with its name.
    """
    rows, ctx = read(
        FORM,
        file(2, {"name": "x", "string_statistics": {"common": {"num_present": 2}}}, {"name": "y"}),
    )
    assert rows == [{"x": None, "y": None}] * 2
    assert [(place, reason) for place, reason, _ in ctx.samples] == [
        (0, "x: the file holds no distribution of its values"),
        (1, "y: the file holds no statistics of it"),
    ]


def test_renamed_features_and_asked_columns():
    """`rename` gives a feature the records' name; only the columns asked for are made, absent ones
    null.
    """
    data = file(
        1,
        {
            "name": "Churn",
            "numerical_statistics": numeric(1, distribution={"kll": {"sketch": {"data": [[1]]}}}),
        },
    )
    form = SageMakerStatistics(rename={"Churn": "prediction"})
    rows, _ = read(form, data, number("prediction"), category("plan"))
    assert rows == [{"prediction": 1.0, "plan": None}]


def test_a_huge_baseline_is_made_smaller_in_proportion():
    """Of 40 million rows a million are made, with the same shares of missing values and the same
    quantiles.
    """
    levels = [[], [], list(np.linspace(0, 1, 1000))]
    told = numeric(
        30_000_000, 10_000_000, min=0, max=1, distribution={"kll": {"sketch": {"data": levels}}}
    )
    ctx = Decoding(uri="x", fields=(number("x"),))
    data = file(40_000_000, {"name": "x", "numerical_statistics": told})
    batches = list(FORM.decode(io.BytesIO(data), ctx))
    assert max(batch.num_rows for batch in batches) <= 1 << 16
    whole = np.concatenate([batch.column(0).to_numpy(zero_copy_only=False) for batch in batches])
    assert len(whole) == 1_000_000
    assert np.isnan(whole).sum() == 250_000
    known = whole[~np.isnan(whole)]
    assert np.quantile(known, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=2e-3)
    # The first batch alone is a cross-section: it is what a schema is inferred from.
    assert np.nanquantile(
        batches[0].column(0).to_numpy(zero_copy_only=False), 0.5
    ) == pytest.approx(0.5, abs=0.01)


def test_columns_are_independent_and_the_same_each_time():
    """Nothing joins the columns of a row, and a second reading gives the same rows."""
    told = numeric(
        5000,
        min=0,
        max=1,
        distribution={"kll": {"buckets": [{"lower_bound": 0, "upper_bound": 1, "count": 5000}]}},
    )
    data = file(
        5000,
        {"name": "x", "numerical_statistics": told},
        {"name": "y", "numerical_statistics": told},
    )
    rows, _ = read(FORM, data)
    assert rows == read(FORM, data)[0]
    assert abs(np.corrcoef([row["x"] for row in rows], [row["y"] for row in rows])[0, 1]) < 0.05


def test_other_files_are_no_statistics():
    """Constraints, other JSON and no JSON are refused with the reason, and so is every kind of
    rubbish.
    """
    for data in (
        (BASELINE / "data_quality" / "constraints.json").read_bytes(),
        b'{"features": 3}',
        b"{",
        b"",
    ):
        with pytest.raises(Unreadable):
            read(FORM, data)
    assert_format(FORM)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2000)
    | st.floats()
    | st.sampled_from(["", "NaN", "a"]),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "count", "data", "x"]), below, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 300), JSON, JSON, JSON, JSON)
def test_whatever_stands_in_a_feature_gives_rows_or_a_reject(rows, count, low, kll, buckets):
    """Each feature is a column of the promised length, or is told; nothing raises."""
    feature = {
        "name": "x",
        "numerical_statistics": numeric(count, min=low, max=1, distribution={"kll": kll}),
    }
    listed = {
        "common": {"num_present": count},
        "distribution": {"categorical": {"buckets": buckets}},
    }
    other = {"name": "y", "string_statistics": listed}
    found, _ = read(
        FORM,
        json.dumps({"dataset": {"item_count": rows}, "features": [feature, other, count]}).encode(),
    )
    assert len(found) == rows
