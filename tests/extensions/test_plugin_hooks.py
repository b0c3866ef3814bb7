"""Announcements reach everyone, facts are merged, feature code is trusted with nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest

from driftline.extensions import Registry, announce, enrich, transform
from driftline.testing import FakeLog, notification
from driftline.types.errors import PluginError

HEAD = "from driftline import hookimpl\n@hookimpl\n"
BATCH = pa.record_batch({"a": [1, 2, 3]})


def registry(tmp_path, *bodies):
    for number, body in enumerate(bodies):
        (tmp_path / f"p{number}.py").write_text(HEAD + body)
    made = Registry.load([tmp_path], entry_points=False)
    assert not made.problems
    return made


def test_one_that_raises_costs_only_itself(tmp_path):
    """The listeners before and after it hear the announcement, and its failure is logged with its
    origin.
    """
    heard: list[str] = []
    body = "def on_delivery(sink, outcome): outcome.append(sink)\n"
    made = registry(tmp_path, body, "def on_delivery(sink): 1 / 0\n", body)
    log = FakeLog()
    announce(made, "on_delivery", log, sink="chat", notification=notification(), outcome=heard)
    assert heard == ["chat", "chat"]
    [(event, facts)] = log.lines
    assert (event, facts["hook"]) == ("plugin_failed", "on_delivery")
    assert facts["origin"].endswith("p1.py")
    assert "ZeroDivisionError" in facts["error"]


def test_facts_are_merged(tmp_path):
    """Of two facts with one name the first stays; nonsense costs only its plugin."""
    made = registry(
        tmp_path,
        "def enrich_incident(incident): return {'owner': 'a', 'model': incident.model}\n",
        "def enrich_incident(incident): return ['no', 'mapping']\n",
        "def enrich_incident(): return None\n",
        "def enrich_incident(): return {'owner': 'b', 'floor': 3}\n",
    )
    log = FakeLog()
    assert enrich(made, notification(), log) == {"owner": "a", "model": "churn", "floor": "3"}
    assert len(log.lines) == 1


def test_feature_code_goes_from_hand_to_hand(tmp_path):
    """Each plugin gets what the one before it made."""
    made = registry(
        tmp_path,
        "def transform_batch(batch): return batch.append_column('b', batch['a'])\n",
        "def transform_batch(batch, model): return batch.append_column(model, batch['b'])\n",
    )
    assert transform(made, BATCH, "m").schema.names == ["a", "b", "m"]


@pytest.mark.parametrize(
    "body", ["return batch.slice(1)", "return None", "return batch.to_pydict()", "return 1 / 0"]
)
def test_feature_code_that_fails(tmp_path, body):
    """Feature code that raises, drops rows or returns something else is an error: nothing half
    right is counted.
    """
    made = registry(tmp_path, f"def transform_batch(batch): {body}\n")
    with pytest.raises(PluginError, match="transform_batch"):
        transform(made, BATCH, "m")
