"""The contract of actions: requests are the same each time, hold no secret, and failures show.

Does not send anything: a fake network records the requests.
"""

from __future__ import annotations

from typing import Any

from driftline.contracts.action import Action
from driftline.contracts.context import Answer
from driftline.contracts.plugin import Plugin
from driftline.kit.delivery.http_action import HttpAction
from driftline.testing.fakes import FakeHttp, Post, order, start_context
from driftline.testing.sink_contract import FAILURES
from driftline.types.action_request import Request
from driftline.types.errors import DriftlineError, Rejected

HOSTILE = "churn: <!channel> \u202e`$(rm -rf /)`\x1b[31m " + "x" * 5000


def assert_action(action: Action) -> None:
    """Assert the contract of actions on plain and hostile incidents.

    Of actions that are one HTTP request, assert also that failures show.
    """
    assert action.repeat in ("deduplicates", "repeats"), (
        f"{action.type}: repeat is deduplicates or repeats"
    )
    assert action.patience > 0, f"{action.type}: patience is some seconds"
    plain = _request(action)
    assert _request(action) == plain, f"{action.type}: the same order makes two requests"
    secrets = [getattr(value, "_value", None) for _, value in action]
    for secret in filter(None, secrets):
        assert str(secret) not in str(plain), (
            f"{action.type}: a secret is in the request, which is shown and kept"
        )
    hostile = _request(action, title=HOSTILE)
    assert len(hostile.body) < 64 * 1024, f"{action.type}: a long title makes a long request"
    assert "\x1b" not in hostile.target, f"{action.type}: control characters get into the target"
    if isinstance(action, HttpAction):
        _assert_failures_show(action)


def _assert_failures_show(action: HttpAction) -> None:
    """Assert that `perform` raises what the HTTP client raises.

    The action has no credentials here, because it would have to fetch them.
    """
    request = _request(action)
    bare: Any = type(
        "Bare", (type(action),), {"__module__": __name__, "credentials": lambda self: {}}
    )
    for failure in FAILURES:

        def fail(post: Post, failure: DriftlineError = failure) -> Answer:
            raise failure

        fresh = bare.model_construct(None, **dict(action))
        Plugin.start(fresh, start_context(http=FakeHttp(fail)))
        try:
            fresh.perform(request)
        except type(failure):
            continue
        raise AssertionError(
            f"{action.type}: hides that the receiver did not take it ({type(failure).__name__})"
        )


def _request(action: Action, **changes: str) -> Request:
    try:
        request = action.request(order(**changes))
    except Rejected:
        raise
    except Exception as error:
        raise AssertionError(f"{action.type}: request: {type(error).__name__}: {error}") from error
    assert isinstance(request, Request), f"{action.type}: request gives {type(request).__name__}"
    return request
