"""The stale check: a column whose counts are those of the window before."""

import numpy as np
import pytest
from driftline_plugins.checks.stale import Stale, _chance
from profile_builder import categorical, judged

from driftline.testing import context, window

CHECK = Stale()
REFERENCE = window(
    age=np.random.default_rng(0).normal(size=3000).tolist(), plan=["a", "b", "c"] * 1000
)


def at(seed, rows=400):
    draw = np.random.default_rng(seed)
    return window(
        REFERENCE, age=draw.normal(size=rows).tolist(), plan=draw.choice(list("abc"), rows).tolist()
    )


def marks(*windows):
    """What the history of each column holds after these windows."""
    return [
        {
            m.labels["column"]: m.value
            for m in CHECK.evaluate(context(each, REFERENCE))
            if m.name == "fingerprint"
        }
        for each in windows
    ]


def stale(now, past, column="age"):
    history = {"fingerprint": [each[column] for each in past]}
    found = CHECK.evaluate(context(now, REFERENCE, history=history))
    return next(m for m in found if m.name == "stale" and m.labels["column"] == column)


def test_a_frozen_column_is_found_and_its_age_counted():
    """The same counts as in the last three windows, after windows that differed."""
    past = marks(at(1), at(2), at(3), at(4), at(9), at(9), at(9))
    found = stale(at(9), past)
    assert (found.value, judged(CHECK, found)) == (3, "changed")
    assert found.p_value < 1e-6
    assert stale(at(10), past).value == 0


def test_what_always_repeats_is_no_news():
    """The same customers scored every hour: windows of this column often repeat."""
    past = marks(at(1), at(1), at(2), at(2), at(3), at(3))
    assert stale(at(3), past).value == 0
    only = stale(at(9), marks(*[at(9)] * 5))
    assert (only.value, only.reason[:8]) == (None, "learning")
    assert stale(at(1), []).value == 0


def test_few_categories_may_repeat_by_chance():
    """Three counts of 400 rows agree more often than once in a million times."""
    found = stale(at(9), marks(at(1), at(2), at(3), at(9)), "plan")
    assert (found.value, "by chance" in found.reason) == (0, True)


def test_a_fingerprint_is_of_all_counts():
    """Order doesn't show; another value, row or missing value does."""
    prints = {
        next(CHECK.evaluate(context(window(REFERENCE, age=values)))).value
        for values in (
            [1.0, 2.0],
            [2.0, 1.0],
            [1.0, 1.0],
            [1.0, 2.0, None],
            [1.0, 2.0, float("nan")],
            [1.0, 2.0, 2.0],
        )
    }
    assert len(prints) == 5


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.2, 0.3, 0.5], [0.1, 0.4, 0.25, 0.25]])
def test_the_chance_of_the_same_counts_is_that_of_two_samples(shares):
    """The formula against the sum of squared multinomial probabilities, by simulation."""
    n, draw = 120, np.random.default_rng(2)
    one, two = draw.multinomial(n, shares, 400_000), draw.multinomial(n, shares, 400_000)
    simulated = (one == two).all(axis=1).mean()
    values = [
        name for name, share in zip("abcd", shares, strict=False) for _ in range(round(n * share))
    ]
    assert _chance(categorical("x", values)) == pytest.approx(simulated, rel=0.1)
