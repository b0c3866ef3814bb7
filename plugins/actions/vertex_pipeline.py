"""Vertex AI Pipelines: create a job of a template, such as one that trains a model again. It runs
at once.

Refuses to create two for one incident: the job's id is the token, and Vertex AI takes an id once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import Field, PrivateAttr

from driftline import Action, Order, Request, StartContext, hookimpl
from driftline.kit.clouds import google
from driftline.kit.delivery.http_action import HttpAction, json_request

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
Word = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")]


class VertexPipeline(HttpAction):
    """Creates a Vertex AI pipeline job."""

    type: ClassVar[str] = "vertex_pipeline"
    extra: ClassVar[str] = "gcp"

    project: Word
    """The project's id."""
    location: Word
    """Where the pipeline runs, such as `europe-west4`."""
    template: str
    """The template's address in Artifact Registry:
    `https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY/NAME/TAG`.
    """
    output: Annotated[str, Field(pattern=r"^gs://", examples=["gs://bucket/folder"])]
    """Where the pipeline writes: `gs://BUCKET/FOLDER`."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Values of the template's parameters; `{model}`, `{incident}` and the like stand for facts of
    the incident.
    """
    service_account: str | None = None
    """Who the pipeline runs as; the project's default when absent."""
    credentials_file: str | None = None
    """A service account's key file; what the machine's own chain finds when absent."""
    url: str | None = None
    """Another address of the same API, for private endpoints and tests."""

    _who: Any = PrivateAttr(default=None)

    def start(self, context: StartContext) -> None:
        """Find the credentials."""
        super().start(context)
        file: Path | None = context.base / self.credentials_file if self.credentials_file else None
        self._who = google.load_credentials(SCOPE, file, anonymous=False)

    def credentials(self) -> Mapping[str, str]:
        """A bearer token, renewed when it has expired."""
        return {"authorization": f"Bearer {google.access_token(self._who)}"}

    def request(self, order: Order) -> Request:
        """Create the job under the order's token."""
        base = self.url or f"https://{self.location}-aiplatform.googleapis.com"
        place = f"{base}/v1/projects/{self.project}/locations/{self.location}/pipelineJobs?pipelineJobId={quote(order.token)}"
        body: dict[str, Any] = {
            "displayName": order.token,
            "templateUri": self.template,
            "runtimeConfig": {
                "gcsOutputDirectory": self.output,
                "parameterValues": order.fill(self.parameters),
            },
            "labels": {"driftline-incident": order.notification.incident[:63]},
        }
        if self.service_account is not None:
            body["serviceAccount"] = self.service_account
        return json_request("POST", place, body)

    def is_repeat(self, status: int, answer: Mapping[str, Any]) -> bool:
        """Whether the id is taken: other conflicts have another word."""
        error = answer.get("error")
        return status == 409 and isinstance(error, dict) and error.get("status") == "ALREADY_EXISTS"

    def permissions(self) -> tuple[str, ...]:
        """What it needs in Google Cloud."""
        return (
            "aiplatform.pipelineJobs.create on the project",
            "iam.serviceAccounts.actAs on the pipeline's service account",
        )


@hookimpl
def register_actions() -> list[type[Action]]:
    """The one action of this file."""
    return [VertexPipeline]
