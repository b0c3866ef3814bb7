"""Embeddings: what moved is found, what did not is left alone, and odd samples have a defined
answer.
"""

import math

import numpy as np
import pytest
from driftline_plugins.checks.embedding import NAMES, Embedding

from driftline import Field, Kind, Schema, Window, stats
from driftline.extensions import Registry
from driftline.extensions.validate import validate_measurement
from driftline.testing import assert_plugin_contract, context, window

pytestmark = pytest.mark.system

CHECK = Embedding()
GROUPS = np.random.default_rng(9).normal(size=(6, 128))


def schema(dimension, **more):
    return Schema(features={"emb": Field("emb", "emb", Kind.EMBEDDING, dimension)}, **more)


def draw(seed, rows=700, groups=GROUPS[:, :32], shares=None):
    """Unit vectors around six groups."""
    rng = np.random.default_rng(seed)
    vectors = groups[rng.choice(6, rows, p=shares)] + rng.normal(size=(rows, groups.shape[1])) * 0.7
    return list(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def measured(now, was, dimension=32, **more):
    told = schema(dimension, **more)
    reference = None if was is None else window(schema=told, emb=was)
    ctx = context(window(reference, schema=told, emb=now), reference, schema=told)
    return {m.name: validate_measurement(m) for m in CHECK.evaluate(ctx)}


def verdict(m):
    return CHECK.default_rules[m.name].judge(m, m.rows, CHECK.min_rows).verdict


@pytest.fixture(scope="module")
def quiet():
    """Fifty windows in which nothing changed, each with a reference of its own."""
    return [measured(draw(2 * seed), draw(2 * seed + 1)) for seed in range(50)]


def test_nothing_is_found_where_nothing_changed(quiet):
    """In 50 quiet windows no rule says changed, p-values below 0.05 are about 5%, and intervals
    hold 0.
    """
    for name in NAMES:
        found = [one[name] for one in quiet]
        assert all(m.value is not None and m.rows == 500 for m in found)
        assert np.mean([m.interval[0] <= 0 <= m.interval[1] for m in found]) >= 0.86
        if found[0].p_value is not None:
            assert np.mean([m.p_value < 0.05 for m in found]) <= 0.16
            assert min(m.p_value for m in found) > 1e-4
    assert {verdict(one[name]) for one in quiet for name in CHECK.default_rules} <= {"ok", "unsure"}


@pytest.mark.parametrize("dimension", [32, 128])
def test_a_rotated_group_is_found_by_every_distance(dimension, quiet):
    """One group of six in another place moves mean, kernel, direction, distance and shares, at any
    dimension.
    """
    groups = GROUPS[:, :dimension]
    turned = groups.copy()
    turned[0] = (
        np.linalg.qr(np.random.default_rng(3).normal(size=(dimension, dimension)))[0] @ groups[0]
    )
    found = measured(draw(1, groups=turned), draw(2, groups=groups), dimension)
    for name in NAMES:
        assert found[name].interval[0] > 0, name
        assert found[name].value > max(one[name].value for one in quiet), name
    assert verdict(found["mean_shift"]) == "changed"
    assert max(found[name].p_value for name in ("mean_shift", "mmd", "centroid_cosine")) < 1e-20


def test_a_new_mix_of_old_groups_moves_shares_and_not_distances():
    """Where one group becomes twice as frequent, cluster_psi tells which cluster, and no vector
    lies further off.
    """
    found = measured(draw(1, shares=[0.4, 0.12, 0.12, 0.12, 0.12, 0.12]), draw(2))
    psi = found["cluster_psi"]
    assert psi.interval[0] > 0
    assert psi.detail["share"] > 1.3 * psi.detail["share_was"]
    assert (
        found["prototype_distance"].interval[0] < 0 < found["prototype_distance"].interval[1] + 0.05
    )
    assert found["mean_shift"].p_value < 0.001


def test_vectors_that_scatter_lie_further_off():
    """Twice the noise around the same groups shows in the distance to the nearest prototype, in
    percent of the reference's.
    """
    rng, rows = np.random.default_rng(1), np.repeat(GROUPS[:, :32], 120, axis=0)
    was, now = (rows + rng.normal(size=rows.shape) * noise for noise in (0.5, 1.0))
    found = measured(list(now), list(was))
    assert found["prototype_distance"].value == pytest.approx(1, abs=0.15)
    assert found["prototype_distance_p95"].interval[0] > 0.5
    assert found["prototype_distance"].detail["distance"] == pytest.approx(math.sqrt(32), rel=0.05)


def test_the_numbers_are_those_of_the_sampled_vectors():
    """Up to 64 dimensions the sample holds the vectors themselves: the distances are those of the
    functions on them.
    """
    was, now = draw(1, 300), draw(2, 200)
    found = measured(now, was)
    single = [np.array(side, np.float32).astype(float) for side in (was, now)]
    assert found["mean_shift"].value == pytest.approx(stats.mahalanobis_shift(*single).value)
    assert found["centroid_cosine"].detail["raw"] == pytest.approx(
        stats.centroid_distances(*single).cosine
    )
    spread = stats.median_squared_distance(single[0])
    _, biased = stats.mmd2(*single, spread / 2)
    assert found["mmd"].detail["raw"] == pytest.approx(biased, rel=0.2)


def test_the_same_sample_is_no_change():
    """Identical data has effect 0 with the interval 0 to 0, and is ok."""
    found = measured(draw(1), draw(1))
    assert {name: (m.value, m.interval) for name, m in found.items()} == dict.fromkeys(
        NAMES, (0.0, (0.0, 0.0))
    )
    assert {verdict(found[name]) for name in CHECK.default_rules} == {"ok"}


ROWS = draw(1, 200)
ALIKE = [ROWS[0]] * 200
CASES = {
    "no reference": (ROWS, None, set(NAMES), "no reference yet"),
    "no vectors": ([None] * 50, ROWS, set(NAMES), "fewer than two vectors in the sample of the window"),
    "one vector": (ROWS[:1], ROWS, set(NAMES), "fewer than two vectors in the sample of the window"),
    "an empty window": ([], ROWS, set(NAMES), "fewer than two vectors in the sample of the window"),
    "a reference of one": (ROWS, ROWS[:1], set(NAMES), "fewer than two vectors in the sample of the reference"),
    "other dimensions only": ([[1.0, 2.0]] * 50, ROWS, set(NAMES), "fewer than two vectors in the sample of the window"),
    "text": (["x"] * 50, ROWS, set(NAMES), "fewer than two vectors in the sample of the window"),
    "few in the reference": (ROWS, ROWS[:99], set(NAMES[3:]), "needs 100 vectors in the reference"),
    "no direction": (
        list(np.random.default_rng(0).normal(size=(300, 32))), list(np.random.default_rng(1).normal(size=(300, 32))),
        {"centroid_cosine"}, "the vectors have no common direction",
    ),
    "a constant reference": (ROWS, ALIKE, {"mean_shift", "mmd", *NAMES[3:]}, None),
    "both constant": (ALIKE, ALIKE, {"mean_shift", "mmd", *NAMES[3:]}, None),
    "a constant window": (ALIKE, ROWS, set(), None),
    "two rows": (ROWS[:2], ROWS[2:4], set(NAMES[2:]), None),
    "holes": ([*ROWS, [float("nan")] * 32, [None] * 32, None], ROWS, set(), None),
    "huge": ([row * 1e17 for row in ROWS], ROWS, set(), None),
    "zeros": ([np.zeros(32)] * 150, ROWS, {"centroid_cosine"}, None),
    "two kinds only": ([ROWS[0], ROWS[1]] * 75, [ROWS[0], ROWS[1]] * 100, None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_odd_samples_have_a_defined_answer(case):
    """A value or a reason for each measurement, never an exception, never NaN; only what can't be
    had has no value.
    """
    now, was, missing, reason = CASES[case]
    found = measured(now, was)
    assert tuple(found) == NAMES
    for name, m in found.items():
        assert (m.value is None) == bool(m.reason)
        assert missing is None or (m.value is None) == (name in missing), name
        numbers = [
            m.value,
            m.p_value,
            *(m.interval or ()),
            *(v for v in m.detail.values() if isinstance(v, float)),
        ]
        assert all(number is None or math.isfinite(number) for number in numbers)
        assert m.interval is None or m.interval[0] <= m.value <= m.interval[1]
        assert reason is None or m.value is not None or m.reason == reason


def test_redacted_vectors_are_not_kept():
    """Of a redacted embedding nothing is compared, and the reason says why."""
    found = measured(ROWS, ROWS, redact=frozenset({"emb"}))
    assert {m.reason for m in found.values()} == {"its vectors are not kept"}


def test_windows_without_embeddings_have_no_measurement():
    """Other kinds of features, or a sample that nobody took, are no embedding and no error."""
    plain = window(age=[1.0, 2.0])
    assert list(CHECK.evaluate(context(plain, plain))) == []
    told = schema(32)
    bare = context(Window(rows=5), Window(rows=5), schema=told)
    assert {m.reason for m in CHECK.evaluate(bare)} == {
        "fewer than two vectors in the sample of the reference"
    }


def test_vectors_of_another_model_are_not_compared():
    """Where the sample of the window has vectors of another length than the reference's, the reason
    says so.
    """
    was, now = (
        window(schema=schema(32), emb=ROWS),
        window(schema=schema(8), emb=[row[:8] for row in ROWS]),
    )
    found = list(CHECK.evaluate(context(now, was, schema=schema(8))))
    assert {m.reason for m in found} == {"the reference has vectors of another dimension"}


def test_the_contract():
    """It is a plugin like any other, found by its name, and says how it answers odd input."""
    assert Registry.load().get("check", "embedding") is Embedding
    assert_plugin_contract(
        Embedding(), unmeasured=tuple({*Embedding.default_rules, *Embedding.wordings})
    )
    assert "| input | answer |" in Embedding.__doc__
