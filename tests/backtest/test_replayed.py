"""A backtest of what an agent judged: the same alarms, from the same windows, by any number of
processes, and the command.
"""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest
from judged_weeks import DAYS, MODELS, SHIFTED, made, past
from station import START, Station

from driftline.backtest import measure_history
from driftline.backtest.run_backtest import run_backtest
from driftline.backtest.score import KnownIncident, alarms_of
from driftline.cli.main import main
from driftline.state.factory import open_store
from driftline.types.errors import StateError
from driftline.types.model import Severity

pytestmark = pytest.mark.system

STILL = lambda *told: None  # noqa: E731


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """One for all: nothing here writes to its state."""
    return made(tmp_path_factory.mktemp("remembered"))


def alarms(of, processes=1):
    return alarms_of(of.replay(of.measure(STILL, processes), of.policy), of.lateness)


def told_by_agent(station, model):
    """Of each incident: opening window, cause, title, worst severity, columns, end; oldest
    first.
    """
    found = {}
    for note in station.told():
        if note["model"] == model:
            found.setdefault(note["incident"], []).append(note)
    rows = []
    for notes in found.values():
        [first] = [note for note in notes if note["event"] == "opened"]
        firing = [alert for note in notes for alert in note["alerts"] if alert["state"] == "firing"]
        [*_, resolved] = [
            None,
            *(note["resolved_at"] for note in notes if note["event"] == "resolved"),
        ]
        rows.append((
            first["window"][0], first["cause"], subject(first["title"]), max(Severity(n["severity"]) for n in notes).value,
            {alert["labels"].get("column", "") for alert in firing}, resolved,
        ))  # fmt: skip
    return sorted(rows, key=lambda row: row[:2])


def subject(title):
    """But for the numbers of a mean: a backtest keeps no details of what its past judges."""
    return title if "mean" not in title else (title.split()[:2], title.partition(" since ")[2][:20])


def told_by_backtest(found):
    when = lambda at: None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"  # noqa: E731
    rows = [
        (
            when(one.start), one.cause, subject(one.title), one.severity.value,
            {name for _, name in one.column_times}, when(one.resolved_at),
        )
        for one in found
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row[:2])


@pytest.mark.slow
def test_the_alarms_are_those_of_the_agent(station):
    """A shift, few rows by the history of volume, and a missing rate: each opens, says, escalates
    and ends as it did.
    """
    expected = told_by_agent(station, "shop")
    assert [row[1] for row in expected] == ["drift", "service", "quality"]
    assert told_by_backtest(alarms(past(station))) == expected


def test_the_alarms_are_those_of_the_agent_by_version_and_segment(station):
    """Two versions, the second of which comes later, two segments of each, and an EWMA chart beside
    the usual.
    """
    expected = told_by_agent(station, "parts")
    assert [row[1] for row in expected] == ["drift", "drift", "service"]
    found = alarms(past(station, "parts"))
    assert told_by_backtest(found) == expected
    assert {check for one in found for check in one.checks} == {"drift", "creeping", "volume"}


@pytest.mark.slow
def test_two_processes_give_what_one_gives(station, monkeypatch):
    """To the last bit, though the second has to ask for the windows before its own."""
    monkeypatch.setattr(measure_history, "MIN_GROUPS", DAYS // 2)
    of = past(station, "parts")
    one, two = of.measure(STILL, 1), of.measure(STILL, 2)
    assert [w.series for w in one] == [w.series for w in two]
    assert [w.judgements for w in one] == [w.judgements for w in two]
    for mine, other in zip(one, two, strict=True):
        np.testing.assert_array_equal(mine.numbers, other.numbers)
    known = [KnownIncident(START, START + timedelta(days=1))]
    told = [
        run_backtest(of, known, shuffles=6, tune=False, processes=count, progress=STILL).as_json
        for count in (1, 2)
    ]
    assert told[0] == told[1]


def test_an_alarm_from_before_is_none_of_the_span(station):
    """Judged from the midst of the shift on, its end is not taken for an alarm, and the windows
    before are learnt from.
    """
    of = past(station, since=START + timedelta(days=SHIFTED[-3]))
    assert [one.cause for one in alarms(of)] == ["service", "quality"]
    found = run_backtest(of, [], shuffles=0, tune=False, processes=1, progress=STILL).as_json
    assert (found["windows"], found["learnt_from"]) == (DAYS - SHIFTED[-3], SHIFTED[-3])
    assert past(station, until=START + timedelta(days=10)).until == START + timedelta(days=10)


def test_windows_kept_only_as_days_are_counted_and_left_out(tmp_path):
    """After 30 days a window has no profile of its own; where none is left, the message names the
    setting.
    """
    station = Station(
        tmp_path, MODELS.partition("  parts:")[0].replace("      drift: {{type: drift}}\n", "")
    )
    station.write("reference.jsonl", START - timedelta(days=1), timedelta(days=1), 100, fee=1.0)
    for number in range(40):
        station.write(
            f"log/{number}.jsonl", START + timedelta(days=number), timedelta(days=1), 10, fee=1.0
        )
    with pytest.raises(StateError, match="there is no state yet: start `driftline run` first"):
        past(station)
    station.clock.now = START + timedelta(days=40, minutes=20)
    with station.open():
        station.tick()
        station.clock.now += timedelta(hours=2)
        station.tick()
    of = past(station)
    assert of.missing_windows in (9, 10)
    assert len(of.groups) == 40 - of.missing_windows
    with pytest.raises(
        StateError,
        match=r"of 5 windows from 2026-05-01 to 2026-05-06 none .*agent\.keep\.profiles_hourly",
    ):
        past(station, until=START + timedelta(days=5))
    station.config.write_text(station.config.read_text().replace("reference.jsonl", "other.jsonl"))
    station.write("other.jsonl", START - timedelta(days=1), timedelta(days=1), 50, fee=1.0)
    with pytest.raises(StateError, match=r"another reference.*driftline run --once"):
        past(station)


def test_a_state_without_windows_says_what_to_do(tmp_path):
    """The agent was never there."""
    station = Station(tmp_path)
    open_store(f"sqlite:///{tmp_path}/state.db").close()
    with pytest.raises(
        StateError, match="no windows are stored yet; `driftline run --once` reads the log"
    ):
        past(station)


@pytest.fixture
def command(station, capsys):
    """Run `driftline backtest ...`: exit code, standard output and error."""

    def run(*args):
        with pytest.raises(SystemExit) as left:
            main(["backtest", "-c", *map(str, (station.config, *args))])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return run


@pytest.mark.slow
def test_the_page_shows_days_alarms_and_what_was_known(command, tmp_path):
    """A month a line, the alarms with their begin and length, the table beside never and always,
    and the picture.
    """
    first, after = (START + timedelta(days=day) for day in (SHIFTED[0], SHIFTED[-1] + 1))
    (tmp_path / "known.csv").write_text(
        f"start,end,columns,note\n{first:%Y-%m-%d},{after:%Y-%m-%d},amount,new tariff\n"
        "2026-06-25,2026-07-08,fee,a form without it\n"
    )
    options = (
        "--incidents",
        tmp_path / "known.csv",
        "--shuffles",
        2,
        "--chart",
        tmp_path / "chart.svg",
        "--tune",
    )
    code, out, err = command("shop", *options)
    assert (code, err) == (0, ""), err
    assert f"shop: {DAYS} windows of 1 d from 2026-05-01 00:00 to 2026-07-08 00:00 UTC" in out
    lines = out.splitlines()
    [june] = [place for place, line in enumerate(lines) if line.startswith("Jun 2026")]
    assert lines[june][9:39] == "·" * 13 + "■" * 10 + "·" + "■■" + "···" + "■"
    assert lines[june + 1][9:39].rstrip() == " " * 11 + "^" * 10 + " " * 3 + "^" * 6
    assert "3 alarms, 16.11 a year" in out
    assert "known    2026-06-12 00:00  amount (new tariff): found after 3 d 15 min" in out
    table = {line.split("  ")[0].strip(): line.split() for line in lines}
    assert table["this configuration"][2:8] == ["2", "of", "2", "3", "1", "4"]
    assert table["never alarm"][2:] == ["0", "of", "2", "0", "0"]
    assert table["always alarm"][2:] == ["2", "of", "2", "68", "44", "1", "d", "15", "min"]
    assert "Shuffled, so that nothing changes:" in out
    assert "false_pages_per_year  alarms" in out
    assert "amount drifts since" not in (tmp_path / "chart.svg").read_text()
    assert "<svg" in (tmp_path / "chart.svg").read_text()


def test_programs_get_the_same_as_one_object(command, tmp_path):
    """With all alarms, and counts by check, weekday, hour and month."""
    code, out, err = command("shop", "--json", "--shuffles", 0, "--chart", tmp_path / "chart.png")
    told = json.loads(out)
    assert (code, err, told["windows"], told["not_kept"]) == (0, "", DAYS, 0)
    assert [one["columns"] for one in told["alarms"]] == [["amount"], [], ["fee"]]
    assert told["alarms"][2]["resolved"] is None
    assert told["by_check"]["missing"] == {"info": 0, "warning": 1, "critical": 0}
    assert sum(told["by_weekday"].values()) == sum(told["by_month"].values()) == 3
    assert told["by_hour"] == {"0": 3}
    assert "shuffled" not in told
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_told_before_anything_is_measured(command, tmp_path):
    """With the mend: the models there are, what a time looks like, which pictures can be drawn."""
    for args, said in (
        (["shap"], "there is no model 'shap'; models are: shop, parts"),
        (["shop", "--from", "yesterday"], "--from yesterday: should be a time such as 2026-03-02"),
        (["--chart", "x.svg"], "--chart draws one model only: name it"),
        (
            ["--tune", "--shuffles", "0"],
            "--tune needs shuffled history: give --shuffles 1 or more",
        ),
        (
            ["shop", "--chart", tmp_path / "x.gif"],
            "x.gif: the name should end in one of .svg, .png, .pdf",
        ),
    ):
        code, out, err = command(*args)
        assert (code, out) == (3 if "x.gif" in said else 2, ""), args
        assert said in err
        assert "Traceback" not in err


NOISY = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema: {{timestamp: t, id: id, features: {{amount: numeric}}}}
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1d, lateness: 15m}}
    checks: {{drift: {{type: drift, rule: {{measurement: mean_shift, unusual: {{}}}}}}}}
"""


@pytest.mark.slow
def test_a_column_that_must_not_page_is_named_and_ends_with_1(tmp_path, capsys):
    """A mean that jumps on some days, the further the rarer; the proposal, taken over, holds the
    column.
    """
    noisy, rng = Station(tmp_path), np.random.default_rng(3)
    noisy.configure(NOISY, ", keep: {profiles_hourly: 400d}")
    wobble = rng.normal(0, 1, 120) + 15 * rng.choice([-1, 1], 120) / rng.random(120) * (
        rng.random(120) < 0.3
    )
    for number, far in enumerate(wobble.tolist()):
        at = START + timedelta(days=number)
        noisy.write(
            f"log/{number:03d}.jsonl",
            at,
            timedelta(days=1),
            100,
            amount=lambda row, far=far: row["amount"] + far,
        )
    noisy.clock.now = START + timedelta(days=120, minutes=20)
    with noisy.open():
        noisy.tick()

    def command(*options):
        with pytest.raises(SystemExit) as left:
            main(["backtest", "-c", str(noisy.config), "--shuffles", "20", *options])
        return left.value.code, capsys.readouterr().out

    code, told = command("--tune")
    assert code == 1
    assert "must not page: amount mean_shift raises" in told
    assert "Likely heavy tails: excess kurtosis" in told
    assert "    warn_only:\n    - amount\n" in told
    noisy.config.write_text(
        noisy.config.read_text().replace("  shop:\n", "  shop:\n    warn_only: [amount]\n")
    )
    code, told = command()
    assert code == 0
    assert "must not page" not in told
