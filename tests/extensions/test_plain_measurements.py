"""A measurement that is plain already is passed on as it is; others become plain."""

import numpy as np
import pytest

from driftline import Measurement
from driftline.extensions.validate import validate_measurement


def test_a_plain_measurement_is_passed_on_without_a_copy():
    plain = Measurement(
        0.5, {"column": "age"}, name="psi", rows=7, interval=(0.1, 0.9), detail={"raw": 0.6}
    )
    assert validate_measurement(plain) is plain


@pytest.mark.parametrize(
    "part",
    [
        {"value": np.float64(0.5)},
        {"value": 1},
        {"value": 0.5, "rows": np.int64(7)},
        {"value": 0.5, "interval": [0.1, 0.9]},
        {"value": 0.5, "interval": (np.float64(0.1), 0.9)},
        {"value": 0.5, "was": np.float32(0.25)},
        {"value": 0.5, "detail": {"raw": np.float64(0.5)}},
        {"value": 0.5, "detail": {"raw": np.float32(0.5), "name": "x"}},
    ],
)
def test_numbers_of_other_types_become_plain(part):
    result = validate_measurement(Measurement(**part))
    numbers = [result.value, result.was, *(result.interval or ()), *result.detail.values()]
    assert all(type(number) in (float, str) for number in numbers if number is not None)
    assert result.rows is None or type(result.rows) is int
    assert result.interval is None or type(result.interval) is tuple
