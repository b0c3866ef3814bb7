"""How estimates and corrections by labels read in messages."""

from __future__ import annotations

from collections.abc import Callable

from driftline import AlertFact
from driftline.kit.checks import phrasing, plain_words

from .metric_table import ERRORS, NOUNS, EstimatedMetric


def estimate_sentence(metric: EstimatedMetric) -> Callable[[AlertFact], str]:
    """Return a function that says the usual value and the estimate since the loss began."""

    def say(alert: AlertFact) -> str:
        usual, now, low, high = (
            alert.detail.get(name) for name in ("usual", "now", "now_low", "now_high")
        )
        if not isinstance(usual, (int, float)) or not isinstance(now, (int, float)):
            return ""
        figure = _size if metric in ERRORS else _share
        text = f"estimated {NOUNS.get(metric, metric)} {figure(usual)} → {figure(now)}"
        if isinstance(low, (int, float)) and isinstance(high, (int, float)):
            text = f"{text} (95%: {figure(low)} to {figure(high)})"
        return text + _label_remark(alert, figure)

    return say


def estimate_headline(metric: EstimatedMetric) -> Callable[[AlertFact], str]:
    """Return a function that says how the estimate moved, and what labels say of it."""

    def say(alert: AlertFact) -> str:
        if (values := _usual_and_now(alert)) is None:
            return ""
        usual, now = values
        figure = _size if metric in ERRORS else _share
        noun = f"estimated {NOUNS.get(metric, metric)}"
        move = plain_words.describe_move(noun, figure(usual), figure(now), rises=now > usual)
        return move + (_label_remark(alert, figure) or " (no labels yet)")

    return say


def estimate_extent(metric: EstimatedMetric) -> Callable[[AlertFact], str]:
    """Return a function that says how many predictions are expected to be wrong."""

    def say(alert: AlertFact) -> str:
        if (values := _usual_and_now(alert)) is None:
            return ""
        usual, now = values
        if metric == "accuracy":
            return (
                f"of 100 predictions about {100 * (1 - now):.0f} are expected to be wrong, usually "
                f"{100 * (1 - usual):.0f}"
            )
        return plain_words.compare_size(now, usual) if metric in ERRORS else ""

    return say


def _usual_and_now(alert: AlertFact) -> tuple[float, float] | None:
    usual, now = alert.detail.get("usual", alert.was), alert.detail.get("now", alert.value)
    if not isinstance(usual, (int, float)) or not isinstance(now, (int, float)):
        return None
    return usual, now


def correction_headline(alert: AlertFact) -> str:
    """Return how far labels are from the estimate, now and usually."""
    values = _usual_and_now(alert)
    if values is None or "now" not in alert.detail:
        return ""
    usual, now = values
    return f"labels show {_points(now)} than the scores promise, usually {100 * usual:+.1f}"


def _label_remark(alert: AlertFact, figure: Callable[[float], str]) -> str:
    """Return whether labels confirm what scores or predictions promise; empty without labels."""
    rows, alone = (alert.detail.get(name) for name in ("labelled_rows", "scores_alone"))
    if not isinstance(rows, int):
        return ""
    if alert.detail.get("confirmed") == 1:
        return f", confirmed by {rows:,} labels"
    if not isinstance(alone, (int, float)):
        alone = alert.detail.get("predictions_alone")
    remark = f", corrected by {rows:,} labels"
    return f"{remark} (without them {figure(alone)})" if isinstance(alone, (int, float)) else remark


def _share(value: float) -> str:
    return f"{value:.2f}"


def _size(value: float) -> str:
    return phrasing.number(float(f"{value:.3g}"))


def label_advice(alert: AlertFact) -> str:
    """Return what to do first, by whether labels of the same rows confirm the estimate."""
    if alert.detail.get("confirmed") == 1:
        return (
            "Labels confirm the estimated loss: look for what changed, the version of the model, "
            "its inputs, or the outcomes."
        )
    return "Compare with the labels of these windows; get labels of some rows where none have come."


def correction_sentence(alert: AlertFact) -> str:
    """Return how far the labels are from the estimate since the change began."""
    usual, now, low, high = (
        alert.detail.get(name) for name in ("usual", "now", "now_low", "now_high")
    )
    if not isinstance(usual, (int, float)) or not isinstance(now, (int, float)):
        return ""
    text = f"labels show {_points(now)} than the scores promise"
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        text += f" (95%: {100 * low:+.1f} to {100 * high:+.1f})"
    return f"{text}, usually {100 * usual:+.1f}"


def _points(change: float) -> str:
    word = "less" if change < 0 else "more"
    return f"{abs(100 * change):.1f} points {word} accuracy"


def error_correction_sentence(alert: AlertFact) -> str:
    """Return how much larger the errors are than expected since the change began."""
    now, low, high = (alert.detail.get(name) for name in ("now", "now_low", "now_high"))
    if not isinstance(now, (int, float)):
        return ""
    text = f"labels show errors {abs(now):.0%} {'larger' if now > 0 else 'smaller'} than expected"
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        text += f" (95%: {low:+.0%} to {high:+.0%})"
    return text


def past_correction(alert: AlertFact) -> str:
    """Return how far the labels were from the scores, for the message at the end."""
    now = alert.detail.get("now")
    return f"labels showed {_points(now)} than the scores" if isinstance(now, float) else ""


def drift_advice(alert: AlertFact) -> str:
    """Return what to do where labels go with other scores than before."""
    return (
        "The same predictions go with other labels now: look for a change of the subjects or of "
        "the labels, then train the model on new labels."
    )
