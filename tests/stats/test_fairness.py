"""Fairness between groups: Clarify's results, Fairlearn's on random data, signs and intervals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import fairlearn.metrics as peer
import numpy as np
import pytest

from driftline import stats
from driftline.stats import CLARIFY, GAPS, GroupCounts, Stratum

BIAS = Path(__file__).parents[1] / "data/samples/aws/baseline/data_bias"
GAP_OF_PEER = {
    "demographic_parity_gap": peer.demographic_parity_difference,
    "demographic_parity_ratio": peer.demographic_parity_ratio,
    "equal_opportunity_gap": peer.equal_opportunity_difference,
    "equal_opportunity_ratio": peer.equal_opportunity_ratio,
    "equalized_odds_gap": peer.equalized_odds_difference,
    "equalized_odds_ratio": peer.equalized_odds_ratio,
}


def count(label, prediction) -> GroupCounts:
    label, prediction = np.asarray(label, bool), np.asarray(prediction, bool)
    return GroupCounts(
        tp=int((label & prediction).sum()),
        fp=int((~label & prediction).sum()),
        fn=int((label & ~prediction).sum()),
        tn=int((~label & ~prediction).sum()),
    )


def random_rows(seed: int):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, rng.integers(2, 5), 600)
    label = rng.random(600) < 0.3 + 0.1 * groups
    prediction = np.where(rng.random(600) < 0.75, label, ~label)
    return groups, label, prediction


@pytest.mark.parametrize("name", sorted(GAPS))
@pytest.mark.parametrize("seed", range(5))
def test_gaps_are_those_of_fairlearn(name, seed):
    """Differences and ratios over all groups equal Fairlearn's."""
    groups, label, prediction = random_rows(seed)
    counts = [count(label[groups == g], prediction[groups == g]) for g in np.unique(groups)]
    wanted = GAP_OF_PEER[name](label, prediction, sensitive_features=groups)
    assert GAPS[name](counts).value == pytest.approx(wanted, abs=1e-12)


def test_clarify_results_before_training_are_met():
    """CI, DPL, KL, JS, LP, TVD and KS of the shipped report, from its data."""
    rows = [
        [float(value) for value in row]
        for row in csv.reader((BIAS / "dataset.csv").read_text().splitlines())
    ]
    labels = np.array([row[0] == 1 for row in rows])
    in_group = np.array([row[1] > 0.5 for row in rows])
    group, others = (
        count(labels[side], np.zeros(side.sum(), bool)) for side in (in_group, ~in_group)
    )
    report = json.loads((BIAS / "analysis.json").read_text())
    [facet] = report["pre_training_bias_metrics"]["facets"]["F1"]
    values = {metric["name"]: metric["value"] for metric in facet["metrics"]}
    names = values.keys() - {"CDDL"}  # The report does not say which column it holds fixed.
    assert names == {"CI", "DPL", "KL", "JS", "LP", "TVD", "KS"}
    for name in names:
        assert CLARIFY[name](group, others).value == pytest.approx(values[name], abs=1e-9)


def test_clarify_results_after_training_are_met():
    """The metrics of a shipped report about 4,000 rows, whose decisions are all favourable.

    Its counts follow from CI and DPL. It mixes the groups by their rows in JS, where the guide and
    later reports mix them in equal parts. Without unfavourable decisions it says 0 for DCR and DRR,
    which have no value here.
    """
    others, group = GroupCounts(tp=2796 - 89, fp=89), GroupCounts(tp=1204 - 17, fp=17)
    report = {
        "CI": 0.398, "DPL": -0.017711586081682884, "KL": 0.008323488560379871,
        "KS": 0.017711586081682898, "LP": 0.025047965247854492, "TVD": 0.01771158608168289,
        "AD": -0.017711586081682884, "DAR": -0.017711586081682884, "DCA": -0.017711586081682884,
        "DI": 1.0, "DPPL": 0.0, "RD": 0.0, "TE": 0.0,
    }  # fmt: skip
    for name, value in report.items():
        assert CLARIFY[name](group, others).value == pytest.approx(value, abs=1e-9), name
    for name in ("DCR", "DRR"):
        assert CLARIFY[name](group, others).value is None
    p, q = np.array([89 / 2796, 1 - 89 / 2796]), np.array([17 / 1204, 1 - 17 / 1204])
    pooled = 0.699 * p + 0.301 * q
    mixed = (np.sum(p * np.log(p / pooled)) + np.sum(q * np.log(q / pooled))) / 2
    assert mixed == pytest.approx(0.0020437563177422677, abs=1e-9)
    assert CLARIFY["JS"](group, others).value == pytest.approx(0.0017918468241483504, abs=1e-9)


def test_the_published_examples_of_clarify_are_met():
    """The numbers of the pages on KL, AD and TE of the developer guide."""
    favoured = GroupCounts(tp=80, fn=0, fp=0, tn=20)
    group = GroupCounts(tp=30, fn=0, fp=0, tn=70)
    assert CLARIFY["KL"](group, favoured).value == pytest.approx(0.534, abs=5e-4)
    assert CLARIFY["TE"](GroupCounts(fn=5, fp=2), GroupCounts(fn=8, fp=6)).value == pytest.approx(
        1.167, abs=5e-4
    )


SIGNS = {
    "DPL": "label_difference",
    "DPPL": "demographic_parity_difference",
    "RD": "equal_opportunity_difference",
    "DAR": "predictive_parity_difference",
    "AD": "accuracy_difference",
}
RATE = {
    "label_difference": "base_rate",
    "demographic_parity_difference": "selection_rate",
    "equal_opportunity_difference": "true_positive_rate",
    "predictive_parity_difference": "precision",
    "accuracy_difference": "accuracy",
}


@pytest.mark.parametrize("name", sorted(SIGNS))
def test_clarify_takes_the_others_less_the_group(name):
    """DPL, DPPL, RD, DAR and AD have the opposite sign of the difference of the same rate."""
    group = GroupCounts(tp=20, fp=5, fn=20, tn=55)
    others = GroupCounts(tp=50, fp=10, fn=20, tn=30)
    ours = stats.rate_difference(RATE[SIGNS[name]], group, others)
    assert CLARIFY[name](group, others).value == pytest.approx(-ours.value)
    assert ours.value != 0


def test_clarify_takes_the_group_less_the_others_in_four_metrics():
    """SD, DCR, DRR and TE are those of the group less those of the others."""
    group, others = GroupCounts(tp=20, fp=5, fn=20, tn=55), GroupCounts(tp=40, fp=10, fn=20, tn=30)
    assert CLARIFY["SD"](group, others).value == pytest.approx(55 / 60 - 30 / 40)
    assert CLARIFY["DCR"](group, others).value == pytest.approx(60 / 75 - 40 / 50)
    assert CLARIFY["DRR"](group, others).value == pytest.approx(55 / 75 - 30 / 50)
    assert CLARIFY["TE"](group, others).value == pytest.approx(20 / 5 - 20 / 10)
    assert CLARIFY["DCA"](group, others).value == pytest.approx(60 / 50 - 40 / 25)
    assert CLARIFY["DI"](group, others).value == pytest.approx(0.25 / 0.5)


def test_conditional_disparity_is_weighted_by_the_rows_of_each_stratum():
    """Two strata of 100 and 300 rows; a stratum without accepted rows counts with a share of 0."""
    strata = [Stratum(10, 30, 40, 20), Stratum(0, 100, 0, 200)]
    first = 30 / 50 - 10 / 50
    second = 100 / 300
    wanted = 0.25 * first + 0.75 * second
    assert stats.conditional_disparity(strata).value == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (CLARIFY["TE"](GroupCounts(fn=5), GroupCounts(fn=8, fp=6)), "no false positives"),
        (CLARIFY["KL"](GroupCounts(tp=5), GroupCounts(tp=5, tn=5)), "lacks one of the labels"),
        (CLARIFY["DI"](GroupCounts(tp=5), GroupCounts(fn=5)), "no positive decision"),
        (CLARIFY["AD"](GroupCounts(), GroupCounts(fn=5)), "no labelled rows"),
        (CLARIFY["CI"](GroupCounts(), GroupCounts()), "no labelled rows"),
        (CLARIFY["GE"](GroupCounts(), GroupCounts()), "no labelled rows"),
        (stats.conditional_disparity([]), "no rows"),
        (GAPS["demographic_parity_gap"]([GroupCounts(tp=5)]), "fewer than two groups"),
        (GAPS["demographic_parity_ratio"]([GroupCounts(tn=5)] * 2), "0 in every group"),
        (stats.rate_ratio("precision", GroupCounts(tp=1), GroupCounts(fp=3)), "of the others is 0"),
        (stats.average_odds_difference(GroupCounts(tp=1), GroupCounts(fp=3)), "the others have no"),
    ],
)
def test_what_does_not_exist_has_no_value_and_a_reason(result, reason):
    """Never infinite, never NaN."""
    assert result.value is None
    assert reason in result.reason


@pytest.mark.parametrize("name", ["AD", "DAR", "DPL", "SD", "DRR", "TE", "average odds"])
def test_intervals_of_metrics_with_labels_cover_the_truth(name):
    """Of 1,000 pairs of groups of 400 and 600 rows, 93 to 97% of the 95% intervals cover."""
    compare = stats.average_odds_difference if name == "average odds" else CLARIFY[name]
    shares, shares_others = (0.30, 0.15, 0.15, 0.40), (0.40, 0.10, 0.12, 0.38)

    def counts(rows):
        tp, fp, fn, tn = (float(n) for n in rows)
        return GroupCounts(tp=tp, fp=fp, fn=fn, tn=tn)

    truth = compare(counts(1000 * np.array(shares)), counts(1000 * np.array(shares_others))).value
    rng, covered = np.random.default_rng(13), 0
    for _ in range(1000):
        group = counts(rng.multinomial(400, shares))
        others = counts(rng.multinomial(600, shares_others))
        low, high = compare(group, others).interval
        covered += low <= truth <= high
    assert 930 <= covered <= 970, covered


@pytest.mark.parametrize("name", ["selection_rate", "true_positive_rate"])
def test_intervals_of_differences_cover_the_truth(name):
    """Of 1,000 pairs of groups of 250 rows, 93 to 97% of the 95% intervals cover."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(1000):
        x, y = rng.binomial(250, 0.3), rng.binomial(400, 0.45)
        group = GroupCounts(tp=x, fn=250 - x, accepted=x, decided=250)
        others = GroupCounts(tp=y, fn=400 - y, accepted=y, decided=400)
        low, high = stats.rate_difference(name, group, others).interval
        covered += low <= -0.15 <= high
    assert 930 <= covered <= 970


def test_intervals_of_ratios_cover_the_truth():
    """Of 1,000 pairs of groups of 250 rows, 93 to 97% of the 95% intervals cover."""
    rng = np.random.default_rng(12)
    covered = 0
    for _ in range(1000):
        x, y = rng.binomial(250, 0.3), rng.binomial(400, 0.45)
        group, others = GroupCounts(tp=x, fn=250 - x), GroupCounts(tp=y, fn=400 - y)
        low, high = stats.rate_ratio("selection_rate", group, others).interval
        covered += low <= 0.3 / 0.45 <= high
    assert 930 <= covered <= 970
