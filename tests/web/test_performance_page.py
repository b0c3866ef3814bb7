"""The page of performance shows metrics with labels and estimated, scores, groups and segments."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from page_client import open_pages
from station import START, Station

from driftline.charts.score_shapes import OTHERS, shape_scores
from driftline.profiles.window import Scores

MODEL = """
    source: {{type: local, options: {{path: {folder}/log, format: jsonl}}}}
    schema:
      timestamp: t
      id: id
      features: {{amount: numeric, plan: categorical}}
      prediction: {{kind: binary, score: s}}
      label: {{column: y}}
      segments: [plan]
    reference: {{type: local, options: {{path: {folder}/reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m}}
    checks:
      right: {{type: performance}}
      guess: {{type: estimated_performance}}
      fair: {{type: fairness, options: {{facets: [plan]}}}}
"""


def scores(confusion, **others):
    labelled = sum(confusion.values())
    return Scores(rows=labelled, labelled=labelled, confusion=confusion, **others)


def test_the_confusion_has_labels_in_rows():
    """Classes in order; a label that was predicted wrong stands beside the diagonal."""
    shapes = shape_scores(scores({("b", "a"): 2, ("a", "a"): 5, ("b", "b"): 7}))
    assert shapes.classes == ["a", "b"]
    assert shapes.confusion == [[5, 0], [2, 7]]
    assert (shapes.labelled, shapes.roc, shapes.reliability) == (14, [], [])


def test_rare_classes_share_a_line():
    """No row is lost where there are more classes than lines."""
    shapes = shape_scores(
        scores({(f"c{label:02d}", f"c{label:02d}"): 100 - label for label in range(30)})
    )
    assert len(shapes.classes) == 13
    assert shapes.classes[-1] == OTHERS
    assert sum(map(sum, shapes.confusion)) == shapes.labelled == sum(range(71, 101))


def test_curves_of_scores_that_separate_the_classes():
    """The ROC curve goes through the corner, precision is 1 up to full recall."""
    cells = replace(
        scores({("0", "0"): 10, ("1", "1"): 10}),
        edges=np.array([0.2, 0.8]),
        negatives=np.array([0, 10, 0, 0, 0]),
        positives=np.array([0, 0, 0, 10, 0]),
    )
    shapes = shape_scores(cells)
    assert (0.0, 1.0) in shapes.roc
    assert shapes.precision_recall[0] == (1.0, 1.0)
    assert shapes.gain == [(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)]
    assert shapes.reliability[0][:2] == (pytest.approx(0.2), 0.0)
    assert shapes.reliability[-1][:2] == (pytest.approx(0.8), 1.0)


@pytest.mark.parametrize(
    ("negatives", "positives"), [([0] * 5, [0, 3, 0, 4, 0]), ([0, 3, 0, 4, 0], [0] * 5)]
)
def test_one_class_has_no_curve(negatives, positives):
    """Without negatives, or positives, there is only a confusion table."""
    shapes = shape_scores(
        scores(
            {("1", "1"): 7},
            edges=np.array([0.2, 0.8]),
            negatives=np.array(negatives),
            positives=np.array(positives),
        )
    )
    assert (shapes.roc, shapes.precision_recall, shapes.reliability) == ([], [], [])
    assert shapes.gain == []


def test_without_labels_there_are_no_shapes():
    """Rows with a prediction alone say nothing of the scores."""
    assert shape_scores(Scores(rows=5)) is None


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A client of a station whose scores are calibrated; the last hour has no labels."""
    station = Station(tmp_path_factory.mktemp("performance"), MODEL)

    def score(row):
        return round(1 / (1 + math.exp((50 - row["amount"]) / 10)), 3)

    def label(row):
        return int(station.rng.random() < score(row))

    station.write(
        "reference.jsonl", START - timedelta(days=1), timedelta(days=1), 3000, s=score, y=label
    )
    for hour in range(4):
        station.hour(hour, s=score, **({"y": label} if hour < 3 else {}))
    station.clock.now = START + timedelta(hours=4, minutes=20)
    with station.open():
        station.tick()
        with open_pages(station) as client:
            yield client


@pytest.mark.system
def test_metrics_with_labels_stand_beside_their_estimates(pages):
    """One chart for both, and a table: the window without labels has an estimate alone."""
    page = pages.get("/m/shop/performance").text
    [accuracy] = re.findall(r"<section>\s*<h2>accuracy</h2>.*?</section>", page, re.S)
    assert 'class="line"' in accuracy
    assert 'class="estimate"' in accuracy
    rows = re.findall(r'labels">(.*?)</td><td data-label="estimated">(.*?)</td>', accuracy)
    assert len(rows) == 4
    assert rows[0][0] == ""
    assert all(realised and estimate for realised, estimate in rows[1:])


@pytest.mark.system
def test_scores_groups_and_segments_are_shown(pages):
    """Four curves, the confusion, fairness by group, and a line for each segment."""
    page = pages.get("/m/shop/performance").text
    assert page.count('<svg class="curves"') == 4
    assert "1,200 rows with a label" in page
    assert 'id="fairness"' in page
    for plan in "abc":
        assert f'<th scope="row">plan={plan}</th>' in page
    assert page.count("<figure>") == page.count('<svg class="series"') + 4


@pytest.mark.system
def test_an_unknown_model_has_no_performance(pages):
    """The page names the models that there are."""
    answer = pages.get("/m/nowhere/performance")
    assert answer.status_code == 404
    assert "there are: shop" in answer.text
