"""Logs: lines for people on a terminal, JSON everywhere else.

Control characters in texts from data are escaped before they are printed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from functools import cache
from typing import Any, TextIO, cast

from driftline.telemetry.log_limits import LogStream, RepeatedExceptions, find_exception

Event = MutableMapping[str, Any]


def make_log(
    stream: TextIO | None = None,
    *,
    human: bool | None = None,
    verbose: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Any:
    """Make a logger that writes to `stream`, by default standard error, and never raises.

    An exception is logged once a minute and kind; a minute has at most a megabyte. `clock` returns
    seconds.

    `human` chooses lines for people; by default a terminal gets them. `verbose` logs debug events
    too.
    """
    out = stream or sys.stderr
    is_terminal = not out.closed and out.isatty()
    writes_lines = is_terminal if human is None else human
    scrubbing = LogScrubbing()
    return _LateLog(
        cache(
            lambda: _make_logger(
                out,
                scrubbing,
                is_terminal=is_terminal,
                writes_lines=writes_lines,
                verbose=verbose,
                clock=clock,
            )
        ),
        scrubbing,
    )


class _LateLog:
    """A logger that is made for its first event: most passes with nothing new log none."""

    def __init__(
        self,
        make: Callable[[], Any],
        scrubbing: LogScrubbing,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._make, self._scrubbing, self._values = make, scrubbing, dict(values or {})

    def bind(self, **values: Any) -> _LateLog:
        """The same logger, with values that each event gets."""
        return _LateLog(self._make, self._scrubbing, {**self._values, **values})

    def scrub_with(self, scrub: Callable[[str], str]) -> None:
        """Let `scrub` take secrets out of every line from now on."""
        self._scrubbing.scrub = scrub

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make().bind(**self._values), name)


def scrub_log(log: Any, scrub: Callable[[str], str]) -> None:
    """Let `scrub` take secrets out of every line of a logger from `make_log` from now on."""
    if isinstance(log, _LateLog):
        log.scrub_with(scrub)


class LogScrubbing:
    """What takes secrets out of each line; nothing before the configuration is known."""

    def __init__(self) -> None:
        self.scrub: Callable[[str], str] = lambda text: text

    def __call__(self, text: str) -> str:
        """Return a line without secrets."""
        return self.scrub(text)


def _make_logger(
    out: TextIO,
    scrubbing: LogScrubbing,
    *,
    is_terminal: bool,
    writes_lines: bool,
    verbose: bool,
    clock: Callable[[], float],
) -> Any:
    import structlog
    from structlog.tracebacks import ExceptionDictTransformer

    processors: list[Any] = (
        [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=True),
            _escape_values,
            _LineRenderer(colors=is_terminal),
        ]
        if writes_lines
        else [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Local variables may hold rows or secrets.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
    return structlog.wrap_logger(
        structlog.PrintLogger(
            cast(TextIO, LogStream(out, clock, lambda text: scrubbing.scrub(text)))
        ),
        processors=[
            structlog.processors.add_log_level,
            RepeatedExceptions(clock),
            *processors,
        ],
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
        error = find_exception(event.pop("exc_info", None))
        text = str(event.pop("event", ""))
        if error is not None and "error" not in event:
            event["error"] = _escape(f"{type(error).__name__}: {error}")
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
