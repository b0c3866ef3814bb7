"""Creates a job of any type in Azure Machine Learning, through Azure Resource Manager.

Never creates two jobs for one incident: the name of the job is the token, and a repeated PUT
creates no second job.
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
    """The name of the workspace."""
    job: Annotated[dict[str, Any], Field(examples=[JOB])]
    """The `properties` of the job in the form of the API, with its `jobType`.

    In texts `{model}`, `{incident}` and other facts of the incident are filled in.
    """
    api_version: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d(-preview)?$")] = "2024-10-01"
    """The version of the Azure API, such as `2024-10-01`."""
    url: str = "https://management.azure.com"
    """The address of Azure Resource Manager; change it for a national cloud."""

    _credential: Any = PrivateAttr(default=None)

    @field_validator("job")
    @classmethod
    def _has_type(cls, job: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(job.get("jobType"), str):
            raise ValueError("say which jobType, such as Pipeline or Command")
        return job

    def credentials(self) -> Mapping[str, str]:
        """Return the header with a token of the machine's identity."""
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
                f"no Azure credentials were found: {' '.join(str(error).split())[:200]}"
            ) from None

    def stop(self) -> None:
        """Close the credentials."""
        if self._credential is not None:
            self._credential.close()
            self._credential = None
        super().stop()

    def request(self, order: Order) -> Request:
        """Return the request for a job with the token as its name."""
        group = (
            f"{self.url}/subscriptions/{quote(self.subscription, '')}"
            f"/resourceGroups/{quote(self.resource_group, '')}"
        )
        place = (
            f"{group}/providers/Microsoft.MachineLearningServices"
            f"/workspaces/{self.workspace}/jobs/{order.token}"
        )
        tags = {
            "driftline_incident": order.notification.incident,
            "driftline_model": order.facts["model"],
        }
        job = order.fill(self.job)
        body = {"properties": {**job, "tags": {**job.get("tags", {}), **tags}}}
        return json_request("PUT", f"{place}?api-version={self.api_version}", body)

    def permissions(self) -> tuple[str, ...]:
        """Return the right that it needs in Azure."""
        return (
            "Microsoft.MachineLearningServices/workspaces/jobs/write on the workspace "
            "(AzureML Data Scientist)",
        )


@hookimpl
def register_actions() -> list[type[Action]]:
    """Register the action of this file."""
    return [AzureMlJob]
