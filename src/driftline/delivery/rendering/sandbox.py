"""Runs templates: Jinja in a sandbox, with escaping and with limits on time and length.

Does not allow methods of values, unknown names, endless loops and endless texts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import do_batch
from jinja2.runtime import Context, Macro, Undefined
from jinja2.sandbox import SandboxedEnvironment

from driftline.delivery.rendering.markup import Dialect, Safe

SECONDS = 0.5
"""Time limit for one piece."""
LONGEST = 20_000
"""Characters that one piece may have before it is cut."""
LONGEST_INNER = 10 * LONGEST
"""Characters that a text within a template may have."""
FILTERS = frozenset(
    [
        "batch",
        "capitalize",
        "default",
        "first",
        "float",
        "groupby",
        "int",
        "join",
        "last",
        "length",
        "list",
        "lower",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "replace",
        "reverse",
        "round",
        "select",
        "selectattr",
        "sort",
        "sum",
        "title",
        "trim",
        "truncate",
        "unique",
        "upper",
    ]
)


class Sandbox(SandboxedEnvironment):
    """Renders templates for one markup."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

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
                value
                if isinstance(value, (Safe, Undefined))
                else dialect.escape_text(_to_text(value))
            ),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.filters = {name: filter_ for name, filter_ in self.filters.items() if name in FILTERS}
        self.filters |= {
            "_iterate_in_time": self._iterate_in_time,
            "_short": _check_length,
            "replace": _replace,
            "batch": _batch,
        }
        self.globals = dict(functions)
        # All output of a template is escaped, so the output of {% set %} and macros is safe, too.
        self.concat = self._join  # type: ignore[method-assign]
        self._monotonic = monotonic
        self._deadline = float("inf")
        self._compiled: dict[str, Template] = {}

    def render(self, source: str, names: Mapping[str, Any], is_shipped: bool = False) -> Safe:
        """Render `source` with `names`.

        Raises TemplateError, or what the mistakes of the template raise. A shipped template has no
        time limit, and a too long text is cut.
        """
        self._deadline = float("inf") if is_shipped else self._monotonic() + SECONDS
        parts: list[str] = []
        size = 0
        template = self._compiled.get(source) or self._compiled.setdefault(
            source, self.from_string(source)
        )
        for part in template.generate(**names):
            self._check_deadline()
            parts.append(part)
            size += len(part)
            if size > LONGEST:
                if is_shipped:
                    break
                raise TemplateError(f"more than {LONGEST:,} characters")
        lines = (line.rstrip() for line in "".join(parts).splitlines())
        return Safe("\n".join(line for line in lines if line).strip())

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a macro or one of the functions, never a method. See the base class."""
        self._check_deadline()
        if not isinstance(obj, Macro) and all(
            obj is not function for function in self.globals.values()
        ):
            raise SecurityError("a template calls only the functions it is given")
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Allow arithmetic on numbers, and the sum of two short texts or lists."""
        if operator == "+" and all(isinstance(side, (str, list, tuple)) for side in (left, right)):
            if len(left) + len(right) > LONGEST:
                raise TemplateError(f"a text or list of more than {LONGEST:,} parts")
            return super().call_binop(context, operator, left, right)
        if operator == "**" or not all(isinstance(side, (int, float)) for side in (left, right)):
            raise SecurityError(
                f"a template does not use {operator} on texts and lists, nor powers"
            )
        return super().call_binop(context, operator, left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "_iterate_in_time", [], [], None, None)
        # A text that is joined with itself again and again would fill the memory.
        for concat in tree.find_all(nodes.Concat):
            concat.nodes = [
                nodes.Filter(part, "_short", [], [], None, None) for part in concat.nodes
            ]
        return tree

    def _join(self, parts: Iterable[str]) -> Safe:
        """Join the output of a block or macro. Raises TemplateError when it is too long."""
        self._check_deadline()
        pieces, size = [], 0
        for part in parts:
            pieces.append(part)
            size += len(part)
            if size > LONGEST_INNER:
                raise TemplateError(f"a text of more than {LONGEST_INNER:,} characters")
        return Safe("".join(pieces))

    def _iterate_in_time(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._check_deadline()
            yield item

    def _check_deadline(self) -> None:
        if self._monotonic() > self._deadline:
            raise TemplateError(f"not done within {SECONDS:g} s")


def _to_text(value: object) -> str:
    return "" if value is None else str(value)


def _check_length(value: Any) -> Any:
    """Return a part of a joined text. Raises TemplateError when it is too long."""
    if isinstance(value, str) and len(value) > LONGEST:
        raise TemplateError(f"a text of more than {LONGEST:,} characters")
    return value


def _replace(text: Any, old: str, new: str, count: int | None = None) -> str:
    """Replace as the filter of Jinja does. Raises TemplateError when the text gets too long."""
    whole, old, new = str(text), str(old), str(new)
    places = whole.count(old) if count is None else min(count, whole.count(old))
    if len(whole) + places * (len(new) - len(old)) > LONGEST:
        raise TemplateError(f"a text of more than {LONGEST:,} characters")
    return whole.replace(old, new, places)


def _batch(items: Iterable[Any], size: int, fill: Any = None) -> Iterator[list[Any]]:
    """Make lists of `size` items. Raises TemplateError for lists that would be too long."""
    if not 0 < size <= LONGEST:
        raise TemplateError(f"a batch has 1 to {LONGEST:,} items")
    return do_batch(items, size, fill)
