"""A first look: the layout is told by names, the format by records."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline import DiscoverContext, StartContext
from driftline.extensions.registry import Registry
from driftline.kit.stores.layout import Layout
from driftline.onboarding.inspect_logs import inspect_logs
from driftline.onboarding.recognise import recognise_layout

pytestmark = pytest.mark.postgres

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
NOW = datetime(2026, 5, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "layout"),
    [
        ("ep/AllTraffic/2022/04/18/00/21-48-903-0285.jsonl", "sagemaker"),
        ("ep/dep/model_inputs/2023/10/24/22/ef48.jsonl", "azureml"),
        ("AllTraffic/2022/04/18/00/21.jsonl", "{variant}/%Y/%m/%d/%H/"),
        ("2022/04/18/00/a.jsonl", "firehose"),
        ("2022/04/18/a.jsonl", "%Y/%m/%d/"),
        ("dt=2024-05-01/hour=07/part-0.parquet", "hive"),
        ("dt=2024-05-01/part-0.parquet", "hive_daily"),
        ("year=2024/month=05/day=01/part-0.parquet", "year=%Y/month=%m/day=%d/"),
        ("a/b/2024-05-01/x.csv", "{endpoint}/{variant}/%Y-%m-%d/"),
        (
            "prediction-flowers-2022_10_03T04_30_14_757Z/prediction.results-00000-of-00001",
            "vertex_batch",
        ),
        ("a/b/c.jsonl", None),
        ("2024/x.csv", None),
    ],
)
def test_names_tell_the_layout(key, layout):
    """The shapes that the clouds and people make are found, and the layout fits the names it was
    made of.
    """
    assert recognise_layout([key] * 3) == layout
    if layout is not None:
        assert Layout(layout).place(key) is not None


def test_the_real_listing_of_an_endpoint_with_two_variants():
    """SageMaker's own keys are of SageMaker's layout."""
    lines = (SAMPLES / "aws/listings/ab_test_two_variants_keys.txt").read_text().split()
    keys = [line.removeprefix("endpoint_data_capture/") for line in lines]
    assert recognise_layout(keys) == "sagemaker"
    variants = {Layout("sagemaker").place(key).parts["variant"] for key in keys}
    assert variants == {"VariantA", "VariantB"}


def test_a_few_names_that_do_not_fit_change_nothing_many_do():
    """Most of the names decide."""
    good = [f"ep/v/2024/05/01/{hour:02d}/a.jsonl" for hour in range(20)]
    assert recognise_layout([*good, "README.txt"]) == "sagemaker"
    assert recognise_layout([*good[:2], "README.txt"]) is None


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_names_can_be_looked_at(keys):
    """No name makes it stumble, and what is found can be used."""
    found = recognise_layout(keys)
    assert found is None or Layout(found)


def local(folder: Path):
    source = Registry.load().get("source", "local")(path=str(folder))
    source.start(StartContext(name="x", log=None, clock=lambda: NOW, config_folder=folder))
    return source


@pytest.mark.parametrize(
    ("folder", "form"),
    [
        ("aws/datacapture/DEMO-ll-adult-pred-model-monitor-1674106124-9611", "sagemaker"),
        ("aws/ground_truth/test_gt", "sagemaker_ground_truth"),
        ("aws/merge", "sagemaker"),
        ("azure/modelDataCollector/momo-endpoint", "azureml"),
        ("azure/modelDataCollector/aistudio-townhall-kuxtz", "azureml"),
        ("gcp/request_response_log", "vertex_logging"),
        ("gcp/batch/automl_image_classification", "vertex_batch"),
        ("gcp/batch/custom_cifar10", "vertex_batch"),
        ("gcp/batch/automl_video_classification", "vertex_batch"),
        ("aws/churn", "csv"),
    ],
)
def test_records_tell_the_format(folder, form):
    """What the clouds really wrote is told apart by its first records."""
    assert inspect_logs(local(SAMPLES / folder), Registry.load(), NOW).format == form


def test_the_newest_places_are_looked_at_where_there_are_many(tmp_path):
    """Of years of logs the newest tell the schema: old ones may have had other columns."""
    for number in range(1100):
        at = NOW - timedelta(hours=number + 1)
        folder = tmp_path / f"{at:%Y/%m/%d/%H}"
        folder.mkdir(parents=True)
        column = "new" if number < 40 else "old"
        (folder / "a.jsonl").write_text(
            json.dumps({"t": f"{at:%Y-%m-%dT%H:%M:%SZ}", column: 1.5}) + "\n"
        )
    looked = inspect_logs(local(tmp_path), Registry.load(), NOW)
    assert (looked.layout, looked.format, looked.has_more) == ("firehose", "jsonl", True)
    assert set(looked.inference.schema.features) == {"new"}


def test_a_doubt_about_numbers_that_are_names(tmp_path):
    """A numeric column called like a code is taken as numeric, with a doubt that tells how many
    values it has.
    """
    rows = [{"zip": 10_000 + n % 97, "amount": n * 1.5} for n in range(300)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    looked = inspect_logs(local(tmp_path), Registry.load(), NOW)
    assert (
        "zip looks numeric, 97 distinct values; if they are codes, make it categorical"
        in looked.inference.doubts
    )
    assert not any("amount" in doubt for doubt in looked.inference.doubts)
    assert list(local(tmp_path).discover(DiscoverContext(now=NOW)))
