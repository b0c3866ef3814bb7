"""Captured CSV has no header: the training data tells the names."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import databases
import pytest
from driftline_plugins.formats.jsonl import JsonLines
from driftline_plugins.formats.sagemaker import SageMaker
from run_commands import SAMPLES, configure, run_once, show_status

pytestmark = pytest.mark.system

TRAINING = SAMPLES / "aws" / "churn" / "training-dataset-with-header.csv"


def model(folder, *, source=None, **schema):
    return {
        "source": {
            "type": "local",
            "options": {"path": str(folder / "log"), "format": "sagemaker", **(source or {})},
        },
        "schema": {"timestamp": "event_time", "id": "event_id", **schema},
        "reference": {"type": "local", "options": {"path": str(folder / "training.csv")}},
        "windows": {"length": "1d"},
        "checks": {"drift": {"type": "drift"}, "range": {"type": "range"}},
    }


@pytest.fixture
def folder(tmp_path):
    """The training data and the captures of the churn endpoints."""
    shutil.copy(TRAINING, tmp_path / "training.csv")
    shutil.copytree(
        SAMPLES / "aws" / "datacapture",
        tmp_path / "log",
        ignore=shutil.ignore_patterns("DEMO-ll-*", "*quality*"),
    )
    return tmp_path


def means(folder, column):
    """Day and mean of a column, of every window."""
    query = "select start, detail from measurements where name = 'wasserstein' and labels = :labels order by start"
    found = databases.rows(
        folder, query, labels=json.dumps({"column": column}, separators=(",", ":"))
    )
    return [
        (
            f"{datetime.fromtimestamp(row['start'] / 1e6, UTC):%Y-%m-%d}",
            json.loads(row["detail"])["mean"],
        )
        for row in found
    ]


@pytest.mark.slow
def test_real_captures_take_the_names_of_the_real_training_data(folder):
    """Each value of the captures is counted under its name in the training data, whose label is no
    input.
    """
    config = configure(folder, {"churn": model(folder, label={"column": "Churn"})})
    _, found = run_once(config)
    churn = found["models"]["churn"]
    assert (churn["rows"], churn["rejected"], churn["held"]) == (9, 0, 0)
    assert churn["reference"]["rows"] == 2333
    # The details of quiet measurements are kept with some four digits.
    assert means(folder, "Day Mins") == [
        ("2020-11-09", pytest.approx((137.8 + 113.2 + 183.2) / 3, rel=1e-4)),
        ("2021-05-18", pytest.approx((182.9 + 263.7 + 210.3) / 3, rel=1e-4)),
        ("2022-04-18", pytest.approx((182.9 + 263.7 + 210.3) / 3, rel=1e-4)),
    ]
    assert means(folder, "VMail Plan_yes")[0] == (
        "2020-11-09",
        pytest.approx((0.55 + 1 + 1) / 3, rel=1e-4),
    ), "the last value of a line"
    assert means(folder, "Churn") == []


@pytest.mark.slow
def test_the_names_are_kept_for_later_starts(folder):
    """A later run names new captures without looking at the reference again."""
    config = configure(folder, {"churn": model(folder, label={"column": "Churn"})})
    [newest] = (folder / "log").glob("*2022*")
    newest.rename(folder / "later")
    run_once(config)
    (folder / "training.csv").unlink()
    (folder / "later").rename(newest)
    _, found = run_once(config)
    churn = found["models"]["churn"]
    assert (churn["error"], churn["rows"], churn["rejected"], churn["added"]["rows"]) == (
        "",
        9,
        0,
        3,
    )
    assert means(folder, "Day Mins")[-1] == (
        "2022-04-18",
        pytest.approx((182.9 + 263.7 + 210.3) / 3),
    )


def test_another_number_of_values_is_rejected_with_the_reason(folder):
    """Where the label of the training data is not declared there is one name too many, and every
    record says so.
    """
    config = configure(folder, {"churn": model(folder)})
    _, found = run_once(config)
    assert (found["models"]["churn"]["rows"], found["models"]["churn"]["rejected"]) == (0, 9)
    [record, *_] = show_status(config)["models"]["churn"]["trouble"][0]["records"]
    assert record["reason"] == "input: 69 values where 70 names are set"


def test_headers_in_the_settings_win(folder):
    """Names that the configuration gives stay as they are."""
    names = [f"n{place}" for place in range(69)]
    format_ = {"format": {"type": "sagemaker", "options": {"headers": names}}}
    config = configure(folder, {"churn": model(folder, source=format_, features={"n2": "numeric"})})
    _, found = run_once(config)
    assert (found["models"]["churn"]["rows"], found["models"]["churn"]["rejected"]) == (9, 0)
    assert SageMaker(headers=("a",)).with_columns(("b",)).headers == ("a",)


def test_a_format_with_names_of_its_own_takes_none():
    """Offering names changes nothing where each record has its own."""
    form = JsonLines()
    assert form.with_columns(("a", "b")) is form
