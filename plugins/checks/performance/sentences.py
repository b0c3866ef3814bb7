"""How a worse metric reads in messages."""

from __future__ import annotations

from collections.abc import Mapping

from driftline import AlertFact
from driftline.kit.checks import Wording, phrasing, plain_words

from .metric_baselines import BASELINES
from .metric_table import NOUNS

MEANINGS: Mapping[str, str] = {
    "accuracy": "Share of the predictions that are right: higher is better.",
    "precision": "Share of the predicted positives that are positive: higher is better.",
    "recall": "Share of the positives that are predicted as such: higher is better.",
    "f1": "Harmonic mean of precision and recall: higher is better.",
    "roc_auc": "How well the scores tell positives from negatives: 1 is perfect, 0.5 is chance.",
    "brier": "Mean squared error of the predicted probabilities: lower is better, 0 is perfect.",
    "log_loss": "How much the predicted probabilities miss the outcomes: lower is better.",
    "calibration_gap": "Share of positives less the mean predicted probability: 0 is best; below 0 "
    "the scores are too high.",
    "mae": "Mean absolute error of the predictions: lower is better.",
    "rmse": "Root of the mean squared error of the predictions: lower is better.",
    "r2": "Share of the variance that the predictions explain: higher is better, 1 is perfect.",
    "bias": "Mean of prediction less outcome: 0 is best.",
}
"""What the usual metrics say, for people who do not know them."""


def noun_of(metric: str) -> str:
    """Return what people call a metric."""
    return NOUNS.get(metric) or phrasing.clean(metric.replace("_", " "), 60)


def _drop_numbers(alert: AlertFact) -> tuple[str, float, float] | None:
    """The metric that `drop` compares: its noun, its value now and in the reference."""
    metric = alert.detail.get("metric")
    if not isinstance(metric, str):
        return None
    now, before = alert.detail.get(metric), alert.detail.get(f"{metric}_was")
    if not isinstance(now, (int, float)) or not isinstance(before, (int, float)):
        return None
    return noun_of(metric), now, before


def drop_sentence(alert: AlertFact) -> str:
    """Return the metric itself, now and in the reference."""
    if (numbers := _drop_numbers(alert)) is None:
        return ""
    noun, now, before = numbers
    return f"{noun} by labels {phrasing.number(before)} → {phrasing.number(now)}"


def past_drop_sentence(alert: AlertFact) -> str:
    """Return the metric that was worse, for the message at the end."""
    if (numbers := _drop_numbers(alert)) is None:
        return ""
    noun, now, before = numbers
    return f"{noun} by labels was {phrasing.number(now)} (usually {phrasing.number(before)})"


def _loss_sentence(alert: AlertFact) -> str:
    """Return the usual metric and its mean since the loss began, with the interval of that."""
    usual, now, low, high = (
        alert.detail.get(name) for name in ("usual", "now", "now_low", "now_high")
    )
    if not isinstance(usual, (int, float)) or not isinstance(now, (int, float)):
        return ""
    text = f"{noun_of(alert.measurement)} by labels {_figure(usual)} → {_figure(now)}"
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        text = f"{text} (95%: {_figure(low)} to {_figure(high)})"
    baseline = alert.detail.get("baseline")
    if not isinstance(baseline, (int, float)):
        return text
    return f"{text}, no better than {_baseline_text(alert.measurement)} ({_figure(baseline)})"


def _baseline_text(metric: str) -> str:
    return next((text for name, (_, text) in BASELINES.items() if name == metric), "a constant")


def _figure(value: float) -> str:
    """Return the value with two decimals where it is a share that these show."""
    return f"{value:.2f}" if 0.1 <= abs(value) < 1 else phrasing.number(float(f"{value:.2g}"))


PLAIN_NOUNS: Mapping[str, str] = {
    "log_loss": "error of the probabilities (log loss)",
    "brier": "error of the probabilities (Brier score)",
    "expected_calibration_error": "error of the probabilities (ECE)",
    "debiased_calibration_error": "error of the probabilities (ECE, debiased)",
    "recall": "recall (share of positive cases that are found)",
    "precision": "precision (share of positive predictions that are right)",
}
"""What the first line of a message calls a metric whose name does not say what it is."""
WRONG: Mapping[str, str] = {
    "accuracy": "of 100 predictions about {now} are wrong, usually {usual}",
    "recall": "of 100 positive cases about {now} are missed, usually {usual}",
    "precision": "of 100 positive predictions about {now} are wrong, usually {usual}",
}
"""How bad the complement of a metric is, in cases."""
LABELLED = "measured with labels"


def headline_noun(metric: str) -> str:
    """Return what the first line of a message calls a metric."""
    return PLAIN_NOUNS.get(metric) or noun_of(metric)


def describe_loss(metric: str, usual: float, now: float) -> str:
    """Return how many cases are wrong; empty for a metric that does not count cases."""
    if form := WRONG.get(metric):
        return form.format(now=_hundredths(1 - now), usual=_hundredths(1 - usual))
    if metric == "calibration_gap":
        word = "more" if now > 0 else "fewer"
        return (
            f"of 100 rows about {_hundredths(abs(now))} {word} are positive than the model "
            f"predicts, usually {_hundredths(abs(usual))}"
        )
    return ""


def _hundredths(share: float) -> str:
    return f"{100 * share:.0f}"


def _points(difference: float) -> str:
    return phrasing.number(float(f"{100 * abs(difference):.2g}"))


def _values(alert: AlertFact) -> tuple[str, float, float] | None:
    """The metric, its value now and the usual one."""
    if alert.measurement == "drop":
        metric = alert.detail.get("metric")
        if (numbers := _drop_numbers(alert)) is None or not isinstance(metric, str):
            return None
        return metric, numbers[1], numbers[2]
    now = alert.detail.get("now", alert.value)
    usual = alert.detail.get("usual", alert.was)
    if not isinstance(now, (int, float)) or not isinstance(usual, (int, float)):
        return None
    return alert.measurement, now, usual


def _headline(alert: AlertFact) -> str:
    """Return the metric now and usually, and that labels show it."""
    if (values := _values(alert)) is None:
        return ""
    metric, now, usual = values
    if metric == "calibration_gap":
        word = "too low" if now > 0 else "too high"
        return (
            f"predicted probabilities are {_points(now)} points {word} (usually {_points(usual)})"
        )
    move = plain_words.describe_move(
        headline_noun(metric), _figure(usual), _figure(now), rises=now > usual
    )
    return f"{move} ({LABELLED})"


def _extent(alert: AlertFact) -> str:
    if (values := _values(alert)) is None:
        return ""
    metric, now, usual = values
    text = describe_loss(metric, usual, now)
    baseline = alert.detail.get("baseline")
    if not text or not isinstance(baseline, (int, float)):
        return text
    return f"{text}; this is no better than {_baseline_text(metric)}"


def loss_wording(metric: str) -> Wording:
    """Return how alerts about the loss of a metric read."""
    return Wording(
        noun=NOUNS.get(metric, ""),
        meaning=MEANINGS.get(metric, ""),
        sentence=_loss_sentence,
        headline=_headline,
        extent=_extent,
        hides_value=True,
    )


DROP_WORDING = Wording(
    sentence=drop_sentence,
    headline=_headline,
    extent=_extent,
    past=past_drop_sentence,
    hides_value=True,
)
"""How an alert about the difference of the headline metric reads."""
