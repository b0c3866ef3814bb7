"""Drift and quality numbers that others have published, on the same rows, through the agent's own
reading and profiles.

Not compared, because what they were computed from is not published with them: the skew result of
BigQuery ML (five of its rows, none of the training data), the violations of New York's taxis (only
the baseline), the bias violations (another definition, fairness), Azure's signal output (text
quality).
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.missing import Missing
from driftline_plugins.checks.other_tool import OtherTool
from driftline_plugins.formats.azureml import AzureML
from driftline_plugins.formats.csv import Csv
from run_commands import SAMPLES

from driftline import Check, CheckContext, Field, Format, Kind, Measurement, Schema, Window, stats
from driftline.ingest.columns.canonical import Caster, slice_rows
from driftline.ingest.read.decoding import Decoding
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec, make_spec

TITANIC = SAMPLES / "drift" / "titanic"
NUMBERS = ("Pclass", "Age", "SibSp", "Parch", "Fare")
WORDS = ("Name", "Sex", "Ticket", "Cabin", "Embarked")
KINDS = dict.fromkeys(NUMBERS, Kind.NUMERIC) | dict.fromkeys(WORDS, Kind.CATEGORICAL)


def schema_of(kinds: dict[str, Kind]) -> Schema:
    return Schema(features={name: Field(name, name, kind) for name, kind in kinds.items()})


def read(path: str, form: Format, kinds: dict[str, Kind]) -> Batch:
    """The rows of a file in canonical columns."""
    schema = schema_of(kinds)
    decoding = Decoding(uri=path, fields=schema.fields, is_complete=True)
    tables = pa.Table.from_batches(
        form.decode(io.BytesIO((SAMPLES / path).read_bytes()), decoding)
    ).combine_chunks()
    (records,) = tables.to_batches()
    return (
        Caster(
            schema=schema,
            default_time=datetime(2026, 1, 1, tzinfo=UTC),
            latest=2**62,
            object_hash=0,
        )
        .cast(records)
        .batch
    )


def spec_of(batch: Batch, kinds: dict[str, Kind]) -> ProfileSpec:
    numbers = {
        name: batch.columns[name].drop_null().to_numpy()
        for name, kind in kinds.items()
        if kind is Kind.NUMERIC
    }
    words = {
        name: Counter(batch.columns[name].drop_null().to_pylist())
        for name, kind in kinds.items()
        if kind is Kind.CATEGORICAL
    }
    return make_spec(schema_of(kinds), numbers, words)


def window(batch: Batch, spec: ProfileSpec) -> Window:
    profile = Profile(spec, BUILT_IN)
    profile.update(batch)
    return profile.window()


def measure(
    check: Check, now: Window, was: Window, kinds: dict[str, Kind]
) -> dict[tuple[str, str], Measurement]:
    found = check.evaluate(
        CheckContext(current=now, reference=was, schema=schema_of(kinds), history=lambda *_: [])
    )
    return {(m.name, m.labels["column"]): m for m in found}


@pytest.fixture(scope="module")
def titanic() -> tuple[Window, dict[tuple[str, int], Window]]:
    """The reference, and the window of each published chunk by period and first row."""
    batches = {
        name: read(f"drift/titanic/titanic_{name}.csv", Csv(), KINDS)
        for name in ("reference", "analysis")
    }
    spec = spec_of(batches["reference"], KINDS)
    chunks = {
        (period, start): window(slice_rows(batch, start, min(size, batch.rows - start)), spec)
        for (period, batch), size in zip(batches.items(), (89, 41), strict=True)
        for start in range(0, batch.rows, size)
    }
    return window(batches["reference"], spec), chunks


def published(name: str) -> list[dict[str, str]]:
    with (TITANIC / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_missing_rates_are_those_that_were_published(titanic):
    """Of ten columns of the Titanic, in each of 22 chunks, the share of missing values is
    NannyML's, to all its digits.
    """
    reference, chunks = titanic
    rows = published("expected_missing_values.csv")
    found = {place: measure(Missing(), chunk, reference, KINDS) for place, chunk in chunks.items()}
    assert len(rows) == 10 * len(chunks) == 220
    for row in rows:
        place = row["period"], int(row["start_index"])
        assert chunks[place].rows == int(row["end_index"]) - int(row["start_index"]) + 1
        assert found[place]["missing_rate", row["column"]].value == pytest.approx(
            float(row["value"]), rel=1e-5
        )


def test_unseen_values_are_those_that_were_published(titanic):
    """The share of rows with a category that the reference lacks is NannyML's; it counts rows
    without a value among them.
    """
    reference, chunks = titanic
    rows = published("expected_unseen_values.csv")
    found = {place: measure(Drift(), chunk, reference, KINDS) for place, chunk in chunks.items()}
    assert len(rows) == 4 * len(chunks) == 88
    for row in rows:
        chunk = chunks[row["period"], int(row["start_index"])]
        results = found[row["period"], int(row["start_index"])]
        m, turnover = (
            results.get((name, row["column"])) for name in ("new_categories", "turnover")
        )
        shares = {m.detail.get("raw"), turnover.value if turnover else None} - {None}
        assert len(shares) <= 1, "both measure the same rows"
        share = max(shares, default=0.0)
        unseen = share * chunk.columns[row["column"]].count / chunk.rows
        assert unseen == pytest.approx(float(row["value"]), rel=1e-5, abs=1e-12)
        if m.value is not None:
            assert (m.detail.get("new", 0) > 0) == (row["alert"] == "True")
        assert (share > 0) == (row["alert"] == "True")


def test_new_tickets_and_cabins_are_no_news_where_the_reference_is_full_of_single_ones(titanic):
    """NannyML alerts on every chunk; here a column whose values are new all the time is left out,
    and of the others nothing is proven new beyond what names used once let expect.
    """
    reference, chunks = titanic
    whole = measure(Drift(), chunks["analysis", 0], reference, KINDS)
    for column in ("Ticket", "Cabin"):
        m = whole["new_categories", column]
        assert whole["turnover", column].value > 0
        if m.value is None:
            assert whole["turnover", column].value >= 0.5
            assert "new all the time" in m.reason
        else:
            assert m.detail["raw"] > 0
            assert m.interval[0] == 0


def test_the_statistics_that_sagemaker_made_are_those_of_the_profile():
    """Rows, missing values, mean, sd, extremes and buckets of `statistics.json` come out of the CSV
    that it was made of.
    """
    folder = "aws/baseline/data_quality"
    told = json.loads((SAMPLES / folder / "statistics.json").read_text())
    kinds = {
        f["name"]: Kind.NUMERIC if "numerical_statistics" in f else Kind.CATEGORICAL
        for f in told["features"]
    }
    batch = read(f"{folder}/baseline_dataset.csv", Csv(header=False, names=tuple(kinds)), kinds)
    columns = window(batch, spec_of(batch, kinds)).columns
    assert batch.rows == told["dataset"]["item_count"]
    for feature in told["features"]:
        column: Any = columns[feature["name"]]
        numbers = feature["numerical_statistics"]
        assert column.count == numbers["common"]["num_present"]
        assert column.missing == numbers["common"]["num_missing"]
        assert (column.mean, column.minimum, column.maximum) == pytest.approx(
            (numbers["mean"], numbers["min"], numbers["max"])
        )
        spread = np.sqrt(column.variance * (column.count - 1) / column.count)
        assert spread == pytest.approx(numbers["std_dev"], rel=1e-9)
        buckets = numbers["distribution"]["kll"]["buckets"]
        edges = np.array(
            [buckets[0]["lower_bound"], *(bucket["upper_bound"] for bucket in buckets)]
        )
        assert stats.histogram(column.side, edges).tolist() == [
            bucket["count"] for bucket in buckets
        ]


def test_a_sample_that_azure_calls_without_drift_has_none():
    """Azure's own test data `iris_model_inputs_no_drift` is below its default threshold against its
    baseline in each column.
    """
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    kinds = dict.fromkeys(names, Kind.NUMERIC)
    was = read("azure/reference/iris_baseline.csv", Csv(), kinds)
    (path,) = (SAMPLES / "azure/modelDataCollector/momo-endpoint").rglob("data.jsonl")
    now = read(str(path.relative_to(SAMPLES)), AzureML(), kinds)
    spec = spec_of(was, kinds)
    found = measure(OtherTool(like="azure"), window(now, spec), window(was, spec), kinds)
    assert {name for name, _ in found} == {"normalized_wasserstein_distance"}
    assert all(m.value <= m.most for m in found.values()), found
