"""Converts alerts and incidents to JSON with a version, and back.

Text that can't be read raises ValueError: the caller leaves out this one entry.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from datetime import datetime
from functools import cache
from typing import Any

from driftline.state.earlier_bounds import parse_earlier_bound
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
from driftline.types.times import as_micros, from_micros, from_micros_or_none

VERSION = 1
ALERT_KEYS = {
    "for_windows": "needed",
    "keep_firing_windows": "keep",
    "newest_dropped": "seen",
    "largest_dropped": "largest",
}
"""JSON keys of the fields of an alert that have another name there."""
ALERT_FIELDS = {key: name for name, key in ALERT_KEYS.items()}


def dump_alert(alert: Alert) -> str:
    """Dump an alert to one line of JSON; equal alerts give equal text."""
    state = {
        ALERT_KEYS.get(item.name, item.name): getattr(alert, item.name)
        for item in fields(alert)
        if item.init
    }
    return _dump_state(
        {
            **state,
            "base": _dump_fields(alert.base),
            "evidence": _dump_entry(alert.evidence),
            "seen": _dump_entry(alert.newest_dropped),
            "largest": _dump_entry(alert.largest_dropped),
            "labels": list(alert.labels),
            "recent": [_dump_entry(entry) for entry in alert.recent],
            "floor": None if alert.floor is None else as_micros(alert.floor),
        }
    )


def parse_alert(text: str) -> Alert:
    """Load an alert from the text of `dump_alert`. Raises ValueError."""
    try:
        state = _parse_state(text)
        labels = dict(state["labels"])

        def load_entry(entry: dict[str, Any]) -> AlertEntry:
            return _load_entry(entry, state, labels)

        return Alert(
            **{
                **{ALERT_FIELDS.get(key, key): value for key, value in state.items()},
                "labels": tuple(labels.items()),
                "base": _load_phase(state["base"]),
                "recent": tuple(load_entry(entry) for entry in state["recent"]),
                "floor": from_micros_or_none(state["floor"]),
                "evidence": load_entry(state["evidence"]) if state["evidence"] else None,
                "newest_dropped": load_entry(state["seen"]) if state["seen"] else None,
                # Earlier versions did not store it.
                "largest_dropped": load_entry(state["largest"]) if state.get("largest") else None,
            }
        )
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"not the state of an alert: {error!r}") from None


COLUMN_FIELDS = frozenset(
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
"""The fields of an incident that have a column of their own."""
PLAIN_KEYS = {
    "headline": "headline",
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
    """Dump the fields of an incident that have no column and differ from their defaults."""
    state: dict[str, Any] = {"keys": sorted(incident.keys)}
    for item in fields(incident):
        value = getattr(incident, item.name)
        has_column = item.name in COLUMN_FIELDS
        if not has_column and item.name != "keys" and value not in (item.default, frozenset()):
            state[INCIDENT_KEYS.get(item.name, item.name)] = _dump_value(value)
    return _dump_state(state)


def parse_incident_fields(text: str) -> dict[str, Any]:
    """Load the fields of an incident from the text of `dump_incident`. Raises ValueError."""
    try:
        state = _parse_state(text)
        values: dict[str, Any] = {
            name: state[key] for name, key in PLAIN_KEYS.items() if key in state
        }
        values |= {name: from_micros(state[key]) for name, key in TIME_KEYS.items() if key in state}
        values["keys"] = frozenset(str(key) for key in state["keys"])
        values["upstream"] = frozenset(_load_upstream(item) for item in state.get("upstream", ()))
        values["reopen_times"] = tuple(from_micros(time) for time in state.get("turns", ()))
        return values
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"not the state of an incident: {error!r}") from None


def _dump_value(value: Any) -> Any:
    if isinstance(value, frozenset):
        return [[upstream.kind.value, upstream.name] for upstream in sorted(value)]
    return _plain(value)


def _dump_state(state: dict[str, Any]) -> str:
    return json.dumps(
        {"v": VERSION, **state}, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def _parse_state(text: str) -> dict[str, Any]:
    state = json.loads(text)
    if not isinstance(state, dict) or state.get("v") != VERSION:
        raise ValueError(f"expected version {VERSION}")
    del state["v"]
    return state


def _load_upstream(item: Any) -> Upstream:
    """Load a kind and a name; older versions stored one sentence of both."""
    if isinstance(item, str):
        version = item.removeprefix("version ").removesuffix(" is new")
        if item == Upstream(UpstreamKind.NEW_VERSION, version).text:
            return Upstream(UpstreamKind.NEW_VERSION, version)
        column = item.removeprefix("the schema of ").removesuffix(" changed")
        return Upstream(UpstreamKind.SCHEMA, column)
    kind, name = item
    return Upstream(UpstreamKind(kind), str(name))


@cache
def _stored_fields(kind: Any, skip: frozenset[str]) -> tuple[tuple[str, Any], ...]:
    """Names and defaults of the fields of a record that are stored."""
    return tuple(
        (item.name, {} if item.default is MISSING else item.default)
        for item in fields(kind)
        if item.name not in skip
    )


def _dump_fields(value: object, skip: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Dump the fields that differ from their defaults; times become microseconds."""
    state: dict[str, Any] = {}
    kind: Any = type(value)
    for name, default in _stored_fields(kind, skip):
        part = getattr(value, name)
        if part != default:
            state[name] = _plain(part)
    return state


def _plain(value: Any) -> Any:
    """Convert times to microseconds, also within a tuple."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return as_micros(value) if isinstance(value, datetime) else value


NOT_IN_ENTRY = frozenset(
    {"labels", "name", "rows", "p_value", "reason", "least", "most", "was_interval"}
)
"""Fields of a measurement that entries do not store: the alert or the judgement has them."""
NOT_IN_WINDOW = frozenset({"judged"})
NOT_IN_JUDGEMENT = frozenset({"bound", "is_within_bounds"})
MEASUREMENT_FIELDS = frozenset(Measurement.__dataclass_fields__) - NOT_IN_ENTRY


def _dump_entry(entry: AlertEntry | None) -> dict[str, Any] | None:
    """Dump a window of an alert to one flat object: window, judgement and measurement."""
    if entry is None:
        return None
    judgement = entry.judgement
    state = _dump_fields(entry, skip=NOT_IN_WINDOW)
    state |= _dump_fields(judgement, skip=NOT_IN_JUDGEMENT)
    state |= _dump_fields(entry.measurement, skip=NOT_IN_ENTRY)
    bound = judgement.bound
    if bound is not None:
        state["bound"] = [bound.side.value, bound.value]
    elif judgement.reason:
        state["bound"] = None
    return state | ({"rows": entry.judged.rows} if entry.judged.rows else {})


def _load_entry(state: dict[str, Any], alert: dict[str, Any], labels: dict[str, str]) -> AlertEntry:
    """Load an entry from the object of `_dump_entry`.

    `alert` is the state of its alert, and `labels` are the labels of it.
    """
    values = {name: value for name, value in state.items() if name in MEASUREMENT_FIELDS}
    values.setdefault("value", None)
    if values.get("interval"):
        lower, upper = values["interval"]
        values["interval"] = (lower, upper)
    if values.get("decision"):
        values["decision"] = Decision(values["decision"])
    return AlertEntry(
        start=from_micros(state["start"]),
        end=from_micros(state["end"]),
        judged=JudgedMeasurement(
            check=alert["check"],
            measurement=Measurement(**values, name=alert["measurement"], labels=labels),
            judgement=Judgement(
                verdict=Verdict(state["verdict"]),
                severity=Severity(state["severity"]) if state.get("severity") else None,
                reason=state.get("reason", ""),
                bound=_load_bound(state),
                doublings=state.get("doublings", 0),
            ),
            rows=state.get("rows", 0),
            cause=alert["cause"],
        ),
        revision=state.get("revision", 0),
        reference=state.get("reference", ""),
        since=from_micros_or_none(state.get("since")),
    )


def _load_bound(state: dict[str, Any]) -> Bound | None:
    """Load the bound of a judgement; older versions stored it only in the reason."""
    if "bound" not in state:
        return parse_earlier_bound(state.get("reason", ""))
    if state["bound"] is None:
        return None
    side, value = state["bound"]
    return Bound(BoundSide(side), value)


def _load_phase(state: dict[str, Any]) -> Phase:
    times = {
        name: from_micros_or_none(state.get(name))
        for name in ("since", "until", "last_start", "last_end")
    }
    severity = Severity(state["severity"]) if state.get("severity") else None
    values = {
        "state": AlertState(state.get("state", "quiet")),
        "severity": severity,
        "newest": tuple(from_micros_or_none(begin) for begin in state.get("newest", ())),
    }
    return Phase(**{**state, **times, **values})
