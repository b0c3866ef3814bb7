"""The drift check: what it sees, what it leaves alone, and what it says."""

import numpy as np
import pytest
import scipy.stats as ss
from driftline_plugins.checks.drift import CATEGORICAL, NUMERIC, Drift
from profile_builder import (
    LABEL,
    START,
    categorical,
    column,
    compare,
    context,
    edges_of,
    finite,
    judged,
    numeric,
)

from driftline import Window, stats

pytestmark = pytest.mark.system

DRIFT = Drift()


def rng():
    return np.random.default_rng(11)


def test_identical_data_is_ok_with_no_effect():
    """The reference compared with itself has PSI 0, an interval of nothing, and is ok."""
    for values in (
        rng().normal(0, 1, 500),
        rng().poisson(2, 500),
        ["a", "b", "c", "d"] * 100,
        [1.0] * 200,
    ):
        found = compare(DRIFT, list(values), list(values))
        assert found["psi"].value == 0
        assert found["psi"].interval == (0, 0)
        assert "mean_shift" not in found or found["mean_shift"].interval in ((0, 0), None)
        assert judged(DRIFT, found["psi"]) == "ok"
        assert found["psi"].p_value == pytest.approx(1)


def test_an_unchanged_column_is_ok_with_enough_rows():
    """A window of 1,000 rows of the same law is shown not to have drifted."""
    for seed in range(20):
        draw = np.random.default_rng(seed)
        found = compare(DRIFT, draw.normal(0, 1, 1_000), draw.normal(0, 1, 10_000))
        assert judged(DRIFT, found["psi"]) == "ok"


def test_few_rows_are_unsure_and_never_changed():
    """With 120 rows of the same law no window in forty is called changed, whatever the plain
    PSI.
    """
    verdicts = []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        verdicts.append(
            judged(DRIFT, compare(DRIFT, draw.normal(0, 1, 120), draw.normal(0, 1, 10_000))["psi"])
        )
    assert "changed" not in verdicts
    assert "unsure" in verdicts


def test_fewer_rows_than_a_hundred_are_unsure():
    """Even a gross shift is not judged on 60 rows."""
    found = compare(DRIFT, rng().normal(9, 1, 60), rng().normal(0, 1, 5_000))
    assert judged(DRIFT, found["psi"]) == "unsure"


def test_a_shifted_column_changes_and_says_by_how_much():
    """A shift of two standard deviations is critical, and the detail has both means and the shift
    in sd.
    """
    was = rng().normal(3, 2, 10_000)
    found = compare(DRIFT, rng().normal(7, 2, 1_000), was)
    detail = found["psi"].detail
    assert judged(DRIFT, found["psi"]) == "changed"
    assert detail["mean_was"] == pytest.approx(3, abs=0.1)
    assert detail["mean"] == pytest.approx(7, abs=0.3)
    assert detail["shift_sd"] == pytest.approx(2, abs=0.15)
    assert found["mean_shift"].value == pytest.approx(
        (detail["mean"] - detail["mean_was"]) / np.std(was, ddof=1)
    )
    assert found["mean_shift"].interval[0] < 2 < found["mean_shift"].interval[1] < 2.2
    assert found["mean_shift"].unit == "sd"
    assert found["ks"].p_value < 1e-100
    assert found["wasserstein"].value == pytest.approx(2, abs=0.15)
    assert found["wasserstein"].unit == "sd"


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_the_numbers_are_those_of_the_raw_values(shift):
    """PSI and Jensen-Shannon are exact on deciles of the reference, KS within 0.1% of scipy's, W1
    within 1%.
    """
    was, now = rng().normal(0, 1, 12_000), rng().normal(shift, 1.1, 3_000)
    found = compare(DRIFT, now, was)
    deciles = np.unique(np.quantile(was, np.arange(1, 10) / 10, method="inverted_cdf"))
    grid = edges_of(was)
    cuts = grid[
        [
            np.argmin(np.abs(np.searchsorted(np.sort(was), grid, "right") - 12_000 * k / 10))
            for k in range(1, 10)
        ]
    ]
    assert cuts == pytest.approx(deciles, abs=0.01)
    p, q = (
        np.diff([0, *np.searchsorted(np.sort(side), cuts, "right"), len(side)])
        for side in (was, now)
    )
    assert found["psi"].detail["raw"] == pytest.approx(stats.psi(p, q), rel=1e-12)
    assert found["js"].detail["raw"] == pytest.approx(stats.js_distance(p, q), rel=1e-12)
    assert found["psi"].value == pytest.approx(
        max(0, stats.psi(p, q) - 9 * (1 / 12_000 + 1 / 3_000))
    )
    exact = ss.ks_2samp(was, now).statistic
    assert exact - 1e-3 <= found["ks"].value <= exact + 1e-12
    scale = np.subtract(*np.quantile(was, [0.75, 0.25])) / 1.349
    assert found["wasserstein"].value == pytest.approx(
        ss.wasserstein_distance(was, now) / scale, rel=0.01, abs=0.003
    )


@pytest.mark.parametrize(("shift", "never"), [(0.0, "changed"), (0.25, "changed"), (1.5, "ok")])
def test_more_rows_decide_and_never_turn_a_verdict_round(shift, never):
    """One effect, no past: unsure or judged one way at 150, 1,000 and 50,000 rows, in none of ten
    draws the other way.
    """
    verdicts = []
    for seed in range(10):
        draw = np.random.default_rng(seed)
        was = draw.normal(0, 1, 20_000)
        for rows in (150, 1_000, 50_000):
            verdicts.append(judged(DRIFT, compare(DRIFT, draw.normal(shift, 1, rows), was)["psi"]))
    assert never not in verdicts
    assert verdicts[-1] != "unsure"


def test_a_constant_that_becomes_another_constant_is_seen():
    """All zeros in the reference and all ones now is the largest drift there is."""
    found = compare(DRIFT, [1.0] * 500, [0.0] * 5_000)
    assert judged(DRIFT, found["psi"]) == "changed"
    assert found["ks"].value == 1
    assert found["js"].value == pytest.approx(1, abs=0.02)


def test_a_constant_reference_has_no_unit_for_a_shift():
    """A shift in standard deviations of a column that does not vary is no number, and says why; PSI
    sees the move.
    """
    found = compare(DRIFT, [1.0, 2.0] * 250, [0.0] * 5_000)
    assert found["mean_shift"].value is None
    assert (
        found["mean_shift"].reason == "the reference does not vary, so it has no unit for a shift"
    )
    assert judged(DRIFT, found["psi"]) == "changed"


def test_a_heavy_value_that_moves_a_little_is_seen():
    """Zeros that become -1 are another bin, although no quantile lies between them."""
    was = np.where(rng().random(10_000) < 0.6, 0.0, rng().exponential(1, 10_000))
    found = compare(DRIFT, np.where(was[:2_000] == 0, -1.0, was[:2_000]), was)
    assert judged(DRIFT, found["psi"]) == "changed"


def test_missing_values_are_no_part_of_drift():
    """Half of the values missing at random leaves every distance as it was."""
    was, now = rng().normal(0, 1, 5_000), rng().normal(0.5, 1, 1_000)
    whole, holed = (
        compare(DRIFT, now, was),
        compare(DRIFT, [*now, *[None] * 700, *[float("nan")] * 300], was),
    )
    for name in ("psi", "ks", "js", "wasserstein"):
        assert holed[name].value == whole[name].value
        assert holed[name].rows == 1_000


def test_a_category_that_moved_is_named_with_both_shares():
    """The category that moved most and its shares before and now are in the detail."""
    was, now = ["gold"] * 300 + ["free"] * 700, ["gold"] * 600 + ["free"] * 390 + ["trial"] * 10
    found = compare(DRIFT, now, was)
    assert found["linf"].value == pytest.approx(0.31)
    assert found["linf"].detail == {"share_was": 0.7, "share": 0.39, "category": "free"}
    assert found["linf"].interval[0] > 0.2
    assert judged(DRIFT, found["psi"]) == "changed"
    assert found["chi_square"].p_value < 1e-30
    p, q = [700, 300, 0], [390, 600, 10]
    assert found["psi"].detail["raw"] == pytest.approx(stats.psi(p, q))
    assert found["chi_square"].value == pytest.approx(stats.chi_square(p, q).statistic)


def test_new_categories_are_news_only_when_the_reference_would_have_shown_them():
    """Ten new rows in a thousand are news against 10,000 reference rows, and may be chance against
    100.
    """
    now = ["a"] * 980 + ["<b>"] * 20
    large, small = compare(DRIFT, now, ["a"] * 10_000), compare(DRIFT, now, ["a"] * 100)
    assert large["new_categories"].value == 0.02
    assert large["new_categories"].interval[0] > 0.01
    assert judged(DRIFT, large["new_categories"]) == "changed"
    assert small["new_categories"].interval[0] == 0
    assert judged(DRIFT, small["new_categories"]) == "unsure"


def test_new_categories_are_named_up_to_five_and_cut():
    """At most five names are told, each cut to 80 characters."""
    now = ["a"] * 900 + [f"{letter * 200}" for letter in "bcdefgh" for _ in range(20)]
    detail = compare(DRIFT, now, ["a"] * 1_000)["new_categories"].detail
    assert detail["new"] == 7
    assert len(detail["categories"].split(", ")) == 5
    assert all(len(name) == 80 for name in detail["categories"].split(", "))


def test_a_million_distinct_strings_are_new_although_not_kept():
    """Rows in categories beyond the bound count as new: what the reference knows is always counted
    by name.
    """
    was, now = (
        categorical("x", ["a", "b"] * 500),
        categorical("x", ["a", "b"] * 200 + [str(n) for n in range(600)], bound=50),
    )
    found = {
        m.name: m
        for m in DRIFT.evaluate(
            context(Window(rows=1_000, columns={"x": now}), Window(rows=1_000, columns={"x": was}))
        )
    }
    assert found["new_categories"].value == 0.6


def test_a_redacted_columns_values_stay_out_of_the_detail():
    """No category of a redacted column is named, and no mean of one told; how far it moved is."""
    now = ["secret"] * 500 + ["other"] * 500
    for m in compare(DRIFT, now, ["other"] * 1_000, redact=frozenset({"x"})).values():
        assert "secret" not in str(m.detail)
        assert "other" not in str(m.detail)
    detail = compare(DRIFT, [3.0, 4.0] * 90, [1.0, 2.0] * 90, redact=frozenset({"x"}))["psi"].detail
    assert "mean" not in detail
    assert (
        "mean"
        not in compare(DRIFT, [3.0, 4.0] * 90, [1.0, 2.0] * 90, redact=frozenset({"x"}))[
            "mean_shift"
        ].detail
    )
    assert detail["shift_sd"] > 3


def test_the_label_is_left_out_and_the_prediction_is_not():
    """All columns but the label are measured by default; naming columns measures those."""
    values = list(rng().normal(0, 1, 200))
    window = Window(
        rows=200, columns={name: column(name, values) for name in ("age", "score", "y")}
    )
    ctx = context(window, window, label=LABEL)
    assert {m.labels["column"] for m in DRIFT.evaluate(ctx)} == {"age", "score"}
    assert {m.labels["column"] for m in Drift(columns=("y",)).evaluate(ctx)} == {"y"}
    assert {m.name for m in Drift(metrics=("ks",)).evaluate(ctx)} == {"ks"}


EVERY = Drift(metrics=(*NUMERIC, *CATEGORICAL))


def test_every_metric_is_there_when_asked_for_and_few_are_by_default():
    """All metrics of a kind come in one order when named; the default leaves out those that say the
    same again.
    """
    values, words = list(rng().normal(0, 1, 300)), ["a", "b", "c"] * 100
    assert tuple(compare(EVERY, values, values)) == NUMERIC
    assert tuple(compare(EVERY, words, words)) == CATEGORICAL
    assert tuple(compare(DRIFT, values, values)) == (
        "mean_shift",
        "spread",
        "psi",
        "js",
        "ks",
        "wasserstein",
    )
    assert set(CATEGORICAL) - set(compare(DRIFT, words, words)) == {"hellinger", "tvd", "g_test"}


def test_distances_asked_for_by_name_are_those_of_the_raw_values():
    """Energy, Cramér-von Mises, Hellinger, total variation and spread of a normal shift are the
    textbook's.
    """
    was, now = rng().normal(0, 2, 12_000), rng().normal(0.6, 3, 3_000)
    found = compare(EVERY, now, was)
    assert found["energy"].detail["raw"] == pytest.approx(ss.energy_distance(was, now), rel=0.01)
    scale = np.subtract(*np.quantile(was, [0.75, 0.25])) / 1.349
    assert found["energy"].value == pytest.approx(
        ss.energy_distance(was, now) / np.sqrt(scale), rel=0.01
    )
    theirs = ss.cramervonmises_2samp(was, now, method="asymptotic")
    assert found["cramer_von_mises"].value == pytest.approx(theirs.statistic, rel=1e-3)
    assert found["cramer_von_mises"].p_value < 1e-6
    assert found["spread"].value == pytest.approx(np.log(np.std(now, ddof=1) / np.std(was, ddof=1)))
    assert found["spread"].interval[0] < np.log(1.5) < found["spread"].interval[1]
    assert found["spread"].detail == {
        "sd_was": pytest.approx(2, rel=0.05),
        "sd": pytest.approx(3, rel=0.05),
    }
    deciles = np.quantile(was, np.arange(1, 10) / 10)
    p, q = (
        np.diff([0, *np.searchsorted(np.sort(side), deciles, "right"), len(side)])
        for side in (was, now)
    )
    assert found["tvd"].value == pytest.approx(stats.tvd(p, q), abs=2e-3)
    assert found["hellinger"].detail["raw"] == pytest.approx(stats.hellinger(p, q), abs=2e-3)


def test_the_g_test_is_the_likelihood_ratio():
    """G and its p-value are scipy's on the same categories."""
    was, now = ["a"] * 500 + ["b"] * 300 + ["c"] * 200, ["a"] * 400 + ["b"] * 350 + ["c"] * 250
    found = compare(EVERY, now, was)["g_test"]
    theirs = ss.chi2_contingency(
        [
            [
                500,
                300,
                200,
            ],
            [400, 350, 250],
        ],
        correction=False,
        lambda_="log-likelihood",
    )
    assert (found.value, found.p_value, found.detail["df"]) == (
        pytest.approx(theirs.statistic),
        pytest.approx(theirs.pvalue),
        2,
    )


def test_vanished_categories_are_told_with_the_share_they_had():
    """A category with 15% of the reference and no row in 500 is gone; the rarest may be so by
    chance, and is named too.
    """
    was, now = ["a"] * 840 + ["b"] * 150 + ["c"] * 9 + ["d"], ["a"] * 490 + ["c"] * 10
    found = compare(DRIFT, now, was)["vanished_categories"]
    assert found.value == pytest.approx(0.15, abs=1e-3)
    assert 0.12 < found.interval[0] < 0.15 < found.interval[1]
    assert found.detail == {"gone": 2, "raw": pytest.approx(0.151), "categories": "b, d"}
    assert "b" not in str(
        compare(DRIFT, now, was, redact=frozenset({"x"}))["vanished_categories"].detail.values()
    )
    few = compare(DRIFT, ["a"] * 12, was)["vanished_categories"]
    assert few.interval[0] == 0
    assert compare(DRIFT, was, was)["vanished_categories"].value == 0


def test_a_window_that_does_not_vary_has_no_spread():
    """The logarithm of nothing is no number: the reason is told for either side."""
    wide = list(rng().normal(0, 1, 300))
    assert compare(EVERY, [1.0] * 200, wide)["spread"].reason == "the window does not vary"
    assert (
        compare(EVERY, wide, [1.0] * 200)["spread"].reason
        == "the reference does not vary, so it has no unit for a shift"
    )
    assert compare(EVERY, wide, wide)["spread"].interval == (0, 0)


def test_what_cannot_be_compared_says_why():
    """No reference, no column, no values, another kind and another grid are reasons, not errors."""
    values = [1.0, 2.0, 3.0] * 50
    number, words = numeric("x", values), categorical("x", ["a", "b"] * 75)
    empty = numeric("x", [None] * 150, number.edges)
    cases = [
        (number, None, "no reference yet"),
        (empty, number, "no values in the window"),
        (None, number, "the window has no such column"),
        (number, empty, "the reference has no values in this column"),
        (words, number, "categorical here, numeric in the reference"),
        (numeric("x", [5.0] * 9), number, "counted on another grid than the reference"),
        (
            numeric("x", [5.0] * 9, np.empty(0)),
            numeric("x", [1.0, 2.0], np.empty(0)),
            "no grid yet",
        ),
    ]
    for now, was, reason in cases:
        reference = None if was is None else Window(rows=150, columns={"x": was})
        ctx = context(
            Window(rows=150, columns={} if now is None else {"x": now}, start=START), reference
        )
        found = list(DRIFT.evaluate(ctx))
        assert found, reason
        assert {(m.value, m.reason) for m in found} == {(None, reason)}


def test_many_categories_need_five_rows_each():
    """Forty categories are not compared on 100 rows: the smoothing would be the result."""
    was = [f"c{n}" for n in range(40)] * 100
    found = compare(DRIFT, was[:100], was)
    assert found["psi"].value is None
    assert found["psi"].reason == "needs 200 rows, 5 for each category"
    assert compare(DRIFT, was[:400], was)["psi"].value == 0


def test_the_side_of_the_reference_matters_only_where_it_is_said():
    """PSI, Jensen-Shannon and chi-square of two samples of categories are the same with the sides
    swapped.
    """
    a, b = ["x"] * 300 + ["y"] * 700, ["x"] * 500 + ["y"] * 500
    there, back = compare(DRIFT, a, b), compare(DRIFT, b, a)
    for name in ("psi", "js", "linf", "chi_square"):
        assert there[name].value == pytest.approx(back[name].value)


def test_the_builder_drops_what_is_not_finite():
    """The columns of these tests leave out what a profile leaves out."""
    assert list(finite([1.0, None, float("nan"), float("inf"), 1e200])) == [1.0]
