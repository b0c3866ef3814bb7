"""Every statistic has a defined answer for input that has none."""

import inspect
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import stats

EMPTY, ONE, TIES, GAPS = [], [3.0], [2.0] * 5, [1.0, None, math.nan, math.inf]
SAMPLES = st.sampled_from(
    [EMPTY, ONE, TIES, GAPS, [1.0, 2.0], [-1e150, 1e150, 0.0], [1e-300, 2e-300]]
)
COUNTS = st.lists(st.sampled_from([0, 0, 1, 3, 10**9]), min_size=1, max_size=5)
ROWS = st.sampled_from([0, 1, 2, 100, 10**9])

RAW = [
    stats.anderson_darling,
    stats.ks_distance,
    stats.wasserstein,
    stats.energy_distance,
    stats.cramer_von_mises,
    stats.mann_whitney,
    stats.welch,
    stats.cohen_d,
    stats.hedges_g,
    stats.brown_forsythe,
]
ON_COUNTS = [
    stats.psi,
    stats.psi_raw,
    stats.kl_divergence,
    stats.js_divergence,
    stats.js_distance,
    stats.hellinger,
    stats.tvd,
    stats.linf,
    stats.chi_square,
    stats.g_test,
    stats.cramers_v,
    stats.cohen_w,
    stats.filled_psi,
    stats.filled_kl,
    stats.laplace_psi,
    stats.fit_p_value,
    stats.yates_chi_square,
    stats.separation,
    stats.roc_auc,
    lambda a, b: stats.cramers_v(a, b, bias_corrected=True),
    lambda a, b: stats.hellinger_shift(a, b),
    lambda a, b: stats.tvd_shift(a, b),
    lambda a, b: stats.psi_shift(a, b),
    lambda a, b: stats.gone_shift(a, b, sum(a), sum(b)),
]


def numbers(result):
    if result is None or isinstance(result, str):
        return []
    if isinstance(result, tuple):
        return [number for part in result for number in numbers(part)]
    return [result]


def sound(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = function(*args, **options)
    assert all(math.isfinite(number) for number in numbers(result)), (function, args, result)
    return result


@settings(max_examples=60, deadline=None)
@given(SAMPLES, SAMPLES)
def test_raw_samples_without_values_or_spread_give_numbers_or_none(x, y):
    """Empty, single, constant, missing and extreme samples raise nothing, warn of nothing and give
    no NaN.
    """
    for function in RAW:
        sound(function, x, y)
    sound(stats.robust_scale, x)


@settings(max_examples=80, deadline=None)
@given(COUNTS, COUNTS)
def test_counts_without_rows_or_cells_give_numbers_or_none(a, b):
    """Empty tables, single cells and cells of one side only raise nothing and give no NaN or
    infinity.
    """
    size = min(len(a), len(b))
    for function in ON_COUNTS:
        sound(function, a[:size], b[:size])


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, ROWS, ROWS, st.integers(0, 12))
def test_rates_and_laws_without_rows_give_numbers_or_none(x1, n1, x2, n2, cells):
    """Rates of no rows, of all rows and of none, and the PSI law of one cell, have a defined
    answer.
    """
    x1, x2 = min(x1, n1), min(x2, n2)
    for function in (stats.newcombe, stats.two_proportion_z, stats.cohen_h):
        sound(function, x1, n1, x2, n2)
    if max(n1, n2) <= 100:
        sound(stats.fisher_exact, x1, n1, x2, n2)
    for function in (stats.wilson, stats.clopper_pearson, stats.jeffreys):
        ends = sound(function, x1, n1)
        assert ends is None or 0 <= ends[0] <= x1 / n1 <= ends[1] <= 1
    sound(stats.psi_law, cells, n1, n2)
    for value in (0.0, 1e-9, 0.3, 20.0):
        for function in (stats.psi_interval, stats.psi_p_value, stats.psi_debiased):
            sound(function, value, cells, n1, n2)
        sound(stats.ks_p_value, min(value, 1.0), min(n1, 100), min(n2, 10**6))
        sound(stats.ks_p_asymptotic, min(value, 1.0), n1, n2)
    sound(stats.mean_interval, n1)
    sound(stats.mean_interval, n1, 3.0)


@settings(max_examples=80, deadline=None)
@given(*[st.sampled_from([0, 1, 2, 50, 10**8])] * 4)
def test_confusions_with_an_empty_side_give_a_reason(tp, fp, tn, fn):
    """A metric without a denominator has no value and a reason; any other lies inside its interval,
    and that in [0, 1].
    """
    c = stats.Confusion(tp, fp, tn, fn)
    table = {("1", "1"): tp, ("0", "1"): fp, ("0", "0"): tn, ("1", "0"): fn}
    for metric in (
        stats.precision,
        stats.recall,
        stats.specificity,
        stats.f1,
        stats.balanced_accuracy,
    ):
        checked(sound(metric, c))
    checked(sound(stats.accuracy, table))
    for name in ("precision", "recall", "f1"):
        checked(sound(stats.macro, table, name))
    for metric in (stats.jaccard, stats.false_positive_rate, stats.false_negative_rate):
        checked(sound(metric, c))
    checked(sound(stats.f_beta, c, 2.0))
    for beta, by_label in ((None, True), (None, False), (1.0, True)):
        checked(sound(stats.weighted, table, beta, by_label=by_label))
    for metric in (stats.mcc, stats.cohen_kappa):
        estimate = sound(metric, table)
        assert estimate.value is not None or estimate.reason


def checked(estimate):
    if estimate.value is None:
        assert estimate.reason
    else:
        low, high = estimate.interval
        assert -1e-12 <= low <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= high <= 1 + 1e-12


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0, -1.0, 1e-160, 1e70, -1e75, 1e150]), max_size=5))
def test_errors_without_rows_or_spread_give_numbers_or_a_reason(errors):
    """No rows, one row, perfect predictions and huge errors have a defined answer."""
    e = np.array(errors, dtype=float)
    with np.errstate(over="ignore", under="ignore"):
        n, total, abs_e, e2, e4 = (
            len(e),
            float(e.sum()),
            float(np.abs(e).sum()),
            float((e**2).sum()),
            float((e**4).sum()),
        )
    for estimate in (
        sound(stats.mae, n, abs_e, e2),
        sound(stats.rmse, n, e2, e4),
        sound(stats.bias, n, total, e2),
        sound(stats.r2, n, e2, e4, 0.0, float(n)),
        sound(stats.r2, n, e2, e4, float(n), float(n)),
        sound(stats.brier, n, float(n), float(n)),
        sound(stats.log_loss, n, 0.0, 0.0),
    ):
        assert estimate.value is not None or estimate.reason


def test_an_area_under_one_class_is_undefined_with_its_reason():
    """Without positives, or below the rows asked for, there is no AUC and the reason names both
    counts.
    """
    assert stats.roc_auc([3, 4], [0, 0]).value is None
    assert (
        stats.roc_auc([30, 4], [5, 4], least=10).reason
        == "needs 10 positive and negative labels: 9 and 34"
    )


def test_a_perfect_separation_still_has_an_interval():
    """An AUC of 1 on few rows is not certain."""
    auc = stats.roc_auc([20, 0], [0, 20])
    assert auc.value == 1
    assert auc.interval[0] < 0.9


@pytest.mark.parametrize("name", stats.__all__)
def test_every_public_name_says_what_it_is(name):
    """Every public function of stats has a docstring."""
    assert inspect.getdoc(getattr(stats, name)) or name == "Interval"


def test_grids_without_rows_give_none():
    """A profile without values, or without a grid, has no distance to anything."""
    nothing, something = np.zeros(3, dtype=np.int64), np.array([0, 4, 0])
    edges = np.array([1.0])
    empty, full = (
        stats.Side(edges=edges, counts=nothing),
        stats.Side(edges=edges, counts=something, minimum=1, maximum=1, mean=1),
    )
    nowhere = stats.Side(edges=np.empty(0), counts=np.array([4]), minimum=1, maximum=1, mean=1)
    assert stats.grid_ks(empty, full) is None
    assert stats.grid_ks(nowhere, nowhere) == (0, 1)
    assert stats.grid_wasserstein(full, empty) is None
    assert stats.grid_wasserstein(nowhere, nowhere) is None
    assert stats.wasserstein_margin(full, empty) is None
    assert empty.quantile(0.5) is None
    assert empty.scale == 1
    assert len(stats.quantile_groups(nothing)) == 0
    assert stats.group_counts(nothing, stats.quantile_groups(nothing)).tolist() == [0]
    assert stats.grid_wasserstein(full, full) == 0


def test_a_column_without_a_grid_has_one_span():
    """Its values are spread from the smallest to the largest one."""
    side = stats.Side(edges=np.empty(0), counts=np.array([3]), minimum=0.9, maximum=0.9)
    low, high = side.spans
    assert (low.tolist(), high.tolist()) == ([0.9], [0.9])
