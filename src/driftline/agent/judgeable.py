"""What judging the windows of a model needs of its state.

Refuses to write: whatever judges is handed a connection to read by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
from sqlalchemy.engine import Connection

from driftline.agent.reference_state import Ground
from driftline.evaluate.check_plan import CheckPlan, Collect
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.evaluate.judge_windows import HistoryOf, Inputs
from driftline.profiles.collector import Collector
from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.window import Window
from driftline.state import measurements, windows
from driftline.state.tables import moment
from driftline.types.records import DueWindow, WindowKey


@dataclass(frozen=True)
class Judgeable:
    """One model as it is judged."""

    model: str
    ground: Ground
    plans: Sequence[CheckPlan]
    kinds: Collectors
    collect: Collect

    def inputs(
        self,
        connection: Connection,
        past: PastJudge | None = None,
        again: Callable[[WindowKey], Iterator[pa.RecordBatch]] | None = None,
        history: HistoryOf | None = None,
        profiles: Callable[[WindowKey], Profile] | None = None,
    ) -> Inputs:
        """From what is stored; `again` reads the rows of a window once more, `history` and
        `profiles` stand in for it.
        """
        spec, kinds, ground = self.ground.spec, self.kinds, self.ground

        def window(due: DueWindow) -> Window:
            profile = (
                windows.load(connection, due.key, spec, kinds)
                if profiles is None
                else profiles(due.key)
            )
            seen = profile.last
            if seen is None:
                seen = windows.newest_event(connection, due.key, spec, kinds)
            return profile.window(
                start=moment(due.key.start),
                end=moment(due.end),
                version=due.key.version,
                segment=due.key.segment,
                last_seen=None if seen is None else moment(seen),
                reread=None if again is None else partial(again, due.key),
            )

        def reference(due: DueWindow) -> Window | None:
            key = due.key
            if ground.trailing is None:
                return ground.reference(key.segment)
            since = key.start - int(ground.trailing.total_seconds() * 1_000_000)
            profile = windows.trailing(
                connection, self.model, key.segment, since, key.start, spec, kinds
            )
            return (
                profile.window(start=moment(since), end=moment(key.start), version=ground.name)
                if profile.rows
                else None
            )

        late = frozenset(name for name, kind in kinds.items() if kind.label is not Collector.label)
        return Inputs(
            schema=ground.schema,
            plans=self.plans,
            window=window,
            reference=reference,
            history=history or partial(measurements.history, connection),
            collect=self.collect,
            reference_name=ground.name,
            past_judge=past,
            label_collectors=late,
        )
