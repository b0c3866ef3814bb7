"""Performance estimated before labels come, and corrected by them, by a whole agent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import START
from test_late_labels import Late, opposite

pytestmark = pytest.mark.system

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    labels: {{type: local, options: {{path: {folder}/truth}}, label: truth, time: given}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
      prediction: {{kind: binary, score: s}}
      label: {{column: y}}
      segments: [plan]
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 12h}}
    checks:
      estimates: {{type: estimated_performance}}
"""


def test_labels_correct_the_estimate_of_a_window_that_was_judged(tmp_path):
    """The estimate comes at once, in all and by segment. Labels that say the opposite restate it,
    and people hear how far they are from the estimate.
    """
    made = Late(tmp_path, model=MODEL)
    rows = made.predictions(0)
    with made.open():
        made.until(1.5)
        estimate = made.said("estimates")
        value, count, revision = estimate["estimated_accuracy"]
        assert (value, count, revision) == (pytest.approx(0.75, abs=0.03), 400, 1)
        assert estimate["correction"][0] is None
        [segment, *_] = (name for (name,) in made.sql("select segment from windows") if name)
        assert made.said("estimates", segment=segment)["estimated_accuracy"][0] is not None
        made.labels("late.csv", rows[:200], START + timedelta(hours=2), opposite)
        made.until(3)
        corrected = made.said("estimates")
        assert corrected["estimated_accuracy"][0] < 0.1
        assert corrected["estimated_accuracy"][2] == 2
        assert corrected["correction"][:2] == (pytest.approx(-0.75, abs=0.05), 200)
    texts = [str(note) for note in made.told()]
    assert any("labels show" in text and "points less accuracy" in text for text in texts), texts
