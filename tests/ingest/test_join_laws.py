"""Labels joined in any order, split, repeated, corrected or withdrawn give what a plain recount of
the objects gives.
"""

from __future__ import annotations

import io
import json
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import databases
import numpy as np
import pytest
from driftline_plugins.formats.jsonl import JsonLines
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.contracts.source import Source
from driftline.ingest.labels.join_labels import JoinTerms, join_labels
from driftline.ingest.read.job import Job
from driftline.ingest.read.list_work import list_work, note_vanished
from driftline.ingest.read.read_pass import ReadCounts, ReadPass
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.labels import EDGES
from driftline.profiles.spec import make_spec
from driftline.state import models, windows
from driftline.state.factory import open_store
from driftline.types.model import Field, Kind, LogObject, Schema, Task
from driftline.types.records import WindowKey
from driftline.types.times import as_micros

pytestmark = [pytest.mark.slow, pytest.mark.system]

START = datetime(2026, 5, 1, tzinfo=UTC)
NOW = START + timedelta(days=3)
HOUR = 3_600_000_000
SCHEMA = Schema(
    timestamp=Field("t", "t"),
    joins=Field("id", "id"),
    features={"plan": Field("plan", "plan", Kind.CATEGORICAL)},
    score=Field("s", "s", Kind.NUMERIC),
    label=Field("y", "y", Kind.CATEGORICAL),
    task=Task.BINARY,
    segments=("plan",),
)
LABELS = Schema(
    joins=Field("id", "id"),
    label=Field("y", "y", Kind.CATEGORICAL),
    timestamp=Field("t", "t"),
    task=Task.BINARY,
)
SPEC = make_spec(
    SCHEMA,
    {"s": np.linspace(0, 1, 11)},
    {"plan": {"a": 1, "b": 1}},
    ("numeric", "categories", "scores", "labels"),
)
LABEL_SPEC = make_spec(LABELS, {}, {}, ())


class Shelf(Source):
    """Objects in memory."""

    type = "shelf"
    objects: dict[str, Any]
    """By name: version, version in which it was begun, content."""

    def discover(self, ctx):
        for name, (version, begun, content) in self.objects.items():
            yield LogObject(
                uri=name,
                version=f"{version}",
                size=len(content),
                modified=NOW - timedelta(hours=1),
                grows=True,
                lineage=f"{begun}",
            )

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        return io.BytesIO(self.objects[obj.uri][2][start:])


@dataclass
class World:
    """A store, predictions and labels; and the same as plain lists."""

    portion: int = 3
    store: Any = field(default_factory=lambda: open_store(databases.fresh()))
    shelves: dict[str, Shelf] = field(
        default_factory=lambda: {"m": Shelf(objects={}), "m#labels": Shelf(objects={})}
    )
    versions: int = 0
    remembered: dict[tuple[str, str], list[dict]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        with self.store.write() as connection:
            models.add_model(connection, "m", 0)

    def change(self, model: str, name: str, rows: list[dict], grow: bool) -> None:
        """Write an object anew, or append to it; no rows take it away."""
        shelf = self.shelves[model].objects
        if not rows:
            shelf.pop(name, None)
            return
        self.versions += 1
        _, begun, before = shelf[name] if grow and name in shelf else (0, self.versions, b"")
        shelf[name] = (
            self.versions,
            begun,
            before + b"".join(json.dumps(row).encode() + b"\n" for row in rows),
        )

    def read(self) -> None:
        for model, shelf in self.shelves.items():
            late = model != "m"
            schema, spec = (LABELS, LABEL_SPEC) if late else (SCHEMA, SPEC)
            job = Job(
                source=shelf,
                formats={"": JsonLines()},
                schema=schema,
                spec=spec,
                length=HOUR,
                latest=as_micros(NOW),
                collectors=BUILT_IN,
                labels=late,
            )
            listing = list_work(self.store, model, job, NOW)
            with ThreadPoolExecutor(1) as executor:
                reading = ReadPass(
                    store=self.store,
                    model=model,
                    job=job,
                    executor=executor,
                    in_flight=1,
                    clock=lambda: NOW,
                    monotonic=time.monotonic,
                )
                reading.run(listing.work, ReadCounts())
            note_vanished(self.store, model, listing)
            for name, (_, _, content) in shelf.objects.items():
                self.remembered[model, name] = [json.loads(line) for line in content.splitlines()]

    def join(self) -> None:
        terms = JoinTerms(
            model="m",
            labels="m#labels",
            schema=SCHEMA,
            spec=SPEC,
            collectors=BUILT_IN,
            length=HOUR,
            wait=100 * 24 * HOUR,
        )
        join_labels(self.store, terms, as_micros(NOW), self.portion)

    def found(self) -> dict[tuple[int, str], tuple]:
        """What the windows say."""
        said = {}
        with self.store.read() as connection:
            for hour in range(4):
                for segment in ("", "plan=a", "plan=b"):
                    profile = windows.load_profile(
                        connection,
                        WindowKey("m", as_micros(START) + hour * HOUR, "", segment),
                        SPEC,
                        BUILT_IN,
                    )
                    window = profile.window()
                    scores, late = window.scores, window.summaries["labels"]
                    said[hour, segment] = (
                        window.rows, scores.rows, scores.labelled, dict(scores.confusion), round(scores.sums.brier, 9),
                        late.labelled, late.corrected, late.contradicting, late.delays.tolist(),
                    )  # fmt: skip
        return said

    def recounted(self) -> dict[tuple[int, str], tuple]:
        """The same by the stated rule, one row after the other."""
        labels: dict[str, list[tuple]] = defaultdict(list)
        predictions = []
        for (model, name), rows in sorted(self.remembered.items()):
            for place, row in enumerate(rows):
                if model == "m":
                    predictions.append(row)
                elif row["id"] and row["y"] is not None:
                    labels[str(row["id"])].append((moment(row["t"]), name, place, str(row["y"])))
        said = {}
        for hour in range(4):
            for segment in ("", "plan=a", "plan=b"):
                mine = [
                    r
                    for r in predictions
                    if moment(r["t"]) // HOUR == as_micros(START) // HOUR + hour
                ]
                mine = [r for r in mine if not segment or f"plan={r['plan']}" == segment]
                said[hour, segment] = recount(mine, labels)
        return said


def moment(text: str) -> int:
    return as_micros(datetime.fromisoformat(text))


def recount(rows: list[dict], labels: dict[str, list[tuple]]) -> tuple:
    confusion: dict[tuple[str, str], int] = defaultdict(int)
    brier, late, corrected, contradicting, delays = 0.0, 0, 0, 0, [0] * (len(EDGES) + 1)
    labelled = 0
    for row in rows:
        if row["s"] is None:
            continue
        said = "1" if row["s"] >= 0.5 else "0"
        actual = row["y"]
        if actual is None:
            mine = sorted(labels.get(str(row["id"]), [])) if row["id"] else []
            if not mine:
                continue
            actual, late = mine[-1][3], late + 1
            corrected += len({label[3] for label in mine}) > 1
            contradicting += len({label[3] for label in mine if label[0] == mine[-1][0]}) > 1
            seconds = max(mine[0][0] - moment(row["t"]), 0) / 1e6
            delays[int(np.searchsorted(EDGES, seconds, "right"))] += 1
        labelled += 1
        confusion[str(actual), said] += 1
        brier += (row["s"] - int(actual)) ** 2
    scored = sum(row["s"] is not None for row in rows)
    found = {pair: count for pair, count in sorted(confusion.items()) if count}
    return (
        len(rows),
        scored,
        labelled,
        found,
        round(brier, 9),
        late,
        corrected,
        contradicting,
        delays,
    )


def at(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


IDS = st.sampled_from(["a", "b", 7, "7", "x" * 80 + "1", "x" * 80 + "2", None, ""])
PREDICTION = st.fixed_dictionaries(
    {
        "id": IDS,
        "t": st.integers(0, 239).map(at),
        "plan": st.sampled_from(["a", "b", "c"]),
        "s": st.sampled_from([0.1, 0.5, 0.9, None]),
        "y": st.sampled_from([None, None, None, "1"]),
    }
)
LABEL = st.fixed_dictionaries(
    {
        "id": IDS,
        "t": st.sampled_from([0, 100, 100, 3000]).map(at),
        "y": st.sampled_from([0, 1, "1", None]),
    }
)
CHANGE = st.one_of(
    st.tuples(
        st.just("m"), st.sampled_from("pqr"), st.lists(PREDICTION, max_size=6), st.booleans()
    ),
    st.tuples(
        st.just("m#labels"), st.sampled_from("klm"), st.lists(LABEL, max_size=6), st.booleans()
    ),
)
STEPS = st.lists(st.one_of(CHANGE, st.sampled_from(["read", "join"])), min_size=2, max_size=14)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([1, 3, 1000]))
def test_any_order_equals_a_recount(steps, portion):
    """Whatever is written, grown, overwritten, deleted, read and joined, in any order: windows say
    what a recount says.
    """
    world = World(portion)
    for step in steps:
        if step == "read":
            world.read()
        elif step == "join":
            world.join()
        else:
            world.change(*step)
    world.read()
    world.join()
    assert world.found() == world.recounted()
    with world.store.read() as connection:
        assert not connection.exec_driver_sql(
            "select count(*) from waiting where joined = 0 or removed = 1"
        ).scalar()
    world.store.close()


class Cut(RuntimeError):
    """The power fails."""


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGE, min_size=2, max_size=10), st.integers(1, 12))
def test_a_crash_at_any_commit_changes_nothing(steps, survives):
    """A join that dies before any of its transactions is made good by the next one."""
    world = World(portion=1)
    for step in steps:
        world.change(*step)
        world.read()
    write, left = world.store.write, [survives]

    def failing():
        left[0] -= 1
        if left[0] < 0:
            raise Cut
        return write()

    world.store.write = failing
    with suppress(Cut):
        world.join()
    world.store.write = write
    world.join()
    assert world.found() == world.recounted()
    world.store.close()


def test_a_repeated_label_restates_nothing():
    """The same labels in a new object, as they are uploaded again every hour in some set-ups, make
    no window due.
    """
    world = World()
    world.change("m", "p", [{"id": "a", "t": at(1), "plan": "a", "s": 0.9, "y": None}], False)
    world.change("m#labels", "k", [{"id": "a", "t": at(50), "y": 1}], False)
    world.read()
    world.join()
    with world.store.write() as connection:
        connection.exec_driver_sql("update windows set dirty = 0, revision = 1")
    world.change(
        "m#labels",
        "l",
        [{"id": "a", "t": at(100), "y": "1.0"}, {"id": "a", "t": at(100), "y": True}],
        False,
    )
    world.read()
    world.join()
    with world.store.read() as connection:
        assert windows.count_due(connection, "m", as_micros(NOW)) == 0
    world.change("m#labels", "n", [{"id": "a", "t": at(100), "y": 0}], False)
    world.read()
    world.join()
    with world.store.read() as connection:
        assert [
            due.labels_only
            for due in windows.load_due(connection, "m", as_micros(NOW), length=HOUR)[0]
        ] == [
            True,
            True,
        ]


@pytest.mark.parametrize(
    ("labels", "counts", "corrected", "contradicting"),
    [
        ([("k", 10, 1)], "1", 0, 0),
        ([("k", 10, 1), ("l", 20, 1)], "1", 0, 0),
        ([("k", 20, 1), ("l", 10, 0)], "1", 1, 0),
        ([("k", 10, 1), ("l", 10, 0)], "0", 1, 1),
        ([("k", 10, 0), ("k", 10, 1)], "1", 1, 1),
        ([("k", 10, 0), ("k", 10, 1), ("l", 30, 0)], "0", 1, 0),
        ([("k", 10, 1), ("l", 10, 0), ("l", 10, 1)], "1", 1, 1),
    ],
    ids=[
        "one",
        "twice",
        "older",
        "contradicting objects",
        "contradicting records",
        "settled by a newer one",
        "taken back",
    ],
)
def test_the_stated_rule(labels, counts, corrected, contradicting):
    """The newest label counts; of equally new ones the last by URI and place; and it is said that
    there were others.
    """
    world = World()
    world.change("m", "p", [{"id": "a", "t": at(1), "plan": "c", "s": 0.9, "y": None}], False)
    for name, minute, value in labels:
        world.change("m#labels", name, [{"id": "a", "t": at(minute), "y": value}], True)
    world.read()
    world.join()
    _, _, labelled, confusion, _, late, *facts, _ = world.found()[0, ""]
    assert (labelled, late, facts) == (1, 1, [corrected, contradicting])
    assert confusion == {(counts, "1"): 1}
