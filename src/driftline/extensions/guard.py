"""One guarded call of a plugin: in a thread of its own, within a time, with its failure made one
kind of error.

Refuses to kill: a thread can't be. A call that is overdue is left behind, shown, and never started
on top of itself.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from driftline.contracts.check import CheckContext
from driftline.extensions.load import describe
from driftline.extensions.validate import MOST, fit
from driftline.types.errors import DriftlineError, PluginError
from driftline.types.model import Measurement

T = TypeVar("T")


class Overdue(PluginError):
    """A plugin has not answered within its time, or still doesn't since an earlier call."""


@dataclass(slots=True)
class Calls:
    """What is known of one plugin in one place."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    """By the guard's clock, with the time of overdue calls once they end."""
    overdue_since: datetime | None = None
    """The start of the call that overran and still runs."""
    last_error: str = ""


@dataclass(slots=True)
class _Call:
    """One running call. `late` is set once nobody waits for it any more."""

    started: datetime
    done: threading.Event = field(default_factory=threading.Event)
    late: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: BaseException | None = None


class Guard:
    """Runs calls of plugins and remembers how they went. A key names the plugin's place, such as
    `churn.drift`.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        on_error: Callable[[str, str], None] = lambda key, text: None,
    ) -> None:
        self._clock = clock
        self._on_error = on_error
        self._known: dict[str, Calls] = {}
        self._late: dict[str, _Call] = {}
        self._lock = threading.Lock()

    def known(self) -> Mapping[str, Calls]:
        """By key."""
        with self._lock:
            return dict(self._known)

    def call(self, key: str, fn: Callable[..., T], *args: Any, timeout: float) -> T:
        """`fn(*args)` within `timeout` seconds.

        Raises Overdue when it takes longer, or an earlier call still does; the driftline errors it
        raises; PluginError for everything else it raises.
        """
        return self._run(key, lambda late: fn(*args), timeout)

    def collect(
        self,
        key: str,
        fn: Callable[[CheckContext], Iterable[Measurement]],
        ctx: CheckContext,
        timeout: float,
    ) -> list[Measurement]:
        """All measurements of a check, looked over. Raises PluginError also for what is no proper
        measurement.
        """

        def gather(late: threading.Event) -> list[Measurement]:
            given = fn(ctx)
            if not isinstance(given, Iterable):
                raise PluginError(f"{key}: returned {type(given).__name__} instead of measurements")
            return list(_checked(key, given, late))

        return self._run(key, gather, timeout)

    def here(
        self, key: str, fn: Callable[[CheckContext], Iterable[Measurement]], ctx: CheckContext
    ) -> list[Measurement]:
        """As `collect`, but at once and without a limit of time: for work that nothing else waits
        for.
        """
        try:
            return list(_checked(key, fn(ctx), threading.Event()))
        except DriftlineError:
            raise
        except Exception as error:
            raise PluginError(f"{key}: {describe(error)}") from error

    def _run(self, key: str, work: Callable[[threading.Event], T], timeout: float) -> T:
        call = _Call(self._clock())
        with self._lock:
            known = self._known.setdefault(key, Calls())
            known.calls += 1
            hanging = known.overdue_since
        if hanging is not None:
            raise self._noted(
                key,
                Overdue(
                    f"{key} hangs since {hanging:%Y-%m-%d %H:%M:%S} UTC; it is not started again"
                ),
            )
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run,
            args=(self._work, key, call, work),
            name=f"plugin-{key}",
            daemon=True,
        ).start()
        if not call.done.wait(timeout) and self._leave(key, call):
            raise self._noted(key, Overdue(f"{key} has not answered within {timeout:g} s"))
        error = call.error
        if error is None:
            result: T = call.value
            return result
        if isinstance(error, DriftlineError):
            raise self._noted(key, error)
        raise self._noted(key, PluginError(f"{key}: {describe(error)}")) from error

    def _leave(self, key: str, call: _Call) -> bool:
        """Stop waiting; False when it ended at the last moment after all."""
        with self._lock:
            if call.done.is_set():
                return False
            call.late.set()
            self._late[key] = call
            self._known[key].overdue_since = call.started
            return True

    def _work(self, key: str, call: _Call, work: Callable[[threading.Event], Any]) -> None:
        try:
            call.value = work(call.late)
        # Also SystemExit: a plugin that calls sys.exit() costs only itself.
        except BaseException as error:
            call.error = error
        with self._lock:
            known = self._known[key]
            known.seconds += (self._clock() - call.started).total_seconds()
            if self._late.get(key) is call:
                del self._late[key]
                known.overdue_since = None
            call.done.set()

    def _noted(self, key: str, error: DriftlineError) -> DriftlineError:
        with self._lock:
            known = self._known[key]
            known.errors += 1
            known.last_error = str(error)
        self._on_error(key, str(error))
        return error


def _checked(key: str, given: Iterable[Any], late: threading.Event) -> Iterator[Measurement]:
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for item in given:
        if late.is_set():
            return
        try:
            measurement = fit(item)
        except ValueError as error:
            raise PluginError(f"{key}: {error}") from None
        identity = (measurement.name, tuple(sorted(measurement.labels.items())))
        if identity in seen:
            what = ", ".join(f"{name}={value}" for name, value in identity[1]) or "no labels"
            raise PluginError(
                f"{key}: measured '{measurement.name}' twice with {what}; labels tell measurements apart"
            )
        if len(seen) == MOST:
            raise PluginError(f"{key}: more than {MOST} measurements of one window")
        seen.add(identity)
        yield measurement
