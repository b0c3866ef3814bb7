"""Creates a Vertex AI pipeline job, such as one that trains a model again; it runs at once.

Never creates two jobs for one incident: the id of the job is the token, and Vertex AI accepts an id
only once.
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
    """The id of the project."""
    location: Word
    """The location of the pipeline, such as `europe-west4`."""
    template: str
    """The address of the template in Artifact Registry.

    Its form is `https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY/NAME/TAG`.
    """
    output: Annotated[str, Field(pattern=r"^gs://", examples=["gs://bucket/folder"])]
    """The folder for the output of the pipeline: `gs://BUCKET/FOLDER`."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Values of the parameters of the template.

    In texts `{model}`, `{incident}` and other facts of the incident are filled in.
    """
    service_account: str | None = None
    """The account that runs the pipeline; the default account of the project when absent."""
    credentials_file: str | None = None
    """The key file of a service account; the machine's own identity when absent."""
    url: str | None = None
    """The address of the API. Change it for a private endpoint or a test."""

    _credentials: Any = PrivateAttr(default=None)

    def start(self, context: StartContext) -> None:
        """Find the credentials."""
        super().start(context)
        file: Path | None = (
            context.config_folder / self.credentials_file if self.credentials_file else None
        )
        self._credentials = google.load_credentials(SCOPE, file, anonymous=False)

    def credentials(self) -> Mapping[str, str]:
        """Return the header with a token, renewed when it has expired."""
        return {"authorization": f"Bearer {google.access_token(self._credentials)}"}

    def request(self, order: Order) -> Request:
        """Return the request for a job with the token as its id."""
        base = self.url or f"https://{self.location}-aiplatform.googleapis.com"
        place = (
            f"{base}/v1/projects/{self.project}/locations/{self.location}"
            f"/pipelineJobs?pipelineJobId={quote(order.token)}"
        )
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
        """Return whether the id exists already; other conflicts have another status."""
        error = answer.get("error")
        return status == 409 and isinstance(error, dict) and error.get("status") == "ALREADY_EXISTS"

    def permissions(self) -> tuple[str, ...]:
        """Return the rights that it needs in Google Cloud."""
        return (
            "aiplatform.pipelineJobs.create on the project",
            "iam.serviceAccounts.actAs on the pipeline's service account",
        )


@hookimpl
def register_actions() -> list[type[Action]]:
    """Register the action of this file."""
    return [VertexPipeline]
