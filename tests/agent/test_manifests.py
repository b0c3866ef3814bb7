"""Objects that a format declares to be no data: left out, also where they were tried before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import DIARY, MODEL, START, Station

pytestmark = [pytest.mark.system]

PICKY = (
    DIARY
    + '''
from driftline_plugins.formats.jsonl import JsonLines

class Picky(JsonLines):
    """JSON lines beside manifests."""
    type = "picky"
    suffixes = ()
    def no_data(self, uri):
        return "a manifest" if uri.endswith("manifest.jsonl") else ""

@hookimpl
def register_formats():
    return [Picky]
'''
)


def test_a_manifest_that_was_no_data_stays_out_once_its_format_is_named(tmp_path):
    """A manifest that was read in the wrong format is skipped under the right one; the
    rows of other objects stay.
    """
    station = Station(tmp_path, MODEL, plugins=PICKY)
    station.hour(0, 50)
    (tmp_path / "log" / "manifest.jsonl").write_bytes(b"\xff\xfe\x00 no lines of JSON\n")
    station.clock.now = START + timedelta(hours=2)
    with station.open():
        first = station.tick()
        assert first.skipped_objects == []
    station.configure(MODEL.replace("format: jsonl", "format: picky"))
    with station.open():
        second = station.tick()
        assert [reason for _, reason in second.skipped_objects] == ["a manifest"]
        states = dict(station.sql("select uri, state from objects"))
        assert {uri.rpartition("/")[2]: state for uri, state in states.items()} == {
            "0000.jsonl": "done",
            "manifest.jsonl": "gone",
        }
        third = station.tick()
        assert [reason for _, reason in third.skipped_objects] == ["a manifest"]
        assert dict(station.sql("select uri, state from objects")) == states
