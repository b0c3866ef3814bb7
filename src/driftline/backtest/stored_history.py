"""What a backtest is of: a model as the configuration has it, and its stored windows.

Refuses to read a source, and to write: the state is opened read-only, so that it may be an agent's
at work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from driftline.agent.closing import ModelEvaluation
from driftline.agent.model_settings import make_settings
from driftline.agent.reference_state import load_reference
from driftline.alerting.lifespans import Life
from driftline.alerting.work import AlertingState
from driftline.backtest.measure_history import MeasuredWindows, measure_history
from driftline.backtest.replay import Replay, ReplayedChange
from driftline.config import Config
from driftline.evaluate.evidence.engine import AlarmPolicy
from driftline.extensions.guard import Guard
from driftline.extensions.phrasebook import Phrasebook
from driftline.state import kept
from driftline.state.factory import open_store
from driftline.state.store import Store
from driftline.state.tables import micros, moment
from driftline.types.errors import StateError
from driftline.types.records import DueWindow

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class StoredHistory:
    """What a backtest is of: a model, and its windows."""

    judgeable: ModelEvaluation
    length: timedelta
    lateness: timedelta
    false_pages_per_year: float
    life: Life
    phrasebook: Phrasebook | None
    open_store: Callable[[], Store]
    groups: Sequence[Sequence[DueWindow]]
    """By start, those before `since` too, from which the rules learn."""
    since: datetime
    until: datetime
    missing_windows: int
    """Windows in between that can't be measured, because their profile is not kept by itself."""

    @property
    def policy(self) -> AlarmPolicy:
        """The evidence engine's, as configured."""
        return AlarmPolicy(self.length // timedelta(microseconds=1), self.false_pages_per_year)

    def measure(self, progress: Progress, processes: int) -> list[MeasuredWindows]:
        """Every check on every window."""
        return measure_history(self.judgeable, self.open_store, self.groups, progress, processes)

    def replay(
        self,
        windows: Sequence[MeasuredWindows],
        policy: AlarmPolicy,
        progress: Progress = lambda done, total: None,
    ) -> list[ReplayedChange]:
        """What would have been told from `since` on."""
        model, ground = self.judgeable.model, self.judgeable.reference
        plans = {plan.name: plan for plan in self.judgeable.plans}
        replay = Replay(
            model,
            ground.schema,
            plans,
            policy,
            self.lateness,
            self.life,
            ground.name,
            AlertingState(phrasebook=self.phrasebook),
        )
        return [told for told in replay.run(windows, progress) if moment(told.start) >= self.since]


def load_history(
    config: Config, model: str, since: datetime | None, until: datetime | None, guard: Guard
) -> StoredHistory:
    """The stored windows in [since, until), all there are when None. Raises StateError when there
    is nothing to judge.
    """
    settings = make_settings(config, model, config.registry, patience_ticks=1)
    opening = partial(open_store, config.agent.state, base=config.origin.parent, readonly=True)
    kinds = config.registry.collectors()
    store = opening()
    try:
        ground = load_reference(store, settings, kinds)
        with store.read() as connection:
            whole = kept.span(connection, model)
            if whole is None:
                raise StateError(
                    f"{model}: no windows are stored yet; `driftline run --once` reads the log"
                )
            if ground is None:
                raise StateError(
                    f"{model}: the stored windows were profiled for another reference, schema or set of collectors than the "
                    "configuration asks for now; `driftline run --once` reads the log anew"
                )
            first, last = micros(since) if since else whole[0], micros(until) if until else whole[1]
            length = settings.window_length
            learning = AlarmPolicy(length).make_trail().capacity * length
            earlier, asked = (
                kept.between(connection, model, first - learning, first),
                kept.between(connection, model, first, last),
            )
    finally:
        store.close()
    if not asked.groups:
        raise StateError(
            f"{model}: of {asked.gone} windows from {moment(first):%Y-%m-%d} to {moment(last):%Y-%m-%d} none has its own "
            "profile; they are kept for `agent.keep.profiles_hourly`, then only days are"
        )
    plans = [
        replace(plan, check=plan.check.only(frozenset(plan.rules_by_measurement)))
        for plan in settings.plans
    ]
    judgeable = ModelEvaluation(
        model=model,
        reference=ground,
        plans=plans,
        collectors=kinds,
        collect=lambda plan, ctx: guard.collect_inline(
            f"{model}.{plan.name}", plan.check.evaluate, ctx
        ),
    )
    return StoredHistory(
        judgeable, settings.config.windows.length, settings.config.windows.lateness,
        settings.config.false_pages_per_year, settings.alerts.life,
        settings.alerts.phrasebook, opening,
        [*earlier.groups, *asked.groups], moment(first), moment(last), asked.gone,
    )  # fmt: skip
