"""The numbers of the statistics handbook, to a relative 1e-6: each formula computed independently of this code."""

import math

import numpy as np
import pytest

from driftline import stats

REF = [2.1, 3.4, 1.9, 5.6, 4.4, 3.3, 2.8, 4.9, 3.7, 4.1, 2.5, 3.0]
CUR = [3.9, 5.1, 4.7, 6.2, 5.5, 4.0, 6.8, 5.9, 4.6, 7.1]
A, B = [50, 30, 20], [40, 35, 25]
Z, ZC = [60, 40, 0], [50, 40, 10]

y = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0])
s = np.array([0.92, 0.81, 0.77, 0.65, 0.62, 0.48, 0.45, 0.40, 0.33, 0.25, 0.88, 0.10])
CONFUSION = stats.Confusion(tp=4, fp=2, tn=4, fn=2)
SCORES = np.sort(s)
NEGATIVES, POSITIVES = ([int(np.sum((s == score) & (y == label))) for score in SCORES] for label in (0, 1))
SQUARES = (s - y) ** 2
LOSSES = -np.log(np.where(y == 1, s, 1 - s))

LABELS = np.array([10, 12, 9, 15, 20, 18.0])
ERRORS = np.array([11, 11.5, 9.5, 13, 22, 18.4]) - LABELS
SUMS = {
    "n": 6,
    "e": float(ERRORS.sum()),
    "abs_e": float(np.abs(ERRORS).sum()),
    "e2": float((ERRORS**2).sum()),
    "e4": float((ERRORS**4).sum()),
    "y": float((LABELS - 12).sum()),
    "y2": float(((LABELS - 12) ** 2).sum()),
}
MAE = stats.mae(SUMS["n"], SUMS["abs_e"], SUMS["e2"])
RMSE = stats.rmse(SUMS["n"], SUMS["e2"], SUMS["e4"])
AUC = stats.roc_auc(NEGATIVES, POSITIVES)

NUMERIC = [
    ("KS D", stats.ks_distance(REF, CUR), 0.6666666667),
    ("KS p exact", stats.ks_p_exact(2 / 3, 12, 10), 0.006733204876),
    ("KS p by the one-sample law", stats.ks_p_asymptotic(2 / 3, 12, 10), 0.01033744856),
    ("KS robust", stats.ks_robust(2 / 3, 12, 10), 0),
    ("Cramér-von Mises", stats.cramer_von_mises(REF, CUR), (0.9848484848, 0.001902122645)),
    ("Anderson", stats.anderson_darling(REF, CUR), 5.688154357),
    ("W1", stats.wasserstein(REF, CUR), 1.905),
    ("W1 by IQR", stats.wasserstein(REF, CUR) / (stats.robust_scale(REF) * 1.349), 1.313793103),
    ("IQR", stats.robust_scale(REF) * 1.349, 1.45),
    ("W1 by sd", stats.wasserstein(REF, CUR) / np.std(REF, ddof=1), 1.695733038),
    ("W1 by sd, ddof 0", stats.wasserstein(REF, CUR) / np.std(REF), 1.771135394),
    ("energy", stats.energy_distance(REF, CUR), 1.301729619),
    ("energy squared", stats.energy_distance(REF, CUR) ** 2, 1.6945),
    ("Mann-Whitney", stats.mann_whitney(REF, CUR), (14, 0.001518605234, 0.8833333333, 0.7666666667)),
    ("Welch", stats.welch(REF, CUR), (-3.977839733, 19.34645323, 0.000782284101)),
    ("Cohen d", stats.cohen_d(REF, CUR), 1.701893747),
    ("Hedges g", stats.hedges_g(REF, CUR), 1.63726487),
    ("Brown-Forsythe", stats.brown_forsythe(REF, CUR), (0.0288449554, 0.8668437134)),
    ("median squared distance", stats.median_squared_distance(REF + CUR), 2.25),
    ("MMD", stats.mmd2(REF, CUR, 1.125), (0.357777744, 0.4464976275)),
]

CATEGORICAL = [
    ("chi-square", stats.chi_square(A, B)[:3], (2.051282051, 2, 0.3585665414)),
    ("G", stats.g_test(A, B)[:3], (2.05510866, 2, 0.3578811503)),
    ("Cramér V", stats.cramers_v(A, B), 0.1012739367),
    ("PSI raw", stats.psi_raw(A, B), 0.04117906669),
    ("PSI raw over h", stats.psi_raw(A, B) / (1 / 100 + 1 / 100), 2.058953334),
    ("KL cur ref", stats.kl_divergence(B, A), 0.02048120524),
    ("KL ref cur", stats.kl_divergence(A, B), 0.02069786145),
    ("JS distance e", stats.js_distance(A, B, "e"), 0.07167825089),
    ("JS distance 2", stats.js_distance(A, B), 0.08609435337),
    ("JS divergence 2", stats.js_divergence(A, B), 0.007412237682),
    ("Hellinger", stats.hellinger(A, B), 0.07171172728),
    ("TVD", stats.tvd(A, B), 0.1),
    ("Linf", stats.linf(A, B), 0.1),
    ("Cohen w", stats.cohen_w(A, B), 0.2020725942),
    ("Jeffreys p", tuple(stats.jeffreys_shares(Z, ZC)[0]), (0.5960591133, 0.3990147783, 0.004926108374)),
    ("Jeffreys q", tuple(stats.jeffreys_shares(Z, ZC)[1]), (0.4975369458, 0.3990147783, 0.1034482759)),
    ("PSI with an empty bin", stats.psi(Z, ZC), 0.3177529524),
    ("JS with an empty bin", stats.js_distance(Z, ZC), 0.2308319382),
]

LAW_ROWS = [
    (10_000, 200, 0.0459, 0.0216374675, 0.08628678578, 0.1104965711, 0.1421735408),
    (10_000, 1_000, 0.0099, 0.004666904756, 0.01861087537, 0.02383259377, 0.03066488136),
    (10_000, 10_000, 0.0018, 0.0008485281374, 0.003383795521, 0.004333198867, 0.005575432974),
    (1_000, 1_000, 0.018, 0.008485281374, 0.03383795521, 0.04333198867, 0.05575432974),
    (10**6, 10**6, 1.8e-05, 8.485281374e-06, 3.383795521e-05, 4.333198867e-05, 5.575432974e-05),
]
LAW = [
    (
        f"PSI law of {n} and {m}",
        (*stats.psi_law(10, n, m), *(stats.psi_quantile(10, n, m, q) for q in (0.95, 0.99, 0.999))),
        tuple(rest),
    )
    for n, m, *rest in LAW_ROWS
]
CRITICAL = [
    (f"PSI critical at {tolerance} with {m}", stats.psi_critical(10, 10_000, m, tolerance), value)
    for tolerance, values in {
        0.02: (0.1523444307, 0.05861948722, 0.03216187239, 0.02803105731),
        0.05: (0.2048554775, 0.1006316249, 0.06750841179, 0.06185125833),
    }.items()
    for m, value in zip((200, 1_000, 10_000, 10**6), values, strict=True)
]
EXAMPLE = [
    ("PSI p beyond tolerance", stats.psi_p_value(0.08, 10, 10_000, 1_000, 0.02), 0.00015123321),
    ("PSI p", stats.psi_p_value(0.08, 10, 10_000, 1_000), 4.43401188e-12),
    ("PSI debiased", stats.psi_debiased(0.08, 10, 10_000, 1_000), 0.0701),
]

PROPORTIONS = [
    ("Wilson", stats.wilson(45, 50), (0.7863976856, 0.9565242351)),
    ("Wilson of none", stats.wilson(0, 50), (0.0, 0.07134759913)),
    ("Clopper-Pearson", stats.clopper_pearson(45, 50), (0.7818646336, 0.9667249064)),
    ("Jeffreys", stats.jeffreys(45, 50), (0.794645172, 0.9608056356)),
    ("Newcombe", stats.newcombe(45, 50, 30, 50), (0.1318908499, 0.4492992144)),
    ("two proportions", stats.two_proportion_z(12, 400, 30, 500), (-2.120260478, 0.03398408465)),
    ("Fisher", stats.fisher_exact(12, 400, 30, 500), 0.03848129129),
    ("Cohen h", stats.cohen_h(12, 400, 30, 500), 0.1467681051),
    ("Poisson up", stats.count_at_least(140, 100), 9.164651427e-05),
    ("Poisson down", stats.count_at_most(60, 100), 1.081221817e-05),
    ("negative binomial up", stats.count_at_least(140, 100, 20), 0.06377045308),
    ("negative binomial down", stats.count_at_most(60, 100, 20), 0.03709303951),
]

PERFORMANCE = [
    ("accuracy", stats.accuracy({("1", "1"): 4, ("0", "1"): 2, ("0", "0"): 4, ("1", "0"): 2}).value, 8 / 12),
    ("precision", stats.precision(CONFUSION).value, 4 / 6),
    ("recall", stats.recall(CONFUSION).value, 4 / 6),
    ("F1", stats.f1(CONFUSION).value, 4 / 6),
    ("MCC", stats.mcc(CONFUSION), 0.3333333333),
    ("AUC", AUC.value, 0.75),
    ("DeLong variance", AUC.se**2, 0.02314814815),
    ("DeLong se", AUC.se, 0.1521451549),
    ("AUC interval", AUC.interval, (0.3794737419, 0.936374853)),
    ("Hanley-McNeil", stats.hanley_mcneil_se(0.75, 6, 6), 0.1468924128),
    ("separation", stats.separation(NEGATIVES, POSITIVES), 0.5),
    ("Brier", stats.brier(12, float(SQUARES.sum()), float((SQUARES**2).sum())).value, 0.20425),
    ("log loss", stats.log_loss(12, float(LOSSES.sum()), float((LOSSES**2).sum())).value, 0.5830535745),
    ("MAE", MAE.value, 1.066666667),
    ("MAE se", MAE.se, 0.3073181486),
    ("RMSE", RMSE.value, 1.268857754),
    ("RMSE se", RMSE.se, 0.3018061572),
    ("bias", stats.bias(6, SUMS["e"], SUMS["e2"]).value, 0.2333333333),
    ("WAPE", stats.wape(SUMS["abs_e"], float(np.abs(LABELS).sum())), 0.07619047619),
    ("R2", stats.r2(6, SUMS["e2"], SUMS["e4"], SUMS["y"], SUMS["y2"]).value, 0.9014285714),
]


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        pytest.param(got, expected, id=name)
        for name, got, expected in NUMERIC + CATEGORICAL + LAW + CRITICAL + EXAMPLE + PROPORTIONS + PERFORMANCE
    ],
)
def test_the_handbooks_number_is_met(got, expected):
    """Every number of the handbook is met to a relative 1e-6."""
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-15)


def test_the_exact_log_loss_is_the_mean_of_the_logs():
    """The vectors above use sums that a profile keeps; they are the plain means of the rows."""
    assert float(LOSSES.mean()) == pytest.approx(0.5830535745, rel=1e-9)
    assert math.isclose(float(SQUARES.mean()), 0.20425)
