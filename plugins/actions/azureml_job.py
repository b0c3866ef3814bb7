"""Azure Machine Learning: create a job, of any type that its API knows, through Azure Resource
Manager.

Refuses to create two for one incident: the job's name is the token, and the same PUT twice makes
one job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from pydantic import Field, PrivateAttr, field_validator

from driftline import Action, Order, Rejected, Request, hookimpl
from driftline.kit.delivery.http_action import HttpAction, json_request

SCOPE = "https://management.azure.com/.default"
JOB = {"jobType": "Pipeline", "componentId": "azureml:retrain:1", "experimentName": "churn"}


class AzureMlJob(HttpAction):
    """Creates an Azure Machine Learning job."""

    type: ClassVar[str] = "azureml_job"
    extra: ClassVar[str] = "azure"

    subscription: Annotated[str, Field(min_length=1)]
    """The id of the subscription."""
    resource_group: Annotated[str, Field(min_length=1, max_length=90)]
    """The resource group of the workspace."""
    workspace: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}$")]
    """The workspace."""
    job: Annotated[dict[str, Any], Field(examples=[JOB])]
    """The job's `properties` as the API has them, with its `jobType`; `{model}`, `{incident}` and
    the like stand for facts.
    """
    api_version: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d(-preview)?$")] = "2024-10-01"
    """The version of the API."""
    url: str = "https://management.azure.com"
    """The address of Azure Resource Manager, another one in other clouds."""

    _credential: Any = PrivateAttr(default=None)

    @field_validator("job")
    @classmethod
    def _has_type(cls, job: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(job.get("jobType"), str):
            raise ValueError("say which jobType, such as Pipeline or Command")
        return job

    def credentials(self) -> Mapping[str, str]:
        """A bearer token of whoever the machine is."""
        try:
            from azure.core.exceptions import ClientAuthenticationError
            from azure.identity import DefaultAzureCredential
        except ImportError:
            raise Rejected(
                "azure-identity is not installed: pip install 'driftline[azure]'"
            ) from None
        self._credential = self._credential or DefaultAzureCredential()
        try:
            return {"authorization": f"Bearer {self._credential.get_token(SCOPE).token}"}
        except ClientAuthenticationError as error:
            raise Rejected(
                f"no Azure credentials could be had: {' '.join(str(error).split())[:200]}"
            ) from None

    def stop(self) -> None:
        """Let go of the credentials."""
        if self._credential is not None:
            self._credential.close()
            self._credential = None
        super().stop()

    def request(self, order: Order) -> Request:
        """Create the job under the order's token."""
        within = f"{self.url}/subscriptions/{quote(self.subscription, '')}/resourceGroups/{quote(self.resource_group, '')}"
        place = f"{within}/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}/jobs/{order.token}"
        tags = {
            "driftline_incident": order.notification.incident,
            "driftline_model": order.facts["model"],
        }
        job = order.fill(self.job)
        body = {"properties": {**job, "tags": {**job.get("tags", {}), **tags}}}
        return json_request("PUT", f"{place}?api-version={self.api_version}", body)

    def permissions(self) -> tuple[str, ...]:
        """What it needs in Azure."""
        return (
            "Microsoft.MachineLearningServices/workspaces/jobs/write on the workspace (AzureML Data Scientist)",
        )


@hookimpl
def register_actions() -> list[type[Action]]:
    """The one action of this file."""
    return [AzureMlJob]
