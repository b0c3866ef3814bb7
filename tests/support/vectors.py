"""Published numbers, and the call that must give each: the data of the vector tests and of the
table in docs/statistics.md.

`python tests/support/vectors.py` writes that table anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from driftline import stats

PAGE = Path(__file__).parents[2] / "docs/statistics.md"
BEGIN, END = "<!-- vectors: made by tests/support/vectors.py -->\n", "<!-- end of vectors -->\n"
RELATIVE = 1e-6


class Vector(NamedTuple):
    """One number, or several that belong together."""

    what: str
    call: str
    """Python, with the names of `driftline.stats` and of `INPUTS`."""
    expected: object
    digits: float = 0.0
    """Half of the last digit that was published, where that is coarser than the relative
    tolerance.
    """


INPUTS = """
REF = [2.1, 3.4, 1.9, 5.6, 4.4, 3.3, 2.8, 4.9, 3.7, 4.1, 2.5, 3.0]
CUR = [3.9, 5.1, 4.7, 6.2, 5.5, 4.0, 6.8, 5.9, 4.6, 7.1]
A, B = [50, 30, 20], [40, 35, 25]
EMPTY, FULL = [60, 40, 0], [50, 40, 10]
P = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]
HISTORY = [10.2, 9.8, 10.5, 10.1, 9.9, 10.3, 10.0, 9.7, 10.4, 10.1, 9.6, 10.2]
SCORES = studentise(HISTORY)
T = np.array([prediction(HISTORY, new).t for new in (10.3, 11.0, 11.2, 11.4)])
UP, DOWN = calibrate(tail_p(SCORES, T)), calibrate(tail_p(-SCORES, -T))
PATH = [0.6, 0.03, 0.2, 0.004, 0.01, 0.0005]
WINS = [1, 0, 1, 1, 1, 0, 1, 1, 1, 1]
RATINGS = [0.9, 0.8, 0.85, 0.7, 0.95, 0.6, 0.9, 0.8, 0.75, 0.88]
CHART = [0.1, -0.2, 0.3, 0, 0.2, 1.4, 1.1, 1.6, 0.9, 1.3]
Y = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0])
S = np.array([0.92, 0.81, 0.77, 0.65, 0.62, 0.48, 0.45, 0.40, 0.33, 0.25, 0.88, 0.10])
C = Confusion(tp=4, fp=2, tn=4, fn=2)
TABLE = {("1", "1"): 4, ("0", "1"): 2, ("0", "0"): 4, ("1", "0"): 2}
CELLS = ScoreCells.of(S, Y, 1 - Y)
PROMISED = ProbabilityCells.of(S, S >= 0.5, S < 0.5)
JOINT = [[0.4, 0.03, 0.02], [0.075, 0.21, 0.04], [0.025, 0.06, 0.14]]
NEGATIVES, POSITIVES = ([int(np.sum((S == s) & (Y == label))) for s in np.sort(S)] for label in (0, 1))
SQUARES, LOSSES = (S - Y) ** 2, -np.log(np.where(Y == 1, S, 1 - S))
LABELS = np.array([10, 12, 9, 15, 20, 18.0])
E = np.array([11, 11.5, 9.5, 13, 22, 18.4]) - LABELS
RELATIVE = 2 * abs(E) / (2 * LABELS + E)
PINBALL = np.maximum(-0.9 * E, 0.1 * E)
LOGS = (np.log1p(LABELS + E) - np.log1p(LABELS)) ** 2
WAS, NOW = [0.40, 0.30, 0.15, 0.10, 0.05], [0.20, 0.35, 0.05, 0.30, 0.10]
ROWS = [[1, 2], [2, 4.1], [3, 5.9], [4, 8.2], [5, 9.8], [6, 12.1]]
FIT = principal_components(ROWS, count=1)
PARTS = decompose([0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.05, 0.1, 0.2], [0.06, 0.15, 0.2])
WOBBLE = 0.05**2 / (1 + 0.05**2)
FAVOURED = GroupCounts(tp=40, fp=10, fn=20, tn=30)
OTHER_GROUP = GroupCounts(tp=20, fp=5, fn=20, tn=55)
BENEFITS = GroupCounts(tp=5, fp=1, fn=2)
PAIRS = [0.02, -0.01, 0.03, 0, 0.01, 0.04, -0.02, 0.03]
CLOUD, OTHER = [[1, 0], [0.9, 0.1], [0.8, 0.2], [1, 0.1]], [[0.2, 0.9], [0.1, 1], [0.3, 0.8], [0, 1]]
"""


def _namespace() -> dict[str, object]:
    names = {name: getattr(stats, name) for name in stats.__all__} | {"np": np, "inf": float("inf")}
    exec(INPUTS, names)
    return names


NUMERIC = [
    Vector("Kolmogorov-Smirnov D", "ks_distance(REF, CUR)", 0.6666666667),
    Vector("its p, exact", "ks_p_exact(2/3, 12, 10)", 0.006733204876),
    Vector("its p by the one-sample law", "ks_p_asymptotic(2/3, 12, 10)", 0.01033744856),
    Vector("its p by the limit law", "ks_p_limit(2/3, 12, 10)", 0.01568048788),
    Vector("D, robust as Deequ has it", "ks_robust(2/3, 12, 10)", 0),
    Vector("Cramér-von Mises T, p", "cramer_von_mises(REF, CUR)", (0.9848484848, 0.001902122645)),
    Vector("Anderson-Darling", "anderson_darling(REF, CUR)", 5.688154357),
    Vector("Wasserstein-1", "wasserstein(REF, CUR)", 1.905),
    Vector("W1 by sd, ddof 0", "wasserstein(REF, CUR) / np.std(REF)", 1.771135394),
    Vector("W1 by sd, ddof 1", "wasserstein(REF, CUR) / np.std(REF, ddof=1)", 1.695733038),
    Vector("interquartile range", "robust_scale(REF) * 1.349", 1.45),
    Vector(
        "W1 by interquartile range",
        "wasserstein(REF, CUR) / (robust_scale(REF) * 1.349)",
        1.313793103,
    ),
    Vector("energy distance", "energy_distance(REF, CUR)", 1.301729619),
    Vector("its square", "energy_distance(REF, CUR) ** 2", 1.6945),
    Vector(
        "Mann-Whitney U, p, superiority, Cliff's delta",
        "mann_whitney(REF, CUR)",
        (14, 0.001518605234, 0.8833333333, 0.7666666667),
    ),
    Vector("Welch t, df, p", "welch(REF, CUR)", (-3.977839733, 19.34645323, 0.000782284101)),
    Vector("Cohen's d", "cohen_d(REF, CUR)", 1.701893747),
    Vector("Hedges' g", "hedges_g(REF, CUR)", 1.63726487),
    Vector("Brown-Forsythe W, p", "brown_forsythe(REF, CUR)", (0.0288449554, 0.8668437134)),
    Vector("median squared distance", "median_squared_distance(REF + CUR)", 2.25),
    Vector(
        "squared MMD, unbiased and biased",
        "mmd2(REF, CUR, variance=1.125)",
        (0.357777744, 0.4464976275),
    ),
]

CATEGORICAL = [
    Vector("chi-square, df, p", "chi_square(A, B)[:3]", (2.051282051, 2, 0.3585665414)),
    Vector("G, df, p", "g_test(A, B)[:3]", (2.05510866, 2, 0.3578811503)),
    Vector("Cramér's V", "cramers_v(A, B)", 0.1012739367),
    Vector("PSI, raw shares", "psi_raw(A, B)", 0.04117906669),
    Vector("PSI over 1/n + 1/m", "psi_raw(A, B) / (1/100 + 1/100)", 2.058953334),
    Vector("KL of now from reference", "kl_divergence(B, A)", 0.02048120524),
    Vector("KL of reference from now", "kl_divergence(A, B)", 0.02069786145),
    Vector("Jensen-Shannon distance, base e", "js_distance(A, B, base='e')", 0.07167825089),
    Vector("Jensen-Shannon distance, base 2", "js_distance(A, B)", 0.08609435337),
    Vector("Jensen-Shannon divergence, base 2", "js_divergence(A, B)", 0.007412237682),
    Vector("Hellinger", "hellinger(A, B)", 0.07171172728),
    Vector("total variation", "tvd(A, B)", 0.1),
    Vector("L-infinity", "linf(A, B)", 0.1),
    Vector("Cohen's w", "cohen_w(A, B)", 0.2020725942),
    Vector(
        "Jeffreys shares, reference",
        "jeffreys_shares(EMPTY, FULL)[0]",
        (0.5960591133, 0.3990147783, 0.004926108374),
    ),
    Vector(
        "Jeffreys shares, window",
        "jeffreys_shares(EMPTY, FULL)[1]",
        (0.4975369458, 0.3990147783, 0.1034482759),
    ),
    Vector("PSI with an empty bin", "psi(EMPTY, FULL)", 0.3177529524),
    Vector("PSI with the empty bin filled", "psi_filled(EMPTY, FULL)", 0.708316908),
    Vector("Jensen-Shannon with an empty bin", "js_distance(EMPTY, FULL)", 0.2308319382),
]

_LAW = [
    (10_000, 200, 0.0459, 0.0216374675, 0.08628678578, 0.1104965711, 0.1421735408),
    (10_000, 1_000, 0.0099, 0.004666904756, 0.01861087537, 0.02383259377, 0.03066488136),
    (10_000, 10_000, 0.0018, 0.0008485281374, 0.003383795521, 0.004333198867, 0.005575432974),
    (1_000, 1_000, 0.018, 0.008485281374, 0.03383795521, 0.04333198867, 0.05575432974),
    (10**6, 10**6, 1.8e-05, 8.485281374e-06, 3.383795521e-05, 4.333198867e-05, 5.575432974e-05),
]
_CRITICAL = {
    0.02: (0.1523444307, 0.05861948722, 0.03216187239, 0.02803105731),
    0.05: (0.2048554775, 0.1006316249, 0.06750841179, 0.06185125833),
}
PSI_LAW = [
    *(
        vector
        for n, m, mean, sd, *quantiles in _LAW
        for vector in (
            Vector(
                f"PSI of {n:,} and {m:,} rows without drift: mean, sd",
                f"psi_law(10, {n}, {m})",
                (mean, sd),
            ),
            Vector(
                "its 95%, 99% and 99.9% quantiles",
                f"[psi_quantile(10, {n}, {m}, q) for q in (0.95, 0.99, 0.999)]",
                tuple(quantiles),
            ),
        )
    ),
    *(
        Vector(
            f"PSI that shows more than {tolerance}, {m:,} rows",
            f"psi_critical(10, 10_000, {m}, {tolerance})",
            value,
        )
        for tolerance, values in _CRITICAL.items()
        for m, value in zip((200, 1_000, 10_000, 10**6), values, strict=True)
    ),
    Vector(
        "p of PSI 0.08 against 0.02",
        "psi_p_value(0.08, 10, 10_000, 1_000, tolerance=0.02)",
        0.00015123321,
    ),
    Vector("p of PSI 0.08 against none", "psi_p_value(0.08, 10, 10_000, 1_000)", 4.43401188e-12),
    Vector("PSI 0.08 debiased", "psi_debiased(0.08, 10, 10_000, 1_000)", 0.0701),
]

PROPORTIONS = [
    Vector("Wilson", "wilson(45, 50)", (0.7863976856, 0.9565242351)),
    Vector("Wilson of none", "wilson(0, 50)", (0, 0.07134759913)),
    Vector("Clopper-Pearson", "clopper_pearson(45, 50)", (0.7818646336, 0.9667249064)),
    Vector("Jeffreys", "jeffreys(45, 50)", (0.794645172, 0.9608056356)),
    Vector("Newcombe", "newcombe(45, 50, 30, 50)", (0.1318908499, 0.4492992144)),
    Vector(
        "two proportions: z, p", "two_proportion_z(12, 400, 30, 500)", (-2.120260478, 0.03398408465)
    ),
    Vector("Fisher's exact p", "fisher_exact(12, 400, 30, 500)", 0.03848129129),
    Vector("Cohen's h", "cohen_h(12, 400, 30, 500)", 0.1467681051),
    Vector("volume, Poisson, 140 or more", "count_at_least(140, mean=100)", 9.164651427e-05),
    Vector("volume, Poisson, 60 or fewer", "count_at_most(60, mean=100)", 1.081221817e-05),
    Vector(
        "volume, dispersion 20, 140 or more",
        "count_at_least(140, mean=100, dispersion=20)",
        0.06377045308,
    ),
    Vector(
        "volume, dispersion 20, 60 or fewer",
        "count_at_most(60, mean=100, dispersion=20)",
        0.03709303951,
    ),
]

MULTIPLICITY = [
    Vector(
        "Benjamini-Hochberg",
        "bh(P)",
        (0.01, 0.04, 0.084, 0.084, 0.084, 0.1, 0.1057142857, 0.216, 0.216, 0.216),
    ),
    Vector(
        "Benjamini-Yekutieli",
        "by(P)",
        (
            0.02928968254,
            0.1171587302,
            *[0.2460333333] * 3,
            0.2928968254,
            0.3096337868,
            *[0.6326571429] * 3,
        ),
    ),
    Vector("Holm", "holm(P)", (0.01, 0.072, *[0.312] * 5, *[0.615] * 3)),
    Vector("Bonferroni", "bonferroni(P)", (0.01, 0.08, 0.39, 0.41, 0.42, 0.6, 0.74, 1, 1, 1)),
    Vector("Simes", "simes(P)", 0.01),
    Vector("Fisher's combination, p", "fisher_combined(P)", (62.8600472, 2.547174839e-06)),
    Vector("Cauchy's combination, p", "cauchy_combined(P)", (39.47761235, 0.008061324186)),
    Vector(
        "e-BH: how many it names", "e_bh([100, 40, 25, 3, 1, 0.5, 0.2, 0.1], alpha=0.1).sum()", 2
    ),
]

LIMITS = [
    Vector("prediction t, df, p", "prediction(HISTORY, 11.0)", (3.232182207, 11, 0.007984180866)),
    Vector("z with ddof 0", "plain_z(HISTORY, 11.0)", 3.513752509),
    Vector("z by median and MAD", "mad_z(HISTORY, 11.0)", 3.035208418),
    Vector("rank p", "rank_p(HISTORY, 11.0)", 0.07692307692),
    Vector(
        "multiple of s that is left once a year, K = 12, 30, 60, inf",
        "[limit_multiplier(k, 1/365) for k in (12, 30, 60, inf)]",
        (3.998292302, 3.328856377, 3.153137442, 2.995525266),
    ),
    Vector("how often 3 sd of 10 windows are left", "limit_rate(10, 3)", 0.02385638454),
    Vector("on one side", "limit_rate(10, 3) / 2", 0.01192819227),
]

_SORTED = (
    *(-1.974968, -1.447494, -1.004325, -0.609258, -0.239990, 0.119737),
    *(0.119737, 0.484182, 0.484182, 0.868577, 1.292611, 1.786530),
)
EVIDENCE = [
    Vector("baseline residuals, studentised", "np.sort(SCORES)", _SORTED, 5e-7),
    Vector("t of four new windows", "T", (0.808046, 3.232182, 3.924793, 4.617403), 5e-7),
    Vector(
        "p upwards", "tail_p(SCORES, T)", (0.26923077, 0.00717984, 0.00330241, 0.00172388), 5e-9
    ),
    Vector(
        "p downwards", "tail_p(-SCORES, -T)", (0.73076923, 0.96153846, 0.96153846, 0.96153846), 5e-9
    ),
    Vector("e upwards", "UP", (0.814306, 5.471845, 9.071694, 14.144807), 5e-7),
    Vector("e downwards", "DOWN", (0.556647, 0.506601, 0.506601, 0.506601), 5e-7),
    Vector("R upwards", "shiryaev_roberts(UP)", (0.814306, 9.927602, 99.131859, 1416.345854), 5e-7),
    Vector("R downwards", "shiryaev_roberts(DOWN)", (0.556647, 0.788599, 0.906107, 0.965636), 5e-7),
    Vector(
        "M, the mean of both",
        "(shiryaev_roberts(UP) + shiryaev_roberts(DOWN)) / 2",
        (0.685476, 5.358101, 50.018983, 708.655745),
        5e-7,
    ),
    Vector(
        "e-values",
        "calibrate([0.5, 0.1, 0.05, 0.01, 1e-3, 1e-4, 1e-6])",
        (0.6386739401, 1.263210791, 1.783322181, 4.45099226, 20.79113354, 117.7619488, 5239.136184),
    ),
    Vector(
        "Shiryaev-Roberts path",
        "shiryaev_roberts(calibrate(PATH))",
        (0.5972229631, 3.744549554, 4.378713797, 42.95672052, 195.6510228, 6778.35323),
    ),
    Vector(
        "CUSUM path of e-values",
        "cusum_path(calibrate(PATH))",
        (0.5972229631, 2.344412547, 2.163643028, 17.2797833, 76.91218173, 2651.081739),
    ),
    Vector(
        "normal scores",
        "normal_scores(PATH)",
        (-0.2533471031, 1.880793608, 0.8416212336, 2.652069808, 2.326347874, 3.290526731),
    ),
]

SEQUENCES = [
    Vector(
        "betting capital",
        "betting_capital(WINS, mean=0.5, bets=0.5)",
        (
            *(1.25, 0.9375, 1.171875, 1.46484375, 1.831054688),
            *(1.373291016, 1.71661377, 2.145767212, 2.682209015, 3.352761269),
        ),
    ),
    Vector(
        "Hoeffding capital, at last", "hoeffding_capital(WINS, mean=0.5, bets=0.5)[-1]", 3.278873768
    ),
    Vector(
        "asymptotic sequence, half of its width",
        "[asymptotic_half(t) for t in (100, 1_000, 10_000)]",
        (0.3855054634, 0.09598173584, 0.03241723145),
    ),
    Vector(
        "CDF sequence", "[cdf_half(t) for t in (1_000, 10_000)]", (0.08656912838, 0.02771074508)
    ),
    Vector(
        "DKW, at one time only",
        "[dkw_half(n) for n in (1_000, 10_000)]",
        (0.0429469, 0.0135810),
        5e-8,
    ),
    Vector(
        "empirical Bernstein: centre, half", "empirical_bernstein(RATINGS)", (0.813, 0.7491313319)
    ),
]

CHARTS = [
    Vector(
        "EWMA, weight 0.2",
        "ewma(CHART)",
        (
            *(0.02, -0.024, 0.0408, 0.03264, 0.066112),
            *(0.3328896, 0.48631168, 0.709049344, 0.7472394752, 0.8577915802),
        ),
    ),
    Vector(
        "its limits",
        "ewma_limits(10)",
        (
            *(0.6, 0.7683749085, 0.8589854481, 0.9122652246, 0.9447887688),
            *(0.9650287681, 0.9777625146, 0.9858257972, 0.9909518664, 0.9942186807),
        ),
    ),
    Vector("CUSUM, slack 0.5", "cusum(CHART)", (0, 0, 0, 0, 0, 0.9, 1.5, 2.6, 3.0, 3.8)),
    Vector(
        "Page-Hinkley, slack 0.005",
        "page_hinkley(CHART)",
        (
            0,
            0,
            0.2283333333,
            0.1733333333,
            0.2883333333,
            1.383333333,
            2.064047619,
            3.096547619,
            3.391547619,
            4.016547619,
        ),
    ),
]

CLASSIFICATION = [
    Vector(
        "accuracy",
        "accuracy({('1', '1'): 4, ('0', '1'): 2, ('0', '0'): 4, ('1', '0'): 2}).value",
        8 / 12,
    ),
    Vector(
        "precision, recall, F1",
        "[m(C).value for m in (precision, recall, f1)]",
        (4 / 6, 4 / 6, 4 / 6),
    ),
    Vector("Matthews' correlation", "mcc(TABLE).value", 0.3333333333),
    Vector("average precision", "average_precision(NEGATIVES, POSITIVES).value", 0.7958333333),
    Vector("AUC", "roc_auc(NEGATIVES, POSITIVES).value", 0.75),
    Vector("its variance (DeLong)", "roc_auc(NEGATIVES, POSITIVES).se ** 2", 0.02314814815),
    Vector("its standard error", "roc_auc(NEGATIVES, POSITIVES).se", 0.1521451549),
    Vector("its interval", "roc_auc(NEGATIVES, POSITIVES).interval", (0.3794737419, 0.936374853)),
    Vector("Hanley-McNeil's standard error", "hanley_mcneil_se(0.75, 6, 6)", 0.1468924128),
    Vector("separation", "separation(NEGATIVES, POSITIVES)", 0.5),
    Vector("Brier", "brier(12, SQUARES.sum(), (SQUARES**2).sum()).value", 0.20425),
    Vector("log loss", "log_loss(12, LOSSES.sum(), (LOSSES**2).sum()).value", 0.5830535745),
    Vector("Spiegelhalter's z and p", "spiegelhalter(CELLS)", (0.3825006362, 0.7020900571)),
    Vector("mean label less mean score", "CELLS.gap.sum() / 12", -0.055),
    Vector("observed over expected", "observed_to_expected(CELLS).value", 0.9009009009),
    Vector("ECE, 5 equal widths", "expected_calibration_error(CELLS, 5, 'width').value", 0.125),
    Vector(
        "ECE, 4 equal masses", "expected_calibration_error(CELLS, 4, 'mass').value", 0.1083333333
    ),
    Vector(
        "debiased squared error, 5 equal widths",
        "debiased_calibration_error(CELLS, 5, 'width').value",
        -0.1042444444,
    ),
    Vector("ECCE-MAD, its scale", "cumulative_error(CELLS)", (0.07166666667, 0.123855875)),
    Vector(
        "calibration intercept and slope",
        "[part.value for part in calibration_line(CELLS)]",
        (-0.2638516323, 0.8869280558),
    ),
]

ESTIMATES = [
    Vector("expected confusion cells", "expected_confusion(PROMISED)", (4.65, 1.35, 3.99, 2.01)),
    Vector("accuracy, its se", "estimated_accuracy(PROMISED)[:2]", (0.72, 0.123855875)),
    Vector("precision", "estimated_precision(PROMISED).value", 0.775),
    Vector("recall", "estimated_recall(PROMISED).value", 0.6981981982),
    Vector("F1", "estimated_f1(PROMISED).value", 0.7345971564),
    Vector("AUC", "estimated_roc_auc(PROMISED).value", 0.8093951804),
    Vector(
        "weights of classes (BBSE)",
        "label_shift(JOINT, [0.5, 0.3, 0.2], [0.35, 0.33, 0.32]).weights",
        (0.7142857143, 0.9857142857, 1.735714286),
    ),
    Vector(
        "shares of classes (BBSE)",
        "label_shift(JOINT, [0.5, 0.3, 0.2], [0.35, 0.33, 0.32]).prior",
        (0.3571428571, 0.2957142857, 0.3471428571),
    ),
]

REGRESSION = [
    Vector(
        "mean absolute error, its se",
        "mae(6, abs(E).sum(), (E**2).sum())[:2]",
        (1.066666667, 0.3073181486),
    ),
    Vector(
        "root mean squared error, its se",
        "rmse(6, (E**2).sum(), (E**4).sum())[:2]",
        (1.268857754, 0.3018061572),
    ),
    Vector("bias", "bias(6, E.sum(), (E**2).sum()).value", 0.2333333333),
    Vector("WAPE", "wape(abs(E).sum(), abs(LABELS).sum())", 0.07619047619),
    Vector(
        "MAPE",
        "mean_loss(6, abs(E / LABELS).sum(), ((E / LABELS) ** 2).sum()).value",
        0.07546296296,
    ),
    Vector(
        "sMAPE",
        "mean_loss(6, RELATIVE.sum(), (RELATIVE**2).sum()).value",
        0.07531976681,
    ),
    Vector("pinball, 0.9", "mean_loss(6, PINBALL.sum(), (PINBALL**2).sum()).value", 0.44),
    Vector("RMSLE", "root_mean_loss(6, LOGS.sum(), (LOGS**2).sum()).value", 0.07961394414),
    Vector(
        "R²",
        "r2(6, (E**2).sum(), (E**4).sum(), (LABELS - 12).sum(), ((LABELS - 12) ** 2).sum()).value",
        0.9014285714,
    ),
]

ATTRIBUTION = [
    Vector("NDCG", "ndcg(WAS, NOW)", 0.884359785),
    Vector("Spearman", "spearman(WAS, NOW)", 0.3),
    Vector("mass moved", "mass_moved(WAS, NOW)", 0.3),
]

SIDES = "OTHER_GROUP, FAVOURED"
FAIRNESS = [
    Vector(
        "demographic parity difference",
        f"rate_difference('selection_rate', {SIDES}).value",
        -0.25,
    ),
    Vector(
        "disparate impact, interval",
        f"(lambda r: (r.value, *r.interval))(rate_ratio('selection_rate', {SIDES}))",
        (0.5, 0.3378544895, 0.7399635279),
    ),
    Vector(
        "equal opportunity difference",
        f"rate_difference('true_positive_rate', {SIDES}).value",
        -0.1666666667,
    ),
    Vector(
        "predictive equality difference",
        f"rate_difference('false_positive_rate', {SIDES}).value",
        -0.1666666667,
    ),
    Vector("average odds difference", f"average_odds_difference({SIDES}).value", -0.1666666667),
    Vector("predictive parity difference", f"rate_difference('precision', {SIDES}).value", 0),
    Vector("accuracy difference", f"rate_difference('accuracy', {SIDES}).value", 0.05),
    Vector("label difference", f"rate_difference('base_rate', {SIDES}).value", -0.2),
    Vector("z of the parity difference", "two_proportion_z(25, 100, 50, 100)[0]", -3.651483717),
    Vector("Theil", "generalised_entropy(BENEFITS, 1.0).value", 0.3315734442),
    Vector("generalised entropy", "generalised_entropy(BENEFITS).value", 0.2346938776),
]

OTHERS = [
    Vector(
        "change of a rate: total, mix, within",
        "(PARTS.total, PARTS.mix.sum(), PARTS.within.sum())",
        (0.034, 0.0145, 0.0195),
    ),
    Vector("mix by segment", "PARTS.mix", (0.0057, 0, 0.0088)),
    Vector("within by segment", "PARTS.within", (0.0045, 0.015, 0)),
    Vector("reconstruction error of the reference", "FIT.errors(ROWS).mean()", 0.02430380599),
    Vector(
        "reconstruction errors of two rows",
        "FIT.errors([[2, 10], [5, 3]])",
        (1.239072463, 1.453132991),
    ),
    Vector("share explained", "FIT.explained", 0.999612949),
    Vector(
        "rows to see a rate move",
        "[rows_for_rate(*move) for move in ((0.9, 0.88), (0.1, 0.12), (0.01, 0.015))]",
        (4926, 4926, 9339),
    ),
    Vector(
        "KS distance beyond chance", "ks_margin(10_000, 1_000, confidence=0.999)", 0.06465675798
    ),
    Vector("mean shift that is seen", "detectable_mean(10_000, 1_000)", 0.1516386822),
    Vector("with wobble", "detectable_mean(10_000, 1_000, wobble=0.05)", 0.2743246978),
    Vector("design effect", "design_effect(1_000, WOBBLE)", 3.49127182),
    Vector("effective rows", "effective_rows(1_000, WOBBLE)", 286.4285714),
    Vector(
        "a classifier's guesses: z, p", "better_than_chance(114, 200)", (1.979898987, 0.02798287025)
    ),
    Vector("AUC of a useless score, se", "auc_null_se(100, 100)", 0.04092676386),
    Vector("McNemar's exact p", "mcnemar(30, 12)", 0.007915897335),
    Vector(
        "paired t, p and interval",
        "[(d.t, d.p_value, *d.interval) for d in [paired_difference(PAIRS)]][0]",
        (1.666666667, 0.1395195831, -0.005234681887, 0.03023468189),
    ),
    Vector(
        "centres: Euclidean, cosine distance",
        "centroid_distances(CLOUD, OTHER)",
        (1.131923142, 0.7347602101),
    ),
]

FAMILIES = {
    "numeric drift": NUMERIC,
    "categorical drift": CATEGORICAL,
    "the law of PSI": PSI_LAW,
    "proportions and volume": PROPORTIONS,
    "many tests": MULTIPLICITY,
    "limits for one more window": LIMITS,
    "evidence over windows": EVIDENCE,
    "sequences": SEQUENCES,
    "charts": CHARTS,
    "classification": CLASSIFICATION,
    "estimates without labels": ESTIMATES,
    "regression": REGRESSION,
    "attribution": ATTRIBUTION,
    "fairness": FAIRNESS,
    "decomposition, planning and others": OTHERS,
}
NAMES = _namespace()


def value(vector: Vector) -> tuple[float, ...]:
    """What the call gives, as a flat tuple."""
    return tuple(
        float(number)
        for number in np.ravel(np.asarray(eval(vector.call, dict(NAMES)), dtype=np.float64))
    )


def is_met(vector: Vector) -> bool:
    """Whether the call gives the published numbers, each to 1e-6 of itself or to its last digit."""
    wanted = tuple(
        float(number) for number in np.ravel(np.asarray(vector.expected, dtype=np.float64))
    )
    got = value(vector)
    return len(got) == len(wanted) and all(
        abs(a - b) <= max(RELATIVE * abs(b), vector.digits, 1e-15)
        for a, b in zip(got, wanted, strict=True)
    )


def table() -> str:
    """The part of the page that stands between its markers."""
    lines = ["```python", *INPUTS.strip().splitlines(), "```", ""]
    lines += ["| Vector | Function | Value | Met |", "| --- | --- | --- | --- |"]
    for family, vectors in FAMILIES.items():
        lines.append(f"| **{family}** | | | |")
        for vector in vectors:
            shown = ", ".join(f"{number + 0:.7g}" for number in value(vector))
            lines.append(
                f"| {vector.what} | `{vector.call}` | {shown} | {'yes' if is_met(vector) else 'no'} |"
            )
    return "\n".join(lines) + "\n"


def page_with(text: str, made: str) -> str:
    """The page with that part replaced."""
    head, rest = text.split(BEGIN)
    return head + BEGIN + made + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text(), table()))
