"""Estimates without labels on streams whose model degrades by covariate shift.

    python benchmarks/estimates.py [--runs 1000] [--peer-runs 200] [--only NAME ...]

Each run trains a model, draws a labelled reference and a window whose inputs are distributed
otherwise, and compares the estimate of the window with what its labels show. "Reference" is the
error of the assumption that the model predicts as well as in the reference. NannyML's estimates are
added where it is installed. Windows of the generated stream come from its law; those of the data
that ship with scikit-learn are rows that neither the model nor the reference has seen, drawn with
weights that depend on the inputs alone. Coverage is the share of 95% intervals that hold the metric
of the labels.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from judged_days import profile_day, profile_reference
from numpy.typing import NDArray
from sklearn import datasets
from sklearn import metrics as sk
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from driftline import CheckContext, Field, Kind, Schema
from driftline.profiles.spec import make_spec
from driftline.types.model import Task

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SCHEMA = Schema(
    score=Field("score", "score", Kind.NUMERIC),
    label=Field("label", "label", Kind.CATEGORICAL),
    task=Task.BINARY,
)
METRICS = ("accuracy", "f1", "roc_auc")
SHIPPED_FEATURES = 4
"""Features that the models of the shipped data see: with more they are hardly ever wrong."""


class Side(NamedTuple):
    """Scores and labels of rows, shape (n,), and the inputs, shape (n, k)."""

    score: Floats
    label: Ints
    inputs: Floats


Draw = Callable[[np.random.Generator], tuple[Side, Side]]
"""Draws a reference and a window."""


@dataclass(frozen=True)
class Result:
    """One run: by metric, what the labels show, the reference has, and each tool estimates."""

    real: Mapping[str, float]
    reference: Mapping[str, float]
    estimate: Mapping[str, float]
    interval: Mapping[str, tuple[float, float]]
    peer: Mapping[str, float] | None


def linear(rng: np.random.Generator) -> tuple[Side, Side]:
    """The model has the form of the law; the inputs of the window are nearer to the border."""

    def rows(count: int, spread: float) -> tuple[Floats, Ints]:
        x = rng.normal(0, spread, (count, 3))
        p = 1 / (1 + np.exp(-x @ [2.0, 1.0, -0.5]))
        return x, (rng.random(count) < p).astype(np.int64)

    model = LogisticRegression()
    model.fit(*rows(4_000, 1.0))
    reference, window = rows(3_000, 1.0), rows(1_000, rng.uniform(0.3, 0.9))
    return tuple(Side(model.predict_proba(x)[:, 1], y, x) for x, y in (reference, window))


def extrapolated(rng: np.random.Generator) -> tuple[Side, Side]:
    """Labels are noisier where the first input is large, and the window has more of these rows.

    The model has seen few of them: there its scores mean less than in the reference.
    """

    def rows(count: int, shift: float) -> tuple[Floats, Ints]:
        x = rng.normal(0, 1, (count, 3))
        x[:, 0] += shift
        steep = 4 / (1 + np.exp(1.5 * x[:, 0]))
        p = 1 / (1 + np.exp(-steep * (x[:, 1] + 0.5 * x[:, 2])))
        return x, (rng.random(count) < p).astype(np.int64)

    model = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, learning_rate=0.1)
    model.fit(*rows(4_000, 0.0))
    reference, window = rows(3_000, 0.0), rows(1_000, rng.uniform(0.2, 1.5))
    return tuple(Side(model.predict_proba(x)[:, 1], y, x) for x, y in (reference, window))


def shipped(load: Callable[[], Any], label: Callable[[Ints], Ints]) -> Draw:
    """A quarter of the rows for the model, two fifths for the reference, the rest for the window."""
    data = load()
    x, y = np.asarray(data.data, np.float64), label(np.asarray(data.target))

    def draw(rng: np.random.Generator) -> tuple[Side, Side]:
        columns = rng.choice(np.flatnonzero(x.std(axis=0) > 0), SHIPPED_FEATURES, replace=False)
        order = rng.permutation(len(y))
        train, known, rest = np.split(order, [len(y) // 4, len(y) * 13 // 20])
        model = make_pipeline(StandardScaler(), LogisticRegression())
        model.fit(x[train][:, columns], y[train])
        score = model.predict_proba(x[:, columns])[:, 1]
        # Rows near the border of both classes are drawn more often.
        z = np.abs(score[rest] - 0.5)
        weight = np.exp(-rng.uniform(1.0, 6.0) * z)
        chosen = rng.choice(rest, len(rest) // 2, replace=False, p=weight / weight.sum())
        return tuple(
            Side(score[places], y[places], x[places][:, columns]) for places in (known, chosen)
        )

    return draw


STREAMS: Mapping[str, Draw] = {
    "generated, linear": linear,
    "generated, extrapolated": extrapolated,
    "digits above 4": shipped(datasets.load_digits, lambda y: (y > 4).astype(np.int64)),
    "breast cancer": shipped(datasets.load_breast_cancer, lambda y: y.astype(np.int64)),
}


def metrics_of(side: Side) -> dict[str, float]:
    """What the labels show."""
    hit = side.score >= 0.5
    return {
        "weighted_accuracy": float(sk.accuracy_score(side.label, hit)),
        "accuracy": float(sk.accuracy_score(side.label, hit)),
        "f1": float(sk.f1_score(side.label, hit)),
        "roc_auc": float(sk.roc_auc_score(side.label, side.score)),
    }


def estimates_of(
    reference: Side, window: Side, seed: int
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """The estimates of the check, and their intervals."""
    schema = replace(
        SCHEMA, features={name: Field(name, name, Kind.NUMERIC) for name in _inputs(reference)}
    )
    spec = make_spec(
        schema,
        {"score": reference.score, **_inputs(reference)},
        {"label": {"0": 1, "1": 1}},
        collectors=("numeric", "categories", "scores", "sample"),
    )
    ctx = CheckContext(
        current=profile_day(spec, _batch(window, has_labels=False), 0),
        reference=profile_reference(spec, _batch(reference, has_labels=True)),
        schema=schema,
        seed=seed,
    )
    found = {
        m.name.removeprefix("estimated_"): m
        for m in EstimatedPerformance(metrics=METRICS).evaluate(ctx)
    }
    values, intervals = {}, {}
    for name in (*METRICS, "weighted_accuracy"):
        measurement = found[name]
        if measurement.value is not None and measurement.interval is not None:
            values[name], intervals[name] = measurement.value, measurement.interval
    return values, intervals


def _inputs(side: Side) -> dict[str, Floats]:
    return {f"x{place}": values for place, values in enumerate(side.inputs.T)}


def _batch(side: Side, *, has_labels: bool) -> pa.RecordBatch:
    names = pa.array(side.label.astype(str)) if has_labels else pa.nulls(len(side.label), "string")
    return pa.RecordBatch.from_pydict(
        {**_inputs(side), "score": side.score, "label": names.dictionary_encode()}
    )


def peer_estimates(reference: Side, window: Side) -> dict[str, float] | None:
    """NannyML's CBPE over one chunk; None where it is not installed."""
    os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
    try:
        import nannyml
        import pandas as pd
    except ImportError:
        return None
    frames = [
        pd.DataFrame(
            {"score": side.score, "p": (side.score >= 0.5).astype(int), "label": side.label}
        )
        for side in (reference, window)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = nannyml.CBPE(
            y_pred_proba="score",
            y_pred="p",
            y_true="label",
            problem_type="classification_binary",
            metrics=list(METRICS),
            chunk_number=1,
        ).fit(frames[0])
        table = estimator.estimate(frames[1].drop(columns="label")).to_df()
    last = table[table[("chunk", "period")] == "analysis"].iloc[-1]
    return {name: float(last[(name, "value")]) for name in METRICS}


def run(draw: Draw, seed: int, *, has_peer: bool) -> Result | None:
    """One run; None where a class is absent from the window."""
    rng = np.random.default_rng(seed)
    reference, window = draw(rng)
    if len(set(window.label.tolist())) < 2:
        return None
    values, intervals = estimates_of(reference, window, seed)
    return Result(
        metrics_of(window),
        metrics_of(reference),
        values,
        intervals,
        peer_estimates(reference, window) if has_peer else None,
    )


def print_table(name: str, results: list[Result]) -> None:
    """One line for each metric, in Markdown."""
    for metric in (*METRICS, "weighted_accuracy"):
        some = [result for result in results if metric in result.estimate]
        real = np.array([result.real[metric] for result in some])
        was = np.array([result.reference[metric] for result in some])
        own = np.array([result.estimate[metric] for result in some])
        held = [
            result.interval[metric][0] <= result.real[metric] <= result.interval[metric][1]
            for result in some
        ]
        beside = [result for result in some if result.peer and metric in result.peer]
        peer = "–"
        if beside:
            theirs = [
                abs(found.peer[metric] - found.real[metric]) for found in beside if found.peer
            ]
            ours = [abs(found.estimate[metric] - found.real[metric]) for found in beside]
            peer = f"{np.mean(theirs):.4f} ({np.mean(ours):.4f})"
        print(
            f"| {name} | {metric} | {np.mean(real - was):+.3f} | {np.mean(np.abs(was - real)):.4f} "
            f"| {np.mean(np.abs(own - real)):.4f} | {peer} | {np.mean(held):.1%} | {len(some):,} |",
            flush=True,
        )


def main() -> None:
    """Run all streams and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--peer-runs", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=STREAMS, default=list(STREAMS))
    arguments = parser.parse_args()
    print("| stream | metric | change | reference | driftline | NannyML | coverage | runs |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for name in arguments.only:
        runs = (
            run(STREAMS[name], seed, has_peer=seed < arguments.peer_runs)
            for seed in range(arguments.runs)
        )
        print_table(name, [result for result in runs if result is not None])


if __name__ == "__main__":
    main()
