"""Alarms beside what is known to have happened, and the file that says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from driftline.backtest.score import (
    KnownIncident,
    ReplayedAlarm,
    Score,
    count_by_check,
    parse_known_incidents,
    score_alarms,
    score_constant_alarm,
)
from driftline.types.errors import DriftlineError
from driftline.types.model import Severity

START, HOUR = datetime(2026, 3, 2, tzinfo=UTC), timedelta(hours=1)
LATE = timedelta(minutes=15)


def alarm(told, *columns, severity=Severity.WARNING, checks=("drift",)):
    """Told so many hours after the start, and the lateness later, of these columns."""
    at = START + told * HOUR + LATE
    return ReplayedAlarm(
        start=at - HOUR - LATE,
        notified_at=at,
        cause="drift",
        title="t",
        severity=severity,
        checks=set(checks),
        column_times=[(at, column) for column in columns or ("",)],
    )


def known(begin, end, *columns):
    return KnownIncident(START + begin * HOUR, START + end * HOUR, frozenset(columns))


def scored(alarms, incidents):
    return score_alarms(alarms, incidents, HOUR, LATE)


def test_a_delay_is_from_the_begin_until_people_are_told():
    """End of the window and lateness included; the first alarm counts, the median over what was
    found.
    """
    found = scored(
        [alarm(5, "a"), alarm(9, "a"), alarm(31, "b")],
        [known(2, 20, "a"), known(30, 40), known(50, 60)],
    )
    assert found == Score(3, 0, (3 * HOUR + LATE, HOUR + LATE, None))
    assert (found.detected_count, found.median_delay) == (2, 2 * HOUR + LATE)
    assert scored([], [known(2, 20)]).median_delay is None


def test_an_alarm_of_another_column_is_false():
    """Each column counts when it was told; an incident without columns takes any, also what is of
    no column.
    """
    late = alarm(3, "b")
    late.column_times.append((START + 7 * HOUR + LATE, "a"))
    assert scored([alarm(3, "b")], [known(2, 20, "a")]) == Score(1, 1, (None,))
    assert scored([late], [known(2, 20, "a")]) == Score(1, 0, (5 * HOUR + LATE,))
    assert scored([alarm(3)], [known(2, 20, "a", "b")]) == Score(1, 1, (None,))
    assert scored([alarm(3)], [known(2, 20)]) == Score(1, 0, (HOUR + LATE,))


@pytest.mark.parametrize(("told", "false"), [(2, 1), (3, 0), (20, 0), (21, 0), (22, 1)])
def test_an_alarm_belongs_to_what_its_window_can_show(told, false):
    """From the first window that ends within, to the one after the end; what was told of windows
    before it is no find.
    """
    assert scored([alarm(told, "a")], [known(2, 20, "a")]).false_alarms == false


def test_always_alarming_finds_all_at_once():
    """After one window, at the price of all windows in which nothing is known to have happened."""
    starts = [START + place * HOUR for place in range(100)]
    found = score_constant_alarm(starts, [known(10, 20, "a"), known(200, 300)], HOUR, LATE)
    assert found == Score(100, 100 - 11, (HOUR + LATE, None))


def test_alarms_are_counted_by_check_and_severity():
    """An alarm counts for each check that had a part in it."""
    found = count_by_check(
        [alarm(1, checks=("drift", "missing")), alarm(2, severity=Severity.INFO)]
    )
    assert {
        name: {each.value: count for each, count in row.items() if count}
        for name, row in found.items()
    } == {
        "drift": {"info": 1, "warning": 1},
        "missing": {"warning": 1},
    }


LISTED = [
    KnownIncident(START, START + 9 * HOUR, frozenset({"amount", "fee"}), "tariff"),
    KnownIncident(START - HOUR, START, frozenset(), ""),
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "x.csv",
            "start,end,columns,note\n2026-03-02,2026-03-02T09:00,amount fee,tariff\n2026-03-02T00:00+01:00,2026-03-02,,\n",
        ),
        (
            "x.yaml",
            "- {start: 2026-03-02, end: 2026-03-02T09:00:00Z, columns: [amount, fee], note: tariff}\n"
            "- {start: '2026-03-02T00:00+01:00', end: 2026-03-02T00:00}\n",
        ),
        (
            "x.json",
            '[{"start": "2026-03-02", "end": "2026-03-02T09:00", "columns": ["amount", "fee"], "note": "tariff"},'
            ' {"start": "2026-03-01T23:00", "end": "2026-03-02", "columns": null}]',
        ),
    ],
)
def test_incidents_are_read_alike_from_each_format(name, text):
    """Times without a zone are UTC, days begin at midnight, columns and note may be absent."""
    assert parse_known_incidents(text, name) == LISTED


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "x.csv",
            "start,end\n2026-03-02,2026-03-03\n2026-03-02,\n",
            "x.csv, incident 2: needs a start and an end",
        ),
        (
            "x.csv",
            "begin,end\n2026-03-02,2026-03-03\n",
            "x.csv, incident 1: needs a start and an end",
        ),
        (
            "x.csv",
            "start,end\nlast week,2026-03-03\n",
            "x.csv, incident 1: 'last week' is no time such as 2026-03-02T09:00",
        ),
        (
            "x.csv",
            "start,end\n2026-03-03,2026-03-02\n",
            "x.csv, incident 1: ends at 2026-03-02 00:00, before it starts",
        ),
        ("x.json", '[{"start": 7, "end": "2026-03-02"}]', "x.json, incident 1: 7 is no time"),
        (
            "x.json",
            '[{"start": "2026-03-02", "end": "2026-03-03", "columns": 7}]',
            "x.json, incident 1: columns",
        ),
        ("x.yaml", "- 2026-03-02\n", "x.yaml, incident 1: needs a start and an end"),
        ("x.yaml", "start: 2026-03-02\n", "x.yaml: should be a list of incidents"),
        ("x.yaml", "- {start: [\n", "x.yaml: while parsing a flow"),
    ],
)
def test_a_mistake_names_the_file_and_the_incident(name, text, said):
    """And what it should be."""
    with pytest.raises(DriftlineError) as told:
        parse_known_incidents(text, name)
    assert str(told.value).startswith(said)


def test_an_empty_file_knows_of_nothing():
    """Which is no mistake."""
    assert (
        parse_known_incidents("start,end\n", "x.csv") == parse_known_incidents("", "x.yaml") == []
    )
