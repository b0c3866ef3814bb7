"""Metrics of classes, scores and rankings against scikit-learn, on random data."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from driftline import stats

seeds = st.integers(0, 10_000)


def draw_classes(seed, rows=200):
    rng = np.random.default_rng(seed)
    classes = np.array(list("abcd")[: rng.integers(2, 5)])
    labels = rng.choice(classes, rows)
    predictions = np.where(rng.random(rows) < rng.random(), labels, rng.choice(classes, rows))
    confusion = Counter(zip(labels.tolist(), predictions.tolist(), strict=True))
    return labels, predictions, confusion


def draw_scores(seed, rows=300):
    rng = np.random.default_rng(seed)
    score = np.round(rng.random(rows), rng.integers(1, 4))
    labels = (rng.random(rows) < score).astype(int)
    cells = np.unique(score)
    counts = [
        np.array([np.sum((score == cell) & (labels == label)) for cell in cells])
        for label in (0, 1)
    ]
    return score, labels, cells, counts


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_metrics_of_classes_are_those_of_scikit_learn(seed):
    """Correlation, kappa and averages agree for two to four classes."""
    labels, predictions, confusion = draw_classes(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {
            "mcc": sk.matthews_corrcoef(labels, predictions),
            "kappa": sk.cohen_kappa_score(labels, predictions),
            **{
                name: function(labels, predictions, average="weighted", zero_division=0)
                for name, function in (
                    ("precision", sk.precision_score),
                    ("recall", sk.recall_score),
                    ("f1", sk.f1_score),
                )
            },
        }
    values = {
        "mcc": stats.mcc(confusion),
        "kappa": stats.cohen_kappa(confusion),
        "precision": stats.weighted(confusion, None, by_label=False),
        "recall": stats.weighted(confusion, None),
        "f1": stats.weighted(confusion, 1.0),
    }
    for name, estimate in values.items():
        if estimate.value is not None:
            assert estimate.value == pytest.approx(expected[name], abs=1e-12), name


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([0.5, 1.0, 2.0]))
def test_metrics_of_a_class_against_the_rest_are_those_of_scikit_learn(seed, beta):
    """F scores and Jaccard of each class agree."""
    labels, predictions, confusion = draw_classes(seed)
    for name in np.unique(labels):
        cells = stats.one_against_rest(confusion, name)
        y, guess = labels == name, predictions == name
        assert stats.f_beta(cells, beta).value == pytest.approx(
            sk.fbeta_score(y, guess, beta=beta, zero_division=0)
        )
        assert stats.jaccard(cells).value == pytest.approx(sk.jaccard_score(y, guess))


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_average_precision_and_curves_are_those_of_scikit_learn(seed):
    """Average precision and the points of the precision-recall curve agree, ties included."""
    score, labels, _, (negatives, positives) = draw_scores(seed)
    if not 0 < labels.sum() < len(labels):
        return
    assert stats.average_precision(negatives, positives).value == pytest.approx(
        sk.average_precision_score(labels, score)
    )
    curve = stats.score_curve(negatives, positives)
    fpr, tpr, _ = sk.roc_curve(labels, score, drop_intermediate=False)
    assert curve.recall == pytest.approx(tpr)
    assert curve.false_positive_rate == pytest.approx(fpr)
    precision, _, _ = sk.precision_recall_curve(labels, score)
    assert curve.precision == pytest.approx(precision[::-1])


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 12))
def test_ranking_metrics_are_those_of_scikit_learn(seed, k):
    """NDCG agrees; at full length the average precision of a query does, too."""
    rng = np.random.default_rng(seed)
    relevance = rng.integers(0, 4, 12) * (rng.random(12) < 0.4)
    score = np.arange(12, 0, -1)
    if not relevance.any():
        assert stats.ndcg_at(relevance, k) is None
        assert stats.average_precision_at(relevance, k) is None
        return
    assert stats.ndcg_at(relevance, k) == pytest.approx(sk.ndcg_score([relevance], [score], k=k))
    assert stats.average_precision_at(relevance, 12) == pytest.approx(
        sk.average_precision_score(relevance > 0, score)
    )


def test_intervals_hold_the_true_value():
    """The 95% intervals of correlation, kappa, F2 and average precision hold it in 90 to 99%."""
    rng, held = np.random.default_rng(5), Counter[str]()
    shares = np.array([0.15, 0.05, 0.6, 0.2])
    pairs = [("1", "1"), ("1", "0"), ("0", "0"), ("0", "1")]
    whole = dict(zip(pairs, (shares * 10**6).astype(int).tolist(), strict=True))
    names = {
        "mcc": stats.mcc,
        "kappa": stats.cohen_kappa,
        "f2": lambda table: stats.f_beta(stats.one_against_rest(table, "1"), 2.0),
        "weighted": lambda table: stats.weighted(table, 1.0),
    }
    for _ in range(400):
        table = dict(zip(pairs, rng.multinomial(300, shares).tolist(), strict=True))
        for name, metric in names.items():
            low, high = metric(table).interval
            held[name] += low <= metric(whole).value <= high
    for name in names:
        assert 0.9 <= held[name] / 400 <= 0.99, name


def test_right_scores_are_calibrated():
    """Where labels follow the scores, the tests are below 5% in 5%, and the debiased error is 0."""
    rng, small, errors = np.random.default_rng(3), Counter[str](), []
    for _ in range(300):
        score = rng.random(500)
        label = rng.random(500) < score
        cells = stats.ScoreCells.of(score, label, ~label)
        for name, test in (
            ("large", stats.calibration_in_the_large(cells)),
            ("spiegelhalter", stats.spiegelhalter(cells)),
        ):
            small[name] += test.p_value < 0.05
        line = stats.calibration_line(cells)
        small["slope"] += not line.slope.interval[0] <= 1 <= line.slope.interval[1]
        errors.append(stats.debiased_calibration_error(cells).value)
    for name in ("large", "spiegelhalter", "slope"):
        assert 0.02 <= small[name] / 300 <= 0.09, name
    assert abs(np.mean(errors)) < 2e-4


def test_expected_calibration_error_is_above_zero_by_chance():
    """1,000 right scores in 15 bins have 0.038 on average."""
    rng, errors = np.random.default_rng(4), []
    for _ in range(300):
        score = rng.random(1_000)
        label = rng.random(1_000) < score
        cells = stats.ScoreCells.of(score, label, ~label)
        errors.append(stats.expected_calibration_error(cells, 15, "width").value)
    assert np.mean(errors) == pytest.approx(0.038, abs=0.002)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [([], "no labelled rows"), ([1, 1, 1], "all labels are the same")],
)
def test_no_calibration_line_without_both_labels(labels, reason):
    """The reason says what is missing."""
    y = np.array(labels)
    cells = stats.ScoreCells.of(np.linspace(0.1, 0.9, len(y)), y, 1 - y)
    assert reason in stats.calibration_line(cells).slope.reason


def test_separated_labels_have_no_calibration_line():
    """The slope of scores that separate the labels does not exist."""
    y = np.array([0, 0, 0, 1, 1, 1])
    cells = stats.ScoreCells.of(np.linspace(0.1, 0.9, 6), y, 1 - y)
    assert stats.calibration_line(cells).slope.reason == "the scores separate the labels"


def test_promised_metrics_come_true():
    """Where labels follow the scores, 95% of the intervals hold the accuracy that labels show."""
    rng, held = np.random.default_rng(6), Counter[str]()
    for _ in range(400):
        score = rng.beta(2, 3, 400)
        label, guess = rng.random(400) < score, score >= 0.5
        cells = stats.ProbabilityCells.of(score, guess, ~guess)
        for name, estimate, real in (
            ("accuracy", stats.estimated_accuracy(cells), np.mean(guess == label)),
            ("precision", stats.estimated_precision(cells), np.mean(label[guess])),
            ("recall", stats.estimated_recall(cells), np.mean(guess[label])),
            ("f1", stats.estimated_f1(cells), sk.f1_score(label, guess)),
        ):
            held[name] += estimate.interval[0] <= real <= estimate.interval[1]
    for name, count in held.items():
        assert 0.92 <= count / 400 <= 0.985, name


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_the_promised_auc_counts_each_pair_of_rows_once(seed):
    """Cells with many rows give what the rows give one by one."""
    rng = np.random.default_rng(seed)
    score = np.round(rng.random(40), 1)
    p, above = score[:, None], score[:, None] > score[None, :]
    pairs = p * (1 - p.T)
    np.fill_diagonal(pairs, 0)
    right = (pairs * (above + 0.5 * (p == p.T))).sum() / pairs.sum()
    values, counts = np.unique(score, return_counts=True)
    cells = stats.ProbabilityCells.of(values, counts, 0 * counts)
    assert stats.estimated_roc_auc(cells).value == pytest.approx(right)


def test_few_labels_correct_an_estimate_that_is_wrong():
    """The interval holds the true mean in 95%, and is narrower than that of the labels alone."""
    rng, held, ratios = np.random.default_rng(8), 0, []
    for _ in range(400):
        truth = rng.normal(0.3, 1, 5_200)
        estimate = truth + rng.normal(0.2, 0.4, 5_200)
        known, rest = slice(0, 200), slice(200, None)
        mean = stats.prediction_powered_mean(
            rows=5_000,
            estimated_mean=estimate[rest].mean(),
            estimated_variance=estimate.var(ddof=1),
            labels=200,
            labelled_mean=truth[known].mean(),
            labelled_variance=truth[known].var(ddof=1),
            estimated_mean_of_labelled=estimate[known].mean(),
            estimated_variance_of_labelled=estimate[known].var(ddof=1),
            covariance=np.cov(truth[known], estimate[known])[0, 1],
        )
        held += mean.interval[0] <= 0.3 <= mean.interval[1]
        ratios.append(mean.se / (truth[known].std(ddof=1) / np.sqrt(200)))
    assert 0.92 <= held / 400 <= 0.98
    assert np.mean(ratios) < 0.5


def test_predictions_that_hardly_tell_classes_apart_give_no_shares():
    """A table that can't be inverted safely has a reason instead."""
    shift = stats.label_shift([[0.5, 0.49], [0.0, 0.01]], [0.5, 0.5], [0.6, 0.4])
    assert shift.prior is None
    assert shift.reason


@pytest.mark.parametrize(
    ("counts", "side"),
    [
        ({("a", "a"): 50, ("a", "b"): 3}, "labels"),
        ({("a", "b"): 50}, "labels"),
        ({("a", "a"): 40, ("b", "a"): 9, ("c", "a"): 2}, "predictions"),
    ],
)
def test_agreement_with_one_class_is_not_known(counts, side):
    """Kappa and MCC are 0 by definition there, which no interval of no width may certify."""
    for metric in (stats.cohen_kappa, stats.mcc):
        found = metric(counts)
        assert (found.value, found.interval) == (None, None)
        assert found.reason == f"all {side} are of one class"
