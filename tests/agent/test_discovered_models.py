"""A pattern of 50 endpoints: models appear and end with their folders, one has its own settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import databases
import pytest
from click.testing import CliRunner
from run_commands import run_once, show_status

from driftline.agent.composition_root import make_guard, open_store, read_config
from driftline.agent.discovery import GONE_AFTER, discover_models
from driftline.cli.main import cli
from driftline.telemetry.logs import make_log

pytestmark = [pytest.mark.postgres, pytest.mark.system]

CONFIG = """\
version: 1
agent: {{state: "{state}", http: null, workers: 2, every: 1s}}
x-windows: &hourly {{length: 1h, backfill: null, notify_within: null}}
defaults:
  first_report: false
  schema: {{timestamp: t, features: {{age: numeric}}}}
  checks: {{volume: {{type: volume}}}}
models:
  "prod-{{endpoint}}":
    source: {{type: local, options: {{path: "captures/{{endpoint}}", format: csv}}}}
    windows: *hourly
  prod-e7:
    windows: {{<<: *hourly, length: 6h}}
"""
NOW = datetime(2026, 5, 2, tzinfo=UTC)


def configure(folder):
    path = folder / "driftline.yaml"
    path.write_text(CONFIG.format(state=databases.of(folder)))
    for number in range(50):
        add_endpoint(folder, f"e{number}")
    return path


def add_endpoint(folder, name):
    captures = folder / "captures" / name
    captures.mkdir(parents=True)
    rows = [
        f"{NOW - timedelta(hours=12) + timedelta(minutes=10 * n):%Y-%m-%dT%H:%M:%SZ},{n}"
        for n in range(60)
    ]
    (captures / "log.csv").write_text("\n".join(["t,age", *rows]) + "\n")


def look(path, now):
    """List the folders once; return whether models changed, and the configuration then."""
    config = read_config(path)
    store = open_store(config.agent.state, base=path.parent)
    log = make_log()
    changed = discover_models(
        config, store, guard=make_guard(lambda: now), clock=lambda: now, log=log
    )
    store.close()
    return changed, read_config(path)


def test_models_appear_and_end_with_their_folders(tmp_path):
    """A folder that is missing keeps its model for a day; one with own settings is kept."""
    path = configure(tmp_path)
    changed, config = look(path, NOW)
    assert changed
    assert set(config.models) == {f"prod-e{n}" for n in range(50)}
    assert config.models["prod-e7"].windows.length == timedelta(hours=6)
    assert config.models["prod-e8"].windows.length == timedelta(hours=1)
    add_endpoint(tmp_path, "new")
    shutil.rmtree(tmp_path / "captures/e3")
    shutil.rmtree(tmp_path / "captures/e7")
    changed, config = look(path, NOW + timedelta(minutes=1))
    assert changed
    assert {"prod-new", "prod-e3"} <= set(config.models)
    changed, config = look(path, NOW + GONE_AFTER + timedelta(minutes=2))
    assert changed
    assert set(config.models) == {f"prod-e{n}" for n in range(50) if n != 3} | {"prod-new"}
    assert not look(path, NOW + GONE_AFTER + timedelta(minutes=3))[0]


def test_a_listing_that_fails_changes_nothing(tmp_path):
    """The folder of all endpoints is away, such as a share that is not mounted."""
    path = configure(tmp_path)
    look(path, NOW)
    (tmp_path / "captures").rename(tmp_path / "away")
    changed, config = look(path, NOW + 2 * GONE_AFTER)
    assert not changed
    assert len(config.models) == 50


def test_folders_that_are_no_names_are_left_out(tmp_path):
    """Such as those that tools make for themselves."""
    path = configure(tmp_path)
    for name in ("_temporary", ".hidden", "a+b"):
        (tmp_path / "captures" / name).mkdir()
    (tmp_path / "captures/file").write_text("")
    names = set(look(path, NOW)[1].models)
    assert names - {"prod-_temporary"} == {f"prod-e{n}" for n in range(50)}


def test_commands_know_the_models_of_a_pattern(tmp_path):
    """One pass finds and reads them; status, config show and validate agree on them."""
    path = configure(tmp_path)
    for number in range(10, 50):
        shutil.rmtree(tmp_path / f"captures/e{number}")

    def run(*args):
        return CliRunner().invoke(cli, [*args, "-c", str(path)], standalone_mode=False)

    assert "1 model," in run("validate").output
    _, report = run_once(path)
    assert set(report["models"]) == {f"prod-e{n}" for n in range(10)}
    assert all(model["rows"] == 60 for model in report["models"].values())
    assert set(show_status(path)["models"]) == set(report["models"])
    settings = json.loads(run("config", "show", "--json").stdout)
    origins = {setting["name"]: setting["origin"].rpartition(":")[2] for setting in settings}
    assert origins["models.prod-e8.windows.length"] == "3"
    assert origins["models.prod-e7.windows.length"] == "13"
    assert origins["models.prod-e7.windows.notify_within"] == "3"
    assert origins["models.prod-e7.schema.timestamp"] == "6"


@pytest.mark.slow
def test_fifty_endpoints_are_read_and_shown_with_their_origins(tmp_path):
    """One more appears, one disappears, and one has its own settings; each row is counted once."""
    path = configure(tmp_path)
    _, report = run_once(path)
    assert set(report["models"]) == {f"prod-e{n}" for n in range(50)}
    assert {model["rows"] for model in report["models"].values()} == {60}
    add_endpoint(tmp_path, "new")
    shutil.rmtree(tmp_path / "captures/e3")
    run_once(path)
    status = show_status(path)["models"]
    assert status["prod-new"]["rows"] == 60
    assert {model["rows"] for model in status.values()} == {60}
    shown = CliRunner().invoke(cli, ["config", "show", "--json", "-c", str(path)])
    lengths = {
        setting["name"].split(".")[1]: (setting["value"], setting["origin"].rpartition(":")[2])
        for setting in json.loads(shown.stdout)
        if setting["name"].endswith(".windows.length")
    }
    assert lengths.pop("prod-e7") == ("6h", "13")
    assert set(lengths.values()) == {("1h", "3")}
    assert len(lengths) >= 50


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length: 1h,", "lenght: 1h,", "3:21: "),
        ("{length: 6h}", "{length: six}", "13:"),
        ("length: 6h}", "length: 6h, lateness: no}", "13:"),
        ("{volume: {type: volume}}", "{volume: {type: volum}}", "7:"),
        ("<<: *hourly", "<<: *daily", "13:"),
        ("format: csv", "format: cvs", "10:"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, old, new, message):
    """In merged settings, in those of one model, in the defaults and in the pattern."""
    path = configure(tmp_path)
    text = path.read_text()
    if old == "{length: 6h}":
        old, new = "length: 6h", "length: six"
    assert old in text
    path.write_text(text.replace(old, new))
    done = CliRunner().invoke(cli, ["validate", "-c", str(path)], standalone_mode=False)
    shown = done.output + str(done.exception)
    assert f"driftline.yaml:{message}" in shown, shown


@pytest.mark.slow
def test_a_daemon_starts_to_watch_an_endpoint_that_appears(tmp_path):
    """Without a signal, at its next look."""
    path = configure(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "driftline", "run", "-c", str(path)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(5)
        add_endpoint(tmp_path, "late")
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            time.sleep(2)
            models = show_status(path)["models"]
            if models.get("prod-late", {}).get("rows") == 60:
                break
        else:
            pytest.fail("the endpoint that appeared is not watched")
    finally:
        process.terminate()
        process.communicate(timeout=120)
