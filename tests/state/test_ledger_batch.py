"""Several outcomes are written at once: as if one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import databases
import pytest
from database_dump import dump
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.state import accounts, ledger, models
from driftline.types.model import LogObject
from driftline.types.records import DONE, GONE, QUARANTINED, WAITING, ReadOutcome, Share

pytestmark = pytest.mark.system

HOUR = 3_600_000_000
OBJECT = LogObject(
    uri="file:///a",
    version="1",
    size=10,
    modified=datetime(2026, 5, 1, tzinfo=UTC),
    grows=True,
    lineage="7",
)


def outcome(name: str, version: int, piece: int, state: str, starts: list[int]) -> ReadOutcome:
    shares = [
        Share(start=start * HOUR, version="v", segment="", rows=3, profile=b"x")
        for start in sorted(set(starts))
    ]
    return ReadOutcome(
        object=replace(OBJECT, uri=f"file:///{name}", version=str(version)),
        piece=piece,
        state=state,
        offset=10 if state == DONE else 0,
        rows=3 * len(shares) if state in (DONE, QUARANTINED) else 0,
        shares=shares if state in (DONE, QUARANTINED) else (),
        last_event=max(starts, default=None) and max(starts) * HOUR,
    )


def written(batches: list[list[ReadOutcome]]):
    with databases.opened() as store, store.write() as connection:
        models.add_model(connection, "m", 0)
        for batch in batches:
            ledger.record_outcomes(connection, "m", batch, "spec", HOUR)
        return dump(connection)


outcomes = st.builds(
    outcome,
    st.sampled_from("ab"),
    st.integers(1, 3),
    st.just(0),
    st.sampled_from([DONE, DONE, QUARANTINED, WAITING, GONE]),
    st.lists(st.integers(0, 3), max_size=3),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(outcomes, max_size=6))
def test_a_batch_is_the_same_as_one_by_one(found):
    """Also where one object comes twice in a batch: each row counts once, as its last reading
    says.
    """
    assert written([found]) == written([[one] for one in found])


def test_an_object_listed_twice_counts_once():
    """Two readings of one version in one batch leave the rows of one."""
    twice = outcome("a", 1, 0, DONE, [1, 2])
    found = written([[twice, twice]])
    assert found == written([[twice]])


def test_what_was_given_up_or_gone_and_fails_again_is_waited_for():
    """A new version of an unreadable object that can't be fetched just now, or one that came back,
    holds its windows open.
    """
    for before in (QUARANTINED, GONE):
        with databases.opened() as store, store.write() as connection:
            models.add_model(connection, "m", 0)
            ledger.record_outcomes(connection, "m", [outcome("a", 1, 0, DONE, [1])], "spec", HOUR)
            ledger.record_outcomes(connection, "m", [outcome("a", 2, 0, before, [])], "spec", HOUR)
            assert accounts.count_waiting_objects(connection, "m") == 0
            ledger.record_outcomes(connection, "m", [outcome("a", 3, 0, WAITING, [])], "spec", HOUR)
            assert accounts.count_waiting_objects(connection, "m") == 1
            assert accounts.has_failed_objects(connection, "m", include_quarantined=False)
