"""What people do to incidents, what holds messages back, and how many pages there may be."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from facts import altered
from simulation import HOUR, at, fact

from driftline import Event, Severity
from driftline.agent.model_settings import declared_inhibitions
from driftline.alerting import AlertingState, Step, step
from driftline.alerting.actions_due import ActionPlan, find_trigger
from driftline.alerting.acts import Act, ActKind, accept_incident, apply_acts
from driftline.alerting.hold_back import hold_back
from driftline.alerting.silencing import Inhibition, MuteTime, Silence, Silencing
from driftline.extensions.registry import Registry
from driftline.types.matchers import Matchers

pytestmark = pytest.mark.postgres


class Life:
    """Windows and acts one after the other, and what people heard."""

    def __init__(self, **quiet) -> None:
        self.state = AlertingState()
        inhibitions = declared_inhibitions(Registry.load())
        self.quiet = Silencing(**({"inhibitions": inhibitions} | quiet))
        self.history: list[tuple[str, str]] = []
        """Of each change the word and why it was held."""
        self.changes = []
        self.outcomes = {}

    def feed(self, *facts, hour: float, acts=()) -> Step:
        done, outcomes = apply_acts(step(self.state, facts, at(hour)), acts, at(hour))
        done = hold_back(done, self.quiet, at(hour))
        self.state = done.state
        self.outcomes |= outcomes
        self.changes += done.changes
        self.history += [
            (change.history_event, change.hold.text if change.hold else "")
            for change in done.changes
        ]
        return done

    @property
    def heard(self) -> list[str]:
        return [word for word, held in self.history if not held]

    @property
    def incident(self) -> str:
        return next(iter(self.state.incidents))


CRITICAL = Severity.CRITICAL


def silence(text: str, start: float, until: float, number: int = 1) -> Silence:
    return Silence(
        id=number,
        matchers=Matchers.parse(text),
        start=at(start),
        until=at(until),
        author="ada",
        reason="a load test",
    )


def test_acknowledged_is_told_with_author_and_reason_and_more_columns_are_not():
    """After an acknowledgement a further column is only in the history; more severity and the end
    are told.
    """
    life = Life()
    life.feed(fact(0), hour=1)
    life.feed(
        hour=1.5,
        acts=[
            Act(
                id=1,
                kind=ActKind.ACKNOWLEDGE,
                incident=life.incident,
                author="ada",
                reason="looking at it",
            )
        ],
    )
    life.feed(fact(1), fact(1, "plan"), hour=2)
    life.feed(fact(2, severity=CRITICAL), hour=3)
    life.feed(fact(3, verdict="ok"), fact(3, "plan", "ok"), hour=4)
    assert life.heard == ["opened", "acknowledged", "worsened", "resolved"]
    assert ("worsened", "acknowledged by ada") in life.history
    acknowledged = life.changes[1]
    assert (acknowledged.author, acknowledged.comment) == ("ada", "looking at it")
    assert acknowledged.notification.facts["why"] == "acknowledged by ada: looking at it"


def test_an_act_on_what_is_over_comes_back():
    """Nothing can be done to an incident that is over, or unknown, and to acknowledge twice is no
    news.
    """
    life = Life()
    life.feed(fact(0), hour=1)
    name = life.incident
    life.feed(
        hour=1,
        acts=[
            Act(id=1, kind=ActKind.ACKNOWLEDGE, incident=name, author="ada"),
            Act(id=2, kind=ActKind.ACKNOWLEDGE, incident=name, author="bob"),
        ],
    )
    life.feed(fact(1, verdict="ok"), hour=2)
    life.feed(
        hour=2,
        acts=[
            Act(id=3, kind=ActKind.ACKNOWLEDGE, incident=name, author="ada"),
            Act(id=4, kind=ActKind.SNOOZE, incident="inc_none", author="ada", until=at(9)),
        ],
    )
    assert life.outcomes == {
        1: "", 2: "ada has acknowledged it already", 3: "it is over",
        4: "there is no such incident, or it has been over for long",
    }  # fmt: skip


def test_a_snooze_ends_with_a_message():
    """While it is snoozed nothing is told, not even that it got worse; then people hear that it is
    still there.
    """
    life = Life()
    life.feed(fact(0), hour=1)
    life.feed(
        hour=1,
        acts=[
            Act(
                id=1,
                kind=ActKind.SNOOZE,
                incident=life.incident,
                author="ada",
                reason="after the sale",
                until=at(5),
            )
        ],
    )
    life.feed(fact(1, severity=CRITICAL), hour=2)
    life.feed(hour=4.9)
    assert life.heard == ["opened", "silenced"]
    life.feed(hour=5)
    assert life.heard == ["opened", "silenced", "told"]
    assert life.changes[-1].notification.title.startswith(
        "churn: still: “age”: values changed: PSI 0.6"
    )


def test_a_silence_holds_what_it_matches_and_lets_go():
    """A silenced incident is in the history with author and reason; when the silence is over and it
    still fires, it is told.
    """
    life = Life(silences=[silence("column=age", 0, 6), silence("column=other", 0, 99, 2)])
    for hour in range(8):
        life.feed(fact(hour), hour=hour + 1)
    assert life.history == [
        ("opened", "silence 1 until 2026-11-20 06:00 UTC"),
        ("silenced", ""),
        ("told", ""),
    ]
    assert (life.changes[1].author, life.changes[1].comment) == (
        "ada",
        "until 2026-11-20 06:00 UTC, a load test",
    )


def test_a_silence_does_not_hold_what_it_does_not_match():
    """A second column that fires makes the incident news, though the first is silenced."""
    life = Life(silences=[silence("column=age", 0, 99)])
    life.feed(fact(0), fact(0, "plan"), hour=1)
    assert life.heard == ["opened"]


def test_what_ended_while_silenced_was_never_told():
    """Nobody is told of an incident that came and went within a silence."""
    life = Life(silences=[silence("model=churn", 0, 6)])
    life.feed(fact(0), hour=1)
    life.feed(fact(1, verdict="ok"), hour=2)
    life.feed(hour=7)
    assert [word for word, _ in life.history] == ["opened", "silenced", "resolved"]
    assert life.history[0][1]


@pytest.mark.parametrize(
    ("hour", "on"),
    [(20.9, False), (21, True), (23, True), (28.9, True), (29, False)],
)
def test_mute_times_are_local(hour, on):
    """`0 22 * * *` for 8 hours in Berlin is 21:00 to 05:00 UTC in winter."""
    night = MuteTime(
        name="night", cron="0 22 * * *", length=timedelta(hours=8), zone=ZoneInfo("Europe/Berlin")
    )
    assert night.is_on(at(hour)) is on


def muted_minutes(mute_time: MuteTime, first: datetime, hours: int) -> list[datetime]:
    minutes = [first + timedelta(minutes=minute) for minute in range(hours * 60)]
    return [minute for minute in minutes if mute_time.is_on(minute + timedelta(seconds=30))]


def test_adjoining_mute_times_leave_no_gap():
    """A time of an hour that begins each hour is on in every second."""
    hourly = MuteTime(name="hourly", cron="0 * * * *", length=HOUR, zone=ZoneInfo("UTC"))
    first = datetime(2026, 5, 1, tzinfo=UTC)
    assert len(muted_minutes(hourly, first, 3)) == 180


@pytest.mark.parametrize(
    ("cron", "minutes", "start", "count"),
    [
        ("30 2 * * *", 15, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 15),
        ("0 2 * * *", 45, datetime(2026, 10, 25, 0, 0, tzinfo=UTC), 45),
        ("0 22 * * *", 480, datetime(2026, 10, 24, 20, 0, tzinfo=UTC), 540),
        ("0 22 * * *", 480, datetime(2026, 3, 28, 21, 0, tzinfo=UTC), 420),
    ],
)
def test_a_mute_time_is_on_once_in_a_night_of_a_clock_change(cron, minutes, start, count):
    """In Berlin an hour is repeated or left out: the time begins once and ends by the local clock."""
    zone = ZoneInfo("Europe/Berlin")
    night = MuteTime(name="night", cron=cron, length=timedelta(minutes=minutes), zone=zone)
    on = muted_minutes(night, start - HOUR, 12)
    assert (on[0], len(on)) == (start, count)
    assert on[-1] - on[0] == timedelta(minutes=count - 1)


def test_the_end_of_a_silence_is_a_message():
    """An incident that was sent before a silence and is open after it is sent again."""
    life = Life()
    life.feed(fact(1), hour=2)
    life.quiet = replace(life.quiet, silences=[silence("", 2, 5)])
    life.feed(fact(2), hour=3)
    life.feed(fact(5), hour=6)
    assert life.heard == ["opened", "silenced", "told"]


def test_a_night_holds_warnings_until_morning():
    """A warning at night is told in the morning, once; what is critical is told at once."""
    night = MuteTime(
        name="night",
        cron="0 22 * * *",
        length=8 * HOUR,
        zone=ZoneInfo("UTC"),
        matchers=Matchers.parse("severity=info|warning"),
    )
    life = Life(mute_times=[night])
    life.feed(fact(22), hour=23)
    assert life.history == [("opened", "mute time night")]
    life.feed(fact(23), fact(23, "b", cause="service", severity=CRITICAL), hour=24)
    assert life.heard == ["opened"]
    life.feed(hour=30)
    assert life.heard == ["opened", "told"]


def no_rows(hour: int, verdict: str = "changed"):
    return fact(
        hour,
        cause="service",
        check="volume",
        measurement="rows_ratio",
        labels=(),
        verdict=verdict,
        reason="below 0.5",
        value=0.1,
    )


def test_a_missing_feed_inhibits_drift():
    """While rows are missing, drift is held with the incident that holds it; with the feed back it
    is told, if it drifts.
    """
    life = Life()
    life.feed(no_rows(0), fact(0), hour=1)
    held = [change for change in life.changes if change.hold]
    feed = next(change.incident.id for change in life.changes if change.incident.cause == "service")
    assert [(change.incident.cause, change.hold.text) for change in held] == [
        ("drift", f"inhibited by {feed}")
    ]
    life.feed(no_rows(1, "ok"), fact(1), hour=2)
    assert life.heard == ["opened", "resolved", "told"]


def test_drift_waits_for_a_loss_where_the_configuration_says_so():
    """With `unless`, drift alone sends no message; it is sent once the performance changes too."""
    inhibition = Inhibition(
        Matchers.parse("family=performance"), Matchers.parse("family=drift"), unless=True
    )
    life = Life(inhibitions=[inhibition])
    life.feed(fact(0), hour=1)
    assert [change.hold.text for change in life.changes] == [
        "no open incident matches family=performance"
    ]
    assert life.heard == []
    accuracy = altered(
        fact(1), cause="performance", check="performance", measurement="accuracy", labels=()
    )
    life.feed(fact(1), accuracy, hour=2)
    assert life.heard == ["told"]
    assert life.changes[-1].event is Event.OPENED


def test_too_many_rows_inhibit_nothing():
    """Only what is missing makes the rest doubtful."""
    life = Life()
    life.feed(altered(no_rows(0), reason="above 1.5"), fact(0), hour=1)
    assert life.heard == ["opened", "opened"]


def test_pages_are_capped_and_the_rest_is_one_digest():
    """Of nine critical incidents in a day two page; the others are in one digest, which ends when
    they all have.
    """
    life = Life(max_pages=2)
    for number in range(9):
        life.feed(fact(number * 8, f"c{number}", severity=CRITICAL), hour=number)
    paged = [change for change in life.changes if not change.hold and change.event == "opened"]
    assert [change.incident.cause for change in paged] == ["drift", "drift", "digest"]
    digest = life.changes[-1]
    assert digest.notification.title.startswith(
        "churn: 7 more critical incidents than the 2 sent in 24 hours: “c2”: values changed"
    )
    assert digest.notification.title == f"churn: {digest.incident.headline}"
    assert len(digest.incident.keys) == 7
    for number in range(9):
        life.feed(fact(90 + number, f"c{number}", "ok"), hour=20)
    assert life.changes[-1].reason.text == "all of them resolved"
    assert [change.incident.cause for change in life.changes].count("digest") == 8


def test_the_cap_is_of_any_24_hours():
    """A day after the first page there is room for another."""
    life = Life(max_pages=1)
    life.feed(fact(0, "a", severity=CRITICAL), hour=1)
    life.feed(fact(10, "b", severity=CRITICAL), hour=11)
    life.feed(fact(24, "c", severity=CRITICAL), hour=25)
    told = [change.incident.cause for change in life.changes if not change.hold]
    assert told == ["drift", "digest", "drift"]


def test_accepted_ends_for_good():
    """What is accepted as the new normal is over with author and reason, and its alerts are
    forgotten.
    """
    life = Life()
    life.feed(fact(0), hour=1)
    done = accept_incident(
        life.state,
        Act(
            id=1,
            kind=ActKind.ACCEPT,
            incident=life.incident,
            author="ada",
            reason="the new price list",
        ),
        at(2),
    )
    assert (done.state.alerts, done.state.incidents) == ({}, {})
    change = done.changes[0]
    assert (change.history_event, change.author, change.comment) == (
        "resolved",
        "ada",
        "the new price list",
    )
    assert change.notification.title.startswith(
        "churn: closed, accepted as the new normal: “age”: values changed"
    )


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("churn", "should be name=pattern"),
        ("a=1,a=2", "a=1|2"),
        ("severity=high", "info, warning or critical"),
        ("a=", "name="),
    ],
)
def test_matchers_that_cannot_be_read_say_how(text, mend):
    """A matcher that is not well formed is refused with the mend."""
    with pytest.raises(ValueError, match=re.escape(mend)):
        Matchers.parse(text)


def test_what_is_doubted_calls_for_no_action():
    """A silence and an inhibition hold actions, too; a mute time and the cap of pages only spare
    people.
    """
    plan = ActionPlan(name="retrain")
    night = MuteTime(name="night", cron="0 0 * * *", length=12 * HOUR, zone=ZoneInfo("UTC"))
    for quiet, calls in (
        ({}, True),
        ({"mute_times": [night]}, True),
        ({"max_pages": 0}, True),
        ({"silences": [silence("model=churn", 0, 9)]}, False),
    ):
        life = Life(**quiet)
        done = life.feed(fact(0, severity=CRITICAL), hour=1)
        assert (find_trigger(plan, done.changes[0]) is not None) is calls, quiet
    life = Life()
    done = life.feed(no_rows(0), fact(0, severity=CRITICAL), hour=1)
    assert [find_trigger(plan, change) for change in done.changes] == [None, None]
    done = life.feed(no_rows(1, "ok"), fact(1, severity=CRITICAL), hour=2)
    assert find_trigger(plan, done.changes[-1]) is not None, "once nothing holds it"
