"""Every measurement of the drift check on 40 shapes of columns, over splits and merges, against
scipy on the raw rows.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats as ss
from column_shapes import NUMERIC, REPRESENTATIVE, SCHEMA, Rows, draw, summary
from driftline_plugins.checks.drift import Drift

from driftline import CheckContext, Measurement, stats
from driftline.profiles.spec import make_spec

pytestmark = pytest.mark.system
METRICS = (
    "mean_shift",
    "spread",
    "psi",
    "js",
    "hellinger",
    "tvd",
    "ks",
    "wasserstein",
    "cramer_von_mises",
    "energy",
)


def measure(was: Rows, now: Rows, pieces: int = 1) -> tuple[dict[str, Measurement], stats.Side]:
    """The drift of the rows, through profiles in so many pieces, and the reference's side."""
    spec = make_spec(SCHEMA, {"x": was}, {}, ("numeric",))
    reference, current = summary(was, spec, pieces), summary(now, spec, pieces)
    context = CheckContext(
        current=current, reference=reference, schema=SCHEMA, history=lambda *_: []
    )
    found = {m.name: m for m in Drift(metrics=METRICS).evaluate(context)}
    return found, reference.columns["x"].side


def rounded(was: Rows, now: Rows) -> tuple[Rows, Rows]:
    """The rows without differences by 32 bits alone, where the values are few."""
    values = np.unique(was)
    if len(values) > 100:
        return was, now
    nearest = [values[np.abs(values[:, None] - rows).argmin(axis=0)] for rows in (was, now)]
    same = [
        np.where(np.abs(near - rows) <= 1e-6 * np.abs(rows), near, rows)
        for near, rows in zip(nearest, (was, now), strict=True)
    ]
    return same[0], same[1]


def expected(was: Rows, now: Rows, side: stats.Side) -> dict[str, float | None]:
    """The same numbers from the raw rows, by scipy and numpy."""
    varies, n, m = bool(np.ptp(was) > 0), len(was), len(now)
    sd = float(np.std(was, ddof=1)) if varies else 0.0
    q1, q3 = np.quantile(was, [0.25, 0.75], method="inverted_cdf")
    scale = (q3 - q1) / 1.349 or sd or 1.0
    # The bins are those of the reference: between the values that the check cuts at.
    ends = np.concatenate(([-np.inf], *(_cut(side, int(cut)) for cut in side.cuts), [np.inf]))
    p, q = (np.diff(np.searchsorted(np.sort(rows), ends)) for rows in (was, now))
    p, q = p[p + q > 0], q[p + q > 0]
    # Jeffreys' shares: a cell that is empty on one side has a finite part.
    p_half, q_half = ((side + 0.5) / (side.sum() + len(side) / 2) for side in (p, q))
    psi = float(np.sum((p_half - q_half) * np.log(p_half / q_half)))
    p, q = p / n, q / m
    return {
        "mean_shift": float(np.mean(now - was[0]) - np.mean(was - was[0])) / sd if varies else None,
        "spread": float(np.log(np.std(now, ddof=1) / sd)) if varies else None,
        "psi": psi,
        "js": float(np.sqrt(max(0.0, _jensen_shannon(p, q)))),
        "hellinger": float(np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2) / 2)),
        "tvd": float(np.abs(p - q).sum() / 2),
        "ks": float(ss.ks_2samp(was, now, method="asymp").statistic),
        "wasserstein": float(ss.wasserstein_distance(was, now)) / scale,
        "cramer_von_mises": _cramer_von_mises(was, now),
        "energy": float(ss.energy_distance(was, now)) / math.sqrt(scale),
    }


def _cramer_von_mises(was: Rows, now: Rows) -> float:
    """T of scipy; with ties, whose T is not 0 for equal columns, that of Anderson with both
    distributions halfway up their steps.
    """
    values, n, m = np.concatenate((was, now)), len(was), len(now)
    if len(np.unique(values)) == n + m:
        return float(ss.cramervonmises_2samp(was, now).statistic)
    f, g = (
        (np.searchsorted(rows, values, "left") + np.searchsorted(rows, values, "right")) / len(rows)
        for rows in (np.sort(was), np.sort(now))
    )
    return float(n * m / (n + m) ** 2 * np.sum(((f - g) / 2) ** 2))


def _cut(side: stats.Side, cell: int) -> list[float]:
    """The smallest value at or above the lower end of a cell of the grid."""
    edge = float(side.edges[cell // 2 - (cell % 2 == 0)])
    return [np.nextafter(edge, np.inf) if cell % 2 == 0 else edge]


def _jensen_shannon(p: Rows, q: Rows) -> float:
    middle = (p + q) / 2
    return (ss.entropy(p, middle, base=2) + ss.entropy(q, middle, base=2)) / 2


def off(shape: str, pieces: int) -> list[str]:
    """The measurements of a shape that are not those of the raw rows."""
    was, now = draw(shape)
    found, side = measure(was, now, pieces)
    wrong = []
    for name, value in expected(*rounded(was, now), side).items():
        got = found[name]
        number = (
            got.detail.get("raw", got.value) if name in ("psi", "js", "hellinger") else got.value
        )
        if got.value is None or value is None:
            # No value needs a reason.
            if got.value is None and (
                (value is not None and math.isfinite(value)) or not got.reason
            ):
                wrong.append(f"{name}: none ({got.reason}), not {value}")
            continue
        absolute = 0.001 if name == "ks" else 1e-3 if name in ("mean_shift", "spread") else 2e-4
        relative = 0.0 if name == "ks" else 0.01
        if not math.isclose(float(number), value, rel_tol=relative, abs_tol=absolute):
            wrong.append(f"{name}: {number}, not {value}")
    return wrong


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(shape, marks=() if shape in REPRESENTATIVE else pytest.mark.slow)
        for shape in NUMERIC
    ],
)
@pytest.mark.parametrize("pieces", [1, 7])
def test_each_measurement_is_that_of_the_raw_rows(shape, pieces):
    """Distances are within 1% of scipy's on the rows, KS within 0.001, in one piece or merged."""
    assert off(shape, pieces) == []
