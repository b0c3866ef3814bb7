"""A summary of the state as plain values, for `run --once --json`, `status` and the pages.

Counts what is stored; computes nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.agent.decision_log import summarise_decision
from driftline.agent.label_ledger import label_ledger
from driftline.config import Config
from driftline.ingest.reference.losses import losses_from_origin
from driftline.state import (
    accounts,
    action_runs,
    incident_store,
    incidents,
    measurements,
    models,
    outbox,
    pair_rows,
    reports,
    waiting,
    windows,
)
from driftline.state.store import Store
from driftline.types.family import Family
from driftline.types.message_state import MessageState
from driftline.types.times import from_micros

if TYPE_CHECKING:
    from driftline.agent.tick import Tick
    from driftline.alerting.work import AlertingState

Plain = dict[str, Any]


def summarise(store: Store, config: Config, ticks: dict[str, Tick] | None = None) -> Plain:
    """Return the numbers of each model, the state of sinks and actions, and the leader.

    With `ticks`, the summary of a model also has what its newest tick added.
    """
    with store.read() as connection:
        summary: Plain = {"models": {name: _model(connection, name) for name in config.models}}
        for name, model in config.models.items():
            if model.labels is not None:
                summary["models"][name]["labels"] = _labels(connection, name)
        summary["sinks"] = {
            name: {
                "pending": status.waiting,
                "refused": status.counts.get(MessageState.REFUSED, 0),
                "failures": status.failures,
                "error": status.error,
                "dead_letters": [
                    {
                        "incident": letter.incident,
                        "event": letter.event,
                        "title": letter.title,
                        "error": letter.error,
                    }
                    for letter in outbox.list_dead_letters(connection, name, 20)
                ],
            }
            for name, status in outbox.load_sink_status(connection).items()
            if not name.startswith(action_runs.ACTION_PREFIX)
        }
        summary["actions"] = [
            {
                "run": run.token,
                "action": run.action,
                "model": run.model,
                "incident": run.incident,
                "state": run.state,
            }
            for run in action_runs.load_runs(connection)
        ]
    leader = store.leader()
    summary["leader"] = (
        None if leader is None else {"agent": leader.name, "since": leader.since.isoformat()}
    )
    for name, tick in (ticks or {}).items():
        summary["models"][name]["added"] = {
            "objects": tick.reading.objects,
            "rows": tick.reading.rows,
            "windows": tick.closing.windows,
        }
        summary["models"][name]["error"] = tick.error
    return summary


def _labels(connection: Any, name: str) -> Plain:
    """Return the numbers of labels that come later."""
    totals = accounts.load_totals(connection, label_ledger(name))
    predictions = waiting.load_waiting_totals(connection, name, waiting.PREDICTION)
    labels = waiting.load_waiting_totals(connection, label_ledger(name), waiting.LABEL)
    return {
        "rows": totals.rows,
        "rejected": totals.rejected_rows,
        "held": totals.held_rows,
        "objects": totals.objects,
        "quarantined": totals.quarantined_objects,
        "unmatched": labels.rows - labels.matched_rows,
        "too_late": accounts.count_unlabelled(connection, label_ledger(name)),
        "predictions_waiting": predictions.rows - predictions.matched_rows,
        "predictions_unlabelled": accounts.count_unlabelled(connection, name),
        "bytes": predictions.bytes + labels.bytes,
        "trouble": totals.trouble,
    }


def _report(connection: Any, name: str) -> Plain:
    """Return the newest first report as `report`; empty before there is one."""
    newest = next(
        (report for report in reports.load_reports(connection, name) if report.title), None
    )
    if newest is None:
        return {}
    return {
        "report": {
            "version": newest.version,
            "at": from_micros(newest.at).isoformat(),
            "title": newest.title,
            "facts": newest.facts,
        }
    }


def _reasons(row: incidents.IncidentRow, alerting: AlertingState) -> Plain:
    """Return the newest reasons of an open incident about the agent itself as `reasons`."""
    incident = alerting.incidents.get(row.id)
    if incident is None or row.cause != Family.MONITORING or row.state != "firing":
        return {}
    members = [alerting.alerts[key] for key in sorted(incident.keys) if key in alerting.alerts]
    entries = [alert.newest_change for alert in members if alert.is_firing]
    return {"reasons": [entry.judgement.reason for entry in entries if entry is not None]}


def _model(connection: Any, name: str) -> Plain:
    totals = accounts.load_totals(connection, name)
    alerting = incident_store.load_alerting_state(connection, name)
    judged_windows, open_windows = windows.count_windows(connection, name)
    counts = measurements.count_verdicts(connection, name)
    state = models.load_model(connection, name)
    reference = models.load_current_reference(connection, name)
    losses = (
        "" if reference is None else losses_from_origin(reference.origin, reference.rows).describe()
    )
    unpaired_counts = pair_rows.count_unpaired(
        connection, name, pair_rows.find_first_unjudged(connection, name)
    )
    return {
        "rows": totals.rows,
        "rejected": totals.rejected_rows,
        "held": totals.held_rows,
        "objects": totals.objects,
        "quarantined": totals.quarantined_objects,
        "waiting": totals.waiting_objects,
        "unpaired": {
            "requests": unpaired_counts["request"],
            "responses": unpaired_counts["response"],
            "settled": totals.unpaired_rows,
        },
        "windows": judged_windows,
        "open_windows": open_windows,
        "measurements": counts.measurements,
        "verdicts": dict(counts.verdicts),
        "incidents": [
            {
                "id": row.id,
                "state": row.state,
                "severity": row.severity,
                "cause": row.cause,
                "title": row.title,
                "since": row.since.isoformat(),
                "resolved_at": row.resolved_at.isoformat() if row.resolved_at else None,
                **_reasons(row, alerting),
            }
            for row in incidents.load_incidents(connection, name)
        ],
        "last_event": from_micros(state.last_event).isoformat()
        if state and state.last_event is not None
        else None,
        **_report(connection, name),
        "decision": summarise_decision(connection, name),
        "reference": None
        if reference is None
        else {
            "number": reference.number,
            "rows": reference.rows,
            **({} if reference.spans is None else {"has_times": True}),
            **({"losses": losses} if losses else {}),
        },
        "trouble": totals.trouble,
    }
