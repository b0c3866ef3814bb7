"""docs/tutorial-sink.md is true, from an empty folder to a message that arrives, and its sink is
short.
"""

from __future__ import annotations

import pytest
from reader import follow, steps

pytestmark = pytest.mark.system

PAGE = "tutorial-sink.md"


@pytest.mark.slow
def test_a_message_arrives(tmp_path):
    """Every file can be written, and every command shows what the page shows."""
    assert (follow(PAGE, tmp_path / "work") / "sinks/rooms.py").exists()


def test_a_new_sink_is_short():
    """At most 60 lines, blank ones and sentences included."""
    [sink] = [text for file, _, text in steps(PAGE) if file == "sinks/rooms.py"]
    assert len(sink.splitlines()) <= 60
