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
from driftline.state.tables import incidents
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


def add_drift(connection, since, resolved_at, cause="drift"):
    """An incident from hour `since` to `resolved_at`, or still open for None."""
    values = {"model": "m", "cause": cause, "severity": "warning", "title": "", "detail": "{}"}
    connection.execute(
        incidents.insert().values(
            **values,
            id=f"inc_{cause}_{since}",
            state="firing" if resolved_at is None else "resolved",
            since=since * HOUR,
            resolved_at=None if resolved_at is None else resolved_at * HOUR,
            revision=1,
        )
    )


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


def merged_hours(profiles, hours):
    total = Profile(SPEC, BUILT_IN)
    for hour in hours:
        if hour in profiles:
            total.merge(profiles[hour])
    return total.to_bytes()


@pytest.mark.parametrize(
    ("spans", "end", "hours"),
    [
        ([(20, None)], 28, range(13, 20)),
        ([(20, 26)], 29, [*range(16, 20), 26, 27, 28]),
        ([(18, 22), (20, 24)], 27, [*range(14, 18), 24, 25, 26]),
        ([(3, 5)], 25, range(18, 25)),
        ([(0, None)], 6, range(6)),
    ],
    ids=["open", "over", "two that overlap", "long over", "from the first rows on"],
)
def test_the_windows_of_a_drift_are_left_out(log, spans, end, hours):
    """Seven hours are compared with; where a drift was, earlier ones take their place."""
    connection, profiles = log
    for begin, until in spans:
        add_drift(connection, begin, until)
    assert trailing(7).load(connection, "", end * HOUR).to_bytes() == merged_hours(profiles, hours)


def test_an_outage_and_a_later_drift_leave_the_rows_before(log):
    """Only drift has windows of its own: rows after an outage are usual rows."""
    connection, profiles = log
    add_drift(connection, 10, 14, cause="service")
    add_drift(connection, 24, None)
    before = trailing(7)
    assert before.load(connection, "", 17 * HOUR).to_bytes() == merged(profiles, 10, 17)
    assert before.load(connection, "", 26 * HOUR).to_bytes() == merged(profiles, 17, 24)


def test_a_drift_that_is_found_later_leaves_its_windows_out(log):
    """The queue of windows had hours that turn out to be those of a drift."""
    connection, profiles = log
    before = trailing(7)
    assert before.load(connection, "", 20 * HOUR).to_bytes() == merged(profiles, 13, 20)
    add_drift(connection, 18, None)
    for end in (21, 22, 25):
        assert before.load(connection, "", end * HOUR).to_bytes() == merged(profiles, 11, 18)
