"""Rankings: metrics of scikit-learn and of single groups, over random parts of their items."""

import numpy as np
import pytest
from driftline_plugins.checks.performance import Performance
from profile_builder import context
from sklearn.metrics import ndcg_score
from split_profiles import split_window

from driftline import stats
from driftline.profiles import ranked_items
from driftline.types.model import Field, Kind, Schema, Task, TaskColumns

SCHEMA = Schema(
    prediction=Field("s", "s", Kind.NUMERIC),
    label=Field("y", "y", Kind.NUMERIC),
    task=Task.RANKING,
    task_columns=TaskColumns(group=Field("#group", "query", Kind.CATEGORICAL)),
)
METRICS = (
    "ndcg",
    "mean_average_precision",
    "mrr",
    "hit_rate",
    "precision_at_k",
    "recall_at_k",
    "f1_at_k",
)


def measured(columns, k=None, seed=0, **more):
    window = split_window(SCHEMA, columns, seed, **more)
    check = Performance(metrics=METRICS, k=k)
    made = context(window, task=SCHEMA.task, task_columns=SCHEMA.task_columns)
    return {m.name: m for m in check.evaluate(made)}


def queries(rng, count=60, largest=15, scores=None):
    """Items of queries with 2 items or more, graded labels, and scores that may be equal."""
    sizes = rng.integers(2, largest, count)
    items = int(sizes.sum())
    return {
        "#group": np.repeat([f"q{number}" for number in range(count)], sizes).tolist(),
        "s": rng.choice(scores, items) if scores is not None else rng.random(items),
        "y": rng.choice([0.0, 0.0, 0.0, 1.0, 2.0], items),
    }


def lists(columns):
    """The scores and labels of each query."""
    groups = np.array(columns["#group"])
    for name in dict.fromkeys(columns["#group"]):
        yield np.array(columns["s"])[groups == name], np.array(columns["y"])[groups == name]


@pytest.mark.parametrize("seed", range(4))
def test_ndcg_is_that_of_scikit_learn_over_random_parts(seed):
    """Equal scores share their gain, as in scikit-learn; queries without a relevant item have none.
    Items of one query may come in different parts, and their labels later.
    """
    rng = np.random.default_rng(seed)
    columns = queries(rng, scores=[0.1, 0.2, 0.3, 0.5] if seed % 2 else None)
    expected = [ndcg_score([y], [s], k=5) for s, y in lists(columns) if y.any()]
    ndcg = measured(columns, 5, seed, is_late=seed > 1)["ndcg"]
    assert ndcg.value == pytest.approx(np.mean(expected))
    assert ndcg.rows == len(expected)
    low, high = ndcg.interval
    assert 0 < low < ndcg.value < high < 1
    assert high - low == pytest.approx(4 * np.std(expected) / len(expected) ** 0.5, rel=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_at_k_are_those_of_each_query(seed):
    """Each mean is that of the functions for one ranking."""
    rng = np.random.default_rng(seed)
    columns = queries(rng)
    found = measured(columns, 4, seed)
    for name, of_one in (
        ("mean_average_precision", stats.average_precision_at),
        ("mrr", stats.reciprocal_rank),
        ("hit_rate", stats.hit),
        ("precision_at_k", stats.precision_at),
        ("recall_at_k", stats.recall_at),
        ("f1_at_k", stats.f_beta_at),
    ):
        values = [of_one(y[np.argsort(-s)], 4) for s, y in lists(columns)]
        values = [value for value in values if value is not None]
        assert found[name].value == pytest.approx(np.mean(values)), name
        assert found[name].rows == len(values)
        low, high = found[name].interval
        assert 0 <= low < found[name].value < high <= 1


def test_equal_scores_count_against_the_model():
    """A model that gives one score to all items finds nothing first."""
    columns = {"#group": ["a"] * 4 + ["b"] * 4, "s": [0.5] * 8, "y": [1.0, 0, 0, 0] * 2}
    found = measured(columns, 3)
    assert found["hit_rate"].value == 0.0
    assert found["mrr"].value == 0.0
    assert found["hit_rate"].interval[0] == 0.0


def test_above_the_bound_whole_queries_are_sampled(monkeypatch):
    """The sample is the same whatever the parts, holds whole queries, and is named."""
    monkeypatch.setattr(ranked_items, "ROWS", 100)
    rng = np.random.default_rng(1)
    columns = queries(rng, 200)
    runs = [measured(columns, 5, seed, parts=5) for seed in range(3)]
    ndcgs = [run["ndcg"] for run in runs]
    assert len({ndcg.value for ndcg in ndcgs}) == 1
    assert 5 < ndcgs[0].rows < 30
    assert ndcgs[0].reason == "from a sample of the groups"
    values = {round(ndcg_score([y], [s], k=5), 9) for s, y in lists(columns) if y.any()}
    window = split_window(SCHEMA, columns, 7, parts=3)
    r = window.scores.rankings
    groups = stats.group_scores(r.starts, r.scores, r.labels, 5)
    assert {round(value, 9) for value in groups.ndcg[~np.isnan(groups.ndcg)]} <= values


@pytest.mark.parametrize(
    ("change", "names", "reason"),
    [
        (
            {"#group": ["a", "b", "c", "d"]},
            ("ndcg", "mean_average_precision", "mrr"),
            "no group has two labelled items",
        ),
        (
            {"y": [0.0, 0, 0, 0]},
            ("ndcg", "mean_average_precision", "hit_rate"),
            "no group has a relevant item",
        ),
        ({"y": [-1.0, 0, 1, 1]}, METRICS, "a label is below 0, where relevance begins"),
        ({"y": [np.inf, 0, 1, 1]}, METRICS, "1 labelled item has an infinite score or label"),
        ({"#group": [None] * 4}, METRICS, "no labelled rows"),
    ],
)
def test_groups_without_a_metric_have_a_reason(change, names, reason):
    """What has no value says why."""
    columns = {"#group": ["a", "a", "b", "b"], "s": [0.1, 0.2, 0.3, 0.4], "y": [1.0, 0, 0, 1]}
    found = measured({**columns, **change})
    for name in names:
        assert found[name].value is None, name
        assert found[name].reason == reason, name


def test_a_group_of_one_item_leaves_the_others_as_they_are():
    """It has no order, but counts for what is found at k."""
    columns = {"#group": ["a", "a", "b"], "s": [0.1, 0.2, 0.3], "y": [1.0, 0, 1]}
    found = measured(columns, 1)
    assert found["mrr"].rows == 1
    assert found["mrr"].value == 0.0
    assert found["hit_rate"].value == 0.5
