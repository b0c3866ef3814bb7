"""What labels say of a window stays apart from its rows, until both go into their day."""

from __future__ import annotations

import databases
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from driftline.profiles.batch import Batch, LabelledRows
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import make_spec
from driftline.state import accounts, ledger, models, waiting, windows
from driftline.state.trailing import TrailingProfiles
from driftline.state.waiting import LABEL, PREDICTION
from driftline.types.model import Field, Kind, LogObject, Schema, Task
from driftline.types.records import DueWindow, ReadOutcome, Share, Stub, WindowKey
from driftline.types.times import from_micros

pytestmark = pytest.mark.postgres

HOUR = 3_600_000_000
SCHEMA = Schema(
    score=Field("s", "s", Kind.NUMERIC), label=Field("y", "y", Kind.CATEGORICAL), task=Task.BINARY
)
SPEC = make_spec(SCHEMA, {"s": np.linspace(0, 1, 11)}, {})
KEY = WindowKey("m", 0, "", "")
REFERENCE = {
    "spec": b"",
    "schema_json": "",
    "columns_json": "[]",
    "config_digest": "",
    "origin": "",
    "digest": "",
    "rows": 0,
}
OBJECT = LogObject(uri="a", version="1", size=1, modified=from_micros(0))


def profile(label: bool) -> bytes:
    made = Profile(SPEC, BUILT_IN)
    batch = Batch(rows=4, columns={"s": pa.array([0.1, 0.2, 0.8, 0.9])}, events=np.arange(4))
    if label:
        batch.columns["y"] = pa.array(["0", "0", "1", "1"]).dictionary_encode()
        none = np.zeros(4, bool)
        made.label(LabelledRows(batch, np.zeros(4, np.int64), none, none))
    else:
        made.update(batch)
    return made.to_bytes()


@pytest.fixture
def connection():
    """A model with one window of four rows, judged."""
    with databases.opened() as store, store.write() as made:
        models.add_model(made, "m", 0)
        ledger.record_outcomes(
            made,
            "m",
            [
                ReadOutcome(
                    object=OBJECT,
                    rows=4,
                    shares=[Share(start=0, version="", segment="", rows=4, profile=profile(False))],
                )
            ],
            SPEC.digest,
            HOUR,
        )
        windows.mark_judged(made, [DueWindow(key=KEY, end=HOUR, rows=4, revision=0)], None, "")
        yield made


def counted(profile: Profile) -> tuple[int, int, int]:
    scores = profile.window().scores
    return profile.rows, scores.rows, scores.labelled


def due(connection) -> list[bool]:
    return [
        one.labels_only
        for group in windows.load_due(connection, "m", HOUR, length=HOUR)
        for one in group
    ]


def test_labels_are_counted_once_whatever_becomes_of_the_window(connection):
    """Open, settled or rolled into its day: four rows, four labels; and a settled window is due
    again, for labels only.
    """
    assert due(connection) == []
    assert windows.relabel(connection, "m", 0, "", {"": profile(True)})
    assert due(connection) == [True]
    assert windows.count_due(connection, "m", HOUR) == 1
    assert not windows.relabel(connection, "m", 0, "", {"": profile(True)})
    assert counted(windows.load_profile(connection, KEY, SPEC, BUILT_IN)) == (4, 4, 4)
    assert windows.settle_windows(connection, "m", HOUR, SPEC, BUILT_IN) == 0, (
        "not before it is judged again"
    )
    windows.mark_judged(connection, [DueWindow(key=KEY, end=HOUR, rows=4, revision=1)], None, "")
    assert windows.settle_windows(connection, "m", HOUR, SPEC, BUILT_IN) == 1
    assert counted(windows.load_profile(connection, KEY, SPEC, BUILT_IN)) == (4, 4, 4)
    windows.relabel(connection, "m", 0, "", {})
    assert due(connection) == [True]
    assert counted(windows.load_profile(connection, KEY, SPEC, BUILT_IN)) == (4, 4, 0)
    assert windows.roll_up(connection, "m", HOUR, SPEC, BUILT_IN) == 0, (
        "what is due is not rolled up"
    )
    windows.relabel(connection, "m", 0, "", {"": profile(True)})
    windows.mark_judged(connection, [DueWindow(key=KEY, end=HOUR, rows=4, revision=2)], None, "")
    assert windows.roll_up(connection, "m", HOUR, SPEC, BUILT_IN) == 1
    assert counted(
        TrailingProfiles(model="m", span=24 * HOUR, spec=SPEC, collectors=BUILT_IN).load(
            connection, "", 24 * HOUR
        )
    ) == (4, 4, 4)


def test_rows_and_labels_together_are_a_whole_revision(connection):
    """A window that rows came to stays due for all checks when labels come as well."""
    ledger.record_outcomes(
        connection,
        "m",
        [
            ReadOutcome(
                object=LogObject(uri="b", version="1", size=1, modified=from_micros(0)),
                shares=[Share(start=0, version="", segment="", rows=4, profile=profile(False))],
            )
        ],
        SPEC.digest,
        HOUR,
    )
    windows.relabel(connection, "m", 0, "", {"": profile(True)})
    assert due(connection) == [False]


def stub(*ids: int, start: int = 0, role: str = PREDICTION) -> Stub:
    return Stub(role=role, start=start, version="", hashes=np.array(ids, np.uint64), content=b"x")


def kept(connection) -> list[tuple[int, int, int]]:
    c = waiting.waiting.c
    return [
        tuple(row)
        for row in connection.execute(sa.select(c.start, c.rows, c.removed).order_by(c.id))
    ]


def test_predictions_wait_where_their_rows_are_counted(connection):
    """An object written again leaves what settled windows hold as it was, rows and predictions
    alike.
    """
    shares = [
        Share(start=hour * HOUR, version="", segment="", rows=4, profile=profile(False))
        for hour in (1, 2)
    ]
    first = ReadOutcome(
        object=LogObject(uri="b", version="1", size=1, modified=from_micros(0)),
        shares=shares,
        stubs=[stub(1, start=HOUR), stub(2, start=2 * HOUR)],
    )
    ledger.record_outcomes(connection, "m", [first], SPEC.digest, HOUR)
    connection.execute(
        windows.windows.update().where(windows.windows.c.start == HOUR).values(settled=1)
    )
    again = ReadOutcome(
        object=LogObject(uri="b", version="2", size=1, modified=from_micros(0)),
        shares=shares,
        stubs=[stub(1, 3, start=HOUR), stub(4, 5, 6, start=2 * HOUR)],
    )
    ledger.record_outcomes(connection, "m", [again], SPEC.digest, HOUR)
    assert kept(connection) == [(HOUR, 1, 0), (2 * HOUR, 1, 1), (2 * HOUR, 3, 0)]
    for digest in ("old", "new"):
        models.adopt_reference(connection, "m", spec_digest=digest, profile=None, **REFERENCE)
    assert (HOUR, 1, 0) not in kept(connection), "what an older spec counted waits no longer"


def test_the_oldest_go_when_too_much_waits(connection):
    """Whole starts go, oldest first, until the rest fits; what stayed alone is noted with its
    object.
    """
    mine = [stub(1, 2, start=hour * HOUR) for hour in range(4)]
    ledger.record_outcomes(
        connection,
        "m",
        [
            ReadOutcome(
                object=LogObject(uri="b", version="1", size=1, modified=from_micros(0)), stubs=mine
            )
        ],
        SPEC.digest,
        HOUR,
    )
    ledger.record_outcomes(
        connection,
        "l",
        [
            ReadOutcome(
                object=LogObject(uri="c", version="1", size=1, modified=from_micros(0)),
                stubs=[stub(1, start=3 * HOUR, role=LABEL)],
            )
        ],
        "",
        HOUR,
    )
    # Two hashes of 8 bytes and one byte of content in each window, one hash and one byte of the
    # label.
    for most, before in (
        (1000, None),
        (17 * 4 + 9, None),
        (17 * 4 + 8, HOUR),
        (17 + 9, 3 * HOUR),
        (25, 3 * HOUR + 1),
    ):
        assert waiting.find_size_cutoff(connection, ("m", "l"), most) == before
    assert waiting.drop_before(connection, "m", PREDICTION, 3 * HOUR) == 6
    assert accounts.count_unlabelled(connection, "m") == 6
    assert waiting.load_waiting_totals(connection, "m", PREDICTION) == waiting.WaitingTotals(
        rows=2, matched_rows=0, bytes=17
    )
