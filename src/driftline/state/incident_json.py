"""Alerts and incidents as JSON, with a version.

What can't be read raises ValueError, and the caller loses that one entry only.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any

from driftline.state.tables import as_micros, from_micros, from_micros_or_none
from driftline.types.alert import Alert, AlertEntry, AlertState, Phase
from driftline.types.incident import Incident, Upstream, UpstreamKind
from driftline.types.model import (
    Bound,
    BoundSide,
    Decision,
    Judgement,
    Measurement,
    Severity,
    Verdict,
)
from driftline.types.records import JudgedMeasurement

VERSION = 1
ALERT_KEYS = {"for_windows": "needed", "keep_firing_windows": "keep", "newest_dropped": "seen"}
"""JSON keys of the fields of an alert that differ from their names."""


def dump_alert(alert: Alert) -> str:
    """One line of JSON, the same for equal alerts."""
    state = {
        ALERT_KEYS.get(item.name, item.name): getattr(alert, item.name)
        for item in fields(alert)
        if item.init
    }
    return _json(
        {
            **state,
            "base": _set_fields(alert.base),
            "evidence": _dump_entry(alert.evidence),
            "seen": _dump_entry(alert.newest_dropped),
            "labels": list(alert.labels),
            "recent": [_dump_entry(entry) for entry in alert.recent],
            "floor": _micros(alert.floor),
        }
    )


def load_alert(text: str) -> Alert:
    """The inverse of `dump_alert`. Raises ValueError."""
    try:
        state = _versioned(text)
        names = {key: name for name, key in ALERT_KEYS.items()}
        return Alert(
            **{
                **{names.get(key, key): value for key, value in state.items()},
                "labels": tuple((name, value) for name, value in state["labels"]),
                "base": _phase(state["base"]),
                "recent": tuple(_entry(entry, state) for entry in state["recent"]),
                "floor": from_micros_or_none(state["floor"]),
                "evidence": _entry_or_none(state["evidence"], state),
                "newest_dropped": _entry_or_none(state["seen"], state),
            }
        )
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"not the state of an alert: {error!r}") from None


COLUMNS = frozenset(
    {
        "id",
        "model",
        "cause",
        "since",
        "revision",
        "severity",
        "title",
        "resolved_at",
        "reopens_until",
    }
)
"""Fields of an incident with a column of their own."""
PLAIN_KEYS = {
    "lane": "lane",
    "flapping": "flapping",
    "acknowledged_by": "acknowledged",
    "silence_id": "silence",
    "hold_reason": "owed",
    "unannounced": "untold",
}
"""JSON keys of the fields of an incident that are text, a number or a truth value."""
TIME_KEYS = {
    "opened_at": "opened",
    "calm_since": "calm",
    "improving_since": "better",
    "snoozed_until": "snoozed",
}
"""JSON keys of the fields of an incident that are times."""
INCIDENT_KEYS = {**PLAIN_KEYS, **TIME_KEYS, "reopen_times": "turns"}


def dump_incident(incident: Incident) -> str:
    """The fields of an incident that are set and have no column, as one line of JSON."""
    state: dict[str, Any] = {"keys": sorted(incident.keys)}
    for item in fields(incident):
        value = getattr(incident, item.name)
        if item.name not in COLUMNS | {"keys"} and value != item.default and value != frozenset():
            state[INCIDENT_KEYS.get(item.name, item.name)] = _json_value(value)
    return _json(state)


def load_incident(text: str) -> dict[str, Any]:
    """The inverse of `dump_incident`, as the fields of an incident. Raises ValueError."""
    try:
        state = _versioned(text)
        values: dict[str, Any] = {
            name: state[key] for name, key in PLAIN_KEYS.items() if key in state
        }
        values |= {name: from_micros(state[key]) for name, key in TIME_KEYS.items() if key in state}
        values["keys"] = frozenset(str(key) for key in state["keys"])
        values["upstream"] = frozenset(_upstream(item) for item in state.get("upstream", ()))
        values["reopen_times"] = tuple(from_micros(time) for time in state.get("turns", ()))
        return values
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"not the state of an incident: {error!r}") from None


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return as_micros(value)
    if isinstance(value, frozenset):
        return [[upstream.kind.value, upstream.name] for upstream in sorted(value)]
    return [as_micros(time) for time in value] if isinstance(value, tuple) else value


def _json(state: dict[str, Any]) -> str:
    return json.dumps(
        {"v": VERSION, **state}, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def _versioned(text: str) -> dict[str, Any]:
    state = json.loads(text)
    if not isinstance(state, dict) or state.get("v") != VERSION:
        raise ValueError(f"expected version {VERSION}")
    del state["v"]
    return state


def _upstream(item: Any) -> Upstream:
    """A kind and a name; older versions stored the sentence of both."""
    if isinstance(item, str):
        version = item.removeprefix("version ").removesuffix(" is new")
        if item == Upstream(UpstreamKind.NEW_VERSION, version).text:
            return Upstream(UpstreamKind.NEW_VERSION, version)
        column = item.removeprefix("the schema of ").removesuffix(" changed")
        return Upstream(UpstreamKind.SCHEMA, column)
    kind, name = item
    return Upstream(UpstreamKind(kind), str(name))


def _set_fields(value: Any, skip: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The fields of a record that differ from their defaults, times as microseconds."""
    state: dict[str, Any] = {}
    for item in fields(value):
        part = getattr(value, item.name)
        default = {} if item.default is MISSING else item.default
        if item.name not in skip and part != default:
            state[item.name] = as_micros(part) if isinstance(part, datetime) else part
    return state


NOT_IN_ENTRY = frozenset({"labels", "name", "rows", "p_value", "reason", "least", "most"})
"""Fields of a measurement that no entry stores: they are the alert's, or of the judgement only."""
ENTRY_FIELDS = frozenset(Measurement.__dataclass_fields__) - NOT_IN_ENTRY


def _dump_entry(entry: AlertEntry | None) -> dict[str, Any] | None:
    """A window of an alert as one flat object: of window, judgement and measurement."""
    if entry is None:
        return None
    judgement = entry.judgement
    state = _set_fields(entry, skip=frozenset({"judged"}))
    state |= _set_fields(judgement, skip=frozenset({"bound", "within"}))
    state |= _set_fields(entry.measurement, skip=NOT_IN_ENTRY)
    if judgement.bound is not None:
        state["bound"] = [judgement.bound.side.value, judgement.bound.value]
    return state | ({"rows": entry.judged.rows} if entry.judged.rows else {})


def _entry(state: dict[str, Any], alert: dict[str, Any]) -> AlertEntry:
    """The inverse of `_dump_entry`; `alert` is the state of the alert that it belongs to."""
    number = {name: state[name] for name in ENTRY_FIELDS & state.keys()}
    interval, decision = state.get("interval"), state.get("decision")
    number |= {"interval": (interval[0], interval[1])} if interval else {}
    number |= {"decision": Decision(decision)} if decision else {}
    reason = state.get("reason", "")
    bound = Bound.from_stored(reason)
    if "bound" in state:
        side, value = state["bound"]
        bound = Bound(BoundSide(side), value)
    judgement = Judgement(
        Verdict(state["verdict"]),
        Severity(state["severity"]) if state.get("severity") else None,
        reason,
        bound=bound,
    )
    number = {"value": None, **number, "name": alert["measurement"]}
    judged = JudgedMeasurement(
        check=alert["check"],
        measurement=Measurement(**number, labels={name: value for name, value in alert["labels"]}),
        judgement=judgement,
        rows=state.get("rows", 0),
        cause=alert["cause"],
    )
    return AlertEntry(
        start=from_micros(state["start"]),
        end=from_micros(state["end"]),
        judged=judged,
        revision=state.get("revision", 0),
        reference=state.get("reference", ""),
        since=from_micros_or_none(state.get("since")),
    )


def _entry_or_none(state: dict[str, Any] | None, alert: dict[str, Any]) -> AlertEntry | None:
    return None if state is None else _entry(state, alert)


def _phase(state: dict[str, Any]) -> Phase:
    times = {
        name: from_micros_or_none(state.get(name))
        for name in ("since", "until", "last_start", "last_end")
    }
    severity = Severity(state["severity"]) if state.get("severity") else None
    return Phase(
        **{**state, **times, "state": AlertState(state.get("state", "quiet")), "severity": severity}
    )


def _micros(value: datetime | None) -> int | None:
    return None if value is None else as_micros(value)
