"""What people do on the command line while an agent leads, on the same state."""

import json
from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep

import pytest
from click.testing import CliRunner
from receivers import PagerDutyReceiver
from station import START, Station

from driftline.agent import composition_root
from driftline.cli.main import _run, cli

pytestmark = [pytest.mark.postgres, pytest.mark.system]


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """The state of an agent whose model drifts since the hour 20, and which was stopped."""
    station = Station(tmp_path)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    with station.open():
        for hour in range(24):
            station.hour(
                hour,
                amount=(lambda row: row["amount"] + 30)
                if hour >= 20
                else (lambda row: row["amount"]),
            )
        tick(station, 24)
    return station


@pytest.fixture
def station(closed):
    """The same, at work."""
    with closed.open():
        yield closed


def tick(station: Station, hour: float) -> None:
    station.clock.now = START + timedelta(hours=hour, minutes=20)
    station.tick()


def drift(station: Station, hours: range, by: float = 30.0) -> None:
    for hour in hours:
        station.hour(hour, amount=lambda row: row["amount"] + by)


def run(station: Station, *args: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, [*args, "-c", str(station.config)], standalone_mode=False)
    given = done.return_value if done.exception is None else getattr(done.exception, "code", 2)
    assert (given or 0) == code, done.output + str(done.exception)
    return done.output + (str(done.exception) if code == 2 else "")


def incident(station: Station) -> str:
    return station.told()[-1]["incident"]


def history(station: Station) -> list[tuple]:
    query = (
        "select event, author, reason from incident_events where incident = '{}' order by revision"
    )
    return station.sql(query.format(incident(station)))


def test_an_acknowledgement_is_done_at_the_next_tick(station):
    """`ack` leaves a row; the agent does it in its next step, and author and reason are in the
    history.
    """
    name = incident(station)
    assert "when it next reads the source" in run(
        station, "ack", name[:8], "--author", "ada", "--reason", "looking"
    )
    assert [event for event, _, _ in history(station)] == ["opened"]
    tick(station, 24.1)
    assert history(station)[-1] == ("acknowledged", "ada", "looking")
    assert station.told()[-1]["facts"]["why"] == "acknowledged by ada: looking"
    listed = json.loads(run(station, "incidents", "--json", code=1))
    assert [(row["id"], row["acknowledged_by"]) for row in listed] == [(name, "ada")]
    assert "acknowledged by ada" in run(station, "incidents", code=1)
    shown = run(station, "explain", name)
    assert "ada: looking" in shown


def test_a_snooze_and_a_silence_hold_and_end(station):
    """Nothing is told while either is on; a silence that is ended early lets go at once."""
    run(station, "snooze", incident(station), "--for", "87600h", code=2)
    number = run(
        station,
        "silence",
        "model=shop,severity=critical",
        "--for",
        "2000d",
        "--author",
        "ada",
        code=2,
    )
    assert "a year" in number
    before = len(station.told())
    said = run(
        station,
        "silence",
        "family=drift",
        "--for",
        "300d",
        "--author",
        "ada",
        "--reason",
        "price change",
    )
    assert "silence 1 is stored" in said
    tick(station, 24.1)
    assert history(station)[-1][:2] == ("silenced", "ada")
    assert "family=drift  (ada: price change)" in run(station, "silences", "list")
    run(station, "silences", "expire", "1", "--author", "bob")
    run(station, "silences", "expire", "1", code=2)
    assert run(station, "silences", "list") == ""
    tick(station, 24.2)
    assert [note["event"] for note in station.told()[before:]] == ["silenced", "updated"]


def test_what_is_accepted_becomes_the_reference(station):
    """The windows since the change are the new reference, with author and reason; the incident
    ends, and stays away.
    """
    drift(station, range(24, 27))
    tick(station, 27)
    name = incident(station)
    run(station, "reference", "accept", name, "--author", "ada", "--reason", "new price list")
    tick(station, 27.1)
    over = station.told()[-1]
    assert (over["event"], over["facts"]["why"]) == (
        "resolved",
        "accepted as the new normal by ada: new price list",
    )
    [new, old] = json.loads(run(station, "reference", "list", "--json"))
    assert (new["number"], new["current"], old["accepted"]) == (2, True, None)
    assert new["rows"] == 7 * 400
    told = new["accepted"]
    assert (told["author"], told["reason"], told["incident"]) == ("ada", "new price list", name)
    assert "accepted by ada" in run(station, "reference", "list")
    drift(station, range(27, 32))
    tick(station, 32)
    assert station.told()[-1] == over, "what is normal now is no news"
    drift(station, range(32, 35), by=90.0)
    tick(station, 35)
    assert station.told()[-1]["event"] == "opened"


def test_what_is_accepted_survives_a_restart(closed):
    """Asked while no agent runs, done by the next one, and what the one after that compares
    with.
    """
    station = closed
    run(station, "reference", "accept", incident(station), "--author", "ada")
    with station.open():
        tick(station, 24.1)
    with station.open():
        drift(station, range(24, 28))
        tick(station, 28)
        assert station.told()[-1]["event"] == "resolved"
        assert station.sql("select count(*) from reference_profiles") == [(2,)]


def test_only_drift_can_be_the_new_normal(station):
    """Unreadable records are not measured against the reference: the act comes back with the
    reason, and nothing ends.
    """
    (station.folder / "log" / "0024.jsonl").write_text("no json\n" * 50)
    tick(station, 25)
    trouble = next(note["incident"] for note in station.told() if note["cause"] == "monitoring")
    run(station, "reference", "accept", trouble, "--author", "ada")
    tick(station, 25.1)
    [(outcome,)] = station.sql("select outcome from acts")
    assert "only drift can be the new normal" in outcome


def test_mistakes_are_told_in_a_line(station, capsys):
    """An incident that is not there, a matcher that can't be read, and no author are refused at
    once.
    """
    assert "there is no incident nope" in run(station, "ack", "nope", code=2)
    assert "should be name=pattern" in run(station, "silence", "shop", "--for", "1h", code=2)
    assert "needs an author" in run(station, "ack", incident(station), "--author", " ", code=2)
    assert _run(["ack", "nope", "-c", str(station.config)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_pagerduty_shows_an_accepted_reference_as_a_change(tmp_path, monkeypatch):
    """`driftline reference accept` closes the alert there and shows the new reference as a change
    event; the agent's own worker sends both, from the database.
    """
    station = Station(tmp_path)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    monkeypatch.setenv("PAGERDUTY_KEY", "0" * 32)
    with PagerDutyReceiver() as receiver:
        options = f'{{routing_key: "${{env:PAGERDUTY_KEY}}", url: "{receiver.url}"}}'
        sink = f"  oncall: {{type: pagerduty, allow_private: true, options: {options}}}\n"
        station.config.write_text(station.config.read_text() + sink)
        for hour in range(20):
            station.hour(hour)
        drift(station, range(20, 27))
        with station.open():
            tick(station, 27)
            wait_until(lambda: receiver.accepted)
            name = incident(station)
            run(station, "reference", "accept", name, "--author", "ada", "--reason", "new prices")
            tick(station, 27.1)
            wait_until(lambda: receiver.changes)
    assert [(alert.key, alert.status) for alert in receiver.accepted] == [(name, "resolved")]
    assert [change["payload"]["summary"] for change in receiver.changes] == [
        "shop: reference replaced"
    ]


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what the threads of the agent do."""
    end = monotonic() + 90
    while not condition():
        assert monotonic() < end
        sleep(0.02)
