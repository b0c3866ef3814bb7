"""The checks of rows, texts, vectors and constraints on 40 shapes of columns, over splits and
merges, against numpy, scipy and scikit-learn on the raw rows.

These measurements are in no such test, because raw rows alone do not give them: `mmd` of an
embedding (random features) and its cluster numbers (k-means from random centres); the numbers of
`domain_classifier`, `reconstruction` and `estimated_performance`, which depend on a model that the
check fits; volume, freshness, schema, labels and stale, which look at times, names and files. Their
own tests compare them with other definitions.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import scipy.stats as ss
from column_shapes import Rows, draw
from driftline_plugins.checks.attribution import Attribution
from driftline_plugins.checks.completeness import Completeness
from driftline_plugins.checks.constraints import Constraints
from driftline_plugins.checks.domain import Domain
from driftline_plugins.checks.embedding import Embedding
from driftline_plugins.checks.mmd import MMD
from driftline_plugins.checks.rules import Rules
from driftline_plugins.checks.skew import Skew
from driftline_plugins.checks.statistics import Statistics
from driftline_plugins.checks.text import Text
from scipy.spatial.distance import cosine
from shape_windows import (
    PIECES,
    SHAPES,
    Numbers,
    assert_close,
    measure,
    run,
    same_values,
    with_gaps,
)
from sklearn.metrics import ndcg_score
from sklearn.metrics.pairwise import rbf_kernel

from driftline import Field, Kind, Schema

pytestmark = [
    pytest.mark.system,
    pytest.mark.parametrize("pieces", PIECES),
    pytest.mark.parametrize("shape", SHAPES),
]
SAMPLED = 500
"""Rows of a sample; the first ones, by their hashes."""


def numeric(*names: str) -> Schema:
    return Schema(features={name: Field(name, name, Kind.NUMERIC) for name in names})


def scale_of(rows: Rows) -> float:
    return float(np.std(rows)) if np.ptp(rows) else 1.0


def served_and_offline(rows: Rows) -> dict[str, Rows]:
    """A tenth of the offline values is off by half a standard deviation; both have gaps."""
    rng = np.random.default_rng(len(rows))
    off = np.where(rng.random(len(rows)) < 0.1, 0.5 * scale_of(rows), 0.0)
    gaps = rng.random(len(rows)) < 0.03
    return {"x": with_gaps(rows, 0.05), "z": np.where(gaps, np.nan, rows + off)}


def test_skew_is_that_of_the_rows(shape, pieces):
    """Rows that differ, rows with one value alone, and the mean difference."""
    was, now = map(served_and_offline, draw(shape))
    x, z = now["x"], now["z"]
    both = ~np.isnan(x) & ~np.isnan(z)
    a, b = x[both], z[both]
    sds = [float(np.nanstd(side["x"], ddof=1)) for side in (was, now) if np.nanstd(side["x"]) > 0]
    found = run(Skew(pairs={"x": "z"}), numeric("x", "z"), was, now, pieces)
    expected: Numbers = {
        "skew_rate": float(np.mean(~np.isclose(a, b, rtol=1e-6, atol=0))),
        "one_sided_rate": float(np.mean(np.isnan(x) != np.isnan(z))),
        "skew_mean": float(np.mean(a - b)) / sds[0] if "constant" not in shape[:8] else None,
    }
    assert_close(found, expected)


def pair_of(rows: Rows) -> dict[str, Rows]:
    """Each value beside the one before it, both with gaps."""
    return {"x": with_gaps(rows, 0.05), "z": with_gaps(np.roll(rows, 1), 0.02)}


def test_broken_rules_are_those_of_the_rows(shape, pieces):
    """Conditions on two columns: rows for which they do not hold, and rows with a gap."""
    was, now = map(pair_of, draw(shape))
    x, z = now["x"], now["z"]
    known = ~np.isnan(x) & ~np.isnan(z)
    holds = {"x <= z": x <= z, "x - z > 0": x - z > 0, "x is null or z is null or x < z": x < z}
    for text, answers in holds.items():
        found = run(Rules(expressions={"r": text}), numeric("x", "z"), was, now, pieces)
        is_known = np.ones(len(x), bool) if "null" in text else known
        broken = np.where(known, ~answers, False)[is_known]
        expected = {"broken_rate": broken.mean(), "unknown_rate": 1 - is_known.mean()}
        assert_close(found, {name: float(value) for name, value in expected.items()})


def test_complete_rows_are_those_of_the_rows(shape, pieces):
    """Rows with a value in both columns, and the rows received of those promised."""
    was, now = map(pair_of, draw(shape))
    complete = [float(np.mean(~np.isnan(side["x"]) & ~np.isnan(side["z"]))) for side in (was, now)]
    check = Completeness(sets={"both": ("x", "z")}, rows_promised=2_500)
    expected: Numbers = {
        "complete_rate": complete[1],
        "incomplete_increase": complete[0] - complete[1],
        "received": len(now["x"]) / 2_500,
    }
    assert_close(run(check, numeric("x", "z"), was, now, pieces), expected)


def test_importances_are_those_of_the_rows(shape, pieces):
    """The mean sizes of three attribution columns, one of them of the shape."""
    sides = []
    for seed, x in enumerate(draw(shape)):
        rng, size = np.random.default_rng(seed), float(np.mean(np.abs(x))) or 1.0
        others = {"b": rng.normal(0, 0.9 * size, len(x)), "c": rng.normal(0, size / 2, len(x))}
        sides.append({"a": x, **others})
    names = ["a", "b", "c"]
    before, after = (np.array([np.mean(np.abs(side[name])) for name in names]) for side in sides)
    check = Attribution(columns={name: name for name in names})
    expected: Numbers = {
        "attribution_ndcg": float(ndcg_score([before / before.sum()], [after / after.sum()])),
        "attribution_moved": float(np.abs(before / before.sum() - after / after.sum()).sum() / 2),
        "attribution_spearman": float(ss.spearmanr(before, after).statistic),
    }
    assert_close(run(check, numeric(*names), *sides, pieces), expected)


def word_of(value: float) -> str:
    """Two digits of a value in letters: a word."""
    return f"{value:.2g}".translate(str.maketrans("0123456789.+-", "abcdefghijpqm"))


TEXT = Schema(features={"t": Field("t", "t", Kind.TEXT)})


def test_unknown_words_and_repeated_texts_are_those_of_the_rows(shape, pieces):
    """Each value is a text of one word. A word that occurs once in the reference is unknown
    without that row.
    """
    was, now = ([word_of(value) for value in rows] for rows in draw(shape))
    vocabulary = Counter(was)
    unknown = np.mean([word not in vocabulary for word in now])
    once = np.mean([vocabulary[word] == 1 for word in was])
    repeated = [1 - len(set(side[:SAMPLED])) / SAMPLED for side in (was, now)]
    expected: Numbers = {
        "unknown_words": float(max(0.0, unknown - once)),
        "repeated_texts": repeated[1] - repeated[0],
    }
    assert_close(run(Text(), TEXT, {"t": was}, {"t": now}, pieces), expected)


UNDIRECTED = {"one outlier now"}
"""Shapes whose vectors have a mean near the origin, for their spread: its direction is chance."""
VECTORS = Schema(features={"e": Field("e", "e", Kind.EMBEDDING, 3)})


def test_means_of_embeddings_are_those_of_the_sampled_vectors(shape, pieces):
    """Vectors with a value of the shape, its share of rows at or below, and 1."""
    was, now = draw(shape)
    centre, scale = float(np.median(was)), scale_of(was)
    sides = []
    for rows in (was, now):
        ranks = np.searchsorted(np.sort(was), rows, "right") / len(was)
        sides.append(np.column_stack([(rows - centre) / scale, ranks, np.ones(len(rows))]))
    columns = [{"e": [row.tolist() for row in side]} for side in sides]
    found = run(Embedding(), VECTORS, *columns, pieces)
    before, after = (side[:SAMPLED].astype(np.float32).astype(float).mean(axis=0) for side in sides)
    if shape in UNDIRECTED:
        assert found["centroid_cosine"].reason == "the vectors have no common direction"
        return
    raw = found["centroid_cosine"].detail["raw"]
    assert raw == pytest.approx(cosine(before, after), rel=0.01, abs=1e-7)


def test_discrepancy_is_that_of_the_sampled_rows(shape, pieces):
    """MMD of two columns that are standardised by the reference, with scikit-learn's kernel."""
    sides = []
    for seed, x in enumerate(draw(shape)):
        noise = np.random.default_rng(seed).normal(0, 0.3, len(x))
        sides.append({"x": x, "z": ss.rankdata(x) / len(x) + noise})
    found = run(MMD(), numeric("x", "z"), *sides, pieces)["mmd2"]
    sample = [
        np.column_stack([side[name][:SAMPLED] for name in "xz"]).astype(float) for side in sides
    ]
    varies = np.ptp(sample[0], axis=0) > 0
    origin = sample[0][0]
    centred = [(side - origin)[:, varies] for side in sample]
    mean, sd = centred[0].mean(axis=0), centred[0].std(axis=0)
    ref, cur = (np.clip((side - mean) / sd, -10, 10) for side in centred)
    apart = np.sum((ref[:, None] - ref[None]) ** 2, axis=-1)[np.triu_indices(len(ref), 1)]
    gamma = 1 / float(np.median(apart))
    n, m = len(ref), len(cur)
    within = [
        (rbf_kernel(side, gamma=gamma).sum() - len(side)) / (len(side) * (len(side) - 1))
        for side in (ref, cur)
    ]
    biased = (
        rbf_kernel(ref, gamma=gamma).mean()
        + rbf_kernel(cur, gamma=gamma).mean()
        - 2 * rbf_kernel(ref, cur, gamma=gamma).mean()
    )
    unbiased = sum(within) - 2 * rbf_kernel(ref, cur, gamma=gamma).mean()
    assert (n, m) == (SAMPLED, SAMPLED)
    assert found.value == pytest.approx(max(0.0, unbiased), rel=0.01, abs=1e-5)
    assert found.detail["raw"] == pytest.approx(biased, rel=0.01)


def test_constraints_are_those_of_the_rows(shape, pieces):
    """Complete, whole and non-negative values, and the KS distance to the reference. Where rows
    between two edges of the grid may be whole, the interval holds the share, with the reason.
    """
    was, now = (with_gaps(rows, 0.05) for rows in draw(shape))
    values, earlier = (side[~np.isnan(side)] for side in (now, was))
    feature = {"completeness": 0.9, "type": "integral", "non_negative": True}
    drift = {"threshold": 0.1, "method": "simple"}
    check = Constraints(features={"x": feature}, drift=drift)
    found = run(check, numeric("x"), {"x": was}, {"x": now}, pieces)
    assert_close(found, {"completeness": float(np.mean(~np.isnan(now)))})
    distance = float(ss.ks_2samp(*same_values(earlier, values)).statistic)
    assert found["baseline_drift"].value == pytest.approx(distance, abs=0.001)
    shares = {
        "data_type": float(np.mean(values == np.floor(values))),
        "non_negative": float(np.mean(values >= 0)),
    }
    for name, share in shares.items():
        low, high = found[name].interval
        assert low - 1e-9 <= share <= high + 1e-9
        assert found[name].reason or found[name].value == pytest.approx(share, rel=0.01)


SAMPLED_QUANTILES = {
    "uniform",
    "two clusters",
    "shares instead of two values",
    "beyond the reference",
}
"""Shapes whose window has a quantile far from the grid, which is then that of the sampled rows."""


def test_statistics_are_those_of_the_rows(shape, pieces):
    """Mean, sum, spread, extremes and quantiles, by numpy; within a hundredth of the spread. A
    quantile of all rows is within three standard errors of that of the sampled rows.
    """
    was, now = (with_gaps(rows, 0.05) for rows in draw(shape))
    values = now[~np.isnan(now)]
    found = run(Statistics(quantiles=(0.9,)), numeric("x"), {"x": was}, {"x": now}, pieces)
    expected: Numbers = {
        "mean_value": float(values.mean()),
        "sum_value": float(values.sum()),
        "sd_value": float(values.std(ddof=1)),
        "min_value": float(values.min()),
        "max_value": float(values.max()),
        "median_value": float(np.quantile(values, 0.5, method="inverted_cdf")),
        "quantile_value": float(np.quantile(values, 0.9, method="inverted_cdf")),
    }
    for name in ("median_value", "quantile_value") if shape in SAMPLED_QUANTILES else ():
        low, high = found[name].interval
        room = (high - low) / 4
        assert low - room <= expected.pop(name) <= high + room
    near = max(0.01 * float(values.std()), 1e-12 * float(np.abs(values).max()))
    assert_close(found, expected, absolute=near)


CATEGORIES = Schema(features={"c": Field("c", "c", Kind.CATEGORICAL)})


def test_domains_and_shares_of_categories_are_those_of_the_rows(shape, pieces):
    """Words of the values: those beside the ten most frequent ones of the reference."""
    was, now = ([word_of(value) for value in rows] for rows in draw(shape))
    usual = [word for word, _ in Counter(was).most_common(10)]
    outside = float(np.mean([word not in usual for word in now]))
    columns = {"c": was}, {"c": now}
    found = run(Domain(allowed={"c": tuple(usual)}, learn=False), CATEGORIES, *columns, pieces)
    assert_close(found, {"nonconforming_rate": outside})
    check = Constraints(features={"c": {"domain": usual, "type": "string"}}, extra_columns=False)
    found = run(check, CATEGORIES, *columns, pieces)
    assert_close(found, {"domain": 1 - outside})
    shares = measure(Statistics(categories={"c": tuple(usual)}), CATEGORIES, *columns, pieces)
    found_shares = {m.labels["category"]: m for m in shares if m.name == "category_share"}
    assert_close(found_shares, {word: now.count(word) / len(now) for word in usual})


def test_correlations_with_the_score_are_those_of_the_sampled_rows(shape, pieces):
    """Without attributions: the rank correlation of a feature with the score."""
    sides = []
    for seed, x in enumerate(draw(shape)):
        noise = np.random.default_rng(seed).normal(0, 0.3, len(x))
        sides.append({"x": x, "s": ss.rankdata(x) / len(x) + noise})
    schema = Schema(
        features={"x": Field("x", "x", Kind.NUMERIC)}, score=Field("s", "s", Kind.NUMERIC)
    )
    x, s = (sides[1][name][:SAMPLED] for name in "xs")
    value = float(ss.spearmanr(x, s).statistic) if np.ptp(x) else None
    assert_close(run(Attribution(), schema, *sides, pieces), {"score_correlation": value})
