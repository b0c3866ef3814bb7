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
