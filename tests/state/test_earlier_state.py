"""A state that an earlier version wrote is read, shown and continued; see
tests/data/earlier_state/README.md.
"""

from __future__ import annotations

import gzip
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from earlier_scene import HOURS, START, write_folder, write_hour

from driftline.agent import composition_root
from driftline.cli.main import cli
from driftline.state import incidents, tables
from driftline.state.factory import open_store
from driftline.state.measurement_reader import Selection, read_measurements
from driftline.state.measurements import load_bound
from driftline.state.notification_json import (
    EARLIER_REASONS,
    dump_notification,
    parse_notification,
)
from driftline.telemetry.logs import make_log
from driftline.types.incident import Reason
from driftline.types.model import Bound, BoundSide

pytestmark = pytest.mark.system

STORED = Path(__file__).parent.parent / "data/earlier_state"
NOW = START + timedelta(hours=HOURS, minutes=20)
COMMANDS = {
    "status": ("status",),
    "incidents": ("incidents", "--all"),
    "silences": ("silences", "list"),
    "references": ("reference", "list"),
    "actions": ("actions", "list"),
}
"""The commands behind the stored outputs; `explain-WHAT` is of `explain WHAT`."""
ADDED = {"shop": (5, 0), "store": (5, 0), "late": (27, 28)}
"""Measurements and verdicts `unsure` of one hour that the earlier version did not have, by model.

Drift has `spread` and `category_share`, performance has `calibration_gap`. Performance judges four
metrics and `calibration_gap` in each of four segments, where it judged `drop` alone. The labels that
come later have `selection`, and rules of their own, in all rows and in each of three segments.
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scene with the stored state, at the time when it was stored."""
    monkeypatch.setattr(composition_root, "system_clock", lambda: NOW)
    write_folder(tmp_path)
    for hour in range(HOURS):
        write_hour(tmp_path, hour)
    content = gzip.decompress((STORED / "state.sqlite.gz").read_bytes())
    (tmp_path / "state.db").write_bytes(content)
    open_store("sqlite:///state.db", base=tmp_path).close()  # it migrates the state
    return tmp_path


def show(folder: Path, *arguments: str) -> Any:
    """What a command prints as JSON."""
    command = [*arguments, "--json", "-c", str(folder / "driftline.yaml")]
    result = CliRunner().invoke(cli, command, standalone_mode=False)
    assert result.exception is None or getattr(result.exception, "code", 2) in (0, 1), result.output
    return json.loads(result.output)


def stored(name: str) -> Any:
    """What the earlier version printed."""
    return json.loads((STORED / "outputs" / f"{name}.json").read_text())


def of_earlier(shown: Any, earlier: Any) -> Any:
    """What is shown, without the fields that the earlier version did not have."""
    if isinstance(shown, dict) and isinstance(earlier, dict):
        return {key: of_earlier(shown[key], earlier[key]) for key in shown.keys() & earlier.keys()}
    if isinstance(shown, list) and isinstance(earlier, list) and len(shown) == len(earlier):
        return [of_earlier(*pair) for pair in zip(shown, earlier, strict=True)]
    return shown


def test_the_commands_show_the_same_facts(folder):
    """Every field that the earlier version showed is there, with the same value."""
    for name, command in COMMANDS.items():
        earlier = stored(name)
        assert of_earlier(show(folder, *command), earlier) == earlier, name
    explained = sorted(path.stem for path in (STORED / "outputs").glob("explain-*"))
    assert len(explained) == 8
    for name in explained:
        shown, earlier = show(folder, "explain", name.removeprefix("explain-")), stored(name)
        assert of_earlier(shown, earlier) == earlier, name


def test_the_next_tick_continues(folder):
    """The agent reads the next hour like the earlier version did, and sends no message about what
    is already open.
    """
    now = NOW + timedelta(hours=1)
    write_hour(folder, HOURS)
    with composition_root.open_agent(
        composition_root.read_config(folder / "driftline.yaml"),
        clock=lambda: now,
        log=make_log(io.StringIO(), human=False),
        console=io.StringIO(),
        once=True,
    ) as agent:
        agent.recover()
        for model in ("shop", "store", "late"):
            report = agent.tick(model)
            assert not report.error
            assert (report.reading.objects, report.reading.rows) == (1, 120)
        for worker in agent.workers:
            worker.deliver_due(now)
    assert not (folder / "diary.jsonl").exists()
    status = stored("status-next")
    for model, (measurements, unsure) in ADDED.items():
        status["models"][model]["measurements"] += measurements
        status["models"][model]["verdicts"]["unsure"] += unsure
    assert of_earlier(show(folder, "status"), status) == status
    assert show(folder, "incidents", "--all") == stored("incidents-next")


def test_the_headline_of_an_earlier_incident_is_its_title(folder):
    """The earlier version stored no headline beside the title."""
    store = open_store("sqlite:///state.db", base=folder)
    with store.read() as connection:
        rows = incidents.load_incidents(connection)
    store.close()
    assert rows
    assert all(row.headline == row.title for row in rows)


def test_the_bound_of_an_earlier_measurement_is_in_its_reason(folder):
    """The earlier version had no columns for the bound."""
    store = open_store("sqlite:///state.db", base=folder)
    rows = []
    with store.read() as connection:
        for model in ADDED:
            selection = Selection(model=model)
            rows += read_measurements(connection, selection, verdicts=("changed",))
    store.close()
    assert rows
    assert {row.bound_side for row in rows} == {None}
    bounds = {load_bound(row.bound_side, row.bound_value, row.reason) for row in rows}
    assert Bound(BoundSide.ABOVE, 0.2) in bounds, bounds


def test_the_reason_of_an_earlier_message_is_read_from_its_sentence(folder):
    """Later versions up to this one stored the sentence where this one stores a short value."""
    store = open_store("sqlite:///state.db", base=folder)
    with store.read() as connection:
        facts = connection.execute(sa.select(tables.incident_events.c.facts)).scalars().all()
    store.close()
    reads = [parse_notification(text) for text in facts]
    assert {read.reason for read in reads} == {None}, "that version stored none"
    assert "first alert" in {read.reason_text for read in reads}
    for sentence, reason in EARLIER_REASONS.items():
        text = json.dumps({**json.loads(facts[0]), "reason": sentence})
        read = parse_notification(text)
        assert read.reason is reason
        assert json.loads(dump_notification(read))["reason"] == reason.value
        assert parse_notification(dump_notification(read)).reason is reason
    later = {Reason.FIRST_REPORT, Reason.DOUBLED, Reason.CLOCK}
    assert set(EARLIER_REASONS.values()) == set(Reason) - later
