"""Guarded calls of plugins: each in another thread, with a time limit and one kind of error.

Does not stop a thread: Python can't. An overdue call is left behind and shown, and its plugin is
not called again until that call has ended.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from driftline.contracts.check import CheckContext
from driftline.extensions.load import describe_error
from driftline.extensions.validate import MOST, validate_measurement
from driftline.types.errors import DriftlineError, PluginError
from driftline.types.labels import labels_json
from driftline.types.model import Measurement

T = TypeVar("T")
IDLE_SECONDS = 30.0
"""How long a thread waits for the next call before it ends."""


class Overdue(PluginError):
    """A plugin has not answered within its time, or an earlier call of it still runs."""


@dataclass(slots=True, kw_only=True)
class CallStats:
    """The calls of one plugin in one place so far."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    """Total time by the guard's clock. An overdue call counts once it has ended."""
    overdue_since: datetime | None = None
    """The start of the overdue call that still runs, UTC."""
    last_error: str = ""


@dataclass(slots=True, kw_only=True)
class _Call:
    """One running call. `late` is set once no caller waits for it any more."""

    start: datetime
    end: threading.Event = field(default_factory=threading.Event)
    late: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: BaseException | None = None


class _Job(NamedTuple):
    """A call for a thread."""

    key: str
    call: _Call
    run: Callable[[], None]


class Guard:
    """Runs calls of plugins and counts calls, errors and time.

    A key names the place of the plugin, such as `churn.drift`.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        on_error: Callable[[str, str], None] = lambda key, text: None,
        scrub: Callable[[str], str] = lambda text: text,
    ) -> None:
        """`scrub` takes secrets out of the texts of errors."""
        self._clock = clock
        self._on_error = on_error
        self._scrub = scrub
        self._stats: dict[str, CallStats] = {}
        self._late: dict[str, _Call] = {}
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[_Job]] = []
        """The calls of each thread that waits for one."""

    def calls(self) -> Mapping[str, CallStats]:
        """Return the calls so far, by key."""
        with self._lock:
            return dict(self._stats)

    def find_hanging(self, prefix: str) -> list[str]:
        """Return a sentence for each call that was left behind and has not ended.

        Only calls are named whose key begins with `prefix`.
        """
        with self._lock:
            return [
                f"{key} hangs since {call.start:%Y-%m-%d %H:%M:%S} UTC"
                for key, call in self._late.items()
                if key.startswith(prefix)
            ]

    def call(self, key: str, fn: Callable[..., T], *args: Any, timeout: float) -> T:
        """Return `fn(*args)`, which may take `timeout` seconds.

        Raises Overdue when it takes longer, or when an earlier call still runs. Passes on the
        driftline errors that `fn` raises; any other exception becomes a PluginError.
        """
        return self._run(key, lambda late: fn(*args), timeout)

    def collect(
        self,
        key: str,
        fn: Callable[[CheckContext], Iterable[Measurement]],
        ctx: CheckContext,
        timeout: float,
    ) -> list[Measurement]:
        """Return all measurements of a check, validated. Raises what `call` raises.

        An invalid measurement is a PluginError, too.
        """

        def gather(late: threading.Event) -> list[Measurement]:
            measurements = fn(ctx)
            if not isinstance(measurements, Iterable):
                type_name = type(measurements).__name__
                raise PluginError(f"{key}: returned {type_name} instead of measurements")
            return list(_validate_all(key, measurements, late))

        return self._run(key, gather, timeout)

    def collect_inline(
        self, key: str, fn: Callable[[CheckContext], Iterable[Measurement]], ctx: CheckContext
    ) -> list[Measurement]:
        """Do the same in this thread, without a time limit: for work that nothing else waits for.

        Raises PluginError.
        """
        try:
            return list(_validate_all(key, fn(ctx), threading.Event()))
        except DriftlineError:
            raise
        except Exception as error:
            raise PluginError(f"{key}: {describe_error(error)}") from error

    def _run(self, key: str, work: Callable[[threading.Event], T], timeout: float) -> T:
        call = _Call(start=self._clock())
        with self._lock:
            stats = self._stats.setdefault(key, CallStats())
            stats.calls += 1
            hanging = stats.overdue_since
        if hanging is not None:
            raise self._record(
                key,
                Overdue(
                    f"{key} hangs since {hanging:%Y-%m-%d %H:%M:%S} UTC; it is not called again"
                ),
            )
        self._start(key, call, work)
        if not call.end.wait(timeout) and self._leave(key, call):
            raise self._record(key, Overdue(f"{key} has not answered within {timeout:g} s"))
        error = call.error
        if error is None:
            result: T = call.value
            return result
        if isinstance(error, DriftlineError):
            raise self._record(key, error)
        raise self._record(key, PluginError(f"{key}: {describe_error(error)}")) from error

    def _start(self, key: str, call: _Call, work: Callable[[threading.Event], Any]) -> None:
        """Run a call in an idle thread, in a new one where none is idle."""
        context = contextvars.copy_context()
        job = _Job(key, call, lambda: context.run(self._work, key, call, work))
        with self._lock:
            jobs = self._idle.pop() if self._idle else None
        if jobs is None:
            jobs = queue.SimpleQueue()
            threading.Thread(target=self._serve, args=(jobs,), daemon=True).start()
        jobs.put(job)

    def _serve(self, jobs: queue.SimpleQueue[_Job]) -> None:
        """Run one call after the other; end after an overdue one, and when none comes."""
        thread = threading.current_thread()
        while True:
            try:
                job = jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if jobs in self._idle:
                        self._idle.remove(jobs)
                        return
                continue  # A call was given to this thread at the last moment.
            thread.name = f"plugin-{job.key}"
            job.run()
            if job.call.late.is_set():
                return
            del job  # Its result may be large.
            thread.name = "plugin-idle"
            with self._lock:
                self._idle.append(jobs)

    def _leave(self, key: str, call: _Call) -> bool:
        """Stop waiting for a call; False if it ended at the last moment after all."""
        with self._lock:
            if call.end.is_set():
                return False
            call.late.set()
            self._late[key] = call
            self._stats[key].overdue_since = call.start
            return True

    def _work(self, key: str, call: _Call, work: Callable[[threading.Event], Any]) -> None:
        try:
            call.value = work(call.late)
        # SystemExit too: a plugin that calls sys.exit() must not end the agent.
        except BaseException as error:
            call.error = error
        with self._lock:
            stats = self._stats[key]
            stats.seconds += (self._clock() - call.start).total_seconds()
            if self._late.get(key) is call:
                del self._late[key]
                stats.overdue_since = None
            call.end.set()

    def _record(self, key: str, error: DriftlineError) -> DriftlineError:
        text = self._scrub(str(error))
        if text != str(error):
            error.args = (text, *error.args[1:])
        with self._lock:
            stats = self._stats[key]
            stats.errors += 1
            stats.last_error = text
        self._on_error(key, text)
        return error


def _validate_all(
    key: str, measurements: Iterable[Any], late: threading.Event
) -> Iterator[Measurement]:
    identities: set[tuple[str, str]] = set()
    for item in measurements:
        if late.is_set():
            return
        try:
            measurement = validate_measurement(item)
        except ValueError as error:
            raise PluginError(f"{key}: {error}") from None
        identity = (measurement.name, labels_json(measurement.labels))
        if identity in identities:
            pairs = sorted(measurement.labels.items())
            labels = ", ".join(f"{name}={value}" for name, value in pairs) or "no labels"
            raise PluginError(
                f"{key}: measured '{measurement.name}' twice with {labels}; "
                "give each measurement labels of its own"
            )
        if len(identities) == MOST:
            raise PluginError(f"{key}: more than {MOST} measurements of one window")
        identities.add(identity)
        yield measurement
