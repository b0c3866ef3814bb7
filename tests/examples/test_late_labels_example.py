"""The example of late labels: messages of three runs of the agent, as `make late-labels` runs it."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest
from example_run import run_example

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent
STEPS = ("predictions", "first_labels", "other_labels")
FALL = r"(\S.*?) (by labels )?(\d\.\d+) → (\d\.\d+) \(95%: (\d\.\d+) to (\d\.\d+)\)"


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The alarms of each run, without the first report."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "examples/late_labels", folder / "late_labels", ignore=_state)
    (folder / "churn").mkdir()
    shutil.copy(ROOT / "examples/churn/reference.csv", folder / "churn")
    example = folder / "late_labels"
    deliver = runpy.run_path(str(example / "deliver.py"))["deliver"]
    texts = {}
    for step in STEPS:
        deliver(example / "arrived", step)
        texts[step] = run_example(example / "config.yaml")
    return texts


def _state(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "arrived" or name.startswith("driftline.db")}


def falls(message: str, start: str) -> dict[str, tuple[float, float, float]]:
    """Usual value, low and high end of the present one, of the findings that begin so."""
    body = [line.strip() for line in message.splitlines()[1:]]
    matches = (re.match(FALL, line) for line in body if line.startswith(start))
    return {
        match[1] + (" by labels" if match[2] else ""): (
            float(match[3]),
            float(match[5]),
            float(match[6]),
        )
        for match in matches
        if match
    }


def test_the_loss_is_estimated_before_labels_come(messages):
    """The first run says that the estimated accuracy fell, since the campaign, and no more."""
    [first, *_] = messages["predictions"]
    assert "since Sat 7 Nov 00:00 UTC" in first.splitlines()[0]
    usual, _, high = falls(first, "estimated accuracy")["estimated accuracy"]
    assert usual == pytest.approx(0.92, abs=0.005)
    assert high < 0.85
    assert not any("by labels" in text for text in messages["predictions"])


def test_the_first_labels_confirm_the_estimate_in_a_restated_window(messages):
    """Labels of 7 November restate that day: the accuracy by labels fell from the same value to
    within the interval of the estimate, or close by, since the same day.
    """
    [message] = messages["first_labels"]
    assert message.startswith("CRITICAL churn: also")
    assert "measured with labels" in message.splitlines()[0]
    assert "since Sat 7 Nov 00:00 UTC" in message.splitlines()[0]
    assert "window 2026-11-07 00:00 to 2026-11-08 00:00 UTC" in message
    usual, low, high = falls(message, "accuracy")["accuracy by labels"]
    estimate = falls(message, "estimated accuracy")["estimated accuracy"]
    assert usual == estimate[0]
    assert low < estimate[2]
    assert estimate[1] < high


def test_the_messages_say_that_labels_confirm_the_estimated_loss(messages):
    """Before labels the advice is to compare with labels; afterwards it says what they show."""
    assert all("1. Compare with the labels" in text for text in messages["predictions"])
    for text in (*messages["first_labels"], *messages["other_labels"]):
        assert "1. Labels confirm the estimated loss: " in text
        assert "Compare with the labels" not in text


def test_all_labels_show_the_fall_of_recall(messages):
    """With the labels of all days the recall is found to have fallen, too."""
    [message] = messages["other_labels"]
    assert "recall" in message.splitlines()[0]
    assert falls(message, "recall by labels")["recall by labels"][2] < 0.6


def test_the_documentation_shows_these_titles(messages):
    """The page on labels shows the first line of each message."""
    page = (ROOT / "docs/labels.md").read_text()
    titles = [text.splitlines()[0] for step in STEPS for text in messages[step]]
    assert "\n".join(titles) in page
