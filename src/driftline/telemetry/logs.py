"""Logs: lines for people on a terminal, JSON everywhere else.

Control characters in texts from data are escaped before they are printed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, MutableMapping
from functools import cache
from typing import Any, TextIO

Event = MutableMapping[str, Any]


def make_log(
    stream: TextIO | None = None, *, human: bool | None = None, verbose: bool = False
) -> Any:
    """Make a logger that writes to `stream`, by default standard error.

    `human` chooses lines for people; by default a terminal gets them. `verbose` logs debug events
    too.
    """
    out = stream or sys.stderr
    writes_lines = out.isatty() if human is None else human
    return _LateLog(cache(lambda: _make_logger(out, writes_lines=writes_lines, verbose=verbose)))


class _LateLog:
    """A logger that is made for its first event: most passes with nothing new log none."""

    def __init__(self, make: Callable[[], Any], values: Mapping[str, Any] | None = None) -> None:
        self._make, self._values = make, dict(values or {})

    def bind(self, **values: Any) -> _LateLog:
        """The same logger, with values that each event gets."""
        return _LateLog(self._make, {**self._values, **values})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make().bind(**self._values), name)


def _make_logger(out: TextIO, *, writes_lines: bool, verbose: bool) -> Any:
    import structlog

    processors: list[Any] = (
        [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            _escape_values,
            _LineRenderer(colors=writes_lines and out.isatty()),
        ]
        if writes_lines
        else [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
    return structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[structlog.processors.add_log_level, *processors],
        wrapper_class=structlog.make_filtering_bound_logger(10 if verbose else 20),
    )


def _escape_values(logger: Any, name: str, event: Event) -> Event:
    return {
        key: _escape(value) if isinstance(value, str) and key != "exception" else value
        for key, value in event.items()
    }


def _escape(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


class _LineRenderer:
    """Renders an event as `09:31:02  churn  read 144 objects, 28,800 rows`."""

    def __init__(self, colors: bool) -> None:
        self._colors = colors

    def __call__(self, logger: Any, name: str, event: Event) -> str:
        level = event.pop("level", "info")
        at, part = event.pop("timestamp", ""), event.pop("model", event.pop("part", ""))
        event.pop("exc_info", None)
        text = str(event.pop("event", ""))
        values = "  ".join(
            f"{key}={value}" for key, value in event.items() if value not in ("", None)
        )
        mark = "" if level in ("info", "debug") else f"{level}: "
        line = "  ".join(word for word in (str(at), str(part), f"{mark}{text}", values) if word)
        if not self._colors:
            return line
        color = {"warning": "33", "error": "31", "critical": "31"}.get(level)
        head = f"\033[2m{at}\033[0m  " + (f"\033[1m{part}\033[0m  " if part else "")
        body = "  ".join(word for word in (f"{mark}{text}", values) if word)
        return head + (f"\033[{color}m{body}\033[0m" if color else body)
