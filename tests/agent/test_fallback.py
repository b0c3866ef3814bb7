"""When a sink refuses, or is dead: the fallback of the route is told in its place, and hears of the
end.
"""

import json
from datetime import timedelta

import pytest
from station import DIARY, MODEL, START, Station

from driftline.agent import composition_root
from driftline.cli.main import main

pytestmark = [pytest.mark.postgres, pytest.mark.system]

BAD = '''
from datetime import timedelta
from pathlib import Path
from driftline import Rejected, Retryable, Sink, Throttled, hookimpl

class Bad(Sink):
    """Takes nothing while there is a file that says why."""
    type = "bad"
    repeat = "deduplicates"
    pace = 0.0
    why: str
    """The file."""
    def send(self, notification):
        if Path(self.why).exists():
            kind = {"refuse": Rejected, "dead": Retryable, "rest": Throttled}[Path(self.why).read_text()]
            raise kind("no", not_before=self.context.clock() + timedelta(hours=3)) if kind is Throttled else kind("no")
        with Path(self.why + ".told").open("a") as file:
            file.write(notification.model_dump_json() + "\\n")
'''
PLUGINS = BAD + DIARY.replace("return [Diary]", "return [Diary, Bad]")


@pytest.mark.parametrize("why", ["refuse", "dead"])
def test_the_fallback_is_told_in_place_of_a_sink_that_takes_nothing(tmp_path, why):
    """It gets the opening with the reason, later the end; a sink that was only dead gets its own
    messages when it is back.
    """
    station = Station(tmp_path, MODEL, plugins=PLUGINS)
    sinks = f"  bad: {{type: bad, options: {{why: {tmp_path}/why}}}}\nroutes: {{sinks: [bad], fallback: [diary]}}\n"
    station.config.write_text(station.config.read_text() + sinks)
    (tmp_path / "why").write_text(why)
    for hour in range(8):
        station.hour(
            hour, amount=lambda row, hour=hour: row["amount"] + (100 if 2 <= hour < 5 else 0)
        )
    with station.open():
        for hour in range(3, 6):
            station.clock.now = START + timedelta(hours=hour, minutes=20)
            for _ in range(8):
                station.tick()
                station.clock.now += timedelta(minutes=5)
        told = [note for note in station.told() if note["cause"] == "drift"]
        assert [note["event"] for note in told][:1] == ["opened"]
        assert told[0]["facts"]["sent here because"] == "bad took no message"
        (tmp_path / "why").unlink()
        for hour in range(6, 12):
            station.clock.now = START + timedelta(hours=hour, minutes=20)
            station.tick()
    drift = [note for note in station.told() if note["cause"] == "drift"]
    assert drift[-1]["event"] == "resolved"
    late = [json.loads(line) for line in (tmp_path / "why.told").read_text().splitlines()]
    assert "resolved" in {note["event"] for note in late if note["cause"] == "drift"}
    assert len({(note["incident"], note["revision"]) for note in station.told()}) == len(
        station.told()
    )


def test_a_receiver_that_asks_for_hours_is_left_alone_and_its_fallback_told(tmp_path):
    """Asked once, never before the time it named; the fallback hears of the incident and of the
    pause, and of its end.
    """
    calm = MODEL + "  calm:" + MODEL + "    notify: [diary]\n"
    station = Station(tmp_path, calm, plugins=PLUGINS)
    sinks = f"  bad: {{type: bad, options: {{why: {tmp_path}/why}}}}\nroutes: {{sinks: [bad], fallback: [diary]}}\n"
    station.config.write_text(station.config.read_text() + sinks)
    (tmp_path / "why").write_text("rest")
    for hour in range(8):
        station.hour(hour, amount=lambda row, hour=hour: row["amount"] + (100 if hour >= 2 else 0))
    station.clock.now = START + timedelta(hours=4, minutes=20)
    with station.open():
        station.tick()
        for _ in range(2):
            station.clock.now += timedelta(minutes=1)
            station.tick()
            station.agent.tick("calm")
        [drift] = [
            note for note in station.told() if note["cause"] == "drift" and note["model"] == "shop"
        ]
        assert (drift["event"], drift["facts"]["sent here because"]) == (
            "opened",
            "bad took no message",
        )
        assert not (tmp_path / "why.told").exists()
        (tmp_path / "why").unlink()
        station.clock.now += timedelta(hours=2)
        station.tick()
        assert not (tmp_path / "why.told").exists(), "not before the time"
        station.clock.now += timedelta(hours=1, minutes=1)
        station.tick()
        station.tick()
    told = [json.loads(line) for line in (tmp_path / "why.told").read_text().splitlines()]
    assert "drift" in {note["cause"] for note in told}
    rest = [note for note in station.told() if note["cause"] == "monitoring"]
    assert [(note["event"], note["model"]) for note in rest] == [
        ("opened", "shop"),
        ("resolved", "shop"),
    ], "not the other model"
    assert "gets no message before 2026-05-01 07:2" in rest[0]["title"]


def ended(command: list[str]) -> object:
    with pytest.raises(SystemExit) as end:
        main(command)
    return end.value.code


def test_dead_letters_are_sent_again_by_hand(tmp_path, capsys, monkeypatch):
    """Once the sink is mended, by the agent at work; without any, nothing happens, and a wrong name
    is a mistake.
    """
    station = Station(tmp_path, MODEL, plugins=PLUGINS)
    sinks = f"  bad: {{type: bad, options: {{why: {tmp_path}/why}}}}\n"
    station.config.write_text(station.config.read_text() + sinks)
    (tmp_path / "why").write_text("refuse")
    for hour in range(4):
        station.hour(hour, amount=lambda row, hour=hour: row["amount"] + (100 if hour >= 2 else 0))
    station.clock.now = START + timedelta(hours=4, minutes=20)
    monkeypatch.setattr(composition_root, "system_clock", station.clock)
    again = ["notify", "again", "bad", "--json", "-c", str(station.config)]
    with station.open():
        station.tick()
        (tmp_path / "why").unlink()
        assert ended(again) == 0
        titles = json.loads(capsys.readouterr().out)["again"]
        station.tick()
    assert titles
    told = [json.loads(line)["title"] for line in (tmp_path / "why.told").read_text().splitlines()]
    assert set(titles) <= set(told)
    assert ended(again) == 0
    assert json.loads(capsys.readouterr().out) == {"sink": "bad", "again": [], "out_of_date": 0}
    assert ended([*again[:2], "nobody", *again[3:]]) == 2
    assert "there are: diary, bad" in capsys.readouterr().err
