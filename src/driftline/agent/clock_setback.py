"""Takes back what was judged while the clock was ahead.

A clock that jumps forward makes windows without rows of hours that have not come, and their alerts
would last until the time has caught up.
"""

from __future__ import annotations

from datetime import datetime

from driftline.agent.model_alerts import ModelAlerts
from driftline.alerting.incident import Change
from driftline.state import empty_windows, models
from driftline.state.store import Store
from driftline.types.alert import Alert
from driftline.types.incident import Reason
from driftline.types.times import as_micros


def take_back_future(
    store: Store, alerts: ModelAlerts, length: int, now: datetime
) -> list[Change] | None:
    """Remove windows without rows that end after `now`, and alerts of windows after it.

    `length` is that of a window in microseconds; what ends within one window of `now` stays.
    Returns the changes of incidents, None when the clock was not ahead.
    """
    with store.write() as connection:
        model = models.load_model(connection, alerts.model)
        latest = as_micros(now) // length * length + length
        if model is None or model.judged_until is None or model.judged_until <= latest:
            return None
        empty_windows.drop_empty_windows(connection, alerts.model, latest - length)
        models.set_judged_until(connection, alerts.model, latest - length)

    def is_ahead(alert: Alert) -> bool:
        return alert.phase.last_end is not None and alert.phase.last_end > now

    return alerts.retire(is_ahead, now, Reason.CLOCK)
