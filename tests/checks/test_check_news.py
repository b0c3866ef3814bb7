"""New categories against a reference with a long tail."""

from __future__ import annotations

import numpy as np

from driftline import stats


def test_a_long_tail_brings_unseen_names_and_no_news():
    """Rows of one long-tailed law show categories that its reference lacks; the interval reaches
    down to 0.
    """
    rng = np.random.default_rng(3)
    names = rng.zipf(1.5, 140_000) % 50_000
    reference, window = names[:100_000], names[100_000:]
    seen, counts = np.unique(reference, return_counts=True)
    new = int(np.sum(~np.isin(window, seen)))
    assert new / len(window) > 0.005
    shift = stats.news_shift(new, len(window), len(reference), int(np.sum(counts == 1)))
    assert shift.interval is not None
    assert shift.interval[0] == 0.0
    assert shift.value is not None
    assert shift.value < 0.002
    assert shift.raw == new / len(window)


def test_a_truly_new_category_is_news_even_beside_a_long_tail():
    """What comes beyond the tail is told with a lower end above 0."""
    shift = stats.news_shift(1500, 40_000, 100_000, 1000)
    assert shift.interval is not None
    assert shift.interval[0] > 0.02
