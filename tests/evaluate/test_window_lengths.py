"""The length of windows that have enough rows."""

import pytest

from driftline.types.times import DAY_MICROS
from driftline.types.window_lengths import sufficient_length

HOUR = DAY_MICROS // 24


@pytest.mark.parametrize(
    ("rows", "length", "needed", "expected"),
    [
        (5, HOUR, 100, "1d"),
        (4, HOUR, 100, "7d"),
        (0.1, HOUR, 100, None),
        (40, DAY_MICROS, 100, "7d"),
        (40, 7 * DAY_MICROS, 100, None),
        (9, HOUR // 12, 100, "1h"),
        (0, HOUR, 100, None),
    ],
)
def test_the_shortest_length_with_enough_rows_is_named(rows, length, needed, expected):
    """At the rate of a window of now; only longer windows help."""
    assert sufficient_length(rows, length, needed) == expected
