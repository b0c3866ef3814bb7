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


def dump_alert(alert: Alert) -> str:
    """One line of JSON, the same for equal alerts."""
    plain = {item.name: getattr(alert, item.name) for item in fields(alert) if item.init}
    entries = [_dump_entry(entry) for entry in alert.recent]
    others = {name: _dump_entry(plain[name]) for name in ("evidence", "seen")}
    others["base"] = _set_fields(alert.base)
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
                "recent": tuple(_entry(entry, state) for entry in state["recent"]),
                "floor": from_micros_or_none(state["floor"]),
                "evidence": _entry_or_none(state["evidence"], state),
                "seen": _entry_or_none(state["seen"], state),
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
        found["upstream"] = frozenset(_upstream(item) for item in state.get("upstream", ()))
        found["turns"] = tuple(from_micros(turn) for turn in state.get("turns", ()))
        return found
    except (TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"not the state of an incident: {error!r}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return as_micros(value)
    if isinstance(value, frozenset):
        return [[upstream.kind.value, upstream.name] for upstream in sorted(value)]
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
    kept: dict[str, Any] = {}
    for item in fields(value):
        part = getattr(value, item.name)
        default = {} if item.default is MISSING else item.default
        if item.name not in skip and part != default:
            kept[item.name] = as_micros(part) if isinstance(part, datetime) else part
    return kept


NOT_IN_ENTRY = frozenset({"labels", "name", "rows", "p_value", "reason", "least", "most"})
"""Fields of a measurement that no entry stores: they are the alert's, or of the judgement only."""
MEASURED = frozenset(Measurement.__dataclass_fields__) - NOT_IN_ENTRY


def _dump_entry(entry: AlertEntry | None) -> dict[str, Any] | None:
    """A window of an alert as one flat object: of window, judgement and measurement."""
    if entry is None:
        return None
    judgement = entry.judgement
    kept = _set_fields(entry, skip=frozenset({"judged"}))
    kept |= _set_fields(judgement, skip=frozenset({"bound", "within"}))
    kept |= _set_fields(entry.measurement, skip=NOT_IN_ENTRY)
    if judgement.bound is not None:
        kept["bound"] = [judgement.bound.side.value, judgement.bound.value]
    return kept | ({"rows": entry.judged.rows} if entry.judged.rows else {})


def _entry(state: dict[str, Any], alert: dict[str, Any]) -> AlertEntry:
    """The inverse of `_dump_entry`; `alert` is the state of the alert that it belongs to."""
    measured = {name: state[name] for name in MEASURED & state.keys()}
    interval, decision = state.get("interval"), state.get("decision")
    measured |= {"interval": (interval[0], interval[1])} if interval else {}
    measured |= {"decision": Decision(decision)} if decision else {}
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
    number = {"value": None, **measured, "name": alert["measurement"]}
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
