"""`driftline challenge` on two files of predictions."""

from __future__ import annotations

import json
import random

import pytest

from driftline.cli.main import _run


def write(path, rng, rate, *, first=0, count=3_000):
    lines = ["id,y,p"]
    for number in range(first, first + count):
        label = random.Random(number).randrange(2)
        is_wrong = rng.random() < rate
        lines.append(f"{number},{label},{1 - label if is_wrong else label}")
    path.write_text("\n".join(lines) + "\n")
    return path


def run(capsys, *args):
    code = _run(["challenge", *map(str, args), "--label", "y", "--prediction", "p", "--json"])
    return code, capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--id", "id"]])
def test_a_better_model_is_promoted(tmp_path, capsys, options):
    champion = write(tmp_path / "a.csv", random.Random(1), 0.2)
    challenger = write(tmp_path / "b.csv", random.Random(2), 0.1)
    code, out = run(capsys, champion, challenger, *options)
    assert code == 0
    assert json.loads(out)["verdict"] == "promote"


def test_files_without_a_common_id_wait_and_say_so(tmp_path, capsys):
    champion = write(tmp_path / "a.csv", random.Random(1), 0.2)
    challenger = write(tmp_path / "b.csv", random.Random(2), 0.1, first=10_000)
    code, out = run(capsys, champion, challenger, "--id", "id")
    assert code == 1
    assert json.loads(out)["reason"] == "no id stands in both files"


def test_a_column_that_is_absent_is_named(tmp_path, capsys):
    path = write(tmp_path / "a.csv", random.Random(1), 0.2)
    code = _run(["challenge", str(path), str(path), "--label", "truth", "--prediction", "p"])
    assert code == 2
    assert "no column truth" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--id", "id"]])
@pytest.mark.parametrize("value", ["inf", "1e308", "nan", ""])
def test_predictions_that_are_no_usable_number_are_left_out_and_counted(
    tmp_path, capsys, options, value
):
    path, odd = tmp_path / "a.csv", tmp_path / "b.csv"
    rows = [(number, number / 2) for number in range(1_000)]
    path.write_text("id,y,p\n" + "".join(f"{i},{y},{y + 1}\n" for i, y in rows))
    odd.write_text(
        "id,y,p\n" + "".join(f"{i},{y},{value if i % 4 == 0 else y + i % 3}\n" for i, y in rows)
    )
    _, out = run(capsys, path, odd, *options)
    values = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert values["rows"] == 750
    assert values["rows_left_out"] == 250
    assert values["rows_needed"] is None or values["rows_needed"] > 0


def test_rows_that_repeat_an_id_are_counted(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("id,y,p\n" + "same,1,0\n" * 300)
    _, out = run(capsys, path, path, "--id", "id")
    assert json.loads(out)["ids_repeated"] == 2 * 299


@pytest.mark.parametrize("options", [[], ["--id", "id"]])
def test_a_challenger_without_any_error_is_promoted(tmp_path, capsys, options):
    champion = write(tmp_path / "a.csv", random.Random(1), 0.2)
    challenger = write(tmp_path / "b.csv", random.Random(2), 0)
    assert run(capsys, champion, challenger, *options)[0] == 0


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_a_least_gain_that_is_no_size_is_a_usage_error(tmp_path, capsys, value):
    path = write(tmp_path / "a.csv", random.Random(1), 0.2)
    assert run(capsys, path, path, "--least-gain", value)[0] == 2
