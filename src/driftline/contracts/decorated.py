"""The simplest check: one decorated function of a window and its reference.

Does not support options or several measurements: write a class for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from driftline.contracts.check import Check, CheckContext
from driftline.contracts.rule import Rule
from driftline.profiles.window import Window
from driftline.types.family import Family
from driftline.types.model import Measurement

Measure = Callable[[Window, Window | None], float | None]


def check(
    *, rule: Rule | None = None, min_rows: int = 1, cause: str = Family.QUALITY.value
) -> Callable[[Measure], type[Check]]:
    """Make a check of the decorated function.

    The function's name becomes the check's `type`, its docstring the description.
    """

    def make(measure: Measure) -> type[Check]:
        name = measure.__name__

        def evaluate(self: Check, ctx: CheckContext) -> Iterator[Measurement]:
            yield Measurement(measure(ctx.current, ctx.reference))

        body = {
            "__doc__": measure.__doc__,
            "__module__": measure.__module__,
            "type": name,
            "cause": cause,
            "min_rows": min_rows,
            "default_rules": {name: rule} if rule else {},
            "evaluate": evaluate,
        }
        return type(name, (Check,), body)

    return make
