"""A binary model, its labels spelled in many ways, in whole runs: the metrics of
the rows, or the person hears in the first window why there are none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import databases
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from run_commands import configure, run_once
from sklearn import metrics as sk

pytestmark = pytest.mark.system

SPELLINGS: dict[str, tuple[Any, Any]] = {
    "integers": (1, 0),
    "floats": (1.0, 0.0),
    "booleans": (True, False),
    "number texts": ("1", "0"),
    "float texts": ("1.0", "0.0"),
    "lower case booleans": ("true", "false"),
    "Python booleans": ("True", "False"),
    "words": ("yes", "no"),
    "capitals": ("YES", "NO"),
    "signs": (1, -1),
    "known names": ("good", "bad"),
    "own names": ("leaver", "keeper"),
}
RECOGNISED = frozenset(SPELLINGS) - {"own names"}
SETTINGS = ("absent", "as in the data", "true")
OUTPUTS = ("prediction", "score", "both")
USUAL = {
    ("Python booleans", "as in the data", "both"),
    ("words", "absent", "prediction"),
    ("words", "true", "both"),
    ("words", "true", "prediction"),
    ("own names", "absent", "both"),
    ("signs", "absent", "score"),
}
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc", "brier", "log_loss")


@dataclass(frozen=True, slots=True)
class Rows:
    """Labels (bool), predictions (bool) and scores of some rows."""

    y: np.ndarray
    p: np.ndarray
    s: np.ndarray


def rows(seed: int, count: int) -> Rows:
    draw = np.random.default_rng(seed)
    y = draw.random(count) < 0.3
    s = np.round(1 / (1 + np.exp(-(1.5 * (y - 0.6) + draw.normal(0, 1, count)))), 3)
    return Rows(y, s >= 0.5, s)


def write(path, sample: Rows, label, spelling=(1, 0), outputs="both") -> None:
    """Write rows, a second apart; `label` gives the label of a row from whether it is positive."""
    lines = []
    for place in range(len(sample.y)):
        record = {"ts": f"2026-11-01T00:{place // 60:02}:{place % 60:02}Z", "x": place % 7}
        record["y"] = label(place, bool(sample.y[place]))
        if outputs != "score":
            record["p"] = spelling[0] if sample.p[place] else spelling[1]
        if outputs != "prediction":
            record["s"] = float(sample.s[place])
        lines.append(json.dumps(record))
    path.write_text("\n".join(lines) + "\n")


def model(positive=None, outputs="both") -> dict[str, Any]:
    prediction: dict[str, Any] = {"kind": "binary"}
    prediction |= {} if outputs == "score" else {"column": "p"}
    prediction |= {} if outputs == "prediction" else {"score": "s"}
    prediction |= {} if positive is None else {"positive": positive}
    return {
        "source": {"type": "local", "options": {"path": "cur.jsonl"}},
        "reference": {"type": "local", "options": {"path": "ref.jsonl"}},
        "schema": {
            "timestamp": "ts",
            "features": {"x": "numeric"},
            "prediction": prediction,
            "label": {"column": "y"},
        },
        "windows": {"length": "1h", "lateness": "0s", "notify_within": None},
    }


def measured(folder) -> dict[tuple[str, str], tuple[float | None, str]]:
    """Value and verdict of the first window by measurement and column."""
    query = "select name, labels, value, verdict from measurements order by start desc"
    found = [tuple(row.values()) for row in databases.rows(folder, query)]
    return {
        (name, json.loads(labels).get("column", "")): (
            value,
            verdict,
        )
        for name, labels, value, verdict in found
    }


def true_metrics(sample: Rows, outputs: str) -> dict[str, float]:
    """The metrics of scikit-learn."""
    y, p, s = sample.y, sample.p, sample.s
    found = {
        "accuracy": sk.accuracy_score(y, p),
        "recall": sk.recall_score(y, p),
        "precision": sk.precision_score(y, p),
        "f1": sk.f1_score(y, p),
    }
    if outputs != "prediction":
        found |= {
            "roc_auc": sk.roc_auc_score(y, s),
            "brier": sk.brier_score_loss(y, s),
            "log_loss": sk.log_loss(y, s),
        }
    return found


def metrics_of(found) -> dict[str, float]:
    """The metrics that have a value."""
    return {
        name: found[name, ""][0]
        for name in METRICS
        if (name, "") in found and found[name, ""][0] is not None
    }


def slow_params(values):
    """Parameters that only the slow tests use."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


CASES = [
    pytest.param(
        spelling,
        setting,
        outputs,
        marks=[] if (spelling, setting, outputs) in USUAL else pytest.mark.slow,
    )
    for spelling in SPELLINGS
    for setting in SETTINGS
    for outputs in OUTPUTS
]


@pytest.mark.parametrize(("spelling", "setting", "outputs"), CASES)
def test_a_spelling_gives_the_metrics_or_a_report(tmp_path, spelling, setting, outputs):
    """The metrics are those of the rows where the positive class is named or known; else there are
    none, and the first window says so.
    """
    words = SPELLINGS[spelling]

    def label(_place, is_positive):
        return words[0] if is_positive else words[1]

    now = rows(2, 500)
    write(tmp_path / "ref.jsonl", rows(1, 900), label, words, outputs)
    write(tmp_path / "cur.jsonl", now, label, words, outputs)
    positive = {"absent": None, "as in the data": words[0], "true": True}[setting]
    config = configure(tmp_path, {"m": model(positive, outputs)})
    code, _ = run_once(config)
    found = measured(tmp_path)
    is_one = words[0] in (1, "1", "1.0", "true", "True")
    if setting == "as in the data" or is_one or (setting == "absent" and spelling in RECOGNISED):
        assert metrics_of(found) == pytest.approx(true_metrics(now, outputs), rel=1e-3)
        assert found["unknown_class_rate", "y"] == (0.0, "ok")
        return
    assert code == 1
    assert metrics_of(found) == {}
    assert found["unknown_class_rate", "y"] == (1.0, "changed")


def of_numbers(type_):
    return lambda y: pa.array(y.astype(int)).cast(type_)


def of_words(positive, negative, type_=None):
    return lambda y: pa.array([positive if each else negative for each in y], type_)


TYPES: dict[str, tuple[Callable[[np.ndarray], pa.Array], Any]] = {
    # What makes the column, and the positive class in the configuration.
    "bytes": (of_words(b"yes", b"no", pa.binary()), "yes"),
    "bytes of a fixed length": (of_words(b"yes", b"no\x00", pa.binary(3)), "yes"),
    "digits as bytes": (of_words(b"1", b"0", pa.binary()), 1),
    "dictionary of words": (lambda y: of_words("good", "bad")(y).dictionary_encode(), "good"),
    "dictionary of booleans": (lambda y: pa.array(y).dictionary_encode(), True),
    "decimals": (of_words(Decimal("1.00"), Decimal("0.00")), "1.00"),
    "floats of 32 bits": (of_numbers(pa.float32()), 1.0),
    "whole numbers of 8 bits": (of_numbers(pa.uint8()), "1"),
    "spaces around": (of_words(" yes ", "no "), " yes "),
    "large strings": (of_words("Y", "N", pa.large_string()), "Y"),
}


@pytest.mark.parametrize("outputs", [pytest.param("both", id="usual"), *slow_params(OUTPUTS[:2])])
@pytest.mark.parametrize("setting", ["absent", *slow_params(["named", "of another case"])])
@pytest.mark.parametrize("kind", ["bytes", *slow_params(list(TYPES)[1:])])
def test_a_type_of_label_gives_the_metrics_or_a_report(tmp_path, kind, setting, outputs):
    """Columns of Parquet: the metrics of the rows, with the positive class recognised or named. A
    named class that is no value of the labels gives none, and the first window says so.
    """
    column, positive = TYPES[kind]
    named = {"absent": None, "named": positive, "of another case": "GOOD"}[setting]
    for name, sample in (("ref", rows(1, 900)), ("cur", rows(2, 500))):
        start = datetime(2026, 11, 1, tzinfo=UTC)
        table = {
            "ts": [start + timedelta(seconds=place) for place in range(len(sample.y))],
            "x": np.arange(len(sample.y)) % 7,
            "y": column(sample.y),
        }
        table |= {} if outputs == "score" else {"p": column(sample.p)}
        table |= {} if outputs == "prediction" else {"s": sample.s}
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    settings = model(named, outputs)
    settings["source"]["options"]["path"] = "cur.parquet"
    settings["reference"]["options"]["path"] = "ref.parquet"
    code, _ = run_once(configure(tmp_path, {"m": settings}))
    found = measured(tmp_path)
    if setting == "of another case":
        assert code == 1
        assert metrics_of(found) == {}
        assert found["unknown_class_rate", "y"] == (1.0, "changed")
        return
    assert metrics_of(found) == pytest.approx(true_metrics(rows(2, 500), outputs), rel=1e-3)
    assert found["unknown_class_rate", "y"] == (0.0, "ok")


@pytest.mark.parametrize(
    "spelling",
    ["Python booleans", *(pytest.param(s, marks=pytest.mark.slow) for s in ("words", "floats"))],
)
def test_a_broken_model_is_critical_in_its_first_window(tmp_path, spelling):
    """Scores that have nothing to do with the labels are a critical loss after 800 rows."""
    words, order = SPELLINGS[spelling], np.random.default_rng(9).permutation(800)

    def label(_place, is_positive):
        return words[0] if is_positive else words[1]

    good = rows(10, 800)
    broken = Rows(good.y, good.p[order], good.s[order])
    write(tmp_path / "ref.jsonl", rows(11, 2000), label, words)
    write(tmp_path / "cur.jsonl", broken, label, words)
    code, result = run_once(configure(tmp_path, {"m": model(words[0])}))
    found = measured(tmp_path)
    assert code == 1
    assert metrics_of(found) == pytest.approx(true_metrics(broken, "both"), rel=1e-3)
    assert found["roc_auc", ""][1] == "changed"
    assert [incident["severity"] for incident in result["models"]["m"]["incidents"]] == ["critical"]


def pending_half(place, is_positive):
    return "pending" if place % 2 else int(is_positive)


def minus_one_half(place, is_positive):
    return -1 if place % 2 else int(is_positive)


def one_pending(place, is_positive):
    return "in review" if place == 100 else int(is_positive)


@pytest.mark.parametrize(
    "label", [pending_half, one_pending, pytest.param(minus_one_half, marks=pytest.mark.slow)]
)
def test_a_label_outside_its_domain_counts_as_unlabelled(tmp_path, label):
    """The metrics are those of the rows with a known label, and the first window reports the
    others.
    """
    now = rows(4, 800)
    write(tmp_path / "ref.jsonl", rows(3, 900), lambda _, positive: int(positive))
    write(tmp_path / "cur.jsonl", now, label)
    known = np.array([label(place, True) == 1 for place in range(800)])
    code, _ = run_once(configure(tmp_path, {"m": model()}))
    found = measured(tmp_path)
    assert code == 1
    part = Rows(now.y[known], now.p[known], now.s[known])
    assert metrics_of(found) == pytest.approx(true_metrics(part, "both"), rel=1e-3)
    assert found["unknown_class_rate", "y"][1] == "changed"


@pytest.mark.parametrize(
    "words",
    [("Yes", "No"), *(pytest.param(w, marks=pytest.mark.slow) for w in (("YES", "NO"), (1, 0)))],
)
def test_labels_of_another_spelling_than_the_reference_are_reported(tmp_path, words):
    """`Yes` where the reference has `yes` is no class: no metric, and a critical incident."""
    write(
        tmp_path / "ref.jsonl",
        rows(5, 900),
        lambda _, positive: "yes" if positive else "no",
        ("yes", "no"),
    )
    write(
        tmp_path / "cur.jsonl",
        rows(6, 500),
        lambda _, positive: words[0] if positive else words[1],
        ("yes", "no"),
    )
    code, _ = run_once(configure(tmp_path, {"m": model("yes")}))
    found = measured(tmp_path)
    assert code == 1
    assert metrics_of(found) == {}
    assert found["unknown_class_rate", "y"] == (1.0, "changed")


def third_class(place, is_positive):
    return 2 if place % 3 == 0 else int(is_positive)


def no_positive(_place, _is_positive):
    return 0


def only_no(_place, _is_positive):
    return "no"


@pytest.mark.parametrize(
    ("label", "positive"),
    [
        (third_class, 1),
        (no_positive, None),
        pytest.param(third_class, None, marks=pytest.mark.slow),
        pytest.param(no_positive, 1, marks=pytest.mark.slow),
        pytest.param(only_no, None, marks=pytest.mark.slow),
        pytest.param(only_no, 1, marks=pytest.mark.slow),
    ],
)
def test_a_model_without_two_classes_has_no_metric(tmp_path, label, positive):
    """More than two labels, or a positive class that never occurs, are reported in the first
    window; no metric stands for another class.
    """
    write(tmp_path / "ref.jsonl", rows(7, 900), label)
    write(tmp_path / "cur.jsonl", rows(8, 500), label)
    code, _ = run_once(configure(tmp_path, {"m": model(positive)}))
    found = measured(tmp_path)
    assert code == 1
    assert metrics_of(found) == {}
    assert found["unknown_class_rate", "y"] == (1.0, "changed")
