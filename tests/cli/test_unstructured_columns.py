"""Texts, images and embeddings from logs to verdicts: init sees them, the agent watches them, what
changed is found.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import measurement_sql
import numpy as np
import pytest
from PIL import Image

from driftline.cli.main import main

pytestmark = pytest.mark.system

SENTENCE = "my order came late and broken please send another one or give the money back thanks for nothing"
GROUPS = np.random.default_rng(0).normal(size=(4, 96))


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(args))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


def picture(rng, light):
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, light, (16, 20, 3), dtype=np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def written(path, seed, rows, at, changed=False):
    rng = np.random.default_rng(seed)
    words = SENTENCE.split() + (["zulu", "yankee", "xray"] * 6 if changed else [])
    with Path(path).open("w") as file:
        for n in range(rows):
            vector = (
                GROUPS[rng.integers(0, 4)] + rng.normal(size=96) * 0.5 + (0.5 if changed else 0)
            )
            row = {
                "id": f"{at}{n}",
                "at": at,
                "comment": " ".join(rng.choice(words, size=rng.integers(6, 20))),
                "meaning": [round(float(value), 4) for value in vector],
                "photo": picture(rng, 230 if changed else 120) if n % 50 else "damaged",
                "score": round(float(rng.random()), 3),
            }
            file.write(json.dumps(row) + "\n")


def judged(hour, segment=""):
    """Value and verdict by check, measurement and column, of one window."""
    rows = measurement_sql.query_state(
        "sqlite:///driftline.db", "select * from measurements order by start"
    )
    starts = sorted({row.start for row in rows})
    return {
        (row.check, row.name, json.loads(row.labels).get("column")): (row.value, row.verdict)
        for row in rows
        if row.start == starts[hour] and row.segment == segment
    }


def test_from_init_to_verdicts(call):
    """Init finds text and embedding and names the images; with these added the agent finds what
    changed, and only that.
    """
    Path("logs").mkdir()
    written("reference.jsonl", 1, 600, "2026-01-01T00:00:00Z")
    written("logs/0.jsonl", 2, 400, "2026-02-01T00:10:00Z")
    written("logs/1.jsonl", 3, 400, "2026-02-01T01:10:00Z", changed=True)
    code, _, told = call("init", "logs", "--reference", "reference.jsonl")
    assert code == 0
    assert "comment is taken as text" in " ".join(told.split())
    assert "photo is left out" in " ".join(told.split())
    file = Path("driftline.yaml")
    text = file.read_text()
    assert "comment: text" in text
    assert "meaning: {kind: embedding, dimension: 96}" in text
    text = text.replace("comment: text", "comment: text\n        photo: image").replace(
        ", dimension: 96", ""
    )
    file.write_text(text.replace("meaning: {kind: embedding}", "meaning: embedding"))
    assert call("validate")[0] == 0
    code, _, told = call("run", "--once")
    assert code in (0, 1), told
    quiet, changed = judged(0), judged(1)
    for name, least in (("mean_shift", 2), ("cluster_psi", 0.25)):
        assert (
            quiet["embedding", name, "meaning"][0]
            < least
            < changed["embedding", name, "meaning"][0]
        )
        assert changed["embedding", name, "meaning"][1] == "changed"
        assert quiet["embedding", name, "meaning"][1] != "changed"
    assert (
        quiet["text", "unknown_words", "comment"][0]
        < 0.1
        < changed["text", "unknown_words", "comment"][0]
    )
    assert (
        quiet["drift", "psi", "photo.brightness"][0]
        < 0.1
        < changed["drift", "psi", "photo.brightness"][0]
    )
    assert changed["missing", "invalid_rate", "photo.width"][0] == pytest.approx(0.02)
    assert changed["drift", "psi", "meaning.norm"][0] > 0.1


def test_a_second_run_stands_on_the_same_ground(call):
    """The dimension that the reference told is kept: a second run reads only what is new, and
    judges it alike, also by the script of the texts, which makes segments as any category does.
    """
    Path("logs").mkdir()
    written("reference.jsonl", 1, 200, "2026-01-01T00:00:00Z")
    written("logs/0.jsonl", 2, 150, "2026-02-01T00:10:00Z")
    Path("driftline.yaml").write_text(
        "version: 1\nagent: {http: null}\nmodels:\n  m:\n    source: {type: local, options: {path: logs}}\n"
        "    reference: {type: local, options: {path: reference.jsonl}}\n    windows: {backfill: null}\n"
        "    schema: {timestamp: at, id: id, features: {meaning: embedding, comment: text}, segments: [comment.script]}\n"
    )
    assert call("run", "--once")[0] in (0, 1)
    written("logs/1.jsonl", 3, 150, "2026-02-01T01:10:00Z")
    assert call("run", "--once")[0] in (0, 1)
    for hour in (0, 1):
        for segment in ("", "comment.script=latin"):
            found = judged(hour, segment)
            assert found["embedding", "mean_shift", "meaning"][0] < 1
            assert found["missing", "missing_rate", "meaning.norm"][0] == 0


def test_an_embedding_that_nobody_saw_asks_for_its_dimension(call):
    """Where the reference has no vector, the model says what to set instead of watching nothing."""
    Path("logs.jsonl").write_text('{"at": "2026-02-01T00:10:00Z", "meaning": null}\n')
    Path("driftline.yaml").write_text(
        "version: 1\nagent: {http: null}\nmodels:\n  m:\n    source: {type: local, options: {path: logs.jsonl}}\n"
        "    reference: {type: local, options: {path: logs.jsonl}}\n    windows: {backfill: null}\n"
        "    schema: {timestamp: at, features: {meaning: embedding}}\n"
    )
    code, out, told = call("run", "--once")
    assert code not in (0, 1)
    assert (
        "no vector of meaning is in the first records: set its dimension in the schema"
        in " ".join((out + told).split())
    )
