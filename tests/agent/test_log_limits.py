"""A log that fails, repeats itself or floods ends no loop and fills no disk."""

import io
import json
from collections import Counter

import pytest

from driftline.telemetry.logs import make_log


class BrokenPipe(io.StringIO):
    """A stream whose reader went away."""

    def write(self, text):
        raise BrokenPipeError


def logged_failure(log, text="secret"):
    password = text  # noqa: F841  a local variable of the frame
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("a tick failed", model="churn")


def test_a_reader_that_went_away_raises_nothing():
    """A closed pipe and a closed file cost the lines, not the loop that logs."""
    make_log(BrokenPipe(), human=False).warning("nobody reads this")
    closed = io.StringIO()
    closed.close()
    make_log(closed, human=True).warning("nobody reads this")


def test_an_exception_is_logged_once_a_minute_with_the_number_of_repeats():
    """Of 90 failures in 90 seconds two are logged; the second says how many were left out."""
    out, now = io.StringIO(), [0.0]
    log = make_log(out, human=False, clock=lambda: now[0])
    for _ in range(90):
        logged_failure(log)
        now[0] += 1
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line.get("repeated") for line in lines] == [None, 59]


def test_no_local_variable_is_logged():
    """Tracebacks name the places, and hold no value of a variable."""
    out = io.StringIO()
    logged_failure(make_log(out, human=False), "row 17")
    [line] = out.getvalue().splitlines()
    assert "test_log_limits" in line
    assert "password" not in line


def test_lines_for_people_keep_the_sentence_of_an_exception():
    """What went wrong stands in the line, not only that something did."""
    out = io.StringIO()
    logged_failure(make_log(out, human=True), "the disk is full")
    assert "ValueError: the disk is full" in out.getvalue()


class Sizes(io.StringIO):
    """A stream that keeps the number of characters of each minute, and the short lines."""

    def __init__(self, now):
        super().__init__()
        self.now, self.characters, self.short_lines = now, Counter(), []

    def write(self, text):
        self.characters[self.now[0] // 60] += len(text)
        if 1 < len(text) < 1000:
            self.short_lines.append(text)
        return len(text)


@pytest.mark.slow
def test_a_day_of_failing_ticks_stays_below_a_megabyte_a_minute():
    """However long the lines are, and the log says how much it left out."""
    now = [0.0]
    out = Sizes(now)
    log = make_log(out, human=False, clock=lambda: now[0])
    for _ in range(24 * 60):
        for number in range(30):
            log.warning("a file can't be read", uri=f"s3://bucket/{number}", error="x" * 50_000)
        now[0] += 60
    assert len(out.characters) == 24 * 60
    assert max(out.characters.values()) <= 1_000_100
    assert len(out.short_lines) == 24 * 60 - 1
    assert "characters of the log were left out" in out.short_lines[0]
