"""SageMaker Pipelines: start an execution, such as one that trains a model again.

Refuses to start two for one incident: SageMaker gives the same execution for the same token.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from driftline import Action, Order, Rejected, Request, StartContext, hookimpl
from driftline.kit.clouds import aws

LONGEST, DESCRIPTION = 1024, 3072


class SageMakerPipeline(Action):
    """Starts an execution of a SageMaker pipeline."""

    type: ClassVar[str] = "sagemaker_pipeline"
    extra: ClassVar[str] = "aws"
    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "deduplicates"

    pipeline: Annotated[str, Field(min_length=1, max_length=2048)]
    """The pipeline's name or ARN."""
    region: str
    """Its region, such as `eu-central-1`."""
    parameters: Annotated[dict[str, str], Field(max_length=200)] = Field(default_factory=dict)
    """Pipeline parameters by name; `{model}`, `{incident}` and the like stand for facts of the
    incident.
    """
    endpoint_url: str | None = None
    """Another address of the same API, for private endpoints and tests."""

    _client: Any = PrivateAttr(default=None)

    def start(self, context: StartContext) -> None:
        """Make the client."""
        super().start(context)
        self._client = aws.make_client("sagemaker", self.region, self.endpoint_url)

    def request(self, order: Order) -> Request:
        """StartPipelineExecution under the order's token."""
        filled: dict[str, str] = order.fill(self.parameters)
        for name, value in filled.items():
            if len(value) > LONGEST:
                raise Rejected(
                    f"parameters.{name}: {len(value)} characters, where SageMaker takes {LONGEST}"
                )
        told = order.notification
        parameters: dict[str, Any] = {
            "PipelineName": self.pipeline,
            "PipelineExecutionDisplayName": order.token,
            "PipelineExecutionDescription": f"driftline, {told.incident}: {order.facts['title']}"[
                :DESCRIPTION
            ],
            "ClientRequestToken": order.token,
        }
        if filled:
            parameters["PipelineParameters"] = [
                {"Name": name, "Value": value} for name, value in filled.items()
            ]
        return aws.operation_request(
            "SageMaker.StartPipelineExecution",
            self.endpoint_url or aws.service_url("api.sagemaker", self.region),
            parameters,
        )

    def perform(self, request: Request) -> str:
        """Start it; gives the execution's ARN."""
        found = aws.call_operation(self._client, "StartPipelineExecution", json.loads(request.body))
        return str(found["PipelineExecutionArn"])

    def permissions(self) -> tuple[str, ...]:
        """What it needs in AWS."""
        return (f"sagemaker:StartPipelineExecution on {self.pipeline}",)


@hookimpl
def register_actions() -> list[type[Action]]:
    """The one action of this file."""
    return [SageMakerPipeline]
