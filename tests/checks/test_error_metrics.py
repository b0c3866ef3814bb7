"""Errors of regressions and forecasts: those of scikit-learn and the handbook, by horizon too."""

import numpy as np
import pytest
from driftline_plugins.checks.performance import Performance
from profile_builder import context
from sklearn import metrics as sk
from split_profiles import cast, spec_of, split_window

from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.types.model import Field, Kind, Schema, Task, TaskColumns

SCHEMA = Schema(
    prediction=Field("p", "p", Kind.NUMERIC),
    label=Field("y", "y", Kind.NUMERIC),
    task=Task.REGRESSION,
)
INTERVALS = TaskColumns(
    lower=Field("#lower", "lower", Kind.NUMERIC),
    upper=Field("#upper", "upper", Kind.NUMERIC),
    coverage=0.8,
)
FORECAST = TaskColumns(
    series=Field("#series", "shop", Kind.CATEGORICAL),
    horizon=Field("#horizon", "days", Kind.CATEGORICAL),
    season=7,
)
ERRORS = (
    *("mae", "mse", "rmse", "msle", "rmsle", "mape", "smape", "wape", "mase", "r2", "bias"),
    *("median_error", "p90_error", "p99_error", "max_error"),
    *("pinball", "interval_coverage", "interval_width"),
)


def measured(window, schema=SCHEMA, metrics=ERRORS, reference=None):
    check = Performance(metrics=metrics)
    made = context(window, reference, task=schema.task, task_columns=schema.task_columns)
    return {(m.name, m.labels.get("horizon", "")): m for m in check.evaluate(made)}


def errors(columns, schema=SCHEMA, **more):
    """The measurements of all rows, by name."""
    found = measured(split_window(schema, columns, **more), schema)
    return {name: m for (name, horizon), m in found.items() if not horizon}


def with_task(columns):
    return Schema(
        prediction=SCHEMA.prediction, label=SCHEMA.label, task=SCHEMA.task, task_columns=columns
    )


@pytest.mark.parametrize("seed", range(6))
def test_errors_are_those_of_scikit_learn_over_random_parts(seed):
    """Sums decide exactly; quantiles of errors are within one cell of their grid."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(20, 600))
    y = rng.lognormal(1, 2, rows)
    p = y * rng.lognormal(0.05, 0.5, rows)
    found = errors({"p": p, "y": y}, seed=seed, is_late=bool(seed % 2))
    exact = {
        "mae": sk.mean_absolute_error(y, p),
        "mse": sk.mean_squared_error(y, p),
        "rmse": sk.root_mean_squared_error(y, p),
        "msle": sk.mean_squared_log_error(y, p),
        "rmsle": sk.root_mean_squared_log_error(y, p),
        "mape": sk.mean_absolute_percentage_error(y, p),
        "smape": np.mean(2 * np.abs(p - y) / (np.abs(p) + np.abs(y))),
        "wape": np.abs(p - y).sum() / y.sum(),
        "r2": sk.r2_score(y, p),
        "bias": np.mean(p - y),
        "max_error": sk.max_error(y, p),
    }
    for name, value in exact.items():
        assert found[name].value == pytest.approx(value, rel=1e-9), name
        assert found[name].rows == rows
    one_cell = 2 ** (1 / 64) - 1
    for name, q in (("median_error", 0.5), ("p90_error", 0.9), ("p99_error", 0.99)):
        assert found[name].value == pytest.approx(np.quantile(np.abs(p - y), q), rel=one_cell)
    for name in exact.keys() - {"max_error"}:
        low, high = found[name].interval
        assert low <= found[name].value <= high, name
        if name not in ("bias", "r2"):
            assert low >= 0, name


def test_errors_of_the_handbook():
    """The test vector of regression metrics."""
    y, p = [10.0, 12, 9, 15, 20, 18], [11, 11.5, 9.5, 13, 22, 18.4]
    found = errors({"p": p, "y": y})
    for name, value in (
        ("mae", 1.066666667),
        ("rmse", 1.268857754),
        ("bias", 0.2333333333),
        ("mape", 0.07546296296),
        ("smape", 0.07531976681),
        ("wape", 0.07619047619),
        ("r2", 0.9014285714),
        ("rmsle", 0.07961394414),
    ):
        assert found[name].value == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("seed", range(3))
def test_prediction_intervals_over_random_parts(seed):
    """Coverage counts both ends as inside; pinball loss is the mean of both quantiles'."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, 1, 300).round(2)
    lower, upper = np.full(300, -1.28).round(2), np.full(300, 1.0)
    found = errors(
        {"p": np.zeros(300), "y": y, "#lower": lower, "#upper": upper},
        with_task(INTERVALS),
        seed=seed,
    )
    loss = sk.mean_pinball_loss(y, lower, alpha=0.1) + sk.mean_pinball_loss(y, upper, alpha=0.9)
    assert found["pinball"].value == pytest.approx(loss / 2)
    assert found["interval_coverage"].value == np.mean((y >= lower) & (y <= upper))
    assert found["interval_width"].value == pytest.approx(np.mean(upper - lower))
    low, high = found["interval_coverage"].interval
    assert 0 <= low < found["interval_coverage"].value < high <= 1


def forecast_columns(rng, shops=3, days=40, noise=1.0):
    """Sales with a weekly pattern, forecast one and two days ahead."""
    columns = {"p": [], "y": [], "#series": [], "#horizon": [], "at": []}
    for shop in range(shops):
        y = 10 * (shop + 1) + np.tile(np.arange(7), 1 + days // 7)[:days] + rng.normal(0, 2, days)
        for horizon in (1, 2):
            columns["p"] += (y + rng.normal(0, noise * horizon, days)).tolist()
            columns["y"] += y.tolist()
            columns["#series"] += [f"shop {shop}"] * days
            columns["#horizon"] += [horizon] * days
            columns["at"] += list(range(1, days + 1))
    return columns


def naive_errors(columns, season):
    """The mean error of the value one season before, by series; each horizon holds the labels."""
    scales = {}
    for name in set(columns["#series"]):
        y = np.array(
            [
                value
                for value, series, horizon in zip(
                    columns["y"], columns["#series"], columns["#horizon"], strict=True
                )
                if series == name and horizon == 1
            ]
        )
        scales[name] = np.mean(np.abs(y[season:] - y[:-season]))
    return scales


def test_forecasts_by_horizon_over_random_parts():
    """MASE divides by the seasonal naive error of each row's series; each horizon has its own."""
    from driftline.ingest.reference.naive_errors import NaiveErrors

    rng, schema = np.random.default_rng(5), with_task(FORECAST)
    was = forecast_columns(rng)
    order = rng.permutation(len(was["p"]))
    naive = NaiveErrors(schema)
    for part in np.array_split(order, 5):
        rows = {name: [values[place] for place in part] for name, values in was.items()}
        at = np.array(rows.pop("at"), np.int64)
        naive.add(cast(schema, rows), at)
    scales = naive_errors(was, 7)
    assert naive.by_series() == pytest.approx(scales)
    was.pop("at")
    spec = spec_of(schema, cast(schema, was), naive_errors=naive.by_series())
    now = forecast_columns(rng, days=10, noise=2.0)
    now.pop("at")
    now["#series"][0] = "new shop"
    found = measured(split_window(schema, now, 3, spec=spec), schema)
    p, y = np.array(now["p"]), np.array(now["y"])
    for horizon in ("", "1", "2"):
        rows = np.array([horizon in ("", str(value)) for value in now["#horizon"]])
        known = rows & np.array([name in scales for name in now["#series"]])
        scale = np.array([scales.get(name, np.nan) for name in now["#series"]])
        mase = found["mase", horizon]
        assert mase.value == pytest.approx(np.mean(np.abs(p - y)[known] / scale[known]))
        assert mase.rows == known.sum()
        assert found["wape", horizon].value == pytest.approx(
            np.abs(p - y)[rows].sum() / np.abs(y[rows]).sum()
        )
        assert found["bias", horizon].value == pytest.approx(np.mean((p - y)[rows]))
    assert found["mae", "1"].value < found["mae", "2"].value


def test_the_shortest_horizons_are_kept_whole():
    """Of many horizons the 32 shortest have metrics of their own, whatever the order of parts."""
    schema = with_task(TaskColumns(horizon=Field("#horizon", "h", Kind.CATEGORICAL)))
    horizons = np.repeat(np.arange(1, 51), 8)
    columns = {"p": horizons * 1.0, "y": np.zeros(400), "#horizon": horizons}
    for seed in range(3):
        found = measured(split_window(schema, columns, seed, parts=6), schema, ("mae",))
        maes = {horizon: m.value for (name, horizon), m in found.items() if name == "mae"}
        del maes[""]
        assert maes == {str(horizon): float(horizon) for horizon in range(1, 33)}


@pytest.mark.parametrize(
    ("change", "without", "reason"),
    [
        (
            {"y": [0.0, 2, 3, 4]},
            {"mape"},
            "1 label is 0, where a share of the label does not exist",
        ),
        ({"y": [-1.0, 2, 3, 4]}, {"msle", "rmsle"}, "of -1 or below, without logarithm"),
        ({"y": [np.inf, 2, 3, 4]}, set(ERRORS), "1 labelled row has an infinite label"),
        ({"p": [1e200, 1e200, 3, 4]}, set(ERRORS), "2 labelled rows have an infinite label"),
        ({"y": [5.0, 5, 5, 5]}, {"r2"}, "all labels are the same"),
    ],
)
def test_rows_without_an_error_have_a_reason(change, without, reason):
    """What has no value says why, and takes nothing else along."""
    columns = {"p": [1.0, 2, 3, 4], "y": [1.5, 2, 3, 4], **change}
    found = errors(columns)
    elsewhere = {"mase", "pinball", "interval_coverage", "interval_width"}
    for name in ERRORS:
        if name in without:
            assert found[name].value is None, name
            assert reason in found[name].reason, name
        elif name not in elsewhere:
            assert found[name].value is not None, name


def test_crossed_intervals_give_no_interval_metric():
    """A lower end above the upper one is named, with the number of rows."""
    columns = {"p": [1.0, 2], "y": [1.0, 2], "#lower": [0.0, 3], "#upper": [2.0, 1]}
    found = errors(columns, with_task(INTERVALS))
    for name in ("interval_coverage", "interval_width", "pinball"):
        assert found[name].value is None
        assert found[name].reason == "the lower end of the interval is above the upper one in 1 row"
    assert found["mae"].value == 0.0


def test_huge_errors_leave_the_profile_whole():
    """Powers of a huge error that are no finite number take no other sum along."""
    schema = SCHEMA
    batch = cast(schema, {"p": [1e149, 1.0], "y": [-1e149, 1.0]})
    spec = spec_of(schema, batch)
    profile = Profile(spec, BUILT_IN)
    profile.update(batch)
    again = Profile.from_bytes(profile.to_bytes(), spec, BUILT_IN)
    assert again.to_bytes() == profile.to_bytes()
    found = measured(again.window(), schema)
    assert found["mae", ""].value == 1e149
    assert found["max_error", ""].value == 2e149


def test_a_horizon_that_a_window_lacks_has_a_reason():
    """Horizons of the reference are named in each window; a redacted column names none."""
    schema = with_task(TaskColumns(horizon=Field("#horizon", "h", Kind.CATEGORICAL)))
    was = split_window(schema, {"p": [1.0, 2] * 20, "y": [1.5, 2] * 20, "#horizon": [1, 2] * 20})
    now = split_window(schema, {"p": [1.0] * 20, "y": [1.5] * 20, "#horizon": [1] * 20})
    found = measured(now, schema, ("mae",), was)
    assert found["mae", "1"].value == 0.5
    assert found["mae", "2"].value is None
    assert found["mae", "2"].reason == "no labelled rows"
    made = context(now, was, task=schema.task, task_columns=schema.task_columns, redact={"h"})
    assert not any(m.labels for m in Performance(metrics=("mae",)).evaluate(made))
