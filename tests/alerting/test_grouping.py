"""What is one incident, what is two, and how an incident comes back."""

from dataclasses import replace

import pytest
from simulation import HOUR, Simulation, at, fact

from driftline import Severity
from driftline.alerting import AlertingState, step
from driftline.types.incident import Upstream, UpstreamKind

pytestmark = [pytest.mark.postgres, pytest.mark.system]


def told(sim: Simulation) -> list[tuple[str, str]]:
    return [
        (change.incident.id, change.history_event) for done in sim.steps for change in done.changes
    ]


def test_columns_that_began_together_are_one_incident():
    """A column whose change is found ten windows later, but began with the others, joins their
    incident.
    """
    sim = Simulation()
    sim.feed(fact(0, "age"))
    for hour in range(1, 10):
        sim.feed(fact(hour, "age"))
    sim.feed(fact(10, "age"), fact(10, "plan", since=at(1)))
    assert [word for _, word in told(sim)] == ["opened", "worsened"]
    assert len({name for name, _ in told(sim)}) == 1


def test_a_later_change_is_an_incident_of_its_own():
    """While one column still drifts, another that begins ten windows later opens a second incident;
    each ends by itself.
    """
    sim = Simulation()
    for hour in range(20):
        facts = [
            fact(hour, "age", "changed" if hour < 16 else "ok"),
            fact(hour, "plan", "changed" if 10 <= hour < 19 else "ok"),
        ]
        sim.feed(*facts)
    first, second = dict.fromkeys(name for name, _ in told(sim))
    assert [
        (first, "opened"),
        (second, "opened"),
        (first, "resolved"),
        (second, "resolved"),
    ] == told(sim)


def test_a_shared_upstream_makes_one_incident():
    """Columns that drift days apart after one new model version are one incident, and the message
    names the version.
    """
    sim = Simulation()
    new = {"upstream": Upstream(UpstreamKind.NEW_VERSION, "v4")}
    for hour in range(30):
        later = [fact(hour, "plan", **new)] if hour >= 25 else []
        sim.feed(fact(hour, "age", **new), *later)
    assert [word for _, word in told(sim)] == ["opened", "worsened"]
    assert sim.told[0][1].facts["upstream"] == "version v4 is new"


def test_columns_that_always_moved_together_are_one_incident():
    """A column found long after another joins its incident if the two moved together before;
    another opens its own.
    """
    sim = Simulation()
    kin = frozenset({fact(0, "age").key})
    for hour in range(30):
        later = [fact(hour, "income", alike=kin), fact(hour, "plan")] if hour >= 20 else []
        sim.feed(fact(hour, "age"), *later)
    assert [word for _, word in told(sim)] == ["opened", "worsened", "opened"]
    columns = [sorted(alert.labels["column"] for alert in note.alerts) for _, note in sim.told]
    assert sorted(columns) == [["age"], ["age", "income"], ["plan"]]


def test_another_number_of_the_same_column_joins():
    """A second measurement of a column that already drifts is no second incident, however late it
    comes.
    """
    sim = Simulation()
    for hour in range(30):
        more = [fact(hour, "age", measurement="ks")] if hour >= 20 else []
        sim.feed(fact(hour, "age"), *more)
    assert [word for _, word in told(sim)] == ["opened", "worsened"]


def test_troubles_of_the_agent_are_told_apart():
    """A check that raises, a source without access and a sink that refuses are three incidents; two
    broken checks are one.
    """

    def trouble(check: str, measurement: str):
        return replace(
            fact(0, cause="monitoring", labels=(), check=check, measurement=measurement), end=at(0)
        )

    given = [("source", "reading"), ("drift", "error"), ("nulls", "error"), ("pager", "refused")]
    done = step(AlertingState(), [trouble(*one) for one in given], at(0))
    assert sorted([len(change.incident.keys) for change in done.changes], reverse=True) == [2, 1, 1]


def test_what_comes_back_soon_is_the_same_incident():
    """Within a day of its end an incident comes back in its own thread; after that it is
    another.
    """
    sim = Simulation()
    for hour, verdict in [(0, "changed"), (1, "ok"), (20, "changed"), (21, "ok"), (60, "changed")]:
        sim.feed(fact(hour, verdict=verdict))
    first, last = dict.fromkeys(name for name, _ in told(sim))
    assert told(sim) == [
        (first, "opened"),
        (first, "resolved"),
        (first, "reopened"),
        (first, "resolved"),
        (last, "opened"),
    ]
    assert sim.told[2][1].title.startswith("churn: again: “age”: values changed: PSI 0.6")


def test_long_windows_may_be_away_for_three():
    """Of daily windows an incident comes back within three, not within 24 hours."""

    def day(number: int, verdict: str):
        start = at(24 * number)
        return replace(fact(0, verdict=verdict), start=start, end=start + 24 * HOUR)

    sim = Simulation()
    for number, verdict in enumerate(["changed", "ok", "ok", "changed"]):
        sim.feed(day(number, verdict))
    assert [word for _, word in told(sim)] == ["opened", "resolved", "reopened"]


def test_flapping_is_told_once_and_held():
    """Of a column that comes and goes every hour the first return is reported as flapping, then
    nothing until it was calm: four messages.
    """
    sim = Simulation()
    for hour in range(40):
        sim.feed(fact(hour, verdict="changed" if hour < 30 and hour % 2 == 0 else "ok"))
    words = [word for _, word in told(sim)]
    assert words == [
        "opened",
        "resolved",
        "reopened",
        "resolved",
    ]
    flapping, over = sim.told[-2][1], sim.told[-1][1]
    assert flapping.facts["why"] == "comes and goes, held until it is calm"
    assert flapping.title.startswith("churn: comes and goes: “age”: values changed: PSI 0.6")
    assert over.facts["why"] == "calm after it came and went"
    assert over.window is not None
    assert over.window[1] == at(32)


def test_slow_returns_flap_at_the_third():
    """An incident that was calm for three hours between its returns is reported each time, and as
    flapping from the third return within a day on.
    """
    sim = Simulation()
    for hour in range(26):
        sim.feed(fact(hour, verdict="changed" if hour < 20 and hour % 5 == 0 else "ok"))
    reasons = [note.facts["why"] for _, note in sim.told if note.event == "reopened"]
    assert reasons == ["came back", "came back", "comes and goes, held until it is calm"]


def test_a_flapping_incident_still_tells_of_more_severity():
    """Damping holds back coming and going, not that it got worse."""
    sim = Simulation()
    for hour in range(16):
        severity = Severity.CRITICAL if hour == 14 else Severity.WARNING
        sim.feed(fact(hour, severity=severity) if hour % 2 == 0 else fact(hour, verdict="ok"))
    assert [word for _, word in told(sim)][-1] == "worsened"
    assert sim.told[-1][1].severity is Severity.CRITICAL


def test_less_severity_is_told_once_it_lasts():
    """One better window is no news; three are, and so is the next worse one."""
    sim = Simulation()
    for hour, severity in enumerate("cwcwwwwc"):
        sim.feed(fact(hour, severity=Severity.CRITICAL if severity == "c" else Severity.WARNING))
    assert [word for _, word in told(sim)] == ["opened", "improved", "worsened"]
    assert [one.window[0] for _, one in sim.told] == [at(0), at(5), at(7)]
    assert sim.told[1][1].title.startswith("churn: less severe: “age”: values changed: PSI 0.6")


def test_a_title_names_three_and_counts_the_others():
    """The line for the lock screen has the three most telling columns and the number of the
    rest.
    """
    done = step(
        AlertingState(),
        [fact(0, name, value=value) for value, name in enumerate("abcdefgh", 1)],
        at(1),
    )
    title = done.changes[0].notification.title
    named = "“h” PSI 8, “g” PSI 7, “f” PSI 6, 5 more"
    assert title == f"churn: all 8 columns changed since Fri 20 Nov 00:00 UTC: {named}"
