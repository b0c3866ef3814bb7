"""What the state says of each model, as plain values: for `run --once --json`, `status` and the
page.

Refuses to compute: it counts what is stored.
"""

from __future__ import annotations

from typing import Any

from driftline.agent.late_labels import ledger_name
from driftline.agent.tick import Tick
from driftline.config import Config
from driftline.state import (
    accounts,
    action_runs,
    incidents,
    measurements,
    models,
    outbox,
    pair_rows,
    waiting,
    windows,
)
from driftline.state.store import Store
from driftline.state.tables import moment

Plain = dict[str, Any]


def summarise(store: Store, config: Config, ticks: dict[str, Tick] | None = None) -> Plain:
    """Per model: rows, rejected, objects, windows, measurements, verdicts, incidents; and what the
    newest tick added.
    """
    with store.read() as connection:
        found: Plain = {"models": {name: _model(connection, name) for name in config.models}}
        for name, model in config.models.items():
            if model.labels is not None:
                found["models"][name]["labels"] = _labels(connection, name)
        found["sinks"] = {
            name: {
                "pending": status.waiting,
                "refused": status.counts.get("refused", 0),
                "failures": status.failures,
                "error": status.error,
                "dead_letters": [
                    {
                        "incident": letter.incident,
                        "event": letter.event,
                        "title": letter.title,
                        "error": letter.error,
                    }
                    for letter in outbox.dead_letters(connection, name, 20)
                ],
            }
            for name, status in outbox.status(connection).items()
            if not name.startswith(action_runs.LANE)
        }
        found["actions"] = [
            {
                "run": run.token,
                "action": run.action,
                "model": run.model,
                "incident": run.incident,
                "state": run.state,
            }
            for run in action_runs.listed(connection)
        ]
    leader = store.leader()
    found["leader"] = (
        None if leader is None else {"agent": leader.name, "since": leader.since.isoformat()}
    )
    for name, tick in (ticks or {}).items():
        found["models"][name]["added"] = {
            "objects": tick.reading.objects,
            "rows": tick.reading.rows,
            "windows": tick.closing.windows,
        }
        found["models"][name]["error"] = tick.error
    return found


def _labels(connection: Any, name: str) -> Plain:
    """What was read of labels that come later, and what waits for what."""
    totals = accounts.totals(connection, ledger_name(name))
    waits = waiting.kept(connection, name, waiting.PREDICTION)
    labels = waiting.kept(connection, ledger_name(name), waiting.LABEL)
    return {
        "rows": totals.rows,
        "rejected": totals.rejected,
        "held": totals.held,
        "objects": totals.objects,
        "quarantined": totals.quarantined,
        "unmatched": labels.rows - labels.matched,
        "too_late": accounts.unlabelled(connection, ledger_name(name)),
        "predictions_waiting": waits.rows - waits.matched,
        "predictions_unlabelled": accounts.unlabelled(connection, name),
        "bytes": waits.bytes + labels.bytes,
        "trouble": totals.trouble,
    }


def _model(connection: Any, name: str) -> Plain:
    totals = accounts.totals(connection, name)
    judged, still_open = windows.count(connection, name)
    counted = measurements.count(connection, name)
    known = models.known(connection, name)
    reference = models.current_reference(connection, name)
    alone = pair_rows.alone(connection, name, pair_rows.judged(connection, name))
    return {
        "rows": totals.rows,
        "rejected": totals.rejected,
        "held": totals.held,
        "objects": totals.objects,
        "quarantined": totals.quarantined,
        "waiting": totals.waiting,
        "unpaired": {
            "requests": alone["request"],
            "responses": alone["response"],
            "settled": totals.unpaired,
        },
        "windows": judged,
        "open_windows": still_open,
        "measurements": counted.measurements,
        "verdicts": dict(counted.verdicts),
        "incidents": [
            {
                "id": row.id,
                "state": row.state,
                "severity": row.severity,
                "cause": row.cause,
                "title": row.title,
                "since": row.since.isoformat(),
                "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None,
            }
            for row in incidents.listed(connection, name)
        ],
        "last_event": moment(known.last_event).isoformat()
        if known and known.last_event is not None
        else None,
        "reference": None
        if reference is None
        else {"number": reference.number, "rows": reference.rows},
        "trouble": totals.trouble,
    }
