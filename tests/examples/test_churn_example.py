"""The data that ship with the project are what their description says."""

from __future__ import annotations

import csv
import gzip
import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent
CHURN = ROOT / "examples/churn"


def contents(folder: Path) -> dict[str, bytes]:
    """Every data file by its name, unpacked: compressed bytes may differ between versions of
    zlib.
    """
    files = sorted(folder.glob("capture/**/*.gz"))
    packed = {
        path.relative_to(folder).as_posix(): gzip.decompress(path.read_bytes()) for path in files
    }
    return packed | {"reference.csv": (folder / "reference.csv").read_bytes()}


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return [
        json.loads(line)
        for name, data in contents(CHURN).items()
        if name.startswith("capture")
        for line in data.splitlines()
    ]


def inputs(records: list[dict], name: str, start: str, end: str) -> Iterator[str]:
    with (CHURN / "reference.csv").open() as file:
        column = next(csv.reader(file)).index(name) - 1
    for record in records:
        if start <= record["eventMetadata"]["inferenceTime"] < end:
            yield record["captureData"]["endpointInput"]["data"].split(",")[column]


def test_the_generator_writes_what_is_checked_in(tmp_path):
    """Running the generator again gives every file again, to the byte."""
    runpy.run_path(str(CHURN / "generate.py"))["main"](tmp_path)
    assert contents(tmp_path) == contents(CHURN)


def test_as_many_records_as_described(records):
    """The count that the documents and the container test rely on is the count of the files, and no
    id comes twice.
    """
    assert len(records) == 37422
    assert len({record["eventMetadata"]["eventId"] for record in records}) == 37422


def test_the_first_fault_begins_and_ends(records):
    """Three rows in ten lack the evening's minutes for two hours, and none before or after."""
    lost = list(inputs(records, "Eve Mins", "2026-11-17T14:00:00Z", "2026-11-17T16:00:00Z"))
    assert 0.25 < lost.count("") / len(lost) < 0.35
    assert list(inputs(records, "Eve Mins", "2026", "2027")).count("") == lost.count("")


def test_the_second_fault_is_seconds_for_minutes(records):
    """From its hour on the day's minutes are sixty times what they were."""
    before = [float(text) for text in inputs(records, "Day Mins", "2026", "2026-11-18T09:00:00Z")]
    after = [float(text) for text in inputs(records, "Day Mins", "2026-11-18T09:00:00Z", "2027")]
    assert max(before) < 351
    assert sum(after) / len(after) == pytest.approx(60 * sum(before) / len(before), rel=0.02)
