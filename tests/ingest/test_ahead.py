"""Decoding ahead."""

from __future__ import annotations

import threading

import pytest

from driftline.ingest.read.prefetch import prefetch


def test_items_and_the_error_come_in_order():
    """What was made before an error is given before it."""

    def items():
        yield from range(5)
        raise ValueError("cut")

    found = []
    with pytest.raises(ValueError, match="cut"):
        found.extend(prefetch(items()))
    assert found == list(range(5))


def test_no_more_than_a_few_are_made_ahead():
    """Whoever takes nothing holds up the making."""
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    running = prefetch(items())
    assert next(running) == 0
    threading.Event().wait(0.3)
    assert len(made) <= 5
    running.close()
