"""The result of a classifier that separates a window from its reference.

When nothing changed, it guesses (Lopez-Paz and Oquab 2017). The scores must come from rows that the
classifier did not learn from; training is elsewhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from driftline.stats.basics.proportion import binomial_at_least


class Guesses(NamedTuple):
    """Right answers of n against what a coin would give."""

    z: float
    p_value: float
    """Exact, one-sided: at least as many right ones by chance."""


def better_than_chance(right: int, n: int) -> Guesses | None:
    """Test whether a classifier separates reference and window better than chance.

    It was tested on n held-out rows, half of them from each side (Lopez-Paz and Oquab 2017).
    """
    if n < 1:
        return None
    return Guesses((right - n / 2) / math.sqrt(n / 4), binomial_at_least(right, n))


def auc_null_se(n: int, m: int) -> float | None:
    """Standard deviation of the AUC of a random score on n and m rows: sqrt((n+m+1)/(12 n m)).

    None with an empty side.
    """
    return math.sqrt((n + m + 1) / (12 * n * m)) if n >= 1 and m >= 1 else None
