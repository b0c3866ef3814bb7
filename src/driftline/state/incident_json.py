"""Alerts and incidents as JSON, with a version.

Refuses to guess: what can't be read raises ValueError, and the caller loses that one entry only.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any

from driftline.state.tables import as_micros, from_micros, from_micros_or_none
from driftline.types.alert import Alert, AlertEntry, AlertState, Phase
from driftline.types.incident import Incident
from driftline.types.model import Severity, Verdict

VERSION = 1


def dump_alert(alert: Alert) -> str:
    """One line of JSON, the same for equal alerts."""
    plain = {item.name: getattr(alert, item.name) for item in fields(alert) if item.init}
    entries = [_bare(entry) for entry in alert.recent]
    others = {name: _bare(plain[name]) for name in ("base", "evidence", "seen")}
    return _json(
        {
            **plain,
            **others,
            "labels": list(alert.labels),
            "recent": entries,
            "floor": _micros(alert.floor),
        }
    )


def load_alert(text: str) -> Alert:
    """The inverse of `dump_alert`. Raises ValueError."""
    try:
        state = _versioned(text)
        return Alert(
            **{
                **state,
                "labels": tuple((name, value) for name, value in state["labels"]),
                "base": _phase(state["base"]),
                "recent": tuple(_entry(entry) for entry in state["recent"]),
                "floor": from_micros_or_none(state["floor"]),
                "evidence": _maybe_entry(state["evidence"]),
                "seen": _maybe_entry(state["seen"]),
            }
        )
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"not the state of an alert: {error!r}") from None


COLUMNS = frozenset(
    {"id", "model", "cause", "since", "revision", "severity", "title", "resolved", "reopens"}
)
"""What of an incident has a column of its own."""
PLAIN = ("lane", "flapping", "acknowledged", "silence", "owed", "untold")
MOMENTS = ("opened", "calm", "better", "snoozed")


def dump_incident(incident: Incident) -> str:
    """What the columns of the table don't hold, as far as it is set."""
    kept: dict[str, Any] = {"keys": sorted(incident.keys)}
    for item in fields(incident):
        value = getattr(incident, item.name)
        if item.name not in COLUMNS | {"keys"} and value != item.default and value != frozenset():
            kept[item.name] = _plain(value)
    return _json(kept)


def load_incident(text: str) -> dict[str, Any]:
    """The inverse of `dump_incident`, as the fields of an incident. Raises ValueError."""
    try:
        state = _versioned(text)
        found: dict[str, Any] = {name: state[name] for name in PLAIN if name in state}
        found |= {name: from_micros(state[name]) for name in MOMENTS if name in state}
        found["keys"] = frozenset(str(key) for key in state["keys"])
        found["upstream"] = frozenset(str(name) for name in state.get("upstream", ()))
        found["turns"] = tuple(from_micros(turn) for turn in state.get("turns", ()))
        return found
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"not the state of an incident: {error!r}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return as_micros(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return [as_micros(turn) for turn in value] if isinstance(value, tuple) else value


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


def _bare(value: AlertEntry | Phase | None) -> dict[str, Any] | None:
    """The fields that are set, times as microseconds since the epoch."""
    if value is None:
        return None
    kept = {item.name: getattr(value, item.name) for item in fields(value)}
    defaults = {
        item.name: {} if item.default is MISSING else item.default for item in fields(value)
    }
    kept = {name: part for name, part in kept.items() if part != defaults[name]}
    return {
        name: _micros(part) if isinstance(part, datetime) else part for name, part in kept.items()
    }


def _entry(state: dict[str, Any]) -> AlertEntry:
    interval = state.get("interval")
    return AlertEntry(
        **{
            **state,
            "start": from_micros(state["start"]),
            "end": from_micros(state["end"]),
            "since": from_micros_or_none(state.get("since")),
            "verdict": Verdict(state["verdict"]),
            "severity": Severity(state["severity"]) if state.get("severity") else None,
            "interval": (interval[0], interval[1]) if interval else None,
        }
    )


def _maybe_entry(state: dict[str, Any] | None) -> AlertEntry | None:
    return None if state is None else _entry(state)


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
