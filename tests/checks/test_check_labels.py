"""The labels check: coverage, delay, corrections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driftline_plugins.checks.labels import LabelCoverage

from driftline.kit.checks import Scores
from driftline.profiles.batch import Batch, LabelledRows
from driftline.profiles.labels import LabelCollector
from driftline.testing import assert_collector_contract, assert_plugin_contract, context, window

HOUR = 3_600_000_000


def labelled(hours: list[float], corrected: int = 0, contradicting: int = 0) -> LabelledRows:
    places = np.arange(len(hours))
    return LabelledRows(
        Batch(rows=len(hours), columns={}),
        (np.array(hours) * HOUR).astype(np.int64),
        places < corrected,
        places < contradicting,
    )


def measured(late: LabelCollector | None, scores: Scores, reference: Scores | None = None) -> dict:
    made = replace(
        window(x=[1.0] * 10),
        scores=scores,
        summaries={} if late is None else {"labels": late.summary()},
    )
    other = None if reference is None else replace(window(x=[1.0]), scores=reference)
    return {found.name: found for found in LabelCoverage().evaluate(context(made, other))}


def test_every_number_by_hand():
    """Eight labels of ten predictions: the share, the hours of half and nine tenths of them, what
    was corrected.
    """
    late = LabelCollector.zero(None)
    late.label(
        labelled([1.0, 1.0, 1.0, 1.0, 24.0, 24.0, 24.0, 240.0], corrected=2, contradicting=1)
    )
    found = measured(late, Scores(rows=10, labelled=8), Scores(rows=100, labelled=100))
    assert (found["coverage"].value, found["coverage"].rows, found["coverage"].was) == (
        0.8,
        10,
        1.0,
    )
    low, high = found["coverage"].interval
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)  # Wilson, by hand
    assert found["delay"].value == pytest.approx(1.0, rel=0.045)
    assert found["delay_p90"].value == pytest.approx(240.0, rel=0.045)
    assert (found["corrected"].value, found["contradicting"].value) == (0.25, 0.125)


@pytest.mark.parametrize("hours", [0.0, 0.02, 0.5, 3.0, 100.0, 720.0, 50_000.0])
def test_a_delay_is_close_to_exact(hours):
    """Whatever the delay from a minute to years: within 4.5%."""
    late = LabelCollector.zero(None)
    late.label(labelled([hours] * 5))
    assert measured(late, Scores(rows=5, labelled=5))["delay"].value == pytest.approx(
        hours, rel=0.045
    )


def test_what_can_not_be_had_has_a_reason():
    """No predictions, no labels, labels in the records alone: no value and why."""
    for late, scores, coverage in (
        (None, Scores(), None),
        (LabelCollector.zero(None), Scores(rows=10, labelled=0), 0.0),
        (None, Scores(rows=10, labelled=10), 1.0),
    ):
        found = measured(late, scores)
        assert found["coverage"].value == coverage
        for name in ("delay", "delay_p90", "corrected", "contradicting"):
            assert found[name].value is None
            assert found[name].reason == "no label has come later"


def test_contracts():
    """The check and the collector keep what plugins promise."""
    assert_plugin_contract(LabelCoverage)
    assert_collector_contract(LabelCollector)
