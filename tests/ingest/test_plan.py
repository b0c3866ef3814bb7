"""What is read of what is listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from driftline.ingest.read.plan import READ_FROM_START, decide
from driftline.types.model import LogObject
from driftline.types.records import DONE, GONE, QUARANTINED, WAITING, LedgerEntry

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OBJECT = LogObject(uri="file:///a.jsonl", version="v1", size=100, modified=NOW, grows=True)
TAKEN = LedgerEntry(
    id=1,
    uri=OBJECT.uri,
    version="v1",
    size=100,
    state=DONE,
    offset=100,
    rows=7,
    spec_digest="spec",
    attempts=0,
)


def test_what_is_new_is_read_from_the_start():
    """An object the ledger doesn't know, waits for, or thought gone is read whole."""
    for entry in (None, replace(TAKEN, state=WAITING, version=""), replace(TAKEN, state=GONE)):
        work = decide(OBJECT, entry, "spec", NOW)
        assert work is not None
        assert work.start == 0


def test_what_is_known_is_left_alone():
    """An object of a known version costs nothing, also one that could not be read."""
    assert decide(OBJECT, TAKEN, "spec", NOW) is None
    assert decide(OBJECT, replace(TAKEN, state=QUARANTINED, offset=0), "spec", NOW) is None


def test_what_grew_is_read_from_where_it_ended():
    """Only the new end of an append-only object is read; one that was rewritten is read whole."""
    grown = replace(OBJECT, version="v2", size=150)
    assert decide(grown, TAKEN, "spec", NOW).start == 100
    assert decide(replace(grown, size=80), TAKEN, "spec", NOW).start == 0
    assert decide(replace(grown, grows=False), TAKEN, "spec", NOW).start == 0
    assert decide(grown, replace(TAKEN, offset=0), "spec", NOW).start == 0


def test_what_took_the_place_of_another_is_read_whole():
    """A larger object of another lineage did not grow out of the old one, whatever the sizes
    say.
    """
    rotated = replace(OBJECT, version="v2", size=150, lineage="b")
    assert decide(rotated, replace(TAKEN, lineage="a"), "spec", NOW).start == 0
    assert decide(rotated, replace(TAKEN, lineage="b"), "spec", NOW).start == 100
    assert decide(rotated, TAKEN, "spec", NOW).start == 0


def test_a_torn_end_is_taken_once_the_object_rests():
    """A last line without its end waits while the file may grow, and is taken when nothing came for
    a while.
    """
    torn = replace(TAKEN, offset=90)
    assert decide(OBJECT, torn, "spec", NOW) is None
    later = decide(OBJECT, torn, "spec", NOW + timedelta(minutes=10))
    assert (later.start, later.is_complete) == (90, True)
    assert decide(OBJECT, torn, "spec", NOW, seal=True).start == 90


def test_another_spec_reads_again_what_still_counts():
    """After a new reference the object is read whole, for the windows from the cutoff on."""
    work = decide(OBJECT, TAKEN, "other", NOW, cutoff=5)
    assert (work.start, work.cutoff) == (0, 5)


def test_what_held_nothing_whole_is_read_again_once_it_rests():
    """A file whose only line had no end yet is read from the start when nothing more comes, and
    then left alone.
    """
    begun = replace(TAKEN, offset=READ_FROM_START, rows=0)
    assert decide(OBJECT, begun, "spec", NOW) is None
    later = decide(OBJECT, begun, "spec", NOW + timedelta(minutes=10))
    assert (later.start, later.is_complete) == (0, True)
    assert decide(replace(OBJECT, version="v2", size=150), begun, "spec", NOW).start == 0


def test_what_grew_under_another_spec_is_read_whole():
    """What was counted by an older spec can't be added to, so its beginning is read again with its
    new end.
    """
    grown = replace(OBJECT, version="v2", size=150)
    assert decide(grown, TAKEN, "other", NOW, cutoff=5).start == 0


def test_what_was_counted_in_part_follows_the_spec():
    """An unreadable object is read again under a new spec when some of it counts, and left alone
    when nothing was read.
    """
    bad = replace(TAKEN, state=QUARANTINED, offset=0)
    assert decide(OBJECT, bad, "other", NOW).start == 0
    assert decide(OBJECT, replace(bad, spec_digest=""), "other", NOW) is None


def test_what_grew_under_another_spec_leaves_settled_windows_alone():
    """A file that grew since the last reading is read whole after a new reference, and like any
    other from the cutoff on.
    """
    grown = replace(OBJECT, version="v2", size=150)
    work = decide(grown, TAKEN, "other", NOW, cutoff=5)
    assert (work.start, work.cutoff) == (0, 5)
    assert decide(grown, TAKEN, "spec", NOW, cutoff=5).cutoff is None
