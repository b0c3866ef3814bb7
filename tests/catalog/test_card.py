"""The card of a model: its records, and the numbers of its report."""

from __future__ import annotations

import json

import pytest
from catalog_scene import run

pytestmark = pytest.mark.system


def test_a_card_has_records_and_live_numbers(scene, tmp_path):
    """As HTML, Markdown and JSON; the numbers are those of the report."""
    files = [tmp_path / f"card.{form}" for form in ("html", "md", "json")]
    words = [word for file in files for word in ("--to", str(file))]
    result = run(scene, "card", "churn", *words)
    assert result.exception is None, result.output
    card = json.loads(files[2].read_text())
    assert (card["version"], card["aliases"]) == ("v4", ["champion"])
    assert card["about"]["owner"] == "Ada"
    assert card["version_fields"]["params"]["max_depth"] == 3
    assert card["datasets"]["train-2026-04"]["rows"] == 120_000
    assert [event["type"] for event in card["events"]] == ["deployment"]
    report = json.loads(run(scene, "report", "churn", "--json").stdout)
    assert card["live"] == report
    assert any(number["measurement"] == "psi" for number in card["live"]["measurements"])
    for text in (files[0].read_text(), files[1].read_text()):
        for part in ("champion", "max_depth", "s3://models/churn/v4", "deployment of v4", "tenure"):
            assert part in text.replace("\\", ""), part  # Markdown escapes signs


def test_a_card_of_another_version_has_no_numbers_of_this_one(scene):
    """Only what is recorded of it."""
    card = json.loads(run(scene, "card", "churn", "--version", "v3", "--json").stdout)
    assert card["version_fields"]["tags"] == {"stage": "retired"}
    assert card["live"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("chrun",), "did you mean 'churn'?"),
        (("churn", "--version", "v9"), "there are: champion, v3, v4"),
        (("churn", "--to", "card.doc"), "should end in one of"),
    ],
)
def test_a_mistake_is_named(scene, words, message):
    """With what there is."""
    assert message in str(run(scene, "card", *words).exception)
