"""The metrics of the agent for Prometheus, on a registry of their own.

The number of label sets is bounded: models, sinks and plugins come from the configuration, and of
the measurements only the newest `MAX_LABEL_SETS` are shown.
"""

from __future__ import annotations

import platform
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

MAX_LABEL_SETS = 1000
MAX_LABEL_LENGTH = 200


class Metrics:
    """Every metric of one agent.

    The names are part of the interface: dashboards and alerting rules use them.
    """

    def __init__(self, version: str, *, label_sets: int = MAX_LABEL_SETS) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self.leading = Gauge(
            "driftline_leading",
            "1 in the agent that works, 0 in one that stands by.",
            registry=registry,
        )
        self.reloads = Counter(
            "driftline_reloads",
            "Reloads of the configuration, by what came of them: done or refused.",
            ["outcome"],
            registry=registry,
        )
        self.reload_successful = Gauge(
            "driftline_reload_successful",
            "0 when the last reload was refused and the old configuration goes on, else 1.",
            registry=registry,
        )
        self.reload_successful.set(1)
        self.rows = Counter(
            "driftline_rows", "Rows that were counted in a window.", ["model"], registry=registry
        )
        self.rejected = Counter(
            "driftline_rejected", "Records that could not be read.", ["model"], registry=registry
        )
        self.held = Counter(
            "driftline_held",
            "Rows that are in no window because their time can't be used.",
            ["model"],
            registry=registry,
        )
        self.reference_losses = Gauge(
            "driftline_reference_losses",
            "Records that the reference leaves out because they can't be used.",
            ["model"],
            registry=registry,
        )
        self.objects = Counter(
            "driftline_objects", "Log objects that were read.", ["model"], registry=registry
        )
        self.windows_closed = Counter(
            "driftline_windows_closed",
            "Windows that were judged, each revision by itself.",
            ["model"],
            registry=registry,
        )
        self.verdicts = Counter(
            "driftline_verdicts", "Verdicts of the rules.", ["model", "verdict"], registry=registry
        )
        self.alerts_firing = Gauge(
            "driftline_alerts_firing",
            "Alerts that fire now.",
            ["model", "severity"],
            registry=registry,
        )
        self.notifications = Counter(
            "driftline_notifications",
            "Attempts to deliver, by what came of them.",
            ["sink", "outcome"],
            registry=registry,
        )
        self.actions = Counter(
            "driftline_actions",
            "Attempts to do what incidents called for, by what came of them.",
            ["action", "outcome"],
            registry=registry,
        )
        self.outbox_pending = Gauge(
            "driftline_outbox_pending",
            "Notifications that a sink has not taken yet.",
            ["sink"],
            registry=registry,
        )
        self.tick_seconds = Histogram(
            "driftline_tick_seconds",
            "How long one pass over a model takes, from listing to commit.",
            ["model"],
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
            registry=registry,
        )
        self.plugin_errors = Counter(
            "driftline_plugin_errors",
            "Times that a plugin raised, hung or broke its contract.",
            ["plugin"],
            registry=registry,
        )
        self.last_event = Gauge(
            "driftline_last_event_timestamp_seconds",
            "Event time of the newest row, as Unix time.",
            ["model"],
            registry=registry,
        )
        self._measurement = Gauge(
            "driftline_measurement",
            "The newest value of a measurement, over all segments.",
            ["model", "check", "measurement", "column", "version"],
            registry=registry,
        )
        self._expected = tuple(
            Gauge(
                f"driftline_measurement_expected_{end}",
                f"The {name} value of a measurement that counts as usual, where that is known.",
                ["model", "check", "measurement", "column", "version"],
                registry=registry,
            )
            for end, name in (("low", "lowest"), ("high", "highest"))
        )
        self._alert = Gauge(
            "driftline_alert",
            "1 for each alert that fires now; as many as `driftline_measurement` has at most.",
            ["model", "check", "measurement", "column", "segment", "version", "severity"],
            registry=registry,
        )
        self._dropped = Counter(
            "driftline_measurement_label_sets_dropped",
            "Measurements that are no longer shown because there are too many.",
            registry=registry,
        )
        build = Gauge(
            "driftline_build_info",
            "Always 1; the labels tell the version.",
            ["version", "python"],
            registry=registry,
        )
        build.labels(version, platform.python_version()).set(1)
        ProcessCollector(namespace="driftline", registry=registry)
        self._label_sets = label_sets
        self._measurement_keys: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._expected_keys: set[tuple[str, ...]] = set()
        self._alerts: dict[str, set[tuple[str, ...]]] = {}
        self._lock = Lock()

    def set_measurement(
        self,
        *,
        model: str,
        check: str,
        measurement: str,
        value: float | None,
        column: str = "",
        version: str = "",
        expected: tuple[float, float] | None = None,
    ) -> None:
        """Show the newest value of a measurement, and its `expected` band; None removes either.

        When there are too many measurements, the one that was set longest ago is removed.
        """
        key = tuple(_text(label) for label in (model, check, measurement, column, version))
        with self._lock:
            if value is None or expected is None:
                self._remove_expected(key)
            if value is None:
                if key in self._measurement_keys:
                    del self._measurement_keys[key]
                    self._measurement.remove(*key)
                return
            self._measurement_keys[key] = None
            self._measurement_keys.move_to_end(key)
            self._measurement.labels(*key).set(value)
            if expected is not None:
                self._expected_keys.add(key)
                for gauge, end in zip(self._expected, expected, strict=True):
                    gauge.labels(*key).set(end)
            if len(self._measurement_keys) > self._label_sets:
                oldest, _ = self._measurement_keys.popitem(last=False)
                self._measurement.remove(*oldest)
                self._remove_expected(oldest)
                self._dropped.inc()

    def _remove_expected(self, key: tuple[str, ...]) -> None:
        if key in self._expected_keys:
            self._expected_keys.remove(key)
            for gauge in self._expected:
                gauge.remove(*key)

    def set_alerts(self, model: str, alerts: Iterable[tuple[str, ...]]) -> None:
        """Show exactly these firing alerts of a model.

        Each is a tuple of check, measurement, column, segment, version and severity.
        """
        with self._lock:
            previous = self._alerts.get(model, set())
            other_models = sum(len(keys) for name, keys in self._alerts.items() if name != model)
            keys = sorted({tuple(_text(label) for label in (model, *alert)) for alert in alerts})
            current = set(keys[: max(0, self._label_sets - other_models)])
            for key in previous - current:
                self._alert.remove(*key)
            for key in current:
                self._alert.labels(*key).set(1)
            self._alerts[model] = current


def _text(label: str) -> str:
    """A label of bounded length that can be encoded: column names come from data."""
    return label[:MAX_LABEL_LENGTH].encode("utf-8", "replace").decode()
