"""The example of loans: the message says who is treated worse, and what that has cost."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest
from example_run import run_example

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent
WORTH = {(1, 1): 200, (1, 0): -200, (0, 1): -100, (0, 0): 0}
"""What a decision is worth, by decision and label, as in the configuration."""


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """The lines of each alarm."""
    folder = tmp_path_factory.mktemp("loans")
    for name in ("config.yaml", "generate.py"):
        shutil.copy(ROOT / "examples/loans" / name, folder)
    runpy.run_path(str(folder / "generate.py"), run_name="__main__")
    alarms = run_example(folder / "config.yaml")
    return [[line.strip() for line in text.splitlines()] for text in alarms]


def test_the_first_message_names_who_is_treated_worse(messages):
    """On the first unfair day."""
    assert messages[0][0].startswith("WARNING loans: “sex = female”: predicted positive in ")
    assert messages[0][0].endswith("since Sun 15 Nov 00:00 UTC")


def cost_until(day: int) -> int:
    """What the unfair days before `day` have cost against the decisions without unfairness."""
    example = runpy.run_path(str(ROOT / "examples/loans/generate.py"))
    make = example["rows"]

    def worth(unfair_from: int) -> int:
        make.__globals__["UNFAIR_FROM"] = unfair_from
        rng, total = example["random"].Random(17), 0
        for number in [*range(-6, 0), *range(day)]:
            for *_, approved, repaid in make(rng, number, example["ROWS"]):
                total += WORTH[approved, repaid] * (number >= example["UNFAIR_FROM"])
        return total

    return worth(day) - worth(example["UNFAIR_FROM"])


def test_the_cost_stands_below_the_advice_and_its_interval_holds_the_true_cost(messages):
    """The true cost is that of the same applications with and without the unfair rule."""
    for lines in messages:
        cost = r"Cost of this incident so far: .* EUR less than usual "
        cost += r"\(95% sure: ([\d,]+) to ([\d,]+) EUR\) over the ([\d,]+)"
        [(place, match)] = [
            (place, match)
            for place, line in enumerate(lines)
            if (match := re.match(cost, line)) is not None
        ]
        assert lines.index("What to do:") < place < len(lines) - 2
        low, high, rows = (int(text.replace(",", "")) for text in match.groups())
        assert low <= cost_until(14 + rows // 800) <= high


def test_the_documentation_shows_the_message(messages):
    """From its first line to the cost."""
    text = (ROOT / "docs/fairness.md").read_text()
    [cost] = [place for place, line in enumerate(messages[0]) if line.startswith("Cost of")]
    assert "\n".join(messages[0][: cost + 1]) in text
