"""Loads what a backtest runs on: a model as the configuration has it, and its stored windows.

Does not read a source and does not write: the state is opened read-only, so it may be that of a
running agent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from driftline.agent.closing import ModelEvaluation
from driftline.agent.model_settings import make_settings
from driftline.agent.reference_state import load_reference
from driftline.alerting.lifespans import Lifespans
from driftline.alerting.work import AlertingState
from driftline.backtest.measure_history import MeasuredWindows, measure_history
from driftline.backtest.replay import Replay, ReplayedChange
from driftline.config import Config
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.extensions.guard import Guard
from driftline.extensions.phrasebook import Phrasebook
from driftline.state import windows
from driftline.state.factory import open_store
from driftline.state.store import Store
from driftline.types.errors import StateError
from driftline.types.records import DueWindow
from driftline.types.times import as_micros, from_micros

ReportCount = Callable[[int, int], None]
"""Takes the number of windows that are done, and of all."""


@dataclass(frozen=True, kw_only=True)
class StoredHistory:
    """A model and its stored windows."""

    evaluation: ModelEvaluation
    length: timedelta
    """Length of a window."""
    lateness: timedelta
    false_pages_per_year: float
    lifespans: Lifespans
    phrasebook: Phrasebook | None
    open_store: Callable[[], Store]
    groups: Sequence[Sequence[DueWindow]]
    """The windows by start, oldest first; those before `since` serve as a baseline."""
    since: datetime
    """Start of the first window that is judged."""
    until: datetime
    joins_windows: bool
    """Whether windows were joined until they held enough rows."""
    missing_windows: int
    """Windows of the span that are left out, because only their day still has a profile."""

    @property
    def policy(self) -> AlarmPolicy:
        """The alarm policy of the configuration."""
        return AlarmPolicy(
            self.length // timedelta(microseconds=1),
            self.false_pages_per_year,
            joins_windows=self.joins_windows,
        )

    def measure(self, progress: ReportCount, processes: int) -> list[MeasuredWindows]:
        """Measure every window with every check."""
        return measure_history(self.evaluation, self.open_store, self.groups, progress, processes)

    def replay(
        self,
        windows: Sequence[MeasuredWindows],
        policy: AlarmPolicy,
        progress: ReportCount = lambda count, total: None,
    ) -> list[ReplayedChange]:
        """Replay all windows; returns the changes of incidents from `since` on."""
        reference = self.evaluation.reference
        replay = Replay(
            model=self.evaluation.model,
            schema=reference.schema,
            plans={plan.name: plan for plan in self.evaluation.plans},
            policy=policy,
            lateness=self.lateness,
            lifespans=self.lifespans,
            reference=reference.name,
            state=AlertingState(phrasebook=self.phrasebook),
        )
        changes = replay.run(windows, progress)
        return [change for change in changes if from_micros(change.start) >= self.since]


def load_history(
    config: Config, model: str, since: datetime | None, until: datetime | None, guard: Guard
) -> StoredHistory:
    """Load the stored windows that start in [since, until); None stands for all there are.

    Raises StateError when there is nothing to judge.
    """
    settings = make_settings(config, model, config.registry, patience_ticks=1)
    open_readonly = partial(
        open_store, config.agent.state, base=config.origin.parent, readonly=True
    )
    collectors = config.registry.collectors()
    store = open_readonly()
    try:
        reference = load_reference(store, settings, collectors)
        with store.read() as connection:
            stored_span = windows.find_history_span(connection, model)
            if stored_span is None:
                raise StateError(
                    f"{model}: no windows are stored yet; `driftline run --once` reads the log"
                )
            if reference is None:
                raise StateError(
                    f"{model}: the stored windows were profiled for another reference, schema or "
                    "set of collectors than the configuration asks for now; "
                    "`driftline run --once` reads the log anew"
                )
            first = as_micros(since) if since else stored_span[0]
            last = as_micros(until) if until else stored_span[1]
            length = settings.window_length
            baseline_span = AlarmPolicy(length).make_trail().capacity * length
            earlier = windows.load_history_groups(connection, model, first - baseline_span, first)
            to_judge = windows.load_history_groups(connection, model, first, last)
    finally:
        store.close()
    if not to_judge.groups:
        raise StateError(
            f"{model}: of {to_judge.missing_starts} windows from {from_micros(first):%Y-%m-%d} to "
            f"{from_micros(last):%Y-%m-%d} none has its own profile; they are kept for "
            "`agent.keep.profiles_hourly`, then only days are"
        )
    plans = [
        replace(plan, check=plan.check.restrict_to(frozenset(plan.rules_by_measurement)))
        for plan in settings.plans
    ]
    evaluation = ModelEvaluation(
        model=model,
        reference=reference,
        plans=plans,
        collectors=collectors,
        collect=lambda plan, ctx: guard.collect_inline(
            f"{model}.{plan.name}", plan.check.evaluate, ctx
        ),
        length=settings.window_length if settings.config.windows.rows is not None else 0,
    )
    return StoredHistory(
        evaluation=evaluation,
        length=settings.config.windows.length,
        lateness=settings.config.windows.lateness,
        false_pages_per_year=settings.config.false_pages_per_year,
        lifespans=settings.alerts.lifespans,
        phrasebook=settings.alerts.phrasebook,
        open_store=open_readonly,
        groups=[*earlier.groups, *to_judge.groups],
        since=from_micros(first),
        until=from_micros(last),
        joins_windows=settings.config.windows.rows is not None,
        missing_windows=to_judge.missing_starts,
    )
