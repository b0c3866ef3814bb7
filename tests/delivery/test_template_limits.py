"""A template can't fill the memory: each way to grow a text has a limit."""

from __future__ import annotations

import tracemalloc

import pytest
from jinja2 import TemplateError

from driftline.delivery.rendering.markup import DIALECTS
from driftline.delivery.rendering.sandbox import Sandbox

DOUBLE = "{% set x = x ~ x %}"


@pytest.mark.parametrize(
    "source",
    [
        "{% set x = 'aaaaaaaaaa' %}" + DOUBLE * 40 + "{{ x|length }}",
        "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x|replace('a', x) %}" * 8 + "{{ x|length }}",
        "{{ ['a']|batch(1000000000, 'b')|list|length }}",
        "{% set x %}{% for i in names %}{{ i }}{% endfor %}{% endset %}"
        + "{% set x %}{{ x }}{{ x }}{{ x }}{{ x }}{% endset %}" * 30
        + "{{ x|length }}",
        "{% macro m(t) %}{{ t }}{{ t }}{{ t }}{{ t }}{% endmacro %}{% set x = 'aaaaaaaaaa' %}"
        + "{% set x = m(x) %}" * 30
        + "{{ x|length }}",
        "{% set x = names %}" + "{% set x = x + x %}" * 40 + "{{ x|length }}",
        "{{ names|join('a' * 1000000000)|length }}",
        "{{ names|sum(start='')|length }}",
    ],
)
def test_texts_do_not_grow_without_limit(source: str) -> None:
    """The template is a mistake, and takes at most some megabytes."""
    sandbox = Sandbox(DIALECTS["plain"], {})
    tracemalloc.start()
    try:
        with pytest.raises((TemplateError, TypeError, ValueError)):
            sandbox.render(source, {"names": ["ab", "cd", "ef"] * 10})
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_usual_templates_still_work() -> None:
    """Joining, replacing and batches have their results."""
    sandbox = Sandbox(DIALECTS["plain"], {})
    text = sandbox.render(
        "{{ 'a' ~ 'b' }} {{ 'abc'|replace('b', 'xx') }} {{ [1, 2, 3]|batch(2)|list|length }}", {}
    )
    assert str(text) == "ab axxc 2"
