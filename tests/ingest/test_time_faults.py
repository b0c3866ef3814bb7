"""Rows whose times can't be used, by reason, with an example of each."""

import numpy as np
import pyarrow as pa

from driftline.ingest.columns.time_faults import CredibleTimes, TimeColumn, add_time_faults
from driftline.types.loss_reasons import LossReasons
from driftline.types.time_form import TimeForm

LATEST = 1_796_000_000_000_000


def test_a_time_with_nanoseconds_in_the_future_is_an_example():
    """Parquet that pandas wrote has such times; the other rows of the file are counted."""
    times = pa.array(
        [1_796_121_675_334_469_855, 1_700_000_000_000_000_001], pa.timestamp("ns", "UTC")
    )
    reasons = LossReasons()
    add_time_faults(
        reasons,
        TimeColumn(path="ts", setting="schema.timestamp", form=TimeForm(), values=times),
        np.asarray(times.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())),
        np.ones(2, bool),
        CredibleTimes(earliest=0, latest=LATEST),
        offset=10,
    )
    [(text, reason)] = reasons.reasons.items()
    assert text == "the time in ts is in the future: check its unit and zone"
    assert (reason.count, reason.place) == (1, 11)
    assert reason.example == "2026-12-01 10:41:15.334469+00:00"
