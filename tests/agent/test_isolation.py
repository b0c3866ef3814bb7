"""A plugin that raises, hangs or gives nonsense is shown, and costs only itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import DIARY, MODEL, START, Station

from driftline.agent.services import Timeouts

pytestmark = pytest.mark.system

SHORT = Timeouts(check=2, listing=5, reading=5, probe=5)
HANG = "__import__('threading').Event().wait(20)"
PLUGIN = '''
from driftline import Check, Format, LogObject, Measurement, Sink, Source, hookimpl
from datetime import datetime, timezone
import io

class BadCheck(Check):
    """Misbehaves."""
    type = "bad"
    def evaluate(self, ctx):
        {check}

class BadSource(Source):
    """Misbehaves."""
    type = "bad"
    def discover(self, ctx):
        {discover}
    def open(self, obj, start=0):
        {open}

class BadFormat(Format):
    """Misbehaves."""
    type = "bad"
    def decode(self, stream, ctx):
        {decode}

class BadSink(Sink):
    """Misbehaves."""
    type = "bad"
    def send(self, notification):
        {send}

@hookimpl
def register_checks(): return [BadCheck]
@hookimpl
def register_sources(): return [BadSource]
@hookimpl
def register_formats(): return [BadFormat]
@hookimpl
def register_sinks(): return [BadSink]
@hookimpl
def on_window_closed(model, window):
    {hook}
'''
OTHER = """
  other:
    source: {{type: bad, options: {{format: FORMAT}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
"""
FINE = {
    "check": "yield Measurement(1.0)",
    "discover": 'yield LogObject(uri="bad://1", version="1", size=3, modified=datetime(2026, 5, 1, tzinfo=timezone.utc))',
    "open": 'return io.BytesIO(b"{}\\n")',
    "decode": "yield from ()",
    "send": "return None",
    "hook": "pass",
}


def station(tmp_path, **bad: str) -> Station:
    made = Station(tmp_path, plugins=DIARY)
    (tmp_path / "plugs" / "bad.py").write_text(PLUGIN.format(**(FINE | bad)))
    for hour in range(3):
        made.hour(hour, amount=lambda row: row["amount"] + 40)
    made.clock.now = START + timedelta(hours=3, minutes=20)
    return made


def trouble(made: Station, model: str = "shop") -> list[str]:
    return [
        note["title"]
        for note in made.told()
        if note["cause"] == "monitoring" and note["model"] == model
    ]


CHECKS = {
    "raises": "raise RuntimeError('it broke')",
    "hangs": HANG,
    "gives nonsense": "yield 'nonsense'",
    "gives NaN": "yield Measurement(float('nan'))",
    "gives one twice": "yield Measurement(1.0); yield Measurement(2.0)",
    "gives nothing iterable": "return 5",
}


@pytest.mark.parametrize("body", CHECKS.values(), ids=CHECKS.keys())
def test_a_bad_check_costs_only_itself(tmp_path, body):
    """Its verdict is `error`, its trouble an incident; the other checks judge the same windows."""
    made = station(tmp_path, check=body)
    made.configure(MODEL + "      mine: {{type: bad, rule: {{above: {{warning: 5}}}}}}\n")
    with made.open(SHORT):
        report = made.tick()
        assert report.closing.windows == 3
        assert made.summary()["verdicts"]["error"] == 3
        assert made.events("drift") == ["opened"]
        assert len(trouble(made)) == 1
        assert "mine" in trouble(made)[0]


SOURCES = {
    "raises": {"discover": "raise RuntimeError('it broke')"},
    "hangs": {"discover": HANG},
    "gives nonsense": {"discover": "yield 'nonsense'"},
    "hangs when opened": {"open": HANG},
    "raises when opened": {"open": "raise OSError('no route')"},
}


@pytest.mark.parametrize("bad", SOURCES.values(), ids=SOURCES.keys())
def test_a_bad_source_costs_only_its_model(tmp_path, bad):
    """The model it feeds has a monitoring incident and keeps its windows open; the other model goes
    on.
    """
    made = station(tmp_path, **bad)
    other = OTHER.replace("FORMAT", "jsonl")
    made.configure(MODEL + other)
    with made.open(SHORT):
        assert made.tick("other").closing.windows == 0
        assert made.tick("shop").closing.windows == 3
        assert len(trouble(made, "other")) == 1
        assert trouble(made, "shop") == []


FORMATS = {
    "raises": "raise RuntimeError('it broke'); yield",
    "hangs": HANG + "; yield",
    "gives nonsense": "yield 'nonsense'",
}


@pytest.mark.parametrize("body", FORMATS.values(), ids=FORMATS.keys())
def test_a_bad_format_quarantines_or_waits(tmp_path, body):
    """The objects it can't decode are shown with the reason; the other model goes on."""
    made = station(tmp_path, decode=body)
    other = OTHER.replace("FORMAT", "bad")
    made.configure(MODEL + other)
    with made.open(SHORT):
        made.tick("other")
        assert made.tick("shop").closing.windows == 3
        assert len(trouble(made, "other")) == 1
        assert made.summary("other")["rows"] == 0


SINKS = {
    "raises": "raise RuntimeError('it broke')",
    "hangs": HANG,
    "gives nonsense": "return object()",
}


@pytest.mark.parametrize("body", SINKS.values(), ids=SINKS.keys())
def test_a_bad_sink_costs_only_itself(tmp_path, body):
    """The other sink is told everything, and what the bad one did not take stays in the outbox."""
    made = station(tmp_path, send=body)
    made.config.write_text(made.config.read_text() + "  bad: {type: bad}\n")
    with made.open(SHORT):
        for worker in made.agent.workers:
            worker.policy = type(worker.policy)(overdue=2.0)
        made.tick()
        assert made.events("drift") == ["opened"]
        states = dict(made.sql("select sink || ' ' || state, count(*) from outbox group by 1"))
        assert states.get("diary sent", 0) >= 1
        if "object" not in body:
            assert states.get("bad sent", 0) == 0


@pytest.mark.parametrize("body", ["raise RuntimeError('it broke')", "return object()"])
def test_a_bad_listener_costs_only_itself(tmp_path, body):
    """An announcement that fails changes nothing."""
    made = station(tmp_path, hook=body)
    with made.open(SHORT):
        assert made.tick().closing.windows == 3
        assert made.events("drift") == ["opened"]


def test_a_source_that_is_down_loses_nothing(tmp_path):
    """While it is down there is one incident about monitoring; once it is back everything is read,
    and the incident ends.
    """
    made = station(tmp_path)
    log = tmp_path / "log"
    away = log.rename(tmp_path / "away")
    with made.open(SHORT):
        for _ in range(3):
            made.clock.now += timedelta(minutes=1)
            assert made.tick().error
        assert made.events("monitoring") == ["opened"]
        away.rename(log)
        made.clock.now += timedelta(minutes=1)
        assert made.tick().closing.windows == 3
        assert made.events("monitoring") == ["opened", "resolved"]
        assert made.summary()["rows"] == 1200
