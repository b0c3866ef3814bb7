"""Where templates run: Jinja in a sandbox, escaping by markup, and bounds on what it may take.

Refuses methods of values, unknown names, loops and texts without end: a template only puts given
words together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, Macro, Undefined
from jinja2.sandbox import SandboxedEnvironment

from driftline.delivery.rendering.markup import Dialect, Safe

SECONDS = 0.5
"""That one piece may take."""
LONGEST = 20_000
"""Characters that one piece may come to before it is cut."""
FILTERS = frozenset(
    {
        "batch", "capitalize", "default", "first", "float", "groupby", "int", "join", "last", "length", "list", "lower", "map",
        "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select", "selectattr", "sort", "sum", "title",
        "trim", "truncate", "unique", "upper",
    }
)  # fmt: skip


class Sandbox(SandboxedEnvironment):
    """Renders templates for one markup."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(
        self,
        dialect: Dialect,
        functions: Mapping[str, Callable[..., Any]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            finalize=lambda value: (
                value if isinstance(value, (Safe, Undefined)) else dialect.escaped(_said(value))
            ),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.filters = {name: filter_ for name, filter_ in self.filters.items() if name in FILTERS}
        self.filters["_bounded"] = self._bounded
        self.globals = dict(functions)
        # All that a template puts out has been escaped: what {% set %} and macros collect is safe,
        # too.
        self.concat = lambda parts: Safe("".join(parts))  # type: ignore[method-assign]
        self._monotonic = monotonic
        self._deadline = float("inf")
        self._compiled: dict[str, Template] = {}

    def written(self, source: str, names: Mapping[str, Any], trusted: bool = False) -> Safe:
        """`source` with `names` in it. Raises TemplateError, or what the template's own mistakes
        raise.

        A trusted one has all the time it takes, and what is beyond the longest text is left out.
        """
        self._deadline = float("inf") if trusted else self._monotonic() + SECONDS
        parts: list[str] = []
        size = 0
        template = self._compiled.get(source) or self._compiled.setdefault(
            source, self.from_string(source)
        )
        for part in template.generate(**names):
            self._in_time()
            parts.append(part)
            size += len(part)
            if size > LONGEST:
                if trusted:
                    break
                raise TemplateError(f"more than {LONGEST:,} characters")
        lines = (line.rstrip() for line in "".join(parts).splitlines())
        return Safe("\n".join(line for line in lines if line).strip())

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Macros and the functions handed in; no methods. See the base class."""
        self._in_time()
        if not isinstance(obj, Macro) and all(obj is not known for known in self.globals.values()):
            raise SecurityError("a template calls only the functions it is given")
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers; texts are not multiplied."""
        if operator == "**" or not all(isinstance(side, (int, float)) for side in (left, right)):
            raise SecurityError(
                f"a template does not use {operator} on texts and lists, nor powers"
            )
        return super().call_binop(context, operator, left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "_bounded", [], [], None, None)
        return tree

    def _bounded(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._in_time()
            yield item

    def _in_time(self) -> None:
        if self._monotonic() > self._deadline:
            raise TemplateError(f"not done within {SECONDS:g} s")


def _said(value: object) -> str:
    return "" if value is None else str(value)
