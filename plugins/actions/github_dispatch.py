"""Sends a `repository_dispatch` event, which starts workflows of GitHub Actions.

Does not repeat an event that may have arrived: GitHub would start the workflows twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from driftline import Action, Order, Rejected, Request, Secret, hookimpl
from driftline.kit.delivery.http_action import HttpAction, json_request

LARGEST = 64 * 1024


class GitHubDispatch(HttpAction):
    """Sends a `repository_dispatch` event with the facts of the incident.

    The facts are in `client_payload.driftline`.
    """

    type: ClassVar[str] = "github_dispatch"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "repeats"

    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$", examples=["acme/churn"])]
    """The repository, `OWNER/NAME`."""
    token: Secret
    """A token with write access to the contents of the repository."""
    event_type: Annotated[str, Field(min_length=1, max_length=100)] = "driftline"
    """The type of the event, which the workflow names in `on.repository_dispatch.types`."""
    payload: Annotated[dict[str, Any], Field(max_length=9)] = Field(default_factory=dict)
    """More entries of `client_payload`, at most 9.

    In texts `{model}`, `{incident}` and other facts of the incident are filled in.
    """
    url: str = "https://api.github.com"
    """The address of the API; change it for GitHub Enterprise."""

    def credentials(self) -> Mapping[str, str]:
        """Return the header with the token."""
        return {"authorization": f"Bearer {self.token.reveal()}"}

    def request(self, order: Order) -> Request:
        """Return the request with the event."""
        payload = {**order.fill(self.payload), "driftline": dict(order.facts)}
        headers = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
        body = {"event_type": self.event_type, "client_payload": payload}
        request = json_request(
            "POST", f"{self.url}/repos/{self.repository}/dispatches", body, headers
        )
        if len(request.body.encode("utf-8", "replace")) >= LARGEST:
            raise Rejected("the payload is larger than the 64 KB that GitHub takes")
        return request

    def permissions(self) -> tuple[str, ...]:
        """Return the right that the token needs."""
        return (
            "Contents: read and write on the repository (fine-grained), "
            "or the scope repo (classic)",
        )


@hookimpl
def register_actions() -> list[type[Action]]:
    """Register the action of this file."""
    return [GitHubDispatch]
