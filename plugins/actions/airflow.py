"""Triggers a run of a DAG in Airflow 3, through its public API v2.

Never triggers two runs for one incident: the id of the run is the token, and Airflow accepts an id
only once.
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
    """The id of the DAG."""
    conf: dict[str, Any] = Field(default_factory=dict)
    """The configuration of the run.

    In texts `{model}`, `{incident}` and other facts of the incident are filled in.
    """
    token: Secret | None = Field(default=None, examples=["${env:AIRFLOW_TOKEN}"])
    """A token of the API server. Give either a token, or a user name and a password."""
    username: str | None = None
    """A user; driftline requests a token for each run with the user's password."""
    password: Secret | None = None
    """The password of `username`."""
    basic: bool = False
    """Whether to send user and password with each request, in place of a token.

    The API server must accept basic authentication.
    """

    @model_validator(mode="after")
    def _has_one_login(self) -> Self:
        if (self.token is None) == (self.username is None) or (self.username is None) != (
            self.password is None
        ):
            raise ValueError("give either token, or username and password")
        return self

    def credentials(self) -> Mapping[str, str]:
        """Return the header for the token, or for the user and the password."""
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
            raise Rejected(f"{self._base}/auth/token returns no access_token") from None

    def request(self, order: Order) -> Request:
        """Return the request for a run outside of the schedule, with the token as its id."""
        body = {
            "dag_run_id": order.token,
            "logical_date": None,
            "conf": order.fill(self.conf),
            "note": f"driftline, {order.notification.incident}: {order.facts['title']}",
        }
        return json_request("POST", f"{self._base}/api/v2/dags/{quote(self.dag, '')}/dagRuns", body)

    def is_repeat(self, status: int, answer: Mapping[str, Any]) -> bool:
        """Return whether the id exists already."""
        return status == 409

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    def permissions(self) -> tuple[str, ...]:
        """Return the right that the user needs in Airflow."""
        return ("can create on DAG Runs of the DAG",)


@hookimpl
def register_actions() -> list[type[Action]]:
    """Register the action of this file."""
    return [Airflow]
