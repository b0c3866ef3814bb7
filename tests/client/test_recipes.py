"""Each piece of Python in the recipes and in the guides for moving runs as it stands."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from run_commands import configure, run_once

DOCS = Path(__file__).parent.parent.parent / "docs"
PIECE = re.compile(r"^## ([^\n]+)$|^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pieces(page: str) -> list[object]:
    """The pieces of Python of a page, each named by its heading."""
    title, found = "", list[object]()
    for match in PIECE.finditer((DOCS / page).read_text()):
        title = match.group(1) or title
        if match.group(2):
            found.append(pytest.param(match.group(2), id=title))
    return found


RECIPES, GUIDES = pieces("recipes.md"), pieces("moving.md")


def make_rows(seed: int, *, drift: bool = False) -> pa.Table:
    """A table with the columns of the recipes; with `drift`, age and plan differ and the model is
    worse.
    """
    generator = np.random.default_rng(seed)
    outcome = generator.integers(0, 2, 2000)
    is_right = generator.random(2000) < (0.6 if drift else 0.9)
    shares = [0.2, 0.3, 0.5] if drift else [0.6, 0.3, 0.1]
    return pa.table(
        {
            "age": generator.normal(60 if drift else 40, 10, 2000),
            "amount": generator.normal(900, 200, 2000),
            "plan": generator.choice(["free", "pro", "team"], 2000, p=shares),
            "outcome": outcome,
            "guess": np.where(is_right, outcome, 1 - outcome),
        }
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """The files of the recipes, and the state of an agent that has judged three days."""
    folder = tmp_path_factory.mktemp("recipes")
    pq.write_table(make_rows(1), folder / "train.parquet")
    pq.write_table(make_rows(2, drift=True), folder / "today.parquet")
    pq.write_table(make_rows(3), folder / "yesterday.parquet")
    (folder / "log").mkdir()
    start = datetime.combine(datetime.now(UTC), time(), UTC) - timedelta(days=4)
    for day in range(4):
        times = pa.array([start + timedelta(days=day, seconds=40 * row) for row in range(2000)])
        rows = make_rows(10 + day, drift=day > 0).append_column("time", times)
        name = "later.parquet" if day == 3 else f"log/{day}.parquet"
        pq.write_table(rows.drop_columns(["outcome", "guess"]), folder / name)
    pq.write_table(make_rows(1).drop_columns(["outcome", "guess"]), folder / "reference.parquet")
    model = {
        "source": {"type": "local", "options": {"path": "log"}},
        "reference": {"type": "local", "options": {"path": "reference.parquet"}},
        "windows": {"length": "1d"},
        "notify": [],
    }
    run_once(configure(folder, {"churn": model}))
    return folder


@pytest.fixture
def folder(prepared, tmp_path, monkeypatch) -> Path:
    """A copy of the files, as the working directory."""
    copy = tmp_path / "work"
    shutil.copytree(prepared, copy)
    monkeypatch.chdir(copy)
    return copy


@pytest.mark.parametrize("code", RECIPES)
def test_a_recipe_runs(folder, code):
    """A recipe runs as it stands, and its assertions hold."""
    exec(compile(code, "recipe", "exec"), {})


@pytest.mark.parametrize("code", GUIDES)
def test_the_lines_of_a_guide_run(folder, code):
    """The lines that take the place of another tool's run on frames of pandas."""
    names = {name: pd.read_parquet(f"{name}.parquet") for name in ("train", "today")}
    exec(compile(code, "guide", "exec"), names)


def test_the_pages_have_their_pieces():
    """There are at least ten recipes, and a guide for each of four tools."""
    assert len(RECIPES) >= 10
    assert [piece.id for piece in GUIDES] == [
        "Evidently",
        "NannyML",
        "whylogs",
        "SageMaker Model Monitor",
    ]
