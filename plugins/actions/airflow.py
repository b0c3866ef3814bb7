"""Airflow 3: trigger a run of a DAG, through its public API v2.

Refuses to trigger two for one incident: the run's id is the token, and Airflow takes an id once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from driftline import Action, Order, Rejected, Request, Secret, hookimpl
from driftline.kit.delivery.http_action import HttpAction, json_request


class Airflow(HttpAction):
    """Triggers a DAG run."""

    type: ClassVar[str] = "airflow"

    url: str
    """The address of the API server, without `/api/v2`."""
    dag: Annotated[str, Field(min_length=1, max_length=250)]
    """The DAG's id."""
    conf: dict[str, Any] = Field(default_factory=dict)
    """The run's configuration; `{model}`, `{incident}` and the like stand for facts of the
    incident.
    """
    token: Secret | None = Field(default=None, examples=["${env:AIRFLOW_TOKEN}"])
    """A token to show, where one was issued."""
    username: str | None = None
    """Else a user, who is given a token for each run."""
    password: Secret | None = None
    """The user's password."""
    basic: bool = False
    """Whether user and password are shown with each request instead, where the API server takes
    that.
    """

    @model_validator(mode="after")
    def _someone(self) -> Self:
        if (self.token is None) == (self.username is None) or (self.username is None) != (
            self.password is None
        ):
            raise ValueError("give either token, or username and password")
        return self

    def credentials(self) -> Mapping[str, str]:
        """The token, or what user and password come to."""
        if self.token is not None:
            return {"authorization": f"Bearer {self.token.reveal()}"}
        assert self.username is not None
        assert self.password is not None
        if self.basic:
            pair = f"{self.username}:{self.password.reveal()}".encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        http = self.context.http
        assert http is not None
        answer = http.post(
            f"{self._base}/auth/token",
            json={"username": self.username, "password": self.password.reveal()},
        )
        try:
            return {"authorization": f"Bearer {json.loads(answer.text)['access_token']}"}
        except (ValueError, KeyError, TypeError):
            raise Rejected(f"{self._base}/auth/token gives no access_token") from None

    def request(self, order: Order) -> Request:
        """Trigger the run under the order's token, outside of its schedule."""
        body = {
            "dag_run_id": order.token,
            "logical_date": None,
            "conf": order.fill(self.conf),
            "note": f"driftline, {order.notification.incident}: {order.facts['title']}",
        }
        return json_request("POST", f"{self._base}/api/v2/dags/{quote(self.dag, '')}/dagRuns", body)

    def is_repeat(self, status: int, answer: Mapping[str, Any]) -> bool:
        """Whether the id is taken."""
        return status == 409

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    def permissions(self) -> tuple[str, ...]:
        """What the user needs in Airflow."""
        return ("can create on DAG Runs of the DAG",)


@hookimpl
def register_actions() -> list[type[Action]]:
    """The one action of this file."""
    return [Airflow]
