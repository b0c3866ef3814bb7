"""The rows before each window are the same, whether they are updated or merged anew."""

from __future__ import annotations

import databases
import numpy as np
import pyarrow as pa
import pytest

from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import make_spec
from driftline.state import ledger, models
from driftline.state.trailing import TrailingProfiles
from driftline.types.model import Field, Kind, LogObject, Schema, Task
from driftline.types.records import ReadOutcome, Share
from driftline.types.times import from_micros

pytestmark = pytest.mark.postgres

HOUR = 3_600_000_000
HOURS = 30
SCHEMA = Schema(score=Field("s", "s", Kind.NUMERIC), task=Task.BINARY)
SPEC = make_spec(SCHEMA, {"s": np.linspace(0, 1, 11)}, {})
OBJECT = LogObject(uri="a", version="1", size=1, modified=from_micros(0))


def hour_profile(hour: int, rows: int) -> Profile:
    profile = Profile(SPEC, BUILT_IN)
    scores = np.random.default_rng(hour).random(rows)
    events = np.full(rows, hour * HOUR)
    profile.update(Batch(rows=rows, columns={"s": pa.array(scores)}, events=events))
    return profile


@pytest.fixture
def log():
    """Hours of 1 to 5 rows in two segments, some without rows; by segment and hour."""
    rows = np.random.default_rng(7).integers(0, 6, HOURS)
    profiles = {hour: hour_profile(hour, int(count)) for hour, count in enumerate(rows) if count}
    shares = [
        Share(
            start=hour * HOUR,
            version=f"v{hour % 2}",
            segment=segment,
            rows=profile.rows,
            profile=profile.to_bytes(),
        )
        for hour, profile in profiles.items()
        for segment in ("", "north")
    ]
    with databases.opened() as store, store.write() as connection:
        models.add_model(connection, "m", 0)
        outcome = ReadOutcome(object=OBJECT, rows=int(rows.sum()), shares=shares)
        ledger.record_outcomes(connection, "m", [outcome], SPEC.digest, HOUR)
        yield connection, profiles


def merged(profiles: dict[int, Profile], begin: int, end: int) -> bytes:
    total = Profile(SPEC, BUILT_IN)
    for hour, profile in profiles.items():
        if begin <= hour < end:
            total.merge(profile)
    return total.to_bytes()


def trailing(hours: int) -> TrailingProfiles:
    return TrailingProfiles(model="m", span=hours * HOUR, spec=SPEC, collectors=BUILT_IN)


@pytest.mark.parametrize("hours", [1, 3, 7, 100])
@pytest.mark.parametrize("step", [1, 2, 5, 11])
def test_each_window_has_the_rows_of_the_span_before_it(log, hours, step):
    connection, profiles = log
    before = trailing(hours)
    for end in range(0, HOURS + 1, step):
        for segment in ("", "north"):
            loaded = before.load(connection, segment, end * HOUR)
            assert loaded.to_bytes() == merged(profiles, end - hours, end), (end, segment)


def test_a_window_that_is_judged_again_has_the_rows_before_it(log):
    connection, profiles = log
    before = trailing(5)
    for end in (20, 8, 9, 25, 25):
        loaded = before.load(connection, "", end * HOUR)
        assert loaded.to_bytes() == merged(profiles, end - 5, end)
