"""Whatever happens to the store and to the agent, its state equals what a plain recount of the
store gives.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import databases
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    precondition,
    rule,
)
from memory_store import SHELVES, Shelf

from driftline.agent.composition_root import open_agent, read_config
from driftline.state import leadership
from driftline.state.factory import open_store
from driftline.state.store import Store
from driftline.telemetry.logs import make_log
from driftline.types.errors import LeadershipLost, StateError
from driftline.types.records import WindowKey

pytestmark = [pytest.mark.postgres, pytest.mark.system]

START = datetime(2026, 5, 1, tzinfo=UTC)
HOURS = 4
SEALED = timedelta(minutes=2)
MEMORY = "/dev/shm"
"""Where there is one: a disk would wait for every commit."""
CONFIG = """
version: 1
agent: {{state: "{state}", http: null, workers: 1}}
plugins: {{paths: ["{plugin}"]}}
models:
  shop:
    source: {{type: shelf, options: {{shelf: log, format: jsonl}}}}
    labels: {{type: shelf, options: {{shelf: truth, format: jsonl}}, wait_for: 365d}}
    schema:
      timestamp: t
      id: id
      version: v
      features: {{amount: numeric, plan: categorical}}
      prediction: {{kind: binary, score: score}}
      label: {{column: label}}
      segments: [plan]
    reference: {{type: local, options: {{path: reference.jsonl}}}}
    windows: {{length: 1h, lateness: 15m, reopen_for: 365d, notify_within: null}}
    checks:
      missing: {{type: missing}}
      performance: {{type: performance, options: {{headline: accuracy}}}}
"""
IDS = st.integers(0, 5).map(lambda n: f"r{n}")


@st.composite
def predictions(draw):
    """Some rows; ids may repeat, over objects too."""
    return [
        {
            "t": f"{START + timedelta(minutes=draw(st.integers(0, 60 * HOURS - 1))):%Y-%m-%dT%H:%M:%SZ}",
            "id": draw(IDS),
            "v": draw(st.sampled_from("ab")),
            "amount": draw(st.integers(0, 100)),
            "plan": draw(st.sampled_from(["gold", "free", None])),
            "score": draw(st.integers(0, 100)) / 100,
        }
        for _ in range(draw(st.integers(0, 5)))
    ]


LABELS = st.lists(st.fixed_dictionaries({"id": IDS, "label": st.sampled_from([0, 1])}), max_size=5)


def lines(rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


class Crash(BaseException):
    """The process is gone."""


class Agent:
    """The agent's comings, goings and crashes on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START + timedelta(hours=HOURS, minutes=30)
        reference = [
            {
                "amount": n % 100,
                "plan": ("gold", "free")[n % 2],
                "score": n % 100 / 100,
                "label": n % 3 % 2,
            }
            for n in range(200)
        ]
        (folder / "reference.jsonl").write_bytes(lines(reference))
        (folder / "driftline.yaml").write_text(
            CONFIG.format(
                plugin=Path(__file__).parent.parent / "support" / "memory_store_plugin.py",
                state=databases.of(folder),
            )
        )
        self._running = ExitStack()
        self.start()

    def start(self, store: Store | None = None) -> None:
        log = make_log(io.StringIO(), human=False)
        config = read_config(self.folder / "driftline.yaml")
        made = open_agent(
            config, store=store, clock=lambda: self.now, log=log, console=io.StringIO(), once=True
        )
        self.agent = self._running.enter_context(made)

    def stop(self) -> None:
        self._running.close()

    def tick(self) -> None:
        report = self.agent.tick("shop")
        assert not report.error, report.error

    def tick_until_commit(self, number: int, *, after: bool) -> bool:
        """Die at the given commit of a tick, right before it or right after; False when the tick
        has fewer.
        """
        store, left = self.agent.store, [number]
        write = store.write

        @contextmanager
        def dying():
            left[0] -= 1
            with write() as connection:
                yield connection
                if left[0] == 0 and not after:
                    raise Crash
            if left[0] == 0:
                raise Crash

        store.write = dying
        try:
            self.agent.tick("shop")
        except Crash:
            return True
        finally:
            store.write = write
        return False

    def tick_until_deposed(self, number: int) -> None:
        """Another agent takes over right before the given commit of a tick, or after a tick that
        has fewer.
        """
        store, left, taken = self.agent.store, [number], []
        write = store.write

        @contextmanager
        def deposed():
            left[0] -= 1
            with write() as connection:
                yield connection
                if left[0] == 0:
                    taken.append(self.take_over())

        store.write = deposed
        with suppress(StateError):
            self.agent.tick("shop")
        if taken:
            with pytest.raises(LeadershipLost):
                store.confirm()
        self.stop()
        self.start(taken[0] if taken else None)

    def take_over(self) -> Store:
        """Another agent's state, which found the one that leads silent."""

        with patch.object(leadership, "SILENCE", 0.0):
            return open_store(databases.of(self.folder))


class Exactly(RuleBasedStateMachine):
    """People and machines write logs and labels; the agent looks now and then, dies, comes back."""

    logs, truths = Bundle("logs"), Bundle("truths")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if Path(MEMORY).is_dir() else None))
        SHELVES["log"], SHELVES["truth"] = Shelf(), Shelf()
        self.seen: dict[str, dict[str, tuple[bytes, datetime, bool]]] = {"log": {}, "truth": {}}
        """What the agent has seen of each object: content, last change, and whether it was taken to
        its end.
        """
        self.agent = Agent(self.folder)
        self.names = 0

    def teardown(self) -> None:
        self.agent.stop()
        databases.forget(self.folder)
        shutil.rmtree(self.folder)

    def _new(self, shelf: str, content: bytes, *, listed: bool = True) -> str:
        self.names += 1
        # Names that sort anywhere: late ones may come before those that were read.
        key = f"{(self.names * 7919) % 100:02d}-{self.names}.jsonl"
        SHELVES[shelf].put(key, content, self.agent.now, listed=listed)
        return key

    @rule(target=logs, rows=predictions(), listed=st.booleans())
    def put_log(self, rows, listed):
        return self._new("log", lines(rows), listed=listed)

    @rule(target=truths, rows=LABELS, listed=st.booleans())
    def put_labels(self, rows, listed):
        return self._new("truth", lines(rows), listed=listed)

    @rule(key=logs, rows=predictions(), torn=st.booleans())
    def append_log(self, key, rows, torn):
        self._append("log", key, lines(rows), torn)

    @rule(key=truths, rows=LABELS, torn=st.booleans())
    def append_labels(self, key, rows, torn):
        self._append("truth", key, lines(rows), torn)

    def _append(self, shelf, key, content, torn):
        item = SHELVES[shelf].items.get(key)
        if item is not None:
            # A half line that an earlier write left behind is made whole by the next one.
            rest = self._rest.pop((shelf, key, item.lineage), b"")
            cut = len(content) // 2 if torn else len(content)
            SHELVES[shelf].append(key, rest + content[:cut], self.agent.now)
            self._rest[shelf, key, item.lineage] = content[cut:]

    @initialize()
    def _none_torn(self):
        self._rest: dict[tuple[str, str, int], bytes] = {}

    @rule(key=logs, rows=predictions())
    def overwrite_log(self, key, rows):
        if key in SHELVES["log"].items:
            SHELVES["log"].put(key, lines(rows), self.agent.now)

    @rule(key=truths, rows=LABELS)
    def correct_labels(self, key, rows):
        if key in SHELVES["truth"].items:
            SHELVES["truth"].put(key, lines(rows), self.agent.now)

    @rule(key=consumes(logs))
    def delete_log(self, key):
        SHELVES["log"].items.pop(key, None)

    @rule(key=consumes(truths))
    def delete_labels(self, key):
        SHELVES["truth"].items.pop(key, None)

    @rule()
    def listings_catch_up(self):
        for shelf in SHELVES.values():
            for item in shelf.items.values():
                item.listed = True

    @rule(minutes=st.sampled_from([1, 3, 50]))
    def time_goes_by(self, minutes):
        self.agent.now += timedelta(minutes=minutes)

    @rule()
    def restart(self):
        self.agent.stop()
        self.agent.start()

    @rule(number=st.integers(1, 12), after=st.booleans())
    def crash(self, number, after):
        """What was committed before the crash may count already; what was not comes with the next
        tick.
        """
        if self.agent.tick_until_commit(number, after=after):
            self.agent.stop()
            self.agent.start()
        self.tick()

    @rule()
    def another_agent(self):
        """A second agent on the same state is refused, and changes nothing."""
        with pytest.raises(StateError, match="another agent"):
            open_store(databases.of(self.folder))

    @precondition(lambda self: databases.ON_POSTGRES)
    @rule(number=st.integers(1, 12))
    def another_takes_over(self, number):
        """What the first agent has in hand by then is refused; the second goes on from the last
        commit.
        """
        self.agent.tick_until_deposed(number)
        self.tick()

    @rule()
    def tick(self):
        self.agent.tick()
        for name, shelf in SHELVES.items():
            for key, item in shelf.items.items():
                if item.listed:
                    self.seen[name][key] = (
                        item.content,
                        item.modified,
                        self.agent.now - item.modified >= SEALED,
                    )
        self._compare()

    def _records(self, shelf: str):
        """Every whole record that the agent has seen, with when and where it stands."""
        for key, (content, modified, sealed) in self.seen[shelf].items():
            whole, _, rest = content.rpartition(b"\n")
            for place, line in enumerate([*whole.split(b"\n"), *([rest] if sealed else [])]):
                if line:
                    try:
                        record = json.loads(line)
                    except ValueError:
                        continue
                    yield record, (modified, f"shelf://{key}", place)

    def _compare(self) -> None:
        truth: dict[str, tuple] = {}
        for record, at in self._records("truth"):
            # The newest label counts; without times of their own labels are as new as their object.
            truth[record["id"]] = max(
                truth.get(record["id"], (at, record["label"])), (at, record["label"])
            )
        rows, labelled, confusion = Counter(), Counter(), Counter()
        for record, _ in self._records("log"):
            window = (record["t"][:13], record["v"])
            label = truth.get(record["id"], (None, None))[1]
            for segment in ("", f"plan={record['plan']}")[: 1 + (record["plan"] is not None)]:
                rows[*window, segment] += 1
                if label is not None:
                    labelled[*window, segment] += 1
                    confusion[*window, segment, str(label), str(int(record["score"] >= 0.5))] += 1
        assert self._stored() == (+rows, +labelled, +confusion)

    def _stored(self):
        """The same numbers out of the agent's state."""
        from driftline.profiles.built_in import BUILT_IN
        from driftline.state import windows

        agent = self.agent.agent
        watch = agent.watches["shop"]
        rows, labelled, confusion = Counter(), Counter(), Counter()
        with agent.store.read() as connection:
            keys = connection.exec_driver_sql(
                "SELECT start, version, segment, rows FROM windows"
            ).all()
            for start, version, segment, count in keys:
                key = (f"{datetime.fromtimestamp(start / 1e6, UTC):%Y-%m-%dT%H}", version, segment)
                profile = windows.load_profile(
                    connection,
                    WindowKey("shop", start, version, segment),
                    watch.reference.spec,
                    BUILT_IN,
                )
                scores = profile.window().scores
                assert profile.rows == count == scores.rows
                rows[key], labelled[key] = count, scores.labelled
                for pair, number in scores.confusion.items():
                    confusion[*key, *pair] = number
        return +rows, +labelled, +confusion


Exactly.TestCase.settings = settings(
    max_examples=10 if databases.ON_POSTGRES else 15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestExactlyOnce = Exactly.TestCase
