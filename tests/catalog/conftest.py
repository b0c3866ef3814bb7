"""A state with records and measurements, made once for the questions of a file."""

from __future__ import annotations

import pytest
from question_scene import make_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """The path of a configuration whose state has records, and six hours of `churn`."""
    return make_scene(tmp_path_factory.mktemp("catalog"))
