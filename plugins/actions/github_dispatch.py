"""GitHub Actions: a `repository_dispatch` event, by which workflows of a repository start.

Refuses to send an event again that may have arrived: GitHub would start the workflows twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from driftline import Action, Order, Rejected, Request, Secret, hookimpl
from driftline.kit.delivery.http_action import HttpAction, json_request

LARGEST = 64 * 1024


class GitHubDispatch(HttpAction):
    """Sends a `repository_dispatch` event; facts of the incident are its
    `client_payload.driftline`.
    """

    type: ClassVar[str] = "github_dispatch"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "repeats"

    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$", examples=["acme/churn"])]
    """`OWNER/NAME`."""
    token: Secret
    """A token that may write the repository's contents."""
    event_type: Annotated[str, Field(min_length=1, max_length=100)] = "driftline"
    """What the workflow asks for under `on.repository_dispatch.types`."""
    payload: Annotated[dict[str, Any], Field(max_length=9)] = Field(default_factory=dict)
    """More for `client_payload`; `{model}`, `{incident}` and the like stand for facts of the
    incident.
    """
    url: str = "https://api.github.com"
    """The address of the API; another one for GitHub Enterprise."""

    def credentials(self) -> Mapping[str, str]:
        """The token."""
        return {"authorization": f"Bearer {self.token.reveal()}"}

    def request(self, order: Order) -> Request:
        """The event."""
        payload = {**order.fill(self.payload), "driftline": dict(order.facts)}
        headers = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
        body = {"event_type": self.event_type, "client_payload": payload}
        made = json_request("POST", f"{self.url}/repos/{self.repository}/dispatches", body, headers)
        if len(made.body.encode("utf-8", "replace")) >= LARGEST:
            raise Rejected("the payload is larger than the 64 KB that GitHub takes")
        return made

    def permissions(self) -> tuple[str, ...]:
        """What the token needs."""
        return (
            "Contents: read and write on the repository (fine-grained), or the scope repo (classic)",
        )


@hookimpl
def register_actions() -> list[type[Action]]:
    """The one action of this file."""
    return [GitHubDispatch]
