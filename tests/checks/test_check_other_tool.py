"""The definitions of other tools, against the numbers that the tools themselves gave for the same
data.

EVIDENTLY: evidently 0.7.23 (default test and verdict, then others by name). NANNYML: nannyml 0.13.1
(`chi2` is its p-value). TFDV: tensorflow-data-validation 1.16.1, skew of serving from training. All
with numpy 2.4 and scipy 1.17.
"""

import math

import numpy as np
import pytest
import scipy.stats as ss
from driftline_plugins.checks.constraints import Constraints, Drift, Feature
from driftline_plugins.checks.other_tool import METRICS, OtherTool
from profile_builder import categorical, compare, context, numeric
from scipy.spatial.distance import jensenshannon

from driftline import Window, stats

WORDS = np.array(["north", "south", "east", "west", "centre", "abroad"])


def spread(rows, step):
    return np.arange(rows) * step % 997 / 997


def waiting(rows, step, scale):
    return np.floor(-np.log1p(-spread(rows, step)) * scale)


def words(rows, step, power, among=5):
    return WORDS[np.floor(spread(rows, step) ** power * among).astype(int)]


CASES = {
    "skewed": (waiting(3000, 389, 12), waiting(700, 211, 9)),
    "skewed, few rows": (waiting(900, 389, 8), waiting(150, 211, 6)),
    "counts": (np.floor(spread(2500, 389) ** 2 * 30), np.floor(spread(400, 211) ** 1.5 * 30)),
    "grades": (np.floor(spread(1500, 389) ** 2 * 5), np.floor(spread(300, 211) * 5)),
    "grades, few rows": (np.floor(spread(400, 389) ** 2 * 5), np.floor(spread(300, 211) * 5)),
    "flag": (np.floor(spread(500, 389) * 1.4), np.floor(spread(300, 211) * 1.2)),
    "words": (words(2000, 389, 2), words(500, 211, 1.5)),
    "words, one new": (words(2000, 389, 2), words(500, 211, 1.5, 6)),
    "words, few rows": (words(800, 389, 2), words(200, 211, 1.5)),
    "yes and no": (words(800, 389, 1, 1.5), words(200, 211, 1, 1.3)),
}
EVIDENTLY = {
    "skewed": (
        "wasserstein",
        True,
        {
            "wasserstein": 0.251461586947,
            "jensenshannon": 0.103334041587,
            "psi": 0.0866210919536,
            "kl_div": 0.0491265364604,
            "ks": 6.01111506947e-06,
        },
    ),
    "skewed, few rows": (
        "ks",
        False,
        {
            "ks": 0.0569572771834,
            "jensenshannon": 0.116904208933,
            "psi": 0.12606504318,
            "kl_div": 0.0814547798823,
            "wasserstein": 0.271785001852,
        },
    ),
    "counts": (
        "wasserstein",
        True,
        {
            "wasserstein": 0.220415740743,
            "jensenshannon": 0.087739510649,
            "psi": 0.0618835659074,
            "kl_div": 0.031813307176,
            "ks": 0.000780938521063,
        },
    ),
    "grades": (
        "jensenshannon",
        True,
        {
            "jensenshannon": 0.194531964406,
            "psi": 0.308910334888,
            "kl_div": 0.161605641826,
            "wasserstein": 0.524011562681,
            "ks": 2.14176662966e-13,
        },
    ),
    "grades, few rows": (
        "chisquare",
        True,
        {
            "chisquare": 1.88017424981e-17,
            "jensenshannon": 0.193061653103,
            "psi": 0.304176456716,
            "kl_div": 0.159400339694,
            "wasserstein": 0.514825694411,
            "ks": 2.93971099773e-09,
        },
    ),
    "flag": (
        "z",
        True,
        {
            "z": 0.000105993955779,
            "jensenshannon": 0.102848668661,
            "psi": 0.0854575517138,
            "kl_div": 0.0454884877973,
            "wasserstein": 0.267943908557,
            "ks": 0.00738970156101,
        },
    ),
    "words": (
        "jensenshannon",
        False,
        {
            "jensenshannon": 0.0787212635072,
            "psi": 0.0497065381979,
            "kl_div": 0.0250965248732,
            "chisquare": 6.70691603664e-05,
        },
    ),
    "words, one new": (
        "jensenshannon",
        True,
        {
            "jensenshannon": 0.218107741761,
            "psi": 0.877103084926,
            "kl_div": 0.146579364178,
            "chisquare": 0.0,
        },
    ),
    "words, few rows": (
        "chisquare",
        False,
        {
            "chisquare": 0.0606108039725,
            "jensenshannon": 0.0756769113818,
            "psi": 0.0459254888793,
            "kl_div": 0.0231720733244,
        },
    ),
    "yes and no": (
        "z",
        True,
        {
            "z": 0.00421390398814,
            "jensenshannon": 0.0826392362827,
            "psi": 0.0548787431948,
            "kl_div": 0.0284858493345,
            "chisquare": 0.00165469372222,
        },
    ),
}
NANNYML = {
    "skewed": {
        "jensen_shannon": 0.125023866811,
        "hellinger": 0.107619808532,
        "kolmogorov_smirnov": 0.105428571429,
        "wasserstein": 2.97076190476,
    },
    "skewed, few rows": {
        "jensen_shannon": 0.148190163249,
        "hellinger": 0.135991641634,
        "kolmogorov_smirnov": 0.116666666667,
        "wasserstein": 2.16555555556,
    },
    "counts": {
        "jensen_shannon": 0.108978551997,
        "hellinger": 0.0908743372296,
        "kolmogorov_smirnov": 0.1061,
        "wasserstein": 1.9619,
    },
    "grades": {
        "jensen_shannon": 0.233656701673,
        "hellinger": 0.195507130604,
        "kolmogorov_smirnov": 0.242666666667,
        "wasserstein": 0.733333333333,
    },
    "grades, few rows": {
        "jensen_shannon": 0.231890677819,
        "hellinger": 0.19401652503,
        "kolmogorov_smirnov": 0.241666666667,
        "wasserstein": 0.724166666667,
    },
    "flag": {
        "jensen_shannon": 0.123533840643,
        "hellinger": 0.103100160581,
        "kolmogorov_smirnov": 0.121333333333,
        "wasserstein": 0.121333333333,
    },
    "words": {
        "jensen_shannon": 0.0945538736465,
        "hellinger": 0.078772861403,
        "l_infinity": 0.1055,
        "chi2": 0.000614760913,
    },
    "words, one new": {
        "jensen_shannon": 0.261974096159,
        "hellinger": 0.255714525552,
        "l_infinity": 0.1435,
        "chi2": 1.11205636742e-52,
    },
    "words, few rows": {
        "jensen_shannon": 0.0908972340884,
        "hellinger": 0.0757220588923,
        "l_infinity": 0.10125,
        "chi2": 0.124179709863,
    },
    "yes and no": {
        "jensen_shannon": 0.0992598385442,
        "hellinger": 0.0827314441747,
        "l_infinity": 0.105,
        "chi2": 0.0054944335571,
    },
}
TFDV = {
    "skewed": 0.0317277483039,
    "skewed, few rows": 0.0520036671051,
    "counts": 0.0109338731223,
    "grades": 0.0546337319484,
    "grades, few rows": 0.0538095175287,
    "flag": 0.0153084634579,
    "words": 0.1055,
    "words, one new": 0.1435,
    "words, few rows": 0.10125,
    "yes and no": 0.105,
}


def measured(like, case, **settings):
    was, now = case
    return compare(OtherTool(like=like, **settings), now.tolist(), was.tolist())


def verdict(m):
    return m.value < m.least if m.least is not None else m.value > m.most


@pytest.mark.parametrize("case", EVIDENTLY)
def test_evidently_takes_the_same_metric_and_gets_the_same_number_and_verdict(case):
    """The metric by kind, rows and values, its number to 1e-6, and drift or none are those of
    evidently 0.7.23.
    """
    usual, drifted, numbers = EVIDENTLY[case]
    (found,) = measured("evidently", CASES[case]).values()
    assert found.name == usual
    assert verdict(found) == drifted
    for name, number in numbers.items():
        (found,) = measured("evidently", CASES[case], metrics=(name,)).values()
        assert found.value == pytest.approx(number, rel=1e-6, abs=1e-11), name


@pytest.mark.parametrize("case", NANNYML)
def test_nannyml_gets_the_same_numbers(case):
    """Every method's number is that of nannyml 0.13.1 to 1e-6; the default is Jensen-Shannon, with
    limits from windows.
    """
    (usual,) = measured("nannyml", CASES[case]).values()
    rule = OtherTool(like="nannyml").default_rules[usual.name]
    past = [usual.value + step / 1000 for step in (-2, -1, 0, 1, 2) * 2]
    assert rule.judge(usual, 100, 1, lambda count: past).verdict == "ok"
    assert (
        rule.judge(usual, 100, 1, lambda count: [value - 0.01 for value in past]).verdict
        == "changed"
    )
    assert (usual.name, usual.least, usual.most) == ("jensen_shannon", None, None)
    for name, number in NANNYML[case].items():
        (found,) = measured("nannyml", CASES[case], metrics=(name,)).values()
        assert found.value == pytest.approx(number, rel=1e-6, abs=1e-12), name


@pytest.mark.parametrize("case", TFDV)
def test_vertex_gets_the_number_of_tensorflow_data_validation(case):
    """Shares of categories to 1e-6; divergences of numbers as near as that tool's own histograms,
    made from a sketch, are.
    """
    (found,) = measured("vertex", CASES[case]).values()
    assert found.most == 0.3
    if found.name == "l_infinity":
        assert found.value == pytest.approx(TFDV[case], rel=1e-6)
    else:
        assert found.value == pytest.approx(
            TFDV[case], rel=0.4 if case == "skewed, few rows" else 0.01
        )


def test_the_divergence_of_given_histograms_is_tensorflow_data_validations():
    """With the buckets that tensorflow-data-validation made of `skewed` the number is its own to
    1e-6.
    """
    # fmt: off
    was = [1586.60541, 689.594595, 352.6, 183.6, 97.6, 45.6, 24.0, 11.0, 6.28, 3.12]
    now = [379.140426, 156.142908, 81.1166667, 41.1333333, 23.4666667, 9.1, 5.1, 2.1, 1.75714286, 0.942857143]
    # fmt: on

    def side(buckets, end):
        cells = np.zeros(2 * len(buckets) + 3, dtype=np.int64)
        cells[2:-1:2] = np.round(np.array(buckets) * 1e6)
        return stats.Side(
            edges=np.linspace(0, end, len(buckets) + 1), counts=cells, minimum=0, maximum=end
        )

    found = stats.aligned_divergence(side(was, 82.0), side(now, 62.0))
    assert found == pytest.approx(TFDV["skewed"], rel=1e-6)


def test_vertex_sets_nan_and_infinite_values_apart():
    """Infinite values agree with nothing, nor do NaN once a side has them."""
    values = [1.0, 2.0, 3.0, 4.0] * 25
    assert (
        measured("vertex", (np.array(values), np.array(values)))["jensen_shannon_divergence"].value
        == 0
    )
    holed = np.array([*values, *[math.nan] * 100])
    assert measured("vertex", (holed, holed))["jensen_shannon_divergence"].value == pytest.approx(
        0.5
    )
    endless = np.array([*values, *[math.inf] * 100])
    p, q = [100, 100, 0], [100, 0, 0]
    expected = jensenshannon(p, q, base=2) ** 2
    assert measured("vertex", (endless, np.array(values)))[
        "jensen_shannon_divergence"
    ].value == pytest.approx(expected)
    one, other = np.full(50, 5.0), np.full(70, 6.0)
    assert measured("vertex", (one, one))["jensen_shannon_divergence"].value == 0
    assert measured("vertex", (one, other))["jensen_shannon_divergence"].value == 1


def azure_bins(was, now):
    low, high = min(was.min(), now.min()), max(was.max(), now.max())
    count = math.ceil(math.log2(min(len(was), len(now))) + 1)
    edges = [low + place * (high - low) / count for place in range(count + 1)]
    return (np.histogram(side, edges)[0] for side in (was, now))


def laplace_psi(p, q):
    p, q = (p + 1) / (p.sum() + len(p)), (q + 1) / (q.sum() + len(q))
    return float(np.sum((q - p) * np.log(q / p)))


@pytest.mark.parametrize("case", ["counts", "grades", "skewed, few rows"])
def test_azure_is_what_its_components_compute_of_numbers(case):
    """Wasserstein over the reference's sd, and distances on joint equal-width bins, as its public
    components do.
    """
    was, now = CASES[case]
    p, q = azure_bins(was, now)
    for name, expected in {
        "normalized_wasserstein_distance": ss.wasserstein_distance(was, now) / was.std(ddof=1),
        "jensen_shannon_distance": jensenshannon(p, q, base=2),
        "population_stability_index": laplace_psi(p, q),
        "two_sample_kolmogorov_smirnov_test": ss.ks_2samp(was, now).pvalue,
    }.items():
        found = measured("azure", CASES[case], metrics=(name,))[name]
        assert found.value == pytest.approx(expected, rel=1e-6, abs=1e-11), name
        assert (found.least, found.most) == ((0.05, None) if "smirnov" in name else (None, 0.1))
    (usual,) = measured("azure", CASES[case])
    assert usual == "normalized_wasserstein_distance"


@pytest.mark.parametrize("case", ["words", "words, few rows", "yes and no"])
def test_azure_is_what_its_components_compute_of_categories(case):
    """Jensen-Shannon in base 2, PSI with one row more in each category, and a chi-square of fit."""
    was, now = CASES[case]
    names = np.unique(was)
    p, q = (np.array([np.sum(side == name) for name in names]) for side in (was, now))
    for name, expected in {
        "jensen_shannon_distance": jensenshannon(p, q, base=2),
        "population_stability_index": laplace_psi(p, q),
        "pearsons_chi_squared_test": ss.chisquare(q, p * q.sum() / p.sum()).pvalue,
    }.items():
        assert measured("azure", CASES[case], metrics=(name,))[name].value == pytest.approx(
            expected, rel=1e-6
        ), name


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["robust", "simple"])
def test_sagemaker_is_what_the_constraints_check_measures(case, method):
    """Both ways to ask for Model Monitor's drift give one number, KS for numbers and L-infinity for
    categories.
    """
    was, now = CASES[case]
    check = Constraints(features={"x": Feature(drift=Drift(method=method))})
    expected = compare(check, now.tolist(), was.tolist())["baseline_drift"].value
    found = measured("sagemaker", CASES[case], metrics=(method,))[method]
    assert found.value == pytest.approx(expected)
    assert found.most == 0.1
    assert tuple(measured("sagemaker", CASES[case])) == ("robust",)


def test_continuous_columns_come_near():
    """With more values than the grid has edges, distances are within 1% of the rows' own, those on
    bins within 0.005.
    """
    rng = np.random.default_rng(3)
    was, now = rng.lognormal(3, 0.7, 12_000), rng.lognormal(3.1, 0.7, 3_000)
    exact = ss.wasserstein_distance(was, now)
    assert measured("evidently", (was, now))["wasserstein"].value == pytest.approx(
        exact / was.std(), rel=0.01
    )
    edges = np.histogram_bin_edges(np.concatenate((was, now)), bins="sturges")
    binned = jensenshannon(*(np.histogram(side, edges)[0] for side in (was, now)))
    found = measured("evidently", (was, now), metrics=("jensenshannon",))["jensenshannon"].value
    assert found == pytest.approx(binned, abs=0.005)
    edges = np.histogram_bin_edges(was, bins="doane")
    assert len(stats.doane_edges(numeric("x", was).side)) == len(edges)
    p, q = (
        np.append(np.histogram(side, edges)[0], np.sum((side < edges[0]) | (side > edges[-1])))
        for side in (was, now)
    )
    assert measured("nannyml", (was, now))["jensen_shannon"].value == pytest.approx(
        jensenshannon(p, q, base=2), abs=0.005
    )


def test_a_threshold_of_the_owners_goes_before_the_tools():
    """What stands under `thresholds` is the bound; for a metric that the tool lacks those it has
    are listed.
    """
    found = measured(
        "evidently",
        CASES["counts"],
        metrics=("wasserstein", "ks"),
        thresholds={"wasserstein": 0.4, "ks": 1e-9},
    )
    assert (found["wasserstein"].most, found["ks"].least) == (0.4, 1e-9)
    with pytest.raises(
        ValueError,
        match=r"vertex has no metric 'psi' here; it has jensen_shannon_divergence, l_infinity",
    ):
        OtherTool(like="vertex", metrics=("psi",))


@pytest.mark.parametrize("like", METRICS)
def test_identical_data_has_no_distance(like):
    """Every metric of every tool is 0, or a p-value of 1, for the reference itself; so is a
    constant.
    """
    for values in (
        CASES["counts"][0],
        CASES["words"][0],
        CASES["yes and no"][0],
        np.full(90, 3.0),
        np.full(90, "a"),
    ):
        for m in measured(like, (values, values), metrics=tuple(METRICS[like])).values():
            if m.value is not None:
                assert m.value == pytest.approx(
                    0 if m.least is None and not METRICS[like][m.name].below else 1, abs=1e-9
                ), m


def test_what_cannot_be_compared_says_why():
    """No reference, other kinds, other grids and tests for fewer values are reasons, not errors."""
    number, words = numeric("x", [1.0, 2.0, 3.0] * 50), categorical("x", ["a", "b", "c"] * 50)
    cases = [
        (number, None, "no reference, or one without this column"),
        (number, words, "numeric here, categorical in the reference"),
        (None, number, "the window has no such column"),
        (numeric("x", [None] * 9, number.edges), number, "no values in the window"),
        (number, numeric("x", [None] * 9), "the reference has no values in this column"),
        (
            numeric("x", [5.0], np.array([5.0])),
            number,
            "counted on another grid than the reference",
        ),
    ]
    for now, was, reason in cases:
        windows = (
            Window(rows=150, columns={"x": now} if now else {}),
            None if was is None else Window(rows=150, columns={"x": was}),
        )
        (found,) = OtherTool(like="azure").evaluate(context(*windows))
        assert (found.value, found.reason) == (None, reason)
    (found,) = measured(
        "evidently", (np.array(["a", "b", "c"]), np.array(["a"])), metrics=("z",)
    ).values()
    assert (found.value, found.reason) == (None, "nothing to compare")
